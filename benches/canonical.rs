//! Canonical form of 1 KB events: ours (bytes and table) against serde_json with ruma's canonical JSON.
//!
//! Each measured pair is first checked to give the same bytes. Prints `bench NAME VALUE UNIT` lines.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(target_family = "wasm", no_main)]
#![cfg(not(target_family = "wasm"))]

mod report;

use criterion::Criterion;
use hublet::json::{KeyOrder, Limits, parse};
use report::{alternate, print_ratio, print_us, timed};
use ruma_common::CanonicalJsonValue;
use std::hint::black_box;

const LIMITS: Limits = Limits { bytes: 65_536, depth: 512 };

/// Which of an event's members stands at a place.
type Placing = fn(usize) -> usize;

/// PDUs of 1,000 to 1,200 bytes as they are sent between servers, members in the order given.
fn events(place: Placing) -> Vec<Vec<u8>> {
    (0..50).map(|at| event(at, place)).collect()
}

fn event(at: usize, place: Placing) -> Vec<u8> {
    let hash = |salt: usize| -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..43).map(|place| char::from(alphabet[(at * 31 + salt * 17 + place * (salt + 7)) % 64])).collect()
    };
    let signature = |salt| format!("{}{}", hash(salt), hash(salt + 1));
    let body = format!(
        "Message {at}: the café opens at nine, says \\\"Ann\\\".\\nBring the plans, {}",
        "please ".repeat(12 + at % 8)
    );
    let members = [
        format!("\"auth_events\":[\"${}\",\"${}\",\"${}\"]", hash(1), hash(2), hash(3)),
        format!(
            "\"content\":{{\"body\":\"{body}\",\"m.mentions\":{{\"user_ids\":[\"@bob:two.example.org\"]}},\"msgtype\":\"m.text\"}}"
        ),
        format!("\"hashes\":{{\"lpdu\":{{\"sha256\":\"{}\"}},\"sha256\":\"{}\"}}", hash(4), hash(5)),
        "\"hub_server\":\"hub.example.org\"".to_string(),
        format!("\"origin_server_ts\":{}", 1_790_000_000_000_u64 + u64::try_from(at).unwrap()),
        format!("\"prev_events\":[\"${}\"]", hash(6)),
        "\"room_id\":\"!dGhlIHJvb20gd2l0aCBhIHZpZXc:hub.example.org\"".to_string(),
        "\"sender\":\"@ann:one.example.org\"".to_string(),
        format!(
            "\"signatures\":{{\"hub.example.org\":{{\"ed25519:1\":\"{}\"}},\"one.example.org\":{{\"ed25519:a_1\":\"{}\"}}}}",
            signature(7),
            signature(9)
        ),
        "\"type\":\"m.room.message\"".to_string(),
    ];
    let placed: Vec<_> = (0..members.len()).map(|at| members[place(at)].clone()).collect();
    format!("{{{}}}", placed.join(",")).into_bytes()
}

fn ours(text: &[u8], order: KeyOrder) -> hublet::json::Document {
    parse(text, order, LIMITS).expect("an event")
}

fn theirs(text: &[u8]) -> Vec<u8> {
    let value: CanonicalJsonValue = serde_json::from_slice(text).expect("an event");
    serde_json::to_vec(&value).expect("a value")
}

/// Microseconds a text, over some rounds of all.
fn over(texts: &[Vec<u8>], work: impl Fn(&[u8])) -> f64 {
    const ROUNDS: usize = 20;
    timed(ROUNDS * texts.len(), || (0..ROUNDS).flat_map(|_| texts).for_each(|text| work(text)))
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().warm_up_time(std::time::Duration::from_millis(300));
    criterion = criterion.measurement_time(std::time::Duration::from_secs(2)).sample_size(30);
    let shapes: [(&str, Placing); 2] = [("sorted", |at| at), ("unsorted", |at| (at * 7 + 3) % 10)];
    for (shape, place) in shapes {
        let events = events(place);
        for event in &events {
            assert!((1_000..=1_200).contains(&event.len()), "{} bytes", event.len());
            let document = ours(event, KeyOrder::CodePoint);
            assert_eq!(document.bytes(), theirs(event), "the same canonical form");
            assert_eq!(document, ours(event, KeyOrder::Utf16));
            assert_eq!(document.root().len(), 10);
            assert_eq!(document.bytes() == *event, shape == "sorted");
        }
        let one = &events[7];
        criterion.bench_function(&format!("canonical_{shape}"), |b| b.iter(|| ours(black_box(one), KeyOrder::Utf16)));
        criterion.bench_function(&format!("canonical_{shape}_ruma"), |b| b.iter(|| theirs(black_box(one))));
        let our_time = || over(&events, |event| drop(black_box(ours(black_box(event), KeyOrder::Utf16))));
        let their_time = || over(&events, |event| drop(black_box(theirs(black_box(event)))));
        let pair = alternate(100, their_time, our_time);
        print_us(&format!("canonical_{shape}"), pair.second);
        print_us(&format!("canonical_{shape}_ruma"), pair.first);
        print_ratio(if shape == "sorted" { "canonical_ratio" } else { "canonical_ratio_unsorted" }, &pair);
    }
    // A transaction's body, whose events are then taken out as documents of their own.
    let pdus: Vec<_> = events(|at| at).iter().map(|event| String::from_utf8(event.clone()).unwrap()).collect();
    let body = format!("{{\"edus\":[],\"pdus\":[{}]}}", pdus.join(",")).into_bytes();
    let split = |body: &[u8]| -> Vec<hublet::json::Document> {
        let document = ours(body, KeyOrder::Utf16);
        let pdus = document.root().member("pdus").expect("pdus");
        pdus.elements().map(hublet::json::Value::to_document).collect()
    };
    assert!(split(&body).iter().zip(&pdus).all(|(document, pdu)| document.text() == pdu));
    let bodies = std::slice::from_ref(&body);
    let whole = || over(bodies, |body| drop(black_box(split(black_box(body)))));
    let pair = alternate(100, whole, || over(bodies, |body| drop(black_box(ours(black_box(body), KeyOrder::Utf16)))));
    print_us("canonical_send_body_per_event", pair.first / 50.0);
    criterion.final_summary();
}
