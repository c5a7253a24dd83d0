//! Under an honest hub every participant's log equals the hub's from its join on.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    id::RoomId,
    room::membership::Membership,
    server::{Address, Answer, Notification},
    store::{Query, Table},
    testing::{Fate, Net, Server, server},
};

const HUB: &str = "hub.example";
const ANN: &str = "@ann:a.example";
const BOB: &str = "@bob:b.example";
const HAL: &str = "@hal:hub.example";

fn net() -> Net {
    Net::new(&[&server(HUB), &server("a.example"), &server("b.example")])
}

#[test]
fn a_joined_server_has_what_the_hub_has() {
    let mut net = net();
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    let join = net.join(ANN, &room, HUB);
    net.say(HAL, &room, "hello");
    net.say(ANN, &room, "hi");
    let hub = net.ids(HUB, &room, 0);
    let from = hub.iter().position(|id| *id == join).unwrap();
    assert_eq!(hub.len(), from + 3);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..]);
    net.join(BOB, &room, HUB);
    net.say(BOB, &room, "me too");
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(hub.len(), from + 5);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..]);
    assert_eq!(net.ids("b.example", &room, 0), hub[from + 3..]);
    assert!(matches!(net.member(ANN, &room, Membership::Leave, &[]), Some(Answer::Accepted(_))));
    net.say(BOB, &room, "bye");
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(net.ids("a.example", &room, 0), hub[from..hub.len() - 1], "it has its own leave and nothing after");
    assert_eq!(net.ids("b.example", &room, 0), hub[from + 3..]);
}

#[test]
fn a_platform_that_keeps_the_key_signs_when_asked() {
    let names = [HUB, "a.example", "b.example"].map(server);
    let servers = names.iter().map(|name| (name.clone(), Server::new(name, true))).collect();
    let mut net = Net::of(servers);
    let room = net.create(HAL, "!r:hub.example", true, r#"{"hublet.hub_transfer":true}"#);
    net.join(ANN, &room, HUB);
    net.join(BOB, &room, HUB);
    let said = net.say(HAL, &room, "hello");
    let body = format!(r#"{{"hublet.redacts":"{said}"}}"#);
    assert!(matches!(net.send(HAL, &room, "m.room.redaction", None, &body), Some(Answer::Accepted(_))));
    net.say(ANN, &room, "hi");
    let hub = net.ids(HUB, &room, 0);
    assert!(hub.ends_with(&net.ids("a.example", &room, 0)));
    assert!(hub.ends_with(&net.ids("b.example", &room, 0)));
    assert_eq!(net.ids("a.example", &room, 0).len(), 5);
    let levels = r#"{"users":{"@ann:a.example":100,"@hal:hub.example":100}}"#;
    net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();
    let consent = hublet::server::Call::Room(hublet::server::RoomCall::Consent { to: server("a.example") });
    net.ask(&server(HUB), hublet::server::Address::Room(room.clone()), consent);
    assert!(matches!(net.send(ANN, &room, "m.room.hub", Some(""), "{}"), Some(Answer::Accepted(_))));
    net.say(BOB, &room, "to the new hub");
    assert_eq!(net.ids("a.example", &room, -100), net.ids(HUB, &room, 0));
}

#[test]
fn a_kicked_server_gets_the_kick_and_no_more() {
    let mut net = net();
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.join(BOB, &room, HUB);
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"ban"}"#).unwrap();
    net.say(BOB, &room, "without Ann");
    let hub = net.ids(HUB, &room, 0);
    assert!(hub[..hub.len() - 1].ends_with(&net.ids("a.example", &room, 0)));
    assert!(
        matches!(net.member(ANN, &room, Membership::Join, &[HUB]), Some(Answer::Refused(failure)) if failure.status == 403)
    );
}

/// The current state in a server's store: which event stands for each type and state key.
fn state(net: &mut Net, name: &str, room: &RoomId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = net.server(&server(name)).unwrap().store(&Address::Room(room.clone())).unwrap();
    // A row holds its form, the event's ID, and more.
    store.read(&Query::all(Table::State)).into_iter().map(|row| (row.key, row.value[1..33].to_vec())).collect()
}

/// Numbers that repeat: which packets are lost.
struct Dice(u64);

impl Dice {
    fn falls(&mut self, percent: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 100 < percent
    }
}

/// Networks that a test plays: fewer where they are slower.
const SEEDS: core::ops::RangeInclusive<u64> = if cfg!(target_arch = "wasm32") { 151..=200 } else { 151..=250 };

#[test]
fn loss_and_restarts_change_nothing_in_the_end() {
    for seed in SEEDS {
        let mut net = net();
        let room = net.create(HAL, "!r:hub.example", true, "{}");
        net.join(ANN, &room, HUB);
        net.join(BOB, &room, HUB);
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        net.rule(move |_| if dice.falls(25) { Fate::Lose } else { Fate::Pass });
        let mut dice = Dice(seed);
        for round in 0..30 {
            let sender = [HAL, ANN, BOB][round % 3];
            net.send(sender, &room, "m.room.message", None, &format!(r#"{{"body":"{round}"}}"#)).unwrap();
            if dice.falls(20) {
                let name = ["a.example", "b.example"][round % 2];
                net.restart(&server(name));
            }
            net.pass(Duration::from_secs(3));
        }
        net.rule(|_| Fate::Pass);
        net.pass(Duration::from_secs(7_200));
        let hub = net.ids(HUB, &room, 0);
        assert_eq!(hub.len(), 7 + 30, "seed {seed}: each event once");
        for name in ["a.example", "b.example"] {
            let log = net.ids(name, &room, 0);
            assert!(hub.ends_with(&log), "seed {seed}, {name}");
            let told = net.told(name);
            let reported = |told: &Notification| {
                matches!(told, Notification::Fork { .. } | Notification::Rejected { .. } | Notification::Hole { .. })
            };
            assert!(!told.iter().any(reported), "seed {seed}, {name}");
        }
    }
}

#[test]
fn coming_and_going_under_loss_ends_in_the_hubs_log() {
    for seed in SEEDS {
        let mut net = net();
        let room = net.create(HAL, "!r:hub.example", true, "{}");
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        net.rule(move |_| if dice.falls(15) { Fate::Lose } else { Fate::Pass });
        let mut dice = Dice(seed);
        for round in 0..40 {
            let user = [ANN, BOB][round % 2];
            match round % 5 {
                0 | 3 => drop(net.member(user, &room, Membership::Join, &[HUB])),
                1 if dice.falls(50) => drop(net.member(user, &room, Membership::Leave, &[HUB])),
                2 => drop(net.send(HAL, &room, "m.room.topic", Some(""), &format!(r#"{{"topic":"{round}"}}"#))),
                _ => drop(net.send(user, &room, "m.room.message", None, &format!(r#"{{"body":"{round}"}}"#))),
            }
            if dice.falls(20) {
                net.restart(&server([HUB, "a.example", "b.example"][round % 3]));
            }
            net.pass(Duration::from_secs(7));
        }
        net.rule(|_| Fate::Pass);
        net.pass(Duration::from_secs(7_200));
        net.join(ANN, &room, HUB);
        net.join(BOB, &room, HUB);
        net.say(HAL, &room, "the end");
        net.pass(Duration::from_secs(7_200));
        let hub = net.ids(HUB, &room, 0);
        for name in ["a.example", "b.example"] {
            let log = net.log(name, &room, i64::MIN / 2);
            let mut positions = log.windows(2).filter(|pair| pair[1].0 != pair[0].0 + 1).map(|pair| pair[1].0);
            let from = positions.next_back().unwrap_or(0);
            let log: Vec<_> = log.iter().filter(|(at, ..)| *at >= from).map(|(_, id, _)| *id).collect();
            assert!(hub.ends_with(&log) && !log.is_empty(), "seed {seed}, {name}");
            assert_eq!(state(&mut net, name, &room), state(&mut net, HUB, &room), "seed {seed}, {name}");
            let reported = |told: &Notification| {
                matches!(told, Notification::Fork { .. } | Notification::Rejected { .. } | Notification::Hole { .. })
            };
            let told = net.told(name);
            assert!(!told.iter().any(reported), "seed {seed}, {name}: {:?}", told.iter().find(|told| reported(told)));
        }
    }
}
