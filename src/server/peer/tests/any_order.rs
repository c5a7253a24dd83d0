//! Whatever happens in whatever order: every caller is answered once, one transaction is out at a time, and in the end the peer has everything it is owed, each
//! room's events in order.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{
    id::EventId,
    server::{
        Answer, Call, ErrorCode, Failure, Input, Keep, KeyNeeds, OwedEvents, PeerCall, Response, RoomCall, SendError,
        Shelf, Ticket,
        peer::harness::{Peer, THEM, key_document, message, over, request, room, stranger, transaction},
    },
    testing::{content, server},
};

/// Numbers that repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % sides
    }
}

/// What the peer is owed, and what it has got.
struct World {
    peer: Peer,
    dice: Dice,
    owed: BTreeMap<String, Vec<(EventId, Vec<u8>)>>,
    taken: BTreeMap<String, i64>,
    /// First receptions, in order.
    got: Vec<EventId>,
    edus: Vec<String>,
    made: u8,
    callers: Vec<Ticket>,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (owed, taken) = (BTreeMap::new(), BTreeMap::new());
        Self { peer: stranger(), dice, owed, taken, got: Vec::new(), edus: Vec::new(), made: 0, callers: Vec::new() }
    }

    fn something_happens(&mut self) {
        let name = ["a", "b", "c"][usize::try_from(self.dice.roll(3)).unwrap()];
        match self.dice.roll(14) {
            0 | 1 => self.event(name),
            2 => {
                let edu = format!(r#"{{"n":{}}}"#, self.dice.roll(1 << 40));
                self.edus.push(edu.clone());
                let call = PeerCall::Edu { edu: content(&edu), keep: Keep::UntilTaken };
                self.call(call);
            }
            3 => {
                let id = self.dice.roll(6);
                let pdus = [message(name, id).0];
                let ticket = self.peer.arrives(transaction(&format!("t{id}"), &pdus));
                self.callers.push(ticket);
            }
            4 => {
                let target = format!("/_matrix/federation/v2/event/{}", EventId::from_hash([7; 32]));
                let ticket = self.peer.arrives(request("GET", &target, ""));
                self.callers.push(ticket);
            }
            5 => {
                let key_ids = [crate::id::KeyId::parse("ed25519:1").unwrap()].to_vec();
                self.call(PeerCall::Keys(KeyNeeds {
                    server: server(THEM),
                    key_ids,
                    notary: Some(server("n.example")),
                }));
            }
            6 => self.peer.wake_after(0),
            7 => {
                let pause = self.dice.roll(8_000);
                self.peer.wake_after(pause);
            }
            8 => {
                // An answer to nothing.
                let stray = Ticket(self.dice.roll(1 << 24));
                if !self.peer.asked.iter().any(|(ticket, ..)| *ticket == stray) {
                    self.peer.input(Input::Answer(stray, Answer::Done));
                }
            }
            9 | 10 => self.reply(false),
            11 if self.dice.roll(20) == 0 => self.restart(),
            _ => self.answer(false),
        }
        self.look();
    }

    fn event(&mut self, name: &str) {
        self.made += 1;
        let id = EventId::from_hash([self.made; 32]);
        let size = usize::try_from(self.dice.roll(20_000)).unwrap();
        let bytes = format!(r#"{{"n":{},"x":"{}"}}"#, self.made, "x".repeat(size)).into_bytes();
        self.owed.entry(name.into()).or_default().push((id, bytes));
        self.call(PeerCall::Nudge(room(name)));
    }

    fn call(&mut self, call: PeerCall) {
        let ticket = self.peer.begin(Call::Peer(call));
        self.callers.push(ticket);
    }

    /// Everybody else loses what they had under way with the machine.
    fn restart(&mut self) {
        self.callers.clear();
        let now = self.peer.now;
        let store = core::mem::take(&mut self.peer.store);
        self.peer = over(store);
        self.peer.now = now;
        self.peer.input(Input::Woken);
    }

    /// Another machine answers, well or not.
    fn reply(&mut self, well: bool) {
        let Some((_, _, call)) = self.peer.asked.front() else { return };
        if !well && self.dice.roll(4) == 0 {
            return self.peer.reply(Answer::Unavailable);
        }
        let answer = match call {
            Call::Room(RoomCall::Pull { delivered, .. }) => {
                let crate::server::Address::Room(id) = &self.peer.asked[0].1 else { panic!() };
                let name = String::from(&id.as_str()[1..2]);
                let taken = self.taken.entry(name.clone()).or_default();
                *taken = delivered.as_ref().map_or(*taken, |delivered| delivered.position.max(*taken));
                let events = self.owed.get(&name).map_or(&[][..], Vec::as_slice);
                let from = usize::try_from(*taken).unwrap();
                let some: Vec<_> = events[from..].iter().take(5).cloned().collect();
                let position = i64::try_from(from + some.len()).unwrap();
                Answer::Owed(OwedEvents {
                    shelf: Shelf::Log,
                    position,
                    more: events.len() > from + some.len(),
                    events: some,
                })
            }
            Call::Room(RoomCall::Receive { events, .. }) => {
                let outcome = |_: &_| crate::server::Outcome { id: None, failure: None };
                Answer::Outcomes(events.iter().map(outcome).collect())
            }
            Call::Peer(PeerCall::Keys(needs)) => Answer::Keys(crate::server::ServerKeys::none(needs.server.clone())),
            _ => Answer::Response(Failure::of(ErrorCode::NotFound, "no").into()),
        };
        self.peer.reply(answer);
    }

    /// A server answers one of our requests, well or not.
    fn answer(&mut self, well: bool) {
        let Some((_, to, request)) = self.peer.sent.front() else { return };
        let fate = if well { 0 } else { self.dice.roll(8) };
        let result = match request.target.as_str() {
            "/_matrix/key/v2/server" if fate < 4 => Ok(key_document(to.as_str())),
            target if target.contains("/send/") => {
                let body = content(core::str::from_utf8(&request.body).unwrap());
                let list = |key| body.root().member(key).into_iter().flat_map(crate::json::Value::elements);
                let is_taken = fate < 5 && (well || request.body.len() < 30_000);
                if is_taken {
                    let numbers = list("pdus").filter_map(|pdu| pdu.member("n")?.as_i64());
                    let ids = numbers.map(|number| EventId::from_hash([u8::try_from(number).unwrap(); 32]));
                    let news: Vec<_> = ids.filter(|id| !self.got.contains(id)).collect();
                    self.got.extend(news);
                    self.edus.retain(|edu| list("edus").all(|got| got.text() != edu));
                }
                match fate {
                    0..=2 if is_taken => Ok(Response::ok(*b"{}")),
                    3 | 4 if is_taken => Err(SendError::TimedOut),
                    5 => Ok(Failure::of(ErrorCode::BadState, "busy").into()),
                    6 => Ok(Response { status: 500, body: b"{}".to_vec() }),
                    7 => Err(SendError::Unreachable),
                    _ => Ok(Failure::of(ErrorCode::TooLarge, "large").into()),
                }
            }
            _ => Err(SendError::Unreachable),
        };
        self.peer.answered(result);
    }

    fn look(&mut self) {
        let out = self.peer.sent.iter().filter(|(_, _, request)| request.target.contains("/send/")).count();
        assert!(out <= 1, "{out} transactions are in flight");
        let peer = &mut self.peer;
        self.callers.retain(|ticket| peer.answer(*ticket).is_none());
    }

    /// From now on everything goes well.
    fn comes_to_rest(&mut self) {
        for _ in 0..3_000 {
            if !self.peer.asked.is_empty() {
                self.reply(true);
            } else if !self.peer.sent.is_empty() {
                self.answer(true);
            } else if let Some(at) = self.peer.wake.take() {
                self.peer.wake_after(at.millis().saturating_sub(self.peer.now));
            } else {
                break;
            }
            self.look();
        }
    }
}

#[test]
fn everybody_is_answered_and_everything_arrives() {
    for seed in 1..=40 {
        let mut world = World::new(seed);
        for _ in 0..250 {
            world.something_happens();
        }
        world.comes_to_rest();
        assert!(world.callers.is_empty(), "seed {seed}: {:?} wait", world.callers);
        assert!(world.edus.is_empty(), "seed {seed}: {:?}", world.edus);
        for (name, events) in &world.owed {
            let ids: Vec<_> = events.iter().map(|(id, _)| *id).collect();
            let got: Vec<_> = world.got.iter().filter(|id| ids.contains(id)).copied().collect();
            assert_eq!(got, ids, "seed {seed}, room {name}");
        }
        assert!(crate::server::Machine::is_idle(&world.peer.machine), "seed {seed}");
    }
}
