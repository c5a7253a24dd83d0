//! The forms of an event that are hashed, signed and sent: slices of its canonical bytes, fed to a [`Sink`] in order.
//!
//! No tree is built and nothing is serialised again. Members that stand side by side in the source leave as one slice.

use alloc::vec::Vec;
use core::ops::Range;

use sha2::{Digest, Sha256};

use super::{
    field::{Field, FieldSet, Place, Slot, to_usize},
    room_version::{Keep, KeepKey},
};
use crate::json::Value;

/// Where the bytes of a form go.
pub(super) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Counts a form's bytes without making them.
#[derive(Default)]
pub(super) struct Length(pub(super) usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

/// Which members of an event a form has.
pub(super) struct Form<'a> {
    /// The top-level members that stay.
    pub(super) keep: FieldSet,
    /// What of the content stays, if the content does.
    pub(super) content: Keep,
    /// Members that the form adds or puts in place of the event's own, whatever `keep` says of them.
    pub(super) inserts: &'a [Insert<'a>],
}

/// A whole `"key":value` in canonical form. Invariant: inserts stand in the order of their fields.
#[derive(Clone, Copy)]
pub(super) struct Insert<'a> {
    pub(super) field: Field,
    pub(super) member: &'a [u8],
}

/// Writes one form of the event whose canonical bytes, member table and content these are.
pub(super) fn write<S: Sink>(source: &[u8], slots: &[Slot], content: Option<Value<'_>>, form: &Form<'_>, sink: &mut S) {
    let mut weave = Weave::open(source, sink);
    let mut inserts = form.inserts.iter().peekable();
    for slot in slots {
        while let Some(insert) = inserts.next_if(|insert| Place::of(insert.field) < slot.place) {
            weave.put(insert.member);
        }
        if let Some(insert) = inserts.next_if(|insert| Place::of(insert.field) == slot.place) {
            weave.put(insert.member);
        } else if slot.place.is_in(form.keep) {
            match (form.content, content) {
                (Keep::Keys(keys), Some(content)) if slot.place == Place::of(Field::Content) => {
                    weave.put(b"\"content\":");
                    let inner = Weave::open(source, weave.sink);
                    keep_keys(inner, content, keys);
                }
                _ => weave.keep(to_usize(slot.member.clone())),
            }
        }
    }
    for insert in inserts {
        weave.put(insert.member);
    }
    weave.close();
}

/// Writes of `object` only the members that redaction keeps; of what is no object, nothing.
fn keep_keys<S: Sink>(mut weave: Weave<'_, S>, object: Value<'_>, keys: &[KeepKey]) {
    // Most events keep nothing of their content; do not walk it then.
    if !keys.is_empty() {
        for member in object.members() {
            let key = member.key();
            for keep in keys {
                match *keep {
                    KeepKey::Whole(name) if name == key => weave.keep(to_usize(member.span())),
                    KeepKey::Inner(name, inner) if name == key && is_object(member.value()) => {
                        weave.put(b"\"");
                        weave.sink.put(name.as_bytes());
                        weave.sink.put(b"\":");
                        let nested = Weave::open(weave.source, weave.sink);
                        keep_keys(nested, member.value(), &[KeepKey::Whole(inner)]);
                    }
                    _ => {}
                }
            }
        }
    }
    weave.close();
}

fn is_object(value: Value<'_>) -> bool {
    matches!(value.kind(), crate::json::Kind::Object)
}

/// Writes one object out of slices of `source`, joining those that touch.
struct Weave<'a, S> {
    source: &'a [u8],
    sink: &'a mut S,
    /// The slice not yet written. It starts at the brace or after the comma before its first member.
    run: Range<usize>,
    empty: bool,
}

impl<'a, S: Sink> Weave<'a, S> {
    fn open(source: &'a [u8], sink: &'a mut S) -> Self {
        sink.put(b"{");
        Self { source, sink, run: 0..0, empty: true }
    }

    /// Takes a member of the source as it stands.
    fn keep(&mut self, member: Range<usize>) {
        // In canonical bytes exactly one comma stands between neighbours.
        if !self.run.is_empty() && member.start == self.run.end + 1 {
            self.run.end = member.end;
            return;
        }
        self.flush();
        self.comma();
        self.run = member;
    }

    /// Takes bytes that are not the source's.
    fn put(&mut self, bytes: &[u8]) {
        self.flush();
        self.comma();
        self.sink.put(bytes);
    }

    fn close(mut self) {
        self.flush();
        self.sink.put(b"}");
    }

    fn comma(&mut self) {
        if !self.empty {
            self.sink.put(b",");
        }
        self.empty = false;
    }

    fn flush(&mut self) {
        if !self.run.is_empty() {
            self.sink.put(self.source.get(self.run.clone()).unwrap_or_default());
            self.run = 0..0;
        }
    }
}
