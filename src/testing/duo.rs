//! A hub and a participant of one room, machine to machine: what passes between them passes through the test's hands.

use alloc::vec::Vec;

use super::{Driver, content, identity, keys_of, server, user};
use crate::{
    event::LINEARIZED_02,
    id::{EventId, RoomId, RoomVersionId},
    json::Document,
    room::membership::Membership,
    server::{
        Answer, Call, Failure, Input, Outcome, PeerCall, Response, RoomCall, RoomRead, Routes, SendError, Ticket,
        endpoint::Endpoint, room::RoomMachine,
    },
    store::memory::MemoryStore,
};

/// The hub's name.
pub const HUB: &str = "hub.example";

/// The participant's name.
pub const PART: &str = "part.example";

/// The hub's user, who made the room.
pub const HAL: &str = "@hal:hub.example";

/// The participant's user.
pub const ANN: &str = "@ann:part.example";

/// A hub, a participant, and their room.
pub struct Duo {
    /// The hub's machine.
    pub hub: Driver<RoomMachine>,
    /// The participant's machine.
    pub part: Driver<RoomMachine>,
    /// The room.
    pub room_id: RoomId,
    /// The position in the hub's log up to which the participant was sent it.
    pub sent: i64,
}

/// An entry of a log: position, ID, and bytes where there is an event.
pub type Entry = (i64, EventId, Option<Vec<u8>>);

impl Duo {
    /// A public room, made; nobody has joined. `create` are more members of the create event's content.
    pub fn new(create: &str) -> Self {
        let room_id = RoomId::parse("!room:hub.example").unwrap();
        let keys = || [HUB, PART, "far.example"].iter().map(|name| keys_of(name)).collect();
        let driver = |name: &str| {
            let machine = RoomMachine::new(identity(name), room_id.clone(), Ticket(0));
            Driver::new(machine, MemoryStore::new(), keys())
        };
        let mut duo = Self { hub: driver(HUB), part: driver(PART), room_id, sent: 0 };
        let answer = duo.hub.ask(Call::Room(RoomCall::Create {
            creator: user(HAL),
            public: true,
            name: None,
            version: RoomVersionId::parse(LINEARIZED_02.id).unwrap(),
            create_content: Some(content(create)),
        }));
        assert_eq!(answer, Answer::Created(duo.room_id.clone()));
        duo
    }

    /// The same, and Ann has joined.
    pub fn joined() -> Self {
        let mut duo = Self::new("{}");
        let ticket = duo.join();
        assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
        duo
    }

    /// Ann joins, as far as that goes with what the hub answers.
    pub fn join(&mut self) -> Ticket {
        let via = Vec::from([server(HUB)]);
        let call = RoomCall::Member { user: user(ANN), membership: Membership::Join, via };
        let ticket = self.part.begin(Call::Room(call));
        self.serve();
        self.sent = self.hub_log().last().map_or(0, |(position, ..)| *position);
        ticket
    }

    /// Ann joins; the body of the hub's answer, which the participant does not get.
    pub fn begin_join(&mut self) -> (Ticket, Vec<u8>) {
        let call = RoomCall::Member { user: user(ANN), membership: Membership::Join, via: Vec::from([server(HUB)]) };
        let ticket = self.part.begin(Call::Room(call));
        self.serve_but(|target| target.contains("make_join"));
        let sent = self.part.asked.iter().find_map(|(_, _, call)| match call {
            Call::Peer(PeerCall::Fetch { method, target, body }) => {
                Some((method.clone(), target.clone(), body.clone()))
            }
            _ => None,
        });
        let (method, target, body) = sent.expect("the join is not sent");
        match self.ask_hub(&method, &target, body) {
            Answer::Response(response) => (ticket, response.body),
            answer => panic!("{answer:?}"),
        }
    }

    /// The same hub and participant, opened from copies of their stores.
    pub fn copy(&self) -> Self {
        let open = |name: &str, from: &Driver<RoomMachine>| {
            let machine = RoomMachine::new(identity(name), self.room_id.clone(), Ticket(1 << 32));
            let mut driver = Driver::new(machine, from.store.clone(), from.keys.clone());
            driver.now = from.now;
            driver
        };
        let (hub, part) = (open(HUB, &self.hub), open(PART, &self.part));
        Self { hub, part, room_id: self.room_id.clone(), sent: self.sent }
    }

    /// Opens the participant's machine anew from its store.
    pub fn restart_part(&mut self) {
        let machine = RoomMachine::new(identity(PART), self.room_id.clone(), Ticket(1 << 32));
        let store = core::mem::take(&mut self.part.store);
        let (now, keys) = (self.part.now, core::mem::take(&mut self.part.keys));
        self.part = Driver::new(machine, store, keys);
        self.part.now = now;
    }

    /// The hub's user says something; the event's ID.
    pub fn say(&mut self, text: &str) -> EventId {
        let body = alloc::format!(r#"{{"body":"{text}"}}"#);
        self.event(HAL, "m.room.message", None, &body)
    }

    /// The hub's user sends an event; its ID.
    pub fn event(&mut self, sender: &str, kind: &str, state_key: Option<&str>, body: &str) -> EventId {
        let (sender, kind, state_key) = (user(sender), kind.into(), state_key.map(Into::into));
        let call = RoomCall::SendEvent { sender, kind, state_key, content: content(body) };
        match self.hub.ask(Call::Room(call)) {
            Answer::Accepted(event_id) => event_id,
            answer => panic!("{answer:?}"),
        }
    }

    /// The hub's log.
    pub fn hub_log(&mut self) -> Vec<Entry> {
        log(&mut self.hub)
    }

    /// The participant's log, from its join on.
    pub fn part_log(&mut self) -> Vec<Entry> {
        log(&mut self.part)
    }

    /// The IDs of the participant's log.
    pub fn part_ids(&mut self) -> Vec<EventId> {
        self.part_log().into_iter().map(|(_, id, _)| id).collect()
    }

    /// What the hub has appended and not sent, now taken as sent.
    pub fn unsent(&mut self) -> Vec<Document> {
        let from = self.sent;
        let new: Vec<Entry> = self.hub_log().into_iter().filter(|(position, ..)| *position > from).collect();
        self.sent = new.last().map_or(from, |(position, ..)| *position);
        new.iter().filter_map(|(_, _, bytes)| bytes.as_deref()).map(document).collect()
    }

    /// Begins to hand the participant a transaction of the hub.
    pub fn begin(&mut self, events: Vec<Document>) -> Ticket {
        self.begin_from(HUB, events)
    }

    /// Begins to hand the participant a transaction.
    pub fn begin_from(&mut self, origin: &str, events: Vec<Document>) -> Ticket {
        let call = RoomCall::Receive { origin: server(origin), keys: keys_of(origin), events };
        self.part.begin(Call::Room(call))
    }

    /// Hands the participant a transaction of the hub, and serves what it asks the hub for.
    pub fn receive(&mut self, events: Vec<Document>) -> Vec<Outcome> {
        let ticket = self.begin(events);
        self.serve();
        self.outcomes(ticket)
    }

    /// The answer to a transaction.
    pub fn outcomes(&mut self, ticket: Ticket) -> Vec<Outcome> {
        match self.part.answer(ticket) {
            Some(Answer::Outcomes(outcomes)) => outcomes,
            answer => panic!("{answer:?}"),
        }
    }

    /// Sends the participant all that it has not been sent.
    pub fn catch_up(&mut self) -> Vec<Outcome> {
        let events = self.unsent();
        self.receive(events)
    }

    /// Lets the hub answer every request of the participant.
    pub fn serve(&mut self) {
        self.serve_but(|_| true);
    }

    /// The same, but for requests to targets that `serves` denies: these stay unanswered.
    pub fn serve_but(&mut self, serves: impl Fn(&str) -> bool) {
        let mut left = Vec::new();
        while let Some((ticket, address, call)) = self.part.asked.pop_front() {
            match call {
                Call::Peer(PeerCall::Fetch { method, target, body }) if serves(&target) => {
                    let answer = self.ask_hub(&method, &target, body);
                    self.part.input(Input::Answer(ticket, answer));
                }
                call => left.push((ticket, address, call)),
            }
        }
        self.part.asked.extend(left);
    }

    /// How many requests of the participant are unanswered.
    pub fn waiting(&self) -> usize {
        let is_fetch = |call: &Call| matches!(call, Call::Peer(PeerCall::Fetch { .. }));
        self.part.asked.iter().filter(|(_, _, call)| is_fetch(call)).count()
    }

    /// Answers the participant's first unanswered request with what a test makes up.
    pub fn answer_with(&mut self, answer: Answer) {
        let at = self.part.asked.iter().position(|(_, _, call)| matches!(call, Call::Peer(PeerCall::Fetch { .. })));
        let (ticket, ..) = self.part.asked.remove(at.expect("nothing is asked")).unwrap();
        self.part.input(Input::Answer(ticket, answer));
    }

    /// What the hub answers to a request.
    pub fn ask_hub(&mut self, method: &http::Method, target: &str, body: Option<Document>) -> Answer {
        let origin = server(PART);
        let call = match Routes::new().endpoint(method, target).unwrap() {
            Endpoint::Read { read, .. } => RoomCall::Read { origin, read },
            Endpoint::Event(event_id) => RoomCall::Read { origin, read: RoomRead::Event(event_id) },
            Endpoint::Template { user, membership, versions, .. } => {
                RoomCall::Template { origin, user, membership, versions }
            }
            Endpoint::SendMember { membership, .. } => {
                RoomCall::SendMember { origin, keys: keys_of(PART), membership, event: body.unwrap() }
            }
            endpoint => panic!("{endpoint:?}"),
        };
        match self.hub.ask(Call::Room(call)) {
            Answer::Refused(failure) => Answer::Response(failure.to_response()),
            answer => answer,
        }
    }

    /// What the hub is sent of the participant's users' events: their LPDUs, in order.
    pub fn pulled(&mut self) -> Vec<(EventId, Vec<u8>)> {
        match self.part.ask(Call::Room(RoomCall::Pull { peer: server(HUB), delivered: None })) {
            Answer::Owed(owed) => owed.events,
            answer => panic!("{answer:?}"),
        }
    }

    /// Hands the hub LPDUs of the participant.
    pub fn send_lpdus(&mut self, lpdus: &[(EventId, Vec<u8>)]) -> Vec<Outcome> {
        let events = lpdus.iter().map(|(_, bytes)| document(bytes)).collect();
        match self.hub.ask(Call::Room(RoomCall::Receive { origin: server(PART), keys: keys_of(PART), events })) {
            Answer::Outcomes(outcomes) => outcomes,
            answer => panic!("{answer:?}"),
        }
    }
}

/// An answer of status 200.
pub fn ok(body: &str) -> Answer {
    Answer::Response(Response { status: 200, body: body.as_bytes().to_vec() })
}

/// No answer.
pub const fn silence() -> Answer {
    Answer::Unreachable(SendError::TimedOut)
}

/// The failures among outcomes, by their place.
pub fn failures(outcomes: &[Outcome]) -> Vec<(usize, &Failure)> {
    outcomes.iter().enumerate().filter_map(|(at, outcome)| Some((at, outcome.failure.as_ref()?))).collect()
}

/// Bytes of an event, read again.
pub fn document(bytes: &[u8]) -> Document {
    content(core::str::from_utf8(bytes).unwrap())
}

fn log(driver: &mut Driver<RoomMachine>) -> Vec<Entry> {
    match driver.ask(Call::Room(RoomCall::Timeline { from: 0, limit: u32::MAX })) {
        Answer::Entries(entries) => entries,
        answer => panic!("{answer:?}"),
    }
}
