use alloc::{collections::BTreeSet, format, string::String, vec};

use http::Method;

use super::{PREFIX, Routes, TABLE};
use crate::{
    id::{DeviceId, EventId, RoomId, ServerName, Timestamp, UserId},
    room::membership::Membership,
    server::{
        endpoint::{Endpoint, ProfileField},
        message::{ErrorCode, RoomRead},
    },
};

const EVENT: &str = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn room() -> RoomId {
    RoomId::parse("!r:hub.example").unwrap()
}

fn user() -> UserId {
    UserId::parse("@ann:part.example:8448").unwrap()
}

#[test]
fn every_row_of_the_table_is_read() {
    let event = EventId::from_hash([0; 32]);
    let transaction = || String::from("t 1");
    let template = |membership, versions| Endpoint::Template { room: room(), user: user(), membership, versions };
    let send = |membership| Endpoint::SendMember { transaction: transaction(), membership };
    let read = |read| Endpoint::Read { room: room(), read };
    let v = |version: &str, path: &str| format!("/_matrix/federation/{version}/{path}");
    let pfx = |path: &str| format!("{PREFIX}/{path}");
    let rows = [
        ("GET", "/.well-known/matrix/server".into(), Endpoint::WellKnown),
        ("GET", "/_matrix/key/v2/server".into(), Endpoint::OwnKeys),
        (
            "GET",
            "/_matrix/key/v2/query/a.example%3A1?minimum_valid_until_ts=7".into(),
            Endpoint::NotaryKeys {
                server: ServerName::parse("a.example:1").unwrap(),
                minimum_valid_until: Some(Timestamp::new(7)),
            },
        ),
        ("POST", "/_matrix/key/v2/query".into(), Endpoint::NotaryKeysOfMany),
        ("PUT", pfx("send/t%201"), Endpoint::Send { transaction: transaction() }),
        ("PUT", v("v2", "send/t%201"), Endpoint::Send { transaction: transaction() }),
        ("GET", pfx(&format!("event/{EVENT}")), Endpoint::Event(event)),
        ("GET", v("v2", &format!("event/%24{}", &EVENT[1..])), Endpoint::Event(event)),
        ("GET", v("v1", &format!("state/!r:hub.example?event_id={EVENT}")), read(RoomRead::State(event))),
        ("GET", v("v1", &format!("state_ids/%21r%3ahub.example?x&event_id={EVENT}")), read(RoomRead::StateIds(event))),
        ("GET", v("v1", &format!("event_auth/!r:hub.example/{EVENT}")), read(RoomRead::EventAuth(event))),
        (
            "GET",
            pfx(&format!("backfill/!r:hub.example?v={EVENT}&limit=10&v=second")),
            read(RoomRead::Backfill { until: event, limit: 10 }),
        ),
        (
            "GET",
            v("v2", &format!("backfill/!r:hub.example?limit=99999999999999999999&v={EVENT}")),
            read(RoomRead::Backfill { until: event, limit: 100 }),
        ),
        ("POST", pfx("invite/t%201"), Endpoint::Invite { transaction: transaction() }),
        ("POST", v("v3", "invite/t%201"), Endpoint::Invite { transaction: transaction() }),
        (
            "GET",
            v("v1", "make_join/!r:hub.example/@ann:part.example:8448?ver=I.1&ver=10"),
            template(Membership::Join, vec!["I.1".into(), "10".into()]),
        ),
        ("POST", pfx("send_join/t%201"), send(Membership::Join)),
        ("POST", v("v3", "send_join/t%201"), send(Membership::Join)),
        ("GET", v("v1", "make_leave/!r:hub.example/@ann:part.example:8448"), template(Membership::Leave, vec![])),
        ("POST", pfx("send_leave/t%201"), send(Membership::Leave)),
        ("POST", v("v3", "send_leave/t%201"), send(Membership::Leave)),
        ("GET", v("v1", "make_knock/!r:hub.example/@ann:part.example:8448"), template(Membership::Knock, vec![])),
        ("POST", pfx("send_knock/t%201"), send(Membership::Knock)),
        ("POST", v("v3", "send_knock/t%201"), send(Membership::Knock)),
        (
            "GET",
            pfx("user/@ann:part.example:8448/device/DEV"),
            Endpoint::Device { user: user(), device: DeviceId::parse("DEV").unwrap() },
        ),
        (
            "GET",
            v("v1", "user/@ann:part.example:8448/device/DEV"),
            Endpoint::Device { user: user(), device: DeviceId::parse("DEV").unwrap() },
        ),
        ("POST", v("v1", "user/keys/claim"), Endpoint::ClaimKeys),
        ("POST", v("v1", "user/keys/query"), Endpoint::QueryDeviceKeys),
        ("GET", v("v1", "user/devices/@ann:part.example:8448"), Endpoint::Devices(user())),
        (
            "GET",
            v("v1", "query/profile?user_id=%40ann%3Apart.example%3A8448&field=avatar_url"),
            Endpoint::Profile { user: user(), field: Some(ProfileField::AvatarUrl) },
        ),
        (
            "GET",
            v("v1", "query/directory?room_alias=%23a+b:hub.example"),
            Endpoint::Directory { alias: "#a b:hub.example".into() },
        ),
        ("GET", v("v1", "media/download/m1"), Endpoint::Media { id: "m1".into() }),
        ("GET", v("v1", "media/thumbnail/m1"), Endpoint::Media { id: "m1".into() }),
    ];
    assert_eq!(rows.len(), TABLE.len());
    let routes = Routes::new();
    let names: BTreeSet<&str> = rows.iter().map(|(_, _, endpoint)| endpoint.name()).collect();
    assert_eq!(names.len(), 23, "one of each kind, whatever the prefix: {names:?}");
    for (method, target, endpoint) in rows {
        let method: Method = method.parse().unwrap();
        assert_eq!(routes.endpoint(&method, &target), Ok(endpoint), "{method} {target}");
        for other in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
            if other != method {
                let failure = routes.endpoint(&other, &target).unwrap_err();
                assert_eq!((failure.status, failure.code), (405, ErrorCode::Unrecognized), "{other} {target}");
            }
        }
        let path = target.split('?').next().unwrap();
        let slashed = target.replacen(path, &format!("{path}/"), 1);
        assert_eq!(routes.endpoint(&method, &slashed).unwrap_err().status, 404, "{slashed}");
    }
}

#[test]
fn malformed_targets_are_refused_with_their_parameter() {
    let table = [
        ("", 404, ErrorCode::Unrecognized, "path"),
        ("/", 404, ErrorCode::Unrecognized, "path"),
        ("http://a/_matrix/key/v2/server", 404, ErrorCode::Unrecognized, "path"),
        ("/_matrix/federation/v1/event/x", 404, ErrorCode::Unrecognized, "path"),
        ("/_matrix/federation/v9/backfill/x", 404, ErrorCode::Unrecognized, "path"),
        ("/_matrix/federation/v1/state/!r:hub.example", 400, ErrorCode::InvalidParam, "`event_id`"),
        ("/_matrix/federation/v1/state/!r:hub.example?event_id=$a", 400, ErrorCode::InvalidParam, "`event_id`"),
        ("/_matrix/federation/v1/state/r?event_id=$a", 400, ErrorCode::InvalidParam, "`room`"),
        ("/_matrix/federation/v2/backfill/!r:hub.example?v=%zz", 400, ErrorCode::InvalidParam, "`v`"),
        ("/_matrix/federation/v2/event/%ff", 400, ErrorCode::InvalidParam, "`event`"),
        ("/_matrix/federation/v1/make_join/!r:hub.example/ann", 400, ErrorCode::InvalidParam, "`user`"),
        (
            "/_matrix/federation/v1/make_join/!r:hub.example/@ann:a.example?ver=%ff",
            400,
            ErrorCode::InvalidParam,
            "`ver`",
        ),
        ("/_matrix/federation/v1/user/@a:b.example/device/%2F", 400, ErrorCode::InvalidParam, "`device`"),
        ("/_matrix/federation/v1/query/profile", 400, ErrorCode::InvalidParam, "`user_id`"),
        (
            "/_matrix/federation/v1/query/profile?user_id=@a:b.example&field=age",
            400,
            ErrorCode::InvalidParam,
            "`field`",
        ),
        (
            "/_matrix/federation/v1/query/directory?room_alias=%23:b.example",
            400,
            ErrorCode::InvalidParam,
            "`room_alias`",
        ),
        ("/_matrix/key/v2/query/key.invalid", 400, ErrorCode::InvalidParam, "`server`"),
        (
            "/_matrix/key/v2/query/a.example?minimum_valid_until_ts=-1",
            400,
            ErrorCode::InvalidParam,
            "`minimum_valid_until_ts`",
        ),
    ];
    let routes = Routes::new();
    for (target, status, code, word) in table {
        let failure = routes.endpoint(&Method::GET, target).unwrap_err();
        assert_eq!((failure.status, failure.code), (status, code), "{target}");
        assert!(failure.error.contains(word), "{target}: {}", failure.error);
    }
    let limit = format!("{PREFIX}/backfill/!r:hub.example?v={EVENT}&limit=-3");
    assert_eq!(routes.endpoint(&Method::GET, &limit).unwrap_err().code, ErrorCode::InvalidParam);
    let long = format!("{PREFIX}/send/{}", "a".repeat(256));
    assert_eq!(routes.endpoint(&Method::PUT, &long).unwrap_err().code, ErrorCode::InvalidParam);
}
