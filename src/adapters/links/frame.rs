//! What crosses a link, whatever the link: plain objects, which links of text carry as JSON.
//!
//! Bodies of requests and answers are JSON, so they travel as text. A frame that cannot be read is dropped: whoever waits for it gives up in time.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use crate::{
    bindings::form,
    server::{Request, Response},
};

/// The most that a body may weigh.
const MOST: usize = 1 << 24;

/// One message over a link.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Frame {
    /// A request of `from` to `to`.
    Request {
        /// Ties the answer to it.
        id: String,
        /// The server that it is for.
        to: String,
        /// The server that says it sends it; X-Matrix proves it.
        from: String,
        /// The method.
        method: String,
        /// Path and query.
        target: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body; empty where there is none.
        body: String,
    },
    /// A request has come and is being dealt with.
    Taken {
        /// The request's.
        id: String,
        /// The server that asked.
        to: String,
    },
    /// The answer to a request.
    Response {
        /// The request's.
        id: String,
        /// The server that asked.
        to: String,
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// A server can be reached here.
    Here {
        /// Its name.
        from: String,
    },
    /// Who can be reached here? Whoever can says so.
    Who {
        /// The server that asks.
        from: String,
    },
    /// A server goes away.
    Gone {
        /// Its name.
        from: String,
    },
    /// Over a link that anybody may hold the other end of: say who you are, and sign this.
    Challenge {
        /// The server that asks.
        from: String,
        /// What no one can have signed before.
        nonce: String,
    },
    /// An X-Matrix header over the challenge.
    Proof {
        /// The header's value.
        header: String,
    },
}

impl Frame {
    /// Reads what came over a link.
    pub(super) fn read(value: JsValue) -> Option<Self> {
        form::from_js(value).ok()
    }

    /// Reads what came over a link of text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        js_sys::JSON::parse(text).ok().and_then(Self::read)
    }

    /// The frame as a plain object.
    pub(super) fn write(&self) -> Option<JsValue> {
        self.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).ok()
    }

    /// The frame as text.
    pub(super) fn text(&self) -> Option<String> {
        js_sys::JSON::stringify(&self.write()?).ok().map(String::from)
    }

    /// A request on its way; nothing where the body is no text.
    pub(super) fn request(id: String, from: &str, to: &str, request: Request) -> Option<Self> {
        Some(Self::Request {
            id,
            to: to.into(),
            from: from.into(),
            method: request.method.as_str().into(),
            target: request.target,
            headers: request.headers,
            body: String::from_utf8(request.body).ok()?,
        })
    }
}

/// The request in a frame's fields; nothing where they make none.
pub(super) fn request(method: &str, target: String, headers: Vec<(String, String)>, body: String) -> Option<Request> {
    let method = http::Method::from_bytes(method.as_bytes()).ok()?;
    (body.len() <= MOST).then(|| Request { method, target, headers, body: body.into_bytes() })
}

/// The frame that answers a request.
pub(super) fn response(id: String, to: String, response: Response) -> Frame {
    Frame::Response { id, to, status: response.status, body: String::from_utf8(response.body).unwrap_or_default() }
}
