//! A room from its exported log: every line is checked as if the hub had sent it, and the room is there when the last one is.
//!
//! The lines come in pages, each with a commit of its own, so that a long log costs no more memory than a short one. A row that stands from the first page to
//! the last marks what is there as not the room yet: while it stands nobody else is served, and what it marks is removed when a line breaks, when the next page
//! does not come, or when the room is opened again. A participant takes what breaks the rules as a link; a log of which that would be needed is not taken.

mod clear;

use alloc::{boxed::Box, collections::VecDeque, string::String, vec, vec::Vec};
use core::{fmt::Display, time::Duration};

use super::{
    Item,
    apply::Apply,
    lookup::{Lookup, follows},
    verify,
};
use crate::{
    event::{Integrity, LINEARIZED_02, Linking, MAX_PDU_BYTES, RoomVersionRules, UnverifiedPdu, VerifyError, rules},
    id::{RoomVersionId, ServerName, Timestamp, UserId},
    json::{Document, Limits, parse},
    room::{head::Room, kind, membership::Membership},
    server::{
        contract::{Moment, Output, Ticket},
        message::{Answer, ErrorCode, Failure},
        room::{
            accounts,
            context::{Context, refuse},
            remote::KEY_TIME,
            work::{Change, Progress, Resume, Work},
        },
    },
    store::{Query, Table},
};
pub(in crate::server::room) use clear::clear;

/// How long the next page may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row in [`Table::Meta`] that marks what is there as not the room yet.
const MARK: &[u8] = b"restoring";

/// Whether the room is being restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server::room) enum Restoring {
    /// No.
    #[default]
    No,
    /// These lines are there, and the next page is waited for.
    Lines {
        /// How many.
        count: u64,
        /// When it has not come.
        until: Timestamp,
    },
    /// What is there is being removed.
    Clearing,
}

/// Finds the mark.
pub(in crate::server::room) fn query() -> Query {
    Query::one(Table::Meta, MARK)
}

/// A page of an exported log.
pub(in crate::server::room) struct Page {
    /// How many lines came before it.
    pub(in crate::server::room) from: u64,
    /// Its lines, each an event.
    pub(in crate::server::room) lines: Vec<u8>,
    /// Whether it is the last.
    pub(in crate::server::room) end: bool,
}

/// Takes a page.
pub(in crate::server::room) fn work(context: &Context, ticket: Ticket, page: Page) -> Box<dyn Work> {
    let error = match (context.restoring, &context.room) {
        (Restoring::Clearing, _) => "what a broken log left is being removed; try again",
        (Restoring::No, Some(_)) => "the room is here; a log is restored only where there is none",
        (Restoring::No, None) if page.from == 0 => return Box::new(Restore::new(ticket, page)),
        (Restoring::Lines { count, .. }, _) if page.from == count => return Box::new(Restore::new(ticket, page)),
        (Restoring::No, None) => "these are not the first lines, and those before them are not here; begin again",
        (Restoring::Lines { .. }, _) => "the room is being restored, and these are not the lines that come next",
    };
    refuse(ticket, Failure::new(400, ErrorCode::BadState, error))
}

/// When what was begun counts as abandoned.
pub(in crate::server::room) const fn due(context: &Context) -> Option<Timestamp> {
    match context.restoring {
        Restoring::Lines { until, .. } => Some(until),
        Restoring::No | Restoring::Clearing => None,
    }
}

struct Restore {
    ticket: Ticket,
    page: Page,
    /// Well-formed events, waiting for keys.
    pdus: Vec<UnverifiedPdu>,
    /// Verified events, each following the one before.
    queue: VecDeque<Item>,
    lookup: Lookup,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    /// Asked for keys.
    Keys,
    /// Asked where the events stand that these name.
    Places,
    /// Asked for entries of the log.
    Entries,
}

/// What is wrong with a line: how many of the page come before it, the rung, and what was found there.
struct Broken {
    index: usize,
    error: String,
}

impl Broken {
    fn new(index: usize, rung: &str, error: impl Display) -> Self {
        Self { index, error: alloc::format!("{rung}: {error}") }
    }
}

impl Work for Restore {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let done = match (self.stage, resume) {
            (Stage::Fresh, _) => self.parse(context).and_then(|()| self.ask_keys(context, moment)),
            (Stage::Keys, resume) => {
                verify::learn(context, resume);
                self.verify(context, moment)
            }
            (Stage::Places, Resume::Rows(rows)) => {
                self.lookup.read_places(&rows);
                self.entries(context, moment)
            }
            (Stage::Entries, Resume::Rows(rows)) => {
                self.lookup.read_entries(&rows, context);
                self.append(context, moment)
            }
            (Stage::Places | Stage::Entries, _) => return Progress::Stuck,
        };
        done.unwrap_or_else(|broken| self.refuse(context, &broken))
    }
}

impl Restore {
    fn new(ticket: Ticket, page: Page) -> Self {
        let (pdus, queue, lookup) = (Vec::new(), VecDeque::new(), Lookup::default());
        Self { ticket, page, pdus, queue, lookup, stage: Stage::Fresh }
    }

    /// Reads the lines. The first one of all makes the room.
    fn parse(&mut self, context: &mut Context) -> Result<(), Broken> {
        let lines = core::mem::take(&mut self.page.lines);
        for (index, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let schema = |error: &dyn Display| Broken::new(index, "schema", error);
            let known = context.room.as_ref().map(|room| room.rules());
            let order = known.unwrap_or(&LINEARIZED_02).key_order;
            let document =
                parse(line, order, Limits { bytes: MAX_PDU_BYTES, depth: 520 }).map_err(|error| schema(&error))?;
            let rules = known.map_or_else(|| version_of(&document), Ok).map_err(|error| schema(&error))?;
            let pdu = UnverifiedPdu::parse(document, rules).map_err(|error| schema(&error))?;
            if context.room.is_none() {
                if pdu.event().kind() != kind::CREATE {
                    return Err(Broken::new(index, "chain", "a log begins with the room's m.room.create"));
                }
                context.room = Some(Room::new(context.room_id.clone(), rules));
            }
            self.pdus.push(pdu);
        }
        if self.page.end && context.room.is_none() {
            return Err(Broken::new(0, "schema", "there is no line"));
        }
        Ok(())
    }

    fn ask_keys(&mut self, context: &mut Context, moment: Moment) -> Result<Progress, Broken> {
        let ours = context.identity.name();
        let hub = context.hub().unwrap_or(ours);
        let mut needs = verify::missing_keys(&context.keys, self.pdus.iter(), hub);
        // Our own keys are known or lost, and we are no notary to ourselves.
        needs.retain(|need| need.server != *ours);
        needs.iter_mut().for_each(|need| need.notary = need.notary.take().filter(|notary| notary != ours));
        if needs.is_empty() {
            return self.verify(context, moment);
        }
        self.stage = Stage::Keys;
        Ok(Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME)))
    }

    fn verify(&mut self, context: &mut Context, moment: Moment) -> Result<Progress, Broken> {
        let pdus = core::mem::take(&mut self.pdus);
        let bytes: Vec<usize> = pdus.iter().map(|pdu| pdu.event().bytes().len()).collect();
        let mut last = context.room.as_ref().and_then(|room| room.head).map(|head| head.event_id);
        let verdicts = UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now));
        for (index, (verdict, bytes)) in verdicts.into_iter().zip(bytes).enumerate() {
            let rung = |error: &VerifyError| match error {
                VerifyError::KeyUnknown(_) => "key",
                VerifyError::LpduHash => "hash",
                _ => "signature",
            };
            let pdu = verdict.map_err(|error| Broken::new(index, rung(&error), error))?;
            // A redacted event has a wrong content hash, and nothing left that could be redacted.
            if pdu.integrity() == Integrity::Redacted && pdu.event().bytes().len() != bytes {
                return Err(Broken::new(index, "hash", "the content hash is wrong, and the event is not redacted"));
            }
            if !follows(&pdu, last) {
                return Err(Broken::new(index, "chain", "prev_events does not name the line before, and it alone"));
            }
            last = Some(pdu.event_id());
            self.queue.push_back(Item::Pdu(Box::new(pdu), None));
        }
        let queries = self.lookup.places(&self.queue, context);
        if queries.is_empty() {
            return self.entries(context, moment);
        }
        self.stage = Stage::Places;
        Ok(Progress::Read(queries))
    }

    fn entries(&mut self, context: &mut Context, moment: Moment) -> Result<Progress, Broken> {
        let queries = self.lookup.entries(&self.queue, context);
        if queries.is_empty() {
            return self.append(context, moment);
        }
        self.stage = Stage::Entries;
        Ok(Progress::Read(queries))
    }

    fn append(&mut self, context: &mut Context, moment: Moment) -> Result<Progress, Broken> {
        let queue = core::mem::take(&mut self.queue);
        let count = self.page.from.saturating_add(u64::try_from(queue.len()).unwrap_or(u64::MAX));
        let mut apply = Apply::new(context, &mut self.lookup, &queue, moment);
        let mut broken = None;
        for (index, item) in queue.into_iter().enumerate() {
            let Item::Pdu(pdu, _) = item else { continue };
            if let Err(failure) = apply.pdu(*pdu, false) {
                broken = Some(Broken { index, error: failure.error });
                break;
            }
        }
        let Change { mut batch, .. } = apply.finish();
        if let Some(broken) = broken {
            return Err(broken);
        }
        // What others are owed of it is said when the room is whole.
        context.owed.forget(&mut batch);
        let mut change = Change { batch, ..Change::default() };
        if self.page.end {
            self.finish(context, &mut change);
        } else {
            change.batch.put(Table::Meta, MARK, []);
            context.restoring = Restoring::Lines { count, until: moment.now.saturating_add(PATIENCE) };
            change.then.push(Output::Respond(self.ticket, Answer::Done));
        }
        Ok(Progress::Commit(change))
    }

    /// The room is whole. As its hub we owe every server in it the newest event: whoever has it knows that nothing is missing, and whoever has not heals.
    fn finish(&self, context: &mut Context, change: &mut Change) {
        change.batch.delete(Table::Meta, MARK);
        context.restoring = Restoring::No;
        let Some(room) = &context.room else { return };
        let Some(head) = room.head else { return };
        let ours = context.identity.name();
        if context.is_hub() {
            let others = room.state.joined_servers().map(|(server, _)| server).filter(|server| *server != ours);
            for server in others.cloned().collect::<Vec<ServerName>>() {
                context.owed.begin(&server, head.position.saturating_sub(1), &mut change.batch);
            }
        }
        let joined = room.state.members().filter(|(_, membership)| *membership == Membership::Join);
        let users =
            joined.filter_map(|(user, _)| UserId::parse(user).ok()).filter(|user| user.server() == ours.as_str());
        let hub = context.hub().cloned();
        let tell = |user| accounts::membership(context, user, Membership::Join, hub.clone());
        change.follow.extend(users.map(tell));
        change.then.push(Output::Respond(self.ticket, Answer::Accepted(head.event_id)));
    }

    /// Refuses the whole log for one line, and removes what is there of it.
    fn refuse(&self, context: &mut Context, broken: &Broken) -> Progress {
        let line = self.page.from.saturating_add(u64::try_from(broken.index).unwrap_or(u64::MAX)).saturating_add(1);
        let error = alloc::format!("line {line}: {}", broken.error);
        let failure = Failure::new(400, ErrorCode::Forbidden, error);
        let then = vec![Output::Respond(self.ticket, Answer::Refused(failure))];
        context.forget_room();
        match self.page.from {
            // Nothing was written.
            0 => {
                context.restoring = Restoring::No;
                Progress::Done(then)
            }
            _ => Progress::Commit(Change { then, follow: vec![clear(context)], ..Change::default() }),
        }
    }
}

/// The rules of the version that a create event says.
fn version_of(create: &Document) -> Result<&'static RoomVersionRules, String> {
    let content = create.root().member("content");
    let said = content.and_then(|content| content.member("room_version")).and_then(|version| version.as_str());
    let said = said.ok_or("a log begins with the room's m.room.create, whose content names its room_version")?;
    let known = RoomVersionId::parse(&said).ok().and_then(|version| rules(&version));
    let linear = known.filter(|rules| rules.format.linking == Linking::Linear);
    linear.ok_or_else(|| alloc::format!("the room's version is {said}, which this server does not support"))
}
