//! The front: which machine a request goes to, and what is answered without one (spec, section 6).
//!
//! [`direct`] needs only method, target and headers, so a host can stream the body to where it belongs. Whom the header names is a claim there; the peer
//! machine checks it. [`Front`] answers what needs no authentication: `.well-known`, our own keys, and other servers' keys, from us as notary.

use alloc::{format, string::String, vec, vec::Vec};
use core::time::Duration;

use super::{
    allowance::{Allowance, Rate, limited},
    contract::{Address, Input, Machine, Moment, Output, Ticket},
    desk::Desk,
    endpoint::{Endpoint, body::NotaryQuery},
    identity::{Identity, Signer},
    keys::document::{OwnDocument, write_notary_answer},
    message::{Answer, Call, ErrorCode, Failure, PeerCall, Request, Response},
    route::Routes,
    x_matrix::{claims, unauthenticated},
};
use crate::{
    crypto::Signature,
    id::{ServerName, Timestamp},
    json::{KeyOrder, Limits, parse, write_object},
    ordered::{Map, Set},
};

/// The largest body that is read: a list of servers.
const LIMITS: Limits = Limits { bytes: 65_536, depth: 8 };

/// Servers of one query: each may cost a request.
const MAX_SERVERS: usize = 20;

/// How long our own key document is given out before it is made anew.
const FRESH: Duration = Duration::from_secs(3_600);

/// Servers that are asked for their keys on behalf of others. Anybody may ask, and each may cost a request to a name of the asker's choice: a hundred seconds'
/// worth at once is a notary's whole busy day.
const LOOK_UPS: Rate = Rate { unit: Duration::from_millis(100), most: 1_000 };

/// More requests under way than this are refused.
const MAX_OPEN: usize = 256;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// To the peer machine of the server that it says it comes from, by [`PeerCall::Serve`]; and the endpoint's name.
    Peer(ServerName, &'static str),
    /// To the front, by [`Call::Front`]; and the endpoint's name.
    Front(&'static str),
    /// Nowhere: this is the answer.
    Answer(Response),
}

/// Where a request goes, by its method, target and headers.
pub fn direct(
    routes: &Routes,
    us: &ServerName,
    method: &http::Method,
    target: &str,
    headers: &[(String, String)],
) -> Direction {
    let endpoint = match routes.endpoint(method, target) {
        Ok(endpoint) => endpoint,
        Err(failure) => return Direction::Answer(failure.to_response()),
    };
    if !endpoint.needs_authentication() {
        return Direction::Front(endpoint.name());
    }
    match claims(headers) {
        Ok(claims) => match claims.into_iter().next() {
            Some(claim) if claim.origin != *us => Direction::Peer(claim.origin, endpoint.name()),
            _ => Direction::Answer(unauthenticated("a server sends no requests to itself").to_response()),
        },
        Err(error) => Direction::Answer(Failure::from(error).to_response()),
    }
}

/// Answers what needs no authentication. It has no rows; a host may keep as many as it likes.
pub struct Front {
    identity: Identity,
    routes: Routes,
    /// `host:port` at which this server is reached.
    reached_at: Option<String>,
    desk: Desk,
    /// Our own document, and when it was made.
    own: Option<(Timestamp, Vec<u8>)>,
    /// A document that waits for its signature.
    signing: Option<(Ticket, Timestamp)>,
    /// Answers that are being put together, by who asked.
    open: Map<Ticket, Assembly>,
    look_ups: Allowance,
    /// Whose answer a peer machine's answer is for.
    asked: Map<Ticket, Ticket>,
}

/// Key documents that are being put together.
#[derive(Debug, Default)]
struct Assembly {
    form: Form,
    waiting: Set<Ticket>,
    wants_own: bool,
    documents: Vec<Vec<u8>>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// One document.
    Document,
    /// A list of them.
    #[default]
    Notary,
}

impl Front {
    /// A front. `reached_at` is what `.well-known` names, `host:port`; without it there is no such document.
    pub const fn new(identity: Identity, routes: Routes, reached_at: Option<String>, first: Ticket) -> Self {
        Self {
            identity,
            routes,
            reached_at,
            desk: Desk::new(first),
            own: None,
            signing: None,
            open: Map::new(),
            look_ups: Allowance::new(LOOK_UPS),
            asked: Map::new(),
        }
    }

    fn arrive(&mut self, moment: Moment, ticket: Ticket, request: &Request) -> Result<(), Failure> {
        match self.routes.endpoint(&request.method, &request.target)? {
            Endpoint::WellKnown => self.well_known(ticket),
            Endpoint::OwnKeys => {
                let assembly = Assembly { form: Form::Document, wants_own: true, ..Assembly::default() };
                self.assemble(moment, ticket, assembly);
                Ok(())
            }
            Endpoint::NotaryKeys { server, minimum_valid_until } => {
                self.query(moment, ticket, vec![(server, minimum_valid_until)])
            }
            Endpoint::NotaryKeysOfMany => {
                let body = parse(&request.body, KeyOrder::Utf16, LIMITS)
                    .map_err(|error| Failure::of(ErrorCode::NotJson, format!("the body is not JSON: {error}")))?;
                self.query(moment, ticket, NotaryQuery::read(body.root())?.servers)
            }
            _ => Err(unauthenticated("this endpoint is served to authenticated servers only")),
        }
    }

    fn well_known(&mut self, ticket: Ticket) -> Result<(), Failure> {
        let Some(address) = &self.reached_at else {
            return Err(Failure::of(ErrorCode::NotFound, "this server is reached at its name"));
        };
        let mut out = Vec::new();
        write_object(&mut out, |document| document.string("m.server", address));
        self.desk.answer(ticket, Response::ok(out));
        Ok(())
    }

    fn query(
        &mut self,
        moment: Moment,
        ticket: Ticket,
        servers: Vec<(ServerName, Option<Timestamp>)>,
    ) -> Result<(), Failure> {
        if servers.len() > MAX_SERVERS {
            let error = format!("field `server_keys` must be at most {MAX_SERVERS} long");
            return Err(Failure::of(ErrorCode::BadJson, error));
        }
        let others = servers.iter().filter(|(server, _)| server != self.identity.name()).count();
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let allowed = self.look_ups.look(moment.now, others);
        allowed.map_err(|wait| limited(wait, "too many servers are asked for; wait, or ask them yourself"))?;
        self.look_ups.spend(moment.now, others);
        let mut assembly = Assembly::default();
        for (server, until) in servers {
            if server == *self.identity.name() {
                assembly.wants_own = true;
                continue;
            }
            let asked = self.desk.ticket();
            let call = PeerCall::Notarise { minimum_valid_until: until.unwrap_or(moment.now) };
            self.desk.put(Output::Ask(asked, Address::Peer(server), Call::Peer(call)));
            self.asked.insert(asked, ticket);
            assembly.waiting.insert(asked);
        }
        self.assemble(moment, ticket, assembly);
        Ok(())
    }

    fn assemble(&mut self, moment: Moment, ticket: Ticket, assembly: Assembly) {
        let wants_own = assembly.wants_own;
        self.open.insert(ticket, assembly);
        if wants_own {
            self.make_own(moment);
        }
        self.finish(ticket);
    }

    /// Sees to it that our own document is fresh, and gives it to those who want it.
    fn make_own(&mut self, moment: Moment) {
        let is_fresh = |made: Timestamp| moment.now.saturating_since(made) < FRESH && made <= moment.now;
        if self.own.as_ref().is_some_and(|(made, _)| is_fresh(*made)) {
            return self.give_own();
        }
        let input = OwnDocument::new(&self.identity, moment.now).signing_input();
        let held = match self.identity.signer() {
            Signer::Held(key) => Some(key.sign(&input)),
            Signer::Platform(_) => None,
        };
        match held {
            Some(signature) => self.own_signed(moment.now, Some(&signature)),
            None if self.signing.is_none() => {
                let ticket = self.desk.ticket();
                self.signing = Some((ticket, moment.now));
                self.desk.put(Output::Sign(ticket, vec![input]));
            }
            None => {}
        }
    }

    fn own_signed(&mut self, made: Timestamp, signature: Option<&Signature>) {
        match signature {
            Some(signature) => {
                self.own = Some((made, OwnDocument::new(&self.identity, made).sign_with(signature)));
                self.give_own();
            }
            None => {
                let waiting = self.open.iter().filter(|(_, assembly)| assembly.wants_own);
                for ticket in waiting.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
                    self.open.remove(&ticket);
                    self.desk.answer(ticket, Failure::of(ErrorCode::Unknown, "our keys could not be signed"));
                }
            }
        }
    }

    fn give_own(&mut self) {
        let Some((_, document)) = &self.own else { return };
        let mut given = Vec::new();
        for (ticket, assembly) in self.open.iter_mut().filter(|(_, assembly)| assembly.wants_own) {
            assembly.wants_own = false;
            assembly.documents.push(document.clone());
            given.push(*ticket);
        }
        given.into_iter().for_each(|ticket| self.finish(ticket));
    }

    /// A peer machine has given its server's document, or has none.
    fn answered(&mut self, asked: Ticket, answer: Answer) {
        let Some(ticket) = self.asked.remove(&asked) else { return };
        if let Some(assembly) = self.open.get_mut(&ticket) {
            assembly.waiting.remove(&asked);
            if let Answer::Response(Response { status: 200, body }) = answer {
                assembly.documents.push(body);
            }
        }
        self.finish(ticket);
    }

    fn finish(&mut self, ticket: Ticket) {
        let is_whole = |assembly: &Assembly| assembly.waiting.is_empty() && !assembly.wants_own;
        if !self.open.get(&ticket).is_some_and(is_whole) {
            return;
        }
        if let Some(assembly) = self.open.remove(&ticket) {
            let body = match assembly.form {
                Form::Document => assembly.documents.into_iter().next().unwrap_or_default(),
                Form::Notary => write_notary_answer(&assembly.documents),
            };
            self.desk.answer(ticket, Response::ok(body));
        }
    }
}

impl Machine for Front {
    fn handle(&mut self, moment: Moment, input: Input) {
        match input {
            Input::Ask(ticket, Call::Front(_)) if self.open.len() >= MAX_OPEN => {
                let mut failure = Failure::of(ErrorCode::LimitExceeded, "too many requests are under way");
                failure.retry_after_ms = Some(1_000);
                self.desk.answer(ticket, failure);
            }
            Input::Ask(ticket, Call::Front(request)) => {
                if let Err(failure) = self.arrive(moment, ticket, &request) {
                    self.desk.answer(ticket, failure);
                }
            }
            Input::Ask(ticket, _) => {
                let failure = Failure::of(ErrorCode::Unknown, "the front takes requests only");
                self.desk.respond(ticket, Answer::Refused(failure));
            }
            Input::Answer(ticket, answer) => self.answered(ticket, answer),
            Input::Signed(ticket, signatures) => {
                if let Some((_, made)) = self.signing.take_if(|(signing, _)| *signing == ticket) {
                    self.own_signed(made, signatures.first());
                }
            }
            Input::Rows(..) | Input::Committed(_) | Input::Keys(..) | Input::Sent(..) | Input::Woken => {}
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.desk.poll()
    }

    fn is_idle(&self) -> bool {
        self.open.is_empty() && self.asked.is_empty() && self.signing.is_none() && self.desk.is_settled()
    }
}

#[cfg(test)]
mod tests;
