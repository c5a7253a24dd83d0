//! What the peer is owed: pulled, sent in order, repeated, reported.

use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};

use crate::{
    id::{EventId, RoomId},
    json::Document,
    server::{
        Address, Answer, Backlog, Call, Delivered, ErrorCode, Failure, Input, Machine, OwedEvents, PeerCall, Request,
        Response, RoomCall, SendError, Shelf, Ticket,
        peer::harness::{Peer, THEM, message, peer, reopened, request, room, text, transaction},
        route::PREFIX,
    },
    testing::content,
};

type Events = Vec<(EventId, Vec<u8>)>;

fn id(number: u8) -> EventId {
    EventId::from_hash([number; 32])
}

/// Events that tell themselves apart, each so many bytes.
fn events(numbers: core::ops::Range<u8>, size: usize) -> Events {
    let event = |number| {
        let bytes = format!(r#"{{"n":{number},"x":"{}"}}"#, "x".repeat(size));
        (id(number), bytes.into_bytes())
    };
    numbers.map(event).collect()
}

fn few(numbers: core::ops::Range<u8>) -> Events {
    events(numbers, 1)
}

fn refused(number: u8, code: ErrorCode) -> Response {
    let body = format!(r#"{{"failed_pdus":{{"{}":{{"errcode":"{}","error":"no"}}}}}}"#, id(number), code.text());
    Response::ok(body)
}

fn taken() -> Response {
    Response::ok(*br#"{"failed_pdus":{}}"#)
}

impl Peer {
    fn nudged(&mut self, name: &str) {
        let answer = self.ask(Call::Peer(PeerCall::Nudge(room(name))));
        assert_eq!(answer, Answer::Done);
    }

    /// The oldest call is a pull; what it reported.
    fn pull(&mut self, owed: Events, more: bool) -> (RoomId, Option<Delivered>) {
        self.pull_from(Shelf::Log, owed, more)
    }

    fn pull_from(&mut self, shelf: Shelf, owed: Events, more: bool) -> (RoomId, Option<Delivered>) {
        let (ticket, to, call) = self.asked.pop_front().expect("nothing is pulled");
        let (Address::Room(room), Call::Room(RoomCall::Pull { delivered, peer })) = (to, call) else {
            panic!("no pull")
        };
        assert_eq!(peer.as_str(), THEM);
        let position = owed.len().try_into().unwrap();
        let owed = OwedEvents { shelf, events: owed, position, more };
        self.input(Input::Answer(ticket, Answer::Owed(owed)));
        (room, delivered)
    }

    /// The numbers of the PDUs in the one transaction that is out.
    fn out(&self) -> Vec<i64> {
        assert_eq!(self.sent.len(), 1, "one transaction is in flight");
        numbers(&self.sent[0].2)
    }

    fn target(&self) -> String {
        self.sent[0].2.target.clone()
    }

    /// Wakes the machine when it asked for it; how long that took, in milliseconds.
    fn sleep(&mut self) -> u64 {
        let at = self.wake.take().expect("nothing is planned").millis();
        let slept = at.checked_sub(self.now).expect("planned for the past");
        self.wake_after(slept);
        slept
    }
}

fn body(request: &Request) -> Document {
    content(core::str::from_utf8(&request.body).unwrap())
}

fn numbers(request: &Request) -> Vec<i64> {
    let body = body(request);
    assert_eq!(body.bytes(), request.body, "spliced canonically");
    body.root().member("pdus").unwrap().elements().map(|pdu| pdu.member("n").unwrap().as_i64().unwrap()).collect()
}

#[test]
fn what_a_room_owes_is_sent_in_order_and_reported() {
    let mut peer = peer();
    peer.nudged("r");
    assert_eq!(peer.pull(few(1..4), false), (room("r"), None));
    assert_eq!(peer.out(), [1, 2, 3]);
    assert_eq!(peer.machine.backlog(), Backlog { rooms: 1, events: 3, edus: 0 });
    let request = &peer.sent[0].2;
    assert_eq!((request.method.as_str(), request.target.starts_with(&format!("{PREFIX}/send/"))), ("PUT", true));
    peer.answered(Ok(refused(2, ErrorCode::Forbidden)));
    let (_, delivered) = peer.pull(vec![], false);
    let delivered = delivered.unwrap();
    assert_eq!((delivered.position, delivered.refused.len()), (3, 1));
    let (refused, failure) = &delivered.refused[0];
    assert_eq!((*refused, failure.code, failure.error.as_str()), (id(2), ErrorCode::Forbidden, "no"));
    assert!(peer.asked.is_empty() && peer.sent.is_empty());
    assert_eq!(peer.machine.backlog(), Backlog::default());
}

#[test]
fn our_requests_are_signed_and_are_what_they_say() {
    use crate::{crypto::PreparedKey, server::x_matrix, testing::signing_key};
    let mut peer = peer();
    peer.nudged("r");
    peer.pull(few(1..2), false);
    let (_, to, request) = &peer.sent[0];
    let claim = x_matrix::claims(&request.headers).unwrap().remove(0);
    assert_eq!((claim.destination.as_str(), to.as_str()), (THEM, THEM));
    let key = PreparedKey::prepare(&signing_key("us.example").public()).unwrap();
    assert_eq!(x_matrix::SignedRequest::new(request, Some(&body(request))).verify(&claim, &key), Ok(()));
}

#[test]
fn one_transaction_is_in_flight_and_the_rest_gathers_behind_it() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(1..3), false);
    peer.nudged("b");
    peer.nudged("a");
    peer.pull(few(10..12), false);
    assert_eq!(peer.out(), [1, 2]);
    peer.answered(Ok(taken()));
    assert_eq!(peer.out(), [10, 11]);
    let (_, delivered) = peer.pull(few(3..4), false);
    assert_eq!(delivered.unwrap().position, 2);
    peer.answered(Ok(taken()));
    assert_eq!(peer.out(), [3]);
}

#[test]
fn rooms_take_turns_and_keep_their_own_order() {
    let mut peer = peer();
    peer.nudged("x");
    peer.pull(few(99..100), false);
    for name in ["a", "b", "c"] {
        peer.nudged(name);
    }
    peer.pull(few(10..14), false);
    peer.pull(few(20..21), false);
    peer.pull(few(30..33), false);
    peer.answered(Ok(taken()));
    assert_eq!(peer.out(), [10, 20, 30, 11, 31, 12, 32, 13]);
}

#[test]
fn a_room_with_much_does_not_keep_others_waiting() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(events(0..50, 1_500), true);
    peer.nudged("b");
    peer.pull(few(100..101), false);
    assert!(peer.sent[0].2.body.len() < 90_000);
    let first = peer.out();
    assert!((50..60).contains(&(90_000 / 1_520)) && first.len() == 50, "{}", first.len());
    peer.answered(Ok(taken()));
    assert_eq!(peer.out(), [100]);
}

#[test]
fn bodies_stay_below_90_kb() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(events(0..10, 40_000), false);
    let mut seen = Vec::new();
    while let Some((_, _, request)) = peer.sent.front() {
        assert!(request.body.len() < 90_000);
        seen.extend(numbers(request));
        peer.answered(Ok(taken()));
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_refuses_the_size_gets_half() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(events(0..8, 1_000), false);
    let too_large = || Ok(Failure::of(ErrorCode::TooLarge, "too large").to_response());
    assert_eq!(peer.out().len(), 8);
    peer.answered(too_large());
    assert_eq!(peer.out(), [0, 1, 2]);
    peer.answered(too_large());
    assert_eq!(peer.out(), [0]);
    peer.answered(too_large());
    assert_eq!(peer.out(), [1], "what is too large by itself is refused");
    for number in 2..8 {
        peer.answered(Ok(taken()));
        assert_eq!(peer.out(), [number]);
    }
    peer.answered(Ok(taken()));
    let (_, delivered) = peer.pull(vec![], false);
    let refused = delivered.unwrap().refused;
    assert_eq!(
        refused.iter().map(|(id, failure)| (*id, failure.code)).collect::<Vec<_>>(),
        [(id(0), ErrorCode::TooLarge)]
    );
}

#[test]
fn an_event_that_spoils_transactions_is_found_and_dropped() {
    for status in [400, 500] {
        let mut peer = peer();
        peer.nudged("a");
        peer.pull(few(0..4), false);
        peer.answered(Ok(Response { status, body: br#"{"errcode":"M_UNKNOWN","error":"oops"}"#.to_vec() }));
        assert_eq!(peer.pull(few(0..4), false).1, None, "what may have been taken is looked at again");
        for number in 0..4 {
            assert_eq!(peer.out(), [number]);
            let spoilt = Ok(Response { status: 400, body: br#"{"errcode":"M_BAD_JSON","error":"this one"}"#.to_vec() });
            peer.answered(if number == 2 { spoilt } else { Ok(taken()) });
        }
        let (_, delivered) = peer.pull(few(4..6), false);
        assert_eq!(delivered.unwrap().refused[0].0, id(2));
        assert_eq!(peer.out(), [4, 5], "then together again");
    }
}

#[test]
fn a_server_that_fails_at_one_event_does_not_fail_the_other_rooms() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..1), false);
    peer.nudged("b");
    peer.pull(few(10..11), false);
    let broken = || Ok(Response { status: 500, body: b"{}".to_vec() });
    peer.answered(broken());
    peer.sleep();
    assert_eq!(peer.out(), [10], "the next attempt is another room's turn");
    peer.answered(Ok(taken()));
    assert_eq!(peer.pull(few(0..1), false).0, room("a"));
    assert_eq!(peer.out(), [0]);
}

#[test]
fn a_peer_that_cannot_be_reached_is_tried_again_and_again_with_growing_pauses() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..2), false);
    let (target, sent) = (peer.target(), peer.sent[0].2.body.clone());
    let mut pauses = Vec::new();
    for _ in 0..15 {
        peer.answered(Err(SendError::Unreachable));
        pauses.push(peer.sleep());
        assert_eq!(peer.pull(few(0..2), false), (room("a"), None));
        assert_eq!((peer.target(), &peer.sent[0].2.body), (target.clone(), &sent), "the same transaction");
    }
    for (attempt, pause) in (1..).zip(&pauses) {
        let longest = (1_000_u64 << attempt).min(3_600_000);
        assert!((longest / 2..=longest).contains(pause), "{attempt}: {pause}");
    }
    assert!(pauses.iter().collect::<BTreeSet<_>>().len() > 8, "spread: {pauses:?}");
    peer.answered(Ok(taken()));
    assert_eq!(peer.pull(vec![], false).1.unwrap().position, 2);
}

#[test]
fn before_an_lpdu_is_repeated_its_echo_is_looked_for() {
    let mut peer = peer();
    peer.nudged("a");
    peer.nudged("b");
    peer.pull(few(0..3), false);
    peer.pull(few(10..11), false);
    peer.answered(Ok(taken()));
    // The first transaction had only room a's. Now b's and a's next are out together.
    peer.pull(few(3..5), false);
    peer.answered(Ok(taken()));
    assert_eq!(peer.out(), [3, 4]);
    let before = peer.target();
    peer.answered(Err(SendError::TimedOut));
    peer.pull(vec![], false);
    peer.sleep();
    // The echo of event 3 has come.
    peer.pull(few(4..6), false);
    assert_eq!(peer.out(), [4, 5]);
    assert_ne!(peer.target(), before, "another transaction");
}

#[test]
fn all_that_was_taken_after_all_is_not_sent_again() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..2), false);
    peer.answered(Err(SendError::TimedOut));
    peer.sleep();
    peer.pull(vec![], false);
    assert!(peer.sent.is_empty() && peer.asked.is_empty());
    assert!(peer.machine.outbox.sending.is_none());
}

#[test]
fn the_echo_of_an_event_is_served_before_the_answer_to_the_request_that_sent_it() {
    let mut peer = peer();
    peer.nudged("r");
    peer.pull(few(0..2), false);
    assert_eq!(peer.out(), [0, 1]);
    let (echo, echo_id) = message("r", 7);
    let ticket = peer.arrives(transaction("echo", &[echo]));
    assert_eq!(peer.receiving(), [(room("r"), 1)]);
    peer.takes(&[echo_id]);
    assert_eq!(text(&peer.response(ticket)), r#"{"failed_pdus":{}}"#);
    peer.answered(Ok(taken()));
    assert!(peer.pull(vec![], false).1.is_some());
}

#[test]
fn what_our_users_said_and_the_hub_had_no_time_for_is_sent_again_a_few_times() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull_from(Shelf::Pending, few(0..3), false);
    for wait in [5_000, 10_000] {
        peer.answered(Ok(refused(1, ErrorCode::BadState)));
        assert!(peer.sent.is_empty(), "not at once");
        assert_eq!(peer.pull_from(Shelf::Pending, few(0..3), false).1, None);
        assert_eq!(peer.sleep(), wait);
        assert_eq!(peer.out(), [1], "the others were taken");
    }
    peer.answered(Ok(refused(1, ErrorCode::BadState)));
    let delivered = peer.pull(vec![], false).1.unwrap();
    assert_eq!(delivered.refused[0].0, id(1));
}

#[test]
fn an_event_of_the_log_that_the_peer_cannot_deal_with_is_sent_ever_more_rarely() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..1), false);
    for wait in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        peer.answered(Ok(refused(0, ErrorCode::BadState)));
        assert_eq!(peer.pull(few(0..1), false).1, None);
        assert_eq!(peer.sleep(), wait);
        assert_eq!(peer.out(), [0]);
    }
    peer.answered(Ok(taken()));
    assert!(peer.pull(vec![], false).1.unwrap().refused.is_empty());
}

#[test]
fn what_our_users_said_is_looked_at_again_when_the_room_says_so() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull_from(Shelf::Pending, few(0..1), false);
    assert_eq!(peer.out(), [0]);
    peer.nudged("b");
    peer.pull_from(Shelf::Pending, few(1..3), false);
    // Meanwhile one of them was made anew for another hub.
    peer.nudged("b");
    assert!(peer.pull_from(Shelf::Pending, few(2..3), false).1.is_none());
    peer.answered(Ok(taken()));
    assert!(peer.pull(vec![], false).1.is_some());
    assert_eq!(peer.out(), [2]);
}

#[test]
fn a_bad_state_with_a_head_is_a_refusal() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..1), false);
    let body =
        format!(r#"{{"failed_pdus":{{"{}":{{"errcode":"M_BAD_STATE","error":"moved","head":"{}"}}}}}}"#, id(0), id(9));
    peer.answered(Ok(Response::ok(body)));
    let delivered = peer.pull(vec![], false).1.unwrap();
    assert_eq!(delivered.refused[0].1.head, Some(id(9)));
}

#[test]
fn busy_and_limited_peers_get_the_same_transaction_later() {
    let mut limit = Failure::of(ErrorCode::LimitExceeded, "slow down");
    limit.retry_after_ms = Some(120_000);
    let answers = [
        (Failure::of(ErrorCode::BadState, "busy").to_response(), 500..=2_000),
        (limit.to_response(), 120_000..=120_000),
        (Response { status: 503, body: vec![] }, 500..=2_000),
        (Response { status: 401, body: b"{}".to_vec() }, 500..=2_000),
        (Response { status: 200, body: b"<html>".to_vec() }, 500..=2_000),
    ];
    for (answer, expected) in answers {
        let mut peer = peer();
        peer.nudged("a");
        peer.pull(few(0..2), false);
        let target = peer.target();
        peer.answered(Ok(answer));
        let pause = peer.sleep();
        assert!(expected.contains(&pause), "{pause}");
        peer.pull(few(0..2), false);
        assert_eq!((peer.out().len(), peer.target()), (2, target));
    }
}

/// A peer that is owed an event, and that has not been reached so often that the next attempt is far away.
fn long_unreachable() -> Peer {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..1), false);
    for _ in 0..12 {
        peer.answered(Err(SendError::Unreachable));
        peer.sleep();
        peer.pull(few(0..1), false);
    }
    peer.answered(Err(SendError::Unreachable));
    peer
}

#[test]
fn a_sign_of_life_brings_the_next_attempt_forward() {
    let mut peer = long_unreachable();
    assert!(peer.wake.unwrap().millis() - peer.now > 1_000_000);
    peer.now += 4_000;
    let ticket = peer.arrives(request("GET", &format!("{PREFIX}/event/{}", id(1)), ""));
    let _ = (0..9).map_while(|_| peer.asked.pop_front()).count();
    assert!(peer.sent.is_empty());
    assert_eq!(peer.sleep(), 1_000, "but not sooner than 5 seconds after the last one");
    let _ = peer.answer(ticket);
    assert!(matches!(peer.asked[0].2, Call::Room(RoomCall::Pull { .. })));
}

#[test]
fn what_a_local_user_says_is_tried_soon() {
    let mut peer = long_unreachable();
    peer.now += 4_000;
    peer.nudged("b");
    assert!(peer.sleep() > 1_000_000, "what others say is not");
    let mut peer = long_unreachable();
    peer.now += 4_000;
    assert_eq!(peer.ask(Call::Peer(PeerCall::Said(room("b")))), Answer::Done);
    assert!(peer.sent.is_empty());
    assert_eq!(peer.sleep(), 1_000, "not sooner than 5 seconds after the last attempt");
    assert!(peer.asked.iter().any(|(_, _, call)| matches!(call, Call::Room(RoomCall::Pull { .. }))));
}

#[test]
fn a_clock_that_is_set_back_ends_the_wait() {
    let mut peer = long_unreachable();
    peer.now -= 86_400_000;
    peer.nudged("a");
    peer.pull(few(0..1), false);
    assert_eq!(peer.out(), [0]);
    peer.answered(Err(SendError::Unreachable));
    assert!(peer.wake.unwrap().millis() - peer.now <= 3_600_000, "the next wait is as long as any");
}

#[test]
fn a_new_link_ends_the_wait() {
    let mut peer = long_unreachable();
    assert_eq!(peer.ask(Call::Peer(PeerCall::Reached)), Answer::Done);
    assert!(matches!(peer.asked[0].2, Call::Room(RoomCall::Pull { .. })), "at once");
}

#[test]
fn what_is_owed_goes_out_after_a_restart() {
    let mut peer = peer();
    peer.nudged("a");
    peer.nudged("b");
    peer.pull(few(0..1), false);
    let lost = peer.target();
    let mut peer = reopened(peer);
    assert_eq!(peer.asked.len(), 2);
    peer.pull(few(0..1), false);
    peer.pull(few(10..11), false);
    assert_eq!(peer.out(), [0]);
    assert_ne!(peer.target(), lost);
}

#[test]
fn a_nudge_is_answered_when_it_is_durable_and_written_once() {
    let mut peer = peer();
    peer.hold_commits = true;
    let ticket = peer.begin(Call::Peer(PeerCall::Nudge(room("a"))));
    assert_eq!(peer.answer(ticket), None);
    peer.commit();
    assert_eq!(peer.answer(ticket), Some(Answer::Done));
    peer.pull(few(0..1), false);
    peer.answered(Ok(taken()));
    peer.pull(vec![], false);
    peer.nudged("a");
    assert_eq!(peer.commits, 1);
}

#[test]
fn a_room_that_owes_nothing_for_a_minute_is_not_pulled_after_a_restart() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(vec![], false);
    assert_eq!(peer.sleep(), 60_000);
    let peer = reopened(peer);
    assert!(peer.asked.is_empty());
}

#[test]
fn a_debt_known_from_the_rows_alone_is_forgotten_once_it_is_found_paid() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(vec![], false);
    // Lost before the minute was over, as at the edge an object is that nobody speaks to.
    let mut peer = reopened(peer);
    peer.pull(vec![], false);
    assert_eq!(peer.wake, None, "it would be lost again before the next minute was over, and so for ever");
    let peer = reopened(peer);
    assert!(peer.asked.is_empty());
}

#[test]
fn rooms_that_cannot_answer_are_asked_later() {
    let mut peer = peer();
    peer.nudged("a");
    peer.reply(Answer::Unavailable);
    assert_eq!(peer.sleep(), 1_000);
    peer.reply(Answer::Refused(Failure::of(ErrorCode::Unknown, "broken")));
    assert_eq!(peer.sleep(), 600_000);
    peer.pull(few(0..1), false);
    peer.answered(Ok(taken()));
    peer.reply(Answer::Unavailable);
    peer.sleep();
    let (_, delivered) = peer.pull(vec![], false);
    assert_eq!(delivered.unwrap().position, 1, "what was delivered is told until it is heard");
}

#[test]
fn an_empty_stretch_of_the_log_is_passed_over() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(vec![], true);
    assert_eq!(peer.sleep(), 1_000);
    let (_, delivered) = peer.pull(few(0..1), false);
    assert!(delivered.is_some());
    assert_eq!(peer.out(), [0]);
}

#[test]
fn requests_of_other_machines_go_out_beside_transactions() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..1), false);
    let fetch =
        |target: &str| Call::Peer(PeerCall::Fetch { method: http::Method::GET, target: target.into(), body: None });
    let (first, second) = (peer.begin(fetch("/a")), peer.begin(fetch("/b")));
    assert_eq!(peer.sent.len(), 3);
    peer.sent.rotate_left(1);
    peer.answered(Ok(Response { status: 404, body: b"{}".to_vec() }));
    assert_eq!(peer.answer(first), Some(Answer::Response(Response { status: 404, body: b"{}".to_vec() })));
    peer.answered(Err(SendError::TimedOut));
    assert_eq!(peer.answer(second), Some(Answer::Unreachable(SendError::TimedOut)));
    let request =
        Call::Peer(PeerCall::Fetch { method: http::Method::POST, target: "/c".into(), body: Some(content("{}")) });
    peer.begin(request);
    let (_, _, request) = peer.sent.back().unwrap();
    assert_eq!((request.body.as_slice(), request.headers[0].1.as_str()), (&b"{}"[..], "application/json"));
}

#[test]
fn a_platforms_key_signs_what_goes_out() {
    use crate::{
        id::KeyId,
        server::{Identity, Routes, Signer, peer::PeerMachine},
        store::memory::MemoryStore,
        testing::{Driver, server, signing_key},
    };
    let key = signing_key("us.example");
    let signer = Signer::Platform(key.public());
    let identity = Identity::new(server("us.example"), KeyId::parse("ed25519:1").unwrap(), signer, vec![]);
    let machine = PeerMachine::new(identity, Routes::new(), server(THEM), Ticket(1));
    let mut signed = Driver::new(machine, MemoryStore::new(), vec![]);
    signed.platform = Some(key);
    let mut held = peer();
    for peer in [&mut signed, &mut held] {
        let fetch = PeerCall::Fetch { method: http::Method::GET, target: "/a".into(), body: None };
        peer.begin(Call::Peer(fetch));
        peer.nudged("a");
        peer.pull(few(0..1), false);
    }
    assert_eq!(signed.sent[0].2, held.sent[0].2, "the same signature");
    assert_eq!(numbers(&signed.sent[1].2), [0]);
    // A platform that gives no signature delays, and loses nothing.
    let fetch = PeerCall::Fetch { method: http::Method::GET, target: "/a".into(), body: None };
    signed.hold_signatures = true;
    let ticket = signed.begin(Call::Peer(fetch));
    signed.sign(vec![]);
    assert_eq!(signed.answer(ticket), Some(Answer::Unavailable));
    signed.sent.pop_front();
    signed.answered(Ok(taken()));
    signed.pull(few(1..2), false);
    signed.sign(vec![]);
    signed.hold_signatures = false;
    assert!(signed.sent.is_empty());
    signed.sleep();
    assert_eq!(signed.out(), [1]);
}

#[test]
fn fan_out_to_a_joining_server_waits_for_its_send_join_answer() {
    use crate::testing::lpdu;
    let member = "@ann:them.example";
    let join = lpdu(&room("a"), member, "us.example", "m.room.member", Some(member), r#"{"membership":"join"}"#, 5);
    let body = String::from_utf8(join.bytes().to_vec()).unwrap();
    let mut peer = peer();
    let ticket = peer.arrives(request("POST", &format!("{PREFIX}/send_join/t"), &body));
    // The room appends the join, and tells at once that there is something to send; another room has something too.
    peer.nudged("a");
    peer.nudged("b");
    peer.asked.rotate_left(1);
    peer.pull(few(0..1), false);
    peer.pull(few(10..11), false);
    assert_eq!(peer.out(), [10], "other rooms do not wait");
    peer.answered(Ok(taken()));
    peer.asked.rotate_left(1);
    peer.pull(vec![], false);
    assert!(peer.sent.is_empty());
    peer.hold_commits = true;
    peer.reply(Answer::Response(Response::ok(*b"{}")));
    assert!(peer.sent.is_empty() && peer.answer(ticket).is_none(), "the answer waits to be durable");
    peer.commit();
    assert!(peer.answer(ticket).is_some());
    assert_eq!(peer.out(), [0]);
}

#[test]
fn a_refusal_that_names_events_is_theirs_alone() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull(few(0..3), false);
    let named = Response { status: 400, ..refused(1, ErrorCode::Forbidden) };
    peer.answered(Ok(named));
    assert_eq!(peer.pull(few(0..3), false).1, None, "whether the others were taken is looked at");
    assert_eq!(peer.out(), [0, 2]);
    peer.answered(Ok(taken()));
    let delivered = peer.pull(vec![], false).1.unwrap();
    assert_eq!(delivered.refused.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1)]);
}

#[test]
fn a_nudge_while_rooms_are_asked_again_sends_nothing_twice() {
    let mut peer = peer();
    peer.nudged("a");
    peer.pull_from(Shelf::Pending, few(0..2), false);
    assert_eq!(peer.out(), [0, 1]);
    peer.answered(Err(SendError::Unreachable));
    peer.sleep();
    // It is time: the room is being asked whether it still owes them, and says meanwhile that there is more.
    peer.nudged("a");
    peer.pull_from(Shelf::Pending, few(0..3), false);
    while !peer.asked.is_empty() {
        peer.pull_from(Shelf::Pending, few(0..3), false);
    }
    assert_eq!(peer.out(), [0, 1], "the same transaction");
    peer.answered(Ok(taken()));
    while !peer.asked.is_empty() {
        peer.pull_from(Shelf::Pending, few(0..3), false);
    }
    assert_eq!(peer.out(), [2], "the others were taken");
}
