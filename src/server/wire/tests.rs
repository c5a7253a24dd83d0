use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use super::{
    super::message::{
        AccountCall, Answer, Call, Delivered, Ephemeral, ErrorCode, Failure, HistoryEntry, Keep, KeyNeeds, Outcome,
        OwedEvents, OwnCall, PeerCall, PendingInvite, Request, Response, RoomCall, RoomRead, SendError, Shelf,
        Validity,
    },
    FORM,
};
use crate::{
    id::{DeviceId, EventId, KeyId, RoomId, RoomVersionId, Timestamp},
    room::membership::Membership,
    server::endpoint::ProfileField,
    testing::{content, keys_of, server, user},
};

fn room() -> RoomId {
    RoomId::parse("!r:hub.example").unwrap()
}

fn event_id(number: u8) -> EventId {
    EventId::from_hash([number; 32])
}

fn device() -> DeviceId {
    DeviceId::parse("DEV").unwrap()
}

fn version() -> RoomVersionId {
    RoomVersionId::parse("I.1").unwrap()
}

fn request() -> Box<Request> {
    let headers = vec![(String::from("Authorization"), String::from("X-Matrix"))];
    Box::new(Request { method: http::Method::PUT, target: "/a?b=%20".into(), headers, body: vec![0, 255] })
}

fn failure() -> Failure {
    Failure {
        hub_server: Some(server("hub.example")),
        head: Some(event_id(9)),
        retry_after_ms: Some(1 << 40),
        ..Failure::of(ErrorCode::BadState, "moved")
    }
}

fn calls() -> Vec<Call> {
    let (origin, keys) = (server("part.example"), keys_of("part.example"));
    let mut old = keys.clone();
    old.keys[0].validity = Validity::ExpiredAt(Timestamp::new(7));
    let mut vouched = keys.clone();
    vouched.keys[0].validity = Validity::Vouched(Timestamp::new(8));
    let event = content(r#"{"a":[1.5,{"b":"\n😀"}],"c":null}"#);
    let read = |read| RoomCall::Read { origin: server("part.example"), read };
    let said = |what| RoomCall::SendEphemeral { sender: user("@a:hub.example"), what };
    let rooms = vec![
        RoomCall::Receive { origin: origin.clone(), keys: old, events: vec![event.clone(), content("{}")] },
        read(RoomRead::Event(event_id(1))),
        read(RoomRead::State(event_id(2))),
        read(RoomRead::StateIds(event_id(3))),
        read(RoomRead::EventAuth(event_id(4))),
        read(RoomRead::Backfill { until: event_id(5), limit: 100 }),
        RoomCall::Template {
            origin: origin.clone(),
            user: user("@a:part.example"),
            membership: Membership::Knock,
            versions: vec!["I.1".into()],
        },
        RoomCall::SendMember {
            origin: origin.clone(),
            keys: keys.clone(),
            membership: Membership::Join,
            event: event.clone(),
        },
        RoomCall::Invite { origin: origin.clone(), keys: vouched, event: event.clone() },
        RoomCall::Pull { peer: origin.clone(), delivered: None },
        RoomCall::Pull {
            peer: origin.clone(),
            delivered: Some(Delivered { shelf: Shelf::Pending, position: -5, refused: vec![(event_id(6), failure())] }),
        },
        RoomCall::Create {
            creator: user("@a:hub.example"),
            public: true,
            name: Some("Räume".into()),
            version: version(),
            create_content: Some(event.clone()),
        },
        RoomCall::SendEvent {
            sender: user("@a:hub.example"),
            kind: "m.room.topic".into(),
            state_key: Some(String::new()),
            content: event.clone(),
        },
        RoomCall::Member { user: user("@a:hub.example"), membership: Membership::Leave, via: vec![origin.clone()] },
        RoomCall::Consent { to: origin.clone() },
        RoomCall::Ephemeral { origin: origin.clone(), edus: vec![event.clone()] },
        RoomCall::Timeline { from: -3, limit: 7 },
        said(Ephemeral::Typing(true)),
        said(Ephemeral::Read(event_id(7))),
        said(Ephemeral::Data { kind: "cursor".into(), data: content("[1.5]") }),
        RoomCall::History { before: i64::MIN, limit: 8 },
        RoomCall::Restore { from: u64::MAX, lines: b"{}\n".to_vec(), end: true },
        RoomCall::SendOnce {
            txn: "t1".into(),
            sender: user("@a:hub.example"),
            kind: "m.room.topic".into(),
            state_key: None,
            content: event.clone(),
        },
        RoomCall::State { kind: Some("m.room.member".into()), state_key: None },
        RoomCall::Pending,
        RoomCall::Find { event_id: event_id(8) },
    ];
    let peers = vec![
        PeerCall::Serve(request()),
        PeerCall::Fetch { method: http::Method::GET, target: "/x".into(), body: Some(event.clone()) },
        PeerCall::Reached,
        PeerCall::Nudge(room()),
        PeerCall::Said(room()),
        PeerCall::Keys(KeyNeeds {
            server: origin.clone(),
            key_ids: vec![KeyId::parse("ed25519:1").unwrap()],
            notary: Some(server("hub.example")),
        }),
        PeerCall::Notarise { minimum_valid_until: Timestamp::new(u64::MAX) },
        PeerCall::Edu { edu: event.clone(), keep: Keep::UntilTaken },
        PeerCall::Edu { edu: event.clone(), keep: Keep::Fleeting },
    ];
    let own = vec![
        OwnCall::SetProfile(ProfileField::AvatarUrl, Some("mxc://a/b".into())),
        OwnCall::PutDevice(event.clone()),
        OwnCall::RemoveDevice(device()),
        OwnCall::AddKeys { device: device(), keys: vec![("k:1".into(), event.clone())], last_resort: true },
        OwnCall::Invites,
        OwnCall::Rooms,
        OwnCall::Messages { device: device(), after: 3, limit: 4 },
        OwnCall::SetAlias { alias: "#a:hub.example".into(), room: Some((room(), vec![origin.clone()])) },
    ];
    let mut accounts = vec![
        AccountCall::Invite {
            origin: origin.clone(),
            keys: keys.clone(),
            version: version(),
            event: event.clone(),
            stripped: vec![event.clone()],
        },
        AccountCall::EndInvite { origin: origin.clone(), keys, event: event.clone() },
        AccountCall::Membership { room_id: room(), membership: Membership::Ban, hub: Some(origin) },
        AccountCall::ToDevice { messages: vec![(Some(device()), event.clone()), (None, event)] },
        AccountCall::Profile(Some(ProfileField::DisplayName)),
        AccountCall::Devices,
        AccountCall::Device(device()),
        AccountCall::QueryKeys(vec![device()]),
        AccountCall::ClaimKeys(vec![(device(), "alg".into())]),
        AccountCall::ResolveAlias("#a:hub.example".into()),
    ];
    accounts.extend(own.into_iter().map(AccountCall::Own));
    let mut calls = vec![Call::Front(request())];
    calls.extend(rooms.into_iter().map(Call::Room));
    calls.extend(peers.into_iter().map(Call::Peer));
    calls.extend(accounts.into_iter().map(Call::Account));
    calls
}

fn answers() -> Vec<Answer> {
    let object = content(r#"{"n":-1}"#);
    let mut answers = vec![
        Answer::Done,
        Answer::Response(Response { status: 429, body: b"{}".to_vec() }),
        Answer::Outcomes(vec![
            Outcome { id: Some(event_id(1)), failure: Some(failure()) },
            Outcome { id: None, failure: None },
        ]),
        Answer::Owed(OwedEvents {
            shelf: Shelf::Log,
            events: vec![(event_id(2), b"{}".to_vec())],
            position: 2,
            more: true,
        }),
        Answer::Keys(keys_of("hub.example")),
        Answer::Created(room()),
        Answer::Accepted(event_id(3)),
        Answer::Object(object.clone()),
        Answer::Invites(vec![PendingInvite {
            room_id: room(),
            hub: server("hub.example"),
            sender: user("@a:hub.example"),
            version: version(),
            event: object.clone(),
            stripped: vec![],
        }]),
        Answer::Rooms(vec![(room(), Membership::Invite)]),
        Answer::Messages(vec![(1, object)]),
        Answer::Entries(vec![(-1, event_id(4), None), (0, event_id(5), Some(vec![]))]),
        Answer::History(vec![HistoryEntry {
            position: -7,
            event_id: event_id(6),
            event: Some(b"{}".to_vec()),
            sender_verified: true,
            intact: false,
            authorized: true,
        }]),
        Answer::Refused(Failure::of(ErrorCode::Forbidden, "no")),
        Answer::Unavailable,
    ];
    let errors = [SendError::Unreachable, SendError::TimedOut, SendError::TooLarge];
    answers.extend(errors.map(Answer::Unreachable));
    answers
}

#[test]
fn every_call_arrives_as_it_was_sent() {
    for call in calls() {
        let bytes = call.encode();
        assert_eq!(format!("{:?}", Call::decode(&bytes).unwrap()), format!("{call:?}"));
        for end in 0..bytes.len() {
            assert!(Call::decode(&bytes[..end]).is_err(), "{end} bytes of {call:?}");
        }
        assert!(Call::decode(&[&bytes[..], &[0]].concat()).is_err(), "{call:?} and one byte");
    }
}

#[test]
fn every_answer_arrives_as_it_was_sent() {
    for answer in answers() {
        let bytes = answer.encode();
        assert_eq!(Answer::decode(&bytes).as_ref(), Ok(&answer));
        for end in 0..bytes.len() {
            assert!(Answer::decode(&bytes[..end]).is_err(), "{end} bytes of {answer:?}");
        }
    }
}

#[test]
fn another_version_of_the_form_is_told() {
    let mut bytes = Answer::Done.encode();
    bytes[0] = FORM + 1;
    let error = Answer::decode(&bytes).unwrap_err();
    assert_eq!(
        format!("{error}"),
        "stored bytes are not of the expected form: message between machines of another version"
    );
}

#[test]
fn what_a_number_in_the_source_was_crosses_too() {
    let call = Call::Room(RoomCall::Ephemeral { origin: server("a.example"), edus: vec![content("[1.0]")] });
    let Ok(Call::Room(RoomCall::Ephemeral { edus, .. })) = Call::decode(&call.encode()) else { panic!() };
    assert!(edus[0].root().irregular());
}
