//! The rules, for events of the past: each is judged by the events that authorise it, as when a room is joined. What rests on events that are further back
//! than we have read cannot be judged yet.

use alloc::{boxed::Box, string::String, vec, vec::Vec};

use super::mark;
use crate::{
    event::{Event, VerifiedPdu},
    id::EventId,
    ordered::{LargeMap, Set},
    room::{
        auth_chain::AuthChain,
        auth_events,
        authorize::Denied,
        kind,
        known::KnownEvents,
        log::{BEFORE_LOG, LogEntry, entry, place, position_of},
    },
    server::room::{context::Context, known::read_event},
    store::{Query, Row, Table},
};

/// An event of the past, and what the rules say of it.
pub(super) enum Judged {
    /// It is part of the room.
    Accepted(VerifiedPdu),
    /// The chain leads through it, and what authorises it is not here.
    Unchecked(VerifiedPdu),
    /// The chain leads through it, and the rules refuse it.
    Rejected(Box<VerifiedPdu>, String),
}

impl Judged {
    pub(super) fn pdu(&self) -> &VerifiedPdu {
        match self {
            Self::Accepted(pdu) | Self::Unchecked(pdu) => pdu,
            Self::Rejected(pdu, _) => pdu,
        }
    }
}

/// A chain of events, newest first, and what our log holds of the events that authorise them.
pub(super) struct Judge {
    chain: Vec<VerifiedPdu>,
    known: LargeMap<EventId, Event>,
    asks_places: bool,
}

impl Judge {
    /// Asks where those events stand.
    pub(super) fn new(chain: Vec<VerifiedPdu>) -> (Self, Vec<Query>) {
        let ours: Set<EventId> = chain.iter().map(VerifiedPdu::event_id).collect();
        let wanted: Set<EventId> = chain
            .iter()
            .flat_map(|pdu| auth_events::decisive(pdu.event()))
            .filter(|id| !ours.contains(*id))
            .copied()
            .collect();
        (Self { chain, known: LargeMap::new(), asks_places: true }, wanted.into_iter().map(place).collect())
    }

    /// Takes in what was asked for; what is to be asked next.
    pub(super) fn read(&mut self, context: &Context, rows: &[Vec<Row>]) -> Vec<Query> {
        if core::mem::take(&mut self.asks_places) {
            let places = rows.iter().flatten().filter_map(|row| position_of(&row.value).ok());
            let places = places.filter(|position| *position != BEFORE_LOG);
            return places
                .flat_map(|position| vec![entry(position), Query::one(Table::Meta, mark(position))])
                .collect();
        }
        let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return Vec::new() };
        for pair in rows.chunks(2) {
            // What could not be checked itself proves nothing.
            if let [stored, marked] = pair
                && marked.is_empty()
                && let Some(Ok(LogEntry::Event(stored))) = stored.first().map(|row| LogEntry::decode(&row.value))
                && let Some(event) = read_event(&stored.bytes, rules)
            {
                self.known.insert(stored.event_id, event);
            }
        }
        Vec::new()
    }

    /// The verdicts, newest first.
    pub(super) fn judge(self, context: &Context) -> Option<Vec<Judged>> {
        let rules = context.room.as_ref()?.rules();
        let mut chain = AuthChain::new(context.room_id.clone(), rules);
        self.known.iter().for_each(|(event_id, event)| chain.know(*event_id, event));
        let mut judged: Vec<Judged> = self.chain.into_iter().rev().map(|pdu| judge_one(&mut chain, pdu)).collect();
        judged.reverse();
        Some(judged)
    }
}

fn judge_one(chain: &mut AuthChain, pdu: VerifiedPdu) -> Judged {
    let event = pdu.event();
    let is_known = |event_id: &EventId| chain.known(event_id).is_some();
    if event.kind() != kind::CREATE && !auth_events::decisive(event).all(is_known) {
        return Judged::Unchecked(pdu);
    }
    match chain.admit_next(pdu) {
        Ok(authorized) => Judged::Accepted(authorized.into_verified()),
        Err(Denied { event, reason }) => Judged::Rejected(event, alloc::format!("{reason}")),
    }
}
