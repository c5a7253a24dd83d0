//! In a room whose hub may move, events may come from others than the hub that is known: what they say alone is not taken, and what they hold back or cut is had
//! from the hub (spec, sections 4 and 9).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;
use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use hublet::{
    event::{LINEARIZED_02, UnverifiedPdu, redact},
    id::{EventId, RoomId},
    room::membership::Membership,
    server::{Address, Answer, Call, Notification, Response, RoomCall},
    testing::{Fate, Forgery, Net, Way, content, request::transaction, server},
};

const HUB: &str = "hub.example";
const HAL: &str = "@hal:hub.example";
const PART: &str = "a.example";
const ANN: &str = "@ann:a.example";
/// A member's server that means no good.
const MAL: &str = "m.example";
const MALLORY: &str = "@mal:m.example";
const BOB: &str = "@bob:b.example";

/// A room of Hal's that may move, with Ann and Mallory. Mallory may move it, and Bob, who comes later.
fn net() -> (Net, RoomId) {
    let mut net = Net::new(&[HUB, PART, MAL, "b.example"].map(server).each_ref());
    let room = net.create(HAL, "!r:hub.example", true, r#"{"hublet.hub_transfer":true}"#);
    net.join(ANN, &room, HUB);
    net.join(MALLORY, &room, HUB);
    let levels =
        r#"{"events":{"m.room.hub":100},"users":{"@bob:b.example":100,"@hal:hub.example":100,"@mal:m.example":100}}"#;
    net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();
    net.pass(Duration::from_secs(10));
    (net, room)
}

fn consent(net: &mut Net, hub: &str, room: &RoomId, to: &str) {
    let call = Call::Room(RoomCall::Consent { to: server(to) });
    assert_eq!(net.ask(&server(hub), Address::Room(room.clone()), call), Some(Answer::Done));
}

/// Bob joins, and his server becomes the hub.
fn bob_takes_over(net: &mut Net, room: &RoomId) {
    net.join(BOB, room, HUB);
    consent(net, HUB, room, "b.example");
    let proposed = net.send(BOB, room, "m.room.hub", Some(""), "{}");
    assert!(matches!(proposed, Some(Answer::Accepted(_))), "{proposed:?}");
}

/// The bytes of an event in the hub's log.
fn bytes(net: &mut Net, room: &RoomId, wanted: EventId) -> String {
    let found = net.log(HUB, room, 0).into_iter().find(|(_, id, _)| *id == wanted);
    String::from_utf8(found.unwrap().2.unwrap()).unwrap()
}

/// The redacted form of an event.
fn cut(event: &str) -> String {
    let pdu = UnverifiedPdu::parse(content(event), &LINEARIZED_02).unwrap();
    String::from_utf8(redact(pdu.event())).unwrap()
}

/// Events of Mallory's, each behind the one before, that her server alone has signed: IDs and bytes.
fn forged(net: &mut Net, room: &RoomId, count: i64) -> Vec<(EventId, String)> {
    let log = net.ids(HUB, room, 0);
    let (create, mut prev) = (log[0], *log.last().unwrap());
    let mut make = |ts| {
        let (id, document) = Forgery {
            room_id: room,
            hub: MAL,
            sender: MALLORY,
            kind: "m.room.message",
            state_key: None,
            body: "{}",
            auth_events: &[create],
            prev_events: &[prev],
            ts: 1_700_000_000_500 + ts,
        }
        .make();
        prev = id;
        (id, String::from_utf8(document.bytes().to_vec()).unwrap())
    };
    (0..count).map(&mut make).collect()
}

/// Mallory's server sends events to Ann's.
fn push(net: &mut Net, events: &[String]) {
    net.inject(&server(MAL), &server(PART), transaction(MAL, PART, "x", events));
}

/// From now on Mallory's server answers each backfill with the event that is asked for, if it is among these; how often it was asked.
fn serves(net: &mut Net, events: Vec<(EventId, String)>) -> Rc<Cell<usize>> {
    let count = Rc::new(Cell::new(0));
    let in_target = |id: EventId| format!("{id}").replace('$', "%24");
    let events: BTreeMap<String, String> = events.into_iter().map(|(id, event)| (in_target(id), event)).collect();
    let counts = Rc::clone(&count);
    net.rule(move |packet| {
        if packet.from.as_str() == MAL
            && packet.request.target.contains("/backfill/")
            && let Way::Answer(answer) = &mut packet.way
        {
            counts.set(counts.get() + 1);
            let found = events.iter().find(|(id, _)| packet.request.target.contains(id.as_str()));
            let pdus = found.map_or("", |(_, event)| event);
            *answer = Ok(Response::ok(format!(r#"{{"pdus":[{pdus}]}}"#).into_bytes()));
        }
        Fate::Pass
    });
    count
}

/// The hub goes on, and Ann's server has what it has, with nothing amiss.
fn goes_on(net: &mut Net, room: &RoomId) {
    net.say(HAL, room, "next");
    net.pass(Duration::from_secs(4 * 3_600));
    let amiss = |told: &&Notification| {
        matches!(told, Notification::Hole { .. } | Notification::Rejected { .. } | Notification::Fork { .. })
    };
    assert_eq!(net.told(PART).iter().find(amiss), None);
    let hub = net.ids(HUB, room, 0);
    assert!(hub.ends_with(&net.ids(PART, room, 0)));
}

#[test]
fn a_member_forges_no_hole_and_holds_nobody_up() {
    let (mut net, room) = net();
    let chain = forged(&mut net, &room, 20);
    let last = chain[19].1.clone();
    let asked = serves(&mut net, chain);
    push(&mut net, &[last]);
    net.run();
    assert_eq!(asked.get(), 0, "nothing shows that it is worth asking");
    goes_on(&mut net, &room);
}

#[test]
fn a_hub_of_former_times_forges_nothing_by_what_made_it_the_hub() {
    let (mut net, room) = net();
    consent(&mut net, HUB, &room, MAL);
    net.send(MALLORY, &room, "m.room.hub", Some(""), "{}").unwrap();
    net.pass(Duration::from_secs(30));
    let moved = *net.ids(HUB, &room, 0).last().unwrap();
    let moved = bytes(&mut net, &room, moved);
    assert!(moved.contains("m.room.hub"));
    consent(&mut net, MAL, &room, HUB);
    net.send(HAL, &room, "m.room.hub", Some(""), "{}").unwrap();
    net.pass(Duration::from_secs(30));
    net.member(MALLORY, &room, Membership::Leave, &[]).unwrap();
    net.pass(Duration::from_secs(30));
    let chain = forged(&mut net, &room, 2);
    let last = chain[1].1.clone();
    let asked = serves(&mut net, chain);
    push(&mut net, &[moved, last]);
    net.run();
    assert_eq!(asked.get(), 0);
    goes_on(&mut net, &room);
}

#[test]
fn a_redacted_copy_is_taken_from_the_hub_only() {
    for is_pushed in [true, false] {
        let (mut net, room) = net();
        // The hub and Ann's server do not reach each other for a while.
        let parted = |from: &str, to: &str| matches!((from, to), (HUB, PART) | (PART, HUB));
        net.rule(move |packet| if parted(packet.from.as_str(), packet.to.as_str()) { Fate::Lose } else { Fate::Pass });
        let word = net.say(HAL, &room, "word");
        let later = net.say(HAL, &room, "later");
        let (cut, later) = (cut(&bytes(&mut net, &room, word)), bytes(&mut net, &room, later));
        if is_pushed {
            push(&mut net, &[cut]);
        } else {
            serves(&mut net, vec![(word, cut)]);
            net.run();
            push(&mut net, &[later]);
        }
        net.pass(Duration::from_secs(30));
        net.rule(|_| Fate::Pass);
        goes_on(&mut net, &room);
        let ours = net.log(PART, &room, 0).into_iter().find(|(_, id, _)| *id == word).unwrap().2.unwrap();
        assert!(String::from_utf8(ours).unwrap().contains(r#""word""#), "pushed: {is_pushed}");
    }
}

#[test]
fn a_spoiled_copy_of_the_move_does_not_hide_it() {
    let (mut net, room) = net();
    net.rule(|packet| match (&packet.way, packet.from.as_str(), packet.to.as_str()) {
        (Way::Request, HUB | "b.example", PART) => Fate::Lose,
        _ => Fate::Pass,
    });
    bob_takes_over(&mut net, &room);
    let moved = *net.ids(HUB, &room, 0).last().unwrap();
    let spoiled = bytes(&mut net, &room, moved).replace(r#""head":"$"#, r#""head":"$A"#);
    push(&mut net, &[spoiled]);
    net.pass(Duration::from_secs(30));
    net.rule(|_| Fate::Pass);
    net.say(BOB, &room, "by the new hub");
    goes_on(&mut net, &room);
    assert_eq!(net.ids(PART, &room, 0).last(), net.ids("b.example", &room, -1_000).last());
}

#[test]
fn a_stranger_makes_nobody_look_up_keys_or_wait() {
    let (mut net, room) = net();
    let log = net.ids(HUB, &room, 0);
    let forge = |hub: &str, sender: &str, kind: &str, state_key: Option<&str>, without: &[&str]| {
        let forged = Forgery {
            room_id: &room,
            hub,
            sender,
            kind,
            state_key,
            body: "{}",
            auth_events: &[log[0]],
            prev_events: &[*log.last().unwrap()],
            ts: 1_700_000_000_600,
        };
        String::from_utf8(forged.make_without(without).1.bytes().to_vec()).unwrap()
    };
    let mut events = vec![forge(HUB, "@bob:b.example", "m.room.hub", Some(""), &[HUB])];
    events.extend((0..49).map(|number| {
        let name = format!("n{number}.example");
        forge(&name, &format!("@x:{name}"), "m.room.message", None, &[])
    }));
    let count = Rc::new(Cell::new(0));
    let asked = Rc::clone(&count);
    net.rule(move |packet| {
        if packet.from.as_str() == PART && packet.to.as_str().starts_with('n') {
            asked.set(asked.get() + 1);
            return Fate::Hold;
        }
        Fate::Pass
    });
    net.inject(&server("b.example"), &server(PART), transaction("b.example", PART, "x", &events));
    net.run();
    assert!(net.send(ANN, &room, "m.room.message", None, "{}").is_some(), "Ann is answered at once");
    assert_eq!(count.get(), 0);
    goes_on(&mut net, &room);
}

#[test]
fn the_hub_is_not_silent_because_a_member_is() {
    let (mut net, room) = net();
    let chain = forged(&mut net, &room, 2);
    net.rule(|packet| match (packet.from.as_str(), packet.to.as_str()) {
        (PART, MAL) if packet.request.target.contains("/backfill/") => Fate::Lose,
        _ => Fate::Pass,
    });
    push(&mut net, &[chain[1].1.clone()]);
    net.pass(Duration::from_secs(3_700));
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, PART) => Fate::Lose,
        _ => Fate::Pass,
    });
    // More than the hub sends at once, so that the rest is asked of it; the first answer is lost.
    for number in 0..520 {
        net.say(HAL, &room, &format!("{number}"));
    }
    let is_first = Cell::new(true);
    net.rule(move |packet| {
        let is_gap = packet.from.as_str() == PART && packet.request.target.contains("/backfill/");
        if is_gap && is_first.take() { Fate::Lose } else { Fate::Pass }
    });
    goes_on(&mut net, &room);
}

#[test]
fn a_new_hub_that_is_far_ahead_still_shows_that_it_is_the_hub() {
    let (mut net, room) = net();
    net.rule(
        |packet| {
            if [&packet.to, &packet.from].iter().any(|name| name.as_str() == PART) { Fate::Lose } else { Fate::Pass }
        },
    );
    bob_takes_over(&mut net, &room);
    net.pass(Duration::from_secs(30));
    for number in 0..520 {
        net.say(BOB, &room, &format!("{number}"));
    }
    // Ann's server is back, and the old hub is gone.
    net.rule(|packet| match (packet.from.as_str(), packet.to.as_str()) {
        (HUB, PART) | (PART, HUB) => Fate::Lose,
        _ => Fate::Pass,
    });
    net.pass(Duration::from_secs(4 * 3_600));
    let hub = net.ids("b.example", &room, -1_000);
    assert!(hub.ends_with(&net.ids(PART, &room, 0)));
    assert_eq!(net.ids(PART, &room, 0).last(), hub.last());
}
