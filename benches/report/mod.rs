//! One way to measure, natively and as WebAssembly: one line a measurement is printed for machines to read,
//! `bench NAME VALUE UNIT`. What is timed is a median; natively a name ends in `_native`, elsewhere xtask adds the place.
#![allow(dead_code, unused_imports, reason = "each benchmark takes what it needs")]

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Bench, bench, measure, now, print};
#[cfg(target_family = "wasm")]
pub(crate) use wasm::{Bench, measure, now, print};

/// Rounds before the first that counts: the host of WebAssembly compiles what is hot only after a while.
const WARM_UP: usize = 8;

/// Two works timed in turn, so that whatever else the machine does falls on both alike.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// The median of what one thing of the first work took, in microseconds.
    pub(crate) first: f64,
    /// The same of the second.
    pub(crate) second: f64,
    /// The median of the quotients of neighbours, first by second.
    pub(crate) ratio: f64,
    /// Half of the quotients lie between these.
    pub(crate) middle: (f64, f64),
}

/// Runs both works in turn; each times itself and gives microseconds a thing.
pub(crate) fn alternate(rounds: usize, mut first: impl FnMut() -> f64, mut second: impl FnMut() -> f64) -> Pair {
    for _ in 0..WARM_UP {
        first();
        second();
    }
    let samples: Vec<(f64, f64)> = (0..rounds).map(|_| (first(), second())).collect();
    let part = |value: fn(&(f64, f64)) -> f64, share| quantile(samples.iter().map(value).collect(), share);
    let ratio = |share| part(|(first, second)| first / second, share);
    Pair {
        first: part(|sample| sample.0, 0.5),
        second: part(|sample| sample.1, 0.5),
        ratio: ratio(0.5),
        middle: (ratio(0.25), ratio(0.75)),
    }
}

/// How many microseconds each of `things` took, done by one call.
pub(crate) fn timed(things: usize, work: impl FnOnce()) -> f64 {
    let start = now();
    work();
    (now() - start) / things as f64
}

/// Prints a quotient and the middle half of its samples.
pub(crate) fn print_ratio(name: &str, pair: &Pair) {
    print(name, &format!("{:.3}", pair.ratio), "ratio");
    print(&format!("{name}_middle_half"), &format!("{:.3}..{:.3}", pair.middle.0, pair.middle.1), "ratio");
}

/// Prints microseconds.
pub(crate) fn print_us(name: &str, value: f64) {
    print(name, &format!("{value:.2}"), "us");
}

/// The value below which this share of the samples lies.
fn quantile(mut samples: Vec<f64>, share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1) as f64;
    samples.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
}
