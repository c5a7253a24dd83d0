//! What must not grow with a room: the cost of an append with its history or its members, of opening it with its history,
//! and the memory that its machines hold. On stores in memory; the worker's store has a benchmark of its own.
//!
//! The long history is written as rows: entries of the log with their places and LPDU IDs, each with the bytes of one
//! message, behind the rows of a room that was made by its machines. Members join by their events.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]
#![allow(clippy::as_conversions, clippy::unreachable)]

mod report;
mod rig;

use std::alloc::System;

use hublet::{
    event::{Integrity, LINEARIZED_02, Sender},
    id::EventId,
    room::{
        head::{Head, Room},
        log::{LogEntry, LogEvent},
        state::RoomState,
    },
    server::{Answer, Call, RoomCall},
    store::{Query, Table, WriteBatch, memory::MemoryStore},
    testing::{content, keys_of, lpdu, server},
};
use report::{alternate, print, print_ratio, print_us, timed};
use rig::{EACH, HUB, MEMBERS, PART, Rig, Sent, Stage, Transaction, end, expect_taken};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SHORT: i64 = 1_000;
const LONG: i64 = 1_000_000;
const MANY: usize = 10_000;
/// Servers that the many members are spread over.
const SERVERS: usize = 998;

const ROUNDS: usize = 40;
const OPENINGS: usize = 60;

fn main() {
    let stage = Stage::new();
    let history = [SHORT, LONG].map(|events| with_history(&stage, events));
    let history = opening(&stage, history);
    append_to_history(&stage, history);
    joins(&stage);
}

/// Opens both rooms in turn, and says what their machines hold.
fn opening(stage: &Stage, stores: [MemoryStore; 2]) -> [MemoryStore; 2] {
    let [mut short, mut long] = stores.map(Some);
    let mut held = [0; 2];
    let open = |room: &mut Option<MemoryStore>, held: &mut usize| {
        let store = room.take().unwrap();
        let events = end(&store);
        let mut hub = stage.hub_with(store);
        let region = Region::new(ALLOCATOR);
        let mut answer = None;
        let took = timed(1, || answer = Some(hub.ask(&stage.address(), Call::Room(last(events)))));
        let change = region.change();
        *held = change.bytes_allocated - change.bytes_deallocated;
        assert!(matches!(answer, Some(Answer::Entries(entries)) if entries.len() == 1));
        *room = hub.stores.remove(&stage.address());
        took
    };
    let [held_short, held_long] = &mut held;
    let pair = alternate(OPENINGS, || open(&mut long, held_long), || open(&mut short, held_short));
    print_us("open_room_of_1000", pair.second);
    print_us("open_room_of_1000000", pair.first);
    print_ratio("growth_open_ratio", &pair);
    print("memory_of_open_room_of_1000", &format!("{}", held[0]), "bytes");
    print("memory_of_open_room_of_1000000", &format!("{}", held[1]), "bytes");
    [short.unwrap(), long.unwrap()]
}

/// Appends to both rooms in turn, a transaction each.
fn append_to_history(stage: &Stage, stores: [MemoryStore; 2]) {
    let rounds = ROUNDS + 10;
    let transactions = stage.messages(PART, 0, rounds);
    let grow = |store: MemoryStore| {
        let mut hub = stage.hub_with(store);
        let mut next = transactions.iter();
        next.next().unwrap().deliver(&mut hub);
        (hub, next)
    };
    let [mut short, mut long] = stores.map(grow);
    let append = |(hub, next): &mut (Rig, std::slice::Iter<'_, Transaction>)| {
        let request = next.next().unwrap().request.clone();
        timed(EACH, || expect_taken(hub, request))
    };
    let pair = alternate(ROUNDS, || append(&mut long), || append(&mut short));
    for ((hub, next), before) in [(&short, SHORT), (&long, LONG)] {
        let taken = transactions.len() - next.len();
        assert_eq!(end(&hub.stores[&stage.address()]), before + (taken * EACH) as i64);
        stage.check(hub, &transactions[..taken]);
    }
    let mark = if cfg!(feature = "null-crypto") { "_null_crypto" } else { "" };
    print_us(&format!("append_at_1000{mark}"), pair.second);
    print_us(&format!("append_at_1000000{mark}"), pair.first);
    print_ratio(&format!("growth_append_ratio{mark}"), &pair);
}

/// Lets fifty join a room of few and a room of many, by turns; each time the rooms are as before.
fn joins(stage: &Stage) {
    let members =
        |from: usize, to: usize| -> Vec<Sent> { (from..to).map(|number| join(stage, PART, number)).collect() };
    let mut hub = stage.hub();
    for at in 0..SERVERS {
        let origin = format!("s{at}.example");
        let each = (MANY - MEMBERS) / SERVERS;
        let events: Vec<_> = (0..each).map(|number| join(stage, &origin, number)).collect();
        let events = events.iter().map(|sent| content(core::str::from_utf8(&sent.bytes).unwrap())).collect();
        let call = RoomCall::Receive { origin: server(&origin), keys: keys_of(&origin), events };
        let Answer::Outcomes(outcomes) = hub.ask(&stage.address(), Call::Room(call)) else { panic!("no outcomes") };
        assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()));
    }
    let many = hub.stores.remove(&stage.address()).unwrap();
    let few = stage.room().clone();
    let fifty = Transaction::new(PART, HUB, 1, members(100, 100 + EACH));
    let first = stage.messages(PART, 0, 1).remove(0);
    let join = |room: &MemoryStore| {
        let mut hub = stage.hub_with(room.clone());
        first.deliver(&mut hub);
        let request = fifty.request.clone();
        let took = timed(EACH, || expect_taken(&mut hub, request));
        let grown = hub.stores[&stage.address()].len(Table::State) - room.len(Table::State);
        assert_eq!(grown, EACH, "everybody has joined");
        took
    };
    assert!((MEMBERS..MEMBERS + 10).contains(&few.len(Table::State)) && many.len(Table::State) >= MANY);
    let pair = alternate(ROUNDS, || join(&many), || join(&few));
    let mark = if cfg!(feature = "null-crypto") { "_null_crypto" } else { "" };
    print_us(&format!("join_of_20_members{mark}"), pair.second);
    print_us(&format!("join_of_10000_members{mark}"), pair.first);
    print_ratio(&format!("growth_join_ratio{mark}"), &pair);
}

fn join(stage: &Stage, origin: &str, number: usize) -> Sent {
    let user = rig::user_of(origin, number);
    let content = r#"{"membership":"join"}"#;
    let lpdu = lpdu(&stage.room_id, &user, HUB, "m.room.member", Some(&user), content, 1_700_000_000_000);
    Sent { lpdu_id: lpdu.lpdu_id(), bytes: lpdu.into_bytes() }
}

/// The call for a log's last entry.
fn last(events: i64) -> RoomCall {
    RoomCall::Timeline { from: events - 1, limit: 1 }
}

/// The stage's room with a history of so many entries.
fn with_history(stage: &Stage, events: i64) -> MemoryStore {
    let mut hub = stage.hub();
    stage.messages(PART, 0, 1).iter().for_each(|transaction| transaction.deliver(&mut hub));
    let made = hub.stores.remove(&stage.address()).unwrap();
    let bytes = {
        let query = hublet::room::log::entry(end(&made) - 1);
        let Ok(LogEntry::Event(event)) = LogEntry::decode(&made.read(&query)[0].value) else { panic!("an event") };
        event.bytes
    };
    let mut store = stage.room().clone();
    for position in end(&store)..events {
        let (event_id, lpdu_id) = (some_id(position, 1), some_id(position, 2));
        let (sender, integrity) = (Sender::Verified, Integrity::Intact);
        let entry = LogEvent { event_id, sender, integrity, soft_failed: false, bytes: bytes.clone() };
        let mut batch = WriteBatch::new();
        LogEntry::Event(entry).put(position, &mut batch);
        batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
        store.apply(batch);
    }
    let head = Head { position: events - 1, event_id: some_id(events - 1, 1) };
    let room = Room { state: RoomState::new(stage.room_id.clone(), &LINEARIZED_02), head: Some(head) };
    let mut batch = WriteBatch::new();
    room.put_head(&mut batch);
    // Nobody is behind: what is sent on is not measured here.
    store.read(&Query::all(Table::Owed)).into_iter().for_each(|row| batch.delete(Table::Owed, row.key));
    store.apply(batch);
    store
}

/// An ID that looks like any other.
fn some_id(position: i64, salt: u64) -> EventId {
    let mut state = position.cast_unsigned().wrapping_mul(2).wrapping_add(salt);
    let mut hash = [0; 32];
    for chunk in hash.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    EventId::from_hash(hash)
}
