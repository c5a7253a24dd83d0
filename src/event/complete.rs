//! The hub's own rungs: an authorised LPDU or own event is linked and hashed, then signed (spec, section 4).
//!
//! Assumes that `room` has allowed the event, whose types are the only ones to call `chain`. Guarantees that the event
//! fits into a PDU and that only signatures that were found right are in it. The ID is known before the signature, so
//! a transaction is chained whole, and signed after, in any order, here or by a platform signer.

use alloc::vec::Vec;
use core::mem;

use thiserror::Error;

use super::{
    Event, PduDraft, SchemaError, SchemaRule, VerifiedLpdu, VerifiedPdu,
    field::{Field, FieldSet},
    form::{Form, Insert, Length},
    hash::{HashText, content_hash_with, event_id_after},
    opening::{Opening, Openings, write_event_ids},
    redact::signing_form,
    room_version::Keep,
    schema::{self, MAX_PDU_BYTES, Shape, fault},
    sign_json::insert_signature_by,
    verify::{GoodSignature, SignatureText},
};
use crate::{
    crypto::{self, PreparedKey, Signature, SignatureError, SigningKey},
    id::{EventId, KeyId, ServerName},
};

/// What links an event into the log.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// The events that allow it (spec, section 4, auth_events).
    pub auth_events: &'a [EventId],
    /// The event before it; `None` for the create event alone.
    pub prev_event: Option<EventId>,
}

/// Under which name and key the hub signs.
#[derive(Debug, Clone, Copy)]
pub struct HubIdentity<'a> {
    /// The hub's name.
    pub server: &'a ServerName,
    /// The ID of the key that it signs with.
    pub key_id: &'a KeyId,
}

/// An event that has its place in the log and its ID, but not yet the hub's signature.
#[derive(Debug, Clone)]
pub struct ChainedPdu {
    source: Event,
    lpdu_id: Option<EventId>,
    signatures: Vec<GoodSignature>,
    hub: (ServerName, KeyId),
    /// `"signatures":{…}` with a blank in place of the hub's.
    signed: Blank,
    added: Added,
    signing_input: Vec<u8>,
    event_id: EventId,
}

/// A finished event, as it goes to every server of the room.
#[derive(Debug, Clone)]
pub struct CompletedPdu {
    source: Event,
    bytes: Vec<u8>,
    event_id: EventId,
    lpdu_id: Option<EventId>,
}

/// Why another server's signature is not taken into an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CountersignError {
    /// The hub signs for itself; nobody brings a signature under its name.
    #[error("the signature is under the hub's own name")]
    OwnName,
    /// The signature is not right over the bytes that will be appended.
    #[error("the signature is wrong: {0}")]
    Wrong(SignatureError),
    /// With the signature the event would be too large.
    #[error("the event would be larger than 65536 bytes")]
    TooLarge,
}

impl VerifiedLpdu {
    /// Links and hashes an LPDU that the rules allow. Only `room` calls this, for what it has authorised.
    ///
    /// # Errors
    /// [`SchemaRule::TooLarge`] if the PDU would exceed 65,536 bytes; nothing may be linked to it then.
    pub(crate) fn chain(
        self,
        links: &Links<'_>,
        hub: &HubIdentity<'_>,
        openings: &mut Openings,
    ) -> Result<ChainedPdu, SchemaError> {
        let Self { event, lpdu_id, signatures } = self;
        chain(event, Some(lpdu_id), signatures, links, hub, openings)
    }
}

impl PduDraft {
    /// Links and hashes an own event that the rules allow. Only `room` calls this, for what it has authorised.
    ///
    /// # Errors
    /// [`SchemaRule::TooLarge`] if the PDU would exceed 65,536 bytes; nothing may be linked to it then.
    pub(crate) fn chain(
        self,
        links: &Links<'_>,
        hub: &HubIdentity<'_>,
        openings: &mut Openings,
    ) -> Result<ChainedPdu, SchemaError> {
        chain(self.into_event(), None, Vec::new(), links, hub, openings)
    }
}

fn chain(
    source: Event,
    lpdu_id: Option<EventId>,
    mut signatures: Vec<GoodSignature>,
    links: &Links<'_>,
    hub: &HubIdentity<'_>,
    openings: &mut Openings,
) -> Result<ChainedPdu, SchemaError> {
    // Nobody but the hub itself signs under its name (spec, 3.4).
    signatures.retain(|good| good.server != *hub.server);
    let opening = openings.of(links.auth_events);
    let mut added = Added::links(opening, links.prev_event);
    let content_hash = content_hash_with(&source, &added.links_only(), opening);
    added.hash(&source, &content_hash);
    let mut signing_input = Vec::with_capacity(source.bytes().len());
    source.write(&signing_form(source.rules(), source.kind(), &added.with_hashes()), &mut signing_input);
    let event_id = event_id_after(opening, &signing_input);
    let hub = (hub.server.clone(), hub.key_id.clone());
    let signed = Blank::new(&signatures, &hub);
    let chained = ChainedPdu { source, lpdu_id, signatures, hub, signed, added, signing_input, event_id };
    if chained.is_too_large() {
        return Err(fault("event", SchemaRule::TooLarge));
    }
    Ok(chained)
}

impl ChainedPdu {
    /// The event as it was authorised: without links, content hash and the hub's signature.
    pub fn source(&self) -> &Event {
        &self.source
    }

    /// The event's ID; signing does not change it.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The ID of the LPDU that it is made of; `None` for an own event.
    pub fn lpdu_id(&self) -> Option<EventId> {
        self.lpdu_id
    }

    /// The bytes that the hub signs.
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// Takes in another server's signature over the same bytes, as an invited server gives it (spec, section 7).
    ///
    /// # Errors
    /// A [`CountersignError`]; the event is then as it was.
    pub fn countersign(
        &mut self,
        server: &ServerName,
        key_id: &KeyId,
        signature: Signature,
        key: &PreparedKey,
    ) -> Result<(), CountersignError> {
        if *server == self.hub.0 {
            return Err(CountersignError::OwnName);
        }
        crypto::verify(key, &self.signing_input, &signature).map_err(CountersignError::Wrong)?;
        if self.signatures.iter().any(|good| good.server == *server && good.key_id == *key_id) {
            return Ok(());
        }
        let text = SignatureText::of(&signature);
        self.signatures.push(GoodSignature { server: server.clone(), key_id: key_id.clone(), text });
        let before = mem::replace(&mut self.signed, Blank::new(&self.signatures, &self.hub));
        if self.is_too_large() {
            self.signatures.pop();
            self.signed = before;
            return Err(CountersignError::TooLarge);
        }
        Ok(())
    }

    /// Signs with the hub's key.
    pub fn sign(self, key: &SigningKey) -> CompletedPdu {
        let signature = key.sign(&self.signing_input);
        self.sign_with(signature)
    }

    /// Takes the signature that a platform signer made over [`ChainedPdu::signing_input`] with the hub's key.
    pub fn sign_with(mut self, signature: Signature) -> CompletedPdu {
        self.signed.fill(&signature);
        let mut bytes =
            Vec::with_capacity(self.source.bytes().len() + self.added.text.len() + self.signed.member.len());
        self.source.write(&whole(&self.added.with_signatures(&self.signed.member)), &mut bytes);
        let Self { source, event_id, lpdu_id, .. } = self;
        CompletedPdu { source, bytes, event_id, lpdu_id }
    }

    fn is_too_large(&self) -> bool {
        // What comes out is at most what goes in and a comma for each new member. Rarely does it have to be counted.
        let most = self.source.bytes().len() + self.added.text.len() + self.signed.member.len() + 4;
        most > MAX_PDU_BYTES && self.length() > MAX_PDU_BYTES
    }

    fn length(&self) -> usize {
        let mut length = Length::default();
        self.source.write(&whole(&self.added.with_signatures(&self.signed.member)), &mut length);
        length.0
    }
}

impl CompletedPdu {
    /// The canonical bytes, signatures included; at most 65,536.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The canonical bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The event's ID.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The ID of the LPDU that it is made of; `None` for an own event.
    pub fn lpdu_id(&self) -> Option<EventId> {
        self.lpdu_id
    }

    /// The event as it was authorised, for applying it to the room's state: without links, content hash and the hub's
    /// signature.
    pub fn source(&self) -> &Event {
        &self.source
    }

    /// The finished event, read again from its bytes.
    ///
    /// # Errors
    /// None that anyone can cause: what was authorised is well-formed.
    pub fn to_event(&self) -> Result<Event, SchemaError> {
        schema::read(schema::reread(&self.bytes, self.source.rules())?, self.source.rules(), Shape::Pdu)
    }
}

impl VerifiedPdu {
    /// The event with another server's signature over its PDU form, as an invited server answers (spec, section 7).
    ///
    /// The signature is made over [`signing_input`](super::signing_input) of [`VerifiedPdu::event`].
    ///
    /// # Errors
    /// [`CountersignError::TooLarge`].
    pub fn countersigned(
        &self,
        server: &ServerName,
        key_id: &KeyId,
        signature: &Signature,
    ) -> Result<Vec<u8>, CountersignError> {
        let (document, order) = (self.event().document(), self.event().rules().key_order);
        let signed = insert_signature_by(order, document, server.as_str(), key_id.as_str(), signature);
        // Invariant: an event is an object, so that only its size can be wrong.
        let bytes = signed.map_err(|_| CountersignError::TooLarge)?.into_bytes();
        if bytes.len() > MAX_PDU_BYTES { Err(CountersignError::TooLarge) } else { Ok(bytes) }
    }
}

/// `"signatures":{…}`, sorted by server and key ID. Names, key IDs and signatures are ASCII that JSON never escapes.
pub(super) fn signatures_member(all: &mut [(&ServerName, &KeyId, &SignatureText)]) -> Vec<u8> {
    all.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let mut member = Vec::with_capacity(all.len() * 192 + 32);
    member.extend_from_slice(b"\"signatures\":{");
    let mut last = None;
    for (server, key_id, signature) in all {
        match last {
            Some(last) if last == *server => member.push(b','),
            _ => {
                member.extend_from_slice(if last.is_some() { b"},\"" } else { b"\"" });
                member.extend_from_slice(server.as_str().as_bytes());
                member.extend_from_slice(b"\":{");
            }
        }
        last = Some(*server);
        member.push(b'"');
        member.extend_from_slice(key_id.as_str().as_bytes());
        member.extend_from_slice(b"\":\"");
        member.extend_from_slice(signature.as_bytes());
        member.push(b'"');
    }
    member.extend_from_slice(if last.is_some() { b"}}" } else { b"}" });
    member
}

/// A `signatures` member in which one signature is still to be filled in.
#[derive(Debug, Clone)]
struct Blank {
    member: Vec<u8>,
    at: usize,
}

impl Blank {
    fn new(signatures: &[GoodSignature], hub: &(ServerName, KeyId)) -> Self {
        let mut all: Vec<_> = Vec::with_capacity(signatures.len() + 1);
        all.extend(signatures.iter().map(|good| (&good.server, &good.key_id, &good.text)));
        all.push((&hub.0, &hub.1, &SignatureText::BLANK));
        let member = signatures_member(&mut all);
        let at = member.iter().position(|byte| *byte == SignatureText::NO_BASE64).unwrap_or_default();
        Self { member, at }
    }

    fn fill(&mut self, signature: &Signature) {
        let text = SignatureText::of(signature);
        if let Some(blank) = self.member.get_mut(self.at..self.at + text.as_bytes().len()) {
            blank.copy_from_slice(text.as_bytes());
        }
    }
}

fn whole<'a>(inserts: &'a [Insert<'a>]) -> Form<'a> {
    Form { keep: FieldSet::ALL, content: Keep::All, inserts }
}

/// The members that a hub adds, as one text: `auth_events`, `prev_events`, `hashes`, each ending where said.
#[derive(Debug, Clone)]
struct Added {
    text: Vec<u8>,
    auth_end: usize,
    prev_end: usize,
}

impl Added {
    fn links(opening: &Opening, prev_event: Option<EventId>) -> Self {
        let mut text = Vec::with_capacity(opening.member().len() + 256);
        text.extend_from_slice(opening.member());
        let auth_end = text.len();
        write_event_ids(&mut text, Field::PrevEvents, prev_event.as_slice());
        let prev_end = text.len();
        Self { text, auth_end, prev_end }
    }

    /// Adds `hashes`: the LPDU's, if the source has any, and the content hash.
    fn hash(&mut self, source: &Event, content_hash: &HashText) {
        self.text.extend_from_slice(b"\"hashes\":{");
        if let Some(lpdu) = source.hashes().and_then(|hashes| hashes.member("lpdu")) {
            self.text.extend_from_slice(b"\"lpdu\":");
            self.text.extend_from_slice(lpdu.bytes());
            self.text.push(b',');
        }
        self.text.extend_from_slice(b"\"sha256\":\"");
        self.text.extend_from_slice(content_hash.as_str().as_bytes());
        self.text.extend_from_slice(b"\"}");
    }

    fn auth_events(&self) -> Insert<'_> {
        Insert { field: Field::AuthEvents, member: self.text.get(..self.auth_end).unwrap_or_default() }
    }

    fn prev_events(&self) -> Insert<'_> {
        Insert { field: Field::PrevEvents, member: self.text.get(self.auth_end..self.prev_end).unwrap_or_default() }
    }

    fn hashes(&self) -> Insert<'_> {
        Insert { field: Field::Hashes, member: self.text.get(self.prev_end..).unwrap_or_default() }
    }

    fn links_only(&self) -> [Insert<'_>; 2] {
        [self.auth_events(), self.prev_events()]
    }

    fn with_hashes(&self) -> [Insert<'_>; 3] {
        [self.auth_events(), self.hashes(), self.prev_events()]
    }

    fn with_signatures<'a>(&'a self, member: &'a [u8]) -> [Insert<'a>; 4] {
        [self.auth_events(), self.hashes(), self.prev_events(), Insert { field: Field::Signatures, member }]
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{
            CountersignError, Integrity, Openings, Sender, UnverifiedPdu, content_hash,
            fixtures::{
                HUB, Keys, RULES, chain_lpdu, chained, changed, complete, document, key_id, lpdu, lpdu_bytes,
                own_draft, pdu, prepared, server, signing_key,
            },
            sender_signing_input, signing_input,
        },
        id::EventId,
    };
    use alloc::{
        format,
        string::{String, ToString},
        vec,
    };

    #[test]
    fn an_lpdu_becomes_a_pdu_that_verifies() {
        let sent = lpdu_bytes("m.room.message", None, r#"{"body":"hello"}"#);
        let chained = chain_lpdu(&sent);
        let done = chained.clone().sign(&signing_key(HUB));
        assert_eq!(done.event_id(), chained.event_id());
        let received = pdu(done.bytes());
        assert_eq!(received.event().bytes(), done.bytes());
        assert_eq!(received.event_id(), done.event_id());
        assert_eq!(received.event().auth_events(), [1, 2].map(|byte| EventId::from_hash([byte; 32])));
        assert_eq!(received.event().prev_events(), [EventId::from_hash([3; 32])]);
        let verified = received.verify(&Keys::both()).unwrap();
        assert_eq!(verified.sender_check(), Sender::Verified);
        assert_eq!(verified.integrity(), Integrity::Intact);
        assert_eq!(verified.lpdu_id(), Some(lpdu(&sent).event_id()));
        assert_eq!(done.lpdu_id(), verified.lpdu_id());
        assert_eq!(done.to_event().unwrap().bytes(), done.bytes());
    }

    #[test]
    fn an_own_event_becomes_a_pdu_that_verifies() {
        let draft = own_draft("m.room.name", Some(""), r#"{"name":"Room"}"#);
        assert_eq!(draft.event().state_key(), Some(""));
        let done =
            chained(|links, hub| draft.chain(links, hub, &mut Openings::default())).unwrap().sign(&signing_key(HUB));
        let verified = pdu(done.bytes()).verify(&Keys::both()).unwrap();
        assert_eq!(verified.sender_check(), Sender::Verified);
        assert_eq!(verified.integrity(), Integrity::Intact);
        assert_eq!(verified.lpdu_id(), None);
        assert_eq!(verified.event_id(), done.event_id());
    }

    #[test]
    fn unknown_fields_keep_their_places() {
        let sent = lpdu_bytes("m.room.message", None, "{}");
        let mut json = String::from_utf8(sent).unwrap();
        json.insert_str(json.len() - 1, r#","aaa":1,"auth_events0":2,"i":3,"prev":4,"sig":5,"zzz":6,"\u0000":7"#);
        let event = document(&json);
        let event = crate::event::schema::read(event, RULES, crate::event::schema::Shape::Lpdu).unwrap();
        let chained = chained(|links, hub| super::chain(event, None, vec![], links, hub, &mut Openings::default()))
            .unwrap()
            .sign(&signing_key(HUB));
        let text = core::str::from_utf8(chained.bytes()).unwrap();
        assert_eq!(document(text).text(), text);
        assert!(text.starts_with(r#"{"\u0000":7,"aaa":1,"auth_events":["$"#), "{text}");
        assert_eq!(pdu(chained.bytes()).event_id(), chained.event_id());
        let claimed: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(claimed["hashes"]["sha256"], content_hash(pdu(chained.bytes()).event()).as_str());
    }

    #[test]
    fn only_verified_signatures_are_appended_and_none_brought_under_our_name() {
        let sent = changed(&lpdu_bytes("m.room.message", None, "{}"), |event| {
            let signatures = &mut event["signatures"];
            let good = signatures["part.example"]["ed25519:1"].clone();
            signatures["part.example"]["ed25519:2"] = good.clone();
            signatures["part.example"]["other:1"] = good.clone();
            signatures["other.example"]["ed25519:1"] = good.clone();
            signatures[HUB]["ed25519:1"] = good.clone();
            signatures[HUB]["ed25519:9"] = good;
        });
        let done: serde_json::Value = serde_json::from_slice(&complete(&sent)).unwrap();
        let servers = done["signatures"].as_object().unwrap();
        assert_eq!(servers.keys().collect::<vec::Vec<_>>(), [HUB, "part.example"]);
        for (server, keys) in servers {
            assert_eq!(keys.as_object().unwrap().keys().collect::<vec::Vec<_>>(), ["ed25519:1"], "{server}");
        }
    }

    #[test]
    fn an_invited_servers_signature_is_taken_only_if_it_is_right() {
        let mut chained = chain_lpdu(&lpdu_bytes("m.room.message", None, "{}"));
        let sent = chained.clone().sign(&signing_key(HUB));
        let (invited, id) = (server("inv.example"), key_id("ed25519:a"));
        let good = signing_key("inv.example").sign(chained.signing_input());
        let bad = signing_key("inv.example").sign(b"{}");
        let key = prepared("inv.example");
        let error = chained.countersign(&invited, &id, bad, &key).unwrap_err();
        assert_eq!(format!("{error}"), "the signature is wrong: the signature does not match");
        assert_eq!(chained.countersign(&server(HUB), &id, good, &key), Err(CountersignError::OwnName));
        assert_eq!(chained.countersign(&invited, &id, good, &key), Ok(()));
        assert_eq!(chained.countersign(&invited, &id, good, &key), Ok(()));
        let done = chained.sign(&signing_key(HUB));
        let value: serde_json::Value = serde_json::from_slice(done.bytes()).unwrap();
        assert_eq!(value["signatures"]["inv.example"]["ed25519:a"], good.to_text());
        // The invited server, which signs what it was sent, makes the same bytes.
        let received = pdu(sent.bytes()).verify(&Keys::both()).unwrap();
        let made = signing_key("inv.example").sign(&signing_input(received.event()));
        assert_eq!(received.countersigned(&invited, &id, &made).unwrap(), done.bytes());
        assert!(pdu(done.bytes()).verify(&Keys::both()).is_ok());
    }

    #[test]
    fn the_size_limit_counts_the_signatures_and_is_exact() {
        let sized = |body: usize| {
            let content = format!(r#"{{"body":"{}"}}"#, "x".repeat(body));
            let draft = own_draft("m.room.message", None, &content);
            chained(|links, hub| draft.chain(links, hub, &mut Openings::default()))
                .map(|chained| chained.sign(&signing_key(HUB)))
        };
        let empty = sized(0).unwrap().bytes().len();
        let largest = sized(65_536 - empty).unwrap();
        assert_eq!(largest.bytes().len(), 65_536);
        assert!(UnverifiedPdu::parse(document(core::str::from_utf8(largest.bytes()).unwrap()), RULES).is_ok());
        let error = sized(65_537 - empty).unwrap_err();
        assert_eq!(format!("{error}"), "event is larger than 65536 bytes");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn an_lpdu_rebuilt_from_its_pdu_has_the_same_signing_input(
            body in ".{0,20}", key in "[a-zA-Z_]{1,9}", kind in "[a-z.\"]{0,9}", state in proptest::option::of(".{0,5}"),
        ) {
            let content = serde_json::json!({ key: body }).to_string();
            proptest::prop_assume!(document(&content).root().sorts_alike());
            let sent = lpdu_bytes(&kind, state.as_deref(), &content);
            let chained = chain_lpdu(&sent);
            let bytes = chained.clone().sign(&signing_key(HUB)).into_bytes();
            let received = pdu(&bytes);
            proptest::prop_assert_eq!(received.event().bytes(), &bytes);
            proptest::prop_assert_eq!(sender_signing_input(received.event()), signing_input(lpdu(&sent).event()));
            proptest::prop_assert_eq!(signing_input(received.event()), chained.signing_input());
            proptest::prop_assert_eq!(received.event_id(), chained.event_id());
            let verified = received.verify(&Keys::both()).unwrap();
            proptest::prop_assert_eq!(verified.integrity(), Integrity::Intact);
            proptest::prop_assert_eq!(verified.lpdu_id(), chained.lpdu_id());
        }
    }
}
