//! Events that stand on the hub's signature alone, because the sender's key could not be had: checked again later, without changing their place (spec,
//! section 6, Keys).

use alloc::{boxed::Box, vec::Vec};

use super::verify;
use crate::{
    event::{Sender, UnverifiedPdu, VerifyError},
    id::EventId,
    json::{Limits, parse},
    room::log::{LogEntry, LogEvent, entry, position_of},
    server::{
        contract::{Moment, Output},
        message::Notification,
        room::{
            context::Context,
            remote::KEY_TIME,
            work::{Change, Progress, Resume, Work},
        },
    },
    store::{Row, WriteBatch},
};

/// Rows of the positions of events whose sender was not checked.
pub(in crate::server::room) const PREFIX: &[u8] = b"unproven/";

/// The most events that are checked in one round.
const AT_ONCE: usize = 100;

/// Checks again what can be checked.
pub(in crate::server::room) fn recheck() -> Box<dyn Work> {
    Box::new(Recheck { pdus: Vec::new() })
}

/// Finds the keys and checks; does not write.
struct Recheck {
    pdus: Vec<(i64, UnverifiedPdu)>,
}

impl Work for Recheck {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match resume {
            Resume::Start => {
                let queries = context.unproven.round(moment.now, AT_ONCE);
                if queries.is_empty() { Progress::Done(Vec::new()) } else { Progress::Read(queries) }
            }
            Resume::Rows(rows) => {
                self.pdus = rows.iter().flatten().filter_map(|row| read(context, row)).collect();
                let Some(hub) = context.hub().cloned() else { return self.check(context, moment) };
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
        Progress::Write(Box::new(Prove { found: found.collect() }))
    }
}

#[derive(Clone, Copy)]
enum Found {
    Signed,
    Forged,
}

/// Writes what was found, in its turn, and when the next round is due.
struct Prove {
    found: Vec<(i64, Found)>,
}

impl Work for Prove {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let rows = match resume {
            Resume::Rows(rows) => rows,
            _ if self.found.is_empty() => Vec::new(),
            _ => return Progress::Read(self.found.iter().map(|(position, _)| entry(*position)).collect()),
        };
        let mut change = Change::default();
        context.unproven.keep_times(&mut change.batch);
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
