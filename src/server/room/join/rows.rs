//! The rows of a room that we have joined, or joined again.
//!
//! The join stands at position 0, and the events that came with it below every position that has an order. After an absence a hole stands for what we
//! missed, the join behind it, and the state counts from the hole on.

use alloc::vec::Vec;

use super::answer::Admitted;
use crate::{
    event::{Integrity, Sender, VerifiedPdu},
    id::EventId,
    ordered::{LargeMap, Set},
    room::{
        head::{Head, Room},
        log::{
            BEFORE_LOG, FIRST_PLACE, LogEntry, LogEvent, entries, place, position_key, position_of, state_index_key,
        },
        state::RoomState,
        state_row::{StateRow, key_of},
    },
    server::{
        contract::{Moment, Output},
        message::{ErrorCode, Failure, Notification},
        room::{advance::advance, context::Context, participant::apply::gap_key, work::Change},
    },
    store::{Query, Row, Table},
};

/// A checked answer, before it is known what we have of the room.
pub(super) struct Rows {
    admitted: Admitted,
    /// Events that we may have: each in the order in which it is asked for.
    asked: Vec<EventId>,
}

/// A checked answer, with a place for every event.
pub(super) struct Placed {
    admitted: Admitted,
    /// Events that we have, and where.
    known: LargeMap<EventId, i64>,
    /// The place of the first event that we do not have; the others follow.
    first: i64,
}

impl Rows {
    pub(super) fn new(context: &Context, admitted: Admitted) -> Self {
        let asked = match &context.room {
            None => Vec::new(),
            Some(_) => admitted.events.iter().map(VerifiedPdu::event_id).collect(),
        };
        Self { admitted, asked }
    }

    /// Asks for the lowest place that is taken, and where the events stand that we may have. Nothing in a room that is new to us.
    pub(super) fn queries(&self) -> Vec<Query> {
        if self.asked.is_empty() {
            return Vec::new();
        }
        core::iter::once(entries(i64::MIN, 1)).chain(self.asked.iter().copied().map(place)).collect()
    }

    /// Gives every event its place.
    ///
    /// # Errors
    /// When no place is left.
    pub(super) fn place(self, _: &Context, found: &[Vec<Row>]) -> Result<Placed, Failure> {
        let lowest = found.first().and_then(|rows| position_of(&rows.first()?.key).ok());
        let mut known = LargeMap::new();
        for (event_id, rows) in self.asked.iter().zip(found.iter().skip(1)) {
            let position = rows.first().and_then(|row| position_of(&row.value).ok());
            let position = position.filter(|position| *position != BEFORE_LOG);
            known.extend(position.map(|position| (*event_id, position)));
        }
        let new = self.admitted.events.len().saturating_sub(known.len());
        let end = lowest.map_or(FIRST_PLACE, |lowest| lowest.min(FIRST_PLACE));
        let first = i64::try_from(new).ok().and_then(|new| end.checked_sub(new));
        let error = "the room was joined too often";
        let first = first.ok_or_else(|| Failure::new(500, ErrorCode::Unknown, error))?;
        Ok(Placed { admitted: self.admitted, known, first })
    }
}

impl Placed {
    /// Makes the room what the answer says, and writes it. The join's ID.
    pub(super) fn write(self, context: &mut Context, moment: Moment) -> (EventId, Change) {
        let Self { admitted: Admitted { room_id, rules, join, events, state }, known, mut first } = self;
        let mut change = Change::default();
        let old = context.room.take();
        let mut new = Room { state: RoomState::new(room_id, rules), head: old.as_ref().and_then(|room| room.head) };
        let mut rows: LargeMap<Vec<u8>, StateRow> = LargeMap::new();
        // The hub may still send what it ordered before the join: to a server that has lost its log, or that was slow.
        let before = join.event().prev_events().iter().filter(|_| old.is_none());
        before.for_each(|id| change.batch.put(Table::Ids, *id.as_bytes(), position_key(BEFORE_LOG)));
        for pdu in events {
            let event_id = pdu.event_id();
            let is_state = state.contains(&event_id);
            let position = match known.get(&event_id) {
                Some(position) => *position,
                None => {
                    let position = first;
                    first = first.saturating_add(1);
                    keep(context, &pdu, position, moment, &mut change);
                    position
                }
            };
            if is_state && let Some(row) = new.state.apply(pdu.event(), event_id, position) {
                rows.insert(row.key(), row);
            }
        }
        let from = absence(&mut new, old.as_ref(), &rows, &join, &mut change);
        write_state(old.as_ref(), rows, from, &mut change);
        let (join_id, position) = (join.event_id(), new.next_position());
        keep(context, &join, position, moment, &mut change);
        advance(&mut new, join.event(), join_id, &mut change.batch);
        context.room = Some(new);
        context.seal(&mut change.batch);
        change.then.push(Output::Notify(Notification::Appended {
            room_id: context.room_id.clone(),
            position,
            event_id: join_id,
            lpdu_id: join.lpdu_id(),
            event: join.event().bytes().to_vec(),
            sender_verified: join.sender_check() == Sender::Verified,
            intact: join.integrity() == Integrity::Intact,
        }));
        (join_id, change)
    }
}

/// Writes an event's entry.
fn keep(context: &mut Context, pdu: &VerifiedPdu, position: i64, moment: Moment, change: &mut Change) {
    let (event_id, sender, integrity) = (pdu.event_id(), pdu.sender_check(), pdu.integrity());
    let stored = LogEvent { event_id, sender, integrity, soft_failed: false, bytes: pdu.event().bytes().to_vec() };
    LogEntry::Event(stored).put(position, &mut change.batch);
    if let Some(lpdu_id) = pdu.lpdu_id() {
        change.batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
        context.pending.remove(lpdu_id, &mut change.batch);
    }
    if sender == Sender::KeyMissing {
        context.unproven.add(position, moment.now, &mut change.batch);
    }
}

/// Puts a hole behind what we had, unless the join follows it and nothing changed. From where the new state counts; nothing in a room that is new to us.
fn absence(
    new: &mut Room,
    old: Option<&Room>,
    rows: &LargeMap<Vec<u8>, StateRow>,
    join: &VerifiedPdu,
    change: &mut Change,
) -> Option<i64> {
    let (old, head) = old.and_then(|old| Some((old, old.head?)))?;
    let is_same = |row: &StateRow| {
        old.state.entry(row.kind(), row.state_key()).is_some_and(|entry| entry.event_id == row.entry().event_id)
    };
    if join.event().prev_events() == [head.event_id] && rows.values().all(is_same) {
        return Some(new.next_position());
    }
    let position = new.next_position();
    LogEntry::Hole { event_id: None }.put(position, &mut change.batch);
    change.batch.put(Table::Meta, gap_key(position), []);
    new.head = Some(Head { position, ..head });
    Some(position)
}

/// Writes the rows of the state that are not there; what was state and is none any more goes.
fn write_state(old: Option<&Room>, rows: LargeMap<Vec<u8>, StateRow>, from: Option<i64>, change: &mut Change) {
    if let Some(old) = old {
        let keys: Set<Vec<u8>> = old.state.entries().map(|(kind, state_key, _)| key_of(kind, state_key)).collect();
        keys.iter()
            .filter(|key| !rows.contains_key(*key))
            .for_each(|key| change.batch.delete(Table::State, key.clone()));
    }
    for (key, row) in rows {
        let had = old.and_then(|old| old.state.entry(row.kind(), row.state_key()));
        if had == Some(&row.entry()) {
            continue;
        }
        let value = row.encode();
        let counts_from = from.unwrap_or(row.entry().position);
        change.batch.put(Table::StateIndex, state_index_key(row.kind(), row.state_key(), counts_from), value.clone());
        change.batch.put(Table::State, key, value);
    }
}
