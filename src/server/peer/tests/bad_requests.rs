//! Each malformed request: the exact status and code, nothing asked of anybody, nothing written.

use alloc::{format, string::String};

use crate::{
    server::{
        ErrorCode,
        peer::harness::{self, THEM, message, request, send_target, signed_by, transaction},
        route::PREFIX,
    },
    testing::signing_key,
};

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// A request for more devices of one user than anybody has.
fn devices(entry: impl Fn(u32) -> String, (member, open, close): (&str, &str, &str)) -> String {
    let entries: alloc::vec::Vec<_> = (0..1_001).map(entry).collect();
    format!(r#"{{"{member}":{{"@a:us.example":{open}{}{close}}}}}"#, entries.join(","))
}

#[test]
fn malformed_requests_get_their_status_and_code() {
    let many = |count: usize| alloc::vec!["{}"; count].join(",");
    let room = "!r:us.example";
    let event = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let join = |body: &str| request("POST", &format!("{PREFIX}/send_join/t"), body);
    let invite = |body: &str| request("POST", &format!("{PREFIX}/invite/t"), body);
    let claim = |body: &str| request("POST", "/_matrix/federation/v1/user/keys/claim", body);
    let query = |body: &str| request("POST", "/_matrix/federation/v1/user/keys/query", body);
    let send = |body: &str| request("PUT", &send_target("t"), body);
    let get = |path: &str| request("GET", &format!("/_matrix/federation/v1/{path}"), "");
    let member = r#""room_id":"!r:us.example","sender":"@ann:them.example","state_key":"@ann:them.example""#;
    let table = [
        ("unknown path", get("nothing"), 404, ErrorCode::Unrecognized),
        ("wrong method", request("POST", &send_target("t"), "{}"), 405, ErrorCode::Unrecognized),
        ("trailing slash", send("{}").with_target(&format!("{}/", send_target("t"))), 404, ErrorCode::Unrecognized),
        ("key endpoint", request("GET", "/_matrix/key/v2/server", ""), 404, ErrorCode::Unrecognized),
        ("no body", send(""), 400, ErrorCode::NotJson),
        ("no JSON", send("{"), 400, ErrorCode::NotJson),
        ("trailing bytes", send("{} {}"), 400, ErrorCode::NotJson),
        ("duplicate key", send(r#"{"pdus":[],"pdus":[]}"#), 400, ErrorCode::NotJson),
        ("duplicate key by escape", send(r#"{"pdus":[],"\u0070dus":[]}"#), 400, ErrorCode::NotJson),
        ("lone surrogate", send(r#"{"pdus":[{"a":"\ud800"}]}"#), 400, ErrorCode::NotJson),
        ("number beyond f64", send(r#"{"pdus":[{"a":1e999}]}"#), 400, ErrorCode::NotJson),
        ("too deep", send(&format!(r#"{{"pdus":[],"x":{}}}"#, nested(520))), 400, ErrorCode::NotJson),
        ("100,000 brackets", send(&nested(100_000)), 400, ErrorCode::NotJson),
        (
            "a body where none is taken",
            request("GET", &format!("/_matrix/federation/v1/state_ids/{room}?event_id={event}"), "{"),
            400,
            ErrorCode::NotJson,
        ),
        ("no object", send("[]"), 400, ErrorCode::BadJson),
        ("no PDUs", send("{}"), 400, ErrorCode::BadJson),
        ("PDUs that are no array", send(r#"{"pdus":{}}"#), 400, ErrorCode::BadJson),
        ("a PDU that is no object", send(r#"{"pdus":[{},1]}"#), 400, ErrorCode::BadJson),
        ("51 PDUs", send(&format!(r#"{{"pdus":[{}]}}"#, many(51))), 400, ErrorCode::BadJson),
        ("EDUs that are no array", send(r#"{"pdus":[],"edus":null}"#), 400, ErrorCode::BadJson),
        ("101 EDUs", send(&format!(r#"{{"pdus":[],"edus":[{}]}}"#, many(101))), 400, ErrorCode::BadJson),
        ("join without room", join(&format!("{{{}}}", member.replace("room_id", "room"))), 400, ErrorCode::BadJson),
        ("join of a malformed user", join(&format!("{{{}}}", member.replace("@ann", "ann"))), 400, ErrorCode::BadJson),
        (
            "join without state key",
            join(&format!("{{{}}}", member.replace("state_key", "key"))),
            400,
            ErrorCode::BadJson,
        ),
        ("join for a malformed hub", join(&format!(r#"{{{member},"hub_server":1}}"#)), 400, ErrorCode::BadJson),
        (
            "join of another's user",
            join(&format!("{{{}}}", member.replace("them.example", "third.example"))),
            403,
            ErrorCode::Forbidden,
        ),
        ("invite without event", invite(r#"{"room_version":"I.1"}"#), 400, ErrorCode::BadJson),
        ("invite without version", invite(&format!(r#"{{"event":{{{member}}}}}"#)), 400, ErrorCode::BadJson),
        (
            "invite with malformed state",
            invite(&format!(r#"{{"event":{{{member}}},"room_version":"I.1","invite_room_state":[1]}}"#)),
            400,
            ErrorCode::BadJson,
        ),
        (
            "invite for others",
            invite(&format!(r#"{{"event":{{{member}}},"room_version":"I.1"}}"#)),
            400,
            ErrorCode::WrongServer,
        ),
        (
            "invite of another's user to our hub",
            invite(&format!(
                r#"{{"event":{{{},"hub_server":"us.example"}},"room_version":"I.1"}}"#,
                member.replace("them", "third")
            )),
            403,
            ErrorCode::Forbidden,
        ),
        ("claim of nothing", claim("{}"), 400, ErrorCode::BadJson),
        ("claim of no algorithm", claim(r#"{"one_time_keys":{"@a:us.example":{"D":1}}}"#), 400, ErrorCode::BadJson),
        ("claim of no devices", claim(r#"{"one_time_keys":{"@a:us.example":[]}}"#), 400, ErrorCode::BadJson),
        (
            "claim of 1,001 devices",
            claim(&devices(|n| format!(r#""D{n}":"a""#), ("one_time_keys", "{", "}"))),
            400,
            ErrorCode::BadJson,
        ),
        (
            "query of 1,001 devices",
            query(&devices(|n| format!(r#""D{n}""#), ("device_keys", "[", "]"))),
            400,
            ErrorCode::BadJson,
        ),
        ("query of no list", query(r#"{"device_keys":{"@a:us.example":{}}}"#), 400, ErrorCode::BadJson),
        ("query of no names", query(r#"{"device_keys":{"@a:us.example":[1]}}"#), 400, ErrorCode::BadJson),
        ("malformed room", get(&format!("state/r?event_id={event}")), 400, ErrorCode::InvalidParam),
        ("malformed event", get(&format!("event_auth/{room}/$x")), 400, ErrorCode::InvalidParam),
        ("no event named", get(&format!("state/{room}")), 400, ErrorCode::InvalidParam),
        (
            "template for another's user",
            get(&format!("make_join/{room}/@a:third.example?ver=I.1")),
            403,
            ErrorCode::Forbidden,
        ),
        ("profile of another's user", get("query/profile?user_id=@a:third.example"), 404, ErrorCode::NotFound),
        ("devices of another's user", get("user/devices/@a:third.example"), 404, ErrorCode::NotFound),
        ("device of another's user", get("user/@a:third.example/device/D"), 404, ErrorCode::NotFound),
        ("another server's alias", get("query/directory?room_alias=%23a:third.example"), 404, ErrorCode::NotFound),
        ("media", get("media/download/m"), 404, ErrorCode::NotFound),
        (
            "an event of no shared room",
            request("GET", &format!("{PREFIX}/event/{event}"), ""),
            404,
            ErrorCode::NotFound,
        ),
    ];
    for (name, request, status, code) in table {
        let mut peer = harness::peer();
        assert_eq!(peer.verdict(request), (status, Some(code)), "{name}");
        assert!(peer.asked.is_empty() && peer.sent.is_empty(), "{name}");
        assert_eq!(peer.commits, 0, "{name}");
    }
}

#[test]
fn a_body_beyond_4_mib_is_too_large() {
    let mut request = transaction("t", &[message("r", 1).0]);
    request.body.resize(4 * 1024 * 1024, b' ');
    let mut peer = harness::peer();
    peer.arrives(request.clone());
    assert_eq!(peer.receiving().len(), 1, "white space is not signed");
    request.body.push(b' ');
    assert_eq!(peer.verdict(request), (413, Some(ErrorCode::TooLarge)));
}

#[test]
fn requests_that_do_not_prove_their_sender_are_401() {
    let good = || request("GET", "/_matrix/federation/v1/query/profile?user_id=@a:us.example", "");
    let with = |from: &str, to: &str| {
        let mut request = good();
        request.headers[0].1 = request.headers[0].1.replace(from, to);
        request
    };
    let without = || crate::server::Request { headers: alloc::vec![], ..good() };
    let second = || {
        let mut request = good();
        let other = with("sig=\"", "sig=\"AAAA").headers.remove(0);
        request.headers.push((other.0, other.1.replacen("AAAA", "", 1).replace("ed25519:1", "ed25519:2")));
        request
    };
    let table = [
        ("no header", without()),
        ("another destination", with("destination=\"us.example\"", "destination=\"third.example\"")),
        ("another origin", with("origin=\"them.example\"", "origin=\"third.example\"")),
        ("a malformed signature", with("sig=\"", "sig=\"A")),
        ("another target", good().with_target("/_matrix/federation/v1/query/profile?user_id=@b:us.example")),
        ("a body that was not signed", crate::server::Request { body: b"{\"a\":1}".to_vec(), ..good() }),
    ];
    for (name, request) in table {
        let mut peer = harness::peer();
        assert_eq!(peer.verdict(request), (401, Some(ErrorCode::Forbidden)), "{name}");
        assert!(peer.asked.is_empty() && peer.sent.is_empty(), "{name}");
    }
    let mut peer = harness::peer();
    let ticket = peer.arrives(second());
    peer.answered(Err(crate::server::SendError::Unreachable));
    assert_eq!(harness::verdict(&peer.response(ticket)).0, 401, "each header counts");
    // Signed by the right key, under a name that is not the peer's.
    let impostor =
        signed_by("third.example", "ed25519:1", "GET", "/_matrix/federation/v1/user/devices/@a:us.example", "");
    assert_eq!(harness::peer().verdict(impostor), (401, Some(ErrorCode::Forbidden)));
    assert_ne!(signing_key("third.example").public(), signing_key(THEM).public());
}

impl crate::server::Request {
    fn with_target(self, target: &str) -> Self {
        Self { target: target.into(), ..self }
    }
}
