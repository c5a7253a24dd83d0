//! The peer's keys: those known, and the look-ups for those that are not (spec, section 6, Keys).
//!
//! The peer itself is asked first, a notary after. Whoever waits, waits 5 seconds in all; a server that failed is not asked again for 10 minutes. An answer
//! that comes too late is still learned.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{PeerMachine, Pending, ask::response_of, serve::Served};
use crate::{
    crypto::PreparedKey,
    id::{KeyId, ServerName, Timestamp},
    json::{Document, KeyOrder, Limits, parse},
    ordered::Map,
    server::{
        contract::{Address, Moment, Output, Ticket},
        identity::Identity,
        keys::{
            KeyRing,
            document::{KeyDocument, notary_documents, signed_by, write_notary_query},
            of_key_name, own, record,
        },
        message::{Answer, Call, ErrorCode, Failure, KeyNeeds, PeerCall, Request, Response, SendError, ServerKeys},
    },
    store::{Reader, Row, Table, WriteBatch, Writer},
};

/// The row of the peer's last key document.
pub(super) const DOCUMENT: &[u8] = b"key document";

const FORM: u8 = 1;

/// How long a look-up may take in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server itself has before a notary is asked beside it.
const DIRECT_PATIENCE: Duration = Duration::from_millis(2_500);

/// How long a server that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(600);

/// How long a server that answered is not asked for further keys.
const AFTER_SUCCESS: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const LIMITS: Limits = Limits { bytes: 256 * 1024, depth: 64 };

/// More calls than this do not wait.
const MOST_WAITING: usize = 256;

/// What is known, and who waits for more.
#[derive(Debug)]
pub(super) struct Lookup {
    keys: ServerKeys,
    ring: KeyRing,
    document: Option<(Document, Timestamp)>,
    /// A key name, or our own: everything is known.
    is_fixed: bool,
    waiters: Vec<Waiter>,
    /// Since when the peer is being asked.
    direct: Option<Timestamp>,
    /// When a notary is to be asked beside it.
    second: Option<Timestamp>,
    /// When it may be asked again.
    direct_again: Timestamp,
    /// The notary that is being asked.
    notary: Option<Notary>,
    /// When each notary may be asked again.
    notary_again: Map<ServerName, Timestamp>,
}

/// A notary that is being asked.
#[derive(Debug)]
struct Notary {
    name: ServerName,
    since: Timestamp,
    /// What it answered, until its own keys are known.
    answer: Option<KeyDocument>,
}

#[derive(Debug)]
struct Waiter {
    deadline: Timestamp,
    want: Want,
}

#[derive(Debug)]
enum Want {
    /// The current keys that a request is signed with.
    Sender(Box<Served>),
    /// Keys by ID, current or not.
    Keys(Ticket, KeyNeeds),
    /// The document, to be passed on.
    Document(Ticket, Timestamp),
}

impl Lookup {
    pub(super) fn new(identity: &Identity, name: &ServerName) -> Self {
        let fixed = (name == identity.name()).then(|| own(identity)).or_else(|| of_key_name(name));
        let mut ring = KeyRing::default();
        fixed.iter().for_each(|keys| ring.learn(keys));
        Self {
            is_fixed: fixed.is_some(),
            keys: fixed.unwrap_or_else(|| ServerKeys::none(name.clone())),
            ring,
            document: None,
            waiters: Vec::new(),
            direct: None,
            second: None,
            direct_again: Timestamp::default(),
            notary: None,
            notary_again: Map::new(),
        }
    }

    /// Reads the rows of [`Table::Keys`] and of [`DOCUMENT`]. What cannot be read is fetched anew.
    pub(super) fn open(&mut self, keys: &[Row], document: &[Row]) {
        let known: Vec<_> = keys.iter().filter_map(|row| record::read(row).ok()).collect();
        self.keys.learn(&known);
        self.ring.learn(&self.keys);
        self.document = document.first().and_then(read_document);
    }

    /// All keys, current and old.
    pub(super) fn keys(&self) -> ServerKeys {
        self.keys.clone()
    }

    /// The key that a request may be signed with now.
    pub(super) fn current(&self, id: &KeyId, now: Timestamp) -> Option<PreparedKey> {
        self.ring.at(now).current(&self.keys.server, id)
    }

    /// Whether the peer may be asked for its keys now.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        self.direct.is_none() && self.direct_again <= now
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiters.iter().map(|waiter| waiter.deadline).chain(self.second).min()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Nobody waits any longer for what did not come in time.
    fn give_up(&mut self, now: Timestamp) {
        let is_overdue = |since: Timestamp| since.saturating_add(PATIENCE) <= now;
        if self.direct.take_if(|since| is_overdue(*since)).is_some() {
            self.direct_again = now.saturating_add(AFTER_FAILURE);
            self.second = None;
        }
        self.notary.take_if(|notary| is_overdue(notary.since));
    }

    fn satisfies(&self, want: &Want, now: Timestamp) -> bool {
        match want {
            Want::Sender(served) => served.claims.iter().all(|claim| self.current(&claim.key, now).is_some()),
            Want::Keys(_, needs) if needs.key_ids.is_empty() => self.keys.keys.iter().any(|key| key.is_current(now)),
            Want::Keys(_, needs) => needs.key_ids.iter().all(|id| self.keys.knows(id)),
            Want::Document(_, until) => {
                self.document.as_ref().is_some_and(|(_, valid)| valid >= until && *valid >= now)
            }
        }
    }
}

impl Waiter {
    /// The notary to ask for it.
    fn notary(&self) -> Option<&ServerName> {
        match &self.want {
            Want::Keys(_, needs) => needs.notary.as_ref(),
            Want::Sender(_) | Want::Document(..) => None,
        }
    }
}

impl PeerMachine {
    /// A request waits until its sender's keys are known, or cannot be.
    pub(super) fn await_sender(&mut self, moment: Moment, served: Box<Served>) {
        self.want(moment, Want::Sender(served));
    }

    /// The memory of the bodies that wait for their sender's keys, in bytes.
    pub(super) fn bytes_waiting(&self) -> usize {
        let size = |waiter: &Waiter| match &waiter.want {
            Want::Sender(served) => served.body.as_ref().map_or(0, Document::footprint),
            Want::Keys(..) | Want::Document(..) => 0,
        };
        self.lookup.waiters.iter().map(size).sum()
    }

    pub(super) fn need_keys(&mut self, moment: Moment, ticket: Ticket, needs: KeyNeeds) {
        self.want(moment, Want::Keys(ticket, needs));
    }

    pub(super) fn notarise(&mut self, moment: Moment, ticket: Ticket, minimum_valid_until: Timestamp) {
        self.want(moment, Want::Document(ticket, minimum_valid_until));
    }

    fn want(&mut self, moment: Moment, want: Want) {
        if self.lookup.satisfies(&want, moment.now) || self.lookup.is_fixed || self.lookup.waiters.len() >= MOST_WAITING
        {
            return self.settle_want(moment, want);
        }
        self.lookup.give_up(moment.now);
        let deadline = moment.now.saturating_add(PATIENCE);
        self.lookup.waiters.push(Waiter { deadline, want });
        self.look_up(moment);
    }

    /// Asks whoever may still help those who wait, and lets go those whom nobody can.
    fn look_up(&mut self, moment: Moment) {
        let lookup = &mut self.lookup;
        if lookup.waiters.is_empty() {
            return;
        }
        if lookup.may_ask(moment.now) {
            lookup.direct = Some(moment.now);
            lookup.second = Some(moment.now.saturating_add(DIRECT_PATIENCE));
            let ticket = self.desk.ticket();
            self.pending.insert(ticket, Pending::DirectKeys);
            self.desk.put(Output::Send(ticket, self.name.clone(), key_request()));
        }
        let lookup = &mut self.lookup;
        lookup.second.take_if(|second| *second <= moment.now);
        if lookup.second.is_none() && lookup.notary.is_none() {
            let may_ask = |name: &&ServerName| lookup.notary_again.get(*name).is_none_or(|again| *again <= moment.now);
            let us = self.identity.name();
            let mut notaries = lookup.waiters.iter().filter_map(Waiter::notary);
            let notary = notaries.find(|name| *name != us && **name != self.name && may_ask(name)).cloned();
            if let Some(name) = notary {
                self.ask_notary(moment, name);
            }
        }
        let lookup = &mut self.lookup;
        if lookup.direct.is_none() && lookup.notary.is_none() {
            for waiter in core::mem::take(&mut lookup.waiters) {
                self.settle_want(moment, waiter.want);
            }
        }
    }

    fn ask_notary(&mut self, moment: Moment, name: ServerName) {
        let wanted = self.lookup.waiters.iter().flat_map(|waiter| match &waiter.want {
            Want::Keys(_, needs) => needs.key_ids.as_slice(),
            Want::Sender(_) | Want::Document(..) => &[],
        });
        let wanted: Vec<_> = wanted.cloned().collect();
        let request = Request {
            method: http::Method::POST,
            target: "/_matrix/key/v2/query".into(),
            headers: Vec::from([("Content-Type".into(), "application/json".into())]),
            body: write_notary_query(&self.name, &wanted, moment.now),
        };
        let ticket = self.desk.ticket();
        self.pending.insert(ticket, Pending::NotaryKeys(name.clone()));
        self.desk.put(Output::Send(ticket, name.clone(), request));
        self.lookup.notary_again.insert(name.clone(), moment.now.saturating_add(AFTER_FAILURE));
        self.lookup.notary = Some(Notary { name, since: moment.now, answer: None });
    }

    /// The peer answered with its key document, or did not.
    pub(super) fn direct_keys(&mut self, moment: Moment, result: Result<Response, SendError>) {
        let document = result.ok().filter(|response| response.status == 200);
        let document = document.and_then(|response| parse(&response.body, KeyOrder::Utf16, LIMITS).ok());
        let checked = document.and_then(|document| KeyDocument::check(document, &self.name, moment.now).ok());
        (self.lookup.direct, self.lookup.second) = (None, None);
        let pause = if checked.is_some() { AFTER_SUCCESS } else { AFTER_FAILURE };
        self.lookup.direct_again = moment.now.saturating_add(pause);
        if let Some(checked) = checked {
            self.learn(checked);
        }
        self.settle_wants(moment);
    }

    /// A notary answered: its own keys are needed before it is believed.
    pub(super) fn notary_answered(&mut self, moment: Moment, name: &ServerName, result: Result<Response, SendError>) {
        let answer = result.ok().filter(|response| response.status == 200);
        let answer = answer.and_then(|response| parse(&response.body, KeyOrder::Utf16, LIMITS).ok());
        let checked = answer.as_ref().and_then(|answer| {
            let mut documents = notary_documents(answer.root()).take(4);
            documents.find_map(|document| KeyDocument::check(document.to_document(), &self.name, moment.now).ok())
        });
        let Some(notary) = self.lookup.notary.as_mut().filter(|notary| notary.name == *name) else { return };
        match checked {
            None => {
                self.lookup.notary = None;
                self.settle_wants(moment);
            }
            Some(checked) => {
                let key_ids = signed_by(checked.document.root(), name);
                notary.answer = Some(checked);
                let needs = KeyNeeds { server: name.clone(), key_ids, notary: None };
                let call = Call::Peer(PeerCall::Keys(needs));
                self.ask(Address::Peer(name.clone()), call, Pending::KeysOfNotary(name.clone()));
            }
        }
    }

    /// The notary's own keys have come.
    pub(super) fn notary_known(&mut self, moment: Moment, name: &ServerName, answer: Answer) {
        let Some(notary) = self.lookup.notary.take_if(|notary| notary.name == *name) else { return };
        if let (Some(document), Answer::Keys(keys)) = (notary.answer, answer)
            && let Ok(checked) = document.check_notary(&keys, moment.now)
        {
            self.lookup.notary_again.insert(name.clone(), moment.now.saturating_add(AFTER_SUCCESS));
            self.learn_keys(&checked);
        }
        self.settle_wants(moment);
    }

    /// Takes in keys, whoever says that they are the peer's.
    fn learn_keys(&mut self, checked: &KeyDocument) {
        let mut batch = WriteBatch::new();
        for key in self.lookup.keys.learn(&checked.keys.keys) {
            record::put(&key, &mut batch);
        }
        self.lookup.keys.shed().iter().for_each(|key| record::delete(key, &mut batch));
        self.lookup.ring.learn(&self.lookup.keys);
        self.desk.write(batch);
    }

    /// Takes in what the peer says itself, and keeps it to be passed on.
    fn learn(&mut self, checked: KeyDocument) {
        self.learn_keys(&checked);
        let mut batch = WriteBatch::new();
        if self.lookup.document.as_ref().is_none_or(|(_, valid)| *valid < checked.valid_until) {
            let mut row = Writer::new();
            row.u8(FORM).u64(checked.valid_until.millis()).raw(checked.document.bytes());
            batch.put(Table::Meta, DOCUMENT, row.into_bytes());
            self.lookup.document = Some((checked.document, checked.valid_until));
        }
        self.desk.write(batch);
    }

    /// Lets go those who have what they want, then sees to the others.
    fn settle_wants(&mut self, moment: Moment) {
        let waiters = core::mem::take(&mut self.lookup.waiters);
        for waiter in waiters {
            if self.lookup.satisfies(&waiter.want, moment.now) {
                self.settle_want(moment, waiter.want);
            } else {
                self.lookup.waiters.push(waiter);
            }
        }
        self.look_up(moment);
    }

    pub(super) fn expire_lookups(&mut self, moment: Moment) {
        let (late, waiting) =
            core::mem::take(&mut self.lookup.waiters).into_iter().partition(|waiter| waiter.deadline <= moment.now);
        self.lookup.waiters = waiting;
        let late: Vec<Waiter> = late;
        self.lookup.give_up(moment.now);
        for waiter in late {
            self.settle_want(moment, waiter.want);
        }
        self.look_up(moment);
    }

    /// Nothing more will be known for now: whoever waits goes on with what there is.
    fn settle_want(&mut self, moment: Moment, want: Want) {
        match want {
            Want::Sender(served) => self.admit(moment, *served),
            Want::Keys(ticket, _) => {
                let keys = self.lookup.keys();
                self.desk.respond(ticket, Answer::Keys(keys));
            }
            Want::Document(ticket, _) => match &self.lookup.document {
                Some((document, _)) => {
                    let document = document.clone();
                    self.countersign(moment, ticket, document);
                }
                None => {
                    let failure =
                        Failure::of(ErrorCode::NotFound, "the server's keys are not known and could not be fetched");
                    self.desk.respond(ticket, Answer::Response(response_of(Answer::Refused(failure))));
                }
            },
        }
    }
}

fn key_request() -> Request {
    Request {
        method: http::Method::GET,
        target: "/_matrix/key/v2/server".into(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn read_document(row: &Row) -> Option<(Document, Timestamp)> {
    let mut value = Reader::new(&row.value);
    (value.u8().ok()? == FORM).then_some(())?;
    let valid = Timestamp::new(value.u64().ok()?);
    Some((parse(value.rest(), KeyOrder::Utf16, LIMITS).ok()?, valid))
}
