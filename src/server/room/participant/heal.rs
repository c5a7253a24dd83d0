//! Filling a gap: events that the hub's events follow and that we do not have are asked of the hub, back to known ones (spec, section 4).

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::time::Duration;

use super::{Item, lookup::Lookup, verify};
use crate::{
    event::{UnverifiedPdu, VerifiedPdu},
    id::{EventId, ServerName},
    ordered::{LargeMap, Set},
    server::{
        contract::Moment,
        paths::PFX,
        room::{
            context::Context,
            remote::{self, KEY_TIME, Reply, elements, fetch},
            work::{Progress, Resume},
        },
        route::percent,
    },
};

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How long a hub may stay silent about a gap before what it sends is taken without.
const SILENCE: Duration = Duration::from_secs(3_600);

/// The events asked for at once (spec, section 6).
const AT_ONCE: usize = 100;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 25;

/// The most events that one gap may have, found or not, and their most bytes. What is further back stays a hole.
const MAX_GAP: usize = 10_000;
const MAX_BYTES: usize = 1 << 25;

/// A hub that does not serve so many of the events that its own ones follow is not asked for more of them.
const MAX_HOLES: usize = 100;

/// A gap that is being filled.
pub(super) struct Heal {
    /// What the event after the gap follows.
    gap: EventId,
    /// Whom to ask, in turn: the hub that we know, then the next one.
    sources: Vec<ServerName>,
    source: usize,
    /// Whom to ask first: who has not answered once is not asked for the rest.
    first: usize,
    /// One of them did not answer about what is asked for now, and may do so later.
    is_put_off: bool,
    /// What is still to be asked for; the first of it is asked for now.
    wanted: VecDeque<EventId>,
    /// What fills the gap.
    found: LargeMap<EventId, VerifiedPdu>,
    /// The size of that, in bytes.
    bytes: usize,
    /// What nobody serves.
    holes: Set<EventId>,
    stage: Stage,
}

enum Stage {
    Asked,
    /// Asked for the keys of an answer's events.
    Keys(Vec<UnverifiedPdu>),
    /// Asked where an answer's events stand, and those that they follow.
    Places(LargeMap<EventId, VerifiedPdu>),
}

/// What came of a step.
pub(super) enum Step {
    /// More is needed.
    Wait(Progress),
    /// What fills the gap, oldest first.
    Filled(Vec<Item>),
    /// The hub says nothing for now.
    Silent,
}

impl Heal {
    /// Fills the gap that ends with `gap`. Beside the hub that we know, one that has shown itself to be the next may be asked.
    pub(super) fn new(context: &Context, next: Option<&ServerName>, gap: EventId) -> Self {
        Self {
            gap,
            sources: context.hub().into_iter().chain(next).cloned().collect(),
            source: 0,
            first: 0,
            is_put_off: false,
            wanted: VecDeque::from([gap]),
            found: LargeMap::new(),
            bytes: 0,
            holes: Set::new(),
            stage: Stage::Asked,
        }
    }

    /// The event that ends the gap.
    pub(super) const fn gap(&self) -> EventId {
        self.gap
    }

    /// Asks for what is wanted first.
    pub(super) fn ask(&self, context: &Context, moment: Moment) -> Progress {
        let (Some(source), Some(event_id)) = (self.sources.get(self.source), self.wanted.front()) else {
            return Progress::Stuck;
        };
        let room_id = percent::encode(context.room_id.as_str());
        let until = percent::encode(&alloc::format!("{event_id}"));
        let target = alloc::format!("{PFX}/backfill/{room_id}?v={until}&limit={AT_ONCE}");
        fetch(source, http::Method::GET, target, None, moment.now.saturating_add(ANSWER_TIME))
    }

    /// Goes on with what came.
    pub(super) fn step(&mut self, context: &mut Context, lookup: &mut Lookup, moment: Moment, resume: Resume) -> Step {
        match (core::mem::replace(&mut self.stage, Stage::Asked), resume) {
            (Stage::Asked, resume) => self.answered(context, lookup, moment, resume),
            (Stage::Keys(pdus), resume) => {
                verify::learn(context, resume);
                self.verified(context, lookup, moment, pdus)
            }
            (Stage::Places(answer), Resume::Rows(rows)) => {
                lookup.read_places(&rows);
                self.take(context, lookup, moment, answer)
            }
            (Stage::Places(_), _) => Step::Wait(Progress::Stuck),
        }
    }

    fn answered(&mut self, context: &mut Context, lookup: &mut Lookup, moment: Moment, resume: Resume) -> Step {
        let Some(source) = self.sources.get(self.source) else { return Step::Wait(Progress::Stuck) };
        let reply = remote::reply(resume, source, MAX_ANSWER);
        let is_silent = matches!(reply, Reply::Silent(_));
        if self.source > 0 {
            self.is_put_off |= is_silent;
        } else if is_silent {
            let since = *context.hub_silent_since.get_or_insert(moment.now);
            self.is_put_off = moment.now.saturating_since(since) < SILENCE;
            self.first = 1.min(self.sources.len().saturating_sub(1));
        } else {
            context.hub_silent_since = None;
        }
        let body = match reply {
            Reply::Body(body) => Some(body),
            Reply::Refused(_) | Reply::Silent(_) => None,
        };
        let Some(room) = &context.room else { return Step::Wait(Progress::Stuck) };
        let pdus: Vec<UnverifiedPdu> = body
            .iter()
            .flat_map(|body| elements(body, "pdus"))
            .take(AT_ONCE)
            .filter_map(|event| UnverifiedPdu::parse_answer(event.to_document(), room.rules()).ok())
            .collect();
        let hub = context.hub().unwrap_or(source);
        let needs = verify::missing_keys(&context.keys, pdus.iter(), hub);
        if needs.is_empty() {
            return self.verified(context, lookup, moment, pdus);
        }
        self.stage = Stage::Keys(pdus);
        Step::Wait(Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME)))
    }

    /// Keeps of an answer what leads back from what is wanted, and asks where it meets what we have.
    fn verified(
        &mut self,
        context: &mut Context,
        lookup: &mut Lookup,
        moment: Moment,
        pdus: Vec<UnverifiedPdu>,
    ) -> Step {
        let verdicts = UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now));
        let mut came: LargeMap<EventId, VerifiedPdu> =
            verdicts.into_iter().flatten().map(|pdu| (pdu.event_id(), pdu)).collect();
        // What nothing leads to is not even looked up: a hub could make that as much as it liked.
        let mut answer = LargeMap::new();
        let mut reached: VecDeque<EventId> = self.wanted.front().copied().into_iter().collect();
        while let Some(id) = reached.pop_front() {
            if let Some(pdu) = came.remove(&id) {
                reached.extend(pdu.event().prev_events());
                answer.insert(id, pdu);
            }
        }
        let follows = answer.values().flat_map(|pdu| pdu.event().prev_events().iter().copied());
        let queries = lookup.places_of(answer.keys().copied().chain(follows));
        if queries.is_empty() {
            return self.take(context, lookup, moment, answer);
        }
        self.stage = Stage::Places(answer);
        Step::Wait(Progress::Read(queries))
    }

    fn take(
        &mut self,
        context: &Context,
        lookup: &Lookup,
        moment: Moment,
        mut answer: LargeMap<EventId, VerifiedPdu>,
    ) -> Step {
        let Some(first) = self.wanted.front().copied() else { return Step::Wait(Progress::Stuck) };
        if !answer.contains_key(&first) {
            let next = self.source.saturating_add(1);
            if next < self.sources.len() {
                self.source = next;
                return Step::Wait(self.ask(context, moment));
            }
            if self.is_put_off {
                return Step::Silent;
            }
            self.holes.insert(first);
        }
        (self.source, self.is_put_off) = (self.first, false);
        self.wanted.pop_front();
        let mut reached = VecDeque::from([first]);
        while let Some(id) = reached.pop_front() {
            let Some(pdu) = answer.remove(&id) else { continue };
            for prev in pdu.event().prev_events() {
                let is_had = lookup.place_of(prev).is_some() || self.found.contains_key(prev);
                if answer.contains_key(prev) && !is_had {
                    reached.push_back(*prev);
                } else if !is_had && !self.holes.contains(prev) && !self.wanted.contains(prev) {
                    self.wanted.push_back(*prev);
                }
            }
            self.bytes = self.bytes.saturating_add(pdu.event().bytes().len());
            self.found.insert(pdu.event_id(), pdu);
        }
        let events = self.found.len().saturating_add(self.holes.len()).saturating_add(self.wanted.len());
        if events >= MAX_GAP || self.bytes >= MAX_BYTES || self.holes.len() >= MAX_HOLES {
            self.holes.extend(self.wanted.drain(..));
        }
        match self.wanted.is_empty() {
            false => Step::Wait(self.ask(context, moment)),
            true => Step::Filled(self.in_order()),
        }
    }

    /// What was found, each event behind those that it follows.
    fn in_order(&mut self) -> Vec<Item> {
        let mut items = Vec::with_capacity(self.found.len());
        let mut done = Set::new();
        let mut stack = Vec::from([self.gap]);
        while let Some(id) = stack.last().copied() {
            let before = self.found.get(&id).map(|pdu| pdu.event().prev_events()).unwrap_or_default();
            let before = before
                .iter()
                .find(|prev| !done.contains(*prev) && (self.found.contains_key(*prev) || self.holes.contains(*prev)));
            if let Some(before) = before {
                stack.push(*before);
                continue;
            }
            stack.pop();
            if done.insert(id) {
                match self.found.remove(&id) {
                    Some(pdu) => items.push(Item::Pdu(Box::new(pdu), None)),
                    None => items.push(Item::Hole(id)),
                }
            }
        }
        items
    }
}
