//! What the log holds of everything that received events name.

use alloc::{collections::VecDeque, vec::Vec};

use super::Item;
use crate::{
    event::VerifiedPdu,
    id::EventId,
    ordered::{Map, Set},
    room::{
        auth_events, kind,
        log::{BEFORE_LOG, FIRST_PLACE, LogEntry, entry, place, position_key, position_of},
        redaction,
    },
    server::room::{context::Context, known::KnownLog},
    store::{Query, Row, Table, WriteBatch},
};

/// What was looked up. It stays right while nobody else writes, and what is appended is added to it.
#[derive(Default)]
pub(super) struct Lookup {
    places: Map<EventId, Option<i64>>,
    lpdus: Map<EventId, Option<EventId>>,
    /// Where the first event stands that follows another which it does not stand behind.
    branches: Map<EventId, Option<i64>>,
    /// Entries of the log that were read, by position.
    entries: Map<i64, Option<LogEntry>>,
    pub(super) known: KnownLog,
    asked: Vec<Asked>,
}

#[derive(Clone, Copy)]
enum Asked {
    Place(EventId),
    Lpdu(EventId),
    Branch(EventId),
}

impl Lookup {
    /// Where an event stands in the log, as far as it was looked up.
    pub(super) fn place_of(&self, event_id: &EventId) -> Option<i64> {
        self.places.get(event_id).copied().flatten()
    }

    /// The event that an LPDU has become before, if any.
    pub(super) fn event_of_lpdu(&self, lpdu_id: &EventId) -> Option<EventId> {
        self.lpdus.get(lpdu_id).copied().flatten()
    }

    /// Where the first event stands that branches off behind an event, as far as it was looked up.
    pub(super) fn branch_of(&self, event_id: &EventId) -> Option<i64> {
        self.branches.get(event_id).copied().flatten()
    }

    /// Notes the first event that branches off behind another, and writes where it stands.
    pub(super) fn branches_off(&mut self, event_id: EventId, position: i64, batch: &mut WriteBatch) {
        batch.put(Table::Meta, branch_key(event_id), position_key(position));
        self.branches.insert(event_id, Some(position));
    }

    /// What stands at a position, as far as it was looked up.
    pub(super) fn entry_at(&self, position: i64) -> Option<&LogEntry> {
        self.entries.get(&position)?.as_ref()
    }

    /// Adds what has just got its place.
    pub(super) fn stands(&mut self, event_id: EventId, position: i64, lpdu_id: Option<EventId>) {
        self.places.insert(event_id, Some(position));
        self.lpdus.extend(lpdu_id.map(|id| (id, Some(event_id))));
    }

    /// Adds an entry that has just been written, for events that fork off before it.
    pub(super) fn wrote(&mut self, position: i64, entry: LogEntry) {
        self.entries.insert(position, Some(entry));
    }

    /// Asks where everything stands that these events name, but for what was asked before.
    pub(super) fn places(&mut self, queue: &VecDeque<Item>, context: &Context) -> Vec<Query> {
        let Some(room) = &context.room else { return Vec::new() };
        if let Some(head) = room.head {
            self.places.insert(head.event_id, Some(head.position));
        }
        let mut before = Set::new();
        // The end of what goes on from the head: nothing else can follow it yet. Behind whatever else is named, something may branch off, even
        // behind an event that comes again here.
        let mut end = room.head.map(|head| head.event_id);
        // State that an earlier event of the queue replaces may still be named by a later one.
        let mut changes_state = false;
        let mut wanted = Vec::new();
        for item in queue {
            let Item::Pdu(pdu, _) = item else { continue };
            let event = pdu.event();
            wanted.push(pdu.event_id());
            let prev_events = || event.prev_events().iter().filter(|id| !before.contains(*id));
            wanted.extend(prev_events());
            for prev in event.prev_events().iter().filter(|id| Some(**id) != end) {
                self.branches.entry(*prev).or_insert_with(|| {
                    self.asked.push(Asked::Branch(*prev));
                    None
                });
            }
            wanted.extend(redaction::target(event));
            match changes_state {
                true => wanted.extend(auth_events::decisive(event).filter(|id| !before.contains(*id))),
                false => wanted.extend(auth_events::unresolved(event, &room.state)),
            }
            if let Some(id) = pdu.lpdu_id().filter(|id| !self.lpdus.contains_key(id)) {
                self.lpdus.insert(id, None);
                self.asked.push(Asked::Lpdu(id));
            }
            if follows(pdu, end) {
                end = Some(pdu.event_id());
            }
            before.insert(pdu.event_id());
            changes_state |= event.is_state();
        }
        self.places_of(wanted)
    }

    /// Asks where these events stand, but for those asked before.
    pub(super) fn places_of(&mut self, ids: impl IntoIterator<Item = EventId>) -> Vec<Query> {
        for id in ids {
            self.places.entry(id).or_insert_with(|| {
                self.asked.push(Asked::Place(id));
                None
            });
        }
        let query = |asked: &Asked| match asked {
            Asked::Place(id) => place(*id),
            Asked::Lpdu(id) => Query::one(Table::Lpdus, *id.as_bytes()),
            Asked::Branch(id) => Query::one(Table::Meta, branch_key(*id)),
        };
        self.asked.iter().map(query).collect()
    }

    /// Takes in what was asked with [`Lookup::places`] or [`Lookup::places_of`].
    pub(super) fn read_places(&mut self, rows: &[Vec<Row>]) {
        for (asked, rows) in core::mem::take(&mut self.asked).into_iter().zip(rows) {
            let Some(row) = rows.first() else { continue };
            match asked {
                Asked::Branch(id) => {
                    self.branches.insert(id, position_of(&row.value).ok());
                }
                Asked::Place(id) => {
                    self.places.insert(id, position_of(&row.value).ok());
                }
                Asked::Lpdu(id) => {
                    let event_id = <[u8; 32]>::try_from(row.value.as_slice()).ok().map(EventId::from_hash);
                    self.lpdus.insert(id, event_id);
                }
            }
        }
    }

    /// Events that lead up to what our join follows are before our log too.
    pub(super) fn see_what_is_before(&mut self, queue: &VecDeque<Item>) {
        for item in queue.iter().rev() {
            let Item::Pdu(pdu, _) = item else { continue };
            if self.place_of(&pdu.event_id()) == Some(BEFORE_LOG) {
                for prev in pdu.event().prev_events() {
                    self.places.entry(*prev).or_default().get_or_insert(BEFORE_LOG);
                }
            }
        }
    }

    /// Asks for events that authorise others or are redacted, and for what stands where an event forks off.
    pub(super) fn entries(&mut self, queue: &VecDeque<Item>, context: &Context) -> Vec<Query> {
        let Some(room) = &context.room else { return Vec::new() };
        let mut wanted = Set::new();
        let mut last = room.head.map(|head| head.event_id);
        let mut changes_state = false;
        for item in queue {
            let pdu = match item {
                Item::Hole(id) => {
                    last = Some(*id);
                    continue;
                }
                Item::Pdu(pdu, _) if self.place_of(&pdu.event_id()).is_some() => continue,
                Item::Pdu(pdu, _) => pdu,
            };
            let event = pdu.event();
            let auth_events = match changes_state {
                true => auth_events::decisive(event).copied().collect(),
                false => auth_events::unresolved(event, &room.state),
            };
            wanted.extend(auth_events.iter().chain(&redaction::target(event)).filter_map(|id| self.place_of(id)));
            if !follows(pdu, last) {
                for position in event.prev_events().iter().filter_map(|id| self.place_of(id)) {
                    wanted.extend(behind(position));
                }
                wanted.extend(event.prev_events().iter().filter_map(|id| self.branch_of(id)));
            }
            changes_state |= event.is_state();
            last = Some(pdu.event_id());
        }
        wanted.retain(|position| !self.entries.contains_key(position));
        self.entries.extend(wanted.iter().map(|position| (*position, None)));
        wanted.into_iter().map(entry).collect()
    }

    /// Takes in what was asked with [`Lookup::entries`].
    pub(super) fn read_entries(&mut self, rows: &[Vec<Row>], context: &Context) {
        self.known.read(rows, context);
        for row in rows.iter().flatten() {
            if let (Ok(position), Ok(entry)) = (position_of(&row.key), LogEntry::decode(&row.value)) {
                self.entries.insert(position, Some(entry));
            }
        }
    }

    /// The first event of the queue that follows something unknown: its index, and what it follows.
    pub(super) fn first_gap(&self, queue: &VecDeque<Item>) -> Option<(usize, EventId)> {
        let mut before = Set::new();
        for (index, item) in queue.iter().enumerate() {
            match item {
                Item::Hole(id) => {
                    before.insert(*id);
                }
                Item::Pdu(pdu, _) => {
                    let is_new = self.place_of(&pdu.event_id()).is_none();
                    let is_known = |id: &EventId| self.place_of(id).is_some() || before.contains(id);
                    let gap = pdu.event().prev_events().iter().find(|id| is_new && !is_known(id));
                    if let Some(gap) = gap {
                        return Some((index, *gap));
                    }
                    before.insert(pdu.event_id());
                }
            }
        }
        None
    }
}

fn branch_key(event_id: EventId) -> Vec<u8> {
    [b"branch/", event_id.as_bytes().as_slice()].concat()
}

/// The positions that tell what it means that an event follows the one at `position`: what stands behind it, and a join of ours, which may stand behind a
/// hole or at 0.
pub(super) fn behind(position: i64) -> [i64; 2] {
    match position < FIRST_PLACE {
        true => [0, 0],
        false => [position.saturating_add(1), position.saturating_add(2)],
    }
}

/// Whether the queue names its own events: some redact, change the state that others rest on, or fork.
pub(super) fn names_its_own(queue: &VecDeque<Item>, head: Option<EventId>) -> bool {
    let mut last = head;
    queue.iter().any(|item| match item {
        Item::Pdu(pdu, _) => {
            let is_plain = follows(pdu, last) && !pdu.event().is_state() && pdu.event().kind() != kind::REDACTION;
            last = Some(pdu.event_id());
            !is_plain
        }
        Item::Hole(id) => {
            last = Some(*id);
            false
        }
    })
}

/// Whether an event follows `last` and nothing else.
pub(super) fn follows(pdu: &VerifiedPdu, last: Option<EventId>) -> bool {
    match (pdu.event().prev_events(), last) {
        ([prev], Some(last)) => *prev == last,
        ([], None) => true,
        _ => false,
    }
}
