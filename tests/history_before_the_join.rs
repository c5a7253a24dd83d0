//! The log before our join: fetched on request, checked down the chain, kept at negative positions (spec, sections 4 and 10).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::{EventId, RoomId},
    server::{Address, Answer, Call, ErrorCode, HistoryEntry, Notification, RoomCall, RoomRead},
    testing::{
        Fate, Forgery, Net,
        duo::{ANN, Duo, HAL, HUB, PART, failures, ok, silence},
        server,
    },
};
use serde_json::{Value, json};

fn history(before: i64, limit: u32) -> Call {
    Call::Room(RoomCall::History { before, limit })
}

/// Ann's server reads back, and the hub serves what it asks for.
fn read(duo: &mut Duo, before: i64, limit: u32) -> Vec<HistoryEntry> {
    let ticket = duo.part.begin(history(before, limit));
    duo.serve();
    entries(duo.part.answer(ticket))
}

fn entries(answer: Option<Answer>) -> Vec<HistoryEntry> {
    match answer {
        Some(Answer::History(entries)) => entries,
        answer => panic!("{answer:?}"),
    }
}

fn ids(entries: &[HistoryEntry]) -> Vec<EventId> {
    entries.iter().map(|entry| entry.event_id).collect()
}

/// A room in which Hal said this before Ann joined.
fn after(words: u32) -> Duo {
    let mut duo = Duo::new("{}");
    (0..words).for_each(|number| {
        duo.say(&number.to_string());
    });
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    duo
}

/// The IDs of the hub's log before Ann's join, and their bytes.
fn past(duo: &mut Duo) -> Vec<Known> {
    let mut log: Vec<_> = duo.hub_log().into_iter().map(|(_, id, bytes)| (id, bytes.unwrap())).collect();
    log.truncate(log.len() - 1);
    log
}

/// An answer to backfill with these events.
fn pdus<'b>(events: impl IntoIterator<Item = &'b [u8]>) -> Answer {
    let events: Vec<&str> = events.into_iter().map(|bytes| core::str::from_utf8(bytes).unwrap()).collect();
    ok(&format!(r#"{{"pdus":[{}]}}"#, events.join(",")))
}

#[test]
fn the_past_is_read_page_by_page_down_to_the_create_event() {
    let mut duo = after(130);
    let past = past(&mut duo);
    let all: Vec<EventId> = past.iter().map(|(id, _)| *id).collect();
    assert_eq!(all.len(), 135);
    let first = read(&mut duo, 0, 30);
    assert_eq!(ids(&first), all[105..]);
    assert_eq!(first.iter().map(|entry| entry.position).collect::<Vec<_>>(), (-30..0).collect::<Vec<i64>>());
    let second = read(&mut duo, -30, 1_000);
    assert_eq!(ids(&second), all[..105]);
    assert_eq!(second[0].position, -135);
    for (entry, (_, bytes)) in second.iter().chain(&first).zip(&past) {
        assert_eq!(entry.event.as_ref(), Some(bytes));
        assert!(entry.sender_verified && entry.intact && entry.authorized, "{}", entry.position);
    }
    assert!(read(&mut duo, -135, 10).is_empty(), "there is nothing before the first event");
    assert_eq!(duo.waiting(), 0);
    // The timeline has it, and nothing has moved.
    let Answer::Entries(log) = duo.part.ask(Call::Room(RoomCall::Timeline { from: -135, limit: 1_000 })) else {
        panic!()
    };
    assert_eq!(log.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(), [all, duo.part_ids()].concat());
    assert!(duo.part.told.iter().all(|told| matches!(told, Notification::Appended { .. })), "{:?}", duo.part.told);
}

#[test]
fn what_is_kept_is_not_asked_for_again_and_outlives_a_restart() {
    let mut duo = after(10);
    let kept = read(&mut duo, 0, 8);
    duo.restart_part();
    assert_eq!(entries(Some(duo.part.ask(history(0, 8)))), kept);
    assert_eq!(entries(Some(duo.part.ask(history(-4, 2)))), kept[2..4]);
    assert!(read(&mut duo, 0, 15).ends_with(&kept));
    // The room goes on as before, with the state of now.
    let said = duo.say("and on");
    assert!(failures(&duo.catch_up()).is_empty());
    assert_eq!(duo.part_ids()[1..], [said]);
    let levels = r#"{"events_default":50,"users":{"@ann:part.example":0,"@hal:hub.example":100}}"#;
    duo.event(HAL, "m.room.power_levels", Some(""), levels);
    assert!(failures(&duo.catch_up()).is_empty());
    duo.restart_part();
    assert!(matches!(duo.part.ask(Net::event("m.room.message", None, ANN, "{}")), Answer::Refused(_)));
}

#[test]
fn the_past_at_the_hub_is_its_log() {
    let mut duo = after(3);
    let log = duo.hub_log();
    let read = entries(Some(duo.hub.ask(history(i64::MAX, 5))));
    assert_eq!(ids(&read), log.iter().map(|(_, id, _)| *id).collect::<Vec<_>>()[log.len() - 5..]);
    assert!(entries(Some(duo.hub.ask(history(0, 5)))).is_empty());
    let mut outside = Duo::new("{}");
    assert!(matches!(outside.part.ask(history(0, 5)), Answer::Refused(failure) if failure.code == ErrorCode::NotFound));
}

#[test]
fn what_is_served_redacted_is_kept_redacted() {
    let mut duo = Duo::new("{}");
    duo.event(HAL, "m.room.history_visibility", Some(""), r#"{"history_visibility":"joined"}"#);
    duo.say("not for Ann");
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    let read_back = read(&mut duo, 0, 2);
    let text = |entry: &HistoryEntry| String::from_utf8(entry.event.clone().unwrap()).unwrap();
    assert!(!read_back[1].intact && !text(&read_back[1]).contains("not for Ann"), "{}", text(&read_back[1]));
    assert!(read_back[1].sender_verified && read_back[1].authorized);
    // What came with the join is whole, and stays so though it is now served redacted.
    let all = read(&mut duo, 0, 100);
    let name = all.iter().find(|entry| text(entry).contains("m.room.power_levels")).unwrap();
    assert!(name.intact && text(name).contains(r#""@hal:hub.example":100"#));
    duo.restart_part();
    assert_eq!(entries(Some(duo.part.ask(history(0, 100)))), all);
}

#[test]
fn nothing_is_believed_that_the_chain_does_not_lead_to() {
    let mut duo = after(4);
    let past = past(&mut duo);
    let last = past.last().unwrap().clone();
    let other = past[past.len() - 3].clone();
    let changed = |change: fn(&mut Value)| {
        let mut event: Value = serde_json::from_slice(&last.1).unwrap();
        change(&mut event);
        event.to_string().into_bytes()
    };
    let bad: [(&str, Vec<u8>); 5] = [
        ("another event", other.1),
        ("another time", changed(|event| event["origin_server_ts"] = 1.into())),
        ("no signature", changed(|event| event["signatures"] = json!({}))),
        ("another room", changed(|event| event["room_id"] = "!x:hub.example".into())),
        ("no event", b"{}".to_vec()),
    ];
    for (name, bytes) in bad {
        let ticket = duo.part.begin(history(0, 4));
        duo.answer_with(pdus([bytes.as_slice()]));
        let answer = duo.part.answer(ticket);
        assert!(matches!(&answer, Some(Answer::Refused(failure)) if failure.code == ErrorCode::NotFound), "{name}");
        assert_eq!(duo.waiting(), 0);
    }
    // Other content under the same hash is the redacted copy, as everywhere.
    let ticket = duo.part.begin(history(0, 1));
    duo.answer_with(pdus([changed(|event| event["content"]["body"] = "forged".into()).as_slice()]));
    let entry = &entries(duo.part.answer(ticket))[0];
    assert_eq!((entry.event_id, entry.intact), (last.0, false));
    assert!(!String::from_utf8(entry.event.clone().unwrap()).unwrap().contains("forged"));
}

#[test]
fn what_the_hub_withholds_ends_the_answer_and_is_told() {
    let mut duo = after(6);
    let past = past(&mut duo);
    let count = past.len();
    let ticket = duo.part.begin(history(0, 6));
    duo.answer_with(pdus([past[count - 1].1.as_slice(), &past[count - 2].1, &past[count - 4].1]));
    duo.answer_with(ok(r#"{"pdus":[]}"#));
    let got = entries(duo.part.answer(ticket));
    assert_eq!(ids(&got), [past[count - 2].0, past[count - 1].0]);
    let missing = past[count - 3].0;
    assert!(
        duo.part.told.iter().any(|told| matches!(told, Notification::Hole { event_id, .. } if *event_id == missing))
    );
    // It is asked for again, and nothing has taken its place.
    let got = read(&mut duo, 0, 6);
    assert_eq!(ids(&got), past[count - 6..].iter().map(|(id, _)| *id).collect::<Vec<_>>());
}

#[test]
fn a_hub_that_is_silent_gives_what_is_here_or_a_refusal() {
    let mut duo = after(6);
    let ticket = duo.part.begin(history(0, 6));
    (0..3).for_each(|_| duo.answer_with(silence()));
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Refused(failure)) if failure.status == 502));
    read(&mut duo, 0, 2);
    let ticket = duo.part.begin(history(0, 6));
    duo.say("the room goes on");
    assert!(
        failures(&{
            let events = duo.unsent();
            let ticket = duo.begin(events);
            duo.outcomes(ticket)
        })
        .is_empty()
    );
    (0..3).for_each(|_| duo.answer_with(silence()));
    assert_eq!(entries(duo.part.answer(ticket)).len(), 2);
    assert!(!duo.part.told.iter().any(|told| matches!(told, Notification::Hole { .. })), "silence is no answer");
}

/// An event's ID and bytes.
type Known = (EventId, Vec<u8>);

/// A room whose hub appended a message of `sender`, allowed by `auth` (places in the log, or an event that nobody has), before Ann joined. The room, the
/// message, and what stands before it.
fn behind_a_forged_message(sender: &str, auth: &[Option<usize>]) -> (Duo, Known, Known) {
    let mut duo = Duo::new("{}");
    duo.say("a");
    let log = duo.hub_log();
    let (_, before_id, before) = log.last().unwrap().clone();
    let auth: Vec<EventId> =
        auth.iter().map(|place| place.map_or(EventId::from_hash([9; 32]), |place| log[place].1)).collect();
    let room_id = duo.room_id.clone();
    let forgery = Forgery {
        room_id: &room_id,
        hub: HUB,
        sender,
        kind: "m.room.message",
        state_key: None,
        body: "{}",
        auth_events: &auth,
        prev_events: &[before_id],
        ts: 1,
    };
    let (forged_id, forged) = forgery.make();
    // The join is Ann's own, put behind the message.
    let (ticket, body) = duo.begin_join();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    let join = &answer["event"];
    let ts = join["origin_server_ts"].as_i64().unwrap();
    let ids = join["auth_events"].as_array().unwrap().iter();
    let auth: Vec<EventId> = ids.map(|id| EventId::parse(id.as_str().unwrap()).unwrap()).collect();
    let join = Forgery {
        sender: ANN,
        kind: "m.room.member",
        state_key: Some(ANN),
        body: r#"{"membership":"join"}"#,
        auth_events: &auth,
        prev_events: &[forged_id],
        ts,
        ..forgery
    };
    answer["event"] = serde_json::from_slice(join.make().1.bytes()).unwrap();
    duo.answer_with(ok(&answer.to_string()));
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    (duo, (forged_id, forged.bytes().to_vec()), (before_id, before.unwrap()))
}

#[test]
fn what_the_rules_refuse_is_a_link_in_the_past_too() {
    let (mut duo, forged, before) = behind_a_forged_message("@mal:hub.example", &[Some(0), Some(2)]);
    let ticket = duo.part.begin(history(0, 2));
    duo.answer_with(pdus([forged.1.as_slice(), &before.1]));
    let got = entries(duo.part.answer(ticket));
    assert_eq!(ids(&got), [before.0, forged.0]);
    assert_eq!((&got[1].event, got[0].authorized), (&None, true), "its link alone is kept");
    let rejected =
        |told: &Notification| matches!(told, Notification::Rejected { event_id, .. } if *event_id == forged.0);
    assert!(duo.part.told.iter().any(rejected));
}

#[test]
fn what_rests_on_events_that_are_not_here_is_marked() {
    let (mut duo, unchecked, before) = behind_a_forged_message(HAL, &[Some(0), None, Some(1)]);
    let ticket = duo.part.begin(history(0, 2));
    duo.answer_with(pdus([unchecked.1.as_slice(), &before.1]));
    let got = entries(duo.part.answer(ticket));
    assert_eq!(ids(&got), [before.0, unchecked.0]);
    assert_eq!(got[1].event.as_ref(), Some(&unchecked.1), "the chain leads to it, so it is shown");
    assert_eq!(got.iter().map(|entry| entry.authorized).collect::<Vec<_>>(), [true, false]);
    assert!(got[1].sender_verified && got[1].intact);
    duo.restart_part();
    assert_eq!(entries(Some(duo.part.ask(history(0, 2)))), got, "and stays marked");
}

#[test]
fn a_late_event_from_before_the_join_is_still_none_of_the_log() {
    let mut duo = Duo::joined();
    duo.part.store = hublet::store::memory::MemoryStore::new();
    duo.restart_part();
    (0..60).for_each(|number| {
        duo.say(&number.to_string());
    });
    let owed = duo.unsent();
    duo.part.now += 1_000;
    let ticket = duo.join();
    assert!(matches!(duo.part.answer(ticket), Some(Answer::Accepted(_))));
    read(&mut duo, 0, 20);
    for events in [&owed[50..], &owed[10..40], &owed[..10]] {
        assert!(failures(&duo.receive(events.to_vec())).is_empty());
    }
    assert_eq!(duo.part_ids().len(), 1);
    assert_eq!(read(&mut duo, 0, 60).len(), 60);
    assert!(duo.part.told.iter().all(|told| matches!(told, Notification::Appended { .. })), "{:?}", duo.part.told);
}

#[test]
fn over_the_net_a_second_server_reads_back_and_serves_what_is_whole() {
    let (hub, part, third) = (server(HUB), server(PART), server("third.example"));
    let mut net = Net::new(&[&hub, &part, &third]);
    let room: RoomId = net.create(HAL, "!r:hub.example", true, "{}");
    (0..120).for_each(|number| {
        net.say(HAL, &room, &number.to_string());
    });
    net.join(ANN, &room, HUB);
    net.join("@cat:third.example", &room, HUB);
    let log = net.ids(HUB, &room, 0);
    let before = log.iter().position(|id| *id == net.ids(PART, &room, 0)[0]).unwrap();
    let event = log[before - 2];
    let ask = |net: &mut Net, read: RoomRead| {
        net.ask(&part, Address::Room(room.clone()), Call::Room(RoomCall::Read { origin: third.clone(), read })).unwrap()
    };
    let back = |net: &mut Net, limit| net.ask(&server(PART), Address::Room(room.clone()), history(0, limit));
    assert_eq!(ids(&entries(back(&mut net, 10))), log[before - 10..before]);
    // Who may see it, and what the state was, we know only when we know everything before it.
    for read in [RoomRead::Event(event), RoomRead::State(event), RoomRead::Backfill { until: event, limit: 5 }] {
        assert!(matches!(ask(&mut net, read), Answer::Refused(failure) if failure.status == 404));
    }
    assert_eq!(ids(&entries(back(&mut net, 1_000))), log[..before]);
    for read in [RoomRead::Event(event), RoomRead::State(event), RoomRead::Backfill { until: event, limit: 5 }] {
        assert!(matches!(ask(&mut net, read), Answer::Response(response) if response.status == 200));
    }
    assert!(net.told(PART).iter().all(|told| matches!(told, Notification::Appended { .. })));
    net.rule(|_| Fate::Lose);
    assert_eq!(ids(&entries(back(&mut net, 1_000))), log[..before], "from the store");
}
