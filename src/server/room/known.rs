//! What the log holds of events that others name: a redaction's target, an older auth event.

use alloc::vec::Vec;

use super::context::Context;
use crate::{
    event::{Event, Integrity, MAX_DEPTH, MAX_PDU_BYTES, RoomVersionRules},
    id::EventId,
    json::{self, Limits},
    ordered::LargeMap,
    room::{
        known::{KnownEvent, KnownEvents, Standing},
        log::{LogEntry, LogEvent, entry, position_of},
    },
    store::{Query, Row},
};

/// Events of the log that were looked up.
#[derive(Default)]
pub(super) struct KnownLog {
    events: LargeMap<EventId, Found>,
}

struct Found {
    event: Event,
    position: i64,
    standing: Standing,
    /// The entry as it is stored; nothing for one that is not signed yet.
    stored: Option<LogEvent>,
}

impl KnownLog {
    /// The entries to read, from what [`place`](crate::room::log::place) found.
    pub(super) fn entries_at(places: &[Vec<Row>]) -> Vec<Query> {
        places.iter().flatten().filter_map(|row| position_of(&row.value).ok()).map(entry).collect()
    }

    /// Takes in entries that were read. What is a link or a hole stays unknown, and so does what cannot be read.
    pub(super) fn read(&mut self, rows: &[Vec<Row>], context: &Context) {
        let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return };
        for row in rows.iter().flatten() {
            if let (Ok(position), Ok(LogEntry::Event(stored))) = (position_of(&row.key), LogEntry::decode(&row.value))
                && let Some(event) = read_event(&stored.bytes, rules)
            {
                let (standing, event_id) = (Standing::Accepted, stored.event_id);
                self.events.insert(event_id, Found { event, position, standing, stored: Some(stored) });
            }
        }
    }

    /// Takes in an event that has just got its place.
    pub(super) fn insert(&mut self, event_id: EventId, event: Event, position: i64) {
        self.events.insert(event_id, Found { event, position, standing: Standing::Accepted, stored: None });
    }

    /// Whether an event was looked up or taken in.
    pub(super) fn has(&self, event_id: &EventId) -> bool {
        self.events.contains_key(event_id)
    }

    /// The event in the form in which it is stored from now on.
    pub(super) fn stand(&mut self, stored: LogEvent) {
        if let Some(found) = self.events.get_mut(&stored.event_id) {
            found.stored = Some(stored);
        }
    }

    /// The redacted form of an event: its position, the event and its entry. Nothing if it is unknown or already redacted.
    pub(super) fn redact(&mut self, event_id: EventId) -> Option<(i64, Event, LogEvent)> {
        let found = self.events.get_mut(&event_id)?;
        let stored = found.stored.as_mut().filter(|stored| stored.integrity == Integrity::Intact)?;
        let whole = read_event(&stored.bytes, found.event.rules())?;
        stored.bytes = crate::event::redact(&whole);
        stored.integrity = Integrity::Redacted;
        found.event = read_event(&stored.bytes, whole.rules())?;
        Some((found.position, found.event.clone(), stored.clone()))
    }
}

impl KnownEvents for KnownLog {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        let found = self.events.get(event_id)?;
        Some(KnownEvent { standing: found.standing, ..KnownEvent::accepted(&found.event) })
    }
}

/// An event from our own store.
pub(super) fn read_event(bytes: &[u8], rules: &'static RoomVersionRules) -> Option<Event> {
    let document = json::parse(bytes, rules.key_order, Limits { bytes: MAX_PDU_BYTES, depth: MAX_DEPTH }).ok()?;
    Event::from_store(document, rules).ok()
}
