//! Canonical form against the published vectors (spec, 3.1); each file names its source.
#![allow(missing_docs, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::json::{Document, JsonError, KeyOrder, Kind, Limits, parse, write_string};
const LIMITS: Limits = Limits { bytes: 65_536, depth: 512 };

fn vectors(text: &str) -> Document {
    parse(text.as_bytes(), KeyOrder::CodePoint, LIMITS).unwrap()
}

fn rfc8785() -> Document {
    vectors(include_str!("vectors/rfc8785.json"))
}

fn matrix() -> Document {
    vectors(include_str!("vectors/matrix-canonical-json.json"))
}

fn string<'a>(document: &'a Document, path: &[&str]) -> Option<std::borrow::Cow<'a, str>> {
    path.iter().try_fold(document.root(), |value, key| value.member(key))?.as_str()
}

/// Both the canonical text and its hexadecimal form, as the files give them.
fn check(input: &str, order: KeyOrder, expected: &str, hex: &str) {
    let document = parse(input.as_bytes(), order, LIMITS).unwrap();
    assert_eq!(document.text(), expected, "{input}");
    let bytes: String = document.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, hex, "{input}");
    assert_eq!(parse(document.bytes(), order, LIMITS).unwrap(), document, "{input}");
}

#[test]
fn numbers_of_rfc_8785_appendix_b_and_its_authors() {
    let file = rfc8785();
    let (mut numbers, mut refused) = (0, 0);
    for list in ["number_table_appendix_b", "extra_numbers"] {
        for row in file.root().member(list).unwrap().elements() {
            let bits = u64::from_str_radix(&row.member("ieee754_hex").unwrap().as_str().unwrap(), 16).unwrap();
            let double = f64::from_bits(bits);
            let Some(expected) = row.member("json").unwrap().as_str() else {
                assert!(!double.is_finite(), "{bits:016x} has no JSON form");
                refused += 1;
                continue;
            };
            // Plain and scientific notation, each of which denotes exactly this double.
            for literal in [format!("{double:?}"), format!("{double:e}"), format!("{double}"), expected.to_string()] {
                let document = parse(literal.as_bytes(), KeyOrder::Utf16, LIMITS).unwrap();
                assert_eq!(document.text(), expected, "{literal}");
                // Minus zero loses its sign, all else is the same double to the bit.
                assert_eq!(
                    document.root().as_f64().unwrap().to_bits(),
                    if double == 0.0 { 0 } else { bits },
                    "{literal}"
                );
                assert_eq!(document.root().irregular(), literal != "0", "{literal}");
            }
            numbers += 1;
        }
    }
    assert_eq!((numbers, refused), (26, 2));
    for text in ["NaN", "Infinity", "-Infinity"] {
        assert!(matches!(parse(text.as_bytes(), KeyOrder::Utf16, LIMITS), Err(JsonError::Syntax(_))), "{text}");
    }
}

#[test]
fn documents_of_rfc_8785() {
    let file = rfc8785();
    let documents: Vec<_> = file.root().member("documents").unwrap().elements().collect();
    assert_eq!(documents.len(), 7);
    for row in documents {
        let text = |key| row.member(key).unwrap().as_str().unwrap();
        check(&text("input_json_text"), KeyOrder::Utf16, &text("canonical"), &text("canonical_hex"));
    }
}

#[test]
fn property_sort_of_rfc_8785_section_3_2_3() {
    let file = rfc8785();
    let list = |key| -> Vec<String> {
        let list = file.root().member("property_sort_3_2_3").unwrap().member(key).unwrap();
        list.elements().map(|element| element.as_str().unwrap().into_owned()).collect()
    };
    let (escapes, names) = (list("codepoint_escapes"), list("expected_order_names"));
    assert_eq!(escapes.len(), 7);
    let members: Vec<String> =
        escapes.iter().zip(&names).map(|(escape, name)| format!("\"{escape}\":\"{name}\"")).collect();
    for rotation in 0..members.len() {
        let mut members = members.clone();
        members.rotate_left(rotation);
        members.swap(0, 3);
        let document = parse(format!("{{{}}}", members.join(", ")).as_bytes(), KeyOrder::Utf16, LIMITS).unwrap();
        let found: Vec<_> = document.root().members().map(|member| member.value().as_str().unwrap()).collect();
        assert_eq!(found, names);
        assert!(!document.root().sorts_alike());
    }
}

#[test]
fn refusals_of_rfc_8785() {
    let file = rfc8785();
    let inputs: Vec<_> = file.root().member("must_error").unwrap().elements().collect();
    assert_eq!(inputs.len(), 3);
    for row in inputs {
        let input = row.member("input").unwrap().as_str().unwrap();
        assert!(parse(input.as_bytes(), KeyOrder::Utf16, LIMITS).is_err(), "{input}");
    }
}

#[test]
fn documents_of_the_matrix_specification() {
    let file = matrix();
    let cases: Vec<_> = file.root().member("cases").unwrap().elements().collect();
    assert_eq!(cases.len(), 10);
    for row in cases {
        let text = |key| row.member(key).unwrap().as_str().unwrap();
        check(&text("input_json_text"), KeyOrder::CodePoint, &text("canonical"), &text("canonical_hex"));
    }
}

#[test]
fn escapes_of_the_matrix_specification() {
    let file = matrix();
    let escapes: Vec<_> = file.root().member("escapes").unwrap().elements().collect();
    assert_eq!(escapes.len(), 39);
    for row in escapes {
        let point = u32::try_from(row.member("codepoint").unwrap().as_i64().unwrap()).unwrap();
        let character = char::from_u32(point).unwrap().to_string();
        let expected = row.member("json").unwrap().as_str().unwrap();
        let mut written = Vec::new();
        write_string(&mut written, &character);
        assert_eq!(written, expected.as_bytes(), "U+{point:04X}");
        let escaped: String = character.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        for source in [expected.to_string(), format!("\"{escaped}\"")] {
            let document = parse(source.as_bytes(), KeyOrder::CodePoint, LIMITS).unwrap();
            assert_eq!(document.text(), expected, "{source}");
            assert_eq!(document.root().as_str().unwrap(), character, "{source}");
        }
    }
}

/// Matrix forbids these values; here they are parsed, told apart as irregular, and refused by the events' schema.
#[test]
fn values_that_matrix_forbids_are_irregular() {
    let file = matrix();
    let mut seen = 0;
    for row in file.root().member("must_reject").unwrap().elements() {
        let input = row.member("input").unwrap().as_str().unwrap();
        match parse(input.as_bytes(), KeyOrder::CodePoint, LIMITS) {
            Ok(document) => assert!(document.root().irregular(), "{input}"),
            Err(error) => assert_eq!((&*input, error), ("{\"a\":NaN}", JsonError::Syntax(5))),
        }
        seen += 1;
    }
    for row in file.root().member("must_accept").unwrap().elements() {
        let input = row.member("input").unwrap().as_str().unwrap();
        let document = parse(input.as_bytes(), KeyOrder::CodePoint, LIMITS).unwrap();
        assert!(!document.root().irregular(), "{input}");
        assert_eq!(document.text(), input);
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// The Matrix column of this file judges parsed values: an integer spelled `1e10` is one, minus zero and 2^53 are not.
#[test]
fn differences_between_the_two_forms() {
    let file = vectors(include_str!("vectors/canonical-json-differences.json"));
    let cases: Vec<_> = file.root().member("cases").unwrap().elements().collect();
    assert_eq!(cases.len(), 11);
    for row in cases {
        let text = |key| row.member(key).unwrap().as_str();
        let (name, input) = (text("name").unwrap(), text("input_json_text").unwrap());
        check(&input, KeyOrder::Utf16, &text("jcs").unwrap(), &text("jcs_hex").unwrap());
        let document = parse(input.as_bytes(), KeyOrder::CodePoint, LIMITS).unwrap();
        match text("matrix") {
            Some(expected) => {
                check(&input, KeyOrder::CodePoint, &expected, &text("matrix_hex").unwrap());
                let alike = text("jcs").unwrap() == expected;
                assert_eq!(row.member("same").unwrap().as_bool(), Some(alike), "{name}");
                assert_eq!(document.root().sorts_alike(), alike, "{name}");
                let whole = document
                    .root()
                    .members()
                    .all(|member| member.value().kind() != Kind::Number || member.value().as_i64().is_some());
                assert!(whole, "{name}");
            }
            None => {
                assert!(document.root().irregular(), "{name}");
                let value = document.root().member("a").unwrap();
                assert!(value.as_i64().is_none() || &*name == "minus zero", "{name}");
            }
        }
    }
    assert_eq!(string(&file, &["source"]).map(|source| source.starts_with("derived here")), Some(true));
}
