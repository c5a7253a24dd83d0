//! The participant's part: take the hub's events, check all of them, keep its order (spec, sections 3 and 4).
//!
//! A transaction is checked whole (schema, signatures, hashes), then everything that its events name is looked up, gaps are filled from the hub, and only
//! then the events are appended, in one step and one commit. While it waits, whatever else would change the room waits behind it.

pub(super) mod apply;
pub(super) mod fill;
mod heal;
pub(super) mod later;
mod lookup;
pub(super) mod missed;
pub(super) mod restore;
mod standing;
pub(super) mod unproven;
pub(super) mod verify;

use alloc::{boxed::Box, collections::VecDeque, string::String, vec, vec::Vec};

use self::{
    apply::Apply,
    heal::{Heal, Step},
    lookup::Lookup,
    missed::Why,
    standing::{Standing, claims, first_untrusted, makes_hub, shows_hub, standing},
};
use super::{
    context::{Context, not_found, settled},
    hub::{no_such_room, wrong_server},
    remote::KEY_TIME,
    work::{Progress, Resume, Work},
};
use crate::{
    event::{
        KnownIds, LINEARIZED_02, RoomVersionRules, SchemaError, UnverifiedLpdu, UnverifiedPdu, VerifiedPdu, received_id,
    },
    id::{EventId, ServerName},
    json::Document,
    room::{kind, membership::Membership},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, Cause, ErrorCode, Failure, Outcome, ServerKeys},
    },
};

/// Takes the events of a transaction.
pub(super) fn receive(
    context: &mut Context,
    ticket: Ticket,
    origin: ServerName,
    keys: &ServerKeys,
    events: Vec<Document>,
) -> Box<dyn Work> {
    let is_ours = context.are_in_room() || brings_us_back(context, &origin, &events);
    let Some(rules) = context.room.as_ref().filter(|_| is_ours).map(|room| room.rules()) else {
        return nowhere(context, ticket, &events);
    };
    let mut outcomes = Vec::with_capacity(events.len());
    let mut pdus = Vec::with_capacity(events.len());
    let known = KnownIds { room_id: Some(&context.room_id), servers: &[&origin, context.identity.name()] };
    for read in UnverifiedPdu::parse_all(events, rules, known) {
        let outcome = match read {
            Ok(pdu) => {
                let id = Some(pdu.event_id());
                pdus.push((outcomes.len(), pdu));
                Outcome { id, failure: None }
            }
            Err((error, event)) => {
                let id = received_id(&event, rules);
                Outcome { id, failure: Some(no_pdu(context, error, event, rules)) }
            }
        };
        outcomes.push(outcome);
    }
    let mut unless_proven = None;
    match standing(context, &origin) {
        Standing::Heard => {}
        Standing::Newcomer(failure) if claims(context, &origin, &pdus).next().is_some() => {
            unless_proven = Some(failure);
        }
        Standing::Newcomer(failure) | Standing::Refused(failure) => {
            for (seat, pdu) in pdus.drain(..) {
                context.missed.note_early(&origin, pdu.event_id());
                if let Some(outcome) = outcomes.get_mut(seat) {
                    *outcome = Outcome { id: Some(pdu.event_id()), failure: Some(failure.clone()) };
                }
            }
        }
    }
    if pdus.is_empty() {
        return settled(vec![Output::Respond(ticket, Answer::Outcomes(outcomes))]);
    }
    context.keys.learn(keys);
    let (queue, heal, lookup) = (VecDeque::new(), None, Lookup::default());
    let (to, is_hub) = (Some((ticket, outcomes)), context.hub() == Some(&origin));
    let (keys_came, stage) = (false, Stage::Fresh);
    Box::new(Receive { to, origin, is_hub, unless_proven, pdus, queue, lookup, heal, keys_came, stage })
}

/// Asks the hub again for what it did not give when a gap was found.
pub(super) fn catch_up(context: &mut Context, moment: Moment) -> Box<dyn Work> {
    if context.is_hub() || !context.are_in_room() {
        context.missed.forget(|_| true);
    }
    let (Some((missed, why)), Some(hub)) = (context.missed.round(moment.now), context.hub().cloned()) else {
        return settled(Vec::new());
    };
    let heal = Some((0, Heal::new(context, None, missed)));
    let (pdus, queue, lookup) = (Vec::new(), VecDeque::new(), Lookup::default());
    Box::new(Receive {
        to: None,
        origin: hub,
        // What came too early may have put us out of the room: then it is not served, and is no hole.
        is_hub: why == Why::Gap,
        unless_proven: None,
        pdus,
        queue,
        lookup,
        heal,
        keys_came: false,
        stage: Stage::Missed,
    })
}

/// Whether a join that was on its way when we were put out of the room comes back from the hub, right behind the event that put us out. Then we have
/// missed nothing. Behind anything else it is not taken: of what came between only joining anew brings the state whole, and its user is told.
fn brings_us_back(context: &Context, origin: &ServerName, events: &[Document]) -> bool {
    let Some(room) = context.room.as_ref().filter(|_| context.hub() == Some(origin)) else { return false };
    let head = room.head.map(|head| head.event_id);
    let is_ours = |pdu: &UnverifiedPdu| {
        pdu.event().kind() == kind::MEMBER
            && Membership::from_content(pdu.event().content()) == Some(Membership::Join)
            && pdu.event().prev_events() == head.as_slice()
            && pdu.lpdu_id().is_some_and(|lpdu_id| context.pending.has(lpdu_id))
    };
    let mut pdus = events.iter().filter_map(|event| UnverifiedPdu::parse(event.clone(), room.rules()).ok());
    !context.pending.is_empty() && pdus.any(|pdu| is_ours(&pdu))
}

/// Events of a room that we are not in. A member event among them may still be news to a local user; whoever asked sees to that.
fn nowhere(context: &Context, ticket: Ticket, events: &[Document]) -> Box<dyn Work> {
    let rules = context.room.as_ref().map_or(&LINEARIZED_02, |room| room.rules());
    let outcome = |event: &Document| {
        let said = event.root().member("type").and_then(|said| said.as_str());
        let failure = match said.as_deref() {
            Some(kind::MEMBER) => not_found(),
            _ => no_such_room(),
        };
        Outcome { id: received_id(event, rules), failure: Some(failure) }
    };
    settled(vec![Output::Respond(ticket, Answer::Outcomes(events.iter().map(outcome).collect()))])
}

/// What is wrong with what is no PDU. An LPDU has come to the wrong server.
fn no_pdu(context: &Context, error: SchemaError, event: Document, rules: &'static RoomVersionRules) -> Failure {
    match UnverifiedLpdu::parse(event, rules) {
        Ok(_) => wrong_server(context),
        Err(_) => {
            let failure = Failure::of_schema(error);
            Failure { error: alloc::format!("schema: {}", failure.error), ..failure }
        }
    }
}

/// What is to be appended.
enum Item {
    /// An event, and which of the transaction it is; none for one that fills a gap.
    Pdu(Box<VerifiedPdu>, Option<usize>),
    /// Something that the hub does not serve.
    Hole(EventId),
}

struct Receive {
    /// Who waits, and for what.
    to: Option<(Ticket, Vec<Outcome>)>,
    origin: ServerName,
    /// The origin is the hub as far as we know, so what it names and does not serve is a hole. Of anybody else nothing is taken on trust.
    is_hub: bool,
    /// Why nothing is taken, unless an event that is new to us shows that the origin is the hub.
    unless_proven: Option<Failure>,
    /// Well-formed events and which of the transaction they are.
    pdus: Vec<(usize, UnverifiedPdu)>,
    /// Verified events in the order in which they are appended.
    queue: VecDeque<Item>,
    lookup: Lookup,
    /// The gap that is being filled, and before which item of the queue.
    heal: Option<(usize, Heal)>,
    /// Keys that were asked for have come.
    keys_came: bool,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    /// Asked for the keys of what makes the origin the hub.
    Claim,
    /// To look whether what was missed is still missing.
    Missed,
    /// Asked for keys.
    Keys,
    /// Asked where the events stand that these name.
    Places,
    /// Asked for entries of the log.
    Entries,
    /// Filling a gap.
    Heal,
}

impl Work for Receive {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (self.stage, resume) {
            // For a server that is not in the room, no other key is looked up before it has shown that it is the hub.
            (Stage::Fresh, _) if self.unless_proven.is_some() => {
                let hub = context.hub().unwrap_or(&self.origin);
                let needs = verify::missing_keys(&context.keys, claims(context, &self.origin, &self.pdus), hub);
                if needs.is_empty() {
                    return self.claim(context, moment);
                }
                self.stage = Stage::Claim;
                Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME))
            }
            (Stage::Fresh, _) => self.keys(context, moment),
            (Stage::Claim, resume) => {
                verify::learn(context, resume);
                self.claim(context, moment)
            }
            (Stage::Missed, _) => {
                let missed = self.heal.iter().map(|(_, heal)| heal.gap());
                let queries = self.lookup.places_of(missed);
                self.stage = Stage::Places;
                Progress::Read(queries)
            }
            (Stage::Keys, resume) => {
                self.keys_came = matches!(resume, Resume::Keys(_));
                verify::learn(context, resume);
                self.verify(context, moment)
            }
            (Stage::Places, Resume::Rows(rows)) => {
                self.lookup.read_places(&rows);
                match &self.heal {
                    Some((_, heal)) if self.lookup.place_of(&heal.gap()).is_none() => {
                        self.stage = Stage::Heal;
                        heal.ask(context, moment)
                    }
                    _ => self.entries(context, moment),
                }
            }
            (Stage::Entries, Resume::Rows(rows)) => {
                self.lookup.read_entries(&rows, context);
                self.gaps(context, moment)
            }
            (Stage::Heal, resume) => self.heal(context, moment, resume),
            // Rows always come; without them nothing is known.
            (Stage::Places | Stage::Entries, _) => Progress::Stuck,
        }
    }
}

impl Receive {
    fn claim(&mut self, context: &mut Context, moment: Moment) -> Progress {
        if shows_hub(context, &self.origin, &self.pdus, moment.now) {
            return self.keys(context, moment);
        }
        let failure = self.unless_proven.take().unwrap_or_else(|| not_shown(context));
        for (seat, pdu) in core::mem::take(&mut self.pdus) {
            context.missed.note_early(&self.origin, pdu.event_id());
            self.fail(seat, failure.clone());
        }
        self.append(context, moment)
    }

    fn keys(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let hub = context.hub().unwrap_or(&self.origin);
        let needs = verify::missing_keys(&context.keys, self.pdus.iter().map(|(_, pdu)| pdu), hub);
        if needs.is_empty() {
            return self.verify(context, moment);
        }
        self.stage = Stage::Keys;
        Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME))
    }

    fn verify(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let (seats, pdus): (Vec<usize>, Vec<UnverifiedPdu>) = core::mem::take(&mut self.pdus).into_iter().unzip();
        for (seat, verdict) in seats.into_iter().zip(UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now))) {
            match verdict {
                Ok(pdu) => self.queue.push_back(Item::Pdu(Box::new(pdu), Some(seat))),
                Err(error) => {
                    let text = alloc::format!("signatures: {error}");
                    let failure = Failure::new(403, ErrorCode::Forbidden, text);
                    self.fail(seat, failure.because(Cause::signatures(&error)));
                }
            }
        }
        self.places(context, moment)
    }

    /// Asks where everything stands that the queue names.
    fn places(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let queries = self.lookup.places(&self.queue, context);
        if queries.is_empty() {
            return self.entries(context, moment);
        }
        self.stage = Stage::Places;
        Progress::Read(queries)
    }

    /// Asks for the entries of the log that decide about the queue.
    fn entries(&mut self, context: &mut Context, moment: Moment) -> Progress {
        self.lookup.see_what_is_before(&self.queue);
        let queries = self.lookup.entries(&self.queue, context);
        if queries.is_empty() {
            return self.gaps(context, moment);
        }
        self.stage = Stage::Entries;
        Progress::Read(queries)
    }

    /// Fills the first gap before an event of the queue; without one all is appended.
    fn gaps(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let is_proof = |item: &Item| match item {
            Item::Pdu(pdu, _) => {
                self.lookup.place_of(&pdu.event_id()).is_none() && makes_hub(context, &self.origin, pdu.event())
            }
            Item::Hole(_) => false,
        };
        let is_proven = self.queue.iter().any(is_proof);
        if let Some(failure) = self.unless_proven.take_if(|_| !is_proven) {
            self.hold_back_untrusted(context, 0, &failure);
        }
        match self.lookup.first_gap(&self.queue) {
            None => {
                if !self.is_hub
                    && let Some(index) = first_untrusted(context, &self.origin, &self.queue, &self.lookup)
                {
                    self.hold_back_untrusted(context, index, &not_shown(context));
                }
                self.append(context, moment)
            }
            Some((index, missing)) => {
                let heal = Heal::new(context, is_proven.then_some(&self.origin), missing);
                self.stage = Stage::Heal;
                let progress = heal.ask(context, moment);
                self.heal = Some((index, heal));
                progress
            }
        }
    }

    fn heal(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let Some((index, mut heal)) = self.heal.take() else { return Progress::Stuck };
        match heal.step(context, &mut self.lookup, moment, resume) {
            Step::Wait(progress) => {
                self.heal = Some((index, heal));
                progress
            }
            Step::Filled(items) if !self.is_hub && items.iter().any(|item| matches!(item, Item::Hole(_))) => {
                self.hold_back_untrusted(context, index, &not_shown(context));
                self.append(context, moment)
            }
            Step::Filled(items) => {
                let held = self.queue.split_off(index.min(self.queue.len()));
                self.queue.extend(items.into_iter().chain(held));
                self.places(context, moment)
            }
            // What came before the gap is kept; the rest the hub sends again, or we ask for it.
            Step::Silent => {
                let error = "events before it are missing, and the hub does not answer now; send it again";
                let last = self.hold_back(index, &Failure::of(ErrorCode::BadState, error));
                if self.is_hub {
                    context.missed.note(last.unwrap_or(heal.gap()), moment.now);
                } else if let Some(last) = last {
                    context.missed.note_early(&self.origin, last);
                }
                self.append(context, moment)
            }
        }
    }

    /// Takes nothing from `index` on, until the room has moved to the origin.
    fn hold_back_untrusted(&mut self, context: &mut Context, index: usize, failure: &Failure) {
        match self.hold_back(index, failure) {
            Some(last) => context.missed.note_early(&self.origin, last),
            None => context.missed.forget(|_| true),
        }
    }

    /// Takes nothing from `index` on. The last event that is held back.
    fn hold_back(&mut self, index: usize, failure: &Failure) -> Option<EventId> {
        let mut last = None;
        for item in self.queue.split_off(index.min(self.queue.len())) {
            let Item::Pdu(pdu, seat) = item else { continue };
            last = Some(pdu.event_id());
            if let Some(seat) = seat {
                self.fail(seat, failure.clone());
            }
        }
        last
    }

    /// Appends the queue and answers.
    fn append(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let mut apply = Apply::new(context, &mut self.lookup, &self.queue, moment);
        let mut failures = Vec::new();
        for item in core::mem::take(&mut self.queue) {
            match item {
                Item::Hole(event_id) => apply.hole(event_id),
                Item::Pdu(pdu, seat) => {
                    let verdict = apply.pdu(*pdu, seat.is_none());
                    failures.extend(seat.zip(verdict.err()));
                }
            }
        }
        let mut change = apply.finish();
        failures.into_iter().for_each(|(seat, failure)| self.fail(seat, failure));
        context.missed.forget(|missed| self.lookup.place_of(missed).is_some());
        let answer = self.to.take().map(|(ticket, outcomes)| Output::Respond(ticket, Answer::Outcomes(outcomes)));
        change.then.extend(answer);
        if self.keys_came && context.unproven.next_due().is_some() {
            change.follow.push(unproven::recheck());
        }
        Progress::Commit(change)
    }

    fn fail(&mut self, seat: usize, failure: Failure) {
        if let Some(outcome) = self.to.as_mut().and_then(|(_, outcomes)| outcomes.get_mut(seat)) {
            outcome.failure = Some(failure);
        }
    }
}

/// How an event is answered that a server sent whose word does not count.
fn not_shown(context: &Context) -> Failure {
    let mut failure = Failure::new(403, ErrorCode::Forbidden, "hub: nothing shows that it comes from the room's hub");
    failure.hub_server = context.hub().cloned();
    failure
}

/// How a refused event is answered: which rung, and what it broke.
fn refused(rung: &str, reason: &str) -> Failure {
    let error: String = alloc::format!("{rung}: {reason}");
    Failure::new(403, ErrorCode::Forbidden, error)
}
