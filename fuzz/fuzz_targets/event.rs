//! Events: any JSON through the ladder, and any content in an event that is rightly made.
//!
//! Whatever passes the schema keeps its bytes, its ID under redaction, and its signatures; redacting twice is redacting once.
#![no_main]

use hublet::{
    crypto::PreparedKey,
    event::{
        EventParts, Integrity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, LpduDraft, RoomVersionRules, Sender,
        UnverifiedLpdu, UnverifiedPdu, V10, V11, V12, content_hash, lpdu_hash, received_id, redact, reference_hash,
        sender_signing_input, signed_forms, signing_input,
    },
    id::{EventId, KeyId, RoomId, ServerName, Timestamp, UserId},
    json::{Document, KeyOrder, parse},
    testing::{Forgery, server, signing_key},
};
use hublet_fuzz::{ANN, HUB, LIMITS, PART, ROOM};
use libfuzzer_sys::fuzz_target;

const KINDS: [&str; 10] = [
    "m.room.message",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.create",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.hub",
    "x\u{1}\"\\\u{10ffff}",
    "",
];

/// Knows the key that follows from each server's name, under every ID.
struct AllKeys;

impl KeySource for AllKeys {
    fn key(&self, name: &ServerName, _: &KeyId, _: KeyUse) -> KeyLookup {
        match PreparedKey::prepare(&signing_key(name.as_str()).public()) {
            Ok(key) => KeyLookup::Usable(key),
            Err(_) => KeyLookup::Unknown,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    for rules in [&LINEARIZED_02, &V10, &V11, &V12] {
        if let Ok(document) = parse(text, rules.key_order, LIMITS) {
            receive(&document, rules);
        }
    }
    if let Ok(content) = parse(text, KeyOrder::Utf16, LIMITS) {
        let _ = signed_forms(content.root());
        make(&content, KINDS[usize::from(*choice) % KINDS.len()]);
    }
});

fn receive(document: &Document, rules: &'static RoomVersionRules) {
    let id = received_id(document, rules);
    let root = document.root();
    if let Ok(pdu) = UnverifiedPdu::parse(document.clone(), rules) {
        if root.member("unsigned").is_none() {
            assert_eq!((pdu.event().bytes(), Some(pdu.event_id())), (document.bytes(), id));
        }
        check(&pdu, rules);
        let _ = pdu.required_keys();
        if let Ok(verified) = pdu.clone().verify(&AllKeys) {
            let expected = match verified.integrity() {
                Integrity::Intact => pdu.event().bytes().to_vec(),
                Integrity::Redacted => redact(pdu.event()),
            };
            assert_eq!(verified.event().bytes(), expected);
            assert_eq!(verified.event_id(), pdu.event_id());
        }
        UnverifiedPdu::parse_answer(document.clone(), rules).expect("an answer may bring it too");
    }
    if let Ok(lpdu) = UnverifiedLpdu::parse(document.clone(), rules) {
        assert_eq!((lpdu.event().bytes(), Some(lpdu.event_id())), (document.bytes(), id));
        assert_eq!(sender_signing_input(lpdu.event()), signing_input(lpdu.event()));
        let _ = lpdu.required_keys();
        let _ = lpdu.verify(&AllKeys);
    }
}

/// What holds of every event that passes the schema.
fn check(pdu: &UnverifiedPdu, rules: &'static RoomVersionRules) {
    let event = pdu.event();
    let again = read(event.bytes(), rules);
    assert_eq!((again.event().bytes(), again.event_id()), (event.bytes(), pdu.event_id()));
    assert_eq!(reference_hash(event), pdu.event_id());
    let (content, sender) = (content_hash(event), lpdu_hash(event));
    assert_eq!((content_hash(again.event()), lpdu_hash(again.event())), (content, sender));
    let redacted = read(&redact(event), rules);
    assert_eq!(redacted.event_id(), pdu.event_id(), "redaction keeps the ID");
    assert_eq!(signing_input(redacted.event()), signing_input(event), "and the signatures");
    assert_eq!(sender_signing_input(redacted.event()), sender_signing_input(event));
    assert_eq!(redact(redacted.event()), redacted.event().bytes(), "and is done once");
}

fn read(bytes: &[u8], rules: &'static RoomVersionRules) -> UnverifiedPdu {
    let document = parse(bytes, rules.key_order, LIMITS).expect("an event's bytes are JSON");
    assert_eq!(document.bytes(), bytes, "in canonical form");
    UnverifiedPdu::parse(document, rules).expect("an event's bytes are an event")
}

/// Any object may be the content of an event that is hashed and signed as it must be, and that event is found intact.
fn make(content: &Document, kind: &str) {
    let (room_id, sender, hub) = (RoomId::parse(ROOM).unwrap(), UserId::parse(ANN).unwrap(), server(HUB));
    let ts = Timestamp::new(1);
    let parts =
        EventParts { room_id: &room_id, sender: &sender, kind, state_key: Some(kind), content, origin_server_ts: ts };
    let Ok(draft) = LpduDraft::new(&parts, &hub, &LINEARIZED_02) else { return };
    let Ok(lpdu) = draft.sign(&KeyId::parse("ed25519:1").unwrap(), &signing_key(PART)) else { return };
    let document = parse(lpdu.bytes(), KeyOrder::Utf16, LIMITS).expect("an LPDU is JSON");
    assert_eq!(document.bytes(), lpdu.bytes());
    let received = UnverifiedLpdu::parse(document, &LINEARIZED_02).expect("an LPDU that we make is one");
    assert_eq!(received.event_id(), lpdu.lpdu_id());
    received.verify(&AllKeys).expect("and rightly signed");
    if lpdu.bytes().len() > 60_000 {
        return;
    }
    let prev = [EventId::from_hash([7; 32])];
    let forgery = Forgery {
        room_id: &room_id,
        hub: HUB,
        sender: ANN,
        kind,
        state_key: Some(kind),
        body: content.text(),
        auth_events: &prev,
        prev_events: &prev,
        ts: 1,
    };
    let (event_id, document) = forgery.make();
    check(&UnverifiedPdu::parse(document.clone(), &LINEARIZED_02).unwrap(), &LINEARIZED_02);
    let pdu = UnverifiedPdu::parse(document, &LINEARIZED_02).unwrap().verify(&AllKeys).expect("rightly signed");
    assert_eq!((pdu.event_id(), pdu.lpdu_id()), (event_id, Some(lpdu.lpdu_id())));
    assert_eq!((pdu.sender_check(), pdu.integrity()), (Sender::Verified, Integrity::Intact));
}
