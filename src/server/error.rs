//! Refusals as bodies, and bodies as refusals: one table of codes and statuses (spec, section 6).

use alloc::{string::String, vec::Vec};

use super::message::{Cause, ErrorCode, Failure, Response};
use crate::{
    event::{SchemaError, SchemaRule},
    id::{EventId, ServerName},
    json::{KeyOrder, Limits, ObjectWriter, Value, parse, write_object},
};

/// The largest error body that is read.
const LIMITS: Limits = Limits { bytes: 65_536, depth: 32 };

/// The longest wait that is asked for, in milliseconds: a day.
const MOST_WAIT: u64 = 86_400_000;

/// Every code, its text, and the status of a request that is refused with it.
const CODES: [(ErrorCode, &str, u16); 12] = [
    (ErrorCode::Unrecognized, "M_UNRECOGNIZED", 404),
    (ErrorCode::NotJson, "M_NOT_JSON", 400),
    (ErrorCode::BadJson, "M_BAD_JSON", 400),
    (ErrorCode::InvalidParam, "M_INVALID_PARAM", 400),
    (ErrorCode::TooLarge, "M_TOO_LARGE", 413),
    (ErrorCode::LimitExceeded, "M_LIMIT_EXCEEDED", 429),
    (ErrorCode::NotFound, "M_NOT_FOUND", 404),
    (ErrorCode::Forbidden, "M_FORBIDDEN", 403),
    (ErrorCode::WrongServer, "M_WRONG_SERVER", 400),
    (ErrorCode::IncompatibleRoomVersion, "M_INCOMPATIBLE_ROOM_VERSION", 400),
    (ErrorCode::BadState, "M_BAD_STATE", 400),
    (ErrorCode::Unknown, "M_UNKNOWN", 500),
];

impl ErrorCode {
    /// The code as it stands in `errcode`.
    pub fn text(self) -> &'static str {
        CODES.iter().find(|(code, _, _)| *code == self).map_or("M_UNKNOWN", |(_, text, _)| text)
    }

    /// The status of a request that is refused with it, unless the case has one of its own.
    pub fn status(self) -> u16 {
        CODES.iter().find(|(code, _, _)| *code == self).map_or(500, |(_, _, status)| *status)
    }

    /// The code of that text; [`ErrorCode::Unknown`] for what is none of ours.
    pub fn from_text(text: &str) -> Self {
        CODES.iter().find(|(_, known, _)| *known == text).map_or(Self::Unknown, |(code, _, _)| *code)
    }
}

impl Failure {
    /// A refusal with the status that goes with its code.
    pub fn of(code: ErrorCode, error: impl Into<String>) -> Self {
        Self::new(code.status(), code, error)
    }

    /// An event that is none: 413 for one that is too large, else 400 `M_BAD_JSON`.
    pub(crate) fn of_schema(error: SchemaError) -> Self {
        let code = match error.rule {
            SchemaRule::TooLarge => ErrorCode::TooLarge,
            _ => ErrorCode::BadJson,
        };
        Self::of(code, alloc::format!("{error}")).because(Cause::schema(&error))
    }

    /// The refusal as the answer to a whole request.
    pub fn to_response(&self) -> Response {
        let mut body = Vec::new();
        write_object(&mut body, |out| self.write(out));
        Response { status: self.status, body }
    }

    /// Writes the members of the refusal's object, as they stand in an error body and in an entry of `failed_pdus`.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.string("errcode", self.code.text());
        out.string("error", &self.error);
        if let Some(head) = self.head {
            out.string("head", &alloc::format!("{head}"));
        }
        if let Some(hub) = &self.hub_server {
            out.string("hub_server", hub.as_str());
        }
        if let Some(millis) = self.retry_after_ms {
            out.int("retry_after_ms", i64::try_from(millis.min(MOST_WAIT)).unwrap_or_default());
        }
    }

    /// Reads what another server wrote; what is missing or malformed is left out.
    pub fn read(status: u16, object: Value<'_>) -> Self {
        let text = |key| object.member(key).and_then(Value::as_str);
        Self {
            status,
            code: text("errcode").map_or(ErrorCode::Unknown, |code| ErrorCode::from_text(&code)),
            error: text("error").map_or_else(String::new, |error| error.into_owned()),
            hub_server: text("hub_server").and_then(|name| ServerName::parse(&name).ok()),
            head: text("head").and_then(|id| EventId::parse(&id).ok()),
            retry_after_ms: object.member("retry_after_ms").and_then(Value::as_i64).and_then(|ms| ms.try_into().ok()),
            cause: None,
        }
    }

    /// Reads an error answer of another server.
    pub fn from_response(response: &Response) -> Self {
        match parse(&response.body, KeyOrder::Utf16, LIMITS) {
            Ok(document) => Self::read(response.status, document.root()),
            Err(_) => Self::new(response.status, ErrorCode::Unknown, "answer is not JSON"),
        }
    }
}

impl Response {
    /// An answer of status 200 with that object.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into() }
    }
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        failure.to_response()
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, ErrorCode, Failure, Response};
    use crate::id::{EventId, ServerName};

    #[test]
    fn codes_are_distinct_and_read_back() {
        for (index, (code, text, status)) in CODES.into_iter().enumerate() {
            assert_eq!((code.text(), code.status(), ErrorCode::from_text(text)), (text, status, code));
            assert!(CODES[..index].iter().all(|(_, other, _)| *other != text));
        }
        assert_eq!(ErrorCode::from_text("M_SOMETHING_ELSE"), ErrorCode::Unknown);
    }

    #[test]
    fn a_refusal_reads_back_from_its_body() {
        let mut failure = Failure::of(ErrorCode::WrongServer, "not the hub");
        assert_eq!(failure.to_response().body, br#"{"errcode":"M_WRONG_SERVER","error":"not the hub"}"#);
        failure.head = Some(EventId::from_hash([7; 32]));
        failure.hub_server = Some(ServerName::parse("hub.example").unwrap());
        failure.retry_after_ms = Some(9);
        assert_eq!(Failure::from_response(&failure.to_response()), failure);
    }

    #[test]
    fn an_answer_that_is_no_json_is_a_refusal_too() {
        let response = Response { status: 502, body: b"<html>".to_vec() };
        assert_eq!(Failure::from_response(&response), Failure::new(502, ErrorCode::Unknown, "answer is not JSON"));
    }
}
