//! What a page may ask of the server, whichever tab it is in.

use alloc::{
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::{
    adapters::{engine::Engine, store::StoreError},
    bindings::{
        answer::AnswerForm,
        call::CallForm,
        form::{self, Argument, field},
        input::address,
    },
    server::{Address, Call},
};

/// Why a call came to nothing, as the page's error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failed {
    code: &'static str,
    message: String,
}

/// What came of a call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Came {
    Answer(AnswerForm),
    Error(Failed),
    Info(Info),
    Done(bool),
}

/// How the server stands.
#[derive(Debug, Serialize)]
struct Info {
    online: bool,
    peers: Vec<PeerInfo>,
}

#[derive(Debug, Serialize)]
struct PeerInfo {
    server: String,
    link: &'static str,
}

/// Runs a call; what came of it is handed to `done`, once and perhaps at once.
pub(super) fn run(engine: &Rc<Engine>, call: &JsValue, done: impl FnOnce(JsValue) + 'static) {
    let done = move |came: Came| done(form::to_js(&came).unwrap_or_default());
    let kind = field(call, "type").and_then(|kind| kind.as_string()).unwrap_or_default();
    match kind.as_str() {
        "ask" => {
            let read = || -> Result<(Address, Call), Argument> {
                let to = address(field(call, "to").and_then(|to| to.as_string()), "to")?;
                let asked: CallForm = form::from_js(form::needed(field(call, "call"), "call")?)?;
                Ok((to, asked.read()?))
            };
            match read() {
                Ok((to, call)) => engine.ask(to, call, |answer| {
                    done(match answer {
                        Ok(answer) => Came::Answer(answer.into()),
                        Err(error) => Came::Error(error.into()),
                    });
                }),
                Err(error) => done(Came::Error(Failed::from(error))),
            }
        }
        "info" => done(Came::Info(Info {
            online: !engine.links().is_offline(),
            peers: engine.links().peers().into_iter().map(|(server, link)| PeerInfo { server, link }).collect(),
        })),
        "online" | "offline" => {
            engine.links().set_offline(kind == "offline");
            done(Came::Done(true));
        }
        other => done(Came::Error(Failed::from(Argument::of("type", format!("no call is named `{other}`"))))),
    }
}

impl Failed {
    /// The browser lacks something.
    pub(super) fn unsupported(what: &str) -> Self {
        Self { code: "unsupported", message: format!("this browser lacks what a server needs: {what}") }
    }
}

impl From<Argument> for Failed {
    fn from(Argument(message): Argument) -> Self {
        Self { code: "argument", message }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Quota => "quota",
            StoreError::Blocked => "blocked",
            StoreError::Newer => "store_newer",
            StoreError::Denied => "store_denied",
            StoreError::Failed(_) => "store",
        };
        Self { code, message: error.to_string() }
    }
}
