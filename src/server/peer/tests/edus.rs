//! EDUs both ways (spec, section 11).

use alloc::{format, string::String, vec, vec::Vec};

use crate::{
    crypto::PreparedKey,
    id::KeyId,
    server::{
        AccountCall, Address, Answer, Call, ErrorCode, Identity, Keep, Notification, PeerCall, Request, Response,
        RoomCall, Routes, SendError, Signer, Ticket,
        peer::{
            PeerMachine,
            harness::{Peer, THEM, US, peer, reopened, request, room, send_target, text},
        },
        x_matrix,
    },
    store::memory::MemoryStore,
    testing::{Driver, content, server, signing_key, user},
};

fn with_edus(id: &str, edus: &[&str]) -> Request {
    request("PUT", &send_target(id), &format!(r#"{{"edus":[{}],"pdus":[]}}"#, edus.join(",")))
}

fn to_device(fields: &str, target: &str, device: &str) -> String {
    let content = format!(
        r#"{{"message":{{"m":1}},"message_type":"m.room.encrypted","target":"{target}","target_device":"{device}"}}"#
    );
    format!(r#"{{"content":{content},"type":"m.direct_to_device",{fields}}}"#)
}

#[test]
fn messages_reach_the_devices_of_our_users_before_the_answer() {
    let mut peer = peer();
    let edus = [
        to_device(r#""sender":"@ann:them.example""#, "@bob:us.example", "DEV"),
        to_device(r#""sender_id":"@ann:them.example""#, "@bob:us.example", "*"),
        to_device(r#""sender":"@mal:third.example""#, "@bob:us.example", "DEV"),
        to_device(r#""sender":"@ann:them.example""#, "@bob:third.example", "DEV"),
        to_device(r#""sender":"@ann:them.example""#, "@bob:us.example", "not valid"),
        to_device(r#""sender":1"#, "@bob:us.example", "DEV"),
        r#"{"type":"m.direct_to_device","sender":"@ann:them.example"}"#.into(),
        r#"{"type":"unknown"}"#.into(),
        to_device(r#""sender":"@ann:them.example""#, "@bob:us.example", "*")
            .replace(r#""m":1"#, &format!(r#""m":"{}""#, "x".repeat(65_536))),
    ];
    let edus: Vec<_> = edus.iter().map(String::as_str).collect();
    let ticket = peer.arrives(with_edus("t", &edus));
    assert_eq!(peer.asked.len(), 1);
    let (_, to, call) = &peer.asked[0];
    assert_eq!(*to, Address::Account(user("@bob:us.example")));
    let Call::Account(AccountCall::ToDevice { messages }) = call else { panic!("{call:?}") };
    let message = content(r#"{"content":{"m":1},"sender":"@ann:them.example","type":"m.room.encrypted"}"#);
    let device = crate::id::DeviceId::parse("DEV").ok();
    assert_eq!(*messages, [(device, message.clone()), (None, message)]);
    assert_eq!(peer.answer(ticket), None, "not before they are durable");
    peer.reply(Answer::Done);
    assert_eq!(text(&peer.response(ticket)), r#"{"failed_pdus":{}}"#);
}

#[test]
fn what_is_said_in_rooms_goes_there_and_nobody_waits_for_it() {
    let mut peer = peer();
    let typing =
        r#"{"content":{"room_id":"!a:us.example","typing":true,"user_id":"@ann:them.example"},"edu_type":"m.typing"}"#;
    let receipt = r#"{"content":{"!a:us.example":{},"!b:us.example":{},"x":{}},"edu_type":"m.receipt"}"#;
    let data = |size: usize| {
        format!(
            r#"{{"content":{{"data":"{}","room_id":"!b:us.example"}},"edu_type":"hublet.ephemeral"}}"#,
            "x".repeat(size)
        )
    };
    let ticket = peer.arrives(with_edus("t", &[typing, receipt, &data(10), &data(4_096)]));
    assert_eq!(peer.response(ticket).status, 200);
    let given: Vec<_> = peer
        .asked
        .iter()
        .map(|(_, to, call)| match call {
            Call::Room(RoomCall::Ephemeral { edus, .. }) => (to.clone(), edus.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(given, [(Address::Room(room("a")), 2), (Address::Room(room("b")), 2)]);
}

#[test]
fn changed_devices_are_told_if_they_are_the_senders() {
    let mut peer = peer();
    let mine = r#"{"device_id":"D1","user_id":"@ann:them.example"}"#;
    let others = r#"{"device_id":"D2","user_id":"@eve:them.example"}"#;
    let update = |sender: &str| {
        format!(
            r#"{{"content":{{"changed":[{mine},{others},1],"removed":["D3","?",2]}},"sender":"{sender}","type":"m.device_list_update"}}"#
        )
    };
    let ticket = peer.arrives(with_edus("t", &[&update("@ann:them.example"), &update("@ann:third.example")]));
    assert_eq!(peer.response(ticket).status, 200);
    let expected = Notification::DevicesChanged {
        user: user("@ann:them.example"),
        changed: vec![content(mine)],
        removed: vec![crate::id::DeviceId::parse("D3").unwrap()],
    };
    assert_eq!(peer.told, [expected]);
}

impl Peer {
    fn edu(&mut self, body: &str, keep: Keep) -> Answer {
        self.ask(Call::Peer(PeerCall::Edu { edu: content(body), keep }))
    }

    /// The EDUs in the transaction that is out.
    fn edus_out(&self) -> Vec<String> {
        let body = content(core::str::from_utf8(&self.sent[0].2.body).unwrap());
        body.root().member("edus").unwrap().elements().map(|edu| String::from(edu.text())).collect()
    }
}

fn taken() -> Result<Response, SendError> {
    Ok(Response::ok(*b"{}"))
}

#[test]
fn lasting_edus_are_sent_in_order_until_they_are_taken() {
    let mut peer = peer();
    peer.edu(r#"{"n":0}"#, Keep::UntilTaken);
    let first = peer.sent[0].2.clone();
    for n in 1..4 {
        assert_eq!(peer.edu(&format!(r#"{{"n":{n}}}"#), Keep::UntilTaken), Answer::Done);
    }
    peer.answered(Err(SendError::TimedOut));
    peer.wake_after(2_000);
    assert_eq!(peer.sent[0].2, first, "repeated just as it was, so it is taken once");
    let mut peer = reopened(peer);
    assert_eq!(peer.edus_out(), [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    peer.answered(taken());
    let peer = reopened(peer);
    assert!(peer.sent.is_empty());
}

#[test]
fn a_long_queue_is_read_in_pieces() {
    let mut peer = peer();
    peer.edu(r#"{"n":0}"#, Keep::UntilTaken);
    peer.answered(Err(SendError::Unreachable));
    for n in 1..=250 {
        peer.edu(&format!(r#"{{"n":{n}}}"#), Keep::UntilTaken);
    }
    peer.wake_after(2_000);
    let mut seen = Vec::new();
    for round in 0..9 {
        if round == 2 {
            let now = peer.now;
            peer = reopened(peer);
            peer.now = now;
        }
        if peer.sent.is_empty() {
            break;
        }
        seen.extend(peer.edus_out());
        peer.answered(taken());
    }
    let expected: Vec<_> = (0..=250).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    assert_eq!(seen, expected);
    peer.edu(r#"{"n":251}"#, Keep::UntilTaken);
    assert_eq!(peer.edus_out(), [r#"{"n":251}"#]);
}

#[test]
fn fleeting_edus_are_lost_when_the_peer_cannot_be_reached() {
    let mut peer = peer();
    peer.hold_commits = true;
    assert_eq!(peer.edu(r#"{"n":0}"#, Keep::Fleeting), Answer::Done, "at once, and nothing is written");
    for n in 1..=101 {
        peer.edu(&format!(r#"{{"n":{n}}}"#), Keep::Fleeting);
    }
    assert_eq!(peer.edus_out(), [r#"{"n":0}"#]);
    peer.answered(taken());
    assert_eq!((peer.edus_out().len(), peer.edus_out()[0].as_str()), (100, r#"{"n":2}"#), "the oldest are pushed out");
    peer.edu(r#"{"n":200}"#, Keep::Fleeting);
    peer.answered(Err(SendError::Unreachable));
    peer.wake_after(2_000);
    assert!(peer.sent.is_empty(), "neither what was out nor what waited is worth repeating");
    assert_eq!(peer.commits, 0);
    peer.edu(r#"{"n":201}"#, Keep::Fleeting);
    assert_eq!(peer.edus_out(), [r#"{"n":201}"#]);
}

#[test]
fn a_transaction_is_repeated_without_what_is_fleeting() {
    for platform in [false, true] {
        let mut peer = if platform { without_key() } else { peer() };
        peer.edu(r#"{"n":0}"#, Keep::UntilTaken);
        assert_eq!(peer.edus_out(), [r#"{"n":0}"#]);
        peer.edu(r#"{"n":1}"#, Keep::UntilTaken);
        peer.edu(r#"{"n":2}"#, Keep::Fleeting);
        peer.answered(taken());
        assert_eq!(peer.edus_out(), [r#"{"n":1}"#, r#"{"n":2}"#]);
        let first = peer.sent[0].2.clone();
        for _ in 0..2 {
            peer.answered(Err(SendError::TimedOut));
            peer.wake_after(4_000);
            assert_eq!(peer.edus_out(), [r#"{"n":1}"#]);
            let again = &peer.sent[0].2;
            assert_eq!(again.target, first.target, "it is the same transaction");
            assert!(is_signed(again) && !is_signed(&Request { body: first.body.clone(), ..again.clone() }));
        }
        peer.answered(taken());
        assert!(reopened(peer).sent.is_empty());
    }
}

/// The machine of a server whose key is the platform's.
fn without_key() -> Peer {
    let key = signing_key(US);
    let signer = Signer::Platform(key.public());
    let identity = Identity::new(server(US), KeyId::parse("ed25519:1").unwrap(), signer, vec![]);
    let machine = PeerMachine::new(identity, Routes::new(), server(THEM), Ticket(1));
    let mut peer = Driver::new(machine, MemoryStore::new(), vec![]);
    peer.platform = Some(key);
    peer
}

/// Whether our signature fits a request.
fn is_signed(request: &Request) -> bool {
    let body = content(core::str::from_utf8(&request.body).unwrap());
    let claims = x_matrix::claims(&request.headers).unwrap();
    let key = PreparedKey::prepare(&signing_key(US).public()).unwrap();
    claims.len() == 1 && x_matrix::SignedRequest::new(request, Some(&body)).verify(&claims[0], &key).is_ok()
}

#[test]
fn an_edu_that_is_refused_alone_is_dropped() {
    let mut peer = peer();
    for n in 0..3 {
        peer.edu(&format!(r#"{{"n":{n}}}"#), Keep::UntilTaken);
    }
    let refused = || Ok(Response { status: 400, body: br#"{"errcode":"M_BAD_JSON","error":"no"}"#.to_vec() });
    assert_eq!(peer.edus_out().len(), 1);
    peer.answered(refused());
    assert_eq!(peer.edus_out().len(), 2);
    peer.answered(refused());
    assert_eq!(peer.edus_out(), [r#"{"n":1}"#]);
    peer.answered(taken());
    assert_eq!(peer.edus_out(), [r#"{"n":2}"#]);
    peer.answered(taken());
    assert!(reopened(peer).sent.is_empty());
}

#[test]
fn an_edu_that_is_too_large_is_refused() {
    let mut peer = peer();
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(65_536));
    let Answer::Refused(failure) = peer.edu(&large, Keep::UntilTaken) else { panic!("taken") };
    assert_eq!(failure.code, ErrorCode::TooLarge);
}
