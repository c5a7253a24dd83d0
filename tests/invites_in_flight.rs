//! Whoever answers an invite before the hub has appended it is judged when the invite has ended (spec, section 7).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use core::time::Duration;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use hublet::{
    id::RoomId,
    room::membership::Membership,
    server::{Address, Answer, Call, ErrorCode, Notification, Response, RoomCall, Ticket},
    testing::{Fate, Net, Packet, Way, server, user},
};

const HUB: &str = "hub.example";
const PART: &str = "part.example";
const HAL: &str = "@hal:hub.example";
const ANN: &str = "@ann:part.example";
const INVITE: &str = r#"{"membership":"invite"}"#;

/// A room and an invite to Ann; the wire keeps back what `held` names while the flag is set.
fn invited(public: bool, held: fn(&Packet) -> bool) -> (Net, RoomId, Ticket, Rc<Cell<bool>>) {
    let mut net = Net::new(&[&server(HUB), &server(PART)]);
    let room = net.create(HAL, "!r:hub.example", public, "{}");
    let holds = Rc::new(Cell::new(true));
    let held_now = holds.clone();
    net.rule(move |packet| if held_now.get() && held(packet) { Fate::Hold } else { Fate::Pass });
    let call = Net::event("m.room.member", Some(ANN), HAL, INVITE);
    let invite = net.begin(&server(HUB), Address::Room(room.clone()), call).unwrap();
    net.run();
    assert!(net.told(PART).iter().any(|told| matches!(told, Notification::Invited { .. })), "Ann knows of it");
    assert_eq!(net.answer(&server(HUB), invite), None, "the hub does not know that she was reached");
    (net, room, invite, holds)
}

fn begin(net: &mut Net, room: &RoomId, membership: Membership) -> Ticket {
    let call = RoomCall::Member { user: user(ANN), membership, via: vec![server(HUB)] };
    let ticket = net.begin(&server(PART), Address::Room(room.clone()), Call::Room(call)).unwrap();
    net.run();
    ticket
}

/// The memberships of Ann in the hub's log, in order.
fn memberships(net: &mut Net, room: &RoomId) -> Vec<String> {
    let log = net.log(HUB, room, 0).into_iter().filter_map(|(_, _, bytes)| bytes);
    let events = log.map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap());
    let hers = events.filter(|event| event["state_key"] == ANN);
    hers.map(|event| event["content"]["membership"].as_str().unwrap().to_owned()).collect()
}

fn answer_to_invite(packet: &Packet) -> bool {
    matches!(packet.way, Way::Answer(_)) && packet.request.target.contains("/invite/")
}

#[test]
fn the_invited_user_answers_before_the_hub_hears_of_the_agreement() {
    for (membership, word) in [(Membership::Join, "join"), (Membership::Leave, "leave")] {
        let (mut net, room, invite, holds) = invited(false, answer_to_invite);
        let answered = begin(&mut net, &room, membership);
        assert_eq!(net.answer(&server(PART), answered), None, "{word} waits");
        net.say(HAL, &room, "the room goes on");
        holds.set(false);
        net.run();
        assert!(matches!(net.answer(&server(HUB), invite), Some(Answer::Accepted(_))), "{word}");
        let answer = net.answer(&server(PART), answered);
        assert!(matches!(answer, Some(Answer::Accepted(_))), "{word}: {answer:?}");
        assert_eq!(memberships(&mut net, &room), ["invite", word]);
    }
}

#[test]
fn the_wait_lasts_while_the_hub_looks_up_the_agreeing_servers_keys() {
    let (mut net, room, invite, holds) = invited(false, |packet| {
        matches!(packet.way, Way::Request) && packet.to.as_str() == PART && packet.request.target.contains("/key/")
    });
    let joined = begin(&mut net, &room, Membership::Join);
    assert_eq!(net.answer(&server(PART), joined), None);
    holds.set(false);
    net.run();
    assert!(matches!(net.answer(&server(HUB), invite), Some(Answer::Accepted(_))));
    assert!(matches!(net.answer(&server(PART), joined), Some(Answer::Accepted(_))));
    assert_eq!(memberships(&mut net, &room), ["invite", "join"]);
}

#[test]
fn the_wait_ends_with_the_invites_time() {
    let (mut net, room, invite, _holds) = invited(false, answer_to_invite);
    let joined = begin(&mut net, &room, Membership::Join);
    net.pass(Duration::from_secs(8));
    assert_eq!(net.answer(&server(PART), joined), None);
    net.pass(Duration::from_secs(2));
    assert!(matches!(net.answer(&server(HUB), invite), Some(Answer::Refused(failure)) if failure.status == 502));
    let answer = net.answer(&server(PART), joined);
    assert!(matches!(&answer, Some(Answer::Refused(failure)) if failure.code == ErrorCode::Forbidden), "{answer:?}");
    assert!(memberships(&mut net, &room).is_empty());
}

#[test]
fn what_needs_no_invite_does_not_wait_for_one() {
    let (mut net, room, invite, holds) = invited(true, answer_to_invite);
    let joined = begin(&mut net, &room, Membership::Join);
    assert!(matches!(net.answer(&server(PART), joined), Some(Answer::Accepted(_))), "anybody may join");
    holds.set(false);
    net.run();
    let answer = net.answer(&server(HUB), invite);
    assert!(matches!(&answer, Some(Answer::Refused(failure)) if failure.status == 403), "she is there: {answer:?}");
    assert_eq!(memberships(&mut net, &room), ["join"]);

    let (mut net, room, _, _holds) = invited(false, answer_to_invite);
    let call =
        RoomCall::Member { user: user("@amy:part.example"), membership: Membership::Join, via: vec![server(HUB)] };
    let answer = net.ask(&server(PART), Address::Room(room.clone()), Call::Room(call));
    assert!(matches!(&answer, Some(Answer::Refused(failure)) if failure.status == 403), "another user: {answer:?}");
}

/// A room of Hal's with Ann, whose server invites `invited` of a server outside.
fn invite_by_a_participant(net: &mut Net, room: &RoomId) -> Option<Answer> {
    net.join(ANN, room, HUB);
    let levels = r#"{"users":{"@ann:part.example":50,"@hal:hub.example":100}}"#;
    net.send(HAL, room, "m.room.power_levels", Some(""), levels).unwrap();
    net.send(ANN, room, "m.room.member", Some("@far:far.example"), INVITE)
}

#[test]
fn a_participants_invite_goes_to_the_hubs_endpoint_and_its_answer_is_the_hubs() {
    for refuses in [false, true] {
        let mut net = Net::new(&[&server(HUB), &server(PART), &server("far.example")]);
        let room = net.create(HAL, "!r:hub.example", true, "{}");
        let seen = Rc::new(Cell::new(0));
        let sees = seen.clone();
        net.rule(move |packet| {
            let is_invite = packet.request.target.contains("/invite/");
            sees.set(sees.get() + u32::from(is_invite && matches!(packet.way, Way::Request)));
            if refuses && is_invite && packet.from.as_str() == "far.example" {
                let body = br#"{"errcode":"M_FORBIDDEN","error":"not her"}"#.to_vec();
                packet.way = Way::Answer(Ok(Response { status: 403, body }));
            }
            Fate::Pass
        });
        let answer = invite_by_a_participant(&mut net, &room);
        assert_eq!(seen.get(), 2, "to the hub, and on to the invited server");
        let log = net.ids(HUB, &room, 0);
        assert_eq!(net.ids(PART, &room, 0).last(), log.last());
        assert!(net.told("far.example").iter().any(|told| matches!(told, Notification::Invited { .. })));
        match answer {
            Some(Answer::Accepted(_)) if !refuses => assert_eq!(log.len(), 8),
            Some(Answer::Refused(failure)) if refuses => {
                assert!(failure.error.contains("not her"), "{}", failure.error);
                assert_eq!((failure.status, log.len()), (403, 7));
            }
            answer => panic!("{answer:?}"),
        }
    }
}

#[test]
fn a_hub_without_the_endpoint_gets_the_invite_as_any_other_event() {
    let mut net = Net::new(&[&server(HUB), &server(PART), &server("far.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.rule(|packet| {
        if packet.to.as_str() == PART && packet.request.target.contains("/invite/") {
            let body = br#"{"errcode":"M_BAD_JSON","error":"no"}"#.to_vec();
            packet.way = Way::Answer(Ok(Response { status: 400, body }));
        }
        Fate::Pass
    });
    let answer = invite_by_a_participant(&mut net, &room);
    assert!(matches!(answer, Some(Answer::Accepted(_))), "{answer:?}");
    net.pass(Duration::from_secs(20));
    assert!(net.told(PART).iter().any(|told| matches!(told, Notification::Appended { lpdu_id: Some(_), .. })));
    assert_eq!(net.ids(HUB, &room, 0).len(), 8, "once");
}

#[test]
fn an_invite_that_nobody_could_be_asked_about_is_refused_to_a_late_copy_too() {
    let mut net = Net::new(&[&server(HUB), &server(PART), &server("far.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    let copy = Rc::new(RefCell::new(None));
    let (copied, is_far) = (copy.clone(), Rc::new(Cell::new(true)));
    let far = is_far.clone();
    net.rule(move |packet| {
        if packet.from.as_str() == PART && packet.request.target.contains("/invite/") {
            copied.borrow_mut().get_or_insert_with(|| packet.request.clone());
        }
        if far.get() && packet.to.as_str() == "far.example" { Fate::Lose } else { Fate::Pass }
    });
    let answer = invite_by_a_participant(&mut net, &room);
    let Some(Answer::Accepted(lpdu_id)) = answer else { panic!("{answer:?}") };
    let log = net.ids(HUB, &room, 0);
    let is_not_sent = |told: &Notification| matches!(told, Notification::NotSent { lpdu_id: id, .. } if *id == lpdu_id);
    assert!(net.told(PART).iter().any(is_not_sent), "Ann knows that it will not appear");

    is_far.set(false);
    let late = copy.take().unwrap();
    net.inject(&server(PART), &server(HUB), late);
    net.pass(Duration::from_secs(20));
    assert_eq!(net.ids(HUB, &room, 0), log, "and it does not");
}

#[test]
fn an_invite_that_the_rules_refuse_is_refused_with_the_hubs_words() {
    let mut net = Net::new(&[&server(HUB), &server(PART), &server("far.example")]);
    let room = net.create(HAL, "!r:hub.example", true, "{}");
    net.join(ANN, &room, HUB);
    // Ann's server has not heard of the new levels.
    net.rule(|packet| {
        let is_log = packet.to.as_str() == PART && packet.request.target.contains("/send/");
        if is_log { Fate::Hold } else { Fate::Pass }
    });
    net.send(HAL, &room, "m.room.power_levels", Some(""), r#"{"invite":90,"users":{"@hal:hub.example":100}}"#).unwrap();
    let answer = net.send(ANN, &room, "m.room.member", Some("@far:far.example"), INVITE);
    let Some(Answer::Refused(failure)) = answer else { panic!("{answer:?}") };
    assert_eq!(failure.code, ErrorCode::Forbidden);
}

#[test]
fn an_invite_taken_back_before_it_is_answered_is_refused_to_whoever_waits() {
    let (mut net, room, invite, holds) = invited(false, answer_to_invite);
    let joined = begin(&mut net, &room, Membership::Join);
    let ban = net.send(HAL, &room, "m.room.member", Some(ANN), r#"{"membership":"ban"}"#);
    assert!(matches!(ban, Some(Answer::Accepted(_))), "{ban:?}");
    holds.set(false);
    net.run();
    assert!(matches!(net.answer(&server(HUB), invite), Some(Answer::Refused(failure)) if failure.status == 403));
    assert!(matches!(net.answer(&server(PART), joined), Some(Answer::Refused(failure)) if failure.status == 403));
    assert_eq!(memberships(&mut net, &room), ["ban"]);
}
