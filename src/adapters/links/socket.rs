//! A link over a WebSocket to a server whose address was given by hand. It is kept: when it breaks it is made anew, later each time.

use alloc::{
    rc::{Rc, Weak},
    string::String,
};
use core::cell::{Cell, RefCell};

use gloo_timers::callback::Timeout;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{Event, MessageEvent, WebSocket};

use super::{Inner, Post, direct::Direct, frame::Frame};

/// The first wait before a broken socket is made anew, in milliseconds, and the longest.
const FIRST_WAIT: u32 = 500;
const LONGEST_WAIT: u32 = 60_000;

/// A socket that is kept.
pub(super) struct Socket {
    url: String,
    server: String,
    wait: Cell<u32>,
    open: RefCell<Option<Open>>,
    retry: RefCell<Option<Timeout>>,
    links: Weak<Inner>,
    this: Weak<Self>,
}

/// One connection.
struct Open {
    socket: WebSocket,
    _opened: Closure<dyn FnMut(Event)>,
    _came: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(Event)>,
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
            links: Rc::downgrade(links),
            this: this.clone(),
        });
        socket.connect();
        socket
    }

    /// Connects now, whatever the wait was.
    pub(super) fn connect(&self) {
        self.retry.replace(None);
        let (Some(links), Some(socket)) = (self.links.upgrade(), self.dial()) else { return };
        if links.is_offline.get() {
            let _ = socket.close();
            return;
        }
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
        let heard = direct.clone();
        let came = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let frame = event.data().as_string().and_then(|text| Frame::parse(&text));
            if let (Some(direct), Some(frame)) = (heard.borrow().clone(), frame) {
                direct.came(frame);
            }
        });
        let this = self.this.clone();
        let closed = Closure::<dyn FnMut(Event)>::new(move |_| {
            if let Some(direct) = direct.take() {
                direct.closed();
            }
            if let Some(socket) = this.upgrade() {
                socket.retry_later();
            }
        });
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(came.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        self.open.replace(Some(Open { socket, _opened: opened, _came: came, _closed: closed }));
    }

    /// A new socket: the address with our name, so that the server knows whose it is to be before it has read anything.
    fn dial(&self) -> Option<WebSocket> {
        let sign = if self.url.contains('?') { '&' } else { '?' };
        WebSocket::new(&alloc::format!("{}{sign}server={}", self.url, self.links.upgrade()?.us())).ok()
    }

    /// Hangs up; `connect` calls again.
    pub(super) fn hang_up(&self) {
        if let Some(open) = &*self.open.borrow() {
            let _ = open.socket.close();
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
