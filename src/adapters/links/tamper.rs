//! For demonstrations: one bit of a transaction is flipped on its way out, to see what refuses it.

use alloc::{string::String, vec::Vec};

use crate::{
    adapters::secret::ServerKey,
    id::ServerName,
    json::{KeyOrder, Limits, parse},
    server::{Request, x_matrix},
};

/// Where the bit is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// In the request as it is sent: its own signature fails.
    Request,
    /// In an event, before the request is signed: the event's hash or signature fails.
    Event,
}

/// The request with a bit flipped in the content of its first event; nothing where it carries none.
pub(super) fn flip(
    key: &ServerKey,
    request: &Request,
    tamper: Tamper,
) -> Option<impl Future<Output = Request> + use<>> {
    let mut body = String::from_utf8(request.body.clone()).ok()?;
    let at = place(&body)?;
    let letter = body.get(at..)?.chars().next()?;
    let flipped = if letter == 'e' { 'a' } else { 'e' };
    body.replace_range(at..at.saturating_add(1), flipped.encode_utf8(&mut [0; 4]));
    let to_sign = match tamper {
        Tamper::Request => None,
        Tamper::Event => Some(signing_input(key, request, body.as_bytes())?),
    };
    let (key, mut request) = (key.clone(), Request { body: body.into_bytes(), ..request.clone() });
    Some(async move {
        if let Some((to, input)) = to_sign
            && let Some(signature) = key.sign(&input).await
        {
            let header = x_matrix::header(key.name(), &to, key.identity().key_id(), &signature);
            for (name, value) in &mut request.headers {
                if name.eq_ignore_ascii_case(x_matrix::HEADER) {
                    value.clone_from(&header);
                }
            }
        }
        request
    })
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

/// Whom the request is for, and what is signed to send it with another body.
fn signing_input(key: &ServerKey, request: &Request, body: &[u8]) -> Option<(ServerName, Vec<u8>)> {
    let document = parse(body, KeyOrder::Utf16, Limits { bytes: body.len(), depth: 520 }).ok()?;
    let to = x_matrix::claims(&request.headers).ok()?.first()?.destination.clone();
    let input = x_matrix::signing_input(&request.method, &request.target, key.name(), &to, Some(document.bytes()));
    Some((to, input))
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
