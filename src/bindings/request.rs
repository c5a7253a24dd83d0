//! Requests and answers in HTTP's shape.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::form::Argument;
use crate::server::{Request, Response, SendError};

/// A request as a plain object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RequestForm {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: ByteBuf,
}

/// An answer as a plain object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ResponseForm {
    status: u16,
    body: ByteBuf,
}

impl RequestForm {
    pub(crate) fn read(self) -> Result<Request, Argument> {
        let method =
            http::Method::from_bytes(self.method.as_bytes()).map_err(|error| Argument::of("request.method", error))?;
        Ok(Request { method, target: self.target, headers: self.headers, body: self.body.into_vec() })
    }
}

impl From<Request> for RequestForm {
    fn from(request: Request) -> Self {
        Self {
            method: request.method.as_str().into(),
            target: request.target,
            headers: request.headers,
            body: ByteBuf::from(request.body),
        }
    }
}

impl From<ResponseForm> for Response {
    fn from(form: ResponseForm) -> Self {
        Self { status: form.status, body: form.body.into_vec() }
    }
}

impl From<Response> for ResponseForm {
    fn from(response: Response) -> Self {
        Self { status: response.status, body: ByteBuf::from(response.body) }
    }
}

/// Why there was no answer, as a word.
pub(crate) fn send_error(word: &str) -> Result<SendError, Argument> {
    match word {
        "unreachable" => Ok(SendError::Unreachable),
        "timed_out" => Ok(SendError::TimedOut),
        "too_large" => Ok(SendError::TooLarge),
        _ => Err(Argument::of("error", "must be `unreachable`, `timed_out` or `too_large`")),
    }
}

/// The word for it.
pub(crate) fn send_error_word(error: SendError) -> &'static str {
    match error {
        SendError::Unreachable => "unreachable",
        SendError::TimedOut => "timed_out",
        SendError::TooLarge => "too_large",
    }
}

#[cfg(test)]
mod tests {
    use super::{send_error, send_error_word};
    use crate::server::SendError;

    #[test]
    fn each_reason_has_its_word() {
        for error in [SendError::Unreachable, SendError::TimedOut, SendError::TooLarge] {
            assert_eq!(send_error(send_error_word(error)), Ok(error));
        }
        assert!(send_error("lost").is_err());
    }
}
