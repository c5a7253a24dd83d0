//! A server signs with a new key: what it signed before still holds, for those who know it and for those who ask anew (spec, section 6, Keys).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    id::RoomId,
    json::{KeyOrder, Limits, Value, parse},
    server::{Address, Answer, Call, Notification, RoomCall},
    testing::{Net, server},
};

const HUB: &str = "hub.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:a.example";
const BOB: &str = "@bob:b.example";

/// The keys of the hub that signed the event of that body.
fn signed_with(event: &[u8]) -> Vec<String> {
    let event = parse(event, KeyOrder::Utf16, Limits { bytes: 65_536, depth: 64 }).unwrap();
    let signatures = event.root().member("signatures").and_then(|all| all.member(HUB));
    signatures.into_iter().flat_map(Value::members).map(|entry| entry.key().into_owned()).collect()
}

/// The log as a server keeps it, with what came before its join: each event's keys of the hub, and whether its sender is proven.
fn history(net: &mut Net, name: &str, room: &RoomId) -> Vec<(Vec<String>, bool)> {
    let call = Call::Room(RoomCall::History { before: i64::MAX, limit: 100 });
    let Some(Answer::History(entries)) = net.ask(&server(name), Address::Room(room.clone()), call) else {
        panic!("{name}")
    };
    let mut before = match net.ask(
        &server(name),
        Address::Room(room.clone()),
        Call::Room(RoomCall::History { before: 0, limit: 100 }),
    ) {
        Some(Answer::History(entries)) => entries,
        _ => Vec::new(),
    };
    before.extend(entries.into_iter().filter(|entry| entry.position >= 0));
    before.iter().map(|entry| (signed_with(entry.event.as_ref().unwrap()), entry.sender_verified)).collect()
}

#[test]
fn what_was_signed_before_and_after_is_verified() {
    let mut net = Net::new(&[&server(HUB), &server("a.example"), &server("b.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.say(HAL, &room, "before");
    net.pass(Duration::from_secs(60));
    net.rotate(&server(HUB), "ed25519:2");
    net.pass(Duration::from_secs(1));

    net.say(HAL, &room, "after");
    net.run();
    let heard: Vec<_> = net
        .told("a.example")
        .into_iter()
        .filter_map(|told| match told {
            Notification::Appended { event, sender_verified, .. } => Some((signed_with(&event), sender_verified)),
            _ => None,
        })
        .collect();
    let [.., (before, true), (after, true)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((before.as_slice(), after.as_slice()), (&["ed25519:1".to_owned()][..], &["ed25519:2".to_owned()][..]));

    net.join(BOB, &room, HUB);
    net.say(BOB, &room, "new here");
    let log = history(&mut net, "b.example", &room);
    assert!(log.iter().all(|(_, verified)| *verified), "{log:?}");
    let keys = |id: &str| log.iter().filter(|(keys, _)| keys.iter().any(|key| key == id)).count();
    assert_eq!((keys("ed25519:1"), keys("ed25519:2")), (7, 3), "{log:?}");
    assert_eq!(log.len(), 10);
    assert!(net.ids(HUB, &room, 0).ends_with(&net.ids("b.example", &room, 0)));
}
