//! Orders of arrival that were seen to break servers in the wild.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    server::{Address, Answer, Call, Delivered, Notification, RoomCall, Shelf},
    testing::{
        Durable, Fate, Net, Way,
        duo::{ANN, Duo, HUB, failures, silence},
        keys_of, server,
    },
};

/// An answer to a transaction, on its way to a server.
fn answers_to(packet: &hublet::testing::Packet, name: &str, path: &str) -> bool {
    matches!(packet.way, Way::Answer(_)) && packet.to.as_str() == name && packet.request.target.contains(path)
}

fn two() -> Net {
    Net::new(&[&server(HUB), &server("part.example")])
}

#[test]
fn an_echo_comes_before_the_answer_to_the_request_that_sent_it() {
    let mut net = two();
    let room = net.create("@hal:hub.example", "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    net.rule(|packet| if answers_to(packet, "part.example", "/send/") { Fate::Hold } else { Fate::Pass });
    let lpdu_id = net.say(ANN, &room, "hello");
    let echoed =
        |told: &Notification| matches!(told, Notification::Appended { lpdu_id: id, .. } if *id == Some(lpdu_id));
    assert_eq!(net.told("part.example").iter().filter(|told| echoed(told)).count(), 1, "the echo is there");
    assert!(net.wire().any(|packet| answers_to(packet, "part.example", "/send/")), "the answer is not");
    net.rule(|_| Fate::Pass);
    net.run();
    net.pass(Duration::from_secs(120));
    assert!(net.told("part.example").is_empty());
    let log = net.ids("part.example", &room, 0);
    assert_eq!(log.len(), 2);
    assert!(net.ids(HUB, &room, 0).ends_with(&log));
}

#[test]
fn an_echo_comes_before_the_hub_refuses_what_it_echoes() {
    let mut duo = Duo::joined();
    let body = hublet::testing::content(r#"{"body":"x"}"#);
    let call = RoomCall::SendEvent {
        sender: hublet::testing::user(ANN),
        kind: "m.room.message".into(),
        state_key: None,
        content: body,
    };
    assert!(matches!(duo.part.ask(Call::Room(call)), Answer::Accepted(_)));
    let lpdus = duo.pulled();
    assert!(failures(&duo.send_lpdus(&lpdus)).is_empty());
    assert!(failures(&duo.catch_up()).is_empty());
    duo.part.told.clear();
    let failure = hublet::server::Failure::new(403, hublet::server::ErrorCode::Forbidden, "late");
    let delivered =
        hublet::server::Delivered { shelf: Shelf::Pending, position: 0, refused: vec![(lpdus[0].0, failure)] };
    let pull = RoomCall::Pull { peer: server(HUB), delivered: Some(delivered) };
    assert!(matches!(duo.part.ask(Call::Room(pull)), Answer::Owed(owed) if owed.events.is_empty()));
    assert!(duo.part.told.is_empty(), "what stands in the log was sent: {:?}", duo.part.told);
}

#[test]
fn a_kick_overtakes_a_join_that_is_on_its_way() {
    let mut duo = Duo::joined();
    let call = RoomCall::Member {
        user: hublet::testing::user(ANN),
        membership: hublet::room::membership::Membership::Join,
        via: Vec::new(),
    };
    assert!(matches!(duo.part.ask(Call::Room(call)), Answer::Accepted(_)));
    let lpdus = duo.pulled();
    duo.event("@hal:hub.example", "m.room.member", Some(ANN), r#"{"membership":"leave"}"#);
    assert!(failures(&duo.catch_up()).is_empty(), "her server is out of the room");
    assert!(failures(&duo.send_lpdus(&lpdus)).is_empty(), "and in it again");
    assert!(failures(&duo.catch_up()).is_empty(), "which it learns from the echo");
    duo.say("welcome back");
    assert!(failures(&duo.catch_up()).is_empty());
    let hub: Vec<_> = duo.hub_log().into_iter().map(|(_, id, _)| id).collect();
    assert!(hub.ends_with(&duo.part_ids()));
    assert_eq!(duo.part_ids().len(), 4);
}

#[test]
fn a_retried_transaction_appends_nothing_twice() {
    let mut net = two();
    let room = net.create("@hal:hub.example", "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    let mut lost = 0;
    net.rule(move |packet| {
        let loses = matches!(packet.way, Way::Answer(_)) && packet.request.target.contains("/send/") && lost < 6;
        lost += u32::from(loses);
        if loses { Fate::Lose } else { Fate::Pass }
    });
    net.say(ANN, &room, "once");
    net.say("@hal:hub.example", &room, "and once more");
    net.pass(Duration::from_secs(3_600));
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(hub.len(), 8);
    assert!(hub.ends_with(&net.ids("part.example", &room, 0)));
}

#[test]
fn fan_out_that_comes_before_the_answer_to_send_join_waits_for_it() {
    let mut net = two();
    let room = net.create("@hal:hub.example", "!r:hub.example", true, "{}");
    net.rule(|packet| if answers_to(packet, "part.example", "/send_join/") { Fate::Hold } else { Fate::Pass });
    assert_eq!(net.member(ANN, &room, hublet::room::membership::Membership::Join, &[HUB]), None);
    net.say("@hal:hub.example", &room, "are you there yet");
    assert!(net.told("part.example").is_empty());
    net.rule(|_| Fate::Pass);
    net.run();
    let log = net.ids("part.example", &room, 0);
    assert_eq!(log.len(), 2);
    assert!(net.ids(HUB, &room, 0).ends_with(&log));
    assert!(net.told("part.example").iter().all(|told| matches!(told, Notification::Appended { .. })));
}

#[test]
fn a_slow_key_look_up_does_not_fork_the_log() {
    let mut duo = Duo::joined();
    let far = "@far:far.example";
    let join = duo.hub.ask(Call::Room(RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: hublet::room::membership::Membership::Join,
        event: duo_lpdu(&duo, far),
    }));
    assert!(matches!(join, Answer::Response(ref response) if response.status == 200), "{join:?}");
    let first = duo.unsent();
    duo.say("meanwhile");
    let second = duo.unsent();
    duo.part.hold_keys = true;
    let (one, two) = (duo.begin(first), duo.begin(second));
    assert_eq!(duo.part_ids().len(), 1, "both wait");
    assert!(duo.part.answer(two).is_none());
    duo.part.give_keys();
    assert!(failures(&duo.outcomes(one)).is_empty());
    assert!(failures(&duo.outcomes(two)).is_empty());
    let hub: Vec<_> = duo.hub_log().into_iter().map(|(_, id, _)| id).collect();
    assert!(hub.ends_with(&duo.part_ids()));
    assert!(!duo.part.told.iter().any(|told| matches!(told, Notification::Fork { .. })));
}

#[test]
fn spec_6_a_key_that_does_not_come_in_time_is_missing_and_checked_later() {
    let mut duo = Duo::joined();
    let call = RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: hublet::room::membership::Membership::Join,
        event: duo_lpdu(&duo, "@far:far.example"),
    };
    duo.hub.ask(Call::Room(call));
    duo.say("after");
    duo.part.hold_keys = true;
    let events = duo.unsent();
    let ticket = duo.begin(events);
    duo.part.told.clear();
    duo.part.wake_after(4_999);
    assert!(duo.part.answer(ticket).is_none());
    duo.part.wake_after(1);
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    let checks: Vec<bool> = duo
        .part
        .told
        .iter()
        .filter_map(|told| match told {
            Notification::Appended { sender_verified, .. } => Some(*sender_verified),
            _ => None,
        })
        .collect();
    assert_eq!(checks, [false, true]);
    let log = duo.part_log();
    // Opened anew, it still knows what was not checked; the key comes then.
    duo.restart_part();
    duo.part.input(hublet::server::Input::Woken);
    duo.part.wake_after(600_000);
    let rechecked =
        |told: &Notification| matches!(told, Notification::Rechecked { position: 1, sender_verified: true, .. });
    assert!(duo.part.told.iter().any(rechecked), "{:?}", duo.part.told);
    assert_eq!(duo.part_log(), log, "nothing has moved");
    duo.part.told.clear();
    duo.part.wake_after(3_600_000);
    assert!(duo.part.told.is_empty(), "checked once");
}

#[test]
fn an_event_whose_late_key_refutes_it_is_no_longer_shown() {
    let mut duo = Duo::joined();
    let call = RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: hublet::room::membership::Membership::Join,
        event: duo_lpdu(&duo, "@far:far.example"),
    };
    duo.hub.ask(Call::Room(call));
    duo.part.keys.retain(|keys| keys.server != server("far.example"));
    assert!(failures(&duo.catch_up()).is_empty(), "it stands on the hub's signature");
    assert!(duo.part_log()[1].2.is_some());
    let mut keys = keys_of("far.example");
    keys.keys[0].key = keys_of("other.example").keys[0].key;
    duo.part.keys.push(keys);
    duo.part.wake_after(600_000);
    let refuted =
        |told: &Notification| matches!(told, Notification::Rechecked { position: 1, sender_verified: false, .. });
    assert!(duo.part.told.iter().any(refuted), "{:?}", duo.part.told);
    assert!(duo.part_log()[1].2.is_none());
    duo.say("after");
    assert!(failures(&duo.catch_up()).is_empty(), "the log goes on");
}

#[test]
fn what_is_due_while_the_room_waits_asks_for_no_waking() {
    let mut duo = Duo::joined();
    assert!(matches!(duo.part.ask(Net::event("m.room.message", None, ANN, "{}")), Answer::Accepted(_)));
    assert_eq!(duo.pulled().len(), 1);
    let delivered = Some(Delivered { shelf: Shelf::Pending, position: 0, refused: vec![] });
    duo.part.ask(Call::Room(RoomCall::Pull { peer: server(HUB), delivered }));
    // The hub took it, and no echo comes. Meanwhile the room waits for what fills a gap.
    duo.part.wake_after(50_000);
    duo.say("missing");
    duo.say("held");
    let held = duo.unsent().split_off(1);
    let ticket = duo.begin(held);
    assert_eq!(duo.waiting(), 1);
    duo.part.told.clear();
    duo.part.wake_after(10_000);
    assert!(duo.part.wake.unwrap().millis() > duo.part.now, "to be woken at once, again and again, helps nobody");
    duo.answer_with(silence());
    assert_eq!(failures(&duo.outcomes(ticket)).len(), 1);
    assert!(duo.part.wake.unwrap().millis() <= duo.part.now, "now it has time for it");
    duo.part.wake_after(0);
    let is_lost = |told: &Notification| matches!(told, Notification::NotSent { failure, .. } if failure.status == 504);
    assert_eq!(duo.part.told.iter().filter(|told| is_lost(told)).count(), 1);
}

#[test]
fn a_peer_machine_that_was_gone_when_it_was_told_is_told_again() {
    let mut net = two();
    let room = net.create("@hal:hub.example", "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    let mut fails = 3;
    net.server(&server(HUB)).unwrap().disk = Some(Box::new(move |address| {
        let is_peers = matches!(address, Address::Peer(_)) && fails > 0;
        fails -= u32::from(is_peers);
        if is_peers { Durable::No } else { Durable::Yes }
    }));
    net.say("@hal:hub.example", &room, "hello");
    assert_eq!(net.ids("part.example", &room, 0).len(), 1);
    net.pass(Duration::from_secs(5));
    assert_eq!(net.ids("part.example", &room, 0).len(), 2);
}

fn duo_lpdu(duo: &Duo, sender: &str) -> hublet::json::Document {
    let body = r#"{"membership":"join"}"#;
    let lpdu = hublet::testing::lpdu(&duo.room_id, sender, HUB, "m.room.member", Some(sender), body, duo.hub.now);
    hublet::testing::duo::document(lpdu.bytes())
}
