//! Who we are: the server's name and its signing key.

use alloc::{sync::Arc, vec::Vec};

use super::message::KnownKey;
use crate::{
    crypto::SigningKey,
    id::{KeyId, ServerName},
};

/// Our server's name, its signing key, and the keys it used before. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: ServerName,
    key_id: KeyId,
    signer: Signer,
    old_keys: Vec<KnownKey>,
}

/// Where the private key is.
#[derive(Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub enum Signer {
    /// Here: machines sign by themselves.
    Held(SigningKey),
    /// With the platform, which signs when asked and does not give the key out: its public half.
    Platform([u8; 32]),
}

impl Signer {
    fn public_key(&self) -> [u8; 32] {
        match self {
            Self::Held(key) => key.public(),
            Self::Platform(public) => *public,
        }
    }
}

impl Identity {
    /// An identity. `old_keys` are published for as long as events signed with them are around.
    ///
    /// The key that signs is no old one, whatever is said: a key that other servers once heard to have ended stays ended.
    pub fn new(name: ServerName, key_id: KeyId, signer: Signer, mut old_keys: Vec<KnownKey>) -> Self {
        let public = signer.public_key();
        old_keys.retain(|old| old.key != public && old.id != key_id);
        Self { inner: Arc::new(Inner { name, key_id, signer, old_keys }) }
    }

    /// The server's name.
    pub fn name(&self) -> &ServerName {
        &self.inner.name
    }

    /// The ID of the key that signs now.
    pub fn key_id(&self) -> &KeyId {
        &self.inner.key_id
    }

    /// Where the private key is.
    pub fn signer(&self) -> &Signer {
        &self.inner.signer
    }

    /// The public half of the key that signs now.
    pub fn public_key(&self) -> [u8; 32] {
        self.inner.signer.public_key()
    }

    /// Keys that no longer sign.
    pub fn old_keys(&self) -> &[KnownKey] {
        &self.inner.old_keys
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::{Identity, KnownKey, Signer};
    use crate::{
        id::{KeyId, ServerName, Timestamp},
        server::Validity,
    };

    #[test]
    fn the_key_that_signs_is_no_old_one() {
        let old = |id, byte| {
            let validity = Validity::ExpiredAt(Timestamp::new(5));
            KnownKey { id: KeyId::parse(id).unwrap(), key: [byte; 32], validity }
        };
        let name = ServerName::parse("hub.example").unwrap();
        let said = vec![old("ed25519:2", 1), old("ed25519:1", 2), old("ed25519:1", 1), old("ed25519:0", 0)];
        let identity = Identity::new(name, KeyId::parse("ed25519:1").unwrap(), Signer::Platform([1; 32]), said);
        assert_eq!(identity.old_keys().iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["ed25519:0"]);
    }
}
