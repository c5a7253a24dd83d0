//! What redaction keeps, version by version (spec, 3.3), and what it never changes.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use hublet::{
    event::{
        Event, I_1, LINEARIZED_02, RoomVersionRules, UnverifiedPdu, V10, V11, V12, content_hash, lpdu_hash,
        received_id, redact, reference_hash, rules, sender_signing_input, signing_input,
    },
    id::{RoomVersionId, base64},
    json::{Document, KeyOrder, Limits, parse},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const ID: &str = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438";

/// Every content key that some version keeps of some type, and a few that none keeps.
const CONTENT: &[&str] = &[
    "aliases",
    "allow",
    "ban",
    "body",
    "creator",
    "events",
    "events_default",
    "history_visibility",
    "hublet.redacts",
    "invite",
    "join_authorised_via_users_server",
    "join_rule",
    "kick",
    "membership",
    "notifications",
    "redact",
    "redacts",
    "room_version",
    "state_default",
    "third_party_invite",
    "users",
    "users_default",
];

const TYPES: &[&str] = &[
    "m.room.create",
    "m.room.member",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.aliases",
    "m.room.server_acl",
    "m.room.hub",
    "m.room.message",
];

const TOP: &[&str] = &[
    "auth_events",
    "content",
    "depth",
    "event_id",
    "hashes",
    "hub_server",
    "membership",
    "origin",
    "origin_server_ts",
    "prev_events",
    "prev_state",
    "redacts",
    "room_id",
    "sender",
    "signatures",
    "state_key",
    "type",
    "unknown",
];

fn order(rules: &RoomVersionRules) -> KeyOrder {
    rules.key_order
}

fn document(value: &Value, rules: &RoomVersionRules) -> Document {
    parse(value.to_string().as_bytes(), order(rules), Limits { bytes: 1 << 20, depth: 600 }).unwrap()
}

fn read(value: &Value, rules: &'static RoomVersionRules) -> UnverifiedPdu {
    UnverifiedPdu::parse(document(value, rules), rules).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// An event with every top-level field and every content key.
fn full(kind: &str, rules: &RoomVersionRules) -> Value {
    let mut content: Map<String, Value> = CONTENT.iter().map(|key| ((*key).to_owned(), json!({"of": key}))).collect();
    content.insert("third_party_invite".into(), json!({"display_name": "Ann", "signed": {"mxid": "@ann:x"}}));
    let mut event: Map<String, Value> = TOP.iter().map(|key| ((*key).to_owned(), json!({"of": key}))).collect();
    for (key, value) in [
        ("type", json!(kind)),
        ("content", Value::Object(content)),
        ("depth", json!(1)),
        ("origin_server_ts", json!(1)),
        ("sender", json!("@ann:part.example")),
        ("state_key", json!("")),
        ("hub_server", json!("hub.example")),
        ("hashes", json!({"sha256": "x", "lpdu": {"sha256": "y"}, "other": 1})),
        ("auth_events", json!([ID])),
        ("prev_events", json!([ID])),
        ("signatures", json!({"part.example": {"ed25519:1": "z"}})),
    ] {
        event.insert(key.into(), value);
    }
    match (rules.id, kind) {
        ("12", "m.room.create") => drop(event.remove("room_id")),
        ("12", _) => drop(event.insert("room_id".into(), ID.replace('$', "!").into())),
        _ => drop(event.insert("room_id".into(), "!room:hub.example".into())),
    }
    Value::Object(event)
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
    let id = |text: &str| {
        let document = parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 600 }).unwrap();
        received_id(&document, &I_1)
    };
    let whole = full("m.room.message", &I_1);
    assert_eq!(id(&whole.to_string()), Some(read(&whole, &I_1).event_id()));
    // Spec, section 6: under the ID of its canonical form, in which 1.0 is 1.
    let spelled = whole.to_string().replace(r#""origin_server_ts":1"#, r#""origin_server_ts":1.0"#);
    assert!(
        UnverifiedPdu::parse(
            parse(spelled.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 600 }).unwrap(),
            &I_1
        )
        .is_err()
    );
    assert_eq!(id(&spelled), Some(read(&whole, &I_1).event_id()));
    for odd in ["{}", r#"{"type":1}"#, r#"{"content":1}"#, r#"{"type":"m.room.member","content":[1]}"#] {
        assert!(id(odd).is_some(), "{odd}");
    }
    for none in ["[]", "1", "null"] {
        assert_eq!(id(none), None);
    }
}

/// The hashes as the specification words them: on a tree, one removal after another.
mod by_the_letter {
    use super::{Digest, RoomVersionRules, Sha256, Value, base64, document};

    fn without(event: &Value, keys: &[&str]) -> Value {
        let mut event = event.clone();
        event.as_object_mut().unwrap().retain(|key, _| !keys.contains(&key.as_str()));
        event
    }

    fn hash(event: &Value, rules: &RoomVersionRules) -> String {
        base64::encode(&Sha256::digest(document(event, rules).bytes()))
    }

    pub(super) fn lpdu(event: &Value, rules: &RoomVersionRules) -> String {
        hash(&without(event, &["signatures", "hashes", "auth_events", "prev_events", "unsigned"]), rules)
    }

    pub(super) fn content(event: &Value, rules: &RoomVersionRules) -> String {
        let mut event = without(event, &["signatures", "unsigned"]);
        let lpdu = event["hashes"].get("lpdu").cloned();
        match lpdu {
            Some(lpdu) => event["hashes"] = serde_json::json!({ "lpdu": lpdu }),
            None => drop(event.as_object_mut().unwrap().remove("hashes")),
        }
        hash(&event, rules)
    }

    pub(super) fn signed(redacted: &Value, rules: &RoomVersionRules) -> Vec<u8> {
        document(&without(redacted, &["signatures"]), rules).into_bytes()
    }

    pub(super) fn sender_signed(redacted: &Value, rules: &RoomVersionRules) -> Vec<u8> {
        let mut event = without(redacted, &["signatures", "auth_events", "prev_events"]);
        event["hashes"] = serde_json::json!({ "lpdu": event["hashes"]["lpdu"] });
        document(&event, rules).into_bytes()
    }

    pub(super) fn id(redacted: &Value, rules: &RoomVersionRules) -> String {
        let bytes = document(&without(redacted, &["signatures", "unsigned"]), rules).into_bytes();
        format!("${}", base64::encode_url(&Sha256::digest(&bytes)))
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = || prop::string::string_regex("[a-c\"\\\\\u{0}\u{7f}é\u{fb33}\u{1f600}]{0,3}").unwrap();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = (Value, &'static RoomVersionRules)> {
    let rules = prop_oneof![Just(&I_1), Just(&LINEARIZED_02), Just(&V10), Just(&V11), Just(&V12)];
    let keys = prop::sample::subsequence(CONTENT, 0..CONTENT.len());
    let strange = prop::string::string_regex("[a-z_\"\u{fb33}\u{1f600}]{0,4}").unwrap();
    let others = prop::collection::btree_map(strange, any_json(), 0..4);
    (rules, prop::sample::select(TYPES), keys, others, any_json(), any::<bool>(), any::<bool>()).prop_map(
        |(rules, kind, keys, others, value, through_hub, state)| {
            let mut event = full(kind, rules);
            let kept: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), value.clone())).collect();
            event["content"] = kept.into();
            event["content"]["third_party_invite"] = json!({"signed": value.clone(), "x": 1});
            for (key, other) in others {
                event["content"][&key] = other.clone();
                if event.get(&key).is_none() {
                    event[&key] = other;
                }
            }
            let fields = event.as_object_mut().unwrap();
            if !through_hub && rules.id != "10" {
                fields.remove("hub_server");
                fields.insert("hashes".into(), json!({"sha256": "x"}));
            }
            if !state {
                fields.remove("state_key");
            }
            (event, rules)
        },
    )
}

fn id_of(event: &Event) -> String {
    reference_hash(event).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn redacting_twice_is_redacting_once((event, rules) in any_event()) {
        let event = read(&event, rules);
        let once = redact(event.event());
        let again = UnverifiedPdu::parse(parse(&once, order(rules), Limits { bytes: 1 << 20, depth: 600 }).unwrap(), rules).unwrap();
        prop_assert_eq!(again.event().bytes(), &once);
        prop_assert_eq!(redact(again.event()), once);
        // The ID and what was signed outlive redaction.
        prop_assert_eq!(again.event_id(), event.event_id());
        prop_assert_eq!(signing_input(again.event()), signing_input(event.event()));
        prop_assert_eq!(sender_signing_input(again.event()), sender_signing_input(event.event()));
        prop_assert_eq!(again.event().room_id(), event.event().room_id());
    }

    #[test]
    fn an_event_id_does_not_cover_signatures((mut event, rules) in any_event(), signature in "[A-Z]{0,9}") {
        let before = read(&event, rules);
        event["signatures"] = json!({"part.example": {"ed25519:2": signature}, "other.example": {}});
        event["unsigned"] = json!({"age": 1});
        let after = read(&event, rules);
        prop_assert_eq!(before.event_id(), after.event_id());
        prop_assert_eq!(content_hash(before.event()), content_hash(after.event()));
        prop_assert_eq!(lpdu_hash(before.event()), lpdu_hash(after.event()));
        // But it covers everything that redaction keeps.
        event["origin_server_ts"] = 2.into();
        prop_assert!(read(&event, rules).event_id() != before.event_id());
    }

    #[test]
    fn slices_hash_as_a_tree_does((event, rules) in any_event()) {
        let parsed = read(&event, rules);
        let redacted = redacted(&event, rules);
        prop_assert_eq!(signing_input(parsed.event()), by_the_letter::signed(&redacted, rules));
        prop_assert_eq!(parsed.event_id().to_string(), by_the_letter::id(&redacted, rules));
        prop_assert_eq!(id_of(parsed.event()), by_the_letter::id(&redacted, rules));
        prop_assert_eq!(lpdu_hash(parsed.event()).as_str().to_owned(), by_the_letter::lpdu(&event, rules));
        if parsed.event().hub_server().is_some() {
            prop_assert_eq!(sender_signing_input(parsed.event()), by_the_letter::sender_signed(&redacted, rules));
        } else {
            prop_assert_eq!(sender_signing_input(parsed.event()), signing_input(parsed.event()));
        }
        // Numbered versions know no LPDU hash: their content hash leaves out all of `hashes`.
        let mut event = event;
        if rules.format.linking == hublet::event::Linking::Graph {
            event["hashes"] = json!({});
        }
        prop_assert_eq!(content_hash(parsed.event()).as_str().to_owned(), by_the_letter::content(&event, rules));
    }
}
