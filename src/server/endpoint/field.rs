//! Reading fields of a body, each refusal naming the field (spec, section 6).

use alloc::{borrow::Cow, format};

use crate::{
    json::{Kind, Value},
    server::message::{ErrorCode, Failure},
};

/// `M_BAD_JSON` that names the field and what it must be.
pub(super) fn bad(path: &str, expected: &str) -> Failure {
    Failure::of(ErrorCode::BadJson, format!("field `{path}` must be {expected}"))
}

/// The root of a body, which must be an object.
pub(super) fn root(root: Value<'_>) -> Result<Value<'_>, Failure> {
    match root.kind() {
        Kind::Object => Ok(root),
        _ => Err(Failure::of(ErrorCode::BadJson, "the body must be an object")),
    }
}

/// A member that must be there and be an object.
pub(super) fn object<'a>(parent: Value<'a>, key: &str) -> Result<Value<'a>, Failure> {
    of_kind(parent.member(key), Kind::Object).ok_or_else(|| bad(key, "an object"))
}

/// A member that must be an array of objects of at most `most`, where it is there.
pub(super) fn objects<'a>(parent: Value<'a>, key: &str, most: usize) -> Result<alloc::vec::Vec<Value<'a>>, Failure> {
    let Some(array) = parent.member(key) else { return Ok(alloc::vec::Vec::new()) };
    let array = of_kind(Some(array), Kind::Array).ok_or_else(|| bad(key, "an array"))?;
    if array.len() > most {
        return Err(bad(key, &format!("at most {most} long")));
    }
    let element =
        |(index, value)| of_kind(Some(value), Kind::Object).ok_or_else(|| bad(&format!("{key}[{index}]"), "an object"));
    array.elements().enumerate().map(element).collect()
}

/// A member that must be there and be text that `read` accepts.
pub(super) fn parsed<'a, T, E>(
    parent: Value<'a>,
    path: &str,
    key: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Failure> {
    let full: Cow<'_, str> = if path.is_empty() { key.into() } else { format!("{path}.{key}").into() };
    let text = parent.member(key).and_then(Value::as_str).ok_or_else(|| bad(&full, expected))?;
    read(&text).map_err(|_| bad(&full, expected))
}

/// A key of an object that must be text that `read` accepts.
pub(super) fn parsed_key<T, E>(
    key: &str,
    path: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Failure> {
    read(key).map_err(|_| bad(&format!("{path}.{key}"), expected))
}

pub(super) fn of_kind(value: Option<Value<'_>>, kind: Kind) -> Option<Value<'_>> {
    value.filter(|value| value.kind() == kind)
}
