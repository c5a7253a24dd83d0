//! Answers to transactions, put together while their events are settled one by one.

use alloc::vec::Vec;

use crate::ordered::Map;
use crate::server::{
    contract::{Output, Ticket},
    message::{Answer, Outcome},
};

/// Which transaction, and which of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    transaction: u64,
    index: usize,
}

/// The transactions that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Replies {
    open: Map<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    ticket: Ticket,
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
}

impl Replies {
    /// Opens the answer to a transaction of `count` events: the seat of each.
    pub(super) fn open(&mut self, ticket: Ticket, count: usize) -> Vec<Seat> {
        let transaction = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(transaction, Open { ticket, outcomes: (0..count).map(|_| None).collect(), missing: count });
        (0..count).map(|index| Seat { transaction, index }).collect()
    }

    /// Settles one event; the whole answer when it was the last. Settling an event twice changes nothing.
    pub(super) fn settle(&mut self, seat: Seat, outcome: Outcome) -> Option<Output> {
        let open = self.open.get_mut(&seat.transaction)?;
        let place = open.outcomes.get_mut(seat.index).filter(|place| place.is_none())?;
        *place = Some(outcome);
        open.missing = open.missing.saturating_sub(1);
        if open.missing > 0 {
            return None;
        }
        let open = self.open.remove(&seat.transaction)?;
        let outcomes = open.outcomes.into_iter().flatten().collect();
        Some(Output::Respond(open.ticket, Answer::Outcomes(outcomes)))
    }
}

#[cfg(test)]
mod tests {
    use super::Replies;
    use crate::server::{
        contract::{Output, Ticket},
        message::{Answer, Outcome},
    };

    #[test]
    fn the_answer_is_whole_and_in_order() {
        let mut replies = Replies::default();
        let seats = replies.open(Ticket(7), 2);
        let outcome = |byte| Outcome { id: Some(crate::id::EventId::from_hash([byte; 32])), failure: None };
        assert!(replies.settle(seats[1], outcome(1)).is_none());
        assert!(replies.settle(seats[1], outcome(9)).is_none());
        let Some(Output::Respond(Ticket(7), Answer::Outcomes(outcomes))) = replies.settle(seats[0], outcome(0)) else {
            panic!("no answer")
        };
        assert_eq!(outcomes, [outcome(0), outcome(1)]);
        assert!(replies.settle(seats[0], outcome(0)).is_none());
    }
}
