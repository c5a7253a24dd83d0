//! Rule 9: who may set which power levels.

use crate::event::Event;
use crate::id::UserId;
use crate::json::{Kind, Value};
use crate::room::auth_rule::AuthRule;
use crate::room::power_levels::{LevelField, PowerLevels, changes};
use crate::room::state::RoomState;

/// Checks an `m.room.power_levels` event whose sender has level `has`.
pub(super) fn check(event: &Event, has: i64, state: &RoomState) -> Result<(), AuthRule> {
    let content = event.content();
    shape(content)?;
    // Rule 9.4.
    if !state.has_power_levels() {
        return Ok(());
    }
    let (old, new) = (state.power_levels(), &PowerLevels::from_content(content));
    let above = |level: Option<i64>| level.is_some_and(|level| level > has);
    // Rule 9.5.
    for field in LevelField::ALL {
        let (old, new) = (old.written(field), new.written(field));
        if old != new && (above(old) || above(new)) {
            return Err(AuthRule::PowerFieldLevel);
        }
    }
    // Rules 9.6 and 9.7.
    if changes(old.events(), new.events()).any(|change| above(change.old) || above(change.new)) {
        return Err(AuthRule::PowerEventLevel);
    }
    for change in changes(old.users(), new.users()) {
        // Rule 9.8.
        if change.name != event.sender().as_str() && change.old.is_some_and(|old| old >= has) {
            return Err(AuthRule::PowerUserAbove);
        }
        // Rule 9.9.
        if above(change.new) {
            return Err(AuthRule::PowerUserRaised);
        }
    }
    // Rule 9.10.
    Ok(())
}

fn shape(content: Value<'_>) -> Result<(), AuthRule> {
    // Rule 9.1.
    for field in LevelField::ALL {
        if content.member(field.name()).is_some_and(|level| level.as_i64().is_none()) {
            return Err(AuthRule::PowerNotInteger);
        }
    }
    // Rule 9.2.
    if content.member("events").is_some_and(|events| !holds_integers(events)) {
        return Err(AuthRule::PowerEvents);
    }
    // Rule 9.3.
    let valid = |users: Value<'_>| users.members().all(|user| UserId::parse(&user.key()).is_ok());
    if content.member("users").is_some_and(|users| !holds_integers(users) || !valid(users)) {
        return Err(AuthRule::PowerUsers);
    }
    Ok(())
}

/// Whether `value` is an object of integers.
pub(in crate::room) fn holds_integers(value: Value<'_>) -> bool {
    value.kind() == Kind::Object && value.members().all(|member| member.value().as_i64().is_some())
}
