//! What hostile servers send of their own accord: forged, replayed, stolen and malformed things, rightly signed as requests.

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use super::{
    audit::Audit,
    villain::{HUB, PEER, TWIN, Villain},
    world::World,
};
use crate::{
    id::{EventId, ServerName, UserId},
    room::{membership::Membership, state_row::StateRow},
    server::{Address, Request, paths::PFX},
    store::{Query, Table},
    testing::{
        Forgery,
        duo::document,
        request::{self, nested},
        server, user,
    },
};

/// Who is honest.
pub(super) const HONEST: [&str; 3] = ["a.example", "b.example", "c.example"];

/// The room of the hostile hub.
const ROOM: usize = 0;

impl World {
    /// One attack, on one or two honest servers.
    pub(super) fn attacked(&mut self) {
        let target = *self.dice.pick(&HONEST);
        match self.dice.roll(10) {
            0..=2 => self.forges(target),
            3 => self.equivocates(),
            4 => self.replays(target),
            5 => self.steals(target),
            6 => self.posts_a_finished_pdu(target),
            7 => self.sends_garbage(target),
            8 => self.signs_with_a_weak_key(target),
            _ => self.shows_another_log(target),
        }
        self.net.run();
    }

    /// The log that everybody sees in the end goes on, or a server that was shown nothing valid where it forks could not know. The hub's own user speaks, or,
    /// where that one has left, everybody who is there.
    pub(super) fn has_a_last_word(&mut self) {
        let log = self.log(&server(HUB), ROOM);
        let audit = Audit::of(&self.rooms[ROOM].id, &log);
        let is_in = |speaker: &UserId| audit.state.membership(speaker) == Membership::Join;
        let hal = user("@hal:hub.example");
        let mut speakers = if is_in(&hal) { Vec::from([hal]) } else { self.users.clone() };
        speakers.retain(is_in);
        for speaker in speakers {
            self.send(&speaker, ROOM, "m.room.message", None, r#""body":"the end""#);
        }
        self.pass(Duration::from_secs(600));
    }

    fn inject(&mut self, from: &str, to: &str, request: Request) {
        self.tally.attacks += 1;
        self.net.inject(&server(from), &server(to), request);
    }

    fn transaction(&mut self, from: &str, to: &str, pdus: &[String]) {
        self.numbers += 1;
        let request = request::transaction(from, to, &format!("x{}", self.numbers), pdus);
        self.inject(from, to, request);
    }

    fn villain<T>(&mut self, with: impl FnOnce(&mut Villain) -> T) -> T {
        with(self.weather.borrow_mut().villain.as_mut().unwrap())
    }

    /// An event of the hostile room, or of one that is not the hub's, signed by the hub and by whom the dice say.
    fn forges(&mut self, target: &str) {
        let prev = self.some_prev();
        let event = self.forgery(&[prev]);
        self.transaction(HUB, target, &[event]);
    }

    /// Two servers are sent two successors of one event.
    fn equivocates(&mut self) {
        let prev = self.some_prev();
        for target in HONEST {
            if self.dice.falls(70) {
                let event = self.forgery(&[prev]);
                self.transaction(HUB, target, &[event]);
            }
        }
    }

    /// The head, one of the events before it, or nothing that there is.
    fn some_prev(&mut self) -> EventId {
        let number = u8::try_from(self.dice.roll(256)).unwrap();
        let shown: Vec<EventId> =
            self.story(&server(HUB), ROOM).shown.iter().rev().take(6).map(|shown| shown.event_id).collect();
        match self.dice.roll(4) {
            0 => EventId::from_hash([number; 32]),
            1 | 2 => shown.first().copied().unwrap_or(EventId::from_hash([7; 32])),
            _ => *self.dice.pick(&[shown.as_slice(), &[EventId::from_hash([8; 32])]].concat()),
        }
    }

    fn forgery(&mut self, prev_events: &[EventId]) -> String {
        let sender = *self.dice.pick(&[
            "@hal:hub.example",
            "@hal:hub.example",
            "@ann:a.example",
            "@bob:b.example",
            "@dan:d.example",
        ]);
        let victim = *self.dice.pick(&["@ann:a.example", "@bob:b.example", "@cat:c.example"]);
        let number = self.number();
        let (kind, state_key, body) = match self.dice.roll(7) {
            0..=2 => ("m.room.message", None, format!(r#""body":"hello",{number}"#)),
            3 => ("m.room.member", Some(victim), format!(r#""membership":"ban",{number}"#)),
            4 => ("m.room.power_levels", Some(""), format!(r#""users":{{"{sender}":100}},{number}"#)),
            5 => ("m.room.create", Some(""), number),
            _ => ("m.room.hub", Some(""), format!(r#""head":"{}",{number}"#, prev_events[0])),
        };
        let room_id = self.rooms[if self.dice.falls(90) { ROOM } else { 1 }].id.clone();
        let mut auth_events = Vec::new();
        for (kind, state_key) in [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)] {
            if self.dice.falls(95) {
                auth_events.extend(self.state_event(kind, state_key));
            }
        }
        let hub = if self.dice.falls(95) { HUB } else { PEER };
        let ts = i64::try_from(self.net.now().millis()).unwrap();
        let body = format!("{{{body}}}");
        let (auth_events, body) = (&auth_events, &body);
        let forgery = Forgery { room_id: &room_id, hub, sender, kind, state_key, body, auth_events, prev_events, ts };
        // The hub cannot sign for others, unless they are hostile too; it may leave out or take another's signature.
        let sender_server = user(sender).server_name();
        let unsigned: &[&str] = match self.dice.roll(10) {
            0 => &[HUB],
            _ if HONEST.contains(&sender_server.as_str()) => &HONEST,
            _ => &[],
        };
        let (_, event) = forgery.make_without(unsigned);
        let text = event.text();
        match self.dice.roll(8) {
            0 => text.replacen(r#""hub.example":{"#, r#""a.example":{"ed25519:1":"AAAA"},"hub.example":{"#, 1),
            1 => text.replacen(r#""content":{"#, r#""content":{"added":1,"#, 1),
            _ => text.into(),
        }
    }

    fn state_event(&mut self, kind: &str, state_key: &str) -> Option<EventId> {
        let address = Address::Room(self.rooms[ROOM].id.clone());
        let rows = self.net.server(&server(HUB))?.store(&address)?.read(&Query::all(Table::State));
        let mut rows = rows.iter().filter_map(|row| StateRow::decode(&row.key, &row.value).ok());
        Some(rows.find(|row| row.kind() == kind && row.state_key() == state_key)?.entry().event_id)
    }

    /// A transaction that passed by, as it was or signed anew, to whomever.
    fn replays(&mut self, target: &str) {
        let heard: Vec<Request> = self.villain(|villain| villain.heard.iter().cloned().collect());
        if heard.is_empty() {
            return;
        }
        let old = self.dice.pick(&heard).clone();
        if self.dice.falls(30) {
            return self.inject(HUB, target, old);
        }
        let pdus = request::pdus_of(&old.body);
        let from = *self.dice.pick(&[HUB, PEER]);
        self.transaction(from, target, &pdus);
    }

    /// Another user's LPDU, rebuilt from its event, as if the hostile participant could bring it.
    fn steals(&mut self, target: &str) {
        let name = *self.dice.pick(&HONEST);
        let room = usize::try_from(self.dice.roll(3)).unwrap();
        let story = self.story(&server(name), room);
        let events: Vec<Vec<u8>> =
            story.shown.iter().filter(|shown| shown.lpdu_id.is_some()).map(|shown| shown.bytes.clone()).collect();
        if !events.is_empty() {
            let lpdu = lpdu_of(self.dice.pick::<Vec<u8>>(&events));
            self.transaction(PEER, target, &[lpdu]);
        }
    }

    /// The participant sends what only hubs make.
    fn posts_a_finished_pdu(&mut self, target: &str) {
        let room = usize::try_from(self.dice.roll(3)).unwrap();
        let creator = self.rooms[room].creator.server_name();
        let target = if self.dice.falls(50) && HONEST.contains(&creator.as_str()) { creator } else { server(target) };
        let room_id = self.rooms[room].id.clone();
        let prev = self.story(&target, room).shown.last().map_or(EventId::from_hash([9; 32]), |shown| shown.event_id);
        let body = format!(r#"{{"body":"hello",{}}}"#, self.number());
        let hub = *self.dice.pick(&[PEER, target.as_str(), HUB]);
        let forgery = Forgery {
            room_id: &room_id,
            hub,
            sender: "@dan:d.example",
            kind: "m.room.message",
            state_key: None,
            body: &body,
            auth_events: &[],
            prev_events: &[prev],
            ts: 1_700_000_000_000,
        };
        let unsigned: &[&str] = if hub == target.as_str() { &[hub] } else { &[] };
        let (_, event) = forgery.make_without(unsigned);
        self.transaction(PEER, target.as_str(), &[event.text().into()]);
    }

    fn sends_garbage(&mut self, target: &str) {
        let room_id = self.rooms[usize::try_from(self.dice.roll(3)).unwrap()].id.clone();
        let many = |count: usize| alloc::vec!["{}"; count].join(",");
        let event = format!(r#"{{"room_id":"{room_id}","sender":"@dan:d.example","type":"m.room.message""#);
        let body = match self.dice.roll(12) {
            0 => nested(100_000),
            1 => format!(r#"{{"pdus":[{}]}}"#, many(51)),
            2 => format!(r#"{{"pdus":[],"edus":[{}]}}"#, many(101)),
            3 => format!(r#"{{"pdus":[{event},"content":{{"x":{}}}}}]}}"#, nested(515)),
            4 => format!(r#"{{"pdus":[{event},"content":{{"x":"{}"}}}}]}}"#, "x".repeat(70_000)),
            5 => format!(r#"{{"pdus":[{event},"content":{{"x":1e999}}}}]}}"#),
            6 => format!(r#"{{"pdus":[{event},"content":{{"x":-0}}}},{event},"content":{{"x":1.0}}}}]}}"#),
            7 => format!(r#"{{"pdus":[{event},"content":{{"\ud800":1}}}}]}}"#),
            8 => String::from("\u{feff}{}"),
            9 => format!(r#"{{"pdus":[{event},{event}}}]}}"#),
            10 => format!(r#"{{"pdus":[{event},"content":{{}},"origin_server_ts":9007199254740992}}]}}"#),
            _ => {
                format!(r#"{{"edus":[{{"edu_type":"m.typing","content":{{"room_id":"{room_id}"}}}},{{}}],"pdus":[7]}}"#)
            }
        };
        let from = *self.dice.pick(&[HUB, PEER]);
        self.numbers += 1;
        let paths =
            [("PUT", "send"), ("PUT", "send"), ("POST", "send_join"), ("POST", "invite"), ("POST", "send_leave")];
        let (method, path) = *self.dice.pick(&paths);
        let request = request::signed(from, target, method, &format!("{PFX}/{path}/g{}", self.numbers), &body);
        self.inject(from, target, request);
    }

    /// A request signed with a key of small order, under which anything seems signed.
    fn signs_with_a_weak_key(&mut self, target: &str) {
        self.numbers += 1;
        let mut request = request::transaction(PEER, target, &format!("w{}", self.numbers), &[]);
        // R is the neutral element, and S is zero.
        let weak = format!("AQ{}A", "A".repeat(83));
        let key = *self.dice.pick(&["ed25519:1", "ed25519:weak"]);
        let value = format!(r#"X-Matrix origin="{PEER}",destination="{target}",key="{key}",sig="{weak}""#);
        request.headers = Vec::from([("Authorization".into(), value)]);
        self.inject(PEER, target, request);
    }

    /// From now on the server sees the other log, or the first one again.
    fn shows_another_log(&mut self, target: &str) {
        if self.net.server(&server(TWIN)).is_none() {
            self.net.copy(&server(HUB), &server(TWIN));
        }
        let target: ServerName = server(target);
        self.tally.attacks += 1;
        self.villain(|villain| {
            if !villain.with_twin.remove(&target) {
                villain.with_twin.insert(target);
            }
        });
        // The twin has things of its own to say.
        let body = format!(r#"{{"body":"hello",{}}}"#, self.number());
        let call = crate::testing::Net::event("m.room.message", None, "@hal:hub.example", &body);
        self.net.begin(&server(TWIN), Address::Room(self.rooms[ROOM].id.clone()), call);
    }
}

/// The LPDU that became an event.
fn lpdu_of(event: &[u8]) -> String {
    let event = document(event);
    let mut members: Vec<String> = Vec::new();
    for member in event.root().members() {
        let (key, value) = (member.key(), member.value());
        match key.as_ref() {
            "auth_events" | "prev_events" => {}
            "hashes" => {
                members.extend(value.member("lpdu").map(|hash| format!(r#""hashes":{{"lpdu":{}}}"#, hash.text())))
            }
            "signatures" => {
                let sender = event.root().member("sender").and_then(|sender| sender.as_str()).unwrap();
                let name = user(&sender).server_name();
                let theirs = value.member(name.as_str()).map(|signature| signature.text());
                members.extend(theirs.map(|theirs| format!(r#""signatures":{{"{name}":{theirs}}}"#)));
            }
            _ => members.push(format!(r#""{key}":{}"#, value.text())),
        }
    }
    format!("{{{}}}", members.join(","))
}
