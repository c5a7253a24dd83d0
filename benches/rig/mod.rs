//! What the benchmarks of servers stand on: one server's machines over stores in memory, driven as an embedder drives them,
//! and a room with requests about it that were made and signed beforehand.
#![allow(dead_code, unused_imports, reason = "each benchmark takes what it needs")]

mod room;
mod yardstick;

pub(crate) use room::{EACH, FAR, HUB, MEMBERS, PART, Sent, Stage, Transaction, end, expect_taken, user_of};
pub(crate) use yardstick::yardstick;

use std::collections::BTreeMap;

use hublet::{
    id::Timestamp,
    server::{
        Address, Answer, Call, Input, Moment, Output, Request, Response, Ticket,
        host::{Host, HostInput, HostOutput},
    },
    store::memory::MemoryStore,
    testing::identity,
};

/// The rows of a server's machines.
pub(crate) type Stores = BTreeMap<Address, MemoryStore>;

/// One server: its machines, and the stores that they read and commit to. Requests to other servers are taken and never
/// answered, so that of the sending nothing counts but the first transaction to each peer.
pub(crate) struct Rig {
    host: Host,
    pub(crate) stores: Stores,
    pub(crate) now: Timestamp,
    /// Requests to other servers that were put out.
    pub(crate) sent: usize,
    /// Events that local users were told of.
    pub(crate) told: usize,
    tickets: u64,
    answer: Option<Answer>,
}

impl Rig {
    /// The server of that name, its machines still to be opened from these rows.
    pub(crate) fn new(name: &str, stores: Stores, now: Timestamp) -> Self {
        let host = Host::new(identity(name), None);
        Self { host, stores, now, sent: 0, told: 0, tickets: 1 << 40, answer: None }
    }

    /// Takes a request off a link and carries out all that follows.
    pub(crate) fn request(&mut self, request: Request) -> Response {
        let ticket = self.ticket();
        match self.run(HostInput::Request(ticket, Box::new(request))) {
            Some(Answer::Response(response)) => response,
            answer => panic!("no response: {answer:?}"),
        }
    }

    /// Asks a machine.
    pub(crate) fn ask(&mut self, to: &Address, call: Call) -> Answer {
        let ticket = self.ticket();
        self.run(HostInput::Ask(ticket, to.clone(), call)).expect("an answer")
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn run(&mut self, input: HostInput) -> Option<Answer> {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.host.handle(Moment { now: self.now, random: [7; 16] }, input);
            // One thing at a time comes back: a machine reads or commits, then waits.
            let mut done = Vec::new();
            while let Some(output) = self.host.poll() {
                match output {
                    HostOutput::Respond(_, answer) => self.answer = Some(answer),
                    HostOutput::Do(address, output) => done.extend(self.carry_out(address, output)),
                    _ => {}
                }
            }
            let mut done = done.into_iter();
            next = done.next();
            for input in done {
                self.run_on(input);
            }
        }
        self.answer.take()
    }

    /// What came of another output of the same step, with all that follows.
    fn run_on(&mut self, input: HostInput) {
        let before = self.answer.take();
        let answer = self.run(input);
        self.answer = answer.or(before);
    }

    fn carry_out(&mut self, address: Address, output: Output) -> Option<HostInput> {
        let input = match output {
            Output::Commit(ticket, batch) => {
                store(&mut self.stores, &address).apply(batch);
                Input::Committed(ticket)
            }
            Output::Read(ticket, queries) => {
                let store = store(&mut self.stores, &address);
                Input::Rows(ticket, queries.iter().map(|query| store.read(query)).collect())
            }
            Output::Send(..) => {
                self.sent += 1;
                return None;
            }
            Output::Notify(_) => {
                self.told += 1;
                return None;
            }
            output => panic!("an output that no benchmark calls for: {output:?}"),
        };
        Some(HostInput::Done(address, input))
    }
}

fn store<'s>(stores: &'s mut Stores, address: &Address) -> &'s mut MemoryStore {
    if !stores.contains_key(address) {
        stores.insert(address.clone(), MemoryStore::new());
    }
    stores.get_mut(address).expect("just put there")
}
