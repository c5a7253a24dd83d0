//! Answers that need events of the state and what authorises them: send_join, send_knock, invites, and the state of an event.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    candidate::{Placed, ReplyTo, respond},
    context::{Context, not_found},
    known::read_event,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    event::{Event, RoomVersionRules},
    id::EventId,
    json::{ArrayWriter, write_object},
    ordered::{LargeMap, Set},
    room::{
        log::{FIRST_PLACE, LogEntry, LogEvent, entry, place, position_of, state_before},
        state_row::StateRow,
        stripped,
    },
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure},
    },
    store::Row,
};

/// What is answered.
enum Purpose {
    /// The state before a join, the events that authorise it, and the join itself.
    Join,
    /// What an outsider may know of the room.
    Knock,
    /// An appended invite.
    Invite,
    /// The state before an event.
    State,
    /// The same as IDs.
    StateIds,
    /// The events that authorise an event.
    EventAuth,
}

/// Answers send_join.
pub(super) fn send_join(ticket: Ticket, join: EventId, position: i64) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::Join, Some((join, position)))
}

/// Answers send_knock.
pub(super) fn send_knock(ticket: Ticket) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::Knock, None)
}

/// Answers a participant's invite.
pub(super) fn invite(ticket: Ticket, invite: EventId, position: i64) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::Invite, Some((invite, position)))
}

/// Answers for an event that was appended before: finds its place, then answers as the first time.
pub(super) fn again(ticket: Ticket, event_id: EventId, reply: ReplyTo) -> Box<dyn Work> {
    Box::new(Again { ticket, event_id, reply })
}

struct Again {
    ticket: Ticket,
    event_id: EventId,
    reply: ReplyTo,
}

impl Work for Again {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Resume::Rows(rows) = resume else { return Progress::Read(vec![place(self.event_id)]) };
        let position = rows.iter().flatten().find_map(|row| position_of(&row.value).ok());
        let Some(position) = position else {
            return Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(unreadable()))]);
        };
        let mut change = Change::default();
        self.reply.accept(context, None, Placed { event_id: self.event_id, position }, &mut change);
        Progress::Commit(change)
    }
}

/// Answers `state`.
pub(super) fn state(ticket: Ticket, event_id: EventId, position: i64) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::State, Some((event_id, position)))
}

/// Answers `state_ids`.
pub(super) fn state_ids(ticket: Ticket, event_id: EventId, position: i64) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::StateIds, Some((event_id, position)))
}

/// Answers `event_auth`.
pub(super) fn event_auth(ticket: Ticket, event_id: EventId, position: i64) -> Box<dyn Work> {
    Gather::work(ticket, Purpose::EventAuth, Some((event_id, position)))
}

/// Events on their way into an answer.
struct Gather {
    ticket: Ticket,
    purpose: Purpose,
    /// The event that is asked about, and its position.
    about: Option<(EventId, i64)>,
    /// Positions of the state that is asked for.
    state: Set<i64>,
    /// Positions of events that authorise others.
    auth: Set<i64>,
    /// What has been read.
    found: LargeMap<i64, LogEvent>,
    /// IDs of events that authorise others, whose places were asked for.
    asked: Set<EventId>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    StateRows,
    Entries,
    Places,
}

impl Gather {
    fn work(ticket: Ticket, purpose: Purpose, about: Option<(EventId, i64)>) -> Box<dyn Work> {
        let (state, auth) = (Set::new(), Set::new());
        let (found, asked) = (LargeMap::new(), Set::new());
        Box::new(Self { ticket, purpose, about, state, auth, found, asked, stage: Stage::Fresh })
    }

    /// Finds the state that is asked for: the current one if nothing that counts came after it, else by the index.
    fn find_state(&mut self, context: &Context) -> Option<Progress> {
        let room = context.room.as_ref()?;
        match (&self.purpose, self.about) {
            (Purpose::Knock, _) => self.state.extend(stripped::select(&room.state).map(|entry| entry.position)),
            (Purpose::Invite | Purpose::EventAuth, _) | (_, None) => {}
            (_, Some((_, position))) => {
                let mut changed = Vec::new();
                for (kind, state_key, entry) in room.state.entries() {
                    // What came with a later join than `position` has no place that says so.
                    if (FIRST_PLACE..position).contains(&entry.position) {
                        self.state.insert(entry.position);
                    } else {
                        changed.push(state_before(kind, state_key, position));
                    }
                }
                if !changed.is_empty() {
                    self.stage = Stage::StateRows;
                    return Some(Progress::Read(changed));
                }
            }
        }
        None
    }

    /// Reads what is wanted and not read yet; then asks where the events stand that authorise it, until nothing new comes up.
    fn go_on(&mut self, context: &Context) -> Progress {
        let about = self.about.map(|(_, position)| position);
        let wanted = self.state.iter().chain(self.auth.iter()).copied().chain(about);
        let missing: Set<i64> = wanted.filter(|position| !self.found.contains_key(position)).collect();
        if !missing.is_empty() {
            self.stage = Stage::Entries;
            return Progress::Read(missing.into_iter().map(entry).collect());
        }
        self.finish(context)
    }

    /// Takes in entries; the IDs of what authorises them and has not been asked for.
    fn read_entries(&mut self, rules: &'static RoomVersionRules, rows: &[Vec<Row>]) -> Vec<EventId> {
        let mut new = Vec::new();
        for row in rows.iter().flatten() {
            let (Ok(position), Ok(LogEntry::Event(found))) = (position_of(&row.key), LogEntry::decode(&row.value))
            else {
                continue;
            };
            if let Some(event) = read_event(&found.bytes, rules)
                && self.is_chained(position)
            {
                new.extend(event.auth_events().iter().filter(|id| self.asked.insert(**id)).copied());
            }
            self.found.insert(position, found);
        }
        new
    }

    /// Whether the events that authorise the one at `position` are wanted too.
    fn is_chained(&self, position: i64) -> bool {
        match self.purpose {
            Purpose::Knock | Purpose::Invite => false,
            Purpose::EventAuth => true,
            Purpose::Join | Purpose::State | Purpose::StateIds => {
                self.about.is_none_or(|(_, about)| about != position) || self.state.contains(&position)
            }
        }
    }

    fn finish(&self, context: &Context) -> Progress {
        let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return self.refuse(not_found()) };
        let about = self.about.and_then(|(_, position)| self.found.get(&position));
        let mut body = Vec::new();
        match (&self.purpose, about) {
            (Purpose::Join, Some(join)) => write_object(&mut body, |body| {
                body.array("auth_chain", |chain| self.events(&self.auth, chain));
                body.raw("event", &join.bytes);
                let all = self.state.iter().chain(self.auth.iter()).copied().collect();
                body.array("state", |state| self.events(&all, state));
            }),
            (Purpose::Invite, Some(invite)) => write_object(&mut body, |body| {
                body.raw("event", &invite.bytes);
                body.raw("pdu", &invite.bytes);
            }),
            (Purpose::Knock, _) => write_object(&mut body, |body| {
                body.array("stripped_state", |state| {
                    for event in self.state.iter().filter_map(|position| self.event(*position, rules)) {
                        let mut bytes = Vec::new();
                        stripped::write(&event, &mut bytes);
                        state.raw(&bytes);
                    }
                });
            }),
            (Purpose::State, _) => write_object(&mut body, |body| {
                body.array("auth_chain", |chain| self.events(&self.auth, chain));
                body.array("pdus", |state| self.events(&self.state, state));
            }),
            (Purpose::StateIds, _) => write_object(&mut body, |body| {
                body.array("auth_chain_ids", |chain| self.ids(&self.auth, chain));
                body.array("pdu_ids", |state| self.ids(&self.state, state));
            }),
            (Purpose::EventAuth, _) => write_object(&mut body, |body| {
                body.array("auth_chain", |chain| self.events(&self.auth, chain));
            }),
            (Purpose::Join | Purpose::Invite, None) => return self.refuse(unreadable()),
        }
        Progress::Done(vec![respond(self.ticket, body)])
    }

    fn event(&self, position: i64, rules: &'static RoomVersionRules) -> Option<Event> {
        self.found.get(&position).and_then(|found| read_event(&found.bytes, rules))
    }

    fn events(&self, positions: &Set<i64>, out: &mut ArrayWriter<'_>) {
        positions.iter().filter_map(|position| self.found.get(position)).for_each(|found| out.raw(&found.bytes));
    }

    fn ids(&self, positions: &Set<i64>, out: &mut ArrayWriter<'_>) {
        let found = positions.iter().filter_map(|position| self.found.get(position));
        found.for_each(|found| out.string(&alloc::format!("{}", found.event_id)));
    }

    fn refuse(&self, failure: Failure) -> Progress {
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))])
    }
}

impl Work for Gather {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return self.refuse(not_found()) };
        match (self.stage, resume) {
            (Stage::StateRows, Resume::Rows(rows)) => {
                let index = rows.iter().flatten().filter_map(position_of_index);
                self.state.extend(index);
            }
            (Stage::Entries, Resume::Rows(rows)) => {
                // What is not there to be read is not looked for again.
                let new = self.read_entries(rules, &rows);
                let found = &self.found;
                for wanted in [&mut self.state, &mut self.auth] {
                    *wanted =
                        core::mem::take(wanted).into_iter().filter(|position| found.contains_key(position)).collect();
                }
                if self.about.is_some_and(|(_, position)| !found.contains_key(&position)) {
                    return self.refuse(unreadable());
                }
                if !new.is_empty() {
                    self.stage = Stage::Places;
                    return Progress::Read(new.into_iter().map(place).collect());
                }
            }
            (Stage::Places, Resume::Rows(rows)) => {
                self.auth.extend(rows.iter().flatten().filter_map(|row| position_of(&row.value).ok()));
            }
            _ => {
                if let Some(progress) = self.find_state(context) {
                    return progress;
                }
            }
        }
        self.go_on(context)
    }
}

/// Where the event stands that a row of the state index names. What came as state with a join stands elsewhere than it counts from.
fn position_of_index(row: &Row) -> Option<i64> {
    let key = row.key.len().checked_sub(9).and_then(|at| row.key.get(..at))?;
    StateRow::decode(key, &row.value).ok().map(|row| row.entry().position)
}

fn unreadable() -> Failure {
    Failure::new(500, ErrorCode::Unknown, "an event of the answer could not be read from the store")
}
