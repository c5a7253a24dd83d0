//! Whose signatures an event needs, and whether they are right (spec, 3.4 and 4.2).
//!
//! Signatures are first gathered from any number of events, then checked in one call, then told apart again. So the
//! verdict on an event is the same alone and among others.

use alloc::vec::Vec;

use thiserror::Error;

use super::{Event, SchemaError};
use crate::{
    crypto::{self, Check, PreparedKey, Signature, SignatureError},
    id::{KeyId, ServerName, Timestamp, base64},
    json::Value,
};

/// Where verification finds keys: a key ring, or in tests a map.
pub trait KeySource {
    /// The key of this server and ID, if it may be used so.
    fn key(&self, server: &ServerName, key: &KeyId, purpose: KeyUse) -> KeyLookup;
}

/// What a key is wanted for; by it a key ring judges expiry (spec, section 6, Keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// When the event says that it was sent.
    pub origin_server_ts: Timestamp,
    /// Who asks.
    pub role: Role,
}

/// In which role a server checks an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A hub checking an LPDU: only current keys count.
    Hub,
    /// Anyone checking a PDU: a key that was ever right stays right for its time.
    Participant,
}

/// What a [`KeySource`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLookup {
    /// The key, good for this use.
    Usable(PreparedKey),
    /// The key is known, but not good for this use.
    NotValid,
    /// The key is not known; it may become known.
    Unknown,
}

/// Which of the two signatures of an event is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatory {
    /// The sender's server.
    Sender,
    /// The server in `hub_server`.
    Hub,
}

/// Why an event's signatures or its LPDU hash are not accepted: the event is dropped or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No Ed25519 signature under the signatory's name.
    #[error("the {0} signature is missing")]
    SignatureMissing(Signatory),
    /// A signature by a known key is wrong, and none is right.
    #[error("the {0} signature is wrong: {1}")]
    SignatureWrong(Signatory, SignatureError),
    /// The only signatures are by keys that are not valid for this use.
    #[error("the {0} key is not valid for this event")]
    KeyNotValid(Signatory),
    /// The key is unknown, and nobody else's signature speaks for the event.
    #[error("the {0} key is unknown")]
    KeyUnknown(Signatory),
    /// The hash of an LPDU is wrong; of a PDU that is no error, see [`Integrity`](super::Integrity).
    #[error("the lpdu hash is wrong")]
    LpduHash,
    /// The redacted copy, which a wrong hash calls for, is no event. No well-formed event gives this.
    #[error("the redacted copy is no event: {0}")]
    Redacted(SchemaError),
}

impl core::fmt::Display for Signatory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender's",
            Self::Hub => "hub's",
        })
    }
}

/// A signature that was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoodSignature {
    pub(super) server: ServerName,
    pub(super) key_id: KeyId,
    pub(super) text: SignatureText,
}

/// A signature as it stands in events: 86 characters of standard base64, no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignatureText([u8; 86]);

impl SignatureText {
    /// A character that neither base64 nor a server name nor a key ID has.
    pub(super) const NO_BASE64: u8 = b'*';

    /// As long as a signature, and none.
    pub(super) const BLANK: Self = Self([Self::NO_BASE64; 86]);

    pub(super) fn of(signature: &Signature) -> Self {
        let mut text = [0; 86];
        base64::encode_into(&signature.to_bytes(), &mut text);
        Self(text)
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The IDs of the Ed25519 keys that the event bears signatures of under a server's name.
pub(super) fn key_ids(event: &Event, server: &ServerName) -> Vec<KeyId> {
    under(event, server).map(|(key_id, _)| key_id).collect()
}

/// Everything under a name that has the form of a key ID of ours; other algorithms are passed over.
fn under<'e>(event: &'e Event, server: &ServerName) -> impl Iterator<Item = (KeyId, Value<'e>)> {
    let signatures = event.signatures().and_then(|signatures| signatures.member(server.as_str()));
    signatures
        .into_iter()
        .flat_map(Value::members)
        .filter_map(|member| Some((KeyId::parse(&member.key()).ok()?, member.value())))
}

/// A signature whose key is known.
struct Candidate {
    key_id: KeyId,
    text: SignatureText,
    signature: Signature,
    key: PreparedKey,
}

/// The signatures of one signatory over one message, with the keys to check them by.
pub(super) struct Gathered<'m> {
    signatory: Signatory,
    server: ServerName,
    message: &'m [u8],
    candidates: Vec<Candidate>,
    /// The most telling reason not to accept, if no candidate turns out right.
    otherwise: VerifyError,
}

impl<'m> Gathered<'m> {
    pub(super) fn of(
        event: &Event,
        signatory: Signatory,
        server: ServerName,
        message: &'m [u8],
        keys: &dyn KeySource,
        role: Role,
    ) -> Self {
        let purpose = KeyUse { origin_server_ts: event.origin_server_ts(), role };
        // Nearly always there is one.
        let mut candidates = Vec::with_capacity(1);
        let mut otherwise = VerifyError::SignatureMissing(signatory);
        for (key_id, text) in under(event, &server) {
            let text = text.as_str().unwrap_or_default();
            // One signature has one text, so it need not be written anew when it goes into a PDU.
            let (Ok(bytes), Ok(text)) = (base64::decode_array(&text), text.as_bytes().try_into()) else {
                otherwise = graver(otherwise, VerifyError::SignatureWrong(signatory, SignatureError::Encoding));
                continue;
            };
            let (signature, text) = (Signature::from_bytes(bytes), SignatureText(text));
            match keys.key(&server, &key_id, purpose) {
                KeyLookup::Usable(key) => candidates.push(Candidate { key_id, text, signature, key }),
                KeyLookup::NotValid => otherwise = graver(otherwise, VerifyError::KeyNotValid(signatory)),
                KeyLookup::Unknown => otherwise = graver(otherwise, VerifyError::KeyUnknown(signatory)),
            }
        }
        Self { signatory, server, message, candidates, otherwise }
    }

    /// The right ones of the candidates, or why there is none. Takes as many verdicts as it gave checks.
    fn settle(
        self,
        verdicts: &mut impl Iterator<Item = Result<(), SignatureError>>,
    ) -> Result<Vec<GoodSignature>, VerifyError> {
        let Self { signatory, server, candidates, mut otherwise, .. } = self;
        let mut good = Vec::with_capacity(candidates.len());
        for Candidate { key_id, text, .. } in candidates {
            match verdicts.next().unwrap_or(Err(SignatureError::Mismatch)) {
                Ok(()) => good.push(GoodSignature { server: server.clone(), key_id, text }),
                Err(error) => otherwise = graver(otherwise, VerifyError::SignatureWrong(signatory, error)),
            }
        }
        if good.is_empty() { Err(otherwise) } else { Ok(good) }
    }
}

/// Checks all that was gathered in one call; the answers stand in the order of what was given.
pub(super) fn check_all(gathered: Vec<Gathered<'_>>) -> Vec<Result<Vec<GoodSignature>, VerifyError>> {
    let checks: Vec<Check<'_>> = gathered
        .iter()
        .flat_map(|one| {
            let message = one.message;
            one.candidates.iter().map(move |Candidate { signature, key, .. }| Check { key, message, signature })
        })
        .collect();
    let mut verdicts = crypto::verify_many(&checks).into_iter();
    gathered.into_iter().map(|one| one.settle(&mut verdicts)).collect()
}

/// Of two reasons the one to tell. An unknown key outweighs a wrong signature: it may yet turn out right.
fn graver(one: VerifyError, other: VerifyError) -> VerifyError {
    let weight = |error: &VerifyError| match error {
        VerifyError::SignatureMissing(_) | VerifyError::LpduHash | VerifyError::Redacted(_) => 0,
        VerifyError::KeyNotValid(_) => 1,
        VerifyError::SignatureWrong(..) => 2,
        VerifyError::KeyUnknown(_) => 3,
    };
    if weight(&other) > weight(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::{KeyLookup, Signatory, VerifyError};
    use crate::{
        crypto::SignatureError,
        event::{
            Integrity, Sender, UnverifiedLpdu, UnverifiedPdu, VerifiedPdu,
            fixtures::{HUB, Keys, PART, changed, lpdu, lpdu_bytes, message, pdu, prepared},
        },
    };
    use alloc::{vec, vec::Vec};
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
        let forged = Keys::both().answering(PART, "ed25519:1", KeyLookup::Usable(prepared("x")));
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
        let view = |verdict: Result<VerifiedPdu, VerifyError>| {
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
}
