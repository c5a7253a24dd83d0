//! Positions of the log that are to be looked at again, in rounds that grow rarer: each has its turn, also after a restart.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    id::Timestamp,
    ordered::Set,
    room::log::{entry, position_key, position_of},
    store::{DecodeError, Query, Row, Table, WriteBatch},
};

/// The first round begins after this time, then each after twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(600);

/// The first round after the room was opened; also the time between two rounds until all have had their turn.
const AFTER_OPENING: Duration = Duration::from_secs(60);

/// The longest time between two rounds.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The positions, each with a row in [`Table::Meta`] under a prefix.
#[derive(Debug)]
pub(in crate::server::room) struct Later {
    prefix: &'static [u8],
    positions: Set<i64>,
    due: Timestamp,
    wait: Duration,
    /// Where the last round ended: the next one begins behind it, so that one that comes to nothing keeps no other from its turn.
    last: i64,
}

impl Later {
    /// None yet.
    pub(in crate::server::room) const fn new(prefix: &'static [u8]) -> Self {
        Self { prefix, positions: Set::new(), due: Timestamp::new(0), wait: FIRST_WAIT, last: i64::MAX }
    }

    /// Finds the positions.
    pub(in crate::server::room) fn query(prefix: &'static [u8]) -> Query {
        Query::prefix(Table::Meta, prefix, u32::MAX)
    }

    /// The positions of the rows found.
    pub(in crate::server::room) fn open(
        prefix: &'static [u8],
        rows: &[Row],
        now: Timestamp,
    ) -> Result<Self, DecodeError> {
        let position = |row: &Row| position_of(row.key.strip_prefix(prefix).unwrap_or_default());
        let positions = rows.iter().map(position).collect::<Result<_, _>>()?;
        Ok(Self { positions, due: now.saturating_add(AFTER_OPENING), ..Self::new(prefix) })
    }

    /// Adds a position.
    pub(in crate::server::room) fn add(&mut self, position: i64, now: Timestamp, batch: &mut WriteBatch) {
        if self.positions.is_empty() {
            self.wait = FIRST_WAIT;
            self.due = now.saturating_add(FIRST_WAIT);
        }
        self.positions.insert(position);
        batch.put(Table::Meta, self.key(position), []);
    }

    /// When the next round is due.
    pub(in crate::server::room) fn next_due(&self) -> Option<Timestamp> {
        (!self.positions.is_empty()).then_some(self.due)
    }

    /// Forgets a position.
    pub(in crate::server::room) fn remove(&mut self, position: i64, batch: &mut WriteBatch) {
        self.positions.remove(&position);
        batch.delete(Table::Meta, self.key(position));
    }

    /// Whether rounds do not grow rarer any more.
    pub(super) fn has_waited_longest(&self) -> bool {
        self.wait >= LONGEST_WAIT
    }

    /// The entries of a round.
    pub(super) fn round(&mut self, now: Timestamp, at_once: usize) -> Vec<Query> {
        let after = |last: i64| self.positions.iter().copied().filter(move |position| *position > last);
        let mut due: Vec<i64> = after(self.last).take(at_once).collect();
        if due.is_empty() {
            due = after(i64::MIN).take(at_once).collect();
        }
        self.last = due.last().copied().unwrap_or(i64::MAX);
        let is_last = self.positions.iter().next_back().is_none_or(|end| *end <= self.last);
        self.due = now.saturating_add(if is_last { self.wait } else { AFTER_OPENING });
        if is_last {
            self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        }
        due.into_iter().map(entry).collect()
    }

    fn key(&self, position: i64) -> Vec<u8> {
        [self.prefix, &position_key(position)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WAIT, Later, entry};
    use crate::{id::Timestamp, store::WriteBatch};

    #[test]
    fn every_position_has_its_turn() {
        let (mut later, mut now) = (Later::new(b"x/"), Timestamp::new(0));
        (0..250).for_each(|position| later.add(position, now, &mut WriteBatch::new()));
        let mut asked = alloc::vec::Vec::new();
        let mut waits = alloc::vec::Vec::new();
        for _ in 0..4 {
            now = later.next_due().unwrap();
            asked.extend(later.round(now, 100));
            waits.push(later.next_due().unwrap().saturating_since(now).as_secs());
        }
        let expected = (0..250).chain(0..100).map(entry).collect::<alloc::vec::Vec<_>>();
        assert_eq!(asked, expected, "whatever comes of the first hundred");
        assert_eq!(waits, [60, 60, FIRST_WAIT.as_secs(), 60]);
    }
}
