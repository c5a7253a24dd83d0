//! Writes a stretch of the past below our log: a place for every event, and one for the state that came with the join and had none.

use alloc::{boxed::Box, vec::Vec};

use super::{
    REDACTED_ROW,
    judge::Judged,
    mark,
    stretch::{Bottom, Reader},
};
use crate::{
    event::{Event, Integrity, Sender, VerifiedPdu},
    id::EventId,
    ordered::Set,
    room::{
        log::{BEFORE_LOG, FIRST_PLACE, LogEntry, LogEvent, entry, place, position_key, position_of, state_index_key},
        state::RoomState,
    },
    server::{
        contract::{Moment, Output},
        message::Notification,
        room::{
            advance::put_state,
            context::Context,
            work::{Change, Progress, Resume, Work},
        },
    },
    store::{Row, Table, WriteBatch},
};

/// Events on their way to their places, newest first.
pub(super) struct Keep {
    below: i64,
    chain: Vec<Judged>,
    /// What we have of them, and where.
    had: Vec<Option<(i64, Option<LogEvent>)>>,
    reader: Option<Box<dyn Reader>>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    Places,
    Entries,
}

impl Keep {
    /// Writes a chain below the entry at that position, then goes on with `reader`.
    pub(super) fn work(below: i64, chain: Vec<Judged>, reader: Box<dyn Reader>) -> Box<dyn Work> {
        Box::new(Self { below, chain, had: Vec::new(), reader: Some(reader), stage: Stage::Fresh })
    }
}

impl Work for Keep {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (self.stage, resume) {
            (Stage::Places, Resume::Rows(rows)) => {
                let position = |rows: &Vec<Row>| position_of(&rows.first()?.value).ok();
                let places = rows.iter().map(|rows| position(rows).filter(|position| *position != BEFORE_LOG));
                self.had = places.map(|place| place.map(|position| (position, None))).collect();
                self.stage = Stage::Entries;
                let queries: Vec<_> = self.had.iter().flatten().map(|(position, _)| entry(*position)).collect();
                if queries.is_empty() { self.write(context, moment) } else { Progress::Read(queries) }
            }
            (Stage::Entries, Resume::Rows(rows)) => {
                for ((_, stored), rows) in self.had.iter_mut().flatten().zip(&rows) {
                    if let Some(Ok(LogEntry::Event(event))) = rows.first().map(|row| LogEntry::decode(&row.value)) {
                        *stored = Some(event);
                    }
                }
                self.write(context, moment)
            }
            _ => {
                self.stage = Stage::Places;
                Progress::Read(self.chain.iter().map(|judged| place(judged.pdu().event_id())).collect())
            }
        }
    }
}

impl Keep {
    fn write(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let mut change = Change::default();
        let mut seen = Set::new();
        let mut bottom = None;
        let mut position = self.below;
        for (judged, had) in core::mem::take(&mut self.chain).into_iter().zip(core::mem::take(&mut self.had)) {
            position = position.saturating_sub(1);
            let follows = judged.pdu().event().prev_events().first().copied();
            bottom = follows.map(|follows| Bottom { position, follows });
            if seen.insert(judged.pdu().event_id()) {
                put(context, judged, position, had, moment, &mut change);
            }
        }
        change.follow.extend(self.reader.take().map(|reader| reader.go_on(bottom)));
        Progress::Commit(change)
    }
}

/// One event. An entry that has its place keeps it.
fn put(
    context: &mut Context,
    judged: Judged,
    position: i64,
    had: Option<(i64, Option<LogEvent>)>,
    moment: Moment,
    change: &mut Change,
) {
    match (had, judged) {
        (Some((place, stored)), judged) if place >= FIRST_PLACE => {
            // A copy that was redacted for our sake alone is whole now that we may see it.
            if stored.is_some_and(|stored| stored.integrity == Integrity::Redacted)
                && judged.pdu().integrity() == Integrity::Intact
            {
                context.ages(judged.pdu().event(), place, &mut change.batch);
                LogEntry::Event(stored_form(judged.pdu())).put(place, &mut change.batch);
            }
        }
        (None, Judged::Rejected(pdu, error)) => {
            let (event_id, prev_events) = (pdu.event_id(), pdu.event().prev_events().to_vec());
            LogEntry::Link { event_id, prev_events }.put(position, &mut change.batch);
            let room_id = context.room_id.clone();
            change.then.push(Output::Notify(Notification::Rejected { room_id, event_id, error }));
        }
        (had, judged) => {
            if had.is_none() && matches!(judged, Judged::Unchecked(_)) {
                change.batch.put(Table::Meta, mark(position), []);
            }
            place_event(context, judged.pdu(), position, had, moment, &mut change.batch);
        }
    }
}

/// Puts an event in its place. If it came as state with the join, it has been checked with that, and moves.
fn place_event(
    context: &mut Context,
    pdu: &VerifiedPdu,
    position: i64,
    had: Option<(i64, Option<LogEvent>)>,
    moment: Moment,
    batch: &mut WriteBatch,
) {
    let (event, event_id) = (pdu.event(), pdu.event_id());
    let old = had.as_ref().map(|(place, _)| *place);
    let whole = had.and_then(|(_, stored)| stored).filter(|stored| stored.integrity == Integrity::Intact);
    let stored = whole.unwrap_or_else(|| stored_form(pdu));
    match stored.integrity {
        Integrity::Redacted => batch.put(Table::Meta, REDACTED_ROW, []),
        Integrity::Intact => context.ages(event, position, batch),
    }
    if let Some(old) = old {
        context.unproven.remove(old, batch);
        batch.delete(Table::Log, position_key(old));
    }
    if stored.sender == Sender::KeyMissing {
        context.unproven.add(position, moment.now, batch);
    }
    LogEntry::Event(stored).put(position, batch);
    if let Some(lpdu_id) = pdu.lpdu_id() {
        batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
    }
    place_state(context, event, event_id, position, old, batch);
}

/// What the state index says of an event that has got its place.
fn place_state(
    context: &mut Context,
    event: &Event,
    event_id: EventId,
    position: i64,
    old: Option<i64>,
    batch: &mut WriteBatch,
) {
    let (Some(room), Some(state_key)) = (&mut context.room, event.state_key()) else { return };
    if let Some(old) = old {
        batch.delete(Table::StateIndex, state_index_key(event.kind(), state_key, old));
    }
    let is_current = room.state.entry(event.kind(), state_key).is_some_and(|entry| entry.event_id == event_id);
    if is_current {
        put_state(room, event, event_id, position, batch);
    } else if let Some(row) =
        RoomState::new(room.state.room_id().clone(), room.rules()).apply(event, event_id, position)
    {
        batch.put(Table::StateIndex, state_index_key(event.kind(), state_key, position), row.encode());
    }
}

fn stored_form(pdu: &VerifiedPdu) -> LogEvent {
    LogEvent {
        event_id: pdu.event_id(),
        sender: pdu.sender_check(),
        integrity: pdu.integrity(),
        soft_failed: false,
        bytes: pdu.event().bytes().to_vec(),
    }
}
