//! Whether events are taken from a server at all. In a room whose hub may move, one that we do not know of yet may be the hub by now.

use crate::{
    event::Event,
    id::ServerName,
    room::{Create, HubTransfer, kind},
    server::{
        message::{Cause, ErrorCode, Failure},
        room::{context::Context, hub::denied_by_acl},
    },
};

/// Whether anything is taken from a server.
pub(super) enum Standing {
    /// It is the hub, or may have become it: its events decide.
    Heard,
    /// It is not in the room, as far as we have read. If it is the hub by now, it can show so by the event that made it that.
    Newcomer(Failure),
    /// Nothing is.
    Refused(Failure),
}

/// What we know of it says.
pub(super) fn standing(context: &Context, origin: &ServerName) -> Standing {
    if context.hub() == Some(origin) {
        return Standing::Heard;
    }
    if !context.admits(origin) {
        return Standing::Refused(denied_by_acl());
    }
    let create = context.room.as_ref().and_then(|room| room.state.create());
    let moves = create.map(Create::hub_transfer) == Some(HubTransfer::On);
    if moves && context.is_in_room(origin) {
        return Standing::Heard;
    }
    let mut failure = Failure::new(403, ErrorCode::Forbidden, "events of this room are taken from its hub only")
        .because(Cause::admission("NotTheHub"));
    failure.hub_server = context.hub().cloned();
    if moves { Standing::Newcomer(failure) } else { Standing::Refused(failure) }
}

/// Whether an event makes a server the hub, by the word of the hub that we know: that one's signature is checked with the others.
pub(super) fn makes_hub(context: &Context, server: &ServerName, event: &Event) -> bool {
    event.kind() == kind::HUB
        && event.state_key() == Some("")
        && event.sender().server() == server.as_str()
        && event.hub_server().is_some_and(|hub| context.hub() == Some(hub))
}
