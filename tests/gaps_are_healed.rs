//! What the hub did not send is asked of it, down to what is known (spec, section 4).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::EventId,
    server::{Answer, ErrorCode, Notification},
    testing::duo::{ANN, Duo, Entry, HAL, HUB, failures, ok, silence},
};

fn ids(log: &[Entry]) -> Vec<EventId> {
    log.iter().map(|(_, id, _)| *id).collect()
}

fn holes(duo: &Duo) -> Vec<(i64, EventId)> {
    let hole = |told: &Notification| match told {
        Notification::Hole { position, event_id, .. } => Some((*position, *event_id)),
        _ => None,
    };
    duo.part.told.iter().filter_map(hole).collect()
}

#[test]
fn a_gap_is_filled_from_the_hub_and_in_order() {
    let mut duo = Duo::joined();
    (0..5).for_each(|number| {
        duo.say(&number.to_string());
    });
    let last = duo.unsent().split_off(4);
    assert!(failures(&duo.receive(last)).is_empty());
    let log = ids(&duo.hub_log());
    assert!(log.ends_with(&duo.part_ids()));
    assert_eq!(duo.part_ids().len(), 6);
}

#[test]
fn a_gap_longer_than_one_answer_is_filled() {
    let mut duo = Duo::joined();
    (0..230).for_each(|number| {
        duo.say(&number.to_string());
    });
    let last = duo.unsent().split_off(228);
    assert!(failures(&duo.receive(last)).is_empty());
    let log = ids(&duo.hub_log());
    assert!(log.ends_with(&duo.part_ids()));
    assert_eq!(duo.part_ids().len(), 231);
    assert_eq!(duo.part.commits, 2, "one commit for the join, one for the transaction");
}

#[test]
fn state_in_a_gap_counts() {
    let mut duo = Duo::joined();
    let levels = r#"{"events_default":50,"users":{"@ann:part.example":50,"@hal:hub.example":100}}"#;
    duo.event(HAL, "m.room.power_levels", Some(""), levels);
    duo.say("a");
    let last = duo.unsent().split_off(1);
    assert!(failures(&duo.receive(last)).is_empty());
    let levels = r#"{"events_default":100,"users":{"@ann:part.example":50,"@hal:hub.example":100}}"#;
    duo.event(HAL, "m.room.power_levels", Some(""), levels);
    duo.say("b");
    let last = duo.unsent().split_off(1);
    assert!(failures(&duo.receive(last)).is_empty());
    let call = hublet::testing::Net::event("m.room.message", None, ANN, "{}");
    assert!(matches!(duo.part.ask(call), Answer::Refused(failure) if failure.code == ErrorCode::Forbidden));
}

#[test]
fn a_hub_that_is_silent_for_now_leaves_no_hole() {
    let mut duo = Duo::joined();
    duo.say("missing");
    duo.say("held");
    let events = duo.unsent();
    let ticket = duo.begin(vec![events[1].clone()]);
    duo.answer_with(silence());
    let outcomes = duo.outcomes(ticket);
    // Without a head this code says: no time for it now, send it again.
    assert_eq!(failures(&outcomes)[0].1.code, ErrorCode::BadState);
    assert_eq!(duo.part_ids().len(), 1);
    assert!(holes(&duo).is_empty());
    // The hub sends it again.
    assert!(failures(&duo.receive(vec![events[1].clone()])).is_empty());
    assert_eq!(duo.part_ids().len(), 3);
}

#[test]
fn what_was_missed_is_asked_for_again_if_the_hub_sends_nothing_more() {
    let mut duo = Duo::joined();
    duo.say("missing");
    duo.say("held");
    let events = duo.unsent();
    let ticket = duo.begin(vec![events[1].clone()]);
    duo.answer_with(silence());
    duo.outcomes(ticket);
    duo.part.wake_after(31_000);
    duo.answer_with(silence());
    duo.part.wake_after(59_000);
    assert_eq!(duo.waiting(), 0, "it waits twice as long");
    duo.part.wake_after(2_000);
    duo.serve();
    let log = ids(&duo.hub_log());
    assert!(log.ends_with(&duo.part_ids()));
    assert_eq!(duo.part_ids().len(), 3);
    duo.part.wake_after(3_600_000);
    assert_eq!(duo.waiting(), 0);
}

#[test]
fn what_the_hub_does_not_serve_is_a_hole() {
    let mut duo = Duo::joined();
    let missing = duo.say("withheld");
    let held = duo.say("held");
    let after = duo.say("after");
    let events = duo.unsent();
    for answer in [ok(r#"{"pdus":[]}"#), ok("{}"), ok("no json"), ok(r#"{"pdus":[{},7]}"#)] {
        let mut duo = Duo::joined();
        let ticket = duo.begin(events[1..].to_vec());
        duo.answer_with(answer);
        assert!(failures(&duo.outcomes(ticket)).is_empty());
        assert_eq!(duo.part_ids()[1..], [missing, held, after]);
        assert_eq!(duo.part_log()[1].2, None);
        assert_eq!(holes(&duo), [(1, missing)]);
        // Late it changes nothing: an entry keeps its place.
        assert!(failures(&duo.receive(vec![events[0].clone()])).is_empty());
        assert_eq!(duo.part_ids()[1..], [missing, held, after]);
        assert_eq!(holes(&duo), [(1, missing)]);
    }
}

#[test]
fn an_answer_may_come_newest_first_and_in_pieces() {
    let mut duo = Duo::joined();
    (0..6).for_each(|number| {
        duo.say(&number.to_string());
    });
    let events = duo.unsent();
    let ticket = duo.begin(vec![events[5].clone()]);
    let body = |range: core::ops::Range<usize>| {
        let all: Vec<&str> =
            events[range].iter().rev().map(|event| core::str::from_utf8(event.bytes()).unwrap()).collect();
        ok(&format!(r#"{{"pdus":[{}]}}"#, all.join(",")))
    };
    duo.answer_with(body(3..5));
    duo.answer_with(body(0..3));
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    assert!(ids(&duo.hub_log()).ends_with(&duo.part_ids()));
    assert_eq!(duo.part_ids().len(), 7);
}

#[test]
fn an_absence_leaves_a_hole_and_the_state_is_the_hubs() {
    let mut duo = Duo::joined();
    let call = |membership| hublet::server::RoomCall::Member {
        user: hublet::testing::user(ANN),
        membership,
        via: vec![hublet::testing::server(HUB)],
    };
    let leave = call(hublet::room::membership::Membership::Leave);
    assert!(matches!(duo.part.ask(hublet::server::Call::Room(leave)), Answer::Accepted(_)));
    let lpdus = duo.pulled();
    assert!(failures(&duo.send_lpdus(&lpdus)).is_empty());
    assert!(failures(&duo.catch_up()).is_empty());
    assert_eq!(duo.part_ids().len(), 2);
    duo.say("not for you");
    let missed = duo.unsent();
    let denied = duo.receive(missed.clone());
    assert_eq!(failures(&denied)[0].1.code, ErrorCode::NotFound, "we are not in the room");
    let levels = r#"{"events":{"x":0},"users":{"@ann:part.example":50,"@hal:hub.example":100}}"#;
    duo.event(HAL, "m.room.power_levels", Some(""), levels);
    let late = duo.unsent();
    let ticket = duo.join();
    let Some(Answer::Accepted(join)) = duo.part.answer(ticket) else { panic!("not joined") };
    let log = duo.part_log();
    assert_eq!(log.iter().map(|(position, ..)| *position).collect::<Vec<_>>(), [0, 1, 3], "2 is the hole");
    assert_eq!(log[2].1, join);
    // What was sent while we were outside arrives late: it belongs into the hole.
    for events in [late.clone(), missed.clone(), [missed, late].concat()] {
        assert!(failures(&duo.receive(events)).is_empty());
    }
    assert_eq!(duo.part_log(), log);
    duo.say("welcome back");
    assert!(failures(&duo.catch_up()).is_empty());
    // From the store it opens as it was, with the state of now.
    duo.restart_part();
    duo.say("and again");
    assert!(failures(&duo.catch_up()).is_empty());
    let log = ids(&duo.hub_log());
    assert!(log.ends_with(&duo.part_ids()[2..]));
    assert!(duo.part.told.iter().all(|told| matches!(told, Notification::Appended { .. })));
}
