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

impl Identity {
    /// An identity. `old_keys` are published for as long as events signed with them are around.
    pub fn new(name: ServerName, key_id: KeyId, signer: Signer, old_keys: Vec<KnownKey>) -> Self {
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
        match &self.inner.signer {
            Signer::Held(key) => key.public(),
            Signer::Platform(public) => *public,
        }
    }

    /// Keys that no longer sign.
    pub fn old_keys(&self) -> &[KnownKey] {
        &self.inner.old_keys
    }
}
