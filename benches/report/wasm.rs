//! The clock of the JavaScript host, which is coarse: a sample lasts long enough for that not to count.

use std::hint::black_box;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_test::console_log;

/// Microseconds that a sample lasts at least.
const SAMPLE: f64 = 20_000.0;

/// Microseconds before the first sample, in which the host compiles what is hot.
const WARM_UP: f64 = 500_000.0;

const SAMPLES: usize = 75;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn milliseconds() -> f64;
}

/// What measures; it remembers nothing.
#[derive(Debug, Default)]
pub(crate) struct Bench;

/// Microseconds since some moment of this run.
pub(crate) fn now() -> f64 {
    milliseconds() * 1e3
}

/// Prints one line.
pub(crate) fn print(name: &str, value: &str, unit: &str) {
    console_log!("bench {name} {value} {unit}");
}

/// Measures `work`, which does `each` things at a time and checks its own results.
pub(crate) fn measure<T>(_: &mut Bench, name: &str, each: u32, mut work: impl FnMut() -> T) {
    let mut took = |rounds: u32| {
        let start = now();
        for _ in 0..rounds {
            black_box(work());
        }
        now() - start
    };
    let start = now();
    let mut rounds = 1;
    while now() - start < WARM_UP || took(rounds) < SAMPLE {
        if took(rounds) < SAMPLE {
            rounds *= 2;
        }
    }
    let samples = (0..SAMPLES).map(|_| took(rounds) / (f64::from(rounds) * f64::from(each))).collect();
    super::print_us(name, super::quantile(samples, 0.5));
}
