//! Rule 9. The state: `@ann` 100, `@bob` 50, `@dan` 50; everyone of 50 and more may set power levels.

use super::{ANN, AuthRule, BOB, Verdict, check};
use crate::room::power_levels::LevelField;
use crate::room::state::RoomState;
use crate::room::testing::{Builder, Room, state_event};
use std::format;

const LEVELS: &str = r#"{"events":{"m.high":80,"m.low":20},"events_default":60,"kick":50,"users":{"@ann:a.org":100,"@bob:b.org":50,"@cat:c.org":10,"@dan:d.org":50}}"#;

fn state() -> RoomState {
    Room::new().levels(LEVELS).joined(BOB).state()
}

fn set(sender: &str, content: &str) -> Builder {
    state_event(sender, "m.room.power_levels", "", content)
}

/// Sets [`LEVELS`] with these texts replaced.
#[track_caller]
fn change(sender: &str, from: &str, to: &str, expected: Verdict) {
    assert!(LEVELS.contains(from), "{from}");
    check(&state(), set(sender, &LEVELS.replace(from, to)), expected);
}

#[test]
fn rule_9_1_a_level_that_is_no_integer_is_rejected() {
    for field in LevelField::ALL {
        for value in [r#""50""#, "null", "true", "[]", "{}"] {
            let content = format!(r#"{{"{}":{value}}}"#, field.name());
            check(&state(), set(ANN, &content), Err(AuthRule::PowerNotInteger));
            check(&Room::created_with("").state(), set(ANN, &content), Err(AuthRule::PowerNotInteger));
        }
        let content = format!(r#"{{"{}":7}}"#, field.name());
        check(&Room::created_with("").state(), set(ANN, &content), Ok(()));
    }
}

#[test]
fn rule_9_2_events_other_than_an_object_of_integers_are_rejected() {
    for value in [r#""x""#, "null", "[]", "3", r#"{"m.room.name":"50"}"#, r#"{"m.room.name":null}"#] {
        let content = format!(r#"{{"events":{value}}}"#);
        check(&state(), set(ANN, &content), Err(AuthRule::PowerEvents));
        check(&Room::created_with("").state(), set(ANN, &content), Err(AuthRule::PowerEvents));
    }
    check(&Room::created_with("").state(), set(ANN, r#"{"events":{"":0,"m.room.name":-50}}"#), Ok(()));
}

#[test]
fn rule_9_3_users_other_than_an_object_of_users_to_integers_are_rejected() {
    let values =
        [r#""x""#, "null", "[]", "3", r#"{"@a:b.org":"50"}"#, r#"{"ann":50}"#, r#"{"@A:b.org":50}"#, r#"{"@a":50}"#];
    for value in values {
        let content = format!(r#"{{"users":{value}}}"#);
        check(&state(), set(ANN, &content), Err(AuthRule::PowerUsers));
        check(&Room::created_with("").state(), set(ANN, &content), Err(AuthRule::PowerUsers));
    }
    check(&Room::created_with("").state(), set(ANN, r#"{"users":{"@a:b.org":50}}"#), Ok(()));
}

#[test]
fn rule_9_4_without_previous_levels_anything_well_formed_is_allowed() {
    let content = r#"{"ban":9007199254740991,"events":{"x":500},"users":{"@bob:b.org":1000}}"#;
    check(&Room::created_with("").state(), set(ANN, content), Ok(()));
}

#[test]
fn rule_9_5_each_of_the_seven_levels() {
    for field in LevelField::ALL {
        let name = field.name();
        let with = |level: i64| format!(r#"{{"{name}":{level},"users":{{"@ann:a.org":100,"@bob:b.org":50}}}}"#);
        let without = r#"{"users":{"@ann:a.org":100,"@bob:b.org":50}}"#;
        // Levels at which Bob may still send power levels.
        let old_low = Room::new().levels(&with(40)).joined(BOB).state();
        let none = Room::new().levels(without).joined(BOB).state();
        // Added.
        check(&none, set(BOB, &with(50)), Ok(()));
        check(&none, set(BOB, &with(51)), Err(AuthRule::PowerFieldLevel));
        check(&none, set(ANN, &with(100)), Ok(()));
        // Changed.
        check(&old_low, set(BOB, &with(50)), Ok(()));
        check(&old_low, set(BOB, &with(51)), Err(AuthRule::PowerFieldLevel));
        // Removed.
        check(&old_low, set(BOB, without), Ok(()));
        if field != LevelField::StateDefault {
            let old_high = Room::new().levels(&with(51)).joined(BOB).state();
            check(&old_high, set(BOB, without), Err(AuthRule::PowerFieldLevel));
            check(&old_high, set(BOB, &with(50)), Err(AuthRule::PowerFieldLevel));
            // Left as it was.
            check(&old_high, set(BOB, &with(51)), Ok(()));
        }
    }
}

#[test]
fn rule_9_6_entries_of_events_that_are_changed_or_removed() {
    change(BOB, r#""m.low":20"#, r#""m.low":50"#, Ok(()));
    change(BOB, r#""m.low":20"#, r#""m.low":51"#, Err(AuthRule::PowerEventLevel));
    change(BOB, r#","m.low":20"#, "", Ok(()));
    change(BOB, r#""m.high":80"#, r#""m.high":10"#, Err(AuthRule::PowerEventLevel));
    change(BOB, r#""m.high":80,"#, "", Err(AuthRule::PowerEventLevel));
    change(ANN, r#""m.high":80,"#, "", Ok(()));
}

#[test]
fn rule_9_7_entries_of_events_that_are_added() {
    change(BOB, r#""m.low":20"#, r#""m.low":20,"m.new":50"#, Ok(()));
    change(BOB, r#""m.low":20"#, r#""m.low":20,"m.new":51"#, Err(AuthRule::PowerEventLevel));
}

#[test]
fn rule_9_8_users_at_or_above_the_sender_keep_their_level() {
    change(BOB, r#""@ann:a.org":100,"#, "", Err(AuthRule::PowerUserAbove));
    change(BOB, r#""@ann:a.org":100"#, r#""@ann:a.org":0"#, Err(AuthRule::PowerUserAbove));
    change(BOB, r#","@dan:d.org":50"#, "", Err(AuthRule::PowerUserAbove));
    change(BOB, r#""@dan:d.org":50"#, r#""@dan:d.org":49"#, Err(AuthRule::PowerUserAbove));
    change(BOB, r#""@cat:c.org":10,"#, "", Ok(()));
    change(BOB, r#""@cat:c.org":10"#, r#""@cat:c.org":50"#, Ok(()));
    // Their own entry is theirs to lower.
    change(BOB, r#""@bob:b.org":50"#, r#""@bob:b.org":1"#, Ok(()));
    change(BOB, r#""@bob:b.org":50,"#, "", Ok(()));
}

#[test]
fn rule_9_9_nobody_is_raised_above_the_sender() {
    change(BOB, r#""@bob:b.org":50"#, r#""@bob:b.org":51"#, Err(AuthRule::PowerUserRaised));
    change(BOB, r#""@cat:c.org":10"#, r#""@cat:c.org":51"#, Err(AuthRule::PowerUserRaised));
    change(BOB, r#""@dan:d.org":50"#, r#""@dan:d.org":50,"@eve:e.org":51"#, Err(AuthRule::PowerUserRaised));
    change(BOB, r#""@dan:d.org":50"#, r#""@dan:d.org":50,"@eve:e.org":50"#, Ok(()));
    change(ANN, r#""@dan:d.org":50"#, r#""@dan:d.org":100"#, Ok(()));
}

#[test]
fn rule_9_10_no_change_is_allowed() {
    check(&state(), set(BOB, LEVELS), Ok(()));
    // `notifications` is no auth rule.
    change(BOB, r#""kick":50"#, r#""kick":50,"notifications":{"room":100}"#, Ok(()));
}

#[test]
fn rule_9_malformed_previous_levels_count_as_absent() {
    // Only a foreign hub's log could hold these.
    let malformed = r#"{"ban":"100","events":{"m.x":"90"},"users":{"@ann:a.org":100,"@bob:b.org":50,"x":70}}"#;
    let state = Room::new().levels(malformed).joined(BOB).state();
    check(&state, set(BOB, r#"{"ban":50,"events":{"m.x":50},"users":{"@ann:a.org":100,"@bob:b.org":50}}"#), {
        // An entry of `users` that is no user ID still has a level that can be above the sender's.
        Err(AuthRule::PowerUserAbove)
    });
    check(&state, set(ANN, r#"{"ban":50,"events":{"m.x":50},"users":{"@ann:a.org":100,"@bob:b.org":50}}"#), Ok(()));
}

#[test]
fn rule_9_levels_at_the_ends_of_the_range_do_not_overflow() {
    let top = 9_007_199_254_740_991_i64;
    let content = format!(r#"{{"state_default":{},"users":{{"@ann:a.org":{top},"@bob:b.org":{}}}}}"#, -top, -top);
    let state = Room::new().levels(&content).joined(BOB).state();
    check(&state, set(BOB, &content), Ok(()));
    let raised = content.replace(&format!(r#""@bob:b.org":{}"#, -top), r#""@bob:b.org":0"#);
    check(&state, set(BOB, &raised), Err(AuthRule::PowerUserRaised));
    check(&state, set(ANN, &raised), Ok(()));
}
