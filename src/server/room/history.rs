//! The log before our join, for local users on request: what is not here is fetched backwards from the hub and kept at negative positions.
//!
//! The join names what it follows by its hash, that names what it follows, and so on down: nothing in the chain can be exchanged, whoever serves it. The
//! hub serves redacted what our server may not see (spec, section 10), and it is kept so. What it does not serve ends the answer; nothing stands for it in
//! the log, so that it can be asked for again.

mod judge;
mod keep;
pub(super) mod stretch;

use alloc::{boxed::Box, vec, vec::Vec};

use self::stretch::{Bottom, Cut, Reader};
use super::{
    context::{Context, not_found},
    known::read_event,
    work::{Progress, Resume, Work},
};
use crate::{
    event::{Integrity, Sender},
    ordered::Set,
    room::log::{FIRST_PLACE, LogEntry, entries, position_key, position_of},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure, HistoryEntry, Notification},
    },
    store::{Query, Row, Table},
};

/// The most entries of one answer.
const MOST: u32 = 1_000;

/// Positions of events whose rules could not be checked, since what authorises them is further back than we have read.
const UNCHECKED: &[u8] = b"unchecked/";

/// The row in [`Table::Meta`] that is there when we were served a redacted copy: as a hub to be we have to read our log again.
pub(super) const REDACTED_ROW: &[u8] = b"history redacted";

/// Answers with the last entries before a position; fetches them if they are before our log.
pub(super) fn work(ticket: Ticket, before: i64, limit: u32) -> Box<dyn Work> {
    let limit = limit.clamp(1, MOST);
    Box::new(Page { ticket, before, limit, asked: None, failure: None, stage: Stage::Fresh })
}

/// Does not write: the room goes on.
struct Page {
    ticket: Ticket,
    before: i64,
    limit: u32,
    /// Where our log began when more was last asked for.
    asked: Option<Bottom>,
    /// Why there is no more.
    failure: Option<Failure>,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Asked where our log begins.
    Lowest,
    /// Asked for the entries, and where our log begins.
    Entries(Option<Bottom>),
    /// Asked which of these could not be checked.
    Marks(Vec<(i64, LogEntry)>),
}

impl Work for Page {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        match (core::mem::replace(&mut self.stage, Stage::Fresh), resume) {
            (Stage::Lowest, Resume::Rows(rows)) => self.find(context, &rows),
            (Stage::Entries(bottom), Resume::Rows(rows)) => self.found(context, bottom, &rows),
            (Stage::Marks(found), Resume::Rows(rows)) => self.answer(context, found, &rows),
            _ => {
                self.stage = Stage::Lowest;
                Progress::Read(vec![entries(FIRST_PLACE, 1)])
            }
        }
    }
}

impl Page {
    /// Knows where the log begins: asks for the entries. What lies further down than that begins where we begin to read.
    fn find(&mut self, context: &Context, rows: &[Vec<Row>]) -> Progress {
        let Some(room) = &context.room else { return self.refuse(not_found()) };
        let row = rows.first().and_then(|rows| rows.first());
        let first = row.and_then(|row| Some((position_of(&row.key).ok()?, LogEntry::decode(&row.value).ok()?)));
        let Some((lowest, entry)) = first else { return self.refuse(not_found()) };
        self.before = self.before.max(lowest);
        let bottom = match &entry {
            LogEntry::Event(first) => read_event(&first.bytes, room.rules()).map(|event| event.prev_events().to_vec()),
            LogEntry::Link { prev_events, .. } => Some(prev_events.clone()),
            LogEntry::Hole { .. } => None,
        };
        let follows = bottom.and_then(|prev_events| prev_events.first().copied());
        self.stage = Stage::Entries(follows.map(|follows| Bottom { position: lowest, follows }));
        let mut query = entries(FIRST_PLACE, self.limit).reversed();
        query.to = Some(position_key(self.before));
        Progress::Read(vec![query])
    }

    /// Has enough, or cannot have more; else fetches a stretch.
    fn found(&mut self, context: &Context, bottom: Option<Bottom>, rows: &[Vec<Row>]) -> Progress {
        let read = |row: &Row| Some((position_of(&row.key).ok()?, LogEntry::decode(&row.value).ok()?));
        let found: Vec<(i64, LogEntry)> = rows.iter().flatten().filter_map(read).collect();
        let missing = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_sub(found.len());
        let is_new = |bottom: &Bottom| self.asked.is_none_or(|asked| bottom.position < asked.position);
        let may_fetch = missing > 0 && self.failure.is_none() && !context.is_hub() && context.are_in_room();
        match bottom.filter(|bottom| may_fetch && is_new(bottom)) {
            Some(bottom) => {
                let reader = Self { asked: Some(bottom), failure: None, stage: Stage::Fresh, ..*self };
                stretch::begin(bottom, missing, Cut::Kept, Box::new(reader))
            }
            None => self.marks(context, found),
        }
    }

    fn marks(&mut self, context: &Context, found: Vec<(i64, LogEntry)>) -> Progress {
        let (Some((last, _)), Some((first, _))) = (found.first(), found.last()) else {
            return match self.failure.take() {
                Some(failure) => self.refuse(failure),
                None => self.answer(context, found, &[]),
            };
        };
        let query = Query::range(Table::Meta, mark(*first), mark(last.saturating_add(1)), u32::MAX);
        self.stage = Stage::Marks(found);
        Progress::Read(vec![query])
    }

    /// Answers, oldest first.
    fn answer(&self, context: &Context, found: Vec<(i64, LogEntry)>, marks: &[Vec<Row>]) -> Progress {
        let marked = marks.iter().flatten().filter_map(|row| position_of(row.key.strip_prefix(UNCHECKED)?).ok());
        let unchecked: Set<i64> = marked.collect();
        let told = |(position, entry): (i64, LogEntry)| {
            let mut told = HistoryEntry {
                position,
                event_id: entry.event_id()?,
                event: None,
                sender_verified: false,
                intact: false,
                authorized: false,
            };
            if let LogEntry::Event(event) = entry {
                told.sender_verified = event.sender == Sender::Verified;
                told.intact = event.integrity == Integrity::Intact;
                told.authorized = !unchecked.contains(&position);
                // What soft-failed is not shown.
                told.event = (!event.soft_failed).then_some(event.bytes);
            }
            Some(told)
        };
        let entries = found.into_iter().rev().filter_map(told).collect();
        let is_unserved = self.failure.as_ref().is_some_and(|failure| failure.code == ErrorCode::NotFound);
        let hole = self.asked.filter(|_| is_unserved).map(|asked| {
            let (room_id, position) = (context.room_id.clone(), asked.position.saturating_sub(1));
            Output::Notify(Notification::Hole { room_id, position, event_id: asked.follows })
        });
        let answer = Output::Respond(self.ticket, Answer::History(entries));
        Progress::Done(hole.into_iter().chain([answer]).collect())
    }

    fn refuse(&self, failure: Failure) -> Progress {
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))])
    }
}

impl Reader for Page {
    fn go_on(self: Box<Self>, _: Option<Bottom>) -> Box<dyn Work> {
        self
    }

    fn end(mut self: Box<Self>, failure: Failure) -> Box<dyn Work> {
        self.failure = Some(failure);
        self
    }
}

/// The key of the mark of an event whose rules could not be checked.
fn mark(position: i64) -> Vec<u8> {
    [UNCHECKED, &position_key(position)].concat()
}
