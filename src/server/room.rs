//! The room machine: one room, whatever our part in it.
//!
//! All that changes the room is done by one writer, in the order of arrival: a job begins when the one before it is durable. What a job must wait for
//! (rows, keys, signatures, another server) it waits for between its steps; other rooms go on meanwhile. What only reads does not wait for the writer, but for
//! the platform that signs what it writes.
//!
//! The role is not fixed: each job asks who the hub is when it begins, so that a hub transfer in the log changes the machine's behaviour at that place.

mod accounts;
mod advance;
mod append;
mod candidate;
mod consent;
mod context;
mod create;
mod current;
mod draft;
mod ephemeral;
mod find;
mod history;
mod hold;
mod hub;
mod invite;
mod join;
mod known;
mod local;
mod nudge;
mod offers;
mod once;
mod open;
mod owed;
mod participant;
mod pending;
mod profile;
mod pull;
mod purge;
mod read;
mod remote;
mod reply;
mod state_answer;
mod submit_invite;
mod template;
#[cfg(test)]
mod tests;
mod transfer;
mod work;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

pub(super) use self::profile::content as member_content;
use self::{
    context::Context,
    nudge::Nudges,
    participant::{fill, restore, unproven},
    work::{Change, Progress, Resume, Work},
};
use super::{
    contract::{Address, Input, Machine, Moment, Output, Ticket},
    identity::Identity,
    message::{Answer, Call, ErrorCode, Failure, Keep, Notification, PeerCall, RoomCall},
};
use crate::{
    id::{EventId, RoomId, ServerName, Timestamp},
    ordered::Map,
};

/// One room of this server.
pub struct RoomMachine {
    context: Context,
    tickets: Ticket,
    writer: Writer,
    /// The writer waits for these signatures, and all further input for them: what it has chained is in memory and not among the rows, so whoever read now
    /// would miss it.
    signing: Option<(Ticket, Vec<Input>)>,
    jobs: VecDeque<Job>,
    waiting: Map<Ticket, Waiting>,
    nudges: Nudges,
    /// Which server's events a call brought, until it is answered.
    origins: Map<Ticket, ServerName>,
    outputs: VecDeque<Output>,
    wake: Option<Timestamp>,
}

/// What the one that writes is doing.
enum Writer {
    /// Nothing yet: the room has not been read from its store.
    Closed,
    /// Nothing.
    Free,
    /// A job that waits for something.
    Busy,
    /// Waiting to be dropped.
    Stuck,
    /// A batch is on its way to the store; then these follow.
    Committing(Ticket, Vec<Output>, Vec<Box<dyn Work>>),
}

/// What waits for the writer.
enum Job {
    Call(Ticket, RoomCall),
    Work(Box<dyn Work>),
}

/// Work between two steps.
struct Waiting {
    work: Box<dyn Work>,
    writes: bool,
    deadline: Option<Timestamp>,
}

impl RoomMachine {
    /// The machine of a room, to be read from its store when it is first spoken to.
    pub fn new(identity: Identity, room_id: RoomId, first_ticket: Ticket) -> Self {
        Self {
            context: Context::new(identity, room_id),
            tickets: first_ticket,
            writer: Writer::Closed,
            signing: None,
            jobs: VecDeque::new(),
            waiting: Map::new(),
            nudges: Nudges::default(),
            origins: Map::new(),
            outputs: VecDeque::new(),
            wake: None,
        }
    }

    fn resume(&mut self, moment: Moment, ticket: Ticket, resume: Resume) {
        if let Some(Waiting { work, writes, .. }) = self.waiting.remove(&ticket) {
            self.step(moment, work, writes, resume);
        }
    }

    /// Takes steps until the work waits or is done.
    fn step(&mut self, moment: Moment, mut work: Box<dyn Work>, writes: bool, resume: Resume) {
        let progress = work.step(&mut self.context, moment, resume);
        let ticket = self.tickets.take();
        let wait = |deadline| {
            self.waiting.insert(ticket, Waiting { work, writes, deadline });
            if writes {
                self.writer = Writer::Busy;
            }
        };
        match progress {
            Progress::Read(queries) => {
                wait(None);
                self.outputs.push_back(Output::Read(ticket, queries));
            }
            Progress::NeedKeys(needs, deadline) => {
                wait(Some(deadline));
                self.outputs.push_back(Output::NeedKeys(ticket, needs));
            }
            Progress::Sign(messages) => {
                wait(None);
                if writes {
                    self.signing = Some((ticket, Vec::new()));
                }
                self.outputs.push_back(Output::Sign(ticket, messages));
            }
            Progress::Ask(to, call, deadline) => {
                wait(Some(deadline));
                self.outputs.push_back(Output::Ask(ticket, to, call));
            }
            Progress::Commit(Change { batch, then, follow }) if batch.is_empty() || !writes => {
                self.release(writes);
                self.follow(moment, then, follow);
            }
            Progress::Commit(Change { batch, then, follow }) => {
                self.writer = Writer::Committing(ticket, then, follow);
                self.outputs.push_back(Output::Commit(ticket, batch));
            }
            Progress::Done(outputs) => {
                self.release(writes);
                self.outputs.extend(outputs);
            }
            Progress::Stuck => {
                self.writer = Writer::Stuck;
                self.outputs.push_back(Output::Broken);
            }
            Progress::Write(work) => {
                self.release(writes);
                self.jobs.push_back(Job::Work(work));
            }
        }
    }

    fn release(&mut self, writes: bool) {
        if writes {
            self.writer = Writer::Free;
        }
    }

    fn follow(&mut self, moment: Moment, then: Vec<Output>, follow: Vec<Box<dyn Work>>) {
        self.outputs.extend(then);
        for work in follow {
            self.step(moment, work, false, Resume::Start);
        }
    }

    /// Begins jobs while the writer is free.
    fn advance(&mut self, moment: Moment) {
        loop {
            let ready = self.context.offers.take_ready();
            self.jobs.extend(ready.into_iter().map(|(ticket, call)| Job::Call(ticket, call)));
            match self.writer {
                Writer::Closed if self.jobs.is_empty() => return,
                Writer::Closed => self.step(moment, open::work(), true, Resume::Start),
                Writer::Free => match self.next_job() {
                    None => return,
                    Some(Job::Work(work)) => self.step(moment, work, true, Resume::Start),
                    Some(Job::Call(ticket, call)) => {
                        let writes = !reads_only(&call);
                        let behind = self.sends_behind(&call);
                        let work = self.context.work_for(ticket, call, behind);
                        self.step(moment, work, writes, Resume::Start);
                    }
                },
                Writer::Busy | Writer::Stuck | Writer::Committing(..) => return,
            }
        }
    }

    /// The next job, but for those that must not move the log for now.
    fn next_job(&mut self) -> Option<Job> {
        let may_begin = |job: &Job| match job {
            Job::Call(_, call) => !self.context.holds(call),
            Job::Work(_) => true,
        };
        let at = self.jobs.iter().position(may_begin)?;
        self.jobs.remove(at)
    }

    /// What local users want to send directly behind a call that sends too: it goes with it, in one commit.
    fn sends_behind(&mut self, call: &RoomCall) -> Vec<(Ticket, RoomCall)> {
        let mut sends = Vec::new();
        if !local::may_share(call) {
            return sends;
        }
        while sends.len() < local::MOST.saturating_sub(1)
            && let Some(Job::Call(_, next)) = self.jobs.front()
            && local::may_share(next)
            && !self.context.holds(next)
            && !sends.iter().map(|(_, sent)| sent).chain([call]).any(|sent| local::is_same(sent, next))
            && let Some(Job::Call(ticket, next)) = self.jobs.pop_front()
        {
            sends.push((ticket, next));
        }
        sends
    }

    /// Tells the peers that have something to pull, and what is not kept; asks to be woken for what is due next.
    fn conclude(&mut self) {
        if matches!(self.writer, Writer::Free) {
            for peer in self.context.take_nudges() {
                self.nudge(peer);
            }
        }
        for (peer, edu) in core::mem::take(&mut self.context.fleeting) {
            let ticket = self.tickets.take();
            let call = Call::Peer(PeerCall::Edu { edu, keep: Keep::Fleeting });
            self.outputs.push_back(Output::Ask(ticket, Address::Peer(peer), call));
        }
        let deadlines = self.waiting.values().filter_map(|waiting| waiting.deadline);
        // What is due while a job is under way has its turn behind it: to be woken for it now would only be to be woken again.
        let due = self.context.next_due().filter(|_| matches!(self.writer, Writer::Free));
        let next = deadlines.chain(due).chain(self.nudges.next_due()).min();
        if next != self.wake {
            self.wake = next;
            self.outputs.extend(next.map(Output::Wake));
        }
    }

    /// Tells the operator of events that an answer refuses, beside it. To whoever has no user in the room, what was refused in a transaction is refused as in a
    /// room that is not there (spec, section 6).
    fn tell_refusals(&mut self, answered: &mut Output) {
        let Output::Respond(ticket, answer) = answered else { return };
        let origin = self.origins.remove(ticket);
        let is_outside =
            origin.as_ref().is_some_and(|name| !self.context.is_in_room(name) && self.context.hub() != Some(name));
        let room_id = &self.context.room_id;
        let told = |event_id: Option<EventId>, failure: &Failure| {
            let cause = failure.cause.as_deref().cloned();
            let (room_id, origin, code) = (room_id.clone(), origin.clone(), failure.code);
            Some(Output::Notify(Notification::Refused { room_id, origin, event_id, cause: cause?, code }))
        };
        match answer {
            Answer::Outcomes(outcomes) => {
                let failed = outcomes.iter().filter_map(|outcome| told(outcome.id, outcome.failure.as_ref()?));
                self.outputs.extend(failed);
                let failures = outcomes.iter_mut().filter_map(|outcome| outcome.failure.as_mut());
                // One that has shown itself to be the hub's heir is told to come again.
                let is_put_off = |failure: &Failure| failure.code == ErrorCode::BadState && !self.context.is_hub();
                let hidden = failures.filter(|failure| is_outside && !is_put_off(failure));
                hidden.for_each(|failure| *failure = context::not_found());
            }
            Answer::Refused(failure) => self.outputs.extend(told(None, failure)),
            _ => {}
        }
    }

    fn nudge(&mut self, peer: ServerName) {
        let is_hub = self.context.hub() == Some(&peer);
        let nudge = self.nudges.send(self.tickets.take(), &self.context.room_id, peer, is_hub);
        self.outputs.push_back(nudge);
    }

    fn woken(&mut self, moment: Moment) {
        self.wake = None;
        if matches!(self.writer, Writer::Closed) {
            // A host that starts wakes what has rows: something may be owed.
            return self.step(moment, open::work(), true, Resume::Start);
        }
        let is_due = |waiting: &Waiting| waiting.deadline.is_some_and(|deadline| deadline <= moment.now);
        let due: Vec<Ticket> =
            self.waiting.iter().filter(|(_, waiting)| is_due(waiting)).map(|(ticket, _)| *ticket).collect();
        for ticket in due {
            self.resume(moment, ticket, Resume::TimedOut);
        }
        for peer in self.nudges.take_due(moment.now) {
            self.nudge(peer);
        }
        if self.context.unproven.next_due().is_some_and(|at| at <= moment.now) {
            self.step(moment, unproven::recheck(), false, Resume::Start);
        }
        if self.context.holes.next_due().is_some_and(|at| at <= moment.now) {
            self.step(moment, fill::ask(), false, Resume::Start);
        }
        if !matches!(self.writer, Writer::Free) {
            return;
        }
        if restore::due(&self.context).is_some_and(|at| at <= moment.now) {
            let work = restore::clear(&mut self.context);
            self.jobs.push_back(Job::Work(work));
        }
        if self.context.pending.next_due().is_some_and(|at| at <= moment.now) {
            self.jobs.push_back(Job::Work(pending::sweep()));
        }
        if self.context.purge_due().is_some_and(|at| at <= moment.now) {
            self.jobs.push_back(Job::Work(purge::step()));
        }
        if self.context.owed.next_due().is_some_and(|at| at <= moment.now) {
            self.jobs.push_back(Job::Work(owed::write()));
        }
        if self.context.missed.next_due().is_some_and(|at| at <= moment.now) {
            let work = participant::catch_up(&mut self.context, moment);
            self.jobs.push_back(Job::Work(work));
        }
    }

    fn take(&mut self, moment: Moment, input: Input) {
        self.context.now = moment.now;
        if let Input::Ask(ticket, Call::Room(call)) = &input {
            self.origins.extend(origin_of(call).map(|origin| (*ticket, origin.clone())));
        }
        match input {
            Input::Ask(ticket, Call::Room(call)) => match self.context.awaits_invite(ticket, call) {
                Some(call) if reads_only(&call) && !matches!(self.writer, Writer::Closed) && self.context.is_open() => {
                    let work = self.context.work_for(ticket, call, Vec::new());
                    self.step(moment, work, false, Resume::Start);
                }
                Some(call) => self.jobs.push_back(Job::Call(ticket, call)),
                None => {}
            },
            Input::Ask(ticket, _) => self.outputs.push_back(Output::Respond(ticket, Answer::Unavailable)),
            Input::Answer(ticket, answer) => {
                self.nudges.answered(ticket, &answer, moment.now);
                self.resume(moment, ticket, Resume::Answer(answer));
            }
            Input::Rows(ticket, rows) => self.resume(moment, ticket, Resume::Rows(rows)),
            Input::Signed(ticket, signatures) => self.resume(moment, ticket, Resume::Signed(signatures)),
            Input::Keys(ticket, keys) => self.resume(moment, ticket, Resume::Keys(keys)),
            Input::Committed(ticket) => match core::mem::replace(&mut self.writer, Writer::Free) {
                Writer::Committing(expected, then, follow) if expected == ticket => self.follow(moment, then, follow),
                other => self.writer = other,
            },
            // What is owed may be known to our rows alone: whoever was to be told may not have been.
            Input::Woken if matches!(self.writer, Writer::Closed) => {
                self.step(moment, open::work(), true, Resume::Start);
            }
            Input::Woken => self.woken(moment),
            Input::Sent(..) => {}
        }
        self.advance(moment);
        self.conclude();
    }
}

impl Machine for RoomMachine {
    fn handle(&mut self, moment: Moment, input: Input) {
        if let Some((ticket, held)) = &mut self.signing
            && !matches!(&input, Input::Signed(signed, _) if signed == ticket)
        {
            return held.push(input);
        }
        let held = self.signing.take().map(|(_, held)| held).unwrap_or_default();
        self.take(moment, input);
        for input in held {
            // One that is broken now is opened anew, and those who wait for it are told so.
            if !matches!(self.writer, Writer::Stuck) {
                self.handle(moment, input);
            }
        }
    }

    fn poll(&mut self) -> Option<Output> {
        let mut output = self.outputs.pop_front()?;
        self.tell_refusals(&mut output);
        Some(output)
    }

    fn is_idle(&self) -> bool {
        matches!(self.writer, Writer::Free | Writer::Closed)
            && self.jobs.is_empty()
            && self.waiting.is_empty()
            && self.outputs.is_empty()
            && self.context.offers.is_idle()
            && self.context.is_settled()
            && self.nudges.next_due().is_none()
    }
}

/// The server that brings events by this call.
const fn origin_of(call: &RoomCall) -> Option<&ServerName> {
    match call {
        RoomCall::Receive { origin, .. } | RoomCall::SendMember { origin, .. } | RoomCall::Invite { origin, .. } => {
            Some(origin)
        }
        _ => None,
    }
}

/// Whether a call leaves the room's rows as they are, so that it need not wait for the writer.
fn reads_only(call: &RoomCall) -> bool {
    match call {
        RoomCall::Read { .. }
        | RoomCall::Timeline { .. }
        | RoomCall::State { .. }
        | RoomCall::Pending
        | RoomCall::Find { .. }
        | RoomCall::History { .. }
        | RoomCall::Template { .. }
        | RoomCall::Ephemeral { .. }
        | RoomCall::SendEphemeral { .. } => true,
        RoomCall::Pull { delivered, .. } => delivered.as_ref().is_none_or(|delivered| delivered.refused.is_empty()),
        _ => false,
    }
}
