//! Canonical form in code-point order against ruma, on values that Matrix events may hold (spec, 3.1).
#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use hublet::json::{KeyOrder, Limits, Value, parse, write_array, write_object, write_string};
use ruma_common::CanonicalJsonValue;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 512 };
const SEED: u64 = 0x6875_626c_6574;

/// A repeatable source of values: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn integer(&mut self) -> i64 {
        const SAFE: i64 = 9_007_199_254_740_991;
        match self.below(4) {
            0 => i64::try_from(self.below(200)).unwrap() - 100,
            1 => SAFE - i64::try_from(self.below(3)).unwrap(),
            2 => i64::try_from(self.below(3)).unwrap() - SAFE,
            _ => i64::try_from(self.next() >> 11).unwrap() - SAFE / 2,
        }
        .clamp(-SAFE, SAFE)
    }

    fn text(&mut self) -> String {
        let letters: Vec<char> =
            "abcdefgh.:_@\"\\/\0\u{8}\t\n\u{c}\r\u{1f} \u{7f}é€\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}😀"
                .chars()
                .collect();
        let (length, kinds) = (self.below(12), if self.below(3) == 0 { letters.len() } else { 12 });
        (0..length).map(|_| letters[self.below(kinds)]).collect()
    }

    fn value(&mut self, depth: usize) -> serde_json::Value {
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => serde_json::Value::Null,
            1 => self.below(2).eq(&0).into(),
            2 => self.integer().into(),
            3 | 4 => self.text().into(),
            5 | 6 => (0..self.below(5)).map(|_| self.value(depth - 1)).collect(),
            _ => self.object(depth),
        }
    }

    fn object(&mut self, depth: usize) -> serde_json::Value {
        let members: serde_json::Map<_, _> = (0..self.below(7)).map(|_| (self.text(), self.value(depth - 1))).collect();
        members.into()
    }
}

/// The value as our writers put it down, in UTF-16 order.
fn written(value: Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) => write_string(&mut out, &text),
        (_, Some(number)) => write_array(&mut out, |array| array.int(number)),
        _ if value.members().next().is_some() => write_object(&mut out, |object| {
            value.members().for_each(|member| object.raw(&member.key(), &written(member.value())));
        }),
        _ if value.elements().next().is_some() => write_array(&mut out, |array| {
            value.elements().for_each(|element| array.raw(&written(element)));
        }),
        _ => out.extend_from_slice(value.bytes()),
    }
    // The array was only there to write a bare number through the public door.
    if value.as_i64().is_some() { out[1..out.len() - 1].to_vec() } else { out }
}

#[test]
fn ten_thousand_values_have_the_same_canonical_form() {
    println!("seed {SEED:#x}");
    let mut random = Random(SEED);
    let (mut bytes, mut orders_differ) = (0, 0);
    for round in 0..10_000 {
        let value = random.object(4);
        let ours = |order| {
            // The compact text is in serde_json's order, the pretty one also has white space everywhere.
            let text =
                if round % 2 == 0 { serde_json::to_string(&value) } else { serde_json::to_string_pretty(&value) };
            parse(text.unwrap().as_bytes(), order, LIMITS).unwrap()
        };
        let by_point = ours(KeyOrder::CodePoint);
        let theirs = serde_json::to_string(&CanonicalJsonValue::try_from(value.clone()).unwrap()).unwrap();
        assert_eq!(by_point.text(), theirs, "round {round}");
        assert!(!by_point.root().irregular(), "round {round}");
        let by_unit = ours(KeyOrder::Utf16);
        assert_eq!(by_unit == by_point, by_unit.root().sorts_alike(), "round {round}");
        assert_eq!(written(by_unit.root()), by_unit.bytes(), "round {round}");
        bytes += theirs.len();
        orders_differ += usize::from(by_unit != by_point);
    }
    // The values are worth comparing: not all empty, and the two orders part now and then.
    assert!(bytes > 500_000, "{bytes} bytes");
    assert!(orders_differ > 50, "{orders_differ} values differ by order");
}
