//! Fields of an event's content, read under one rule for all of the room layer: **malformed counts as absent**.
//!
//! A foreign hub may have let a field of the wrong type into a room, and every server must still read the room alike. So
//! whatever is not of the type that the specification gives it is treated as if it were not there, and the default stands.
//! Auth rules 5 and 9 refuse such content where they can; this rule is for what got past another server.

use alloc::borrow::Cow;

use crate::json::{Kind, Value};

/// The string at `key`.
pub(super) fn text<'a>(content: Value<'a>, key: &str) -> Option<Cow<'a, str>> {
    content.member(key)?.as_str()
}

/// The integer at `key`, within ±(2^53-1). Strings of digits and floats are absent.
pub(super) fn integer(content: Value<'_>, key: &str) -> Option<i64> {
    content.member(key)?.as_i64()
}

/// The boolean at `key`.
pub(super) fn flag(content: Value<'_>, key: &str) -> Option<bool> {
    content.member(key)?.as_bool()
}

/// The object at `key`.
pub(super) fn object<'a>(content: Value<'a>, key: &str) -> Option<Value<'a>> {
    content.member(key).filter(|value| value.kind() == Kind::Object)
}
