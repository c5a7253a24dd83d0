//! A request of the peer, from its arrival until it is known to be the peer's (spec, section 6, Authentication).

use alloc::{boxed::Box, format, vec::Vec};

use super::PeerMachine;
use crate::{
    json::{Document, KeyOrder, Limits, parse},
    server::{
        contract::{Moment, Ticket},
        endpoint::Endpoint,
        message::{ErrorCode, Failure, Request, Response},
        x_matrix::{Claim, SignedRequest, claims, unauthenticated},
    },
};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// More values and keys than this are not read: each takes memory beside its text, before it is known who sent them. 413 lets a server send less at once.
const MAX_VALUES: usize = 1 << 20;

/// The deepest body that is read: a PDU may be 512 deep, and lies within an object and an array.
const MAX_DEPTH: u16 = 520;

/// More requests of a peer under way than this are refused.
const MAX_SERVED: usize = 64;

/// Bodies beyond this do not wait for their sender's keys: until then anybody may have sent them.
const MAX_UNPROVED: usize = 16 * 1024 * 1024;

/// A request that waits for its sender's key.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) ticket: Ticket,
    pub(super) request: Request,
    pub(super) endpoint: Endpoint,
    pub(super) body: Option<Document>,
    pub(super) claims: Vec<Claim>,
}

impl PeerMachine {
    pub(super) fn arrive(&mut self, moment: Moment, ticket: Ticket, request: Request) {
        if self.served.len() >= MAX_SERVED || self.bytes_waiting() > MAX_UNPROVED {
            let mut failure = Failure::of(ErrorCode::LimitExceeded, "too many requests of this server are under way");
            failure.retry_after_ms = Some(1_000);
            return self.desk.answer(ticket, failure);
        }
        match self.read(moment, ticket, request) {
            Ok(served) => {
                self.served.insert(ticket);
                self.await_sender(moment, Box::new(served));
            }
            Err(failure) => self.desk.answer(ticket, failure),
        }
    }

    fn read(&mut self, moment: Moment, ticket: Ticket, request: Request) -> Result<Served, Failure> {
        let endpoint = self.routes.endpoint(&request.method, &request.target)?;
        if !endpoint.needs_authentication() {
            return Err(Failure::of(ErrorCode::Unrecognized, "this endpoint is served without a peer"));
        }
        let claims = claims(&request.headers)?;
        for claim in &claims {
            if claim.destination != *self.identity.name() {
                return Err(unauthenticated(format!(
                    "the request is for {}, this is {}",
                    claim.destination,
                    self.identity.name()
                )));
            }
            if claim.origin != self.name {
                return Err(unauthenticated("the request's headers name different servers"));
            }
        }
        self.tire(moment, &claims)?;
        let body = read_body(&request, &endpoint)?;
        // What was signed is the parsed body.
        let request = Request { body: Vec::new(), ..request };
        Ok(Served { ticket, request, endpoint, body, claims })
    }

    /// The peer's keys are as good as they will be: the request is authenticated and answered, or refused.
    pub(super) fn admit(&mut self, moment: Moment, served: Served) {
        let Served { ticket, request, endpoint, body, claims } = served;
        let signed = SignedRequest::new(&request, body.as_ref());
        for claim in &claims {
            let Some(key) = self.lookup.current(&claim.key, moment.now) else {
                let error = format!("{} is no current key of {}, or could not be fetched", claim.key, claim.origin);
                self.limits.unproved(moment.now);
                return self.finish(ticket, unauthenticated(error));
            };
            if let Err(error) = signed.verify(claim, &key) {
                self.limits.unproved(moment.now);
                return self.finish(ticket, unauthenticated(format!("X-Matrix header: {error}")));
            }
        }
        self.outbox.peer_is_alive(moment.now);
        match self.limits.pay(moment.now, &endpoint) {
            Ok(()) => self.serve(moment, ticket, endpoint, body),
            Err(failure) => self.finish(ticket, failure),
        }
    }

    /// Answers a request of the peer.
    pub(super) fn finish(&mut self, ticket: Ticket, response: impl Into<Response>) {
        self.served.remove(&ticket);
        self.desk.answer(ticket, response);
    }
}

/// The body, if there is one; there must be if the endpoint takes one.
fn read_body(request: &Request, endpoint: &Endpoint) -> Result<Option<Document>, Failure> {
    if request.body.len() > MAX_BODY {
        return Err(Failure::of(ErrorCode::TooLarge, format!("the body must be at most {MAX_BODY} bytes")));
    }
    if request.body.len() > MAX_VALUES && values(&request.body) > MAX_VALUES {
        return Err(Failure::of(ErrorCode::TooLarge, format!("the body must hold at most {MAX_VALUES} values")));
    }
    if request.body.is_empty() && !endpoint.has_body() {
        return Ok(None);
    }
    let limits = Limits { bytes: MAX_BODY, depth: MAX_DEPTH };
    let parsed = parse(&request.body, KeyOrder::Utf16, limits);
    parsed.map(Some).map_err(|error| Failure::of(ErrorCode::NotJson, format!("the body is not JSON: {error}")))
}

/// No fewer than the values and keys of a text: each but the first stands behind one of these.
fn values(text: &[u8]) -> usize {
    text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count().saturating_add(1)
}
