//! Public keys, decoded and checked once (spec, 3.4, "when prepared").

use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

use base64ct::{Base64Unpadded, Encoding};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use once_cell::race::OnceBox;
use thiserror::Error;

use super::{encoding, multiples::Multiples};

/// A key that has verified so many signatures gets its multiples: they cost as much as three verifications and halve each.
const OFTEN: u32 = 32;

/// Keys that have them at the same time, in the whole process: 56 kB each. Further ones do without.
const MOST_TABLES: usize = 32;

static TABLES: AtomicUsize = AtomicUsize::new(0);

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
    /// Signatures verified without multiples.
    uses: AtomicU32,
    table: OnceBox<Table>,
}

/// The multiples of `negated`.
struct Table {
    multiples: Multiples,
    _place: Place,
}

/// One of the places for tables; it is given back with the key.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let one_more = |taken: usize| (taken < MOST_TABLES).then_some(taken.saturating_add(1));
        TABLES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TABLES.fetch_sub(1, Ordering::Relaxed);
    }
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
        let (uses, table) = (AtomicU32::new(0), OnceBox::new());
        Ok(Self(Arc::new(Decoded { bytes: *bytes, negated: -point, uses, table })))
    }

    /// The key's 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.bytes
    }

    pub(super) fn negated(&self) -> &EdwardsPoint {
        &self.0.negated
    }

    /// The multiples of minus the key, once it is used often. To be asked for at each verification: that is what counts.
    pub(super) fn multiples(&self) -> Option<&Multiples> {
        let Decoded { negated, uses, table, .. } = &*self.0;
        if let Some(made) = table.get() {
            return Some(&made.multiples);
        }
        if uses.fetch_add(1, Ordering::Relaxed) < OFTEN {
            return None;
        }
        let _place = Place::take()?;
        Some(&table.get_or_init(|| Box::new(Table { multiples: Multiples::of(negated), _place })).multiples)
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
    use super::{KeyError, MOST_TABLES, OFTEN, PreparedKey};
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
    fn only_keys_that_are_used_often_have_multiples_and_they_are_few() {
        let prepared =
            |seed: u8| PreparedKey::prepare(&crate::crypto::SigningKey::from_seed(&[seed; 32]).public()).unwrap();
        let keys: alloc::vec::Vec<_> = (0..200).map(prepared).collect();
        for key in &keys {
            assert!((0..OFTEN).all(|_| key.multiples().is_none()));
        }
        let with = keys.iter().filter(|key| key.multiples().is_some()).count();
        assert!((1..=MOST_TABLES).contains(&with), "{with}");
        let first = keys.iter().find(|key| key.multiples().is_some()).unwrap();
        assert!(first.clone().multiples().is_some(), "a clone is the same key");
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
