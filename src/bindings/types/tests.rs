use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    DECLARATIONS,
    declared::{Declarations, fields},
};
use crate::{
    bindings::{
        answer::AnswerForm, call::CallForm, notification::NotificationForm, output::OutputForm,
        request::send_error_word,
    },
    id::{EventId, KeyId, RoomId, RoomVersionId, ServerName, Timestamp, UserId},
    room::membership::Membership,
    server::{
        Answer, Cause, ErrorCode, Failure, HistoryEntry, KeyNeeds, KnownKey, Notification, Output, PendingInvite,
        Request, Response, Rung, SendError, ServerKeys, Ticket, Validity,
    },
    store::{Query, Table, WriteBatch},
    testing::content,
};

fn server() -> ServerName {
    ServerName::parse("hub.example").unwrap()
}

fn user() -> UserId {
    UserId::parse("@a:hub.example").unwrap()
}

fn room() -> RoomId {
    RoomId::parse("!r:hub.example").unwrap()
}

fn event_id() -> EventId {
    EventId::from_hash([7; 32])
}

fn failure() -> Failure {
    let mut failure = Failure::new(429, ErrorCode::LimitExceeded, "too much");
    failure.hub_server = Some(server());
    failure.head = Some(event_id());
    failure.retry_after_ms = Some(1);
    failure.cause = Some(Cause::admission("WrongHub").into());
    failure
}

/// Each of these fits its declaration, and each that is declared is among them.
fn hold(name: &str, forms: &[impl Serialize]) {
    let declared = Declarations::read(DECLARATIONS);
    let mut seen = BTreeSet::new();
    for form in forms {
        let value = serde_json::to_value(form).unwrap();
        declared.fits(&value, name).unwrap();
        seen.insert(value["type"].as_str().unwrap().to_string());
    }
    let known: BTreeSet<String> = declared.variants(name, "type").into_keys().collect();
    assert_eq!(seen, known, "{name}");
}

#[test]
fn answers_are_as_declared() {
    let entry = HistoryEntry {
        position: -1,
        event_id: event_id(),
        event: Some(vec![1]),
        sender_verified: true,
        intact: true,
        authorized: false,
    };
    let keys = vec![KnownKey {
        id: KeyId::parse("ed25519:1").unwrap(),
        key: [7; 32],
        validity: Validity::CurrentUntil(Timestamp::new(1)),
    }];
    let version = RoomVersionId::parse("I.1").unwrap();
    let invite = PendingInvite {
        room_id: room(),
        hub: server(),
        sender: user(),
        version,
        event: content("{}"),
        stripped: vec![],
    };
    let answers = vec![
        Answer::Done,
        Answer::Response(Response { status: 200, body: vec![1] }),
        Answer::Unreachable(SendError::TimedOut),
        Answer::Created(room()),
        Answer::Accepted(event_id()),
        Answer::Entries(vec![(0, event_id(), Some(vec![1])), (i64::MIN, event_id(), None)]),
        Answer::History(vec![entry.clone(), HistoryEntry { event: None, ..entry }]),
        Answer::Keys(ServerKeys { server: server(), keys }),
        Answer::Invites(vec![invite]),
        Answer::Rooms(vec![
            (room(), Membership::Join),
            (room(), Membership::Invite),
            (room(), Membership::Knock),
            (room(), Membership::Leave),
            (room(), Membership::Ban),
        ]),
        Answer::Messages(vec![(1, content("{}"))]),
        Answer::Refused(failure()),
        Answer::Refused(Failure::new(404, ErrorCode::NotFound, "no such room")),
        Answer::Unavailable,
        Answer::Object(content("{}")),
    ];
    hold("Answer", &answers.into_iter().map(AnswerForm::from).collect::<Vec<_>>());
}

#[test]
fn notifications_are_as_declared() {
    let (room_id, event_id, user) = (room(), event_id(), user());
    let told = vec![
        Notification::Appended {
            room_id: room_id.clone(),
            position: 1,
            event_id,
            lpdu_id: Some(event_id),
            event: vec![1],
            sender_verified: true,
            intact: true,
        },
        Notification::Rejected { room_id: room_id.clone(), event_id, error: "rules".into() },
        Notification::Refused {
            room_id: room_id.clone(),
            origin: Some(server()),
            event_id: None,
            cause: Cause::admission("WrongHub"),
            code: ErrorCode::WrongServer,
        },
        Notification::Fork { room_id: room_id.clone(), first: vec![1], second: vec![2] },
        Notification::Resent { room_id: room_id.clone(), old: event_id, new: event_id },
        Notification::Rechecked { room_id: room_id.clone(), position: 1, event_id, sender_verified: true },
        Notification::Purged { room_id: room_id.clone(), position: 1, event_id, event: vec![1] },
        Notification::Hole { room_id: room_id.clone(), position: 1, event_id },
        Notification::Filled {
            room_id: room_id.clone(),
            position: 1,
            event_id,
            event: vec![1],
            sender_verified: true,
            intact: true,
        },
        Notification::Invited { user: user.clone(), room_id: room_id.clone(), sender: user.clone() },
        Notification::InviteEnded { user: user.clone(), room_id: room_id.clone(), sender: user.clone() },
        Notification::ToDevice { user: user.clone() },
        Notification::DevicesChanged {
            user: user.clone(),
            changed: vec![content("{}")],
            removed: vec![crate::id::DeviceId::parse("D").unwrap()],
        },
        Notification::KeysClaimed {
            user,
            device: crate::id::DeviceId::parse("D").unwrap(),
            algorithm: "a".into(),
            left: 1,
        },
        Notification::Ephemeral { room_id: room_id.clone(), edu: content("{}") },
        Notification::NotSent { room_id, lpdu_id: event_id, failure: failure() },
    ];
    hold("Notification", &told.into_iter().map(NotificationForm::from).collect::<Vec<_>>());
}

#[test]
fn wishes_of_a_machine_are_as_declared() {
    let ticket = Ticket(1);
    let request = Request {
        method: http::Method::GET,
        target: "/x".into(),
        headers: vec![("a".into(), "b".into())],
        body: vec![1],
    };
    let needs = KeyNeeds { server: server(), key_ids: vec![], notary: None };
    let call = crate::server::Call::Peer(crate::server::PeerCall::Keys(needs.clone()));
    let wishes = vec![
        Output::Commit(ticket, WriteBatch::new()),
        Output::Read(ticket, vec![Query::all(Table::Log)]),
        Output::Send(ticket, server(), request),
        Output::Sign(ticket, vec![vec![1]]),
        Output::Notify(Notification::ToDevice { user: user() }),
        Output::Ask(ticket, crate::server::Address::Front, call),
        Output::NeedKeys(ticket, vec![needs]),
        Output::Respond(ticket, Answer::Done),
        Output::Wake(Timestamp::new(1)),
        Output::Broken,
    ];
    hold("MachineOutput", &wishes.into_iter().map(OutputForm::from).collect::<Vec<_>>());
}

/// A value for each field of a call.
fn example(field: &str) -> Value {
    match field {
        "creator" | "sender" | "user" => json!("@a:b.example"),
        "to" | "server" => json!("c.example"),
        "via" => json!(["c.example"]),
        "keyIds" => json!(["ed25519:1"]),
        "public" | "typing" | "end" | "lastResort" => json!(true),
        "from" | "before" | "limit" | "after" => json!(1),
        "membership" => json!("join"),
        "eventId" => json!(event_id().to_string()),
        "content" | "data" | "body" => json!("{}"),
        "lines" => json!([123, 125]),
        "field" => json!("displayname"),
        "request" => json!({ "method": "GET", "target": "/", "headers": [], "body": [] }),
        "method" => json!("GET"),
        "version" => json!(crate::event::LINEARIZED_02.id),
        "name" | "kind" | "stateKey" | "txn" | "device" | "value" | "target" => json!("x"),
        unknown => panic!("no example of {unknown}"),
    }
}

#[test]
fn calls_are_read_as_declared() {
    let declared = Declarations::read(DECLARATIONS);
    let calls = declared.variants("Call", "type");
    for (name, call) in &calls {
        let fields: Vec<_> = fields(call).into_iter().filter(|(field, _)| field != "type").collect();
        let with = |all: bool| -> Map<String, Value> {
            let given = fields.iter().filter(|(_, is_optional)| all || !is_optional);
            given.map(|(field, _)| (field.clone(), example(field))).chain([("type".into(), json!(name))]).collect()
        };
        let read = |call: Map<String, Value>| serde_json::from_value::<CallForm>(Value::Object(call));
        for all in [true, false] {
            declared.fits(&Value::Object(with(all)), "Call").unwrap();
            read(with(all)).unwrap().read().unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        for (field, _) in &fields {
            // A field that the form does not know would be passed over.
            let mut wrong = with(true);
            wrong.insert(field.clone(), json!([[]]));
            assert!(read(wrong).is_err(), "{name}.{field} is not read");
        }
    }
    let arms =
        include_str!("../call.rs").lines().filter_map(|line| line.strip_prefix("            \"")?.split_once("\" => "));
    let arms: BTreeSet<_> =
        arms.filter(|(_, then)| !then.starts_with("Ok(")).map(|(name, _)| name.to_string()).collect();
    assert_eq!(arms, calls.into_keys().collect());
}

#[test]
fn words_are_as_declared() {
    let declared = Declarations::read(DECLARATIONS);
    let rungs = [Rung::Admission, Rung::Schema, Rung::Signatures, Rung::Rules].map(|rung| match rung {
        Rung::Admission | Rung::Schema | Rung::Signatures | Rung::Rules => rung.text().to_string(),
    });
    assert_eq!(declared.words("Rung"), rungs.into());
    let errors = [SendError::Unreachable, SendError::TimedOut, SendError::TooLarge].map(|error| match error {
        SendError::Unreachable | SendError::TimedOut | SendError::TooLarge => send_error_word(error).to_string(),
    });
    assert_eq!(declared.words("SendError"), errors.into());
}

#[test]
fn what_is_not_declared_is_found() {
    let declared = Declarations::read("/** A. */\nexport interface A {\n  b: number; // no\n}\nexport type C = | { type: \"x\"; a?: A[] } | { type: \"y\" };".replace("// no", "").as_str());
    let fits = |value: Value| declared.fits(&value, "C").is_ok();
    assert!(
        fits(json!({ "type": "x", "a": [{ "b": 1 }] }))
            && fits(json!({ "type": "x", "a": null }))
            && fits(json!({ "type": "y" }))
    );
    for wrong in [
        json!({ "type": "x", "a": [{ "b": "1" }] }),
        json!({ "type": "x", "a": [{}] }),
        json!({ "type": "y", "a": [] }),
        json!({ "type": "z" }),
        json!(1),
    ] {
        assert!(!fits(wrong.clone()), "{wrong}");
    }
}
