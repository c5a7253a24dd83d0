//! Criterion runs, judges, and compares with the last run.

use std::{cell::RefCell, hint::black_box, sync::LazyLock, time::Duration, time::Instant};

/// What measures.
pub(crate) type Bench = criterion::Criterion;

/// Criterion as every benchmark here wants it.
pub(crate) fn bench() -> Bench {
    Bench::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

/// Microseconds since some moment of this run.
pub(crate) fn now() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e6
}

/// Prints one line.
pub(crate) fn print(name: &str, value: &str, unit: &str) {
    println!("bench {name}_native {value} {unit}");
}

/// Measures `work`, which does `each` things at a time and checks its own results. Nothing is printed for what a filter
/// leaves out.
pub(crate) fn measure<T>(bench: &mut Bench, name: &str, each: u32, mut work: impl FnMut() -> T) {
    let samples = RefCell::new(Vec::new());
    bench.bench_function(name, |bencher| {
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
    let samples = samples.into_inner();
    if !samples.is_empty() {
        super::print_us(name, super::quantile(samples, 0.5));
    }
}
