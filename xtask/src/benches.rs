//! The benchmarks: natively, in Node and in headless Chromium, with the real cryptography and without. Of what they print
//! only the lines for machines are shown, `bench NAME VALUE UNIT`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::cargo;
use crate::suites::there;

/// Those that measure what is not cryptography too.
const WITHOUT_CRYPTOGRAPHY: [&str; 3] = ["append", "receive", "growth"];

/// Runs benchmarks. `arguments`: the place, `null-crypto` for those without cryptography, then what the benchmarks
/// themselves shall get, such as a filter.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [place, rest @ ..] = arguments else { bail!("say native, node or browser") };
    let (is_null, rest) = match rest {
        [first, rest @ ..] if first == "null-crypto" => (true, rest),
        rest => (false, rest),
    };
    // Natively a benchmark marks its lines itself.
    let (mut command, mark) = match place.as_str() {
        "native" => (natively(is_null), ""),
        "node" => (as_wasm(place, is_null)?, "_wasm"),
        _ => (as_wasm(place, is_null)?, "_wasm_chromium"),
    };
    if place == "native" {
        command.arg("--").args(rest);
    } else {
        command.args(["--", "--nocapture"]).args(rest);
    }
    show(&mut command, mark)
}

fn natively(is_null: bool) -> Command {
    let mut command = cargo(&["bench", "--package", "hublet-benches"]);
    if is_null {
        command.args(["--features", "null-crypto"]);
        command.args(WITHOUT_CRYPTOGRAPHY.iter().flat_map(|name| ["--bench", name]));
    }
    command
}

fn as_wasm(place: &str, is_null: bool) -> Result<Command> {
    let mut command = there("hublet-benches", "module", place)?;
    if is_null {
        command.args(["--features", "null-crypto"]);
    }
    Ok(command)
}

/// Runs it and prints its lines, each name with the mark behind it; the rest only if it fails.
fn show(command: &mut Command, mark: &str) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
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
