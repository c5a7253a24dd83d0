//! `auth_events`: which events authorise one (spec, section 4), selected for our own and checked on received ones.

use alloc::vec::Vec;

use super::auth_rule::AuthRule;
use super::kind;
use super::known::{KnownEvents, Standing};
use super::membership::Membership;
use super::state::RoomState;
use super::summary::{Create, HubTransfer};
use crate::event::Event;
use crate::id::EventId;

/// The most entries that rule 4 can let through: one of each slot.
const MOST: usize = 6;

/// The `auth_events` of an event that is appended to `state`: create, power levels, the sender's member event, and for a
/// member event the target's and the join rules; the hub event where the room's hub may change. Empty for a create event.
pub fn select(event: &Event, state: &RoomState) -> Vec<EventId> {
    if event.kind() == kind::CREATE {
        return Vec::new();
    }
    let moves = state.create().map(Create::hub_transfer) == Some(HubTransfer::On);
    slots(event)
        .filter(|slot| moves || slot.kind != kind::HUB)
        .filter_map(|slot| state.entry(slot.kind, slot.state_key))
        .map(|entry| entry.event_id)
        .collect()
}

/// Rule 4: no two of one type and state key, none that the event does not need, create among them, all of this room and
/// accepted. They are not compared with the current state: the state before the event decides, in
/// [`auth::check`](super::auth::check).
///
/// # Errors
/// The part of rule 4 that `event` breaks.
pub fn check(event: &Event, state: &RoomState, known: &dyn KnownEvents) -> Result<(), AuthRule> {
    let mut seen: Vec<Slot<'_>> = Vec::with_capacity(MOST);
    for event_id in event.auth_events() {
        let slot = match in_state(event, state, event_id) {
            Some(slot) => slot,
            None => look_up(event, known, event_id)?,
        };
        if seen.contains(&slot) {
            return Err(AuthRule::AuthEventsDuplicate);
        }
        seen.push(slot);
    }
    if seen.iter().any(|slot| slot.kind == kind::CREATE) { Ok(()) } else { Err(AuthRule::AuthEventsNoCreate) }
}

/// The entries that [`check`] looks up because the current state does not hold them; usually none. A host reads these
/// before the check.
pub fn unresolved(event: &Event, state: &RoomState) -> Vec<EventId> {
    decisive(event).filter(|event_id| in_state(event, state, event_id).is_none()).copied().collect()
}

/// The entries that can decide about [`check`]: of more than there are slots one is refused, whatever the rest are. An event may have over a thousand.
pub fn decisive(event: &Event) -> impl Iterator<Item = &EventId> {
    event.auth_events().iter().take(MOST.saturating_add(1))
}

/// A type and state key that an event may be authorised by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot<'a> {
    kind: &'static str,
    state_key: &'a str,
}

fn slots(event: &Event) -> impl Iterator<Item = Slot<'_>> {
    let sender = event.sender().as_str();
    let target = event.state_key().filter(|_| event.kind() == kind::MEMBER);
    let needs_join_rules = target.is_some()
        && matches!(
            Membership::from_content(event.content()),
            Some(Membership::Join | Membership::Invite | Membership::Knock)
        );
    let plain = |kind| Slot { kind, state_key: "" };
    let member = |state_key| Slot { kind: kind::MEMBER, state_key };
    [plain(kind::CREATE), plain(kind::POWER_LEVELS), member(sender)]
        .into_iter()
        .chain(target.filter(|&target| target != sender).map(member))
        .chain(needs_join_rules.then(|| plain(kind::JOIN_RULES)))
        .chain([plain(kind::HUB)])
}

fn in_state<'a>(event: &'a Event, state: &RoomState, event_id: &EventId) -> Option<Slot<'a>> {
    slots(event).find(|slot| state.entry(slot.kind, slot.state_key).is_some_and(|entry| entry.event_id == *event_id))
}

fn look_up<'a>(event: &'a Event, known: &dyn KnownEvents, event_id: &EventId) -> Result<Slot<'a>, AuthRule> {
    let found = known.known(event_id).ok_or(AuthRule::AuthEventsForeign)?;
    if found.standing == Standing::Rejected {
        return Err(AuthRule::AuthEventsRejected);
    }
    slots(event)
        .find(|slot| slot.kind == found.kind && Some(slot.state_key) == found.state_key)
        .ok_or(AuthRule::AuthEventsOutside)
}
