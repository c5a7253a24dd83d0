//! Hashes, IDs and signed forms of any event: what changes them, and that slices give what a tree gives (spec, 3.2 to 3.4).
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use hublet::{
    event::{
        I_1, LINEARIZED_02, Linking, RoomVersionRules, UnverifiedPdu, V10, V11, V12, content_hash, lpdu_hash, redact,
        reference_hash, sender_signing_input, signing_input,
    },
    id::base64,
    json::{Document, Limits, parse},
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

#[path = "support/full_event.rs"]
mod full_event;

use full_event::{CONTENT, TYPES, full};

fn document(value: &Value, rules: &RoomVersionRules) -> Document {
    parse(value.to_string().as_bytes(), rules.key_order, Limits { bytes: 1 << 20, depth: 600 }).unwrap()
}

fn read(value: &Value, rules: &'static RoomVersionRules) -> UnverifiedPdu {
    UnverifiedPdu::parse(document(value, rules), rules).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn redacted(event: &Value, rules: &'static RoomVersionRules) -> Value {
    serde_json::from_slice(&redact(read(event, rules).event())).unwrap()
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn redacting_twice_is_redacting_once((event, rules) in any_event()) {
        let event = read(&event, rules);
        let once = redact(event.event());
        let again = UnverifiedPdu::parse(parse(&once, rules.key_order, Limits { bytes: 1 << 20, depth: 600 }).unwrap(), rules).unwrap();
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
        prop_assert_eq!(reference_hash(parsed.event()).to_string(), by_the_letter::id(&redacted, rules));
        prop_assert_eq!(lpdu_hash(parsed.event()).as_str().to_owned(), by_the_letter::lpdu(&event, rules));
        if parsed.event().hub_server().is_some() {
            prop_assert_eq!(sender_signing_input(parsed.event()), by_the_letter::sender_signed(&redacted, rules));
        } else {
            prop_assert_eq!(sender_signing_input(parsed.event()), signing_input(parsed.event()));
        }
        // Numbered versions know no LPDU hash: their content hash leaves out all of `hashes`.
        let mut event = event;
        if rules.format.linking == Linking::Graph {
            event["hashes"] = json!({});
        }
        prop_assert_eq!(content_hash(parsed.event()).as_str().to_owned(), by_the_letter::content(&event, rules));
    }
}
