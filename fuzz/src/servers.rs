//! Servers with rooms, made once and copied for each input.

use std::collections::BTreeMap;

use hublet::{
    event::{EventParts, LINEARIZED_02, LpduDraft, UnverifiedPdu},
    id::{EventId, KeyId, RoomId, ServerName, Timestamp, UserId},
    json::{KeyOrder, parse},
    server::Address,
    store::memory::MemoryStore,
    testing::{Net, Server, server, signing_key},
};

use crate::LIMITS;

/// The hub.
pub const HUB: &str = "hub.example";
/// A participant.
pub const PART: &str = "part.example";
/// The hub's user, who made the rooms.
pub const HAL: &str = "@hal:hub.example";
/// The participant's user, who is in the first room.
pub const ANN: &str = "@ann:part.example";
/// A public room with both.
pub const ROOM: &str = "!room:hub.example";
/// A private room of the hub's.
pub const OTHER: &str = "!other:hub.example";

/// A hub and a participant with two rooms, as they lie in their stores.
pub struct Servers {
    stores: BTreeMap<ServerName, BTreeMap<Address, MemoryStore>>,
    /// The log of the first room.
    pub log: Vec<EventId>,
}

impl Default for Servers {
    fn default() -> Self {
        let names = [HUB, PART].map(server);
        let mut net = Net::new(&names.each_ref());
        let room = net.create(HAL, ROOM, true, r#"{"hublet.hub_transfer":true}"#);
        net.create(HAL, OTHER, false, "{}");
        net.join(ANN, &room, HUB);
        net.say(ANN, &room, "one");
        net.say(HAL, &room, "two");
        let log = net.ids(HUB, &room, 0);
        let stores = names.into_iter().map(|name| {
            let stores = net.server(&name).map(|server| server.stores().clone());
            (name, stores.unwrap_or_default())
        });
        Self { stores: stores.collect(), log }
    }
}

impl Servers {
    /// The servers after a restart.
    pub fn net(&self) -> Net {
        let servers = self.stores.iter().map(|(name, stores)| (name.clone(), Server::over(name, stores.clone())));
        Net::of(servers.collect())
    }
}

/// An LPDU, rightly hashed and signed; nothing of what could be none.
pub fn lpdu(
    room_id: &RoomId,
    sender: &str,
    hub: &str,
    kind: &str,
    state_key: Option<&str>,
    content: &str,
    ts: u64,
) -> Option<serde_json::Value> {
    let sender = UserId::parse(sender).ok()?;
    let content = parse(content.as_bytes(), KeyOrder::Utf16, LIMITS).ok()?;
    let origin_server_ts = Timestamp::new(ts);
    let parts = EventParts { room_id, sender: &sender, kind, state_key, content: &content, origin_server_ts };
    let draft = LpduDraft::new(&parts, &server(hub), &LINEARIZED_02).ok()?;
    let made = draft.sign(&KeyId::parse("ed25519:1").ok()?, &signing_key(sender.server())).ok()?;
    serde_json::from_slice(made.bytes()).ok()
}

/// The log of a room at its hub: each event is one, has the ID that it stands under, and follows the one before it.
pub fn log_is_whole(net: &mut Net, room: &RoomId) -> Vec<EventId> {
    let log = net.log(HUB, room, 0);
    let mut before: Option<EventId> = None;
    for (place, (position, id, bytes)) in log.iter().enumerate() {
        assert_eq!(i64::try_from(place), Ok(*position));
        let bytes = bytes.as_deref().expect("the hub has every event of its log");
        let document = parse(bytes, KeyOrder::Utf16, LIMITS).expect("an event is JSON");
        let pdu = UnverifiedPdu::parse(document, &LINEARIZED_02).expect("an event of the log is one");
        assert_eq!((pdu.event_id(), pdu.event().prev_events()), (*id, before.as_slice()));
        before = Some(*id);
    }
    log.into_iter().map(|(_, id, _)| id).collect()
}
