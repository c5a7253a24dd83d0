use alloc::{format, string::String, vec, vec::Vec};

use super::{Claim, SignedRequest, XMatrixError, claims, header, signing_input};
use crate::{
    crypto::{PreparedKey, Signature, SignatureError, SigningKey},
    id::{KeyId, ServerName},
    json::{Document, KeyOrder, Limits, parse},
    server::message::Request,
};

const SIG: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ";

fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

fn read(values: &[&str]) -> Result<Vec<Claim>, XMatrixError> {
    let headers: Vec<_> = values.iter().map(|value| (String::from("authorization"), String::from(*value))).collect();
    claims(&headers)
}

#[test]
fn spellings_of_one_header_read_alike() {
    let expected = Claim {
        origin: name("a.example:8448"),
        destination: name("b.example"),
        key: KeyId::parse("ed25519:1").unwrap(),
        signature: Signature::parse(SIG).unwrap(),
    };
    let spellings = [
        format!(r#"X-Matrix origin="a.example:8448",destination="b.example",key="ed25519:1",sig="{SIG}""#),
        format!("X-Matrix origin=a.example:8448,destination=b.example,key=ed25519:1,sig={SIG}"),
        format!("x-matrix  Origin = a.example:8448 , DESTINATION=\"b.example\"\t,Key=ed25519:1,SIG=\"{SIG}\" "),
        format!(
            r#"X-Matrix ,,sig="{SIG}==",key="ed25519\:1",origin="\a.example:8448",unknown="x\"y,z",destination=b.example,"#
        ),
        format!("X-MATRIX sig={SIG}==,key=ed25519:1,origin=a.example:8448,destination=b.example,n="),
    ];
    for spelling in spellings {
        assert_eq!(read(&[&spelling]), Ok(vec![expected.clone()]), "{spelling}");
        let twice = read(&["Bearer abc", &spelling, &spelling]);
        assert_eq!(twice, Ok(vec![expected.clone(), expected.clone()]));
    }
    assert_eq!(header(&expected.origin, &expected.destination, &expected.key, &expected.signature), {
        format!(r#"X-Matrix origin="a.example:8448",destination="b.example",key="ed25519:1",sig="{SIG}""#)
    });
}

#[test]
fn malformed_headers_are_told_apart() {
    let good = format!("X-Matrix origin=a.example,destination=b.example,key=ed25519:1,sig={SIG}");
    let table = [
        ("Bearer abc".into(), XMatrixError::Missing),
        ("X-Matrix".into(), XMatrixError::Parameter("origin")),
        ("X-Matrix origin".into(), XMatrixError::Malformed),
        ("X-Matrix =a".into(), XMatrixError::Malformed),
        (good.replace("key=", "key=\""), XMatrixError::Malformed),
        (good.replace(",key", ";key"), XMatrixError::Malformed),
        (good.replace("a.example", "a.ex\u{e9}mple"), XMatrixError::Malformed),
        (format!(r#"{good},x="\"#), XMatrixError::Malformed),
        (format!("{good},x=\"a\"b"), XMatrixError::Malformed),
        (good.replace("origin=a.example", "origin=127.0.0.1"), XMatrixError::Parameter("origin")),
        (format!("{good},ORIGIN=a.example"), XMatrixError::Parameter("origin")),
        (good.replace("destination=b.example,", ""), XMatrixError::Parameter("destination")),
        (good.replace("ed25519:1", "rsa:1"), XMatrixError::Parameter("key")),
        (good.replace(SIG, &SIG[1..]), XMatrixError::Parameter("sig")),
        (good.replace(SIG, &SIG.replace('Q', "R")), XMatrixError::Parameter("sig")),
    ];
    for (value, error) in table {
        assert_eq!(read(&[&value]), Err(error), "{value}");
        if error != XMatrixError::Missing {
            assert_eq!(read(&[&good, &value]), Err(error), "one good header does not save the request");
        }
    }
    assert_eq!(read(&[]), Err(XMatrixError::Missing));
    assert_eq!(read(&[good.as_str(); 5]), Err(XMatrixError::TooMany));
    assert_eq!(format!("{}", XMatrixError::Parameter("sig")), "X-Matrix header has no valid `sig`");
}

#[test]
fn long_and_hostile_headers_end() {
    for text in ["=", "\"", "\\", ",", "a=\"\\", " ", "\u{10ffff}", "a=b "] {
        let _ = read(&[&format!("X-Matrix {}", text.repeat(10_000))]);
    }
}

/// What a test signs, and how it then arrives.
fn check(signed: Option<&str>, received: Option<&str>) -> Result<(), SignatureError> {
    let limits = Limits { bytes: 4_096, depth: 16 };
    let document = |text: &str| -> Document { parse(text.as_bytes(), KeyOrder::Utf16, limits).unwrap() };
    let key = SigningKey::from_seed(&[3; 32]);
    let (method, target) = (http::Method::PUT, "/a%20b?c=d");
    let input = signing_input(&method, target, &name("a.example"), &name("b.example"), signed.map(str::as_bytes));
    let claim = Claim {
        origin: name("a.example"),
        destination: name("b.example"),
        key: KeyId::parse("ed25519:1").unwrap(),
        signature: key.sign(&input),
    };
    let request = Request { method, target: target.into(), headers: Vec::new(), body: Vec::new() };
    let body = received.map(document);
    SignedRequest::new(&request, body.as_ref()).verify(&claim, &PreparedKey::prepare(&key.public()).unwrap())
}

#[test]
fn requests_are_verified_in_every_form_that_counts() {
    // By UTF-16 unit U+10000 sorts before U+FF21, by code point after it.
    let (units, points) = ("{\"\u{10000}\":1,\"\u{ff21}\":2}", "{\"\u{ff21}\":2,\"\u{10000}\":1}");
    let table = [
        (None, None, true),
        (Some("{}"), None, true),
        (Some("{}"), Some("{}"), true),
        (None, Some("{}"), false),
        (Some(r#"{"a":1}"#), None, false),
        (Some(r#"{"a":1.5,"b":2}"#), Some(r#"{ "b":2.0, "a":15e-1 }"#), true),
        (Some(r#"{"a":1}"#), Some(r#"{"a":2}"#), false),
        (Some(units), Some(points), true),
        (Some(points), Some(units), true),
        (Some("{\"\u{ff21}\":2,\"\u{10000}\":3}"), Some(units), false),
    ];
    for (signed, received, expected) in table {
        assert_eq!(check(signed, received).is_ok(), expected, "{signed:?} {received:?}");
    }
}

#[test]
fn the_signed_object_is_canonical() {
    let input = signing_input(&http::Method::GET, "/x\"", &name("a.example"), &name("b.example"), Some(b"[]"));
    let expected = r#"{"content":[],"destination":"b.example","method":"GET","origin":"a.example","uri":"/x\""}"#;
    assert_eq!(core::str::from_utf8(&input), Ok(expected));
}
