//! The build steps of this project that Cargo, npm and make cannot do alone. `cargo xtask help` lists them.

mod benches;
mod fence;
mod module;
mod setup;
mod shell;
mod suites;

use std::env::args_os;
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
Usage: cargo xtask STEP

  setup [rust] [npm] [browser]   install what is missing: the WebAssembly target, npm packages, Chromium
  doctor                         say what is there and what is missing, change nothing
  build-wasm                     build the modules and their glue into pkg/dist/ and pkg/browser/
  build-page                     build the module of browsers quickly and large, and the page's classes, into pkg/browser/
  size                           compare the gzipped modules with their limits
  fence                          check that the core touches nothing outside itself
  test-wasm [node] [browser] [..]
                                 run the core's unit tests and the suites of tests/wasm there; the rest goes to the tests
  bench native|node|browser [null-crypto] [..]
                                 run the benchmarks there and print their lines
  wasm-bindgen [..]              the bindings generator, at the version that Cargo.lock names
  test-runner [..]               the runner that Cargo calls for tests built to WebAssembly";

fn main() -> ExitCode {
    match run(args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Vec<OsString>) -> Result<()> {
    let step = if arguments.is_empty() { OsString::from("help") } else { arguments.remove(0) };
    match step.to_string_lossy().as_ref() {
        "setup" => setup::setup(&texts(&arguments)),
        "doctor" => setup::doctor(),
        "build-wasm" => module::build(),
        "build-page" => module::build_page(),
        "size" => module::size(),
        "fence" => fence::check(),
        "test-wasm" => suites::test(&texts(&arguments)),
        "bench" => benches::run(&texts(&arguments)),
        "wasm-bindgen" => wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(with_name(step, arguments)),
        "test-runner" => {
            suites::enter_runners_folder()?;
            wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(with_name(step, arguments))
        }
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => bail!("no step is called `{unknown}`\n\n{HELP}"),
    }
}

fn texts(arguments: &[OsString]) -> Vec<String> {
    arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Command line parsers expect the program's name first.
fn with_name(name: OsString, arguments: Vec<OsString>) -> Vec<OsString> {
    [name].into_iter().chain(arguments).collect()
}
