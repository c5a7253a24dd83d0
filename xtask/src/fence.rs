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
const LAYERS: [&[&str]; 5] = [&["crypto", "id", "json"], &["event"], &["store"], &["room"], &["server"]];

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
    let sources = sources(&root().join("src"))?;
    for source in &sources {
        let text = fs::read_to_string(root().join(source))?;
        for (line, what) in breaches_in(&text, layer_of(source)).with_context(|| source.display().to_string())? {
            breaches.push(format!("{}:{line}: {what}", source.display()));
        }
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
    say(&format!("fence: {} files of the core stay inside", sources.len()));
    Ok(())
}

/// The core's files, relative to the repository, in order.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_outside = ["adapters", "adapters.rs", "bindings", "bindings.rs"].contains(&name.as_str());
        // A file called tests.rs is declared under `#[cfg(test)]` by the file above it.
        if (is_outside && folder.ends_with("src")) || name == "tests.rs" || name == "tests" {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if name.ends_with(".rs") {
            found.push(path.strip_prefix(root())?.to_path_buf());
        }
    }
    found.sort();
    Ok(found)
}

/// The layer that a file under `src/` belongs to, by its place; none for `lib.rs`.
fn layer_of(source: &Path) -> Option<usize> {
    let top = source.components().nth(1)?.as_os_str().to_string_lossy().into_owned();
    layer_named(top.trim_end_matches(".rs"))
}

fn layer_named(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every breach in one file, with its line.
fn breaches_in(text: &str, layer: Option<usize>) -> Result<Vec<(usize, String)>> {
    let tokens = TokenStream::from_str(text).map_err(|failure| anyhow::anyhow!("cannot be read: {failure}"))?;
    let mut breaches = Vec::new();
    walk(tokens, layer, &mut breaches);
    Ok(breaches)
}

fn walk(tokens: TokenStream, layer: Option<usize>, breaches: &mut Vec<(usize, String)>) {
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
                let line = ident.span().start().line;
                let name = ident.to_string();
                if OUTSIDE.contains(&name.as_str()) {
                    breaches.push((line, format!("`{name}` is outside the core")));
                }
                if PLATFORM.contains(&name.as_str()) {
                    breaches.push((line, format!("`{name}` tells platforms apart")));
                }
                if name == "crate" {
                    for module in imported(rest) {
                        if layer_named(&module) > layer && layer.is_some() {
                            breaches.push((line, format!("`{module}` lies in a higher layer")));
                        }
                    }
                }
            }
            TokenTree::Group(group) => walk(group.stream(), layer, breaches),
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
    use super::{breaches_in, layer_named};

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
            assert_eq!(breaches_in(text, None).unwrap().len(), expected, "{text}");
        }
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
            assert_eq!(breaches_in(text, layer_named("event")).unwrap().len(), expected, "{text}");
        }
    }
}
