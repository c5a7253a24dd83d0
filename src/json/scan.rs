//! The scalars of JSON: where a string or a number ends, whether it is spelled canonically, and what it denotes.
//!
//! The scanners are strict (RFC 8259, and no lone surrogates); the decoders assume text that a scanner has passed.

use super::{
    JsonError,
    tape::{ESCAPED, IRREGULAR, LOOSE, index, offset},
};
use alloc::string::String;

/// The largest integer that every implementation keeps exactly: 2^53 - 1.
pub(super) const SAFE_INTEGER: u64 = 9_007_199_254_740_991;

const EACH: u64 = 0x0101_0101_0101_0101;
const TOP: u64 = 0x8080_8080_8080_8080;

/// Finds the closing quote of the string whose content begins at `at`, and its flags.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Result<(usize, u8), JsonError> {
    let mut flags = 0;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, flags)),
            Some(b'\\') => {
                let (after, canonical) = escape(bytes, at)?;
                flags |= if canonical { ESCAPED } else { ESCAPED | LOOSE };
                at = after;
            }
            _ => return Err(JsonError::Syntax(offset(at))),
        }
    }
}

/// The first quote, backslash or control character at or after `at`, or the end. Eight bytes at a time.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let hits = special(u64::from_le_bytes(*word));
        if hits != 0 {
            return at + index(hits.trailing_zeros() / 8);
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// Marks the top bit of bytes that end a run of plain text. The lowest mark is exact; a borrow may set false ones above it.
#[inline]
fn special(word: u64) -> u64 {
    let quote = word ^ (EACH * 0x22);
    let backslash = word ^ (EACH * 0x5c);
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    (control | (quote.wrapping_sub(EACH) & !quote) | (backslash.wrapping_sub(EACH) & !backslash)) & TOP
}

/// Passes the escape whose backslash is at `at` (both halves of a pair), and tells whether canonical form spells it so.
#[cold]
fn escape(bytes: &[u8], at: usize) -> Result<(usize, bool), JsonError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok((at + 2, true)),
        Some(b'/') => Ok((at + 2, false)),
        Some(b'u') => {
            let unit = hex4(bytes, at + 2)?;
            match unit {
                0xd800..0xdc00 => {
                    if bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
                        return Err(JsonError::LoneSurrogate(offset(at)));
                    }
                    match hex4(bytes, at + 8)? {
                        0xdc00..0xe000 => Ok((at + 12, false)),
                        _ => Err(JsonError::LoneSurrogate(offset(at))),
                    }
                }
                0xdc00..0xe000 => Err(JsonError::LoneSurrogate(offset(at))),
                8 | 9 | 0xa | 0xc | 0xd => Ok((at + 6, false)),
                0..0x20 => Ok((at + 6, bytes.get(at + 5).is_some_and(|digit| !digit.is_ascii_uppercase()))),
                _ => Ok((at + 6, false)),
            }
        }
        _ => Err(JsonError::Syntax(offset((at + 1).min(bytes.len())))),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, JsonError> {
    let mut unit = 0;
    for at in at..at + 4 {
        let digit = bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        unit = unit * 16 + digit.ok_or(JsonError::Syntax(offset(at)))?;
    }
    Ok(unit)
}

/// Finds the end of the number that begins at `start`, and its flags.
#[inline]
pub(super) fn number(text: &str, start: usize) -> Result<(usize, u8), JsonError> {
    let bytes = text.as_bytes();
    let negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let mut at = first;
    let mut value = 0_u64;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    let digits = at - first;
    if digits == 0 || (digits > 1 && bytes.get(first) == Some(&b'0')) {
        // The digit that must not follow a leading zero, or whatever stands where the first digit should.
        return Err(JsonError::Syntax(offset(first + usize::from(digits > 1))));
    }
    let regular = digits <= 16 && value <= SAFE_INTEGER && !(negative && value == 0);
    if regular && !matches!(bytes.get(at), Some(b'.' | b'e' | b'E')) {
        return Ok((at, 0));
    }
    irregular(text, start, at)
}

/// The rest of a number whose whole part ends at `at` and that is no plain integer in the safe range.
#[cold]
fn irregular(text: &str, start: usize, mut at: usize) -> Result<(usize, u8), JsonError> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == from { Err(JsonError::Syntax(offset(at))) } else { Ok(at) }
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at = digits(at + usize::from(matches!(bytes.get(at), Some(b'+' | b'-'))))?;
    }
    let literal = text.get(start..at).unwrap_or_default();
    let value = float(literal);
    if !value.is_finite() {
        return Err(JsonError::NumberRange(offset(start)));
    }
    let canonical = ryu_js::Buffer::new().format_finite(value) == literal;
    Ok((at, if canonical { IRREGULAR } else { IRREGULAR | LOOSE }))
}

/// What a number literal denotes; infinite if it is beyond a double.
pub(super) fn float(literal: &str) -> f64 {
    literal.parse().unwrap_or(f64::NAN)
}

/// The content of a string, its escapes resolved.
pub(super) fn unescape(mut inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    while let Some((plain, escape)) =
        inner.bytes().position(|byte| byte == b'\\').and_then(|at| inner.split_at_checked(at))
    {
        out.push_str(plain);
        let (character, used) = unescape_one(escape.as_bytes());
        out.push(character);
        inner = escape.get(used..).unwrap_or_default();
    }
    out.push_str(inner);
    out
}

/// The character that an escape denotes (`\n`, `\uXXXX`, `\uXXXX\uXXXX`), and how many bytes it takes.
fn unescape_one(escape: &[u8]) -> (char, usize) {
    let letter = escape.get(1).copied().unwrap_or_default();
    let character = match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = hex4(escape, 2).unwrap_or_default();
            let (point, used) = match unit {
                0xd800..0xdc00 => {
                    let low = hex4(escape, 8).unwrap_or_default();
                    (0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), 12)
                }
                _ => (unit, 6),
            };
            return (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), used);
        }
        _ => char::from(letter),
    };
    (character, 2)
}
