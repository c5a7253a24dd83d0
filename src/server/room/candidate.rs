//! An event that is to be appended, and who waits to hear of it.

use super::{context::Context, pending::not_sent, reply::Seat, state_answer, work::Change};
use crate::{
    crypto::{PreparedKey, Signature},
    event::{Event, PduDraft, VerifiedLpdu},
    id::{EventId, KeyId, ServerName},
    room::membership::Membership,
    server::{
        contract::{Output, Ticket},
        message::{Answer, Failure, Notification, Outcome, Response},
    },
};

/// An event that is to be appended.
pub(super) struct Candidate {
    pub(super) made: Made,
    pub(super) reply: ReplyTo,
    /// Set once a server outside the room agreed to the invite.
    pub(super) agreed: Option<Agreement>,
}

/// Who made the event.
pub(super) enum Made {
    /// A participant.
    Lpdu(VerifiedLpdu),
    /// One of our own users.
    Own(PduDraft),
}

/// An invited server's consent: its signature over the event as it saw it, if it gave one by a known key.
pub(super) struct Agreement {
    pub(super) signature: Option<(ServerName, KeyId, PreparedKey, Signature)>,
}

/// Who waits to hear.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReplyTo {
    /// A transaction.
    Seat(Seat),
    /// A local user.
    Local(Ticket),
    /// send_join, send_leave, send_knock.
    Member(Ticket, Membership),
    /// A participant's invite.
    Invite(Ticket),
    /// The local user whose room this event completes.
    Created(Ticket),
    /// A local user whose event went to a hub that is none any more, as this LPDU.
    Resent(EventId),
    /// Nobody.
    Nobody,
}

impl Made {
    /// The event, not linked yet.
    pub(super) fn event(&self) -> &Event {
        match self {
            Self::Lpdu(lpdu) => lpdu.event(),
            Self::Own(draft) => draft.event(),
        }
    }
}

impl Candidate {
    pub(super) const fn new(made: Made, reply: ReplyTo) -> Self {
        Self { made, reply, agreed: None }
    }

    /// The event, not linked yet.
    pub(super) fn event(&self) -> &Event {
        self.made.event()
    }

    /// The LPDU's ID, if a participant made it.
    pub(super) fn lpdu_id(&self) -> Option<EventId> {
        match &self.made {
            Made::Lpdu(lpdu) => Some(lpdu.lpdu_id()),
            Made::Own(_) => None,
        }
    }
}

impl ReplyTo {
    /// Says that the event is refused.
    pub(super) fn refuse(self, context: &mut Context, id: Option<EventId>, failure: Failure) -> Option<Output> {
        match self {
            Self::Seat(seat) => context.replies.settle(seat, Outcome { id, failure: Some(failure) }),
            Self::Local(ticket) | Self::Member(ticket, _) | Self::Invite(ticket) | Self::Created(ticket) => {
                Some(Output::Respond(ticket, Answer::Refused(failure)))
            }
            Self::Resent(old) => Some(not_sent(&context.room_id, old, failure)),
            Self::Nobody => None,
        }
    }

    /// Says that the event stands in the log already: it was sent again. Its place is read from the store by whoever needs it.
    pub(super) fn repeat(self, context: &mut Context, id: Option<EventId>, event_id: EventId, change: &mut Change) {
        match self {
            Self::Member(ticket, _) | Self::Invite(ticket) => {
                change.follow.push(state_answer::again(ticket, event_id, self))
            }
            reply => reply.accept(context, id, Placed { event_id, position: 0 }, change),
        }
    }

    /// Says that the event stands in the log, behind `change`.
    pub(super) fn accept(self, context: &mut Context, id: Option<EventId>, placed: Placed, change: &mut Change) {
        match self {
            Self::Seat(seat) => change.then.extend(context.replies.settle(seat, Outcome { id, failure: None })),
            Self::Local(ticket) => change.then.push(Output::Respond(ticket, Answer::Accepted(placed.event_id))),
            Self::Member(ticket, Membership::Join) => {
                change.follow.push(state_answer::send_join(ticket, placed.event_id, placed.position));
            }
            Self::Member(ticket, Membership::Knock) => change.follow.push(state_answer::send_knock(ticket)),
            Self::Member(ticket, _) => change.then.push(respond(ticket, b"{}".to_vec())),
            Self::Invite(ticket) => {
                change.follow.push(state_answer::invite(ticket, placed.event_id, placed.position));
            }
            Self::Created(ticket) => {
                change.then.push(Output::Respond(ticket, Answer::Created(context.room_id.clone())));
            }
            Self::Resent(old) => {
                let room_id = context.room_id.clone();
                change.then.push(Output::Notify(Notification::Resent { room_id, old, new: placed.event_id }));
            }
            Self::Nobody => {}
        }
    }
}

/// Where an event came to stand.
pub(super) struct Placed {
    pub(super) event_id: EventId,
    pub(super) position: i64,
}

/// An answer with status 200.
pub(super) const fn respond(ticket: Ticket, body: alloc::vec::Vec<u8>) -> Output {
    Output::Respond(ticket, Answer::Response(Response { status: 200, body }))
}
