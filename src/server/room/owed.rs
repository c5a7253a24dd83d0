//! What each server is owed of the log: a position, not a queue (spec, section 4).
//!
//! A server with a joined user is owed the log behind the position that it has. One that has just lost its last user, or was kicked or banned, is owed
//! up to that event and no further. A long absence costs nothing but the distance. What tells a server outside of one of its users later is owed alone:
//! nothing that happened in between is its to know.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::time::Duration;

use super::{
    context::Context,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    id::{ServerName, Timestamp},
    ordered::{Map, Set},
    server::contract::Moment,
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// Events of one pull.
pub(super) const AT_ONCE: u32 = 50;

/// A peer further behind than this gets the newest events and fetches the rest.
const TOO_FAR: i64 = 500;

/// Of more single events the oldest are forgotten.
const MOST_SINGLE: usize = 20;

/// How long a share that has moved stays unwritten when nothing is appended.
const UNWRITTEN: Duration = Duration::from_secs(5);

/// One server's share.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Share {
    /// The last position that it has, or need not have.
    sent: i64,
    /// The last position that it may have; open while it has a joined user.
    until: Option<i64>,
    /// Positions behind `until` that it may have too, each alone.
    single: VecDeque<i64>,
    /// Whether its peer machine knows that there is something to pull.
    nudged: bool,
}

/// What every server is owed.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    shares: Map<ServerName, Share>,
    /// Shares that have moved since they were last written. Written with the next append, or before long: what is lost before that is sent twice, which
    /// does no harm.
    moved: Set<ServerName>,
    /// Since when the first of them has.
    moved_since: Option<Timestamp>,
}

impl Owed {
    /// Reads what is owed from the rows of [`Table::Owed`].
    pub(super) fn open(rows: &[Row]) -> Result<Self, DecodeError> {
        let mut shares = Map::new();
        for row in rows {
            let name = core::str::from_utf8(&row.key).ok().and_then(|text| ServerName::parse(text).ok());
            let name = name.ok_or(DecodeError("owed to what is no server name"))?;
            let mut reader = Reader::new(&row.value);
            if reader.u8()? != FORM {
                return Err(DecodeError("share of an unknown form"));
            }
            let (sent, is_open, until) = (reader.position()?, reader.u8()? == 1, reader.position()?);
            let mut single = VecDeque::new();
            while !reader.rest().is_empty() {
                single.push_back(reader.position()?);
            }
            shares.insert(name, Share { sent, until: (!is_open).then_some(until), single, nudged: false });
        }
        Ok(Self { shares, ..Self::default() })
    }

    /// From now on a server is owed what follows `position`.
    pub(super) fn begin(&mut self, server: &ServerName, position: i64, batch: &mut WriteBatch) {
        let share = self.shares.entry(server.clone()).or_insert_with(|| Share::behind(position));
        share.sent = share.sent.max(position);
        share.until = None;
        share.single.clear();
        put(server, share, batch);
    }

    /// A server is back by the event at `position`, which it gets like any other. If that is right behind what it is still owed, nothing is skipped.
    pub(super) fn resume(&mut self, server: &ServerName, position: i64, batch: &mut WriteBatch) {
        let before = position.saturating_sub(1);
        match self.shares.get_mut(server) {
            Some(share) if share.until == Some(before) => {
                share.until = None;
                put(server, share, batch);
            }
            _ => self.begin(server, before, batch),
        }
    }

    /// The positions that a server which is out of the room has still to hear of: behind the first, up to the second.
    pub(super) fn farewell(&self, server: &ServerName) -> Option<(i64, i64)> {
        let share = self.shares.get(server)?;
        Some((share.sent, share.until?))
    }

    /// A server is owed up to and with `position`, and nothing later. If it was outside before, it is owed that event alone.
    pub(super) fn end(&mut self, server: &ServerName, position: i64, batch: &mut WriteBatch) {
        let share = self.shares.entry(server.clone()).or_insert_with(|| Share::behind(position.saturating_sub(1)));
        match share.until {
            Some(until) if until < position => {
                share.single.push_back(position);
                if share.single.len() > MOST_SINGLE {
                    share.single.pop_front();
                }
            }
            _ => share.until = Some(position),
        }
        put(server, share, batch);
    }

    /// Nobody is owed anything.
    pub(super) fn forget(&mut self, batch: &mut WriteBatch) {
        self.shares.keys().for_each(|server| batch.delete(Table::Owed, server.as_str()));
        *self = Self::default();
    }

    /// A server has all up to and with `position`. Its share ends when there is nothing more to come.
    pub(super) fn delivered(&mut self, server: &ServerName, position: i64, now: Timestamp) {
        let Some(share) = self.shares.get_mut(server) else { return };
        share.sent = share.sent.max(position);
        share.single.retain(|single| *single > position);
        if share.single.is_empty() && share.until.is_some_and(|until| share.sent >= until) {
            self.shares.remove(server);
        }
        self.moved.insert(server.clone());
        self.moved_since.get_or_insert(now);
    }

    /// When what has moved is to be written.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.moved_since.map(|since| since.saturating_add(UNWRITTEN))
    }

    /// Writes what has moved.
    pub(super) fn flush(&mut self, batch: &mut WriteBatch) {
        self.moved_since = None;
        for server in core::mem::take(&mut self.moved) {
            match self.shares.get(&server) {
                Some(share) => put(&server, share, batch),
                None => batch.delete(Table::Owed, server.as_str()),
            }
        }
    }

    /// The servers that have something to pull and have not been told, now told. `head` is the log's last position.
    pub(super) fn take_nudges(&mut self, head: i64) -> Vec<ServerName> {
        let waiting = self.shares.iter_mut().filter(|(_, share)| !share.nudged && share.has_more(head));
        waiting
            .map(|(server, share)| {
                share.nudged = true;
                server.clone()
            })
            .collect()
    }

    /// Every share ends with `position`: another server orders the room from there.
    pub(super) fn end_all(&mut self, position: i64, batch: &mut WriteBatch) {
        for (server, share) in &mut self.shares {
            share.until = Some(share.until.map_or(position, |until| until.min(position)));
            put(server, share, batch);
        }
    }

    /// The positions to send next, first and last, if there are any; asking again is then up to the peer machine. Nobody skips `proof`, the event by which we
    /// are the hub.
    pub(super) fn next(&mut self, server: &ServerName, head: i64, proof: i64) -> Option<Stretch> {
        let share = self.shares.get_mut(server)?;
        share.nudged = share.has_more(head);
        let last = share.last(head);
        if share.sent >= last {
            let single = *share.single.front()?;
            return Some(Stretch { first: single, last: single, more: share.single.len() > 1 });
        }
        let at_once = i64::from(AT_ONCE);
        let first = if last.saturating_sub(share.sent) > TOO_FAR && share.sent >= proof {
            last.saturating_sub(at_once).saturating_add(1)
        } else {
            share.sent.saturating_add(1)
        };
        let end = last.min(first.saturating_add(at_once).saturating_sub(1));
        Some(Stretch { first, last: end, more: end < last || !share.single.is_empty() })
    }
}

/// Positions to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: i64,
    pub(super) last: i64,
    /// Whether there is more behind them.
    pub(super) more: bool,
}

impl Share {
    /// Of a server that is owed what follows `position`.
    const fn behind(position: i64) -> Self {
        Self { sent: position, until: None, single: VecDeque::new(), nudged: false }
    }

    fn has_more(&self, head: i64) -> bool {
        self.sent < self.last(head) || !self.single.is_empty()
    }

    fn last(&self, head: i64) -> i64 {
        self.until.map_or(head, |until| until.min(head))
    }
}

/// Writes what has moved.
pub(super) fn write() -> Box<dyn Work> {
    Box::new(WriteMoved)
}

struct WriteMoved;

impl Work for WriteMoved {
    fn step(&mut self, room: &mut Context, _: Moment, _: Resume) -> Progress {
        let mut change = Change::default();
        room.owed.flush(&mut change.batch);
        Progress::Commit(change)
    }
}

fn put(server: &ServerName, share: &Share, batch: &mut WriteBatch) {
    let mut row = Writer::new();
    row.u8(FORM).position(share.sent).u8(u8::from(share.until.is_none()));
    row.position(share.until.unwrap_or_default());
    for single in &share.single {
        row.position(*single);
    }
    batch.put(Table::Owed, server.as_str(), row.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Owed, Stretch};
    use crate::{
        id::{ServerName, Timestamp},
        store::{Query, Table, WriteBatch, memory::MemoryStore},
    };

    fn server(name: &str) -> ServerName {
        ServerName::parse(name).unwrap()
    }

    fn stretch(first: i64, last: i64, more: bool) -> Option<Stretch> {
        Some(Stretch { first, last, more })
    }

    #[test]
    fn a_joined_server_is_owed_what_follows_its_join() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let a = server("a.example");
        owed.begin(&a, 3, &mut batch);
        assert!(owed.take_nudges(3).is_empty());
        assert_eq!(owed.next(&a, 3, 0), None);
        assert_eq!(owed.take_nudges(5), core::slice::from_ref(&a));
        assert!(owed.take_nudges(6).is_empty(), "told once until it has pulled all");
        assert_eq!(owed.next(&a, 6, 0), stretch(4, 6, false));
        owed.delivered(&a, 6, Timestamp::default());
        assert_eq!(owed.next(&a, 6, 0), None);
        assert_eq!(owed.take_nudges(7), [a]);
    }

    #[test]
    fn a_kicked_server_is_owed_the_kick_and_then_nothing() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let (a, invited) = (server("a.example"), server("b.example"));
        owed.begin(&a, 3, &mut batch);
        owed.end(&a, 5, &mut batch);
        owed.end(&invited, 5, &mut batch);
        assert_eq!(owed.next(&a, 9, 0), stretch(4, 5, false));
        assert_eq!(owed.next(&invited, 9, 0), stretch(5, 5, false));
        owed.delivered(&a, 5, Timestamp::default());
        assert_eq!(owed.next(&a, 9, 0), None);
        owed.flush(&mut batch);
        let mut store = MemoryStore::new();
        store.apply(batch);
        let reopened = Owed::open(&store.read(&Query::all(Table::Owed))).unwrap();
        assert_eq!(reopened.shares.len(), 1);
        assert_eq!(reopened.clone().next(&invited, 9, 0), stretch(5, 5, false));
    }

    #[test]
    fn what_happens_between_two_events_for_an_outsider_is_not_its_to_know() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let a = server("a.example");
        owed.begin(&a, 3, &mut batch);
        owed.end(&a, 5, &mut batch);
        // It has taken nothing yet when one of its users knocks, and is banned.
        owed.end(&a, 20, &mut batch);
        owed.end(&a, 30, &mut batch);
        let mut store = MemoryStore::new();
        store.apply(batch);
        let reopened = Owed::open(&store.read(&Query::all(Table::Owed))).unwrap();
        for mut owed in [owed, reopened] {
            assert_eq!(owed.take_nudges(40), core::slice::from_ref(&a));
            assert_eq!(owed.next(&a, 40, 0), stretch(4, 5, true));
            owed.delivered(&a, 5, Timestamp::default());
            assert_eq!(owed.next(&a, 40, 0), stretch(20, 20, true));
            owed.delivered(&a, 20, Timestamp::default());
            assert_eq!(owed.next(&a, 40, 0), stretch(30, 30, false));
            owed.delivered(&a, 30, Timestamp::default());
            assert!(owed.shares.is_empty());
        }
    }

    #[test]
    fn a_server_far_behind_gets_the_newest() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let a = server("a.example");
        owed.begin(&a, 0, &mut batch);
        assert_eq!(owed.next(&a, 500, 0), stretch(1, 50, true));
        assert_eq!(owed.next(&a, 501, 0), stretch(452, 501, false));
    }
}
