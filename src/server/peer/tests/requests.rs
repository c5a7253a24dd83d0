//! Requests other than transactions: whom they reach, and what comes back.

use alloc::{format, string::String, vec};

use crate::{
    server::{
        AccountCall, Address, Answer, Call, ErrorCode, Failure, Response, RoomCall, RoomRead,
        endpoint::ProfileField,
        peer::harness::{THEM, message, peer, reopened, request, room, text, verdict},
        route::PREFIX,
    },
    testing::{content, lpdu, user},
};

const EVENT: &str = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn ok(body: &str) -> Answer {
    Answer::Response(Response::ok(body))
}

#[test]
fn what_is_asked_of_a_room_is_answered_by_it() {
    let get = |path: &str| request("GET", &format!("/_matrix/federation/v1/{path}"), "");
    let id = crate::id::EventId::from_hash([0; 32]);
    let reads = [
        (get(&format!("state/!r:us.example?event_id={EVENT}")), RoomRead::State(id)),
        (get(&format!("state_ids/!r:us.example?event_id={EVENT}")), RoomRead::StateIds(id)),
        (get(&format!("event_auth/!r:us.example/{EVENT}")), RoomRead::EventAuth(id)),
        (
            request("GET", &format!("{PREFIX}/backfill/!r:us.example?v={EVENT}&limit=7"), ""),
            RoomRead::Backfill { until: id, limit: 7 },
        ),
    ];
    for (request, expected) in reads {
        let mut peer = peer();
        let ticket = peer.arrives(request);
        let (_, to, call) = &peer.asked[0];
        assert_eq!(*to, Address::Room(room("r")));
        assert!(
            matches!(call, Call::Room(RoomCall::Read { origin, read }) if origin.as_str() == THEM && *read == expected)
        );
        peer.reply(ok(r#"{"a":1}"#));
        assert_eq!(peer.response(ticket), Response::ok(r#"{"a":1}"#));
    }
    for (answer, status) in [
        (Answer::Refused(Failure::of(ErrorCode::NotFound, "no")), 404),
        (Answer::Unavailable, 503),
        (Answer::Done, 500),
    ] {
        let mut peer = peer();
        let ticket = peer.arrives(get("make_join/!r:us.example/@ann:them.example?ver=I.1&ver=10"));
        assert!(matches!(&peer.asked[0].2, Call::Room(RoomCall::Template { versions, .. }) if versions.len() == 2));
        peer.reply(answer);
        assert_eq!(peer.response(ticket).status, status);
    }
}

#[test]
fn a_retried_join_reaches_the_room_once() {
    let member = lpdu(
        &room("r"),
        "@ann:them.example",
        "us.example",
        "m.room.member",
        Some("@ann:them.example"),
        r#"{"membership":"join"}"#,
        5,
    );
    let body = String::from_utf8(member.bytes().to_vec()).unwrap();
    let join = |id: &str| request("POST", &format!("{PREFIX}/send_join/{id}"), &body);
    let mut peer = peer();
    let (first, retry) = (peer.arrives(join("t")), peer.arrives(join("t")));
    let other = peer.arrives(request("POST", &format!("{PREFIX}/send_knock/t"), &body));
    assert_eq!(peer.asked.len(), 2, "IDs are per endpoint");
    peer.reply(ok(r#"{"state":[]}"#));
    assert_eq!(peer.response(first), peer.response(retry));
    peer.reply(Answer::Refused(Failure::of(ErrorCode::Forbidden, "banned")));
    assert_eq!(verdict(&peer.response(other)), (403, Some(ErrorCode::Forbidden)));
    let mut peer = reopened(peer);
    let again = peer.arrives(join("t"));
    assert_eq!(text(&peer.response(again)), r#"{"state":[]}"#);
    let again = peer.arrives(request("POST", &format!("{PREFIX}/send_knock/t"), &body));
    assert_eq!(peer.response(again).status, 403);
    assert!(peer.asked.is_empty());
}

#[test]
fn invites_go_to_the_room_if_we_are_its_hub_and_else_to_the_user() {
    let invite = |hub: &str, target: &str, id: &str| {
        let event =
            lpdu(&room("r"), "@ann:them.example", hub, "m.room.member", Some(target), r#"{"membership":"invite"}"#, 5);
        let event = String::from_utf8(event.bytes().to_vec()).unwrap();
        let body =
            format!(r#"{{"event":{event},"invite_room_state":[{{"type":"m.room.name"}}],"room_version":"I.1"}}"#);
        request("POST", &format!("{PREFIX}/invite/{id}"), &body)
    };
    let mut peer = peer();
    peer.arrives(invite("us.example", "@bob:third.example", "1"));
    assert!(matches!(&peer.asked[0], (_, Address::Room(_), Call::Room(RoomCall::Invite { .. }))));
    peer.arrives(invite("us.example", "@bob:us.example", "2"));
    assert!(matches!(&peer.asked[1], (_, Address::Room(_), Call::Room(RoomCall::Invite { .. }))));
    let ticket = peer.arrives(invite("them.example", "@bob:us.example", "3"));
    let (_, to, call) = &peer.asked[2];
    assert_eq!(*to, Address::Account(user("@bob:us.example")));
    let Call::Account(AccountCall::Invite { version, stripped, .. }) = call else { panic!("{call:?}") };
    assert_eq!((version.as_str(), stripped.len()), ("I.1", 1));
    peer.asked.rotate_left(2);
    peer.reply(ok(r#"{"event":{}}"#));
    assert_eq!(text(&peer.response(ticket)), r#"{"event":{}}"#);
}

#[test]
fn an_event_is_searched_in_the_rooms_shared_with_the_peer() {
    let mut peer = peer();
    let find = || request("GET", &format!("{PREFIX}/event/{EVENT}"), "");
    for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
        let (pdu, id) = message(name, number);
        peer.arrives(super::super::harness::transaction(name, &[pdu]));
        peer.takes(&[id]);
    }
    let mut peer = reopened(peer);
    let ticket = peer.arrives(find());
    assert_eq!(peer.asked.len(), 3);
    peer.reply(Answer::Response(Failure::of(ErrorCode::NotFound, "no").into()));
    peer.reply(ok(r#"{"type":"x"}"#));
    assert_eq!(text(&peer.response(ticket)), r#"{"type":"x"}"#);
    peer.reply(ok("{}"));
    let (none, slow) = (peer.arrives(find()), peer.arrives(find()));
    for _ in 0..3 {
        peer.reply(Answer::Unavailable);
    }
    assert_eq!(verdict(&peer.response(none)), (404, Some(ErrorCode::NotFound)));
    assert_eq!(peer.answer(slow), None);
    peer.wake_after(10_000);
    assert_eq!(peer.response(slow).status, 404);
}

#[test]
fn keys_of_several_users_are_put_together() {
    let mut peer = peer();
    let body = r#"{"one_time_keys":{"@a:us.example":{"D":"alg","not valid!":"alg"},"@b:us.example":{},"@c:third.example":{"D":"alg"},"nobody":{}}}"#;
    let ticket = peer.arrives(request("POST", "/_matrix/federation/v1/user/keys/claim", body));
    assert_eq!(peer.asked.len(), 2, "others' users and devices that cannot be are left out");
    let Call::Account(AccountCall::ClaimKeys(wanted)) = &peer.asked[0].2 else { panic!() };
    assert_eq!(wanted.len(), 1);
    peer.reply(Answer::Object(content(r#"{"D":{"alg":"key"}}"#)));
    assert_eq!(peer.answer(ticket), None);
    peer.reply(Answer::Object(content("{}")));
    assert_eq!(text(&peer.response(ticket)), r#"{"one_time_keys":{"@a:us.example":{"D":{"alg":"key"}}}}"#);

    let body = r#"{"device_keys":{"@a:us.example":[],"@b:us.example":["not valid!"]}}"#;
    let ticket = peer.arrives(request("POST", "/_matrix/federation/v1/user/keys/query", body));
    peer.reply(Answer::Unavailable);
    assert_eq!(text(&peer.response(ticket)), r#"{"device_keys":{}}"#);
}

#[test]
fn what_is_asked_of_a_user_is_answered_by_it() {
    type IsRight = fn(&AccountCall) -> bool;
    let calls: [(&str, IsRight); 4] = [
        ("query/profile?user_id=@a:us.example&field=displayname", |call| {
            matches!(call, AccountCall::Profile(Some(ProfileField::DisplayName)))
        }),
        ("user/devices/@a:us.example", |call| matches!(call, AccountCall::Devices)),
        ("user/@a:us.example/device/D", |call| matches!(call, AccountCall::Device(_))),
        ("query/directory?room_alias=%23x:us.example", |call| matches!(call, AccountCall::ResolveAlias(_))),
    ];
    for (path, is_expected) in calls {
        let mut peer = peer();
        let ticket = peer.arrives(request("GET", &format!("/_matrix/federation/v1/{path}"), ""));
        assert!(matches!(&peer.asked[0].2, Call::Account(call) if is_expected(call)), "{path}");
        peer.reply(ok("{}"));
        assert_eq!(peer.response(ticket).status, 200);
    }
}

#[test]
fn a_peer_has_only_so_many_requests_under_way() {
    let mut peer = peer();
    let profile = || request("GET", "/_matrix/federation/v1/query/profile?user_id=@a:us.example", "");
    let tickets: vec::Vec<_> = (0..64).map(|_| peer.arrives(profile())).collect();
    assert_eq!(peer.verdict(profile()), (429, Some(ErrorCode::LimitExceeded)));
    peer.reply(ok("{}"));
    assert_eq!(peer.response(tickets[0]).status, 200);
    peer.arrives(profile());
    assert_eq!(peer.asked.len(), 64);
}
