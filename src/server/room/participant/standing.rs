//! Whose word counts for what. In a room whose hub may move, a server that we do not know of yet may be the hub by now; until that is shown, nothing that it
//! alone says is taken.

use alloc::collections::VecDeque;

use super::{Item, apply::through, lookup::Lookup};
use crate::{
    event::{Event, Integrity, UnverifiedPdu, VerifiedPdu},
    id::{ServerName, Timestamp},
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

/// Whether an event makes a server the hub, by the word of the hub that we know.
pub(super) fn makes_hub(context: &Context, server: &ServerName, event: &Event) -> bool {
    is_move(event)
        && event.sender().server() == server.as_str()
        && event.hub_server().is_some_and(|hub| context.hub() == Some(hub))
}

/// Those of a transaction's events that would make the server that sent it the hub.
pub(super) fn claims<'a>(
    context: &'a Context,
    server: &'a ServerName,
    pdus: &'a [(usize, UnverifiedPdu)],
) -> impl Iterator<Item = &'a UnverifiedPdu> {
    pdus.iter().map(|(_, pdu)| pdu).filter(|pdu| makes_hub(context, server, pdu.event()))
}

/// Whether one of them does, by its signatures.
pub(super) fn shows_hub(
    context: &Context,
    server: &ServerName,
    pdus: &[(usize, UnverifiedPdu)],
    now: Timestamp,
) -> bool {
    let keys = context.keys.at(now);
    claims(context, server, pdus).cloned().any(|pdu| pdu.verify(&keys).is_ok_and(|pdu| is_whole(&pdu)))
}

/// The first event of a queue that is not taken from a server which is not the hub. What fills a gap must have come through the hub at its place: a place is
/// kept for it in the log. And a redacted copy is as good as whoever says that it is redacted, so it counts only if the queue makes the server the hub.
pub(super) fn first_untrusted(
    context: &Context,
    server: &ServerName,
    queue: &VecDeque<Item>,
    lookup: &Lookup,
) -> Option<usize> {
    let mut hub = context.hub()?.clone();
    let mut redacted = None;
    for (index, item) in queue.iter().enumerate() {
        let Item::Pdu(pdu, seat) = item else { return Some(redacted.unwrap_or(index)) };
        if lookup.place_of(&pdu.event_id()).is_some() {
            continue;
        }
        let comes_through = through(pdu.event()) == hub;
        if !comes_through && seat.is_none() {
            return Some(redacted.unwrap_or(index));
        }
        if !is_whole(pdu) {
            redacted.get_or_insert(index);
        } else if comes_through && is_move(pdu.event()) {
            hub = pdu.event().sender().server_name();
        }
    }
    redacted.filter(|_| hub != *server)
}

fn is_move(event: &Event) -> bool {
    event.kind() == kind::HUB && event.state_key() == Some("")
}

fn is_whole(pdu: &VerifiedPdu) -> bool {
    pdu.integrity() == Integrity::Intact
}
