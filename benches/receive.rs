//! What it costs a participant to take in what its hub sends: raw `/send` bodies of 50 messages by users of a third server,
//! each signed by that server and by the hub.
//!
//! Timed is everything from the request to its answer, as for `append`; of the hashes there are the event's ID, the content
//! hash, the LPDU hash and the LPDU's ID. An event needs two verifications, so the overhead ratio is the null run an event
//! divided by two of ed25519-dalek over the bytes that its sender signed, timed in turn.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]
#![allow(clippy::as_conversions, clippy::unreachable)]

mod report;
mod rig;

use report::{alternate, print, print_ratio, print_us, timed};
use rig::{EACH, FAR, Stage, expect_taken, yardstick};

/// Transactions of one sample.
const AT_ONCE: usize = 8;

/// Verifications that one event needs: its sender's and its hub's.
const SIGNATURES: f64 = 2.0;

const ROUNDS: usize = 60;

fn receive() {
    let stage = Stage::new();
    let transactions = stage.echoes(AT_ONCE + 1);
    let [first, rest @ ..] = transactions.as_slice() else { unreachable!() };
    let mut checked = false;
    let receiving = || {
        let mut part = stage.part();
        first.deliver(&mut part);
        let requests: Vec<_> = rest.iter().map(|transaction| transaction.request.clone()).collect();
        let took = timed(AT_ONCE * EACH, || requests.into_iter().for_each(|request| expect_taken(&mut part, request)));
        assert_eq!(part.told, EACH * (AT_ONCE + 1));
        if !checked {
            stage.check(&part, &transactions);
            checked = true;
        }
        took
    };
    let lpdus = stage.messages(FAR, 0, 1).remove(0).events;
    let mut verify = yardstick(&lpdus);
    let pair = alternate(ROUNDS, receiving, || verify() * SIGNATURES);
    if cfg!(feature = "null-crypto") {
        print_us("receive_null_crypto", pair.first);
        print_ratio("receive_overhead_ratio", &pair);
    } else {
        print_us("receive", pair.first);
        print("receive_events_per_second", &format!("{:.0}", 1e6 / pair.first), "events/s");
    }
}

#[cfg(target_family = "wasm")]
#[wasm_bindgen_test::wasm_bindgen_test]
fn run() {
    receive();
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    receive();
}
