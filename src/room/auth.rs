//! The auth rules 3 and 5 to 10 (spec, section 5), and those of a hub transfer (section 9), against the state before an
//! event.
//!
//! Rules 1 and 2 are the rung before: a verified event has met them. Rule 4 is [`auth_events::check`](super::auth_events).
//! The verdict depends on nothing but the arguments, so every server that holds the same log reaches the same one.

use super::auth_rule::AuthRule;
use super::content;
use super::kind;
use super::membership::{JoinRule, Membership};
use super::power_levels::LevelField;
use super::state::RoomState;
use super::summary::{Create, HubTransfer};
use crate::event::Event;
use crate::id::EventId;

pub(super) use power::holds_integers;

mod power;
#[cfg(test)]
mod tests;

/// The level that moves a hub asks for at the least (spec, section 9).
const HUB_LEVEL: i64 = 100;

/// Checks `event` against the state before it. `prev` is its `prev_events`, or for an event that a hub is about to append
/// the head of the log.
///
/// # Errors
/// The first rule that the event breaks.
pub fn check(event: &Event, prev: &[EventId], state: &RoomState) -> Result<(), AuthRule> {
    if event.kind() == kind::CREATE {
        return create(event, prev, state);
    }
    if state.create().is_none() {
        return Err(AuthRule::AuthEventsNoCreate);
    }
    if event.kind() == kind::MEMBER {
        return member(event, prev, state);
    }
    // Rule 6.
    if state.membership(event.sender()) != Membership::Join {
        return Err(AuthRule::SenderNotJoined);
    }
    // Rule 7.
    let has = state.level_of(event.sender());
    let needs = state.power_levels().level_to_send(event.kind(), event.is_state());
    if has < needs {
        return Err(AuthRule::LevelToSend { has, needs });
    }
    // Rule 8.
    if event.state_key().is_some_and(|key| key.starts_with('@') && key != event.sender().as_str()) {
        return Err(AuthRule::StateKeyOfAnother);
    }
    match event.kind() {
        // Rule 9.
        kind::POWER_LEVELS => power::check(event, has, state),
        kind::HUB if event.state_key() == Some("") => hub(event, prev, has, state),
        // Rule 10.
        _ => Ok(()),
    }
}

/// Rule 3.
fn create(event: &Event, prev: &[EventId], state: &RoomState) -> Result<(), AuthRule> {
    if !prev.is_empty() || !event.auth_events().is_empty() {
        return Err(AuthRule::CreateNotFirst);
    }
    if event.state_key() != Some("") {
        return Err(AuthRule::CreateNotState);
    }
    if event.room_id().server() != event.sender().server() {
        return Err(AuthRule::CreateRoomServer);
    }
    if content::text(event.content(), "room_version").as_deref() != Some(state.rules().id) {
        return Err(AuthRule::CreateVersion);
    }
    if state.create().is_some() { Err(AuthRule::CreateTwice) } else { Ok(()) }
}

/// Rule 5.
fn member(event: &Event, prev: &[EventId], state: &RoomState) -> Result<(), AuthRule> {
    let (Some(target), Some(membership)) = (event.state_key(), content::text(event.content(), "membership")) else {
        return Err(AuthRule::MemberMalformed);
    };
    match Membership::parse(&membership) {
        Some(Membership::Join) => join(event, target, prev, state),
        Some(Membership::Invite) => invite(event, target, state),
        Some(Membership::Leave) => leave(event, target, state),
        Some(Membership::Ban) => ban(event, target, state),
        Some(Membership::Knock) => knock(event, target, state),
        // Rule 5.6.
        None => Err(AuthRule::MembershipUnknown),
    }
}

/// Rule 5.1.
fn join(event: &Event, target: &str, prev: &[EventId], state: &RoomState) -> Result<(), AuthRule> {
    let created = state.entry(kind::CREATE, "").map(|entry| entry.event_id);
    if matches!((prev, created), ([prev], Some(created)) if *prev == created)
        && state.create().is_some_and(|create| create.sender().as_str() == target)
    {
        return Ok(());
    }
    if event.sender().as_str() != target {
        return Err(AuthRule::JoinForAnother);
    }
    let membership = state.membership_at(target);
    if membership == Membership::Ban {
        return Err(AuthRule::JoinBanned);
    }
    match (state.join_rule(), membership) {
        (JoinRule::Public, _) => Ok(()),
        (JoinRule::Invite | JoinRule::Knock, Membership::Invite | Membership::Join) => Ok(()),
        (JoinRule::Invite | JoinRule::Knock, _) => Err(AuthRule::JoinNotInvited),
        (JoinRule::Other, _) => Err(AuthRule::JoinClosed),
    }
}

/// Rule 5.2.
fn invite(event: &Event, target: &str, state: &RoomState) -> Result<(), AuthRule> {
    if state.membership(event.sender()) != Membership::Join {
        return Err(AuthRule::InviteSenderNotJoined);
    }
    if matches!(state.membership_at(target), Membership::Join | Membership::Ban) {
        return Err(AuthRule::InviteTarget);
    }
    let (has, needs) = (state.level_of(event.sender()), state.power_levels().level(LevelField::Invite));
    if has >= needs { Ok(()) } else { Err(AuthRule::InviteLevel { has, needs }) }
}

/// Rule 5.3.
fn leave(event: &Event, target: &str, state: &RoomState) -> Result<(), AuthRule> {
    let membership = state.membership_at(target);
    if event.sender().as_str() == target {
        return match membership {
            Membership::Knock | Membership::Join | Membership::Invite => Ok(()),
            Membership::Leave | Membership::Ban => Err(AuthRule::LeaveNotInRoom),
        };
    }
    if state.membership(event.sender()) != Membership::Join {
        return Err(AuthRule::LeaveSenderNotJoined);
    }
    let has = state.level_of(event.sender());
    let unban = state.power_levels().level(LevelField::Ban);
    if membership == Membership::Ban && has < unban {
        return Err(AuthRule::UnbanLevel { has, needs: unban });
    }
    let needs = state.power_levels().level(LevelField::Kick);
    if has < needs {
        return Err(AuthRule::KickLevel { has, needs });
    }
    let target = state.level_at(target);
    if target < has { Ok(()) } else { Err(AuthRule::KickTarget { has, target }) }
}

/// Rule 5.4.
fn ban(event: &Event, target: &str, state: &RoomState) -> Result<(), AuthRule> {
    if state.membership(event.sender()) != Membership::Join {
        return Err(AuthRule::BanSenderNotJoined);
    }
    let (has, needs) = (state.level_of(event.sender()), state.power_levels().level(LevelField::Ban));
    if has < needs {
        return Err(AuthRule::BanLevel { has, needs });
    }
    let target = state.level_at(target);
    if target < has { Ok(()) } else { Err(AuthRule::BanTarget { has, target }) }
}

/// Rule 5.5.
fn knock(event: &Event, target: &str, state: &RoomState) -> Result<(), AuthRule> {
    if state.join_rule() != JoinRule::Knock {
        return Err(AuthRule::KnockRule);
    }
    if event.sender().as_str() != target {
        return Err(AuthRule::KnockForAnother);
    }
    match state.membership_at(target) {
        Membership::Leave | Membership::Knock => Ok(()),
        Membership::Ban | Membership::Invite | Membership::Join => Err(AuthRule::KnockMembership),
    }
}

/// Section 9. In a room whose hub does not change, `m.room.hub` is an event like any other.
fn hub(event: &Event, prev: &[EventId], has: i64, state: &RoomState) -> Result<(), AuthRule> {
    if state.create().map(Create::hub_transfer) != Some(HubTransfer::On) {
        return Ok(());
    }
    if event.hub_server().is_none_or(|hub| hub.as_str() == event.sender().server()) {
        return Err(AuthRule::HubForm);
    }
    if has < HUB_LEVEL {
        return Err(AuthRule::HubLevel { has });
    }
    let head = content::text(event.content(), "head").and_then(|head| EventId::parse(&head).ok());
    match (head, prev) {
        (Some(head), [prev]) if head == *prev => Ok(()),
        _ => Err(AuthRule::HubHead),
    }
}
