//! What redaction keeps, version by version (spec, 3.3).
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use hublet::{
    event::{I_1, LINEARIZED_02, RoomVersionRules, UnverifiedPdu, V10, V11, V12, received_id, redact, rules},
    id::RoomVersionId,
    json::{Document, KeyOrder, Limits, parse},
};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[path = "support/full_event.rs"]
mod full_event;

use full_event::{CONTENT, TOP, TYPES, full};

fn document(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 600 }).unwrap()
}

fn read(value: &Value, rules: &'static RoomVersionRules) -> UnverifiedPdu {
    UnverifiedPdu::parse(document(&value.to_string()), rules).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn redacted(event: &Value, rules: &'static RoomVersionRules) -> Value {
    serde_json::from_slice(&redact(read(event, rules).event())).unwrap()
}

#[test]
fn spec_3_3_top_level() {
    const SHARED: &[&str] = &[
        "auth_events",
        "content",
        "hashes",
        "origin_server_ts",
        "prev_events",
        "room_id",
        "sender",
        "signatures",
        "state_key",
        "type",
    ];
    let table: &[(&'static RoomVersionRules, &[&str])] = &[
        (&I_1, &["hub_server"]),
        (&LINEARIZED_02, &["hub_server"]),
        (&V10, &["depth", "event_id", "membership", "origin", "prev_state"]),
        (&V11, &["depth", "event_id"]),
        (&V12, &["depth", "event_id"]),
    ];
    for (rules, own) in table {
        let before = full("m.room.message", rules);
        let after = redacted(&before, rules);
        for key in TOP {
            let kept = SHARED.contains(key) || own.contains(key);
            assert_eq!(after.get(key).is_some(), kept, "{key} in {}", rules.id);
            if kept && *key != "content" {
                assert_eq!(after[key], before[key], "{key} in {}", rules.id);
            }
        }
        assert_eq!(after["content"], json!({}));
    }
}

#[test]
fn spec_3_3_content() {
    let levels: &[&str] =
        &["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"];
    let with_invite = [levels, &["invite"]].concat();
    let visibility: &[&str] = &["history_visibility"];
    let join_rules: &[&str] = &["allow", "join_rule"];
    let member: &[&str] = &["membership"];
    let restricted: &[&str] = &["join_authorised_via_users_server", "membership"];
    let v11_member: &[&str] = &["join_authorised_via_users_server", "membership", "third_party_invite"];
    for rules in [&I_1, &LINEARIZED_02, &V10, &V11, &V12] {
        let linear = rules.id != "10" && rules.id != "11" && rules.id != "12";
        for kind in TYPES {
            let kept: &[&str] = match *kind {
                "m.room.create" if rules.id == "10" => &["creator"],
                "m.room.create" => CONTENT,
                "m.room.member" if linear => member,
                "m.room.member" if rules.id == "10" => restricted,
                "m.room.member" => v11_member,
                "m.room.join_rules" => join_rules,
                "m.room.power_levels" if rules.id == "10" => levels,
                "m.room.power_levels" => &with_invite,
                "m.room.history_visibility" => visibility,
                "m.room.redaction" if rules.id == "11" || rules.id == "12" => &["redacts"],
                _ => &[],
            };
            let before = full(kind, rules);
            let after = redacted(&before, rules);
            for key in CONTENT {
                let mut expected = kept.contains(key).then(|| before["content"][key].clone());
                if *key == "third_party_invite" && *kind == "m.room.member" {
                    expected = expected.map(|_| json!({"signed": {"mxid": "@ann:x"}}));
                }
                assert_eq!(after["content"].get(key), expected.as_ref(), "{kind} {key} in {}", rules.id);
            }
        }
    }
}

#[test]
fn version_11_keeps_of_a_third_party_invite_only_what_is_signed() {
    for (invite, kept) in [
        (json!({"signed": 1, "other": 2}), json!({"third_party_invite": {"signed": 1}})),
        (json!({"other": 2}), json!({"third_party_invite": {}})),
        (json!({}), json!({"third_party_invite": {}})),
        (json!("text"), json!({})),
        (json!(null), json!({})),
    ] {
        let mut event = full("m.room.member", &V11);
        event["content"] = json!({ "third_party_invite": invite });
        assert_eq!(redacted(&event, &V11)["content"], kept);
    }
}

#[test]
fn versions_are_known_by_their_names() {
    let name = "org.matrix.i-d.ralston-mimi-linearized-matrix.02";
    for (id, expected) in [("I.1", &I_1), (name, &LINEARIZED_02), ("10", &V10), ("11", &V11), ("12", &V12)] {
        assert_eq!(rules(&RoomVersionId::parse(id).unwrap()), Some(expected));
    }
    for id in ["1", "9", "13", "i.1", "org.matrix.i-d.ralston-mimi-linearized-matrix.03"] {
        assert_eq!(rules(&RoomVersionId::parse(id).unwrap()), None, "{id}");
    }
    assert_eq!(LINEARIZED_02, RoomVersionRules { id: LINEARIZED_02.id, ..I_1 });
}

#[test]
fn what_is_no_event_still_has_the_id_of_what_was_received() {
    let id = |text: &str| received_id(&document(text), &I_1);
    let whole = full("m.room.message", &I_1);
    assert_eq!(id(&whole.to_string()), Some(read(&whole, &I_1).event_id()));
    // Spec, section 6: under the ID of its canonical form, in which 1.0 is 1.
    let spelled = whole.to_string().replace(r#""origin_server_ts":1"#, r#""origin_server_ts":1.0"#);
    assert!(UnverifiedPdu::parse(document(&spelled), &I_1).is_err());
    assert_eq!(id(&spelled), Some(read(&whole, &I_1).event_id()));
    for odd in ["{}", r#"{"type":1}"#, r#"{"content":1}"#, r#"{"type":"m.room.member","content":[1]}"#] {
        assert!(id(odd).is_some(), "{odd}");
    }
    for none in ["[]", "1", "null"] {
        assert_eq!(id(none), None);
    }
}
