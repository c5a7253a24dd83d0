//! One server of a net: its host over stores in memory.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use super::{identity, signing_key};
use crate::{
    crypto::SigningKey,
    id::{KeyId, ServerName, Timestamp},
    server::{
        Address, Answer, Call, Identity, Input, KnownKey, Moment, Notification, Output, Request, Signer, Ticket,
        Validity,
        host::{Host, HostInput, HostOutput},
    },
    store::memory::MemoryStore,
};

/// A server: its machines and their stores.
pub struct Server {
    pub(super) identity: Identity,
    /// The private key, whoever signs.
    key: SigningKey,
    host: Host,
    stores: BTreeMap<Address, MemoryStore>,
    /// What callers from outside were answered.
    pub answers: BTreeMap<Ticket, Answer>,
    /// What local users were told, in order.
    pub told: Vec<Notification>,
    /// Requests that wait to be put on the wire: which machine sent each, to whom.
    pub(super) sent: Vec<(Address, Ticket, ServerName, Request)>,
    pub(super) wake: Option<Timestamp>,
    /// How many batches were applied to each store.
    pub commits: BTreeMap<Address, usize>,
    /// What becomes of commits; each succeeds where nothing is set.
    pub disk: Option<Disk>,
    platform: bool,
    /// What the platform was asked to sign and has not yet.
    unsigned: VecDeque<(Address, Ticket, Vec<Vec<u8>>)>,
    /// Set to have the platform give no signature.
    pub gives_no_signature: bool,
    next_ticket: u64,
}

/// Decides what becomes of a commit of a machine.
pub type Disk = Box<dyn FnMut(&Address) -> Durable>;

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// It is applied, and the machine hears so.
    Yes,
    /// It fails: the machine is dropped and opened anew.
    No,
    /// It is applied, and the machine is gone before it hears so.
    Unheard,
}

impl Server {
    /// The server of that name. With `platform`, its machines do not hold the private key.
    pub fn new(name: &ServerName, platform: bool) -> Self {
        let key = signing_key(name.as_str());
        let identity = match platform {
            true => {
                let signer = Signer::Platform(key.public());
                Identity::new(name.clone(), KeyId::parse("ed25519:1").unwrap(), signer, Vec::new())
            }
            false => identity(name.as_str()),
        };
        Self {
            host: Host::new(identity.clone(), None),
            identity,
            key,
            stores: BTreeMap::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
            sent: Vec::new(),
            wake: None,
            commits: BTreeMap::new(),
            disk: None,
            platform,
            unsigned: VecDeque::new(),
            gives_no_signature: false,
            next_ticket: 1 << 40,
        }
    }

    /// A server of the same identity over a copy of the rows, started.
    pub(super) fn copy(&self, moment: Moment) -> Self {
        let mut copy = Self::new(self.identity.name(), self.platform);
        copy.stores = self.stores.clone();
        copy.restart(moment);
        copy
    }

    /// The rows of a machine.
    pub fn store(&self, address: &Address) -> Option<&MemoryStore> {
        self.stores.get(address)
    }

    /// How many machines are open.
    pub fn open_machines(&self) -> usize {
        self.host.open_machines()
    }

    /// The rows of all machines.
    pub const fn stores(&self) -> &BTreeMap<Address, MemoryStore> {
        &self.stores
    }

    /// The server of that name over stores that were left behind; each machine is opened when it is first spoken to.
    pub fn over(name: &ServerName, stores: BTreeMap<Address, MemoryStore>) -> Self {
        Self { stores, ..Self::new(name, false) }
    }

    /// Drops every machine; what they do not have in their stores is gone. Those that have rows are woken, as a host does when it starts.
    pub(super) fn restart(&mut self, moment: Moment) {
        self.host = Host::new(self.identity.clone(), None);
        self.unsigned.clear();
        self.wake = None;
        for address in self.stores.keys().cloned().collect::<Vec<_>>() {
            self.handle(moment, HostInput::Done(address, Input::Woken));
        }
    }

    /// Starts anew with another key; the one so far is an old one from now on.
    pub(super) fn rotate(&mut self, moment: Moment, key_id: &str, key: SigningKey) {
        let (id, public) = (self.identity.key_id().clone(), self.identity.public_key());
        let mut old_keys = self.identity.old_keys().to_vec();
        old_keys.push(KnownKey { id, key: public, validity: Validity::ExpiredAt(moment.now) });
        let key_id = KeyId::parse(key_id).unwrap();
        self.identity = Identity::new(self.identity.name().clone(), key_id, Signer::Held(key), old_keys);
        self.restart(moment);
    }

    /// Forgets every row.
    pub(super) fn lose_store(&mut self) {
        self.stores.clear();
    }

    /// Asks a machine; the answer comes into [`Server::answers`].
    pub(super) fn ask(&mut self, moment: Moment, to: Address, call: Call) -> Ticket {
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.handle(moment, HostInput::Ask(ticket, to, call));
        ticket
    }

    /// Takes a request from the wire; the answer comes into [`Server::answers`].
    pub(super) fn serve(&mut self, moment: Moment, request: Request) -> Ticket {
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.handle(moment, HostInput::Request(ticket, Box::new(request)));
        ticket
    }

    /// Takes an input, and carries out what follows from it here.
    pub(super) fn handle(&mut self, moment: Moment, input: HostInput) {
        let mut inputs = Vec::from([input]);
        while let Some(input) = inputs.pop() {
            self.host.handle(moment, input);
            let mut done = Vec::new();
            while let Some(output) = self.host.poll() {
                match output {
                    HostOutput::Respond(ticket, answer) => {
                        assert!(self.answers.insert(ticket, answer).is_none(), "answered twice");
                    }
                    HostOutput::Wake(at) => self.wake = Some(at),
                    HostOutput::Do(address, output) => done.extend(self.carry_out(address, output)),
                }
            }
            done.reverse();
            inputs.extend(done);
        }
    }

    /// Whether the platform has something to sign.
    pub(super) fn is_signing(&self) -> bool {
        !self.unsigned.is_empty()
    }

    /// The platform signs what it was asked to first.
    pub(super) fn sign(&mut self, moment: Moment) {
        let Some((address, ticket, messages)) = self.unsigned.pop_front() else { return };
        let messages = if self.gives_no_signature { Vec::new() } else { messages };
        let signatures = messages.iter().map(|message| self.key.sign(message)).collect();
        self.handle(moment, HostInput::Done(address, Input::Signed(ticket, signatures)));
    }

    fn carry_out(&mut self, address: Address, output: Output) -> Vec<HostInput> {
        let input = match output {
            Output::Commit(ticket, batch) => {
                let durable = self.disk.as_mut().map_or(Durable::Yes, |disk| disk(&address));
                if durable != Durable::No {
                    *self.commits.entry(address.clone()).or_default() += 1;
                    self.stores.entry(address.clone()).or_default().apply(batch);
                }
                if durable != Durable::Yes {
                    let reopened = HostInput::Done(address.clone(), Input::Woken);
                    return Vec::from([HostInput::CommitFailed(address), reopened]);
                }
                Input::Committed(ticket)
            }
            Output::Read(ticket, queries) => {
                let store = self.stores.entry(address.clone()).or_default();
                Input::Rows(ticket, queries.iter().map(|query| store.read(query)).collect())
            }
            Output::Sign(ticket, messages) => {
                self.unsigned.push_back((address, ticket, messages));
                return Vec::new();
            }
            Output::Send(ticket, to, request) => {
                self.sent.push((address, ticket, to, request));
                return Vec::new();
            }
            Output::Notify(notification) => {
                self.told.push(notification);
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        Vec::from([HostInput::Done(address, input)])
    }
}
