//! Every way to break an event's schema, with the field and the rule that the error names (spec, sections 3 and 4.1).
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, clippy::as_conversions)]

use hublet::{
    crypto::SigningKey,
    event::{
        EventParts, I_1, KnownIds, LINEARIZED_02, LpduDraft, PduDraft, RoomVersionRules, SchemaError, UnverifiedLpdu,
        UnverifiedPdu, V10, V11, V12,
    },
    id::{RoomId, ServerName, Timestamp, UserId},
    json::{Document, KeyOrder, Limits, parse},
};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ID: &str = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438";

fn document(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 600 }).unwrap()
}

/// A PDU that came through a hub. Its hashes and signatures are text of the right kind, which is all that counts here.
fn base_pdu() -> Value {
    json!({
        "room_id": "!room:hub.example", "type": "m.room.message", "sender": "@ann:part.example",
        "origin_server_ts": 1, "content": {}, "hub_server": "hub.example",
        "hashes": {"sha256": "x", "lpdu": {"sha256": "y"}},
        "signatures": {"hub.example": {"ed25519:1": "z"}, "part.example": {"ed25519:1": "z"}},
        "auth_events": [ID], "prev_events": [ID],
    })
}

fn base_lpdu() -> Value {
    json!({
        "room_id": "!room:hub.example", "type": "m.room.message", "sender": "@ann:part.example",
        "origin_server_ts": 1, "content": {}, "hub_server": "hub.example",
        "hashes": {"lpdu": {"sha256": "y"}}, "signatures": {"part.example": {"ed25519:1": "z"}},
    })
}

/// A PDU of a numbered Matrix version.
fn base_graph() -> Value {
    let mut event = base_pdu();
    event["depth"] = 1.into();
    event["hashes"] = json!({ "sha256": "x" });
    event.as_object_mut().unwrap().remove("hub_server");
    event
}

fn read_pdu(text: &str, rules: &'static RoomVersionRules) -> Result<(), SchemaError> {
    UnverifiedPdu::parse(document(text), rules).map(|_| ())
}

fn read_lpdu(text: &str, rules: &'static RoomVersionRules) -> Result<(), SchemaError> {
    UnverifiedLpdu::parse(document(text), rules).map(|_| ())
}

type Read = fn(&str, &'static RoomVersionRules) -> Result<(), SchemaError>;

/// Sets each row's field, given as a JSON pointer, to a value, and expects its error; `""` for none.
fn check(base: &Value, rules: &'static RoomVersionRules, read: Read, table: &[(&str, Value, &str)]) {
    assert_eq!(read(&base.to_string(), rules), Ok(()), "{base}");
    for (pointer, value, expected) in table {
        let mut event = base.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value.clone();
        check_text(&event.to_string(), rules, read, expected);
    }
}

fn check_text(event: &str, rules: &'static RoomVersionRules, read: Read, expected: &str) {
    let told = read(event, rules).map_or_else(|error| error.to_string(), |()| String::new());
    assert_eq!(told, expected, "{}: {}", rules.id, event.get(..300).unwrap_or(event));
}

/// Removes each field in turn and expects it to be missed.
fn check_missing(base: &Value, rules: &'static RoomVersionRules, read: Read) {
    for key in base.as_object().unwrap().keys() {
        let mut event = base.clone();
        event.as_object_mut().unwrap().remove(key);
        let expected = match key.as_str() {
            // A PDU without it is one of the hub's own users, which has no such hash.
            "hub_server" if base.get("prev_events").is_some() => "hashes.lpdu must not be present".to_owned(),
            key => format!("{key} is missing"),
        };
        check_text(&event.to_string(), rules, read, &expected);
    }
}

/// What LPDU and PDU share.
fn shared_rows() -> Vec<(&'static str, Value, &'static str)> {
    let long = "x".repeat(256);
    vec![
        ("/room_id", json!(1), "room_id is not a string"),
        ("/room_id", json!("room"), "room_id is not valid: the identifier does not start as its kind must"),
        ("/room_id", json!("!room"), "room_id is not valid: the identifier names no server"),
        (
            "/room_id",
            json!("!a b:hub.example"),
            "room_id is not valid: the identifier has a character outside its grammar",
        ),
        ("/type", json!(null), "type is not a string"),
        ("/type", json!(&long), "type is longer than 255 bytes"),
        ("/type", json!(&long[1..]), ""),
        ("/type", json!("é".repeat(128)), "type is longer than 255 bytes"),
        ("/type", json!(""), ""),
        ("/state_key", json!({}), "state_key is not a string"),
        ("/state_key", json!(null), "state_key is not a string"),
        ("/state_key", json!(&long), "state_key is longer than 255 bytes"),
        ("/state_key", json!(&long[1..]), ""),
        ("/state_key", json!(""), ""),
        ("/sender", json!([]), "sender is not a string"),
        ("/sender", json!("ann:part.example"), "sender is not valid: the identifier does not start as its kind must"),
        (
            "/sender",
            json!("@Ann:part.example"),
            "sender is not valid: the identifier has a character outside its grammar",
        ),
        ("/sender", json!("@ann:127.0.0.1"), "sender is not valid: the server name is an ip literal"),
        ("/origin_server_ts", json!("1"), "origin_server_ts is not an integer from 0 to 2^53-1"),
        ("/origin_server_ts", json!(-1), "origin_server_ts is not an integer from 0 to 2^53-1"),
        ("/origin_server_ts", json!(9_007_199_254_740_991_u64), ""),
        (
            "/origin_server_ts",
            json!(9_007_199_254_740_992_u64),
            "origin_server_ts holds a number that events must not hold",
        ),
        ("/content", json!([]), "content is not an object"),
        ("/content", json!(null), "content is not an object"),
        ("/content/deep", json!({"a": [1.5]}), "content holds a number that events must not hold"),
        ("/unknown", json!([-9_007_199_254_740_992_i64]), "event holds a number that events must not hold"),
        ("/unknown", json!({"kept": true}), ""),
        ("/hub_server", json!(1), "hub_server is not a string"),
        (
            "/hub_server",
            json!("hub_example"),
            "hub_server is not valid: the identifier has a character outside its grammar",
        ),
        (
            "/hub_server",
            json!("a.key.invalid"),
            "hub_server is not valid: the name under key.invalid is not that of an acceptable key",
        ),
        ("/hashes", json!("x"), "hashes is not an object"),
        ("/hashes/lpdu", json!("x"), "hashes.lpdu is not an object"),
        ("/hashes/lpdu", json!({}), "hashes.lpdu.sha256 is missing"),
        ("/hashes/lpdu/sha256", json!(1), "hashes.lpdu.sha256 is not a string"),
        ("/signatures", json!([]), "signatures is not an object"),
        ("/signatures/x", json!("y"), "signatures is not an object"),
        ("/signatures/x", json!({"k": {}}), "signatures is not a string"),
        ("/signatures", json!({}), ""),
    ]
}

#[test]
fn spec_3_fields_of_a_pdu() {
    let many = |count: usize| json!(vec![ID; count]);
    let own_rows = [
        ("/hashes/sha256", json!(1), "hashes.sha256 is not a string"),
        ("/hashes/md5", json!(1), ""),
        ("/hashes/lpdu/md5", json!("z"), ""),
        ("/hashes", json!({"sha256": "x"}), "hashes.lpdu is missing"),
        ("/hashes", json!({"lpdu": {"sha256": "y"}}), "hashes.sha256 is missing"),
        ("/auth_events", json!({}), "auth_events is not an array of event ids"),
        ("/auth_events", json!([1]), "auth_events is not an array of event ids"),
        ("/auth_events", json!(["$first"]), "auth_events is not an array of event ids"),
        ("/auth_events", json!([&ID[1..]]), "auth_events is not an array of event ids"),
        ("/auth_events", json!([ID.replace('8', "9")]), "auth_events is not an array of event ids"),
        ("/auth_events", many(0), ""),
        ("/auth_events", many(100), ""),
        ("/prev_events", json!(ID), "prev_events is not an array of event ids"),
        ("/prev_events", json!([null]), "prev_events is not an array of event ids"),
        ("/prev_events", many(0), "prev_events has no entry"),
        ("/prev_events", many(20), ""),
        ("/prev_events", many(21), "prev_events has too many entries"),
        ("/event_id", json!(1), ""),
        ("/depth", json!("unknown here"), ""),
    ];
    for rules in [&I_1, &LINEARIZED_02] {
        check(&base_pdu(), rules, read_pdu, &shared_rows());
        check(&base_pdu(), rules, read_pdu, &own_rows);
        check_missing(&base_pdu(), rules, read_pdu);
    }
}

#[test]
fn spec_3_an_event_of_the_hubs_own_users_has_neither_hub_server_nor_lpdu_hash() {
    let mut own = base_pdu();
    own.as_object_mut().unwrap().remove("hub_server");
    own["hashes"] = json!({"sha256": "x"});
    let rows = [
        ("/hub_server", json!("hub.example"), "hashes.lpdu is missing"),
        ("/hashes/lpdu", json!({"sha256": "y"}), "hashes.lpdu must not be present"),
        ("/hashes/lpdu", json!(null), "hashes.lpdu must not be present"),
    ];
    check(&own, &I_1, read_pdu, &rows);
}

#[test]
fn spec_3_only_a_create_event_may_have_no_previous_one() {
    let mut create = base_pdu();
    create["type"] = "m.room.create".into();
    create["prev_events"] = json!([]);
    check_text(&create.to_string(), &I_1, read_pdu, "");
    create["type"] = "m.room.created".into();
    check_text(&create.to_string(), &I_1, read_pdu, "prev_events has no entry");
}

#[test]
fn spec_3_fields_of_an_lpdu() {
    let own_rows = [
        ("/auth_events", json!([]), "auth_events must not be present"),
        ("/prev_events", json!([]), "prev_events must not be present"),
        ("/event_id", json!(ID), "event_id must not be present"),
        ("/unsigned", json!({}), "unsigned must not be present"),
        ("/hashes", json!({}), "hashes.lpdu is missing"),
        ("/hashes/sha256", json!("x"), "hashes holds more than the lpdu hash"),
        ("/hashes/lpdu/md5", json!("x"), "hashes holds more than the lpdu hash"),
    ];
    for rules in [&I_1, &LINEARIZED_02] {
        check(&base_lpdu(), rules, read_lpdu, &shared_rows());
        check(&base_lpdu(), rules, read_lpdu, &own_rows);
        check_missing(&base_lpdu(), rules, read_lpdu);
    }
    check_text(&base_pdu().to_string(), &I_1, read_lpdu, "auth_events must not be present");
    for rules in [&V10, &V11, &V12] {
        check_text(&base_lpdu().to_string(), rules, read_lpdu, "event is of a room version without a hub");
    }
}

/// Kind, content, the refusal.
fn hub_rows() -> Vec<(&'static str, Value, &'static str)> {
    let join_rule = "content.join_rule is not a join rule of this room version";
    let authorised = "content.join_authorised_via_users_server must not be present";
    vec![
        ("m.room.member", json!({"membership": "join"}), ""),
        ("m.room.member", json!({"third_party_invite": null}), "content.third_party_invite must not be present"),
        ("m.room.member", json!({"join_authorised_via_users_server": "@a:b"}), authorised),
        ("m.room.message", json!({"third_party_invite": 1, "join_authorised_via_users_server": 1}), ""),
        ("m.room.join_rules", json!({"join_rule": "public"}), ""),
        ("m.room.join_rules", json!({"join_rule": "invite"}), ""),
        ("m.room.join_rules", json!({"join_rule": "knock"}), ""),
        ("m.room.join_rules", json!({"join_rule": "restricted"}), join_rule),
        ("m.room.join_rules", json!({"join_rule": "knock_restricted"}), join_rule),
        ("m.room.join_rules", json!({"join_rule": ["public"]}), join_rule),
        ("m.room.join_rules", json!({}), join_rule),
        ("m.room.redaction", json!({"hublet.redacts": ID}), ""),
        ("m.room.redaction", json!({"redacts": ID}), "content.redacts must not be present"),
        ("m.room.message", json!({"redacts": ID}), ""),
        (
            "m.room.message",
            json!({"a": [{"\u{fb33}": 1, "\u{1f600}": 2}]}),
            "event has keys that sort differently by utf-16 unit and by code point",
        ),
        ("m.room.message", json!({"a": [{"\u{fb33}": 1}, {"\u{1f600}": 2}]}), ""),
    ]
}

#[test]
fn spec_3_what_a_hub_refuses_and_a_participant_takes() {
    for (kind, content, expected) in hub_rows() {
        let (mut lpdu, mut pdu) = (base_lpdu(), base_pdu());
        for event in [&mut lpdu, &mut pdu] {
            event["type"] = kind.into();
            event["content"] = content.clone();
        }
        check_text(&lpdu.to_string(), &I_1, read_lpdu, expected);
        check_text(&pdu.to_string(), &I_1, read_pdu, "");
    }
}

#[test]
fn spec_3_own_events_pass_the_same_refusals() {
    let hub = ServerName::parse("hub.example").unwrap();
    let parts = |kind: &str, content: &str, then: &dyn Fn(&EventParts<'_>)| {
        then(&EventParts {
            room_id: &RoomId::parse("!room:hub.example").unwrap(),
            sender: &UserId::parse("@ann:part.example").unwrap(),
            kind,
            state_key: None,
            content: &document(content),
            origin_server_ts: Timestamp::new(1),
        });
    };
    let told = |result: Result<(), SchemaError>| result.map_or_else(|error| error.to_string(), |()| String::new());
    let mut rows: Vec<_> =
        hub_rows().into_iter().map(|(kind, content, expected)| (kind, content.to_string(), expected)).collect();
    rows.push(("m.room.message", "[]".into(), "content is not an object"));
    rows.push(("m.room.message", r#"{"a":1e2}"#.into(), "content holds a number that events must not hold"));
    for (kind, content, expected) in rows {
        parts(kind, &content, &|parts| {
            assert_eq!(told(PduDraft::new(parts, &I_1).map(|_| ())), expected, "{kind} {content}");
            assert_eq!(told(LpduDraft::new(parts, &hub, &I_1).map(|_| ())), expected, "{kind} {content}");
        });
    }
    parts("m.room.message", "{}", &|parts| {
        let late = EventParts { origin_server_ts: Timestamp::new(1 << 53), ..*parts };
        let error = "origin_server_ts is not an integer from 0 to 2^53-1";
        assert_eq!(told(PduDraft::new(&late, &I_1).map(|_| ())), error);
        let last = EventParts { origin_server_ts: Timestamp::new((1 << 53) - 1), ..*parts };
        assert_eq!(told(PduDraft::new(&last, &I_1).map(|_| ())), "");
        assert_eq!(told(PduDraft::new(parts, &V11).map(|_| ())), "event is of a room version without a hub");
    });
}

#[test]
fn spec_3_1_numbers_as_they_are_written() {
    for (number, fits) in [
        ("1", true),
        ("-1", true),
        ("0", true),
        ("9007199254740991", true),
        ("-9007199254740991", true),
        ("9007199254740992", false),
        ("-9007199254740992", false),
        ("-0", false),
        ("1.0", false),
        ("1e0", false),
        ("1E0", false),
        ("0.5", false),
        ("1e300", false),
    ] {
        for (base, read) in [(base_pdu(), read_pdu as Read), (base_lpdu(), read_lpdu as Read)] {
            let text = base.to_string().replace(r#""content":{}"#, &format!(r#""content":{{"n":{number}}}"#));
            check_text(&text, &I_1, read, if fits { "" } else { "content holds a number that events must not hold" });
            let text = base.to_string().replacen('{', &format!(r#"{{"other":[{number}],"#), 1);
            check_text(&text, &I_1, read, if fits { "" } else { "event holds a number that events must not hold" });
        }
        let text = base_graph().to_string().replace(r#""content":{}"#, &format!(r#""content":{{"n":{number}}}"#));
        check_text(&text, &V11, read_pdu, if fits { "" } else { "content holds a number that events must not hold" });
    }
}

#[test]
fn spec_3_size_and_depth_are_exact() {
    for (base, read) in [(base_pdu(), read_pdu as Read), (base_lpdu(), read_lpdu as Read)] {
        let sized = |size: usize| {
            let mut event = base.clone();
            let rest = size - (event.to_string().len() + r#""body":"""#.len());
            event["content"] = json!({"body": "x".repeat(rest)});
            let text = event.to_string();
            assert_eq!(text.len(), size);
            text
        };
        check_text(&sized(65_536), &I_1, read, "");
        check_text(&sized(65_537), &I_1, read, "event is larger than 65536 bytes");
        // The canonical form counts, not the spelling.
        check_text(&format!("  {}  ", sized(65_536)), &I_1, read, "");

        let nested = |levels: usize| {
            let value = "[".repeat(levels - 2) + &"]".repeat(levels - 2);
            base.to_string().replace(r#""content":{}"#, &format!(r#""content":{{"deep":{value}}}"#))
        };
        check_text(&nested(512), &I_1, read, "");
        check_text(&nested(513), &I_1, read, "event is nested deeper than 512 levels");
    }
    for text in ["[]", "null", "1", "\"event\""] {
        check_text(text, &I_1, read_pdu, "event is not an object");
        check_text(text, &I_1, read_lpdu, "event is not an object");
    }
}

#[test]
fn numbered_versions_have_a_depth_and_no_hub() {
    let rows = [
        ("/depth", json!(-1), "depth is not an integer from 0 to 2^53-1"),
        ("/depth", json!("1"), "depth is not an integer from 0 to 2^53-1"),
        ("/depth", json!(9_007_199_254_740_991_u64), ""),
        ("/hub_server", json!(1), ""),
        ("/hashes/lpdu", json!(1), ""),
        ("/hashes/sha256", json!(1), "hashes.sha256 is not a string"),
        ("/auth_events", json!(vec![ID; 10]), ""),
        ("/auth_events", json!(vec![ID; 11]), "auth_events has too many entries"),
        ("/prev_events", json!(vec![ID; 20]), ""),
        ("/prev_events", json!(vec![ID; 21]), "prev_events has too many entries"),
    ];
    for rules in [&V10, &V11] {
        check(&base_graph(), rules, read_pdu, &rows);
        check_missing(&base_graph(), rules, read_pdu);
    }
    let mut v12 = base_graph();
    v12["room_id"] = ID.replace('$', "!").into();
    check(&v12, &V12, read_pdu, &rows);
    check_missing(&v12, &V12, read_pdu);
    let named = "room_id is not valid: the event id is not the base64 of a hash";
    check(&v12, &V12, read_pdu, &[("/room_id", json!("!room:hub.example"), named)]);
}

#[test]
fn version_12_names_the_room_after_its_create_event() {
    let mut create = base_graph();
    create["type"] = "m.room.create".into();
    create["prev_events"] = json!([]);
    check_text(&create.to_string(), &V12, read_pdu, "room_id must not be present");
    create.as_object_mut().unwrap().remove("room_id");
    check_text(&create.to_string(), &V11, read_pdu, "room_id is missing");
    let read = UnverifiedPdu::parse(document(&create.to_string()), &V12).unwrap();
    assert_eq!(read.event().room_id().as_str().replace('!', "$"), read.event_id().to_string());
    assert_eq!(read.event().room_id().server(), "");
}

#[test]
fn spec_3_event_id_and_unsigned_are_left_behind_where_they_are_no_part_of_the_event() {
    let plain = UnverifiedPdu::parse(document(&base_pdu().to_string()), &I_1).unwrap();
    let mut event = base_pdu();
    event["unsigned"] = json!({"age": 1});
    let sent = UnverifiedPdu::parse(document(&event.to_string()), &I_1).unwrap();
    assert_eq!(sent.event().bytes(), plain.event().bytes());

    // In a transaction `event_id` is an unknown field: hashed, then redacted. In an answer it is not there.
    event["event_id"] = ID.into();
    let sent = UnverifiedPdu::parse(document(&event.to_string()), &I_1).unwrap();
    assert_ne!(sent.event().bytes(), plain.event().bytes());
    assert_eq!(sent.event_id(), plain.event_id());
    let answered = UnverifiedPdu::parse_answer(document(&event.to_string()), &I_1).unwrap();
    assert_eq!(answered.event().bytes(), plain.event().bytes());

    // What is left behind cannot spoil the rest, and the rest is judged as it was written.
    let text = event.to_string().replace(r#""age":1"#, r#""age":1.5"#);
    assert!(UnverifiedPdu::parse_answer(document(&text), &I_1).is_ok());
    let text = text.replace(r#""content":{}"#, r#""content":{"n":1.0}"#);
    let error = UnverifiedPdu::parse_answer(document(&text), &I_1).unwrap_err();
    assert_eq!(error.to_string(), "content holds a number that events must not hold");
    let text = event.to_string().replace(r#""content":{}"#, r#""content":{},"other":-0"#);
    let error = UnverifiedPdu::parse_answer(document(&text), &I_1).unwrap_err();
    assert_eq!(error.to_string(), "event holds a number that events must not hold");
}

#[test]
fn spec_2_key_names_are_as_good_as_others_and_known_names_change_no_verdict() {
    let name = |seed: u8| ServerName::key_name_of(&SigningKey::from_seed(&[seed; 32]).public()).unwrap();
    let (hub, part) = (name(1), name(2));
    let good = base_lpdu().to_string().replace("hub.example", hub.as_str()).replace("part.example", part.as_str());
    let bad = good.replace(hub.as_str(), &format!("{}.key.invalid", "a".repeat(52)));
    for text in [&good, &bad, &base_lpdu().to_string()] {
        let plain = UnverifiedLpdu::parse(document(text), &I_1);
        for known in [vec![], vec![&hub], vec![&part], vec![&hub, &part]] {
            let known = KnownIds { room_id: None, servers: &known };
            let read = UnverifiedLpdu::parse_known(document(text), &I_1, known);
            assert_eq!(read.as_ref().err().map(|(error, _)| error), plain.as_ref().err());
            let (Ok(read), Ok(plain)) = (&read, &plain) else { continue };
            assert_eq!(read.event().sender(), plain.event().sender());
            assert_eq!(read.event().sender_server().as_str(), read.event().sender().server());
            assert_eq!(read.event().hub_server(), plain.event().hub_server());
            assert_eq!(read.event().room_id(), plain.event().room_id());
        }
    }
    let refused = "hub_server is not valid: the name under key.invalid is not that of an acceptable key";
    check_text(&bad, &I_1, read_lpdu, refused);
}
