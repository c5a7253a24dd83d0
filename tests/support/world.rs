//! The world that bad input comes to: servers with rooms, and whether they keep what they had.

use core::time::Duration;
use std::collections::BTreeMap;

use hublet::{
    crypto::SigningKey,
    id::{EventId, KeyId, RoomId, ServerName, Timestamp},
    server::{Address, Answer, KnownKey, Request, Response, Validity, keys::record},
    store::{Query, Row, Table, WriteBatch, memory::MemoryStore},
    testing::{Net, Server, server, signing_key},
};
use serde_json::Value;

pub(crate) const HUB: &str = "hub.example";
pub(crate) const PART: &str = "part.example";
pub(crate) const THIRD: &str = "third.example";
pub(crate) const HAL: &str = "@hal:hub.example";
pub(crate) const ANN: &str = "@ann:part.example";
pub(crate) const CAT: &str = "@cat:third.example";
pub(crate) const ROOM: &str = "!room:hub.example";
pub(crate) const OTHER: &str = "!other:hub.example";
pub(crate) const PRIVATE: &str = "!private:hub.example";
pub(crate) const TS: u64 = 1_700_000_000_000;
pub(crate) const EVENT: &str = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) type Stores = BTreeMap<ServerName, BTreeMap<Address, MemoryStore>>;

/// Three servers with a room of Hal's where Ann and Cat are joined, one where only Ann is, and a private one; and a message of Ann's.
pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) said: EventId,
}

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let names = [HUB, PART, THIRD].map(server);
        let mut net = Net::new(&names.each_ref());
        for (id, public) in [(ROOM, true), (OTHER, true), (PRIVATE, false)] {
            net.create(HAL, id, public, "{}");
        }
        net.join(ANN, &room(ROOM), HUB);
        net.join(CAT, &room(ROOM), HUB);
        net.join(ANN, &room(OTHER), HUB);
        net.say(ANN, &room(ROOM), "said");
        let said = net.ids(HUB, &room(ROOM), 0).pop().unwrap();
        // Until everybody has all and has noted it.
        net.pass(Duration::from_secs(300));
        let mut stores: Stores = names
            .into_iter()
            .map(|name| {
                let stores = net.server(&name).unwrap().stores().clone();
                (name, stores)
            })
            .collect();
        // A key with which Ann's server once signed.
        let ended = Validity::ExpiredAt(Timestamp::new(TS - 1));
        let old = KnownKey { id: KeyId::parse("ed25519:0").unwrap(), key: old_key().public(), validity: ended };
        let mut batch = WriteBatch::new();
        record::put(&old, &mut batch);
        let at_hub = stores.get_mut(HUB).unwrap().get_mut(&Address::Peer(server(PART))).unwrap();
        at_hub.apply(batch);
        Self { stores, said }
    }

    /// The servers after a restart.
    pub(crate) fn net(&self) -> Net {
        let servers = self.stores.iter().map(|(name, stores)| (name.clone(), Server::over(name, stores.clone())));
        Net::of(servers.collect())
    }

    /// The answer of `to`, and all that it stored before and after.
    pub(crate) fn ask(&self, to: &str, request: Request) -> (Response, Rows, Rows) {
        let mut net = self.net();
        let before = rows(self.stores.get(to).unwrap());
        let answer = net.request(&server(to), request);
        net.pass(Duration::from_secs(60));
        let after = rows(net.server(&server(to)).unwrap().stores());
        match answer {
            Some(Answer::Response(response)) => (response, before, after),
            answer => panic!("{answer:?}"),
        }
    }
}

pub(crate) type Rows = BTreeMap<(Address, Table), Vec<Row>>;

pub(crate) fn rows(stores: &BTreeMap<Address, MemoryStore>) -> Rows {
    let of = |(address, store): (&Address, &MemoryStore)| {
        let rows = |table: &Table| ((address.clone(), *table), store.read(&Query::all(*table)));
        Table::ALL.iter().map(rows).filter(|(_, rows)| !rows.is_empty()).collect::<Vec<_>>()
    };
    stores.iter().flat_map(of).collect()
}

/// Rooms and users are as they were, and whatever was known of a peer is. The answer to its transaction is kept, and a key of a stranger may be learned.
#[track_caller]
pub(crate) fn assert_kept(before: &Rows, after: &Rows, name: &str) {
    let is_kept = |(at, rows): (&(Address, Table), &Vec<Row>)| match at {
        (_, Table::Inbox) => true,
        (Address::Peer(_), Table::Meta | Table::Keys) => {
            rows.iter().all(|row| after.get(at).is_some_and(|after| after.contains(row)))
        }
        at => after.get(at) == Some(rows),
    };
    let lost: Vec<_> = before.iter().filter(|entry| !is_kept(*entry)).map(|(at, _)| at).collect();
    let is_news = |at: &(Address, Table)| {
        let of_peer = matches!(at, (Address::Peer(_), Table::Meta | Table::Keys | Table::Inbox));
        !of_peer && !before.contains_key(at)
    };
    let added: Vec<_> = after.keys().filter(|at| is_news(at)).collect();
    assert!(lost.is_empty() && added.is_empty(), "{name}: changed {lost:?}, added {added:?}");
}

pub(crate) fn old_key() -> SigningKey {
    signing_key("old.part.example")
}

pub(crate) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}
