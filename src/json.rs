//! Canonical JSON: one strict parser to canonical bytes and a table of nodes (spec, 3.1).
//!
//! Everything received comes through [`parse`] once. It assumes nothing about the text and guarantees that a [`Document`]
//! holds the canonical form in the order asked for: RFC 8785 numbers and escapes, every object without duplicate keys,
//! every string valid Unicode. What a document holds is read through [`Value`], a view; nothing is parsed again.
//! What we write ourselves needs no tree: [`write_object`] and [`write_array`] put canonical bytes into a buffer.

use alloc::{string::String, vec::Vec};
use core::{cmp::Ordering, fmt};

mod emit;
mod parse;
mod scan;
mod table;
mod tape;
mod value;
mod write;

pub use table::TABLE_ROW;
pub(crate) use value::NodeIndex;
pub use value::{Elements, Kind, Member, Members, Value};
pub use write::{ArrayWriter, ObjectWriter, write_array, write_object, write_string};

use tape::{LOOSE, Node};

/// The largest text that is ever parsed, whatever the limits say, in bytes.
///
/// Invariant: canonical form is at most 5.5 times as long as its source (`1e20,` becomes 22 bytes), so offsets fit a `u32`.
const MOST_BYTES: usize = 1 << 28;

/// How the keys of an object are ordered in canonical form (spec, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// By UTF-16 code unit (RFC 8785): the Linearized Matrix versions, requests and key documents.
    Utf16,
    /// By Unicode code point: the numbered Matrix versions.
    CodePoint,
}

/// What a text may cost before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of source text, white space included. More than 256 MiB are refused in any case.
    pub bytes: usize,
    /// The deepest nesting: a scalar is 0, `{}` is 1.
    pub depth: u16,
}

/// Why a text is not accepted; each with the offset of the offending byte in the source.
///
/// Of several faults the first in this order is told: size, UTF-8, then whatever comes first in the text, then duplicate keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is longer than the limit, which is the offset.
    #[error("text longer than {0} bytes")]
    TooLarge(u32),
    /// The text is not UTF-8: overlong forms, encoded surrogates and truncated sequences included.
    #[error("bad UTF-8 at byte {0}")]
    BadUtf8(u32),
    /// The text breaks the grammar of RFC 8259, or ends too early; the offset is then its length.
    #[error("bad syntax at byte {0}")]
    Syntax(u32),
    /// An escape denotes one half of a surrogate pair without the other.
    #[error("lone surrogate at byte {0}")]
    LoneSurrogate(u32),
    /// A number is too large for an IEEE 754 double.
    #[error("number out of range at byte {0}")]
    NumberRange(u32),
    /// The bracket that opens one level more than the limit.
    #[error("nesting too deep at byte {0}")]
    TooDeep(u32),
    /// Something other than white space follows the value.
    #[error("trailing bytes at byte {0}")]
    TrailingBytes(u32),
    /// A key that equals an earlier one of its object once both are unescaped.
    #[error("duplicate key at byte {0}")]
    DuplicateKey(u32),
}

/// Parses one JSON text into its canonical form.
///
/// # Errors
/// [`JsonError`], for any text that is not I-JSON (RFC 7493) within the limits. Numbers that Matrix events must not hold are no
/// error here but make a value [irregular](Value::irregular).
///
/// ```
/// use hublet::json::{KeyOrder, Limits, parse};
/// let limits = Limits { bytes: 65_536, depth: 512 };
/// let document = parse(br#"{ "b": 1e2, "a": "\u0041" }"#, KeyOrder::Utf16, limits)?;
/// assert_eq!(document.bytes(), br#"{"a":"A","b":100}"#);
/// assert_eq!(document.root().member("b").and_then(|b| b.as_i64()), Some(100));
/// assert!(document.root().irregular());
/// # Ok::<(), hublet::json::JsonError>(())
/// ```
pub fn parse(text: &[u8], order: KeyOrder, limits: Limits) -> Result<Document, JsonError> {
    let most = limits.bytes.min(MOST_BYTES);
    if text.len() > most {
        return Err(JsonError::TooLarge(tape::offset(most)));
    }
    let text = core::str::from_utf8(text).map_err(|error| JsonError::BadUtf8(tape::offset(error.valid_up_to())))?;
    let mut nodes = parse::read(text, order, limits.depth)?;
    match nodes.first().copied() {
        Some(root) if root.flags & LOOSE == 0 => {
            if root.start != 0 {
                nodes.iter_mut().for_each(|node| *node = node.shifted(root.start, 0, 0, 0));
            }
            Ok(Document { text: String::from(tape::slice(text, root.start, root.end)), nodes })
        }
        _ => emit::canonical(text, &nodes, order),
    }
}

/// Compares two keys, unescaped, the way canonical form orders them.
#[must_use]
pub fn compare_keys(one: &str, other: &str, order: KeyOrder) -> Ordering {
    tape::compare(one.as_bytes(), other.as_bytes(), order).0
}

/// One JSON value: its canonical bytes and a table of the nodes in them.
///
/// Equality is equality of the canonical bytes; whether the source spelled a number irregularly is remembered but not compared.
#[derive(Clone)]
pub struct Document {
    text: String,
    /// Invariant: never empty; the first node is the root and spans the whole text.
    nodes: Vec<Node>,
}

impl Document {
    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The memory that it takes, in bytes: its text, and a node for each value and key.
    pub fn footprint(&self) -> usize {
        self.text.len().saturating_add(self.nodes.len().saturating_mul(size_of::<Node>()))
    }

    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value::at(self, 0)
    }

    /// The value at a node of this document.
    pub(crate) fn at(&self, node: NodeIndex) -> Value<'_> {
        Value::at(self, node.index())
    }

    /// The canonical bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, KeyOrder, Kind, Limits, parse};
    use alloc::{borrow::Cow, vec::Vec};

    fn read(text: &str) -> Document {
        parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 10_000, depth: 512 }).unwrap()
    }

    #[test]
    fn canonical_source_is_copied_and_loose_source_rewritten() {
        for (source, expected) in [
            ("{}", "{}"),
            (" [ ] ", "[]"),
            (r#"{"a":[1,{"b":null}],"c":"\n"}"#, r#"{"a":[1,{"b":null}],"c":"\n"}"#),
            (r#"{"c":"\u000a","a":[1, {"b":null}]}"#, r#"{"a":[1,{"b":null}],"c":"\n"}"#),
            (r#"[{"\n":1,"\t":[2 ]},{"b":0,"a":{"d":1,"c":2}}]"#, r#"[{"\t":[2],"\n":1},{"a":{"c":2,"d":1},"b":0}]"#),
            (" \"\\/\\u0041\\ud83d\\uDE00\\u001F\" ", "\"/A😀\\u001f\""),
            ("[1.0,-0,1e2,1e21,9007199254740993]", "[1,0,100,1e+21,9007199254740992]"),
        ] {
            let document = read(source);
            assert_eq!(document.text(), expected, "{source}");
            assert_eq!(read(expected), document, "{source}");
        }
    }

    #[test]
    fn views_see_kinds_members_and_spans() {
        let document = read(
            r#" { "s": "a\"b", "n": -12, "t": true, "l": [1, [], null], "o": {"z": {}, "y": 1.5}, "😀": 0, "ﬀ": 1 } "#,
        );
        let root = document.root();
        let keys: Vec<_> = root.members().map(|member| member.key().into_owned()).collect();
        assert_eq!(keys, ["l", "n", "o", "s", "t", "😀", "ﬀ"]);
        assert_eq!(
            (root.kind(), root.len(), root.depth(), root.irregular(), root.sorts_alike()),
            (Kind::Object, 7, 3, true, false)
        );
        let member = |key| root.member(key).unwrap();
        assert_eq!(member("s").as_str(), Some(Cow::Borrowed("a\"b")));
        assert_eq!(
            (member("n").as_i64(), member("n").as_f64(), member("n").irregular()),
            (Some(-12), Some(-12.0), false)
        );
        assert_eq!((member("t").as_bool(), member("t").as_str(), member("t").is_null()), (Some(true), None, false));
        assert_eq!(
            member("l").elements().map(|element| element.kind()).collect::<Vec<_>>(),
            [Kind::Number, Kind::Array, Kind::Null]
        );
        assert_eq!((member("l").depth(), member("l").irregular(), member("l").sorts_alike()), (2, false, true));
        assert_eq!(
            (member("o").member("y").unwrap().as_f64(), member("o").member("y").unwrap().as_i64()),
            (Some(1.5), None)
        );
        assert_eq!((root.member("x"), member("l").member("s"), member("o").elements().count()), (None, None, 0));
        for member in root.members() {
            let span = usize::try_from(member.span().start).unwrap()..usize::try_from(member.span().end).unwrap();
            let pair = document.text().get(span).unwrap();
            assert_eq!(pair.split_once("\":").unwrap().1, member.value().text());
        }
    }

    #[test]
    fn a_part_becomes_a_document_of_its_own() {
        let document = read(r#"{"z":[{"b":[1.0],"a":"x"}],"a":2}"#);
        let part = document.root().member("z").unwrap().elements().next().unwrap().to_document();
        assert_eq!(part.text(), r#"{"a":"x","b":[1]}"#);
        assert!(part.root().irregular() && part.root().member("b").unwrap().elements().all(|one| one.irregular()));
        assert_eq!(part.root().member("a").unwrap().as_str().unwrap(), "x");
        assert_eq!(part, read(part.text()));
    }
}
