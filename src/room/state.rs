//! The current state of one room, typed (spec, sections 1, 5, 9, 10).
//!
//! It assumes that what is applied was authorised, and guarantees that two states built from the same latest events are
//! equal, in whatever order they came. Applying costs O(log n) in the size of the state: the 10,000th join as the 10th.

use alloc::sync::Arc;

use super::acl::Acl;
use super::kind;
use super::membership::{JoinRule, Membership};
use super::power_levels::{CREATOR_LEVEL, LevelField, PowerLevels};
use super::retention::RetentionPolicy;
use super::state_row::{StateEntry, StateRow};
use super::summary::{Create, HubTransfer, Summary};
use super::visibility::HistoryVisibility;
use crate::event::{Event, RoomVersionRules};
use crate::id::{EventId, RoomId, ServerName, UserId};
use crate::ordered::LargeMap;
use crate::store::DecodeError;

/// A room's state at one position of its log.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomState {
    room_id: RoomId,
    rules: &'static RoomVersionRules,
    create: Option<Arc<Create>>,
    power_levels: Option<Arc<PowerLevels>>,
    join_rule: JoinRule,
    history_visibility: HistoryVisibility,
    acl: Option<Arc<Acl>>,
    retention: RetentionPolicy,
    /// The server of the last `m.room.hub` sender, whether or not the room's hub may change.
    hub_event_server: Option<ServerName>,
    members: LargeMap<Arc<str>, Member>,
    /// Invariant: for each server the number of its users in `members` that are joined, and no zeros.
    joined_servers: LargeMap<ServerName, u64>,
    /// Every entry but member events, by type and state key.
    entries: LargeMap<Arc<str>, LargeMap<Arc<str>, StateEntry>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    membership: Membership,
    entry: StateEntry,
}

static NO_POWER_LEVELS: PowerLevels = PowerLevels::NONE;

impl RoomState {
    /// The state before a room's first event.
    pub fn new(room_id: RoomId, rules: &'static RoomVersionRules) -> Self {
        Self {
            room_id,
            rules,
            create: None,
            power_levels: None,
            join_rule: JoinRule::default(),
            history_visibility: HistoryVisibility::default(),
            acl: None,
            retention: RetentionPolicy::default(),
            hub_event_server: None,
            members: LargeMap::new(),
            joined_servers: LargeMap::new(),
            entries: LargeMap::new(),
        }
    }

    /// Opens a stored state from its rows, in any order.
    ///
    /// # Errors
    /// [`DecodeError`] when a row's content is no JSON.
    pub fn restore(
        room_id: RoomId,
        rules: &'static RoomVersionRules,
        rows: impl IntoIterator<Item = StateRow>,
    ) -> Result<Self, DecodeError> {
        let mut state = Self::new(room_id, rules);
        for row in rows {
            let summary = row.summary(rules)?;
            let (kind, state_key) = row.shared_names();
            state.set(kind, state_key, row.entry(), summary);
        }
        Ok(state)
    }

    /// Moves the state past `event`; the answer is the row to store, or `None` for an event that is no state.
    ///
    /// Applied again at its own place after a redaction, an event's redacted form takes the place of the first.
    pub fn apply(&mut self, event: &Event, event_id: EventId, position: i64) -> Option<StateRow> {
        let state_key = event.state_key()?;
        let summary = Summary::read(event.kind(), state_key, event.sender(), event.content());
        let (kind, state_key) = self.names(event.kind(), state_key);
        let entry = StateEntry { event_id, position };
        let row = StateRow::new(kind.clone(), state_key.clone(), entry, &summary, event);
        self.set(kind, state_key, entry, summary);
        Some(row)
    }

    /// The room's ID.
    pub fn room_id(&self) -> &RoomId {
        &self.room_id
    }

    /// The rules of the room's version.
    pub fn rules(&self) -> &'static RoomVersionRules {
        self.rules
    }

    /// What the create event decides; `None` before it.
    pub fn create(&self) -> Option<&Create> {
        self.create.as_deref()
    }

    /// The hub that appends after this state: the server of the last `m.room.hub` sender where the room's hub may change,
    /// else the creator's (spec, sections 1 and 9). `None` before the create event.
    pub fn hub(&self) -> Option<&ServerName> {
        let create = self.create.as_deref()?;
        match (create.hub_transfer(), &self.hub_event_server) {
            (HubTransfer::On, Some(server)) => Some(server),
            _ => Some(create.server()),
        }
    }

    /// The power levels as set, or the defaults.
    pub fn power_levels(&self) -> &PowerLevels {
        self.power_levels.as_deref().unwrap_or(&NO_POWER_LEVELS)
    }

    /// Whether an `m.room.power_levels` event is set.
    pub fn has_power_levels(&self) -> bool {
        self.power_levels.is_some()
    }

    /// The level of `user`; while no power levels are set, the creator has [`CREATOR_LEVEL`].
    pub fn level_of(&self, user: &UserId) -> i64 {
        match (&self.power_levels, &self.create) {
            (Some(levels), _) => levels.level_of(user),
            (None, Some(create)) if create.sender() == user => CREATOR_LEVEL,
            (None, _) => LevelField::UsersDefault.default_level(),
        }
    }

    /// The level of whom a member event's state key names; one that is no user ID has the level of an unlisted user.
    pub fn level_at(&self, state_key: &str) -> i64 {
        match UserId::parse(state_key) {
            Ok(user) => self.level_of(&user),
            Err(_) => self.power_levels().level(LevelField::UsersDefault),
        }
    }

    /// Who may join.
    pub fn join_rule(&self) -> JoinRule {
        self.join_rule
    }

    /// Who may read the past.
    pub fn history_visibility(&self) -> HistoryVisibility {
        self.history_visibility
    }

    /// The server access control list, if one is set.
    pub fn acl(&self) -> Option<&Acl> {
        self.acl.as_deref()
    }

    /// How long messages are kept.
    pub fn retention(&self) -> &RetentionPolicy {
        &self.retention
    }

    /// The membership of `user`.
    pub fn membership(&self, user: &UserId) -> Membership {
        self.membership_at(user.as_str())
    }

    /// The membership under a member event's state key, which need not be a user ID.
    pub fn membership_at(&self, state_key: &str) -> Membership {
        self.members.get(state_key).map(|member| member.membership).unwrap_or_default()
    }

    /// Every member event's state key and membership, in order; those who left are among them.
    pub fn members(&self) -> impl Iterator<Item = (&str, Membership)> {
        self.members.iter().map(|(state_key, member)| (&**state_key, member.membership))
    }

    /// The servers with joined users, in order, and how many each has.
    pub fn joined_servers(&self) -> impl Iterator<Item = (&ServerName, u64)> {
        self.joined_servers.iter().map(|(server, &users)| (server, users))
    }

    /// How many users of `server` are joined.
    pub fn joined_users_of(&self, server: &str) -> u64 {
        self.joined_servers.get(server).copied().unwrap_or_default()
    }

    /// The state event of (type, state key).
    pub fn entry(&self, kind: &str, state_key: &str) -> Option<&StateEntry> {
        if kind == kind::MEMBER {
            return self.members.get(state_key).map(|member| &member.entry);
        }
        self.entries.get(kind)?.get(state_key)
    }

    /// Every state event with its type and state key: member events last, the others in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str, &StateEntry)> {
        let others = self
            .entries
            .iter()
            .flat_map(|(kind, keys)| keys.iter().map(move |(state_key, entry)| (&**kind, &**state_key, entry)));
        others.chain(self.members.iter().map(|(state_key, member)| (kind::MEMBER, &**state_key, &member.entry)))
    }

    /// Sets an entry from what is known of its event.
    pub(super) fn set(&mut self, kind: Arc<str>, state_key: Arc<str>, entry: StateEntry, summary: Summary) {
        match summary {
            Summary::Member(membership) => return self.set_member(state_key, Member { membership, entry }),
            Summary::Plain => {}
            Summary::Create(create) => self.create = Some(create),
            Summary::PowerLevels(levels) => self.power_levels = Some(levels),
            Summary::JoinRule(rule) => self.join_rule = rule,
            Summary::HistoryVisibility(visibility) => self.history_visibility = visibility,
            Summary::Acl(acl) => self.acl = Some(acl),
            Summary::Hub(server) => self.hub_event_server = Some(server),
            Summary::Retention(policy) => self.retention = policy,
        }
        self.entries.or_default(kind).insert(state_key, entry);
    }

    fn set_member(&mut self, state_key: Arc<str>, member: Member) {
        // A state key that is no user ID belongs to no server; rule 5.1 lets none join.
        let server = UserId::parse(&state_key).ok().map(|user| user.server_name());
        let old = self.members.insert(state_key, member).map(|old| old.membership).unwrap_or_default();
        let Some(server) = server else { return };
        match (old == Membership::Join, member.membership == Membership::Join) {
            (false, true) => {
                let users = self.joined_servers.or_default(server);
                *users = users.saturating_add(1);
            }
            (true, false) => {
                if let Some(users) = self.joined_servers.get_mut(&server) {
                    *users = users.saturating_sub(1);
                    if *users == 0 {
                        self.joined_servers.remove(&server);
                    }
                }
            }
            (false, false) | (true, true) => {}
        }
    }

    /// The names as text that the state already holds, where it does.
    fn names(&self, kind: &str, state_key: &str) -> (Arc<str>, Arc<str>) {
        if kind == kind::MEMBER {
            let known = self.members.get_key_value(state_key).map(|(key, _)| key.clone());
            return (kind.into(), known.unwrap_or_else(|| state_key.into()));
        }
        match self.entries.get_key_value(kind) {
            Some((kind, keys)) => {
                let known = keys.get_key_value(state_key).map(|(key, _)| key.clone());
                (kind.clone(), known.unwrap_or_else(|| state_key.into()))
            }
            None => (kind.into(), state_key.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Membership, RoomState};
    use crate::room::testing::{Room, event_id, member, message, state_event, user};
    use std::format;
    use std::vec::Vec;

    const ANN: &str = "@ann:a.org";
    const BOB: &str = "@bob:b.org";

    fn servers(state: &RoomState) -> Vec<(&str, u64)> {
        state.joined_servers().map(|(server, users)| (server.as_str(), users)).collect()
    }

    #[test]
    fn joined_servers_count_their_joined_users() {
        let mut room = Room::new().joined(BOB).joined("@bea:b.org").member("@cat:c.org", "invite");
        assert_eq!(servers(&room.state()), [("a.org", 1), ("b.org", 2)]);
        // A join again, with another name: still one.
        room = room.joined(BOB).member("@bea:b.org", "leave");
        assert_eq!(servers(&room.state()), [("a.org", 1), ("b.org", 1)]);
        room = room.with(member(ANN, BOB, "ban")).joined("@cat:c.org");
        assert_eq!(servers(&room.state()), [("a.org", 1), ("c.org", 1)]);
        assert_eq!(room.state().joined_users_of("b.org"), 0);
        // Case and ports tell servers apart.
        room = room.joined("@dan:A.org").joined("@eve:a.org:8448");
        assert_eq!(servers(&room.state()), [("A.org", 1), ("a.org", 1), ("a.org:8448", 1), ("c.org", 1)]);
    }

    #[test]
    fn a_member_event_for_no_user_counts_for_no_server() {
        let room = Room::new().with(member(ANN, "everyone", "join"));
        assert_eq!(servers(&room.state()), [("a.org", 1)]);
        assert_eq!(room.state().membership_at("everyone"), Membership::Join);
        assert_eq!(room.state().level_at("everyone"), 0);
    }

    #[test]
    fn entries_are_the_latest_of_their_type_and_state_key() {
        let mut room = Room::new();
        let first = room.set(state_event(ANN, "m.room.topic", "", r#"{"topic":"one"}"#));
        let other = room.set(state_event(ANN, "m.room.topic", "x", r#"{"topic":"x"}"#));
        let second = room.set(state_event(ANN, "m.room.topic", "", r#"{"topic":"two"}"#));
        room.set(message(ANN, "m.room.topic", "{}"));
        let state = room.state();
        let id = |key| state.entry("m.room.topic", key).map(|entry| entry.event_id);
        assert_eq!((id(""), id("x"), id("y")), (Some(second), Some(other), None));
        assert_ne!(first, second);
        assert_eq!(state.entry("m.room.topic", "").unwrap().position, 6);
        assert_eq!(state.entry("m.room.member", ANN).unwrap().event_id, event_id(2));
        let listed: Vec<_> = state.entries().map(|(kind, key, _)| (kind, key)).collect();
        assert_eq!(
            listed,
            [
                ("m.room.create", ""),
                ("m.room.join_rules", ""),
                ("m.room.power_levels", ""),
                ("m.room.topic", ""),
                ("m.room.topic", "x"),
                ("m.room.member", ANN),
            ]
        );
    }

    #[test]
    fn typed_state_needs_the_empty_state_key() {
        let room = Room::new().with(state_event(ANN, "m.room.power_levels", "x", r#"{"users":{"@bob:b.org":100}}"#));
        assert_eq!(room.state().level_of(&user(BOB)), 0);
        assert_eq!(room.state().level_of(&user(ANN)), 100);
    }

    #[test]
    fn the_redacted_form_takes_its_events_place() {
        let mut room = Room::new();
        let retention = state_event(ANN, "m.room.retention", "", r#"{"max_lifetime":5}"#).build();
        let event_id = room.apply(&retention);
        let mut state = room.state();
        assert_eq!(state.retention().max_lifetime(), Some(5));
        let redacted = state_event(ANN, "m.room.retention", "", "{}").build();
        let position = state.entry("m.room.retention", "").unwrap().position;
        assert!(state.apply(&redacted, event_id, position).is_some());
        assert_eq!(state.retention().max_lifetime(), None);
        assert_eq!(state.entry("m.room.retention", ""), room.state().entry("m.room.retention", ""));
        // A member event again: nobody is counted twice.
        let join = member(ANN, ANN, "join").build();
        state.apply(&join, super::super::testing::event_id(2), 1);
        assert_eq!(servers(&state), [("a.org", 1)]);
    }

    #[test]
    fn thousands_of_members_are_kept_and_counted() {
        let mut room = Room::new();
        for number in 0..3_000 {
            let server = number % 50;
            room = room.joined(&format!("@user{number}:s{server}.org"));
        }
        let state = room.state();
        assert_eq!(state.members().count(), 3_001);
        assert_eq!(servers(&state).len(), 51);
        assert_eq!(state.joined_users_of("s7.org"), 60);
        let restored = RoomState::restore(state.room_id().clone(), state.rules(), room.rows()).unwrap();
        assert_eq!(restored, state);
    }
}
