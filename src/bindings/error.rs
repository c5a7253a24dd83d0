//! The one error class that JavaScript sees, and the closed list of its codes.

use alloc::string::ToString;

use wasm_bindgen::prelude::wasm_bindgen;

use super::form::Argument;
use crate::json::JsonError;

/// Declares the codes once: as an enum for Rust, as a union of strings for TypeScript.
macro_rules! codes {
    ($($code:ident = $text:literal: $meaning:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(dead_code, reason = "those of pages are thrown by their own code; one table has all")]
        enum Code {
            $(#[doc = $meaning] $code,)+
        }

        impl Code {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$code),+];

            fn text(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                }
            }
        }

        #[allow(dead_code, reason = "only the bindings generator reads it, and a native build has none")]
        pub(crate) const UNION: &str = concat!(
            "/** What went wrong, by what a caller can do about it. */\nexport type ErrorCode =",
            $("\n  /** ", $meaning, " */\n  | \"", $text, "\"",)+
            ";\n"
        );
    };
}

#[wasm_bindgen(typescript_custom_section)]
const ERROR_CODE: &str = UNION;

codes! {
    JsonSyntax = "json_syntax": "A text is not JSON as RFC 7493 restricts it.",
    JsonLimit = "json_limit": "A text is too long or nests too deep.",
    Argument = "argument": "An argument is not of the form that its function takes; the message names the field.",
    Refused = "refused": "The rules of the room or another server refuse it; `status` and `errcode` say more. To repeat it does not help.",
    NotFound = "not_found": "No such room, event or server, or not for us.",
    Unreachable = "unreachable": "The other server gave no answer; try again later.",
    Limited = "limited": "Too much at once; `retryAfterMs` says when to come back.",
    Quota = "quota": "The browser gives this site no more room; nothing was written.",
    Blocked = "blocked": "Another tab holds an older version of the database open; close or reload it.",
    StoreNewer = "store_newer": "The database was made by a newer version of hublet.",
    StoreDenied = "store_denied": "The browser allows this site no database, as in some private windows.",
    Store = "store": "The database failed otherwise.",
    Unsupported = "unsupported": "That cannot be done here: the browser lacks what is needed or does not give it out; the message names it.",
    Closed = "closed": "The server was closed by this page.",
    Worker = "worker": "The worker could not be loaded, or died.",
}

#[wasm_bindgen(raw_module = "../error.js")]
extern "C" {
    /// The class in `pkg/error.js`: an `Error` with a `code`.
    pub type HubletError;

    #[wasm_bindgen(constructor)]
    fn new(code: &str, message: &str) -> HubletError;
}

impl From<Argument> for HubletError {
    fn from(Argument(message): Argument) -> Self {
        Self::new(Code::Argument.text(), &message)
    }
}

impl From<JsonError> for HubletError {
    fn from(error: JsonError) -> Self {
        Self::new(json(error).text(), &error.to_string())
    }
}

fn json(error: JsonError) -> Code {
    match error {
        JsonError::TooLarge(_) | JsonError::TooDeep(_) => Code::JsonLimit,
        JsonError::BadUtf8(_)
        | JsonError::Syntax(_)
        | JsonError::LoneSurrogate(_)
        | JsonError::NumberRange(_)
        | JsonError::TrailingBytes(_)
        | JsonError::DuplicateKey(_) => Code::JsonSyntax,
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec::Vec};

    use super::{Code, UNION, json};
    use crate::json::JsonError;

    #[test]
    fn every_json_error_has_its_code() {
        let table = [
            (JsonError::TooLarge(1), "json_limit"),
            (JsonError::TooDeep(1), "json_limit"),
            (JsonError::BadUtf8(1), "json_syntax"),
            (JsonError::Syntax(1), "json_syntax"),
            (JsonError::LoneSurrogate(1), "json_syntax"),
            (JsonError::NumberRange(1), "json_syntax"),
            (JsonError::TrailingBytes(1), "json_syntax"),
            (JsonError::DuplicateKey(1), "json_syntax"),
        ];
        for (error, expected) in table {
            assert_eq!(json(error).text(), expected, "{error}");
        }
    }

    #[test]
    fn typescript_knows_exactly_the_codes() {
        let declared: Vec<_> = UNION.split('"').skip(1).step_by(2).collect();
        assert_eq!(declared, Code::ALL.iter().map(|code| code.text()).collect::<Vec<_>>());
        assert_eq!(declared.iter().collect::<BTreeSet<_>>().len(), declared.len());
    }
}
