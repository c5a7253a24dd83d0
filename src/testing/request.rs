//! Requests as any server could sign them, and bodies as none should.

use alloc::{format, string::String, vec, vec::Vec};

use super::{server, signing_key};
use crate::{
    id::KeyId,
    json::{KeyOrder, Limits, Value, parse},
    server::{Request, paths::PFX, x_matrix},
};

/// A request that `origin` signs with the key that follows from its name. A body that is no JSON goes unsigned.
pub fn signed(origin: &str, destination: &str, method: &str, target: &str, body: &str) -> Request {
    let method: http::Method = method.parse().unwrap();
    let limits = Limits { bytes: 1 << 24, depth: 600 };
    let content = parse(body.as_bytes(), KeyOrder::Utf16, limits).ok();
    let content = content.as_ref().map(|content| content.bytes());
    let (origin, destination) = (server(origin), server(destination));
    let input = x_matrix::signing_input(&method, target, &origin, &destination, content);
    let key = KeyId::parse("ed25519:1").unwrap();
    let value = x_matrix::header(&origin, &destination, &key, &signing_key(origin.as_str()).sign(&input));
    Request { method, target: target.into(), headers: vec![("Authorization".into(), value)], body: body.into() }
}

/// A transaction of these events, signed.
pub fn transaction(origin: &str, destination: &str, id: &str, pdus: &[String]) -> Request {
    let body = format!(r#"{{"edus":[],"pdus":[{}]}}"#, pdus.join(","));
    signed(origin, destination, "PUT", &format!("{PFX}/send/{id}"), &body)
}

/// The events of a transaction's body; none where it is no such thing.
pub fn pdus_of(body: &[u8]) -> Vec<String> {
    let limits = Limits { bytes: 1 << 24, depth: 600 };
    let Ok(body) = parse(body, KeyOrder::Utf16, limits) else { return Vec::new() };
    body.root().member("pdus").into_iter().flat_map(Value::elements).map(|pdu| pdu.text().into()).collect()
}

/// So many brackets in each other.
pub fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}
