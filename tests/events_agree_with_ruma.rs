//! Ten thousand generated events of Matrix versions 10, 11 and 12: canonical JSON, redaction, hashes and signatures are
//! those of ruma, an implementation that shares no code with ours.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic
)]

use std::{collections::BTreeMap, fmt, ops::Range};

use hublet::{
    crypto::{PreparedKey, SigningKey},
    event::{
        Integrity, KeyLookup, KeySource, KeyUse, RoomVersionRules, Sender, UnverifiedPdu, V10, V11, V12, VerifyError,
        content_hash, received_id, redact, reference_hash, signing_input,
    },
    id::{KeyId, ServerName},
    json::{Document, KeyOrder, Limits, parse},
};
use ruma_common::{CanonicalJsonObject, CanonicalJsonValue, room_version_rules::RoomVersionRules as RumaRules};
use ruma_signatures::{Ed25519KeyPair, PublicKeyMap, Verified};
use serde_json::{Map, Value, json};

const SERVER: &str = "domain";

#[test]
fn two_and_a_half_thousand_events_of_version_10_agree() {
    agree_on(0..2_500, &V10, &RumaRules::V10);
}

#[test]
fn five_thousand_events_of_version_11_agree() {
    agree_on(2_500..7_500, &V11, &RumaRules::V11);
}

#[test]
fn two_and_a_half_thousand_events_of_version_12_agree() {
    agree_on(7_500..10_000, &V12, &RumaRules::V12);
}

fn agree_on(numbers: Range<u64>, rules: &'static RoomVersionRules, ruma: &RumaRules) {
    let keys = Keys::new();
    let mut verified_by_ruma = 0;
    for number in numbers {
        agree(number, rules, ruma, &keys, &mut verified_by_ruma);
    }
    assert!(verified_by_ruma > 250, "{verified_by_ruma}");
}

fn agree(number: u64, rules: &'static RoomVersionRules, ruma: &RumaRules, keys: &Keys, verified_by_ruma: &mut u64) {
    let mut random = Random(number);
    let value = Value::Object(random.event(rules));
    let note = Note(number, rules.id, &value);
    let mut object: CanonicalJsonObject = serde_json::from_value(value.clone()).unwrap();

    // Canonical JSON, from two spellings of the same value.
    let spelled =
        if number.is_multiple_of(2) { value.to_string() } else { serde_json::to_string_pretty(&value).unwrap() };
    assert_eq!(document(&spelled).text(), text(&object), "{note}");

    // Content hash.
    let event = UnverifiedPdu::parse(document(&spelled), rules).unwrap_or_else(|error| panic!("{error}: {note}"));
    let hash = ruma_signatures::content_hash(&object).unwrap().encode();
    assert_eq!(content_hash(event.event()).as_str(), hash, "{note}");
    ruma_signatures::add_content_hash_to_event(&mut object).unwrap();

    // Redaction and reference hash, of the event with that hash in it.
    let event = UnverifiedPdu::parse(document(&text(&object)), rules).unwrap_or_else(|error| panic!("{error}: {note}"));
    let redacted = ruma_common::canonical_json::redact(object.clone(), &ruma.redaction, None).unwrap();
    assert_eq!(String::from_utf8(redact(event.event())).unwrap(), text(&redacted), "{note}");
    let id = format!("${}", ruma_signatures::reference_hash(&object, ruma).unwrap());
    assert_eq!(event.event_id().to_string(), id, "{note}");
    assert_eq!(reference_hash(event.event()), event.event_id(), "{note}");
    assert_eq!(received_id(&document(&text(&object)), rules), Some(event.event_id()), "{note}");

    // Signatures: ours are byte for byte ruma's, and each accepts the other's.
    let signature = keys.ours.sign(&signing_input(event.event())).to_text();
    ruma_signatures::sign_event(SERVER, &keys.rumas, &mut object, &ruma.redaction).unwrap();
    assert_eq!(signature_of(&object), Some(signature.as_str()), "{note}");
    let verified = UnverifiedPdu::parse(document(&text(&object)), rules)
        .unwrap()
        .verify(keys)
        .unwrap_or_else(|error| panic!("{error}: {note}"));
    assert_eq!((verified.sender_check(), verified.integrity()), (Sender::Verified, Integrity::Intact), "{note}");
    assert_eq!(verified.event_id().to_string(), id, "{note}");
    // From these ruma tells further signatories, which we leave to the auth rules; so not where they are nonsense.
    let plain =
        ["membership", "join_authorised_via_users_server"].iter().all(|key| value["content"].get(key).is_none());
    if number.is_multiple_of(3) && plain && value["type"] != "m.room.member" {
        *verified_by_ruma += 1;
        let map = keys.for_ruma();
        assert!(matches!(ruma_signatures::verify_event(&map, &object, ruma), Ok(Verified::All)), "{note}");
    }

    // One changed byte of content: both keep the redacted copy, unless redaction keeps that content.
    let content = object.get_mut("content").and_then(CanonicalJsonValue::as_object_mut).unwrap();
    content.insert("forged".into(), CanonicalJsonValue::Bool(true));
    let forged = UnverifiedPdu::parse(document(&text(&object)), rules).unwrap().verify(keys);
    if redact_keeps_all(&value, rules) {
        assert!(matches!(forged, Err(VerifyError::SignatureWrong(..))), "{note}");
    } else {
        let forged = forged.unwrap_or_else(|error| panic!("{error}: {note}"));
        assert_eq!(forged.integrity(), Integrity::Redacted, "{note}");
        let redacted = ruma_common::canonical_json::redact(object, &ruma.redaction, None).unwrap();
        assert_eq!(String::from_utf8_lossy(forged.event().bytes()), text(&redacted), "{note}");
    }
}

/// What a failed assertion is about.
struct Note<'v>(u64, &'static str, &'v Value);

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} of version {}: {}", self.0, self.1, self.2)
    }
}

fn redact_keeps_all(event: &Value, rules: &RoomVersionRules) -> bool {
    event["type"] == "m.room.create" && rules.id != "10"
}

fn signature_of(object: &CanonicalJsonObject) -> Option<&str> {
    object.get("signatures")?.as_object()?.get(SERVER)?.as_object()?.get("ed25519:1")?.as_str()
}

fn document(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::CodePoint, Limits { bytes: 1 << 20, depth: 600 }).unwrap()
}

fn text(object: &CanonicalJsonObject) -> String {
    CanonicalJsonValue::Object(object.clone()).to_string()
}

/// The same key in both implementations, from the specification's signing vectors.
struct Keys {
    ours: SigningKey,
    public: PreparedKey,
    rumas: Ed25519KeyPair,
}

impl Keys {
    fn new() -> Self {
        let vectors: Value = serde_json::from_str(include_str!("vectors/matrix-signing.json")).unwrap();
        let der = vectors["ruma_same_inputs_other_key"]["pkcs8_der_base64"].as_str().unwrap();
        let der = hublet::id::base64::decode_lenient(der).unwrap();
        let seed: [u8; 32] = der[16..48].try_into().unwrap();
        let ours = SigningKey::from_seed(&seed);
        let rumas = Ed25519KeyPair::from_der(&der, "1".into()).unwrap();
        assert_eq!(ours.public(), rumas.public_key());
        let public = PreparedKey::prepare(&ours.public()).unwrap();
        Self { ours, public, rumas }
    }

    fn for_ruma(&self) -> PublicKeyMap {
        let key = ruma_common::serde::Base64::new(self.ours.public().to_vec());
        BTreeMap::from([(SERVER.to_owned(), BTreeMap::from([("ed25519:1".to_owned(), key)]))])
    }
}

impl KeySource for Keys {
    fn key(&self, server: &ServerName, key: &KeyId, _: KeyUse) -> KeyLookup {
        match (server.as_str(), key.as_str()) {
            (SERVER, "ed25519:1") => KeyLookup::Usable(self.public.clone()),
            _ => KeyLookup::Unknown,
        }
    }
}

/// SplitMix64: the same events in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// A complete event, but for its content hash and signature.
    fn event(&mut self, rules: &RoomVersionRules) -> Map<String, Value> {
        const TYPES: &[&str] = &[
            "m.room.create",
            "m.room.member",
            "m.room.join_rules",
            "m.room.power_levels",
            "m.room.history_visibility",
            "m.room.redaction",
            "m.room.aliases",
            "m.room.server_acl",
            "m.room.message",
            "org.example.\u{1f600}\"\\\n",
        ];
        let kind = self.pick(TYPES);
        let mut event = Map::new();
        let mut put = |key: &str, value: Value| event.insert(key.to_owned(), value);
        put("type", kind.into());
        put("sender", "@a:domain".into());
        put("origin_server_ts", self.below(1 << 53).into());
        put("depth", self.below(1 << 53).into());
        put("content", self.content(kind));
        put("prev_events", self.ids(1));
        put("auth_events", self.ids(0));
        put("hashes", self.hashes());
        put("signatures", json!({}));
        if kind != "m.room.create" || rules.id != "12" {
            let name = if rules.id == "12" { "!RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438" } else { "!r:domain" };
            put("room_id", name.into());
        }
        if self.below(3) > 0 {
            put("state_key", self.text().into());
        }
        // Fields that one version's redaction keeps and another's does not, or that no version knows.
        for key in ["origin", "membership", "prev_state", "event_id", "redacts", "hub_server", "age_ts", "unsigned"] {
            if self.below(3) == 0 {
                put(key, self.value(2));
            }
        }
        for _ in 0..self.below(3) {
            let (key, value) = (self.text(), self.value(2));
            if !event.contains_key(&key) {
                event.insert(key, value);
            }
        }
        event
    }

    fn ids(&mut self, least: u64) -> Value {
        let count = least + self.below(3);
        (0..count)
            .map(|_| {
                let mut hash = [0; 32];
                hash.iter_mut().for_each(|byte| *byte = self.next() as u8);
                Value::from(hublet::id::EventId::from_hash(hash).to_string())
            })
            .collect()
    }

    fn hashes(&mut self) -> Value {
        match self.below(3) {
            0 => json!({ "sha256": "wrong", "other": "kept by redaction" }),
            1 => json!({ "sha256": "wrong", "lpdu": { "sha256": "of no meaning here" } }),
            _ => json!({ "sha256": "" }),
        }
    }

    fn content(&mut self, kind: &str) -> Value {
        const KEYS: &[&str] = &[
            "aliases",
            "allow",
            "allow_ip_literals",
            "ban",
            "body",
            "creator",
            "deny",
            "events",
            "events_default",
            "history_visibility",
            "invite",
            "join_authorised_via_users_server",
            "join_rule",
            "kick",
            "membership",
            "notifications",
            "redact",
            "redacts",
            "state_default",
            "users",
            "users_default",
        ];
        let mut content = Map::new();
        for _ in 0..self.below(10) {
            let (key, value) = (self.pick(KEYS), self.value(2));
            content.insert(key.to_owned(), value);
        }
        // Ruma keeps one that is no object whole where Synapse and we drop it, so here it is always one.
        if kind == "m.room.member" && self.below(2) == 0 {
            let mut invite = Map::new();
            for key in ["signed", "display_name"] {
                if self.below(2) == 0 {
                    invite.insert(key.to_owned(), self.value(2));
                }
            }
            content.insert("third_party_invite".to_owned(), invite.into());
        }
        for _ in 0..self.below(3) {
            let (key, value) = (self.text(), self.value(4));
            content.insert(key, value);
        }
        content.into()
    }

    fn value(&mut self, deep: u64) -> Value {
        match self.below(if deep == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => (self.below(2) == 0).into(),
            2 => self.text().into(),
            3 => (self.below(1 << 54) as i64 - (1 << 53) + 1).clamp(-(1 << 53) + 1, (1 << 53) - 1).into(),
            4 => self.below(100).into(),
            5 => (0..self.below(4)).map(|_| self.value(deep - 1)).collect(),
            _ => (0..self.below(4)).map(|_| (self.text(), self.value(deep - 1))).collect(),
        }
    }

    /// Short text of characters that escape, sort or encode in special ways.
    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "",
            "a",
            "B",
            "z",
            "0",
            " ",
            "\"",
            "\\",
            "/",
            "\u{0}",
            "\u{8}",
            "\t",
            "\n",
            "\u{c}",
            "\r",
            "\u{1f}",
            "\u{7f}",
            "\u{80}",
            "é",
            "\u{2028}",
            "\u{d7ff}",
            "\u{e000}",
            "\u{fb33}",
            "\u{ffff}",
            "\u{10000}",
            "\u{1f600}",
            "\u{10ffff}",
            "auth_events",
            "content",
        ];
        (0..self.below(4)).map(|_| self.pick(PARTS)).collect()
    }
}
