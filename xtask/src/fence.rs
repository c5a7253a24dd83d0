//! The fence around the core: everything under `src/` but `adapters/` and `bindings/` knows no standard library, no
//! async, no JavaScript, no hash order and no target, and imports only what lies in its own layer or below.
//!
//! Sources are read as tokens, so comments and strings never count. Items under `#[cfg(test)]` are free.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::shell::{cargo, output, root, say};

/// Layers from the lowest to the highest; modules of one layer may import each other.
const LAYERS: [&[&str]; 5] = [&["crypto", "id", "json", "ordered"], &["event"], &["store"], &["room"], &["server"]];

/// The roots of the packages that lie in `src/`.
const ROOTS: [&str; 2] = ["base.rs", "lib.rs"];

/// The modules at the root that the fence leaves open.
const OPEN: [&str; 2] = ["adapters", "bindings"];

/// Names that may stand nowhere in the core.
const OUTSIDE: [&str; 18] = [
    "std",
    "async",
    "await",
    "HashMap",
    "HashSet",
    "RandomState",
    "SystemTime",
    "Instant",
    "js_sys",
    "web_sys",
    "wasm_bindgen",
    "wasm_bindgen_futures",
    "serde_wasm_bindgen",
    "gloo",
    "idb",
    "getrandom",
    "rand",
    "println",
];

/// Predicates that tell one platform from another.
const PLATFORM: [&str; 12] = [
    "target_arch",
    "target_os",
    "target_family",
    "target_env",
    "target_vendor",
    "target_pointer_width",
    "target_endian",
    "target_feature",
    "target_has_atomic",
    "target_abi",
    "unix",
    "windows",
];

/// Packages that the core may not pull in on WebAssembly.
const PACKAGES: [&str; 9] =
    ["getrandom", "rand", "rand_core", "tokio", "js-sys", "web-sys", "wasm-bindgen", "futures", "chrono"];

/// Fails with every breach that the sources and the dependencies of the core hold.
pub(crate) fn check() -> Result<()> {
    let mut breaches = Vec::new();
    let mut files = Vec::from(ROOTS.map(|root| PathBuf::from("src").join(root)));
    let mut read = 0;
    while let Some(file) = files.pop() {
        let text = fs::read_to_string(root().join(&file)).with_context(|| file.display().to_string())?;
        let findings = findings_in(&text, layer_of(&file)).with_context(|| file.display().to_string())?;
        breaches.extend(findings.breaches.iter().map(|(line, what)| format!("{}:{line}: {what}", file.display())));
        let is_root = is_root(&file);
        let modules = findings.modules.iter().filter(|module| !(is_root && OPEN.contains(&module.as_str())));
        files.extend(modules.filter_map(|module| file_of(&file, module)));
        read += 1;
    }
    let tree = [
        &["tree", "--package", "hublet", "--edges", "normal", "--target", "wasm32-unknown-unknown"][..],
        &["--prefix", "none", "--format", "{p}"][..],
    ]
    .concat();
    for package in String::from_utf8_lossy(&output(&mut cargo(&tree))?).lines() {
        let name = package.split(' ').next().unwrap_or_default();
        if PACKAGES.contains(&name) {
            breaches.push(format!("Cargo.toml: the core depends on `{name}`"));
        }
    }
    if !breaches.is_empty() {
        bail!("the core reaches outside its fence\n{}", breaches.join("\n"));
    }
    say(&format!("fence: {read} files of the core stay inside"));
    Ok(())
}

fn is_root(file: &Path) -> bool {
    ROOTS.iter().any(|root| file.ends_with(root))
}

/// The file, relative to the repository, of a module that `parent` declares; none when it stands in the parent itself.
fn file_of(parent: &Path, module: &str) -> Option<PathBuf> {
    let folder = if is_root(parent) { PathBuf::from("src") } else { parent.with_extension("") };
    let file = folder.join(module).with_extension("rs");
    root().join(&file).is_file().then_some(file)
}

/// The layer that a file under `src/` belongs to, by its place; none for the roots.
fn layer_of(source: &Path) -> Option<usize> {
    let top = source.components().nth(1)?.as_os_str().to_string_lossy().into_owned();
    layer_named(top.trim_end_matches(".rs"))
}

fn layer_named(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// What one file holds that matters here, apart from what only tests see.
#[derive(Default)]
struct Findings {
    /// What is wrong, with its line.
    breaches: Vec<(usize, String)>,
    /// The modules that it declares.
    modules: Vec<String>,
}

fn findings_in(text: &str, layer: Option<usize>) -> Result<Findings> {
    let tokens = TokenStream::from_str(text).map_err(|failure| anyhow::anyhow!("cannot be read: {failure}"))?;
    let mut findings = Findings::default();
    walk(tokens, layer, &mut findings);
    Ok(findings)
}

fn walk(tokens: TokenStream, layer: Option<usize>, findings: &mut Findings) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        rest = after;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let [TokenTree::Group(attribute), after @ ..] = rest
                    && is_test_only(attribute.stream())
                {
                    rest = past_item(after);
                }
            }
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                let mut breach = |what: String| findings.breaches.push((ident.span().start().line, what));
                if OUTSIDE.contains(&name.as_str()) {
                    breach(format!("`{name}` is outside the core"));
                }
                if PLATFORM.contains(&name.as_str()) {
                    breach(format!("`{name}` tells platforms apart"));
                }
                if name == "crate" {
                    let higher = |module: &String| layer.is_some() && layer_named(module) > layer;
                    imported(rest)
                        .into_iter()
                        .filter(higher)
                        .for_each(|module| breach(format!("`{module}` lies in a higher layer")));
                }
                if let ("mod", [TokenTree::Ident(module), TokenTree::Punct(_), ..]) = (name.as_str(), rest) {
                    findings.modules.push(module.to_string());
                }
            }
            TokenTree::Group(group) => walk(group.stream(), layer, findings),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `[cfg(test)]` or `[test]`, the inside of the brackets.
fn is_test_only(attribute: TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text == "cfg(test)" || text == "test"
}

/// What follows the item that begins here: an item ends with its braces or with a semicolon.
fn past_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let end = tokens.iter().position(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    });
    end.and_then(|end| tokens.get(end + 1..)).unwrap_or_default()
}

/// The top-level modules that a path beginning with `crate` names: `crate::room::..` or `crate::{room::.., json}`.
fn imported(after: &[TokenTree]) -> Vec<String> {
    match after {
        [TokenTree::Punct(first), TokenTree::Punct(_), TokenTree::Ident(module), ..] if first.as_char() == ':' => {
            vec![module.to_string()]
        }
        [TokenTree::Punct(first), TokenTree::Punct(_), TokenTree::Group(group), ..] if first.as_char() == ':' => {
            let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
            let parts = tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
            parts.filter_map(<[TokenTree]>::first).map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{findings_in, layer_named};

    #[test]
    fn names_outside_the_core_are_breaches() {
        let table = [
            ("use std::vec::Vec;", 1),
            ("use alloc::vec::Vec;", 0),
            ("// std\nconst S: &str = \"std\";", 0),
            ("fn f() { let m: HashMap<u8, u8>; }", 1),
            ("async fn f() { g().await }", 2),
            ("#[cfg(target_arch = \"wasm32\")] fn f() {}", 1),
            ("#[cfg(test)] extern crate std;", 0),
            ("#[cfg(test)] mod tests { use std::vec::Vec; } use std::vec::Vec;", 1),
            ("#[cfg(feature = \"testing\")] mod tests { use std::vec::Vec; }", 1),
        ];
        for (text, expected) in table {
            assert_eq!(findings_in(text, None).unwrap().breaches.len(), expected, "{text}");
        }
    }

    #[test]
    fn modules_of_tests_are_not_followed() {
        let text = "mod a; pub(crate) mod b; #[cfg(test)] mod c; #[cfg(feature = \"testing\")] mod d; mod e { mod f; }";
        assert_eq!(findings_in(text, None).unwrap().modules, ["a", "b", "d", "f"]);
    }

    #[test]
    fn imports_point_downward_only() {
        let table = [
            ("use crate::json::parse;", 0),
            ("use crate::event::Event;", 0),
            ("use crate::room::Room;", 1),
            ("use crate::{id::UserId, server::Server, room};", 2),
            ("#[cfg(test)] mod tests { use crate::room::Room; }", 0),
        ];
        for (text, expected) in table {
            assert_eq!(findings_in(text, layer_named("event")).unwrap().breaches.len(), expected, "{text}");
        }
    }
}
