//! What tests of events share: two servers with keys, and ways to make their events.

use alloc::{collections::BTreeMap, format, vec::Vec};

use super::{
    ChainedPdu, Event, EventParts, Field, HubIdentity, I_1, KeyLookup, KeySource, KeyUse, Links, LpduDraft, PduDraft,
    RoomVersionRules, Text, Typed, UnverifiedLpdu, UnverifiedPdu, field::Members,
};
use crate::{
    crypto::{PreparedKey, SigningKey},
    id::{EventId, KeyId, RoomId, ServerName, Timestamp, UserId, base64},
    json::{Document, KeyOrder, Limits, Value, parse},
};

pub(crate) const RULES: &RoomVersionRules = &I_1;
pub(crate) const HUB: &str = "hub.example";
pub(crate) const PART: &str = "part.example";

pub(crate) fn document(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: usize::MAX, depth: u16::MAX }).unwrap()
}

pub(crate) fn server(name: &str) -> ServerName {
    ServerName::parse(name).unwrap()
}

pub(crate) fn key_id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

/// The key with which a server of this name signs in tests.
pub(crate) fn signing_key(server: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed.iter_mut().zip(server.bytes()).for_each(|(seed, byte)| *seed = byte);
    SigningKey::from_seed(&seed)
}

pub(crate) fn prepared(server: &str) -> PreparedKey {
    PreparedKey::prepare(&signing_key(server).public()).unwrap()
}

/// The key of the published signing vectors. Its printed seed has a spare bit set, which nothing else may have.
pub(crate) fn published_key(vectors: &serde_json::Value) -> SigningKey {
    let seed = vectors["seed_unpadded_base64"].as_str().unwrap();
    let key = SigningKey::from_seed(&base64::decode_array(&seed.replace("XA1", "XA0")).unwrap());
    assert_eq!(base64::encode(&key.public()), vectors["public_key_unpadded_base64"].as_str().unwrap());
    key
}

/// A key ring that knows what it is told, and judges nothing by time.
#[derive(Default, Clone)]
pub(crate) struct Keys(pub(crate) BTreeMap<(ServerName, KeyId), KeyLookup>);

impl Keys {
    /// Both servers' keys under `ed25519:1`.
    pub(crate) fn both() -> Self {
        Self::default().with(HUB, "ed25519:1").with(PART, "ed25519:1")
    }

    pub(crate) fn with(self, name: &str, id: &str) -> Self {
        self.answering(name, id, KeyLookup::Usable(prepared(name)))
    }

    pub(crate) fn answering(mut self, name: &str, id: &str, lookup: KeyLookup) -> Self {
        self.0.insert((server(name), key_id(id)), lookup);
        self
    }
}

impl KeySource for Keys {
    fn key(&self, server: &ServerName, key: &KeyId, _: KeyUse) -> KeyLookup {
        self.0.get(&(server.clone(), key.clone())).cloned().unwrap_or(KeyLookup::Unknown)
    }
}

pub(crate) fn with_parts<T>(
    sender: &str,
    kind: &str,
    state_key: Option<&str>,
    content: &str,
    then: impl FnOnce(&EventParts<'_>) -> T,
) -> T {
    then(&EventParts {
        room_id: &RoomId::parse("!room:hub.example").unwrap(),
        sender: &UserId::parse(sender).unwrap(),
        kind,
        state_key,
        content: &document(content),
        origin_server_ts: Timestamp::new(1_700_000_000_000),
    })
}

/// The bytes of an LPDU by @ann of the participant for the hub.
pub(crate) fn lpdu_bytes(kind: &str, state_key: Option<&str>, content: &str) -> Vec<u8> {
    with_parts("@ann:part.example", kind, state_key, content, |parts| {
        let draft = LpduDraft::new(parts, &server(HUB), RULES).unwrap();
        draft.sign(&key_id("ed25519:1"), &signing_key(PART)).unwrap().into_bytes()
    })
}

pub(crate) fn lpdu(bytes: &[u8]) -> UnverifiedLpdu {
    UnverifiedLpdu::parse(document(core::str::from_utf8(bytes).unwrap()), RULES).unwrap()
}

pub(crate) fn pdu(bytes: &[u8]) -> UnverifiedPdu {
    UnverifiedPdu::parse(document(core::str::from_utf8(bytes).unwrap()), RULES).unwrap()
}

pub(crate) fn own_draft(kind: &str, state_key: Option<&str>, content: &str) -> PduDraft {
    with_parts("@bob:hub.example", kind, state_key, content, |parts| PduDraft::new(parts, RULES).unwrap())
}

/// Runs `then` with links to two auth events and one previous one, and the hub's identity.
pub(crate) fn chained<T>(then: impl FnOnce(&Links<'_>, &HubIdentity<'_>) -> T) -> T {
    let ids = [1, 2, 3].map(|byte| EventId::from_hash([byte; 32]));
    let (server, key_id) = (server(HUB), key_id("ed25519:1"));
    let links = Links { auth_events: &ids[..2], prev_event: Some(ids[2]) };
    then(&links, &HubIdentity { server: &server, key_id: &key_id })
}

pub(crate) fn chain_lpdu(bytes: &[u8]) -> ChainedPdu {
    let verified = lpdu(bytes).verify(&Keys::both()).unwrap();
    chained(|links, hub| verified.chain(links, hub, &mut super::Openings::default())).unwrap()
}

/// The PDU that the hub makes of an LPDU.
pub(crate) fn complete(bytes: &[u8]) -> Vec<u8> {
    chain_lpdu(bytes).sign(&signing_key(HUB)).into_bytes()
}

/// A message of the participant, completed by the hub.
pub(crate) fn message() -> Vec<u8> {
    complete(&lpdu_bytes("m.room.message", None, r#"{"body":"hello","msgtype":"m.text"}"#))
}

/// The same JSON after a change to it, in canonical form and not signed again.
pub(crate) fn changed(bytes: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    document(&format!("{value}")).into_bytes()
}

/// An event of a document that the schema would refuse, for vectors of older versions. Its typed fields mean nothing.
pub(crate) fn raw_event(document: Document, rules: &'static RoomVersionRules) -> Event {
    let members = Members::read(document.root());
    let kind = members.get(Field::Type).and_then(|kind| Some(kind.as_str()?.into_owned())).unwrap();
    let node = |field| members.get(field).map(Value::node_index);
    let typed = Typed {
        room_id: RoomId::parse("!room:hub.example").unwrap(),
        sender: UserId::parse("@ann:part.example").unwrap(),
        sender_server: server(PART),
        kind: Text::Escaped(kind.into()),
        state_key: None,
        content: node(Field::Content).unwrap(),
        origin_server_ts: Timestamp::new(0),
        hub_server: None,
        auth_events: Vec::new(),
        prev_events: Vec::new(),
        hashes: node(Field::Hashes),
        signatures: node(Field::Signatures),
        slots: members.slots,
    };
    Event::new(document, rules, typed)
}
