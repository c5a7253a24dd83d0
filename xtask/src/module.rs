//! The WebAssembly modules: Cargo builds them, the bindings generator makes their glue, wasm-opt shrinks them. One is for every platform, the other has what
//! a server in a browser needs of the outside; that is kept out of the first, so that Node and the edge do not carry it.

use std::env::var_os;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, command, output, root, run, say, target};

/// The most that the module may weigh, gzipped, in bytes: what it weighs and little more, so that growth is noticed. `docs/BENCHMARKS.md` says what it is
/// made of, and why it is more than the 130 kB that we aim at.
const LIMIT: usize = 510_000;

/// The same for the module of browsers.
const BROWSER_LIMIT: usize = 610_000;

/// A module of the package.
struct Module {
    /// What it is called in what we say.
    name: &'static str,
    features: &'static str,
    /// Where it and its glue go.
    folder: &'static str,
    limit: usize,
}

const MODULES: [Module; 2] = [
    Module { name: "core", features: "bindings", folder: "pkg/dist", limit: LIMIT },
    Module { name: "browser", features: "browser", folder: "pkg/browser/module", limit: BROWSER_LIMIT },
];

/// What the generator declares without a word, and the words for it.
const SILENT: [(&str, &str); 5] = [
    ("    free(): void;", "Gives its memory back; it is of no use afterwards."),
    ("    [Symbol.dispose](): void;", "`free`, for `using`."),
    ("export type InitInput =", "A module, its bytes, or where it is fetched from."),
    ("export type SyncInitInput =", "A module, or its bytes."),
    ("export interface InitOutput {", "What the module itself exports. @internal"),
];

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds both modules, and what a page sees of the second.
pub(crate) fn build() -> Result<()> {
    for module in &MODULES {
        build_one(module)?;
    }
    page()
}

/// Builds the module of browsers as the tests in WebAssembly are built, and what a page sees of it.
pub(crate) fn build_page() -> Result<()> {
    say("module browser: cargo build");
    let arguments = [
        "build",
        "--profile",
        "wasm-tests",
        "--package",
        "hublet",
        "--lib",
        "--features",
        "browser",
        "--target",
        TARGET,
    ];
    run(&mut cargo(&arguments))?;
    let folder = root().join("pkg/browser/module");
    remove(&folder)?;
    generate(&target().join(TARGET).join("wasm-tests/hublet.wasm"), &folder)?;
    page()
}

/// Compiles the page's classes.
fn page() -> Result<()> {
    say("page: tsc");
    let tsc = root().join("pkg/node_modules/typescript/bin/tsc");
    if !tsc.exists() {
        bail!("typescript is missing: `cargo xtask setup npm` goes first");
    }
    run(command("node", &[]).arg(tsc).arg("--project").arg(root().join("pkg")))
}

/// Builds a module's folder, unless what is there came from the same module and the same tools.
fn build_one(Module { name, features, folder, .. }: &Module) -> Result<()> {
    say(&format!("module {name}: cargo build"));
    let arguments =
        ["build", "--profile", "module", "--package", "hublet", "--lib", "--features", features, "--target", TARGET];
    run(cargo(&arguments).env("CARGO_ENCODED_RUSTFLAGS", flags()?))?;
    let module = target().join(TARGET).join("module/hublet.wasm");
    let dist = root().join(folder);
    let stamp = dist.join(".stamp");
    let fresh = fingerprint(&module)?;
    if fs::read_to_string(&stamp).is_ok_and(|stored| stored == fresh) {
        say(&format!("module {name}: {folder} is up to date"));
        return Ok(());
    }
    let work = target().join("module").join(name);
    remove(&work)?;
    say(&format!("module {name}: wasm-bindgen"));
    generate(&module, &work)?;
    say(&format!("module {name}: wasm-opt"));
    shrink(&work.join("hublet_bg.wasm"))?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(licence), work.join(licence)).with_context(|| format!("cannot copy {licence}"))?;
    }
    fs::write(work.join(".stamp"), fresh)?;
    // Moved only when whole, so that an interrupted build never leaves half a package.
    remove(&dist)?;
    fs::create_dir_all(dist.parent().unwrap_or(&dist))
        .with_context(|| format!("cannot make the folder of {folder}"))?;
    fs::rename(&work, &dist).with_context(|| format!("cannot move the module into {folder}"))?;
    say(&format!("module {name}: {folder} is built"));
    Ok(())
}

/// Prints the gzipped size of each built module and fails when one is over its limit.
pub(crate) fn size() -> Result<()> {
    for Module { name, folder, limit, .. } in &MODULES {
        let module = root().join(folder).join("hublet_bg.wasm");
        let packed = output(command("gzip", &["-9", "-n", "-c"]).arg(&module));
        let packed = packed.context("`cargo xtask build-wasm` goes first")?.len();
        println!("bench size_{name}_gzip {packed} bytes");
        if packed > *limit {
            bail!("the module {name} weighs {packed} bytes gzipped, the limit is {limit}");
        }
    }
    Ok(())
}

/// The target's flags, as in `.cargo/config.toml`, and those that keep the folders of this machine out of the module, so that
/// it is the same wherever it is built.
fn flags() -> Result<String> {
    let home = var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(var_os("HOME")?).join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    let flags = [(root(), "hublet"), (home.join("registry/src"), "crates")]
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
    Ok([&["-Ctarget-feature=+simd128".to_owned()], &flags[..]].concat().join("\u{1f}"))
}

fn generate(module: &Path, out: &Path) -> Result<()> {
    let arguments = [
        "wasm-bindgen".as_ref(),
        "--target".as_ref(),
        "web".as_ref(),
        // Loaders name the module, so that whoever brings it in another way does not carry it twice.
        "--omit-default-module-path".as_ref(),
        "--out-dir".as_ref(),
        out.as_os_str(),
        module.as_os_str(),
    ];
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(arguments)?;
    document(&out.join("hublet.d.ts"))
}

/// Puts words to what the generator declares.
fn document(declarations: &Path) -> Result<()> {
    let failed = || format!("cannot document {}", declarations.display());
    let text = fs::read_to_string(declarations).with_context(failed)?;
    let documented = |line: &str| match SILENT.iter().find(|(silent, _)| line.starts_with(silent)) {
        Some((_, words)) => {
            let indent = line.get(..line.len().saturating_sub(line.trim_start().len())).unwrap_or_default();
            format!("{indent}/** {words} */\n{line}\n")
        }
        None => format!("{line}\n"),
    };
    fs::write(declarations, text.lines().map(documented).collect::<String>()).with_context(failed)
}

/// The features named here are those that rustc turns on for this target; the module uses no others.
fn shrink(module: &Path) -> Result<()> {
    let tool = root().join("pkg/node_modules/binaryen/bin/wasm-opt");
    if !tool.exists() {
        bail!("wasm-opt is missing: `cargo xtask setup npm` goes first");
    }
    let features = [
        "--enable-bulk-memory",
        "--enable-bulk-memory-opt",
        "--enable-multivalue",
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
        "--enable-reference-types",
        "--enable-sign-ext",
        "--enable-simd",
    ];
    run(command("node", &[]).arg(tool).arg("-Os").args(features).arg(module).arg("-o").arg(module))
}

/// Names the module's content and everything else that decides what `pkg/dist/` holds.
fn fingerprint(module: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    let tools = ["Cargo.lock", "pkg/package-lock.json", "xtask/src/module.rs"].map(|file| root().join(file));
    for file in [module.to_path_buf()].into_iter().chain(tools) {
        fs::read(&file).with_context(|| format!("{} is missing", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
            Err(failure).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
