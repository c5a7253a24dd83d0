//! One way to measure: Criterion runs and judges, and one line a measurement is printed for machines to read.

use std::{cell::RefCell, hint::black_box, time::Instant};

use criterion::Criterion;

/// Measures `work`, which does `each` things at a time, and prints `bench NAME VALUE us`: the median of microseconds
/// for one of them. `work` checks its own results. Nothing is printed for what a filter leaves out.
pub(crate) fn measure<T>(criterion: &mut Criterion, name: &str, each: u32, mut work: impl FnMut() -> T) {
    let samples = RefCell::new(Vec::new());
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            for _ in 0..rounds {
                black_box(work());
            }
            let elapsed = start.elapsed();
            samples.borrow_mut().push(elapsed.as_secs_f64() * 1e6 / (rounds * u64::from(each)) as f64);
            elapsed
        });
    });
    let mut samples = samples.into_inner();
    samples.sort_by(f64::total_cmp);
    if let Some(median) = samples.get(samples.len() / 2) {
        println!("bench {name} {median:.2} us");
    }
}
