//! Retention at work (spec, section 10): what has outlived the room's policy becomes its redacted form, some entries at a time.
//!
//! A cursor goes up the log. Invariant: below it every event is purged, or is never to be, or has a row under its own time; so neither an opening nor a new
//! policy has to look at all of the history again. The rows are for what does not grow old in the order of the log: timestamps are their senders' to choose,
//! and what is read of the past lies below the cursor.
//!
//! What was purged is known for ever as an LPDU (spec, section 4), so that a hub appends nothing twice.

use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use super::{
    context::Context,
    known::read_event,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    event::{Event, Integrity, redact},
    id::Timestamp,
    room::{
        head::Room,
        log::{FIRST_PLACE, LogEntry, LogEvent, entries, entry, position_key, position_of},
        retention::{KeepReason, Purge, RetentionPolicy, purge},
    },
    server::{
        contract::{Moment, Output},
        message::Notification,
    },
    store::{Query, Row, Table, WriteBatch},
};

/// The row in [`Table::Meta`] that holds the cursor.
const CURSOR: &[u8] = b"purged to";

/// Rows of events below the cursor that are still whole: this, their timestamp, their position.
const LATE: &[u8] = b"late/";

/// Entries that are looked at in one step.
const AT_ONCE: u32 = 100;

/// The time between two steps when there is more to do.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the log is purged.
#[derive(Debug)]
pub(super) struct Purged {
    cursor: i64,
    /// The policy by which it was last looked what is due.
    policy: RetentionPolicy,
    due: Option<Timestamp>,
}

impl Default for Purged {
    fn default() -> Self {
        Self { cursor: FIRST_PLACE, policy: RetentionPolicy::default(), due: None }
    }
}

/// Finds the cursor.
pub(super) fn query() -> Query {
    Query::one(Table::Meta, CURSOR)
}

impl Purged {
    /// As the row says.
    pub(super) fn open(rows: &[Row]) -> Self {
        let cursor = rows.first().and_then(|row| position_of(&row.value).ok());
        Self { cursor: cursor.unwrap_or(FIRST_PLACE), ..Self::default() }
    }
}

impl Context {
    /// When something is to be purged.
    pub(super) fn purge_due(&self) -> Option<Timestamp> {
        let policy = self.room.as_ref()?.state.retention();
        policy.max_lifetime()?;
        if self.purged.policy == *policy { self.purged.due } else { Some(self.now) }
    }

    /// An event has got its place in the log, whole. The one before it may be purged from now on, being no longer the newest.
    pub(super) fn ages(&mut self, event: &Event, position: i64, batch: &mut WriteBatch) {
        let Some(policy) = self.room.as_ref().map(|room| *room.state.retention()) else { return };
        if let Some(max) = policy.max_lifetime() {
            let soon = self.now.saturating_add(lag(max));
            self.purged.due = Some(self.purged.due.map_or(soon, |due| due.min(soon)));
        }
        let is_late = match purge(event, false, &policy, self.now) {
            Purge::Allowed => true,
            Purge::Keep(reason) => reason == KeepReason::Young && position < self.purged.cursor,
        };
        if is_late {
            batch.put(Table::Meta, late_key(event.origin_server_ts(), position), []);
        }
    }
}

/// How long after its time something may be purged: so that not every event needs a step of its own.
fn lag(max_lifetime: u64) -> Duration {
    Duration::from_millis((max_lifetime / 100).clamp(1_000, 3_600_000))
}

fn late_key(at: Timestamp, position: i64) -> Vec<u8> {
    [LATE, &at.millis().to_be_bytes(), &position_key(position)].concat()
}

/// The timestamp and the position of a row of [`LATE`].
fn read_late(row: &Row) -> Option<(Timestamp, i64)> {
    let (at, position) = row.key.strip_prefix(LATE)?.split_first_chunk()?;
    Some((Timestamp::new(u64::from_be_bytes(*at)), position_of(position).ok()?))
}

/// Purges what is due, as far as one step goes.
pub(super) fn step() -> Box<dyn Work> {
    Box::new(Step { log: None, late: Vec::new(), next_late: None, has_more: false })
}

struct Step {
    /// The entries from the cursor on, once they were read.
    log: Option<Vec<Row>>,
    /// Rows of what is due below the cursor.
    late: Vec<Row>,
    /// The timestamp of the first that is not due.
    next_late: Option<Timestamp>,
    /// There may be more of what is due.
    has_more: bool,
}

impl Work for Step {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let Some(Room { state, head: Some(head) }) = &context.room else { return Progress::Done(Vec::new()) };
        let Some(max) = state.retention().max_lifetime() else { return Progress::Done(Vec::new()) };
        match resume {
            Resume::Rows(mut tables) if self.log.is_none() => {
                self.log = tables.pop();
                let is_due = |at: Timestamp| moment.now.saturating_since(at).as_millis() > u128::from(max);
                let late = tables.pop().unwrap_or_default();
                self.has_more = is_full(&late);
                for row in late {
                    match read_late(&row) {
                        Some((at, _)) if !is_due(at) => {
                            (self.next_late, self.has_more) = (Some(at), false);
                            break;
                        }
                        // The newest has to wait until it is not.
                        Some((_, position)) if position != head.position => self.late.push(row),
                        _ => {}
                    }
                }
                let places = self.late.iter().filter_map(read_late);
                let queries: Vec<Query> = places.map(|(_, position)| entry(position)).collect();
                if queries.is_empty() { self.purge(context, moment, &[]) } else { Progress::Read(queries) }
            }
            Resume::Rows(rows) => self.purge(context, moment, &rows),
            _ => {
                let mut log = entries(context.purged.cursor, AT_ONCE);
                log.to = Some(position_key(head.position));
                Progress::Read(vec![Query::prefix(Table::Meta, LATE, AT_ONCE), log])
            }
        }
    }
}

/// What a step finds at a place.
enum Found {
    /// Nothing to purge, now or ever.
    Settled,
    /// An event whose time is over.
    Old(LogEvent, Event),
    /// An event of this time, which is not over yet.
    Young(Timestamp),
}

fn look(room: &Room, row: &Row, now: Timestamp) -> Found {
    let Ok(LogEntry::Event(stored)) = LogEntry::decode(&row.value) else { return Found::Settled };
    if stored.integrity == Integrity::Redacted {
        return Found::Settled;
    }
    let Some(event) = read_event(&stored.bytes, room.rules()) else { return Found::Settled };
    match purge(&event, false, room.state.retention(), now) {
        Purge::Allowed => Found::Old(stored, event),
        Purge::Keep(KeepReason::Young) => Found::Young(event.origin_server_ts()),
        Purge::Keep(_) => Found::Settled,
    }
}

fn is_full(rows: &[Row]) -> bool {
    rows.len() >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX)
}

impl Step {
    fn purge(&mut self, context: &mut Context, moment: Moment, late: &[Vec<Row>]) -> Progress {
        let (Some(room), log) = (&context.room, self.log.take().unwrap_or_default()) else {
            return Progress::Done(Vec::new());
        };
        let mut change = Change::default();
        let mut write = |position: i64, mut stored: LogEvent, event: &Event| {
            (stored.bytes, stored.integrity) = (redact(event), Integrity::Redacted);
            let room_id = context.room_id.clone();
            let (event_id, event) = (stored.event_id, stored.bytes.clone());
            stored.put(position, &mut change.batch);
            change.then.push(Output::Notify(Notification::Purged { room_id, position, event_id, event }));
        };
        let find = |row: &Row| Some((position_of(&row.key).ok()?, look(room, row, moment.now)));
        let late: Vec<(i64, Found)> = late.iter().flatten().filter_map(find).collect();
        let is_late = |row: &&Row| late.iter().any(|(position, _)| position_of(&row.key) == Ok(*position));
        let found: Vec<(i64, Found)> = log.iter().filter(|row| !is_late(row)).filter_map(find).collect();
        for (position, found) in late {
            if let Found::Old(stored, event) = found {
                write(position, stored, &event);
            }
        }
        let is_old = |(_, found): &(i64, Found)| matches!(found, Found::Old(..));
        let (mut left, mut cursor) = (found.iter().filter(|found| is_old(found)).count(), context.purged.cursor);
        let (mut stands, mut next, mut passed) = (false, self.next_late, Vec::new());
        for (position, found) in found {
            match found {
                Found::Old(stored, event) => {
                    left = left.saturating_sub(1);
                    write(position, stored, &event);
                }
                // One from the future would hold up all that is behind it.
                Found::Young(at) if !stands && (left > 0 || at > moment.now) => {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    passed.push(late_key(at, position));
                }
                Found::Young(at) => {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    stands = true;
                }
                Found::Settled => {}
            }
            if !stands {
                cursor = position.saturating_add(1);
            }
        }
        passed.into_iter().for_each(|key| change.batch.put(Table::Meta, key, []));
        let has_more = self.has_more || (is_full(&log) && !stands);
        for row in core::mem::take(&mut self.late) {
            change.batch.delete(Table::Meta, row.key);
        }
        if cursor != context.purged.cursor {
            change.batch.put(Table::Meta, CURSOR, position_key(cursor));
        }
        let policy = *room.state.retention();
        let max = policy.max_lifetime().unwrap_or_default();
        let next = next.map(|at| at.saturating_add(Duration::from_millis(max.saturating_add(1))));
        let due = match has_more {
            true => Some(moment.now.saturating_add(PAUSE)),
            false => next.map(|next| next.max(moment.now.saturating_add(lag(max)))),
        };
        context.purged = Purged { cursor, policy, due };
        Progress::Commit(change)
    }
}
