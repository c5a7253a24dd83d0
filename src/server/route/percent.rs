//! Percent-encoding of request targets.

use alloc::{string::String, vec::Vec};

/// What of `text` needs no encoding in a path segment or a query value.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Encodes text for one path segment, or one key or value of a query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase();
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// Decodes a path segment; `None` for a broken escape, and for what is not UTF-8 once decoded.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => (digit(rest.next()?)? << 4) | digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// As [`decode`], with `+` for a space, as queries have it.
pub(super) fn decode_query(text: &str) -> Option<String> {
    decode(&text.replace('+', "%20"))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_query, encode};

    #[test]
    fn what_is_encoded_is_decoded() {
        let text = "!a~b:é.example/ +%?&=";
        assert_eq!(encode(text), "%21a~b%3A%C3%A9.example%2F%20%2B%25%3F%26%3D");
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        assert_eq!(decode_query("a+b%2B").as_deref(), Some("a b+"));
        assert_eq!(decode("a+b").as_deref(), Some("a+b"));
    }

    #[test]
    fn broken_escapes_are_told() {
        for text in ["%", "%2", "%zz", "%C3", "%ff", "a%"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
