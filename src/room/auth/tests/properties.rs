//! What holds for all rooms and events: no panic, and a verdict that depends on nothing but the state.

use crate::event::Event;
use crate::id::{EventId, Timestamp};
use crate::room::auth::check;
use crate::room::known::NothingKnown;
use crate::room::membership::Membership;
use crate::room::power_levels::LevelField;
use crate::room::state::RoomState;
use crate::room::testing::arbitrary::{USERS, event, room, wild_event};
use crate::room::testing::{Builder, Room, event_id, user};
use crate::room::visibility::{Presence, ServerBefore, UserBefore, to_server, to_user};
use crate::room::{auth_events, hub_refusal, redaction, retention, stripped};
use alloc::collections::BTreeMap;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::{prop_assert, prop_assert_eq, proptest};
use std::borrow::ToOwned;
use std::vec::Vec;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is applied, every function of this layer answers.
    #[test]
    fn no_event_makes_a_rule_panic(events in vec(wild_event(), 1..12), probes in vec(wild_event(), 1..4)) {
        let mut room = Room::empty();
        let mut known: BTreeMap<EventId, Event> = BTreeMap::new();
        for event in events {
            let event = event.build();
            known.insert(room.apply(&event), event);
        }
        let state = room.state();
        for event in probes.into_iter().map(Builder::build) {
            let _ = check(&event, event.prev_events(), &state);
            let _ = auth_events::check(&event, &state, &known);
            prop_assert!(auth_events::select(&event, &state).len() <= 6);
            prop_assert!(auth_events::unresolved(&event, &state).len() <= 7);
            let _ = hub_refusal::check(&event, &state, &known);
            let _ = redaction::effect(&event, &state, &known);
            let _ = retention::purge(&event, false, state.retention(), Timestamp::new(u64::MAX));
            let before = ServerBefore { visibility: state.history_visibility(), joined: false, invited: false };
            to_server(&event, "b.org", Presence::InRoom, before);
            let before = UserBefore { visibility: state.history_visibility(), membership: Membership::Leave };
            to_user(&event, &user("@bob:b.org"), before, false);
            let mut out = Vec::new();
            stripped::write(&event, &mut out);
        }
    }

    /// Equal states, built in another order or read back from their rows, give equal verdicts.
    #[test]
    fn verdicts_do_not_depend_on_how_the_state_came_about(
        history in vec(event(), 1..24),
        probe in event(),
        order in any::<u64>(),
    ) {
        let mut room = Room::created_with("");
        let mut latest = BTreeMap::new();
        for event in history {
            let event = event.build();
            let id = room.apply(&event);
            if let Some(key) = event.state_key() {
                latest.insert((event.kind().to_owned(), key.to_owned()), (event.clone(), id));
            }
        }
        let state = room.state();
        // The same latest events, one of each type and state key, in another order.
        let mut other = Room::created_with("").state();
        let mut shuffled: Vec<_> = latest.into_values().collect();
        shuffled.sort_by_key(|(_, id)| id.as_bytes().iter().fold(order, |mix, &byte| mix.rotate_left(7) ^ u64::from(byte) ^ (mix >> 3)));
        for (event, id) in shuffled {
            let position = state.entry(event.kind(), event.state_key().unwrap()).unwrap().position;
            other.apply(&event, id, position);
        }
        prop_assert_eq!(&other, &state);
        let restored = RoomState::restore(state.room_id().clone(), state.rules(), room.rows()).unwrap();
        prop_assert_eq!(&restored, &state);
        let mut reversed = room.rows();
        reversed.reverse();
        prop_assert_eq!(&RoomState::restore(state.room_id().clone(), state.rules(), reversed).unwrap(), &state);

        let probe = probe.build();
        let verdict = check(&probe, &[event_id(99)], &state);
        prop_assert_eq!(check(&probe, &[event_id(99)], &other), verdict);
        prop_assert_eq!(check(&probe, &[event_id(99)], &restored), verdict);
        prop_assert_eq!(auth_events::select(&probe, &other), auth_events::select(&probe, &state));
    }

    /// What the hub selects passes rule 4, and no event that passes the rules adds a member without a rule's word.
    #[test]
    fn what_passes_the_rules_keeps_the_room_sound(room in room(), probe in event()) {
        let state = room.state();
        let event = probe.clone().build();
        if check(&event, &[event_id(99)], &state).is_err() {
            return Ok(());
        }
        let linked = probe.auth(&auth_events::select(&event, &state)).build();
        prop_assert_eq!(auth_events::check(&linked, &state, &NothingKnown), Ok(()));
        let mut after = state.clone();
        after.apply(&event, event_id(99), 99);
        for (key, membership) in after.members() {
            let before = state.membership_at(key);
            if membership == Membership::Join && before != Membership::Join {
                prop_assert_eq!(event.sender().as_str(), key);
            }
            if before == Membership::Ban && membership != Membership::Ban {
                prop_assert_eq!(membership, Membership::Leave);
            }
        }
        // Nobody rises above the sender, but by losing an entry to a default that was higher before.
        let level = state.level_of(event.sender());
        for other in USERS.map(user) {
            if state.has_power_levels() {
                let highest = state.level_of(&other).max(level).max(users_default(&state));
                prop_assert!(after.level_of(&other) <= highest);
            }
        }
        let joined = after.members().filter(|(_, membership)| *membership == Membership::Join).count();
        let counted: u64 = after.joined_servers().map(|(_, users)| users).sum();
        prop_assert_eq!(u64::try_from(joined).unwrap(), counted);
    }
}

fn users_default(state: &RoomState) -> i64 {
    state.power_levels().level(LevelField::UsersDefault)
}
