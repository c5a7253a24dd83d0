//! Carries out what one machine wants, on a store in memory; what goes to others is kept for the test to answer.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use crate::{
    crypto::{Signature, SigningKey},
    id::{ServerName, Timestamp},
    server::{
        AccountCall, Address, Answer, Call, Input, KeyNeeds, Machine, Moment, Notification, Output, Request, Response,
        ServerKeys, Ticket,
    },
    store::memory::MemoryStore,
};

/// One machine and its store.
pub struct Driver<M> {
    /// The machine.
    pub machine: M,
    /// Its rows.
    pub store: MemoryStore,
    /// The clock, in milliseconds.
    pub now: u64,
    /// Calls to other machines that are not answered yet.
    pub asked: VecDeque<(Ticket, Address, Call)>,
    /// Requests that are not answered yet, and to whom they go.
    pub sent: VecDeque<(Ticket, ServerName, Request)>,
    /// When the machine wants to be woken.
    pub wake: Option<Timestamp>,
    /// The platform's key, for a machine that has none.
    pub platform: Option<SigningKey>,
    /// What local users were told.
    pub told: Vec<Notification>,
    /// Batches that were committed.
    pub commits: u64,
    /// Set to keep commits back until [`Driver::commit`].
    pub hold_commits: bool,
    /// Set to keep signatures back until [`Driver::sign`].
    pub hold_signatures: bool,
    unsigned: VecDeque<Ticket>,
    held: VecDeque<(Ticket, crate::store::WriteBatch)>,
    /// Set to keep look-ups of keys back until [`Driver::give_keys`].
    pub hold_keys: bool,
    held_needs: VecDeque<(Ticket, Vec<KeyNeeds>)>,
    /// The keys that can be had.
    pub keys: Vec<ServerKeys>,
    /// What accounts answer that are asked for a profile; nothing where the test answers.
    pub profile: Option<Response>,
    answers: BTreeMap<Ticket, Answer>,
    next: u64,
}

impl<M: Machine> Driver<M> {
    /// A machine over a store. `keys` are those that can be had.
    pub fn new(machine: M, store: MemoryStore, keys: Vec<ServerKeys>) -> Self {
        Self {
            machine,
            store,
            now: 1_700_000_000_000,
            asked: VecDeque::new(),
            sent: VecDeque::new(),
            wake: None,
            platform: None,
            told: Vec::new(),
            commits: 0,
            hold_commits: false,
            hold_signatures: false,
            unsigned: VecDeque::new(),
            held: VecDeque::new(),
            hold_keys: false,
            held_needs: VecDeque::new(),
            keys,
            profile: Some(Response { status: 404, body: b"{}".to_vec() }),
            answers: BTreeMap::new(),
            next: 1 << 40,
        }
    }

    /// Asks, without waiting for the answer.
    pub fn begin(&mut self, call: Call) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.input(Input::Ask(ticket, call));
        ticket
    }

    /// The answer, if it has come.
    pub fn answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    /// Asks, and takes the answer that comes without anybody else's help.
    pub fn ask(&mut self, call: Call) -> Answer {
        let ticket = self.begin(call);
        self.answer(ticket).expect("no answer yet")
    }

    /// Lets one commit that was kept back through.
    pub fn commit(&mut self) {
        let (ticket, batch) = self.held.pop_front().expect("no commit is waiting");
        self.store.apply(batch);
        self.input(Input::Committed(ticket));
    }

    /// Gives the signatures that were asked for first and kept back.
    pub fn sign(&mut self, signatures: Vec<Signature>) {
        let ticket = self.unsigned.pop_front().expect("no signature is waiting");
        self.input(Input::Signed(ticket, signatures));
    }

    /// Answers the oldest call to another machine.
    pub fn reply(&mut self, answer: Answer) {
        let (ticket, ..) = self.asked.pop_front().expect("no call is waiting");
        self.input(Input::Answer(ticket, answer));
    }

    /// Answers one look-up of keys that was kept back.
    pub fn give_keys(&mut self) {
        let (ticket, needs) = self.held_needs.pop_front().expect("no keys are waited for");
        let found = self.found(&needs);
        self.input(Input::Keys(ticket, found));
    }

    fn found(&self, needs: &[KeyNeeds]) -> Vec<ServerKeys> {
        let wanted = |keys: &&ServerKeys| needs.iter().any(|need| need.server == keys.server);
        self.keys.iter().filter(wanted).cloned().collect()
    }

    /// Time passes, and the machine is woken.
    pub fn wake_after(&mut self, millis: u64) {
        self.now += millis;
        self.input(Input::Woken);
    }

    /// Hands the machine an input and carries out what it wants.
    pub fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.next += 1;
            let moment = Moment { now: Timestamp::new(self.now), random: [self.next.to_le_bytes()[0]; 16] };
            self.machine.handle(moment, input);
            while let Some(output) = self.machine.poll() {
                inputs.extend(self.carry(output));
            }
        }
    }

    fn carry(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Commit(ticket, batch) => {
                self.commits += 1;
                if self.hold_commits {
                    self.held.push_back((ticket, batch));
                    return None;
                }
                self.store.apply(batch);
                return Some(Input::Committed(ticket));
            }
            Output::Read(ticket, queries) => {
                let rows = queries.iter().map(|query| self.store.read(query)).collect();
                return Some(Input::Rows(ticket, rows));
            }
            Output::NeedKeys(ticket, needs) => {
                if self.hold_keys {
                    self.held_needs.push_back((ticket, needs));
                    return None;
                }
                return Some(Input::Keys(ticket, self.found(&needs)));
            }
            Output::Send(ticket, server, request) => self.sent.push_back((ticket, server, request)),
            Output::Ask(ticket, Address::Account(_), Call::Account(AccountCall::Profile(_)))
                if self.profile.is_some() =>
            {
                return self.profile.clone().map(|profile| Input::Answer(ticket, Answer::Response(profile)));
            }
            Output::Ask(ticket, address, call) => self.asked.push_back((ticket, address, call)),
            Output::Respond(ticket, answer) => {
                assert!(self.answers.insert(ticket, answer).is_none(), "answered twice");
            }
            Output::Notify(notification) => self.told.push(notification),
            Output::Wake(at) => self.wake = Some(at),
            Output::Sign(ticket, _) if self.hold_signatures => self.unsigned.push_back(ticket),
            Output::Sign(ticket, messages) => {
                let key = self.platform.as_ref().expect("the machine cannot sign");
                return Some(Input::Signed(ticket, messages.iter().map(|message| key.sign(message)).collect()));
            }
            Output::Broken => panic!("the machine is broken"),
        }
        None
    }
}
