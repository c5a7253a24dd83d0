//! Key documents: ours, made and signed; others', checked (spec, section 6, Keys).

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use super::MAX_VALIDITY;
use crate::{
    crypto::{KeyError, PreparedKey, Signature},
    event::{ObjectSignatureError, verify_object},
    id::{KeyId, ServerName, Timestamp, base64},
    json::{Document, Kind, ObjectWriter, Value, write_object},
    server::{
        identity::Identity,
        message::{KnownKey, ServerKeys, Validity},
    },
};

/// How long our own document counts from when it is made.
pub const OWN_VALIDITY: Duration = Duration::from_secs(12 * 3_600);

/// More keys in use than this are refused: each costs a signature check.
const MAX_CURRENT: usize = 16;

/// Old keys beyond this are passed over.
const MAX_OLD: usize = 256;

/// Why a key document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyDocumentError {
    /// The member is missing or malformed.
    #[error("key document has no valid `{0}`")]
    Field(&'static str),
    /// It is about another server than the one asked for.
    #[error("key document is another server's")]
    OtherServer,
    /// The acceptance rule refuses a key that is said to be in use.
    #[error("key {0} is not acceptable: {1}")]
    Key(KeyId, KeyError),
    /// A key that is said to be in use did not sign the document.
    #[error("key {0} did not sign the document: {1}")]
    Signature(KeyId, ObjectSignatureError),
    /// No known key of the notary signed it.
    #[error("the notary did not sign the document")]
    Notary,
}

/// A key document that every key in it signed.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDocument {
    /// What it says.
    pub keys: ServerKeys,
    /// How long the keys in use hold, capped.
    pub valid_until: Timestamp,
    /// The document.
    pub document: Document,
}

/// Our own document, not yet signed.
#[derive(Clone, Debug)]
pub struct OwnDocument<'a> {
    identity: &'a Identity,
    valid_until: Timestamp,
}

impl<'a> OwnDocument<'a> {
    /// The document as of now.
    pub fn new(identity: &'a Identity, now: Timestamp) -> Self {
        Self { identity, valid_until: now.saturating_add(OWN_VALIDITY) }
    }

    /// The bytes that our key signs.
    pub fn signing_input(&self) -> Vec<u8> {
        self.write(None)
    }

    /// The document with our signature over [`OwnDocument::signing_input`].
    pub fn sign_with(&self, signature: &Signature) -> Vec<u8> {
        self.write(Some(signature))
    }

    fn write(&self, signature: Option<&Signature>) -> Vec<u8> {
        let identity = self.identity;
        let mut out = Vec::new();
        write_object(&mut out, |document| {
            // By this other servers know that we take LPDUs.
            document.bool("m.linearized", true);
            document.object("old_verify_keys", |old| {
                let mut keys: Vec<_> = identity.old_keys().iter().collect();
                keys.sort_by_key(|key| key.id.as_str());
                keys.dedup_by_key(|key| key.id.as_str());
                for key in keys {
                    let (Validity::CurrentUntil(end) | Validity::ExpiredAt(end) | Validity::Vouched(end)) =
                        key.validity;
                    write_key(old, &key.id, &key.key, Some(end));
                }
            });
            document.string("server_name", identity.name().as_str());
            if let Some(signature) = signature {
                document.object("signatures", |signatures| {
                    signatures.object(identity.name().as_str(), |ours| {
                        ours.string(identity.key_id().as_str(), &signature.to_text());
                    });
                });
            }
            document.int("valid_until_ts", millis(self.valid_until));
            document.object("verify_keys", |keys| write_key(keys, identity.key_id(), &identity.public_key(), None));
        });
        out
    }
}

fn write_key(keys: &mut ObjectWriter<'_>, id: &KeyId, key: &[u8; 32], end: Option<Timestamp>) {
    keys.object(id.as_str(), |entry| {
        if let Some(end) = end {
            entry.int("expired_ts", millis(end));
        }
        entry.string("key", &base64::encode(key));
    });
}

fn millis(time: Timestamp) -> i64 {
    const SAFE: u64 = (1 << 53) - 1;
    i64::try_from(time.millis().min(SAFE)).unwrap_or_default()
}

impl KeyDocument {
    /// Checks a document that was fetched now: it is about `server`, and every key in `verify_keys` signed it.
    ///
    /// Keys of other algorithms than Ed25519 are passed over, as are old keys that the acceptance rule refuses.
    ///
    /// # Errors
    /// A [`KeyDocumentError`].
    pub fn check(document: Document, server: &ServerName, now: Timestamp) -> Result<Self, KeyDocumentError> {
        let root = document.root();
        if root.member("server_name").and_then(Value::as_str).as_deref() != Some(server.as_str()) {
            return Err(KeyDocumentError::OtherServer);
        }
        let until = root.member("valid_until_ts").and_then(time).ok_or(KeyDocumentError::Field("valid_until_ts"))?;
        let valid_until = until.min(now.saturating_add(MAX_VALIDITY));
        let in_use = entries(root, "verify_keys").count();
        if in_use == 0 || in_use > MAX_CURRENT {
            return Err(KeyDocumentError::Field("verify_keys"));
        }
        let mut keys = Vec::new();
        for (id, entry) in entries(root, "verify_keys") {
            let key = bytes(entry).ok_or(KeyDocumentError::Field("verify_keys"))?;
            let prepared = PreparedKey::prepare(&key).map_err(|error| KeyDocumentError::Key(id.clone(), error))?;
            verify_object(root, server.as_str(), id.as_str(), &prepared)
                .map_err(|error| KeyDocumentError::Signature(id.clone(), error))?;
            keys.push(KnownKey { id, key, validity: Validity::CurrentUntil(valid_until) });
        }
        for (id, entry) in entries(root, "old_verify_keys").take(MAX_OLD) {
            let end = entry.member("expired_ts").and_then(time);
            let key = bytes(entry).filter(|key| PreparedKey::prepare(key).is_ok());
            if let (Some(key), Some(end)) = (key, end) {
                keys.push(KnownKey { id, key, validity: Validity::ExpiredAt(end) });
            }
        }
        Ok(Self { keys: ServerKeys { server: server.clone(), keys }, valid_until, document })
    }

    /// Checks that a notary, whose keys these are, signed the document too. Its keys are then [vouched](Validity::Vouched) for.
    ///
    /// # Errors
    /// [`KeyDocumentError::Notary`].
    pub fn check_notary(self, notary: &ServerKeys, now: Timestamp) -> Result<Self, KeyDocumentError> {
        let signed = |known: &&KnownKey| {
            let key = PreparedKey::prepare(&known.key).ok();
            key.is_some_and(|key| {
                verify_object(self.document.root(), notary.server.as_str(), known.id.as_str(), &key).is_ok()
            })
        };
        let current = notary.keys.iter().filter(|known| known.is_current(now));
        if !current.take(MAX_CURRENT).any(|known| signed(&known)) {
            return Err(KeyDocumentError::Notary);
        }
        let mut vouched = self;
        for known in &mut vouched.keys.keys {
            known.validity = match known.validity {
                // No event is judged by how long a key was said to be current.
                Validity::CurrentUntil(_) => Validity::Vouched(Timestamp::new(u64::MAX)),
                Validity::ExpiredAt(end) | Validity::Vouched(end) => Validity::Vouched(end),
            };
        }
        Ok(vouched)
    }
}

/// The IDs of the keys under which a notary says that it signed a document.
pub fn signed_by(document: Value<'_>, notary: &ServerName) -> Vec<KeyId> {
    let signatures = document.member("signatures").and_then(|all| all.member(notary.as_str()));
    signatures.into_iter().flat_map(Value::members).filter_map(|one| KeyId::parse(&one.key()).ok()).collect()
}

/// The documents of a notary's answer.
pub fn notary_documents(answer: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    answer.member("server_keys").into_iter().flat_map(Value::elements).filter(|value| value.kind() == Kind::Object)
}

/// The body of a notary's answer, of documents that are whole.
pub fn write_notary_answer(documents: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    write_object(&mut out, |answer| {
        answer.array("server_keys", |keys| documents.iter().for_each(|document| keys.raw(document)));
    });
    out
}

/// The body that asks a notary for a server's keys.
pub fn write_notary_query(server: &ServerName, key_ids: &[KeyId], minimum_valid_until: Timestamp) -> Vec<u8> {
    let mut ids: Vec<String> = key_ids.iter().map(|id| id.as_str().into()).collect();
    ids.sort();
    ids.dedup();
    let mut out = Vec::new();
    write_object(&mut out, |query| {
        query.object("server_keys", |servers| {
            servers.object(server.as_str(), |keys| {
                for id in ids {
                    keys.object(&id, |wanted| wanted.int("minimum_valid_until_ts", millis(minimum_valid_until)));
                }
            });
        });
    });
    out
}

fn entries<'a>(root: Value<'a>, key: &str) -> impl Iterator<Item = (KeyId, Value<'a>)> {
    let members = root.member(key).into_iter().flat_map(Value::members);
    members.filter_map(|entry| Some((KeyId::parse(&entry.key()).ok()?, entry.value())))
}

fn bytes(entry: Value<'_>) -> Option<[u8; 32]> {
    base64::decode_array_lenient(&entry.member("key")?.as_str()?).ok()
}

fn time(value: Value<'_>) -> Option<Timestamp> {
    u64::try_from(value.as_i64()?).ok().map(Timestamp::new)
}
