//! Links to servers whose address was given by hand. They are kept: one that breaks is made anew, later each time.

use alloc::{
    boxed::Box,
    format,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use gloo_timers::callback::Timeout;

use super::{Inner, Post, direct::Direct, fetch, frame::Frame, socket};

/// The first wait before a broken link is made anew, in milliseconds, and the longest.
const FIRST_WAIT: u32 = 500;
const LONGEST_WAIT: u32 = 60_000;

/// How long a server may take to say who it is, in milliseconds.
const PATIENCE: u32 = 10_000;

/// Why a kept link does not stand. But for a bad address it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The address is none that this page may open such a link to.
    #[error("no link can be opened to this address: {0}")]
    Address(String),
    /// All links are cut.
    #[error("the links are cut: go online first")]
    Offline,
    /// It could not be opened, or was closed: the words of the other end or of the browser, or the code of a socket's closing.
    #[error("the link was closed before it was known who is at its other end ({0})")]
    Closed(String),
    /// Somebody answers, and is not the server.
    #[error("at the other end of the link is another server: {0}")]
    Other(String),
    /// Nobody said to be the server.
    #[error("nobody at the other end of the link says who it is")]
    Silent,
}

/// What carries the frames of a kept link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A WebSocket.
    Socket,
    /// POSTs, one of which is always open.
    Http,
}

impl Carrier {
    /// The carrier of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Socket, Self::Http].into_iter().find(|carrier| carrier.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Http => "http",
        }
    }
}

/// Takes whether a link stands.
type Stands = Box<dyn FnOnce(Result<(), LinkError>)>;

/// A link that is kept.
pub(super) struct Kept {
    carrier: Carrier,
    server: String,
    url: String,
    wait: Cell<u32>,
    open: RefCell<Option<Open>>,
    direct: RefCell<Option<Rc<Direct>>>,
    retry: RefCell<Option<Timeout>>,
    /// Those who wait for the link to stand, and the end of their patience.
    waiting: RefCell<Vec<Stands>>,
    patience: RefCell<Option<Timeout>>,
    links: Weak<Inner>,
    this: Weak<Self>,
}

/// One connection, which hangs up when it is dropped, and tells nothing from then on.
enum Open {
    Socket(#[expect(dead_code, reason = "it hangs up by being dropped")] socket::Open),
    Http(fetch::Open),
}

impl Kept {
    /// Connects, and keeps connected.
    pub(super) fn keep(links: &Rc<Inner>, carrier: Carrier, server: String, url: String) -> Rc<Self> {
        let kept = Rc::new_cyclic(|this| Self {
            carrier,
            server,
            url,
            wait: Cell::new(FIRST_WAIT),
            open: RefCell::default(),
            direct: RefCell::default(),
            retry: RefCell::default(),
            waiting: RefCell::default(),
            patience: RefCell::default(),
            links: Rc::downgrade(links),
            this: this.clone(),
        });
        kept.connect();
        kept
    }

    /// Whether it is to that server over that carrier.
    pub(super) fn is_to(&self, carrier: Carrier, server: &str) -> bool {
        self.carrier == carrier && self.server == server
    }

    /// Whether it was given that address.
    pub(super) fn is_at(&self, url: &str) -> bool {
        self.url == url
    }

    /// Tells whether the link stands, as soon as that is known.
    pub(super) fn tell(&self, stands: Stands) {
        if self.standing().is_some() {
            return stands(Ok(()));
        }
        if self.links.upgrade().is_none_or(|links| links.is_offline.get()) {
            return stands(Err(LinkError::Offline));
        }
        self.waiting.borrow_mut().push(stands);
        if self.open.borrow().is_none() || self.retry.borrow().is_some() {
            // It could not be opened, or is to be made anew later: now is the time.
            self.connect();
        }
        let this = self.this.clone();
        let patience = Timeout::new(PATIENCE, move || {
            if let Some(kept) = this.upgrade() {
                kept.settle(&Err(LinkError::Silent));
            }
        });
        self.patience.replace(Some(patience));
    }

    /// Connects now, whatever the wait was.
    pub(super) fn connect(&self) {
        self.cut();
        let links = self.links.upgrade().filter(|links| !links.is_offline.get());
        let (Some(this), Some(links)) = (self.this.upgrade(), links) else { return };
        // Our name stands in the address, so that the server knows whose link it is to be before it has read anything.
        let sign = if self.url.contains('?') { '&' } else { '?' };
        let address = format!("{}{sign}server={}", self.url, links.us());
        let open = match self.carrier {
            Carrier::Socket => socket::dial(&this, &address).map(Open::Socket),
            Carrier::Http => fetch::dial(&this, address).map(Open::Http),
        };
        match open {
            Ok(open) => drop(self.open.replace(Some(open))),
            Err(error) => self.settle(&Err(error)),
        }
    }

    /// Hangs up; `connect` calls again.
    pub(super) fn hang_up(&self, why: LinkError) {
        if let (Some(Open::Http(open)), Some(links)) = (&*self.open.borrow(), self.links.upgrade())
            && !links.is_offline.get()
        {
            open.leave(links.us());
        }
        self.cut();
        self.settle(&Err(why));
    }

    /// The connection is open, and frames go out by `post`.
    pub(super) fn opened(&self, post: Post) {
        let Some(links) = self.links.upgrade() else { return };
        self.direct.replace(Some(Direct::open(&links, self.carrier.name(), post, Some(self.server.clone()))));
    }

    /// Something came over it.
    pub(super) fn came(&self, frame: Frame) {
        let direct = self.direct.borrow().clone();
        if !matches!(frame, Frame::Challenge { .. }) {
            // Anybody may ask who we are; whoever goes on has taken our proof.
            self.wait.set(FIRST_WAIT);
        }
        if let Some(direct) = direct {
            direct.came(frame);
        }
        self.look();
    }

    /// The connection is gone.
    pub(super) fn closed(&self, why: String) {
        self.end();
        self.settle(&Err(LinkError::Closed(why)));
        self.retry_later();
    }

    fn cut(&self) {
        self.retry.replace(None);
        self.open.replace(None);
        self.end();
    }

    fn end(&self) {
        if let Some(direct) = self.direct.take() {
            direct.closed();
        }
    }

    /// The link, while its other end is the server that it is to be.
    fn standing(&self) -> Option<Rc<Direct>> {
        self.direct.borrow().clone().filter(|direct| direct.server().as_ref() == Some(&self.server))
    }

    /// Tells those who wait, if it is known who is there.
    fn look(&self) {
        let claimed = self.direct.borrow().as_ref().and_then(|direct| direct.claimed());
        match claimed {
            Some(_) if self.standing().is_some() => self.settle(&Ok(())),
            Some(other) if other != self.server => self.settle(&Err(LinkError::Other(other))),
            _ => {}
        }
    }

    /// Tells those who wait.
    fn settle(&self, result: &Result<(), LinkError>) {
        self.patience.replace(None);
        for stands in self.waiting.take() {
            stands(result.clone());
        }
    }

    fn retry_later(&self) {
        let wait = self.wait.get();
        self.wait.set(wait.saturating_mul(2).min(LONGEST_WAIT));
        let this = self.this.clone();
        let retry = Timeout::new(wait, move || {
            if let Some(kept) = this.upgrade() {
                kept.connect();
            }
        });
        self.retry.replace(Some(retry));
    }
}
