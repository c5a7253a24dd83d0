//! Any text, spelled in any way, against serde_json and a canonical form written as plainly as RFC 8785 reads (spec, 3.1).
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use hublet::json::{Document, JsonError, KeyOrder, Kind, Limits, Value, compare_keys, parse};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use std::{collections::BTreeMap, fmt::Write};

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 512 };
const ORDERS: [KeyOrder; 2] = [KeyOrder::Utf16, KeyOrder::CodePoint];

/// A value before it is spelled; a number is its literal, the keys of an object differ.
#[derive(Clone, Debug)]
enum Tree {
    Word(&'static str),
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

fn text() -> impl Strategy<Value = String> {
    // Around every edge: escapes, lengths of UTF-8, surrogates, and where the two key orders part.
    let letter = proptest::sample::select(
        "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{e}\u{1f} !\"#/09A[\\]abz\u{7f}\u{80}é\u{7ff}\u{800}€\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}😀\u{10ffff}"
            .chars()
            .collect::<Vec<_>>(),
    );
    prop_oneof![
        proptest::collection::vec(letter.clone(), 0..5).prop_map(String::from_iter),
        proptest::collection::vec(prop_oneof![20 => proptest::char::range('a', 'z'), 1 => letter], 0..40)
            .prop_map(String::from_iter),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i16>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        (-2_i64..3, any::<bool>()).prop_map(|(by, minus)| format!(
            "{}{}",
            if minus { "-" } else { "" },
            9_007_199_254_740_991 + by
        )),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?"
            .prop_filter("finite", |literal| literal.parse::<f64>().unwrap().is_finite()),
        Just("-0".to_string()),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        proptest::sample::select(vec!["null", "true", "false"]).prop_map(Tree::Word),
        number().prop_map(Tree::Number),
        text().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::Array),
            proptest::collection::btree_map(text(), inner, 0..8).prop_map(Tree::Object),
        ]
    })
}

/// Spells a tree as JSON text.
struct Speller {
    random: u64,
    /// 0: canonically but for the order of keys; n ≥ 2: every n-th chance of white space or an escape is taken.
    freedom: u64,
    out: String,
    /// Whether the value at each path is irregular.
    irregular: BTreeMap<String, bool>,
}

impl Speller {
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn often(&mut self) -> bool {
        self.freedom > 1 && self.below(self.freedom) == 0
    }

    fn space(&mut self) {
        while self.often() {
            let space = [' ', '\n', '\t', '\r'][usize::try_from(self.below(4)).unwrap()];
            self.out.push(space);
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            if self.often() {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let upper = self.often();
                    write!(self.out, "{}", if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") })
                        .unwrap();
                }
            } else if letter == '/' && self.often() {
                self.out.push_str("\\/");
            } else {
                let quoted = serde_json::to_string(&letter.to_string()).unwrap();
                self.out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        self.out.push('"');
    }

    fn spell(&mut self, tree: &Tree, path: &str) -> bool {
        let mut irregular = false;
        match tree {
            Tree::Word(word) => self.out.push_str(word),
            Tree::Number(literal) => {
                self.out.push_str(literal);
                let safe = literal.parse().is_ok_and(|number: i128| number.abs() <= 9_007_199_254_740_991);
                irregular = !safe || literal == "-0";
            }
            Tree::Text(text) => self.string(text),
            Tree::Array(elements) => {
                self.out.push('[');
                self.space();
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                        self.space();
                    }
                    irregular |= self.spell(element, &format!("{path}/{at}"));
                    self.space();
                }
                self.out.push(']');
            }
            Tree::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if self.below(2) == 0 {
                    for at in 1..members.len() {
                        let with = usize::try_from(self.below(u64::try_from(at).unwrap() + 1)).unwrap();
                        members.swap(at, with);
                    }
                }
                self.out.push('{');
                self.space();
                for (at, (key, value)) in members.into_iter().enumerate() {
                    if at > 0 {
                        self.out.push(',');
                        self.space();
                    }
                    self.string(key);
                    self.space();
                    self.out.push(':');
                    self.space();
                    irregular |= self.spell(value, &format!("{path}/{key:?}"));
                    self.space();
                }
                self.out.push('}');
            }
        }
        self.irregular.insert(path.to_string(), irregular);
        irregular
    }
}

fn spelled(tree: &Tree, random: u64, freedom: u64) -> (String, BTreeMap<String, bool>) {
    let mut speller = Speller { random, freedom, out: String::new(), irregular: BTreeMap::new() };
    speller.space();
    speller.spell(tree, "");
    speller.space();
    (speller.out, speller.irregular)
}

/// ECMAScript's Number::toString, step by step, with as few digits as Rust finds that it takes.
fn reference_number(double: f64) -> String {
    if double == 0.0 {
        return "0".to_string();
    }
    let shortest = format!("{:e}", double.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap();
    // Of several that are as short ECMAScript takes the closest, and of two as close the even one; Rust may take the odd one.
    let closest = format!("{:.*e}", mantissa.len().saturating_sub(2), double.abs());
    let (mantissa, exponent) = match closest.split_once('e') {
        Some(closer) if closest.parse() == Ok(double.abs()) => closer,
        _ => (mantissa, exponent),
    };
    let digits = mantissa.replace('.', "");
    let k = i32::try_from(digits.len()).unwrap();
    let n = exponent.parse::<i32>().unwrap() + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap());
    let text = if k <= n && n <= 21 {
        format!("{digits}{}", zeros(n - k))
    } else if 0 < n && n <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(n).unwrap());
        format!("{whole}.{fraction}")
    } else if -6 < n && n <= 0 {
        format!("0.{}{digits}", zeros(-n))
    } else {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{first}{point}{rest}e{}{}", if n > 0 { "+" } else { "-" }, (n - 1).abs())
    };
    if double < 0.0 { format!("-{text}") } else { text }
}

fn sorted(members: &serde_json::Map<String, serde_json::Value>, order: KeyOrder) -> Vec<&String> {
    let mut keys: Vec<_> = members.keys().collect();
    match order {
        KeyOrder::Utf16 => keys.sort_by_key(|key| key.encode_utf16().collect::<Vec<_>>()),
        KeyOrder::CodePoint => keys.sort_by_key(|key| key.chars().collect::<Vec<_>>()),
    }
    keys
}

fn reference(value: &serde_json::Value, order: KeyOrder) -> String {
    match value {
        serde_json::Value::Number(number) => reference_number(number.as_f64().unwrap()),
        serde_json::Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| reference(element, order)).collect();
            format!("[{}]", elements.join(","))
        }
        serde_json::Value::Object(members) => {
            let member =
                |key: &&String| format!("{}:{}", serde_json::to_string(key).unwrap(), reference(&members[*key], order));
            format!("{{{}}}", sorted(members, order).iter().map(member).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn reference_depth(value: &serde_json::Value) -> u16 {
    match value {
        serde_json::Value::Array(elements) => 1 + elements.iter().map(reference_depth).max().unwrap_or(0),
        serde_json::Value::Object(members) => 1 + members.values().map(reference_depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn reference_sorts_alike(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(elements) => elements.iter().all(reference_sorts_alike),
        serde_json::Value::Object(members) => {
            sorted(members, KeyOrder::Utf16) == sorted(members, KeyOrder::CodePoint)
                && members.values().all(reference_sorts_alike)
        }
        _ => true,
    }
}

/// Everything a view tells, for it and all that lies inside, against what serde_json read from the same text.
fn check_view(
    view: Value<'_>,
    value: &serde_json::Value,
    order: KeyOrder,
    path: &str,
    irregular: &BTreeMap<String, bool>,
) {
    assert_eq!(view.text(), reference(value, order));
    assert_eq!(view.bytes(), view.text().as_bytes());
    assert_eq!((view.depth(), view.sorts_alike()), (reference_depth(value), reference_sorts_alike(value)), "{path}");
    assert_eq!(view.irregular(), irregular[path], "{path}");
    assert_eq!(view.as_str().as_deref(), value.as_str());
    assert_eq!(view.as_bool(), value.as_bool());
    assert_eq!(view.is_null(), value.is_null());
    assert_eq!(view.as_f64().map(|double| double + 0.0), value.as_f64().map(|double| double + 0.0));
    let whole = value.as_f64().filter(|double| double.fract() == 0.0 && double.abs() <= 9_007_199_254_740_991.0);
    assert_eq!(view.as_i64(), whole.map(|double| format!("{double:.0}").parse().unwrap()));
    match value {
        serde_json::Value::Array(elements) => {
            assert_eq!((view.kind(), view.len(), view.is_empty()), (Kind::Array, elements.len(), elements.is_empty()));
            assert_eq!(view.elements().count(), elements.len());
            for (at, (view, value)) in view.elements().zip(elements).enumerate() {
                check_view(view, value, order, &format!("{path}/{at}"), irregular);
            }
        }
        serde_json::Value::Object(members) => {
            assert_eq!((view.kind(), view.len(), view.is_empty()), (Kind::Object, members.len(), members.is_empty()));
            let keys = sorted(members, order);
            assert!(keys.is_sorted_by(|one, other| compare_keys(one, other, order).is_lt()));
            assert!(view.members().map(|member| member.key().into_owned()).eq(keys.iter().map(|key| (*key).clone())));
            for member in view.members() {
                let key = member.key();
                check_view(member.value(), &members[&*key], order, &format!("{path}/{key:?}"), irregular);
                assert_eq!(view.member(&key), Some(member.value()));
                let start = usize::try_from(member.span().start - view.span().start).unwrap();
                let end = usize::try_from(member.span().end - view.span().start).unwrap();
                assert_eq!(
                    view.text()[start..end],
                    format!("{}:{}", serde_json::to_string(&*key).unwrap(), member.value().text())
                );
            }
            assert_eq!(view.member("no such key"), None);
        }
        _ => {
            assert_eq!((view.elements().count(), view.members().count(), view.len(), view.is_empty()), (0, 0, 0, true))
        }
    }
}

/// All that a document's table says, in order.
fn table(value: Value<'_>, rows: &mut Vec<(Kind, std::ops::Range<u32>, u16, bool, String)>) {
    rows.push((value.kind(), value.span(), value.depth(), value.sorts_alike(), value.text().to_string()));
    value.elements().for_each(|element| table(element, rows));
    for member in value.members() {
        rows.push((Kind::String, member.key_span(), 0, true, member.key().into_owned()));
        table(member.value(), rows);
    }
}

fn rows(document: &Document) -> Vec<(Kind, std::ops::Range<u32>, u16, bool, String)> {
    let mut rows = Vec::new();
    table(document.root(), &mut rows);
    rows
}

/// A value and each value inside, taken out, is the same as its canonical bytes parsed.
fn check_parts(value: Value<'_>, order: KeyOrder) {
    let part = value.to_document();
    let parsed = parse(value.bytes(), order, LIMITS).unwrap();
    assert_eq!(part, parsed);
    assert_eq!(rows(&part), rows(&parsed));
    assert_eq!(part.root().irregular(), value.irregular());
    value.elements().for_each(|element| check_parts(element, order));
    value.members().for_each(|member| check_parts(member.value(), order));
}

/// What our parser says of a text has to follow from what serde_json says of it.
fn check_acceptance(text: &[u8]) {
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    for order in ORDERS {
        match parse(text, order, LIMITS) {
            Ok(document) => assert_eq!(document.text(), reference(theirs.as_ref().unwrap(), order)),
            Err(JsonError::DuplicateKey(_)) => assert!(theirs.is_ok(), "{}", String::from_utf8_lossy(text)),
            Err(_) => assert!(theirs.is_err(), "{}", String::from_utf8_lossy(text)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn canonical_form_and_views(tree in tree(), random in any::<u64>(), freedom in prop_oneof![Just(0), 2_u64..8]) {
        let (text, irregular) = spelled(&tree, random, freedom);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for order in ORDERS {
            let document = parse(text.as_bytes(), order, LIMITS).unwrap();
            prop_assert_eq!(document.text(), reference(&value, order));
            check_view(document.root(), &value, order, "", &irregular);
            check_parts(document.root(), order);
            let again = parse(document.bytes(), order, LIMITS).unwrap();
            prop_assert_eq!(rows(&again), rows(&document));
            prop_assert_eq!(again.into_bytes(), document.bytes());
        }
    }

    #[test]
    fn canonical_form_does_not_depend_on_the_other_order(tree in tree(), random in any::<u64>()) {
        let (text, _) = spelled(&tree, random, 4);
        for (order, other) in [(ORDERS[0], ORDERS[1]), (ORDERS[1], ORDERS[0])] {
            let direct = parse(text.as_bytes(), order, LIMITS).unwrap();
            let detour = parse(parse(text.as_bytes(), other, LIMITS).unwrap().bytes(), order, LIMITS).unwrap();
            prop_assert_eq!(rows(&direct), rows(&detour));
        }
    }

    #[test]
    fn damaged_texts_are_accepted_as_serde_json_does(
        tree in tree(),
        random in any::<u64>(),
        edits in proptest::collection::vec((any::<u16>(), 0..3_u8, proptest::sample::select(
            b"\"\"\"\\\\{}[]:,,truefalsn0123456789-+.eE \t\n/ud8DcC\x00\x1f\x7f\x80\xbf\xc3\xe2\xed\xf0\xff".to_vec(),
        )), 1..4),
    ) {
        let mut text = spelled(&tree, random, 5).0.into_bytes();
        for (at, edit, byte) in edits {
            let at = usize::from(at) % (text.len() + 1);
            match edit {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => { text.remove(at); }
                _ => text.push(byte),
            }
        }
        check_acceptance(&text);
    }

    #[test]
    fn noise_is_accepted_as_serde_json_does(
        text in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "null", "true", "false", "0", "-", "1", ".5", "e3", " ", "\\", "\\u00e9", "\\ud83d", "\\ude00",
        ]), 0..12),
    ) {
        check_acceptance(text.concat().as_bytes());
    }
}
