//! The equation of the acceptance rule (spec, 3.4), singly and for many at once.

use alloc::vec::Vec;

use curve25519_dalek::{edwards::EdwardsPoint, scalar::Scalar};
use sha2::{Digest, Sha512};

use super::{PreparedKey, Signature, SignatureError, encoding};

/// How many points are compressed together: enough to make the shared inversion cheap, few enough to stay in cache.
const CHUNK: usize = 64;

/// One signature to check, of those given to [`verify_many`].
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// Whose signature it should be.
    pub key: &'a PreparedKey,
    /// The signed bytes.
    pub message: &'a [u8],
    /// The signature over `message`.
    pub signature: &'a Signature,
}

/// Checks one signature by the acceptance rule.
///
/// # Errors
/// The first [`SignatureError`] of the rule's parts, in their order.
pub fn verify(key: &PreparedKey, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    if cfg!(feature = "null-crypto") {
        return Ok(());
    }
    let pending = Pending::start(&Check { key, message, signature })?;
    pending.finish(pending.point.compress().as_bytes())
}

/// Checks many signatures; each verdict is the one [`verify`] gives, in the order of `checks`.
///
/// Shared is the field inversion that encoding a point takes. That is exact arithmetic on each point, not a randomised
/// sum over all of them, so no signature can influence the verdict on another.
pub fn verify_many(checks: &[Check<'_>]) -> Vec<Result<(), SignatureError>> {
    if cfg!(feature = "null-crypto") {
        return checks.iter().map(|_| Ok(())).collect();
    }
    let mut verdicts = Vec::with_capacity(checks.len());
    for chunk in checks.chunks(CHUNK) {
        let started: Vec<_> = chunk.iter().map(Pending::start).collect();
        let points: Vec<_> = started.iter().flatten().map(|pending| pending.point).collect();
        let mut encoded = EdwardsPoint::compress_batch_alloc(&points).into_iter();
        verdicts.extend(started.into_iter().map(|started| {
            let pending = started?;
            let recomputed = encoded.next().ok_or(SignatureError::Mismatch)?;
            pending.finish(recomputed.as_bytes())
        }));
    }
    verdicts
}

/// A signature that passed what needs no arithmetic, and the point that R has to be.
struct Pending {
    r: [u8; 32],
    point: EdwardsPoint,
}

impl Pending {
    fn start(check: &Check<'_>) -> Result<Self, SignatureError> {
        let (r, s) = check.signature.halves();
        if !encoding::is_reduced_scalar(&s) {
            return Err(SignatureError::ScalarTooLarge);
        }
        if encoding::is_small_order(&r) {
            return Err(SignatureError::SmallOrderR);
        }
        let hash = Sha512::new().chain_update(r).chain_update(check.key.bytes()).chain_update(check.message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let s = Scalar::from_bytes_mod_order(s);
        let point = match check.key.multiples() {
            Some(multiples) => multiples.plus_base(&k, &s),
            None => EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, check.key.negated(), &s),
        };
        Ok(Self { r, point })
    }

    fn finish(&self, recomputed: &[u8; 32]) -> Result<(), SignatureError> {
        if *recomputed == self.r { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}
