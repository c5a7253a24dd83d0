//! The core's unit tests and the suites of `tests/wasm`, in Node and in headless Chromium.

use std::env::{current_exe, set_current_dir};
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{cargo, command, output, root, run, say, target};

/// Seconds that a suite may take before its runner gives up.
const PATIENCE: &str = "900";

/// What is tested, each a module of its own.
const PACKAGES: [&str; 3] = ["hublet-base", "hublet", "hublet-wasm-tests"];

/// The tests of what Node does not have, and of what is made for pages.
const ONLY_IN_BROWSERS: [&str; 2] = ["adapters::", "bindings::"];

/// Runs the unit tests and the suites. `arguments`: the places, both if none is named, then what the tests themselves shall
/// get, such as a filter.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let is_place = |word: &&String| ["node", "browser"].contains(&word.as_str());
    let (places, rest) = arguments.split_at(arguments.iter().take_while(is_place).count());
    let modules = build()?;
    bring_error_class()?;
    match places {
        [place] => in_place(place, &modules, rest, &mut run),
        _ => everywhere(&modules, rest),
    }
}

/// Builds everything once, for both places, and says where the modules lie.
fn build() -> Result<Vec<PathBuf>> {
    let mut build =
        cargo(&["test", "--no-run", "--lib", "--profile", "wasm-tests", "--target", "wasm32-unknown-unknown"]);
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package])).args(["--features", "hublet/browser"]);
    run(&mut build)?;
    // The second time it builds nothing, and tells machines what it has.
    let told = output(build.args(["--quiet", "--message-format", "json"]))?;
    let told = String::from_utf8(told).context("Cargo told something that is no text")?;
    let modules: Vec<PathBuf> = told.lines().filter_map(executable).collect();
    if modules.len() != PACKAGES.len() {
        bail!("Cargo built {} modules of tests where {} are expected: {modules:?}", modules.len(), PACKAGES.len());
    }
    Ok(modules)
}

/// The path in `"executable":"PATH"`, if a line of Cargo's has one.
fn executable(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(r#""executable":""#)?;
    rest.split_once('"').map(|(path, _)| path.into())
}

/// Node and the browser side by side, as each uses one processor; what the browser's tests say is shown when all have ended.
fn everywhere(modules: &[PathBuf], rest: &[String]) -> Result<()> {
    let mut said = Vec::new();
    let mut keep = |command: &mut Command| {
        let Output { status, stdout, stderr } =
            command.output().with_context(|| format!("cannot start {command:?}"))?;
        said.extend([stdout, stderr].concat());
        if status.success() { Ok(()) } else { bail!("{command:?} failed: {status}") }
    };
    let (in_node, in_browser) = thread::scope(|scope| {
        let browser = scope.spawn(|| in_place("browser", modules, rest, &mut keep));
        (in_place("node", modules, rest, &mut run), browser.join())
    });
    say("in the browser");
    stdout().write_all(&said).context("cannot show what the browser's tests said")?;
    let Ok(in_browser) = in_browser else { bail!("the browser's tests could not be followed to their end") };
    in_node.and(in_browser)
}

/// Runs each module in one place, by `run`.
fn in_place(
    place: &str,
    modules: &[PathBuf],
    rest: &[String],
    run: &mut dyn FnMut(&mut Command) -> Result<()>,
) -> Result<()> {
    let xtask = current_exe().context("cannot tell where xtask lies")?;
    for module in modules {
        let mut command = command(&xtask.display().to_string(), &["test-runner"]);
        command.arg(module).args(rest);
        if place == "node" {
            command.args(ONLY_IN_BROWSERS.iter().flat_map(|tests| ["--skip", tests])).env("TMPDIR", nodes_folder()?);
        }
        say_where(&mut command, place)?;
        run(&mut command)?;
    }
    Ok(())
}

/// Where the runner lays what Node runs. The glue asks for `error.js` one folder up; only bindings use it, so there it is empty.
fn nodes_folder() -> Result<PathBuf> {
    let folder = target().join("wasm-tests-in-node");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("error.js"), ""))
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(folder)
}

/// The runner that Cargo calls, in a folder that says how the browser is started: Cargo calls it in the package's.
pub(crate) fn enter_runners_folder() -> Result<()> {
    if !Path::new("webdriver.json").is_file() {
        set_current_dir(root().join("tests/wasm")).context("cannot enter tests/wasm")?;
    }
    bring_error_class()
}

/// The module's glue asks for `error.js`, and the runner serves nothing that lies elsewhere. Left alone where it is right: another runner may be reading it.
fn bring_error_class() -> Result<()> {
    let (from, to) = (root().join("pkg/error.js"), root().join("tests/wasm/error.js"));
    let wanted = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(&to).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    fs::write(&to, wanted).with_context(|| format!("cannot write {}", to.display()))
}

/// Cargo's command that tests a package in a place.
pub(crate) fn there(package: &str, profile: &str, place: &str) -> Result<Command> {
    let xtask = current_exe().context("cannot tell where xtask lies")?;
    let runner = format!("target.wasm32-unknown-unknown.runner=['{}', 'test-runner']", xtask.display());
    let mut command = cargo(&["test", "--package", package, "--lib", "--profile", profile]);
    command.args(["--target", "wasm32-unknown-unknown", "--config", &runner]);
    say_where(&mut command, place)?;
    Ok(command)
}

/// Tells the runner where to run, and how long to wait.
fn say_where(command: &mut Command, place: &str) -> Result<()> {
    command.env("WASM_BINDGEN_TEST_TIMEOUT", PATIENCE);
    match place {
        "node" => command.env_remove("WASM_BINDGEN_USE_BROWSER"),
        "browser" => {
            let driver = setup::driver().context("chromedriver is missing: `cargo xtask setup browser` goes first")?;
            command.env("WASM_BINDGEN_USE_BROWSER", "1").env("CHROMEDRIVER", driver)
        }
        unknown => bail!("nothing runs in `{unknown}`: say node or browser"),
    };
    Ok(())
}
