//! The header's grammar: a scheme, then parameters separated by commas.

use alloc::{string::String, vec::Vec};
use core::{iter::Peekable, str::Chars};

use super::XMatrixError;

const SCHEME: &str = "X-Matrix";

/// The parameters in order; nothing for another scheme.
pub(super) fn parameters(value: &str) -> Option<Result<Vec<(String, String)>, XMatrixError>> {
    let value = value.trim_matches([' ', '\t']);
    let (scheme, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case(SCHEME).then(|| list(rest).ok_or(XMatrixError::Malformed))
}

fn list(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.chars().peekable();
    let mut parameters = Vec::new();
    loop {
        skip_spaces(&mut rest);
        match rest.peek() {
            None => return Some(parameters),
            // An empty element of the list says nothing.
            Some(',') => {}
            Some(_) => parameters.push(parameter(&mut rest)?),
        }
        skip_spaces(&mut rest);
        if rest.next().is_some_and(|separator| separator != ',') {
            return None;
        }
    }
}

fn parameter(rest: &mut Peekable<Chars<'_>>) -> Option<(String, String)> {
    let name = take_while(rest, is_token);
    skip_spaces(rest);
    if name.is_empty() || rest.next() != Some('=') {
        return None;
    }
    skip_spaces(rest);
    let value = match rest.next_if_eq(&'"') {
        Some(_) => quoted(rest)?,
        None => take_while(rest, |c| is_token(c) || matches!(c, ':' | '/' | '=')),
    };
    Some((name, value))
}

/// The rest of a quoted value, up to and with its closing quote.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut value = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(value),
            '\\' => value.push(rest.next()?),
            c => value.push(c),
        }
    }
}

/// The characters of an HTTP token. Unquoted values may hold some more: older servers do not quote key IDs and signatures.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '.' | '^' | '_' | '`' | '|' | '~')
}

fn take_while(rest: &mut Peekable<Chars<'_>>, accept: impl Fn(char) -> bool) -> String {
    let mut taken = String::new();
    while let Some(c) = rest.next_if(|c| accept(*c)) {
        taken.push(c);
    }
    taken
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
}
