//! The table of nodes: where each value and each key of a text lies, in the order of the text.
//!
//! A member of an object is two neighbours, its key (a string) and its value. What lies inside a container stands between
//! its own index and `next`, so a subtree is one slice of bytes and one slice of nodes.

use super::{KeyOrder, Kind};
use core::cmp::Ordering;

/// A number inside is spelled with `.`, `e`, `E`, is `-0`, or an integer beyond ±(2^53-1).
pub(super) const IRREGULAR: u8 = 1;
/// An object inside sorts differently by UTF-16 unit and by code point.
pub(super) const SORTS_TWO_WAYS: u8 = 2;
/// Something inside is not in canonical form. Only in a table over source text.
pub(super) const LOOSE: u8 = 4;
/// What a container takes over from what lies inside.
pub(super) const INHERITED: u8 = IRREGULAR | SORTS_TWO_WAYS | LOOSE;
/// A string with a backslash.
pub(super) const ESCAPED: u8 = 8;
/// An object whose keys are not known to ascend. Only in a table over source text.
pub(super) const UNSORTED: u8 = 16;

/// One value or key: 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct Node {
    /// Its first byte.
    pub(super) start: u32,
    /// One past its last byte.
    pub(super) end: u32,
    /// The index of what follows once all that lies inside is passed.
    pub(super) next: u32,
    /// How deep it nests: a scalar 0, an empty container 1.
    pub(super) depth: u16,
    pub(super) kind: Kind,
    pub(super) flags: u8,
}

impl Node {
    /// Stands in where an index could only be wrong by a defect of ours: an empty slice that reads as `null`.
    pub(super) const NOTHING: Self = Self { start: 0, end: 0, next: u32::MAX, depth: 0, kind: Kind::Null, flags: 0 };

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The same node in a text where it begins at `to` rather than `from`, and a table likewise.
    pub(super) fn shifted(self, from: u32, to: u32, from_index: u32, to_index: u32) -> Self {
        let by = to.wrapping_sub(from);
        let index_by = to_index.wrapping_sub(from_index);
        Self {
            start: self.start.wrapping_add(by),
            end: self.end.wrapping_add(by),
            next: self.next.wrapping_add(index_by),
            ..self
        }
    }
}

/// An offset or index as it is kept. Invariant: texts and tables stay far below 2^32 (`MOST_BYTES`).
#[inline]
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[inline]
pub(super) fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[inline]
pub(super) fn slice(text: &str, start: u32, end: u32) -> &str {
    text.get(index(start)..index(end)).unwrap_or_default()
}

#[inline]
pub(super) fn node(nodes: &[Node], at: u32) -> Node {
    nodes.get(index(at)).copied().unwrap_or(Node::NOTHING)
}

/// What stands between the quotes of a string.
#[inline]
pub(super) fn inner(text: &str, string: Node) -> &str {
    slice(text, string.start.wrapping_add(1), string.end.wrapping_sub(1))
}

/// Compares two unescaped keys, and tells whether both orders agree on them.
#[inline]
pub(super) fn compare(one: &[u8], other: &[u8], order: KeyOrder) -> (Ordering, bool) {
    let Some((&a, &b)) = one.iter().zip(other).find(|(a, b)| a != b) else {
        return (one.len().cmp(&other.len()), true);
    };
    let by_unit = unit_rank(a).cmp(&unit_rank(b));
    let by_point = a.cmp(&b);
    (if order == KeyOrder::Utf16 { by_unit } else { by_point }, by_unit == by_point)
}

/// Where a byte of UTF-8 ranks when texts are compared by UTF-16 unit: it decides where it is the first that differs.
///
/// UTF-8 keeps code-point order. UTF-16 differs from that in one place: astral characters (first byte F0 to F4) are written with
/// surrogates and so sort before U+E000 to U+FFFF (first byte EE or EF).
#[inline]
pub(super) fn unit_rank(byte: u8) -> u8 {
    match byte {
        0xf0.. => byte - 2,
        0xee.. => byte + 5,
        _ => byte,
    }
}
