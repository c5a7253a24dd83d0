//! What tests of the peer machine share: a remote server that signs its requests, and words for what it does.

use alloc::{format, string::String, vec, vec::Vec};

use super::PeerMachine;
use crate::{
    id::{EventId, RoomId},
    json::{KeyOrder, Limits, parse},
    server::{
        Address, Answer, Call, ErrorCode, Input, KnownKey, Outcome, PeerCall, Request, Response, RoomCall, Routes,
        SendError, Ticket, Validity,
        keys::{document::OwnDocument, record},
        x_matrix,
    },
    store::{WriteBatch, memory::MemoryStore},
    testing::{Driver, content, identity, lpdu, server, signing_key},
};

pub(super) const US: &str = "us.example";
pub(super) const THEM: &str = "them.example";
pub(super) const START: u64 = 1_700_000_000_000;

pub(super) type Peer = Driver<PeerMachine>;

/// The machine of a server of which nothing is known.
pub(super) fn stranger() -> Peer {
    over(MemoryStore::new())
}

/// The machine of a server whose key is known.
pub(super) fn peer() -> Peer {
    let (mut store, mut batch) = (MemoryStore::new(), WriteBatch::new());
    record::put(&key(START * 2), &mut batch);
    store.apply(batch);
    over(store)
}

/// The machine over a store that another one left behind.
pub(super) fn over(store: MemoryStore) -> Peer {
    let machine = PeerMachine::new(identity(US), Routes::new(), server(THEM), Ticket(1 << 20));
    let mut peer = Driver::new(machine, store, vec![]);
    peer.profile = None;
    peer
}

/// The same server after its machine was lost.
pub(super) fn reopened(peer: Peer) -> Peer {
    let now = peer.now;
    let mut peer = over(peer.store);
    peer.now = now;
    peer.input(Input::Woken);
    peer
}

pub(super) fn key(until: u64) -> KnownKey {
    let validity = Validity::CurrentUntil(crate::id::Timestamp::new(until));
    KnownKey { id: crate::id::KeyId::parse("ed25519:1").unwrap(), key: signing_key(THEM).public(), validity }
}

/// A server's own answer about its keys.
pub(super) fn key_document(name: &str) -> Response {
    let identity = identity(name);
    let document = OwnDocument::new(&identity, crate::id::Timestamp::new(START));
    Response::ok(document.sign_with(&signing_key(name).sign(&document.signing_input())))
}

/// A request signed by the peer.
pub(super) fn request(method: &str, target: &str, body: &str) -> Request {
    signed_by(THEM, "ed25519:1", method, target, body)
}

pub(super) fn signed_by(name: &str, key: &str, method: &str, target: &str, body: &str) -> Request {
    let method: http::Method = method.parse().unwrap();
    let limits = Limits { bytes: 1 << 24, depth: 600 };
    let content = parse(body.as_bytes(), KeyOrder::Utf16, limits).ok();
    let content = content.as_ref().map(|content| content.bytes());
    let input = x_matrix::signing_input(&method, target, &server(name), &server(US), content);
    let key = crate::id::KeyId::parse(key).unwrap();
    let value = x_matrix::header(&server(name), &server(US), &key, &signing_key(name).sign(&input));
    Request { method, target: target.into(), headers: vec![("Authorization".into(), value)], body: body.into() }
}

pub(super) fn send_target(id: &str) -> String {
    format!("/_matrix/federation/v2/send/{id}")
}

/// A transaction of these PDUs.
pub(super) fn transaction(id: &str, pdus: &[String]) -> Request {
    request("PUT", &send_target(id), &format!(r#"{{"pdus":[{}]}}"#, pdus.join(",")))
}

pub(super) fn room(name: &str) -> RoomId {
    RoomId::parse(&format!("!{name}:{US}")).unwrap()
}

/// A message of the peer's user in that room, and its ID.
pub(super) fn message(name: &str, body: u64) -> (String, EventId) {
    let content = format!(r#"{{"body":"{body}"}}"#);
    let lpdu = lpdu(&room(name), &format!("@ann:{THEM}"), US, "m.room.message", None, &content, START + body);
    (String::from_utf8(lpdu.bytes().to_vec()).unwrap(), lpdu.lpdu_id())
}

impl Peer {
    /// The peer sends a request.
    pub(super) fn arrives(&mut self, request: Request) -> Ticket {
        self.begin(Call::Peer(PeerCall::Serve(alloc::boxed::Box::new(request))))
    }

    /// Status and code of the answer to a request that needs nobody else.
    pub(super) fn verdict(&mut self, request: Request) -> (u16, Option<ErrorCode>) {
        let ticket = self.arrives(request);
        verdict(&self.response(ticket))
    }

    pub(super) fn response(&mut self, ticket: Ticket) -> Response {
        match self.answer(ticket) {
            Some(Answer::Response(response)) => response,
            other => panic!("no response but {other:?}"),
        }
    }

    /// The rooms that were given events and have not answered: the room, and how many events.
    pub(super) fn receiving(&self) -> Vec<(RoomId, usize)> {
        let calls = self.asked.iter().map(|(_, to, call)| match (to, call) {
            (Address::Room(room), Call::Room(RoomCall::Receive { events, .. })) => (room.clone(), events.len()),
            other => panic!("no transaction but {other:?}"),
        });
        calls.collect()
    }

    /// The room that was asked first takes all its events.
    pub(super) fn takes(&mut self, ids: &[EventId]) {
        self.reply(Answer::Outcomes(ids.iter().map(|id| Outcome { id: Some(*id), failure: None }).collect()));
    }

    /// The oldest request of ours is answered.
    pub(super) fn answered(&mut self, result: Result<Response, SendError>) {
        let (ticket, ..) = self.sent.pop_front().expect("no request is out");
        self.input(Input::Sent(ticket, result));
    }
}

pub(super) fn verdict(response: &Response) -> (u16, Option<ErrorCode>) {
    let body = content(core::str::from_utf8(&response.body).unwrap());
    let code = body.root().member("errcode").and_then(|code| code.as_str()).map(|code| ErrorCode::from_text(&code));
    (response.status, code)
}

pub(super) fn text(response: &Response) -> &str {
    core::str::from_utf8(&response.body).unwrap()
}
