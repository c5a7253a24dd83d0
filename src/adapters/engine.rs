//! The loop around a server's machines: inputs go in, outputs are carried out in their order (the contract in `src/server.rs`). The core never waits; what
//! takes time here hands its result in as a further input.

use alloc::{
    boxed::Box,
    rc::{Rc, Weak},
    string::ToString,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use super::{
    clock,
    links::Links,
    secret::ServerKey,
    store::{Store, StoreError},
};
use crate::{
    crypto::Signature,
    id::ServerName,
    ordered::Map,
    server::{
        Address, Answer, Call, Input, Notification, Output, PeerCall, Request, Response, Ticket,
        host::{Host, HostInput, HostOutput},
    },
    store::{Query, WriteBatch},
};

/// The longest time that a browser's timer waits.
const LONGEST_TIMER: u64 = 0x7fff_ffff;

/// How long the platform may take to sign, in milliseconds: a room does nothing else meanwhile.
const SIGNING_TIME: u32 = 10_000;

/// Takes what came of a call.
type Reply = Box<dyn FnOnce(Result<Answer, StoreError>)>;

/// A server at work.
pub struct Engine {
    host: RefCell<Host>,
    key: ServerKey,
    store: Store,
    links: Links,
    notify: Box<dyn Fn(Notification)>,
    waiting: RefCell<Map<Ticket, Reply>>,
    tickets: Cell<u64>,
    alarm: RefCell<Option<Timeout>>,
    /// Why a machine is dropped, while those who waited for it are told.
    failed: RefCell<Option<StoreError>>,
    is_stopped: Cell<bool>,
    this: Weak<Self>,
}

impl Engine {
    /// Runs the server with that key over `store` and `links`; local users are told by `notify`.
    pub fn new(key: ServerKey, store: Store, links: Links, notify: Box<dyn Fn(Notification)>) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            host: RefCell::new(Host::new(key.identity().clone(), None)),
            key,
            store,
            links,
            notify,
            waiting: RefCell::default(),
            tickets: Cell::new(0),
            alarm: RefCell::default(),
            failed: RefCell::default(),
            is_stopped: Cell::new(false),
            this: this.clone(),
        })
    }

    /// Goes on with what the rows owe, as after every start.
    ///
    /// # Errors
    /// A [`StoreError`] when the rows cannot be read.
    pub async fn resume(&self) -> Result<(), StoreError> {
        for machine in self.store.machines().await? {
            if let Some(address) = Address::parse(&machine) {
                self.take(HostInput::Done(address, Input::Woken));
            }
        }
        Ok(())
    }

    /// Asks a machine.
    pub fn ask(&self, to: Address, call: Call, reply: impl FnOnce(Result<Answer, StoreError>) + 'static) {
        let ticket = self.expect(Box::new(reply));
        self.take(HostInput::Ask(ticket, to, call));
    }

    /// A server can be reached again: what waits for it goes out.
    pub fn reached(&self, server: &str) {
        if let Ok(server) = ServerName::parse(server) {
            self.ask(Address::Peer(server), Call::Peer(PeerCall::Reached), |_| {});
        }
    }

    /// Answers a request of another server.
    pub fn serve(&self, request: Request, reply: impl FnOnce(Option<Response>) + 'static) {
        let ticket = self.expect(Box::new(|answer| {
            reply(match answer {
                Ok(Answer::Response(response)) => Some(response),
                _ => None,
            });
        }));
        self.take(HostInput::Request(ticket, Box::new(request)));
    }

    /// Writes no more: what is under way comes to nothing, and nobody is told.
    pub fn stop(&self) {
        self.is_stopped.set(true);
        self.links.close();
        self.alarm.replace(None);
    }

    /// The server's key.
    pub const fn key(&self) -> &ServerKey {
        &self.key
    }

    /// The rows.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The ways to other servers.
    pub const fn links(&self) -> &Links {
        &self.links
    }

    fn expect(&self, reply: Reply) -> Ticket {
        let ticket = Ticket(self.tickets.get().wrapping_add(1));
        self.tickets.set(ticket.0);
        self.waiting.borrow_mut().insert(ticket, reply);
        ticket
    }

    /// Hands an input in, and carries out all that comes of it.
    fn take(&self, input: HostInput) {
        if self.is_stopped.get() {
            return;
        }
        let mut outputs = Vec::new();
        {
            let mut host = self.host.borrow_mut();
            host.handle(clock::moment(), input);
            while let Some(output) = host.poll() {
                outputs.push(output);
            }
        }
        for output in outputs {
            match output {
                HostOutput::Do(address, output) => self.carry_out(address, output),
                HostOutput::Respond(ticket, answer) => self.respond(ticket, answer),
                HostOutput::Wake(at) => self.wake_at(at.millis()),
            }
        }
    }

    fn carry_out(&self, address: Address, output: Output) {
        match output {
            Output::Commit(ticket, batch) => self.commit(address, ticket, batch),
            Output::Read(ticket, queries) => self.read(address, ticket, &queries),
            Output::Send(ticket, server, request) => {
                let this = self.this.clone();
                self.links.send(&server, request, move |result| {
                    if let Some(engine) = this.upgrade() {
                        engine.take(HostInput::Done(address, Input::Sent(ticket, result)));
                    }
                });
            }
            Output::Sign(ticket, messages) => self.sign(address, ticket, &messages),
            Output::Notify(notification) => (self.notify)(notification),
            // The host deals with these.
            Output::NeedKeys(..) | Output::Ask(..) | Output::Respond(..) | Output::Wake(_) | Output::Broken => {}
        }
    }

    fn commit(&self, address: Address, ticket: Ticket, batch: WriteBatch) {
        let applied = self.store.apply(&address.to_string(), batch);
        self.when_stored(address, applied, move |()| Input::Committed(ticket));
    }

    fn read(&self, address: Address, ticket: Ticket, queries: &[Query]) {
        let rows = self.store.read(&address.to_string(), queries);
        self.when_stored(address, rows, move |rows| Input::Rows(ticket, rows));
    }

    /// Has all messages signed at the same time.
    fn sign(&self, address: Address, ticket: Ticket, messages: &[Vec<u8>]) {
        let asked: Vec<_> = messages.iter().map(|message| self.key.sign(message)).collect();
        let is_over = Rc::new(Cell::new(false));
        let (this, to, was_over) = (self.this.clone(), address.clone(), is_over.clone());
        let late = Timeout::new(SIGNING_TIME, move || {
            if let Some(engine) = this.upgrade().filter(|_| !was_over.replace(true)) {
                engine.signed(to, ticket, None);
            }
        });
        let this = self.this.clone();
        spawn_local(async move {
            let mut signed = Some(Vec::with_capacity(asked.len()));
            for signature in asked {
                signed = signed.zip(signature.await).map(|(mut signed, signature)| {
                    signed.push(signature);
                    signed
                });
            }
            drop(late);
            if let Some(engine) = this.upgrade().filter(|_| !is_over.replace(true)) {
                engine.signed(address, ticket, signed);
            }
        });
    }

    /// A machine that gets no signatures may be broken: then it is dropped as after a failed commit.
    fn signed(&self, address: Address, ticket: Ticket, signed: Option<Vec<Signature>>) {
        let failed = signed.is_none().then_some(StoreError::Unsigned);
        self.take_with(HostInput::Done(address, Input::Signed(ticket, signed.unwrap_or_default())), failed);
    }

    /// Hands the machine what came of a request to the store.
    fn when_stored<T: 'static>(
        &self,
        address: Address,
        done: impl Future<Output = Result<T, StoreError>> + 'static,
        input: impl FnOnce(T) -> Input + 'static,
    ) {
        let this = self.this.clone();
        spawn_local(async move {
            let done = done.await;
            let Some(engine) = this.upgrade() else { return };
            match done {
                Ok(done) => engine.take(HostInput::Done(address, input(done))),
                Err(error) => engine.drop_machine(address, error),
            }
        });
    }

    /// A machine whose store failed it is opened anew when it is next spoken to; those who wait are told why.
    fn drop_machine(&self, address: Address, error: StoreError) {
        self.take_with(HostInput::CommitFailed(address), Some(error));
    }

    /// Hands an input in; those who wait for a machine that is dropped by it are told why.
    fn take_with(&self, input: HostInput, failed: Option<StoreError>) {
        self.failed.replace(failed);
        self.take(input);
        self.failed.replace(None);
    }

    fn respond(&self, ticket: Ticket, answer: Answer) {
        let reply = self.waiting.borrow_mut().remove(&ticket);
        let failed = self.failed.borrow().clone();
        if let Some(reply) = reply {
            reply(match (answer, failed) {
                (Answer::Unavailable, Some(error)) => Err(error),
                (answer, _) => Ok(answer),
            });
        }
    }

    fn wake_at(&self, at: u64) {
        let wait = at.saturating_sub(clock::now().millis()).min(LONGEST_TIMER);
        let this = self.this.clone();
        let alarm = Timeout::new(u32::try_from(wait).unwrap_or(u32::MAX), move || {
            if let Some(engine) = this.upgrade() {
                engine.take(HostInput::Woken);
            }
        });
        self.alarm.replace(Some(alarm));
    }
}
