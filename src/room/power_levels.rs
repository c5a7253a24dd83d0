//! Power levels (spec, section 5): integers only, with the defaults of the specification.
//!
//! [`PowerLevels`] reads any content: malformed counts as absent, field by field and entry by entry. Whether a new
//! `m.room.power_levels` event may be set at all is rule 9, in [`auth`](super::auth).

use alloc::boxed::Box;

use super::content;
use crate::id::UserId;
use crate::json::Value;
use crate::ordered::Map;

/// The level of the room's creator while no `m.room.power_levels` event is set.
pub const CREATOR_LEVEL: i64 = 100;

/// One of the seven plain levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LevelField {
    /// `users_default`: the level of a user who is not listed. Default 0.
    UsersDefault,
    /// `events_default`: what an unlisted message asks for. Default 0.
    EventsDefault,
    /// `state_default`: what an unlisted state event asks for. Default 50.
    StateDefault,
    /// `ban`: default 50.
    Ban,
    /// `redact`: to redact events of other servers. Default 50.
    Redact,
    /// `kick`: default 50.
    Kick,
    /// `invite`: default 0.
    Invite,
}

impl LevelField {
    /// All seven, in the order of rule 9.1.
    pub const ALL: [Self; 7] = [
        Self::UsersDefault,
        Self::EventsDefault,
        Self::StateDefault,
        Self::Ban,
        Self::Redact,
        Self::Kick,
        Self::Invite,
    ];

    /// The content key.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsersDefault => "users_default",
            Self::EventsDefault => "events_default",
            Self::StateDefault => "state_default",
            Self::Ban => "ban",
            Self::Redact => "redact",
            Self::Kick => "kick",
            Self::Invite => "invite",
        }
    }

    /// The level where the content says nothing.
    pub fn default_level(self) -> i64 {
        match self {
            Self::UsersDefault | Self::EventsDefault | Self::Invite => 0,
            Self::StateDefault | Self::Ban | Self::Redact | Self::Kick => 50,
        }
    }
}

/// The levels of a room, as one `m.room.power_levels` content gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerLevels {
    fields: Map<LevelField, i64>,
    events: Levels,
    users: Levels,
    notifications: Levels,
}

/// Levels by name: event types, user IDs or kinds of notification.
pub(super) type Levels = Map<Box<str>, i64>;

impl PowerLevels {
    /// No event: every level is its default.
    pub(super) const NONE: Self =
        Self { fields: Map::new(), events: Map::new(), users: Map::new(), notifications: Map::new() };

    /// Reads a content; malformed counts as absent, so this cannot fail.
    pub fn from_content(content: Value<'_>) -> Self {
        let mut fields = Map::new();
        for field in LevelField::ALL {
            if let Some(level) = content::integer(content, field.name()) {
                fields.insert(field, level);
            }
        }
        let levels = |key| content::object(content, key).map(levels_of).unwrap_or_default();
        Self { fields, events: levels("events"), users: levels("users"), notifications: levels("notifications") }
    }

    /// The level of `field`, or its default.
    pub fn level(&self, field: LevelField) -> i64 {
        self.written(field).unwrap_or_else(|| field.default_level())
    }

    /// The level of `user`: the user's entry, else `users_default`.
    pub fn level_of(&self, user: &UserId) -> i64 {
        self.users.get(user.as_str()).copied().unwrap_or_else(|| self.level(LevelField::UsersDefault))
    }

    /// The level that sending an event of type `kind` asks for.
    pub fn level_to_send(&self, kind: &str, is_state: bool) -> i64 {
        let default = if is_state { LevelField::StateDefault } else { LevelField::EventsDefault };
        self.events.get(kind).copied().unwrap_or_else(|| self.level(default))
    }

    /// The level of `field` as the content wrote it, without defaults.
    pub(super) fn written(&self, field: LevelField) -> Option<i64> {
        self.fields.get(&field).copied()
    }

    pub(super) fn events(&self) -> &Levels {
        &self.events
    }

    pub(super) fn users(&self) -> &Levels {
        &self.users
    }

    pub(super) fn notifications(&self) -> &Levels {
        &self.notifications
    }
}

/// One entry that differs between two sets of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) old: Option<i64>,
    pub(super) new: Option<i64>,
}

/// The entries added, changed or removed between `old` and `new`.
pub(super) fn changes<'a>(old: &'a Levels, new: &'a Levels) -> impl Iterator<Item = Change<'a>> {
    let kept = old.iter().map(|(name, &level)| Change { name, old: Some(level), new: new.get(name).copied() });
    let added = new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(name, &level)| Change {
        name,
        old: None,
        new: Some(level),
    });
    kept.chain(added).filter(|change| change.old != change.new)
}

fn levels_of(object: Value<'_>) -> Levels {
    object.members().filter_map(|member| Some((Box::from(&*member.key()), member.value().as_i64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Change, LevelField, PowerLevels, changes};
    use crate::room::testing::{document, user};
    use std::vec::Vec;

    fn levels(content: &str) -> PowerLevels {
        PowerLevels::from_content(document(content).root())
    }

    #[test]
    fn defaults_are_those_of_the_specification() {
        let none = levels("{}");
        assert_eq!(none, PowerLevels::NONE);
        for (field, level) in [
            (LevelField::UsersDefault, 0),
            (LevelField::EventsDefault, 0),
            (LevelField::StateDefault, 50),
            (LevelField::Ban, 50),
            (LevelField::Redact, 50),
            (LevelField::Kick, 50),
            (LevelField::Invite, 0),
        ] {
            assert_eq!(none.level(field), level, "{}", field.name());
        }
        assert_eq!(none.level_of(&user("@ann:a.org")), 0);
        assert_eq!(none.level_to_send("m.room.topic", true), 50);
        assert_eq!(none.level_to_send("m.room.message", false), 0);
    }

    #[test]
    fn written_levels_win_over_defaults() {
        let written = levels(
            r#"{"ban":60,"events":{"m.room.topic":5},"events_default":3,"state_default":40,"users":{"@ann:a.org":-7},"users_default":2}"#,
        );
        assert_eq!(written.level(LevelField::Ban), 60);
        assert_eq!(written.level_of(&user("@ann:a.org")), -7);
        assert_eq!(written.level_of(&user("@bob:a.org")), 2);
        assert_eq!(written.level_to_send("m.room.topic", true), 5);
        assert_eq!(written.level_to_send("m.room.topic", false), 5);
        assert_eq!(written.level_to_send("m.room.name", true), 40);
        assert_eq!(written.level_to_send("m.room.message", false), 3);
    }

    #[test]
    fn malformed_fields_and_entries_count_as_absent() {
        let malformed = levels(
            r#"{"ban":"60","events":[],"events_default":null,"kick":true,"users":{"@ann:a.org":"100","@bob:a.org":9,"x":1},"users_default":{}}"#,
        );
        assert_eq!(malformed.level(LevelField::Ban), 50);
        assert_eq!(malformed.level(LevelField::Kick), 50);
        assert_eq!(malformed.level_of(&user("@ann:a.org")), 0);
        assert_eq!(malformed.level_of(&user("@bob:a.org")), 9);
        assert_eq!(malformed.level_to_send("m.room.message", false), 0);
    }

    #[test]
    fn changes_are_what_was_added_changed_or_removed() {
        let old = levels(r#"{"events":{"a":1,"b":2,"c":3}}"#);
        let new = levels(r#"{"events":{"b":2,"c":4,"d":0}}"#);
        let found: Vec<_> = changes(old.events(), new.events()).collect();
        assert_eq!(
            found,
            [
                Change { name: "a", old: Some(1), new: None },
                Change { name: "c", old: Some(3), new: Some(4) },
                Change { name: "d", old: None, new: Some(0) },
            ]
        );
    }
}
