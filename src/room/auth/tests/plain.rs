//! Rules 6, 7, 8 and 10.

use super::{ANN, AuthRule, BOB, check};
use crate::room::testing::{Room, message, state_event};

#[test]
fn rule_6_sender_who_is_not_joined_is_rejected() {
    for membership in ["invite", "leave", "ban", "knock"] {
        let state = Room::new().member(BOB, membership).state();
        check(&state, message(BOB, "m.room.message", "{}"), Err(AuthRule::SenderNotJoined));
    }
    let state = Room::new().state();
    check(&state, message(BOB, "m.room.message", "{}"), Err(AuthRule::SenderNotJoined));
    check(&state, message(ANN, "m.room.message", "{}"), Ok(()));
}

#[test]
fn rule_7_level_to_send_by_type_then_by_default() {
    let levels = r#"{"events":{"m.low":-5,"m.high":51,"m.room.topic":50},"events_default":10,"state_default":20,"users":{"@ann:a.org":50,"@bob:b.org":10}}"#;
    let state = Room::new().levels(levels).joined(BOB).joined("@low:c.org").state();
    let rejected = |has, needs| Err(AuthRule::LevelToSend { has, needs });
    check(&state, message(BOB, "m.room.message", "{}"), Ok(()));
    check(&state, message("@low:c.org", "m.room.message", "{}"), rejected(0, 10));
    check(&state, message("@low:c.org", "m.low", "{}"), Ok(()));
    check(&state, state_event(BOB, "m.room.name", "", "{}"), rejected(10, 20));
    check(&state, state_event(ANN, "m.room.name", "", "{}"), Ok(()));
    check(&state, state_event(ANN, "m.room.topic", "", "{}"), Ok(()));
    check(&state, state_event(BOB, "m.room.topic", "", "{}"), rejected(10, 50));
    // The entry of `events` counts for state and messages alike.
    check(&state, message(BOB, "m.room.topic", "{}"), rejected(10, 50));
    check(&state, message(ANN, "m.high", "{}"), rejected(50, 51));
}

#[test]
fn rule_7_without_power_levels_the_creator_has_100_and_state_asks_for_50() {
    let state = Room::created_with("").joined(BOB).state();
    check(&state, state_event(ANN, "m.room.name", "", "{}"), Ok(()));
    check(&state, message(BOB, "m.room.message", "{}"), Ok(()));
    check(&state, state_event(BOB, "m.room.name", "", "{}"), Err(AuthRule::LevelToSend { has: 0, needs: 50 }));
    // Once levels are set the creator has what they say.
    let state = Room::created_with("").levels("{}").state();
    check(&state, state_event(ANN, "m.room.name", "", "{}"), Err(AuthRule::LevelToSend { has: 0, needs: 50 }));
}

#[test]
fn rule_8_state_key_of_another_user_is_rejected() {
    let state = Room::new().state();
    check(&state, state_event(ANN, "m.own", ANN, "{}"), Ok(()));
    check(&state, state_event(ANN, "m.own", "ann", "{}"), Ok(()));
    for key in [BOB, "@", "@ann:a.org.", "@ANN:a.org"] {
        check(&state, state_event(ANN, "m.own", key, "{}"), Err(AuthRule::StateKeyOfAnother));
    }
}

#[test]
fn rule_10_everything_else_is_allowed() {
    let state = Room::new().joined(BOB).state();
    check(&state, message(BOB, "x", r#"{"any":["thing"]}"#), Ok(()));
    // No auth rule: redactions, access control lists and join rules of any kind.
    check(&state, message(BOB, "m.room.redaction", "{}"), Ok(()));
    check(&state, state_event(ANN, "m.room.server_acl", "", "{}"), Ok(()));
    check(&state, state_event(ANN, "m.room.join_rules", "", r#"{"join_rule":"restricted"}"#), Ok(()));
}
