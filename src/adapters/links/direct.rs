//! Links to one server each: a port, a socket, a data channel. Anybody may hold the other end, so whoever it says it is proves it first, by an X-Matrix
//! signature over what nobody can have signed before. A key name is its own key, so that needs nobody else; other names count where the address was given by hand.

use alloc::{
    format,
    rc::{Rc, Weak},
    string::String,
};
use core::cell::{Cell, RefCell};

use super::{Inner, Post, frame::Frame};
use crate::{adapters::clock, id::ServerName, server::link};

/// One such link.
pub(super) struct Direct {
    kind: &'static str,
    post: Post,
    /// The server whose address this is, if it was given by hand.
    expected: Option<String>,
    nonce: String,
    /// Who says it is at the other end.
    claimed: RefCell<Option<String>>,
    is_proven: Cell<bool>,
    links: Weak<Inner>,
}

impl Direct {
    /// Begins: asks who is there.
    pub(super) fn open(links: &Rc<Inner>, kind: &'static str, post: Post, expected: Option<String>) -> Rc<Self> {
        let nonce = clock::random::<16>().unwrap_or_default().map(|byte| format!("{byte:02x}")).concat();
        let (claimed, is_proven) = (RefCell::default(), Cell::new(false));
        let direct = Rc::new(Self { kind, post, expected, nonce, claimed, is_proven, links: Rc::downgrade(links) });
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
                if self.server().is_some_and(|known| known != from) {
                    // Who has proved one name does not become another over the same link.
                    return;
                }
                let proof = link::proof(&links.identity, &server, &nonce);
                let is_new = self.claimed.replace(Some(from.clone())).as_ref() != Some(&from);
                if let Some(header) = proof {
                    (self.post)(&Frame::Proof { header });
                }
                if self.expected.as_ref() == Some(&from) {
                    self.proven(&links, &from);
                } else if is_new && !self.is_proven.get() {
                    // Our own challenge may have come before the other side listened.
                    self.challenge();
                }
            }
            Frame::Proof { header } => {
                let us = links.identity.name();
                let claimed = self.claimed.borrow().clone();
                if let Some(server) = claimed.filter(|server| link::is_proven(us, server, &self.nonce, &header)) {
                    self.proven(&links, &server);
                }
            }
            Frame::Who { .. } | Frame::Here { .. } => {}
            Frame::Gone { .. } => self.closed(),
            frame if self.is_proven.get() && !links.is_offline.get() => {
                if let Some(server) = self.server() {
                    links.stands(&server, self);
                }
                links.came(frame, self.kind, &self.post);
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
