//! Requests that prove who sends them: the `X-Matrix` header (spec, section 6, Authentication).
//!
//! What a header says is a [`Claim`] until [`SignedRequest::verify`] has found its signature right under a key that the caller knows to be current.

mod header;

use alloc::{format, string::String, vec::Vec};

use super::message::{ErrorCode, Failure, Request};
use crate::{
    crypto::{PreparedKey, Signature, SignatureError, verify},
    id::{KeyId, ServerName},
    json::{Document, KeyOrder, Limits, parse, write_object},
};

/// The name of the header.
pub const HEADER: &str = "Authorization";

/// More headers than this are refused: each costs a signature check.
const MAX_HEADERS: usize = 4;

/// Who says that it sends a request, and the signature that is to prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who sends.
    pub origin: ServerName,
    /// For whom.
    pub destination: ServerName,
    /// The key that signed.
    pub key: KeyId,
    /// Its signature.
    pub signature: Signature,
}

/// Why a request's headers are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XMatrixError {
    /// No X-Matrix header.
    #[error("request has no X-Matrix header")]
    Missing,
    /// More headers than anybody needs.
    #[error("request has too many X-Matrix headers")]
    TooMany,
    /// Not a list of parameters.
    #[error("X-Matrix header is malformed")]
    Malformed,
    /// The parameter is missing, doubled, or not what it must be.
    #[error("X-Matrix header has no valid `{0}`")]
    Parameter(&'static str),
}

impl From<XMatrixError> for Failure {
    fn from(error: XMatrixError) -> Self {
        unauthenticated(format!("{error}"))
    }
}

/// 401 `M_FORBIDDEN`.
pub fn unauthenticated(error: impl Into<String>) -> Failure {
    Failure::new(401, ErrorCode::Forbidden, error)
}

/// Reads every X-Matrix header, in order; at least one. Other authorization schemes are passed over.
///
/// # Errors
/// An [`XMatrixError`] if any of them is malformed.
pub fn claims(headers: &[(String, String)]) -> Result<Vec<Claim>, XMatrixError> {
    let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER)).map(|(_, value)| value);
    let lists: Vec<_> = values.filter_map(|value| header::parameters(value)).collect();
    match lists.len() {
        0 => Err(XMatrixError::Missing),
        count if count > MAX_HEADERS => Err(XMatrixError::TooMany),
        _ => lists.into_iter().map(|list| claim(&list?)).collect(),
    }
}

fn claim(parameters: &[(String, String)]) -> Result<Claim, XMatrixError> {
    fn one<'p, T, E>(
        parameters: &'p [(String, String)],
        name: &'static str,
        read: impl FnOnce(&'p str) -> Result<T, E>,
    ) -> Result<T, XMatrixError> {
        let mut values = parameters.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => read(value).map_err(|_| XMatrixError::Parameter(name)),
            _ => Err(XMatrixError::Parameter(name)),
        }
    }
    Ok(Claim {
        origin: one(parameters, "origin", ServerName::parse)?,
        destination: one(parameters, "destination", ServerName::parse)?,
        key: one(parameters, "key", KeyId::parse)?,
        signature: one(parameters, "sig", Signature::parse_lenient)?,
    })
}

/// The bytes that a server signs to send a request: the canonical form of method, target, both names and, where there is a body, its canonical form.
pub fn signing_input(
    method: &http::Method,
    target: &str,
    origin: &ServerName,
    destination: &ServerName,
    content: Option<&[u8]>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.map_or(0, <[u8]>::len) + target.len() + 256);
    write_object(&mut out, |object| {
        if let Some(content) = content {
            object.raw("content", content);
        }
        object.string("destination", destination.as_str());
        object.string("method", method.as_str());
        object.string("origin", origin.as_str());
        object.string("uri", target);
    });
    out
}

/// The header's value for a signature over [`signing_input`].
pub fn header(origin: &ServerName, destination: &ServerName, key: &KeyId, signature: &Signature) -> String {
    // Invariant: neither names nor key IDs nor base64 hold what a quoted value would have to escape.
    format!(r#"X-Matrix origin="{origin}",destination="{destination}",key="{key}",sig="{}""#, signature.to_text())
}

/// A request as it may have been signed.
#[derive(Clone, Debug)]
pub struct SignedRequest<'a> {
    request: &'a Request,
    body: Option<&'a Document>,
}

impl<'a> SignedRequest<'a> {
    /// A request with its body as parsed in UTF-16 order; `None` when it has none.
    pub const fn new(request: &'a Request, body: Option<&'a Document>) -> Self {
        Self { request, body }
    }

    /// Checks a claim. A bodiless request may have been signed with or without `"content":{}`, a body in UTF-16 or code-point order.
    ///
    /// # Errors
    /// What is wrong with the signature in the first of these forms.
    pub fn verify(&self, claim: &Claim, key: &PreparedKey) -> Result<(), SignatureError> {
        let matches = |content: Option<&[u8]>| {
            let Request { method, target, .. } = self.request;
            verify(key, &signing_input(method, target, &claim.origin, &claim.destination, content), &claim.signature)
        };
        let first = matches(self.body.map(Document::bytes));
        match (first, self.body) {
            (Err(_), None) => matches(Some(b"{}")).or(first),
            (Err(_), Some(body)) if !body.root().sorts_alike() => {
                let limits = Limits { bytes: usize::MAX, depth: u16::MAX };
                match parse(body.bytes(), KeyOrder::CodePoint, limits) {
                    Ok(other) => matches(Some(other.bytes())).or(first),
                    Err(_) => first,
                }
            }
            _ => first,
        }
    }
}

#[cfg(test)]
mod tests;
