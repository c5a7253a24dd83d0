//! What goes out under our signature: requests, and the peer's key document when we are its notary.

use alloc::{string::String, vec, vec::Vec};

use super::{PeerMachine, Pending, ask::response_of};
use crate::{
    crypto::Signature,
    event::{insert_signature, signed_forms},
    json::Document,
    server::{
        contract::{Moment, Output, Ticket},
        identity::Signer,
        message::{Answer, ErrorCode, Failure, Request, Response, SendError},
        x_matrix::{HEADER, header, signing_input},
    },
};

/// What waits for a signature.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// A request for whoever asked.
    Fetch(Ticket, Request),
    /// Our transaction.
    Transaction(Request),
    /// The peer's key document.
    Document(Ticket, Document),
}

impl PeerMachine {
    /// Sends a request for another machine or the host.
    pub(super) fn fetch(
        &mut self,
        moment: Moment,
        ticket: Ticket,
        method: http::Method,
        target: String,
        body: Option<Document>,
    ) {
        let request = request(method, target, body.map(Document::into_bytes));
        let input = self.request_input(&request);
        self.sign(moment, input, Unsigned::Fetch(ticket, request));
    }

    /// Signs the peer's key document as a notary, and answers with it.
    pub(super) fn countersign(&mut self, moment: Moment, ticket: Ticket, document: Document) {
        match signed_forms(document.root()) {
            Ok((input, _)) => self.sign(moment, input, Unsigned::Document(ticket, document)),
            Err(_) => self.desk.respond(ticket, Answer::Response(unsigned())),
        }
    }

    /// The bytes that we sign to send a request of ours. Its body is canonical.
    pub(super) fn request_input(&self, request: &Request) -> Vec<u8> {
        let content = (!request.body.is_empty()).then_some(request.body.as_slice());
        signing_input(&request.method, &request.target, self.identity.name(), &self.name, content)
    }

    pub(super) fn sign(&mut self, moment: Moment, input: Vec<u8>, unsigned: Unsigned) {
        let held = match self.identity.signer() {
            Signer::Held(key) => Some(key.sign(&input)),
            Signer::Platform(_) => None,
        };
        match held {
            Some(signature) => self.signed(moment, unsigned, Some(&signature)),
            None => {
                let ticket = self.desk.ticket();
                self.pending.insert(ticket, Pending::Sign(unsigned));
                self.desk.put(Output::Sign(ticket, vec![input]));
            }
        }
    }

    /// A signature has come; a platform may also give none.
    pub(super) fn signed(&mut self, moment: Moment, unsigned: Unsigned, signature: Option<&Signature>) {
        match (unsigned, signature) {
            (Unsigned::Fetch(caller, request), Some(signature)) => {
                let request = self.authorized(request, signature);
                let ticket = self.desk.ticket();
                self.pending.insert(ticket, Pending::Fetch(caller));
                self.desk.put(Output::Send(ticket, self.name.clone(), request));
            }
            (Unsigned::Transaction(request), Some(signature)) => {
                let request = self.authorized(request, signature);
                self.send(moment, request);
            }
            (Unsigned::Document(ticket, document), Some(signature)) => {
                let (name, key) = (self.identity.name().as_str(), self.identity.key_id().as_str());
                let signed = insert_signature(&document, name, key, signature);
                let response = signed.map_or_else(|_| self::unsigned(), |signed| Response::ok(signed.into_bytes()));
                self.desk.respond(ticket, Answer::Response(response));
            }
            (Unsigned::Fetch(caller, _), None) => self.desk.respond(caller, Answer::Unavailable),
            (Unsigned::Document(ticket, _), None) => self.desk.respond(ticket, Answer::Response(self::unsigned())),
            (Unsigned::Transaction(_), None) => self.unsent(moment),
        }
    }

    fn authorized(&self, mut request: Request, signature: &Signature) -> Request {
        let value = header(self.identity.name(), &self.name, self.identity.key_id(), signature);
        request.headers.push((HEADER.into(), value));
        request
    }

    pub(super) fn fetched(&mut self, moment: Moment, caller: Ticket, result: Result<Response, SendError>) {
        let answer = match result {
            Ok(response) => {
                self.outbox.peer_is_alive(moment.now);
                Answer::Response(response)
            }
            Err(error) => Answer::Unreachable(error),
        };
        self.desk.respond(caller, answer);
    }
}

/// A request without its proof of who sends it.
pub(super) fn request(method: http::Method, target: String, body: Option<Vec<u8>>) -> Request {
    let headers = match body {
        Some(_) => vec![("Content-Type".into(), "application/json".into())],
        None => Vec::new(),
    };
    Request { method, target, headers, body: body.unwrap_or_default() }
}

fn unsigned() -> Response {
    response_of(Answer::Refused(Failure::of(ErrorCode::Unknown, "the signature could not be made")))
}
