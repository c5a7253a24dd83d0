//! A local user sends an event: at the hub straight into the log, elsewhere as an LPDU to the hub.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    append::Append,
    candidate::{Candidate, Made, ReplyTo},
    context::{Context, refuse},
    draft::{Wish, malformed},
    invite, submit_invite, transfer,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    event::{Event, LpduDraft, PduDraft, SignedLpdu},
    room::{auth, authorize::Denial, kind},
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        message::{Answer, Cause, ErrorCode, Failure},
    },
};

/// Sends an event.
pub(super) fn send(context: &Context, ticket: Ticket, wish: Wish) -> Box<dyn Work> {
    if wish.kind == kind::HUB && wish.state_key.as_deref() == Some("") && !context.is_hub() {
        return transfer::work(context, ticket, wish.sender);
    }
    match context.rules_for(&wish.sender) {
        Ok(_) => Box::new(Send { ticket, wish, draft: None, append: None }),
        Err(failure) => refuse(ticket, failure),
    }
}

struct Send {
    ticket: Ticket,
    wish: Wish,
    /// What the platform is signing.
    draft: Option<LpduDraft>,
    /// The event on its way into the log.
    append: Option<Box<dyn Work>>,
}

impl Work for Send {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(append) = &mut self.append {
            return append.step(context, moment, resume);
        }
        let progress = match (self.draft.take(), resume) {
            (Some(draft), Resume::Signed(signatures)) => self.signed(context, draft, &signatures),
            _ if context.is_hub() => return self.append(context, moment),
            _ => self.submit(context, moment),
        };
        progress.unwrap_or_else(|failure| Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]))
    }
}

impl Send {
    fn append(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let stamp = context.stamp(moment.now);
        let draft = context.rules_for(&self.wish.sender).and_then(|rules| {
            PduDraft::new(&self.wish.parts(context, stamp), rules).map_err(|error| malformed(&error))
        });
        match draft {
            Ok(draft) => {
                let candidate = Candidate::new(Made::Own(draft), ReplyTo::Local(self.ticket));
                let mut append = Append::of(vec![candidate], Vec::new());
                let progress = append.step(context, moment, Resume::Start);
                self.append = Some(append);
                progress
            }
            Err(failure) => Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))]),
        }
    }

    /// Makes the LPDU. What our copy of the room refuses is refused here, with the rule: the hub would refuse it too.
    fn submit(&mut self, context: &mut Context, moment: Moment) -> Result<Progress, Failure> {
        let rules = context.rules_for(&self.wish.sender)?;
        let hub = context.hub().cloned().ok_or_else(super::context::not_found)?;
        let stamp = context.stamp(moment.now);
        let draft = LpduDraft::new(&self.wish.parts(context, stamp), &hub, rules).map_err(|error| malformed(&error))?;
        if let Some(room) = &context.room
            && let Some(head) = room.head
        {
            auth::check(draft.event(), &[head.event_id], &room.state).map_err(|rule| {
                Failure::new(403, ErrorCode::Forbidden, alloc::format!("{rule}"))
                    .because(Cause::rules(&Denial::Rule(rule)))
            })?;
        }
        let identity = context.identity.clone();
        match identity.signer() {
            Signer::Held(key) => {
                let event = draft.event().clone();
                let lpdu = draft.sign(identity.key_id(), key).map_err(|error| malformed(&error))?;
                Ok(self.hand_on(context, lpdu, &event))
            }
            Signer::Platform(_) => {
                let input = draft.signing_input().to_vec();
                self.draft = Some(draft);
                Ok(Progress::Sign(vec![input]))
            }
        }
    }

    fn signed(
        &self,
        context: &mut Context,
        draft: LpduDraft,
        signatures: &[crate::crypto::Signature],
    ) -> Result<Progress, Failure> {
        let [signature] = signatures else {
            return Err(Failure::new(500, ErrorCode::Unknown, "the platform gave no signature; send the event again"));
        };
        let key_id = context.identity.key_id().clone();
        let event = draft.event().clone();
        let lpdu = draft.sign_with(&key_id, *signature).map_err(|error| malformed(&error))?;
        Ok(self.hand_on(context, lpdu, &event))
    }

    /// Hands an LPDU on: an invite to a server outside the room by the endpoint for that, all else with what is pending.
    fn hand_on(&self, context: &mut Context, lpdu: SignedLpdu, event: &Event) -> Progress {
        let room = context.room.as_ref();
        match room.and_then(|room| invite::outside(event, &room.state, context.identity.name())) {
            Some(_) => {
                let follow = vec![submit_invite::work(self.ticket, lpdu)];
                Progress::Commit(Change { follow, ..Change::default() })
            }
            None => keep_now(context, self.ticket, lpdu),
        }
    }
}

/// Keeps an LPDU until its echo comes, in its turn.
pub(super) fn keep(ticket: Ticket, lpdu: SignedLpdu) -> Box<dyn Work> {
    Box::new(Keep { ticket, lpdu: Some(lpdu) })
}

struct Keep {
    ticket: Ticket,
    lpdu: Option<SignedLpdu>,
}

impl Work for Keep {
    fn step(&mut self, context: &mut Context, _: Moment, _: Resume) -> Progress {
        match self.lpdu.take() {
            Some(lpdu) => keep_now(context, self.ticket, lpdu),
            None => Progress::Done(Vec::new()),
        }
    }
}

fn keep_now(context: &mut Context, ticket: Ticket, lpdu: SignedLpdu) -> Progress {
    let mut change = Change::default();
    let lpdu_id = lpdu.lpdu_id();
    context.pending.add(lpdu_id, lpdu.into_bytes(), &mut change.batch);
    change.then.push(Output::Respond(ticket, Answer::Accepted(lpdu_id)));
    Progress::Commit(change)
}
