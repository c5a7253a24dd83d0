//! JSON: canonical form is a fixed point, its table says what the text says, and `serde_json` agrees wherever both define the text.
#![no_main]

use hublet::json::{Document, JsonError, KeyOrder, Kind, Limits, Value, parse};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 600 };

/// The depth from which on `serde_json` gives up.
const SERDE_DEPTH: u16 = 127;

fuzz_target!(|text: &[u8]| {
    let one = parse(text, KeyOrder::Utf16, LIMITS);
    let other = parse(text, KeyOrder::CodePoint, LIMITS);
    let serde = serde_json::from_slice::<serde_json::Value>(text);
    match (&one, &other, &serde) {
        (Ok(one), Ok(other), serde) => {
            is_fixed(one, KeyOrder::Utf16);
            is_fixed(other, KeyOrder::CodePoint);
            assert_eq!(one.root().sorts_alike(), one == other);
            assert_eq!((one.root().depth(), one.root().irregular()), (other.root().depth(), other.root().irregular()));
            match serde {
                Ok(serde) => assert!(agree(one.root(), serde) && agree(other.root(), serde)),
                Err(error) => assert!(one.root().depth() > SERDE_DEPTH, "{error}"),
            }
            parts(one);
        }
        (Err(one), Err(other), serde) => {
            assert_eq!(one, other);
            // What is refused here and not there: serde keeps the last of two equal keys.
            assert!(serde.is_err() || matches!(one, JsonError::DuplicateKey(_)), "{one}");
        }
        _ => panic!("the order of keys decides whether a text is JSON: {one:?} {other:?}"),
    }
    // Tighter limits refuse, and change nothing else.
    if let Ok(one) = &one {
        let depth = one.root().depth();
        assert_eq!(parse(text, KeyOrder::Utf16, Limits { depth, ..LIMITS }).as_ref(), Ok(one));
        if let Some(depth) = depth.checked_sub(1) {
            let refused = parse(text, KeyOrder::Utf16, Limits { depth, ..LIMITS });
            assert!(matches!(refused, Err(JsonError::TooDeep(_))));
        }
    }
});

fn is_fixed(document: &Document, order: KeyOrder) {
    let again = parse(document.bytes(), order, LIMITS).expect("canonical form is JSON");
    assert_eq!(again.text(), document.text());
    let (one, other) = (document.root(), again.root());
    assert_eq!((one.depth(), one.sorts_alike()), (other.depth(), other.sorts_alike()));
    same_table(one, other);
}

/// Both tables say the same of the same text.
fn same_table(one: Value<'_>, other: Value<'_>) {
    assert_eq!((one.kind(), one.span(), one.len()), (other.kind(), other.span(), other.len()));
    one.elements().zip(other.elements()).for_each(|(one, other)| same_table(one, other));
    for (one, other) in one.members().zip(other.members()) {
        assert_eq!((one.key(), one.span(), one.key_span()), (other.key(), other.span(), other.key_span()));
        same_table(one.value(), other.value());
    }
}

/// Each part is found by its key, and stands for itself.
fn parts(document: &Document) {
    for member in document.root().members() {
        let key = member.key();
        assert_eq!(document.root().member(&key).map(Value::span), Some(member.value().span()));
        let part = member.value().to_document();
        assert_eq!(part.bytes(), member.value().bytes());
        assert_eq!(part.root().irregular(), member.value().irregular());
        is_fixed(&part, KeyOrder::Utf16);
    }
}

fn agree(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
    match theirs {
        serde_json::Value::Null => ours.is_null(),
        serde_json::Value::Bool(value) => ours.as_bool() == Some(*value),
        serde_json::Value::Number(number) => ours.as_f64() == number.as_f64(),
        serde_json::Value::String(text) => ours.as_str().as_deref() == Some(text),
        serde_json::Value::Array(list) => {
            ours.kind() == Kind::Array
                && ours.len() == list.len()
                && ours.elements().zip(list).all(|(ours, theirs)| agree(ours, theirs))
        }
        serde_json::Value::Object(map) => {
            ours.kind() == Kind::Object
                && ours.len() == map.len()
                && ours.members().all(|ours| map.get(&*ours.key()).is_some_and(|theirs| agree(ours.value(), theirs)))
        }
    }
}
