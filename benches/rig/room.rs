//! A room of 20 members at a hub and eight other servers, and transactions about it, signed beforehand.

use std::{collections::BTreeMap, format, string::String, vec::Vec};

use hublet::{
    crypto::PreparedKey,
    event::{Integrity, KeyLookup, KeySource, KeyUse, LINEARIZED_02, Sender, UnverifiedPdu},
    id::{EventId, KeyId, RoomId, ServerName, Timestamp},
    json::write_object,
    room::log::{LogEntry, entries},
    server::{Address, Request, paths::PFX, x_matrix},
    store::{Query, Table, memory::MemoryStore},
    testing::{Net, content, lpdu, server, signing_key},
};

use super::{Rig, Stores};

/// The hub.
pub(crate) const HUB: &str = "hub.example";
/// The peer that sends to the hub, and the participant that receives.
pub(crate) const PART: &str = "part.example";
/// The server of those whose events the participant receives.
pub(crate) const FAR: &str = "far.example";
/// Members of the room.
pub(crate) const MEMBERS: usize = 20;
/// Events of one transaction.
pub(crate) const EACH: usize = 50;

/// Users of [`PART`], and of [`FAR`].
const OF_EACH: usize = 7;

/// An event of a log: its ID and its bytes.
type Logged = (EventId, Vec<u8>);

/// The servers and their rows after the last of the members has joined.
pub(crate) struct Stage {
    pub(crate) room_id: RoomId,
    now: Timestamp,
    hub: Stores,
    part: Stores,
}

/// Fifty events on their way from one server to another.
#[derive(Clone)]
pub(crate) struct Transaction {
    pub(crate) request: Request,
    pub(crate) events: Vec<Sent>,
}

/// One event of a transaction.
#[derive(Clone)]
pub(crate) struct Sent {
    /// The ID of the LPDU that it is, or that it was made of.
    pub(crate) lpdu_id: EventId,
    pub(crate) bytes: Vec<u8>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let others: Vec<String> = (0..MEMBERS - 1 - 2 * OF_EACH).map(|at| format!("other{at}.example")).collect();
        let names: Vec<ServerName> =
            [HUB, PART, FAR].into_iter().chain(others.iter().map(String::as_str)).map(server).collect();
        let mut net = Net::new(&names.iter().collect::<Vec<_>>());
        let room_id = net.create("@hal:hub.example", "!dGhlIGJlbmNo:hub.example", true, "{}");
        for at in 0..OF_EACH {
            net.join(&user_of(PART, at), &room_id, HUB);
            net.join(&user_of(FAR, at), &room_id, HUB);
        }
        for name in &others {
            net.join(&user_of(name, 0), &room_id, HUB);
        }
        let mut stores = |name: &str| -> Stores {
            let peers = names.iter().map(|name| Address::Peer(name.clone()));
            let all = peers.chain([Address::Room(room_id.clone())]);
            let server = net.server(&server(name)).expect("it is in the net");
            all.filter_map(|address| Some((address.clone(), server.store(&address)?.clone()))).collect()
        };
        let (hub, part) = (stores(HUB), stores(PART));
        let now = net.now();
        Self { room_id, now, hub, part }
    }

    /// The hub, still to be opened.
    pub(crate) fn hub(&self) -> Rig {
        Rig::new(HUB, self.hub.clone(), self.now)
    }

    /// The hub with other rows of the room.
    pub(crate) fn hub_with(&self, room: MemoryStore) -> Rig {
        let mut stores = self.hub.clone();
        stores.insert(self.address(), room);
        Rig::new(HUB, stores, self.now)
    }

    /// The participant, still to be opened.
    pub(crate) fn part(&self) -> Rig {
        Rig::new(PART, self.part.clone(), self.now)
    }

    /// The room's machine.
    pub(crate) fn address(&self) -> Address {
        Address::Room(self.room_id.clone())
    }

    /// The room's rows at the hub.
    pub(crate) fn room(&self) -> &MemoryStore {
        self.hub.get(&self.address()).expect("the hub has the room")
    }

    /// Messages of a server's users for the hub. No two are alike; `from` numbers the first transaction.
    pub(crate) fn messages(&self, origin: &str, from: usize, count: usize) -> Vec<Transaction> {
        let message = |number: usize| {
            let body = format!(
                r#"{{"body":"Message {number}: the café opens at nine, says \"Ann\".\nBring the plans, {}","m.mentions":{{"user_ids":["@bob:two.example.org"]}},"msgtype":"m.text"}}"#,
                "please ".repeat(14 + number % 8)
            );
            let sender = user_of(origin, number % OF_EACH);
            let ts = self.now.millis() + u64::try_from(number).unwrap();
            let lpdu = lpdu(&self.room_id, &sender, HUB, "m.room.message", None, &body, ts);
            Sent { lpdu_id: lpdu.lpdu_id(), bytes: lpdu.into_bytes() }
        };
        let transaction = |at: usize| {
            let events: Vec<Sent> = (at * EACH..(at + 1) * EACH).map(message).collect();
            Transaction::new(origin, HUB, at, events)
        };
        (from..from + count).map(transaction).collect()
    }

    /// What the hub makes of such messages, on its way to the participant.
    pub(crate) fn echoes(&self, count: usize) -> Vec<Transaction> {
        let mut hub = self.hub();
        let first = end(self.room());
        let sent = self.messages(FAR, 0, count);
        sent.iter().for_each(|transaction| transaction.deliver(&mut hub));
        let log = log(&hub, &self.address(), first);
        let of_each = |(at, (entries, from)): (usize, (&[Logged], &Transaction))| {
            let event = |(entry, lpdu): (&Logged, &Sent)| Sent { bytes: entry.1.clone(), ..lpdu.clone() };
            Transaction::new(HUB, PART, at, entries.iter().zip(&from.events).map(event).collect())
        };
        log.chunks(EACH).zip(&sent).enumerate().map(of_each).collect()
    }

    /// Checks that a server's log ends with the events of these transactions, rightly made, linked and to be found.
    pub(crate) fn check(&self, rig: &Rig, transactions: &[Transaction]) {
        let store = rig.stores.get(&self.address()).expect("the room has rows");
        let sent: Vec<&Sent> = transactions.iter().flat_map(|transaction| &transaction.events).collect();
        let first = end(store) - i64::try_from(sent.len()).unwrap();
        let log = log(rig, &self.address(), first - 1);
        assert_eq!(log.len(), sent.len() + 1, "every event, and the one before");
        for (pair, sent) in log.windows(2).zip(sent) {
            let [(before, _), (event_id, bytes)] = pair else { unreachable!() };
            let pdu = UnverifiedPdu::parse(content(core::str::from_utf8(bytes).unwrap()), &LINEARIZED_02).unwrap();
            assert_eq!(pdu.event_id(), *event_id);
            assert_eq!(pdu.event().prev_events(), [*before]);
            let verified = pdu.verify(&Known).unwrap();
            assert_eq!(verified.lpdu_id(), Some(sent.lpdu_id));
            assert_eq!((verified.integrity(), verified.sender_check()), (Integrity::Intact, Sender::Verified));
            assert!((1_000..=1_200).contains(&bytes.len()), "a PDU of {} bytes", bytes.len());
            let place = store.read(&Query::one(Table::Ids, *event_id.as_bytes()));
            let known = store.read(&Query::one(Table::Lpdus, *sent.lpdu_id.as_bytes()));
            assert_eq!((place.len(), known.len()), (1, 1));
            assert_eq!(known[0].value, event_id.as_bytes());
        }
    }
}

impl Transaction {
    pub(crate) fn new(origin: &str, destination: &str, number: usize, events: Vec<Sent>) -> Self {
        let mut body = Vec::new();
        write_object(&mut body, |body| {
            body.array("edus", |_| {});
            body.array("pdus", |pdus| events.iter().for_each(|event| pdus.raw(&event.bytes)));
        });
        let target = format!("{PFX}/send/{origin}-{number}");
        let method = http::Method::PUT;
        let (name, to) = (server(origin), server(destination));
        let input = x_matrix::signing_input(&method, &target, &name, &to, Some(&body));
        let key_id = KeyId::parse("ed25519:1").unwrap();
        let header = x_matrix::header(&name, &to, &key_id, &signing_key(origin).sign(&input));
        let json = (String::from("Content-Type"), String::from("application/json"));
        let headers = Vec::from([json, (String::from(x_matrix::HEADER), header)]);
        Self { request: Request { method, target, headers, body }, events }
    }

    /// Hands a copy of the request to a server, which must take every event.
    pub(crate) fn deliver(&self, rig: &mut Rig) {
        expect_taken(rig, self.request.clone());
    }
}

/// Hands a request to a server, which must take every event.
pub(crate) fn expect_taken(rig: &mut Rig, request: Request) {
    let response = rig.request(request);
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!((response.status, &*text), (200, r#"{"failed_pdus":{}}"#));
}

/// A user of a server.
pub(crate) fn user_of(name: &str, number: usize) -> String {
    format!("@user{number}:{name}")
}

/// The position behind the log's last.
pub(crate) fn end(store: &MemoryStore) -> i64 {
    let query = Query { limit: 1, ..Query::all(Table::Log).reversed() };
    let last = store.read(&query);
    last.first().map_or(0, |row| hublet::room::log::position_of(&row.key).unwrap() + 1)
}

/// IDs and bytes of a server's log from a position on.
fn log(rig: &Rig, room: &Address, from: i64) -> Vec<Logged> {
    let rows = rig.stores.get(room).expect("the room has rows").read(&entries(from, u32::MAX));
    let event = |row: &hublet::store::Row| match LogEntry::decode(&row.value) {
        Ok(LogEntry::Event(event)) => (event.event_id, event.bytes),
        entry => panic!("not an event: {entry:?}"),
    };
    rows.iter().map(event).collect()
}

/// The keys that follow from the servers' names.
struct Known;

impl KeySource for Known {
    fn key(&self, server: &ServerName, _: &KeyId, _: KeyUse) -> KeyLookup {
        thread_local! {
            static KEYS: core::cell::RefCell<BTreeMap<ServerName, PreparedKey>> = const { core::cell::RefCell::new(BTreeMap::new()) };
        }
        let prepare = || PreparedKey::prepare(&signing_key(server.as_str()).public()).unwrap();
        KEYS.with_borrow_mut(|keys| KeyLookup::Usable(keys.entry(server.clone()).or_insert_with(prepare).clone()))
    }
}
