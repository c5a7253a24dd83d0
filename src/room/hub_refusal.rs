//! What a hub refuses of an event that the auth rules would allow (spec, sections 3, 5, 9 and 10).
//!
//! These rules keep our rooms readable and alive. A participant accepts such events from a foreign hub, so nothing here may
//! reject a PDU. What a hub refuses of an event's form is the rung before: an LPDU or draft that was read has it not.

use super::acl::{self, Acl};
use super::auth::holds_integers;
use super::kind;
use super::known::KnownEvents;
use super::membership::Membership;
use super::power_levels::{PowerLevels, changes};
use super::redaction::{self, Effect, NoEffect};
use super::state::RoomState;
use super::summary::{Create, Federation, HubTransfer};
use crate::event::Event;
use crate::id::UserId;

/// Why a hub does not append an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HubRefusal {
    /// Section 5: `notifications` is no object of integers.
    #[error("notifications must map names to integers: write levels as integers")]
    NotificationsMalformed,
    /// Section 5: an entry of `notifications` above the sender's level.
    #[error("an entry of notifications above the sender's level would change: leave it as it was")]
    NotificationsLevel,
    /// Section 5: a user of another server, where create says `m.federate: false`.
    #[error("the room is closed to other servers: use an account of the creator's server")]
    NotFederated,
    /// Section 5: an access control list that denies the hub.
    #[error("the access control list denies the room's hub: allow it")]
    AclDeniesHub,
    /// Section 10: the room's access control list denies the sender's server.
    #[error("the room's access control list denies the sender's server: ask to be allowed")]
    ServerDenied,
    /// Section 3.3: a redaction that would do nothing.
    #[error(transparent)]
    RedactionWithoutEffect(NoEffect),
    /// Section 9: `m.room.hub` in a room whose hub does not change.
    #[error("the room's hub cannot change: create a room with hublet.hub_transfer set to true")]
    HubTransferOff,
    /// Section 9: an `m.room.hub` that is no state event with an empty state key.
    #[error("m.room.hub must be state: set an empty state_key")]
    HubNotState,
    /// Section 5, rule 5: a member event for what is no user.
    #[error("the state_key of a member event is not a user id: name a user")]
    MemberNotUser,
}

/// Checks an event that the auth rules allow. `known` answers for a redaction's target.
///
/// # Errors
/// The first reason for which a hub refuses `event`.
pub fn check(event: &Event, state: &RoomState, known: &dyn KnownEvents) -> Result<(), HubRefusal> {
    let server = event.sender().server();
    // The list never applies to the hub itself (section 10).
    if state.hub().is_some_and(|hub| hub.as_str() != server) && !acl::allows(state.acl(), server) {
        return Err(HubRefusal::ServerDenied);
    }
    federation(event, state)?;
    match event.kind() {
        kind::MEMBER if event.state_key().is_none_or(|key| UserId::parse(key).is_err()) => {
            Err(HubRefusal::MemberNotUser)
        }
        kind::POWER_LEVELS => notifications(event, state),
        kind::SERVER_ACL if event.state_key() == Some("") => {
            let list = Acl::from_content(event.content());
            let denied = state.hub().is_some_and(|hub| !list.allows(hub.as_str()));
            if denied { Err(HubRefusal::AclDeniesHub) } else { Ok(()) }
        }
        kind::HUB if event.state_key() != Some("") => Err(HubRefusal::HubNotState),
        kind::HUB if state.create().map(Create::hub_transfer) != Some(HubTransfer::On) => {
            Err(HubRefusal::HubTransferOff)
        }
        kind::REDACTION => match redaction::effect(event, state, known) {
            Effect::Redacts(_) => Ok(()),
            Effect::Nothing(reason) => Err(HubRefusal::RedactionWithoutEffect(reason)),
        },
        _ => Ok(()),
    }
}

/// Users of other servers neither send nor are let in; that they are put out is fine.
fn federation(event: &Event, state: &RoomState) -> Result<(), HubRefusal> {
    let Some(create) = state.create().filter(|create| create.federation() == Federation::CreatorsServer) else {
        return Ok(());
    };
    let is_home = |user: &UserId| user.server() == create.server().as_str();
    let lets_in = event.kind() == kind::MEMBER
        && matches!(
            Membership::from_content(event.content()),
            Some(Membership::Join | Membership::Invite | Membership::Knock)
        );
    let target = event.state_key().filter(|_| lets_in).and_then(|key| UserId::parse(key).ok());
    if is_home(event.sender()) && target.as_ref().is_none_or(is_home) { Ok(()) } else { Err(HubRefusal::NotFederated) }
}

fn notifications(event: &Event, state: &RoomState) -> Result<(), HubRefusal> {
    let content = event.content();
    if content.member("notifications").is_some_and(|levels| !holds_integers(levels)) {
        return Err(HubRefusal::NotificationsMalformed);
    }
    // As in rule 9.4: the first power levels are free.
    if !state.has_power_levels() {
        return Ok(());
    }
    let has = state.level_of(event.sender());
    let above = |level: Option<i64>| level.is_some_and(|level| level > has);
    let new = PowerLevels::from_content(content);
    let breaks = changes(state.power_levels().notifications(), new.notifications())
        .any(|change| above(change.old) || above(change.new));
    if breaks { Err(HubRefusal::NotificationsLevel) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{HubRefusal, check};
    use crate::event::Event;
    use crate::id::EventId;
    use crate::room::auth;
    use crate::room::redaction::NoEffect;
    use crate::room::state::RoomState;
    use crate::room::testing::{Builder, Room, event_id, member, message, state_event};
    use alloc::collections::BTreeMap;
    use std::format;

    const ANN: &str = "@ann:a.org";
    const BOB: &str = "@bob:b.org";

    /// What a hub says to an event that the auth rules allow.
    #[track_caller]
    fn refuses(state: &RoomState, event: Builder, expected: Result<(), HubRefusal>) {
        let known: BTreeMap<EventId, Event> = [(event_id(50), message(BOB, "m.room.message", "{}").build())].into();
        let json = event.json();
        let event = event.build();
        assert_eq!(auth::check(&event, event.prev_events(), state), Ok(()), "{json}");
        assert_eq!(check(&event, state, &known), expected, "{json}");
    }

    #[test]
    fn section_5_notifications_follow_the_senders_level() {
        let levels = |notifications: &str| {
            format!(r#"{{{notifications}"state_default":50,"users":{{"@ann:a.org":100,"@bob:b.org":50}}}}"#)
        };
        let state = Room::new().levels(&levels(r#""notifications":{"high":60,"room":50},"#)).joined(BOB).state();
        let set = |sender, notifications| state_event(sender, "m.room.power_levels", "", &levels(notifications));
        let level = Err(HubRefusal::NotificationsLevel);
        refuses(&state, set(BOB, r#""notifications":{"high":60,"room":20},"#), Ok(()));
        refuses(&state, set(BOB, r#""notifications":{"high":60},"#), Ok(()));
        refuses(&state, set(BOB, r#""notifications":{"high":60,"room":51},"#), level);
        refuses(&state, set(BOB, r#""notifications":{"high":50,"room":50},"#), level);
        refuses(&state, set(BOB, r#""notifications":{"high":60,"new":51,"room":50},"#), level);
        refuses(&state, set(BOB, ""), level);
        refuses(&state, set(ANN, ""), Ok(()));
        for malformed in [r#""notifications":[],"#, r#""notifications":{"room":"50"},"#, r#""notifications":null,"#] {
            refuses(&state, set(ANN, malformed), Err(HubRefusal::NotificationsMalformed));
        }
        let first = Room::created_with("").state();
        refuses(&first, set(ANN, r#""notifications":{"room":1000},"#), Ok(()));
        refuses(&first, set(ANN, r#""notifications":7,"#), Err(HubRefusal::NotificationsMalformed));
    }

    #[test]
    fn section_5_rooms_that_are_not_federated_are_for_the_creators_server() {
        let closed = Room::created_with(r#""m.federate":false,"#).join_rule("public").state();
        let refused = Err(HubRefusal::NotFederated);
        refuses(&closed, member(BOB, BOB, "join"), refused);
        refuses(&closed, member(ANN, BOB, "invite"), refused);
        refuses(&closed, member(ANN, BOB, "ban"), Ok(()));
        refuses(&closed, member("@amy:a.org", "@amy:a.org", "join"), Ok(()));
        refuses(&closed, message(ANN, "m.room.message", "{}"), Ok(()));
        // One who got in all the same may leave the room's log alone, and be put out.
        let inside = Room::created_with(r#""m.federate":false,"#).joined(BOB).state();
        refuses(&inside, message(BOB, "m.room.message", "{}"), refused);
        refuses(&inside, member(ANN, BOB, "leave"), Ok(()));
        for flag in ["", r#""m.federate":true,"#, r#""m.federate":"false","#] {
            let open = Room::created_with(flag).join_rule("public").state();
            refuses(&open, member(BOB, BOB, "join"), Ok(()));
        }
    }

    #[test]
    fn section_5_an_access_control_list_never_denies_the_hub() {
        let state = Room::new().joined(BOB).state();
        let denies = Err(HubRefusal::AclDeniesHub);
        for (content, expected) in [
            (r#"{"allow":["*"]}"#, Ok(())),
            (r#"{"allow":["a.org"]}"#, Ok(())),
            (r#"{"allow":["*"],"deny":["b.org"]}"#, Ok(())),
            (r#"{"allow":["*"],"deny":["*.org"]}"#, denies),
            (r#"{"allow":["b.org"]}"#, denies),
            ("{}", denies),
        ] {
            refuses(&state, state_event(ANN, "m.room.server_acl", "", content), expected);
            refuses(&state, state_event(ANN, "m.room.server_acl", "other", content), Ok(()));
        }
    }

    #[test]
    fn section_10_denied_servers_do_not_send_and_the_hub_always_may() {
        let acl = state_event(ANN, "m.room.server_acl", "", r#"{"allow":["*"],"deny":["?.org"]}"#);
        let state = Room::new().joined(BOB).joined("@cat:cc.org").with(acl).state();
        refuses(&state, message(BOB, "m.room.message", "{}"), Err(HubRefusal::ServerDenied));
        refuses(&state, message("@cat:cc.org", "m.room.message", "{}"), Ok(()));
        refuses(&state, message(ANN, "m.room.message", "{}"), Ok(()));
    }

    #[test]
    fn section_3_3_redactions_without_effect_are_refused() {
        let state = Room::new().joined(BOB).joined("@cat:c.org").state();
        let redaction = |sender, target| {
            message(sender, "m.room.redaction", &format!(r#"{{"hublet.redacts":"{}"}}"#, event_id(target)))
        };
        refuses(&state, redaction(BOB, 50), Ok(()));
        refuses(&state, redaction(ANN, 50), Ok(()));
        let level = NoEffect::Level { has: 0, needs: 50 };
        refuses(&state, redaction("@cat:c.org", 50), Err(HubRefusal::RedactionWithoutEffect(level)));
        let unknown = NoEffect::UnknownTarget;
        refuses(&state, redaction(ANN, 51), Err(HubRefusal::RedactionWithoutEffect(unknown)));
    }

    #[test]
    fn section_9_hub_events_only_where_they_can_mean_something() {
        let levels = r#"{"users":{"@ann:a.org":100,"@bob:b.org":100}}"#;
        let hub = |key| {
            let content = format!(r#"{{"head":"{}"}}"#, event_id(9));
            state_event(BOB, "m.room.hub", key, &content).prev(&[event_id(9)]).hub("a.org")
        };
        let fixed = Room::created_with("").levels(levels).joined(BOB).state();
        let movable = Room::created_with(r#""hublet.hub_transfer":true,"#).levels(levels).joined(BOB).state();
        refuses(&fixed, hub(""), Err(HubRefusal::HubTransferOff));
        refuses(&movable, hub(""), Ok(()));
        refuses(&movable, hub("x"), Err(HubRefusal::HubNotState));
        refuses(&movable, message(BOB, "m.room.hub", "{}"), Err(HubRefusal::HubNotState));
    }

    #[test]
    fn section_5_member_events_name_users() {
        let state = Room::new().state();
        refuses(&state, member(ANN, "bob", "invite"), Err(HubRefusal::MemberNotUser));
        refuses(&state, member(ANN, BOB, "invite"), Ok(()));
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (refusal, text) in [
            (HubRefusal::AclDeniesHub, "the access control list denies the room's hub: allow it"),
            (
                HubRefusal::RedactionWithoutEffect(NoEffect::Level { has: 3, needs: 50 }),
                "redacting another server's event asks for level 50, the sender has 3: ask someone with a higher level",
            ),
        ] {
            assert_eq!(std::string::ToString::to_string(&refusal), text);
        }
    }
}
