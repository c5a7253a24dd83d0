//! The hub's part of a room, driven by hand.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{RoomMachine, context::Context};
use crate::{
    crypto::Signature,
    event::SignedLpdu,
    id::{EventId, KeyId, RoomId, RoomVersionId, Timestamp},
    json::Document,
    room::membership::Membership,
    server::{
        Address, Answer, Call, Delivered, ErrorCode, Identity, Input, Machine, Notification, Outcome, OwedEvents,
        PeerCall, Response, RoomCall, RoomRead, Rung, Shelf, Signer, Ticket,
    },
    store::{Table, WriteBatch, memory::MemoryStore},
    testing::{Driver, Net, content, identity, keys_of, lpdu, server, signing_key, user},
};

const HUB: &str = "hub.example";
const PART: &str = "part.example";
const ANN: &str = "@ann:part.example";

fn room_id() -> RoomId {
    RoomId::parse("!room:hub.example").unwrap()
}

fn open(store: MemoryStore) -> Driver<RoomMachine> {
    let machine = RoomMachine::new(identity(HUB), room_id(), Ticket(0));
    Driver::new(machine, store, vec![keys_of(PART), keys_of(HUB), keys_of("third.example")])
}

/// A room with its creator, `@hugo:hub.example`.
fn created(public: bool) -> Driver<RoomMachine> {
    let mut room = open(MemoryStore::new());
    let answer = room.ask(Call::Room(RoomCall::Create {
        creator: user("@hugo:hub.example"),
        public,
        name: Some("a room".into()),
        version: RoomVersionId::parse("org.matrix.i-d.ralston-mimi-linearized-matrix.02").unwrap(),
        create_content: Some(content(r#"{"hublet.hub_transfer":true}"#)),
    }));
    assert_eq!(answer, Answer::Created(room_id()));
    room
}

fn document(lpdu: &SignedLpdu) -> Document {
    content(core::str::from_utf8(lpdu.bytes()).unwrap())
}

fn message(body: &str, ts: u64) -> SignedLpdu {
    lpdu(&room_id(), ANN, HUB, "m.room.message", None, &alloc::format!(r#"{{"body":"{body}"}}"#), ts)
}

fn join(room: &mut Driver<RoomMachine>, who: &str) -> Response {
    let home = user(who).server().to_string();
    let event = lpdu(&room_id(), who, HUB, "m.room.member", Some(who), r#"{"membership":"join"}"#, room.now);
    let call = RoomCall::SendMember {
        origin: server(&home),
        keys: keys_of(&home),
        membership: Membership::Join,
        event: document(&event),
    };
    match room.ask(Call::Room(call)) {
        Answer::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn receive(room: &mut Driver<RoomMachine>, events: &[&SignedLpdu]) -> Vec<Outcome> {
    let events = events.iter().map(|event| document(event)).collect();
    let call = RoomCall::Receive { origin: server(PART), keys: keys_of(PART), events };
    match room.ask(Call::Room(call)) {
        Answer::Outcomes(outcomes) => outcomes,
        other => panic!("{other:?}"),
    }
}

fn local(room: &mut Driver<RoomMachine>, sender: &str, kind: &str, state_key: Option<&str>, body: &str) -> Answer {
    let call = RoomCall::SendEvent {
        sender: user(sender),
        kind: kind.into(),
        state_key: state_key.map(Into::into),
        content: content(body),
    };
    room.ask(Call::Room(call))
}

fn pull(room: &mut Driver<RoomMachine>, peer: &str, position: Option<i64>) -> OwedEvents {
    let delivered = position.map(|position| Delivered { shelf: Shelf::Log, position, refused: vec![] });
    match room.ask(Call::Room(RoomCall::Pull { peer: server(peer), delivered })) {
        Answer::Owed(owed) => owed,
        other => panic!("{other:?}"),
    }
}

fn timeline(room: &mut Driver<RoomMachine>) -> Vec<(i64, EventId, Document)> {
    match room.ask(Call::Room(RoomCall::Timeline { from: i64::MIN, limit: 10_000 })) {
        Answer::Entries(entries) => entries
            .into_iter()
            .map(|(position, id, bytes)| (position, id, content(&String::from_utf8(bytes.unwrap()).unwrap())))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn nudged(room: &mut Driver<RoomMachine>) -> Vec<String> {
    let asked = core::mem::take(&mut room.asked);
    asked
        .into_iter()
        .filter_map(|(_, address, call)| match (address, call) {
            (Address::Peer(peer), Call::Peer(PeerCall::Nudge(_) | PeerCall::Said(_))) => Some(peer.to_string()),
            _ => None,
        })
        .collect()
}

fn assert_chained(room: &mut Driver<RoomMachine>) {
    let log = timeline(room);
    for (index, (position, _, event)) in log.iter().enumerate() {
        assert_eq!(*position, i64::try_from(index).unwrap());
        let prev: Vec<String> = event
            .root()
            .member("prev_events")
            .unwrap()
            .elements()
            .map(|id| id.as_str().unwrap().into_owned())
            .collect();
        let expected: Vec<String> = index.checked_sub(1).map(|before| log[before].1.to_string()).into_iter().collect();
        assert_eq!(prev, expected);
    }
}

#[test]
fn a_room_is_created_in_order_and_in_one_commit() {
    let mut room = created(true);
    assert_eq!(room.commits, 1);
    let kinds: Vec<String> = timeline(&mut room)
        .iter()
        .map(|(_, _, event)| event.root().member("type").unwrap().as_str().unwrap().into_owned())
        .collect();
    let expected = [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.name",
    ];
    assert_eq!(kinds, expected);
    assert_chained(&mut room);
}

#[test]
fn a_participant_joins_and_its_events_are_put_in_order() {
    let mut room = created(true);
    let joined = join(&mut room, ANN);
    let body = content(core::str::from_utf8(&joined.body).unwrap());
    assert_eq!(body.root().member("state").unwrap().len(), 6);
    assert!(body.root().member("auth_chain").unwrap().len() >= 3);
    assert_eq!(body.root().member("event").unwrap().member("sender").unwrap().as_str().unwrap(), ANN);

    let (one, two) = (message("one", room.now), message("two", room.now));
    let commits = room.commits;
    let outcomes = receive(&mut room, &[&one, &two]);
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()), "{outcomes:?}");
    assert_eq!(room.commits, commits + 1, "a transaction is one commit");
    assert_chained(&mut room);
    assert_eq!(timeline(&mut room).len(), 9);
}

#[test]
fn a_retried_transaction_does_not_append_twice() {
    let mut room = created(true);
    join(&mut room, ANN);
    let (one, two) = (message("one", room.now), message("two", room.now));
    receive(&mut room, &[&one]);
    let outcomes = receive(&mut room, &[&one, &two, &two]);
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()), "{outcomes:?}");
    assert_eq!(timeline(&mut room).len(), 9);

    let mut reopened = open(core::mem::take(&mut room.store));
    receive(&mut reopened, &[&two, &one]);
    assert_eq!(timeline(&mut reopened).len(), 9, "known over a restart");
    assert_chained(&mut reopened);
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut room = created(true);
    join(&mut room, ANN);
    nudged(&mut room);
    room.hold_commits = true;
    let one = message("one", room.now);
    let call = RoomCall::Receive { origin: server(PART), keys: keys_of(PART), events: vec![document(&one)] };
    let ticket = room.begin(Call::Room(call));
    assert_eq!(room.answer(ticket), None);
    assert_eq!(nudged(&mut room), Vec::<String>::new());
    let told = room.told.len();
    room.commit();
    assert!(room.answer(ticket).is_some());
    assert_eq!(room.told.len(), told + 1);
    assert_eq!(nudged(&mut room), [PART]);
}

#[test]
fn fan_out_to_a_joining_server_starts_behind_its_join() {
    let mut room = created(true);
    join(&mut room, ANN);
    assert_eq!(pull(&mut room, PART, None).events, []);
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"hello"}"#);
    assert_eq!(nudged(&mut room), [PART]);
    let owed = pull(&mut room, PART, None);
    assert_eq!((owed.events.len(), owed.position), (1, 7));
    assert_eq!(pull(&mut room, PART, Some(7)).events, []);
}

#[test]
fn a_kicked_server_gets_the_kick_and_no_more() {
    let mut room = created(true);
    join(&mut room, ANN);
    let answer = local(&mut room, "@hugo:hub.example", "m.room.member", Some(ANN), r#"{"membership":"leave"}"#);
    assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"without you"}"#);
    let owed = pull(&mut room, PART, None);
    assert_eq!((owed.events.len(), owed.position, owed.more), (1, 7, false));
    assert_eq!(pull(&mut room, PART, Some(7)).events, []);
    let outcomes = receive(&mut room, &[&message("still here", 5)]);
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::NotFound);
}

#[test]
fn a_server_that_takes_nothing_while_it_is_outside_learns_nothing_of_that_time() {
    let mut room = created(true);
    join(&mut room, ANN);
    let leave = lpdu(&room_id(), ANN, HUB, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#, 9);
    receive(&mut room, &[&leave]);
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"without you"}"#);
    let ban = local(&mut room, "@hugo:hub.example", "m.room.member", Some(ANN), r#"{"membership":"ban"}"#);
    let Answer::Accepted(ban) = ban else { panic!("{ban:?}") };
    let (mut taken, mut position) = (Vec::new(), None);
    loop {
        let owed = pull(&mut room, PART, position);
        if owed.events.is_empty() {
            break;
        }
        position = Some(owed.position);
        taken.extend(owed.events.into_iter().map(|(id, _)| id));
    }
    let log = timeline(&mut room);
    assert_eq!(taken, [log[7].1, ban], "its leave, then the ban alone");
}

#[test]
fn a_knock_that_was_refused_tells_no_more_of_the_room() {
    let mut room = created(false);
    let hugo = "@hugo:hub.example";
    local(&mut room, hugo, "m.room.join_rules", Some(""), r#"{"join_rule":"knock"}"#);
    let knock = lpdu(&room_id(), ANN, HUB, "m.room.member", Some(ANN), r#"{"membership":"knock"}"#, room.now);
    let knocks = |room: &mut Driver<RoomMachine>| {
        let (origin, keys, event) = (server(PART), keys_of(PART), document(&knock));
        room.ask(Call::Room(RoomCall::SendMember { origin, keys, membership: Membership::Knock, event }))
    };
    let answer = knocks(&mut room);
    assert!(matches!(&answer, Answer::Response(response) if response.status == 200), "{answer:?}");
    assert_eq!(knocks(&mut room), answer, "sent again it is answered again");
    local(&mut room, hugo, "m.room.member", Some(ANN), r#"{"membership":"ban"}"#);
    local(&mut room, hugo, "m.room.name", Some(""), r#"{"name":"without Ann"}"#);
    let Answer::Refused(failure) = knocks(&mut room) else { panic!("{answer:?}") };
    assert_eq!(failure.code, ErrorCode::Forbidden);
}

#[test]
fn an_event_refused_by_the_rules_spoils_no_other() {
    let mut room = created(true);
    join(&mut room, ANN);
    let bad = lpdu(&room_id(), ANN, HUB, "m.room.name", Some(""), r#"{"name":"mine"}"#, 9);
    let other = lpdu(&room_id(), "@cat:third.example", HUB, "m.room.message", None, "{}", 9);
    let wrong_hub = lpdu(&room_id(), ANN, "other.example", "m.room.message", None, "{}", 9);
    let good = message("good", 9);
    let outcomes = receive(&mut room, &[&bad, &other, &wrong_hub, &good]);
    let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.failure.as_ref().map(|failure| failure.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::Forbidden), Some(ErrorCode::Forbidden), Some(ErrorCode::WrongServer), None]);
    assert_eq!(outcomes[0].id, Some(bad.lpdu_id()));
    assert!(outcomes[0].failure.as_ref().unwrap().error.contains("level"), "{outcomes:?}");
    assert_eq!(outcomes[2].failure.as_ref().unwrap().hub_server, Some(server(HUB)));
    let told = |told: &Notification| match told {
        Notification::Refused { origin, event_id, cause, code, .. } => {
            assert_eq!(origin.as_ref(), Some(&server(PART)));
            Some((event_id.unwrap(), cause.rung, cause.rule.clone(), *code))
        }
        _ => None,
    };
    let expected = [
        (bad.lpdu_id(), Rung::Rules, "LevelToSend", ErrorCode::Forbidden),
        (other.lpdu_id(), Rung::Admission, "ForeignSender", ErrorCode::Forbidden),
        (wrong_hub.lpdu_id(), Rung::Admission, "WrongHub", ErrorCode::WrongServer),
    ];
    let told: Vec<_> = room.told.iter().filter_map(told).collect();
    assert_eq!(told, expected.map(|(id, rung, rule, code)| (id, rung, rule.to_string(), code)));
    assert_chained(&mut room);
    assert_eq!(timeline(&mut room).len(), 8);
}

#[test]
fn an_event_of_a_room_that_is_not_here_is_refused_and_told() {
    let mut room = open(MemoryStore::new());
    let create = lpdu(&room_id(), ANN, HUB, "m.room.create", Some(""), r#"{"room_version":"I.1"}"#, 9);
    let member = lpdu(&room_id(), ANN, HUB, "m.room.member", Some(ANN), r#"{"membership":"leave"}"#, 9);
    let outcomes = receive(&mut room, &[&create, &member]);
    let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.failure.as_ref().map(|failure| failure.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::NotFound), Some(ErrorCode::NotFound)]);
    let told = |told: &Notification| match told {
        Notification::Refused { event_id, cause, .. } => Some((event_id.unwrap(), cause.rung, cause.rule.clone())),
        _ => None,
    };
    let told: Vec<_> = room.told.iter().filter_map(told).collect();
    // A member event may still be news to a local user.
    assert_eq!(told, [(create.lpdu_id(), Rung::Admission, "NoSuchRoom".to_string())]);
}

#[test]
fn another_users_lpdu_rebuilt_from_its_pdu_is_refused() {
    let mut room = created(true);
    join(&mut room, ANN);
    let one = message("one", 9);
    let call = RoomCall::Receive {
        origin: server("third.example"),
        keys: keys_of("third.example"),
        events: vec![document(&one)],
    };
    let Answer::Outcomes(outcomes) = room.ask(Call::Room(call)) else { panic!() };
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::NotFound);
    assert_eq!(timeline(&mut room).len(), 7);
}

#[test]
fn a_finished_pdu_of_a_participant_is_refused() {
    let mut room = created(true);
    join(&mut room, ANN);
    receive(&mut room, &[&message("one", 9)]);
    let pdu = timeline(&mut room)[7].2.clone();
    let call = RoomCall::Receive { origin: server(PART), keys: keys_of(PART), events: vec![pdu] };
    let Answer::Outcomes(outcomes) = room.ask(Call::Room(call)) else { panic!() };
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::BadJson);
    assert_eq!(timeline(&mut room).len(), 8);
}

#[test]
fn an_invited_server_outside_the_room_is_asked_first() {
    let mut room = created(false);
    let call = RoomCall::SendEvent {
        sender: user("@hugo:hub.example"),
        kind: "m.room.member".into(),
        state_key: Some(ANN.into()),
        content: content(r#"{"membership":"invite"}"#),
    };
    let ticket = room.begin(Call::Room(call));
    assert_eq!(room.answer(ticket), None);
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"meanwhile"}"#);
    let peer = Address::Peer(server(PART));
    let (asked, _, request) = room.asked.iter().find(|(_, address, _)| *address == peer).cloned().unwrap();
    let Call::Peer(PeerCall::Fetch { target, body, .. }) = request else { panic!("{request:?}") };
    assert!(
        target.starts_with("/_matrix/federation/unstable/org.matrix.i-d.ralston-mimi-linearized-matrix.02/invite/"),
        "{target}"
    );
    let body = body.unwrap();
    assert_eq!(body.root().member("invite_room_state").unwrap().len(), 3);
    let answer = alloc::format!(r#"{{"event":{}}}"#, body.root().member("event").unwrap().text());
    room.input(Input::Answer(asked, Answer::Response(Response { status: 200, body: answer.into_bytes() })));
    assert!(matches!(room.answer(ticket), Some(Answer::Accepted(_))));
    assert_chained(&mut room);
    assert_eq!(timeline(&mut room).len(), 8);
    assert!(join(&mut room, ANN).status == 200);
}

#[test]
fn a_refused_invite_is_not_appended() {
    let mut room = created(false);
    let call = RoomCall::SendEvent {
        sender: user("@hugo:hub.example"),
        kind: "m.room.member".into(),
        state_key: Some(ANN.into()),
        content: content(r#"{"membership":"invite"}"#),
    };
    let ticket = room.begin(Call::Room(call));
    room.wake_after(10_000);
    let Some(Answer::Refused(failure)) = room.answer(ticket) else { panic!("late answers must not hang") };
    assert_eq!(failure.status, 502);
    assert_eq!(timeline(&mut room).len(), 6);
    assert!(room.machine.is_idle());
}

#[test]
fn a_redaction_takes_the_content_and_keeps_the_chain() {
    let mut room = created(true);
    join(&mut room, ANN);
    let one = message("secret", 9);
    receive(&mut room, &[&one]);
    let target = timeline(&mut room)[7].1;
    let body = alloc::format!(r#"{{"hublet.redacts":"{target}"}}"#);
    let redaction = lpdu(&room_id(), ANN, HUB, "m.room.redaction", None, &body, 10);
    let in_one = message("also secret", 11);
    let outcomes = receive(&mut room, &[&redaction, &in_one]);
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()), "{outcomes:?}");
    let log = timeline(&mut room);
    assert!(!log[7].2.text().contains("secret"));
    assert_eq!(log[7].1, target);
    assert_chained(&mut room);

    let nothing = alloc::format!(r#"{{"hublet.redacts":"{}"}}"#, EventId::from_hash([9; 32]));
    let idle = lpdu(&room_id(), ANN, HUB, "m.room.redaction", None, &nothing, 12);
    let outcomes = receive(&mut room, &[&idle]);
    assert_eq!(outcomes[0].failure.as_ref().unwrap().code, ErrorCode::Forbidden);
}

#[test]
fn history_is_served_to_those_who_may_see_it() {
    let mut room = created(true);
    join(&mut room, ANN);
    receive(&mut room, &[&message("one", 9), &message("two", 10)]);
    let last = timeline(&mut room)[8].1;
    let mut read = |origin: &str, read| room.ask(Call::Room(RoomCall::Read { origin: server(origin), read }));
    let Answer::Response(history) = read(PART, RoomRead::Backfill { until: last, limit: 4 }) else { panic!() };
    let body = content(core::str::from_utf8(&history.body).unwrap());
    assert_eq!(body.root().member("pdus").unwrap().len(), 4);
    for outsider in [RoomRead::Event(last), RoomRead::State(last), RoomRead::Backfill { until: last, limit: 4 }] {
        let Answer::Refused(failure) = read("third.example", outsider) else { panic!("an outsider was answered") };
        assert_eq!((failure.status, failure.code), (404, ErrorCode::NotFound));
    }
    let Answer::Response(state) = read(PART, RoomRead::State(last)) else { panic!() };
    let body = content(core::str::from_utf8(&state.body).unwrap());
    assert_eq!(body.root().member("pdus").unwrap().len(), 7);
    let Answer::Response(ids) = read(PART, RoomRead::StateIds(last)) else { panic!() };
    assert_eq!(content(core::str::from_utf8(&ids.body).unwrap()).root().member("pdu_ids").unwrap().len(), 7);
}

#[test]
fn section_10_a_denied_server_hears_of_the_list_only_where_it_could_read() {
    let mut room = created(true);
    join(&mut room, ANN);
    receive(&mut room, &[&message("one", 9)]);
    let last = timeline(&mut room)[7].1;
    let hugo = "@hugo:hub.example";
    local(&mut room, hugo, "m.room.server_acl", Some(""), r#"{"allow":["*"],"deny":["part.*","third.*"]}"#);
    let opened = r#"{"history_visibility":"world_readable"}"#;
    local(&mut room, hugo, "m.room.history_visibility", Some(""), opened);
    local(&mut room, hugo, "m.room.message", None, r#"{"body":"for all"}"#);
    let open = timeline(&mut room)[10].1;
    let mut read = |origin: &str, id| {
        let call = RoomCall::Read { origin: server(origin), read: RoomRead::Event(id) };
        match room.ask(Call::Room(call)) {
            Answer::Response(response) => response.status,
            Answer::Refused(failure) => failure.status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([read(PART, last), read(PART, open)], [403, 403], "in the room");
    assert_eq!([read("third.example", last), read("third.example", open)], [404, 403], "outside");
    assert_eq!([read("fourth.example", last), read("fourth.example", open)], [404, 200], "not denied");
}

#[test]
fn what_is_durable_survives_and_no_row_is_left_behind() {
    let mut room = created(true);
    join(&mut room, ANN);
    let before = timeline(&mut room);
    let rows = room.store.len(Table::Log);
    let mut reopened = open(core::mem::take(&mut room.store));
    assert_eq!(timeline(&mut reopened), before);
    assert_eq!(rows, 7);
    assert!(receive(&mut reopened, &[&message("after", 9)])[0].failure.is_none());
    assert_chained(&mut reopened);
}

#[test]
fn a_room_that_is_woken_from_its_rows_tells_those_it_owes() {
    let mut room = created(true);
    join(&mut room, ANN);
    pull(&mut room, PART, None);
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"hi"}"#);
    // The peer's machine never heard of it: the process ended before.
    let mut reopened = open(core::mem::take(&mut room.store));
    reopened.wake_after(60_000);
    assert_eq!(nudged(&mut reopened), [PART]);
    assert_eq!(pull(&mut reopened, PART, None).events.len(), 1);
    reopened.wake_after(60_000);
    assert!(nudged(&mut reopened).is_empty(), "told once");
}

#[test]
fn what_a_peer_has_is_written_before_long_and_not_sent_again_after_a_restart() {
    let mut room = created(true);
    join(&mut room, ANN);
    local(&mut room, "@hugo:hub.example", "m.room.message", None, r#"{"body":"hi"}"#);
    let position = pull(&mut room, PART, None).position;
    let commits = room.commits;
    pull(&mut room, PART, Some(position));
    assert_eq!(room.commits, commits, "many may move until it is written");
    let due = room.wake.unwrap().millis().checked_sub(room.now).unwrap();
    assert_eq!(due, 5_000);
    room.wake_after(due);
    assert_eq!(room.commits, commits + 1);
    assert!(room.machine.is_idle());
    let mut reopened = open(core::mem::take(&mut room.store));
    reopened.wake_after(60_000);
    assert!(nudged(&mut reopened).is_empty());
    assert!(pull(&mut reopened, PART, None).events.is_empty());
}

#[test]
fn an_event_whose_sender_may_never_be_proven_keeps_no_room_busy() {
    let mut context = Context::new(identity(HUB), room_id());
    context.unproven.add(0, Timestamp::new(1), &mut WriteBatch::new());
    assert!(context.next_due().is_some() && context.is_settled());
    context.missed.note(EventId::from_hash([1; 32]), Timestamp::new(1));
    assert!(!context.is_settled(), "that is known here alone");
}

#[test]
fn nobody_reads_past_events_that_the_platform_is_signing() {
    let mut held = created(true);
    assert_eq!(join(&mut held, ANN).status, 200);
    let position = i64::try_from(timeline(&mut held).len()).unwrap() - 1;
    let id = KeyId::parse("ed25519:1").unwrap();
    let identity = Identity::new(server(HUB), id, Signer::Platform(signing_key(HUB).public()), vec![]);
    let mut room = Driver::new(RoomMachine::new(identity, room_id(), Ticket(1 << 32)), held.store, held.keys);
    assert!(pull(&mut room, PART, Some(position)).events.is_empty());
    room.hold_signatures = true;
    let said = room.begin(Net::event("m.room.message", None, "@hugo:hub.example", "{}"));
    let delivered = Some(Delivered { shelf: Shelf::Log, position, refused: vec![] });
    let pulled = room.begin(Call::Room(RoomCall::Pull { peer: server(PART), delivered }));
    let read = room.begin(Call::Room(RoomCall::Timeline { from: position + 1, limit: 9 }));
    room.sign(vec![Signature::from_bytes([1; 64])]);
    let Some(Answer::Accepted(said)) = room.answer(said) else { panic!("not said") };
    let Some(Answer::Owed(owed)) = room.answer(pulled) else { panic!("not pulled") };
    assert_eq!(owed.events.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [said]);
    let Some(Answer::Entries(entries)) = room.answer(read) else { panic!("not read") };
    assert_eq!(entries.len(), 1);
}
