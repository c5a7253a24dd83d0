//! All machines of one server in one place: for browsers, Node and tests. The edge runs a machine a Durable Object instead.
//!
//! A host opens machines when they are first spoken to, carries what they say to each other, and leaves to its embedder what needs the outside:
//! rows, requests, signatures of a platform key, time.

use alloc::{boxed::Box, collections::VecDeque, string::String, vec::Vec};

use super::{
    account::AccountMachine,
    contract::{Address, Input, Machine, Moment, Output, Ticket},
    front::{Direction, Front, direct},
    identity::Identity,
    message::{Answer, Call, KeyNeeds, PeerCall, Request, ServerKeys},
    peer::PeerMachine,
    room::RoomMachine,
    route::Routes,
};
use crate::id::Timestamp;
use crate::ordered::Map;

/// With more machines open than this, those that have nothing under way are dropped: anybody may speak to us in any name.
const MANY: usize = 1_024;

/// Opens the machine of an address; its tickets count up from the one given.
type Opener = Box<dyn Fn(&Address, Ticket) -> Box<dyn Machine>>;

/// What an embedder hands to its host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostInput {
    /// A call from outside; answered once by [`HostOutput::Respond`] with the same ticket.
    Ask(Ticket, Address, Call),
    /// A request that came over a link, whoever it says it is from; answered once by [`HostOutput::Respond`].
    Request(Ticket, Box<Request>),
    /// What came of a [`HostOutput::Do`].
    Done(Address, Input),
    /// A commit of this machine failed: it is dropped with what it had under way, and opened anew from its store when next spoken to.
    CommitFailed(Address),
    /// Time has passed.
    Woken,
}

/// What a host wants done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostOutput {
    /// Carry this out for that machine: a commit, a read, a signature, a request, a notification.
    Do(Address, Output),
    /// The answer to [`HostInput::Ask`].
    Respond(Ticket, Answer),
    /// Give [`HostInput::Woken`] at or after this time; the latest one counts.
    Wake(Timestamp),
}

/// The machines of one server.
pub struct Host {
    identity: Identity,
    routes: Routes,
    opener: Opener,
    machines: Map<Address, Box<dyn Machine>>,
    wakes: Map<Address, Timestamp>,
    announced: Option<Timestamp>,
    calls: Map<Ticket, (Address, Caller)>,
    gathers: Map<(Address, Ticket), Gather>,
    next_ticket: u64,
    lives: u64,
    /// With more machines than this it is time to drop some.
    rest_at: usize,
    outputs: VecDeque<HostOutput>,
}

/// Who asked, and with what ticket of its own.
#[derive(Clone, Debug)]
enum Caller {
    Outside(Ticket),
    Machine(Address, Ticket),
    Keys(Address, Ticket),
}

/// Keys on their way to a machine.
#[derive(Debug, Default)]
struct Gather {
    missing: usize,
    found: Vec<ServerKeys>,
}

impl Host {
    /// A host of rooms, peers and accounts. `reached_at` is what `.well-known` names, `host:port`; without it there is no such document.
    pub fn new(identity: Identity, reached_at: Option<String>) -> Self {
        let routes = Routes::new();
        let (us, ways) = (identity.clone(), routes.clone());
        let opener: Opener = Box::new(move |address, first| match address {
            Address::Room(room_id) => Box::new(RoomMachine::new(us.clone(), room_id.clone(), first)),
            Address::Peer(name) => Box::new(PeerMachine::new(us.clone(), ways.clone(), name.clone(), first)),
            Address::Account(user) => Box::new(AccountMachine::new(us.clone(), user.clone(), first)),
            Address::Front => Box::new(Front::new(us.clone(), ways.clone(), reached_at.clone(), first)),
        });
        Self {
            identity,
            routes,
            opener,
            machines: Map::new(),
            wakes: Map::new(),
            announced: None,
            calls: Map::new(),
            gathers: Map::new(),
            next_ticket: 0,
            lives: 0,
            rest_at: MANY,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input and carries it as far as it goes without the outside.
    pub fn handle(&mut self, moment: Moment, input: HostInput) {
        let mut inbox = VecDeque::new();
        match input {
            HostInput::Ask(ticket, address, call) => self.ask(Caller::Outside(ticket), address, call, &mut inbox),
            HostInput::Request(ticket, request) => self.serve(ticket, request, &mut inbox),
            HostInput::Done(address, input) => inbox.push_back((address, input)),
            HostInput::CommitFailed(address) => self.drop_machine(&address, &mut inbox),
            HostInput::Woken => {
                self.announced = None;
                let due: Vec<_> =
                    self.wakes.iter().filter(|(_, at)| **at <= moment.now).map(|(to, _)| to.clone()).collect();
                for address in due {
                    self.wakes.remove(&address);
                    inbox.push_back((address, Input::Woken));
                }
            }
        }
        while let Some((address, input)) = inbox.pop_front() {
            let machine = self.machines.entry(address.clone()).or_insert_with(|| {
                self.lives = self.lives.wrapping_add(1);
                (self.opener)(&address, Ticket(self.lives << 32))
            });
            machine.handle(moment, input);
            let mut outputs = Vec::new();
            while let Some(output) = machine.poll() {
                outputs.push(output);
            }
            for output in outputs {
                self.carry(&address, output, &mut inbox);
            }
        }
        if self.machines.len() > self.rest_at {
            self.rest();
            self.rest_at = MANY.max(self.machines.len().saturating_mul(2));
        }
        self.announce();
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<HostOutput> {
        self.outputs.pop_front()
    }

    /// Drops every machine that has nothing under way; each is opened again from its store when it is next spoken to.
    pub fn rest(&mut self) {
        let waking = &self.wakes;
        self.machines.retain(|address, machine| !machine.is_idle() || waking.contains_key(address));
    }

    /// How many machines are open.
    pub fn open_machines(&self) -> usize {
        self.machines.len()
    }

    fn serve(&mut self, ticket: Ticket, request: Box<Request>, inbox: &mut VecDeque<(Address, Input)>) {
        let direction = direct(&self.routes, self.identity.name(), &request.method, &request.target, &request.headers);
        let caller = Caller::Outside(ticket);
        match direction {
            Direction::Peer(name, _) => {
                self.ask(caller, Address::Peer(name), Call::Peer(PeerCall::Serve(request)), inbox)
            }
            Direction::Front(_) => self.ask(caller, Address::Front, Call::Front(request), inbox),
            Direction::Answer(response) => self.answer(caller, Answer::Response(response), inbox),
        }
    }

    fn carry(&mut self, from: &Address, output: Output, inbox: &mut VecDeque<(Address, Input)>) {
        match output {
            Output::Ask(ticket, to, call) => self.ask(Caller::Machine(from.clone(), ticket), to, call, inbox),
            Output::NeedKeys(ticket, needs) => self.gather_keys(from, ticket, needs, inbox),
            Output::Respond(ticket, answer) => {
                if let Some((_, caller)) = self.calls.remove(&ticket) {
                    self.answer(caller, answer, inbox);
                }
            }
            Output::Broken => self.drop_machine(from, inbox),
            Output::Wake(at) => {
                self.wakes.insert(from.clone(), at);
            }
            output => self.outputs.push_back(HostOutput::Do(from.clone(), output)),
        }
    }

    fn ask(&mut self, caller: Caller, to: Address, call: Call, inbox: &mut VecDeque<(Address, Input)>) {
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.calls.insert(ticket, (to.clone(), caller));
        inbox.push_back((to, Input::Ask(ticket, call)));
    }

    fn answer(&mut self, caller: Caller, answer: Answer, inbox: &mut VecDeque<(Address, Input)>) {
        match caller {
            Caller::Outside(ticket) => self.outputs.push_back(HostOutput::Respond(ticket, answer)),
            Caller::Machine(address, ticket) => inbox.push_back((address, Input::Answer(ticket, answer))),
            Caller::Keys(address, ticket) => {
                let key = (address, ticket);
                let Some(gather) = self.gathers.get_mut(&key) else { return };
                gather.missing = gather.missing.saturating_sub(1);
                if let Answer::Keys(keys) = answer {
                    gather.found.push(keys);
                }
                if gather.missing == 0
                    && let Some(gather) = self.gathers.remove(&key)
                {
                    inbox.push_back((key.0, Input::Keys(key.1, gather.found)));
                }
            }
        }
    }

    fn gather_keys(
        &mut self,
        to: &Address,
        ticket: Ticket,
        needs: Vec<KeyNeeds>,
        inbox: &mut VecDeque<(Address, Input)>,
    ) {
        if needs.is_empty() {
            inbox.push_back((to.clone(), Input::Keys(ticket, Vec::new())));
            return;
        }
        self.gathers.insert((to.clone(), ticket), Gather { missing: needs.len(), found: Vec::new() });
        for need in needs {
            let peer = Address::Peer(need.server.clone());
            self.ask(Caller::Keys(to.clone(), ticket), peer, Call::Peer(PeerCall::Keys(need)), inbox);
        }
    }

    /// Drops a machine: calls to it fail, calls by it have nobody to answer.
    fn drop_machine(&mut self, address: &Address, inbox: &mut VecDeque<(Address, Input)>) {
        self.machines.remove(address);
        self.wakes.remove(address);
        self.gathers.retain(|(to, _), _| to != address);
        let is_theirs =
            |caller: &Caller| matches!(caller, Caller::Machine(by, _) | Caller::Keys(by, _) if by == address);
        self.calls.retain(|_, (_, caller)| !is_theirs(caller));
        let lost: Vec<_> = self.calls.iter().filter(|(_, (to, _))| to == address).map(|(ticket, _)| *ticket).collect();
        for ticket in lost {
            if let Some((_, caller)) = self.calls.remove(&ticket) {
                self.answer(caller, Answer::Unavailable, inbox);
            }
        }
    }

    fn announce(&mut self) {
        let Some(next) = self.wakes.values().min().copied() else { return };
        if self.announced.is_none_or(|at| next < at) {
            self.announced = Some(next);
            self.outputs.push_back(HostOutput::Wake(next));
        }
    }
}
