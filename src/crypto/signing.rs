//! Our own keys.

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::{edwards::EdwardsPoint, scalar::Scalar};
use ed25519_dalek::{
    VerifyingKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use sha2::{Digest, Sha512};

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

    /// Signs many messages; each signature is the one that [`SigningKey::sign`] gives. Shared is the field inversion that encoding a point takes.
    pub fn sign_many(&self, messages: &[&[u8]]) -> Vec<Signature> {
        if cfg!(feature = "null-crypto") {
            return messages.iter().map(|_| Signature::from_bytes([0; 64])).collect();
        }
        let secrets: Vec<Scalar> =
            messages.iter().map(|message| hashed(&[&self.secret.hash_prefix, message])).collect();
        let points: Vec<EdwardsPoint> = secrets.iter().map(EdwardsPoint::mul_base).collect();
        let encoded = EdwardsPoint::compress_batch_alloc(&points);
        let parts = messages.iter().zip(&secrets).zip(&encoded);
        parts
            .map(|((message, secret), r)| {
                let k = hashed(&[r.as_bytes(), self.public.as_bytes(), message]);
                let s = k * self.secret.scalar + secret;
                let mut bytes = [0; 64];
                let (low, high) = bytes.split_at_mut(32);
                low.copy_from_slice(r.as_bytes());
                high.copy_from_slice(s.as_bytes());
                Signature::from_bytes(bytes)
            })
            .collect()
    }
}

/// SHA-512 of all parts, modulo L.
fn hashed(parts: &[&[u8]]) -> Scalar {
    let hash = parts.iter().fold(Sha512::new(), |hash, part| hash.chain_update(part));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public.to_bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::SigningKey;
    use alloc::{format, vec::Vec};

    #[test]
    fn debug_hides_the_secret() {
        let key = SigningKey::from_seed(&[1; 32]);
        let shown = format!("{key:?}");
        let secret = format!("{:?}", key.secret.hash_prefix);
        assert!(shown.starts_with("SigningKey { public: [138, 136,"), "{shown}");
        assert!(!shown.contains(&secret[1..20]) && shown.ends_with(", .. }"), "{shown}");
    }

    #[test]
    fn signatures_are_the_same_singly_and_together() {
        let key = SigningKey::from_seed(&[2; 32]);
        let messages: Vec<Vec<u8>> =
            (0..130_usize).map(|length| (0..=u8::MAX).cycle().take(length).collect()).collect();
        for count in [0, 1, 2, messages.len()] {
            let some: Vec<&[u8]> = messages.iter().take(count).map(Vec::as_slice).collect();
            let singly: Vec<_> = some.iter().map(|message| key.sign(message)).collect();
            assert_eq!(key.sign_many(&some), singly);
        }
    }

    #[test]
    fn secrets_are_overwritten_on_drop() {
        // Compiles only while the dependency's `zeroize` feature is on.
        fn overwritten<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        overwritten(&SigningKey::from_seed(&[1; 32]).secret);
    }
}
