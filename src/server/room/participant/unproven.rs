//! Events that stand on the hub's signature alone, because the sender's key could not be had: checked again later, without changing their place (spec,
//! section 6, Keys).

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::verify;
use crate::{
    event::{Sender, UnverifiedPdu, VerifyError},
    id::{EventId, Timestamp},
    json::{Limits, parse},
    ordered::Set,
    room::log::{LogEntry, LogEvent, entry, position_key, position_of},
    server::{
        contract::{Moment, Output},
        message::Notification,
        room::{
            context::Context,
            remote::KEY_TIME,
            work::{Change, Progress, Resume, Work},
        },
    },
    store::{DecodeError, Query, Row, Table, WriteBatch},
};

const PREFIX: &[u8] = b"unproven/";

/// A server that had no key to give is asked again after this time, then each time after twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(600);

/// The first round after the room was opened.
const AFTER_OPENING: Duration = Duration::from_secs(60);

/// The longest time between two rounds.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The most events that are checked in one round.
const AT_ONCE: usize = 100;

/// The positions of events whose sender was not checked.
#[derive(Debug)]
pub(in crate::server::room) struct Unproven {
    positions: Set<i64>,
    due: Timestamp,
    wait: Duration,
    /// Where the last round ended: the next one begins behind it, so that whose server never answers keeps no other from being checked.
    last: i64,
}

impl Default for Unproven {
    fn default() -> Self {
        Self { positions: Set::new(), due: Timestamp::default(), wait: FIRST_WAIT, last: i64::MAX }
    }
}

/// Finds the positions.
pub(in crate::server::room) fn query() -> Query {
    Query::prefix(Table::Meta, PREFIX, u32::MAX)
}

/// Checks again what can be checked.
pub(in crate::server::room) fn recheck() -> Box<dyn Work> {
    Box::new(Recheck { pdus: Vec::new() })
}

impl Unproven {
    /// The positions of the rows found.
    pub(in crate::server::room) fn open(rows: &[Row], now: Timestamp) -> Result<Self, DecodeError> {
        let position = |row: &Row| position_of(row.key.strip_prefix(PREFIX).unwrap_or_default());
        let (positions, due) =
            (rows.iter().map(position).collect::<Result<_, _>>()?, now.saturating_add(AFTER_OPENING));
        Ok(Self { positions, due, ..Self::default() })
    }

    /// Adds an event.
    pub(in crate::server::room) fn add(&mut self, position: i64, now: Timestamp, batch: &mut WriteBatch) {
        if self.positions.is_empty() {
            self.wait = FIRST_WAIT;
            self.due = now.saturating_add(FIRST_WAIT);
        }
        self.positions.insert(position);
        batch.put(Table::Meta, key(position), []);
    }

    /// When the next round is due.
    pub(in crate::server::room) fn next_due(&self) -> Option<Timestamp> {
        (!self.positions.is_empty()).then_some(self.due)
    }

    /// Forgets a position.
    pub(in crate::server::room) fn remove(&mut self, position: i64, batch: &mut WriteBatch) {
        self.positions.remove(&position);
        batch.delete(Table::Meta, key(position));
    }

    fn round(&mut self, now: Timestamp) -> Vec<Query> {
        let mut due: Vec<i64> =
            self.positions.iter().copied().filter(|position| *position > self.last).take(AT_ONCE).collect();
        if due.is_empty() {
            due = self.positions.iter().copied().take(AT_ONCE).collect();
        }
        self.last = due.last().copied().unwrap_or(i64::MAX);
        // Until all have had their turn a round follows the other soon.
        let is_last = self.positions.iter().next_back().is_none_or(|end| *end <= self.last);
        self.due = now.saturating_add(if is_last { self.wait } else { AFTER_OPENING });
        if is_last {
            self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        }
        due.into_iter().map(entry).collect()
    }
}

fn key(position: i64) -> Vec<u8> {
    [PREFIX, &position_key(position)].concat()
}

/// Finds the keys and checks; does not write.
struct Recheck {
    pdus: Vec<(i64, UnverifiedPdu)>,
}

impl Work for Recheck {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match resume {
            Resume::Start => {
                let queries = context.unproven.round(moment.now);
                if queries.is_empty() { Progress::Done(Vec::new()) } else { Progress::Read(queries) }
            }
            Resume::Rows(rows) => {
                self.pdus = rows.iter().flatten().filter_map(|row| read(context, row)).collect();
                let Some(hub) = context.hub().cloned() else { return Progress::Done(Vec::new()) };
                let needs = verify::missing_keys(&context.keys, self.pdus.iter().map(|(_, pdu)| pdu), &hub);
                if needs.is_empty() {
                    return self.check(context, moment);
                }
                Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME))
            }
            resume => {
                verify::learn(context, resume);
                self.check(context, moment)
            }
        }
    }
}

fn read(context: &Context, row: &Row) -> Option<(i64, UnverifiedPdu)> {
    let (Ok(position), Ok(LogEntry::Event(stored))) = (position_of(&row.key), LogEntry::decode(&row.value)) else {
        return None;
    };
    let rules = context.room.as_ref()?.rules();
    let limits = Limits { bytes: crate::event::MAX_PDU_BYTES, depth: crate::event::MAX_DEPTH };
    let document = parse(&stored.bytes, rules.key_order, limits).ok()?;
    Some((position, UnverifiedPdu::parse(document, rules).ok()?))
}

impl Recheck {
    fn check(&mut self, context: &Context, moment: Moment) -> Progress {
        let (positions, pdus): (Vec<i64>, Vec<UnverifiedPdu>) = core::mem::take(&mut self.pdus).into_iter().unzip();
        let verdicts = UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now));
        let found = positions.into_iter().zip(verdicts).filter_map(|(position, verdict)| match verdict {
            Ok(pdu) if pdu.sender_check() == Sender::Verified => Some((position, Found::Signed)),
            // That the hub's key is not at hand now says nothing.
            Ok(_) | Err(VerifyError::KeyUnknown(_)) => None,
            Err(_) => Some((position, Found::Forged)),
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() { Progress::Done(Vec::new()) } else { Progress::Write(Box::new(Prove { found })) }
    }
}

#[derive(Clone, Copy)]
enum Found {
    Signed,
    Forged,
}

/// Writes what was found, in its turn.
struct Prove {
    found: Vec<(i64, Found)>,
}

impl Work for Prove {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Resume::Rows(rows) = resume else {
            return Progress::Read(self.found.iter().map(|(position, _)| entry(*position)).collect());
        };
        let mut change = Change::default();
        for ((position, found), rows) in self.found.iter().zip(&rows) {
            let stored = rows.first().and_then(|row| LogEntry::decode(&row.value).ok());
            if let Some(LogEntry::Event(stored)) = stored {
                context.unproven.remove(*position, &mut change.batch);
                let event_id = settle(stored, *position, *found, &mut change.batch);
                let (room_id, sender_verified) = (context.room_id.clone(), matches!(found, Found::Signed));
                let rechecked = Notification::Rechecked { room_id, position: *position, event_id, sender_verified };
                change.then.push(Output::Notify(rechecked));
            }
        }
        Progress::Commit(change)
    }
}

fn settle(mut stored: LogEvent, position: i64, found: Found, batch: &mut WriteBatch) -> EventId {
    let event_id = stored.event_id;
    match found {
        Found::Signed => stored.sender = Sender::Verified,
        Found::Forged => stored.soft_failed = true,
    }
    LogEntry::Event(stored).put(position, batch);
    event_id
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WAIT, Unproven, entry};
    use crate::{id::Timestamp, store::WriteBatch};

    #[test]
    fn every_event_has_its_turn() {
        let (mut unproven, mut now) = (Unproven::default(), Timestamp::new(0));
        (0..250).for_each(|position| unproven.add(position, now, &mut WriteBatch::new()));
        let mut asked = alloc::vec::Vec::new();
        let mut waits = alloc::vec::Vec::new();
        for _ in 0..4 {
            now = unproven.next_due().unwrap();
            asked.extend(unproven.round(now));
            waits.push(unproven.next_due().unwrap().saturating_since(now).as_secs());
        }
        let expected = (0..250).chain(0..100).map(entry).collect::<alloc::vec::Vec<_>>();
        assert_eq!(asked, expected, "the servers of the first hundred say nothing");
        assert_eq!(waits, [60, 60, FIRST_WAIT.as_secs(), 60]);
    }
}
