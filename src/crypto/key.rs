//! Public keys, decoded and checked once (spec, 3.4, "when prepared").

use alloc::sync::Arc;
use core::fmt;

use base64ct::{Base64Unpadded, Encoding};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use thiserror::Error;

use super::encoding;

/// A public key that the acceptance rule allows, decoded. Cloning one copies a pointer.
///
/// Invariant: `bytes` is the canonical encoding of a point that is not of small order, and `negated` is minus it.
#[derive(Clone)]
pub struct PreparedKey(Arc<Decoded>);

/// Why a public key is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// One of the 14 encodings of a point of small order.
    #[error("the public key is of small order")]
    SmallOrder,
    /// The y coordinate is not below p.
    #[error("the public key is not canonically encoded")]
    NotCanonical,
    /// No point of the curve has this y coordinate.
    #[error("the public key is not a point of the curve")]
    NotOnCurve,
}

struct Decoded {
    bytes: [u8; 32],
    negated: EdwardsPoint,
}

impl PreparedKey {
    /// Decodes a key. This costs about a tenth of a verification, so keep the result.
    ///
    /// # Errors
    /// A [`KeyError`] if the acceptance rule refuses the key, whatever the signature.
    pub fn prepare(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if encoding::is_small_order(bytes) {
            return Err(KeyError::SmallOrder);
        }
        if !encoding::is_reduced_y(bytes) {
            return Err(KeyError::NotCanonical);
        }
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotOnCurve)?;
        Ok(Self(Arc::new(Decoded { bytes: *bytes, negated: -point })))
    }

    /// The key's 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.bytes
    }

    pub(super) fn negated(&self) -> &EdwardsPoint {
        &self.0.negated
    }
}

impl PartialEq for PreparedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for PreparedKey {}

impl fmt::Debug for PreparedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedKey({})", Base64Unpadded::encode_string(&self.0.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, PreparedKey};
    use alloc::{format, string::ToString};

    #[test]
    fn debug_and_messages_read_well() {
        // The public key that goes with the seed of the Matrix specification's signing vectors.
        let text = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";
        let key = PreparedKey::prepare(&crate::id::base64::decode_array(text).unwrap()).unwrap();
        assert_eq!(format!("{key:?}"), format!("PreparedKey({text})"));
        assert_eq!(KeyError::SmallOrder.to_string(), "the public key is of small order");
        assert_eq!(KeyError::NotCanonical.to_string(), "the public key is not canonically encoded");
        assert_eq!(KeyError::NotOnCurve.to_string(), "the public key is not a point of the curve");
    }

    #[test]
    fn about_half_of_all_encodings_are_no_point() {
        let refused = (2_u8..=101)
            .filter(|&y| {
                let mut bytes = [0; 32];
                bytes[0] = y;
                PreparedKey::prepare(&bytes) == Err(KeyError::NotOnCurve)
            })
            .count();
        assert!((30..=70).contains(&refused), "{refused}");
    }
}
