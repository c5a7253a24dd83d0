//! Rule 4: `auth_events`, selected and checked.

use super::{ANN, AuthRule, BOB, CAT, Verdict};
use crate::event::Event;
use crate::id::{EventId, UserId};
use crate::room::auth_events::{check, decisive, select, unresolved};
use crate::room::known::{KnownEvent, KnownEvents, NothingKnown, Standing};
use crate::room::state::RoomState;
use crate::room::testing::{Builder, Room, event_id, member, message, state_event, user};
use alloc::collections::BTreeMap;
use std::vec::Vec;

const CREATE: u64 = 1;
const ANN_JOIN: u64 = 2;
const LEVELS: u64 = 3;
const JOIN_RULES: u64 = 4;
const BOB_JOIN: u64 = 5;
const CAT_INVITE: u64 = 6;
const TOPIC: u64 = 7;

fn state() -> RoomState {
    Room::new().joined(BOB).with(member(ANN, CAT, "invite")).with(state_event(ANN, "m.room.topic", "", "{}")).state()
}

fn ids(numbers: &[u64]) -> Vec<EventId> {
    numbers.iter().copied().map(event_id).collect()
}

#[test]
fn rule_4_selection_follows_section_4() {
    let table: [(Builder, &[u64]); 10] = [
        (state_event(ANN, "m.room.create", "", "{}"), &[]),
        (message(BOB, "m.room.message", "{}"), &[CREATE, LEVELS, BOB_JOIN]),
        (state_event(BOB, "m.room.topic", CAT, "{}"), &[CREATE, LEVELS, BOB_JOIN]),
        (member(CAT, CAT, "join"), &[CREATE, LEVELS, CAT_INVITE, JOIN_RULES]),
        (member(CAT, CAT, "knock"), &[CREATE, LEVELS, CAT_INVITE, JOIN_RULES]),
        (member(CAT, CAT, "leave"), &[CREATE, LEVELS, CAT_INVITE]),
        (member(ANN, CAT, "invite"), &[CREATE, LEVELS, ANN_JOIN, CAT_INVITE, JOIN_RULES]),
        (member(ANN, BOB, "ban"), &[CREATE, LEVELS, ANN_JOIN, BOB_JOIN]),
        (member(ANN, BOB, "leave"), &[CREATE, LEVELS, ANN_JOIN, BOB_JOIN]),
        (member("@new:n.org", "@new:n.org", "join"), &[CREATE, LEVELS, JOIN_RULES]),
    ];
    for (event, expected) in table {
        let json = event.json();
        assert_eq!(select(&event.build(), &state()), ids(expected), "{json}");
    }
}

#[test]
fn rule_4_the_hub_event_is_selected_where_the_hub_can_move() {
    let with_hub = |flag| Room::created_with(flag).with(state_event(BOB, "m.room.hub", "", "{}").hub("a.org")).state();
    let text = message(ANN, "m.room.message", "{}").build();
    assert_eq!(select(&text, &with_hub(r#""hublet.hub_transfer":true,"#)), ids(&[1, 2, 3]));
    assert_eq!(select(&text, &with_hub("")), ids(&[1, 2]));
}

#[test]
fn rule_4_what_is_selected_passes() {
    let state = state();
    for event in [
        message(BOB, "m.room.message", "{}"),
        member(ANN, CAT, "invite"),
        member(CAT, CAT, "join"),
        member(ANN, BOB, "ban"),
    ] {
        let selected = select(&event.clone().build(), &state);
        let event = event.auth(&selected).build();
        assert_eq!(check(&event, &state, &NothingKnown), Ok(()));
        assert_eq!(unresolved(&event, &state), []);
    }
}

/// Events that are no longer, or never were, in the state.
struct Older(BTreeMap<EventId, (Event, Standing)>);

impl KnownEvents for Older {
    fn known(&self, event_id: &EventId) -> Option<KnownEvent<'_>> {
        let (event, standing) = self.0.get(event_id)?;
        Some(KnownEvent { standing: *standing, ..KnownEvent::accepted(event) })
    }
}

fn older() -> Older {
    let ok = Standing::Accepted;
    let events = [
        (20, state_event(ANN, "m.room.power_levels", "", "{}"), ok),
        (21, member(BOB, BOB, "join"), ok),
        (22, member(BOB, BOB, "join"), Standing::Rejected),
        (23, message(BOB, "m.room.message", "{}"), ok),
        (24, message(BOB, "m.room.power_levels", "{}"), ok),
        (25, state_event(ANN, "m.room.power_levels", "x", "{}"), ok),
        (26, member(CAT, CAT, "join"), ok),
        (27, state_event(ANN, "m.room.join_rules", "", "{}"), ok),
    ];
    Older(events.into_iter().map(|(number, event, standing)| (event_id(number), (event.build(), standing))).collect())
}

fn verdict(event: Builder, numbers: &[u64]) -> Verdict {
    check(&event.auth(&ids(numbers)).build(), &state(), &older())
}

#[test]
fn rule_4_older_entries_of_the_list_pass() {
    let text = || message(BOB, "m.room.message", "{}");
    assert_eq!(verdict(text(), &[CREATE, 20, 21]), Ok(()));
    assert_eq!(verdict(text(), &[CREATE]), Ok(()));
    assert_eq!(verdict(member(CAT, CAT, "knock"), &[CREATE, LEVELS]), Ok(()));
    let event = text().auth(&ids(&[CREATE, 20, 21, 99])).build();
    assert_eq!(unresolved(&event, &state()), ids(&[20, 21, 99]));
}

#[test]
fn rule_4_of_a_long_list_few_entries_decide() {
    let numbers: Vec<u64> = (100..1_100).collect();
    let event = message(BOB, "m.room.message", "{}").auth(&ids(&numbers)).build();
    assert!(decisive(&event).eq(&ids(&numbers[..7])));
    assert_eq!(unresolved(&event, &state()).len(), 7);
}

#[test]
fn rule_4_two_of_one_type_and_state_key_are_rejected() {
    let text = || message(BOB, "m.room.message", "{}");
    assert_eq!(verdict(text(), &[CREATE, LEVELS, BOB_JOIN, 20]), Err(AuthRule::AuthEventsDuplicate));
    assert_eq!(verdict(text(), &[CREATE, CREATE]), Err(AuthRule::AuthEventsDuplicate));
    assert_eq!(verdict(text(), &[CREATE, 21, 21]), Err(AuthRule::AuthEventsDuplicate));
}

#[test]
fn rule_4_entries_outside_the_list_are_rejected() {
    let text = || message(BOB, "m.room.message", "{}");
    for outside in [23, 24, 25, 26, 27] {
        assert_eq!(verdict(text(), &[CREATE, outside]), Err(AuthRule::AuthEventsOutside), "{outside}");
    }
    // The target's member event and the join rules belong to some member events only.
    assert_eq!(verdict(member(BOB, CAT, "invite"), &[CREATE, 26, 27]), Ok(()));
    assert_eq!(verdict(member(BOB, CAT, "ban"), &[CREATE, 26]), Ok(()));
    assert_eq!(verdict(member(BOB, CAT, "ban"), &[CREATE, 27]), Err(AuthRule::AuthEventsOutside));
    assert_eq!(verdict(state_event(BOB, "m.room.topic", CAT, "{}"), &[CREATE, 26]), Err(AuthRule::AuthEventsOutside));
}

#[test]
fn rule_4_entries_of_the_state_that_are_not_in_the_list_are_looked_up_and_rejected() {
    struct Topic(UserId);
    impl KnownEvents for Topic {
        fn known(&self, _: &EventId) -> Option<KnownEvent<'_>> {
            let standing = Standing::Accepted;
            Some(KnownEvent { kind: "m.room.topic", state_key: Some(""), sender: &self.0, standing })
        }
    }
    let event = message(BOB, "m.room.message", "{}").auth(&ids(&[CREATE, TOPIC])).build();
    assert_eq!(unresolved(&event, &state()), ids(&[TOPIC]));
    assert_eq!(check(&event, &state(), &Topic(user(ANN))), Err(AuthRule::AuthEventsOutside));
}

#[test]
fn rule_4_without_the_create_event_is_rejected() {
    assert_eq!(verdict(message(BOB, "m.room.message", "{}"), &[]), Err(AuthRule::AuthEventsNoCreate));
    assert_eq!(verdict(message(BOB, "m.room.message", "{}"), &[LEVELS, BOB_JOIN]), Err(AuthRule::AuthEventsNoCreate));
}

#[test]
fn rule_4_unknown_and_rejected_entries_are_rejected() {
    let text = || message(BOB, "m.room.message", "{}");
    assert_eq!(verdict(text(), &[CREATE, 99]), Err(AuthRule::AuthEventsForeign));
    assert_eq!(verdict(text(), &[CREATE, 22]), Err(AuthRule::AuthEventsRejected));
}

#[test]
fn rule_4_a_long_list_asks_for_few_look_ups() {
    let many: Vec<u64> = (100..1400).collect();
    let event = message(BOB, "m.room.message", "{}").auth(&ids(&many)).build();
    assert_eq!(unresolved(&event, &state()).len(), 7);
    assert_eq!(check(&event, &state(), &older()), Err(AuthRule::AuthEventsForeign));
}
