//! What others may read of the room: events, history, the state at an event (spec, sections 6 and 10).

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    candidate::respond,
    context::{Context, not_found},
    history::stretch::WHOLE,
    hub::denied_by_acl,
    known::read_event,
    state_answer,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    event::{Event, redact},
    id::{EventId, ServerName, UserId},
    json::write_object,
    room::{
        kind,
        log::{FIRST_PLACE, LogEntry, LogEvent, entries, place, position_key, position_of, state_before},
        membership::Membership,
        state::RoomState,
        state_row::StateRow,
        visibility::{self, Presence, ServerBefore, Visibility},
    },
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure, RoomRead},
    },
    store::Row,
};

/// The most events of one backfill (spec, section 6).
const MOST: u32 = 100;

/// Answers a server.
pub(super) fn work(ticket: Ticket, origin: ServerName, read: RoomRead) -> Box<dyn Work> {
    Box::new(Read { ticket, origin, read, stage: Stage::Fresh, about: Vec::new() })
}

/// Answers a local user or operator.
pub(super) fn timeline(ticket: Ticket, from: i64, limit: u32) -> Box<dyn Work> {
    Box::new(Timeline { ticket, from, limit })
}

struct Read {
    ticket: Ticket,
    origin: ServerName,
    read: RoomRead,
    stage: Stage,
    /// The (type, state key) pairs whose state before the first entry is asked for.
    about: Vec<(&'static str, alloc::string::String)>,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    Place,
    /// Asked where our log begins, about an event at this position.
    Begins(i64),
    Entries,
}

impl Work for Read {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        let progress = match (self.stage, resume) {
            (Stage::Fresh, _) => self.begin(context),
            (Stage::Place, Resume::Rows(rows)) => self.placed(context, &rows),
            (Stage::Begins(last), Resume::Rows(rows)) => self.range(context, last, begins_with_create(context, &rows)),
            (Stage::Entries, Resume::Rows(rows)) => self.answer(context, &rows),
            _ => Err(not_found()),
        };
        progress.unwrap_or_else(|failure| Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]))
    }
}

impl Read {
    /// The order of the checks is the spec's: an unknown room and one without the caller look alike.
    fn begin(&mut self, context: &Context) -> Result<Progress, Failure> {
        let room = context.room.as_ref().ok_or_else(not_found)?;
        let is_outside = !context.is_in_room(&self.origin);
        // What is world-readable at its own position outsiders may read; the entry itself decides below.
        if is_outside && room.head.is_none() {
            return Err(not_found());
        }
        // An outsider hears of the list only about what it could read without it.
        if !is_outside && !context.admits(&self.origin) {
            return Err(denied_by_acl());
        }
        self.stage = Stage::Place;
        Ok(Progress::Read(vec![place(self.event_id())]))
    }

    const fn event_id(&self) -> EventId {
        match self.read {
            RoomRead::Event(id)
            | RoomRead::State(id)
            | RoomRead::StateIds(id)
            | RoomRead::EventAuth(id)
            | RoomRead::Backfill { until: id, .. } => id,
        }
    }

    /// The event stands somewhere.
    fn placed(&mut self, context: &Context, rows: &[Vec<Row>]) -> Result<Progress, Failure> {
        let row = rows.first().and_then(|rows| rows.first()).ok_or_else(unknown_event)?;
        let last = position_of(&row.value).map_err(|_| unknown_event())?;
        if self.first(last) >= 0 {
            return self.range(context, last, Begins::Here);
        }
        self.stage = Stage::Begins(last);
        Ok(Progress::Read(vec![entries(FIRST_PLACE, 1)]))
    }

    /// The first position that is asked for.
    fn first(&self, last: i64) -> i64 {
        match self.read {
            RoomRead::Backfill { limit, .. } => last.saturating_sub(i64::from(limit.clamp(1, MOST)).saturating_sub(1)),
            _ => last,
        }
    }

    /// Reads the event, those before it for a backfill, and the state that says who may see them. What the state was before our join, and so who may see what
    /// was said then, we know only if we hold everything down to the create event.
    fn range(&mut self, context: &Context, last: i64, begins: Begins) -> Result<Progress, Failure> {
        let first = match begins {
            Begins::Here => self.first(last),
            Begins::Later if last >= 0 => 0,
            // What came as state with our join every server in the room has as well.
            Begins::Later if last < FIRST_PLACE && matches!(self.read, RoomRead::Event(_) | RoomRead::EventAuth(_)) => {
                last
            }
            Begins::Later => return Err(unknown_event()),
        };
        let room = context.room.as_ref().ok_or_else(not_found)?;
        let theirs = room.state.members().map(|(user, _)| user);
        let theirs = theirs.filter(|user| UserId::parse(user).is_ok_and(|user| user.server() == self.origin.as_str()));
        self.about = theirs.map(|user| (kind::MEMBER, user.into())).collect();
        self.about.push((kind::HISTORY_VISIBILITY, alloc::string::String::new()));
        let mut range = entries(first, MOST);
        range.to = Some(position_key(last.saturating_add(1)));
        let before = self.about.iter().map(|(kind, state_key)| state_before(kind, state_key, first));
        self.stage = Stage::Entries;
        Ok(Progress::Read(core::iter::once(range).chain(before).collect()))
    }

    fn answer(&self, context: &Context, rows: &[Vec<Row>]) -> Result<Progress, Failure> {
        let room = context.room.as_ref().ok_or_else(not_found)?;
        let (log, before) = rows.split_first().ok_or_else(unknown_event)?;
        let mut viewer = Viewer::before(context, &self.origin, &self.about, before)?;
        let mut seen = Vec::new();
        let mut last = None;
        for row in log {
            let (Ok(position), Ok(LogEntry::Event(found))) = (position_of(&row.key), LogEntry::decode(&row.value))
            else {
                continue;
            };
            let Some(event) = read_event(&found.bytes, room.rules()) else { continue };
            let sees = viewer.pass(&event, &found, position);
            last = Some((found.event_id, position, sees));
            match sees {
                Visibility::Visible => seen.push(found.bytes),
                Visibility::Redacted => seen.push(redact(&event)),
                Visibility::Hidden => {}
            }
        }
        let (event_id, position, sees) = last.filter(|(id, ..)| *id == self.event_id()).ok_or_else(unknown_event)?;
        if sees == Visibility::Hidden {
            return Err(unknown_event());
        }
        if !context.admits(&self.origin) {
            return Err(denied_by_acl());
        }
        let follow = match self.read {
            RoomRead::State(_) => state_answer::state(self.ticket, event_id, position),
            RoomRead::StateIds(_) => state_answer::state_ids(self.ticket, event_id, position),
            RoomRead::EventAuth(_) => state_answer::event_auth(self.ticket, event_id, position),
            RoomRead::Event(_) => return Ok(self.respond(seen.pop().unwrap_or_default())),
            RoomRead::Backfill { .. } => {
                let mut body = Vec::new();
                write_object(&mut body, |body| {
                    if viewer.sees_all {
                        body.bool(WHOLE, true);
                    }
                    body.array("pdus", |pdus| seen.iter().for_each(|event| pdus.raw(event)))
                });
                return Ok(self.respond(body));
            }
        };
        Ok(Progress::Commit(Change { follow: vec![follow], ..Change::default() }))
    }

    fn respond(&self, body: Vec<u8>) -> Progress {
        Progress::Done(vec![respond(self.ticket, body)])
    }
}

/// Where our log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// With the create event.
    Here,
    /// With our join, or with what was read of the past.
    Later,
}

fn begins_with_create(context: &Context, rows: &[Vec<Row>]) -> Begins {
    let rules = context.room.as_ref().map(|room| room.rules());
    let first = rows.first().and_then(|rows| LogEntry::decode(&rows.first()?.value).ok());
    match (first, rules) {
        (Some(LogEntry::Event(first)), Some(rules))
            if read_event(&first.bytes, rules).is_some_and(|event| event.kind() == kind::CREATE) =>
        {
            Begins::Here
        }
        _ => Begins::Later,
    }
}

/// What a server may see, walking down the log.
struct Viewer<'a> {
    server: &'a ServerName,
    now: Presence,
    /// Between these it is treated as in the room where it was: it is out of it, and has not heard the last of its time there.
    farewell: Option<(i64, i64)>,
    /// The part of the state before the next event that decides.
    state: RoomState,
    /// The server may become the hub: it must see all.
    sees_all: bool,
}

impl<'a> Viewer<'a> {
    fn before(
        context: &Context,
        server: &'a ServerName,
        about: &[(&'static str, alloc::string::String)],
        rows: &[Vec<Row>],
    ) -> Result<Self, Failure> {
        let room = context.room.as_ref().ok_or_else(not_found)?;
        let mut found = Vec::new();
        for ((kind, state_key), rows) in about.iter().zip(rows) {
            let key = crate::room::state_row::key_of(kind, state_key);
            found.extend(rows.first().and_then(|row| StateRow::decode(&key, &row.value).ok()));
        }
        let state = RoomState::restore(context.room_id.clone(), room.rules(), found).map_err(|_| unknown_event())?;
        let now = if context.is_in_room(server) { Presence::InRoom } else { Presence::Outside };
        let sees_all = now == Presence::InRoom && context.is_hub() && context.consents.contains(server);
        let farewell = context.owed.farewell(server);
        Ok(Self { server, now, farewell, state, sees_all })
    }

    /// Whether the next event is seen; moves past it.
    fn pass(&mut self, event: &Event, found: &LogEvent, position: i64) -> Visibility {
        let mut joined = false;
        let mut invited = false;
        for (user, membership) in self.state.members() {
            if UserId::parse(user).is_ok_and(|user| user.server() == self.server.as_str()) {
                joined |= membership == Membership::Join;
                invited |= membership == Membership::Invite;
            }
        }
        let before = ServerBefore { visibility: self.state.history_visibility(), joined, invited };
        let is_owed = joined && self.farewell.is_some_and(|(sent, until)| sent < position && position <= until);
        let now = if is_owed { Presence::InRoom } else { self.now };
        let sees = visibility::to_server(event, self.server.as_str(), now, before);
        self.state.apply(event, found.event_id, position);
        if self.sees_all { Visibility::Visible } else { sees }
    }
}

struct Timeline {
    ticket: Ticket,
    from: i64,
    limit: u32,
}

impl Work for Timeline {
    fn step(&mut self, _: &mut Context, _: Moment, resume: Resume) -> Progress {
        let Resume::Rows(rows) = resume else { return Progress::Read(vec![entries(self.from, self.limit)]) };
        let decoded = rows.iter().flatten().filter_map(|row| {
            let position = position_of(&row.key).ok()?;
            match LogEntry::decode(&row.value).ok()? {
                // What soft-failed is not shown.
                LogEntry::Event(event) => Some((position, event.event_id, (!event.soft_failed).then_some(event.bytes))),
                LogEntry::Link { event_id, .. } => Some((position, event_id, None)),
                LogEntry::Hole { event_id } => Some((position, event_id?, None)),
            }
        });
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Entries(decoded.collect()))])
    }
}

fn unknown_event() -> Failure {
    Failure::new(404, ErrorCode::NotFound, "no such event here, or it is not visible to your server")
}
