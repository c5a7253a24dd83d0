//! What it costs a hub to append: raw `/send` bodies of 50 messages from one peer, into a room of 20 members.
//!
//! Timed is everything from the request to its answer: routing, the X-Matrix header, parsing, schema, known identifiers,
//! LPDU hashes and IDs, signatures, rules, links, hashes, the hub's signatures, one batch, its commit to a store in memory,
//! what local users are told, and the answer. Not timed: making the requests, the first one, which opens the machines, and
//! sending on, which is a request of its own.
//!
//! With the feature `null-crypto` the same work is done without Ed25519. Divided by one `verify` of ed25519-dalek over the
//! bytes that an event's sender signed, timed in turn, that says how much the rest weighs.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]
#![allow(clippy::as_conversions, clippy::unreachable)]

mod report;
mod rig;

use report::{alternate, print, print_ratio, print_us, timed};
use rig::{EACH, PART, Stage, end, expect_taken, yardstick};

/// Transactions of one sample.
const AT_ONCE: usize = 8;

const ROUNDS: usize = 60;

fn append() {
    let stage = Stage::new();
    let transactions = stage.messages(PART, 0, AT_ONCE + 1);
    let [first, rest @ ..] = transactions.as_slice() else { unreachable!() };
    let mut checked = false;
    let appending = || {
        let mut hub = stage.hub();
        first.deliver(&mut hub);
        let requests: Vec<_> = rest.iter().map(|transaction| transaction.request.clone()).collect();
        let took = timed(AT_ONCE * EACH, || requests.into_iter().for_each(|request| expect_taken(&mut hub, request)));
        if !checked {
            stage.check(&hub, &transactions);
            checked = true;
        }
        let grown = end(&hub.stores[&stage.address()]) - end(stage.room());
        assert_eq!(grown, (EACH * (AT_ONCE + 1)) as i64);
        took
    };
    let pair = alternate(ROUNDS, appending, yardstick(&first.events));
    print_us("ed25519_dalek_verify_signing_input", pair.second);
    if cfg!(feature = "null-crypto") {
        print_us("append_null_crypto", pair.first);
        print_ratio("append_overhead_ratio", &pair);
    } else {
        print_us("append", pair.first);
        print("append_events_per_second", &format!("{:.0}", 1e6 / pair.first), "events/s");
    }
}

#[cfg(target_family = "wasm")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn run() {
    append();
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    append();
}
