//! One way to measure, natively and as WebAssembly: one line a measurement is printed for machines to read,
//! `bench NAME VALUE us`, the median of microseconds for one of the things that the work does.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Bench, bench, measure};
#[cfg(target_family = "wasm")]
pub(crate) use wasm::{Bench, measure};

/// The line for a measurement, from what one of the things took in each sample.
fn line(name: &str, mut samples: Vec<f64>) -> Option<String> {
    samples.sort_by(f64::total_cmp);
    let median = samples.get(samples.len() / 2)?;
    Some(format!("bench {name} {median:.2} us"))
}
