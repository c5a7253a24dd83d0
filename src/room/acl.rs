//! Server access control lists, `m.room.server_acl` (spec, section 10).
//!
//! The hub applies them to callers and to the server of an LPDU's sender, a participant to callers, nobody to the hub.
//! They are no auth rule: an event that is in the log stays in it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::content;
use crate::json::Value;

/// The lists of one `m.room.server_acl` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    allow: Vec<Glob>,
    deny: Vec<Glob>,
    ip_literals: IpLiterals,
}

/// Whether `acl` lets `server` (a server name, with or without a port) take part; no event lets everyone.
pub fn allows(acl: Option<&Acl>, server: &str) -> bool {
    acl.is_none_or(|acl| acl.allows(server))
}

impl Acl {
    /// Reads a content. A list that is no list is empty, entries that are no strings are ignored, and an
    /// `allow_ip_literals` that is no boolean counts as absent, so this cannot fail.
    pub fn from_content(content: Value<'_>) -> Self {
        let ip_literals = match content::flag(content, "allow_ip_literals") {
            Some(false) => IpLiterals::Denied,
            Some(true) | None => IpLiterals::Allowed,
        };
        Self { allow: globs(content, "allow"), deny: globs(content, "deny"), ip_literals }
    }

    /// Whether `server` may take part: a match in `deny` decides first, then one in `allow`, else it is denied.
    pub fn allows(&self, server: &str) -> bool {
        let host = without_port(server);
        if self.ip_literals == IpLiterals::Denied && is_ip_literal(host) {
            return false;
        }
        let host = host.to_ascii_lowercase();
        let listed = |list: &[Glob]| list.iter().any(|glob| glob.matches(&host));
        !listed(&self.deny) && listed(&self.allow)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IpLiterals {
    Allowed,
    Denied,
}

/// A pattern over whole names, in ASCII lower case: `*` is any run of characters, `?` is any one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    pattern: Box<str>,
    /// Characters that a matching name has at the least. Invariant: the number of pattern characters that are not `*`.
    least: usize,
}

impl Glob {
    fn new(pattern: &str) -> Self {
        let least = pattern.chars().filter(|&c| c != '*').count();
        Self { pattern: pattern.to_ascii_lowercase().into_boxed_str(), least }
    }

    /// Leftmost matching with one point of return: the work is bounded by pattern length × name length.
    fn matches(&self, name: &str) -> bool {
        if self.least > name.len() {
            return false;
        }
        let (mut pattern, mut rest) = (self.pattern.chars(), name.chars());
        let mut retry = None;
        loop {
            let here = rest.clone();
            match (pattern.next(), rest.next()) {
                (Some('*'), _) => {
                    retry = Some((pattern.clone(), here.clone()));
                    rest = here;
                }
                (None, None) => return true,
                (Some('?'), Some(_)) => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => {
                    // The last `*` swallows one character more; with none left over, nothing can match.
                    let Some((after_star, from)) = &mut retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, rest) = (after_star.clone(), from.clone());
                }
            }
        }
    }
}

fn globs(content: Value<'_>, key: &str) -> Vec<Glob> {
    let Some(list) = content.member(key) else { return Vec::new() };
    list.elements().filter_map(|entry| entry.as_str()).map(|entry| Glob::new(&entry)).collect()
}

/// The host part: an IPv6 literal keeps its brackets.
fn without_port(server: &str) -> &str {
    let bracket = if server.starts_with('[') { server.find(']') } else { None };
    let host_end = match bracket {
        Some(end) => Some(end.saturating_add(1)),
        None => server.find(':'),
    };
    host_end.and_then(|end| server.get(..end)).unwrap_or(server)
}

fn is_ip_literal(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Acl, Glob, allows, is_ip_literal, without_port};
    use crate::room::testing::document;
    use std::string::ToString;

    #[test]
    fn derived_vectors_hold() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/derived-server-acl.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 16);
        for case in cases {
            let content = case["content"].is_object().then(|| document(&case["content"].to_string()));
            let acl = content.map(|content| Acl::from_content(content.root()));
            let server = case["server_name"].as_str().unwrap();
            assert_eq!(allows(acl.as_ref(), server), case["allowed"].as_bool().unwrap(), "{case}");
        }
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, matches) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "a.org", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("?", "", false),
            ("?", "a", true),
            ("?*", "a", true),
            ("*?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("*.evil.com", "x.evil.com", true),
            ("*.evil.com", "evil.com", false),
            ("*aab", "aaaab", true),
            ("*a?c*", "abcabd", true),
            ("*.KEY.invalid", "abc.key.invalid", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_name() {
        let name = "a".repeat(255);
        let stars = "a*".repeat(120) + "b";
        assert!(!Glob::new(&stars).matches(&name));
        assert!(!Glob::new(&"?".repeat(60_000)).matches(&name));
        assert!(Glob::new(&"*".repeat(60_000)).matches(&name));
    }

    #[test]
    fn ports_are_stripped_and_ip_literals_known() {
        for (server, host, ip) in [
            ("a.org", "a.org", false),
            ("a.org:8448", "a.org", false),
            ("1.2.3.4:80", "1.2.3.4", true),
            ("1.2.3.4", "1.2.3.4", true),
            ("1.2.3.4.org", "1.2.3.4.org", false),
            ("1.2.3.256", "1.2.3.256", false),
            ("[::1]", "[::1]", true),
            ("[::1]:1", "[::1]", true),
            ("[::1", "[", true),
        ] {
            assert_eq!((without_port(server), is_ip_literal(without_port(server))), (host, ip), "{server}");
        }
    }
}
