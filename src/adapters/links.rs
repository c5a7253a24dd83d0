//! Ways to other servers: they differ in what carries the frames, not in what these say. Whoever receives a request checks its X-Matrix signature in the core.
//!
//! A link says what came of a request in time, always: a server that is away is unreachable at once or soon, and the core tries again later.

mod direct;
mod fetch;
pub mod frame;
mod kept;
mod port;
mod socket;
mod tabs;
mod tamper;
mod ways;

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;

use alloc::{
    boxed::Box,
    format,
    rc::{Rc, Weak},
    string::{String, ToString},
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use self::{direct::Direct, frame::Frame, kept::Kept, tabs::Tabs, ways::Ways};
pub use self::{
    kept::{Carrier, LinkError},
    port::{Port, gone},
    tamper::Tamper,
};
use super::{clock, secret::ServerKey};
use crate::{
    id::ServerName,
    ordered::Map,
    server::{ErrorCode, Failure, Request, Response, SendError},
};

/// How long a server may take to say that it has a request, in milliseconds. Where nobody is in between that is soon; over a network a long request takes its time,
/// and over HTTP it may have to be sent again.
fn taken_time(link: &str) -> u32 {
    match link {
        "http" => ANSWER_TIME,
        "socket" => 10_000,
        _ => 2_000,
    }
}

/// How long it may take to answer: longer than a hub waits for an invited server.
const ANSWER_TIME: u32 = 30_000;

type Done = Box<dyn FnOnce(Result<Response, SendError>)>;
type Found = Box<dyn Fn(&str)>;
type Serve = Box<dyn Fn(Request, Box<dyn FnOnce(Option<Response>)>)>;
type Post = Rc<dyn Fn(&Frame) -> bool>;

/// What happens on the links, for those who watch.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// A server can be reached, or no longer.
    Peer {
        /// Which.
        server: String,
        /// Over what.
        link: &'static str,
        /// Whether it can.
        connected: bool,
    },
    /// All links were cut, or put back.
    Online(bool),
    /// A request was answered, or not.
    Traffic {
        /// Whether it was ours.
        is_ours: bool,
        /// The other server.
        server: String,
        /// Over what.
        link: &'static str,
        /// The method.
        method: String,
        /// Path and query.
        target: String,
        /// How large the body was.
        bytes: usize,
        /// The status of the answer.
        outcome: Result<u16, SendError>,
        /// The body of the answer to a transaction.
        answer: Option<String>,
        /// How long it took, in milliseconds.
        took: u64,
        /// Whether it was changed on its way on purpose.
        tampered: bool,
    },
}

/// All links of a server.
pub struct Links {
    inner: Rc<Inner>,
}

struct Inner {
    key: ServerKey,
    watch: Box<dyn Fn(LinkEvent)>,
    serve: RefCell<Option<Serve>>,
    /// Is told of each server that can be reached, and could not be before.
    on_found: RefCell<Option<Found>>,
    is_offline: Cell<bool>,
    tabs: RefCell<Option<Tabs>>,
    /// Links to servers that have proved their names.
    ways: Ways,
    /// Links that are made anew when they break.
    kept: RefCell<Vec<Rc<Kept>>>,
    /// What is to be done to the next transaction with events.
    tamper: Cell<Option<Tamper>>,
    peers: RefCell<Map<String, &'static str>>,
    waiting: RefCell<Map<String, Waiting>>,
    /// Begins every ID of a request, so that an answer to an earlier life of this server finds nobody.
    life: String,
    sent: Cell<u64>,
    this: Weak<Inner>,
}

struct Waiting {
    done: Done,
    server: String,
    link: &'static str,
    method: String,
    target: String,
    bytes: usize,
    since: u64,
    tampered: bool,
    /// Gives up.
    timer: Timeout,
}

impl Links {
    /// The links of the server with that key; who watches is told what happens on them.
    pub fn new(key: ServerKey, watch: impl Fn(LinkEvent) + 'static) -> Self {
        let life = clock::random::<8>().unwrap_or_default().map(|byte| format!("{byte:02x}")).concat();
        let inner = Rc::new_cyclic(|this| Inner {
            key,
            watch: Box::new(watch),
            serve: RefCell::default(),
            on_found: RefCell::default(),
            is_offline: Cell::new(false),
            tabs: RefCell::default(),
            ways: Ways::default(),
            kept: RefCell::default(),
            tamper: Cell::new(None),
            peers: RefCell::default(),
            waiting: RefCell::default(),
            life,
            sent: Cell::new(0),
            this: this.clone(),
        });
        Self { inner }
    }

    /// The server's name.
    pub fn name(&self) -> String {
        self.inner.us()
    }

    /// Requests of others go to `serve` from now on, and `found` is told of each server that can be reached again.
    pub fn serve_with(
        &self,
        found: impl Fn(&str) + 'static,
        serve: impl Fn(Request, Box<dyn FnOnce(Option<Response>)>) + 'static,
    ) {
        self.inner.on_found.replace(Some(Box::new(found)));
        self.inner.serve.replace(Some(Box::new(serve)));
    }

    /// Links to the servers in other tabs of this origin. Whether the browser can.
    pub fn open_tabs(&self) -> bool {
        let this = self.inner.this.clone();
        let tabs = Tabs::open(move |frame| {
            if let Some(links) = this.upgrade() {
                links.came_by_tabs(frame);
            }
        });
        let is_open = tabs.is_some();
        self.inner.tabs.replace(tabs);
        self.inner.announce();
        is_open
    }

    /// Keeps a link to a server, at that address and no other; `stands` is told once whether it stands, or why it does not yet.
    pub fn keep(
        &self,
        carrier: Carrier,
        server: String,
        url: String,
        stands: impl FnOnce(Result<(), LinkError>) + 'static,
    ) {
        let known = self.inner.kept.borrow().iter().find(|kept| kept.is_to(carrier, &server)).cloned();
        let kept = known.filter(|kept| kept.is_at(&url)).unwrap_or_else(|| {
            self.drop_kept(carrier, &server);
            let kept = Kept::keep(&self.inner, carrier, server, url);
            self.inner.kept.borrow_mut().push(kept.clone());
            kept
        });
        kept.tell(Box::new(stands));
    }

    /// Keeps the links of that carrier to a server no longer.
    pub fn drop_kept(&self, carrier: Carrier, server: &str) {
        let (dropped, kept): (Vec<_>, Vec<_>) =
            self.inner.kept.take().into_iter().partition(|kept| kept.is_to(carrier, server));
        self.inner.kept.replace(kept);
        for kept in dropped {
            kept.hang_up(LinkError::Closed("it is kept no longer".into()));
        }
    }

    /// Does something to the next transaction with events that is sent.
    pub fn tamper(&self, tamper: Tamper) {
        self.inner.tamper.set(Some(tamper));
    }

    /// Cuts every link, or puts all back.
    pub fn set_offline(&self, is_offline: bool) {
        if self.inner.is_offline.replace(is_offline) == is_offline {
            return;
        }
        if is_offline {
            self.inner.cut();
        } else {
            self.inner.announce();
        }
        (self.inner.watch)(LinkEvent::Online(!is_offline));
    }

    /// Whether every link is cut.
    pub fn is_offline(&self) -> bool {
        self.inner.is_offline.get()
    }

    /// The servers that can be reached, and over what.
    pub fn peers(&self) -> Vec<(String, &'static str)> {
        self.inner.peers.borrow().iter().map(|(server, link)| (server.clone(), *link)).collect()
    }

    /// Says good-bye.
    pub fn close(&self) {
        let gone = Frame::Gone { from: self.inner.us() };
        self.inner.post_to_tabs(&gone);
        for (_, direct) in self.inner.ways.all() {
            direct.post()(&gone);
        }
        self.inner.is_offline.set(true);
        self.inner.tabs.replace(None);
    }

    /// Sends a request; what comes of it is handed to `done`, once and later.
    pub fn send(
        &self,
        server: &ServerName,
        request: Request,
        done: impl FnOnce(Result<Response, SendError>) + 'static,
    ) {
        self.inner.send(server, request, Box::new(done));
    }
}

impl Inner {
    fn us(&self) -> String {
        self.key.name().to_string()
    }

    fn announce(&self) {
        self.post_to_tabs(&Frame::Who { from: self.us() });
        self.post_to_tabs(&Frame::Here { from: self.us() });
        for kept in self.kept.borrow().iter() {
            kept.connect();
        }
        for (server, _) in self.ways.all() {
            self.other_way(&server);
        }
    }

    fn cut(&self) {
        for kept in self.kept.borrow().iter() {
            kept.hang_up(LinkError::Offline);
        }
        if let Some(tabs) = &*self.tabs.borrow() {
            tabs.post(&Frame::Gone { from: self.us() });
        }
        let peers = core::mem::take(&mut *self.peers.borrow_mut());
        for (server, link) in peers {
            (self.watch)(LinkEvent::Peer { server, link, connected: false });
        }
        let waiting: Vec<String> = self.waiting.borrow().keys().cloned().collect();
        for id in waiting {
            self.settle(&id, Err(SendError::Unreachable));
        }
    }

    fn post_to_tabs(&self, frame: &Frame) -> bool {
        !self.is_offline.get() && self.tabs.borrow().as_ref().is_some_and(|tabs| tabs.post(frame))
    }

    /// What carries frames to a server, and its name.
    fn way_to(&self, server: &str) -> Option<(&'static str, Post)> {
        if self.is_offline.get() {
            return None;
        }
        if let Some(direct) = self.ways.best(server) {
            return Some((direct.kind(), direct.post()));
        }
        self.tabs.borrow().as_ref()?;
        let this = self.this.clone();
        Some((tabs::NAME, Rc::new(move |frame| this.upgrade().is_some_and(|links| links.post_to_tabs(frame)))))
    }

    fn send(&self, server: &ServerName, request: Request, done: Done) {
        let flipped = self.tamper.get().and_then(|tamper| tamper::flip(&self.key, &request, tamper));
        let Some(flipped) = flipped else { return self.put_out(server, request, done, false) };
        self.tamper.set(None);
        let (this, server) = (self.this.clone(), server.clone());
        spawn_local(async move {
            let request = flipped.await;
            if let Some(links) = this.upgrade() {
                links.put_out(&server, request, done, true);
            }
        });
    }

    fn put_out(&self, server: &ServerName, request: Request, done: Done, tampered: bool) {
        self.sent.set(self.sent.get().wrapping_add(1));
        let id = format!("{}{}", self.life, self.sent.get());
        let server = server.to_string();
        let way = self.way_to(&server);
        let waiting = Waiting {
            done,
            link: way.as_ref().map_or("none", |(link, _)| link),
            method: request.method.to_string(),
            target: request.target.clone(),
            bytes: request.body.len(),
            since: clock::now().millis(),
            tampered,
            timer: self.give_up(&id, way.as_ref().map_or(0, |(link, _)| taken_time(link)), SendError::Unreachable),
            server: server.clone(),
        };
        self.waiting.borrow_mut().insert(id.clone(), waiting);
        let frame = Frame::request(id.clone(), &self.us(), &server, request);
        let is_out = way.zip(frame).is_some_and(|((_, post), frame)| post(&frame));
        if let (false, Some(waiting)) = (is_out, self.waiting.borrow_mut().get_mut(&id)) {
            waiting.timer = self.give_up(&id, 0, SendError::Unreachable);
        }
    }

    fn give_up(&self, id: &str, after: u32, error: SendError) -> Timeout {
        let (this, id) = (self.this.clone(), String::from(id));
        Timeout::new(after, move || {
            let Some(links) = this.upgrade() else { return };
            let waiting = links.waiting.borrow();
            let over = waiting.get(&id).map(|waiting| (waiting.server.clone(), waiting.link));
            drop(waiting);
            links.settle(&id, Err(error));
            if let (Some((server, link)), SendError::Unreachable) = (over, error) {
                links.doubt(&server, link);
            }
        })
    }

    fn settle(&self, id: &str, result: Result<Response, SendError>) {
        let Some(waiting) = self.waiting.borrow_mut().remove(id) else { return };
        let is_transaction = waiting.target.contains("/send/");
        let answer = result.as_ref().ok().filter(|_| is_transaction);
        let event = LinkEvent::Traffic {
            is_ours: true,
            server: waiting.server.clone(),
            link: waiting.link,
            method: waiting.method,
            target: waiting.target,
            bytes: waiting.bytes,
            outcome: result.as_ref().map(|response| response.status).map_err(|error| *error),
            answer: answer.map(|response| String::from_utf8_lossy(&response.body).into_owned()),
            took: clock::now().millis().saturating_sub(waiting.since),
            tampered: waiting.tampered,
        };
        match &result {
            _ if self.is_offline.get() => {}
            Ok(_) => self.found(&waiting.server, waiting.link),
            Err(_) => self.lost(&waiting.server),
        }
        (self.watch)(event);
        (waiting.done)(result);
    }

    fn found(&self, server: &str, link: &'static str) {
        if server == self.key.name().as_str() || ServerName::parse(server).is_err() {
            return;
        }
        // Whatever a server was heard over, requests to it take the best way.
        let link = self.ways.best(server).map_or(link, |best| best.kind());
        if self.peers.borrow_mut().insert(server.into(), link) != Some(link) {
            (self.watch)(LinkEvent::Peer { server: server.into(), link, connected: true });
            if let Some(found) = &*self.on_found.borrow() {
                found(server);
            }
        }
    }

    fn lost(&self, server: &str) {
        let lost = self.peers.borrow_mut().remove(server);
        if let Some(link) = lost {
            (self.watch)(LinkEvent::Peer { server: server.into(), link, connected: false });
        }
    }

    /// A server has proved its name over a link, or is heard again over one that was in doubt.
    fn stands(&self, server: &str, link: &Rc<Direct>) {
        if self.ways.add(server, link) && !self.is_offline.get() {
            self.found(server, link.kind());
        }
    }

    /// A link is gone: what is under way over it is asked for again, over another.
    fn broke(&self, server: &str, link: &Direct) {
        if !self.ways.remove(link) {
            return;
        }
        let is_over_it = |waiting: &Waiting| waiting.server == server && waiting.link == link.kind();
        let waiting = self.waiting.borrow();
        let lost: Vec<String> =
            waiting.iter().filter(|(_, waiting)| is_over_it(waiting)).map(|(id, _)| id.clone()).collect();
        drop(waiting);
        for id in lost {
            self.settle(&id, Err(SendError::Unreachable));
        }
        self.other_way(server);
    }

    /// Nobody has taken a request. Links without anybody in between break unheard, so requests take another way until something comes over this one.
    fn doubt(&self, server: &str, kind: &'static str) {
        let link = self.ways.best(server).filter(|link| link.kind() == kind && link.is_end_to_end());
        let Some(link) = link else { return };
        self.ways.remove(&link);
        self.other_way(server);
        link.challenge();
    }

    /// Says over what a server can be reached, now that a link to it is gone; or asks whether it can.
    fn other_way(&self, server: &str) {
        match self.ways.best(server).filter(|_| !self.is_offline.get()) {
            Some(link) => self.found(server, link.kind()),
            None => {
                self.lost(server);
                self.post_to_tabs(&Frame::Who { from: self.us() });
            }
        }
    }

    fn came_by_tabs(self: &Rc<Self>, frame: Frame) {
        if self.is_offline.get() {
            return;
        }
        let this = self.this.clone();
        let reply: Post = Rc::new(move |frame| this.upgrade().is_some_and(|links| links.post_to_tabs(frame)));
        match frame {
            Frame::Who { from } => {
                self.found(&from, tabs::NAME);
                self.post_to_tabs(&Frame::Here { from: self.us() });
            }
            Frame::Here { from } => self.found(&from, tabs::NAME),
            Frame::Gone { from } => self.lost(&from),
            frame => self.came(frame, tabs::NAME, None, &reply),
        }
    }

    /// Deals with a request or an answer, whatever it came over. Over a link to one server only what that server says counts.
    fn came(self: &Rc<Self>, frame: Frame, link: &'static str, server: Option<&str>, reply: &Post) {
        let us = self.us();
        let is_of = |id: &str| {
            let waiting = self.waiting.borrow();
            waiting.get(id).is_some_and(|waiting| server.is_none_or(|server| server == waiting.server))
        };
        match frame {
            Frame::Request { id, to, from, method, target, headers, body }
                if to == us && server.is_none_or(|server| server == from) =>
            {
                let bytes = body.len();
                let Some(request) = frame::request(&method, target.clone(), headers, body) else { return };
                reply(&Frame::Taken { id: id.clone(), to: from.clone() });
                self.found(&from, link);
                let (this, reply, since) = (self.this.clone(), reply.clone(), clock::now().millis());
                let answer = Box::new(move |response: Option<Response>| {
                    // No answer is left out so that the other side asks again: the machine that had the request is gone.
                    let (Some(links), Some(response)) = (this.upgrade(), response) else { return };
                    let is_transaction = target.contains("/send/");
                    let answer = is_transaction.then(|| String::from_utf8_lossy(&response.body).into_owned());
                    (links.watch)(LinkEvent::Traffic {
                        is_ours: false,
                        server: from.clone(),
                        link,
                        method,
                        target,
                        bytes,
                        outcome: Ok(response.status),
                        answer,
                        took: clock::now().millis().saturating_sub(since),
                        tampered: false,
                    });
                    if !reply(&frame::response(id.clone(), from.clone(), response)) {
                        let error = "the answer is too long for the link; ask for less";
                        let short = Failure::new(413, ErrorCode::TooLarge, error).to_response();
                        reply(&frame::response(id, from, short));
                    }
                });
                if let Some(serve) = &*self.serve.borrow() {
                    serve(request, answer);
                }
            }
            Frame::Taken { id, to } if to == us && is_of(&id) => {
                let timer = self.give_up(&id, ANSWER_TIME, SendError::TimedOut);
                if let Some(waiting) = self.waiting.borrow_mut().get_mut(&id) {
                    waiting.timer = timer;
                }
            }
            Frame::Response { id, to, status, body } if to == us && is_of(&id) => {
                self.settle(&id, Ok(Response { status, body: body.into_bytes() }));
            }
            _ => {}
        }
    }
}
