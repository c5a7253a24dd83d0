//! Appending what the hub ordered: each event is authorised by the state that those before it left (spec, section 4, steps 4 and 5).

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::{
    Item,
    lookup::{Lookup, behind, names_its_own},
    refused,
};
use crate::{
    event::{Event, Integrity, Sender, VerifiedPdu},
    id::{EventId, ServerName},
    ordered::Map,
    room::{
        authorize::{self, Before, Denial, Denied},
        head::Head,
        log::{FIRST_PLACE, LogEntry, LogEvent, position_key},
        redaction::{self, Effect},
    },
    server::{
        contract::{Moment, Output},
        message::{Cause, ErrorCode, Failure, Notification},
        room::{
            accounts,
            advance::advance,
            context::Context,
            history::REDACTED_ROW,
            known::read_event,
            transfer,
            work::{Change, Work},
        },
    },
    store::Table,
};

/// What the keys of the rows in [`Table::Meta`] begin with that say where the log has a hole. (The row of this name alone was written for all of them once.)
pub(in crate::server::room) const GAPS: &[u8] = b"gap";

/// The row of the hole at a position.
pub(in crate::server::room) fn gap_key(position: i64) -> Vec<u8> {
    [GAPS, b"/", &position_key(position)].concat()
}

/// A queue on its way into the log.
pub(super) struct Apply<'a> {
    context: &'a mut Context,
    lookup: &'a mut Lookup,
    moment: Moment,
    change: Change,
    /// The queue names its own events, so these are kept at hand.
    names_its_own: bool,
    /// What the accounts of local users are to be told.
    accounts: Vec<Box<dyn Work>>,
    /// The room has another hub than before.
    hub_moved: bool,
    /// Events that the next one branches off behind, the first to do so.
    branches: Vec<EventId>,
    /// Events that belong before a join of ours, and the join's place.
    passed: Map<EventId, i64>,
}

impl<'a> Apply<'a> {
    pub(super) fn new(
        context: &'a mut Context,
        lookup: &'a mut Lookup,
        queue: &VecDeque<Item>,
        moment: Moment,
    ) -> Self {
        let head = context.room.as_ref().and_then(|room| room.head).map(|head| head.event_id);
        let names_its_own = names_its_own(queue, head);
        let (change, accounts) = (Change::default(), Vec::new());
        let (branches, passed) = (Vec::new(), Map::new());
        Self { context, lookup, moment, change, names_its_own, accounts, hub_moved: false, branches, passed }
    }

    /// The change, whole.
    pub(super) fn finish(mut self) -> Change {
        if !self.change.batch.is_empty() {
            self.context.seal(&mut self.change.batch);
        }
        if self.hub_moved {
            self.change.follow.push(transfer::resign());
        }
        self.change.follow.extend(self.context.transfer_work());
        self.change.follow.append(&mut self.accounts);
        self.change
    }

    /// One event: appended, or kept as a link, or dropped. One that fills a gap leaves at least a hole.
    ///
    /// # Errors
    /// Why it is not part of the room.
    pub(super) fn pdu(&mut self, pdu: VerifiedPdu, fills_gap: bool) -> Result<(), Failure> {
        if self.lookup.place_of(&pdu.event_id()).is_some() {
            return Ok(());
        }
        if let Some(join) = self.join_after(pdu.event()) {
            self.pass_over(&pdu, join);
            return Ok(());
        }
        let Some(room) = &self.context.room else { return Err(super::super::context::not_found()) };
        let known = &self.lookup.known;
        let redacts = match redaction::effect(pdu.event(), &room.state, known) {
            Effect::Redacts(target) => Some(target),
            Effect::Nothing(_) => None,
        };
        match authorize::pdu(pdu, Before { state: &room.state, known }) {
            Ok(authorized) => {
                let pdu = authorized.into_verified();
                self.link_up(pdu.event());
                let twice = pdu.lpdu_id().and_then(|id| self.lookup.event_of_lpdu(&id));
                if let Some(first) = twice {
                    let reason = alloc::format!("its LPDU stands in the log already, as {first}");
                    self.reject(&pdu, &reason);
                    return Err(refused("chain", &reason).because(Cause::admission("LpduTwice")));
                }
                self.append(pdu, redacts);
                Ok(())
            }
            Err(Denied { event, reason: reason @ Denial::Rule(_) }) => {
                self.link_up(event.event());
                self.reject(&event, &alloc::format!("{reason}"));
                Err(refused("rules", &alloc::format!("{reason}")).because(Cause::rules(&reason)))
            }
            Err(Denied { event, reason }) => Err(self.not_the_hubs(&event, &reason, fills_gap)),
        }
    }

    /// Something that the hub names and does not serve.
    pub(super) fn hole(&mut self, event_id: EventId) {
        if self.lookup.place_of(&event_id).is_some() {
            return;
        }
        let Some(position) = self.place(&LogEntry::Hole { event_id: Some(event_id) }, event_id) else { return };
        self.change.batch.put(Table::Meta, gap_key(position), []);
        self.context.holes.add(position, self.moment.now, &mut self.change.batch);
        self.lookup.stands(event_id, position, None);
        self.notify(Notification::Hole { room_id: self.context.room_id.clone(), position, event_id });
    }

    /// The place of our join, if an event belongs before it, where we have no log: below our log, or in the hole of an absence. Such events come when one
    /// that was sent while we were outside arrives late.
    fn join_after(&self, event: &Event) -> Option<i64> {
        event.prev_events().iter().find_map(|prev| {
            let position = match self.passed.get(prev) {
                Some(join) => return Some(*join),
                None => self.lookup.place_of(prev)?,
            };
            let [next, join] = behind(position);
            let is_absence = matches!(self.lookup.entry_at(next), Some(LogEntry::Hole { event_id: None }));
            (is_absence || position < FIRST_PLACE).then_some(join)
        })
    }

    /// Acknowledges an event that belongs before our join: the state that came with the join knows of it. One in the join's own place that came through the
    /// same hub is a fork.
    fn pass_over(&mut self, pdu: &VerifiedPdu, join: i64) {
        let (event, event_id) = (pdu.event(), pdu.event_id());
        self.passed.insert(event_id, join);
        if let Some(lpdu_id) = pdu.lpdu_id() {
            self.change.batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
            self.context.pending.remove(lpdu_id, &mut self.change.batch);
        }
        if let (Some(LogEntry::Event(join)), Some(room)) = (self.lookup.entry_at(join), &self.context.room)
            && let Some(join_event) = read_event(&join.bytes, room.rules())
            && through(&join_event) == through(event)
            && join_event.prev_events().iter().any(|prev| event.prev_events().contains(prev))
        {
            let first = join.bytes.clone();
            self.report_fork(first, event);
        }
    }

    /// Sees to what an event follows: what is unknown becomes a hole, what is not the head is a fork.
    fn link_up(&mut self, event: &Event) {
        for prev in event.prev_events() {
            self.hole(*prev);
        }
        let head = self.context.room.as_ref().and_then(|room| room.head).map(|head| head.event_id);
        self.branches.clear();
        match event.prev_events() {
            [prev] if Some(*prev) == head => {}
            [] => {}
            several => {
                let first = self.successor(several, None);
                if first.is_none() {
                    self.branches = several.to_vec();
                }
                self.report_fork(first.unwrap_or_default(), event);
            }
        }
    }

    /// The event in our log that follows one of these too, and came through `hub` if one is given.
    fn successor(&self, prev_events: &[EventId], hub: Option<&ServerName>) -> Option<Vec<u8>> {
        let rules = self.context.room.as_ref()?.rules();
        let event_at = |prev: &EventId, position: i64| {
            let LogEntry::Event(stored) = self.lookup.entry_at(position)? else { return None };
            let event = read_event(&stored.bytes, rules)?;
            let is_next = event.prev_events().contains(prev) && hub.is_none_or(|hub| through(&event) == *hub);
            is_next.then(|| stored.bytes.clone())
        };
        prev_events.iter().find_map(|prev| {
            let behind = self.lookup.place_of(prev)?.saturating_add(1);
            event_at(prev, behind).or_else(|| event_at(prev, self.lookup.branch_of(prev)?))
        })
    }

    fn report_fork(&mut self, first: Vec<u8>, event: &Event) {
        let (room_id, second) = (self.context.room_id.clone(), event.bytes().to_vec());
        self.notify(Notification::Fork { room_id, first, second });
    }

    /// Drops an event that does not come through the hub at its place. One of a former hub beside what it ordered before is proof of a fork.
    fn not_the_hubs(&mut self, pdu: &VerifiedPdu, reason: &Denial, fills_gap: bool) -> Failure {
        let event = pdu.event();
        if let Some(first) = self.successor(event.prev_events(), Some(&through(event))) {
            self.report_fork(first, event);
        }
        if fills_gap {
            self.hole(pdu.event_id());
        }
        let mut failure =
            Failure::new(403, ErrorCode::Forbidden, alloc::format!("hub: {reason}")).because(Cause::rules(reason));
        failure.hub_server = self.context.hub().cloned();
        failure
    }

    /// Keeps the link of an event that is not part of the room, and says so.
    fn reject(&mut self, pdu: &VerifiedPdu, reason: &str) {
        let event_id = pdu.event_id();
        let entry = LogEntry::Link { event_id, prev_events: pdu.event().prev_events().to_vec() };
        let Some(position) = self.place(&entry, event_id) else { return };
        self.lookup.stands(event_id, position, None);
        let room_id = self.context.room_id.clone();
        self.notify(Notification::Rejected { room_id, event_id, error: reason.into() });
    }

    fn append(&mut self, pdu: VerifiedPdu, redacts: Option<EventId>) {
        let (event_id, lpdu_id) = (pdu.event_id(), pdu.lpdu_id());
        let (sender, integrity) = (pdu.sender_check(), pdu.integrity());
        let event = pdu.into_event();
        let hub_before = self.context.hub().cloned();
        let Some(room) = &mut self.context.room else { return };
        let batch = &mut self.change.batch;
        let position = advance(room, &event, event_id, batch);
        let stored = LogEvent { event_id, sender, integrity, soft_failed: false, bytes: event.bytes().to_vec() };
        let entry = LogEntry::Event(stored);
        entry.put(position, batch);
        if let Some(lpdu_id) = lpdu_id {
            batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
            self.context.pending.remove(lpdu_id, batch);
        }
        if sender == Sender::KeyMissing {
            self.context.unproven.add(position, self.moment.now, batch);
        }
        if self.context.hub() != hub_before.as_ref() {
            self.context.hub_moved(position, batch);
            self.hub_moved = true;
        }
        self.lookup.stands(event_id, position, lpdu_id);
        for prev in core::mem::take(&mut self.branches) {
            self.lookup.branches_off(prev, position, &mut self.change.batch);
        }
        if self.names_its_own {
            self.lookup.known.insert(event_id, event.clone(), position);
            if let LogEntry::Event(stored) = &entry {
                self.lookup.known.stand(stored.clone());
            }
            self.lookup.wrote(position, entry);
        }
        if let Some(target) = redacts {
            self.context.redact(&mut self.lookup.known, target, &mut self.change.batch);
        }
        match integrity {
            Integrity::Intact => self.context.ages(&event, position, &mut self.change.batch),
            Integrity::Redacted => self.change.batch.put(Table::Meta, REDACTED_ROW, []),
        }
        self.accounts.extend(accounts::of_event(self.context, &event));
        let appended = Notification::Appended {
            room_id: self.context.room_id.clone(),
            position,
            event_id,
            lpdu_id,
            event: event.bytes().to_vec(),
            sender_verified: sender == Sender::Verified,
            intact: integrity == Integrity::Intact,
        };
        self.notify(appended);
    }

    /// Puts an entry that changes nothing behind the head.
    fn place(&mut self, entry: &LogEntry, event_id: EventId) -> Option<i64> {
        let room = self.context.room.as_mut()?;
        let position = room.next_position();
        room.head = Some(Head { position, event_id });
        entry.put(position, &mut self.change.batch);
        if self.names_its_own {
            self.lookup.wrote(position, entry.clone());
        }
        Some(position)
    }

    fn notify(&mut self, notification: Notification) {
        self.change.then.push(Output::Notify(notification));
    }
}

/// The server that an event came through: its hub.
pub(super) fn through(event: &Event) -> ServerName {
    event.hub_server().cloned().unwrap_or_else(|| event.sender().server_name())
}
