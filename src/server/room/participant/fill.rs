//! Filling a hole: what nobody served when it was missed is asked for again, and takes the place that was kept for it (spec, section 4).
//!
//! Whoever serves it, the event is the one that the next one names by its hash. It is judged by the state at its place, as it would have been then; what was
//! decided since without it stays as it is. A hole that may hide more than one event stays, or one where a fork would begin: there is no place for the others.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{apply::gap_key, verify};
use crate::{
    event::{Event, Integrity, Sender, UnverifiedPdu, VerifiedPdu},
    id::{EventId, ServerName},
    room::{
        authorize::{self, Before},
        kind,
        log::{LogEntry, LogEvent, entry, place, position_of, state_before, state_index_key},
        redaction::{self, Effect},
        state::RoomState,
        state_row::{StateRow, key_of},
    },
    server::{
        contract::{Moment, Output},
        message::Notification,
        paths::PFX,
        room::{
            accounts,
            advance::put_state,
            context::Context,
            history::REDACTED_ROW,
            known::KnownLog,
            remote::{self, KEY_TIME, Reply, fetch},
            transfer,
            work::{Change, Progress, Resume, Work},
        },
        route::percent,
    },
    store::{Query, Row, Table},
};

/// Rows of holes that may still be filled.
pub(in crate::server::room) const PREFIX: &[u8] = b"hole/";

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 17;

/// Asks for what belongs into the hole whose turn it is; does not write.
pub(in crate::server::room) fn ask() -> Box<dyn Work> {
    Box::new(Ask { hole: None, sources: Vec::new(), stage: Stage::Fresh })
}

struct Ask {
    hole: Option<(i64, EventId)>,
    /// Whom to ask, the last first.
    sources: Vec<ServerName>,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Asked which event is missing.
    Hole,
    /// Asked for it.
    Asked(ServerName),
    /// Asked for the keys that it is signed with.
    Keys(UnverifiedPdu),
}

impl Work for Ask {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (core::mem::replace(&mut self.stage, Stage::Fresh), resume) {
            (Stage::Hole, Resume::Rows(rows)) => {
                let row = rows.iter().flatten().next();
                let read = |row: &Row| Some((position_of(&row.key).ok()?, LogEntry::decode(&row.value).ok()?));
                let Some((position, LogEntry::Hole { event_id: Some(event_id) })) = row.and_then(read) else {
                    return end(None);
                };
                self.hole = Some((position, event_id));
                self.sources = sources(context, moment);
                self.next(context, moment)
            }
            (Stage::Asked(source), resume) => self.answered(context, moment, &source, resume),
            (Stage::Keys(pdu), resume) => {
                verify::learn(context, resume);
                self.verify(context, moment, pdu)
            }
            _ => {
                let queries = context.holes.round(moment.now, 1);
                if queries.is_empty() || context.is_hub() || !context.are_in_room() {
                    return end(None);
                }
                self.stage = Stage::Hole;
                Progress::Read(queries)
            }
        }
    }
}

/// The hub, and one other server in the room.
fn sources(context: &Context, moment: Moment) -> Vec<ServerName> {
    let Some(room) = &context.room else { return Vec::new() };
    let (hub, ours) = (context.hub(), context.identity.name());
    let others: Vec<&ServerName> = room
        .state
        .joined_servers()
        .map(|(server, _)| server)
        .filter(|server| *server != ours && Some(*server) != hub)
        .collect();
    let [chance, ..] = moment.random;
    let other = usize::from(chance).checked_rem(others.len()).and_then(|at| others.get(at).copied());
    other.into_iter().chain(hub).cloned().collect()
}

impl Ask {
    fn next(&mut self, context: &Context, moment: Moment) -> Progress {
        let Some((position, event_id)) = self.hole else { return end(None) };
        match self.sources.pop() {
            Some(source) => {
                let event_id = percent::encode(&alloc::format!("{event_id}"));
                let target = alloc::format!("{PFX}/event/{event_id}");
                let deadline = moment.now.saturating_add(ANSWER_TIME);
                let progress = fetch(&source, http::Method::GET, target, None, deadline);
                self.stage = Stage::Asked(source);
                progress
            }
            // After some days of asking it stays a hole.
            None => end(Some(position).filter(|_| context.holes.has_waited_longest())),
        }
    }

    fn answered(&mut self, context: &Context, moment: Moment, source: &ServerName, resume: Resume) -> Progress {
        let rules = context.room.as_ref().map(|room| room.rules());
        let pdu = match (remote::reply(resume, source, MAX_ANSWER), rules) {
            (Reply::Body(body), Some(rules)) => UnverifiedPdu::parse_answer(body, rules).ok(),
            _ => None,
        };
        let missing = self.hole.map(|(_, event_id)| event_id);
        match pdu.filter(|pdu| Some(pdu.event_id()) == missing) {
            Some(pdu) => {
                let hub = context.hub().unwrap_or(source);
                let needs = verify::missing_keys(&context.keys, core::iter::once(&pdu), hub);
                if needs.is_empty() {
                    return self.verify(context, moment, pdu);
                }
                self.stage = Stage::Keys(pdu);
                Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME))
            }
            None => self.next(context, moment),
        }
    }

    fn verify(&mut self, context: &Context, moment: Moment, pdu: UnverifiedPdu) -> Progress {
        match (pdu.verify(&context.keys.at(moment.now)), self.hole) {
            (Ok(pdu), Some((position, _))) => Progress::Write(Box::new(Fill::new(position, pdu))),
            _ => self.next(context, moment),
        }
    }
}

/// Ends a round that has filled nothing; a hole that is given up is let be.
fn end(given_up: Option<i64>) -> Progress {
    Progress::Write(Box::new(End { given_up }))
}

struct End {
    given_up: Option<i64>,
}

impl Work for End {
    fn step(&mut self, context: &mut Context, _: Moment, _: Resume) -> Progress {
        let mut change = Change::default();
        if let Some(position) = self.given_up {
            context.holes.remove(position, &mut change.batch);
        }
        context.holes.keep_times(&mut change.batch);
        Progress::Commit(change)
    }
}

/// Puts the event in its place, in its turn.
struct Fill {
    position: i64,
    pdu: Option<Box<VerifiedPdu>>,
    /// What of the state decides: type and state key.
    about: Vec<(&'static str, alloc::string::String)>,
    /// The state at the place, once it was read.
    state: Option<RoomState>,
}

impl Fill {
    fn new(position: i64, pdu: VerifiedPdu) -> Self {
        let event = pdu.event();
        let plain = [kind::CREATE, kind::POWER_LEVELS, kind::JOIN_RULES, kind::HUB];
        let mut about: Vec<_> = plain.into_iter().map(|kind| (kind, "".into())).collect();
        about.push((kind::MEMBER, event.sender().as_str().into()));
        let target = event.state_key().filter(|target| *target != event.sender().as_str());
        about.extend(target.map(|target| (kind::MEMBER, target.into())));
        Self { position, pdu: Some(Box::new(pdu)), about, state: None }
    }

    /// What stands at the place, what became of the LPDU, the state there, and where everything stands that the event names.
    fn queries(&self, pdu: &VerifiedPdu) -> Vec<Query> {
        let event = pdu.event();
        let lpdu = pdu.lpdu_id().unwrap_or(pdu.event_id());
        let state = self.about.iter().map(|(kind, state_key)| state_before(kind, state_key, self.position));
        let named = event.prev_events().iter().chain(event.auth_events()).copied().chain(redaction::target(event));
        [entry(self.position), Query::one(Table::Lpdus, *lpdu.as_bytes())]
            .into_iter()
            .chain(state)
            .chain(named.map(place))
            .collect()
    }

    /// Takes in the state; the entries to read, unless the event does not fit.
    fn read(&mut self, context: &Context, pdu: &VerifiedPdu, rows: &[Vec<Row>]) -> Option<Vec<Query>> {
        let [hole, lpdu, rest @ ..] = rows else { return None };
        let is_hole = matches!(LogEntry::decode(&hole.first()?.value), Ok(LogEntry::Hole { event_id }) if event_id == Some(pdu.event_id()));
        let (state, places) = rest.split_at_checked(self.about.len())?;
        // One that follows another than the entry before it would be a fork, and two of a fork cannot be told from here.
        let follows = places.first()?.first().and_then(|row| position_of(&row.value).ok());
        let is_next = pdu.event().prev_events().len() == 1 && follows == self.position.checked_sub(1);
        if !is_hole || !lpdu.is_empty() || !is_next {
            return None;
        }
        let found = self.about.iter().zip(state).filter_map(|((kind, state_key), rows)| {
            StateRow::decode(&key_of(kind, state_key), &rows.first()?.value).ok()
        });
        let room = context.room.as_ref()?;
        self.state = Some(RoomState::restore(context.room_id.clone(), room.rules(), found).ok()?);
        Some(KnownLog::entries_at(places))
    }
}

impl Work for Fill {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let Some(pdu) = self.pdu.take() else { return end(None) };
        match (resume, self.state.take()) {
            (Resume::Rows(rows), Some(state)) => {
                let mut known = KnownLog::default();
                known.read(&rows, context);
                let redacts = match redaction::effect(pdu.event(), &state, &known) {
                    Effect::Redacts(target) => Some(target),
                    Effect::Nothing(_) => None,
                };
                match authorize::pdu(*pdu, Before { state: &state, known: &known }) {
                    Ok(pdu) => self.write(context, moment, &pdu.into_verified(), (known, redacts)),
                    // What we know of the state there may be too little. It has its turn again.
                    Err(_) => end(None),
                }
            }
            (Resume::Rows(rows), None) => match self.read(context, &pdu, &rows) {
                Some(queries) => {
                    self.pdu = Some(pdu);
                    Progress::Read(queries)
                }
                None => end(None),
            },
            _ => {
                let queries = self.queries(&pdu);
                self.pdu = Some(pdu);
                Progress::Read(queries)
            }
        }
    }
}

impl Fill {
    fn write(
        &self,
        context: &mut Context,
        moment: Moment,
        pdu: &VerifiedPdu,
        (mut known, redacts): (KnownLog, Option<EventId>),
    ) -> Progress {
        let mut change = Change::default();
        let (event, event_id, position) = (pdu.event(), pdu.event_id(), self.position);
        let (sender, integrity, batch) = (pdu.sender_check(), pdu.integrity(), &mut change.batch);
        LogEvent { event_id, sender, integrity, soft_failed: false, bytes: event.bytes().to_vec() }
            .put(position, batch);
        if let Some(lpdu_id) = pdu.lpdu_id() {
            batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
            context.pending.remove(lpdu_id, batch);
        }
        if sender == Sender::KeyMissing {
            context.unproven.add(position, moment.now, batch);
        }
        match integrity {
            Integrity::Intact => context.ages(event, position, batch),
            Integrity::Redacted => batch.put(Table::Meta, REDACTED_ROW, []),
        }
        batch.delete(Table::Meta, gap_key(position));
        context.holes.remove(position, batch);
        context.holes.keep_times(batch);
        let hub_before = context.hub().cloned();
        if set_state(context, event, event_id, position, &mut change) {
            change.follow.extend(accounts::of_event(context, event));
        }
        if context.hub() != hub_before.as_ref() {
            context.hub_moved(position, &mut change.batch);
            change.follow.push(transfer::resign());
        }
        if let Some(target) = redacts {
            context.redact(&mut known, target, &mut change.batch);
        }
        change.then.push(Output::Notify(Notification::Filled {
            room_id: context.room_id.clone(),
            position,
            event_id,
            event: event.bytes().to_vec(),
            sender_verified: sender == Sender::Verified,
            intact: integrity == Integrity::Intact,
        }));
        Progress::Commit(change)
    }
}

/// Adds a state event to what is known of the state at its place. Whether it is the state of now: nothing has replaced it since.
fn set_state(context: &mut Context, event: &Event, event_id: EventId, position: i64, change: &mut Change) -> bool {
    let (Some(room), Some(state_key)) = (&mut context.room, event.state_key()) else { return false };
    let is_newest = room.state.entry(event.kind(), state_key).is_none_or(|entry| entry.position < position);
    if is_newest {
        put_state(room, event, event_id, position, &mut change.batch);
    } else if let Some(row) = RoomState::new(context.room_id.clone(), room.rules()).apply(event, event_id, position) {
        let key = state_index_key(event.kind(), state_key, position);
        change.batch.put(Table::StateIndex, key, row.encode());
    }
    is_newest
}
