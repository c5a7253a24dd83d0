//! A hostile hub: events that it signs rightly, whatever they say, and events changed after that, reach a participant.
//!
//! Each transaction is answered. The participant comes to the same log whether it keeps its room in memory or opens it anew from its store before each
//! transaction; and it shows the same events, in the same order, when it gets each event alone. Holes may differ then: what an event alone asks for, and is
//! not given, an event before it may have explained.
#![no_main]

use hublet::{
    event::{LINEARIZED_02, UnverifiedPdu},
    id::EventId,
    json::{Document, KeyOrder, parse},
    testing::{
        Forgery,
        duo::{ANN, Duo, Entry, HAL, HUB},
    },
};
use hublet_fuzz::{LIMITS, Pick, change};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const TS: i64 = 1_700_000_000_500;

thread_local! {
    /// A room with both, made once.
    static JOINED: Duo = Duo::joined();
}

/// How the events are handed in.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Whole,
    Restarting,
    Singly,
}

fuzz_target!(|data: &[u8]| {
    let mut pick = Pick::new(data);
    let log = JOINED.with(Duo::copy).hub_log();
    let mut made = Made { ids: log.iter().map(|(_, id, _)| *id).collect(), head: log[log.len() - 1].1, events: vec![] };
    let mut transactions = Vec::new();
    while transactions.len() < 4 && !pick.is_empty() {
        let count = 1 + pick.below(4);
        transactions.push((0..count).map(|_| made.event(&mut pick)).collect::<Vec<_>>());
    }
    let whole = run(&transactions, Way::Whole);
    assert_eq!(whole, run(&transactions, Way::Restarting), "opened anew from the store");
    // Who is put out takes the rest of that transaction, and none after it.
    let is_out = |(_, _, bytes): &Entry| {
        let event = bytes.as_deref().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok()).unwrap_or_default();
        event["type"] == "m.room.member" && event["state_key"] == ANN && event["content"]["membership"] != "join"
    };
    if !whole.iter().any(is_out) {
        assert_eq!(shown(whole), shown(run(&transactions, Way::Singly)), "each event alone");
    }
});

/// The events of a log, without what is a link or a hole.
fn shown(log: Vec<Entry>) -> Vec<(EventId, Vec<u8>)> {
    log.into_iter().filter_map(|(_, id, bytes)| Some((id, bytes?))).collect()
}

/// The participant's log after these transactions.
fn run(transactions: &[Vec<Document>], way: Way) -> Vec<Entry> {
    let mut duo = JOINED.with(Duo::copy);
    for transaction in transactions {
        match way {
            Way::Singly => transaction.iter().for_each(|event| {
                assert_eq!(duo.receive(vec![event.clone()]).len(), 1);
            }),
            Way::Whole | Way::Restarting => assert_eq!(duo.receive(transaction.clone()).len(), transaction.len()),
        }
        if way == Way::Restarting {
            duo.restart_part();
        }
    }
    let log = duo.part_log();
    for (place, (position, id, bytes)) in log.iter().enumerate() {
        assert_eq!(i64::try_from(place), Ok(*position));
        assert!(!log[..place].iter().any(|(_, other, _)| other == id), "an event stands in the log twice");
        let document = bytes.as_ref().and_then(|bytes| parse(bytes, KeyOrder::Utf16, LIMITS).ok());
        let read = document.map(|document| UnverifiedPdu::parse(document, &LINEARIZED_02).map(|pdu| pdu.event_id()));
        assert!(read.is_none_or(|read| read == Ok(*id)));
    }
    log
}

/// What the hub has made.
struct Made {
    /// The true log, then what was forged.
    ids: Vec<EventId>,
    /// What the next event follows, mostly.
    head: EventId,
    events: Vec<Document>,
}

impl Made {
    fn event(&mut self, pick: &mut Pick<'_>) -> Document {
        if !self.events.is_empty() && pick.rarely(6) {
            return pick.one(&self.events);
        }
        let (id, mut event) = self.forge(pick);
        if pick.rarely(4) {
            event = changed(pick, &event).unwrap_or(event);
        }
        self.ids.push(id);
        self.events.push(event.clone());
        event
    }

    /// An event that is rightly signed and hashed.
    fn forge(&mut self, pick: &mut Pick<'_>) -> (EventId, Document) {
        const KINDS: [(&str, Option<&str>); 12] = [
            ("m.room.message", None),
            ("m.room.member", Some(ANN)),
            ("m.room.member", Some(HAL)),
            ("m.room.member", Some("@eve:far.example")),
            ("m.room.power_levels", Some("")),
            ("m.room.name", Some("")),
            ("m.room.redaction", None),
            ("m.room.server_acl", Some("")),
            ("m.room.join_rules", Some("")),
            ("m.room.hub", Some("")),
            ("m.room.create", Some("")),
            ("x", Some(ANN)),
        ];
        let (kind, state_key) = pick.one(&KINDS);
        let sender = pick.one(&[HAL, ANN, HAL, "@eve:far.example"]);
        let mut content = match kind {
            "m.room.member" => json!({"membership": pick.one(&["join", "leave", "invite", "ban", "knock"])}),
            "m.room.power_levels" => json!({"users": {ANN: pick.below(200), HAL: 100}}),
            "m.room.redaction" => json!({"hublet.redacts": pick.one(&self.ids).to_string()}),
            "m.room.server_acl" => json!({"allow": ["*"]}),
            "m.room.join_rules" => json!({"join_rule": pick.one(&["public", "invite", "knock"])}),
            "m.room.hub" => json!({"head": self.head.to_string()}),
            _ => json!({"body": "x"}),
        };
        if pick.rarely(3) {
            change(pick, &mut content);
        }
        // A forgery has to be an event.
        if !content.is_object() || is_irregular(&content.to_string()) {
            content = json!({});
        }
        let (auth_events, prev_events) = (self.auth_events(pick, sender, kind), self.prev_events(pick));
        let ts = TS + i64::try_from(self.ids.len()).unwrap_or_default();
        let content = content.to_string();
        let room_id = hublet::id::RoomId::parse("!room:hub.example").unwrap();
        let forgery = Forgery {
            room_id: &room_id,
            hub: HUB,
            sender,
            kind,
            state_key,
            body: &content,
            auth_events: &auth_events,
            prev_events: &prev_events,
            ts,
        };
        let (id, event) = match pick.below(10) {
            8 => forgery.make_without(&[HUB]),
            9 => forgery.make_without(&["far.example"]),
            _ => forgery.make(),
        };
        if !pick.rarely(8) {
            self.head = id;
        }
        (id, event)
    }

    /// The events that authorise most, or any others. The true log begins with create, Hal's join, power levels, join rules, visibility, Ann's join.
    fn auth_events(&self, pick: &mut Pick<'_>, sender: &str, kind: &str) -> Vec<EventId> {
        if pick.rarely(5) {
            return (0..pick.below(5)).map(|_| pick.one(&self.ids)).collect();
        }
        let member = if sender == HAL { 1 } else { 5 };
        let mut places = vec![0, 2, member];
        if kind == "m.room.member" {
            places.push(3);
        }
        places.iter().filter_map(|place| self.ids.get(*place)).copied().collect()
    }

    /// Never what is before the participant's join: a branch from there is passed over as a whole, and rightly so only together with its root.
    fn prev_events(&self, pick: &mut Pick<'_>) -> Vec<EventId> {
        let since_join = &self.ids[5..];
        match pick.below(10) {
            8 => vec![pick.one(since_join), self.head],
            9 => vec![EventId::from_hash([9; 32])],
            7 => vec![pick.one(since_join)],
            _ => vec![self.head],
        }
    }
}

fn is_irregular(content: &str) -> bool {
    !parse(content.as_bytes(), KeyOrder::Utf16, LIMITS).is_ok_and(|document| !document.root().irregular())
}

/// The event with something changed after it was signed.
fn changed(pick: &mut Pick<'_>, event: &Document) -> Option<Document> {
    let mut whole: Value = serde_json::from_slice(event.bytes()).ok()?;
    change(pick, &mut whole);
    // The room is asked for events of its own only.
    whole.as_object_mut()?.insert("room_id".into(), "!room:hub.example".into());
    parse(whole.to_string().as_bytes(), KeyOrder::Utf16, LIMITS).ok()
}
