//! Views into a document: what an event or a request is read through.

use super::{
    Document,
    scan::{self, SAFE_INTEGER},
    tape::{ESCAPED, IRREGULAR, Node, SORTS_TWO_WAYS, index, inner, node, slice},
    write::{escape, needs_escape},
};
use alloc::{borrow::Cow, string::String};
use core::{fmt, iter::FusedIterator, ops::Range};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, finite.
    Number,
    /// A string of Unicode scalar values.
    String,
    /// An array.
    Array,
    /// An object without duplicate keys.
    Object,
}

/// One value inside a [`Document`]; equal to another if the canonical bytes are equal.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    index: u32,
    node: Node,
}

/// Where a value stands in the table of its document, to find it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeIndex(u32);

impl NodeIndex {
    pub(super) const fn index(self) -> u32 {
        self.0
    }
}

impl<'a> Value<'a> {
    /// Where it stands in the table of its document.
    pub(crate) const fn node_index(self) -> NodeIndex {
        NodeIndex(self.index)
    }

    pub(super) fn at(document: &'a Document, index: u32) -> Self {
        Self { document, index, node: node(&document.nodes, index) }
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node.kind
    }

    /// Its canonical bytes.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.text().as_bytes()
    }

    /// Its canonical text.
    #[must_use]
    pub fn text(self) -> &'a str {
        slice(&self.document.text, self.node.start, self.node.end)
    }

    /// Where its bytes lie within the document's.
    #[must_use]
    pub fn span(self) -> Range<u32> {
        self.node.start..self.node.end
    }

    /// A document of its own: a copy of its bytes and nodes, without parsing.
    #[must_use]
    pub fn to_document(self) -> Document {
        let inside = self.document.nodes.get(index(self.index)..index(self.node.next)).unwrap_or_default();
        let nodes = inside.iter().map(|node| node.shifted(self.node.start, 0, self.index, 0)).collect();
        Document { text: String::from(self.text()), nodes }
    }

    /// Whether the source held, somewhere inside, a number spelled with `.`, `e` or `E`, a `-0`, or an integer beyond ±(2^53-1).
    /// An event with one is a schema error (spec, 3.1); a request may have them.
    #[must_use]
    pub fn irregular(self) -> bool {
        self.node.has(IRREGULAR)
    }

    /// How deep it nests: a scalar 0, `{}` and `[]` 1.
    #[must_use]
    pub fn depth(self) -> u16 {
        self.node.depth
    }

    /// Whether every object inside has the same order by UTF-16 unit and by code point. A hub refuses events where not (spec, 3).
    #[must_use]
    pub fn sorts_alike(self) -> bool {
        !self.node.has(SORTS_TWO_WAYS)
    }

    /// The string, unescaped; borrowed unless canonical form needs an escape in it.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.node.kind == Kind::String).then(|| unescaped(&self.document.text, self.node))
    }

    /// The integer, if its canonical form is one within ±(2^53-1): `1e2` counts, see [`Value::irregular`].
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        if self.node.kind != Kind::Number {
            return None;
        }
        let (negative, digits) = match self.text().strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.text()),
        };
        let mut value = 0_u64;
        for byte in digits.bytes() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 || value > SAFE_INTEGER {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
        let value = i64::try_from(value).ok().filter(|_| value <= SAFE_INTEGER)?;
        Some(if negative { -value } else { value })
    }

    /// The number as a double: exactly what its canonical form denotes.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        (self.node.kind == Kind::Number).then(|| scan::float(self.text()))
    }

    /// `true` or `false`, if it is either.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.node.kind == Kind::Bool).then(|| self.text() == "true")
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.node.kind == Kind::Null
    }

    /// The elements of an array; none of anything else.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(self.inside(Kind::Array))
    }

    /// The members of an object in canonical order; none of anything else.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(self.inside(Kind::Object))
    }

    /// The value under a key of an object. Takes time in proportion to the number of members.
    #[must_use]
    pub fn member(self, key: &str) -> Option<Value<'a>> {
        // Canonical form spells a key in one way only, so the spellings can be compared.
        let mut escaped = String::new();
        let spelling = if needs_escape(key) {
            escape(key, &mut |part| escaped.push_str(part));
            escaped.as_str()
        } else {
            key
        };
        let Inside { document, mut at, end } = self.inside(Kind::Object);
        let length = spelling.len() + 2;
        while at < end {
            let key = node(&document.nodes, at);
            if index(key.end - key.start) == length && inner(&document.text, key) == spelling {
                return Some(Value::at(document, at + 1));
            }
            at = node(&document.nodes, at + 1).next;
        }
        None
    }

    /// How many elements or members it has; 0 for a scalar. Counts them, so takes time in proportion.
    #[must_use]
    pub fn len(self) -> usize {
        match self.node.kind {
            Kind::Array => self.elements().count(),
            Kind::Object => self.members().count(),
            _ => 0,
        }
    }

    /// Whether it has neither elements nor members.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.node.next == self.index + 1
    }

    fn inside(self, kind: Kind) -> Inside<'a> {
        let end = if self.node.kind == kind { self.node.next } else { 0 };
        Inside { document: self.document, at: self.index + 1, end }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Value<'_> {}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A key of an object and its value.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    document: &'a Document,
    key_index: u32,
    key: Node,
}

impl<'a> Member<'a> {
    /// The key, unescaped.
    #[must_use]
    pub fn key(self) -> Cow<'a, str> {
        unescaped(&self.document.text, self.key)
    }

    /// The value.
    #[must_use]
    pub fn value(self) -> Value<'a> {
        Value::at(self.document, self.key_index + 1)
    }

    /// Where `"key":value` lies within the document's bytes, without the comma before or after.
    #[must_use]
    pub fn span(self) -> Range<u32> {
        self.key.start..self.value().span().end
    }

    /// Where `"key"` lies within the document's bytes, quotes included.
    #[must_use]
    pub fn key_span(self) -> Range<u32> {
        self.key.start..self.key.end
    }
}

/// The elements of an array, made by [`Value::elements`].
#[derive(Clone)]
pub struct Elements<'a>(Inside<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let element = self.0.value()?;
        self.0.at = element.node.next;
        Some(element)
    }
}

impl FusedIterator for Elements<'_> {}

/// The members of an object, made by [`Value::members`].
#[derive(Clone)]
pub struct Members<'a>(Inside<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let key = self.0.value()?;
        self.0.at = node(&self.0.document.nodes, key.node.next).next;
        Some(Member { document: key.document, key_index: key.index, key: key.node })
    }
}

impl FusedIterator for Members<'_> {}

/// What is left of a container.
#[derive(Clone)]
struct Inside<'a> {
    document: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Inside<'a> {
    fn value(&self) -> Option<Value<'a>> {
        (self.at < self.end).then(|| Value::at(self.document, self.at))
    }
}

fn unescaped(text: &str, string: Node) -> Cow<'_, str> {
    let inner = inner(text, string);
    if string.has(ESCAPED) { Cow::Owned(scan::unescape(inner)) } else { Cow::Borrowed(inner) }
}
