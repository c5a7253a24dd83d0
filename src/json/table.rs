//! A document's table as bytes, for a reader that shall not parse the document again.

use super::{
    Document, Kind,
    tape::{Node, index},
};
use alloc::{string::String, vec::Vec};

/// How many bytes one row takes: where the node starts, ends and is passed, its depth, its kind, its flags.
pub const TABLE_ROW: usize = 16;

impl Document {
    /// The rows of the table, one a node.
    pub fn table(&self) -> impl ExactSizeIterator<Item = [u8; TABLE_ROW]> {
        self.nodes.iter().map(|node| row(*node))
    }

    /// The document of which [`Document::table`] gave the rows. They are trusted to fit the text: wrong ones make a wrong document, but one that can
    /// be read without end or panic. `None` when they are the rows of no document.
    pub fn with_table(text: String, rows: impl Iterator<Item = [u8; TABLE_ROW]>) -> Option<Self> {
        let nodes: Vec<Node> = rows.map(node).collect::<Option<_>>()?;
        let spans_all = |root: &Node| root.start == 0 && index(root.end) == text.len();
        let goes_on = |(at, node): (usize, &Node)| at < index(node.next) && index(node.next) <= nodes.len();
        let fits = nodes.first().is_some_and(spans_all) && nodes.iter().enumerate().all(goes_on);
        fits.then_some(Self { text, nodes })
    }
}

fn row(node: Node) -> [u8; TABLE_ROW] {
    let [a, b, c, d] = node.start.to_be_bytes();
    let [e, f, g, h] = node.end.to_be_bytes();
    let [i, j, k, l] = node.next.to_be_bytes();
    let [m, n] = node.depth.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, number(node.kind), node.flags]
}

fn node([a, b, c, d, e, f, g, h, i, j, k, l, m, n, kind, flags]: [u8; TABLE_ROW]) -> Option<Node> {
    Some(Node {
        start: u32::from_be_bytes([a, b, c, d]),
        end: u32::from_be_bytes([e, f, g, h]),
        next: u32::from_be_bytes([i, j, k, l]),
        depth: u16::from_be_bytes([m, n]),
        kind: KINDS.get(usize::from(kind)).copied()?,
        flags,
    })
}

/// Every kind, at its number.
const KINDS: [Kind; 6] = [Kind::Null, Kind::Bool, Kind::Number, Kind::String, Kind::Array, Kind::Object];

fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Null => 0,
        Kind::Bool => 1,
        Kind::Number => 2,
        Kind::String => 3,
        Kind::Array => 4,
        Kind::Object => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, KINDS, number};
    use crate::json::{KeyOrder, Limits, parse};
    use alloc::{string::String, vec::Vec};

    fn read(text: &str) -> Document {
        parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1_000, depth: 9 }).unwrap()
    }

    #[test]
    fn a_document_is_found_again_by_its_table() {
        for text in ["1", "[]", r#"{"a":[1.5,null,true,{"b":"\n"}],"😀":-0}"#] {
            let document = read(text);
            let again = Document::with_table(String::from(document.text()), document.table()).unwrap();
            assert_eq!(again, document);
            assert_eq!(again.root().irregular(), document.root().irregular());
            assert_eq!(again.root().depth(), document.root().depth());
            let parts =
                |of: &Document| of.root().members().map(|one| String::from(one.value().text())).collect::<Vec<_>>();
            assert_eq!(parts(&again), parts(&document));
        }
    }

    #[test]
    fn rows_that_would_be_read_without_end_are_refused() {
        let document = read(r#"[1,2]"#);
        let with = |change: fn(&mut Vec<[u8; 16]>)| {
            let mut rows: Vec<_> = document.table().collect();
            change(&mut rows);
            Document::with_table(String::from(document.text()), rows.into_iter())
        };
        assert!(with(|_| ()).is_some());
        assert!(with(Vec::clear).is_none());
        assert!(with(|rows| rows[1][11] = 1).is_none(), "a node that is followed by itself");
        assert!(with(|rows| rows[1][11] = 9).is_none(), "a node that is followed by none of the table");
        assert!(with(|rows| rows[0][7] = 4).is_none(), "a root that is not the whole");
        assert!(with(|rows| rows[2][14] = 6).is_none(), "a kind that is none");
    }

    #[test]
    fn kinds_stand_at_their_numbers() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert_eq!(usize::from(number(*kind)), at);
        }
    }
}
