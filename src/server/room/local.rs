//! Local users send events: at the hub straight into the log, elsewhere as LPDUs to the hub. What waited for the writer together is read, signed and committed
//! together, in its order; each sender is answered for itself.

use alloc::{boxed::Box, vec::Vec};

use super::{
    append::Append,
    candidate::{Candidate, Made, ReplyTo},
    context::Context,
    draft::{Wish, malformed},
    invite, once, submit_invite, transfer,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    crypto::Signature,
    event::{LpduDraft, PduDraft, SignedLpdu},
    room::{auth, authorize::Denial, kind},
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        message::{Answer, Cause, ErrorCode, Failure, RoomCall},
    },
    store::Row,
};

/// The most events of one commit, as of a transaction.
pub(super) const MOST: usize = 50;

/// An event that a local user wants to send.
pub(super) struct Sending {
    pub(super) ticket: Ticket,
    /// Its client's transaction ID, as a key of the store.
    pub(super) once: Option<Vec<u8>>,
    pub(super) wish: Wish,
}

impl Sending {
    /// What a call wants to send, if it wants that.
    pub(super) fn of(ticket: Ticket, call: RoomCall) -> Option<Self> {
        let (txn, wish) = match call {
            RoomCall::SendEvent { sender, kind, state_key, content } => {
                (None, Wish { sender, kind, state_key, content })
            }
            RoomCall::SendOnce { txn, sender, kind, state_key, content } => {
                (Some(txn), Wish { sender, kind, state_key, content })
            }
            _ => return None,
        };
        let once = txn.map(|txn| once::key(&wish.sender, &txn));
        Some(Self { ticket, once, wish })
    }

    /// Whether this asks for the room to move to us, which goes by steps of its own.
    fn moves_hub(&self) -> bool {
        self.wish.kind == kind::HUB && self.wish.state_key.as_deref() == Some("")
    }
}

/// Whether a call sends an event that may share its commit with others.
pub(super) fn may_share(call: &RoomCall) -> bool {
    matches!(call, RoomCall::SendEvent { kind, .. } | RoomCall::SendOnce { kind, .. } if kind != kind::HUB)
}

/// Whether two calls are by the same transaction ID: the second is to find the first.
pub(super) fn is_same(one: &RoomCall, other: &RoomCall) -> bool {
    match (one, other) {
        (RoomCall::SendOnce { txn: one, .. }, RoomCall::SendOnce { txn: other, .. }) => one == other,
        _ => false,
    }
}

/// Sends these in their order.
pub(super) fn send(sendings: Vec<Sending>) -> Box<dyn Work> {
    Box::new(Send { sendings, keys: Vec::new(), old: Vec::new(), then: Vec::new(), stage: Stage::Fresh })
}

struct Send {
    sendings: Vec<Sending>,
    /// Whose answers are to be remembered.
    keys: Vec<(Ticket, Vec<u8>)>,
    /// Rows of what is to be forgotten.
    old: Vec<Row>,
    /// Answers that are known before the others.
    then: Vec<Output>,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Asked which were sent before.
    Looking,
    /// Asked the platform for signatures.
    Signing(Vec<(Ticket, LpduDraft)>),
    /// On their way into the log, or the room on its way to us.
    Within(Box<dyn Work>),
    Over,
}

impl Work for Send {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (core::mem::replace(&mut self.stage, Stage::Over), resume) {
            (Stage::Fresh, _) => {
                let keys: Vec<&[u8]> = self.sendings.iter().filter_map(|sending| sending.once.as_deref()).collect();
                if keys.is_empty() {
                    return self.begin(context, moment);
                }
                self.stage = Stage::Looking;
                Progress::Read(once::queries(&keys, moment.now))
            }
            (Stage::Looking, Resume::Rows(rows)) => {
                self.leave_out_sent(rows);
                self.begin(context, moment)
            }
            (Stage::Signing(drafts), Resume::Signed(signatures)) => self.submit(context, moment, drafts, &signatures),
            (Stage::Within(work), resume) => self.within(context, moment, work, resume),
            _ => Progress::Done(Vec::new()),
        }
    }
}

impl Send {
    /// What was sent before is answered as it was then.
    fn leave_out_sent(&mut self, mut rows: Vec<Vec<Row>>) {
        self.old = rows.pop().unwrap_or_default();
        let mut found = rows.iter();
        for sending in core::mem::take(&mut self.sendings) {
            let known = sending.once.as_ref().and_then(|_| found.next()).and_then(|rows| once::sent(rows));
            match known {
                Some(id) => self.then.push(Output::Respond(sending.ticket, Answer::Accepted(id))),
                None => {
                    self.keys.extend(sending.once.clone().map(|key| (sending.ticket, key)));
                    self.sendings.push(sending);
                }
            }
        }
    }

    fn begin(&mut self, context: &mut Context, moment: Moment) -> Progress {
        match self.sendings.first() {
            None => Progress::Done(core::mem::take(&mut self.then)),
            Some(first) if first.moves_hub() && !context.is_hub() => {
                let work = transfer::work(context, first.ticket, first.wish.sender.clone());
                self.within(context, moment, work, Resume::Start)
            }
            Some(_) if context.is_hub() => self.append(context, moment),
            Some(_) => self.sign(context, moment),
        }
    }

    /// As the hub.
    fn append(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let mut candidates = Vec::with_capacity(self.sendings.len());
        for Sending { ticket, wish, .. } in core::mem::take(&mut self.sendings) {
            let stamp = context.stamp(moment.now);
            let draft = context
                .rules_for(&wish.sender)
                .and_then(|rules| PduDraft::new(&wish.parts(context, stamp), rules).map_err(|error| malformed(&error)));
            match draft {
                Ok(draft) => candidates.push(Candidate::new(Made::Own(draft), ReplyTo::Local(ticket))),
                Err(failure) => self.refuse(ticket, failure),
            }
        }
        let append = Append::of(candidates, core::mem::take(&mut self.then));
        self.within(context, moment, append, Resume::Start)
    }

    /// As a participant: makes the LPDUs, and signs them or asks the platform to.
    fn sign(&mut self, context: &mut Context, moment: Moment) -> Progress {
        let mut drafts = Vec::with_capacity(self.sendings.len());
        for Sending { ticket, wish, .. } in core::mem::take(&mut self.sendings) {
            match draft(context, moment, &wish) {
                Ok(draft) => drafts.push((ticket, draft)),
                Err(failure) => self.refuse(ticket, failure),
            }
        }
        if drafts.is_empty() {
            return Progress::Done(core::mem::take(&mut self.then));
        }
        let identity = context.identity.clone();
        let inputs = drafts.iter().map(|(_, draft)| draft.signing_input());
        match identity.signer() {
            Signer::Held(key) => {
                let signatures = key.sign_many(&inputs.collect::<Vec<_>>());
                self.submit(context, moment, drafts, &signatures)
            }
            Signer::Platform(_) => {
                let inputs = inputs.map(<[u8]>::to_vec).collect();
                self.stage = Stage::Signing(drafts);
                Progress::Sign(inputs)
            }
        }
    }

    /// Hands LPDUs on: an invite to a server outside the room by the endpoint for that, all else with what is pending.
    fn submit(
        &mut self,
        context: &mut Context,
        moment: Moment,
        drafts: Vec<(Ticket, LpduDraft)>,
        signatures: &[Signature],
    ) -> Progress {
        let mut change = Change::default();
        let mut signatures = signatures.iter();
        for (ticket, draft) in drafts {
            let outside = context
                .room
                .as_ref()
                .and_then(|room| invite::outside(draft.event(), &room.state, context.identity.name()));
            let lpdu = match signatures.next() {
                Some(signature) => {
                    draft.sign_with(context.identity.key_id(), *signature).map_err(|error| malformed(&error))
                }
                None => Err(unsigned()),
            };
            match lpdu {
                Ok(lpdu) if outside.is_some() => change.follow.push(submit_invite::work(ticket, lpdu)),
                Ok(lpdu) => keep_now(context, ticket, lpdu, &mut change),
                Err(failure) => self.refuse(ticket, failure),
            }
        }
        change.then.append(&mut self.then);
        self.commit(moment, change)
    }

    /// Takes a step of what the sending has become.
    fn within(&mut self, context: &mut Context, moment: Moment, mut work: Box<dyn Work>, resume: Resume) -> Progress {
        match work.step(context, moment, resume) {
            Progress::Commit(change) => self.commit(moment, change),
            progress => {
                self.stage = Stage::Within(work);
                progress
            }
        }
    }

    /// Remembers in the same commit what is accepted. Clients learn their events' IDs before they are told of the events, so that they know their own.
    fn commit(&self, moment: Moment, mut change: Change) -> Progress {
        let accepted = |output: &Output| match output {
            Output::Respond(ticket, Answer::Accepted(id)) => {
                self.keys.iter().find(|(asker, _)| asker == ticket).map(|(_, key)| (key, *id))
            }
            _ => None,
        };
        let (first, others): (Vec<_>, Vec<_>) =
            core::mem::take(&mut change.then).into_iter().partition(|output| accepted(output).is_some());
        for (key, id) in first.iter().filter_map(accepted) {
            once::remember(key, id, moment.now, &mut change.batch);
        }
        if !first.is_empty() {
            once::forget(&self.old, &mut change.batch);
        }
        change.then = first;
        change.then.extend(others);
        Progress::Commit(change)
    }

    fn refuse(&mut self, ticket: Ticket, failure: Failure) {
        self.then.push(Output::Respond(ticket, Answer::Refused(failure)));
    }
}

/// Makes an LPDU. What our copy of the room refuses is refused here, with the rule: the hub would refuse it too.
fn draft(context: &mut Context, moment: Moment, wish: &Wish) -> Result<LpduDraft, Failure> {
    let rules = context.rules_for(&wish.sender)?;
    let hub = context.hub().cloned().ok_or_else(super::context::not_found)?;
    let stamp = context.stamp(moment.now);
    let draft = LpduDraft::new(&wish.parts(context, stamp), &hub, rules).map_err(|error| malformed(&error))?;
    if let Some(room) = &context.room
        && let Some(head) = room.head
    {
        auth::check(draft.event(), &[head.event_id], &room.state).map_err(|rule| {
            Failure::new(403, ErrorCode::Forbidden, alloc::format!("{rule}")).because(Cause::rules(&Denial::Rule(rule)))
        })?;
    }
    Ok(draft)
}

fn unsigned() -> Failure {
    Failure::new(500, ErrorCode::Unknown, "the platform gave no signature; send the event again")
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
            Some(lpdu) => {
                let mut change = Change::default();
                keep_now(context, self.ticket, lpdu, &mut change);
                Progress::Commit(change)
            }
            None => Progress::Done(Vec::new()),
        }
    }
}

fn keep_now(context: &mut Context, ticket: Ticket, lpdu: SignedLpdu, change: &mut Change) {
    let lpdu_id = lpdu.lpdu_id();
    context.pending.add(lpdu_id, lpdu.into_bytes(), &mut change.batch);
    change.then.push(Output::Respond(ticket, Answer::Accepted(lpdu_id)));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use crate::{
        server::{Answer, Call, Notification, RoomCall, Ticket},
        store::Table,
        testing::{content, duo::Duo, user},
    };

    fn say(txn: &str, sender: &str) -> Call {
        Call::Room(RoomCall::SendOnce {
            txn: txn.into(),
            sender: user(sender),
            kind: "m.room.message".into(),
            state_key: None,
            content: content(&alloc::format!(r#"{{"body":"{txn}"}}"#)),
        })
    }

    #[test]
    fn what_waits_while_the_hub_writes_is_appended_in_one_commit() {
        let mut duo = Duo::joined();
        let (hub, hal) = (&mut duo.hub, "@hal:hub.example");
        (hub.hold_commits, hub.told) = (true, Vec::new());
        let before = hub.commits;
        let calls = [("a", hal), ("b", hal), ("c", "@nobody:hub.example"), ("d", hal), ("b", hal), ("e", hal)];
        let tickets: Vec<Ticket> = calls.iter().map(|(txn, sender)| hub.begin(say(txn, sender))).collect();
        for _ in ["a", "b to d", "b again, and e"] {
            hub.commit();
        }
        assert_eq!(hub.commits - before, 3);
        let answers: Vec<Answer> = tickets.into_iter().map(|ticket| hub.answer(ticket).unwrap()).collect();
        let [a, b, c, d, again, e] = answers.as_slice() else { panic!("{answers:?}") };
        assert!(matches!(c, Answer::Refused(_)), "the others are taken all the same");
        assert_eq!(b, again);
        let told: Vec<_> = hub
            .told
            .iter()
            .filter_map(|told| match told {
                Notification::Appended { event_id, .. } => Some(Answer::Accepted(*event_id)),
                _ => None,
            })
            .collect();
        assert_eq!(told.iter().collect::<Vec<_>>(), [a, b, d, e]);
    }

    #[test]
    fn what_waits_while_a_participant_writes_is_kept_in_one_commit() {
        let mut duo = Duo::joined();
        let part = &mut duo.part;
        part.hold_commits = true;
        let before = part.commits;
        let tickets: Vec<Ticket> = ["a", "b", "c"].map(|txn| part.begin(say(txn, "@ann:part.example"))).into();
        part.commit();
        part.commit();
        assert_eq!((part.commits - before, part.store.len(Table::Pending)), (2, 3));
        let mut ids: Vec<_> = tickets.into_iter().map(|ticket| part.answer(ticket)).collect();
        assert!(ids.iter().all(|answer| matches!(answer, Some(Answer::Accepted(_)))));
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}
