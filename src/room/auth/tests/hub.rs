//! Section 9: hub transfer. `@ann:a.org` created the room, so `a.org` is its hub.

use super::{ANN, AuthRule, BOB, check};
use crate::room::testing::{Builder, Room, event_id, state_event};
use std::format;

const LEVELS: &str = r#"{"users":{"@ann:a.org":100,"@bob:b.org":100,"@dan:d.org":99}}"#;

fn room(flag: &str) -> Room {
    Room::created_with(flag).levels(LEVELS).joined(BOB).joined("@dan:d.org")
}

fn movable() -> Room {
    room(r#""hublet.hub_transfer":true,"#)
}

fn hub(sender: &str, head: u64) -> Builder {
    let head = event_id(head);
    state_event(sender, "m.room.hub", "", &format!(r#"{{"head":"{head}"}}"#)).prev(&[head]).hub("a.org")
}

#[test]
fn section_9_the_hub_moves_to_its_senders_server() {
    let mut room = movable();
    assert_eq!(room.state().hub().unwrap().as_str(), "a.org");
    check(&room.state(), hub(BOB, 5), Ok(()));
    room.set(hub(BOB, 5));
    assert_eq!(room.state().hub().unwrap().as_str(), "b.org");
    // And back, through the present hub.
    check(&room.state(), hub(ANN, 6).hub("b.org"), Ok(()));
    room.set(hub(ANN, 6).hub("b.org"));
    assert_eq!(room.state().hub().unwrap().as_str(), "a.org");
}

#[test]
fn section_9_head_must_be_the_one_previous_event() {
    let state = movable().state();
    let [head, other] = [5, 6].map(event_id);
    check(&state, hub(BOB, 5).prev(&[other]), Err(AuthRule::HubHead));
    check(&state, hub(BOB, 5).prev(&[head, other]), Err(AuthRule::HubHead));
    for content in ["{}", r#"{"head":5}"#, r#"{"head":"$x"}"#] {
        let event = state_event(BOB, "m.room.hub", "", content).hub("a.org").prev(&[head]);
        check(&state, event, Err(AuthRule::HubHead));
    }
}

#[test]
fn section_9_the_sender_needs_level_100_and_what_rule_7_asks() {
    let state = movable().state();
    check(&state, hub("@dan:d.org", 5), Err(AuthRule::HubLevel { has: 99 }));
    let higher = LEVELS.replace(r#""users""#, r#""events":{"m.room.hub":101},"users""#);
    let state = movable().levels(&higher).state();
    check(&state, hub(BOB, 5), Err(AuthRule::LevelToSend { has: 100, needs: 101 }));
}

#[test]
fn section_9_only_an_lpdu_of_another_server_moves_the_hub() {
    let state = movable().state();
    check(&state, hub(ANN, 5), Err(AuthRule::HubForm));
    let own = state_event(ANN, "m.room.hub", "", &format!(r#"{{"head":"{}"}}"#, event_id(5))).prev(&[event_id(5)]);
    check(&state, own, Err(AuthRule::HubForm));
}

#[test]
fn section_9_without_the_flag_the_hub_stays() {
    for flag in ["", r#""hublet.hub_transfer":false,"#, r#""hublet.hub_transfer":"true","#] {
        let mut room = room(flag);
        check(&room.state(), hub(BOB, 5), Ok(()));
        check(&room.state(), state_event(ANN, "m.room.hub", "", "{}"), Ok(()));
        room.set(hub(BOB, 5));
        assert_eq!(room.state().hub().unwrap().as_str(), "a.org", "{flag}");
    }
}

#[test]
fn section_9_only_the_empty_state_key_counts() {
    let mut room = movable();
    let elsewhere = hub(BOB, 5).top_level("state_key", r#""x""#);
    check(&room.state(), elsewhere.clone(), Ok(()));
    room.set(elsewhere);
    assert_eq!(room.state().hub().unwrap().as_str(), "a.org");
}
