//! Each malformed text, the exact error and its offset (spec, 3.1).
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use hublet::json::{JsonError, KeyOrder, Limits, parse};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 512 };

fn check(text: &[u8], expected: JsonError) {
    for order in [KeyOrder::Utf16, KeyOrder::CodePoint] {
        assert_eq!(parse(text, order, LIMITS), Err(expected), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn grammar() {
    for (text, at) in [
        ("", 0),
        (" \n", 2),
        ("\u{feff}{}", 0),
        ("\0", 0),
        ("{", 1),
        ("[", 1),
        ("[1", 2),
        ("[1,", 3),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("[1}", 2),
        ("{]", 1),
        ("{\"a\":1]", 6),
        ("{\"a\"", 4),
        ("{\"a\":", 5),
        ("{\"a\":}", 5),
        ("{\"a\":1", 6),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{\"a\",1}", 4),
        ("{a:1}", 1),
        ("{1:1}", 1),
        ("{null:1}", 1),
        ("{'a':1}", 1),
        ("{,}", 1),
        ("]", 0),
        ("}", 0),
        (",", 0),
        (":", 0),
        ("tru", 3),
        ("trUe", 2),
        ("True", 0),
        ("nul", 3),
        ("fals", 4),
        ("NaN", 0),
        ("Infinity", 0),
        ("-Infinity", 1),
        ("undefined", 0),
        ("// x\n1", 0),
        ("\u{a0}1", 0),
    ] {
        check(text.as_bytes(), JsonError::Syntax(at));
    }
}

#[test]
fn trailing_bytes() {
    for (text, at) in [
        ("{}{}", 2),
        ("1 2", 2),
        ("[] ,", 3),
        ("null\0", 4),
        ("\"a\"b", 3),
        ("{}]", 2),
        ("truely", 4),
        ("[1]\u{b}", 3),
        ("1e1.", 3),
        ("0x10", 1),
        ("1_000", 1),
    ] {
        check(text.as_bytes(), JsonError::TrailingBytes(at));
    }
}

#[test]
fn numbers() {
    for (text, at) in [
        ("-", 1),
        ("+1", 0),
        ("01", 1),
        ("-01", 2),
        ("00", 1),
        ("[00.5]", 2),
        ("1.", 2),
        ("1.e5", 2),
        (".5", 0),
        ("-.5", 1),
        ("1e", 2),
        ("1e+", 3),
        ("1E-", 3),
        ("--1", 1),
        ("-a", 1),
        ("[1.]", 3),
    ] {
        check(text.as_bytes(), JsonError::Syntax(at));
    }
    for (text, at) in [("1e400", 0), ("[-1e400]", 1), ("1.8e308", 0), ("[0,1E999999999999999999999]", 3)] {
        check(text.as_bytes(), JsonError::NumberRange(at));
    }
    let digits = "9".repeat(400);
    check(digits.as_bytes(), JsonError::NumberRange(0));
}

#[test]
fn numbers_that_events_refuse_are_irregular_and_no_others() {
    for (text, canonical) in [
        ("-0", "0"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("0e0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E2", "100"),
        ("10e-1", "1"),
        ("1.5", "1.5"),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("9007199254740993", "9007199254740992"),
        ("10000000000000000", "10000000000000000"),
        ("18446744073709551616", "18446744073709552000"),
        ("18446744073709551617", "18446744073709552000"),
        ("100000000000000000000000", "1e+23"),
        ("1e-400", "0"),
        ("1e-99999999999999999999999", "0"),
        ("0e99999999999999999999999", "0"),
        ("0.00000000000000000000000000000001e32", "1"),
        ("60000000000000020000000e-8", "600000000000000.2"),
        ("600000000000000.3", "600000000000000.2"),
        ("10605409969278992159931891712", "1.060540996927899e+28"),
        ("10605409969278992159931891713", "1.0605409969278993e+28"),
        ("-1e-400", "0"),
        ("5e-324", "5e-324"),
        ("1e+21", "1e+21"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
    ] {
        let document = parse(text.as_bytes(), KeyOrder::Utf16, LIMITS).unwrap();
        assert_eq!((document.text(), document.root().irregular()), (canonical, true), "{text}");
        let wrapped = format!("[[0,{{\"a\":[{text}]}}],1]");
        let document = parse(wrapped.as_bytes(), KeyOrder::Utf16, LIMITS).unwrap();
        let flags: Vec<_> = document.root().elements().map(|element| element.irregular()).collect();
        assert_eq!((document.root().irregular(), flags), (true, vec![true, false]), "{wrapped}");
    }
    for text in ["0", "1", "-1", "10", "9007199254740991", "-9007199254740991", "999999999999999", "1000000000000000"] {
        let document = parse(text.as_bytes(), KeyOrder::Utf16, LIMITS).unwrap();
        assert_eq!((document.text(), document.root().irregular()), (text, false));
        assert_eq!(document.root().as_i64(), text.parse().ok());
    }
}

#[test]
fn strings() {
    for (text, at) in [
        ("\"", 1),
        ("\"abc", 4),
        ("\"abcdefghijklmnop", 17),
        ("\"a\\", 3),
        ("\"a\\\"", 4),
        ("\"\\x\"", 2),
        ("\"\\'\"", 2),
        ("\"\\U0041\"", 2),
        ("\"\\u\"", 3),
        ("\"\\u004\"", 6),
        ("\"\\u00g0\"", 5),
        ("\"\\u+041\"", 3),
        ("\"\\u00", 5),
        ("\"\\ud83d\\u00zz\"", 11),
        ("\"\t\"", 1),
        ("\"\n\"", 1),
        ("\"\0\"", 1),
        ("\"\u{1f}\"", 1),
        ("\"abcdefgh\u{1f}\"", 9),
        ("{\"a\nb\":1}", 3),
    ] {
        check(text.as_bytes(), JsonError::Syntax(at));
    }
    for byte in 0..0x20_u8 {
        for place in 0..20 {
            let mut text = b"\"abcdefghijklmnopqrst\"".to_vec();
            text[place + 1] = byte;
            check(&text, JsonError::Syntax(u32::try_from(place + 1).unwrap()));
        }
    }
}

#[test]
fn lone_surrogates() {
    for (text, at) in [
        (r#""\ud800""#, 1),
        (r#""\uDBFF""#, 1),
        (r#""\udc00""#, 1),
        (r#""\uDFFF""#, 1),
        (r#""ab\ud83d""#, 3),
        (r#""\ud83dx""#, 1),
        (r#""\ud83d\n""#, 1),
        (r#""\ud83d\u0041""#, 1),
        (r#""\ud83d\ud83d\ude00""#, 1),
        (r#""\ude00\ud83d""#, 1),
        (r#""\ud83d\ude00\ude00""#, 13),
        (r#""\ud83d \ude00""#, 1),
        (r#"{"\ud800":1}"#, 2),
        (r#"{"a":1,"b\udc00":1}"#, 9),
        (r#""\ud800"#, 1),
        (r#""\ud800\"#, 1),
    ] {
        check(text.as_bytes(), JsonError::LoneSurrogate(at));
    }
}

#[test]
fn bad_utf8() {
    for (bytes, name) in [
        (&b"\x80"[..], "a continuation byte alone"),
        (b"\xc0\x80", "overlong NUL"),
        (b"\xc1\xbf", "overlong in two bytes"),
        (b"\xe0\x9f\xbf", "overlong in three bytes"),
        (b"\xf0\x8f\xbf\xbf", "overlong in four bytes"),
        (b"\xed\xa0\x80", "an encoded high surrogate"),
        (b"\xed\xbf\xbf", "an encoded low surrogate"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "an encoded pair"),
        (b"\xf4\x90\x80\x80", "beyond U+10FFFF"),
        (b"\xf5\x80\x80\x80", "a first byte beyond all"),
        (b"\xff", "no first byte at all"),
        (b"\xe2\x82", "truncated"),
        (b"\xf0\x9f\x98", "truncated before the last"),
    ] {
        for (before, after) in
            [("\"", "\""), ("\"", ""), ("{\"key\": \"abcdefgh€", "\"}"), ("{\"", "\":0}"), ("", ""), ("[1] ", " ")]
        {
            let text = [before.as_bytes(), bytes, after.as_bytes()].concat();
            assert_eq!(
                parse(&text, KeyOrder::Utf16, LIMITS),
                Err(JsonError::BadUtf8(u32::try_from(before.len()).unwrap())),
                "{name} after {before}"
            );
        }
    }
    for good in
        ["\u{7f}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10000}", "\u{10ffff}"]
    {
        let text = format!("\"{good}\"");
        assert_eq!(parse(text.as_bytes(), KeyOrder::Utf16, LIMITS).unwrap().text(), text);
    }
}

#[test]
fn duplicate_keys() {
    for (text, at) in [
        (r#"{"a":1,"a":1}"#, 7),
        (r#"{"a":1,"b":2,"a":3}"#, 13),
        (r#"{"b":1,"a":2,"b":3}"#, 13),
        (r#"{"":1,"":2}"#, 6),
        (r#"{"a":1,"\u0061":2}"#, 7),
        (r#"{"\u0061":1,"a":2}"#, 12),
        (r#"{"\u0061":1,"\u0061":2}"#, 12),
        (r#"{"/":1,"\/":2}"#, 7),
        (r#"{"\n":1,"\u000A":2}"#, 8),
        (r#"{"\"":1,"\u0022":2}"#, 8),
        (r#"{"😀":1,"\ud83d\ude00":2}"#, 10),
        (r#"{"é":1,"z":0,"\u00e9":2}"#, 14),
        (r#"[{"x":{"y":[{"a":1, "a":{}}]}}]"#, 20),
        (r#"{"a":{"z":0},"a":{"z":0}}"#, 13),
        (r#"{"a":1,"a":2,"a":3}"#, 7),
    ] {
        check(text.as_bytes(), JsonError::DuplicateKey(at));
    }
    // The same key in two objects, a key and its decomposed form, and a key that only begins like another are no duplicates.
    for text in [
        r#"{"a":{"a":1},"b":{"a":1}}"#,
        "{\"é\":1,\"e\u{301}\":2}",
        r#"{"a":1,"aa":2,"\\a":3,"A":4}"#,
        r#"{"\\u0061":1,"a":2}"#,
    ] {
        assert!(parse(text.as_bytes(), KeyOrder::Utf16, LIMITS).is_ok(), "{text}");
    }
    // What breaks the grammar is told before what only sorting finds.
    check(br#"{"a":1,"a":2,}"#, JsonError::Syntax(13));
}

#[test]
fn depth() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize, inside: &str| format!("{}{inside}{}", open.repeat(levels), close.repeat(levels));
        let limits = |depth| Limits { bytes: 1 << 20, depth };
        for levels in [1_u16, 2, 3, 511, 512, 520] {
            let text = nested(levels.into(), "0");
            let document = parse(text.as_bytes(), KeyOrder::Utf16, limits(levels)).unwrap();
            assert_eq!((document.root().depth(), document.text()), (levels, &*text));
            let at = u32::try_from(open.len() * usize::from(levels - 1)).unwrap();
            assert_eq!(parse(text.as_bytes(), KeyOrder::Utf16, limits(levels - 1)), Err(JsonError::TooDeep(at)));
        }
        assert_eq!(parse(nested(0, "7").as_bytes(), KeyOrder::Utf16, limits(0)).unwrap().root().depth(), 0);
        // As deep as a limit can be, and loose, so that both passes meet the depth.
        let deep = nested(65_535, " 0");
        assert_eq!(parse(deep.as_bytes(), KeyOrder::Utf16, limits(u16::MAX)).unwrap().root().depth(), 65_535);
    }
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "[{\"a\":".repeat(50_000)] {
        assert!(matches!(parse(text.as_bytes(), KeyOrder::Utf16, LIMITS), Err(JsonError::TooDeep(_))));
    }
    check("[".repeat(100_000).as_bytes(), JsonError::TooDeep(512));
    // Breadth is no depth.
    let wide = format!("[{}[]]", "[],".repeat(1_000));
    assert_eq!(parse(wide.as_bytes(), KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 2 }).unwrap().root().depth(), 2);
}

#[test]
fn size() {
    let text = b"[1, 2, 3]";
    for bytes in 0..text.len() {
        let limits = Limits { bytes, depth: 512 };
        assert_eq!(parse(text, KeyOrder::Utf16, limits), Err(JsonError::TooLarge(u32::try_from(bytes).unwrap())));
    }
    assert!(parse(text, KeyOrder::Utf16, Limits { bytes: text.len(), depth: 512 }).is_ok());
    // Size is looked at before anything else.
    assert_eq!(parse(b"\xff\xff", KeyOrder::Utf16, Limits { bytes: 1, depth: 512 }), Err(JsonError::TooLarge(1)));
}

#[test]
fn messages() {
    for (error, message) in [
        (JsonError::TooLarge(7), "text longer than 7 bytes"),
        (JsonError::BadUtf8(7), "bad UTF-8 at byte 7"),
        (JsonError::Syntax(7), "bad syntax at byte 7"),
        (JsonError::LoneSurrogate(7), "lone surrogate at byte 7"),
        (JsonError::NumberRange(7), "number out of range at byte 7"),
        (JsonError::TooDeep(7), "nesting too deep at byte 7"),
        (JsonError::TrailingBytes(7), "trailing bytes at byte 7"),
        (JsonError::DuplicateKey(7), "duplicate key at byte 7"),
    ] {
        assert_eq!(error.to_string(), message);
    }
}
