//! What each server is owed of the log: a position, not a queue (spec, section 4).
//!
//! A server with a joined user is owed the log behind the position that it has. One that has just lost its last user, or was kicked or banned, is owed
//! up to that event and no further. A long absence costs nothing but the distance.

use alloc::vec::Vec;

use crate::{
    id::ServerName,
    ordered::{Map, Set},
    room::log::position_key,
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// Events of one pull.
pub(super) const AT_ONCE: u32 = 50;

/// A peer further behind than this gets the newest events and fetches the rest.
const TOO_FAR: i64 = 500;

/// One server's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    /// The last position that it has, or need not have.
    sent: i64,
    /// The last position that it may have; open while it has a joined user.
    until: Option<i64>,
    /// Whether its peer machine knows that there is something to pull.
    nudged: bool,
}

/// What every server is owed.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    shares: Map<ServerName, Share>,
    /// Shares that have moved since they were last written. Written with the next append: what is lost before that is sent twice, which does no harm.
    moved: Set<ServerName>,
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
            shares.insert(name, Share { sent, until: (!is_open).then_some(until), nudged: false });
        }
        Ok(Self { shares, moved: Set::new() })
    }

    /// From now on a server is owed what follows `position`.
    pub(super) fn begin(&mut self, server: &ServerName, position: i64, batch: &mut WriteBatch) {
        let share = self.shares.entry(server.clone()).or_insert(Share { sent: position, until: None, nudged: false });
        share.sent = share.sent.max(position);
        share.until = None;
        put(server, *share, batch);
    }

    /// A server is owed up to and with `position`, and nothing later.
    pub(super) fn end(&mut self, server: &ServerName, position: i64, batch: &mut WriteBatch) {
        let before = position.saturating_sub(1);
        let share = self.shares.entry(server.clone()).or_insert(Share { sent: before, until: None, nudged: false });
        share.until = Some(position);
        put(server, *share, batch);
    }

    /// A server has all up to and with `position`. Its share ends when there is nothing more to come.
    pub(super) fn delivered(&mut self, server: &ServerName, position: i64) {
        let Some(share) = self.shares.get_mut(server) else { return };
        share.sent = share.sent.max(position);
        if share.until.is_some_and(|until| share.sent >= until) {
            self.shares.remove(server);
        }
        self.moved.insert(server.clone());
    }

    /// Writes what has moved.
    pub(super) fn flush(&mut self, batch: &mut WriteBatch) {
        while let Some(server) = self.moved.pop_first() {
            match self.shares.get(&server) {
                Some(share) => put(&server, *share, batch),
                None => batch.delete(Table::Owed, server.as_str()),
            }
        }
    }

    /// The servers that have something to pull and have not been told, now told. `head` is the log's last position.
    pub(super) fn take_nudges(&mut self, head: i64) -> Vec<ServerName> {
        let waiting = self.shares.iter_mut().filter(|(_, share)| !share.nudged && share.sent < share.last(head));
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
            put(server, *share, batch);
        }
    }

    /// The positions to send next, first and last, if there are any; asking again is then up to the peer machine.
    pub(super) fn next(&mut self, server: &ServerName, head: i64) -> Option<Stretch> {
        let share = self.shares.get_mut(server)?;
        let last = share.last(head);
        if share.sent >= last {
            share.nudged = false;
            return None;
        }
        share.nudged = true;
        let at_once = i64::from(AT_ONCE);
        let first = if last.saturating_sub(share.sent) > TOO_FAR {
            last.saturating_sub(at_once).saturating_add(1)
        } else {
            share.sent.saturating_add(1)
        };
        let end = last.min(first.saturating_add(at_once).saturating_sub(1));
        Some(Stretch { first, last: end, more: end < last })
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
    fn last(self, head: i64) -> i64 {
        self.until.map_or(head, |until| until.min(head))
    }
}

fn put(server: &ServerName, share: Share, batch: &mut WriteBatch) {
    let mut row = Writer::new();
    row.u8(FORM).position(share.sent).u8(u8::from(share.until.is_none()));
    row.raw(&position_key(share.until.unwrap_or_default()));
    batch.put(Table::Owed, server.as_str(), row.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Owed, Stretch};
    use crate::{
        id::ServerName,
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
        assert_eq!(owed.next(&a, 3), None);
        assert_eq!(owed.take_nudges(5), core::slice::from_ref(&a));
        assert!(owed.take_nudges(6).is_empty(), "told once until it has pulled all");
        assert_eq!(owed.next(&a, 6), stretch(4, 6, false));
        owed.delivered(&a, 6);
        assert_eq!(owed.next(&a, 6), None);
        assert_eq!(owed.take_nudges(7), [a]);
    }

    #[test]
    fn a_kicked_server_is_owed_the_kick_and_then_nothing() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let (a, invited) = (server("a.example"), server("b.example"));
        owed.begin(&a, 3, &mut batch);
        owed.end(&a, 5, &mut batch);
        owed.end(&invited, 5, &mut batch);
        assert_eq!(owed.next(&a, 9), stretch(4, 5, false));
        assert_eq!(owed.next(&invited, 9), stretch(5, 5, false));
        owed.delivered(&a, 5);
        assert_eq!(owed.next(&a, 9), None);
        owed.flush(&mut batch);
        let mut store = MemoryStore::new();
        store.apply(batch);
        let reopened = Owed::open(&store.read(&Query::all(Table::Owed))).unwrap();
        assert_eq!(reopened.shares.len(), 1);
        assert_eq!(reopened.clone().next(&invited, 9), stretch(5, 5, false));
    }

    #[test]
    fn a_server_far_behind_gets_the_newest() {
        let (mut owed, mut batch) = (Owed::default(), WriteBatch::new());
        let a = server("a.example");
        owed.begin(&a, 0, &mut batch);
        assert_eq!(owed.next(&a, 500), stretch(1, 50, true));
        assert_eq!(owed.next(&a, 501), stretch(452, 501, false));
    }
}
