//! Texts made to be slow: a text twelve times as large must not take much longer than twelve small ones (spec, 3.1).
#![cfg(not(target_family = "wasm"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use hublet::json::{Document, JsonError, KeyOrder, Limits, parse};
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits { bytes: 1 << 26, depth: 520 };
const TIMES: usize = 12;
/// Sorting adds a logarithm and caches their misses; quadratic behaviour would be 12.
const ALLOWED: u32 = 4;

fn time(text: &str, times: usize, check: fn(&Result<Document, JsonError>) -> bool) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        assert!(check(&parse(text.as_bytes(), KeyOrder::Utf16, LIMITS)), "{text:.100}");
    }
    start.elapsed()
}

/// `make` gives a text for a size; the larger size is `size`. What is quadratic fails every attempt, a busy machine only some.
fn check(name: &str, size: usize, make: fn(usize) -> String, check: fn(&Result<Document, JsonError>) -> bool) {
    let (small, large) = (make(size / TIMES), make(size));
    assert!(large.len() > small.len() * TIMES / 2, "{name} grows");
    let (mut twelve, mut one) = (Duration::MAX, Duration::MAX);
    for _ in 0..10 {
        twelve = twelve.min(time(&small, TIMES, check));
        one = one.min(time(&large, 1, check));
        if one < twelve.max(Duration::from_micros(100)) * ALLOWED {
            return;
        }
    }
    panic!("{name}: twelve small ones {twelve:?}, a large one {one:?}");
}

fn object(keys: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", keys.map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(","))
}

fn descending(count: usize) -> impl Iterator<Item = String> {
    (0..count).rev().map(|key| format!("{key:08}"))
}

/// A number from 0 to 2^20, in an order without runs.
fn scattered(at: usize) -> usize {
    at.wrapping_mul(0x9_e375) & 0xf_ffff
}

#[test]
fn one_object_of_100_000_keys() {
    check("ascending", 100_000, |count| object((0..count).map(|key| format!("{key:08}"))), Result::is_ok);
    check("descending", 16_000, |count| object(descending(count)), Result::is_ok);
    check("scattered", 40_000, |count| object((0..count).map(|at| format!("{:08}", scattered(at)))), Result::is_ok);
    check("escaped", 16_000, |count| object(descending(count).map(|key| format!("\\u0041{key}\\n"))), Result::is_ok);
    check(
        "organ pipe",
        16_000,
        |count| object((0..count).map(|at| format!("{:08}", (at * 2).min((count - at) * 2 - 1)))),
        Result::is_ok,
    );
}

#[test]
fn duplicates_among_many_keys() {
    let duplicate = |result: &Result<Document, JsonError>| matches!(result, Err(JsonError::DuplicateKey(_)));
    check(
        "the last like the first",
        16_000,
        |count| object((0..count).chain([0]).map(|key| format!("{key:08}"))),
        duplicate,
    );
    check("all alike", 16_000, |count| object((0..count).map(|_| "a".to_string())), duplicate);
    check(
        "alike once unescaped",
        16_000,
        |count| object(descending(count).chain([r"0000000\u0030".to_string()])),
        duplicate,
    );
}

#[test]
fn unsorted_keys_at_each_of_500_levels() {
    fn nest(width: usize) -> String {
        (0..500).fold("0".to_string(), |inside, _| {
            let others: Vec<_> = (0..width).rev().map(|key| format!("\"k{key}\": {key}")).collect();
            format!("{{\"n\":{inside},{}}}", others.join(","))
        })
    }
    check("width", 60, nest, Result::is_ok);
}

#[test]
fn deep_towers() {
    fn tower(levels: usize, value: &str) -> String {
        let inside = format!(" {value}");
        (0..levels).fold(inside, |inside, _| format!("{{\"b\":{inside},\"a\":0}}"))
    }
    check("depth", 516, |levels| tower(levels, "0"), Result::is_ok);
    check(
        "a large value under 500 levels",
        600_000,
        |size| tower(500, &format!("\"{}\"", "x".repeat(size))),
        Result::is_ok,
    );
    check("many towers", 120, |count| format!("[{}]", vec![tower(100, "1.50"); count].join(",")), Result::is_ok);
}

#[test]
fn long_scalars() {
    check("escapes", 30_000, |count| format!("\"{}\"", "\\u0041\\/\\ud83d\\ude00".repeat(count)), Result::is_ok);
    check("canonical escapes", 60_000, |count| format!("\"{}\"", "\\n\\u001f".repeat(count)), Result::is_ok);
    check(
        "an integer of many digits",
        1_000_000,
        |count| "9".repeat(count),
        |result| matches!(result, Err(JsonError::NumberRange(0))),
    );
    check("a fraction of many digits", 300_000, |count| format!("0.{}1", "0".repeat(count)), Result::is_ok);
    check("white space", 300_000, |count| format!("[{}]", " \n".repeat(count)), Result::is_ok);
    check(
        "keys with a long common beginning",
        1_200,
        |count| object(descending(count).map(|key| format!("{}{key}", "p".repeat(300)))),
        Result::is_ok,
    );
}

#[test]
fn many_small_values() {
    check("numbers", 200_000, |count| format!("[{}0]", "0,".repeat(count)), Result::is_ok);
    check("loose numbers", 60_000, |count| format!("[{}0]", "1e9,".repeat(count)), Result::is_ok);
    check("loose objects", 60_000, |count| format!("[{}0]", "{ },".repeat(count)), Result::is_ok);
}
