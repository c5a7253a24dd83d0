//! EDUs for the peer: lasting ones in the store until they are taken, fleeting ones in memory while the peer can be reached.

use alloc::{collections::VecDeque, vec::Vec};

use super::{PeerMachine, Pending};
use crate::{
    json::Document,
    server::{
        contract::{Query, Ticket},
        message::{Answer, ErrorCode, Failure, Keep},
    },
    store::{Row, Table, WriteBatch},
};

/// Lasting EDUs in memory; the rest stays in the store.
const WINDOW: u32 = 100;

/// More lasting EDUs than this are refused.
const MOST_LASTING: u64 = 10_000;

/// Fleeting EDUs beyond this push out the oldest.
const MOST_FLEETING: usize = 100;

/// The largest EDU that is sent, and the largest message to devices that is taken, in bytes.
pub(super) const MAX_EDU: usize = 65_536;

/// The query of the first rows.
pub(super) fn first() -> Query {
    Query::prefix(Table::Queue, [], WINDOW)
}

/// The query of the last row.
pub(super) fn last() -> Query {
    Query { limit: 1, ..Query::all(Table::Queue).reversed() }
}

/// What is queued. Numbers count up over restarts for as long as something is queued.
#[derive(Debug, Default)]
pub(super) struct EduQueue {
    /// The first lasting ones that are not being sent, by number.
    window: VecDeque<(u64, Vec<u8>)>,
    /// The number behind the last one that was ever in the window.
    end: u64,
    /// The number of the next one to be queued.
    next: u64,
    /// Whether a read of more rows is on its way.
    reading: bool,
    fleeting: VecDeque<Vec<u8>>,
}

/// An EDU that is being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its number, if it is a lasting one.
    pub(super) number: Option<u64>,
    pub(super) bytes: Vec<u8>,
}

impl EduQueue {
    pub(super) fn open(first: &[Row], last: &[Row]) -> Self {
        let next = last.first().and_then(number).map_or(0, |number| number.saturating_add(1));
        let mut queue = Self { next, ..Self::default() };
        queue.refill(first);
        queue
    }

    /// Takes the rows that follow the window; none means that there are none.
    pub(super) fn refill(&mut self, rows: &[Row]) {
        self.reading = false;
        self.window.extend(rows.iter().filter_map(|row| Some((number(row)?, row.value.clone()))));
        self.end = rows.last().and_then(number).map_or(self.next, |last| last.saturating_add(1));
    }

    /// The rows to read next, if the window is empty and there are some.
    fn missing(&mut self) -> Option<Query> {
        if self.reading || !self.window.is_empty() || self.end >= self.next {
            return None;
        }
        self.reading = true;
        Some(Query::range(Table::Queue, self.end.to_be_bytes(), self.next.to_be_bytes(), WINDOW))
    }

    /// How many are queued.
    pub(super) fn len(&self) -> usize {
        let stored = usize::try_from(self.next.saturating_sub(self.end)).unwrap_or(usize::MAX);
        self.window.len().saturating_add(stored).saturating_add(self.fleeting.len())
    }

    /// The next EDU, lasting ones first.
    pub(super) fn take(&mut self) -> Option<Taken> {
        match self.window.pop_front() {
            Some((number, bytes)) => Some(Taken { number: Some(number), bytes }),
            None => self.fleeting.pop_front().map(|bytes| Taken { number: None, bytes }),
        }
    }

    /// Puts back what did not fit, or what the peer has not taken; fleeting ones only if they are to be sent at once.
    pub(super) fn put_back(&mut self, taken: Taken) {
        match taken.number {
            Some(number) => self.window.push_front((number, taken.bytes)),
            None => self.fleeting.push_front(taken.bytes),
        }
    }

    /// The peer cannot be reached.
    pub(super) fn drop_fleeting(&mut self) {
        self.fleeting.clear();
    }
}

/// The peer has taken these.
pub(super) fn remove(numbers: impl Iterator<Item = u64>, batch: &mut WriteBatch) {
    numbers.for_each(|number| batch.delete(Table::Queue, number.to_be_bytes()));
}

impl PeerMachine {
    pub(super) fn queue_edu(&mut self, ticket: Ticket, edu: Document, keep: Keep) {
        let bytes = edu.into_bytes();
        if bytes.len() > MAX_EDU {
            let failure = Failure::of(ErrorCode::TooLarge, alloc::format!("an EDU must be at most {MAX_EDU} bytes"));
            return self.desk.respond(ticket, Answer::Refused(failure));
        }
        let queue = &mut self.edus;
        match keep {
            Keep::Fleeting => {
                if queue.fleeting.len() >= MOST_FLEETING {
                    queue.fleeting.pop_front();
                }
                queue.fleeting.push_back(bytes);
            }
            Keep::UntilTaken => {
                let queued = queue.window.front().map_or(0, |(first, _)| queue.next.saturating_sub(*first));
                if queued >= MOST_LASTING {
                    let failure = Failure::of(ErrorCode::LimitExceeded, "too much is queued for this server");
                    return self.desk.respond(ticket, Answer::Refused(failure));
                }
                let number = queue.next;
                queue.next = number.saturating_add(1);
                let mut batch = WriteBatch::new();
                batch.put(Table::Queue, number.to_be_bytes(), bytes.clone());
                self.desk.write(batch);
                // Invariant: the window has no gaps, so behind rows that are not in it a new one is not either.
                let follows = !queue.reading && queue.end == number;
                if follows && queue.window.len() < usize::try_from(WINDOW).unwrap_or(usize::MAX) {
                    queue.end = queue.next;
                    queue.window.push_back((number, bytes));
                }
            }
        }
        self.desk.respond(ticket, Answer::Done);
    }

    /// Reads more of the queue when the window is empty and every row is durable.
    pub(super) fn refill_edus(&mut self) {
        if self.desk.is_durable()
            && let Some(query) = self.edus.missing()
        {
            let ticket = self.desk.read(alloc::vec![query]);
            self.pending.insert(ticket, Pending::Queue);
        }
    }
}

fn number(row: &Row) -> Option<u64> {
    row.key.as_slice().try_into().ok().map(u64::from_be_bytes)
}
