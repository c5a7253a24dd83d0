//! Links to one server each: a port, a socket, a data channel. Anybody may hold the other end, so whoever it says it is proves it first, by an X-Matrix
//! signature over what nobody can have signed before. A key name is its own key, so that needs nobody else; other names count where the address was given by hand.

use alloc::{
    format,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use wasm_bindgen_futures::spawn_local;

use super::{Inner, Post, frame::Frame};
use crate::{
    adapters::{clock, secret::ServerKey},
    id::ServerName,
    server::link::{self, Opened},
};

/// One such link.
pub(super) struct Direct {
    kind: &'static str,
    out: Rc<Out>,
    post: Post,
    /// The server whose address this is, if it was given by hand.
    expected: Option<String>,
    nonce: String,
    /// Who says it is at the other end.
    claimed: RefCell<Option<String>>,
    is_proven: Cell<bool>,
    links: Weak<Inner>,
}

/// The way out. While a proof of ours is being signed what follows waits: a request that overtook it would be a stranger's at the other end.
struct Out {
    post: Post,
    unsigned: Cell<usize>,
    held: RefCell<Vec<Frame>>,
}

impl Direct {
    /// Begins: asks who is there.
    pub(super) fn open(links: &Rc<Inner>, kind: &'static str, post: Post, expected: Option<String>) -> Rc<Self> {
        let nonce = clock::random::<16>().unwrap_or_default().map(|byte| format!("{byte:02x}")).concat();
        let (claimed, is_proven) = (RefCell::default(), Cell::new(false));
        let out = Rc::new(Out { post, unsigned: Cell::new(0), held: RefCell::default() });
        let way = out.clone();
        let post: Post = Rc::new(move |frame| way.post(frame));
        let direct =
            Rc::new(Self { kind, out, post, expected, nonce, claimed, is_proven, links: Rc::downgrade(links) });
        direct.challenge();
        direct
    }

    /// Asks who is there, as also after a reconnect.
    pub(super) fn challenge(&self) {
        let Some(links) = self.links.upgrade() else { return };
        (self.post)(&Frame::Challenge { from: links.us(), nonce: self.nonce.clone() });
    }

    /// Deals with what came.
    pub(super) fn came(self: &Rc<Self>, frame: Frame) {
        let Some(links) = self.links.upgrade() else { return };
        match frame {
            Frame::Challenge { from, nonce } => {
                let Ok(server) = ServerName::parse(&from) else { return };
                if !link::is_nonce(&nonce) || self.server().is_some_and(|known| known != from) {
                    // Who has proved one name does not become another over the same link.
                    return;
                }
                let is_new = self.claimed.replace(Some(from.clone())).as_ref() != Some(&from);
                if self.expected.as_ref().is_some_and(|expected| *expected != from) {
                    // Our proof for that server is not for whoever answers in its place.
                    return;
                }
                self.out.prove(&links.key, server, self.opened(), &nonce);
                if self.expected.as_ref() == Some(&from) {
                    self.proven(&links, &from);
                } else if is_new && !self.is_proven.get() {
                    // Our own challenge may have come before the other side listened.
                    self.challenge();
                }
            }
            Frame::Proof { header } => {
                let us = links.key.name();
                let claimed = self.claimed.borrow().clone();
                // What a server proves at an address that its page was given it proves to us alone, so that counts over a port too.
                let proves = |server: &str| {
                    [Opened::Here, Opened::There]
                        .into_iter()
                        .any(|opened| link::is_proven(us, server, opened, &self.nonce, &header))
                };
                if let Some(server) = claimed.filter(|server| proves(server)) {
                    self.proven(&links, &server);
                }
            }
            Frame::Who { .. } | Frame::Here { .. } => {}
            Frame::Gone { .. } => self.closed(),
            frame if self.is_proven.get() && !links.is_offline.get() => {
                if let Some(server) = self.server() {
                    links.stands(&server, self);
                }
                links.came(frame, self.kind, self.server().as_deref(), &self.post);
            }
            _ => {}
        }
    }

    fn proven(self: &Rc<Self>, links: &Rc<Inner>, server: &str) {
        self.is_proven.set(true);
        links.stands(server, self);
    }

    /// The link is gone.
    pub(super) fn closed(&self) {
        self.is_proven.set(false);
        let (Some(links), Some(server)) = (self.links.upgrade(), self.claimed.borrow().clone()) else { return };
        links.broke(&server, self);
    }

    /// The server at the other end, once it has proved its name.
    pub(super) fn server(&self) -> Option<String> {
        self.claimed.borrow().clone().filter(|_| self.is_proven.get())
    }

    /// Who says it is there, proved or not.
    pub(super) fn claimed(&self) -> Option<String> {
        self.claimed.borrow().clone()
    }

    const fn opened(&self) -> Opened {
        match self.expected {
            Some(_) => Opened::There,
            None => Opened::Here,
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether nobody is between its ends who could tell that the other is gone.
    pub(super) fn is_end_to_end(&self) -> bool {
        matches!(self.kind, "port" | "rtc")
    }

    pub(super) fn post(&self) -> Post {
        self.post.clone()
    }
}

impl Out {
    fn post(&self, frame: &Frame) -> bool {
        if self.unsigned.get() == 0 {
            return (self.post)(frame);
        }
        self.held.borrow_mut().push(frame.clone());
        true
    }

    /// Proves to a server, which made up `nonce`, that we are who we say. Where the key gives no signature there is no proof, and the link comes to nothing.
    fn prove(self: &Rc<Self>, key: &ServerKey, to: ServerName, opened: Opened, nonce: &str) {
        let signature = key.sign(&link::proof_input(key.identity(), &to, opened, nonce));
        let (this, key) = (self.clone(), key.clone());
        self.unsigned.set(self.unsigned.get().saturating_add(1));
        spawn_local(async move {
            if let Some(signature) = signature.await {
                (this.post)(&Frame::Proof { header: link::proof(key.identity(), &to, &signature) });
            }
            this.unsigned.set(this.unsigned.get().saturating_sub(1));
            if this.unsigned.get() == 0 {
                for frame in this.held.take() {
                    (this.post)(&frame);
                }
            }
        });
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use alloc::{format, rc::Rc, vec::Vec};
    use core::cell::{Cell, RefCell};

    use gloo_timers::future::TimeoutFuture;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::{Out, Post};
    use crate::{
        adapters::{clock, idb::IndexedStore, links::frame::Frame, secret::Keeper, secret::ServerKey},
        server::link::{self, Opened},
    };

    #[wasm_bindgen_test]
    async fn nothing_overtakes_a_proof() {
        let name = format!("test proof {:?}", clock::random::<8>());
        let store = IndexedStore::open(&name).await.unwrap();
        let platform = ServerKey::open(&store, Keeper::Platform).await.unwrap();
        for key in [platform, ServerKey::in_memory().unwrap()] {
            let seen: Rc<RefCell<Vec<Frame>>> = Rc::default();
            let way = seen.clone();
            let post: Post = Rc::new(move |frame| {
                way.borrow_mut().push(frame.clone());
                true
            });
            let out = Rc::new(Out { post, unsigned: Cell::new(0), held: RefCell::default() });
            let (us, who) = (key.name().clone(), Frame::Who { from: "a".into() });
            out.prove(&key, us.clone(), Opened::Here, "1");
            assert!(out.post(&who));
            // Asked again before that: the first proof alone does not let the request go.
            out.prove(&key, us.clone(), Opened::Here, "2");
            assert!(out.post(&Frame::Gone { from: "a".into() }));
            for _ in 0..200 {
                if seen.borrow().len() == 4 {
                    break;
                }
                TimeoutFuture::new(5).await;
            }
            assert!(out.post(&who));
            let seen = seen.borrow();
            let [
                Frame::Proof { header: first },
                Frame::Proof { header: second },
                Frame::Who { .. },
                Frame::Gone { .. },
                Frame::Who { .. },
            ] = seen.as_slice()
            else {
                panic!("{seen:?}");
            };
            let proves =
                |nonce| [first, second].map(|header| link::is_proven(&us, us.as_str(), Opened::Here, nonce, header));
            assert!(proves("1").contains(&true) && proves("2").contains(&true));
        }
    }
}
