//! A reader of our own TypeScript declarations, for tests that hold them to the forms beside which they stand. It knows as much of the language as they use.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

/// Types by their name.
pub(crate) struct Declarations(BTreeMap<String, String>);

/// A member of an object: its name, whether it may be missing, and its type.
struct Member<'a> {
    name: &'a str,
    is_optional: bool,
    of: &'a str,
}

impl Declarations {
    pub(crate) fn read(text: &str) -> Self {
        let text = without_comments(text);
        let mut types = BTreeMap::new();
        for (at, word) in [("interface ", '{'), ("type ", '=')]
            .iter()
            .flat_map(|word| text.match_indices(word.0).map(move |(at, _)| (at, word)))
        {
            let is_start =
                text[..at].chars().next_back().is_none_or(|before| before == '\n' || text[..at].ends_with("export "));
            let rest = &text[at + word.0.len()..];
            let Some(end) = rest.find(word.1).filter(|_| is_start) else { continue };
            let body = if word.1 == '{' { balanced(&rest[end..]) } else { split(&rest[end + 1..], ';')[0] };
            types.insert(rest[..end].trim().to_string(), body.trim().to_string());
        }
        Self(types)
    }

    /// Says what of a value is not as its type says. What is null is missing.
    pub(crate) fn fits(&self, value: &Value, of: &str) -> Result<(), String> {
        let of = of.trim();
        let wrong = || Err(format!("{value} is no {of}"));
        let is = |fits: bool| if fits { Ok(()) } else { wrong() };
        let choices = split(of, '|');
        if choices.len() > 1 {
            let found: Vec<_> = choices.iter().map(|choice| self.fits(value, choice)).collect();
            return if found.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{found:?}")) };
        }
        if let Some(entries) = of.strip_suffix("[]") {
            let Value::Array(list) = value else { return wrong() };
            return list.iter().try_for_each(|entry| self.fits(entry, entries));
        }
        match (of, value) {
            ("string", _) => is(value.is_string()),
            ("number", _) => is(value.is_number()),
            ("boolean", _) => is(value.is_boolean()),
            ("Uint8Array", _) => is(value
                .as_array()
                .is_some_and(|bytes| bytes.iter().all(|byte| byte.as_u64().is_some_and(|byte| byte < 256)))),
            (_, Value::Object(object)) if of.starts_with('{') => {
                let members = members(of);
                let declared: BTreeSet<_> = members.iter().map(|member| member.name).collect();
                if let Some(extra) =
                    object.iter().find(|(name, value)| !value.is_null() && !declared.contains(name.as_str()))
                {
                    return Err(format!("{extra:?} is not declared in {of}"));
                }
                members.iter().try_for_each(|member| match object.get(member.name).filter(|value| !value.is_null()) {
                    Some(value) => self.fits(value, member.of),
                    None => is(member.is_optional),
                })
            }
            (_, Value::Array(entries)) if of.starts_with('[') => {
                let types = split(&of[1..of.len() - 1], ',');
                is(types.len() == entries.len())?;
                types
                    .iter()
                    .zip(entries)
                    .try_for_each(|(of, entry)| self.fits(entry, of.split_once(':').map_or(*of, |named| named.1)))
            }
            (_, Value::String(text)) if of.starts_with('"') => is(of.trim_matches('"') == text),
            (literal @ ("true" | "false"), _) => is(value.as_bool() == Some(literal == "true")),
            _ => match self.0.get(of) {
                Some(of) => self.fits(value, of),
                None => wrong(),
            },
        }
    }

    /// The objects of a union, each by its tag.
    pub(crate) fn variants(&self, name: &str, tag: &str) -> BTreeMap<String, &str> {
        let mut found = BTreeMap::new();
        for variant in split(&self.0[name], '|') {
            match self.0.contains_key(variant) {
                true => found.extend(self.variants(variant, tag)),
                false => {
                    let members = members(variant);
                    let tagged = members.iter().find(|member| member.name == tag).unwrap();
                    found.insert(tagged.of.trim_matches('"').to_string(), variant);
                }
            }
        }
        found
    }

    /// The words of a union of words.
    pub(crate) fn words(&self, name: &str) -> BTreeSet<String> {
        split(&self.0[name], '|').iter().map(|word| word.trim_matches('"').to_string()).collect()
    }
}

/// The names of an object's members, and whether each may be missing.
pub(crate) fn fields(object: &str) -> Vec<(String, bool)> {
    members(object).iter().map(|member| (member.name.to_string(), member.is_optional)).collect()
}

fn members(object: &str) -> Vec<Member<'_>> {
    split(object.trim().trim_start_matches('{').strip_suffix('}').unwrap(), ';').into_iter().map(member).collect()
}

fn member(text: &str) -> Member<'_> {
    let (name, of) = text.split_once(':').unwrap();
    Member { name: name.trim().trim_end_matches('?'), is_optional: name.trim().ends_with('?'), of: of.trim() }
}

/// Cuts a text where a letter stands outside all brackets; what is empty is left out.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (index, letter) in text.char_indices() {
        match letter {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            letter if letter == at && depth == 0 => {
                parts.push(&text[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// What stands from a bracket to the one that ends it.
fn balanced(text: &str) -> &str {
    let mut depth = 0;
    for (index, letter) in text.char_indices() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if depth == 0 {
            return &text[..=index];
        }
    }
    panic!("not ended: {text}");
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |kept, part| kept + part.split_once("*/").unwrap().1)
}
