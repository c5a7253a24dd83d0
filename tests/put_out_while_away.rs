//! A server that was put out of a room while it was out of reach hears the rest of its time there, and no more.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    id::RoomId,
    room::membership::Membership,
    server::Notification,
    testing::{Fate, Net, Way, server},
};

const HUB: &str = "hub.example";
const AWAY: &str = "a.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:a.example";

/// A room of Hal's with Ann, whose server hears nothing from now on.
fn away() -> (Net, RoomId) {
    let mut net = Net::new(&[&server(HUB), &server(AWAY)]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, AWAY) => Fate::Lose,
        _ => Fate::Pass,
    });
    (net, room)
}

fn put_out(net: &mut Net, room: &RoomId) {
    net.send(HAL, room, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#).unwrap();
}

/// Ann's server is back: what it has is the end of the hub's log, as far as it may hear of it, and nothing is amiss.
fn comes_back(net: &mut Net, room: &RoomId, later: usize) {
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(4 * 3_600));
    let amiss = |told: &&Notification| {
        matches!(told, Notification::Hole { .. } | Notification::Rejected { .. } | Notification::Fork { .. })
    };
    assert_eq!(net.told(AWAY).iter().find(amiss), None);
    let (mut hub, away) = (net.ids(HUB, room, 0), net.ids(AWAY, room, 0));
    hub.truncate(hub.len() - later);
    assert!(hub.ends_with(&away));
    assert_eq!(away.last(), hub.last());
}

#[test]
fn it_may_fetch_what_it_was_not_sent() {
    let (mut net, room) = away();
    // More than it is sent: it gets the newest and fetches the rest.
    for number in 0..600 {
        net.say(HAL, &room, &format!("{number}"));
    }
    put_out(&mut net, &room);
    net.say(HAL, &room, "without Ann");
    comes_back(&mut net, &room, 1);
    let secret = net.say(HAL, &room, "still without Ann");
    let target = format!("/_matrix/federation/v2/event/{secret}").replace('$', "%24");
    assert_eq!(net.get(&server(AWAY), &server(HUB), target).status, 404);
}

#[test]
fn a_join_right_behind_skips_nothing() {
    let (mut net, room) = away();
    net.say(HAL, &room, "one");
    net.say(HAL, &room, "two");
    put_out(&mut net, &room);
    // Her server does not know that she was put out, so these come to the hub as events like others.
    net.member(ANN, &room, Membership::Join, &[]).unwrap();
    net.say(ANN, &room, "back");
    net.member(ANN, &room, Membership::Leave, &[]).unwrap();
    assert_eq!(net.ids(HUB, &room, 0).len(), 12);
    net.say(HAL, &room, "without Ann");
    net.rule(
        |packet| if packet.request.target.contains("/backfill/") { panic!("nothing is missing") } else { Fate::Pass },
    );
    net.pass(Duration::from_secs(3_600));
    comes_back(&mut net, &room, 1);
}

/// What the hub answers to Ann's server about the log up to its last event, of which the server has not heard.
fn reads(net: &mut Net, room: &RoomId) -> String {
    let last = *net.ids(HUB, room, 0).last().unwrap();
    let target = format!("/_matrix/federation/v2/backfill/{room}?v={last}&limit=100");
    let target = target.replace('$', "%24").replace('!', "%21");
    String::from_utf8(net.get(&server(AWAY), &server(HUB), target).body).unwrap()
}

#[test]
fn whoever_was_not_in_the_room_reads_nothing_by_what_it_is_told_later() {
    let deaf = |net: &mut Net| {
        net.rule(|packet| match (&packet.way, packet.to.as_str()) {
            (Way::Request, AWAY) if packet.request.target.contains("/send/") => Fate::Lose,
            _ => Fate::Pass,
        });
    };
    let private = || {
        let mut net = Net::new(&[&server(HUB), &server(AWAY)]);
        let room = net.create(HAL, "!r:hub.example", false, "{}");
        net.send(HAL, &room, "m.room.join_rules", Some(""), r#"{"join_rule":"knock"}"#).unwrap();
        net.say(HAL, &room, "secret");
        (net, room)
    };
    let (mut net, room) = private();
    deaf(&mut net);
    net.member(ANN, &room, Membership::Knock, &[HUB]).unwrap();
    assert!(!reads(&mut net, &room).contains("secret"), "it knocked");

    let (mut net, room) = private();
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"invite"}"#).unwrap();
    net.pass(Duration::from_secs(10));
    deaf(&mut net);
    net.member(ANN, &room, Membership::Leave, &[HUB]).unwrap();
    assert!(!reads(&mut net, &room).contains("secret"), "it declined an invite");

    let mut net = Net::new(&[&server(HUB), &server(AWAY)]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.say(HAL, &room, "with Ann");
    net.member(ANN, &room, Membership::Leave, &[]).unwrap();
    net.pass(Duration::from_secs(60));
    net.say(HAL, &room, "secret");
    deaf(&mut net);
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"ban"}"#).unwrap();
    let read = reads(&mut net, &room);
    assert!(!read.contains("secret") && !read.contains("with Ann"), "it was banned after an absence");
}
