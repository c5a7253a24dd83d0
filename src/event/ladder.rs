//! The rungs up to a verified event (spec, section 4, steps 1 to 3).
//!
//! A rung is made only by the one below it, and consumes it.

use alloc::vec::Vec;

use super::{
    Event, RoomVersionRules, content_hash,
    field::Field,
    hash::event_id_of,
    lpdu_hash,
    redact::{redacted, sender_signing_input, signing_input},
    room_version::Linking,
    schema::{self, SchemaError, Shape},
    verify::{Gathered, GoodSignature, KeySource, Role, Signatory, VerifyError, check_all, key_ids},
};
use crate::{
    id::{EventId, KeyId, ServerName},
    json::{Document, Value},
};

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
        let event = schema::read(document, rules, Shape::Lpdu)?;
        let signing_input = signing_input(&event);
        Ok(Self { event_id: event_id_of(&signing_input), event, signing_input })
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
        let server = self.event.sender().server_name();
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
                let server = lpdu.event.sender().server_name();
                Gathered::of(&lpdu.event, Signatory::Sender, server, &lpdu.signing_input, keys, Role::Hub)
            })
            .collect();
        let verdicts = check_all(gathered);
        lpdus.into_iter().zip(verdicts).map(|(lpdu, verdict)| lpdu.settle(verdict?)).collect()
    }

    fn settle(self, signatures: Vec<GoodSignature>) -> Result<VerifiedLpdu, VerifyError> {
        let Self { event, event_id, .. } = self;
        if !is_lpdu_hash_right(&event) {
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
        Self::read(document, rules, &[Field::Unsigned])
    }

    /// Reads a PDU as event, state, backfill and similar answers bring it: `event_id` and `unsigned` are left behind
    /// before anything else (spec, section 3).
    ///
    /// # Errors
    /// A [`SchemaError`] that names the field and the rule.
    pub fn parse_answer(document: Document, rules: &'static RoomVersionRules) -> Result<Self, SchemaError> {
        Self::read(document, rules, &[Field::EventId, Field::Unsigned])
    }

    fn read(document: Document, rules: &'static RoomVersionRules, drop: &[Field]) -> Result<Self, SchemaError> {
        let event = schema::read(schema::drop_fields(document, rules, drop)?, rules, Shape::Pdu)?;
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

    /// The keys to have at hand before [`UnverifiedPdu::verify`]: the sender's server's, and the hub's where that is
    /// another.
    pub fn required_keys(&self) -> Vec<KeyNeed> {
        let sender = self.event.sender().server_name();
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
            let sender = event.sender().server_name();
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
        pdus.into_iter()
            .zip(lpdu_inputs)
            .map(|(pdu, lpdu_input)| {
                let sender = next();
                let hub = pdu.foreign_hub().is_some().then(&mut next);
                pdu.settle(sender, hub, lpdu_input.as_deref().map(event_id_of))
            })
            .collect()
    }

    /// The hub whose signature counts beside the sender's.
    fn foreign_hub(&self) -> Option<&ServerName> {
        self.event.hub_server().filter(|hub| hub.as_str() != self.event.sender().server())
    }

    fn lpdu_input(&self) -> Option<Vec<u8>> {
        self.event.hub_server().map(|_| sender_signing_input(&self.event))
    }

    fn settle(
        self,
        sender: Result<(), VerifyError>,
        hub: Option<Result<(), VerifyError>>,
        lpdu_id: Option<EventId>,
    ) -> Result<VerifiedPdu, VerifyError> {
        let sender_check = match (sender, &hub) {
            (Ok(()), _) => Sender::Verified,
            (Err(VerifyError::KeyUnknown(_)), Some(_)) => Sender::KeyMissing,
            (Err(error), _) => return Err(error),
        };
        hub.transpose()?;
        let Self { event, event_id, .. } = self;
        let (event, integrity) = match are_hashes_right(&event) {
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

fn is_lpdu_hash_right(event: &Event) -> bool {
    let claimed = event.hashes().and_then(|hashes| hashes.member("lpdu")?.member("sha256"));
    is_hash(claimed, || lpdu_hash(event))
}

fn are_hashes_right(event: &Event) -> bool {
    let claimed = event.hashes().and_then(|hashes| hashes.member("sha256"));
    let through_hub = event.hub_server().is_some() && event.rules().format.linking == Linking::Linear;
    is_hash(claimed, || content_hash(event)) && (!through_hub || is_lpdu_hash_right(event))
}

/// Hashes compare as strings (spec, 3.2).
fn is_hash(claimed: Option<Value<'_>>, right: impl FnOnce() -> super::HashText) -> bool {
    claimed.and_then(Value::as_str).is_some_and(|claimed| claimed == right().as_str())
}

#[cfg(test)]
mod tests {
    use super::{Integrity, Sender, UnverifiedLpdu, UnverifiedPdu};
    use crate::{
        crypto::SignatureError,
        event::{
            Event, KeyLookup, Signatory, VerifyError,
            fixtures::{
                HUB, Keys, PART, RULES, chained, changed, complete, document, key_id, lpdu, lpdu_bytes, message,
                own_draft, pdu, server, signing_key, with_parts,
            },
            redact, sender_signing_input,
        },
    };
    use alloc::{string::ToString, vec, vec::Vec};
    use serde_json::{Value, json};

    fn outcome(bytes: &[u8], keys: &Keys) -> Result<(Sender, Integrity), VerifyError> {
        pdu(bytes).verify(keys).map(|verified| (verified.sender_check(), verified.integrity()))
    }

    const GOOD: Result<(Sender, Integrity), VerifyError> = Ok((Sender::Verified, Integrity::Intact));

    /// A change to a completed message, the keys known, the outcome.
    type Row = (&'static str, fn(&mut Value), Keys, Result<(Sender, Integrity), VerifyError>);

    #[test]
    fn spec_3_4_signatures_of_a_pdu() {
        let wrong = |signatory| Err(VerifyError::SignatureWrong(signatory, SignatureError::Mismatch));
        let (hub, sender) = (Signatory::Hub, Signatory::Sender);
        let (only_hub, only_sender) = (Keys::default().with(HUB, "ed25519:1"), Keys::default().with(PART, "ed25519:1"));
        let forged =
            Keys::both().answering(PART, "ed25519:1", KeyLookup::Usable(crate::event::fixtures::prepared("x")));
        let expired = |name| Keys::both().answering(name, "ed25519:1", KeyLookup::NotValid);
        let rows: Vec<Row> = vec![
            ("as it is", |_| {}, Keys::both(), GOOD),
            (
                "no signatures",
                |e| e["signatures"] = json!({}),
                Keys::both(),
                Err(VerifyError::SignatureMissing(sender)),
            ),
            (
                "sender's signature missing",
                |e| drop(e["signatures"].as_object_mut().unwrap().remove(PART)),
                Keys::both(),
                Err(VerifyError::SignatureMissing(sender)),
            ),
            (
                "hub's signature missing",
                |e| drop(e["signatures"].as_object_mut().unwrap().remove(HUB)),
                Keys::both(),
                Err(VerifyError::SignatureMissing(hub)),
            ),
            ("sender's key unknown", |_| {}, only_hub.clone(), Ok((Sender::KeyMissing, Integrity::Intact))),
            ("hub's key unknown", |_| {}, only_sender, Err(VerifyError::KeyUnknown(hub))),
            ("no key known", |_| {}, Keys::default(), Err(VerifyError::KeyUnknown(hub))),
            ("the sender's key is another", |_| {}, forged, wrong(sender)),
            ("the sender's key is not valid then", |_| {}, expired(PART), Err(VerifyError::KeyNotValid(sender))),
            ("the hub's key is not valid then", |_| {}, expired(HUB), Err(VerifyError::KeyNotValid(hub))),
            (
                "key ID renamed to an unknown one: might be right",
                |e| e["signatures"][PART] = json!({"ed25519:2": e["signatures"][PART]["ed25519:1"]}),
                Keys::both(),
                Ok((Sender::KeyMissing, Integrity::Intact)),
            ),
            (
                "key ID of another algorithm: as good as none",
                |e| e["signatures"][PART] = json!({"rsa:1": e["signatures"][PART]["ed25519:1"]}),
                Keys::both(),
                Err(VerifyError::SignatureMissing(sender)),
            ),
            (
                "key ID outside its grammar: as good as none",
                |e| e["signatures"][PART] = json!({"ed25519:a-b": e["signatures"][PART]["ed25519:1"]}),
                Keys::both(),
                Err(VerifyError::SignatureMissing(sender)),
            ),
            (
                "signature with padding",
                |e| {
                    let text = e["signatures"][PART]["ed25519:1"].as_str().unwrap();
                    e["signatures"][PART]["ed25519:1"] = alloc::format!("{text}==").into();
                },
                Keys::both(),
                Err(VerifyError::SignatureWrong(sender, SignatureError::Encoding)),
            ),
            (
                "no base64, under an unknown key: can never be right",
                |e| e["signatures"][PART] = json!({"ed25519:2": "_"}),
                Keys::both(),
                Err(VerifyError::SignatureWrong(sender, SignatureError::Encoding)),
            ),
            (
                "one wrong and one right by known keys",
                |e| e["signatures"][PART]["ed25519:0"] = e["signatures"][HUB]["ed25519:1"].clone(),
                Keys::both().with(PART, "ed25519:0"),
                GOOD,
            ),
            (
                "one wrong and one by an unknown key",
                |e| {
                    let (right, wrong) = (&e["signatures"][PART]["ed25519:1"], &e["signatures"][HUB]["ed25519:1"]);
                    e["signatures"][PART] = json!({"ed25519:1": wrong, "ed25519:2": right});
                },
                Keys::both(),
                Ok((Sender::KeyMissing, Integrity::Intact)),
            ),
            (
                "the two signatures swapped",
                |e| {
                    let signatures = &e["signatures"];
                    e["signatures"] = json!({HUB: signatures[PART], PART: signatures[HUB]});
                },
                Keys::both(),
                wrong(sender),
            ),
            (
                "a wrong signature of a bystander",
                |e| e["signatures"]["other.example"] = json!({"ed25519:1": "x"}),
                Keys::both(),
                GOOD,
            ),
            ("another type", |e| e["type"] = "m.room.name".into(), Keys::both(), wrong(sender)),
            (
                "another sender of that server",
                |e| e["sender"] = "@eve:part.example".into(),
                Keys::both(),
                wrong(sender),
            ),
            ("another hub", |e| e["hub_server"] = "other.example".into(), Keys::both(), wrong(sender)),
            ("another previous event", |e| e["prev_events"] = e["auth_events"].clone(), Keys::both(), wrong(hub)),
            ("another LPDU hash", |e| e["hashes"]["lpdu"]["sha256"] = "x".into(), Keys::both(), wrong(sender)),
            ("another content hash", |e| e["hashes"]["sha256"] = "x".into(), Keys::both(), wrong(hub)),
        ];
        let message = message();
        for (what, change, keys, expected) in rows {
            assert_eq!(outcome(&changed(&message, change), &keys), expected, "{what}");
        }
    }

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
        let bytes = chained(|links, hub| verified.chain(links, hub)).unwrap().sign(&signing_key(HUB)).into_bytes();
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
        let bytes = chained(|links, hub| draft.chain(links, hub)).unwrap().sign(&signing_key(HUB)).into_bytes();
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
    fn verdicts_are_the_same_alone_and_together() {
        let message = message();
        let variants: Vec<Vec<u8>> = vec![
            message.clone(),
            changed(&message, |event| event["signatures"] = json!({})),
            changed(&message, |event| event["content"]["body"] = "forged".into()),
            changed(&message, |event| event["type"] = "other".into()),
            changed(&message, |event| {
                let extra = event["signatures"][HUB]["ed25519:1"].clone();
                event["signatures"][PART]["ed25519:0"] = extra;
            }),
            changed(&message, |event| event["prev_events"] = event["auth_events"].clone()),
            message.clone(),
        ];
        let view = |verdict: Result<super::VerifiedPdu, VerifyError>| {
            verdict.map(|pdu| (pdu.event_id(), pdu.sender_check(), pdu.integrity(), pdu.event().bytes().to_vec()))
        };
        for keys in [Keys::both(), Keys::both().with(PART, "ed25519:0"), Keys::default().with(HUB, "ed25519:1")] {
            let together = UnverifiedPdu::verify_all(variants.iter().map(|bytes| pdu(bytes)).collect(), &keys);
            let alone = variants.iter().map(|bytes| pdu(bytes).verify(&keys));
            let (together, alone): (Vec<_>, Vec<_>) =
                (together.into_iter().map(view).collect(), alone.map(view).collect());
            assert_eq!(together, alone);
        }

        let sent = lpdu_bytes("m.room.message", None, "{}");
        let lpdus = [sent.clone(), changed(&sent, |event| event["type"] = "other".into()), sent];
        let together = UnverifiedLpdu::verify_all(lpdus.iter().map(|bytes| lpdu(bytes)).collect(), &Keys::both());
        let together: Vec<_> = together.into_iter().map(|verdict| verdict.map(|lpdu| lpdu.lpdu_id())).collect();
        let alone: Vec<_> =
            lpdus.iter().map(|bytes| lpdu(bytes).verify(&Keys::both()).map(|lpdu| lpdu.lpdu_id())).collect();
        assert_eq!(together, alone);
        assert!(together[0].is_ok() && together[1].is_err() && together[2].is_ok());
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
