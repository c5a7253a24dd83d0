//! A hub transfer as the server that becomes the hub sees it, and as those see it whose LPDUs were meant for the old one (spec, section 9).
//!
//! A user of ours proposes it. First the whole log is fetched: a hub holds all of it. Then `m.room.hub` goes to the present hub, naming the head; if the head
//! has moved meanwhile the hub says so, and the event is made anew once we have that head. When it comes back as an event of the log we are the hub.

mod history;
mod resign;

use alloc::{boxed::Box, vec, vec::Vec};

pub(super) use self::resign::resign;
use super::{
    context::{Context, not_found, refuse},
    draft::{Wish, malformed, object},
    hub::wrong_server,
    pending::not_sent,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    event::{LpduDraft, SignedLpdu},
    id::{EventId, UserId},
    room::{Create, HubTransfer, auth, kind},
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        message::{Answer, ErrorCode, Failure, Notification},
    },
};

/// How often the event is made anew because the head has moved.
const MOST_TRIES: u8 = 20;

/// A transfer to us that is under way.
#[derive(Debug)]
pub(super) struct Transfer {
    user: UserId,
    tries: u8,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The log is being fetched.
    Fetching,
    /// The event is out.
    Proposed(EventId),
    /// The event is refused: the hub's head is another one, which we do not have yet.
    Behind {
        /// The event.
        refused: EventId,
        /// The hub's head.
        head: EventId,
    },
}

/// Makes us the hub.
pub(super) fn work(context: &Context, ticket: Ticket, user: UserId) -> Box<dyn Work> {
    match check(context, &user) {
        Ok(()) => Box::new(Begin { ticket, user: Some(user) }),
        Err(failure) => refuse(ticket, failure),
    }
}

fn check(context: &Context, user: &UserId) -> Result<(), Failure> {
    context.rules_for(user)?;
    let room = context.room.as_ref().ok_or_else(not_found)?;
    if room.state.create().map(Create::hub_transfer) != Some(HubTransfer::On) {
        let error = "the room was made without `hublet.hub_transfer`, so its hub is fixed; make a new room with it";
        return Err(Failure::new(403, ErrorCode::Forbidden, error));
    }
    if context.transfer.as_ref().is_some_and(|transfer| transfer.stage == Stage::Fetching) {
        return Err(Failure::new(400, ErrorCode::BadState, "the room is on its way to this server already"));
    }
    Ok(())
}

/// Begins a transfer: nothing is fetched for a user who may not have it.
struct Begin {
    ticket: Ticket,
    user: Option<UserId>,
}

impl Work for Begin {
    fn step(&mut self, context: &mut Context, moment: Moment, _: Resume) -> Progress {
        let Some(user) = self.user.take() else { return Progress::Done(Vec::new()) };
        if let Err(failure) = draft(context, moment, &user) {
            return Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]);
        }
        context.transfer = Some(Transfer { user, tries: 0, stage: Stage::Fetching });
        let follow = vec![history::fetch(self.ticket)];
        Progress::Commit(Change { follow, ..Change::default() })
    }
}

/// The event, for the head that we have, if the rules allow it.
fn draft(context: &mut Context, moment: Moment, user: &UserId) -> Result<LpduDraft, Failure> {
    let rules = context.rules_for(user)?;
    if context.is_hub() {
        return Err(Failure::new(400, ErrorCode::BadState, "this server is the room's hub"));
    }
    let hub = context.hub().cloned().ok_or_else(|| wrong_server(context))?;
    let head = context.room.as_ref().and_then(|room| room.head).ok_or_else(not_found)?.event_id;
    let content = object(|content| content.string("head", &alloc::format!("{head}")))?;
    let wish = Wish { sender: user.clone(), kind: kind::HUB.into(), state_key: Some("".into()), content };
    let stamp = context.stamp(moment.now);
    let draft = LpduDraft::new(&wish.parts(context, stamp), &hub, rules).map_err(|error| malformed(&error))?;
    let room = context.room.as_ref().ok_or_else(not_found)?;
    auth::check(draft.event(), &[head], &room.state)
        .map_err(|rule| Failure::new(403, ErrorCode::Forbidden, alloc::format!("{rule}")))?;
    Ok(draft)
}

/// Makes and sends the event.
struct Propose {
    /// Who waits for its ID.
    ticket: Option<Ticket>,
    /// What the platform is signing.
    draft: Option<LpduDraft>,
}

impl Work for Propose {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let progress = match (self.draft.take(), resume) {
            (Some(draft), Resume::Signed(signatures)) => match signatures.first() {
                Some(signature) => {
                    draft.sign_with(context.identity.key_id(), *signature).map_err(|error| malformed(&error))
                }
                None => Err(Failure::new(500, ErrorCode::Unknown, "the platform gave no signature; try again")),
            },
            _ => match self.signed_or_draft(context, moment) {
                Ok(Made::Signed(lpdu)) => Ok(lpdu),
                Ok(Made::Draft(draft)) => {
                    let input = draft.signing_input().to_vec();
                    self.draft = Some(draft);
                    return Progress::Sign(vec![input]);
                }
                Err(failure) => Err(failure),
            },
        };
        match (progress, replaced(context)) {
            (Ok(lpdu), _) => self.send(context, lpdu),
            (Err(failure), Some(old)) => abandon(context, old, failure),
            (Err(failure), None) => give_up(context, self.ticket, failure),
        }
    }
}

enum Made {
    Signed(SignedLpdu),
    Draft(LpduDraft),
}

impl Propose {
    fn signed_or_draft(&self, context: &mut Context, moment: Moment) -> Result<Made, Failure> {
        let user = context.transfer.as_ref().map(|transfer| transfer.user.clone());
        let draft = draft(context, moment, &user.ok_or_else(not_found)?)?;
        match context.identity.signer() {
            Signer::Held(key) => {
                draft.sign(context.identity.key_id(), key).map(Made::Signed).map_err(|error| malformed(&error))
            }
            Signer::Platform(_) => Ok(Made::Draft(draft)),
        }
    }

    fn send(&self, context: &mut Context, lpdu: SignedLpdu) -> Progress {
        let mut change = Change::default();
        let lpdu_id = lpdu.lpdu_id();
        if let Some(old) = replaced(context) {
            context.pending.remove(old, &mut change.batch);
            let room_id = context.room_id.clone();
            change.then.push(Output::Notify(Notification::Resent { room_id, old, new: lpdu_id }));
        }
        if let Some(transfer) = &mut context.transfer {
            transfer.stage = Stage::Proposed(lpdu_id);
            transfer.tries = transfer.tries.saturating_add(1);
        }
        context.pending.add(lpdu_id, lpdu.into_bytes(), &mut change.batch);
        change.then.extend(self.ticket.map(|ticket| Output::Respond(ticket, Answer::Accepted(lpdu_id))));
        Progress::Commit(change)
    }
}

/// The event that is made anew.
fn replaced(context: &Context) -> Option<EventId> {
    match context.transfer.as_ref()?.stage {
        Stage::Behind { refused, .. } => Some(refused),
        Stage::Fetching | Stage::Proposed(_) => None,
    }
}

/// Ends the transfer: the event that was refused cannot be made anew.
fn abandon(context: &mut Context, old: EventId, failure: Failure) -> Progress {
    context.transfer = None;
    let mut change = Change::default();
    if context.pending.remove(old, &mut change.batch) {
        change.then.push(not_sent(&context.room_id, old, failure));
    }
    Progress::Commit(change)
}

/// Ends the transfer, and tells who waits.
fn give_up(context: &mut Context, ticket: Option<Ticket>, failure: Failure) -> Progress {
    context.transfer = None;
    Progress::Done(ticket.map(|ticket| Output::Respond(ticket, Answer::Refused(failure))).into_iter().collect())
}

/// Goes on with work that writes, in its turn.
struct InTurn(Option<Box<dyn Work>>);

fn in_turn(work: Box<dyn Work>) -> Box<dyn Work> {
    Box::new(InTurn(Some(work)))
}

impl Work for InTurn {
    fn step(&mut self, _: &mut Context, _: Moment, _: Resume) -> Progress {
        self.0.take().map_or_else(|| Progress::Done(Vec::new()), Progress::Write)
    }
}

impl Context {
    /// The hub refused an LPDU of ours. Whether that is not the end of it: of a transfer whose head was not the last, or of an event for a hub that is none
    /// any more, which is made anew as soon as we read who is.
    pub(super) fn may_go_on(&mut self, lpdu_id: EventId, failure: &Failure) -> Refusal {
        let moves = self.room.as_ref().and_then(|room| room.state.create()).map(Create::hub_transfer);
        match (&mut self.transfer, failure.head) {
            (Some(transfer), Some(head))
                if transfer.stage == Stage::Proposed(lpdu_id) && transfer.tries < MOST_TRIES =>
            {
                transfer.stage = Stage::Behind { refused: lpdu_id, head };
                return Refusal::Kept;
            }
            (Some(transfer), _) if transfer.stage == Stage::Proposed(lpdu_id) => {
                if failure.code == ErrorCode::WrongServer && failure.hub_server.as_ref() == Some(self.identity.name()) {
                    // It was taken when it came before, and the answer was lost: we are the hub as soon as we see it.
                    return Refusal::Kept;
                }
                self.transfer = None;
            }
            _ if moves == Some(HubTransfer::On) && failure.code == ErrorCode::WrongServer => return Refusal::Kept,
            _ => {}
        }
        Refusal::Final
    }

    /// Nothing more is heard of an LPDU of ours.
    pub(super) fn lost(&mut self, lpdu_id: EventId) {
        self.transfer.take_if(|transfer| match transfer.stage {
            Stage::Fetching => false,
            Stage::Proposed(id) | Stage::Behind { refused: id, .. } => id == lpdu_id,
        });
    }

    /// What a transfer to us wants done now that the log is where it is.
    pub(super) fn transfer_work(&mut self) -> Option<Box<dyn Work>> {
        if self.is_hub() {
            self.transfer = None;
        }
        let head = self.room.as_ref().and_then(|room| room.head).map(|head| head.event_id);
        let transfer = self.transfer.as_ref()?;
        let is_due = matches!(transfer.stage, Stage::Behind { head: wanted, .. } if Some(wanted) == head);
        is_due.then(|| in_turn(Box::new(Propose { ticket: None, draft: None })))
    }
}

/// What a refusal by the hub means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The event will not appear.
    Final,
    /// It stays pending until another takes its place, or until nobody has heard of it for too long.
    Kept,
}
