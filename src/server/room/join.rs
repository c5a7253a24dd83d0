//! A local user joins, knocks at, or leaves a room (spec, section 7).
//!
//! In a room that we are in this is an event like any other. From outside the hub is asked for a template, which we fill in and sign, and the hub
//! completes. Its answer to a join is checked whole before a row of it is written; until then events of the room wait, since the writer is busy.

mod answer;
mod rows;
mod template;

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::time::Duration;

use self::{answer::JoinAnswer, rows::Rows};
use super::{
    accounts,
    context::{Context, refuse},
    draft::{self, malformed},
    local,
    participant::verify,
    profile,
    remote::{self, KEY_TIME, Reply, fetch},
    work::{Change, Progress, Resume, Work},
};
use crate::{
    crypto::Signature,
    event::{LpduDraft, RoomVersionRules, SignedLpdu},
    id::{ServerName, UserId},
    json::{Document, Limits, parse},
    ordered::Set,
    room::{kind, membership::Membership},
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        message::{Answer, ErrorCode, Failure},
        paths::PFX,
    },
};

/// How long a template may take.
const TEMPLATE_TIME: Duration = Duration::from_secs(20);

/// How long the hub may take over a member event; the answer to a join may be large.
const SEND_TIME: Duration = Duration::from_secs(60);

/// How often a member event is sent before the hub counts as silent. It is the same transaction each time.
const TRIES: u8 = 3;

/// The most servers that are asked in turn.
const MAX_SERVERS: usize = 20;

/// The largest answer to a join that is read, in bytes.
const MAX_ANSWER: usize = 1 << 28;

/// Joins, knocks or leaves.
pub(super) fn work(
    context: &Context,
    ticket: Ticket,
    user: UserId,
    membership: Membership,
    via: Vec<ServerName>,
) -> Box<dyn Work> {
    let ours = context.identity.name();
    if user.server() != ours.as_str() {
        return refuse(ticket, Failure::new(403, ErrorCode::Forbidden, "the user is no user of this server"));
    }
    if !matches!(membership, Membership::Join | Membership::Knock | Membership::Leave) {
        let error = "users join, knock and leave by themselves; send an m.room.member event for the rest";
        return refuse(ticket, Failure::new(400, ErrorCode::InvalidParam, error));
    }
    match (membership, profile::content(membership, None, None)) {
        (Membership::Leave, Ok(content)) => change(context, ticket, user, (membership, content), via),
        (_, Err(failure)) => refuse(ticket, failure),
        _ => {
            let named = user.clone();
            let then = move |context: &mut Context, content| change(context, ticket, user, (membership, content), via);
            profile::ask(ticket, named, membership, Box::new(then))
        }
    }
}

/// Sends the member event: in a room that we are in as any other, else by the way of an outsider.
fn change(
    context: &Context,
    ticket: Ticket,
    user: UserId,
    (membership, content): (Membership, Document),
    via: Vec<ServerName>,
) -> Box<dyn Work> {
    if context.is_hub() || context.are_in_room() {
        let (kind, state_key) = (kind::MEMBER.into(), Some(user.as_str().into()));
        let wish = draft::Wish { sender: user, kind, state_key, content };
        return local::send(vec![local::Sending { ticket, once: None, wish }]);
    }
    let ours = context.identity.name();
    let mut known = Set::from([ours.clone()]);
    let creator = ServerName::parse(context.room_id.server()).ok();
    let servers = via.into_iter().chain(context.hub().cloned()).chain(creator);
    let servers: VecDeque<_> = servers.filter(|server| known.insert(server.clone())).take(MAX_SERVERS).collect();
    let (refusal, tries, stage) = (None, 0, Stage::Fresh);
    Box::new(Outsider { ticket, user, membership, content, servers, known, refusal, tries, stage })
}

/// A user whose server is not in the room.
struct Outsider {
    ticket: Ticket,
    user: UserId,
    membership: Membership,
    /// The event's content.
    content: Document,
    /// The servers still to be asked; the first is being asked.
    servers: VecDeque<ServerName>,
    /// The servers that were ever to be asked.
    known: Set<ServerName>,
    /// What the last one said.
    refusal: Option<Failure>,
    /// How often the event was sent to the first one.
    tries: u8,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Asked for a template.
    Template,
    /// Asked the platform for a signature.
    Signing(LpduDraft),
    /// Sent the event.
    Sent(SignedLpdu, &'static RoomVersionRules),
    /// Asked for the keys of the events of the answer.
    Keys(JoinAnswer),
    /// Asked what we have of the room.
    Rows(Rows),
}

impl Work for Outsider {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let Some(server) = self.servers.front().cloned() else { return self.give_up() };
        let done = match (core::mem::replace(&mut self.stage, Stage::Fresh), resume) {
            (Stage::Fresh, _) => Ok(self.ask(context, moment, &server)),
            (Stage::Template, resume) => self.fill(context, moment, &server, resume),
            (Stage::Signing(draft), Resume::Signed(signatures)) => {
                self.signed(context, moment, &server, draft, signatures.first())
            }
            (Stage::Signing(_), _) => Err(unsigned()),
            (Stage::Sent(lpdu, rules), resume) => self.answered(context, moment, &server, lpdu, rules, resume),
            (Stage::Keys(answer), resume) => {
                verify::learn(context, resume);
                self.check(context, moment, &server, answer)
            }
            (Stage::Rows(rows), Resume::Rows(found)) => {
                rows.place(context, &found).map(|rows| self.joined(context, moment, rows))
            }
            (Stage::Rows(_), _) => return Progress::Stuck,
        };
        match done {
            Ok(progress) => progress,
            Err(failure) => self.next(context, moment, failure),
        }
    }
}

impl Outsider {
    fn ask(&mut self, context: &Context, moment: Moment, server: &ServerName) -> Progress {
        self.tries = 0;
        self.stage = Stage::Template;
        let target = template::target(&context.room_id, &self.user, self.membership);
        fetch(server, http::Method::GET, target, None, moment.now.saturating_add(TEMPLATE_TIME))
    }

    /// Asks the next server; one that says who the hub is has it asked first.
    fn next(&mut self, context: &Context, moment: Moment, failure: Failure) -> Progress {
        self.servers.pop_front();
        let hub = failure.hub_server.clone().filter(|_| failure.code == ErrorCode::WrongServer);
        if let Some(hub) = hub.filter(|hub| self.known.insert(hub.clone())) {
            self.servers.push_front(hub);
        }
        // A refusal by the rules tells more than that some other server could not help.
        if self.refusal.as_ref().is_none_or(|refusal| refusal.code != ErrorCode::Forbidden) {
            self.refusal = Some(failure);
        }
        match self.servers.front().cloned() {
            Some(server) => self.ask(context, moment, &server),
            None => self.give_up(),
        }
    }

    fn give_up(&mut self) -> Progress {
        let none = || Failure::new(404, ErrorCode::NotFound, "no server is known that has the room; name one in `via`");
        let failure = self.refusal.take().unwrap_or_else(none);
        Progress::Done(vec![Output::Respond(self.ticket, Answer::Refused(failure))])
    }

    fn fill(
        &mut self,
        context: &mut Context,
        moment: Moment,
        server: &ServerName,
        resume: Resume,
    ) -> Result<Progress, Failure> {
        let body = match remote::reply(resume, server, crate::event::MAX_PDU_BYTES) {
            Reply::Body(body) => body,
            Reply::Refused(failure) | Reply::Silent(failure) => return Err(failure),
        };
        let rules =
            template::read(context, &body, &self.user, self.membership).map_err(|error| error.into_failure(server))?;
        let draft = template::fill(context, &self.user, &self.content, server, rules, moment.now)?;
        let identity = context.identity.clone();
        match identity.signer() {
            Signer::Held(key) => {
                let lpdu = draft.sign(identity.key_id(), key).map_err(|error| malformed(&error))?;
                self.send(moment, server, lpdu, rules)
            }
            Signer::Platform(_) => {
                let input = draft.signing_input().to_vec();
                self.stage = Stage::Signing(draft);
                Ok(Progress::Sign(vec![input]))
            }
        }
    }

    fn signed(
        &mut self,
        context: &Context,
        moment: Moment,
        server: &ServerName,
        draft: LpduDraft,
        signature: Option<&Signature>,
    ) -> Result<Progress, Failure> {
        let rules = draft.event().rules();
        let signature = signature.ok_or_else(unsigned)?;
        let lpdu = draft.sign_with(context.identity.key_id(), *signature).map_err(|error| malformed(&error))?;
        self.send(moment, server, lpdu, rules)
    }

    fn send(
        &mut self,
        moment: Moment,
        server: &ServerName,
        lpdu: SignedLpdu,
        rules: &'static RoomVersionRules,
    ) -> Result<Progress, Failure> {
        self.tries = self.tries.saturating_add(1);
        // The LPDU's ID names the transaction: sent again, it gets the same answer.
        let id = alloc::format!("{}", lpdu.lpdu_id());
        let endpoint = template::word(self.membership);
        let target = alloc::format!("{PFX}/send_{endpoint}/{}", id.trim_start_matches('$'));
        let limits = Limits { bytes: crate::event::MAX_PDU_BYTES, depth: crate::event::MAX_DEPTH };
        let body: Document = parse(lpdu.bytes(), rules.key_order, limits)
            .map_err(|error| Failure::new(500, ErrorCode::Unknown, alloc::format!("{error}")))?;
        self.stage = Stage::Sent(lpdu, rules);
        Ok(fetch(server, http::Method::POST, target, Some(body), moment.now.saturating_add(SEND_TIME)))
    }

    fn answered(
        &mut self,
        context: &mut Context,
        moment: Moment,
        server: &ServerName,
        lpdu: SignedLpdu,
        rules: &'static RoomVersionRules,
        resume: Resume,
    ) -> Result<Progress, Failure> {
        let body = match remote::reply(resume, server, MAX_ANSWER) {
            Reply::Body(body) => body,
            Reply::Silent(_) if self.tries < TRIES => return self.send(moment, server, lpdu, rules),
            Reply::Refused(failure) | Reply::Silent(failure) => return Err(failure),
        };
        if self.membership != Membership::Join {
            let mut change = Change::default();
            change.then.push(Output::Respond(self.ticket, Answer::Accepted(lpdu.lpdu_id())));
            let (user, hub) = (self.user.clone(), Some(server.clone()));
            change.follow.push(accounts::membership(context, user, self.membership, hub));
            return Ok(Progress::Commit(change));
        }
        let answer = JoinAnswer::read(&body, &context.room_id, rules, lpdu.lpdu_id())
            .map_err(|error| remote::unusable(server, &error))?;
        let needs = verify::missing_keys(&context.keys, answer.pdus(), server);
        if needs.is_empty() {
            return self.check(context, moment, server, answer);
        }
        self.stage = Stage::Keys(answer);
        Ok(Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME)))
    }

    /// Checks the answer whole; then the room is as the hub says it is.
    fn check(
        &mut self,
        context: &mut Context,
        moment: Moment,
        server: &ServerName,
        answer: JoinAnswer,
    ) -> Result<Progress, Failure> {
        let admitted = answer.check(&context.keys.at(moment.now)).map_err(|error| remote::unusable(server, &error))?;
        let rows = Rows::new(context, admitted);
        let queries = rows.queries();
        if queries.is_empty() {
            return rows.place(context, &[]).map(|rows| self.joined(context, moment, rows));
        }
        self.stage = Stage::Rows(rows);
        Ok(Progress::Read(queries))
    }

    fn joined(&mut self, context: &mut Context, moment: Moment, rows: rows::Placed) -> Progress {
        let (join, mut change) = rows.write(context, moment);
        change.then.push(Output::Respond(self.ticket, Answer::Accepted(join)));
        let hub = context.hub().cloned();
        change.follow.push(accounts::membership(context, self.user.clone(), Membership::Join, hub));
        Progress::Commit(change)
    }
}

fn unsigned() -> Failure {
    Failure::new(500, ErrorCode::Unknown, "the platform gave no signature; try again")
}
