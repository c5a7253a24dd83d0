//! The core's unit tests, the suites of `tests/wasm` and the benchmarks of `benches/wasm`, in Node or in headless Chromium.

use std::env::{current_exe, set_current_dir};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{cargo, root, run};

/// Seconds that a suite may take before its runner gives up.
const PATIENCE: &str = "900";

/// Runs the unit tests and the suites. `arguments`: the place, then what the tests themselves shall get, such as a filter.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    for package in ["hublet", "hublet-wasm-tests"] {
        let (mut command, rest) = there(package, "wasm-tests", arguments)?;
        run(command.arg("--").args(rest))?;
    }
    Ok(())
}

/// The runner that Cargo calls, in a folder that says how the browser is started: Cargo calls it in the package's.
pub(crate) fn enter_runners_folder() -> Result<()> {
    if !Path::new("webdriver.json").is_file() {
        set_current_dir(root().join("tests/wasm")).context("cannot enter tests/wasm")?;
    }
    Ok(())
}

/// Runs the benchmarks and prints their lines, each name marked with the place: `_wasm` in Node, `_wasm_chromium` there.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let (mut command, rest) = there("hublet-wasm-benches", "release", arguments)?;
    command.args(["--", "--nocapture"]).args(rest).stdout(Stdio::piped());
    let mark = if arguments.first().is_some_and(|place| place == "node") { "_wasm" } else { "_wasm_chromium" };
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let output = child.stdout.take().context("the benchmarks have no output")?;
    let mut others = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        match line.trim_start().strip_prefix("bench ").and_then(|rest| rest.split_once(' ')) {
            Some((name, rest)) => println!("bench {name}{mark} {rest}"),
            None => others.push(line),
        }
    }
    if !child.wait()?.success() {
        bail!("the benchmarks failed\n{}", others.join("\n"));
    }
    Ok(())
}

/// Cargo's command that tests a package in the place that the arguments begin with, and the further arguments.
fn there<'a>(package: &str, profile: &str, arguments: &'a [String]) -> Result<(Command, &'a [String])> {
    let [place, rest @ ..] = arguments else { bail!("say node or browser") };
    let xtask = current_exe().context("cannot tell where xtask lies")?;
    let runner = format!("target.wasm32-unknown-unknown.runner=['{}', 'test-runner']", xtask.display());
    let mut command = cargo(&["test", "--package", package, "--lib", "--profile", profile]);
    command.args(["--target", "wasm32-unknown-unknown", "--config", &runner]);
    command.env("WASM_BINDGEN_TEST_TIMEOUT", PATIENCE);
    match place.as_str() {
        "node" => command.env_remove("WASM_BINDGEN_USE_BROWSER"),
        "browser" => {
            let driver = setup::driver().context("chromedriver is missing: `cargo xtask setup browser` goes first")?;
            command.env("WASM_BINDGEN_USE_BROWSER", "1").env("CHROMEDRIVER", driver)
        }
        unknown => bail!("nothing runs in `{unknown}`: say node or browser"),
    };
    Ok((command, rest))
}
