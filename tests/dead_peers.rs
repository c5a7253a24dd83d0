//! A server that cannot be reached holds up nobody but itself.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::testing::{Fate, Net, server, signed_request};

const HUB: &str = "hub.example";
const DEAD: &str = "a.example";
const LIVE: &str = "b.example";
const HAL: &str = "@hal:hub.example";

#[test]
fn one_dead_peer_does_not_stall_the_others() {
    let mut net = Net::new(&[&server(HUB), &server(DEAD), &server(LIVE)]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join("@ann:a.example", &room, HUB);
    net.join("@bob:b.example", &room, HUB);
    let dead = server(DEAD);
    net.rule(move |packet| if packet.to == dead || packet.from == dead { Fate::Lose } else { Fate::Pass });
    for number in 0..60 {
        net.say(HAL, &room, &format!("{number}"));
        net.say("@bob:b.example", &room, &format!("{number}"));
        let hub = net.ids(HUB, &room, 0);
        assert!(hub.ends_with(&net.ids(LIVE, &room, 0)), "at once, without the clock moving");
        assert_eq!(net.ids(LIVE, &room, 0).last(), hub.last());
    }
    let behind = net.ids(DEAD, &room, 0).len();
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(3 * 3_600));
    let (hub, healed) = (net.ids(HUB, &room, 0), net.ids(DEAD, &room, 0));
    assert_eq!(healed.len(), behind + 120);
    assert!(hub.ends_with(&healed), "and then it gets all that it missed, in order");
}

#[test]
fn strangers_do_not_keep_machines_open() {
    let mut net = Net::new(&[&server(HUB)]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    let target = "/_matrix/federation/v1/query/profile?user_id=@hal:hub.example";
    for number in 0..3_000 {
        // Nobody has that name, so there is nobody to ask whether it signed.
        let request = signed_request(&format!("n{number}.example"), HUB, "GET", target, b"");
        assert!(net.request(&server(HUB), request).is_some());
        net.pass(Duration::from_secs(1));
    }
    let open = net.server(&server(HUB)).unwrap().open_machines();
    assert!(open <= 1_100, "{open}");
    net.say(HAL, &room, "the room is as it was");
    assert_eq!(net.ids(HUB, &room, 0).len(), 6);
}
