//! Our transactions to the peer: one at a time, repeated until they are dealt with (spec, section 6, Outbox).
//!
//! No lock is held while one is out: an event's echo may be served before the answer to the transaction that carried it.

use alloc::{format, vec::Vec};
use core::time::Duration;

use super::{
    PeerMachine, Pending, edus,
    outbox::{Item, Joining, Phase, Sending},
    rooms::Debt,
    sign::{Unsigned, request},
    splice::Splice,
};
use crate::{
    id::{EventId, RoomId},
    json::{KeyOrder, Kind, Limits, parse},
    ordered::{Map, Set},
    server::{
        contract::{Address, Moment, Output, Ticket},
        endpoint::body::{MAX_EDUS, failed_pdus},
        message::{Answer, Call, ErrorCode, Failure, Request, Response, RoomCall, SendError},
        route::PREFIX,
        x_matrix::HEADER,
    },
    store::WriteBatch,
};

/// The largest answer that is read.
const LIMITS: Limits = Limits { bytes: 1024 * 1024, depth: 64 };

/// A room machine that is gone is asked again after this.
const ROOM_GONE: Duration = Duration::from_secs(1);

/// A room that refuses to say what it owes is asked again after this.
const ROOM_BROKEN: Duration = Duration::from_secs(600);

/// The longest wait that the peer may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// What an answer to a transaction means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Dealt with, but for what was refused.
    Taken(Map<EventId, Failure>),
    /// Refused as a whole, for the sake of these.
    Named(Map<EventId, Failure>),
    /// Refused as a whole: too large.
    TooLarge(Failure),
    /// Refused as a whole, and nothing says for which event's sake.
    Unnamed(Failure),
    /// Not dealt with: another time, not before so long.
    Later(Duration),
}

impl PeerMachine {
    /// A room owes the peer something. It is told so when that is durable.
    pub(super) fn nudge(&mut self, ticket: Ticket, room: &RoomId) {
        let mut batch = WriteBatch::new();
        self.rooms.set(room, Debt::Open, &mut batch);
        self.desk.write(batch);
        self.desk.respond(ticket, Answer::Done);
        self.outbox.nudged(room);
    }

    /// Pulls what is owed and sends it, as far as that can be done now.
    pub(super) fn pump(&mut self, moment: Moment) {
        self.release_joined();
        self.outbox.keep_time(moment.now);
        for (room, delivered) in self.outbox.pulls(moment.now) {
            let call = RoomCall::Pull { peer: self.name.clone(), delivered };
            self.ask(Address::Room(room.clone()), Call::Room(call), Pending::Pull(room));
        }
        if self.outbox.may_send(moment.now) {
            if self.outbox.sending.as_ref().is_some_and(|sending| sending.phase == Phase::Waiting) {
                self.outbox.ask_again();
                // The rooms are doubted now, so they are pulled.
                return self.pump(moment);
            }
            self.repeat(moment);
            self.next_transaction(moment);
        }
        self.refill_edus();
        let mut batch = WriteBatch::new();
        for room in self.outbox.quiet(moment.now) {
            self.rooms.set(&room, Debt::None, &mut batch);
        }
        self.desk.write(batch);
    }

    /// A join of the peer has been passed on to its room.
    pub(super) fn join_asked(&mut self, room: &RoomId) {
        let joining = self.outbox.joining.entry(room.clone()).or_insert(Joining::Asked(0));
        *joining = match joining {
            Joining::Asked(count) => Joining::Asked(count.saturating_add(1)),
            Joining::Answered(_) => Joining::Asked(1),
        };
    }

    /// A join of the peer has been answered: the answer leaves when what was written so far is durable.
    pub(super) fn join_answered(&mut self, room: &RoomId) {
        if let Some(joining) = self.outbox.joining.get_mut(room) {
            *joining = match *joining {
                Joining::Asked(count) if count > 1 => Joining::Asked(count.saturating_sub(1)),
                Joining::Asked(_) | Joining::Answered(_) => Joining::Answered(self.desk.mark()),
            };
        }
    }

    /// Fan-out to a joining server starts when its answer is out (spec, section 7).
    fn release_joined(&mut self) {
        let desk = &self.desk;
        self.outbox.joining.retain(|_, joining| match joining {
            Joining::Asked(_) => true,
            Joining::Answered(mark) => !desk.is_past(*mark),
        });
    }

    pub(super) fn pulled(&mut self, moment: Moment, room: &RoomId, answer: Answer) {
        match answer {
            Answer::Owed(owed) => self.outbox.pulled(room, owed, moment.now),
            Answer::Unavailable => self.outbox.not_pulled(room, moment.now.saturating_add(ROOM_GONE)),
            _ => self.outbox.not_pulled(room, moment.now.saturating_add(ROOM_BROKEN)),
        }
    }

    /// Sends the waiting transaction again, just as it was but for what is not worth repeating, if its rooms still owe all that it carries.
    fn repeat(&mut self, moment: Moment) {
        let unchanged = |sending: &&mut Sending| sending.phase == Phase::Asking(Set::new());
        if let Some(sending) = self.outbox.sending.as_mut().filter(unchanged)
            && let Some(request) = sending.request.take()
        {
            match request.headers.iter().any(|(name, _)| name == HEADER) {
                true => self.send(moment, request),
                false => {
                    let input = self.request_input(&request);
                    self.sign(moment, input, Unsigned::Transaction(request));
                }
            }
        }
    }

    fn next_transaction(&mut self, moment: Moment) {
        for taken in core::mem::take(&mut self.outbox.returned) {
            self.edus.put_back(taken);
        }
        if self.outbox.sending.is_some() {
            return;
        }
        let mut splice = Splice::new(self.outbox.body_limit);
        let mut items = Vec::new();
        let most = if self.outbox.singles > 0 { 1 } else { MAX_EDUS };
        while items.len() < most
            && let Some(taken) = self.edus.take()
        {
            if !splice.edu(&taken.bytes) {
                self.edus.put_back(taken);
                break;
            }
            items.push(Item::Edu(taken));
        }
        self.outbox.fill(&mut splice, &mut items, moment.now);
        if items.is_empty() {
            return;
        }
        let body = splice.into_body();
        self.outbox.sending = Some(Sending { items, length: body.len(), request: None, phase: Phase::Out });
        let target = format!("{PREFIX}/send/{}", self.outbox.transaction_id(&moment));
        let request = request(http::Method::PUT, target, Some(body));
        let input = self.request_input(&request);
        self.sign(moment, input, Unsigned::Transaction(request));
    }

    /// Sends a signed transaction.
    pub(super) fn send(&mut self, moment: Moment, request: Request) {
        let ticket = self.desk.ticket();
        self.pending.insert(ticket, Pending::Transaction);
        self.desk.put(Output::Send(ticket, self.name.clone(), request.clone()));
        self.outbox.sent(request, moment.now);
    }

    /// The platform did not sign: the transaction is made anew later.
    pub(super) fn unsent(&mut self, moment: Moment) {
        self.outbox.spread(false);
        self.outbox.postpone(&moment, Duration::ZERO);
    }

    pub(super) fn transaction_answered(&mut self, moment: Moment, result: Result<Response, SendError>) {
        let Some(sending) = &self.outbox.sending else { return };
        let (length, is_single) = (sending.length, sending.items.len() == 1);
        match verdict(result, &sending.items) {
            Verdict::Taken(failed) => self.settle_transaction(moment, failed),
            Verdict::Named(failed) => self.outbox.refuse(failed, moment.now),
            Verdict::TooLarge(failure) | Verdict::Unnamed(failure) if is_single && failure.status != 500 => {
                // It is this one that is refused. A refused EDU is dropped.
                let failed = sending.items.iter().filter_map(|item| match item {
                    Item::Pdu(_, id, _) => Some((*id, failure.clone())),
                    Item::Edu(_) => None,
                });
                let failed = failed.collect();
                self.settle_transaction(moment, failed);
            }
            Verdict::TooLarge(_) => {
                self.outbox.body_limit = (length / 2).max(1);
                self.outbox.spread(false);
            }
            Verdict::Unnamed(_) if !is_single => {
                self.outbox.singles = sending.items.len();
                self.outbox.spread(true);
            }
            Verdict::Unnamed(_) => {
                // The next attempt is another room's turn.
                self.outbox.spread(true);
                self.outbox.postpone(&moment, Duration::ZERO);
            }
            Verdict::Later(at_least) => {
                self.edus.drop_fleeting();
                self.outbox.drop_fleeting();
                self.outbox.postpone(&moment, at_least);
            }
        }
    }

    fn settle_transaction(&mut self, moment: Moment, failed: Map<EventId, Failure>) {
        let mut batch = WriteBatch::new();
        let numbers = self.outbox.settle(failed, moment.now);
        edus::remove(numbers.into_iter(), &mut batch);
        self.desk.write(batch);
    }
}

fn verdict(result: Result<Response, SendError>, items: &[Item]) -> Verdict {
    let Ok(response) = result else { return Verdict::Later(Duration::ZERO) };
    let body = parse(&response.body, KeyOrder::Utf16, LIMITS).ok();
    let root = body.as_ref().map(|body| body.root()).filter(|root| root.kind() == Kind::Object);
    let named = root.into_iter().flat_map(failed_pdus).filter(|(id, _)| carries(items, id));
    let named: Map<_, _> = named.map(|(id, entry)| (id, Failure::read(response.status, entry))).collect();
    let failure = root.map_or_else(
        || Failure::new(response.status, ErrorCode::Unknown, "answer is not JSON"),
        |root| Failure::read(response.status, root),
    );
    match response.status {
        200 if root.is_some() => Verdict::Taken(named),
        413 => Verdict::TooLarge(failure),
        400 if failure.code == ErrorCode::BadState => Verdict::Later(Duration::ZERO),
        400 | 500 if !named.is_empty() => Verdict::Named(named),
        400 | 500 => Verdict::Unnamed(failure),
        429 => Verdict::Later(Duration::from_millis(failure.retry_after_ms.unwrap_or_default()).min(LONGEST_ASKED)),
        _ => Verdict::Later(Duration::ZERO),
    }
}

fn carries(items: &[Item], id: &EventId) -> bool {
    items.iter().any(|item| matches!(item, Item::Pdu(_, carried, _) if carried == id))
}
