//! What our users sent to a hub that is none any more: made anew for the new one, once the old log is read up to `m.room.hub` (spec, section 9).

use alloc::{boxed::Box, vec::Vec};

use super::in_turn;
use crate::{
    crypto::Signature,
    event::{Event, EventParts, LpduDraft, MAX_DEPTH, MAX_PDU_BYTES, PduDraft, UnverifiedLpdu},
    id::{EventId, ServerName},
    json::{Document, Limits, parse},
    server::{
        contract::{Moment, Output},
        identity::Signer,
        message::{ErrorCode, Failure, Notification},
        room::{
            append::Append,
            candidate::{Candidate, Made, ReplyTo},
            context::Context,
            pending,
            work::{Change, Progress, Resume, Work},
        },
    },
};

/// Makes pending LPDUs that name another hub anew. Begins without writing.
pub(in crate::server::room) fn resign() -> Box<dyn Work> {
    in_turn(Box::new(Resign { drafts: Vec::new(), lost: Change::default(), append: None }))
}

struct Resign {
    /// What the platform is signing: each for the LPDU that it replaces.
    drafts: Vec<(EventId, LpduDraft)>,
    /// What is lost beside them.
    lost: Change,
    /// We are the hub: our events are on their way into the log.
    append: Option<Box<dyn Work>>,
}

impl Work for Resign {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        if let Some(append) = &mut self.append {
            return append.step(context, moment, resume);
        }
        if let Resume::Signed(signatures) = resume {
            let drafts = core::mem::take(&mut self.drafts);
            if signatures.len() != drafts.len() {
                // Nobody would make them anew but a room that is opened.
                return Progress::Stuck;
            }
            return replace(context, drafts.into_iter().zip(signatures), core::mem::take(&mut self.lost));
        }
        let Some(hub) = context.hub().cloned() else { return Progress::Done(Vec::new()) };
        let old = misdirected(context, &hub);
        if old.is_empty() {
            return Progress::Done(Vec::new());
        }
        old.iter().filter_map(|(_, event)| event.hub_server()).for_each(|hub| context.recall(hub));
        if context.is_hub() {
            let mut append = append(context, old);
            let progress = append.step(context, moment, Resume::Start);
            self.append = Some(append);
            return progress;
        }
        let mut change = Change::default();
        let mut drafts = Vec::new();
        for (id, event) in old {
            match content(&event).and_then(|content| LpduDraft::new(&parts(&event, &content), &hub, event.rules()).ok())
            {
                Some(draft) => drafts.push((id, draft)),
                None => lose(context, id, &mut change),
            }
        }
        let identity = context.identity.clone();
        match identity.signer() {
            Signer::Held(key) => {
                let signatures: Vec<Signature> =
                    drafts.iter().map(|(_, draft)| key.sign(draft.signing_input())).collect();
                replace(context, drafts.into_iter().zip(signatures), change)
            }
            Signer::Platform(_) => {
                let inputs = drafts.iter().map(|(_, draft)| draft.signing_input().to_vec()).collect();
                (self.drafts, self.lost) = (drafts, change);
                Progress::Sign(inputs)
            }
        }
    }
}

/// Pending LPDUs that name another hub.
fn misdirected(context: &Context, hub: &ServerName) -> Vec<(EventId, Event)> {
    let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return Vec::new() };
    let limits = Limits { bytes: MAX_PDU_BYTES, depth: MAX_DEPTH };
    let read = |bytes: &[u8]| {
        let document = parse(bytes, rules.key_order, limits).ok()?;
        UnverifiedLpdu::parse(document, rules).ok().map(|lpdu| lpdu.event().clone())
    };
    let all = context.pending.all().filter_map(|(id, bytes)| Some((id, read(bytes)?)));
    all.filter(|(_, event)| event.hub_server() != Some(hub)).collect()
}

fn content(event: &Event) -> Option<Document> {
    Some(event.content().to_document())
}

fn parts<'a>(event: &'a Event, content: &'a Document) -> EventParts<'a> {
    EventParts {
        room_id: event.room_id(),
        sender: event.sender(),
        kind: event.kind(),
        state_key: event.state_key(),
        content,
        origin_server_ts: event.origin_server_ts(),
    }
}

/// As the hub: the events go straight into the log, and leave the pending ones in the same commit.
fn append(context: &mut Context, old: Vec<(EventId, Event)>) -> Box<dyn Work> {
    let mut change = Change::default();
    let mut candidates = Vec::new();
    for (id, event) in old {
        match content(&event).and_then(|content| PduDraft::new(&parts(&event, &content), event.rules()).ok()) {
            Some(draft) => {
                context.pending.remove(id, &mut change.batch);
                candidates.push(Candidate::new(Made::Own(draft), ReplyTo::Resent(id)));
            }
            None => lose(context, id, &mut change),
        }
    }
    Append::with(candidates, change)
}

/// As a participant: others take the place of the pending ones.
fn replace(
    context: &mut Context,
    signed: impl Iterator<Item = ((EventId, LpduDraft), Signature)>,
    mut change: Change,
) -> Progress {
    // The old hub's peer machine was told of them; the new one's was not.
    context.hub_is_idle();
    for ((old, draft), signature) in signed {
        let Ok(lpdu) = draft.sign_with(context.identity.key_id(), signature) else {
            lose(context, old, &mut change);
            continue;
        };
        if context.pending.remove(old, &mut change.batch) {
            let lpdu_id = lpdu.lpdu_id();
            context.pending.add(lpdu_id, lpdu.into_bytes(), &mut change.batch);
            let room_id = context.room_id.clone();
            change.then.push(Output::Notify(Notification::Resent { room_id, old, new: lpdu_id }));
        }
    }
    Progress::Commit(change)
}

fn lose(context: &mut Context, id: EventId, change: &mut Change) {
    context.pending.remove(id, &mut change.batch);
    let failure = Failure::new(400, ErrorCode::BadJson, "the event could not be made anew for the room's new hub");
    change.then.push(pending::not_sent(&context.room_id, id, failure));
}
