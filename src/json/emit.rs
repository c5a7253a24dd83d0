//! From a source text and its table to canonical text and its table.
//!
//! What is canonical already is copied whole. Each object that is not in order is sorted once, so the cost is that of the text
//! and of sorting its keys, however deep it nests. There is no recursion.

use super::{
    Document, JsonError, KeyOrder, Kind, scan,
    tape::{
        ESCAPED, INHERITED, LOOSE, Node, SORTS_TWO_WAYS, UNSORTED, compare, index, inner, node, offset, slice,
        unit_rank,
    },
    write::escape,
};
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::cmp::Ordering;

/// Writes the value of a source table in canonical form; fails on a duplicate key.
pub(super) fn canonical(text: &str, nodes: &[Node], order: KeyOrder) -> Result<Document, JsonError> {
    let mut emitter = Emitter {
        text,
        nodes,
        order,
        out: Document { text: String::with_capacity(text.len()), nodes: Vec::with_capacity(nodes.len()) },
        steps: Vec::with_capacity(32),
        open: Vec::with_capacity(8),
        keys: Vec::with_capacity(16),
        ranked: Vec::with_capacity(16),
        merged: Vec::with_capacity(16),
    };
    emitter.steps.push(Step { lead: Lead::None, node: 0 });
    while let Some(step) = emitter.steps.pop() {
        emitter.step(step)?;
    }
    Ok(emitter.out)
}

struct Emitter<'t> {
    text: &'t str,
    nodes: &'t [Node],
    order: KeyOrder,
    out: Document,
    /// What is still to be written, the next last.
    steps: Vec<Step>,
    /// The open containers in the new table.
    open: Vec<u32>,
    /// The unescaped keys of the object that is being sorted, each with its node.
    keys: Vec<(Cow<'t, str>, u32)>,
    ranked: Vec<Ranked>,
    merged: Vec<Ranked>,
}

/// One node to write after its lead, or the end of the innermost open container.
#[derive(Clone, Copy)]
struct Step {
    lead: Lead,
    node: u32,
}

#[derive(Clone, Copy)]
enum Lead {
    None,
    Comma,
    Colon,
    Close,
}

/// A key of the object that is being sorted, as the sort moves it about.
#[derive(Clone, Copy)]
struct Ranked {
    /// Its first eight bytes as a number that orders as the key does, so that most comparisons look no further.
    rank: u64,
    /// Its index among the keys.
    key: usize,
}

impl Emitter<'_> {
    fn step(&mut self, step: Step) -> Result<(), JsonError> {
        match step.lead {
            Lead::None => {}
            Lead::Comma => self.out.text.push(','),
            Lead::Colon => self.out.text.push(':'),
            Lead::Close => {
                self.close();
                return Ok(());
            }
        }
        let source = node(self.nodes, step.node);
        if !source.has(LOOSE) {
            self.copy(step.node, source);
            return Ok(());
        }
        match source.kind {
            Kind::Object | Kind::Array => self.container(step.node, source)?,
            Kind::String => self.scalar(source, |text, out| {
                out.push('"');
                escape(&scan::unescape(inner(text, source)), &mut |part| out.push_str(part));
                out.push('"');
            }),
            Kind::Number => self.scalar(source, |text, out| {
                let value = scan::float(slice(text, source.start, source.end));
                out.push_str(ryu_js::Buffer::new().format(value));
            }),
            Kind::Null | Kind::Bool => self.copy(step.node, source),
        }
        Ok(())
    }

    /// Takes over a canonical subtree as it is.
    fn copy(&mut self, at: u32, source: Node) {
        let (to, to_index) = (offset(self.out.text.len()), offset(self.out.nodes.len()));
        self.out.text.push_str(slice(self.text, source.start, source.end));
        let inside = self.nodes.get(index(at)..index(source.next)).unwrap_or_default();
        self.out.nodes.extend(inside.iter().map(|node| node.shifted(source.start, to, at, to_index)));
    }

    fn scalar(&mut self, source: Node, write: impl FnOnce(&str, &mut String)) {
        let start = offset(self.out.text.len());
        write(self.text, &mut self.out.text);
        let written = slice(&self.out.text, start, offset(self.out.text.len()));
        let escaped = if source.kind == Kind::String && written.contains('\\') { ESCAPED } else { 0 };
        self.out.nodes.push(Node {
            start,
            end: offset(self.out.text.len()),
            next: offset(self.out.nodes.len() + 1),
            flags: (source.flags & INHERITED & !LOOSE) | escaped,
            ..source
        });
    }

    /// Opens a container and queues what lies inside, in canonical order.
    fn container(&mut self, at: u32, source: Node) -> Result<(), JsonError> {
        self.open.push(offset(self.out.nodes.len()));
        self.out.nodes.push(Node {
            start: offset(self.out.text.len()),
            flags: source.flags & INHERITED & !LOOSE,
            ..source
        });
        self.out.text.push(if source.kind == Kind::Object { '{' } else { '[' });
        let queued = self.steps.len();
        if source.has(UNSORTED) {
            self.sorted_members(at, source)?;
        } else {
            let mut child = at + 1;
            let mut lead = Lead::None;
            while child < source.next {
                self.steps.push(Step { lead, node: child });
                child = node(self.nodes, child).next;
                lead = match lead {
                    Lead::None | Lead::Comma if source.kind == Kind::Object => Lead::Colon,
                    _ => Lead::Comma,
                };
            }
        }
        self.steps.push(Step { lead: Lead::Close, node: at });
        if let Some(inside) = self.steps.get_mut(queued..) {
            inside.reverse();
        }
        Ok(())
    }

    /// Queues the members of an object in order.
    fn sorted_members(&mut self, at: u32, source: Node) -> Result<(), JsonError> {
        self.keys.clear();
        self.ranked.clear();
        let mut child = at + 1;
        while child < source.next {
            let key = node(self.nodes, child);
            let raw = inner(self.text, key);
            let text = if key.has(ESCAPED) { Cow::Owned(scan::unescape(raw)) } else { Cow::Borrowed(raw) };
            self.ranked.push(Ranked { rank: rank(&text, self.order), key: self.keys.len() });
            self.keys.push((text, child));
            child = node(self.nodes, child + 1).next;
        }
        self.sort();
        let mut last: Option<&str> = None;
        for (key, child) in self.ranked.iter().filter_map(|ranked| self.keys.get(ranked.key)) {
            let (found, alike) =
                last.map_or((Ordering::Less, true), |last| compare(last.as_bytes(), key.as_bytes(), self.order));
            if found == Ordering::Equal {
                return Err(JsonError::DuplicateKey(node(self.nodes, *child).start));
            }
            if !alike && let Some(container) = self.open.last().and_then(|&at| self.out.nodes.get_mut(index(at))) {
                container.flags |= SORTS_TWO_WAYS;
            }
            let lead = if last.is_none() { Lead::None } else { Lead::Comma };
            self.steps.push(Step { lead, node: *child });
            self.steps.push(Step { lead: Lead::Colon, node: child + 1 });
            last = Some(key);
        }
        Ok(())
    }

    /// Sorts by merging runs: n log n steps whatever the input, and equal keys stay in the order of the text, so that the later
    /// one is the duplicate. The standard library's sort would take five times the code.
    fn sort(&mut self) {
        let text = |ranked: &Ranked| self.keys.get(ranked.key).map_or(&b""[..], |(key, _)| key.as_bytes());
        let in_order = |one: &Ranked, other: &Ranked| match one.rank.cmp(&other.rank) {
            Ordering::Equal => compare(text(one), text(other), self.order).0.is_le(),
            decided => decided.is_lt(),
        };
        let mut run = 1;
        while run < self.ranked.len() {
            self.merged.clear();
            for pair in self.ranked.chunks(run * 2) {
                let (mut left, mut right) = pair.split_at_checked(run).unwrap_or((pair, &[]));
                while let ([one, left_rest @ ..], [other, right_rest @ ..]) = (left, right) {
                    if in_order(one, other) {
                        self.merged.push(*one);
                        left = left_rest;
                    } else {
                        self.merged.push(*other);
                        right = right_rest;
                    }
                }
                self.merged.extend_from_slice(left);
                self.merged.extend_from_slice(right);
            }
            core::mem::swap(&mut self.ranked, &mut self.merged);
            run *= 2;
        }
    }

    fn close(&mut self) {
        let next = offset(self.out.nodes.len());
        let Some(container) = self.open.pop().and_then(|at| self.out.nodes.get_mut(index(at))) else { return };
        self.out.text.push(if container.kind == Kind::Object { '}' } else { ']' });
        container.end = offset(self.out.text.len());
        container.next = next;
        let passed_on = container.flags & SORTS_TWO_WAYS;
        if let Some(parent) = self.open.last().and_then(|&at| self.out.nodes.get_mut(index(at))) {
            parent.flags |= passed_on;
        }
    }
}

fn rank(key: &str, order: KeyOrder) -> u64 {
    let mut first = [0; 8];
    for (rank, byte) in first.iter_mut().zip(key.bytes()) {
        *rank = if order == KeyOrder::Utf16 { unit_rank(byte) } else { byte };
    }
    u64::from_be_bytes(first)
}
