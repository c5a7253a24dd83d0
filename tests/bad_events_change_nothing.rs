//! Bad events over the whole way, from the transaction that brings them to the rows of every store: each fails under its ID with its error code, nothing is
//! appended, and nothing is lost (spec, sections 3, 4, 6 and 9).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::BTreeSet;

use hublet::{
    event::{EventParts, LINEARIZED_02, LpduDraft, received_id},
    id::{EventId, KeyId, Timestamp},
    server::{Address, Answer, Call, RoomCall, paths::PFX},
    testing::{Forgery, Net, content, lpdu, server, signed_request, user},
};
use serde_json::{Value, json};

#[path = "support/world.rs"]
mod world;

use world::{
    ANN, CAT, EVENT, HAL, HUB, OTHER, PART, PRIVATE, ROOM, THIRD, TS, World, assert_kept, body, old_key, room, rows,
};

/// The finished form of Ann's message.
fn said(world: &World) -> Value {
    let log = world.net().log(HUB, &room(ROOM), 0);
    let (_, _, bytes) = log.into_iter().find(|(_, id, _)| *id == world.said).unwrap();
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

/// A PDU of a transaction to a hub, who sends it, and the code under which it fails.
struct Failing {
    name: &'static str,
    origin: &'static str,
    pdu: String,
    code: &'static str,
}

fn failing(name: &'static str, pdu: impl ToString, code: &'static str) -> Failing {
    Failing { name, origin: PART, pdu: pdu.to_string(), code }
}

fn message(hub: &str, room_id: &str, sender: &str, ts: u64) -> Value {
    let event = lpdu(&room(room_id), sender, hub, "m.room.message", None, r#"{"body":"x"}"#, ts);
    serde_json::from_slice(event.bytes()).unwrap()
}

fn state(kind: &str, state_key: &str, content: Value) -> Value {
    let event = lpdu(&room(ROOM), ANN, HUB, kind, Some(state_key), &content.to_string(), TS);
    serde_json::from_slice(event.bytes()).unwrap()
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut event = message(HUB, ROOM, ANN, TS);
    change(&mut event);
    event
}

/// A message of Ann's that a key signed which her server no longer uses.
fn signed_by_old_key() -> Value {
    let parts = EventParts {
        room_id: &room(ROOM),
        sender: &user(ANN),
        kind: "m.room.message",
        state_key: None,
        content: &content("{}"),
        origin_server_ts: Timestamp::new(TS - 5),
    };
    let draft = LpduDraft::new(&parts, &server(HUB), &LINEARIZED_02).unwrap();
    let event = draft.sign(&KeyId::parse("ed25519:0").unwrap(), &old_key()).unwrap();
    serde_json::from_slice(event.bytes()).unwrap()
}

fn failing_at_the_hub(world: &World) -> Vec<Failing> {
    const BAD: &str = "M_BAD_JSON";
    const NO: &str = "M_FORBIDDEN";
    let said = said(world);
    let rebuilt = {
        let mut event = said.clone();
        let fields = event.as_object_mut().unwrap();
        fields.retain(|key, _| key != "auth_events" && key != "prev_events");
        fields["hashes"].as_object_mut().unwrap().remove("sha256");
        fields["signatures"].as_object_mut().unwrap().remove(HUB);
        event
    };
    let content = |text: &str| with(|e| e["content"] = json!("X")).to_string().replace("\"X\"", text);
    let mut deep = "1".to_owned();
    (0..511).for_each(|_| deep = format!("[{deep}]"));
    let mut rows = vec![
        failing("finished by a participant", &said, BAD),
        Failing { name: "another user's, rebuilt from its PDU", origin: THIRD, pdu: rebuilt.to_string(), code: NO },
        Failing { name: "another user's, new", origin: THIRD, pdu: message(HUB, ROOM, ANN, TS).to_string(), code: NO },
        failing("of the hub's own user", message(HUB, ROOM, HAL, TS), NO),
        failing("for another hub", message(THIRD, ROOM, ANN, TS), "M_WRONG_SERVER"),
        failing("for no hub", with(|e| drop(e.as_object_mut().unwrap().remove("hub_server"))), BAD),
        failing(
            "signed for another hub",
            {
                let mut event = message(THIRD, ROOM, ANN, TS);
                event["hub_server"] = HUB.into();
                event
            },
            NO,
        ),
        failing(
            "of another room",
            {
                let mut event = message(HUB, OTHER, ANN, TS);
                event["room_id"] = ROOM.into();
                event
            },
            NO,
        ),
        failing("of an unknown room", message(HUB, "!unknown:hub.example", ANN, TS), "M_NOT_FOUND"),
        failing("of a room without the sender's server", message(HUB, PRIVATE, ANN, TS), "M_NOT_FOUND"),
        failing("of no room", with(|e| e["room_id"] = "room".into()), BAD),
        failing("by one who is not joined", message(HUB, ROOM, "@bob:part.example", TS), NO),
        failing("under a stale key", signed_by_old_key(), NO),
        failing("from beyond its key's time", message(HUB, ROOM, ANN, TS + 8 * 86_400_000), NO),
        failing("without signatures", with(|e| e["signatures"] = json!({})), NO),
        failing("signed by nobody known", with(|e| e["signatures"] = json!({"far.example": {"ed25519:1": "x"}})), NO),
        failing("with a signature that is none", with(|e| e["signatures"][PART]["ed25519:1"] = "x".into()), NO),
        failing(
            "with another signature",
            with(|e| e["signatures"] = message(HUB, ROOM, ANN, TS + 1)["signatures"].clone()),
            NO,
        ),
        failing("with a wrong hash", with(|e| e["content"]["body"] = "y".into()), NO),
        failing("with a field added", with(|e| e["added"] = 1.into()), NO),
        failing("with 1.0", content(r#"{"a":1.0}"#), BAD),
        failing("with -0", content(r#"{"a":[-0]}"#), BAD),
        failing("with an exponent", content(r#"{"a":1e2}"#), BAD),
        failing("with 2^53", content(r#"{"a":9007199254740992}"#), BAD),
        failing("with a huge number", content(r#"{"a":1e308}"#), BAD),
        failing("with a long number", content(&format!(r#"{{"a":{}}}"#, "9".repeat(300))), BAD),
        failing("with keys that sort two ways", content("{\"\u{10000}\":1,\"\u{ff21}\":2}"), BAD),
        failing("513 levels deep", content(&format!(r#"{{"a":{deep}}}"#)), BAD),
        failing("larger than an event", content(&format!(r#"{{"body":"{}"}}"#, "x".repeat(65_536))), "M_TOO_LARGE"),
        failing(
            "too large once finished",
            {
                let event = lpdu(
                    &room(ROOM),
                    ANN,
                    HUB,
                    "m.room.message",
                    None,
                    &format!(r#"{{"body":"{}"}}"#, "x".repeat(65_000)),
                    TS,
                );
                String::from_utf8(event.bytes().to_vec()).unwrap()
            },
            "M_TOO_LARGE",
        ),
        failing("with a type that is too long", with(|e| e["type"] = "t".repeat(256).into()), BAD),
        failing("an empty object", "{}", BAD),
        failing("a second create event", state("m.room.create", "", json!({"room_version": LINEARIZED_02.id})), NO),
        failing("state above its sender's level", state("m.room.name", "", json!({"name": "mine"})), NO),
        failing(
            "a hub that the room does not allow",
            state("m.room.hub", "", json!({"head": world.said.to_string()})),
            NO,
        ),
        failing("another user's state key", state("x", CAT, json!({})), NO),
        failing("a kick without the level", state("m.room.member", CAT, json!({"membership": "leave"})), NO),
        failing("an unknown membership", state("m.room.member", ANN, json!({"membership": "guest"})), NO),
        failing(
            "a redaction of nothing known",
            {
                let event = lpdu(
                    &room(ROOM),
                    ANN,
                    HUB,
                    "m.room.redaction",
                    None,
                    &json!({"hublet.redacts": EVENT}).to_string(),
                    TS,
                );
                String::from_utf8(event.bytes().to_vec()).unwrap()
            },
            NO,
        ),
    ];
    for field in ["content", "hashes", "hub_server", "origin_server_ts", "room_id", "sender", "signatures", "type"] {
        rows.push(failing("without a field", with(|e| drop(e.as_object_mut().unwrap().remove(field))), BAD));
        rows.push(failing("with a mistyped field", with(|e| e[field] = json!([1])), BAD));
        rows.push(failing("with a field that is null", with(|e| e[field] = json!(null)), BAD));
    }
    for (field, value) in
        [("event_id", json!(EVENT)), ("unsigned", json!({})), ("auth_events", json!([])), ("prev_events", json!([]))]
    {
        rows.push(failing("with a field that LPDUs have not", with(|e| e[field] = value), BAD));
    }
    rows
}

fn id_of(pdu: &str) -> String {
    received_id(&content(pdu), &LINEARIZED_02).unwrap().to_string()
}

#[test]
fn spec_6_send_each_bad_lpdu_fails_under_its_id() {
    let world = World::new();
    for Failing { name, origin, pdu, code } in failing_at_the_hub(&world) {
        let request =
            signed_request(origin, HUB, "PUT", &format!("{PFX}/send/t"), format!(r#"{{"pdus":[{pdu}]}}"#).as_bytes());
        let (response, before, after) = world.ask(HUB, request);
        let answer = body(&response);
        assert_eq!(response.status, 200, "{name}: {answer}");
        let failed = answer["failed_pdus"].as_object().unwrap();
        let entry = failed.get(&id_of(&pdu)).unwrap_or_else(|| panic!("{name}: {answer}"));
        assert_eq!((failed.len(), entry["errcode"].as_str()), (1, Some(code)), "{name}: {answer}");
        assert!(entry["error"].as_str().is_some_and(|error| !error.is_empty()), "{name}: {answer}");
        assert_eq!(entry["hub_server"].as_str(), (code == "M_WRONG_SERVER").then_some(HUB), "{name}: {answer}");
        assert_kept(&before, &after, name);
    }
}

#[test]
fn spec_6_send_a_bad_pdu_spoils_no_other() {
    let world = World::new();
    let bad: Vec<_> = failing_at_the_hub(&world).into_iter().filter(|row| row.origin == PART).collect();
    let mut net = world.net();
    let (mut ts, mut said) = (TS, net.ids(HUB, &room(ROOM), 0).len());
    for (number, chunk) in bad.chunks(20).enumerate() {
        let mut pdus = Vec::new();
        for row in chunk {
            ts += 7;
            pdus.extend([message(HUB, ROOM, ANN, ts).to_string(), row.pdu.clone()]);
        }
        let body = format!(r#"{{"pdus":[{}]}}"#, pdus.join(","));
        let request = signed_request(PART, HUB, "PUT", &format!("{PFX}/send/{number}"), body.as_bytes());
        let Some(Answer::Response(response)) = net.request(&server(HUB), request) else { panic!("no answer") };
        let failed = self::body(&response)["failed_pdus"].as_object().unwrap().clone();
        let expected: BTreeSet<_> = chunk.iter().map(|row| id_of(&row.pdu)).collect();
        assert_eq!(failed.keys().cloned().collect::<BTreeSet<_>>(), expected);
        said += chunk.len();
        assert_eq!(net.ids(HUB, &room(ROOM), 0).len(), said, "each good one between two bad ones");
    }
    let hub = net.ids(HUB, &room(ROOM), 0);
    for name in [PART, THIRD] {
        assert!(hub.ends_with(&net.ids(name, &room(ROOM), 0)), "{name} has the same log");
    }
}

#[test]
fn spec_4_what_was_appended_is_acknowledged_and_not_appended_again() {
    let world = World::new();
    let mut rebuilt = said(&world);
    let fields = rebuilt.as_object_mut().unwrap();
    fields.retain(|key, _| key != "auth_events" && key != "prev_events");
    fields["hashes"].as_object_mut().unwrap().remove("sha256");
    fields["signatures"].as_object_mut().unwrap().remove(HUB);
    let pdus = json!({"pdus": [rebuilt]}).to_string();
    let request = signed_request(PART, HUB, "PUT", &format!("{PFX}/send/again"), pdus.as_bytes());
    let (response, before, after) = world.ask(HUB, request);
    assert_eq!((response.status, body(&response)), (200, json!({"failed_pdus": {}})));
    assert_kept(&before, &after, "rows");
}

#[test]
fn spec_4_a_participant_takes_events_from_the_hub_only_and_only_finished_ones() {
    let world = World::new();
    let mut net = world.net();
    let log = net.log(HUB, &room(ROOM), 0);
    let id = |at: usize| log[at].1;
    let head = log.last().unwrap().1;
    let (create, levels) = (id(0), id(2));
    let room_id = room(ROOM);
    let forged = |hub: &'static str, sender: &'static str, prev: &[EventId]| {
        let (kind, body, auth_events) = ("m.room.message", "{}", &[create, levels][..]);
        let forgery = Forgery {
            room_id: &room_id,
            hub,
            sender,
            kind,
            state_key: None,
            body,
            auth_events,
            prev_events: prev,
            ts: 5,
        };
        String::from_utf8(forgery.make().1.into_bytes()).unwrap()
    };
    let good = forged(HUB, HAL, &[head]);
    let mut unsigned: Value = serde_json::from_str(&good).unwrap();
    unsigned["signatures"] = json!({});
    let mut twisted: Value = serde_json::from_str(&good).unwrap();
    twisted["type"] = "m.room.other".into();
    let before = |prev: &[&str]| {
        let mut event: Value = serde_json::from_str(&good).unwrap();
        event["prev_events"] = json!(prev);
        event.to_string()
    };
    let table = [
        ("an LPDU", HUB, message(HUB, ROOM, ANN, TS).to_string(), "M_WRONG_SERVER"),
        ("the hub's event from another server", THIRD, good.clone(), "M_FORBIDDEN"),
        ("an event through another hub", HUB, forged(THIRD, CAT, &[head]), "M_FORBIDDEN"),
        ("no signature", HUB, unsigned.to_string(), "M_FORBIDDEN"),
        ("a wrong signature", HUB, twisted.to_string(), "M_FORBIDDEN"),
        ("no event before it", HUB, before(&[]), "M_BAD_JSON"),
        ("21 events before it", HUB, before(&[EVENT; 21]), "M_BAD_JSON"),
        ("1.0", HUB, good.replace("\"content\":{}", "\"content\":{\"a\":1.0}"), "M_BAD_JSON"),
        ("-0", HUB, good.replace("\"content\":{}", "\"content\":{\"a\":-0}"), "M_BAD_JSON"),
        ("a field left out", HUB, good.replace("\"origin_server_ts\":5,", ""), "M_BAD_JSON"),
        ("an unknown room", HUB, good.replace(ROOM, "!unknown:hub.example"), "M_NOT_FOUND"),
        (
            "too large",
            HUB,
            good.replace("\"content\":{}", &format!("\"content\":{{\"a\":\"{}\"}}", "x".repeat(65_536))),
            "M_TOO_LARGE",
        ),
    ];
    for (name, origin, pdu, code) in table {
        let target = format!("{PFX}/send/t");
        let request = signed_request(origin, PART, "PUT", &target, format!(r#"{{"pdus":[{pdu}]}}"#).as_bytes());
        let (response, before, after) = world.ask(PART, request);
        let answer = body(&response);
        let entry = &answer["failed_pdus"][id_of(&pdu)];
        assert_eq!((response.status, entry["errcode"].as_str()), (200, Some(code)), "{name}: {answer}");
        assert_kept(&before, &after, name);
    }
}

#[test]
fn spec_9_an_old_hub_appends_nothing_after_a_transfer() {
    let names = [HUB, PART, THIRD].map(server);
    let mut net = Net::new(&names.each_ref());
    let room_id = net.create(HAL, ROOM, true, r#"{"hublet.hub_transfer":true}"#);
    net.join(ANN, &room_id, HUB);
    net.join(CAT, &room_id, HUB);
    let levels = json!({"users": {ANN: 100, HAL: 100}}).to_string();
    net.send(HAL, &room_id, "m.room.power_levels", Some(""), &levels).unwrap();
    let consent = Call::Room(RoomCall::Consent { to: server(PART) });
    assert_eq!(net.ask(&server(HUB), Address::Room(room_id.clone()), consent), Some(Answer::Done));
    let before = net.ids(HUB, &room_id, 0);
    assert!(matches!(net.send(ANN, &room_id, "m.room.hub", Some(""), "{}"), Some(Answer::Accepted(_))));
    let log = net.ids(PART, &room_id, -1_000);
    assert_eq!(log.len(), before.len() + 1, "the room has moved");
    let state = |at: usize| log[at];
    let auth_events = [state(0), *before.last().unwrap()];
    for prev in [*before.last().unwrap(), *log.last().unwrap()] {
        let (kind, body) = ("m.room.message", r#"{"body":"I go on"}"#);
        let forgery = Forgery {
            room_id: &room_id,
            hub: HUB,
            sender: HAL,
            kind,
            state_key: None,
            body,
            auth_events: &auth_events,
            prev_events: &[prev],
            ts: 9,
        };
        let (id, event) = forgery.make();
        for (to, code) in [(THIRD, "M_FORBIDDEN"), (PART, "M_BAD_JSON")] {
            let rows_before = rows(net.server(&server(to)).unwrap().stores());
            let target = format!("{PFX}/send/{}", id.to_string().trim_start_matches('$'));
            let pdus = format!(r#"{{"pdus":[{}]}}"#, event.text());
            let Some(Answer::Response(response)) =
                net.request(&server(to), signed_request(HUB, to, "PUT", &target, pdus.as_bytes()))
            else {
                panic!("no answer")
            };
            let answer = self::body(&response);
            let entry = &answer["failed_pdus"][id.to_string()];
            assert_eq!((response.status, entry["errcode"].as_str()), (200, Some(code)), "{to}: {answer}");
            if to == THIRD {
                assert_eq!(entry["hub_server"].as_str(), Some(PART), "{answer}");
            }
            assert_kept(&rows_before, &rows(net.server(&server(to)).unwrap().stores()), to);
        }
    }
}

#[test]
fn an_outsider_cannot_tell_a_private_room_from_none() {
    let world = World::new();
    let answers = |room_id: &str| {
        let signed = |kind: &str, state_key, hub: &str| {
            let event = lpdu(&room(room_id), CAT, hub, kind, state_key, r#"{"membership":"join"}"#, TS);
            serde_json::from_slice::<Value>(event.bytes()).unwrap()
        };
        let mut unsigned = signed("m.room.message", None, HUB);
        unsigned["signatures"] = json!({});
        let mut malformed = signed("m.room.message", None, HUB);
        malformed["content"] = json!(7);
        let mut another = message(HUB, room_id, ANN, TS);
        another["room_id"] = room_id.into();
        let events = [
            signed("m.room.message", None, HUB),
            signed("m.room.member", Some(CAT), HUB),
            signed("m.room.message", None, THIRD),
            unsigned,
            malformed,
            another,
        ];
        let answer = |event: Value| {
            let text = json!({"pdus":[event]}).to_string();
            let request = signed_request(THIRD, HUB, "PUT", &format!("{PFX}/send/1"), text.as_bytes());
            let (response, before, after) = world.ask(HUB, request);
            assert_kept(&before, &after, room_id);
            let failed = body(&response)["failed_pdus"].as_object().unwrap().values().cloned().collect::<Vec<_>>();
            (response.status, failed)
        };
        events.map(answer)
    };
    let unknown = answers("!unknown:hub.example");
    assert!(unknown.iter().all(|(status, failed)| *status == 200 && failed.len() == 1));
    assert_eq!(answers(PRIVATE), unknown);
}
