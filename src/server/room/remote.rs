//! Requests to other servers about the room, and their answers.

use alloc::string::String;
use core::time::Duration;

use super::work::{Progress, Resume};
use crate::{
    id::{ServerName, Timestamp},
    json::{Document, KeyOrder, Kind, Limits, Value, parse},
    server::{
        contract::Address,
        message::{Answer, Call, ErrorCode, Failure, PeerCall},
    },
};

/// How long a look-up of keys may take in all (spec, section 6, Keys).
pub(super) const KEY_TIME: Duration = Duration::from_secs(5);

/// The deepest nesting of an answer (spec, section 6).
const MAX_DEPTH: u16 = 520;

/// What came of a request to another server.
pub(super) enum Reply {
    /// Its answer, an object.
    Body(Document),
    /// It answered, but not with what was asked: its refusal in its words.
    Refused(Failure),
    /// No answer, or one that says to come again.
    Silent(Failure),
}

/// Sends a request to a server, to be answered by `deadline`.
pub(super) fn fetch(
    server: &ServerName,
    method: http::Method,
    target: String,
    body: Option<Document>,
    deadline: Timestamp,
) -> Progress {
    let fetch = PeerCall::Fetch { method, target, body };
    Progress::Ask(Address::Peer(server.clone()), Call::Peer(fetch), deadline)
}

/// Reads what came of a request to `server`; an answer of more than `limit` bytes is none.
pub(super) fn reply(resume: Resume, server: &ServerName, limit: usize) -> Reply {
    let response = match resume {
        Resume::Answer(Answer::Response(response)) => response,
        Resume::Answer(Answer::Refused(failure)) => return Reply::Refused(failure),
        Resume::Answer(Answer::Unreachable(error)) => return Reply::Silent(silent(server, &alloc::format!("{error}"))),
        _ => return Reply::Silent(silent(server, "it gave no answer in time")),
    };
    match response.status {
        200..300 => {
            let limits = Limits { bytes: limit, depth: MAX_DEPTH };
            match parse(&response.body, KeyOrder::Utf16, limits) {
                Ok(body) if body.root().kind() == Kind::Object => Reply::Body(body),
                Ok(_) => Reply::Refused(unusable(server, "not an object")),
                Err(error) => Reply::Refused(unusable(server, &alloc::format!("{error}"))),
            }
        }
        429 | 500.. => Reply::Silent(Failure::from_response(&response)),
        _ => Reply::Refused(Failure::from_response(&response)),
    }
}

/// The elements of an array of an answer; none if it is no array.
pub(super) fn elements<'a>(body: &'a Document, key: &str) -> impl Iterator<Item = Value<'a>> {
    body.root().member(key).into_iter().flat_map(Value::elements)
}

/// An answer that cannot be used.
pub(super) fn unusable(server: &ServerName, why: &str) -> Failure {
    Failure::new(502, ErrorCode::Unknown, alloc::format!("the answer of {server} cannot be used: {why}"))
}

fn silent(server: &ServerName, why: &str) -> Failure {
    Failure::new(502, ErrorCode::Unknown, alloc::format!("{server} could not be asked: {why}"))
}
