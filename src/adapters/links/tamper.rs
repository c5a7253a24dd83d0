//! For demonstrations: one bit of a transaction is flipped on its way out, to see what refuses it.

use alloc::string::String;

use crate::{
    json::{KeyOrder, Limits, parse},
    server::{Identity, Request, Signer, x_matrix},
};

/// Where the bit is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// In the request as it is sent: its own signature fails.
    Request,
    /// In an event, before the request is signed: the event's hash or signature fails.
    Event,
}

/// Flips a bit in the content of the request's first event; whether it carries one.
pub(super) fn flip(identity: &Identity, request: &mut Request, tamper: Tamper) -> bool {
    let Ok(mut body) = String::from_utf8(request.body.clone()) else { return false };
    let Some(at) = place(&body) else { return false };
    let flipped =
        body.get(at..).and_then(|rest| rest.chars().next()).map(|letter| if letter == 'e' { 'a' } else { 'e' });
    let Some(flipped) = flipped else { return false };
    body.replace_range(at..at.saturating_add(1), flipped.encode_utf8(&mut [0; 4]));
    if tamper == Tamper::Event && !sign_again(identity, request, body.as_bytes()) {
        return false;
    }
    request.body = body.into_bytes();
    true
}

/// A letter within a text of the first event's content.
fn place(body: &str) -> Option<usize> {
    let event = body.find("\"pdus\":[{")?;
    let content = event.saturating_add(body.get(event..)?.find("\"content\":{")?.saturating_add(11));
    let end = content.saturating_add(body.get(content..)?.find('}')?);
    let text = body.get(content..end)?;
    // The last text of the content: `…"key":"…`.
    let value = text.rfind(":\"")?.saturating_add(2);
    let letter = text.get(value..)?.chars().next().filter(char::is_ascii_alphanumeric)?;
    (letter != '"').then_some(content.saturating_add(value))
}

fn sign_again(identity: &Identity, request: &mut Request, body: &[u8]) -> bool {
    let Signer::Held(key) = identity.signer() else { return false };
    let limits = Limits { bytes: body.len(), depth: 520 };
    let Ok(document) = parse(body, KeyOrder::Utf16, limits) else { return false };
    let claims = x_matrix::claims(&request.headers).unwrap_or_default();
    let Some(to) = claims.first().map(|claim| claim.destination.clone()) else { return false };
    let content = Some(document.bytes());
    let input = x_matrix::signing_input(&request.method, &request.target, identity.name(), &to, content);
    let header = x_matrix::header(identity.name(), &to, identity.key_id(), &key.sign(&input));
    for (name, value) in &mut request.headers {
        if name.eq_ignore_ascii_case(x_matrix::HEADER) {
            value.clone_from(&header);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_letter_of_the_first_event_s_content_is_found() {
        let body = r#"{"edus":[],"pdus":[{"auth_events":[],"content":{"body":"Hello","msgtype":"m.text"},"depth":1}]}"#;
        assert_eq!(&body[place(body).unwrap()..][..6], "m.text");
        for none in [r#"{"pdus":[]}"#, r#"{"pdus":[{"content":{}}]}"#, r#"{"pdus":[{"content":{"body":""}}]}"#] {
            assert_eq!(place(none), None, "{none}");
        }
    }
}
