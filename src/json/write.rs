//! Canonical JSON written straight into a buffer, without a tree.
//!
//! The caller writes members in canonical order (by UTF-16 unit, see [`compare_keys`](super::compare_keys)); debug builds check it.

use super::{KeyOrder, scan::SAFE_INTEGER, tape::compare};
use alloc::{string::String, vec::Vec};

/// Appends a string with its quotes, escaped as canonical form does.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(text, &mut |part| out.extend_from_slice(part.as_bytes()));
    out.push(b'"');
}

/// Appends an object; `fill` writes its members in canonical order.
///
/// ```
/// let mut out = Vec::new();
/// hublet::json::write_object(&mut out, |body| {
///     body.int("depth", 3);
///     body.object("unsigned", |unsigned| unsigned.string("note", "a\nb"));
/// });
/// assert_eq!(out, br#"{"depth":3,"unsigned":{"note":"a\nb"}}"#);
/// ```
pub fn write_object<R>(out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>) -> R) -> R {
    out.push(b'{');
    let result = fill(&mut ObjectWriter { out, last: None });
    out.push(b'}');
    result
}

/// Appends an array; `fill` writes its elements.
pub fn write_array<R>(out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>) -> R) -> R {
    out.push(b'[');
    let result = fill(&mut ArrayWriter { out, first: true });
    out.push(b']');
    result
}

/// Writes the members of one object, made by [`write_object`] and its like.
pub struct ObjectWriter<'b> {
    out: &'b mut Vec<u8>,
    /// The last key; kept whole only where the order is checked.
    last: Option<String>,
}

impl ObjectWriter<'_> {
    /// A string member.
    pub fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(self.out, value);
    }

    /// An integer member; it must lie within ±(2^53-1).
    pub fn int(&mut self, key: &str, value: i64) {
        self.key(key);
        push_int(self.out, value);
    }

    /// A `true` or `false` member.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, bool_bytes(value));
    }

    /// A `null` member.
    pub fn null(&mut self, key: &str) {
        self.raw(key, b"null");
    }

    /// A member whose value is given as canonical bytes, which are not checked.
    pub fn raw(&mut self, key: &str, canonical: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(canonical);
    }

    /// An object member.
    pub fn object<R>(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>) -> R) -> R {
        self.key(key);
        write_object(self.out, fill)
    }

    /// An array member.
    pub fn array<R>(&mut self, key: &str, fill: impl FnOnce(&mut ArrayWriter<'_>) -> R) -> R {
        self.key(key);
        write_array(self.out, fill)
    }

    fn key(&mut self, key: &str) {
        if let Some(last) = &mut self.last {
            debug_assert!(
                compare(last.as_bytes(), key.as_bytes(), KeyOrder::Utf16).0.is_lt(),
                "key {key:?} written after {last:?}"
            );
            self.out.push(b',');
        }
        self.last = Some(if cfg!(debug_assertions) { String::from(key) } else { String::new() });
        write_string(self.out, key);
        self.out.push(b':');
    }
}

/// Writes the elements of one array, made by [`write_array`] and its like.
pub struct ArrayWriter<'b> {
    out: &'b mut Vec<u8>,
    first: bool,
}

impl ArrayWriter<'_> {
    /// A string element.
    pub fn string(&mut self, value: &str) {
        self.comma();
        write_string(self.out, value);
    }

    /// An integer element; it must lie within ±(2^53-1).
    pub fn int(&mut self, value: i64) {
        self.comma();
        push_int(self.out, value);
    }

    /// A `true` or `false` element.
    pub fn bool(&mut self, value: bool) {
        self.raw(bool_bytes(value));
    }

    /// A `null` element.
    pub fn null(&mut self) {
        self.raw(b"null");
    }

    /// An element given as canonical bytes, which are not checked.
    pub fn raw(&mut self, canonical: &[u8]) {
        self.comma();
        self.out.extend_from_slice(canonical);
    }

    /// An object element.
    pub fn object<R>(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_>) -> R) -> R {
        self.comma();
        write_object(self.out, fill)
    }

    /// An array element.
    pub fn array<R>(&mut self, fill: impl FnOnce(&mut ArrayWriter<'_>) -> R) -> R {
        self.comma();
        write_array(self.out, fill)
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }
}

/// Whether canonical form spells a byte with an escape.
fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

pub(super) fn needs_escape(text: &str) -> bool {
    text.bytes().any(is_escaped)
}

/// Passes on what stands between the quotes of a string, part by part.
#[inline(never)]
pub(super) fn escape(mut text: &str, put: &mut dyn FnMut(&str)) {
    while let Some((plain, rest)) = text.bytes().position(is_escaped).and_then(|at| text.split_at_checked(at)) {
        put(plain);
        let byte = rest.bytes().next().unwrap_or_default();
        match byte {
            b'"' => put("\\\""),
            b'\\' => put("\\\\"),
            0x08 => put("\\b"),
            b'\t' => put("\\t"),
            b'\n' => put("\\n"),
            0x0c => put("\\f"),
            b'\r' => put("\\r"),
            _ => {
                put(if byte < 0x10 { "\\u000" } else { "\\u001" });
                let digit = usize::from(byte & 0xf);
                put("0123456789abcdef".get(digit..=digit).unwrap_or_default());
            }
        }
        text = rest.get(1..).unwrap_or_default();
    }
    put(text);
}

fn bool_bytes(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

fn push_int(out: &mut Vec<u8>, value: i64) {
    let mut rest = value.unsigned_abs();
    debug_assert!(rest <= SAFE_INTEGER, "{value} is beyond 2^53-1");
    if value < 0 {
        out.push(b'-');
    }
    let from = out.len();
    loop {
        out.push(b'0' + u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}
