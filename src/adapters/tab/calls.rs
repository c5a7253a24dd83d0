//! What a page may ask of the server, whichever tab it is in.

use alloc::{
    boxed::Box,
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_bytes::ByteBuf;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::{
    adapters::{
        backup,
        engine::Engine,
        links::{Carrier, LinkError, Tamper},
        proof::{Claim, Proof},
        secret::Keeper,
        store::StoreError,
    },
    bindings::{
        answer::AnswerForm,
        call::CallForm,
        form::{self, Argument, field},
        input::address,
    },
    server::{Address, Answer, Call, KeyNeeds, PeerCall, ServerKeys},
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
    Proof(Proof),
    Bytes(ByteBuf),
    /// The server at the other end of a link.
    Named(String),
    Done(bool),
}

/// How the server stands.
#[derive(Debug, Serialize)]
struct Info {
    key: Keeper,
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
            key: engine.key().keeper(),
            online: !engine.links().is_offline(),
            peers: engine.links().peers().into_iter().map(|(server, link)| PeerInfo { server, link }).collect(),
        })),
        "online" | "offline" => {
            engine.links().set_offline(kind == "offline");
            done(Came::Done(true));
        }
        "proof" => {
            let read = || -> Result<Claim, Argument> {
                let event: ByteBuf = form::from_js(form::needed(field(call, "event"), "event")?)?;
                Claim::read(&event, &form::needed(text(call, "version"), "version")?)
            };
            match read() {
                Ok(claim) => {
                    let needs = claim.signers();
                    with_keys(engine.clone(), needs, Vec::new(), move |keys| done(Came::Proof(claim.prove(&keys))));
                }
                Err(error) => done(Came::Error(error.into())),
            }
        }
        "tamper" => {
            let is_request = text(call, "where").is_some_and(|place| place == "request");
            engine.links().tamper(if is_request { Tamper::Request } else { Tamper::Event });
            done(Came::Done(true));
        }
        "keep" => match (carrier(call), text(call, "server"), text(call, "url")) {
            (Some(carrier), Some(server), Some(url)) => engine.links().keep(carrier, server, url, move |stands| {
                done(stands.map_or_else(|error| Came::Error(error.into()), |()| Came::Done(true)));
            }),
            _ => done(Came::Error(Failed::from(Argument::of("keep", "needs a link, a server and a url")))),
        },
        "hangUp" => {
            if let Some(carrier) = carrier(call) {
                engine.links().drop_kept(carrier, &text(call, "server").unwrap_or_default());
            }
            done(Came::Done(true));
        }
        "export" => {
            let engine = engine.clone();
            spawn_local(async move {
                let file = backup::write(engine.store()).await;
                done(file.map_or_else(|error| Came::Error(error.into()), |file| Came::Bytes(ByteBuf::from(file))));
            });
        }
        "import" => {
            let (engine, file) = (engine.clone(), field(call, "file").map(form::from_js::<ByteBuf>));
            spawn_local(async move {
                let Some(Ok(file)) = file else {
                    return done(Came::Error(Failed::from(Argument::of("file", "must be bytes"))));
                };
                // What runs on must write no more: its rows are others' then.
                let read = backup::read(engine.store(), &file, || engine.stop()).await;
                done(read.map_or_else(|error| Came::Error(error.into()), |()| Came::Done(true)));
            });
        }
        other => done(Came::Error(Failed::from(Argument::of("type", format!("no call is named `{other}`"))))),
    }
}

/// What came of a link: the server at its other end, if one has proved its name.
pub(super) fn named(server: Option<String>) -> JsValue {
    let came = server.map_or_else(|| Came::Error(Failed::nameless()), Came::Named);
    form::to_js(&came).unwrap_or_default()
}

/// Hands over the keys of these servers, as far as they are known or can be had.
fn with_keys(
    engine: Rc<Engine>,
    mut needs: Vec<KeyNeeds>,
    mut found: Vec<ServerKeys>,
    done: impl FnOnce(Vec<ServerKeys>) + 'static,
) {
    let Some(need) = needs.pop() else { return done(found) };
    let (next, peer) = (engine.clone(), Address::Peer(need.server.clone()));
    let further: Box<dyn FnOnce(_)> = Box::new(move |answer| {
        if let Ok(Answer::Keys(keys)) = answer {
            found.push(keys);
        }
        with_keys(next, needs, found, done);
    });
    engine.ask(peer, Call::Peer(PeerCall::Keys(need)), further);
}

fn carrier(call: &JsValue) -> Option<Carrier> {
    Carrier::named(&text(call, "link")?)
}

pub(super) fn text(call: &JsValue, name: &str) -> Option<String> {
    field(call, name)?.as_string()
}

impl Failed {
    /// Nobody at the other end of a link.
    pub(super) fn nameless() -> Self {
        Self { code: "unreachable", message: "nobody at the other end of the link has proved its name".into() }
    }

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

impl From<LinkError> for Failed {
    fn from(error: LinkError) -> Self {
        let code = match error {
            LinkError::Address(_) => "argument",
            _ => "unreachable",
        };
        Self { code, message: error.to_string() }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Quota => "quota",
            StoreError::Blocked => "blocked",
            StoreError::Newer => "store_newer",
            StoreError::Denied => "store_denied",
            StoreError::KeyStays => "unsupported",
            StoreError::Unsigned | StoreError::Failed(_) => "store",
        };
        Self { code, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_bytes::ByteBuf;

    use super::{Came, Failed, Info, PeerInfo};
    use crate::{
        adapters::{links::LinkError, page::assert_fits, proof::Claim, secret::Keeper, store::StoreError},
        bindings::form::Argument,
        server::{Answer, SendError},
        testing::duo::Duo,
    };

    #[test]
    fn what_comes_of_a_call_is_as_declared() {
        let peers =
            ["tabs", "port", "socket", "http", "rtc"].map(|link| PeerInfo { server: "hub.example".into(), link });
        let mut duo = Duo::joined();
        let proofs =
            duo.hub_log().into_iter().map(|(.., event)| Claim::read(&event.unwrap(), "I.1").unwrap().prove(&[]));
        for key in [Keeper::Platform, Keeper::Sealed, Keeper::Memory] {
            assert_fits(&Came::Info(Info { key, online: false, peers: vec![] }), "Told");
        }
        for came in [
            Came::Answer(Answer::Unreachable(SendError::TooLarge).into()),
            Came::Info(Info { key: Keeper::Platform, online: true, peers: peers.into() }),
            Came::Bytes(ByteBuf::from(vec![255])),
            Came::Named("hub.example".into()),
            Came::Done(true),
        ]
        .into_iter()
        .chain(proofs.map(Came::Proof))
        {
            assert_fits(&came, "Told");
        }
    }

    #[test]
    fn every_failure_has_a_code_that_is_declared() {
        let stores = [
            StoreError::Quota,
            StoreError::Blocked,
            StoreError::Newer,
            StoreError::Denied,
            StoreError::KeyStays,
            StoreError::Unsigned,
            StoreError::Failed("lost".into()),
        ];
        let links = [
            LinkError::Address("none".into()),
            LinkError::Offline,
            LinkError::Closed("code 1006".into()),
            LinkError::Other("other.example".into()),
            LinkError::Silent,
        ];
        let others = [Failed::nameless(), Failed::unsupported("locks"), Argument("a".into()).into()];
        let failed = stores.into_iter().map(Failed::from).chain(links.into_iter().map(Failed::from)).chain(others);
        for failed in failed {
            assert_fits(&Came::Error(failed), "Told");
        }
    }
}
