//! Rule 3.

use super::{ANN, AuthRule, BOB, check};
use crate::event::LINEARIZED_02;
use crate::room::testing::{Builder, Room, event_id, message, state_event};
use std::format;

fn create(sender: &str) -> Builder {
    state_event(sender, "m.room.create", "", &format!(r#"{{"room_version":"{}"}}"#, LINEARIZED_02.id))
}

#[test]
fn rule_3_create_of_an_empty_room_is_allowed() {
    check(&Room::empty().state(), create(ANN), Ok(()));
}

#[test]
fn rule_3_create_with_prev_or_auth_events_is_rejected() {
    let empty = Room::empty().state();
    check(&empty, create(ANN).prev(&[event_id(1)]), Err(AuthRule::CreateNotFirst));
    check(&empty, create(ANN).auth(&[event_id(1)]), Err(AuthRule::CreateNotFirst));
}

#[test]
fn rule_3_create_that_is_not_state_is_rejected() {
    let empty = Room::empty().state();
    let content = format!(r#"{{"room_version":"{}"}}"#, LINEARIZED_02.id);
    check(&empty, message(ANN, "m.room.create", &content), Err(AuthRule::CreateNotState));
    check(&empty, state_event(ANN, "m.room.create", "x", &content), Err(AuthRule::CreateNotState));
}

#[test]
fn rule_3_create_under_another_servers_room_id_is_rejected() {
    check(&Room::empty().state(), create(BOB), Err(AuthRule::CreateRoomServer));
}

#[test]
fn rule_3_create_with_another_or_no_version_is_rejected() {
    for content in ["{}", r#"{"room_version":"11"}"#, r#"{"room_version":11}"#, r#"{"room_version":null}"#] {
        check(&Room::empty().state(), state_event(ANN, "m.room.create", "", content), Err(AuthRule::CreateVersion));
    }
}

#[test]
fn rule_3_second_create_is_rejected() {
    check(&Room::new().state(), create(ANN), Err(AuthRule::CreateTwice));
}

#[test]
fn rule_4_nothing_is_allowed_before_the_create_event() {
    check(&Room::empty().state(), message(ANN, "m.room.message", "{}"), Err(AuthRule::AuthEventsNoCreate));
}
