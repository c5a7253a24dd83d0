use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use super::{Direction, Front, direct};
use crate::{
    crypto::PreparedKey,
    event::{add_signature, verify_object},
    id::{KeyId, Timestamp},
    json::Value,
    server::{
        Address, Answer, Call, ErrorCode, Failure, Identity, KnownKey, PeerCall, Request, Response, Routes, Signer,
        Ticket, Validity,
        keys::document::{KeyDocument, KeyDocumentError},
    },
    store::memory::MemoryStore,
    testing::{Driver, content, identity, server, signing_key},
};

const US: &str = "us.example";

fn front() -> Driver<Front> {
    let machine = Front::new(identity(US), Routes::new(), Some("us.example:8448".into()), Ticket(1));
    Driver::new(machine, MemoryStore::new(), vec![])
}

fn ask(front: &mut Driver<Front>, method: &str, target: &str, body: &str) -> Ticket {
    let method = method.parse().unwrap();
    let request = Request { method, target: target.into(), headers: vec![], body: body.into() };
    front.begin(Call::Front(Box::new(request)))
}

fn answer(front: &mut Driver<Front>, ticket: Ticket) -> (u16, String) {
    match front.answer(ticket) {
        Some(Answer::Response(Response { status, body })) => (status, String::from_utf8(body).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_go_where_their_target_and_header_say() {
    let (routes, identity) = (Routes::new(), identity(US));
    let header = |origin: &str| {
        let sig = "A".repeat(86);
        (String::from("AUTHORIZATION"), format!("X-Matrix origin={origin},destination={US},key=ed25519:1,sig={sig}"))
    };
    let status = |direction| match direction {
        Direction::Answer(response) => response.status,
        other => panic!("{other:?}"),
    };
    let go = |method: &str, target: &str, headers: &[(String, String)]| {
        direct(&routes, identity.name(), &method.parse().unwrap(), target, headers)
    };
    let send = "/_matrix/federation/v2/send/1";
    assert_eq!(go("PUT", send, &[header("a.example")]), Direction::Peer(server("a.example"), "send"));
    assert_eq!(go("GET", "/_matrix/key/v2/server", &[]), Direction::Front("own_keys"));
    assert_eq!(status(go("PUT", send, &[])), 401);
    assert_eq!(status(go("PUT", send, &[header(US)])), 401);
    assert_eq!(status(go("PUT", send, &[header("127.0.0.1")])), 401);
    assert_eq!(status(go("GET", send, &[header("a.example")])), 405);
    assert_eq!(status(go("GET", "/", &[])), 404);
}

#[test]
fn our_key_document_is_one_that_others_believe() {
    let mut front = front();
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    let (status, body) = answer(&mut front, ticket);
    assert_eq!(status, 200);
    let document = content(&body);
    assert_eq!(document.bytes(), body.as_bytes());
    assert_eq!(document.root().member("m.linearized").and_then(Value::as_bool), Some(true));
    let now = Timestamp::new(front.now);
    let checked = KeyDocument::check(document, &server(US), now).unwrap();
    assert_eq!(checked.valid_until.millis(), front.now + 12 * 3_600_000);
    assert_eq!((checked.keys.keys.len(), checked.keys.keys[0].key), (1, signing_key(US).public()));

    front.now += 3_599_000;
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    assert_eq!(answer(&mut front, ticket).1, body, "made once an hour");
    front.now += 1_000;
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    assert_ne!(answer(&mut front, ticket).1, body);
}

#[test]
fn keys_that_no_longer_sign_are_published_with_their_end() {
    let old = |id: &str, seed: u8, end| KnownKey {
        id: KeyId::parse(id).unwrap(),
        key: crate::crypto::SigningKey::from_seed(&[seed; 32]).public(),
        validity: Validity::ExpiredAt(Timestamp::new(end)),
    };
    let old_keys = vec![old("ed25519:b", 2, 7), old("ed25519:a", 1, 5), old("ed25519:b", 3, 9)];
    let identity =
        Identity::new(server(US), KeyId::parse("ed25519:1").unwrap(), Signer::Held(signing_key(US)), old_keys.clone());
    let machine = Front::new(identity, Routes::new(), None, Ticket(1));
    let mut front = Driver::new(machine, MemoryStore::new(), vec![]);
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    let (_, body) = answer(&mut front, ticket);
    let checked = KeyDocument::check(content(&body), &server(US), Timestamp::new(front.now)).unwrap();
    assert_eq!(checked.keys.keys[1..], [old_keys[1].clone(), old_keys[0].clone()]);
    let ticket = ask(&mut front, "GET", "/.well-known/matrix/server", "");
    assert_eq!(answer(&mut front, ticket).0, 404);
}

#[test]
fn a_platforms_key_signs_the_document_once_for_all_who_wait() {
    let key = signing_key(US);
    let identity =
        Identity::new(server(US), KeyId::parse("ed25519:1").unwrap(), Signer::Platform(key.public()), vec![]);
    let mut front = Driver::new(Front::new(identity, Routes::new(), None, Ticket(1)), MemoryStore::new(), vec![]);
    front.hold_signatures = true;
    let first = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    let second = ask(&mut front, "GET", "/_matrix/key/v2/query/us.example", "");
    front.sign(vec![]);
    assert_eq!((answer(&mut front, first).0, answer(&mut front, second).0), (500, 500));
    front.hold_signatures = false;
    front.platform = Some(key);
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    assert_eq!(answer(&mut front, ticket).0, 200);
}

#[test]
fn a_notarys_answer_holds_what_could_be_had() {
    let mut front = front();
    let body =
        r#"{"server_keys":{"a.example":{"ed25519:1":{"minimum_valid_until_ts":5}},"b.example":{},"us.example":{}}}"#;
    let ticket = ask(&mut front, "POST", "/_matrix/key/v2/query", body);
    let asked: Vec<_> = front.asked.iter().map(|(_, to, call)| (to.clone(), format!("{call:?}"))).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0].0, Address::Peer(server("a.example")));
    assert!(
        matches!(&front.asked[0].2, Call::Peer(PeerCall::Notarise { minimum_valid_until }) if minimum_valid_until.millis() == 5)
    );
    front.reply(Answer::Response(Response::ok(*br#"{"server_name":"a.example"}"#)));
    assert!(front.answer(ticket).is_none());
    front.reply(Answer::Response(Failure::of(ErrorCode::NotFound, "no").into()));
    let (status, body) = answer(&mut front, ticket);
    let body = content(&body);
    let names: Vec<_> = body
        .root()
        .member("server_keys")
        .into_iter()
        .flat_map(Value::elements)
        .map(|keys| keys.member("server_name").and_then(Value::as_str).unwrap().into_owned())
        .collect();
    assert_eq!((status, names), (200, vec!["us.example".into(), "a.example".into()]));
}

#[test]
fn nobody_has_us_ask_servers_without_end() {
    let mut front = front();
    for round in 0..50 {
        let names: Vec<_> = (0..20).map(|number| format!(r#""s{number}.r{round}.example":{{}}"#)).collect();
        let ticket =
            ask(&mut front, "POST", "/_matrix/key/v2/query", &format!(r#"{{"server_keys":{{{}}}}}"#, names.join(",")));
        (0..20).for_each(|_| front.reply(Answer::Unavailable));
        assert_eq!(answer(&mut front, ticket).0, 200, "{round}");
    }
    let query = "/_matrix/key/v2/query/other.example";
    let ticket = ask(&mut front, "GET", query, "");
    let (status, body) = answer(&mut front, ticket);
    assert_eq!(status, 429);
    assert_eq!(Failure::from_response(&Response { status, body: body.into_bytes() }).retry_after_ms, Some(100));
    let ticket = ask(&mut front, "GET", "/_matrix/key/v2/server", "");
    assert_eq!(answer(&mut front, ticket).0, 200, "our own keys cost nothing");
    front.now += 100;
    ask(&mut front, "GET", query, "");
    assert_eq!(front.asked.len(), 1);
}

#[test]
fn malformed_key_queries_get_their_status_and_code() {
    let many: Vec<_> = (0..21).map(|n| format!(r#""s{n}.example":{{}}"#)).collect();
    let many = format!(r#"{{"server_keys":{{{}}}}}"#, many.join(","));
    let table = [
        ("POST", "/_matrix/key/v2/query", "", 400, ErrorCode::NotJson),
        ("POST", "/_matrix/key/v2/query", "{}", 400, ErrorCode::BadJson),
        ("POST", "/_matrix/key/v2/query", r#"{"server_keys":[]}"#, 400, ErrorCode::BadJson),
        ("POST", "/_matrix/key/v2/query", r#"{"server_keys":{"a.example":1}}"#, 400, ErrorCode::BadJson),
        ("POST", "/_matrix/key/v2/query", r#"{"server_keys":{"1.2.3.4":{}}}"#, 400, ErrorCode::BadJson),
        ("POST", "/_matrix/key/v2/query", r#"{"server_keys":{"a.example":{"x":{}}}}"#, 400, ErrorCode::BadJson),
        (
            "POST",
            "/_matrix/key/v2/query",
            r#"{"server_keys":{"a.example":{"ed25519:1":{"minimum_valid_until_ts":-1}}}}"#,
            400,
            ErrorCode::BadJson,
        ),
        ("POST", "/_matrix/key/v2/query", many.as_str(), 400, ErrorCode::BadJson),
        ("GET", "/_matrix/key/v2/query/1.2.3.4", "", 400, ErrorCode::InvalidParam),
        ("PUT", "/_matrix/key/v2/server", "", 405, ErrorCode::Unrecognized),
        ("PUT", "/_matrix/federation/v2/send/1", "{}", 401, ErrorCode::Forbidden),
    ];
    for (method, target, body, status, code) in table {
        let mut front = front();
        let ticket = ask(&mut front, method, target, body);
        let (found, text) = answer(&mut front, ticket);
        let named =
            content(&text).root().member("errcode").and_then(Value::as_str).map(|code| ErrorCode::from_text(&code));
        assert_eq!((found, named), (status, Some(code)), "{method} {target} {body}");
        assert!(front.asked.is_empty());
    }
}

#[test]
fn spec_6_keys_documents_are_checked() {
    let (name, now) = (server("a.example"), Timestamp::new(1_000));
    let key = |name: &str| crate::id::base64::encode(&signing_key(name).public());
    let document = |fields: &str, signers: &[(&str, &str)]| {
        let mut document = content(&format!("{{{fields}}}"));
        for (id, seed) in signers {
            document = add_signature(&document, "a.example", id, &signing_key(seed)).unwrap();
        }
        KeyDocument::check(document, &name, now)
    };
    let good = format!(
        r#""old_verify_keys":{{"ed25519:0":{{"expired_ts":7,"key":"{}="}},"ed25519:bad":{{"expired_ts":7,"key":"AA"}},"x:1":{{}}}},"server_name":"a.example","unsigned":{{"a":1}},"valid_until_ts":9999999999999,"verify_keys":{{"ed25519:1":{{"key":"{}"}},"rsa:1":{{}}}}"#,
        key("old"),
        key("a.example")
    );
    let checked = document(&good, &[("ed25519:1", "a.example")]).unwrap();
    assert_eq!(checked.valid_until.millis(), 1_000 + 7 * 24 * 3_600_000, "at most 7 days");
    assert_eq!(checked.keys.keys.len(), 2);
    assert_eq!(checked.keys.keys[1].validity, Validity::ExpiredAt(Timestamp::new(7)));

    let signed = [("ed25519:1", "a.example")];
    let two = good.replace(r#""rsa:1":{}"#, &format!(r#""ed25519:2":{{"key":"{}"}}"#, key("two")));
    assert!(matches!(document(&two, &signed), Err(KeyDocumentError::Signature(id, _)) if id.as_str() == "ed25519:2"));
    assert!(document(&two, &[signed[0], ("ed25519:2", "two")]).is_ok());
    assert!(matches!(document(&good, &[("ed25519:1", "two")]), Err(KeyDocumentError::Signature(..))));
    assert!(matches!(document(&good, &[]), Err(KeyDocumentError::Signature(..))));
    let refused = [
        (good.replace("a.example", "b.example"), KeyDocumentError::OtherServer),
        (good.replace("valid_until_ts", "valid_until"), KeyDocumentError::Field("valid_until_ts")),
        (good.replace("9999999999999", "1.5"), KeyDocumentError::Field("valid_until_ts")),
        (good.replace("\"verify_keys\"", "\"keys\""), KeyDocumentError::Field("verify_keys")),
        (good.replace("\"ed25519:1\"", "\"ed25519:\""), KeyDocumentError::Field("verify_keys")),
        (good.replace(&key("a.example"), "AA"), KeyDocumentError::Field("verify_keys")),
    ];
    for (fields, error) in refused {
        assert_eq!(document(&fields, &signed).unwrap_err(), error, "{fields}");
    }
    let weak = good.replace(&key("a.example"), &crate::id::base64::encode(&[0; 32]));
    assert!(matches!(document(&weak, &signed), Err(KeyDocumentError::Key(..))));
    let key = PreparedKey::prepare(&signing_key("a.example").public()).unwrap();
    assert_eq!(verify_object(checked.document.root(), "a.example", "ed25519:1", &key), Ok(()));
}
