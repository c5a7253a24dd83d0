//! Signatures as 64 bytes and as text.

use alloc::string::String;
use core::fmt;

use base64ct::{Base64Unpadded, Encoding};
use thiserror::Error;

/// The 64 bytes R ‖ S. Any 64 bytes make one; whether they are a signature is for `verify` to say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not the strict base64 of 64 bytes.
    #[error("the signature is not the base64 of 64 bytes")]
    Encoding,
    /// S is not below the order of the base point.
    #[error("the signature's scalar is too large")]
    ScalarTooLarge,
    /// R is an encoding of a point of small order.
    #[error("the signature's point is of small order")]
    SmallOrderR,
    /// The equation does not hold: another message, another key, or R not canonical.
    #[error("the signature does not match")]
    Mismatch,
}

impl Signature {
    /// Reads a signature as it stands in events: standard alphabet, no padding, unused bits zero (spec, 3.2).
    ///
    /// # Errors
    /// [`SignatureError::Encoding`].
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut bytes = [0; 64];
        match Base64Unpadded::decode(text, &mut bytes).map(<[u8]>::len) {
            Ok(64) => Ok(Self(bytes)),
            _ => Err(SignatureError::Encoding),
        }
    }

    /// As [`Signature::parse`], but the padding `==` is accepted too, as key documents and X-Matrix headers may have it.
    ///
    /// # Errors
    /// [`SignatureError::Encoding`].
    pub fn parse_lenient(text: &str) -> Result<Self, SignatureError> {
        Self::parse(text.strip_suffix("==").unwrap_or(text))
    }

    /// Takes 64 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes R ‖ S.
    pub const fn to_bytes(&self) -> [u8; 64] {
        self.0
    }

    /// The 86 characters that stand in events.
    pub fn to_text(&self) -> String {
        Base64Unpadded::encode_string(&self.0)
    }

    /// R and S.
    pub(super) fn halves(&self) -> ([u8; 32], [u8; 32]) {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        let (low, high) = self.0.split_at(r.len());
        r.copy_from_slice(low);
        s.copy_from_slice(high);
        (r, s)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::{Signature, SignatureError};
    use alloc::{format, string::ToString};

    // 64 zero bytes, but for the last, which is 1.
    fn text() -> alloc::string::String {
        format!("{}Q", "A".repeat(84) + "A")
    }

    #[test]
    fn spec_3_2_text_is_strict() {
        let good = text();
        let mut bytes = [0; 64];
        bytes[63] = 1;
        assert_eq!(Signature::parse(&good), Ok(Signature::from_bytes(bytes)));
        assert_eq!(Signature::from_bytes(bytes).to_text(), good);
        let cases = [
            ("", false),
            (&good[1..], false),
            (&format!("{good}A"), false),
            (&format!("{good}AA"), false),
            (&format!("{good}="), false),
            (&format!("{good}=="), true),
            (&format!("{good}==="), false),
            (&good.replace('Q', "R"), false),
            (&good.replacen("A", "_", 1), false),
            (&good.replacen("A", " ", 1), false),
            (&good.replacen("AA", "\u{e9}", 1), false),
        ];
        for (text, lenient) in cases {
            assert_eq!(Signature::parse(text), Err(SignatureError::Encoding), "{text}");
            assert_eq!(Signature::parse_lenient(text).is_ok(), lenient, "{text}");
        }
    }

    #[test]
    fn messages_read_well() {
        assert_eq!(SignatureError::Encoding.to_string(), "the signature is not the base64 of 64 bytes");
        assert_eq!(SignatureError::ScalarTooLarge.to_string(), "the signature's scalar is too large");
        assert_eq!(SignatureError::SmallOrderR.to_string(), "the signature's point is of small order");
        assert_eq!(SignatureError::Mismatch.to_string(), "the signature does not match");
    }
}
