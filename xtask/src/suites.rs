//! The core's unit tests and the suites of `tests/wasm`, in Node or in headless Chromium.

use std::env::{current_exe, set_current_dir};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{cargo, root, run};

/// Seconds that a suite may take before its runner gives up.
const PATIENCE: &str = "900";

/// Runs the unit tests and the suites. `arguments`: the place, then what the tests themselves shall get, such as a filter.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    for package in ["hublet", "hublet-wasm-tests"] {
        let (mut command, rest) = there(package, "wasm-tests", arguments)?;
        // What touches the outside has its tests where that outside is.
        if package == "hublet" && arguments.first().is_some_and(|place| place == "browser") {
            command.args(["--features", "browser"]);
        }
        run(command.arg("--").args(rest))?;
    }
    Ok(())
}

/// The runner that Cargo calls, in a folder that says how the browser is started: Cargo calls it in the package's.
pub(crate) fn enter_runners_folder() -> Result<()> {
    if !Path::new("webdriver.json").is_file() {
        set_current_dir(root().join("tests/wasm")).context("cannot enter tests/wasm")?;
        // The module's glue asks for it, and the runner serves nothing that lies elsewhere.
        fs::copy(root().join("pkg/error.js"), "error.js").context("cannot copy pkg/error.js")?;
    }
    Ok(())
}

/// Cargo's command that tests a package in the place that the arguments begin with, and the further arguments.
pub(crate) fn there<'a>(package: &str, profile: &str, arguments: &'a [String]) -> Result<(Command, &'a [String])> {
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
