//! Who a server is, as a plain object.

use alloc::{string::String, vec::Vec};

use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::form::{Argument, array};
use crate::{
    crypto::SigningKey,
    id::{KeyId, ServerName, Timestamp, base64},
    server::{Identity, KnownKey, Signer, Validity},
};

/// A server's name and keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityForm {
    name: String,
    key_id: String,
    seed: ByteBuf,
    #[serde(default)]
    old_keys: Vec<OldKey>,
    #[serde(default)]
    reached_at: Option<String>,
}

/// A key that no longer signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldKey {
    key_id: String,
    key: String,
    expired_at: u64,
}

impl IdentityForm {
    /// The identity, and the address that `.well-known` names.
    pub(super) fn read(self) -> Result<(Identity, Option<String>), Argument> {
        let name = ServerName::parse(&self.name).map_err(|error| Argument::of("name", error))?;
        let signer = Signer::Held(signing_key(&self.seed)?);
        let old_keys = self.old_keys.iter().map(OldKey::read).collect::<Result<_, _>>()?;
        Ok((Identity::new(name, key_id(&self.key_id)?, signer, old_keys), self.reached_at))
    }
}

impl OldKey {
    fn read(&self) -> Result<KnownKey, Argument> {
        let key = base64::decode_array_lenient(&self.key).map_err(|error| Argument::of("oldKeys.key", error))?;
        let validity = Validity::ExpiredAt(Timestamp::new(self.expired_at));
        Ok(KnownKey { id: key_id(&self.key_id)?, key, validity })
    }
}

/// A private key from its seed.
pub(super) fn signing_key(seed: &[u8]) -> Result<SigningKey, Argument> {
    array(seed, "seed").map(|seed| SigningKey::from_seed(&seed))
}

fn key_id(text: &str) -> Result<KeyId, Argument> {
    KeyId::parse(text).map_err(|error| Argument::of("keyId", error))
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec};

    use serde_bytes::ByteBuf;

    use super::{Argument, IdentityForm, OldKey};

    fn form() -> IdentityForm {
        IdentityForm {
            name: "hub.example".into(),
            key_id: "ed25519:1".into(),
            seed: ByteBuf::from([7; 32]),
            old_keys: vec![OldKey { key_id: "ed25519:0".into(), key: "A".repeat(43), expired_at: 5 }],
            reached_at: Some("hub.example:443".into()),
        }
    }

    #[test]
    fn an_identity_is_read() {
        let (identity, reached_at) = form().read().unwrap();
        assert_eq!((identity.name().as_str(), identity.key_id().as_str()), ("hub.example", "ed25519:1"));
        assert_eq!((identity.old_keys()[0].key, reached_at.as_deref()), ([0; 32], Some("hub.example:443")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (form, expected) in [
            (IdentityForm { name: "no name".into(), ..form() }, "`name`: "),
            (IdentityForm { key_id: "1".into(), ..form() }, "`keyId`: "),
            (IdentityForm { seed: ByteBuf::from([7; 31]), ..form() }, "`seed`: must be 32 bytes long, not 31"),
            (
                IdentityForm {
                    old_keys: vec![OldKey { key_id: "ed25519:0".into(), key: String::new(), expired_at: 5 }],
                    ..form()
                },
                "`oldKeys.key`: ",
            ),
        ] {
            let Err(Argument(error)) = form.read() else { panic!("{expected}") };
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
