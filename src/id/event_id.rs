//! Event IDs: the reference hash, kept as bytes.

use core::fmt;

use super::{IdError, base64};

const TEXT_LENGTH: usize = 44;

/// `$` and the URL-safe unpadded base64 of the event's reference hash (spec, sections 2 and 3.2); 32 bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 32]);

impl EventId {
    /// Reads `$` and exactly 43 characters whose unused bits are zero.
    ///
    /// # Errors
    /// [`IdError::Prefix`] without the `$`, otherwise [`IdError::Hash`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let encoded = text.strip_prefix('$').ok_or(IdError::Prefix)?;
        base64::decode_url_array(encoded).map(Self).map_err(|_| IdError::Hash)
    }

    /// The event ID of the event with this reference hash.
    pub const fn from_hash(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The reference hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'$'; TEXT_LENGTH];
        let [_, encoded @ ..] = &mut text;
        base64::encode_url_into(&self.0, encoded);
        f.pad(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{EventId, IdError};
    use alloc::{format, string::ToString};

    // The second item's last character differs from the first only in the two unused bits.
    const GOOD: &str = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS438";
    const SPARE_BITS: &str = "$RrGxF28UrHLmoASHndYb9Jb_1SFww2ptmtur9INS439";

    #[test]
    fn text_and_bytes_round_trip() {
        let id = EventId::parse(GOOD).unwrap();
        assert_eq!(id.to_string(), GOOD);
        assert_eq!(EventId::from_hash(*id.as_bytes()), id);
        assert_eq!(format!("{id:?}"), format!("EventId({GOOD})"));
        assert_eq!(EventId::from_hash([0; 32]).to_string(), format!("${}", "A".repeat(43)));
    }

    #[test]
    fn every_other_text_is_refused() {
        let table = [
            ("", IdError::Prefix),
            ("$", IdError::Hash),
            (&GOOD[1..], IdError::Prefix),
            (&GOOD[..43], IdError::Hash),
            (SPARE_BITS, IdError::Hash),
            (&format!("{GOOD}A"), IdError::Hash),
            (&format!("{GOOD}="), IdError::Hash),
            (&GOOD.replace('_', "/"), IdError::Hash),
            (&GOOD.replace('_', " "), IdError::Hash),
            (&GOOD.replace("_1", "\u{e9}"), IdError::Hash),
            ("$0:domain", IdError::Hash),
        ];
        for (text, error) in table {
            assert_eq!(EventId::parse(text), Err(error), "{text:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn any_hash_round_trips(hash: [u8; 32]) {
            let id = EventId::from_hash(hash);
            proptest::prop_assert_eq!(EventId::parse(&id.to_string()), Ok(id));
        }
    }
}
