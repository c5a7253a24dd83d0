//! A room from its exported log: it goes on where it ended, or it is not there at all.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::{
    id::EventId,
    server::{Answer, Call, ErrorCode, Failure, Machine, RoomCall, Ticket, room::RoomMachine},
    store::{Query, Table, memory::MemoryStore},
    testing::{
        Driver,
        duo::{ANN, Duo, HAL, HUB, PART},
        identity, keys_of, server, user,
    },
};

type Room = Driver<RoomMachine>;

/// A room with an old and a redacted event, a renamed room, a changed power level, a participant who spoke and one who left.
fn duo() -> Duo {
    let mut duo = Duo::joined();
    let secret = duo.say("secret");
    duo.event(HAL, "m.room.redaction", None, &format!(r#"{{"hublet.redacts":"{secret}"}}"#));
    duo.catch_up();
    speak(&mut duo, "from afar");
    duo.event(HAL, "m.room.name", Some(""), r#"{"name":"one"}"#);
    duo.event(HAL, "m.room.name", Some(""), r#"{"name":"two"}"#);
    duo.catch_up();
    duo
}

/// Ann says something, and the hub appends it.
fn speak(duo: &mut Duo, text: &str) {
    let content = hublet::testing::content(&format!(r#"{{"body":"{text}"}}"#));
    let call = RoomCall::SendEvent { sender: user(ANN), kind: "m.room.message".into(), state_key: None, content };
    assert!(matches!(duo.part.ask(Call::Room(call)), Answer::Accepted(_)));
    let pulled = duo.pulled();
    assert!(duo.send_lpdus(&pulled).iter().all(|outcome| outcome.failure.is_none()));
}

fn lines(duo: &mut Duo) -> Vec<Vec<u8>> {
    duo.hub_log().into_iter().map(|(_, _, bytes)| bytes.unwrap()).collect()
}

/// A server that lost the room.
fn empty(duo: &Duo, name: &str, store: MemoryStore) -> Room {
    let machine = RoomMachine::new(identity(name), duo.room_id.clone(), Ticket(1 << 40));
    let mut driver = Driver::new(machine, store, vec![keys_of(HUB), keys_of(PART)]);
    driver.now = duo.hub.now;
    driver
}

fn page(room: &mut Room, from: usize, lines: &[Vec<u8>], end: bool) -> Answer {
    let text = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    room.ask(Call::Room(RoomCall::Restore { from: from.try_into().unwrap(), lines: text, end }))
}

fn restore(room: &mut Room, lines: &[Vec<u8>], size: usize) -> Answer {
    let mut from = 0;
    while from + size < lines.len() {
        match page(room, from, &lines[from..from + size], false) {
            Answer::Done => from += size,
            answer => return answer,
        }
    }
    page(room, from, &lines[from..], true)
}

fn log(room: &mut Room) -> Vec<(i64, EventId, Option<Vec<u8>>)> {
    match room.ask(Call::Room(RoomCall::Timeline { from: i64::MIN, limit: u32::MAX })) {
        Answer::Entries(entries) => entries,
        answer => panic!("{answer:?}"),
    }
}

fn refusal(answer: Answer) -> Failure {
    match answer {
        Answer::Refused(failure) => failure,
        answer => panic!("{answer:?}"),
    }
}

fn say(room: &mut Room, sender: &str) -> Answer {
    let content = hublet::testing::content(r#"{"body":"after"}"#);
    let call = RoomCall::SendEvent { sender: user(sender), kind: "m.room.message".into(), state_key: None, content };
    room.ask(Call::Room(call))
}

fn rows(store: &MemoryStore) -> usize {
    Table::ALL.iter().map(|table| store.read(&Query::all(*table)).len()).sum()
}

#[test]
fn the_hub_goes_on_where_the_log_ended_whatever_the_pages() {
    let mut duo = duo();
    let (lines, before) = (lines(&mut duo), duo.hub_log());
    for size in [1, 3, 5, lines.len()] {
        let mut hub = empty(&duo, HUB, MemoryStore::new());
        assert_eq!(restore(&mut hub, &lines, size), Answer::Accepted(before.last().unwrap().1));
        assert_eq!(log(&mut hub), before, "{size}");
        let tables = [Table::Log, Table::Ids, Table::Lpdus, Table::State, Table::StateIndex];
        for table in tables {
            let all = Query::all(table);
            assert_eq!(hub.store.read(&all), duo.hub.store.read(&all), "{table:?} {size}");
        }
        let reopened = core::mem::take(&mut hub.store);
        let mut hub = empty(&duo, HUB, reopened);
        assert!(matches!(say(&mut hub, HAL), Answer::Accepted(_)));
        assert_eq!(log(&mut hub).len(), before.len() + 1);
        let pull = RoomCall::Pull { peer: server(PART), delivered: None };
        let Answer::Owed(owed) = hub.ask(Call::Room(pull)) else { panic!() };
        assert_eq!(owed.events.len(), 2, "the newest of the log, and what followed");
    }
}

#[test]
fn an_lpdu_that_was_appended_before_is_still_known() {
    let mut duo = duo();
    let lines = lines(&mut duo);
    let again = lines.iter().find(|line| String::from_utf8_lossy(line).contains("from afar")).unwrap();
    let mut lpdu: serde_json::Value = serde_json::from_slice(again).unwrap();
    for field in ["auth_events", "prev_events"] {
        lpdu.as_object_mut().unwrap().remove(field);
    }
    lpdu["hashes"].as_object_mut().unwrap().remove("sha256");
    lpdu["signatures"].as_object_mut().unwrap().remove(HUB);
    let mut hub = empty(&duo, HUB, MemoryStore::new());
    restore(&mut hub, &lines, 4);
    let events = vec![hublet::testing::content(&lpdu.to_string())];
    let call = RoomCall::Receive { origin: server(PART), keys: keys_of(PART), events };
    let Answer::Outcomes(outcomes) = hub.ask(Call::Room(call)) else { panic!() };
    assert_eq!(outcomes[0].failure, None);
    assert_eq!(log(&mut hub).len(), lines.len());
}

#[test]
fn a_participant_that_held_the_whole_log_goes_on_as_one() {
    let mut duo = duo();
    let lines = lines(&mut duo);
    duo.part = empty(&duo, PART, MemoryStore::new());
    assert!(matches!(restore(&mut duo.part, &lines, 4), Answer::Accepted(_)));
    duo.say("later");
    assert!(duo.catch_up().iter().all(|outcome| outcome.failure.is_none()));
    assert_eq!(duo.part_log(), duo.hub_log());
}

#[test]
fn a_broken_line_refuses_the_whole_with_its_number_and_rung() {
    let mut duo = duo();
    let good = lines(&mut duo);
    let edit = |from: &str, to: &str| {
        let replace = |line: &Vec<u8>| String::from_utf8(line.clone()).unwrap().replace(from, to).into_bytes();
        good.iter().map(replace).collect::<Vec<_>>()
    };
    let mut swapped = good.clone();
    swapped.swap(9, 10);
    let mut torn = good.clone();
    torn[8].truncate(30);
    let mut missing = good.clone();
    missing.remove(7);
    let cases = [
        (torn, "line 9: schema: "),
        (missing, "line 8: chain: prev_events"),
        (swapped, "line 10: chain: prev_events"),
        (good[1..].to_vec(), "line 1: schema: a log begins with the room's m.room.create"),
        (edit("from afar", "from near"), "line 9: hash: "),
        (
            edit(r#""membership":"join""#, r#""membership":"knock""#),
            "line 2: signature: the sender's signature is wrong",
        ),
        (edit(r#""name":"two""#, r#""name":1.5"#), "line 11: schema: "),
        ([good.clone(), vec![good[10].clone()]].concat(), "line 12: chain: "),
        (vec![], "line 1: schema: there is no line"),
    ];
    for (lines, expected) in cases {
        for size in [2, 50] {
            let mut hub = empty(&duo, HUB, MemoryStore::new());
            let failure = refusal(restore(&mut hub, &lines, size));
            assert_eq!((failure.status, failure.code), (400, ErrorCode::Forbidden));
            assert!(failure.error.starts_with(expected), "{expected} {size}: {}", failure.error);
            assert_eq!(rows(&hub.store), 0, "{expected} {size}");
            assert_eq!(refusal(say(&mut hub, HAL)).code, ErrorCode::NotFound, "it is not there");
            assert!(matches!(restore(&mut hub, &good, 3), Answer::Accepted(_)), "and the whole log still can be");
        }
    }
}

#[test]
fn a_line_by_an_unknown_key_stands_on_the_hubs_word_and_one_of_an_unknown_hub_does_not() {
    let mut duo = duo();
    let lines = lines(&mut duo);
    let mut hub = empty(&duo, HUB, MemoryStore::new());
    hub.keys = vec![];
    assert!(matches!(restore(&mut hub, &lines, 4), Answer::Accepted(_)));
    let mut part = empty(&duo, PART, MemoryStore::new());
    part.keys = vec![];
    let failure = refusal(restore(&mut part, &lines, 4));
    assert!(failure.error.starts_with("line 1: key: "), "{}", failure.error);
}

#[test]
fn a_room_that_is_there_is_never_overwritten() {
    let mut duo = duo();
    let (lines, before) = (lines(&mut duo), duo.hub.store.clone());
    let failure = refusal(restore(&mut duo.hub, &lines, 50));
    assert_eq!((failure.status, failure.code), (400, ErrorCode::BadState));
    assert!(failure.error.contains("the room is here"));
    for table in Table::ALL {
        assert_eq!(duo.hub.store.read(&Query::all(*table)), before.read(&Query::all(*table)));
    }
}

#[test]
fn pages_come_in_order_and_meanwhile_nobody_else_is_served() {
    let mut duo = duo();
    let lines = lines(&mut duo);
    let mut hub = empty(&duo, HUB, MemoryStore::new());
    assert_eq!(refusal(page(&mut hub, 4, &lines[4..8], false)).code, ErrorCode::BadState, "the first lines first");
    assert_eq!(page(&mut hub, 0, &lines[..4], false), Answer::Done);
    assert_eq!(refusal(page(&mut hub, 0, &lines[..4], false)).code, ErrorCode::BadState);
    assert_eq!(refusal(page(&mut hub, 5, &lines[5..], true)).code, ErrorCode::BadState);
    assert_eq!(refusal(say(&mut hub, HAL)).code, ErrorCode::BadState);
    assert!(matches!(page(&mut hub, 4, &lines[4..], true), Answer::Accepted(_)));
}

#[test]
fn what_was_abandoned_is_removed_in_time_and_when_the_room_is_opened_again() {
    let mut duo = duo();
    let lines = lines(&mut duo);
    let mut hub = empty(&duo, HUB, MemoryStore::new());
    page(&mut hub, 0, &lines[..6], false);
    assert!(!hub.machine.is_idle());
    let store = hub.store.clone();
    let due = hub.wake.unwrap().millis() - hub.now;
    hub.wake_after(due);
    assert_eq!(rows(&hub.store), 0);
    assert!(hub.machine.is_idle());
    let mut reopened = empty(&duo, HUB, store);
    assert_ne!(rows(&reopened.store), 0);
    reopened.wake_after(0);
    assert_eq!(rows(&reopened.store), 0);
    assert!(matches!(restore(&mut reopened, &lines, 5), Answer::Accepted(_)));
}
