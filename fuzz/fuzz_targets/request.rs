//! Requests: any method, target, headers and body reach a hub with a room, some of them rightly signed by a participant.
//!
//! Each gets one answer, JSON with an error code or 200. What is not signed appends nothing. Whatever is appended the participant accepts, so that no two
//! servers judge it differently.
#![no_main]

use std::sync::LazyLock;

use hublet::{
    id::RoomId,
    server::{Answer, Notification, Request, paths::PFX},
    testing::{server, signed_request},
};
use hublet_fuzz::{ANN, HAL, HUB, OTHER, PART, Pick, ROOM, Servers, change, log_is_whole, lpdu, value};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static SERVERS: LazyLock<Servers> = LazyLock::new(Servers::default);

const V1: &str = "/_matrix/federation/v1";
const TS: u64 = 1_700_000_000_000;

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick::new(data);
    let mut net = SERVERS.net();
    let room = RoomId::parse(ROOM).unwrap();
    for number in 0..4_u64 {
        if pick.is_empty() {
            break;
        }
        let before = net.ids(HUB, &room, 0);
        let (request, is_signed) = request(&mut pick, number);
        let answer = net.request(&server(HUB), request);
        check(&answer.expect("every request is answered"));
        assert!(net.server(&server(HUB)).unwrap().answers.is_empty(), "answered more than once");
        let log = log_is_whole(&mut net, &room);
        assert!(log.starts_with(&before) && (is_signed || log == before));
        for told in net.told(PART) {
            let is_trouble =
                matches!(told, Notification::Rejected { .. } | Notification::Fork { .. } | Notification::Hole { .. });
            assert!(!is_trouble, "{told:?}");
        }
    }
});

fn check(answer: &Answer) {
    let Answer::Response(response) = answer else { panic!("{answer:?}") };
    let body: Value = serde_json::from_slice(&response.body).expect("an answer is JSON");
    let code = body["errcode"].as_str();
    match response.status {
        200 => assert!(body.is_object() && code.is_none(), "{body}"),
        status => assert!(
            (400..600).contains(&status)
                && code.is_some_and(|code| code.starts_with("M_"))
                && body["error"].is_string(),
            "{status} {body}"
        ),
    }
}

/// A request, and whether the participant signed it.
fn request(pick: &mut Pick<'_>, number: u64) -> (Request, bool) {
    let method = pick.one(&["GET", "PUT", "POST", "PUT", "POST", "DELETE"]);
    let (target, body) = match method {
        "GET" => (read(pick), Vec::new()),
        "PUT" => (format!("{PFX}/send/{number}"), transaction(pick, number)),
        _ => post(pick, number),
    };
    let target = if pick.rarely(16) { pick.text() } else { target };
    let body = if pick.rarely(16) { pick.bytes().to_vec() } else { body };
    let mut request = signed_request(PART, HUB, method, &target, &body);
    if !pick.rarely(3) {
        return (request, true);
    }
    match pick.below(4) {
        0 => request.headers.clear(),
        1 => request.headers[0].1 = pick.text(),
        2 => request.headers.push(("Authorization".into(), format!("X-Matrix {}", pick.text()))),
        _ => {
            let text = pick.text();
            request.target.push_str(&text);
            return (request, text.is_empty());
        }
    }
    (request, false)
}

fn id(pick: &mut Pick<'_>) -> String {
    if pick.rarely(8) { pick.text() } else { pick.one(&SERVERS.log).to_string() }
}

fn room(pick: &mut Pick<'_>) -> &'static str {
    pick.one(&[ROOM, ROOM, ROOM, OTHER, "!unknown:hub.example", "!room", "%21room%3Ahub.example"])
}

fn read(pick: &mut Pick<'_>) -> String {
    let (room, event) = (room(pick), id(pick));
    let user = pick.one(&[ANN, "@bob:part.example", HAL, "@eve:far.example", "ann"]);
    match pick.below(14) {
        0 => format!("{V1}/state/{room}?event_id={event}"),
        1 => format!("{V1}/state_ids/{room}?event_id={event}"),
        2 => format!("{V1}/event_auth/{room}/{event}"),
        3 => format!("{PFX}/backfill/{room}?v={event}&limit={}", pick.text()),
        4 => format!("{PFX}/backfill/{room}?v={event}"),
        5 => format!("{PFX}/event/{event}"),
        6 => format!("{V1}/make_join/{room}/{user}?ver=org.matrix.i-d.ralston-mimi-linearized-matrix.02"),
        7 => format!("{V1}/make_leave/{room}/{user}"),
        8 => format!("{V1}/make_knock/{room}/{user}?ver=I.1"),
        9 => format!("{V1}/user/devices/{user}"),
        10 => format!("{V1}/query/profile?user_id={user}&field={}", pick.text()),
        11 => format!("{V1}/query/directory?room_alias=%23{}:hub.example", pick.text()),
        12 => format!("/_matrix/key/v2/query/{}", pick.one(&[PART, HUB, "far.example", "x y"])),
        _ => pick.one(&["/_matrix/key/v2/server", "/.well-known/matrix/server", "/", ""]).to_string(),
    }
}

/// An LPDU of Ann's server, most of them right.
fn event(pick: &mut Pick<'_>, number: u64) -> Value {
    const KINDS: [(&str, Option<&str>); 12] = [
        ("m.room.message", None),
        ("m.room.member", Some(ANN)),
        ("m.room.member", Some("@bob:part.example")),
        ("m.room.member", Some(HAL)),
        ("m.room.member", Some("@eve:far.example")),
        ("m.room.power_levels", Some("")),
        ("m.room.name", Some("")),
        ("m.room.redaction", None),
        ("m.room.server_acl", Some("")),
        ("m.room.join_rules", Some("")),
        ("m.room.hub", Some("")),
        ("x", Some(ANN)),
    ];
    let (kind, state_key) = pick.one(&KINDS);
    let mut content = match kind {
        "m.room.member" => json!({"membership": pick.one(&["join", "leave", "invite", "ban", "knock"])}),
        "m.room.power_levels" => json!({"users": {ANN: pick.below(200), HAL: 100}, "events": {}}),
        "m.room.redaction" => json!({"hublet.redacts": id(pick)}),
        "m.room.server_acl" => json!({"allow": ["*"], "deny": [pick.text()]}),
        "m.room.join_rules" => json!({"join_rule": pick.one(&["public", "invite", "knock"])}),
        "m.room.hub" => json!({"head": id(pick)}),
        _ => json!({"body": "x"}),
    };
    if pick.rarely(2) {
        change(pick, &mut content);
    }
    if !content.is_object() {
        content = json!({"x": content});
    }
    let sender = pick.one(&[ANN, ANN, ANN, "@bob:part.example"]);
    let hub = pick.one(&[HUB, HUB, HUB, PART]);
    let ts = TS + number * 1_000 + u64::try_from(pick.below(100)).unwrap_or_default();
    let room = RoomId::parse(pick.one(&[ROOM, ROOM, ROOM, OTHER])).unwrap();
    lpdu(&room, sender, hub, kind, state_key, &content.to_string(), ts).unwrap_or_else(|| json!({"room_id": ROOM}))
}

fn transaction(pick: &mut Pick<'_>, number: u64) -> Vec<u8> {
    let mut pdus = Vec::new();
    for at in 0..=pick.below(4) {
        let mut event = event(pick, number * 10 + u64::try_from(at).unwrap_or_default());
        if pick.rarely(3) {
            change(pick, &mut event);
        }
        pdus.push(event);
    }
    let edus = if pick.rarely(3) { vec![edu(pick)] } else { Vec::new() };
    let mut body = json!({"pdus": pdus, "edus": edus});
    if pick.rarely(12) {
        change(pick, &mut body);
    }
    body.to_string().into_bytes()
}

fn edu(pick: &mut Pick<'_>) -> Value {
    let mut edu = match pick.below(4) {
        0 => json!({"type": "m.direct_to_device", "sender": ANN, "content": {
            "target": HAL, "target_device": "*", "message_type": "x", "message": {"a": 1},
        }}),
        1 => json!({"type": "m.device_list_update", "sender": ANN, "content": {"changed": [], "removed": ["D"]}}),
        2 => json!({"edu_type": "m.typing", "content": {"room_id": ROOM, "user_id": ANN, "typing": true}}),
        _ => json!({"edu_type": "m.receipt", "content": {ROOM: {"m.read": {ANN: {"event_ids": [id(pick)]}}}}}),
    };
    if pick.rarely(2) {
        change(pick, &mut edu);
    }
    edu
}

fn post(pick: &mut Pick<'_>, number: u64) -> (String, Vec<u8>) {
    let event = event(pick, number);
    let (target, mut body) = match pick.below(7) {
        0 => (format!("{PFX}/send_join/{number}"), event),
        1 => (format!("{PFX}/send_leave/{number}"), event),
        2 => (format!("{PFX}/send_knock/{number}"), event),
        3 => {
            (format!("{PFX}/invite/{number}"), json!({"event": event, "room_version": "I.1", "invite_room_state": []}))
        }
        4 => (format!("{V1}/user/keys/claim"), json!({"one_time_keys": {HAL: {"D": "alg"}}})),
        5 => (format!("{V1}/user/keys/query"), json!({"device_keys": {HAL: []}})),
        _ => (
            "/_matrix/key/v2/query".to_owned(),
            json!({"server_keys": {PART: {"ed25519:1": {"minimum_valid_until_ts": value(pick)}}}}),
        ),
    };
    if pick.rarely(3) {
        change(pick, &mut body);
    }
    (target, body.to_string().into_bytes())
}
