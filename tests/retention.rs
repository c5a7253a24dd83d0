//! What has outlived the room's policy is purged, at the hub and elsewhere (spec, section 10).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::EventId,
    server::{Answer, Call, Input, Notification, RoomCall, Ticket, room::RoomMachine},
    store::{Query, Table},
    testing::{
        Driver, Net, content,
        duo::{ANN, Duo, Entry, HAL, HUB, document, failures},
        identity, lpdu, user,
    },
};

type Room = Driver<RoomMachine>;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const POLICY: &str = r#"{"max_lifetime":86400000,"min_lifetime":3600000}"#;

/// Time passes, and the machine is woken whenever it asked to be. How often it was.
fn pass(room: &mut Room, millis: u64) -> usize {
    let (end, mut wakings) = (room.now + millis, 0);
    while let Some(at) = room.wake.take_if(|at| at.millis() <= end) {
        room.now = room.now.max(at.millis());
        room.input(Input::Woken);
        wakings += 1;
        assert!(wakings < 10_000, "it never rests");
    }
    room.now = end;
    wakings
}

fn set_policy(duo: &mut Duo, policy: &str) {
    duo.event(HAL, "m.room.retention", Some(""), policy);
}

fn log(room: &mut Room) -> Vec<Entry> {
    match room.ask(Call::Room(RoomCall::Timeline { from: i64::MIN / 2, limit: u32::MAX })) {
        Answer::Entries(entries) => entries,
        answer => panic!("{answer:?}"),
    }
}

/// The texts of the messages that are left.
fn texts(room: &mut Room) -> Vec<String> {
    let text = |(_, _, bytes): Entry| {
        let event = document(&bytes?);
        Some(event.root().member("content")?.member("body")?.as_str()?.into_owned())
    };
    log(room).into_iter().filter_map(text).collect()
}

fn purged(room: &Room) -> Vec<(i64, EventId)> {
    let purged = |told: &Notification| match told {
        Notification::Purged { position, event_id, .. } => Some((*position, *event_id)),
        _ => None,
    };
    room.told.iter().filter_map(purged).collect()
}

/// The machine opened anew from its store.
fn reopen(room: &mut Room, name: &str, duo: &hublet::id::RoomId) {
    let machine = RoomMachine::new(identity(name), duo.clone(), Ticket(1 << 33));
    let mut opened = Driver::new(machine, core::mem::take(&mut room.store), core::mem::take(&mut room.keys));
    opened.now = room.now;
    opened.input(Input::Woken);
    *room = opened;
}

/// A message of Ann's that says when it was sent.
fn say_at(duo: &mut Duo, text: &str, at: u64) -> [(EventId, Vec<u8>); 1] {
    let said = lpdu(&duo.room_id, ANN, HUB, "m.room.message", None, &format!(r#"{{"body":"{text}"}}"#), at);
    let sent = [(said.lpdu_id(), said.bytes().to_vec())];
    assert!(failures(&duo.send_lpdus(&sent)).is_empty());
    sent
}

fn ids_and_bytes(log: &[Entry]) -> Vec<(EventId, Option<&str>)> {
    log.iter().map(|(_, id, bytes)| (*id, bytes.as_deref().map(|bytes| core::str::from_utf8(bytes).unwrap()))).collect()
}

#[test]
fn what_is_too_old_is_purged_at_the_hub_and_at_the_participant() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    let old = duo.say("old");
    duo.event(HAL, "m.mls.commit", None, r#"{"body":"commit"}"#);
    duo.event(HAL, "m.room.topic", Some(""), r#"{"body":"topic"}"#);
    duo.event(HAL, "m.room.redaction", None, &format!(r#"{{"body":"why","hublet.redacts":"{old}"}}"#));
    duo.say("older");
    assert!(failures(&duo.catch_up()).is_empty());
    let before = duo.hub_log();
    for room in [&mut duo.hub, &mut duo.part] {
        pass(room, 12 * HOUR);
    }
    duo.say("young");
    duo.say("newest");
    assert!(failures(&duo.catch_up()).is_empty());
    for room in [&mut duo.hub, &mut duo.part] {
        pass(room, 13 * HOUR);
        assert_eq!(texts(room), ["commit", "topic", "why", "young", "newest"]);
        assert_eq!(purged(room).len(), 1, "what was redacted is not purged as well");
        pass(room, 30 * DAY);
        assert_eq!(texts(room), ["commit", "topic", "why", "newest"], "never the newest");
    }
    // Place, ID and links stay: what is left is what a redaction leaves.
    let after = duo.hub_log();
    for ((position, id, bytes), (was_at, was, whole)) in after.iter().zip(&before) {
        assert_eq!((position, id), (was_at, was));
        assert!(bytes == whole || !String::from_utf8_lossy(bytes.as_deref().unwrap()).contains("older"));
    }
    let theirs = duo.part_log();
    assert_eq!(ids_and_bytes(&theirs), ids_and_bytes(&after[after.len() - theirs.len()..]));
    let Some(Notification::Purged { event, event_id, .. }) =
        duo.hub.told.iter().find(|told| matches!(told, Notification::Purged { .. }))
    else {
        panic!()
    };
    assert!(after.iter().any(|(_, id, bytes)| id == event_id && bytes.as_ref() == Some(event)));
    // Whoever asks gets what is left, and takes it.
    let answer = duo.part.begin(Call::Room(RoomCall::History { before: 0, limit: 100 }));
    duo.serve();
    assert!(matches!(duo.part.answer(answer), Some(Answer::History(_))));
}

#[test]
fn nothing_is_purged_before_its_time() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    duo.say("one");
    duo.say("two");
    pass(&mut duo.hub, DAY);
    assert_eq!(texts(&mut duo.hub), ["one", "two"]);
    pass(&mut duo.hub, HOUR);
    assert_eq!(texts(&mut duo.hub), ["two"]);
    // A policy that contradicts itself keeps everything: nobody may purge before the shortest lifetime.
    let mut duo = Duo::joined();
    set_policy(&mut duo, r#"{"max_lifetime":1000,"min_lifetime":3600000}"#);
    duo.say("one");
    duo.say("two");
    assert_eq!(pass(&mut duo.hub, 30 * DAY), 1, "it has nothing to wake for but what it wrote of its peers");
    assert_eq!(texts(&mut duo.hub), ["one", "two"]);
}

#[test]
fn a_long_history_is_purged_in_steps_over_restarts() {
    let mut duo = Duo::joined();
    (0..450).for_each(|number| {
        duo.say(&number.to_string());
    });
    pass(&mut duo.hub, 2 * DAY);
    set_policy(&mut duo, POLICY);
    let room_id = duo.room_id.clone();
    let mut commits = Vec::new();
    for _ in 0..20 {
        let before = texts(&mut duo.hub).len();
        reopen(&mut duo.hub, HUB, &room_id);
        duo.hub.input(Input::Woken);
        commits.push(before - texts(&mut duo.hub).len());
    }
    assert!(commits.iter().all(|purged| *purged <= 100), "{commits:?}");
    assert_eq!(commits.iter().sum::<usize>(), 450, "each step goes on where the last one ended, {commits:?}");
    assert!(commits[5..].iter().all(|purged| *purged == 0), "{commits:?}");
    // Nothing is left to look at: a step reads nothing below where the last one stood.
    let reads = duo.hub.store.read(&Query::prefix(Table::Meta, *b"late/", 10));
    assert!(reads.is_empty());
}

#[test]
fn a_purged_lpdu_is_known_for_ever() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    let now = duo.hub.now;
    let sent = say_at(&mut duo, "mine", now);
    duo.say("newest");
    pass(&mut duo.hub, 2 * DAY);
    assert_eq!(texts(&mut duo.hub), ["newest"]);
    let log = duo.hub_log();
    assert!(failures(&duo.send_lpdus(&sent)).is_empty());
    assert_eq!(duo.hub_log(), log);
}

#[test]
fn what_is_too_old_when_it_comes_goes_at_once_but_for_the_newest() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    duo.say("young");
    pass(&mut duo.hub, HOUR);
    let now = duo.hub.now;
    say_at(&mut duo, "backdated", now - 3 * DAY);
    pass(&mut duo.hub, HOUR);
    assert_eq!(texts(&mut duo.hub), ["young", "backdated"]);
    duo.say("next");
    pass(&mut duo.hub, HOUR);
    assert_eq!(texts(&mut duo.hub), ["young", "next"]);
    assert_eq!(purged(&duo.hub).len(), 1);
    pass(&mut duo.hub, DAY);
    assert_eq!(purged(&duo.hub).len(), 2, "none is told twice");
}

#[test]
fn dates_in_the_future_hold_nothing_up() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    let start = duo.hub.now;
    for number in 0..150 {
        say_at(&mut duo, "future", start + 400 * DAY + number);
    }
    say_at(&mut duo, "now", start);
    duo.say("newest");
    pass(&mut duo.hub, 2 * DAY);
    assert_eq!(purged(&duo.hub).len(), 1);
    assert!(!texts(&mut duo.hub).contains(&"now".into()));
    let room_id = duo.room_id.clone();
    reopen(&mut duo.hub, HUB, &room_id);
    pass(&mut duo.hub, 402 * DAY);
    assert_eq!(texts(&mut duo.hub), ["newest"], "they have their time too");
    assert!(duo.hub.store.read(&Query::prefix(Table::Meta, *b"late/", 10)).is_empty());
}

#[test]
fn a_policy_may_change_and_go() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    duo.say("one");
    pass(&mut duo.hub, 12 * HOUR);
    duo.say("two");
    pass(&mut duo.hub, HOUR);
    set_policy(&mut duo, "{}");
    assert!(pass(&mut duo.hub, 30 * DAY) < 3);
    assert_eq!(texts(&mut duo.hub), ["one", "two"], "without a policy all stays");
    duo.say("three");
    pass(&mut duo.hub, HOUR);
    set_policy(&mut duo, r#"{"max_lifetime":172800000}"#);
    pass(&mut duo.hub, HOUR);
    assert_eq!(texts(&mut duo.hub), ["three"]);
    set_policy(&mut duo, r#"{"max_lifetime":3600000}"#);
    pass(&mut duo.hub, HOUR / 2);
    assert!(texts(&mut duo.hub).is_empty(), "a shorter one counts at once");
    // A longer one keeps what is left.
    duo.say("four");
    duo.say("five");
    set_policy(&mut duo, POLICY);
    pass(&mut duo.hub, 20 * HOUR);
    assert_eq!(texts(&mut duo.hub), ["four", "five"]);
}

#[test]
fn history_that_is_read_is_purged_too() {
    let mut duo = Duo::new("{}");
    (0..20).for_each(|number| {
        duo.say(&number.to_string());
    });
    set_policy(&mut duo, POLICY);
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    duo.say("after");
    duo.say("newest");
    assert!(failures(&duo.catch_up()).is_empty());
    pass(&mut duo.part, 20 * HOUR);
    let read = |duo: &mut Duo| {
        let ticket = duo.part.begin(Call::Room(RoomCall::History { before: 0, limit: 100 }));
        duo.serve();
        assert!(matches!(duo.part.answer(ticket), Some(Answer::History(_))));
    };
    // The hub has not purged: its clock is behind.
    read(&mut duo);
    assert_eq!(texts(&mut duo.part).len(), 22);
    pass(&mut duo.part, 3 * HOUR);
    assert_eq!(texts(&mut duo.part).len(), 22);
    pass(&mut duo.part, 2 * HOUR);
    assert_eq!(texts(&mut duo.part), ["newest"]);
    read(&mut duo);
    assert_eq!(texts(&mut duo.part), ["newest"], "what was purged is not read again");
}

#[test]
fn what_comes_late_to_a_participant_is_purged_there() {
    let mut duo = Duo::joined();
    set_policy(&mut duo, POLICY);
    (0..130).for_each(|number| {
        duo.say(&number.to_string());
    });
    duo.part.now += 3 * DAY;
    let last = duo.unsent().split_off(130);
    assert!(failures(&duo.receive(last)).is_empty(), "the gap is filled from the hub, which is slow to purge");
    pass(&mut duo.part, HOUR);
    assert_eq!(texts(&mut duo.part), ["129"]);
    assert_eq!(purged(&duo.part).len(), 129);
}

#[test]
fn a_server_wakes_itself_for_it() {
    let mut net = Net::new(&[&hublet::testing::server(HUB), &hublet::testing::server("part.example")]);
    let room = net.create(HAL, "!room:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.send(HAL, &room, "m.room.retention", Some(""), r#"{"max_lifetime":60000}"#).unwrap();
    net.say(HAL, &room, "one");
    net.say(ANN, &room, "two");
    net.say(HAL, &room, "three");
    net.pass(core::time::Duration::from_secs(70));
    for name in [HUB, "part.example"] {
        let purged = net.told(name).into_iter().filter(|told| matches!(told, Notification::Purged { .. })).count();
        assert_eq!(purged, 2, "{name}");
        let whole = net
            .log(name, &room, 0)
            .into_iter()
            .filter(|(_, _, bytes)| String::from_utf8_lossy(bytes.as_deref().unwrap()).contains("body"));
        assert_eq!(whole.count(), 1, "{name}");
    }
    // The words of a user are not lost to a user that speaks again.
    let call = RoomCall::SendEvent {
        sender: user(ANN),
        kind: "m.room.message".into(),
        state_key: None,
        content: content(r#"{"body":"four"}"#),
    };
    let to = hublet::server::Address::Room(room.clone());
    assert!(matches!(
        net.ask(&hublet::testing::server("part.example"), to, Call::Room(call)),
        Some(Answer::Accepted(_))
    ));
    assert_eq!(net.ids(HUB, &room, 0).last(), net.ids("part.example", &room, 0).last());
}
