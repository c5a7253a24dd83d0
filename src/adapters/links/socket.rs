//! A link over a WebSocket to a server whose address was given by hand. It is kept: when it breaks it is made anew, later each time.

use alloc::{
    boxed::Box,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use gloo_timers::callback::Timeout;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{Event, MessageEvent, WebSocket};

use super::{Inner, Post, direct::Direct, frame::Frame};
use crate::bindings::{form::field, whole};

/// The first wait before a broken socket is made anew, in milliseconds, and the longest.
const FIRST_WAIT: u32 = 500;
const LONGEST_WAIT: u32 = 60_000;

/// How long a server may take to say who it is, in milliseconds.
const PATIENCE: u32 = 10_000;

/// Why a link over a socket does not stand. But for a bad address it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The address is none of a socket that this page may open.
    #[error("no socket can be opened to this address: {0}")]
    Address(String),
    /// All links are cut.
    #[error("the links are cut: go online first")]
    Offline,
    /// The socket could not be opened, or was closed: the words of the other end, or the code of the closing.
    #[error("the socket was closed before it was known who is at its other end ({0})")]
    Closed(String),
    /// Somebody answers, and is not the server.
    #[error("at the other end of the socket is another server: {0}")]
    Other(String),
    /// Nobody said to be the server.
    #[error("nobody at the other end of the socket says who it is")]
    Silent,
}

/// Takes whether a socket stands.
type Stands = Box<dyn FnOnce(Result<(), SocketError>)>;

/// A socket that is kept.
pub(super) struct Socket {
    url: String,
    server: String,
    wait: Cell<u32>,
    open: RefCell<Option<Open>>,
    retry: RefCell<Option<Timeout>>,
    /// Those who wait for the link to stand, and the end of their patience.
    waiting: RefCell<Vec<Stands>>,
    patience: RefCell<Option<Timeout>>,
    links: Weak<Inner>,
    this: Weak<Self>,
}

/// One connection.
struct Open {
    socket: WebSocket,
    direct: Rc<RefCell<Option<Rc<Direct>>>>,
    _opened: Closure<dyn FnMut(Event)>,
    _came: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(Event)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // What the socket still has to say must not find its listeners gone.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
        if let Some(direct) = self.direct.take() {
            direct.closed();
        }
    }
}

impl Socket {
    /// Connects, and keeps connected.
    pub(super) fn keep(links: &Rc<Inner>, server: String, url: String) -> Rc<Self> {
        let socket = Rc::new_cyclic(|this| Self {
            url,
            server,
            wait: Cell::new(FIRST_WAIT),
            open: RefCell::default(),
            retry: RefCell::default(),
            waiting: RefCell::default(),
            patience: RefCell::default(),
            links: Rc::downgrade(links),
            this: this.clone(),
        });
        socket.connect();
        socket
    }

    /// The server that it is to.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Whether it is to that server at that address.
    pub(super) fn is_to(&self, server: &str, url: &str) -> bool {
        self.server == server && self.url == url
    }

    /// Tells whether the link stands, as soon as that is known.
    pub(super) fn tell(&self, stands: Stands) {
        if self.stands() {
            return stands(Ok(()));
        }
        if self.links.upgrade().is_none_or(|links| links.is_offline.get()) {
            return stands(Err(SocketError::Offline));
        }
        self.waiting.borrow_mut().push(stands);
        if self.open.borrow().is_none() || self.retry.borrow().is_some() {
            // It could not be opened, or is to be made anew later: now is the time.
            self.connect();
        }
        let this = self.this.clone();
        let patience = Timeout::new(PATIENCE, move || {
            if let Some(socket) = this.upgrade() {
                socket.settle(&Err(SocketError::Silent));
            }
        });
        self.patience.replace(Some(patience));
    }

    /// Connects now, whatever the wait was.
    pub(super) fn connect(&self) {
        self.retry.replace(None);
        let Some(links) = self.links.upgrade().filter(|links| !links.is_offline.get()) else { return };
        let socket = match self.dial(&links) {
            Ok(socket) => socket,
            Err(error) => return self.settle(&Err(error)),
        };
        let direct: Rc<RefCell<Option<Rc<Direct>>>> = Rc::default();
        let (this, begun, sender) = (self.this.clone(), direct.clone(), socket.clone());
        let opened = Closure::<dyn FnMut(Event)>::new(move |_| {
            let Some((socket, links)) = this.upgrade().and_then(|this| Some((this.clone(), this.links.upgrade()?)))
            else {
                return;
            };
            socket.wait.set(FIRST_WAIT);
            let sender = sender.clone();
            let post: Post = Rc::new(move |frame| frame.text().is_some_and(|text| sender.send_with_str(&text).is_ok()));
            begun.replace(Some(Direct::open(&links, "socket", post, Some(socket.server.clone()))));
        });
        let (this, heard) = (self.this.clone(), direct.clone());
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let frame = event.data().as_string().and_then(|text| Frame::parse(&text));
            if let (Some(direct), Some(frame)) = (heard.borrow().clone(), frame) {
                direct.came(frame);
            }
            if let Some(socket) = this.upgrade() {
                socket.look();
            }
        });
        let (this, gone) = (self.this.clone(), direct.clone());
        let closed = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            if let Some(direct) = gone.take() {
                direct.closed();
            }
            if let Some(socket) = this.upgrade() {
                let words =
                    field(&event, "reason").and_then(|reason| reason.as_string()).filter(|words| !words.is_empty());
                let code = field(&event, "code").and_then(|code| code.as_f64()).map(whole).unwrap_or_default();
                let why = words.unwrap_or_else(|| alloc::format!("code {code}"));
                socket.settle(&Err(SocketError::Closed(why)));
                socket.retry_later();
            }
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(came.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        self.open.replace(Some(Open { socket, direct, _opened: opened, _came: came, _closed: closed }));
    }

    /// A new socket: the address with our name, so that the server knows whose it is to be before it has read anything.
    fn dial(&self, links: &Inner) -> Result<WebSocket, SocketError> {
        let sign = if self.url.contains('?') { '&' } else { '?' };
        let address = alloc::format!("{}{sign}server={}", self.url, links.us());
        WebSocket::new(&address).map_err(|error| {
            let words = field(&error, "message").and_then(|message| message.as_string());
            SocketError::Address(words.unwrap_or_default())
        })
    }

    /// Hangs up; `connect` calls again.
    pub(super) fn hang_up(&self, why: SocketError) {
        self.retry.replace(None);
        self.open.replace(None);
        self.settle(&Err(why));
    }

    fn direct(&self) -> Option<Rc<Direct>> {
        self.open.borrow().as_ref().and_then(|open| open.direct.borrow().clone())
    }

    /// Whether the server at the other end is the one that it is to be.
    fn stands(&self) -> bool {
        self.direct().and_then(|direct| direct.server()).is_some_and(|server| server == self.server)
    }

    /// Tells those who wait, if it is known who is there.
    fn look(&self) {
        match self.direct().and_then(|direct| direct.claimed()) {
            Some(_) if self.stands() => self.settle(&Ok(())),
            Some(other) if other != self.server => self.settle(&Err(SocketError::Other(other))),
            _ => {}
        }
    }

    /// Tells those who wait.
    fn settle(&self, result: &Result<(), SocketError>) {
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
            if let Some(socket) = this.upgrade() {
                socket.connect();
            }
        });
        self.retry.replace(Some(retry));
    }
}
