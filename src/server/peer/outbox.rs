//! What the rooms owe the peer: pulled from them, sent in turn, each room's order kept (spec, section 6, Outbox).
//!
//! This is the bookkeeping; `send` acts on it. Nothing here need outlive the machine: what was not reported as delivered is pulled again.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};
use core::time::Duration;

use super::{edus::Taken, splice::Splice};
use crate::{
    id::{EventId, RoomId, Timestamp},
    ordered::{Map, Set},
    server::{
        contract::Moment,
        desk::Mark,
        message::{Delivered, ErrorCode, Failure, OwedEvents, Request, Shelf},
        x_matrix::HEADER,
    },
};

/// Bodies stay below this: one known server refuses 100 kB.
pub(super) const MAX_BODY: usize = 90_000;

/// PDUs of a transaction.
const MAX_PDUS: usize = 50;

/// Rooms that are pulled at once.
const MOST_PULLS: usize = 8;

/// The longest wait before another attempt.
const LONGEST_WAIT: u64 = 3_600_000;

/// A sign of life brings the next attempt forward, but not closer to the last one than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// How long a room that owes nothing is remembered as one that may: writing that down for each event would cost two commits an event.
const QUIET: Duration = Duration::from_secs(60);

/// How long to wait before an event that the peer could not deal with in time is sent again: the first time, doubled each time, and at most, since all
/// that the room owes waits behind it. What our users said is given up after so many tries, and they are told.
const HOLD: u64 = 5_000;
const LONGEST_HOLD: u64 = 60_000;
const MOST_TRIES: u8 = 3;

/// All rooms that owe the peer something, and the transaction under way.
#[derive(Debug)]
pub(super) struct Outbox {
    rooms: Map<RoomId, Owing>,
    /// The room that was served last.
    turn: Option<RoomId>,
    pub(super) sending: Option<Sending>,
    /// Transactions made since the machine was opened.
    made: u64,
    attempts: u32,
    next_attempt: Timestamp,
    last_attempt: Timestamp,
    pub(super) body_limit: usize,
    /// How many things are to be sent alone, to find the one that is refused.
    pub(super) singles: usize,
    /// Rooms whose answer to the peer's join is not out: nothing of them is sent before it.
    pub(super) joining: Map<RoomId, Joining>,
    /// EDUs of a transaction that was taken apart, last first; to be queued again.
    pub(super) returned: Vec<Taken>,
}

/// One room's debt.
#[derive(Debug, Default)]
struct Owing {
    /// It has said that there is something.
    nudged: bool,
    pulling: bool,
    /// What came of the last batch, until the room has heard it.
    reporting: Option<Delivered>,
    /// What is at hand may have been settled otherwise: look before it is sent.
    stale: bool,
    /// Not to be pulled before.
    not_before: Timestamp,
    /// Nothing of it is to be sent before.
    held_until: Timestamp,
    batch: Option<Batch>,
    /// Since when it owes nothing.
    quiet_since: Option<Timestamp>,
    /// Known from the rows alone: nobody has nudged since the machine was opened.
    remembered: bool,
}

/// What one pull brought, and how far it has got.
#[derive(Debug, Default)]
struct Batch {
    shelf: Shelf,
    position: i64,
    events: VecDeque<(EventId, Vec<u8>)>,
    done: Set<EventId>,
    refused: Vec<(EventId, Failure)>,
    tries: Map<EventId, u8>,
}

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) items: Vec<Item>,
    pub(super) length: usize,
    /// The request, once it was sent; to be signed anew if it is not signed.
    pub(super) request: Option<Request>,
    pub(super) phase: Phase,
}

/// How far a join of the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// The room has not answered. So many joins are under way.
    Asked(usize),
    /// The answer leaves when this point is durable.
    Answered(Mark),
}

/// What a transaction carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Pdu(RoomId, EventId, Vec<u8>),
    Edu(Taken),
}

/// How far a transaction is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// On its way: signed, sent, not answered.
    Out,
    /// To be sent again, when it is time.
    Waiting,
    /// It is time: these rooms are asked whether they still owe what it carries.
    Asking(Set<RoomId>),
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            rooms: Map::new(),
            turn: None,
            sending: None,
            made: 0,
            attempts: 0,
            next_attempt: Timestamp::default(),
            last_attempt: Timestamp::default(),
            body_limit: MAX_BODY,
            singles: 0,
            joining: Map::new(),
            returned: Vec::new(),
        }
    }
}

impl Outbox {
    /// Starts with the rooms that owed something when the machine was closed.
    pub(super) fn open(&mut self, owing: Vec<RoomId>) {
        for room in owing {
            self.nudged(&room);
            self.rooms.entry(room).or_default().remembered = true;
        }
    }

    /// A room owes the peer something.
    pub(super) fn nudged(&mut self, room: &RoomId) {
        let owing = self.rooms.entry(room.clone()).or_default();
        (owing.nudged, owing.remembered) = (true, false);
        owing.quiet_since = None;
        // What our users said may have been said anew, to another hub.
        owing.stale |= owing.batch.as_ref().is_some_and(Batch::may_be_taken_back);
    }

    /// Whether it is time to send.
    pub(super) fn may_send(&self, now: Timestamp) -> bool {
        self.next_attempt <= now
    }

    /// A clock that is set back makes no wait longer: nobody knows any more how long it has lasted, so it is over.
    pub(super) fn keep_time(&mut self, now: Timestamp) {
        if now < self.last_attempt {
            self.last_attempt = now;
            self.next_attempt = self.next_attempt.min(now);
        }
    }

    /// The peer has shown that it is there, or somebody waits for it to be.
    pub(super) fn peer_is_alive(&mut self, now: Timestamp) {
        let soonest = self.last_attempt.saturating_add(SHORTEST_WAIT).max(now);
        self.next_attempt = self.next_attempt.min(soonest);
        for (_, owing) in &mut self.rooms {
            owing.held_until = owing.held_until.min(soonest);
        }
    }

    /// A link to the peer was made just now.
    pub(super) fn peer_is_reached(&mut self, now: Timestamp) {
        self.next_attempt = self.next_attempt.min(now);
    }

    /// The rooms to pull now, with what came of the events before.
    pub(super) fn pulls(&mut self, now: Timestamp) -> Vec<(RoomId, Option<Delivered>)> {
        let may_send = self.may_send(now);
        let in_flight = self.rooms_in_flight();
        // What is carried by a transaction comes to hand again only while its room is asked whether it still owes it.
        let asked = match self.sending.as_ref().map(|sending| &sending.phase) {
            Some(Phase::Asking(left)) => Some(left),
            Some(Phase::Out | Phase::Waiting) | None => None,
        };
        let is_carried = |room: &RoomId| in_flight.contains(room) && !asked.is_some_and(|left| left.contains(room));
        let mut free = MOST_PULLS.saturating_sub(self.rooms.values().filter(|owing| owing.pulling).count());
        let mut pulls = Vec::new();
        for (room, owing) in &mut self.rooms {
            if free == 0 || owing.pulling || owing.not_before > now {
                continue;
            }
            if !owing.stale && !in_flight.contains(room) {
                let settled = owing.batch.take_if(|batch| batch.events.is_empty());
                owing.reporting = owing.reporting.take().or(settled.map(Batch::into_delivered));
            }
            let is_wanted = match owing.batch {
                _ if owing.reporting.is_some() => true,
                Some(_) => owing.stale && may_send && !is_carried(room),
                None => (owing.nudged || owing.stale) && may_send,
            };
            if is_wanted {
                (owing.pulling, owing.nudged) = (true, false);
                free = free.saturating_sub(1);
                pulls.push((room.clone(), owing.reporting.clone()));
            }
        }
        pulls
    }

    /// A room has said what it owes.
    pub(super) fn pulled(&mut self, room: &RoomId, owed: OwedEvents, now: Timestamp) {
        let Some(owing) = self.rooms.get_mut(room) else { return };
        (owing.pulling, owing.stale, owing.reporting) = (false, false, None);
        let mut batch = owing.batch.take().unwrap_or_default();
        (batch.shelf, batch.position) = (owed.shelf, owed.position);
        if owed.events.is_empty() && owed.more {
            // A stretch of the log without anything to send. A room that never came to its end must not keep us busy.
            owing.not_before = now.saturating_add(Duration::from_secs(1));
        }
        batch.events = owed.events.into_iter().filter(|(id, _)| !batch.done.contains(id)).collect();
        if owed.more || !batch.events.is_empty() || !batch.done.is_empty() {
            owing.stale = owing.nudged && batch.may_be_taken_back();
            owing.batch = Some(batch);
        } else if !owing.nudged {
            owing.quiet_since = Some(now);
        }
        self.asked(room);
    }

    /// A room could not say what it owes.
    pub(super) fn not_pulled(&mut self, room: &RoomId, again: Timestamp) {
        if let Some(owing) = self.rooms.get_mut(room) {
            (owing.pulling, owing.nudged, owing.not_before) = (false, true, again);
            if let Some(batch) = owing.batch.as_mut().filter(|_| owing.stale) {
                batch.events.clear();
            }
        }
        self.asked(room);
    }

    /// It is time to send again what was not answered. Rooms that owe what it carries are asked first whether they still do (spec, section 6, Outbox).
    pub(super) fn ask_again(&mut self) {
        let rooms = self.rooms_in_flight();
        rooms.iter().for_each(|room| self.doubt(room));
        if let Some(sending) = &mut self.sending {
            sending.phase = Phase::Asking(rooms);
        }
    }

    /// What is at hand of a room has to be looked at again before it is sent.
    fn doubt(&mut self, room: &RoomId) {
        let owing = self.rooms.entry(room.clone()).or_default();
        owing.stale = true;
    }

    /// A room whose debts are carried by the waiting transaction has been asked. If they are the same, they need not be at hand twice; if not, the
    /// transaction is taken apart.
    fn asked(&mut self, room: &RoomId) {
        let Some(sending) = &mut self.sending else { return };
        let Phase::Asking(left) = &mut sending.phase else { return };
        if !left.remove(room) {
            return;
        }
        let carried = sending.items.iter().filter_map(|item| match item {
            Item::Pdu(of, id, _) if of == room => Some(id),
            Item::Pdu(..) | Item::Edu(_) => None,
        });
        let count = carried.clone().count();
        let at_hand = self.rooms.get_mut(room).and_then(|owing| owing.batch.as_mut()).map(|batch| &mut batch.events);
        match at_hand.filter(|events| carried.eq(events.iter().take(count).map(|(id, _)| id))) {
            Some(events) => drop(events.drain(..count)),
            None => self.take_apart(Some(room)),
        }
    }

    /// Takes the transaction apart: what it carries is at hand again, but for rooms that say anew what they owe.
    fn take_apart(&mut self, said_anew: Option<&RoomId>) {
        let Some(sending) = self.sending.take() else { return };
        for item in sending.items.into_iter().rev() {
            match item {
                Item::Edu(taken) => self.returned.push(taken),
                Item::Pdu(room, ..) if said_anew == Some(&room) => {}
                Item::Pdu(room, id, bytes) => {
                    if let Some(owing) = self.rooms.get_mut(&room).filter(|owing| !owing.stale) {
                        owing.batch.get_or_insert_default().events.push_front((id, bytes));
                    }
                }
            }
        }
    }

    /// The transaction was refused as a whole: what it carries goes into others.
    pub(super) fn spread(&mut self, doubtful: bool) {
        let rooms = self.rooms_in_flight();
        self.take_apart(None);
        if doubtful {
            rooms.iter().for_each(|room| self.doubt(room));
        }
    }

    /// The peer has dealt with the transaction; these it refused. Gives back the numbers of the lasting EDUs that it carried.
    pub(super) fn settle(&mut self, mut failed: Map<EventId, Failure>, now: Timestamp) -> Vec<u64> {
        (self.attempts, self.next_attempt) = (0, Timestamp::default());
        self.singles = self.singles.saturating_sub(1);
        let mut numbers = Vec::new();
        for item in self.sending.take().into_iter().flat_map(|sending| sending.items.into_iter().rev()) {
            match item {
                Item::Edu(taken) => numbers.extend(taken.number),
                Item::Pdu(room, id, bytes) => {
                    let owing = self.rooms.entry(room).or_default();
                    owing.settle(id, bytes, failed.remove(&id), now);
                }
            }
        }
        numbers
    }

    /// The peer refused the transaction and named what for: the rest goes into others.
    pub(super) fn refuse(&mut self, mut failed: Map<EventId, Failure>, now: Timestamp) {
        if let Some(sending) = &mut self.sending {
            for item in core::mem::take(&mut sending.items) {
                match item {
                    Item::Pdu(room, id, bytes) if failed.contains_key(&id) => {
                        let owing = self.rooms.entry(room).or_default();
                        owing.settle(id, bytes, failed.remove(&id), now);
                    }
                    item => sending.items.push(item),
                }
            }
        }
        self.spread(true);
    }

    /// The peer did not deal with the transaction: another attempt later, at the earliest after `at_least`.
    pub(super) fn postpone(&mut self, moment: &Moment, at_least: Duration) {
        self.attempts = self.attempts.saturating_add(1);
        let longest = 1_000_u64.saturating_mul(1 << self.attempts.min(20)).min(LONGEST_WAIT);
        let [a, b, c, d, ..] = moment.random;
        let half = longest / 2;
        let jitter = u64::from(u32::from_be_bytes([a, b, c, d])) * half / u64::from(u32::MAX);
        let wait = Duration::from_millis(half.saturating_add(jitter)).max(at_least);
        self.next_attempt = moment.now.saturating_add(wait);
        if let Some(sending) = &mut self.sending {
            sending.phase = Phase::Waiting;
        }
    }

    /// The peer cannot be reached: what is not worth keeping is not repeated. A transaction that carries other things too stays the same transaction without
    /// it, to be signed anew.
    pub(super) fn drop_fleeting(&mut self) {
        let Some(sending) = &mut self.sending else { return };
        let carried = sending.items.len();
        sending.items.retain(|item| !matches!(item, Item::Edu(Taken { number: None, .. })));
        if sending.items.is_empty() {
            self.sending = None;
        } else if sending.items.len() < carried {
            let mut splice = Splice::new(usize::MAX);
            for item in &sending.items {
                match item {
                    Item::Edu(taken) => splice.edu(&taken.bytes),
                    Item::Pdu(_, _, bytes) => splice.pdu(bytes),
                };
            }
            if let Some(request) = &mut sending.request {
                request.body = splice.into_body();
                request.headers.retain(|(name, _)| name != HEADER);
                sending.length = request.body.len();
            }
        }
    }

    /// A transaction leaves.
    pub(super) fn sent(&mut self, request: Request, now: Timestamp) {
        self.last_attempt = now;
        if let Some(sending) = &mut self.sending {
            sending.request = Some(request);
            sending.phase = Phase::Out;
        }
    }

    /// The ID of a new transaction: never used before, also not before a restart.
    pub(super) fn transaction_id(&mut self, moment: &Moment) -> String {
        self.made = self.made.wrapping_add(1);
        let random = u128::from_be_bytes(moment.random);
        format!("h{:x}-{:x}-{random:032x}", moment.now.millis(), self.made)
    }

    /// Fills a transaction with PDUs, a room's in order, the rooms in turn.
    pub(super) fn fill(&mut self, splice: &mut Splice, items: &mut Vec<Item>, now: Timestamp) {
        let most = if self.singles > 0 { 1 } else { MAX_PDUS };
        let is_ready = |room: &RoomId, owing: &Owing| {
            !owing.stale
                && !self.joining.contains_key(room)
                && owing.held_until <= now
                && owing.batch.as_ref().is_some_and(|batch| !batch.events.is_empty())
        };
        let ready = self.rooms.iter().filter(|(room, owing)| is_ready(room, owing)).map(|(room, _)| room.clone());
        let (before, mut ring): (Vec<_>, VecDeque<_>) = {
            let (before, after): (Vec<_>, Vec<_>) =
                ready.partition(|room| self.turn.as_ref().is_some_and(|turn| room <= turn));
            (before, after.into())
        };
        ring.extend(before);
        let mut pdus = 0;
        while pdus < most
            && (self.singles == 0 || items.is_empty())
            && let Some(room) = ring.pop_front()
        {
            let batch = self.rooms.get_mut(&room).and_then(|owing| owing.batch.as_mut());
            let Some(events) = batch.map(|batch| &mut batch.events) else { continue };
            let Some((id, bytes)) = events.pop_front() else { continue };
            if !splice.pdu(&bytes) {
                events.push_front((id, bytes));
                break;
            }
            items.push(Item::Pdu(room.clone(), id, bytes));
            pdus += 1;
            self.turn = Some(room.clone());
            ring.push_back(room);
        }
    }

    /// Rooms that have owed nothing for long enough; they are forgotten. One that nobody nudged for since the machine was opened is not waited for: where
    /// machines are lost while nothing happens, none would live to the end of the wait.
    pub(super) fn quiet(&mut self, now: Timestamp) -> Vec<RoomId> {
        let is_over = |owing: &Owing, since: Timestamp| owing.remembered || since.saturating_add(QUIET) <= now;
        let is_quiet = |owing: &Owing| owing.quiet_since.is_some_and(|since| is_over(owing, since));
        let quiet: Vec<_> =
            self.rooms.iter().filter(|(_, owing)| is_quiet(owing)).map(|(room, _)| room.clone()).collect();
        quiet.iter().for_each(|room| drop(self.rooms.remove(room)));
        quiet
    }

    /// When something may be due; what is past is not.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Timestamp> {
        let rooms = self.rooms.values().flat_map(|owing| {
            let quiet = owing.quiet_since.map(|since| since.saturating_add(QUIET));
            [Some(owing.not_before), Some(owing.held_until), quiet].into_iter().flatten()
        });
        rooms.chain([self.next_attempt])
    }

    /// Whether nothing would be lost but time.
    pub(super) fn is_idle(&self) -> bool {
        let is_out = self.sending.as_ref().is_some_and(|sending| sending.phase != Phase::Waiting);
        !is_out && self.rooms.values().all(|owing| owing.batch.is_none() && owing.reporting.is_none())
    }

    /// Rooms that owe events, events at hand, and EDUs of the transaction under way.
    pub(super) fn backlog(&self) -> (usize, usize, usize) {
        let items = self.sending.iter().flat_map(|sending| &sending.items);
        let edus = items.filter(|item| matches!(item, Item::Edu(_))).count().saturating_add(self.returned.len());
        let owes = |owing: &&Owing| owing.nudged || owing.pulling || owing.batch.is_some();
        let events = self.rooms.values().filter_map(|owing| owing.batch.as_ref()).map(|batch| batch.events.len());
        let sent = self.sending.iter().map(|sending| sending.items.len()).sum::<usize>();
        (
            self.rooms.values().filter(owes).count(),
            events.sum::<usize>().saturating_add(sent).saturating_sub(edus),
            edus,
        )
    }

    fn rooms_in_flight(&self) -> Set<RoomId> {
        let items = self.sending.iter().flat_map(|sending| &sending.items);
        let room = |item: &Item| match item {
            Item::Pdu(room, ..) => Some(room.clone()),
            Item::Edu(_) => None,
        };
        items.filter_map(room).collect()
    }
}

impl Owing {
    fn settle(&mut self, id: EventId, bytes: Vec<u8>, failure: Option<Failure>, now: Timestamp) {
        let batch = self.batch.get_or_insert_default();
        // Without a head it is no hub transfer: the peer had no time for the event.
        let had_no_time = |failure: &Failure| failure.code == ErrorCode::BadState && failure.head.is_none();
        if failure.as_ref().is_some_and(had_no_time) {
            let tries = batch.tries.entry(id).or_default();
            *tries = tries.saturating_add(1);
            if *tries < MOST_TRIES || batch.shelf == Shelf::Log {
                let wait = HOLD.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(LONGEST_HOLD);
                self.held_until = now.saturating_add(Duration::from_millis(wait));
                self.stale = true;
                return batch.events.push_front((id, bytes));
            }
        }
        batch.done.insert(id);
        batch.refused.extend(failure.map(|failure| (id, failure)));
    }
}

impl Batch {
    fn may_be_taken_back(&self) -> bool {
        self.shelf == Shelf::Pending && !self.events.is_empty()
    }

    fn into_delivered(self) -> Delivered {
        Delivered { shelf: self.shelf, position: self.position, refused: self.refused }
    }
}
