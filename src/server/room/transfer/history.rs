//! The log before our join, fetched backwards from the hub down to the create event and kept at negative positions.
//!
//! Each event is named by the hash in the one after it, so none can be exchanged; its signatures are checked as well. What came as state with the join
//! gets its place in the order.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use core::time::Duration;

use super::{Propose, give_up};
use crate::{
    event::{Sender, UnverifiedPdu, VerifiedPdu},
    id::EventId,
    room::{
        kind,
        log::{FIRST_PLACE, LogEntry, LogEvent, entries, place, position_key, position_of, state_index_key},
        state::RoomState,
    },
    server::{
        contract::{Moment, Ticket},
        message::{ErrorCode, Failure},
        paths::PFX,
        room::{
            advance::put_state,
            context::{Context, not_found},
            known::read_event,
            participant::{apply::GAP_ROW, verify},
            remote::{self, KEY_TIME, Reply, elements},
            work::{Change, Progress, Resume, Work},
        },
        route::percent,
    },
    store::{Query, Row, Table},
};

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How often the hub is asked for the same events before we give up.
const TRIES: u8 = 3;

/// The events asked for at once (spec, section 6).
const AT_ONCE: usize = 100;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 25;

/// Fetches what is missing, then proposes the transfer; `ticket` waits for that.
pub(super) fn fetch(ticket: Ticket) -> Box<dyn Work> {
    Box::new(Fetch { ticket, stage: Stage::Lowest, before: None, tries: 0 })
}

/// Does not write: the room goes on.
struct Fetch {
    ticket: Ticket,
    stage: Stage,
    /// The lowest place, and what the event there follows.
    before: Option<(i64, EventId)>,
    tries: u8,
}

enum Stage {
    /// To look where our log begins.
    Lowest,
    /// Looking.
    Looking,
    /// Asked the hub.
    Asked,
    /// Asked for keys.
    Keys(Vec<UnverifiedPdu>),
}

impl Work for Fetch {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let progress = match (core::mem::replace(&mut self.stage, Stage::Lowest), resume) {
            (Stage::Lowest, _) => {
                self.stage = Stage::Looking;
                return Progress::Read(vec![entries(FIRST_PLACE, 1), Query::one(Table::Meta, GAP_ROW)]);
            }
            (Stage::Looking, Resume::Rows(rows)) => self.begin(context, moment, &rows),
            (Stage::Asked, resume) => self.answered(context, moment, resume),
            (Stage::Keys(pdus), resume) => {
                verify::learn(context, resume);
                self.check(context, moment, pdus)
            }
            (Stage::Looking, _) => Err(not_found()),
        };
        progress.unwrap_or_else(|failure| give_up(context, Some(self.ticket), failure))
    }
}

impl Fetch {
    fn begin(&mut self, context: &Context, moment: Moment, rows: &[Vec<Row>]) -> Result<Progress, Failure> {
        let rules = context.room.as_ref().ok_or_else(not_found)?.rules();
        let [lowest, gap] = rows else { return Err(not_found()) };
        if !gap.is_empty() {
            let error = "our copy of the log has a hole, and a hub holds all of it";
            return Err(Failure::new(403, ErrorCode::Forbidden, error));
        }
        let row = lowest.first().ok_or_else(not_found)?;
        let position = position_of(&row.key).map_err(|_| not_found())?;
        let Ok(LogEntry::Event(first)) = LogEntry::decode(&row.value) else { return Err(unserved()) };
        let event = read_event(&first.bytes, rules).ok_or_else(not_found)?;
        match event.prev_events() {
            [] if event.kind() == kind::CREATE => {
                Ok(Progress::Write(Box::new(Propose { ticket: Some(self.ticket), draft: None })))
            }
            [before] => {
                self.before = Some((position, *before));
                self.ask(context, moment)
            }
            _ => Err(unserved()),
        }
    }

    fn ask(&mut self, context: &Context, moment: Moment) -> Result<Progress, Failure> {
        let hub = context.hub().ok_or_else(not_found)?;
        let (_, before) = self.before.ok_or_else(not_found)?;
        let room_id = percent::encode(context.room_id.as_str());
        let until = percent::encode(&alloc::format!("{before}"));
        let target = alloc::format!("{PFX}/backfill/{room_id}?v={until}&limit={AT_ONCE}");
        self.stage = Stage::Asked;
        self.tries = self.tries.saturating_add(1);
        Ok(remote::fetch(hub, http::Method::GET, target, None, moment.now.saturating_add(ANSWER_TIME)))
    }

    fn answered(&mut self, context: &Context, moment: Moment, resume: Resume) -> Result<Progress, Failure> {
        let hub = context.hub().ok_or_else(not_found)?;
        let body = match remote::reply(resume, hub, MAX_ANSWER) {
            Reply::Body(body) => body,
            Reply::Silent(_) if self.tries < TRIES => return self.ask(context, moment),
            Reply::Refused(failure) | Reply::Silent(failure) => return Err(failure),
        };
        let rules = context.room.as_ref().ok_or_else(not_found)?.rules();
        let parse = |event: crate::json::Value<'_>| UnverifiedPdu::parse_answer(event.to_document(), rules).ok();
        let pdus: Vec<UnverifiedPdu> = elements(&body, "pdus").take(AT_ONCE).filter_map(parse).collect();
        let needs = verify::missing_keys(&context.keys, pdus.iter(), hub);
        if needs.is_empty() {
            return self.check(context, moment, pdus);
        }
        self.stage = Stage::Keys(pdus);
        Ok(Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME)))
    }

    fn check(&self, context: &Context, moment: Moment, pdus: Vec<UnverifiedPdu>) -> Result<Progress, Failure> {
        let (position, mut before) = self.before.ok_or_else(not_found)?;
        let verdicts = UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now));
        let mut answer: BTreeMap<EventId, VerifiedPdu> =
            verdicts.into_iter().flatten().map(|pdu| (pdu.event_id(), pdu)).collect();
        let mut chain = Vec::new();
        while let Some(pdu) = answer.remove(&before).filter(|pdu| pdu.event().room_id() == &context.room_id) {
            let prev = pdu.event().prev_events().first().copied();
            chain.push(pdu);
            let Some(prev) = prev else { break };
            before = prev;
        }
        if chain.is_empty() {
            return Err(unserved());
        }
        Ok(Progress::Write(Box::new(Keep { ticket: self.ticket, below: position, chain })))
    }
}

/// Writes a stretch of history, newest first, below a position.
struct Keep {
    ticket: Ticket,
    below: i64,
    chain: Vec<VerifiedPdu>,
}

impl Work for Keep {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let Resume::Rows(rows) = resume else {
            return Progress::Read(self.chain.iter().map(|pdu| place(pdu.event_id())).collect());
        };
        let mut change = Change::default();
        // Twice the same stretch changes nothing.
        let mut seen = BTreeSet::new();
        let mut position = self.below;
        for (pdu, rows) in core::mem::take(&mut self.chain).into_iter().zip(&rows) {
            position = position.saturating_sub(1);
            let old = rows.first().and_then(|row| position_of(&row.value).ok());
            if old.is_none_or(|old| old < FIRST_PLACE) && seen.insert(pdu.event_id()) {
                keep(context, &pdu, position, old, moment, &mut change);
            }
        }
        change.follow.push(fetch(self.ticket));
        Progress::Commit(change)
    }
}

fn keep(
    context: &mut Context,
    pdu: &VerifiedPdu,
    position: i64,
    old: Option<i64>,
    moment: Moment,
    change: &mut Change,
) {
    let (event, event_id) = (pdu.event(), pdu.event_id());
    let (sender, integrity) = (pdu.sender_check(), pdu.integrity());
    let stored = LogEvent { event_id, sender, integrity, soft_failed: false, bytes: event.bytes().to_vec() };
    LogEntry::Event(stored).put(position, &mut change.batch);
    if let Some(lpdu_id) = pdu.lpdu_id() {
        change.batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
    }
    if sender == Sender::KeyMissing {
        context.unproven.add(position, moment.now, &mut change.batch);
    }
    if let Some(old) = old {
        context.unproven.remove(old, &mut change.batch);
        change.batch.delete(Table::Log, position_key(old));
    }
    let (Some(room), Some(state_key)) = (&mut context.room, event.state_key()) else { return };
    if let Some(old) = old {
        change.batch.delete(Table::StateIndex, state_index_key(event.kind(), state_key, old));
    }
    let is_current = room.state.entry(event.kind(), state_key).is_some_and(|entry| entry.event_id == event_id);
    if is_current {
        put_state(room, event, event_id, position, &mut change.batch);
    } else if let Some(row) =
        RoomState::new(room.state.room_id().clone(), room.rules()).apply(event, event_id, position)
    {
        let key = state_index_key(event.kind(), state_key, position);
        change.batch.put(Table::StateIndex, key, row.encode());
    }
}

fn unserved() -> Failure {
    let error = "the hub does not give its whole log; its operator must consent to the transfer first";
    Failure::new(403, ErrorCode::Forbidden, error)
}
