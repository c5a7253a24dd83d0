//! Rooms on bad networks, between servers that crash, under honest and hostile hubs: whatever happens follows from one seed.
//!
//! `SIM_SEEDS=100000` plays so many seeds, `SIM_SEED=7` plays one, both play so many from that one on; CONTRIBUTING.md has the whole commands.
#![allow(clippy::panic, clippy::unwrap_used)]

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::testing::sim::{self, Tally};

#[test]
fn under_honest_hubs_all_logs_are_one() {
    let (tally, seeds) = play("under_honest_hubs_all_logs_are_one", sim::honest);
    say("honest", &tally, seeds);
    let least =
        |count: u64, of: u64, what: &str| assert!(count * 10 >= of * seeds || seeds < 10, "too few {what}: {tally:?}");
    least(tally.appended, 400, "events");
    least(tally.refused, 100, "refusals");
    least(tally.restarts, 15, "restarts");
    least(tally.troubles, 300, "losses and delays");
    least(tally.denied, 20, "reads that were denied");
    least(tally.redacted * 2, 1, "redactions");
    least(tally.transfers * 4, 1, "hub transfers");
    assert_eq!((tally.forks, tally.holes, tally.rejected), (0, 0, 0));
}

#[test]
fn under_a_hostile_hub_nothing_invalid_is_shown_and_forks_are_proven() {
    let (tally, seeds) = play("under_a_hostile_hub_nothing_invalid_is_shown_and_forks_are_proven", sim::hostile);
    say("hostile", &tally, seeds);
    let least =
        |count: u64, of: u64, what: &str| assert!(count * 10 >= of * seeds || seeds < 10, "too few {what}: {tally:?}");
    least(tally.attacks, 150, "attacks");
    least(tally.forks, 10, "forks");
    least(tally.rejected, 1, "rejections");
    least(tally.holes * 2, 1, "holes");
}

/// Plays the seeds on all processors: what happened, and how many they were.
#[cfg(not(target_arch = "wasm32"))]
fn play(name: &str, run: fn(u64) -> Tally) -> (Tally, u64) {
    use std::{
        panic::catch_unwind,
        sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        },
        thread,
    };
    let variable = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, count) = match (variable("SIM_SEED"), variable("SIM_SEEDS")) {
        (Some(seed), count) => (seed, count.unwrap_or(1)),
        (None, count) => (1, count.unwrap_or(50)),
    };
    let (next, whole, failed) = (AtomicU64::new(first), Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    match catch_unwind(|| run(seed)) {
                        Ok(tally) => whole.lock().unwrap().add(&tally),
                        Err(_) => {
                            println!("SIM_SEED={seed} cargo test --test rooms_survive_bad_networks {name}");
                            failed.lock().unwrap().push(seed);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {count} seeds failed: {failed:?}", failed.len());
    (whole.into_inner().unwrap(), count)
}

/// Plays the seeds. A seed that fails is the last one that was named, since nothing here outlives a panic.
#[cfg(target_arch = "wasm32")]
fn play(name: &str, run: fn(u64) -> Tally) -> (Tally, u64) {
    let (mut whole, count) = (Tally::default(), 50);
    for seed in 1..=count {
        wasm_bindgen_test::console_log!("SIM_SEED={seed} cargo test --test rooms_survive_bad_networks {name}");
        whole.add(&run(seed));
    }
    (whole, count)
}

fn say(name: &str, tally: &Tally, seeds: u64) {
    #[cfg(not(target_arch = "wasm32"))]
    println!("{name}, {seeds} seeds: {tally:?}");
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::console_log!("{name}, {seeds} seeds: {tally:?}");
}
