//! Servers, the wire between them, and the clock.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use super::{Server, signing_key};
use crate::{
    id::{ServerName, Timestamp},
    server::{Address, Answer, Call, Input, Moment, Request, Response, SendError, Ticket, host::HostInput},
};

/// What lies on the wire.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sends it.
    pub from: ServerName,
    /// Who gets it.
    pub to: ServerName,
    /// A request, or the answer to one.
    pub way: Way,
    /// The request; with an answer, the one that is answered.
    pub request: Request,
    /// The machine that asks, and its ticket. None where nobody waits: a request that a test made up, or that arrives a second time.
    caller: Option<(Address, Ticket)>,
    /// When it arrives, once that is settled.
    due: Option<Timestamp>,
}

/// Which way a packet goes.
#[derive(Clone, Debug)]
pub enum Way {
    /// To be answered.
    Request,
    /// The answer.
    Answer(Result<Response, SendError>),
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Pass,
    /// It stays on the wire for now.
    Hold,
    /// It is lost; who waits for an answer hears that there was none.
    Lose,
    /// It arrives this much later.
    Late(Duration),
    /// It arrives, and if it is a request then a second time: at once as far as it goes, and the rule sees that one too.
    Twice,
}

/// Servers on one wire and one clock.
pub struct Net {
    servers: BTreeMap<ServerName, Server>,
    wire: VecDeque<Packet>,
    /// Requests that are being answered: by which server, under which ticket, and what was asked.
    serving: BTreeMap<(ServerName, Ticket), Packet>,
    rule: Box<dyn FnMut(&mut Packet) -> Fate>,
    now: Timestamp,
    moments: u64,
}

impl Net {
    /// These servers, with nothing on the wire.
    pub fn new(names: &[&ServerName]) -> Self {
        let servers = names.iter().map(|name| ((*name).clone(), Server::new(name, false))).collect();
        Self::of(servers)
    }

    /// These servers, made before.
    pub fn of(servers: BTreeMap<ServerName, Server>) -> Self {
        Self {
            servers,
            wire: VecDeque::new(),
            serving: BTreeMap::new(),
            rule: Box::new(|_| Fate::Pass),
            now: Timestamp::new(1_700_000_000_000),
            moments: 0,
        }
    }

    /// Sets what becomes of packets from now on; the rule may change a packet.
    pub fn rule(&mut self, rule: impl FnMut(&mut Packet) -> Fate + 'static) {
        self.rule = Box::new(rule);
    }

    /// The clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A server, if it is in the net.
    pub fn server(&mut self, name: &ServerName) -> Option<&mut Server> {
        self.servers.get_mut(name)
    }

    /// Puts a request on the wire that no machine made. Nobody hears the answer.
    pub fn inject(&mut self, from: &ServerName, to: &ServerName, request: Request) {
        let (from, to) = (from.clone(), to.clone());
        self.wire.push_back(Packet { from, to, way: Way::Request, request, caller: None, due: None });
    }

    /// Puts a second server beside one, under a name of its own on the wire: it has the same identity, and begins with the same rows.
    pub fn copy(&mut self, name: &ServerName, twin: &ServerName) {
        let moment = self.moment();
        if let Some(server) = self.servers.get(name) {
            let copy = server.copy(moment);
            self.servers.insert(twin.clone(), copy);
        }
        self.collect(twin);
    }

    /// What lies on the wire.
    pub fn wire(&self) -> impl Iterator<Item = &Packet> {
        self.wire.iter()
    }

    /// Asks a machine of a server and lets everything run that follows. The answer, unless it is still out.
    pub fn ask(&mut self, name: &ServerName, to: Address, call: Call) -> Option<Answer> {
        let ticket = self.begin(name, to, call)?;
        self.run();
        self.answer(name, ticket)
    }

    /// Asks a machine of a server, and nothing more.
    pub fn begin(&mut self, name: &ServerName, to: Address, call: Call) -> Option<Ticket> {
        let moment = self.moment();
        let ticket = self.servers.get_mut(name)?.ask(moment, to, call);
        self.collect(name);
        Some(ticket)
    }

    /// The answer to a call, taken out.
    pub fn answer(&mut self, name: &ServerName, ticket: Ticket) -> Option<Answer> {
        self.servers.get_mut(name)?.answers.remove(&ticket)
    }

    /// A request from outside the net reaches a server, and everything runs that follows. The answer, unless it is still out.
    pub fn request(&mut self, to: &ServerName, request: Request) -> Option<Answer> {
        let moment = self.moment();
        let ticket = self.servers.get_mut(to)?.serve(moment, request);
        self.collect(to);
        self.run();
        self.answer(to, ticket)
    }

    /// Delivers what may be delivered, in the order of sending, until nothing more moves.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Delivers the first packet that may be delivered, or has a platform sign: nobody waits for one, so as much as can be happens before it does. Whether
    /// there was something.
    pub fn step(&mut self) -> bool {
        self.deliver_next() || self.sign_next()
    }

    fn sign_next(&mut self) -> bool {
        let signing = self.servers.iter().find(|(_, server)| server.is_signing());
        let Some(name) = signing.map(|(name, _)| name.clone()) else { return false };
        let moment = self.moment();
        if let Some(server) = self.servers.get_mut(&name) {
            server.sign(moment);
        }
        self.collect(&name);
        true
    }

    fn deliver_next(&mut self) -> bool {
        for index in 0..self.wire.len() {
            let Some(packet) = self.wire.get_mut(index) else { return false };
            let fate = match packet.due {
                Some(due) if due > self.now => continue,
                Some(_) => Fate::Pass,
                None => (self.rule)(packet),
            };
            match fate {
                Fate::Hold => continue,
                Fate::Late(time) => {
                    packet.due = Some(self.now.saturating_add(time));
                    continue;
                }
                Fate::Twice if matches!(packet.way, Way::Request) => {
                    let again = Packet { caller: None, ..packet.clone() };
                    self.wire.push_back(again);
                }
                Fate::Pass | Fate::Lose | Fate::Twice => {}
            }
            if let Some(packet) = self.wire.remove(index) {
                self.deliver(packet, fate);
            }
            return true;
        }
        false
    }

    /// Moves the clock in steps from one waking or late arrival to the next, delivering what follows from each.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.saturating_add(time);
        self.run();
        loop {
            let late = self.wire.iter().filter_map(|packet| packet.due).min().filter(|at| *at <= end);
            let wake = self.servers.iter().filter_map(|(name, server)| Some((server.wake?, name.clone()))).min();
            match (late, wake.filter(|(at, _)| *at <= end)) {
                (None, None) => break,
                (Some(at), wake) if wake.as_ref().is_none_or(|(wake, _)| at <= *wake) => self.now = self.now.max(at),
                (_, wake) => {
                    let Some((at, name)) = wake else { break };
                    self.now = self.now.max(at);
                    self.wake(&name);
                }
            }
            self.run();
        }
        self.now = end;
    }

    fn wake(&mut self, name: &ServerName) {
        let moment = self.moment();
        if let Some(server) = self.servers.get_mut(name) {
            server.wake = None;
            server.handle(moment, HostInput::Woken);
        }
        self.collect(name);
    }

    /// Drops a server's machines, and wakes those anew that have something to do; what is on the wire stays there.
    pub fn restart(&mut self, name: &ServerName) {
        let moment = self.moment();
        self.forget_callers(name);
        if let Some(server) = self.servers.get_mut(name) {
            server.restart(moment);
        }
        let broken: Vec<_> = self.serving.keys().filter(|(server, _)| server == name).cloned().collect();
        for packet in broken.iter().filter_map(|key| self.serving.remove(key)).collect::<Vec<_>>() {
            self.reply(packet, Err(SendError::TimedOut));
        }
        self.collect(name);
    }

    /// Nobody waits any more for the answers that a server asked for: tickets count anew after a start, and one would be taken for another's.
    fn forget_callers(&mut self, name: &ServerName) {
        for packet in self.wire.iter_mut().chain(self.serving.values_mut()) {
            let asker = if matches!(packet.way, Way::Request) { &packet.from } else { &packet.to };
            if asker == name {
                packet.caller = None;
            }
        }
    }

    /// A server starts anew with a key of that ID; the one so far is an old one from now on.
    pub fn rotate(&mut self, name: &ServerName, key_id: &str) {
        let moment = self.moment();
        self.forget_callers(name);
        if let Some(server) = self.servers.get_mut(name) {
            server.rotate(moment, key_id, signing_key(key_id));
        }
        self.collect(name);
    }

    /// A server loses its rows and its machines; what is on the wire stays there.
    pub fn lose_store(&mut self, name: &ServerName) {
        if let Some(server) = self.servers.get_mut(name) {
            server.lose_store();
        }
        self.restart(name);
    }

    fn deliver(&mut self, packet: Packet, fate: Fate) {
        let moment = self.moment();
        let name = packet.to.clone();
        let target = self.servers.get_mut(&name).filter(|_| fate != Fate::Lose);
        match (&packet.way, target) {
            (Way::Request, Some(server)) => {
                let ticket = server.serve(moment, packet.request.clone());
                self.serving.insert((name.clone(), ticket), packet);
            }
            (Way::Request, None) => return self.reply(packet, Err(SendError::Unreachable)),
            (Way::Answer(result), target) => {
                let arrives = target.is_some();
                let result = if arrives { result.clone() } else { Err(SendError::TimedOut) };
                if let (Some(server), Some((address, ticket))) = (self.servers.get_mut(&name), packet.caller) {
                    server.handle(moment, HostInput::Done(address, Input::Sent(ticket, result)));
                }
            }
        }
        self.collect(&name);
    }

    fn reply(&mut self, packet: Packet, result: Result<Response, SendError>) {
        let (from, to) = (packet.to.clone(), packet.from.clone());
        self.wire.push_back(Packet { from, to, way: Way::Answer(result), due: None, ..packet });
    }

    /// Puts on the wire what a server has sent and answered.
    fn collect(&mut self, name: &ServerName) {
        let Some(server) = self.servers.get_mut(name) else { return };
        let mut answered = Vec::new();
        for (key, _) in self.serving.range((name.clone(), Ticket(0))..=(name.clone(), Ticket(u64::MAX))) {
            answered.extend(server.answers.remove(&key.1).map(|answer| (key.clone(), answer)));
        }
        for (address, ticket, to, request) in core::mem::take(&mut server.sent) {
            let from = name.clone();
            let caller = Some((address, ticket));
            self.wire.push_back(Packet { from, to, way: Way::Request, request, caller, due: None });
        }
        for (key, answer) in answered {
            if let Some(packet) = self.serving.remove(&key) {
                let result = match answer {
                    Answer::Response(response) => Ok(response),
                    _ => Err(SendError::TimedOut),
                };
                self.reply(packet, result);
            }
        }
    }

    /// A moment at the clock's time, with bytes of its own.
    fn moment(&mut self) -> Moment {
        self.moments = self.moments.wrapping_add(1);
        let mut random = [0; 16];
        let numbers = self.moments.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().into_iter().cycle();
        random.iter_mut().zip(numbers).for_each(|(byte, number)| *byte = number);
        Moment { now: self.now, random }
    }
}
