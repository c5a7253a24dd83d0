//! Redactions (spec, 3.3): which event one names, and whether it takes effect.
//!
//! To the auth rules a redaction is an ordinary event. A hub refuses one that would have no effect; a participant that gets
//! one appends it and applies nothing.
//!
//! A redaction is never redacted itself, which goes beyond the list of the spec: a server that receives it late, without its content, could not tell which
//! event it names, and would keep for ever what everybody else has removed.

use super::content;
use super::kind;
use super::known::{KnownEvents, Standing};
use super::power_levels::LevelField;
use super::state::RoomState;
use crate::event::Event;
use crate::id::EventId;

/// What a redaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This event becomes its redacted form.
    Redacts(EventId),
    /// Nothing, for this reason.
    Nothing(NoEffect),
}

/// Why a redaction does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEffect {
    /// It names no event.
    #[error("the redaction names no event: set hublet.redacts to an event id")]
    NoTarget,
    /// What it names is no earlier event of the room.
    #[error("the event to redact is not an earlier one of this room: name one that is")]
    UnknownTarget,
    /// Create, access control, hub and commit events are never redacted, nor are redactions.
    #[error("events of this type are never redacted: leave it, or set new state in its place")]
    Protected,
    /// The sender may redact neither by level nor as being of the same server.
    #[error(
        "redacting another server's event asks for level {needs}, the sender has {has}: ask someone with a higher level"
    )]
    Level {
        /// The sender's level.
        has: i64,
        /// The `redact` level.
        needs: i64,
    },
}

/// The event that a redaction names: `hublet.redacts`, else `content.redacts`, else the top-level `redacts`; malformed
/// counts as absent. `None` also for an event that is no redaction. The host reads the target before [`effect`].
pub fn target(event: &Event) -> Option<EventId> {
    if event.kind() != kind::REDACTION {
        return None;
    }
    let read = |object, key| content::text(object, key).and_then(|id| EventId::parse(&id).ok());
    read(event.content(), "hublet.redacts")
        .or_else(|| read(event.content(), "redacts"))
        .or_else(|| read(event.document().root(), "redacts"))
}

/// What `redaction` does, by the state before it. `known` answers for the events before it.
pub fn effect(redaction: &Event, state: &RoomState, known: &dyn KnownEvents) -> Effect {
    let Some(target_id) = target(redaction) else { return Effect::Nothing(NoEffect::NoTarget) };
    let Some(target) = known.known(&target_id).filter(|target| target.standing == Standing::Accepted) else {
        return Effect::Nothing(NoEffect::UnknownTarget);
    };
    if matches!(target.kind, kind::CREATE | kind::SERVER_ACL | kind::HUB | kind::MLS_COMMIT | kind::REDACTION) {
        return Effect::Nothing(NoEffect::Protected);
    }
    let sender = redaction.sender();
    let (has, needs) = (state.level_of(sender), state.power_levels().level(LevelField::Redact));
    if has >= needs || sender.server() == target.sender.server() {
        Effect::Redacts(target_id)
    } else {
        Effect::Nothing(NoEffect::Level { has, needs })
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, NoEffect, effect, target};
    use crate::event::Event;
    use crate::id::EventId;
    use crate::room::state::RoomState;
    use crate::room::testing::{Builder, Room, event_id, message, state_event};
    use alloc::collections::BTreeMap;
    use std::format;

    fn redaction(sender: &str, target: EventId) -> Event {
        message(sender, "m.room.redaction", &format!(r#"{{"hublet.redacts":"{target}"}}"#)).build()
    }

    #[test]
    fn the_three_places_are_read_in_order_and_malformed_ones_pass() {
        let [a, b, c] = [1, 2, 3].map(event_id);
        let named = |content: &str, top: &str| {
            target(&message("@ann:a.org", "m.room.redaction", content).top_level("redacts", top).build())
        };
        let all = format!(r#"{{"hublet.redacts":"{a}","redacts":"{b}"}}"#);
        assert_eq!(named(&all, &format!("\"{c}\"")), Some(a));
        assert_eq!(named(&format!(r#"{{"redacts":"{b}"}}"#), &format!("\"{c}\"")), Some(b));
        assert_eq!(named("{}", &format!("\"{c}\"")), Some(c));
        assert_eq!(named(&format!(r#"{{"hublet.redacts":7,"redacts":"{b}"}}"#), "1"), Some(b));
        assert_eq!(named(r#"{"hublet.redacts":"$short"}"#, "[]"), None);
        let message = message("@ann:a.org", "m.room.message", &all).build();
        assert_eq!(target(&message), None);
    }

    struct World {
        state: RoomState,
        known: BTreeMap<EventId, Event>,
    }

    fn world() -> World {
        let mut known = BTreeMap::new();
        let mut log = |number, builder: Builder| {
            known.insert(event_id(number), builder.build());
        };
        log(50, message("@bob:b.org", "m.room.message", "{}"));
        for (number, kind) in [(51, "m.room.create"), (52, "m.room.server_acl"), (53, "m.room.hub")] {
            log(number, state_event("@bob:b.org", kind, "", "{}"));
        }
        log(54, message("@bob:b.org", "m.mls.commit", "{}"));
        log(55, message("@bob:b.org", "m.room.redaction", "{}"));
        let levels = r#"{"redact":50,"users":{"@ann:a.org":100,"@dan:d.org":50,"@eve:e.org":49}}"#;
        let state = Room::new().levels(levels).joined("@bob:b.org").joined("@cat:c.org").state();
        World { state, known }
    }

    #[test]
    fn effect_by_level_or_by_server() {
        let World { state, known } = world();
        let target = event_id(50);
        for sender in ["@ann:a.org", "@dan:d.org", "@bob:b.org", "@bea:b.org"] {
            assert_eq!(effect(&redaction(sender, target), &state, &known), Effect::Redacts(target), "{sender}");
        }
        for (sender, has) in [("@eve:e.org", 49), ("@cat:c.org", 0)] {
            let nothing = Effect::Nothing(NoEffect::Level { has, needs: 50 });
            assert_eq!(effect(&redaction(sender, target), &state, &known), nothing, "{sender}");
        }
    }

    #[test]
    fn protected_and_unknown_targets_stay() {
        let World { state, known } = world();
        for number in 51..=55 {
            let redaction = redaction("@ann:a.org", event_id(number));
            assert_eq!(effect(&redaction, &state, &known), Effect::Nothing(NoEffect::Protected), "{number}");
        }
        let unknown = redaction("@ann:a.org", event_id(99));
        assert_eq!(effect(&unknown, &state, &known), Effect::Nothing(NoEffect::UnknownTarget));
        let nothing = message("@ann:a.org", "m.room.redaction", "{}").build();
        assert_eq!(effect(&nothing, &state, &known), Effect::Nothing(NoEffect::NoTarget));
    }
}
