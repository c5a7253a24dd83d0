//! Every rule of section 5 by its number, both ways.

use super::check as auth_check;
use crate::room::auth_rule::AuthRule;
use crate::room::state::RoomState;
use crate::room::testing::Builder;

mod create;
mod events;
mod hub;
mod member;
#[cfg(not(target_family = "wasm"))]
mod oracle;
mod plain;
mod power;
mod properties;

type Verdict = Result<(), AuthRule>;

const ANN: &str = "@ann:a.org";
const BOB: &str = "@bob:b.org";
const CAT: &str = "@cat:c.org";

/// Checks an event against the state before it, by its own `prev_events`.
#[track_caller]
fn check(state: &RoomState, event: Builder, expected: Verdict) {
    let json = event.json();
    let event = event.build();
    assert_eq!(auth_check(&event, event.prev_events(), state), expected, "{json}");
}
