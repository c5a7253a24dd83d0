//! Whose request it is: keys are known, fetched, or cannot be had.

use crate::{
    server::{
        Answer, Call, ErrorCode, Response, SendError,
        keys::record,
        peer::harness::{
            START, THEM, US, key, key_document, over, peer, reopened, request, signed_by, stranger, verdict,
        },
    },
    store::{WriteBatch, memory::MemoryStore},
};

const PROFILE: &str = "/_matrix/federation/v1/query/profile?user_id=@a:us.example";

#[test]
fn a_strangers_key_is_fetched_once_and_kept() {
    let mut peer = stranger();
    let first = peer.arrives(request("GET", PROFILE, ""));
    let second = peer.arrives(request("GET", PROFILE, ""));
    assert_eq!(peer.sent.len(), 1);
    let (_, to, sent) = &peer.sent[0];
    assert_eq!((to.as_str(), sent.target.as_str(), sent.headers.len()), (THEM, "/_matrix/key/v2/server", 0));
    peer.answered(Ok(key_document(THEM)));
    assert_eq!(peer.asked.len(), 2, "both requests go on");
    for ticket in [first, second] {
        peer.reply(Answer::Response(Response::ok(*b"{}")));
        assert_eq!(peer.response(ticket).status, 200);
    }
    let mut peer = reopened(peer);
    peer.arrives(request("GET", PROFILE, ""));
    assert!(peer.sent.is_empty());
    assert!(matches!(peer.asked.pop_front(), Some((_, _, Call::Account(_)))));
}

#[test]
fn spec_6_keys_a_server_that_failed_is_left_alone_for_10_minutes() {
    let unusable = [
        Err(SendError::Unreachable),
        Ok(Response { status: 404, body: b"{}".to_vec() }),
        Ok(Response::ok(*b"<html>")),
        Ok(key_document("third.example")),
    ];
    for answer in unusable {
        let mut peer = stranger();
        let ticket = peer.arrives(request("GET", PROFILE, ""));
        peer.answered(answer);
        assert_eq!(verdict(&peer.response(ticket)), (401, Some(ErrorCode::Forbidden)));
        peer.now += 599_000;
        assert_eq!(peer.verdict(request("GET", PROFILE, "")).0, 401);
        assert!(peer.sent.is_empty());
        peer.now += 1_000;
        peer.arrives(request("GET", PROFILE, ""));
        assert_eq!(peer.sent.len(), 1);
    }
}

#[test]
fn spec_6_keys_a_look_up_waits_5_seconds_and_a_late_answer_is_still_learned() {
    let mut peer = stranger();
    let ticket = peer.arrives(request("GET", PROFILE, ""));
    peer.wake_after(4_999);
    assert_eq!(peer.answer(ticket), None);
    assert_eq!(peer.wake.unwrap().millis(), START + 5_000);
    peer.wake_after(1);
    assert_eq!(peer.response(ticket).status, 401);
    peer.answered(Ok(key_document(THEM)));
    peer.arrives(request("GET", PROFILE, ""));
    assert_eq!((peer.sent.len(), peer.asked.len()), (0, 1));
}

#[test]
fn a_lapsed_key_is_no_proof_until_it_is_fetched_anew() {
    let (mut store, mut batch) = (MemoryStore::new(), WriteBatch::new());
    record::put(&key(START - 1), &mut batch);
    store.apply(batch);
    let mut peer = over(store);
    let ticket = peer.arrives(request("GET", PROFILE, ""));
    assert_eq!(peer.sent.len(), 1);
    peer.answered(Err(SendError::TimedOut));
    assert_eq!(peer.response(ticket).status, 401);
    peer.now += 600_000;
    peer.arrives(request("GET", PROFILE, ""));
    peer.answered(Ok(key_document(THEM)));
    assert_eq!(peer.asked.len(), 1);
}

#[test]
fn an_unknown_key_id_does_not_make_us_ask_again_and_again() {
    let mut peer = peer();
    let unknown = || signed_by(THEM, "ed25519:other", "GET", PROFILE, "");
    let ticket = peer.arrives(unknown());
    peer.answered(Ok(key_document(THEM)));
    assert_eq!(peer.response(ticket).status, 401);
    assert_eq!(peer.verdict(unknown()).0, 401);
    assert!(peer.sent.is_empty());
}

#[test]
fn a_key_name_is_proved_without_any_look_up() {
    use crate::{
        crypto::SigningKey,
        id::{KeyId, ServerName},
        server::{PeerCall, Request, Routes, Ticket, peer::PeerMachine, x_matrix},
        testing::{Driver, identity, server},
    };
    let secret = SigningKey::from_seed(&[9; 32]);
    let name = ServerName::key_name_of(&secret.public()).unwrap();
    let mut peer = Driver::new(
        PeerMachine::new(identity(US), Routes::new(), name.clone(), Ticket(1)),
        MemoryStore::new(),
        alloc::vec![],
    );
    peer.profile = None;
    let mut ask = |key: &str| {
        let input = x_matrix::signing_input(&http::Method::GET, PROFILE, &name, &server(US), None);
        let value = x_matrix::header(&name, &server(US), &KeyId::parse(key).unwrap(), &secret.sign(&input));
        let headers = alloc::vec![("Authorization".into(), value)];
        let request = Request { method: http::Method::GET, target: PROFILE.into(), headers, body: alloc::vec![] };
        let ticket = peer.begin(Call::Peer(PeerCall::Serve(alloc::boxed::Box::new(request))));
        assert!(peer.sent.is_empty());
        (peer.answer(ticket).is_some(), peer.asked.pop_front().is_some())
    };
    assert_eq!(ask("ed25519:key"), (false, true), "it goes on to the user");
    assert_eq!(ask("ed25519:1"), (true, false), "no other key is its own");
}

#[test]
fn strangers_cannot_fill_the_memory_with_what_waits_for_keys() {
    let mut peer = stranger();
    let body = alloc::format!(r#"{{"pdus":[],"x":"{}"}}"#, "x".repeat(4_000_000));
    let large = || request("PUT", "/_matrix/federation/v2/send/t", &body);
    for _ in 0..5 {
        peer.arrives(large());
    }
    assert_eq!(peer.verdict(large()), (429, Some(ErrorCode::LimitExceeded)));

    // A small text may hold many values, and each takes its memory.
    let mut peer = stranger();
    let list = |values: usize| alloc::format!(r#"{{"pdus":[],"x":[0{}]}}"#, ",0".repeat(values));
    let many = request("PUT", "/_matrix/federation/v2/send/t", &list(600_000));
    for _ in 0..2 {
        peer.arrives(many.clone());
    }
    let too_many = crate::server::Request { body: list(1_100_000).into(), ..many.clone() };
    assert_eq!(peer.verdict(many), (429, Some(ErrorCode::LimitExceeded)));
    assert_eq!(stranger().verdict(too_many), (413, Some(ErrorCode::TooLarge)));
}
