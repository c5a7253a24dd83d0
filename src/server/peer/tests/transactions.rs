//! PUT send: once, in order, answered alike ever after.

use alloc::{format, string::String, vec, vec::Vec};

use crate::{
    event::{LINEARIZED_02, received_id},
    id::EventId,
    server::{
        AccountCall, Address, Answer, Call, ErrorCode, Failure, Outcome,
        peer::harness::{START, THEM, message, peer, reopened, room, text, transaction, verdict},
    },
    testing::{content, lpdu},
};

const EMPTY: &str = r#"{"failed_pdus":{}}"#;

fn failed(id: EventId, code: ErrorCode) -> Answer {
    Answer::Outcomes(vec![Outcome { id: Some(id), failure: Some(Failure::of(code, "no")) }])
}

#[test]
fn a_retried_transaction_is_not_processed_twice() {
    let mut peer = peer();
    let (pdu, id) = message("r", 1);
    let first = peer.arrives(transaction("t1", core::slice::from_ref(&pdu)));
    let retry = peer.arrives(transaction("t1", core::slice::from_ref(&pdu)));
    assert_eq!(peer.receiving(), [(room("r"), 1)], "while it runs, the same transaction waits for its answer");
    peer.takes(&[id]);
    assert_eq!(text(&peer.response(first)), EMPTY);
    assert_eq!(text(&peer.response(retry)), EMPTY);
    let later = peer.arrives(transaction("t1", core::slice::from_ref(&pdu)));
    assert_eq!(text(&peer.response(later)), EMPTY);
    let mut peer = reopened(peer);
    let after_restart = peer.arrives(transaction("t1", &[pdu]));
    assert_eq!(text(&peer.response(after_restart)), EMPTY);
    assert!(peer.asked.is_empty());
}

#[test]
fn the_answer_leaves_when_it_is_durable() {
    let mut peer = peer();
    peer.hold_commits = true;
    let (pdu, id) = message("r", 1);
    let first = peer.arrives(transaction("t1", core::slice::from_ref(&pdu)));
    peer.takes(&[id]);
    let retry = peer.arrives(transaction("t1", &[pdu]));
    assert_eq!((peer.answer(first), peer.answer(retry)), (None, None));
    peer.commit();
    assert_eq!(text(&peer.response(first)), EMPTY);
    assert_eq!(text(&peer.response(retry)), EMPTY);
}

#[test]
fn a_crash_before_the_answer_is_durable_processes_again() {
    let mut peer = peer();
    peer.hold_commits = true;
    let (pdu, id) = message("r", 1);
    peer.arrives(transaction("t1", core::slice::from_ref(&pdu)));
    peer.takes(&[id]);
    let mut peer = reopened(peer);
    peer.arrives(transaction("t1", &[pdu]));
    assert_eq!(peer.receiving(), [(room("r"), 1)], "the room knows the LPDU, so nothing is appended twice");
}

#[test]
fn a_second_transaction_waits_10_seconds_for_the_first() {
    let mut peer = peer();
    let (one, two) = (message("r", 1), message("r", 2));
    peer.arrives(transaction("t1", core::slice::from_ref(&one.0)));
    let second = peer.arrives(transaction("t2", core::slice::from_ref(&two.0)));
    assert_eq!(peer.receiving().len(), 1);
    peer.takes(&[one.1]);
    assert_eq!(peer.receiving(), [(room("r"), 1)], "then it is its turn");
    peer.takes(&[two.1]);
    assert_eq!(text(&peer.response(second)), EMPTY);

    let first = peer.arrives(transaction("t3", &[one.0]));
    peer.now += 5_000;
    let late = peer.arrives(transaction("t4", core::slice::from_ref(&two.0)));
    peer.wake_after(5_000);
    assert!(text(&peer.response(first)).contains("M_BAD_STATE"), "the first one's time is over");
    assert_eq!(peer.receiving().len(), 2, "the room still has the first one's event");
    peer.wake_after(10_000);
    assert!(text(&peer.response(late)).contains("M_BAD_STATE"));
}

#[test]
fn a_waiting_transaction_that_is_too_late_may_come_again() {
    let mut peer = peer();
    let (one, two) = (message("r", 1), message("r", 2));
    peer.arrives(transaction("t1", core::slice::from_ref(&one.0)));
    peer.now += 9_999;
    let rooms: Vec<String> = vec![two.0.clone()];
    let second = peer.arrives(transaction("t2", &rooms));
    // The first one ends by its own time limit, the second starts, and a third waits for that one.
    peer.wake_after(1);
    let third = peer.arrives(transaction("t3", &rooms));
    peer.wake_after(10_000);
    assert_eq!(peer.response(second).status, 200);
    assert_eq!(peer.answer(third), None, "started when the second ended");
    let fifth: Vec<_> = (4..9).map(|n| peer.arrives(transaction(&format!("t{n}"), &rooms))).collect();
    assert_eq!(verdict(&peer.response(fifth[4])), (429, Some(ErrorCode::LimitExceeded)));
    peer.now += 5_000;
    let before = peer.asked.len();
    peer.wake_after(5_000);
    assert!(text(&peer.response(third)).contains("M_BAD_STATE"));
    assert_eq!(peer.asked.len(), before + 1, "the next one starts, those behind it are too late");
    assert_eq!(verdict(&peer.response(fifth[1])), (400, Some(ErrorCode::BadState)));
    let again = peer.arrives(transaction("t5", &rooms));
    assert_eq!(peer.answer(again), None, "that answer is not kept");
}

#[test]
fn pdus_go_to_their_rooms_in_order() {
    let mut peer = peer();
    let pdus: Vec<_> = ["a", "b", "a", "b", "a"].iter().zip(1..).map(|(name, n)| message(name, n)).collect();
    let texts: Vec<_> = pdus.iter().map(|(text, _)| text.clone()).collect();
    let ticket = peer.arrives(transaction("t", &texts));
    assert_eq!(peer.receiving(), [(room("a"), 3), (room("b"), 2)]);
    for (_, to, call) in &peer.asked {
        let (Address::Room(id), Call::Room(crate::server::RoomCall::Receive { events, origin, keys })) = (to, call)
        else {
            panic!()
        };
        assert_eq!((origin.as_str(), keys.keys.len()), (THEM, 1));
        let of_room = texts.iter().filter(|text| text.contains(id.as_str()));
        assert!(events.iter().map(|event| event.bytes()).eq(of_room.map(|text| text.as_bytes())));
    }
    peer.takes(&[pdus[0].1, pdus[2].1, pdus[4].1]);
    let mut failure = Failure::of(ErrorCode::WrongServer, "not the hub");
    failure.hub_server = Some(crate::testing::server("hub.example"));
    let refused = Outcome { id: Some(pdus[1].1), failure: Some(failure) };
    peer.reply(Answer::Outcomes(vec![refused, Outcome { id: Some(pdus[3].1), failure: None }]));
    let expected = format!(
        r#"{{"failed_pdus":{{"{}":{{"errcode":"M_WRONG_SERVER","error":"not the hub","hub_server":"hub.example"}}}}}}"#,
        pdus[1].1
    );
    assert_eq!(text(&peer.response(ticket)), expected);
}

#[test]
fn a_bad_pdu_spoils_only_itself() {
    let mut peer = peer();
    let (good, id) = message("r", 1);
    let bad = [
        r#"{"room_id":"!r:us.example","type":"m.room.message","content":{"a":1.0}}"#,
        r#"{"room_id":"!r:us.example","type":"m.room.message","content":{"a":-0}}"#,
        r#"{"room_id":"!r:us.example","type":"m.room.message","content":{"a":1e2}}"#,
        r#"{"room_id":"!r:us.example","type":"m.room.message","origin_server_ts":9007199254740992}"#,
        r#"{"room_id":"r","type":"m.room.message"}"#,
        "{}",
    ];
    let mut pdus: Vec<String> = bad.iter().map(|text| String::from(*text)).collect();
    pdus.insert(2, good);
    let ticket = peer.arrives(transaction("t", &pdus));
    assert_eq!(peer.receiving(), [(room("r"), 1)]);
    peer.takes(&[id]);
    let response = peer.response(ticket);
    let body = content(text(&response));
    let failed = body.root().member("failed_pdus").unwrap();
    assert_eq!(failed.len(), 4, "three of them have one ID: redaction leaves the same of each");
    for text in bad {
        let name = received_id(&content(text), &LINEARIZED_02).unwrap();
        let entry = failed.member(&format!("{name}")).unwrap();
        assert_eq!(entry.member("errcode").unwrap().as_str().as_deref(), Some("M_BAD_JSON"), "{text}");
    }
}

#[test]
fn rooms_that_are_too_slow_are_named_and_the_others_are_not_held_up() {
    let mut peer = peer();
    let (slow, fast) = (message("a", 1), message("b", 2));
    let ticket = peer.arrives(transaction("t", &[slow.0, fast.0]));
    let (late, ..) = peer.asked.pop_front().unwrap();
    peer.takes(&[fast.1]);
    assert_eq!(peer.answer(ticket), None);
    assert_eq!(peer.wake.unwrap().millis(), START + 10_000);
    peer.wake_after(10_000);
    let response = peer.response(ticket);
    assert!(text(&response).starts_with(&format!(r#"{{"failed_pdus":{{"{}":{{"errcode":"M_BAD_STATE""#, slow.1)));
    assert!(!text(&response).contains(&format!("{}", fast.1)));
    peer.input(crate::server::Input::Answer(late, failed(slow.1, ErrorCode::Forbidden)));
}

#[test]
fn a_room_machine_that_is_lost_is_asked_once_more() {
    let mut peer = peer();
    let (pdu, id) = message("r", 1);
    let ticket = peer.arrives(transaction("t", core::slice::from_ref(&pdu)));
    peer.reply(Answer::Unavailable);
    assert_eq!(peer.receiving(), [(room("r"), 1)]);
    peer.reply(Answer::Unavailable);
    let response = peer.response(ticket);
    assert!(text(&response).contains("M_BAD_STATE") && text(&response).contains(&format!("{id}")));
    let ticket = peer.arrives(transaction("t2", &[pdu]));
    peer.reply(Answer::Refused(Failure::of(ErrorCode::Unknown, "broken")));
    assert!(text(&peer.response(ticket)).contains("M_UNKNOWN"));
}

#[test]
fn a_member_event_for_a_room_that_we_are_not_in_may_end_an_invite() {
    let mut peer = peer();
    let target = "@bob:us.example";
    let leave =
        lpdu(&room("r"), &format!("@ann:{THEM}"), THEM, "m.room.member", Some(target), r#"{"membership":"leave"}"#, 5);
    let pdu = String::from_utf8(leave.bytes().to_vec()).unwrap();
    for (name, accepted) in [("t1", true), ("t2", false)] {
        let ticket = peer.arrives(transaction(name, core::slice::from_ref(&pdu)));
        peer.reply(failed(leave.lpdu_id(), ErrorCode::NotFound));
        let (_, to, call) = &peer.asked[0];
        assert!(matches!(call, Call::Account(AccountCall::EndInvite { .. })));
        assert_eq!(*to, Address::Account(crate::testing::user(target)));
        match accepted {
            true => peer.takes(&[leave.lpdu_id()]),
            false => peer.reply(failed(leave.lpdu_id(), ErrorCode::NotFound)),
        }
        assert_eq!(text(&peer.response(ticket)) == EMPTY, accepted);
    }
}
