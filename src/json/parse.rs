//! From text to a table of its nodes, in one pass that also tells which parts are canonical already.
//!
//! There is no recursion: open containers stand in a list that the depth limit bounds.

use super::{
    JsonError, KeyOrder, Kind, scan,
    tape::{ESCAPED, INHERITED, LOOSE, Node, SORTS_TWO_WAYS, UNSORTED, compare, inner, node, offset},
};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Reads one value and the white space around it.
pub(super) fn read(text: &str, order: KeyOrder, most_depth: u16) -> Result<Vec<Node>, JsonError> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        order,
        most_depth: usize::from(most_depth),
        nodes: Vec::with_capacity(text.len() / 16 + 4),
        open: Vec::new(),
        top: Frame::OUTSIDE,
    };
    reader.skip_space();
    reader.document()?;
    Ok(reader.nodes)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    order: KeyOrder,
    most_depth: usize,
    nodes: Vec<Node>,
    /// The containers around the innermost one, `Frame::OUTSIDE` first.
    open: Vec<Frame>,
    /// The innermost open container.
    top: Frame,
}

/// An open container.
#[derive(Clone, Copy)]
struct Frame {
    /// Its index in the table.
    index: u32,
    /// Its last key's index, 0 before the first.
    key: u32,
    /// The deepest nesting inside so far.
    depth: u16,
    flags: u8,
    /// `}` or `]`; 0 outside of all.
    close: u8,
}

impl Frame {
    const OUTSIDE: Self = Self { index: 0, key: 0, depth: 0, flags: 0, close: 0 };
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), JsonError> {
        loop {
            let opened = self.value()?;
            if opened {
                self.skip_space();
                if self.peek() != self.top.close {
                    if self.top.close == b'}' {
                        self.key()?;
                    }
                    continue;
                }
                self.close();
            }
            loop {
                if self.top.close == 0 {
                    self.skip_space();
                    return if self.at == self.bytes.len() {
                        Ok(())
                    } else {
                        Err(JsonError::TrailingBytes(offset(self.at)))
                    };
                }
                self.skip_space();
                let byte = self.peek();
                if byte == b',' {
                    break;
                }
                if byte != self.top.close {
                    return Err(self.syntax());
                }
                self.close();
            }
            self.at += 1;
            self.skip_space();
            if self.top.close == b'}' {
                self.key()?;
            }
        }
    }

    /// Reads a scalar whole, or opens a container, which it tells.
    #[inline]
    fn value(&mut self) -> Result<bool, JsonError> {
        match self.peek() {
            b'"' => self.string()?,
            b'{' => return self.open(Kind::Object, b'}'),
            b'[' => return self.open(Kind::Array, b']'),
            b'-' | b'0'..=b'9' => {
                let (end, flags) = scan::number(self.text, self.at)?;
                self.scalar(end, Kind::Number, flags);
            }
            b't' => self.literal(b"true", Kind::Bool)?,
            b'f' => self.literal(b"false", Kind::Bool)?,
            b'n' => self.literal(b"null", Kind::Null)?,
            _ => return Err(self.syntax()),
        }
        Ok(false)
    }

    fn open(&mut self, kind: Kind, close: u8) -> Result<bool, JsonError> {
        if self.open.len() >= self.most_depth {
            return Err(JsonError::TooDeep(offset(self.at)));
        }
        self.open.push(self.top);
        self.top = Frame { index: offset(self.nodes.len()), close, ..Frame::OUTSIDE };
        self.nodes.push(Node { start: offset(self.at), kind, ..Node::NOTHING });
        self.at += 1;
        Ok(true)
    }

    fn close(&mut self) {
        self.at += 1;
        let done = self.top;
        let depth = done.depth.saturating_add(1);
        let next = offset(self.nodes.len());
        if let Some(node) = self.nodes.get_mut(super::tape::index(done.index)) {
            *node = Node { end: offset(self.at), next, depth, flags: done.flags, ..*node };
        }
        self.top = self.open.pop().unwrap_or(Frame::OUTSIDE);
        self.top.depth = self.top.depth.max(depth);
        self.top.flags |= done.flags & INHERITED;
    }

    /// Reads a key and its colon, up to the value.
    #[inline]
    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek() != b'"' {
            return Err(self.syntax());
        }
        let at = offset(self.nodes.len());
        self.string()?;
        if self.top.key != 0 {
            self.compare_keys(self.top.key, at);
        }
        self.top.key = at;
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.syntax());
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Notes whether a key follows the one before it in order. A duplicate counts as unsorted: sorting finds it.
    #[inline]
    fn compare_keys(&mut self, last: u32, this: u32) {
        let (last, this) = (node(&self.nodes, last), node(&self.nodes, this));
        let (found, alike) = compare(inner(self.text, last).as_bytes(), inner(self.text, this).as_bytes(), self.order);
        if found != Ordering::Less || (last.flags | this.flags) & ESCAPED != 0 {
            self.top.flags |= UNSORTED | LOOSE;
        } else if !alike {
            self.top.flags |= SORTS_TWO_WAYS;
        }
    }

    #[inline]
    fn string(&mut self) -> Result<(), JsonError> {
        let (quote, flags) = scan::string(self.bytes, self.at + 1)?;
        self.scalar(quote + 1, Kind::String, flags);
        Ok(())
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<(), JsonError> {
        for (step, letter) in word.iter().enumerate() {
            if self.bytes.get(self.at + step) != Some(letter) {
                return Err(JsonError::Syntax(offset(self.at + step)));
            }
        }
        self.scalar(self.at + word.len(), kind, 0);
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, end: usize, kind: Kind, flags: u8) {
        let next = offset(self.nodes.len() + 1);
        self.nodes.push(Node { start: offset(self.at), end: offset(end), next, depth: 0, kind, flags });
        self.top.flags |= flags & INHERITED;
        self.at = end;
    }

    /// White space inside a container means that its text is not canonical.
    #[inline]
    fn skip_space(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.at += 1;
            self.top.flags |= LOOSE;
        }
    }

    /// The next byte; 0, which JSON never holds, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    #[cold]
    fn syntax(&self) -> JsonError {
        JsonError::Syntax(offset(self.at))
    }
}
