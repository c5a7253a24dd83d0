//! The peer machine: one remote server, both ways (spec, section 6).
//!
//! What comes from it is routed, parsed once, authenticated, and handed to rooms and local users; its transactions are processed once and answered alike
//! ever after. What it is owed is pulled from the rooms and sent, one transaction in flight, each room's order kept. The two ways do not wait for each
//! other: an event's echo is served while the answer to the request that sent it is still out.
//!
//! Durable are: the peer's keys, the last answer to each endpoint's transactions, the rooms that it has to do with and whether they owe it something, and
//! what must reach its devices. The rest may be lost at any time: rooms are pulled again, and transactions that were not answered are sent again.
//! A host opens the machines of all peers that have rows when it starts, by [`Input::Woken`], so that what is owed goes out.

mod ask;
mod edu_in;
mod edus;
mod find;
mod gather;
mod inbox;
mod limits;
mod lookup;
mod outbox;
mod rooms;
mod send;
mod serve;
mod sign;
mod splice;
mod transaction;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;

use alloc::{vec, vec::Vec};

use self::{
    edus::EduQueue,
    find::Finds,
    gather::Gathers,
    inbox::{Inbox, Lane},
    limits::Limits,
    lookup::Lookup,
    outbox::Outbox,
    rooms::Rooms,
    sign::Unsigned,
    transaction::Intake,
};
use super::{
    contract::{Backlog, Input, Machine, Moment, Output, Query, Ticket},
    desk::Desk,
    identity::Identity,
    message::{Answer, Call, ErrorCode, Failure, PeerCall, Response, SendError},
    route::Routes,
};
use crate::{
    id::{RoomId, ServerName, Timestamp, UserId},
    ordered::{Map, Set},
    store::{Row, Table},
};

/// One remote server.
pub struct PeerMachine {
    identity: Identity,
    routes: Routes,
    name: ServerName,
    desk: Desk,
    stage: Stage,
    /// What the answers that we wait for are answers to.
    pending: Map<Ticket, Pending>,
    /// Requests of the peer that have not been answered.
    served: Set<Ticket>,
    limits: Limits,
    lookup: Lookup,
    inbox: Inbox,
    intake: Intake,
    gathers: Gathers,
    finds: Finds,
    rooms: Rooms,
    outbox: Outbox,
    edus: EduQueue,
}

/// Whether the rows have been read.
enum Stage {
    New,
    Opening(Ticket, Vec<Input>),
    Open,
}

/// What an answer, rows, signatures or a response are for.
#[derive(Debug)]
enum Pending {
    /// To be passed on to the peer.
    Relay(Relay),
    /// A part of the running transaction.
    Part,
    /// A share of a gathered answer.
    Gather(Ticket, UserId),
    /// A room that may have an event.
    Find(Ticket, RoomId),
    /// What a room owes, or whether it still does.
    Pull(RoomId),
    /// The answer to our transaction.
    Transaction,
    /// The answer to another request of ours.
    Fetch(Ticket),
    /// A signature.
    Sign(Unsigned),
    /// More of what is queued for the peer.
    Queue,
    /// The peer's key document, from itself.
    DirectKeys,
    /// The same from a notary.
    NotaryKeys(ServerName),
    /// The keys of the notary whose answer waits.
    KeysOfNotary(ServerName),
    /// Nothing waits for it.
    Nobody,
}

/// An answer that is passed on.
#[derive(Debug)]
struct Relay {
    /// Who waits, if it is no transaction.
    ticket: Ticket,
    /// The transaction.
    transaction: Option<(Lane, alloc::string::String)>,
    /// The room to remember if the answer is good.
    room: Option<RoomId>,
}

impl PeerMachine {
    /// The machine of a remote server, to be read from its store when it is first spoken to.
    pub fn new(identity: Identity, routes: Routes, name: ServerName, first: Ticket) -> Self {
        Self {
            lookup: Lookup::new(&identity, &name),
            identity,
            routes,
            name,
            desk: Desk::new(first),
            stage: Stage::New,
            pending: Map::new(),
            served: Set::new(),
            limits: Limits::default(),
            inbox: Inbox::default(),
            intake: Intake::default(),
            gathers: Gathers::default(),
            finds: Finds::default(),
            rooms: Rooms::default(),
            outbox: Outbox::default(),
            edus: EduQueue::default(),
        }
    }

    fn open(&mut self, tables: &[Vec<Row>]) {
        if let [keys, document, inbox, rooms, queue, last] = tables {
            self.lookup.open(keys, document);
            self.inbox = Inbox::open(inbox);
            self.rooms = Rooms::open(rooms);
            self.edus = EduQueue::open(queue, last);
            self.outbox.open(self.rooms.owing());
        }
    }

    fn take(&mut self, moment: Moment, input: Input) {
        match input {
            Input::Ask(ticket, Call::Peer(call)) => self.call(moment, ticket, call),
            Input::Ask(ticket, _) => {
                let failure = Failure::of(ErrorCode::Unknown, "a peer machine takes calls to peers only");
                self.desk.respond(ticket, Answer::Refused(failure));
            }
            Input::Answer(ticket, answer) => self.answered(moment, ticket, answer),
            Input::Rows(ticket, mut rows) => {
                if let Some(Pending::Queue) = self.pending.remove(&ticket) {
                    self.edus.refill(&rows.pop().unwrap_or_default());
                }
            }
            Input::Committed(ticket) => self.desk.committed(ticket),
            Input::Signed(ticket, signatures) => {
                if let Some(Pending::Sign(unsigned)) = self.pending.remove(&ticket) {
                    self.signed(moment, unsigned, signatures.first());
                }
            }
            Input::Sent(ticket, result) => self.sent(moment, ticket, result),
            Input::Woken => self.desk.woken(),
            // We never ask for another machine's keys in this way.
            Input::Keys(..) => {}
        }
    }

    fn call(&mut self, moment: Moment, ticket: Ticket, call: PeerCall) {
        match call {
            PeerCall::Serve(request) => self.arrive(moment, ticket, *request),
            PeerCall::Fetch { method, target, body } => self.fetch(moment, ticket, method, target, body),
            PeerCall::Nudge(room) => self.nudge(ticket, &room),
            PeerCall::Said(room) => {
                self.outbox.peer_is_alive(moment.now);
                self.nudge(ticket, &room);
            }
            PeerCall::Keys(needs) => self.need_keys(moment, ticket, needs),
            PeerCall::Notarise { minimum_valid_until } => self.notarise(moment, ticket, minimum_valid_until),
            PeerCall::Edu { edu, keep } => self.queue_edu(ticket, edu, keep),
            PeerCall::Reached => {
                self.outbox.peer_is_reached(moment.now);
                self.desk.respond(ticket, Answer::Done);
            }
        }
    }

    fn answered(&mut self, moment: Moment, ticket: Ticket, answer: Answer) {
        match self.pending.remove(&ticket) {
            Some(Pending::Relay(relay)) => self.relayed(relay, answer),
            Some(Pending::Part) => self.part_done(moment, ticket, answer),
            Some(Pending::Gather(gather, user)) => self.gathered(gather, &user, answer),
            Some(Pending::Find(find, room)) => self.searched(find, &room, answer),
            Some(Pending::Pull(room)) => self.pulled(moment, &room, answer),
            Some(Pending::KeysOfNotary(notary)) => self.notary_known(moment, &notary, answer),
            _ => {}
        }
    }

    fn sent(&mut self, moment: Moment, ticket: Ticket, result: Result<Response, SendError>) {
        match self.pending.remove(&ticket) {
            Some(Pending::Transaction) => self.transaction_answered(moment, result),
            Some(Pending::Fetch(caller)) => self.fetched(moment, caller, result),
            Some(Pending::DirectKeys) => self.direct_keys(moment, result),
            Some(Pending::NotaryKeys(notary)) => self.notary_answered(moment, &notary, result),
            _ => {}
        }
    }

    /// Does what the time calls for.
    fn advance(&mut self, moment: Moment) {
        self.expire_lookups(moment);
        self.expire_transactions(moment);
        self.expire_finds(moment);
        self.pump(moment);
    }

    /// When something is to be done next. What is due now has just been done, or waits for an answer.
    fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let deadlines = [self.lookup.next_deadline(), self.intake.next_deadline(), self.finds.next_deadline()];
        deadlines.into_iter().flatten().chain(self.outbox.deadlines()).filter(|at| *at > now).min()
    }
}

impl Machine for PeerMachine {
    fn handle(&mut self, moment: Moment, input: Input) {
        match &mut self.stage {
            Stage::New => {
                let queries = vec![
                    Query::all(Table::Keys),
                    Query::one(Table::Meta, lookup::DOCUMENT),
                    Query::all(Table::Inbox),
                    Query::prefix(Table::Meta, rooms::PREFIX, u32::MAX),
                    edus::first(),
                    edus::last(),
                ];
                self.stage = Stage::Opening(self.desk.read(queries), vec![input]);
            }
            Stage::Opening(ticket, waiting) => match input {
                Input::Rows(rows_of, tables) if rows_of == *ticket => {
                    let waiting = core::mem::take(waiting);
                    self.stage = Stage::Open;
                    self.open(&tables);
                    for input in waiting {
                        self.take(moment, input);
                    }
                }
                input => waiting.push(input),
            },
            Stage::Open => self.take(moment, input),
        }
        if matches!(self.stage, Stage::Open) {
            self.advance(moment);
            self.desk.wake_at(self.next_deadline(moment.now));
        }
        self.desk.flush();
    }

    fn poll(&mut self) -> Option<Output> {
        self.desk.poll()
    }

    fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::New | Stage::Open)
            && self.desk.is_settled()
            && self.pending.is_empty()
            && self.served.is_empty()
            && self.lookup.is_idle()
            && self.inbox.is_idle()
            && self.outbox.is_idle()
    }

    fn backlog(&self) -> Backlog {
        let (rooms, events, sent) = self.outbox.backlog();
        Backlog { rooms, events, edus: self.edus.len().saturating_add(sent) }
    }
}
