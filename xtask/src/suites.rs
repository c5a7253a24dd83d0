//! The suites of `tests/wasm`, built once and run in Node or in headless Chromium.

use std::env::current_exe;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{cargo, run};

/// Seconds that a suite may take before its runner gives up.
const PATIENCE: &str = "900";

/// Runs the suites. `arguments`: the place, then what the tests themselves shall get, such as a filter.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let [place, rest @ ..] = arguments else { bail!("say node or browser") };
    let xtask = current_exe().context("cannot tell where xtask lies")?;
    let runner = format!("target.wasm32-unknown-unknown.runner=['{}', 'test-runner']", xtask.display());
    let mut tests = cargo(&["test", "--package", "hublet-wasm-tests", "--lib", "--profile", "wasm-tests"]);
    tests.args(["--target", "wasm32-unknown-unknown", "--config", &runner, "--"]).args(rest);
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", PATIENCE);
    match place.as_str() {
        "node" => run(tests.env_remove("WASM_BINDGEN_USE_BROWSER")),
        "browser" => {
            let driver = setup::driver().context("chromedriver is missing: `cargo xtask setup browser` goes first")?;
            run(tests.env("WASM_BINDGEN_USE_BROWSER", "1").env("CHROMEDRIVER", driver))
        }
        unknown => bail!("no suites run in `{unknown}`: say node or browser"),
    }
}
