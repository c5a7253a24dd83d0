//! Positions of the log that are to be looked at again, in rounds that grow rarer: each has its turn, also after a restart.
//!
//! When the next round is due is kept in a row: where a machine lives for seconds, it would otherwise begin to wait anew whenever it is woken.

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

/// The time between two rounds until all have had their turn.
const BETWEEN: Duration = Duration::from_secs(60);

/// The longest time between two rounds.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// The positions, each with a row in [`Table::Meta`] under a prefix; under the prefix alone, when the next round is due and how long to wait after it.
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

    /// As the rows say that were found.
    pub(in crate::server::room) fn open(
        prefix: &'static [u8],
        rows: &[Row],
        now: Timestamp,
    ) -> Result<Self, DecodeError> {
        let mut later = Self { due: now, ..Self::new(prefix) };
        for row in rows {
            match row.key.strip_prefix(prefix).unwrap_or_default() {
                [] => (later.due, later.wait) = read_times(&row.value, now)?,
                position => drop(later.positions.insert(position_of(position)?)),
            }
        }
        Ok(later)
    }

    /// Adds a position.
    pub(in crate::server::room) fn add(&mut self, position: i64, now: Timestamp, batch: &mut WriteBatch) {
        if self.positions.is_empty() {
            self.wait = FIRST_WAIT;
            self.due = now.saturating_add(FIRST_WAIT);
            self.keep_times(batch);
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

    /// Writes when the next round is due: to be called once a round has come to its end.
    pub(super) fn keep_times(&self, batch: &mut WriteBatch) {
        let wait = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        batch.put(Table::Meta, self.prefix, [self.due.millis(), wait].map(u64::to_be_bytes).concat());
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
        self.due = now.saturating_add(if is_last { self.wait } else { BETWEEN });
        if is_last {
            self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        }
        due.into_iter().map(entry).collect()
    }

    fn key(&self, position: i64) -> Vec<u8> {
        [self.prefix, &position_key(position)].concat()
    }
}

/// When the next round is due, and how long to wait after it. A clock that was set back makes nobody wait longer than ever.
fn read_times(value: &[u8], now: Timestamp) -> Result<(Timestamp, Duration), DecodeError> {
    let (&[due, wait], []) = value.as_chunks() else {
        return Err(DecodeError("the times of rounds are not two numbers"));
    };
    let due = Timestamp::new(u64::from_be_bytes(due)).min(now.saturating_add(LONGEST_WAIT));
    Ok((due, Duration::from_millis(u64::from_be_bytes(wait)).clamp(FIRST_WAIT, LONGEST_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WAIT, LONGEST_WAIT, Later, entry};
    use crate::{
        id::Timestamp,
        store::{Row, Table, WriteBatch, memory::MemoryStore},
    };

    #[test]
    fn when_the_next_round_is_due_outlives_a_restart() {
        let (mut later, mut store, mut now) = (Later::new(b"x/"), MemoryStore::new(), Timestamp::new(5_000));
        let mut waits = alloc::vec::Vec::new();
        let mut batch = WriteBatch::new();
        later.add(7, now, &mut batch);
        for _ in 0..4 {
            store.apply(core::mem::take(&mut batch));
            let rows = store.read(&Later::query(b"x/"));
            later = Later::open(b"x/", &rows, now).unwrap();
            let due = later.next_due().unwrap();
            waits.push(due.saturating_since(now).as_secs());
            now = due;
            assert_eq!(later.round(now, 100), [entry(7)]);
            later.keep_times(&mut batch);
        }
        let first = FIRST_WAIT.as_secs();
        assert_eq!(waits, [first, first, 2 * first, 4 * first]);
        // A row of an earlier form has no times, and one from a clock that ran ahead says too late ones.
        let mut bare = WriteBatch::new();
        bare.put(Table::Meta, b"y/\x80\0\0\0\0\0\0\x01", []);
        store.apply(bare);
        let open =
            |store: &MemoryStore, now| Later::open(b"y/", &store.read(&Later::query(b"y/")), now).unwrap().next_due();
        assert_eq!(open(&store, now), Some(now));
        let mut ahead = WriteBatch::new();
        ahead.put(Table::Meta, b"y/", [u64::MAX, 1].map(u64::to_be_bytes).concat());
        store.apply(ahead);
        assert_eq!(open(&store, now), Some(now.saturating_add(LONGEST_WAIT)));
        let torn = [Row { key: b"y/".to_vec(), value: b"torn".to_vec() }];
        assert!(Later::open(b"y/", &torn, now).is_err());
    }

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
