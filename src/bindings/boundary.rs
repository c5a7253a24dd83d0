//! What crosses from JavaScript, in a real engine: whatever a program hands over, it is told what is wrong with it, and the instance lives.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{
    HubletError, MemoryStore, Server, canonical_json, decode_answer, encode_call,
    form::field,
    types::{CallObject, IdentityObject, ServerInput},
};

/// The value of an expression of JavaScript.
fn js(expression: &str) -> JsValue {
    js_sys::eval(&format!("({expression})")).unwrap_or_else(|error| panic!("{expression}: {error:?}"))
}

/// The code and the words of an error.
fn told(error: HubletError) -> (String, String) {
    let error = JsValue::from(error);
    let text = |name| field(&error, name).and_then(|text| text.as_string()).unwrap();
    (text("code"), text("message"))
}

fn refused(call: &str) -> (String, String) {
    let Err(error) = encode_call(js(call).unchecked_into::<CallObject>()) else { panic!("taken: {call}") };
    told(error)
}

#[wasm_bindgen_test]
fn numbers_that_are_not_exact_are_refused() {
    for number in ["2**53", "-(2**53)", "1.5", "NaN", "Infinity", "2n**63n", "'7'", "null", "{}", "[1]"] {
        let (code, words) = refused(&format!("{{ type: 'timeline', from: {number}, limit: 1 }}"));
        assert_eq!(code, "argument", "{number}: {words}");
    }
    for limit in ["-1", "2**32", "0.5"] {
        assert_eq!(refused(&format!("{{ type: 'timeline', from: 0, limit: {limit} }}")).0, "argument", "{limit}");
    }
    for from in ["2**53 - 1", "-(2**53 - 1)", "-0", "12n"] {
        let call = js(&format!("{{ type: 'timeline', from: {from}, limit: 2**32 - 1 }}"));
        assert!(encode_call(call.unchecked_into()).is_ok(), "{from}");
    }
}

#[wasm_bindgen_test]
fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
    let half = "'a\\ud800b'";
    for call in [
        format!("{{ type: 'send', sender: '@a:b', kind: {half}, content: '{{}}' }}"),
        format!("{{ type: 'send', sender: '@a:b', kind: 'm', stateKey: {half}, content: '{{}}' }}"),
        format!("{{ type: 'create', creator: '@a:b', public: true, name: {half} }}"),
        format!("{{ type: 'member', user: '@a:b', membership: 'join', via: ['c.example', {half}] }}"),
        format!("{{ type: 'serve', request: {{ method: 'GET', target: '/', headers: [['a', {half}]], body: [] }} }}"),
    ] {
        let (code, words) = refused(&call);
        assert_eq!(code, "argument", "{call}");
        assert!(words.contains("half of a surrogate pair"), "{words}");
    }
    // Text that a program has made of it, as `JSON.stringify` does.
    let (code, words) =
        refused("{ type: 'send', sender: '@a:b', kind: 'm', content: JSON.stringify({ body: '\\ud800' }) }");
    assert_eq!(code, "argument");
    assert!(words.starts_with("`content`: "), "{words}");
    let Err(error) = canonical_json(js("'\"\\udc00\"'").unchecked_into()) else { panic!("taken") };
    assert_eq!(told(error).0, "json_syntax");
    let whole = canonical_json(js("'\"\\ud83d\\ude00\"'").unchecked_into()).ok().unwrap();
    assert_eq!(whole, "\"😀\"");
}

#[wasm_bindgen_test]
fn what_is_missing_or_of_another_type_is_refused() {
    for (call, expected) in [
        ("null", ""),
        ("undefined", ""),
        ("7", ""),
        ("'create'", ""),
        ("[]", ""),
        ("() => 1", ""),
        ("{}", "`type`: no call is named ``"),
        ("{ type: 5 }", ""),
        ("{ type: null }", ""),
        ("{ type: 'create', public: true }", "`creator`: is missing"),
        ("{ type: 'create', creator: {}, public: true }", ""),
        ("{ type: 'create', creator: '@a:b', public: 'yes' }", ""),
        ("{ type: 'member', user: '@a:b', membership: 'join', via: 'c.example' }", ""),
        ("{ type: 'member', user: '@a:b', membership: 'join', via: [1] }", ""),
        ("{ type: 'restore', from: 0 }", "`lines`: is missing"),
        ("{ type: 'restore', from: 0, lines: 'text' }", ""),
        ("{ type: 'restore', from: 0, lines: [256] }", ""),
        ("{ type: 'restore', from: 0, lines: new Float64Array(1) }", ""),
        ("{ type: 'event', eventId: '$short' }", "`eventId`: "),
        ("{ type: 'send', sender: '@a:b', kind: 'm', content: '[' }", "`content`: bad syntax"),
    ] {
        let (code, words) = refused(call);
        assert_eq!(code, "argument", "{call}");
        assert!(words.starts_with(expected) && !words.is_empty(), "{call}: {words}");
    }
}

#[wasm_bindgen_test]
fn what_has_no_end_or_throws_is_refused() {
    for (call, expected) in [
        ("(() => { const round = { type: 'create' }; round.creator = round; return round; })()", "nests too deep"),
        ("{ type: 'member', user: '@a:b', membership: 'join', via: new Array(2**32 - 1) }", "has too many entries"),
        (
            "{ type: 'member', user: '@a:b', membership: 'join', via: Array(70000).fill('c.example') }",
            "has too many entries",
        ),
        ("{ get type() { throw new Error('mine'); } }", "cannot be read"),
        ("new Proxy({}, { ownKeys() { throw new Error('mine'); } })", "cannot be read"),
    ] {
        let (code, words) = refused(call);
        assert_eq!(code, "argument", "{call}");
        assert!(words.contains(expected), "{call}: {words}");
    }
}

#[wasm_bindgen_test]
fn large_bytes_cross_whole() {
    let call = js("{ type: 'restore', from: 0, lines: new Uint8Array(1 << 25).fill(120), end: true }");
    let bytes = encode_call(call.unchecked_into()).ok().unwrap();
    assert!(bytes.len() > 1 << 25);
}

fn identity() -> JsValue {
    js("{ name: 'localhost:1', keyId: 'ed25519:1', seed: new Uint8Array(32).fill(7) }")
}

#[wasm_bindgen_test]
fn a_server_that_was_handed_nonsense_goes_on() {
    for wrong in [
        "{}",
        "{ name: 'no name', keyId: 'ed25519:1', seed: new Uint8Array(32) }",
        "{ name: 'a', keyId: 'ed25519:1', seed: new Uint8Array(31) }",
    ] {
        let Err(error) = Server::new(js(wrong).unchecked_into::<IdentityObject>()) else { panic!("{wrong}") };
        assert_eq!(told(error).0, "argument", "{wrong}");
    }
    let mut server = Server::new(identity().unchecked_into()).ok().unwrap();
    let mut hand = |now: f64, random: usize, input: &str| {
        let input = js(input).unchecked_into::<ServerInput>();
        server.handle(now, alloc::vec![0; random], input).map_err(|error| told(error).0)
    };
    let ask = "{ type: 'ask', ticket: 1, to: 'room:!a:localhost:1', call: { type: 'create', creator: '@a:localhost:1', public: true } }";
    for (now, random) in [(f64::NAN, 16), (-1.0, 16), (9_007_199_254_740_992.0, 16), (1.0, 15), (1.0, 0)] {
        assert_eq!(hand(now, random, ask), Err("argument".into()), "{now} {random}");
    }
    for input in [
        "{ type: 'dance' }",
        "{ type: 'ask', ticket: 2**53, to: 'front', call: { type: 'rooms' } }",
        "{ type: 'ask', ticket: -1, to: 'front', call: { type: 'rooms' } }",
        "{ type: 'ask', ticket: 1, to: 'nowhere', call: { type: 'rooms' } }",
        "{ type: 'ask', ticket: 1, to: 'front' }",
        "{ type: 'rows', machine: 'front', ticket: 1, rows: new Uint8Array([255, 255]) }",
        "{ type: 'rows', machine: 7, ticket: 1, rows: new Uint8Array() }",
        "{ type: 'request', ticket: 1, request: { method: 'G T', target: '', headers: [], body: new Uint8Array() } }",
        "{ type: 'request', ticket: 1, request: { method: 'GET', target: '', headers: [['one']], body: new Uint8Array() } }",
    ] {
        assert_eq!(hand(1.0, 16, input), Err("argument".into()), "{input}");
    }
    // Answers to what was not asked are nobody's.
    for input in ["{ type: 'committed', machine: 'room:!a:localhost:1', ticket: 99 }", "{ type: 'woken' }"] {
        assert_eq!(hand(1.0, 16, input), Ok(()), "{input}");
    }
    assert_eq!(hand(1.0, 16, ask), Ok(()));
    let mut types = Vec::new();
    while let Some(output) = server.poll().ok().unwrap() {
        types.push(field(&output.into(), "type").and_then(|kind| kind.as_string()).unwrap());
    }
    assert!(types.contains(&"read".to_string()), "{types:?}");
}

#[wasm_bindgen_test]
fn bytes_that_mean_nothing_are_refused() {
    let mut store = MemoryStore::new();
    for bytes in [&[9][..], &[1, 0, 255, 255, 255, 255], &[0; 7], &[255; 64]] {
        assert_eq!(told(store.apply(bytes).unwrap_err()).0, "argument", "{bytes:?}");
        assert_eq!(told(store.read(bytes).unwrap_err()).0, "argument", "{bytes:?}");
        let Err(error) = decode_answer(bytes) else { continue };
        assert_eq!(told(error).0, "argument", "{bytes:?}");
    }
    assert!(store.apply(&[]).is_ok() && store.read(&[]).is_ok_and(|rows| rows.is_empty()));
}
