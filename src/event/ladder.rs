//! The rungs up to a verified event (spec, section 4, steps 1 to 3).
//!
//! A rung is made only by the one below it, and consumes it.

use alloc::vec::Vec;

use super::{
    Event, HashText, KnownIds, RoomVersionRules,
    field::Field,
    hash::{content_hashes, event_id_of, event_ids_of, lpdu_hashes},
    redact::{redacted, sender_signing_input, signing_input},
    room_version::Linking,
    schema::{self, SchemaError, Shape},
    verify::{Gathered, GoodSignature, KeySource, Role, Signatory, VerifyError, check_all, key_ids},
};
use crate::{
    id::{EventId, KeyId, ServerName},
    json::{Document, Value},
};

/// What reading gives: a rung, or what is wrong and the document given back.
pub type Parsed<T> = Result<T, (SchemaError, Document)>;

/// A well-formed LPDU, as a hub receives it; nothing of it is proven.
#[derive(Debug, Clone)]
pub struct UnverifiedLpdu {
    event: Event,
    event_id: EventId,
    signing_input: Vec<u8>,
}

/// A well-formed PDU, as anyone receives it; nothing of it is proven.
#[derive(Debug, Clone)]
pub struct UnverifiedPdu {
    event: Event,
    event_id: EventId,
    signing_input: Vec<u8>,
}

/// An LPDU that its sender's server signed with a key that is current, and whose hash is right.
#[derive(Debug, Clone)]
pub struct VerifiedLpdu {
    pub(super) event: Event,
    pub(super) lpdu_id: EventId,
    /// Those that were checked; all others are left behind.
    pub(super) signatures: Vec<GoodSignature>,
}

/// A PDU whose signatures are right, as far as keys are known.
#[derive(Debug, Clone)]
pub struct VerifiedPdu {
    event: Event,
    event_id: EventId,
    lpdu_id: Option<EventId>,
    sender_check: Sender,
    integrity: Integrity,
}

/// What is known of the sender's signature on a verified PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The sender's server signed it.
    Verified,
    /// The sender's key is unknown; the event stands on the hub's signature, and is checked again later.
    KeyMissing,
}

/// Whether a verified PDU is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// All its hashes are right.
    Intact,
    /// A hash is wrong: only the redacted copy was kept.
    Redacted,
}

/// Keys that an event's verification will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNeed {
    /// Whose keys.
    pub server: ServerName,
    /// The IDs of the keys that the event bears signatures of.
    pub key_ids: Vec<KeyId>,
}

impl UnverifiedLpdu {
    /// Reads an LPDU, and refuses what a hub refuses of form (spec, section 3).
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule.
    pub fn parse(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        Self::parse_known(document, rules, KnownIds::default()).map_err(|(error, _)| error)
    }

    /// As [`UnverifiedLpdu::parse`]; what the LPDU has of `known` is taken from there, not checked again. A hub knows the
    /// room, its own name and the caller's.
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule, and the document given back.
    pub fn parse_known(document: Document, rules: &'static RoomVersionRules, known: KnownIds<'_>) -> Parsed<Self> {
        let event = schema::read_known(document, rules, Shape::Lpdu, known)?;
        let signing_input = signing_input(&event);
        Ok(Self { event_id: event_id_of(&signing_input), event, signing_input })
    }

    /// [`UnverifiedLpdu::parse_known`] for many: the same outcomes, in order, their IDs from one round of hashing.
    pub fn parse_all(
        documents: Vec<Document>,
        rules: &'static RoomVersionRules,
        known: KnownIds<'_>,
    ) -> Vec<Parsed<Self>> {
        let read = |document| schema::read_known(document, rules, Shape::Lpdu, known);
        let made = |event, signing_input, event_id| Self { event, event_id, signing_input };
        identified(documents.into_iter().map(read).collect(), made)
    }

    /// The event as received.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The LPDU's own ID, by which a hub knows it again.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The keys to have at hand before [`UnverifiedLpdu::verify`].
    pub fn required_keys(&self) -> Vec<KeyNeed> {
        let server = self.event.sender_server().clone();
        let key_ids = key_ids(&self.event, &server);
        Vec::from([KeyNeed { server, key_ids }])
    }

    /// Checks the signature of the sender's server and the LPDU hash.
    ///
    /// # Errors
    /// A [`VerifyError`]; an unknown key is one, since a hub appends nothing that is not proven.
    pub fn verify(self, keys: &dyn KeySource) -> Result<VerifiedLpdu, VerifyError> {
        Self::verify_all(Vec::from([self]), keys).pop().unwrap_or(Err(VerifyError::SignatureMissing(Signatory::Sender)))
    }

    /// [`UnverifiedLpdu::verify`] for many: the same verdicts, in order, from one round of signature checks.
    pub fn verify_all(lpdus: Vec<Self>, keys: &dyn KeySource) -> Vec<Result<VerifiedLpdu, VerifyError>> {
        let gathered = lpdus
            .iter()
            .map(|lpdu| {
                let server = lpdu.event.sender_server().clone();
                Gathered::of(&lpdu.event, Signatory::Sender, server, &lpdu.signing_input, keys, Role::Hub)
            })
            .collect();
        let verdicts = check_all(gathered);
        let hashes = lpdu_hashes(&lpdus.iter().map(|lpdu| &lpdu.event).collect::<Vec<_>>());
        let settle = |((lpdu, verdict), hash): ((Self, Result<_, _>), HashText)| lpdu.settle(verdict?, &hash);
        lpdus.into_iter().zip(verdicts).zip(hashes).map(settle).collect()
    }

    fn settle(self, signatures: Vec<GoodSignature>, hash: &HashText) -> Result<VerifiedLpdu, VerifyError> {
        let Self { event, event_id, .. } = self;
        if !claims_lpdu_hash(&event, hash) {
            return Err(VerifyError::LpduHash);
        }
        Ok(VerifiedLpdu { event, lpdu_id: event_id, signatures })
    }
}

impl UnverifiedPdu {
    /// Reads a PDU as a transaction or an invite brings it. `unsigned`, which no hash covers, is left behind.
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule.
    pub fn parse(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        Self::parse_known(document, rules, KnownIds::default()).map_err(|(error, _)| error)
    }

    /// As [`UnverifiedPdu::parse`]; what the PDU has of `known` is taken from there, not checked again.
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule, and the document given back.
    pub fn parse_known(document: Document, rules: &'static RoomVersionRules, known: KnownIds<'_>) -> Parsed<Self> {
        Self::read(document, rules, &[Field::Unsigned], known)
    }

    /// [`UnverifiedPdu::parse_known`] for many: the same outcomes, in order, their IDs from one round of hashing.
    pub fn parse_all(
        documents: Vec<Document>,
        rules: &'static RoomVersionRules,
        known: KnownIds<'_>,
    ) -> Vec<Parsed<Self>> {
        let read = |document| read_pdu(document, rules, &[Field::Unsigned], known);
        let made = |event, signing_input, event_id| Self { event, event_id, signing_input };
        identified(documents.into_iter().map(read).collect(), made)
    }

    /// Reads a PDU as event, state, backfill and similar answers bring it: `event_id` and `unsigned` are left behind
    /// before anything else (spec, section 3).
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule.
    pub fn parse_answer(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        Self::read(document, rules, &[Field::EventId, Field::Unsigned], KnownIds::default()).map_err(|(error, _)| error)
    }

    fn read(document: Document, rules: &'static RoomVersionRules, drop: &[Field], known: KnownIds<'_>) -> Parsed<Self> {
        let event = read_pdu(document, rules, drop, known)?;
        let signing_input = signing_input(&event);
        Ok(Self { event_id: event_id_of(&signing_input), event, signing_input })
    }

    /// The event as received.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event's ID.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The ID of the LPDU that the event was made of, if it was made of one; nobody has checked yet whose it is.
    pub fn lpdu_id(&self) -> Option<EventId> {
        self.lpdu_input().as_deref().map(event_id_of)
    }

    /// The keys to have at hand before [`UnverifiedPdu::verify`]: the sender's server's, and the hub's where that is
    /// another.
    pub fn required_keys(&self) -> Vec<KeyNeed> {
        let sender = self.event.sender_server().clone();
        let servers = [Some(sender), self.foreign_hub().cloned()];
        let need = |server| KeyNeed { key_ids: key_ids(&self.event, &server), server };
        servers.into_iter().flatten().map(need).collect()
    }

    /// Checks the signatures and the hashes. Wrong hashes are no error: what is verified then is the redacted copy.
    ///
    /// # Errors
    /// A [`VerifyError`]. The sender's unknown key is one only where no hub signed beside it.
    pub fn verify(self, keys: &dyn KeySource) -> Result<VerifiedPdu, VerifyError> {
        Self::verify_all(Vec::from([self]), keys).pop().unwrap_or(Err(VerifyError::SignatureMissing(Signatory::Sender)))
    }

    /// [`UnverifiedPdu::verify`] for many: the same verdicts, in order, from one round of signature checks.
    pub fn verify_all(pdus: Vec<Self>, keys: &dyn KeySource) -> Vec<Result<VerifiedPdu, VerifyError>> {
        let lpdu_inputs: Vec<_> = pdus.iter().map(Self::lpdu_input).collect();
        let mut gathered = Vec::with_capacity(pdus.len() * 2);
        for (pdu, lpdu_input) in pdus.iter().zip(&lpdu_inputs) {
            let event = &pdu.event;
            let sender = event.sender_server().clone();
            // Of an event of the hub's own server one signature counts, over the PDU form (spec, section 3).
            let (hub, sender_signed) = match (pdu.foreign_hub(), lpdu_input) {
                (Some(hub), Some(lpdu_input)) => (Some(hub), lpdu_input),
                _ => (None, &pdu.signing_input),
            };
            gathered.push(Gathered::of(event, Signatory::Sender, sender, sender_signed, keys, Role::Participant));
            if let Some(hub) = hub {
                let input = &pdu.signing_input;
                gathered.push(Gathered::of(event, Signatory::Hub, hub.clone(), input, keys, Role::Participant));
            }
        }
        let mut verdicts = check_all(gathered).into_iter();
        let mut next = || verdicts.next().unwrap_or(Err(VerifyError::SignatureMissing(Signatory::Sender))).map(|_| ());
        let mut lpdu_ids =
            event_ids_of(&lpdu_inputs.iter().flatten().map(Vec::as_slice).collect::<Vec<_>>()).into_iter();
        let are_right = claim_their_hashes(&pdus.iter().map(|pdu| &pdu.event).collect::<Vec<_>>());
        pdus.into_iter()
            .zip(lpdu_inputs)
            .zip(are_right)
            .map(|((pdu, lpdu_input), are_right)| {
                let sender = next();
                let hub = pdu.foreign_hub().is_some().then(&mut next);
                let lpdu_id = lpdu_input.and_then(|_| lpdu_ids.next());
                pdu.settle(sender, hub, lpdu_id, are_right)
            })
            .collect()
    }

    /// The hub whose signature counts beside the sender's.
    fn foreign_hub(&self) -> Option<&ServerName> {
        self.event.hub_server().filter(|hub| *hub != self.event.sender_server())
    }

    fn lpdu_input(&self) -> Option<Vec<u8>> {
        self.event.hub_server().map(|_| sender_signing_input(&self.event))
    }

    fn settle(
        self,
        sender: Result<(), VerifyError>,
        hub: Option<Result<(), VerifyError>>,
        lpdu_id: Option<EventId>,
        are_hashes_right: bool,
    ) -> Result<VerifiedPdu, VerifyError> {
        let sender_check = match (sender, &hub) {
            (Ok(()), _) => Sender::Verified,
            (Err(VerifyError::KeyUnknown(_)), Some(_)) => Sender::KeyMissing,
            (Err(error), _) => return Err(error),
        };
        hub.transpose()?;
        let Self { event, event_id, .. } = self;
        let (event, integrity) = match are_hashes_right {
            true => (event, Integrity::Intact),
            false => (redacted(&event).map_err(VerifyError::Redacted)?, Integrity::Redacted),
        };
        Ok(VerifiedPdu { event, event_id, lpdu_id, sender_check, integrity })
    }
}

impl VerifiedLpdu {
    /// The event as received.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The LPDU's own ID.
    pub fn lpdu_id(&self) -> EventId {
        self.lpdu_id
    }
}

impl VerifiedPdu {
    /// The event; its redacted copy if it is not [intact](Integrity::Intact).
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event, without what was found out about it.
    pub fn into_event(self) -> Event {
        self.event
    }

    /// The event's ID; redaction does not change it.
    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The ID of the LPDU that the event was made of; `None` for an event of the hub's own users.
    pub fn lpdu_id(&self) -> Option<EventId> {
        self.lpdu_id
    }

    /// What is known of the sender's signature.
    pub fn sender_check(&self) -> Sender {
        self.sender_check
    }

    /// Whether the event is whole.
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }
}

/// A PDU without these fields.
fn read_pdu(
    document: Document,
    rules: &'static RoomVersionRules,
    drop: &[Field],
    known: KnownIds<'_>,
) -> Parsed<Event> {
    match schema::without_fields(&document, rules, drop) {
        Ok(None) => schema::read_known(document, rules, Shape::Pdu, known),
        Ok(Some(rest)) => schema::read_known(rest, rules, Shape::Pdu, known).map_err(|(error, _)| (error, document)),
        Err(error) => Err((error, document)),
    }
}

/// Makes rungs of events that were read, each with its signing input and its ID.
fn identified<T>(read: Vec<Parsed<Event>>, made: impl Fn(Event, Vec<u8>, EventId) -> T) -> Vec<Parsed<T>> {
    let inputs: Vec<Vec<u8>> = read.iter().flatten().map(signing_input).collect();
    let ids = event_ids_of(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut identities = inputs.into_iter().zip(ids);
    read.into_iter()
        .map(|read| {
            let event = read?;
            // Invariant: there are as many as there are events.
            let (signing_input, id) = identities.next().unwrap_or_else(|| {
                let input = signing_input(&event);
                let id = event_id_of(&input);
                (input, id)
            });
            Ok(made(event, signing_input, id))
        })
        .collect()
}

/// Whether each of these PDUs bears its content hash, and its LPDU hash where it went through a hub.
fn claim_their_hashes(events: &[&Event]) -> Vec<bool> {
    let through_hub = |event: &&Event| event.hub_server().is_some() && event.rules().format.linking == Linking::Linear;
    let of_lpdus: Vec<&Event> = events.iter().copied().filter(through_hub).collect();
    let mut lpdu_hashes = lpdu_hashes(&of_lpdus).into_iter();
    let are_right = |(event, content_hash): (&&Event, HashText)| {
        let lpdu_hash = if through_hub(event) { lpdu_hashes.next() } else { None };
        let claimed = event.hashes().and_then(|hashes| hashes.member("sha256"));
        is_hash(claimed, &content_hash) && lpdu_hash.is_none_or(|hash| claims_lpdu_hash(event, &hash))
    };
    events.iter().zip(content_hashes(events)).map(are_right).collect()
}

fn claims_lpdu_hash(event: &Event, right: &HashText) -> bool {
    is_hash(event.hashes().and_then(|hashes| hashes.member("lpdu")?.member("sha256")), right)
}

/// Hashes compare as strings (spec, 3.2).
fn is_hash(claimed: Option<Value<'_>>, right: &HashText) -> bool {
    claimed.and_then(Value::as_str).is_some_and(|claimed| claimed == right.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Integrity, Sender};
    use crate::{
        crypto::SignatureError,
        event::{
            Event, KeyLookup, Openings, Signatory, VerifyError,
            fixtures::{
                HUB, Keys, PART, RULES, chained, changed, complete, document, key_id, lpdu, lpdu_bytes, message,
                own_draft, pdu, server, signing_key, with_parts,
            },
            redact, sender_signing_input,
        },
    };
    use alloc::{string::ToString, vec::Vec};
    use serde_json::{Value, json};

    fn outcome(bytes: &[u8], keys: &Keys) -> Result<(Sender, Integrity), VerifyError> {
        pdu(bytes).verify(keys).map(|verified| (verified.sender_check(), verified.integrity()))
    }

    const GOOD: Result<(Sender, Integrity), VerifyError> = Ok((Sender::Verified, Integrity::Intact));

    #[test]
    fn spec_4_3_a_wrong_content_hash_leaves_the_redacted_copy() {
        let message = message();
        let redacted = redact(pdu(&message).event());
        for bytes in [
            changed(&message, |event| event["content"]["body"] = "forged".into()),
            changed(&message, |event| event["added"] = 1.into()),
            redacted.clone(),
        ] {
            let verified = pdu(&bytes).verify(&Keys::both()).unwrap();
            assert_eq!(verified.integrity(), Integrity::Redacted);
            assert_eq!(verified.event().bytes(), redacted);
            assert_eq!(verified.event().content().bytes(), b"{}");
            assert_eq!(verified.event_id(), pdu(&message).event_id());
            assert_eq!(verified.lpdu_id(), pdu(&message).verify(&Keys::both()).unwrap().lpdu_id());
        }
    }

    #[test]
    fn spec_4_3_a_hub_that_hashes_changed_content_anew_is_found_out_by_the_lpdu_hash() {
        let sent = lpdu_bytes("m.room.message", None, r#"{"body":"yes"}"#);
        // The hub changes the content before it hashes and signs; the sender's signature covers only the LPDU hash.
        let forged = changed(&sent, |event| event["content"]["body"] = "no".into());
        let mut verified = lpdu(&sent).verify(&Keys::both()).unwrap();
        verified.event = lpdu(&forged).event().clone();
        let bytes = chained(|links, hub| verified.chain(links, hub, &mut Openings::default()))
            .unwrap()
            .sign(&signing_key(HUB))
            .into_bytes();
        assert_eq!(outcome(&bytes, &Keys::both()), Ok((Sender::Verified, Integrity::Redacted)));
    }

    #[test]
    fn spec_3_an_event_through_its_own_hub_needs_one_signature_over_the_pdu_form() {
        // The hub's own user, yet with `hub_server` and `hashes.lpdu`.
        let sent = with_parts("@bob:hub.example", "m.room.message", None, r#"{"body":"hi"}"#, |parts| {
            let draft = crate::event::LpduDraft::new(parts, &server(HUB), RULES).unwrap();
            draft.sign(&key_id("ed25519:1"), &signing_key(HUB)).unwrap().into_bytes()
        });
        let bytes = complete(&sent);
        assert_eq!(outcome(&bytes, &Keys::default().with(HUB, "ed25519:1")), GOOD);
        assert_eq!(outcome(&bytes, &Keys::default()), Err(VerifyError::KeyUnknown(Signatory::Sender)));
        assert_eq!(pdu(&bytes).required_keys().len(), 1);
        // The LPDU form's signature in its place is wrong.
        let lpdu_signed = changed(&bytes, |event| {
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            event["signatures"] = sent["signatures"].clone();
        });
        let wrong = VerifyError::SignatureWrong(Signatory::Sender, SignatureError::Mismatch);
        assert_eq!(outcome(&lpdu_signed, &Keys::both()), Err(wrong));
    }

    #[test]
    fn spec_3_4_of_an_own_event_the_hubs_signature_is_the_senders() {
        let draft = own_draft("m.room.message", None, "{}");
        let bytes = chained(|links, hub| draft.chain(links, hub, &mut Openings::default()))
            .unwrap()
            .sign(&signing_key(HUB))
            .into_bytes();
        assert_eq!(outcome(&bytes, &Keys::both()), GOOD);
        assert_eq!(outcome(&bytes, &Keys::default()), Err(VerifyError::KeyUnknown(Signatory::Sender)));
        assert_eq!(pdu(&bytes).verify(&Keys::both()).unwrap().lpdu_id(), None);
    }

    #[test]
    fn spec_4_an_lpdu_rebuilt_from_its_pdu_verifies_the_same() {
        // So a signature alone does not say who hands an LPDU in; that is for the request's authentication (section 4).
        let sent = lpdu_bytes("m.room.message", None, r#"{"body":"hello"}"#);
        let rebuilt = changed(&complete(&sent), |event| {
            let event = event.as_object_mut().unwrap();
            event.remove("auth_events");
            event.remove("prev_events");
            event["hashes"].as_object_mut().unwrap().remove("sha256");
        });
        assert_ne!(rebuilt, sent);
        let (first, again) = (lpdu(&sent), lpdu(&rebuilt));
        assert_eq!(first.event_id(), again.event_id());
        let again = again.verify(&Keys::both()).unwrap();
        assert_eq!(again.signatures, first.verify(&Keys::both()).unwrap().signatures);
        assert_eq!(sender_signing_input(pdu(&complete(&sent)).event()), lpdu(&sent).signing_input);
    }

    #[test]
    fn spec_4_a_hub_refuses_an_lpdu_that_is_not_wholly_right() {
        let refusal = |change: fn(&mut Value), keys: &Keys| {
            lpdu(&changed(&lpdu_bytes("m.room.message", None, "{}"), change)).verify(keys).map(|_| ())
        };
        let sender = Signatory::Sender;
        assert_eq!(refusal(|_| {}, &Keys::both()), Ok(()));
        assert_eq!(refusal(|_| {}, &Keys::default()), Err(VerifyError::KeyUnknown(sender)));
        let expired = Keys::both().answering(PART, "ed25519:1", KeyLookup::NotValid);
        assert_eq!(refusal(|_| {}, &expired), Err(VerifyError::KeyNotValid(sender)));
        assert_eq!(refusal(|e| e["content"]["a"] = 1.into(), &Keys::both()), Err(VerifyError::LpduHash));
        assert_eq!(refusal(|e| e["signatures"] = json!({}), &Keys::both()), Err(VerifyError::SignatureMissing(sender)));
        assert_eq!(
            refusal(|e| e["hashes"]["lpdu"]["sha256"] = "x".into(), &Keys::both()),
            Err(VerifyError::SignatureWrong(sender, SignatureError::Mismatch))
        );
        assert_eq!(VerifyError::LpduHash.to_string(), "the lpdu hash is wrong");
    }

    #[test]
    fn required_keys_name_who_must_have_signed() {
        let needs = |event: &[u8]| {
            let name = |need: super::KeyNeed| (need.server.as_str().to_string(), need.key_ids.len());
            pdu(event).required_keys().into_iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(needs(&message()), [(PART.into(), 1), (HUB.into(), 1)]);
        let more = changed(&message(), |event| {
            event["signatures"][PART]["ed25519:2"] = "x".into();
            event["signatures"]["other.example"]["ed25519:1"] = "x".into();
        });
        assert_eq!(needs(&more), [(PART.into(), 2), (HUB.into(), 1)]);
        assert_eq!(lpdu(&lpdu_bytes("m.room.message", None, "{}")).required_keys().len(), 1);
    }

    #[test]
    fn a_stored_event_is_read_without_keys() {
        let bytes = message();
        let stored = Event::from_store(document(core::str::from_utf8(&bytes).unwrap()), RULES).unwrap();
        assert_eq!(stored.bytes(), bytes);
    }
}
