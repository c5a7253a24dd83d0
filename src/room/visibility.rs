//! History visibility (spec, section 10): what of an event a server or a user may see.
//!
//! The facts of the state before the event are the caller's to find: history is linear, so each is the latest value at
//! or before a position. The state after the event is read from the event itself.
//!
//! A new hub that has its transfer consented to reads the whole log; callers do not ask here for it (spec, section 9).

use super::content;
use super::kind;
use super::membership::Membership;
use crate::event::Event;
use crate::id::UserId;
use crate::json::Value;

/// Who may read events of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryVisibility {
    /// Everyone.
    WorldReadable,
    /// Members, from the first event on. The default, and the reading of unknown values.
    #[default]
    Shared,
    /// Members, from their invite on.
    Invited,
    /// Members, from their join on.
    Joined,
}

impl HistoryVisibility {
    /// Reads `content.history_visibility`; what is malformed or unknown is [`HistoryVisibility::Shared`].
    pub fn from_content(content: Value<'_>) -> Self {
        match content::text(content, "history_visibility").as_deref() {
            Some("world_readable") => Self::WorldReadable,
            Some("invited") => Self::Invited,
            Some("joined") => Self::Joined,
            _ => Self::Shared,
        }
    }
}

/// How an event is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// As it is.
    Visible,
    /// As its redacted form: its place in the chain may be known, its content may not.
    Redacted,
    /// Not at all.
    Hidden,
}

/// A server's standing in the state before an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerBefore {
    /// The history visibility of that state.
    pub visibility: HistoryVisibility,
    /// Whether one of the server's users was joined.
    pub joined: bool,
    /// Whether one of the server's users was invited.
    pub invited: bool,
}

/// A user's standing in the state before an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserBefore {
    /// The history visibility of that state.
    pub visibility: HistoryVisibility,
    /// The user's membership.
    pub membership: Membership,
}

/// Whether a server is in the room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has a joined user.
    InRoom,
    /// It has none.
    Outside,
}

/// What `server` may see of `event`.
pub fn to_server(event: &Event, server: &str, now: Presence, before: ServerBefore) -> Visibility {
    let mut after = ServerBefore { visibility: visibility_after(event, before.visibility), ..before };
    if let Some((user, membership)) = member_change(event)
        && UserId::parse(user).is_ok_and(|user| user.server() == server)
    {
        after.joined |= membership == Membership::Join;
        after.invited |= membership == Membership::Invite;
    }
    let sees = |at: ServerBefore| match (at.visibility, now) {
        (HistoryVisibility::WorldReadable, _) => true,
        (_, Presence::Outside) => false,
        (HistoryVisibility::Shared, _) => true,
        (HistoryVisibility::Invited, _) => at.invited || at.joined,
        (HistoryVisibility::Joined, _) => at.joined,
    };
    if sees(before) || sees(after) {
        return Visibility::Visible;
    }
    match now {
        Presence::Outside => Visibility::Hidden,
        // The log's hubs cannot be told without `m.room.hub`, nor an MLS group be followed without its commits.
        Presence::InRoom if matches!(event.kind(), kind::HUB | kind::MLS_COMMIT) => Visibility::Visible,
        Presence::InRoom => Visibility::Redacted,
    }
}

/// What `user` may see of `event`. `joined_since` says whether the user was joined at any time after it.
///
/// Never [`Visibility::Redacted`]: users are shown an event or they are not.
pub fn to_user(event: &Event, user: &UserId, before: UserBefore, joined_since: bool) -> Visibility {
    let mut after = UserBefore { visibility: visibility_after(event, before.visibility), ..before };
    if let Some((target, membership)) = member_change(event)
        && target == user.as_str()
    {
        after.membership = membership;
    }
    let sees = |at: UserBefore| {
        // Commits are seen as in a shared room, whatever the setting (spec, section 8).
        let restricted = matches!(at.visibility, HistoryVisibility::Invited | HistoryVisibility::Joined);
        let shared = !restricted || event.kind() == kind::MLS_COMMIT;
        at.visibility == HistoryVisibility::WorldReadable
            || at.membership == Membership::Join
            || (shared && joined_since)
            || (at.visibility == HistoryVisibility::Invited && at.membership == Membership::Invite)
    };
    if sees(before) || sees(after) { Visibility::Visible } else { Visibility::Hidden }
}

/// The setting after `event`: its own, if it sets one.
fn visibility_after(event: &Event, before: HistoryVisibility) -> HistoryVisibility {
    if event.kind() == kind::HISTORY_VISIBILITY && event.state_key() == Some("") {
        HistoryVisibility::from_content(event.content())
    } else {
        before
    }
}

/// The user that `event` is the member event of, and the membership that it gives.
fn member_change(event: &Event) -> Option<(&str, Membership)> {
    if event.kind() != kind::MEMBER {
        return None;
    }
    Some((event.state_key()?, Membership::from_content(event.content())?))
}

#[cfg(test)]
mod tests {
    use super::{HistoryVisibility, Presence, ServerBefore, UserBefore, Visibility, to_server, to_user};
    use crate::event::Event;
    use crate::room::membership::Membership;
    use crate::room::testing::{document, member, message, state_event, user};
    use std::string::ToString;

    fn visibility(value: &serde_json::Value) -> HistoryVisibility {
        match value.as_str() {
            None => HistoryVisibility::default(),
            Some(_) => {
                let content = serde_json::json!({ "history_visibility": value }).to_string();
                HistoryVisibility::from_content(document(&content).root())
            }
        }
    }

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors/derived-history-visibility.json")).unwrap()
    }

    fn text() -> Event {
        message("@zoe:z.org", "m.room.message", "{}").build()
    }

    #[test]
    fn derived_vectors_hold_for_users() {
        let file = vectors();
        let cases = file["user"].as_array().unwrap();
        assert_eq!(cases.len(), 72);
        for case in cases {
            let before = UserBefore {
                visibility: visibility(&case["visibility"]),
                membership: case["membership_at_event"].as_str().and_then(Membership::parse).unwrap_or_default(),
            };
            let seen = to_user(&text(), &user("@ann:a.org"), before, case["joined_later"].as_bool().unwrap());
            let expected = if case["visible"].as_bool().unwrap() { Visibility::Visible } else { Visibility::Hidden };
            assert_eq!(seen, expected, "{case}");
        }
    }

    #[test]
    fn derived_vectors_hold_for_servers() {
        let file = vectors();
        let cases = file["server"].as_array().unwrap();
        assert_eq!(cases.len(), 50);
        for case in cases {
            let users = case["memberships_at_event_of_server_users"].as_array().unwrap();
            let any = |membership: &str| users.iter().any(|user| user == membership);
            let before = ServerBefore {
                visibility: visibility(&case["visibility"]),
                joined: any("join"),
                invited: any("invite"),
            };
            let now =
                if case["server_currently_in_room"].as_bool().unwrap() { Presence::InRoom } else { Presence::Outside };
            let expected = match case["serve"].as_str().unwrap() {
                "full" => Visibility::Visible,
                "redacted" => Visibility::Redacted,
                "none" => Visibility::Hidden,
                other => panic!("{other}"),
            };
            assert_eq!(to_server(&text(), "a.org", now, before), expected, "{case}");
        }
    }

    const IN: Presence = Presence::InRoom;
    const OUT: Presence = Presence::Outside;
    const NOBODY: ServerBefore = ServerBefore { visibility: HistoryVisibility::Joined, joined: false, invited: false };

    #[test]
    fn own_member_events_use_the_state_before_or_after() {
        let join = member("@ann:a.org", "@ann:a.org", "join").build();
        assert_eq!(to_server(&join, "a.org", IN, NOBODY), Visibility::Visible);
        assert_eq!(to_server(&join, "b.org", IN, NOBODY), Visibility::Redacted);
        assert_eq!(to_server(&join, "a.org", OUT, NOBODY), Visibility::Hidden);
        let invite = member("@zoe:z.org", "@ann:a.org", "invite").build();
        let invited = ServerBefore { visibility: HistoryVisibility::Invited, ..NOBODY };
        assert_eq!(to_server(&invite, "a.org", IN, invited), Visibility::Visible);
        assert_eq!(to_server(&invite, "a.org", IN, NOBODY), Visibility::Redacted);
        let kick = member("@zoe:z.org", "@ann:a.org", "leave").build();
        assert_eq!(to_server(&kick, "a.org", IN, ServerBefore { joined: true, ..NOBODY }), Visibility::Visible);

        let outside = UserBefore { visibility: HistoryVisibility::Joined, membership: Membership::Leave };
        let inside = UserBefore { membership: Membership::Join, ..outside };
        assert_eq!(to_user(&join, &user("@ann:a.org"), outside, false), Visibility::Visible);
        assert_eq!(to_user(&join, &user("@bob:a.org"), outside, false), Visibility::Hidden);
        assert_eq!(to_user(&kick, &user("@ann:a.org"), inside, false), Visibility::Visible);
    }

    #[test]
    fn the_visibility_event_uses_the_setting_before_or_after() {
        let open =
            state_event("@zoe:z.org", "m.room.history_visibility", "", r#"{"history_visibility":"world_readable"}"#)
                .build();
        assert_eq!(to_server(&open, "a.org", OUT, NOBODY), Visibility::Visible);
        let close =
            state_event("@zoe:z.org", "m.room.history_visibility", "", r#"{"history_visibility":"joined"}"#).build();
        let world = ServerBefore { visibility: HistoryVisibility::WorldReadable, ..NOBODY };
        assert_eq!(to_server(&close, "a.org", OUT, world), Visibility::Visible);
        assert_eq!(to_server(&close, "a.org", OUT, NOBODY), Visibility::Hidden);
        let elsewhere =
            state_event("@zoe:z.org", "m.room.history_visibility", "x", r#"{"history_visibility":"world_readable"}"#)
                .build();
        assert_eq!(to_server(&elsewhere, "a.org", OUT, NOBODY), Visibility::Hidden);
    }

    #[test]
    fn commits_and_hub_events_are_never_served_redacted() {
        let commit = message("@zoe:z.org", "m.mls.commit", "{}").build();
        let hub = state_event("@zoe:z.org", "m.room.hub", "", "{}").build();
        for event in [&commit, &hub] {
            assert_eq!(to_server(event, "a.org", IN, NOBODY), Visibility::Visible);
            assert_eq!(to_server(event, "a.org", OUT, NOBODY), Visibility::Hidden);
        }
        let left = UserBefore { visibility: HistoryVisibility::Joined, membership: Membership::Leave };
        assert_eq!(to_user(&commit, &user("@ann:a.org"), left, true), Visibility::Visible);
        assert_eq!(to_user(&commit, &user("@ann:a.org"), left, false), Visibility::Hidden);
    }
}
