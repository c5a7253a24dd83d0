//! The base64 of Matrix (spec, 3.2 and 3.4), each form under its own name.
//!
//! Inside events base64 is strict: standard alphabet, no padding, unused bits zero. Key documents and X-Matrix headers
//! may carry padding; nothing else is ever forgiven, so that one value has one text wherever it is hashed or compared.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use thiserror::Error;

/// A text is not the base64 asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not valid base64")]
pub struct Base64Error;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What each byte is worth as a letter.
type Values = [u8; 256];

/// The worth of what is no letter.
const NO_LETTER: u8 = 64;

static STANDARD_VALUES: Values = values(STANDARD);
static URL_VALUES: Values = values(URL);

/// Standard alphabet, no padding.
pub fn encode(bytes: &[u8]) -> String {
    Base64Unpadded::encode_string(bytes)
}

/// URL-safe alphabet, no padding.
pub fn encode_url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// As [`encode`], into a text of exactly that length; of another one it is left as it was.
pub(crate) fn encode_into(bytes: &[u8], text: &mut [u8]) {
    spell(bytes, STANDARD, text);
}

/// As [`encode_url`], into a text of exactly that length; of another one it is left as it was.
pub(crate) fn encode_url_into(bytes: &[u8], text: &mut [u8]) {
    spell(bytes, URL, text);
}

/// Standard alphabet, no padding, unused bits zero.
pub fn decode_strict(text: &str) -> Result<Vec<u8>, Base64Error> {
    Base64Unpadded::decode_vec(text).map_err(|_| Base64Error)
}

/// As [`decode_strict`], but complete `=` padding is accepted too.
pub fn decode_lenient(text: &str) -> Result<Vec<u8>, Base64Error> {
    decode_strict(without_padding(text)?)
}

/// URL-safe alphabet, no padding, unused bits zero.
pub fn decode_url_strict(text: &str) -> Result<Vec<u8>, Base64Error> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Base64Error)
}

/// As [`decode_url_strict`], but complete `=` padding is accepted too.
pub fn decode_url_lenient(text: &str) -> Result<Vec<u8>, Base64Error> {
    decode_url_strict(without_padding(text)?)
}

/// Strict decoding of exactly `N` bytes, such as a key or a signature.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], Base64Error> {
    read(text.as_bytes(), &STANDARD_VALUES).ok_or(Base64Error)
}

/// As [`decode_array`], of the URL-safe alphabet.
pub(crate) fn decode_url_array<const N: usize>(text: &str) -> Result<[u8; N], Base64Error> {
    read(text.as_bytes(), &URL_VALUES).ok_or(Base64Error)
}

/// As [`decode_array`], but complete `=` padding is accepted too.
pub fn decode_array_lenient<const N: usize>(text: &str) -> Result<[u8; N], Base64Error> {
    decode_array(without_padding(text)?)
}

/// Looks each letter up, which takes half the time of what hides its values: hashes and signatures are no secret. An event
/// that is appended has six of them.
fn spell(bytes: &[u8], letters: &[u8; 64], text: &mut [u8]) {
    if text.len() != (bytes.len() * 8).div_ceil(6) {
        return;
    }
    for (group, places) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let byte = |at| u32::from(group.get(at).copied().unwrap_or_default());
        let word = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for (place, shift) in places.iter_mut().zip([18, 12, 6, 0]) {
            let at = usize::try_from((word >> shift) & 63).unwrap_or_default();
            *place = letters.get(at).copied().unwrap_or_default();
        }
    }
}

/// As [`spell`], the other way: exactly `N` bytes, nothing but letters, spare bits zero.
fn read<const N: usize>(text: &[u8], values: &Values) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let mut bytes = [0; N];
    let mut seen = 0;
    let mut spare = 0;
    for (letters, places) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let mut word = 0;
        for at in 0..4 {
            let value =
                letters.get(at).map_or(0, |letter| values.get(usize::from(*letter)).copied().unwrap_or(NO_LETTER));
            seen |= value;
            word = (word << 6) | u32::from(value);
        }
        let [_, whole @ ..] = word.to_be_bytes();
        for (place, byte) in places.iter_mut().zip(whole) {
            *place = byte;
        }
        spare |= whole.get(places.len()..).unwrap_or_default().iter().fold(0, |all, byte| all | byte);
    }
    (seen & NO_LETTER == 0 && spare == 0).then_some(bytes)
}

#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "while compiling, which ends if it is wrong")]
const fn values(letters: &[u8; 64]) -> Values {
    let mut values = [NO_LETTER; 256];
    let mut at = 0;
    while at < letters.len() {
        values[letters[at] as usize] = at as u8;
        at += 1;
    }
    values
}

fn without_padding(text: &str) -> Result<&str, Base64Error> {
    let body = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    if body.len() != text.len() && !text.len().is_multiple_of(4) {
        return Err(Base64Error);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::{
        Base64Error, decode_array, decode_array_lenient, decode_lenient, decode_strict, decode_url_array,
        decode_url_lenient, decode_url_strict, encode, encode_into, encode_url, encode_url_into,
    };
    use alloc::{format, vec, vec::Vec};
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    #[test]
    fn published_vectors_round_trip() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/unpadded-base64.json")).unwrap();
        let pairs = vectors["encode_utf8"].as_array().unwrap();
        assert_eq!(pairs.len(), 7);
        for pair in pairs {
            let (plain, text) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode_strict(text).unwrap(), plain.as_bytes());
            assert_eq!(decode_lenient(text).unwrap(), plain.as_bytes());
            assert_eq!(decode_lenient(&padded).unwrap(), plain.as_bytes());
            assert_eq!(decode_url_lenient(&padded).unwrap(), plain.as_bytes());
            assert_eq!(decode_strict(&padded).is_ok(), padded == text, "{padded}");
            assert_eq!(decode_url_strict(&padded).is_ok(), padded == text, "{padded}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A signature of one spelling must be one everywhere: this reader and the crate's take the same texts.
        #[test]
        fn both_ways_to_decode_agree(bytes in any::<[u8; 64]>(), at in 0..90_usize, letter in any::<u8>()) {
            let hash: [u8; 32] = *bytes.first_chunk().unwrap();
            prop_assert_eq!(decode_array(&encode(&bytes)), Ok(bytes));
            prop_assert_eq!(decode_array(&encode(&hash)), Ok(hash));
            prop_assert_eq!(decode_url_array(&encode_url(&hash)), Ok(hash));
            for text in [encode(&bytes), encode_url(&bytes), encode(&hash), encode_url(&hash)] {
                let mut changed = text.into_bytes();
                match changed.get_mut(at) {
                    Some(place) => *place = letter,
                    None if letter % 2 == 0 => changed.push(letter / 2),
                    None => drop(changed.pop()),
                }
                // The last letter too, where spare bits lie.
                for spare in 0..128 {
                    if at % 8 == 0 {
                        *changed.last_mut().unwrap() = spare;
                    }
                    let Ok(text) = core::str::from_utf8(&changed) else { continue };
                    let exactly = |decoded: Result<Vec<u8>, Base64Error>| decoded.ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
                    prop_assert_eq!(decode_array(text).ok(), exactly(decode_strict(text)));
                    let exactly = |decoded: Result<Vec<u8>, Base64Error>| decoded.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    prop_assert_eq!(decode_array(text).ok(), exactly(decode_strict(text)));
                    prop_assert_eq!(decode_url_array(text).ok(), exactly(decode_url_strict(text)));
                }
            }
        }
    }

    #[test]
    fn both_ways_to_encode_agree() {
        for length in 0..=100_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37).wrapping_add(length)).collect();
            let expected = (encode(&bytes), encode_url(&bytes));
            let mut text = vec![b'*'; expected.0.len()];
            encode_into(&bytes, &mut text);
            assert_eq!(text, expected.0.as_bytes());
            encode_url_into(&bytes, &mut text);
            assert_eq!(text, expected.1.as_bytes());
            let mut other = vec![b'*'; expected.0.len() + 1];
            encode_into(&bytes, &mut other);
            assert!(other.iter().all(|byte| *byte == b'*'));
        }
    }

    #[test]
    fn one_value_has_one_text() {
        // Each: text, strict verdict, lenient verdict.
        let table: &[(&str, bool, bool)] = &[
            ("", true, true),
            ("=", false, false),
            ("==", false, false),
            ("====", false, false),
            ("Z", false, false),
            ("Zg", true, true),
            ("Zh", false, false),
            ("Zg=", false, false),
            ("Zg==", false, true),
            ("Zh==", false, false),
            ("Zg===", false, false),
            ("Zg==Zg==", false, false),
            ("Zm8", true, true),
            ("Zm9", false, false),
            ("Zm8=", false, true),
            ("Zm8==", false, false),
            ("Zm9v=", false, false),
            ("Zm9v====", false, false),
            ("Zm9vY", false, false),
            (" Zg", false, false),
            ("Zg\n", false, false),
            ("Z g", false, false),
            ("__8", false, false),
            ("//8", true, true),
            ("Zg\u{e9}", false, false),
        ];
        for &(text, strict, lenient) in table {
            assert_eq!(decode_strict(text).is_ok(), strict, "strict {text:?}");
            assert_eq!(decode_lenient(text).is_ok(), lenient, "lenient {text:?}");
        }
    }

    #[test]
    fn the_two_alphabets_do_not_mix() {
        assert_eq!(encode(&[0xff, 0xff, 0xbe]), "//++");
        assert_eq!(encode_url(&[0xff, 0xff, 0xbe]), "__--");
        assert_eq!(decode_url_strict("__--"), Ok(vec![0xff, 0xff, 0xbe]));
        assert_eq!(decode_url_strict("//++"), Err(Base64Error));
        assert_eq!(decode_strict("__--"), Err(Base64Error));
    }

    #[test]
    fn arrays_have_their_exact_length() {
        assert_eq!(decode_array::<2>("Zm8"), Ok(*b"fo"));
        assert_eq!(decode_array::<2>("Zm8="), Err(Base64Error));
        assert_eq!(decode_array_lenient::<2>("Zm8="), Ok(*b"fo"));
        assert_eq!(decode_array::<1>("Zm8"), Err(Base64Error));
        assert_eq!(decode_array::<3>("Zm8"), Err(Base64Error));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

        #[test]
        fn what_decodes_encodes_to_itself(text in "[A-Za-z0-9+/=_-]{0,12}") {
            if let Ok(bytes) = decode_strict(&text) {
                proptest::prop_assert_eq!(encode(&bytes), text);
            }
        }

        #[test]
        fn bytes_round_trip(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode_strict(&encode(&bytes)), Ok(bytes.clone()));
            proptest::prop_assert_eq!(decode_url_strict(&encode_url(&bytes)), Ok(bytes));
        }
    }
}
