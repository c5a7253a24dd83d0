//! Appending, at the hub: authorise and chain each event on the one before, then sign all, then commit once.

use alloc::{boxed::Box, vec::Vec};

use super::{
    accounts,
    candidate::{Candidate, Made, Placed, ReplyTo},
    consent,
    context::Context,
    hub::wrong_server,
    invite,
    known::KnownLog,
    work::{Change, Progress, Resume, Work},
};
use crate::{
    crypto::Signature,
    event::{ChainedPdu, HubIdentity, Integrity, Openings, Sender},
    id::EventId,
    ordered::Map,
    room::{
        auth_rule::AuthRule,
        authorize::{self, Before, Denial},
        kind,
        log::{LogEvent, place},
        membership::Membership,
        redaction,
    },
    server::{
        contract::{Moment, Output},
        identity::Signer,
        message::{Cause, ErrorCode, Failure, Notification},
    },
    store::{Query, Row, Table},
};

/// Candidates on their way into the log.
pub(super) struct Append {
    candidates: Vec<Candidate>,
    change: Change,
    /// LPDU ID to event ID of what was appended before, as far as these candidates ask.
    appended: Map<EventId, EventId>,
    known: KnownLog,
    stage: Stage,
}

enum Stage {
    /// Nothing asked yet.
    Fresh,
    /// Asked which LPDUs are known and where redactions' targets stand.
    Places,
    /// Asked for redactions' targets.
    Targets,
    /// Asked the platform for signatures.
    Signing(Vec<Chained>, Change),
}

/// An event with its place, before it is signed.
struct Chained {
    pdu: ChainedPdu,
    position: i64,
    reply: ReplyTo,
    /// The event that this one redacts.
    redacts: Option<EventId>,
}

impl Append {
    /// Appends these in order; `then` goes out with the answers.
    pub(super) fn of(candidates: Vec<Candidate>, then: Vec<Output>) -> Box<dyn Work> {
        Self::with(candidates, Change { then, ..Change::default() })
    }

    /// Appends these in order, as part of a change.
    pub(super) fn with(candidates: Vec<Candidate>, change: Change) -> Box<dyn Work> {
        let (appended, known) = (Map::new(), KnownLog::default());
        Box::new(Self { candidates, change, appended, known, stage: Stage::Fresh })
    }

    /// Which LPDUs are known, and where redactions' targets stand.
    fn places(&self) -> Vec<Query> {
        let lpdus =
            self.candidates.iter().filter_map(Candidate::lpdu_id).map(|id| Query::one(Table::Lpdus, *id.as_bytes()));
        let targets = self.candidates.iter().filter_map(|candidate| redaction::target(candidate.event())).map(place);
        lpdus.chain(targets).collect()
    }

    fn read_places(&mut self, rows: &[Vec<Row>]) -> Vec<Query> {
        let lpdus: Vec<EventId> = self.candidates.iter().filter_map(Candidate::lpdu_id).collect();
        for (lpdu_id, row) in lpdus.iter().zip(rows) {
            let event_id = row.first().and_then(|row| <[u8; 32]>::try_from(row.value.as_slice()).ok());
            self.appended.extend(event_id.map(|id| (*lpdu_id, EventId::from_hash(id))));
        }
        KnownLog::entries_at(rows.get(lpdus.len()..).unwrap_or_default())
    }

    /// Authorises and chains each candidate on the one before.
    fn chain(&mut self, context: &mut Context, moment: Moment) -> (Vec<Chained>, Change) {
        let mut change = core::mem::take(&mut self.change);
        let mut chained = Vec::with_capacity(self.candidates.len());
        let mut openings = Openings::default();
        let has_redactions = self.candidates.iter().any(|candidate| candidate.event().kind() == kind::REDACTION);
        for candidate in core::mem::take(&mut self.candidates) {
            let (id, is_over) = (candidate.lpdu_id(), context.is_over(&candidate));
            let reply = candidate.reply;
            if candidate.agreed.is_some() {
                context.offers.end(candidate.event());
            }
            if let Some(event_id) = id.and_then(|id| self.appended.get(&id)) {
                if is_over {
                    let failure = Failure::of(ErrorCode::Forbidden, "the knock was taken and has been answered since");
                    change.then.extend(reply.refuse(context, id, failure));
                } else {
                    reply.repeat(context, id, *event_id, &mut change);
                }
                continue;
            }
            let is_move = candidate.event().kind() == kind::HUB;
            let mover = is_move.then(|| candidate.event().sender().server_name());
            match self.chain_one(context, candidate, moment, &mut openings, &mut change) {
                Ok(Some(link)) => {
                    self.appended.extend(id.map(|id| (id, link.pdu.event_id())));
                    if has_redactions {
                        self.known.insert(link.pdu.event_id(), link.pdu.source().clone(), link.position);
                    }
                    chained.push(link);
                }
                Ok(None) => {}
                Err(failure) => {
                    if let Some(server) = mover.filter(|_| failure.head.is_some()) {
                        context.hold_for(&server, moment.now);
                    }
                    change.then.extend(reply.refuse(context, id, failure));
                }
            }
        }
        (chained, change)
    }

    /// One candidate; nothing if it must be offered to its target's server first.
    fn chain_one(
        &self,
        context: &mut Context,
        candidate: Candidate,
        moment: Moment,
        openings: &mut Openings,
        change: &mut Change,
    ) -> Result<Option<Chained>, Failure> {
        let Candidate { made, reply, agreed } = candidate;
        let Some(room) = &context.room else { return Err(super::context::not_found()) };
        let before = Before { state: &room.state, known: &self.known };
        let hub = HubIdentity { server: context.identity.name(), key_id: context.identity.key_id() };
        let outside = match &agreed {
            None => invite::outside(made.event(), &room.state, context.identity.name()),
            Some(_) => None,
        };
        let head = room.head.map(|head| head.event_id);
        let too_large =
            |error| Failure::new(413, ErrorCode::TooLarge, alloc::format!("{error}")).because(Cause::schema(&error));
        let mut pdu = match (made, head) {
            (Made::Lpdu(lpdu), Some(head)) => {
                let lpdu = authorize::lpdu(lpdu, head, before).map_err(|denied| context.denied(&denied.reason))?;
                if let Some(server) = outside {
                    let offer = lpdu.clone().chain(&hub).map_err(too_large)?;
                    let candidate = Candidate { made: Made::Lpdu(lpdu.into_verified()), reply, agreed: None };
                    change.follow.push(invite::offer(candidate, offer, server, moment));
                    return Ok(None);
                }
                lpdu.chain_among(&hub, openings).map_err(too_large)?
            }
            (Made::Lpdu(_), None) => return Err(super::context::not_found()),
            (Made::Own(draft), head) => {
                let draft = authorize::draft(draft, head, before).map_err(|denied| context.denied(&denied.reason))?;
                if let Some(server) = outside {
                    let offer = draft.clone().chain(&hub).map_err(too_large)?;
                    let candidate = Candidate { made: Made::Own(draft.into_draft()), reply, agreed: None };
                    change.follow.push(invite::offer(candidate, offer, server, moment));
                    return Ok(None);
                }
                draft.chain(&hub).map_err(too_large)?
            }
        };
        let is_move = pdu.source().kind() == kind::HUB;
        if is_move && !context.consents.contains(&pdu.source().sender().server_name()) {
            let error = "the hub's operator has not consented to give the room to your server; ask for it first";
            return Err(Failure::new(403, ErrorCode::Forbidden, error));
        }
        if let Some((server, key_id, key, signature)) = agreed.and_then(|agreement| agreement.signature) {
            // A signature over another form than the one appended is left out: the invite stands without it.
            let _ = pdu.countersign(&server, &key_id, signature, &key);
        }
        if is_move {
            consent::used(context, &pdu.source().sender().server_name(), &mut change.batch);
        }
        let redacts = redaction::target(pdu.source());
        let answered = matches!(reply, ReplyTo::Member(_, Membership::Join));
        let position = context.advance_as_hub(pdu.source(), pdu.event_id(), answered, &mut change.batch);
        Ok(position.map(|position| Chained { pdu, position, reply, redacts }))
    }

    /// Signs what is chained, or asks the platform to.
    fn sign(&mut self, context: &mut Context, chained: Vec<Chained>, change: Change) -> Progress {
        if chained.is_empty() {
            return Progress::Commit(change);
        }
        let signer = context.identity.clone();
        match signer.signer() {
            Signer::Held(key) => {
                let inputs: Vec<&[u8]> = chained.iter().map(|link| link.pdu.signing_input()).collect();
                let signatures = key.sign_many(&inputs);
                self.complete(context, chained, signatures, change)
            }
            Signer::Platform(_) => {
                let inputs = chained.iter().map(|link| link.pdu.signing_input().to_vec()).collect();
                self.stage = Stage::Signing(chained, change);
                Progress::Sign(inputs)
            }
        }
    }

    /// Writes the rows of what is signed, and answers.
    fn complete(
        &mut self,
        context: &mut Context,
        chained: Vec<Chained>,
        signatures: Vec<Signature>,
        mut change: Change,
    ) -> Progress {
        for (link, signature) in chained.into_iter().zip(signatures) {
            let Chained { pdu, position, reply, redacts } = link;
            let (event_id, lpdu_id) = (pdu.event_id(), pdu.lpdu_id());
            change.follow.extend(accounts::of_event(context, pdu.source()));
            context.ages(pdu.source(), position, &mut change.batch);
            let bytes = pdu.sign_with(signature).into_bytes();
            if let Some(lpdu_id) = lpdu_id {
                change.batch.put(Table::Lpdus, *lpdu_id.as_bytes(), *event_id.as_bytes());
            }
            let (sender, integrity) = (Sender::Verified, Integrity::Intact);
            let entry = LogEvent { event_id, sender, integrity, soft_failed: false, bytes };
            if self.known.has(&event_id) {
                self.known.stand(entry.clone());
            }
            entry.put(position, &mut change.batch);
            change.then.push(Output::Notify(Notification::Appended {
                room_id: context.room_id.clone(),
                position,
                event_id,
                lpdu_id,
                event: entry.bytes,
                sender_verified: true,
                intact: true,
            }));
            if let Some(target) = redacts {
                context.redact(&mut self.known, target, &mut change.batch);
            }
            reply.accept(context, lpdu_id, Placed { event_id, position }, &mut change);
        }
        context.seal(&mut change.batch);
        Progress::Commit(change)
    }
}

impl Work for Append {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        match (core::mem::replace(&mut self.stage, Stage::Fresh), resume) {
            (Stage::Fresh, Resume::Start) => {
                let queries = self.places();
                if !queries.is_empty() {
                    self.stage = Stage::Places;
                    return Progress::Read(queries);
                }
            }
            (Stage::Places, Resume::Rows(rows)) => {
                let queries = self.read_places(&rows);
                if !queries.is_empty() {
                    self.stage = Stage::Targets;
                    return Progress::Read(queries);
                }
            }
            (Stage::Targets, Resume::Rows(rows)) => self.known.read(&rows, context),
            (Stage::Signing(chained, change), Resume::Signed(signatures)) if signatures.len() == chained.len() => {
                return self.complete(context, chained, signatures, change);
            }
            // What was chained stays unsigned: the room in memory is ahead of its log and must be opened anew.
            (Stage::Signing(..), _) => return Progress::Stuck,
            _ => {}
        }
        let (chained, change) = self.chain(context, moment);
        self.sign(context, chained, change)
    }
}

impl Context {
    /// Whether a knock, should it be one that was taken before, has come to nothing: who knocked then is told no more of the room as it is now.
    fn is_over(&self, candidate: &Candidate) -> bool {
        let membership = self.room.as_ref().map(|room| room.state.membership(candidate.event().sender()));
        matches!(candidate.reply, ReplyTo::Member(_, Membership::Knock))
            && matches!(membership, Some(Membership::Leave | Membership::Ban))
    }

    /// Why an event is refused, as it is answered.
    fn denied(&self, reason: &Denial) -> Failure {
        match reason {
            Denial::WrongHub { .. } => wrong_server(self),
            Denial::Rule(AuthRule::HubHead) => {
                let error = "the log has gone on; make the event anew with this head";
                let mut failure = Failure::new(400, ErrorCode::BadState, error).because(Cause::rules(reason));
                failure.head = self.room.as_ref().and_then(|room| room.head).map(|head| head.event_id);
                failure
            }
            reason => Failure::new(403, ErrorCode::Forbidden, alloc::format!("{reason}")).because(Cause::rules(reason)),
        }
    }
}
