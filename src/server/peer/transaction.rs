//! PUT `send`: one transaction of the peer at a time (spec, section 6, /send).
//!
//! Its PDUs go to their rooms, each room's in order; the answer is durable before it leaves. A bad PDU spoils only itself. A crash before the answer is
//! durable lets the peer send the transaction again, which a room's memory of LPDUs makes safe.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};
use core::time::Duration;

use super::{
    PeerMachine, Pending,
    inbox::{Entry, Lane},
};
use crate::{
    event::{I_1, received_id},
    id::{RoomId, Timestamp, UserId},
    json::{Document, Value, write_object},
    ordered::Map,
    server::{
        contract::{Address, Moment, Ticket},
        endpoint::body,
        message::{AccountCall, Answer, Call, ErrorCode, Failure, Outcome, Response, RoomCall},
    },
    store::WriteBatch,
};

/// How long a transaction may wait for the one before it, and how long it may then take.
const PATIENCE: Duration = Duration::from_secs(10);

/// More transactions than this do not wait.
const MOST_WAITING: usize = 4;

/// The transactions of the peer.
#[derive(Debug, Default)]
pub(super) struct Intake {
    running: Option<Running>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    body: Document,
    deadline: Timestamp,
}

#[derive(Debug)]
struct Running {
    id: String,
    body: Document,
    deadline: Timestamp,
    /// What is not answered yet.
    parts: Map<Ticket, Part>,
    /// The answer, by event ID.
    failed: Map<String, Failure>,
    /// Rooms to remember, and the answer's row.
    batch: WriteBatch,
}

/// What one machine was given of a transaction.
#[derive(Debug)]
enum Part {
    /// A room's PDUs, by their places in the body.
    Room { room: RoomId, places: Vec<usize>, again: bool },
    /// A member event that may end the invite of a local user.
    Member { place: usize, refusal: Failure },
    /// Messages to a local user's devices.
    Devices,
}

impl Intake {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let running = self.running.as_ref().map(|running| running.deadline);
        self.waiting.iter().map(|waiting| waiting.deadline).chain(running).min()
    }
}

impl PeerMachine {
    pub(super) fn take_transaction(
        &mut self,
        moment: Moment,
        ticket: Ticket,
        id: String,
        body: Document,
    ) -> Result<(), Failure> {
        body::Transaction::read(body.root())?;
        match self.inbox.enter(Lane::Send, &id, ticket) {
            Entry::Joined => {}
            Entry::Answered(answer) => self.finish(ticket, answer),
            Entry::New if self.intake.running.is_none() => self.start(moment, id, body),
            Entry::New if self.intake.waiting.len() < MOST_WAITING => {
                let deadline = moment.now.saturating_add(PATIENCE);
                self.intake.waiting.push_back(Waiting { id, body, deadline });
            }
            Entry::New => {
                let mut failure = Failure::of(ErrorCode::LimitExceeded, "too many transactions wait for one another");
                failure.retry_after_ms = Some(1_000);
                self.leave(Lane::Send, &id, &failure.to_response(), WriteBatch::new());
            }
        }
        Ok(())
    }

    fn start(&mut self, moment: Moment, id: String, body: Document) {
        let deadline = moment.now.saturating_add(PATIENCE);
        let mut running =
            Running { id, body, deadline, parts: Map::new(), failed: Map::new(), batch: WriteBatch::new() };
        let mut calls = Vec::new();
        for (room, places) in running.by_room() {
            calls.push((self.receive(&running, &room, &places), Part::Room { room, places, again: false }));
        }
        let edus = running.edus();
        for (user, messages) in self.device_messages(&edus) {
            let call = Call::Account(AccountCall::ToDevice { messages });
            calls.push(((Address::Account(user), call), Part::Devices));
        }
        self.pass_on_edus(&edus);
        for ((to, call), part) in calls {
            let ticket = self.ask(to, call, Pending::Part);
            running.parts.insert(ticket, part);
        }
        self.intake.running = Some(running);
        self.end_if_whole(moment);
    }

    fn receive(&self, running: &Running, room: &RoomId, places: &[usize]) -> (Address, Call) {
        let pdus = running.pdus();
        let events = places.iter().filter_map(|place| pdus.get(*place)).map(|pdu| pdu.to_document()).collect();
        let call = RoomCall::Receive { origin: self.name.clone(), keys: self.lookup.keys(), events };
        (Address::Room(room.clone()), Call::Room(call))
    }

    /// A machine has dealt with its part.
    pub(super) fn part_done(&mut self, moment: Moment, ticket: Ticket, answer: Answer) {
        let Some(mut running) = self.intake.running.take() else { return };
        match (running.parts.remove(&ticket), answer) {
            (Some(Part::Room { room, places, .. }), Answer::Outcomes(outcomes)) => {
                self.settle(&mut running, &room, &places, outcomes);
            }
            // The machine was lost with what it had under way: what is done twice is done once, since a room knows the LPDUs that it took.
            (Some(Part::Room { room, places, again: false }), Answer::Unavailable) => {
                let (to, call) = self.receive(&running, &room, &places);
                let ticket = self.ask(to, call, Pending::Part);
                running.parts.insert(ticket, Part::Room { room, places, again: true });
            }
            (Some(Part::Room { places, .. }), answer) => {
                let failure = failure_of(answer);
                places.iter().for_each(|place| running.fail(*place, failure.clone()));
            }
            (Some(Part::Member { .. }), Answer::Outcomes(outcomes))
                if outcomes.first().is_some_and(|outcome| outcome.failure.is_none()) => {}
            (Some(Part::Member { place, refusal }), _) => running.fail(place, refusal),
            (Some(Part::Devices), _) | (None, _) => {}
        }
        self.intake.running = Some(running);
        self.end_if_whole(moment);
    }

    fn settle(&mut self, running: &mut Running, room: &RoomId, places: &[usize], outcomes: Vec<Outcome>) {
        let mut outcomes = outcomes.into_iter();
        for place in places {
            let lost = || Outcome { id: None, failure: Some(Failure::of(ErrorCode::Unknown, "not processed")) };
            let outcome = outcomes.next().unwrap_or_else(lost);
            match outcome.failure {
                None => self.rooms.remember(room, &mut running.batch),
                // A room that we are not in may still be one that a user of ours was invited to, or knocks at (spec, section 7).
                Some(failure) if failure.code == ErrorCode::NotFound => match self.invited(running, *place) {
                    Some((user, event)) => {
                        let (origin, keys) = (self.name.clone(), self.lookup.keys());
                        let call = Call::Account(AccountCall::EndInvite { origin, keys, event });
                        let ticket = self.ask(Address::Account(user), call, Pending::Part);
                        running.parts.insert(ticket, Part::Member { place: *place, refusal: failure });
                    }
                    None => running.fail_as(*place, outcome.id.map(|id| format!("{id}")), failure),
                },
                Some(failure) => running.fail_as(*place, outcome.id.map(|id| format!("{id}")), failure),
            }
        }
    }

    /// The local user whose membership a PDU sets, and the PDU.
    fn invited(&self, running: &Running, place: usize) -> Option<(UserId, Document)> {
        let pdus = running.pdus();
        let pdu = pdus.get(place)?;
        let text = |key| pdu.member(key).and_then(Value::as_str);
        let user = UserId::parse(&text("state_key")?).ok()?;
        (text("type")? == "m.room.member" && self.is_ours(&user)).then(|| (user, pdu.to_document()))
    }

    fn end_if_whole(&mut self, moment: Moment) {
        let Some(running) = self.intake.running.take_if(|running| running.parts.is_empty()) else { return };
        let response = running.answer();
        self.limits.refused(moment.now, running.faults());
        self.leave(Lane::Send, &running.id, &response, running.batch);
        // One whose time ends at this very moment still has its turn.
        self.refuse_waiting(|deadline| deadline < moment.now);
        if let Some(next) = self.intake.waiting.pop_front() {
            self.start(moment, next.id, next.body);
        }
    }

    pub(super) fn expire_transactions(&mut self, moment: Moment) {
        if let Some(running) = self.intake.running.as_mut().filter(|running| running.deadline <= moment.now) {
            for part in core::mem::take(&mut running.parts).into_values() {
                let error = "not processed in time; it may be later, so send it again rather than anew";
                match part {
                    Part::Room { places, .. } => {
                        places.iter().for_each(|place| running.fail(*place, Failure::of(ErrorCode::BadState, error)));
                    }
                    Part::Member { place, .. } => running.fail(place, Failure::of(ErrorCode::BadState, error)),
                    Part::Devices => {}
                }
            }
            self.end_if_whole(moment);
        }
        self.refuse_waiting(|deadline| deadline <= moment.now);
    }

    /// Refuses the transactions that have waited too long.
    fn refuse_waiting(&mut self, is_late: impl Fn(Timestamp) -> bool) {
        while let Some(waiting) = self.intake.waiting.pop_front_if(|waiting| is_late(waiting.deadline)) {
            let failure = Failure::of(ErrorCode::BadState, "the transaction before this one is still being processed");
            self.leave(Lane::Send, &waiting.id, &failure.to_response(), WriteBatch::new());
        }
    }
}

impl Running {
    fn pdus(&self) -> Vec<Value<'_>> {
        self.body.root().member("pdus").into_iter().flat_map(Value::elements).collect()
    }

    fn edus(&self) -> Vec<Document> {
        self.body.root().member("edus").into_iter().flat_map(Value::elements).map(Value::to_document).collect()
    }

    /// The places of each room's PDUs, rooms in the order of their first one. What no room can be given fails.
    fn by_room(&mut self) -> Vec<(RoomId, Vec<usize>)> {
        let mut rooms: Vec<(RoomId, Vec<usize>)> = Vec::new();
        let mut index: Map<RoomId, usize> = Map::new();
        let mut bad = Vec::new();
        for (place, pdu) in self.pdus().into_iter().enumerate() {
            if pdu.irregular() {
                bad.push((place, "a number in it has a fraction, an exponent, a minus zero or too many digits"));
                continue;
            }
            let text = pdu.member("room_id").and_then(Value::as_str).unwrap_or_default();
            // Most often all are of one room, whose ID is checked once.
            let at = match index.get(&*text) {
                Some(at) => *at,
                None => {
                    let Ok(room) = RoomId::parse(&text) else {
                        bad.push((place, "field `room_id` must be a room ID"));
                        continue;
                    };
                    index.insert(room.clone(), rooms.len());
                    rooms.push((room, Vec::new()));
                    rooms.len().saturating_sub(1)
                }
            };
            if let Some((_, places)) = rooms.get_mut(at) {
                places.push(place);
            }
        }
        for (place, error) in bad {
            self.fail(place, Failure::of(ErrorCode::BadJson, error));
        }
        rooms
    }

    /// The PDU failed, under the ID of what was received.
    fn fail(&mut self, place: usize, failure: Failure) {
        self.fail_as(place, None, failure);
    }

    fn fail_as(&mut self, place: usize, id: Option<String>, failure: Failure) {
        let received = || received_id(&self.pdus().get(place)?.to_document(), &I_1).map(|id| format!("{id}"));
        if let Some(id) = id.or_else(received) {
            self.failed.insert(id, failure);
        }
    }

    /// How many of its PDUs no server that keeps to the rules would have sent.
    fn faults(&self) -> usize {
        let is_fault = |failure: &&Failure| {
            use ErrorCode::{BadJson, Forbidden, NotFound, TooLarge};
            matches!(failure.code, BadJson | Forbidden | NotFound | TooLarge)
        };
        self.failed.values().filter(is_fault).count()
    }

    fn answer(&self) -> Response {
        let mut out = Vec::new();
        write_object(&mut out, |answer| {
            answer.object("failed_pdus", |failed| {
                for (id, failure) in &self.failed {
                    failed.object(id, |entry| failure.write(entry));
                }
            });
        });
        Response::ok(out)
    }
}

fn failure_of(answer: Answer) -> Failure {
    match answer {
        Answer::Refused(failure) => failure,
        _ => Failure::of(ErrorCode::BadState, "the room is not available at the moment; send it again"),
    }
}
