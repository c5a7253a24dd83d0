//! What the hub did not send is asked of it, down to what is known (spec, section 4).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unreachable, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::EventId,
    server::{Answer, Call, ErrorCode, Notification, RoomCall},
    testing::{
        Net,
        duo::{ANN, Duo, Entry, HAL, HUB, PART, failures, ok, silence},
        server,
    },
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

/// Ann's server has a hole where Hal's event is that `make` sends; what follows is there.
fn with_hole(make: impl FnOnce(&mut Duo) -> EventId) -> (Duo, EventId) {
    with_hole_in(Duo::joined(), make)
}

/// The same in a room that is made already.
fn with_hole_in(mut duo: Duo, make: impl FnOnce(&mut Duo) -> EventId) -> (Duo, EventId) {
    let missing = make(&mut duo);
    duo.say("after");
    let events = duo.unsent();
    let ticket = duo.begin(events[events.len() - 1..].to_vec());
    while duo.waiting() > 0 {
        duo.answer_with(ok(r#"{"pdus":[]}"#));
    }
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    assert_eq!(holes(&duo).last().unwrap().1, missing);
    (duo, missing)
}

fn filled(duo: &Duo) -> Vec<(i64, EventId)> {
    let filled = |told: &Notification| match told {
        Notification::Filled { position, event_id, sender_verified: true, intact: true, .. } => {
            Some((*position, *event_id))
        }
        _ => None,
    };
    duo.part.told.iter().filter_map(filled).collect()
}

/// Ann's server is woken whenever it asked to be, until it asks others for something.
fn wake(duo: &mut Duo) {
    while duo.waiting() == 0
        && let Some(at) = duo.part.wake.take()
    {
        duo.part.wake_after(at.millis().saturating_sub(duo.part.now));
    }
}

#[test]
fn a_hole_is_filled_when_the_hub_serves_what_belongs_there() {
    let (mut duo, missing) = with_hole(|duo| duo.say("withheld"));
    let before = duo.part_log();
    duo.part.wake_after(599_000);
    assert_eq!(duo.waiting(), 0);
    duo.part.wake_after(1_000);
    assert_eq!(duo.waiting(), 1);
    duo.serve();
    let log = duo.part_log();
    assert!(ids(&duo.hub_log()).ends_with(&ids(&log)));
    assert_eq!(filled(&duo), [(1, missing)]);
    assert!(log[1].2.is_some() && before[1].2.is_none());
    assert_eq!([&log[..1], &log[2..]], [&before[..1], &before[2..]], "nothing else has moved");
    // It is there for good, and asked for no more.
    duo.restart_part();
    assert_eq!(duo.part_log(), log);
    duo.part.wake_after(86_400_000);
    assert_eq!(duo.waiting(), 0);
    // The LPDU memory, redactions and rules know of it.
    duo.event(HAL, "m.room.redaction", None, &format!(r#"{{"hublet.redacts":"{missing}"}}"#));
    assert!(failures(&duo.catch_up()).is_empty());
    let redacted = duo.part_log().swap_remove(1).2.unwrap();
    assert!(!String::from_utf8(redacted).unwrap().contains("withheld"));
}

#[test]
fn a_server_may_become_the_hub_once_its_last_hole_is_filled() {
    let mut duo = Duo::new(r#"{"hublet.hub_transfer":true}"#);
    duo.join();
    duo.event(HAL, "m.room.power_levels", Some(""), r#"{"users":{"@ann:part.example":100,"@hal:hub.example":100}}"#);
    assert!(failures(&duo.catch_up()).is_empty());
    let consent = RoomCall::Consent { to: server(PART) };
    assert_eq!(duo.hub.ask(Call::Room(consent)), Answer::Done);
    let (duo, first) = with_hole_in(duo, |duo| duo.say("withheld"));
    let (mut duo, second) = with_hole_in(duo, |duo| duo.say("withheld too"));
    let propose = |duo: &mut Duo| {
        let ticket = duo.part.begin(Net::event("m.room.hub", Some(""), ANN, "{}"));
        duo.serve();
        duo.part.answer(ticket)
    };
    let is_refused =
        |answer: Option<Answer>| matches!(answer, Some(Answer::Refused(failure)) if failure.error.contains("hole"));
    assert!(is_refused(propose(&mut duo)));
    wake(&mut duo);
    duo.serve();
    assert_eq!(filled(&duo).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [first]);
    assert!(is_refused(propose(&mut duo)), "one is left");
    wake(&mut duo);
    duo.serve();
    assert_eq!(filled(&duo).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [first, second]);
    assert!(matches!(propose(&mut duo), Some(Answer::Accepted(_))));
}

#[test]
fn state_that_fills_a_hole_counts_unless_newer_state_stands() {
    let name = |duo: &mut Duo, text: &str| duo.event(HAL, "m.room.name", Some(""), &format!(r#"{{"name":"{text}"}}"#));
    let current = |duo: &mut Duo| {
        let call = hublet::server::RoomCall::State { kind: Some("m.room.name".into()), state_key: None };
        match duo.part.ask(hublet::server::Call::Room(call)) {
            Answer::Entries(entries) => entries.into_iter().map(|(_, id, _)| id).collect::<Vec<_>>(),
            answer => panic!("{answer:?}"),
        }
    };
    let (mut duo, missing) = with_hole(|duo| name(duo, "withheld"));
    assert!(current(&mut duo).is_empty());
    wake(&mut duo);
    duo.serve();
    assert_eq!(current(&mut duo), [missing]);
    duo.restart_part();
    assert_eq!(current(&mut duo), [missing]);

    let (mut duo, missing) = with_hole(|duo| name(duo, "withheld"));
    let newer = name(&mut duo, "newer");
    assert!(failures(&duo.catch_up()).is_empty());
    wake(&mut duo);
    duo.serve();
    assert_eq!((current(&mut duo), filled(&duo)), (vec![newer], vec![(1, missing)]));
    assert!(ids(&duo.hub_log()).ends_with(&duo.part_ids()));
}

#[test]
fn what_does_not_belong_into_a_hole_leaves_it() {
    let (mut duo, missing) = with_hole(|duo| {
        duo.say("not the one");
        duo.say("withheld")
    });
    let (log, told) = (duo.part_log(), duo.part.told.len());
    let other = duo.hub_log().into_iter().find(|(_, id, _)| *id == log[2].1).unwrap().2.unwrap();
    let right = duo.hub_log().into_iter().find(|(_, id, _)| *id == missing).unwrap().2.unwrap();
    let right = String::from_utf8(right).unwrap();
    let table = [
        ("another event", String::from_utf8(other).unwrap()),
        ("another time", right.replace("\"origin_server_ts\":17", "\"origin_server_ts\":16")),
        ("no signature", right.replace("\"signatures\":{\"hub", "\"signatures\":{\"hub.hub")),
        ("no event", "{}".into()),
        ("what follows something that we do not have either", right),
    ];
    for (name, answer) in table {
        wake(&mut duo);
        assert_eq!(duo.waiting(), 1, "{name}");
        duo.answer_with(ok(&answer));
        assert_eq!((duo.part_log(), duo.part.told.len()), (log.clone(), told), "{name}");
    }
}

#[test]
fn a_hole_that_nobody_fills_is_asked_for_ever_more_rarely_and_then_no_more() {
    let (mut duo, _) = with_hole(|duo| duo.say("withheld"));
    let (mut asked, began) = (Vec::new(), duo.part.now);
    wake(&mut duo);
    while duo.waiting() > 0 {
        asked.push((duo.part.now - began) / 1_000);
        match asked.len() % 2 {
            0 => duo.answer_with(silence()),
            _ => duo.answer_with(ok(r#"{"errcode":"M_NOT_FOUND"}"#)),
        }
        assert!(asked.len() < 100);
        wake(&mut duo);
    }
    assert_eq!(asked[..4], [600, 1_200, 2_400, 4_800]);
    assert_eq!(asked.len(), 8, "{asked:?}");
    // The same where the machine lives only from one alarm to the next.
    let (mut brief, _) = with_hole(|duo| duo.say("withheld"));
    let (mut again, began) = (Vec::new(), brief.part.now);
    for _ in 0..100 {
        wake(&mut brief);
        if brief.waiting() == 0 {
            break;
        }
        again.push((brief.part.now - began) / 1_000);
        while brief.waiting() > 0 {
            brief.answer_with(silence());
        }
        let at = brief.part.wake.map_or(brief.part.now, |at| at.millis());
        brief.restart_part();
        brief.part.wake_after(at.saturating_sub(brief.part.now));
    }
    assert_eq!(again, asked);
    duo.restart_part();
    duo.part.wake_after(60_000);
    duo.part.wake_after(86_400_000);
    assert_eq!(duo.waiting(), 0);
}

#[test]
fn another_server_may_fill_a_hole() {
    let mut duo = Duo::joined();
    let far = "@far:far.example";
    let body = r#"{"membership":"join"}"#;
    let join = hublet::testing::lpdu(&duo.room_id, far, HUB, "m.room.member", Some(far), body, 1_700_000_000_500);
    duo.hub.ask(hublet::server::Call::Room(hublet::server::RoomCall::SendMember {
        origin: hublet::testing::server("far.example"),
        keys: hublet::testing::keys_of("far.example"),
        membership: hublet::room::membership::Membership::Join,
        event: hublet::testing::duo::document(join.bytes()),
    }));
    assert!(failures(&duo.catch_up()).is_empty());
    let missing = duo.say("withheld");
    let bytes = duo.hub_log().pop().unwrap().2.unwrap();
    duo.say("after");
    let last = duo.unsent().split_off(1);
    let ticket = duo.begin(last);
    duo.answer_with(ok(r#"{"pdus":[]}"#));
    assert!(failures(&duo.outcomes(ticket)).is_empty());
    wake(&mut duo);
    duo.answer_with(Answer::Response(hublet::server::Failure::new(404, ErrorCode::NotFound, "gone").to_response()));
    assert_eq!(duo.part.asked.back().unwrap().1.to_string(), "peer:far.example");
    duo.answer_with(ok(core::str::from_utf8(&bytes).unwrap()));
    assert_eq!(filled(&duo), [(2, missing)]);
}
