//! A stretch of the log below what we have, from the hub: its events checked by their signatures, hashes and links.

use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use super::{
    judge::{Judge, Judged},
    keep::Keep,
};
use crate::{
    event::{Integrity, UnverifiedPdu, VerifiedPdu},
    id::EventId,
    json::Value,
    ordered::LargeMap,
    server::{
        contract::Moment,
        message::{ErrorCode, Failure},
        paths::PFX,
        room::{
            context::{Context, not_found},
            participant::verify,
            remote::{self, KEY_TIME, Reply, elements},
            work::{Change, Progress, Resume, Work},
        },
        route::percent,
    },
};

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How often the hub is asked for the same events before we give up.
const TRIES: u8 = 3;

/// The most events asked for at once (spec, section 6).
const AT_ONCE: usize = 100;

/// The member of an answer to a backfill by which a hub says to a hub to be that visibility has cut nothing (spec, section 9).
pub(in crate::server::room) const WHOLE: &str = "hublet.whole";

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 25;

/// An event of the log whose predecessor is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::room) struct Bottom {
    /// Its position.
    pub(in crate::server::room) position: i64,
    /// What it follows.
    pub(in crate::server::room) follows: EventId,
}

/// Who wants a stretch of history.
pub(in crate::server::room) trait Reader {
    /// It is kept, down to this event; nothing if that is the first of the room.
    fn go_on(self: Box<Self>, bottom: Option<Bottom>) -> Box<dyn Work>;

    /// It could not be had.
    fn end(self: Box<Self>, failure: Failure) -> Box<dyn Work>;
}

/// What is done with copies that the hub may have redacted because our server may not see the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::room) enum Cut {
    /// They are kept as they are.
    Kept,
    /// The stretch counts as not served.
    Refused,
}

/// Fetches a stretch below `bottom` and keeps it, then goes on with `reader`.
pub(in crate::server::room) fn begin(bottom: Bottom, wanted: usize, cut: Cut, reader: Box<dyn Reader>) -> Progress {
    let wanted = wanted.clamp(1, AT_ONCE);
    let stretch = Stretch { bottom, wanted, cut, is_whole: false, reader: Some(reader), tries: 0, stage: Stage::Fresh };
    Progress::Commit(Change { follow: vec![Box::new(stretch)], ..Change::default() })
}

/// Does not write: the room goes on.
struct Stretch {
    bottom: Bottom,
    wanted: usize,
    cut: Cut,
    /// The hub says that it has cut nothing: what is redacted is so in its own log.
    is_whole: bool,
    reader: Option<Box<dyn Reader>>,
    tries: u8,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Asked the hub.
    Asked,
    /// Asked for keys.
    Keys(Vec<UnverifiedPdu>),
    /// Asked what our log holds of the events that authorise these.
    Judging(Judge),
}

impl Work for Stretch {
    fn step(&mut self, context: &mut Context, moment: Moment, resume: Resume) -> Progress {
        let progress = match (core::mem::replace(&mut self.stage, Stage::Fresh), resume) {
            (Stage::Fresh, _) => self.ask(context, moment),
            (Stage::Asked, resume) => self.answered(context, moment, resume),
            (Stage::Keys(pdus), resume) => {
                verify::learn(context, resume);
                self.check(context, moment, pdus)
            }
            (Stage::Judging(mut judge), Resume::Rows(rows)) => {
                let queries = judge.read(context, &rows);
                if queries.is_empty() { self.keep(context, judge) } else { self.look_up(judge, queries) }
            }
            (Stage::Judging(_), _) => return Progress::Stuck,
        };
        progress.unwrap_or_else(|failure| match self.reader.take() {
            Some(reader) => Progress::Commit(Change { follow: vec![reader.end(failure)], ..Change::default() }),
            None => Progress::Done(Vec::new()),
        })
    }
}

impl Stretch {
    fn ask(&mut self, context: &Context, moment: Moment) -> Result<Progress, Failure> {
        let hub = context.hub().filter(|_| !context.is_hub()).ok_or_else(not_found)?;
        let room_id = percent::encode(context.room_id.as_str());
        let until = percent::encode(&alloc::format!("{}", self.bottom.follows));
        let target = alloc::format!("{PFX}/backfill/{room_id}?v={until}&limit={}", self.wanted);
        self.stage = Stage::Asked;
        self.tries = self.tries.saturating_add(1);
        Ok(remote::fetch(hub, http::Method::GET, target, None, moment.now.saturating_add(ANSWER_TIME)))
    }

    fn answered(&mut self, context: &Context, moment: Moment, resume: Resume) -> Result<Progress, Failure> {
        let hub = context.hub().ok_or_else(not_found)?;
        let body = match remote::reply(resume, hub, MAX_ANSWER) {
            Reply::Body(body) => body,
            Reply::Silent(_) if self.tries < TRIES => return self.ask(context, moment),
            Reply::Refused(failure) | Reply::Silent(failure) => return Err(failure),
        };
        self.is_whole = body.root().member(WHOLE).and_then(Value::as_bool) == Some(true);
        let rules = context.room.as_ref().ok_or_else(not_found)?.rules();
        let parse = |event: Value<'_>| UnverifiedPdu::parse_answer(event.to_document(), rules).ok();
        let pdus: Vec<UnverifiedPdu> = elements(&body, "pdus").take(AT_ONCE).filter_map(parse).collect();
        let needs = verify::missing_keys(&context.keys, pdus.iter(), hub);
        if needs.is_empty() {
            return self.check(context, moment, pdus);
        }
        self.stage = Stage::Keys(pdus);
        Ok(Progress::NeedKeys(needs, moment.now.saturating_add(KEY_TIME)))
    }

    /// Keeps of the answer what the chain leads down to.
    fn check(&mut self, context: &Context, moment: Moment, pdus: Vec<UnverifiedPdu>) -> Result<Progress, Failure> {
        let verdicts = UnverifiedPdu::verify_all(pdus, &context.keys.at(moment.now));
        let mut answer: LargeMap<EventId, VerifiedPdu> =
            verdicts.into_iter().flatten().map(|pdu| (pdu.event_id(), pdu)).collect();
        let (mut chain, mut follows) = (Vec::new(), Some(self.bottom.follows));
        while let Some(pdu) = follows.and_then(|id| answer.remove(&id)) {
            if pdu.event().room_id() != &context.room_id {
                break;
            }
            follows = pdu.event().prev_events().first().copied();
            chain.push(pdu);
        }
        let is_cut = |pdu: &VerifiedPdu| self.cut == Cut::Refused && pdu.integrity() == Integrity::Redacted;
        if chain.is_empty() || (!self.is_whole && chain.iter().any(is_cut)) {
            return Err(unserved(self.bottom.follows));
        }
        let (judge, queries) = Judge::new(chain);
        self.look_up(judge, queries)
    }

    fn look_up(&mut self, judge: Judge, queries: Vec<crate::store::Query>) -> Result<Progress, Failure> {
        self.stage = Stage::Judging(judge);
        Ok(Progress::Read(queries))
    }

    fn keep(&mut self, context: &Context, judge: Judge) -> Result<Progress, Failure> {
        let chain: Vec<Judged> = judge.judge(context).ok_or_else(not_found)?;
        let Some(reader) = self.reader.take() else { return Ok(Progress::Done(Vec::new())) };
        Ok(Progress::Write(Keep::work(self.bottom.position, chain, reader)))
    }
}

/// The hub answered, but not with what was asked for.
fn unserved(event_id: EventId) -> Failure {
    Failure::new(404, ErrorCode::NotFound, alloc::format!("the hub does not serve {event_id}"))
}
