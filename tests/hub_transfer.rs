//! A room moves to another hub (spec, section 9).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;

use hublet::{
    id::{EventId, RoomId},
    room::membership::Membership,
    server::{Address, Answer, Call, Delivered, ErrorCode, Notification, RoomCall, Shelf, Ticket, room::RoomMachine},
    testing::{
        Driver, Fate, Forgery, Net, Server, Way,
        duo::{self, Duo, document, failures},
        identity, keys_of, lpdu, server,
    },
};

const HUB: &str = "hub.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:a.example";
const BOB: &str = "@bob:b.example";
const CAT: &str = "@cat:c.example";

/// A room of Hal's with Ann and Bob, and a history from before they came. Ann and Cat, who comes later, may move it.
fn net() -> (Net, RoomId) {
    net_of(false)
}

/// The same; with `platform`, the servers do not hold their private keys.
fn net_of(platform: bool) -> (Net, RoomId) {
    let names = [HUB, "a.example", "b.example", "c.example"].map(server);
    let mut net = Net::of(names.iter().map(|name| (name.clone(), Server::new(name, platform))).collect());
    let room = net.create(HAL, "!r:hub.example", true, r#"{"hublet.hub_transfer":true}"#);
    for text in ["one", "two", "three"] {
        net.say(HAL, &room, text);
    }
    net.join(ANN, &room, HUB);
    net.join(BOB, &room, HUB);
    let levels =
        r#"{"events":{"m.room.hub":100},"users":{"@ann:a.example":100,"@cat:c.example":100,"@hal:hub.example":100}}"#;
    net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();
    (net, room)
}

fn consent(net: &mut Net, room: &RoomId, to: &str) {
    consent_at(net, HUB, room, to);
}

/// The operator of that hub agrees.
fn consent_at(net: &mut Net, hub: &str, room: &RoomId, to: &str) {
    let call = Call::Room(RoomCall::Consent { to: server(to) });
    assert_eq!(net.ask(&server(hub), Address::Room(room.clone()), call), Some(Answer::Done));
}

fn propose(net: &mut Net, room: &RoomId) -> Option<Answer> {
    net.send(ANN, room, "m.room.hub", Some(""), "{}")
}

#[test]
fn the_new_hub_holds_the_whole_log_and_goes_on() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    assert!(matches!(propose(&mut net, &room), Some(Answer::Accepted(_))));
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(net.ids("a.example", &room, -1_000), hub, "every event, in the old hub's order");
    net.say(BOB, &room, "to the new hub");
    net.say(HAL, &room, "so do I");
    net.say(ANN, &room, "welcome");
    let log = net.ids("a.example", &room, -1_000);
    assert_eq!(log.len(), hub.len() + 3);
    assert_eq!(net.ids(HUB, &room, 0), log);
    assert_eq!(net.ids("b.example", &room, 0), log[log.len() - net.ids("b.example", &room, 0).len()..]);
    // The new hub serves a join by the state that it found in history.
    let cat = net.join(CAT, &room, "a.example");
    assert_eq!(net.ids(HUB, &room, 0).last(), Some(&cat));
}

#[test]
fn without_consent_the_room_stays() {
    let (mut net, room) = net();
    let Some(Answer::Accepted(lpdu_id)) = propose(&mut net, &room) else { panic!("the log is visible to Ann") };
    let told = net.told("a.example");
    assert!(told.iter().any(|told| matches!(told, Notification::NotSent { lpdu_id: id, .. } if *id == lpdu_id)));
    net.say(BOB, &room, "still the old hub");
    assert_eq!(net.ids("a.example", &room, 0).last(), net.ids(HUB, &room, 0).last());
}

#[test]
fn nobody_takes_a_room_over_with_a_log_that_was_cut_for_them() {
    let mut net = Net::new(&[&server(HUB), &server("a.example")]);
    let room = net.create(HAL, "!r:hub.example", true, r#"{"hublet.hub_transfer":true}"#);
    net.send(HAL, &room, "m.room.history_visibility", Some(""), r#"{"history_visibility":"joined"}"#).unwrap();
    net.say(HAL, &room, "before Ann came");
    net.join(ANN, &room, HUB);
    let levels = r#"{"users":{"@ann:a.example":100,"@hal:hub.example":100}}"#;
    net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();

    // The consent comes when the log has been read without it, and before the proposal arrives.
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, HUB) if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    let answer = propose(&mut net, &room);
    consent(&mut net, &room, "a.example");
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(60));
    let bytes = |log: Vec<(i64, EventId, Option<Vec<u8>>)>| log.into_iter().map(|entry| entry.2).collect::<Vec<_>>();
    let hub = bytes(net.log(HUB, &room, 0));
    assert!(!contains(hub.last().unwrap().as_ref().unwrap(), "m.room.hub"), "the new hub would not know what was said");
    assert!(
        matches!(answer, Some(Answer::Refused(failure)) if failure.error.contains("must consent")),
        "it is told why"
    );

    assert!(matches!(propose(&mut net, &room), Some(Answer::Accepted(_))), "asked again, it reads the log again");
    net.pass(Duration::from_secs(60));
    let hub = bytes(net.log(HUB, &room, 0));
    assert!(contains(hub.last().unwrap().as_ref().unwrap(), "m.room.hub"));
    assert_eq!(bytes(net.log("a.example", &room, -1_000)), hub, "every word");
}

#[test]
fn a_head_that_has_moved_is_tried_again() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    // Ann's server does not hear of Bob's words until its proposal is out.
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, "a.example") if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    net.say(BOB, &room, "quick");
    let Some(Answer::Accepted(first)) = propose(&mut net, &room) else { panic!("not proposed") };
    assert_eq!(net.ids("b.example", &room, 0).last(), net.ids(HUB, &room, 0).last());
    net.rule(|_| Fate::Pass);
    net.run();
    net.pass(Duration::from_secs(30));
    let hub = net.ids(HUB, &room, 0);
    assert_eq!(net.ids("a.example", &room, -1_000), hub);
    // Whoever proposed it hears under which ID it came to stand.
    let told = net.told("a.example");
    let made_anew = told.iter().find_map(|told| match told {
        Notification::Resent { old, new, .. } if *old == first => Some(*new),
        _ => None,
    });
    let stands = |told: &Notification| matches!(told, Notification::Appended { lpdu_id, .. } if lpdu_id.is_some() && *lpdu_id == made_anew);
    assert!(told.iter().any(stands), "{told:?}");
    net.say(BOB, &room, "after");
    assert_eq!(net.ids("a.example", &room, -1_000).len(), hub.len() + 1);
}

#[test]
fn a_head_that_never_comes_ends_the_proposal_and_is_told() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, "a.example") if packet.request.target.contains("/send/") => Fate::Lose,
        _ => Fate::Pass,
    });
    net.say(BOB, &room, "quick");
    let Some(Answer::Accepted(proposal)) = propose(&mut net, &room) else { panic!("not proposed") };
    net.pass(Duration::from_secs(70));
    let told = net.told("a.example");
    assert!(told.iter().any(|told| matches!(told, Notification::NotSent { lpdu_id, .. } if *lpdu_id == proposal)));
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(7_200));
    assert_eq!(net.ids("a.example", &room, 0).last(), net.ids(HUB, &room, 0).last());
    assert!(matches!(propose(&mut net, &room), Some(Answer::Accepted(_))), "it may be tried again");
    assert_eq!(net.ids("a.example", &room, -1_000), net.ids(HUB, &room, 0));
}

#[test]
fn consent_opens_nothing_to_a_server_that_has_left() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    assert!(matches!(net.member(ANN, &room, Membership::Leave, &[]), Some(Answer::Accepted(_))));
    let secret = net.say(HAL, &room, "without Ann");
    for path in ["backfill/%21r%3Ahub.example?limit=9&v=", "event/"] {
        let target = format!("/_matrix/federation/v2/{path}{}", format!("{secret}").replace('$', "%24"));
        assert_eq!(net.get(&server("a.example"), &server(HUB), target).status, 404);
    }
}

#[test]
fn what_was_meant_for_the_old_hub_goes_to_the_new_one() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    // Bob's words do not reach the old hub until the room has moved.
    net.rule(|packet| match (&packet.way, packet.from.as_str()) {
        (Way::Request, "b.example") if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    net.say(BOB, &room, "late");
    assert!(propose(&mut net, &room).is_some());
    net.rule(|_| Fate::Pass);
    net.run();
    net.pass(Duration::from_secs(30));
    let log = net.log("a.example", &room, -1_000);
    let late = log.iter().filter(|(_, _, bytes)| bytes.as_ref().is_some_and(|bytes| contains(bytes, "late")));
    assert_eq!(late.count(), 1);
    assert!(net.told("b.example").iter().any(|told| matches!(told, Notification::Resent { .. })));
    assert_eq!(net.ids(HUB, &room, 0), net.ids("a.example", &room, -1_000));
}

#[test]
fn what_was_made_anew_for_another_hub_is_not_sent_to_the_old_one_when_the_room_comes_back() {
    let (mut net, room) = net();
    let other = net.create(BOB, "!other:b.example", true, "{}");
    net.join(HAL, &other, "b.example");
    // The hub owes Bob's server an answer about another room, so what is said next lies ready for the next transaction.
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Answer(_), "b.example") if packet.from.as_str() == HUB => Fate::Hold,
        _ => Fate::Pass,
    });
    net.say(BOB, &other, "busy");
    net.say(BOB, &room, "late");
    consent(&mut net, &room, "a.example");
    assert!(propose(&mut net, &room).is_some());
    consent_at(&mut net, "a.example", &room, HUB);
    assert!(net.send(HAL, &room, "m.room.hub", Some(""), "{}").is_some());
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(30));
    let log = net.log(HUB, &room, 0);
    let late = log.iter().filter(|(_, _, bytes)| bytes.as_ref().is_some_and(|bytes| contains(bytes, "late")));
    assert_eq!(late.count(), 1);
    assert!(net.ids(HUB, &room, 0).ends_with(&net.ids("b.example", &room, 0)));
}

#[test]
fn what_the_platform_did_not_sign_for_the_new_hub_is_signed_when_it_can() {
    let (mut net, room) = net_of(true);
    consent(&mut net, &room, "a.example");
    net.rule(|packet| match (&packet.way, packet.from.as_str()) {
        (Way::Request, "b.example") if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    net.say(BOB, &room, "late");
    net.server(&server("b.example")).unwrap().gives_no_signature = true;
    assert!(propose(&mut net, &room).is_some());
    net.server(&server("b.example")).unwrap().gives_no_signature = false;
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(30));
    net.say(BOB, &room, "later");
    net.pass(Duration::from_secs(30));
    let log = net.log("a.example", &room, -1_000);
    for text in [r#""late""#, r#""later""#] {
        let said = log.iter().filter(|(_, _, bytes)| bytes.as_ref().is_some_and(|bytes| contains(bytes, text)));
        assert_eq!(said.count(), 1, "{text}");
    }
    assert_eq!(net.ids(HUB, &room, 0), net.ids("a.example", &room, -1_000));
}

#[test]
fn a_server_may_hear_the_new_hub_first() {
    let (mut net, room) = net();
    consent(&mut net, &room, "a.example");
    net.rule(|packet| match (&packet.way, packet.from.as_str(), packet.to.as_str()) {
        (Way::Request, HUB, "b.example") if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    net.say(HAL, &room, "the last word");
    assert!(propose(&mut net, &room).is_some());
    net.say(ANN, &room, "from the new hub");
    let log = net.ids("a.example", &room, -1_000);
    assert!(log.ends_with(&net.ids("b.example", &room, 0)), "it asked for what it had not heard");
    net.rule(|_| Fate::Pass);
    net.run();
    assert!(log.ends_with(&net.ids("b.example", &room, 0)));
    assert_eq!(net.ids(HUB, &room, 0), log);
}

#[test]
fn the_new_hub_proves_itself_where_the_old_one_is_gone() {
    let (mut net, room) = net();
    // Bob's server hears no more of the hub: neither that Cat has joined, nor that her server is the hub.
    net.rule(|packet| match (packet.from.as_str(), packet.to.as_str()) {
        (HUB, "b.example") | ("b.example", HUB) => Fate::Lose,
        _ => Fate::Pass,
    });
    net.join(CAT, &room, HUB);
    consent(&mut net, &room, "c.example");
    assert!(net.send(CAT, &room, "m.room.hub", Some(""), "{}").is_some());
    net.say(CAT, &room, "from the new hub");
    net.pass(Duration::from_secs(30));
    let log = net.ids("c.example", &room, -1_000);
    assert!(log.ends_with(&net.ids("b.example", &room, 0)));
    assert_eq!(net.ids("b.example", &room, 0).last(), log.last());
}

#[test]
fn a_new_hub_that_nothing_proves_yet_sends_again_until_something_does() {
    let (mut net, room) = net();
    // Bob's server reaches nobody for minutes, though it is reached by the new hub.
    net.rule(|packet| match (packet.from.as_str(), packet.to.as_str(), &packet.way) {
        (HUB, "b.example", _) | ("b.example", _, Way::Request) => Fate::Lose,
        _ => Fate::Pass,
    });
    net.say(HAL, &room, "the last word");
    consent(&mut net, &room, "a.example");
    assert!(propose(&mut net, &room).is_some());
    net.say(ANN, &room, "from the new hub");
    net.pass(Duration::from_secs(300));
    net.rule(|packet| match (packet.from.as_str(), packet.to.as_str()) {
        (HUB, "b.example") | ("b.example", HUB) => Fate::Lose,
        _ => Fate::Pass,
    });
    net.pass(Duration::from_secs(600));
    let log = net.ids("a.example", &room, -1_000);
    assert!(log.ends_with(&net.ids("b.example", &room, 0)));
    assert_eq!(net.ids("b.example", &room, 0).last(), log.last());
}

#[test]
fn a_server_may_hear_the_newest_hub_before_it_hears_of_the_one_between() {
    let (mut net, room) = net();
    net.rule(|packet| match (&packet.way, packet.from.as_str(), packet.to.as_str()) {
        (Way::Request, HUB | "a.example", "b.example") if packet.request.target.contains("/send/") => Fate::Hold,
        _ => Fate::Pass,
    });
    net.join(CAT, &room, HUB);
    consent(&mut net, &room, "a.example");
    assert!(propose(&mut net, &room).is_some());
    consent_at(&mut net, "a.example", &room, "c.example");
    let proposed = net.send(CAT, &room, "m.room.hub", Some(""), "{}");
    assert!(matches!(proposed, Some(Answer::Accepted(_))), "{proposed:?}");
    net.say(CAT, &room, "from the newest hub");
    let log = net.ids("c.example", &room, -1_000);
    assert!(
        !log.ends_with(&net.ids("b.example", &room, 0)),
        "to Bob's server it is a stranger, and so is the hub that it names"
    );
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_millis(1));
    assert_eq!(net.ids("b.example", &room, 0).last(), log.last(), "it asks for what it did not take");
}

#[test]
fn what_came_before_the_keys_that_prove_its_hub_is_asked_for_when_they_are_there() {
    let (mut net, room) = net();
    // Of the hub between, Bob's server hears nothing, and nobody tells it the key.
    net.rule(|packet| match (&packet.way, packet.from.as_str(), packet.to.as_str()) {
        (Way::Request, HUB | "c.example", "b.example") if packet.request.target.contains("/send/") => Fate::Hold,
        (Way::Request, "b.example", _) if packet.request.target.contains("/key/") => Fate::Lose,
        (Way::Request, "b.example", "c.example") => Fate::Lose,
        _ => Fate::Pass,
    });
    net.join(CAT, &room, HUB);
    consent(&mut net, &room, "c.example");
    assert!(net.send(CAT, &room, "m.room.hub", Some(""), "{}").is_some());
    consent_at(&mut net, "c.example", &room, "a.example");
    assert!(propose(&mut net, &room).is_some());
    net.say(ANN, &room, "from the newest hub");
    net.pass(Duration::from_secs(60));
    let log = net.ids("a.example", &room, -1_000);
    assert!(!log.ends_with(&net.ids("b.example", &room, 0)), "nothing shows that it is the hub");
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(3_600));
    assert_eq!(net.ids("b.example", &room, 0).last(), log.last(), "it asks for what it did not take");
}

#[test]
fn what_came_redacted_to_a_server_that_was_out_is_read_again_before_it_is_the_hub() {
    let mut net = Net::new(&[HUB, "a.example"].map(server).each_ref());
    let room = net.create(HAL, "!r:hub.example", true, r#"{"hublet.hub_transfer":true}"#);
    net.join(ANN, &room, HUB);
    net.send(HAL, &room, "m.room.history_visibility", Some(""), r#"{"history_visibility":"joined"}"#).unwrap();
    // Ann's server hears nothing, is put out, misses a word, and is in the room again by an event that it had sent before.
    net.rule(|packet| match (&packet.way, packet.to.as_str()) {
        (Way::Request, "a.example") if packet.request.target.contains("/send/") => Fate::Lose,
        _ => Fate::Pass,
    });
    net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#).unwrap();
    net.say(HAL, &room, "without Ann");
    net.member(ANN, &room, Membership::Join, &[]).unwrap();
    net.rule(|_| Fate::Pass);
    net.pass(Duration::from_secs(4 * 3_600));
    let has_it = |net: &mut Net, name: &str| {
        let log = net.log(name, &room, -1_000);
        log.iter().any(|(_, _, bytes)| bytes.as_ref().is_some_and(|bytes| contains(bytes, "without Ann")))
    };
    assert!(!has_it(&mut net, "a.example"), "it may not see it");
    let levels = r#"{"users":{"@ann:a.example":100,"@hal:hub.example":100}}"#;
    net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();
    assert!(matches!(propose(&mut net, &room), Some(Answer::Refused(_))), "the operator has not consented");
    consent(&mut net, &room, "a.example");
    assert!(matches!(propose(&mut net, &room), Some(Answer::Accepted(_))));
    assert!(has_it(&mut net, "a.example"));
    let log = net.log(HUB, &room, 0).into_iter().map(|(_, _, bytes)| bytes);
    assert!(log.eq(net.log("a.example", &room, -1_000).into_iter().map(|(_, _, bytes)| bytes)));
}

#[test]
fn spec_9_an_old_hub_that_goes_on_is_found_out() {
    let mut duo = Duo::new(r#"{"hublet.hub_transfer":true}"#);
    let far = "@far:far.example";
    let levels = r#"{"users":{"@far:far.example":100,"@hal:hub.example":100}}"#;
    duo.event(duo::HAL, "m.room.power_levels", Some(""), levels);
    let lpdu = |duo: &Duo, kind: &str, state_key, body: &str, ts| {
        document(lpdu(&duo.room_id, far, duo::HUB, kind, Some(state_key), body, ts).bytes())
    };
    let join = RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: Membership::Join,
        event: lpdu(&duo, "m.room.member", far, r#"{"membership":"join"}"#, 1_700_000_000_500),
    };
    duo.hub.ask(Call::Room(join));
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let head = duo.hub_log().last().unwrap().1;
    // The hub that goes on is one that was copied before the room moved.
    let mut copy = Driver::new(
        RoomMachine::new(identity(duo::HUB), duo.room_id.clone(), Ticket(0)),
        duo.hub.store.clone(),
        vec![keys_of(duo::PART)],
    );
    duo.hub.ask(Call::Room(RoomCall::Consent { to: server("far.example") }));
    let moves = lpdu(&duo, "m.room.hub", "", &format!(r#"{{"head":"{head}"}}"#), 1_700_000_000_600);
    let (origin, keys) = (server("far.example"), keys_of("far.example"));
    let answer = duo.hub.ask(Call::Room(RoomCall::Receive { origin, keys, events: vec![moves] }));
    assert!(matches!(answer, Answer::Outcomes(ref outcomes) if outcomes[0].failure.is_none()), "{answer:?}");
    assert!(failures(&duo.catch_up()).is_empty());
    let moved = duo.part_log().pop().unwrap();
    let call = Net::event("m.room.message", None, duo::HAL, r#"{"body":"I go on"}"#);
    assert!(matches!(copy.ask(call), Answer::Accepted(_)));
    let Answer::Entries(log) = copy.ask(Call::Room(RoomCall::Timeline { from: 0, limit: u32::MAX })) else { panic!() };
    let (_, _, Some(beside)) = log.last().unwrap() else { panic!() };
    duo.part.told.clear();
    let outcomes = duo.receive(vec![document(beside)]);
    let failure = outcomes[0].failure.as_ref().unwrap();
    assert_eq!((failure.code, failure.hub_server.clone()), (ErrorCode::Forbidden, Some(server("far.example"))));
    let is_fork = |told: &&Notification| matches!(told, Notification::Fork { .. });
    let forks: Vec<&Notification> = duo.part.told.iter().filter(is_fork).collect();
    let [Notification::Fork { first, second, .. }] = forks.as_slice() else { panic!("{:?}", duo.part.told) };
    assert_eq!((Some(first), second), (moved.2.as_ref(), beside), "both signed by the old hub");
    assert_eq!(duo.part_log().pop().unwrap().1, moved.1, "it is not in the log");
}

#[test]
fn spec_9_a_room_is_held_for_5_seconds_for_a_server_that_named_an_old_head() {
    let mut duo = Duo::new(r#"{"hublet.hub_transfer":true}"#);
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let levels = r#"{"users":{"@ann:part.example":100,"@hal:hub.example":100}}"#;
    duo.event(duo::HAL, "m.room.power_levels", Some(""), levels);
    let proposal = |duo: &mut Duo, head: usize, ts: u64| {
        let log = duo.hub_log();
        let body = format!(r#"{{"head":"{}"}}"#, log[log.len() - 1 - head].1);
        let move_to = lpdu(&duo.room_id, duo::ANN, duo::HUB, "m.room.hub", Some(""), &body, ts);
        let (origin, keys, events) = (server(duo::PART), keys_of(duo::PART), vec![document(move_to.bytes())]);
        match duo.hub.ask(Call::Room(RoomCall::Receive { origin, keys, events })) {
            Answer::Outcomes(outcomes) => outcomes[0].failure.clone(),
            answer => panic!("{answer:?}"),
        }
    };
    let speak = |duo: &mut Duo| duo.hub.begin(Net::event("m.room.message", None, duo::HAL, "{}"));
    // Without consent nobody stops the room.
    assert_eq!(proposal(&mut duo, 1, 1).unwrap().code, ErrorCode::BadState);
    let said = speak(&mut duo);
    assert!(matches!(duo.hub.answer(said), Some(Answer::Accepted(_))));
    duo.hub.ask(Call::Room(RoomCall::Consent { to: server(duo::PART) }));
    let failure = proposal(&mut duo, 1, 2).unwrap();
    assert_eq!((failure.code, failure.head), (ErrorCode::BadState, duo.hub_log().last().map(|(_, id, _)| *id)));
    let held = speak(&mut duo);
    assert_eq!(duo.hub.answer(held), None, "others wait");
    duo.hub.wake_after(4_999);
    assert_eq!(duo.hub.answer(held), None);
    assert_eq!(duo.hub.wake.unwrap().millis(), duo.hub.now + 1);
    duo.hub.wake_after(1);
    assert!(matches!(duo.hub.answer(held), Some(Answer::Accepted(_))), "but not for longer");
    // A server that only asks does not stop it again.
    assert_eq!(proposal(&mut duo, 1, 3).unwrap().code, ErrorCode::BadState);
    let said = speak(&mut duo);
    assert!(matches!(duo.hub.answer(said), Some(Answer::Accepted(_))));
    duo.hub.now += 60_000;
    assert_eq!(proposal(&mut duo, 1, 4).unwrap().code, ErrorCode::BadState);
    let late = speak(&mut duo);
    assert_eq!(duo.hub.answer(late), None);
    assert_eq!(proposal(&mut duo, 0, 5), None, "the head has stayed");
    // What waited goes to the new hub.
    assert!(matches!(duo.hub.answer(late), Some(Answer::Accepted(_))));
    assert_eq!(duo.hub_log().last().unwrap().2.as_deref().map(|bytes| contains(bytes, "m.room.hub")), Some(true));
}

#[test]
fn a_proposal_that_was_taken_when_its_answer_was_lost_is_not_told_as_refused() {
    let mut duo = Duo::new(r#"{"hublet.hub_transfer":true}"#);
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let levels = r#"{"users":{"@ann:part.example":100,"@hal:hub.example":100}}"#;
    duo.event(duo::HAL, "m.room.power_levels", Some(""), levels);
    assert!(failures(&duo.catch_up()).is_empty());
    duo.hub.ask(Call::Room(RoomCall::Consent { to: server(duo::PART) }));
    let ticket = duo.part.begin(Net::event("m.room.hub", Some(""), duo::ANN, "{}"));
    duo.serve();
    let Some(Answer::Accepted(proposed)) = duo.part.answer(ticket) else { panic!("not proposed") };
    let pulled = duo.pulled();
    assert!(failures(&duo.send_lpdus(&pulled)).is_empty(), "the answer to this is lost");
    let again = duo.send_lpdus(&pulled).remove(0).failure.unwrap();
    assert_eq!((again.code, again.hub_server.clone()), (ErrorCode::WrongServer, Some(server(duo::PART))));
    let delivered = Some(Delivered { shelf: Shelf::Pending, position: 0, refused: vec![(proposed, again)] });
    duo.part.ask(Call::Room(RoomCall::Pull { peer: server(duo::HUB), delivered }));
    assert!(failures(&duo.catch_up()).is_empty());
    let is_it = |told: &Notification| match told {
        Notification::NotSent { lpdu_id, .. } => panic!("{lpdu_id} is in the log"),
        Notification::Appended { lpdu_id, .. } => *lpdu_id == Some(proposed),
        _ => false,
    };
    assert_eq!(duo.part.told.iter().filter(|told| is_it(told)).count(), 1);
    let Answer::Accepted(said) = duo.part.ask(Net::event("m.room.message", None, duo::ANN, "{}")) else { panic!() };
    assert_eq!(duo.part_ids().last(), Some(&said), "it is the hub");
}

#[test]
fn whoever_pretends_to_be_the_hub_leaves_no_trace() {
    let mut duo = Duo::new(r#"{"hublet.hub_transfer":true}"#);
    let far = "@far:far.example";
    let body = r#"{"membership":"join"}"#;
    let join = lpdu(&duo.room_id, far, duo::HUB, "m.room.member", Some(far), body, 1_700_000_000_500);
    duo.hub.ask(Call::Room(RoomCall::SendMember {
        origin: server("far.example"),
        keys: keys_of("far.example"),
        membership: Membership::Join,
        event: document(join.bytes()),
    }));
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let log = duo.part_log();
    let known = log.last().unwrap().1;
    let unknown = join.lpdu_id();
    let room_id = duo.room_id.clone();
    let forge = |prev| {
        let (kind, body, auth_events) = ("m.room.message", "{}", &[][..]);
        let hub = "far.example";
        Forgery {
            room_id: &room_id,
            hub,
            sender: far,
            kind,
            state_key: None,
            body,
            auth_events,
            prev_events: &[prev],
            ts: 5,
        }
        .make()
        .1
    };
    for prev in [known, unknown] {
        for silent in [false, true] {
            let ticket = duo.begin_from("far.example", vec![forge(prev)]);
            if silent && prev == unknown {
                duo.answer_with(duo::silence());
            }
            // The hub knows of no such event, and the pretender gives none.
            duo.serve_but(|_| false);
            while duo.waiting() > 0 {
                duo.answer_with(duo::ok(r#"{"pdus":[]}"#));
            }
            let outcomes = duo.outcomes(ticket);
            assert_eq!(failures(&outcomes).len(), 1);
            duo.part.wake_after(3_600_000);
            assert_eq!(duo.waiting(), 0);
            assert_eq!(duo.part_log(), log);
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    core::str::from_utf8(bytes).unwrap().contains(text)
}

/// Numbers that repeat: which packets are lost, and what happens.
struct Dice(u64);

impl Dice {
    fn falls(&mut self, percent: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 100 < percent
    }
}

#[test]
fn a_room_that_moves_about_under_loss_stays_one() {
    let users = [HAL, ANN, BOB];
    let servers = [HUB, "a.example", "b.example"];
    for seed in 1..=8_u64 {
        let (mut net, room) = net();
        let levels = r#"{"users":{"@ann:a.example":100,"@bob:b.example":100,"@hal:hub.example":100}}"#;
        net.send(HAL, &room, "m.room.power_levels", Some(""), levels).unwrap();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        net.rule(move |_| if dice.falls(15) { Fate::Lose } else { Fate::Pass });
        let mut dice = Dice(seed);
        for round in 0..30 {
            let (user, name) = (users[round % 3], servers[round % 3]);
            drop(net.send(user, &room, "m.room.message", None, &format!(r#"{{"body":"{round}"}}"#)));
            if dice.falls(25) {
                for hub in servers.iter().filter(|hub| **hub != name) {
                    let consent = Call::Room(RoomCall::Consent { to: server(name) });
                    drop(net.ask(&server(hub), Address::Room(room.clone()), consent));
                }
                drop(net.send(user, &room, "m.room.hub", Some(""), "{}"));
            }
            if dice.falls(15) {
                net.restart(&server(servers[(round + 1) % 3]));
            }
            net.pass(Duration::from_secs(9));
        }
        net.rule(|_| Fate::Pass);
        net.pass(Duration::from_secs(7_200));
        net.send(HAL, &room, "m.room.message", None, r#"{"body":"the end"}"#).unwrap();
        net.pass(Duration::from_secs(7_200));
        let log = net.ids(HUB, &room, 0);
        for name in ["a.example", "b.example"] {
            let theirs = net.ids(name, &room, 0);
            assert!(log.ends_with(&theirs), "seed {seed}, {name}");
            let reported = |told: &Notification| {
                matches!(told, Notification::Fork { .. } | Notification::Rejected { .. } | Notification::Hole { .. })
            };
            let told = net.told(name);
            assert!(!told.iter().any(reported), "seed {seed}, {name}: {:?}", told.iter().find(|told| reported(told)));
        }
    }
}

/// How long it takes until the room has moved to Ann's server, which holds the whole log and was away for so long, in a room that goes on talking.
fn time_to_move(away: u64, pause: u64) -> Duration {
    let (mut net, room) = net();
    let call = Call::Room(RoomCall::History { before: i64::MAX, limit: 1_000 });
    assert!(matches!(net.ask(&server("a.example"), Address::Room(room.clone()), call), Some(Answer::History(_))));
    let begin = |net: &mut Net, name: &str, call| {
        let _ = net.begin(&server(name), Address::Room(room.clone()), call);
    };
    let talk = |net: &mut Net, time: u64| {
        for _ in 0..time / pause {
            for (user, name) in [(BOB, "b.example"), (HAL, HUB)] {
                begin(net, name, Net::event("m.room.message", None, user, r#"{"body":"on and on"}"#));
            }
            net.pass(Duration::from_millis(pause));
        }
    };
    let late = |_: &mut hublet::testing::Packet| Fate::Late(Duration::from_millis(50));
    net.rule(move |packet| match [&packet.from, &packet.to].iter().any(|name| name.as_str() == "a.example") {
        true => Fate::Lose,
        false => late(packet),
    });
    let asks = Net::event("m.room.message", None, ANN, r#"{"body":"is anybody there?"}"#);
    begin(&mut net, "a.example", asks);
    talk(&mut net, away);
    net.rule(late);
    let began = net.now();
    begin(&mut net, HUB, Call::Room(RoomCall::Consent { to: server("a.example") }));
    begin(&mut net, "a.example", Net::event("m.room.hub", Some(""), ANN, "{}"));
    let is_move = |told: &Notification| matches!(told, Notification::Appended { event, .. } if contains(event, r#""type":"m.room.hub""#));
    while !net.told("a.example").iter().any(is_move) {
        talk(&mut net, pause);
        assert!(net.now() < began.saturating_add(Duration::from_secs(3_600)), "it does not move");
    }
    net.now().saturating_since(began)
}

#[test]
fn a_room_moves_soon_after_its_heir_is_back() {
    // Both servers have given each other longer and longer pauses: what a user wants done now does not wait for their end.
    for away in [10, 60, 300] {
        let took = time_to_move(away * 1_000, 1_000);
        assert!(took < Duration::from_secs(8), "{took:?} after {away} seconds");
    }
}

#[test]
fn the_heirs_server_hears_of_the_consent() {
    let (mut net, room) = net();
    for name in ["a.example", "b.example"] {
        net.told(name);
    }
    consent(&mut net, &room, "a.example");
    net.pass(Duration::from_secs(1));
    let offers = |net: &mut Net, name: &str| {
        let told = net.told(name).into_iter().filter_map(|told| match told {
            Notification::Ephemeral { room_id, edu } if room_id == room => {
                let content = edu.root().member("content")?.to_document();
                let text = |key| content.root().member(key).and_then(|text| text.as_str()).map(String::from);
                Some((text("kind")?, text("sender")?, content.root().member("data")?.to_document().text().to_owned()))
            }
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    let data = r#"{"server":"a.example"}"#.to_owned();
    assert_eq!(offers(&mut net, "a.example"), [("hublet.hub_offer".to_owned(), HAL.to_owned(), data)]);
    assert!(offers(&mut net, "b.example").is_empty(), "it is nobody else's");
    assert!(offers(&mut net, HUB).is_empty());
    assert!(matches!(propose(&mut net, &room), Some(Answer::Accepted(_))));
    assert_eq!(net.ids("a.example", &room, -1_000), net.ids(HUB, &room, 0));
}
