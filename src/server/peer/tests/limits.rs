//! What a peer, or somebody in its name, may cost us over time (spec, section 6).

use alloc::{format, string::String, vec::Vec};

use crate::{
    id::EventId,
    server::{
        Answer, ErrorCode, Failure, Outcome, Response,
        peer::harness::{Peer, START, key_document, message, peer, request, room, signed_by, stranger, transaction},
    },
};

const PROFILE: &str = "/_matrix/federation/v1/query/profile?user_id=@a:us.example";

fn state() -> String {
    format!("/_matrix/federation/v1/state/{}?event_id={}", room("r"), EventId::from_hash([7; 32]))
}

/// Status, code and waiting time of an answer.
fn limited(response: &Response) -> (u16, ErrorCode, Option<u64>) {
    let failure = Failure::from_response(response);
    (response.status, failure.code, failure.retry_after_ms)
}

/// Whether a request goes on to a room or a user, which answers at once.
fn passes(peer: &mut Peer, target: &str) -> bool {
    let ticket = peer.arrives(request("GET", target, ""));
    let passes = !peer.asked.is_empty();
    if passes {
        peer.reply(Answer::Response(Response::ok(*b"{}")));
    }
    let response = peer.response(ticket);
    assert_eq!(response.status == 200, passes, "{response:?}");
    passes
}

/// The room takes or refuses the PDUs of a transaction; the answer.
fn sends(peer: &mut Peer, number: u64, count: u64, refused: bool) -> Response {
    let pdus: Vec<(String, EventId)> = (0..count).map(|place| message("r", place)).collect();
    let bodies: Vec<String> = pdus.iter().map(|(body, _)| body.clone()).collect();
    let ticket = peer.arrives(transaction(&format!("t{number}"), &bodies));
    if !peer.asked.is_empty() {
        let failure = refused.then(|| Failure::of(ErrorCode::Forbidden, "no"));
        let outcome = |(_, id): &(String, EventId)| Outcome { id: Some(*id), failure: failure.clone() };
        peer.reply(Answer::Outcomes(pdus.iter().map(outcome).collect()));
    }
    peer.response(ticket)
}

#[test]
fn reads_end_with_the_allowance_and_go_on_with_time() {
    let mut peer = peer();
    assert_eq!((0..201).filter(|_| passes(&mut peer, &state())).count(), 200);
    let ticket = peer.arrives(request("GET", &state(), ""));
    assert_eq!(limited(&peer.response(ticket)), (429, ErrorCode::LimitExceeded, Some(500)));
    assert_eq!(sends(&mut peer, 1, 3, false).status, 200, "what it sends is another matter");
    peer.now += 499;
    assert!(!passes(&mut peer, &state()));
    peer.now += 1;
    assert!(passes(&mut peer, &state()));
    peer.now += 3_600_000;
    assert_eq!((0..201).filter(|_| passes(&mut peer, &state())).count(), 200, "unused time is not saved up");
}

#[test]
fn a_server_that_keeps_to_the_rules_sends_as_much_as_it_likes() {
    let mut peer = peer();
    for number in 0..120 {
        let response = sends(&mut peer, number, 50, false);
        assert_eq!((response.status, &*response.body), (200, &br#"{"failed_pdus":{}}"#[..]), "{number}");
    }
    assert_eq!(peer.now, START, "at one moment");
}

#[test]
fn refused_events_are_paid_for() {
    let mut peer = peer();
    for number in 0..100 {
        assert_eq!(sends(&mut peer, number, 50, true).status, 200, "{number}");
    }
    assert_eq!(limited(&sends(&mut peer, 100, 1, false)), (429, ErrorCode::LimitExceeded, Some(50)));
    assert!(passes(&mut peer, PROFILE), "what it asks for is another matter");
    peer.now += 50;
    assert_eq!(sends(&mut peer, 100, 1, false).status, 200, "the same transaction, processed now");
}

#[test]
fn somebody_in_its_name_does_not_lock_a_server_out() {
    let mut peer = peer();
    let forged = || {
        let mut request = request("GET", PROFILE, "");
        request.target.push('x');
        request
    };
    for _ in 0..150 {
        assert_eq!(peer.verdict(forged()), (401, Some(ErrorCode::Forbidden)));
    }
    assert!(passes(&mut peer, PROFILE));
    assert_eq!(sends(&mut peer, 1, 1, false).status, 200);
    // A key that we do not know is still looked up when that is due, but nobody waits beside the first.
    let unknown = || signed_by("them.example", "ed25519:other", "GET", PROFILE, "");
    let first = peer.arrives(unknown());
    assert_eq!((peer.answer(first), peer.sent.len()), (None, 1));
    let (status, code, wait) = limited(&{
        let ticket = peer.arrives(unknown());
        peer.response(ticket)
    });
    assert_eq!((status, code), (429, ErrorCode::LimitExceeded));
    assert!(wait.is_some());
    peer.answered(Ok(key_document("them.example")));
    assert_eq!(peer.response(first).status, 401);
    assert_eq!(peer.verdict(unknown()).0, 429);
    assert!(peer.sent.is_empty(), "it has just been asked");
    peer.now += 200_000;
    let (one, two) = (peer.arrives(unknown()), peer.arrives(unknown()));
    assert_eq!((peer.answer(one), peer.answer(two), peer.sent.len()), (None, None, 1), "with time both wait again");
}

#[test]
fn a_stranger_whose_keys_are_not_known_yet_gets_in_beside_forgers() {
    let mut peer = stranger();
    for _ in 0..120 {
        let ticket = peer.arrives(signed_by("them.example", "ed25519:made_up", "GET", PROFILE, ""));
        peer.sent.clear();
        peer.wake_after(5_000);
        assert_ne!(peer.response(ticket).status, 200);
    }
    peer.now += 600_000;
    let ticket = peer.arrives(request("GET", PROFILE, ""));
    peer.answered(Ok(key_document("them.example")));
    peer.reply(Answer::Response(Response::ok(*b"{}")));
    assert_eq!(peer.response(ticket).status, 200);
}
