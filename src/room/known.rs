//! What a room's log knows of its events, as far as the rules ask.

use alloc::collections::BTreeMap;

use crate::event::Event;
use crate::id::{EventId, UserId};
use crate::ordered::LargeMap;

/// A look-up of a room's events by ID. The log answers it from rows that its host has read before.
pub trait KnownEvents {
    /// The event of this room under `event_id`; `None` when this room has none.
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>>;
}

/// What the rules ask of an earlier event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvent<'a> {
    /// Its type.
    pub kind: &'a str,
    /// Its state key, if it is state.
    pub state_key: Option<&'a str>,
    /// Its sender.
    pub sender: &'a UserId,
    /// Whether it is part of the room.
    pub standing: Standing,
}

/// Whether an event of the log is part of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its rules were met, or it was soft-failed.
    Accepted,
    /// Only its link is kept (spec, section 4).
    Rejected,
}

impl<'a> KnownEvent<'a> {
    /// What the rules ask of `event`, which is part of the room.
    pub fn accepted(event: &'a Event) -> Self {
        Self { kind: event.kind(), state_key: event.state_key(), sender: event.sender(), standing: Standing::Accepted }
    }
}

/// Knows nothing: for rooms whose current state says all that is asked.
#[derive(Clone, Copy, Debug)]
pub struct NothingKnown;

impl KnownEvents for NothingKnown {
    fn known(&self, _: &EventId) -> Option<KnownEvent<'_>> {
        None
    }
}

/// Events at hand, each of them part of the room.
impl KnownEvents for BTreeMap<EventId, Event> {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        self.get(event_id).map(KnownEvent::accepted)
    }
}

/// The same, in the core's own map.
impl KnownEvents for LargeMap<EventId, Event> {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        self.get(event_id).map(KnownEvent::accepted)
    }
}
