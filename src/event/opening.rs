//! How the hashed forms of a hub's events begin: `{"auth_events":[…]`, written and hashed once for all events that the same
//! events allow. In a transaction these are all the messages of one sender, and each has two hashes that begin so.

use alloc::vec::Vec;

use sha2::{Digest, Sha256, digest::Output};

use super::{
    Event,
    field::{Field, Place},
    form::Sink,
};
use crate::id::{EventId, base64};

/// Openings that were made for earlier events of the same transaction.
#[derive(Debug, Clone, Default)]
pub struct Openings {
    made: Vec<Opening>,
}

/// One opening.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    auth_events: Vec<EventId>,
    /// The brace, and the member.
    text: Vec<u8>,
    /// Has taken `text`.
    hasher: Sha256,
}

impl Openings {
    /// The opening of an event that these allow.
    pub(super) fn of(&mut self, auth_events: &[EventId]) -> &Opening {
        let at = self.made.iter().position(|opening| opening.auth_events == auth_events);
        let at = at.unwrap_or_else(|| {
            self.made.push(Opening::new(auth_events));
            self.made.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found or put there")]
        &self.made[at]
    }
}

impl Opening {
    fn new(auth_events: &[EventId]) -> Self {
        let mut text = Vec::with_capacity(auth_events.len() * 46 + 18);
        text.push(b'{');
        write_event_ids(&mut text, Field::AuthEvents, auth_events);
        Self { hasher: Sha256::new_with_prefix(&text), auth_events: auth_events.to_vec(), text }
    }

    /// `"auth_events":[…]`.
    pub(super) fn member(&self) -> &[u8] {
        self.text.get(1..).unwrap_or_default()
    }

    /// A hash that goes on behind the opening, to be given a whole form of an event with this member put in.
    pub(super) fn resumed(&self, event: &Event) -> Resumed {
        // A field that no rule names may sort before ours.
        match event.inner.typed.slots.first() {
            Some(first) if first.place <= Place::of(Field::AuthEvents) => Resumed { hasher: Sha256::new(), known: 0 },
            _ => Resumed { hasher: self.hasher.clone(), known: self.text.len() },
        }
    }

    /// The SHA-256 of a text.
    pub(super) fn digest(&self, text: &[u8]) -> Output<Sha256> {
        match text.strip_prefix(self.text.as_slice()) {
            Some(rest) => self.hasher.clone().chain_update(rest).finalize(),
            None => Sha256::digest(text),
        }
    }
}

/// A hash that has taken so many bytes of a form before the form is written.
pub(super) struct Resumed {
    hasher: Sha256,
    known: usize,
}

impl Resumed {
    pub(super) fn into_inner(self) -> Sha256 {
        self.hasher
    }
}

impl Sink for Resumed {
    fn put(&mut self, bytes: &[u8]) {
        let known = self.known.min(bytes.len());
        self.known -= known;
        self.hasher.update(bytes.get(known..).unwrap_or_default());
    }
}

/// A whole member that lists events.
pub(super) fn write_event_ids(out: &mut Vec<u8>, field: Field, ids: &[EventId]) {
    out.push(b'"');
    out.extend_from_slice(field.name().as_bytes());
    out.extend_from_slice(b"\":[");
    for (index, id) in ids.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"$" } else { b",\"$" });
        let mut text = [0; 43];
        base64::encode_url_into(id.as_bytes(), &mut text);
        out.extend_from_slice(&text);
        out.push(b'"');
    }
    out.push(b']');
}
