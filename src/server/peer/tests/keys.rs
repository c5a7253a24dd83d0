//! Keys for other machines, and for others as their notary.

use alloc::{format, string::String, vec, vec::Vec};

use crate::{
    crypto::PreparedKey,
    event::{add_signature, verify_object},
    id::{KeyId, Timestamp},
    server::{
        Address, Answer, Call, ErrorCode, KeyNeeds, PeerCall, Response, SendError,
        peer::harness::{START, THEM, key_document, peer, reopened, request, stranger, verdict},
    },
    testing::{content, keys_of, server, signing_key},
};

const NOTARY: &str = "notary.example";

fn needs(ids: &[&str], notary: Option<&str>) -> Call {
    Call::Peer(PeerCall::Keys(KeyNeeds {
        server: server(THEM),
        key_ids: ids.iter().map(|id| KeyId::parse(id).unwrap()).collect(),
        notary: notary.map(server),
    }))
}

fn known(answer: Option<Answer>) -> Option<Vec<String>> {
    match answer? {
        Answer::Keys(keys) => Some(keys.keys.iter().map(|key| format!("{}", key.id)).collect()),
        other => panic!("{other:?}"),
    }
}

/// A notary's answer about the peer, signed by the server named.
fn notarised(signer: &str) -> Response {
    let document = content(core::str::from_utf8(&key_document(THEM).body).unwrap());
    let signed = add_signature(&document, signer, "ed25519:1", &signing_key(signer)).unwrap();
    Response::ok(format!(r#"{{"server_keys":[{}]}}"#, signed.text()))
}

#[test]
fn known_keys_are_given_at_once_and_unknown_ones_fetched() {
    let mut peer = peer();
    let ticket = peer.begin(needs(&["ed25519:1"], None));
    assert_eq!(known(peer.answer(ticket)), Some(vec!["ed25519:1".into()]));
    let ticket = peer.begin(needs(&["ed25519:2"], None));
    assert_eq!(peer.sent.len(), 1);
    peer.answered(Ok(key_document(THEM)));
    assert_eq!(known(peer.answer(ticket)), Some(vec!["ed25519:1".into()]), "what is known, though it does not suffice");
}

#[test]
fn a_notary_is_asked_after_the_server_and_believed_if_it_signed() {
    for (signer, expected) in [(NOTARY, 1), ("third.example", 0)] {
        let mut peer = stranger();
        let ticket = peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
        peer.answered(Err(SendError::Unreachable));
        let (_, to, request) = &peer.sent[0];
        assert_eq!((to.as_str(), request.target.as_str()), (NOTARY, "/_matrix/key/v2/query"));
        let query = format!(r#"{{"server_keys":{{"{THEM}":{{"ed25519:1":{{"minimum_valid_until_ts":{START}}}}}}}}}"#);
        assert_eq!(request.body, query.as_bytes());
        peer.answered(Ok(notarised(signer)));
        let (_, to, call) = &peer.asked[0];
        assert_eq!(*to, Address::Peer(server(NOTARY)));
        assert!(matches!(call, Call::Peer(PeerCall::Keys(_))));
        peer.reply(Answer::Keys(keys_of(NOTARY)));
        assert_eq!(known(peer.answer(ticket)).unwrap().len(), expected, "{signer}");
        let mut peer = reopened(peer);
        let ticket = peer.begin(needs(&["ed25519:1"], None));
        assert_eq!(peer.answer(ticket).is_some(), expected == 1, "kept for ever");
    }
}

#[test]
fn a_hub_that_makes_up_keys_cannot_speak_for_their_server() {
    // The notary is whoever is the hub of some room, and the server says nothing.
    let mut peer = stranger();
    peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
    peer.answered(Err(SendError::Unreachable));
    peer.answered(Ok(notarised(NOTARY)));
    peer.reply(Answer::Keys(keys_of(NOTARY)));
    let target = "/_matrix/federation/v1/query/profile?user_id=@a:us.example";
    peer.now += 600_000;
    let ticket = peer.arrives(request("GET", target, ""));
    peer.answered(Err(SendError::Unreachable));
    assert_eq!(
        verdict(&peer.response(ticket)),
        (401, Some(ErrorCode::Forbidden)),
        "a request proves nothing by that key"
    );
    // Nor do we pass on as the server's own word what the notary said.
    peer.now += 600_000;
    let ticket = peer.begin(Call::Peer(PeerCall::Notarise { minimum_valid_until: Timestamp::new(START) }));
    peer.answered(Err(SendError::Unreachable));
    assert_eq!(peer.response(ticket).status, 404);
}

#[test]
fn a_slow_server_leaves_time_for_its_notary() {
    let mut peer = stranger();
    let ticket = peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
    peer.wake_after(2_500);
    assert_eq!(peer.sent.len(), 2);
    peer.sent.rotate_left(1);
    peer.answered(Ok(notarised(NOTARY)));
    peer.reply(Answer::Keys(keys_of(NOTARY)));
    assert_eq!(known(peer.answer(ticket)).unwrap().len(), 1);
}

#[test]
fn nobody_waits_longer_than_5_seconds_whatever_fails() {
    let mut peer = stranger();
    let first = peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
    peer.wake_after(1_000);
    let second = peer.begin(needs(&["ed25519:1"], None));
    peer.wake_after(1_500);
    assert_eq!(peer.sent.len(), 2);
    peer.wake_after(2_500);
    assert_eq!((known(peer.answer(first)), peer.answer(second)), (Some(vec![]), None));
    peer.wake_after(1_000);
    assert_eq!(known(peer.answer(second)), Some(vec![]));
    peer.now += 2_000;
    let third = peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
    assert_eq!(
        (known(peer.answer(third)), peer.sent.len()),
        (Some(vec![]), 2),
        "neither is asked again for 10 minutes"
    );
    assert!(peer.wake.is_none_or(|at| at.millis() <= peer.now), "nothing is left to wait for");
    peer.answered(Err(SendError::TimedOut));
    peer.answered(Err(SendError::TimedOut));
    peer.now += 600_000;
    peer.begin(needs(&["ed25519:1"], Some(NOTARY)));
    assert_eq!(peer.sent.len(), 1);
}

#[test]
fn we_are_no_notary_for_ourselves() {
    let mut peer = stranger();
    let ticket = peer.begin(needs(&["ed25519:1"], Some("us.example")));
    peer.answered(Err(SendError::Unreachable));
    assert_eq!((known(peer.answer(ticket)), peer.sent.len()), (Some(vec![]), 0));
}

#[test]
fn as_a_notary_we_sign_what_the_server_said() {
    let notarise = |until| Call::Peer(PeerCall::Notarise { minimum_valid_until: Timestamp::new(until) });
    let mut peer = stranger();
    let ticket = peer.begin(notarise(START));
    peer.answered(Ok(key_document(THEM)));
    for _ in 0..2 {
        let Some(Answer::Response(response)) = peer.answer(ticket).or_else(|| Some(peer.ask(notarise(START)))) else {
            panic!()
        };
        let document = content(core::str::from_utf8(&response.body).unwrap());
        for signer in [THEM, "us.example"] {
            let key = PreparedKey::prepare(&signing_key(signer).public()).unwrap();
            assert_eq!(verify_object(document.root(), signer, "ed25519:1", &key), Ok(()), "{signer}");
        }
        peer = reopened(peer);
    }
    // Nobody can give more than there is.
    peer.begin(notarise(START * 2));
    assert_eq!(peer.sent.len(), 1, "asked anew");

    let mut peer = stranger();
    let ticket = peer.begin(notarise(START));
    peer.answered(Err(SendError::Unreachable));
    assert_eq!(verdict(&peer.response(ticket)), (404, Some(ErrorCode::NotFound)));
}

#[test]
fn our_own_keys_are_not_looked_up() {
    use crate::{
        server::{Routes, Ticket, peer::PeerMachine},
        store::memory::MemoryStore,
        testing::{Driver, identity},
    };
    let machine = PeerMachine::new(identity("us.example"), Routes::new(), server("us.example"), Ticket(1));
    let mut ourselves = Driver::new(machine, MemoryStore::new(), vec![]);
    for id in ["ed25519:1", "ed25519:2"] {
        let ticket = ourselves.begin(needs(&[id], Some(NOTARY)));
        assert_eq!(known(ourselves.answer(ticket)), Some(vec!["ed25519:1".into()]));
    }
    assert!(ourselves.sent.is_empty());
}

#[test]
fn a_server_that_makes_up_keys_fills_no_store() {
    use crate::{
        json::write_object,
        store::{Query, Table},
    };
    let mut peer = peer();
    for round in 0..4 {
        let mut document = vec::Vec::new();
        write_object(&mut document, |out| {
            out.object("old_verify_keys", |old| {
                for number in 0..200 {
                    let name = format!("ed25519:old{}", 1_000 + round * 200 + number);
                    let key = crate::id::base64::encode(&signing_key(&name).public());
                    old.object(&name, |entry| {
                        entry.int("expired_ts", i64::from(round * 200 + number));
                        entry.string("key", &key);
                    });
                }
            });
            out.string("server_name", THEM);
            out.int("valid_until_ts", i64::try_from(START * 2).unwrap());
            out.object("verify_keys", |keys| {
                let key = crate::id::base64::encode(&signing_key(THEM).public());
                keys.object("ed25519:1", |entry| entry.string("key", &key));
            });
        });
        let document = content(core::str::from_utf8(&document).unwrap());
        let signed = add_signature(&document, THEM, "ed25519:1", &signing_key(THEM)).unwrap();
        peer.now += 3_600_000;
        peer.begin(needs(&["ed25519:unknown"], None));
        peer.answered(Ok(Response::ok(signed.text())));
    }
    let rows = peer.store.read(&Query::all(Table::Keys));
    assert_eq!(rows.len(), crate::server::keys::MOST_KEYS);
    let mut peer = reopened(peer);
    let ticket = peer.begin(needs(&["ed25519:1", "ed25519:old1799"], None));
    assert_eq!(known(peer.answer(ticket)).unwrap().len(), rows.len(), "the present key and the newest stay");
}
