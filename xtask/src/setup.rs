//! What a machine must have: installed when that is ours to do, named when it is not.

use std::env::var_os;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{command, find, output, root, run, say};

const TARGET: &str = "wasm32-unknown-unknown";

/// The folders that have npm packages of their own.
const PACKAGES: [&str; 4] = ["pkg", "worker", "examples", "www"];

/// The oldest Node that the tools run on.
const NODE: u32 = 20;

const BROWSER: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const DEBIAN: [&str; 3] = ["chromium", "chromium-driver", "chromium-sandbox"];

/// Installs what is missing of the named parts, or of all when none is named. Does nothing, quickly, when all is there.
pub(crate) fn setup(parts: &[String]) -> Result<()> {
    let known = ["rust", "npm", "browser"];
    if let Some(unknown) = parts.iter().find(|part| !known.contains(&part.as_str())) {
        bail!("nothing to set up is called `{unknown}`: say rust, npm or browser");
    }
    let wanted = |name: &str| parts.is_empty() || parts.iter().any(|part| part == name);
    if wanted("rust") && !has_target()? {
        say("setup: adding the WebAssembly target");
        run(&mut command("rustup", &["target", "add", TARGET]))?;
    }
    if wanted("npm") {
        check_node()?;
        for package in PACKAGES {
            install(package)?;
        }
    }
    if wanted("browser") && (browser().is_none() || driver().is_none()) {
        install_browser()?;
    }
    Ok(())
}

/// Prints a line for each thing that the steps need, and fails when one is missing.
pub(crate) fn doctor() -> Result<()> {
    let node = node_version().map(|version| version >= NODE);
    let lines = [
        ("C linker", find("cc").is_some(), "install gcc or clang"),
        ("Node 20 or newer, with npm", node.unwrap_or(false) && find("npm").is_some(), "install Node"),
        ("WebAssembly target", has_target().unwrap_or(false), "cargo xtask setup rust"),
        ("npm packages", PACKAGES.iter().all(|package| is_installed(package)), "cargo xtask setup npm"),
        ("Chromium and chromedriver", browser().is_some() && driver().is_some(), "cargo xtask setup browser"),
    ];
    for (name, there, remedy) in lines {
        println!("{:<28} {}", name, if there { "there" } else { remedy });
    }
    if lines.iter().any(|(_, there, _)| !there) {
        bail!("something is missing");
    }
    Ok(())
}

/// The program that drives the browser: the one that `CHROMEDRIVER` names, else the first on the search path.
pub(crate) fn driver() -> Option<PathBuf> {
    var_os("CHROMEDRIVER").map(PathBuf::from).or_else(|| find("chromedriver"))
}

fn browser() -> Option<PathBuf> {
    BROWSER.iter().find_map(|name| find(name))
}

fn has_target() -> Result<bool> {
    let installed = output(&mut command("rustup", &["target", "list", "--installed"]))
        .context("rustup is missing: https://rustup.rs has it")?;
    Ok(String::from_utf8_lossy(&installed).lines().any(|line| line == TARGET))
}

fn node_version() -> Result<u32> {
    let printed =
        output(&mut command("node", &["--version"])).context("Node is missing: install version 20 or newer")?;
    let printed = String::from_utf8_lossy(&printed);
    let major = printed.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse().with_context(|| format!("cannot read the version of Node, `{}`", printed.trim()))
}

fn check_node() -> Result<()> {
    let version = node_version()?;
    if version < NODE {
        bail!("Node {version} is too old: install version {NODE} or newer");
    }
    if find("npm").is_none() {
        bail!("npm is missing: it comes with most packages of Node, some distributions have it as `npm`");
    }
    Ok(())
}

/// A copy of the lock file lies beside what was installed from it.
fn stamp(package: &str) -> PathBuf {
    root().join(package).join("node_modules/.installed-from")
}

fn lock(package: &str) -> PathBuf {
    root().join(package).join("package-lock.json")
}

fn is_installed(package: &str) -> bool {
    match (fs::read(lock(package)), fs::read(stamp(package))) {
        (Ok(lock), Ok(installed)) => lock == installed,
        _ => false,
    }
}

/// No install script of a package runs: none that we use needs one.
fn install(package: &str) -> Result<()> {
    if is_installed(package) {
        return Ok(());
    }
    say(&format!("setup: npm packages of {package}/"));
    let mut npm = command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run(npm.current_dir(root().join(package)))?;
    fs::copy(lock(package), stamp(package)).context("cannot note which lock file was installed")?;
    Ok(())
}

fn install_browser() -> Result<()> {
    if find("apt-get").is_none() || !is_root()? {
        bail!(
            "Chromium and chromedriver are missing: install both (Debian: `apt-get install {}`), \
             or put `chromium` on the search path and name the driver in CHROMEDRIVER",
            DEBIAN.join(" ")
        );
    }
    say("setup: Chromium from the distribution");
    let apt = |arguments: &[&str]| run(command("apt-get", arguments).env("DEBIAN_FRONTEND", "noninteractive"));
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], &DEBIAN[..]].concat())?;
    if browser().is_none() || driver().is_none() {
        bail!("the distribution's packages brought no chromium or no chromedriver");
    }
    Ok(())
}

fn is_root() -> Result<bool> {
    Ok(output(&mut command("id", &["-u"]))?.trim_ascii() == b"0")
}
