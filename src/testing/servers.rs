//! Servers whose keys follow from their names.

use alloc::vec;

use crate::{
    crypto::SigningKey,
    event::{EventParts, LINEARIZED_02, LpduDraft, SignedLpdu},
    id::{KeyId, RoomId, ServerName, Timestamp, UserId},
    json::{Document, KeyOrder, Limits, parse},
    server::{Identity, KnownKey, Request, ServerKeys, Signer, Validity, x_matrix},
};

/// A server's name.
pub fn server(name: &str) -> ServerName {
    ServerName::parse(name).unwrap()
}

/// A user.
pub fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// A content.
pub fn content(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 520 }).unwrap()
}

/// The key of the server of that name.
pub fn signing_key(name: &str) -> SigningKey {
    let mut seed = [7; 32];
    for (place, byte) in seed.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    SigningKey::from_seed(&seed)
}

/// The identity of the server of that name; its key is `ed25519:1`.
pub fn identity(name: &str) -> Identity {
    Identity::new(server(name), KeyId::parse("ed25519:1").unwrap(), Signer::Held(signing_key(name)), vec![])
}

/// The keys of the server of that name, as its peers know them.
pub fn keys_of(name: &str) -> ServerKeys {
    let validity = Validity::CurrentUntil(Timestamp::new(1 << 50));
    let key = KnownKey { id: KeyId::parse("ed25519:1").unwrap(), key: signing_key(name).public(), validity };
    ServerKeys { server: server(name), keys: vec![key] }
}

/// A request as `origin` signs it for `destination`, with the key that follows from its name. A body that is not JSON is sent as it is, and the signature
/// is then over none.
pub fn signed_request(origin: &str, destination: &str, method: &str, target: &str, body: &[u8]) -> Request {
    let (origin, destination, key_id) = (server(origin), server(destination), KeyId::parse("ed25519:1").unwrap());
    let method: http::Method = method.parse().unwrap();
    let parsed = parse(body, KeyOrder::Utf16, Limits { bytes: usize::MAX, depth: 600 }).ok();
    let content = parsed.as_ref().map(Document::bytes);
    let input = x_matrix::signing_input(&method, target, &origin, &destination, content);
    let signature = signing_key(origin.as_str()).sign(&input);
    let headers = vec![(x_matrix::HEADER.into(), x_matrix::header(&origin, &destination, &key_id, &signature))];
    Request { method, target: target.into(), headers, body: body.into() }
}

/// An LPDU of `sender`, signed by its server, for `hub`.
pub fn lpdu(
    room_id: &RoomId,
    sender: &str,
    hub: &str,
    kind: &str,
    state_key: Option<&str>,
    body: &str,
    ts: u64,
) -> SignedLpdu {
    let sender = user(sender);
    let parts = EventParts {
        room_id,
        sender: &sender,
        kind,
        state_key,
        content: &content(body),
        origin_server_ts: Timestamp::new(ts),
    };
    let draft = LpduDraft::new(&parts, &server(hub), &LINEARIZED_02).unwrap();
    draft.sign(&KeyId::parse("ed25519:1").unwrap(), &signing_key(sender.server())).unwrap()
}
