//! Two servers with links between them, in one place: which link a request takes, and what becomes of it when one breaks.

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};
use core::cell::{Cell, RefCell};

use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Frame, LinkEvent, Links, Port};
use crate::{
    adapters::secret::ServerKey,
    bindings::form::field,
    id::ServerName,
    server::{Request, Response, SendError},
};

/// A server that answers every request with its target.
struct Server {
    links: Links,
    name: ServerName,
    /// Servers that came and went, and over what.
    seen: Rc<RefCell<Vec<(&'static str, bool)>>>,
}

impl Server {
    fn new() -> Self {
        Self::with(ServerKey::in_memory().unwrap())
    }

    fn with(key: ServerKey) -> Self {
        let name = key.name().clone();
        let seen: Rc<RefCell<Vec<_>>> = Rc::default();
        let events = seen.clone();
        let links = Links::new(key, move |event| {
            if let LinkEvent::Peer { link, connected, .. } = event {
                events.borrow_mut().push((link, connected));
            }
        });
        links.serve_with(
            |_| {},
            |request, answer| answer(Some(Response { status: 200, body: request.target.into_bytes() })),
        );
        Self { links, name, seen }
    }

    async fn ask(&self, other: &Self, target: &str) -> Result<String, SendError> {
        let came: Rc<RefCell<Option<_>>> = Rc::default();
        let into = came.clone();
        let request =
            Request { method: http::Method::GET, target: target.into(), headers: Vec::new(), body: Vec::new() };
        self.links.send(&other.name, request, move |result| {
            into.replace(Some(result));
        });
        for _ in 0..500 {
            if let Some(result) = came.take() {
                return result.map(|response| String::from_utf8(response.body).unwrap());
            }
            TimeoutFuture::new(10).await;
        }
        panic!("nothing came of a request");
    }

    fn ways(&self) -> Vec<&'static str> {
        self.links.peers().into_iter().map(|(_, link)| link).collect()
    }
}

/// A wire between two ports: what goes in at one end comes out at the other, for as long as it holds.
struct Wire {
    kind: &'static str,
    ends: [RefCell<Option<Port>>; 2],
    /// The last challenge that came to each end.
    challenges: [RefCell<Option<JsValue>>; 2],
    holds: Cell<bool>,
    carried: Cell<usize>,
    /// The ID of the last request.
    asked: RefCell<String>,
}

impl Wire {
    fn between(one: &Server, other: &Server, kind: &'static str) -> Rc<Self> {
        let (ends, challenges) = Default::default();
        let wire = Rc::new(Self {
            kind,
            ends,
            challenges,
            holds: Cell::new(true),
            carried: Cell::new(0),
            asked: RefCell::default(),
        });
        wire.open(0, one);
        wire.open(1, other);
        wire
    }

    /// Opens the link at one end, as a tab that has the port does at each writer.
    fn open(self: &Rc<Self>, end: usize, server: &Server) {
        let across = self.clone();
        let post = move |frame: &JsValue| {
            let (wire, frame) = (across.clone(), frame.clone());
            spawn_local(async move { wire.carry(1 - end, frame) });
            true
        };
        let port = server.links.open_port(self.kind, post, |_| {});
        if let Some(challenge) = self.challenges[end].borrow().clone() {
            port.came(challenge);
        }
        self.ends[end].replace(Some(port));
    }

    fn carry(&self, to: usize, frame: JsValue) {
        if !self.holds.get() {
            return;
        }
        if field(&frame, "kind").is_some_and(|kind| kind == "challenge") {
            self.challenges[to].replace(Some(frame.clone()));
        }
        if field(&frame, "kind").is_some_and(|kind| kind == "request") {
            self.asked.replace(field(&frame, "id").and_then(|id| id.as_string()).unwrap());
        }
        self.carried.set(self.carried.get() + 1);
        let far = self.ends[to].borrow().clone();
        far.unwrap().came(frame);
    }

    /// Tells both ends that it is gone.
    fn close(&self) {
        self.holds.set(false);
        for end in &self.ends {
            end.borrow().as_ref().unwrap().closed();
        }
    }
}

async fn soon() {
    TimeoutFuture::new(50).await;
}

#[wasm_bindgen_test]
async fn when_the_newer_link_closes_requests_go_over_the_older_again() {
    let (ann, bob) = (Server::new(), Server::new());
    let older = Wire::between(&ann, &bob, "port");
    soon().await;
    let newer = Wire::between(&ann, &bob, "rtc");
    soon().await;
    assert_eq!((ann.ways(), bob.ways()), (["rtc"].into(), ["rtc"].into()));
    let before = older.carried.get();
    assert_eq!(ann.ask(&bob, "/1").await, Ok("/1".into()));
    assert_eq!(older.carried.get(), before, "the newer one carries it");
    newer.close();
    assert_eq!((ann.ways(), bob.ways()), (["port"].into(), ["port"].into()));
    assert_eq!(ann.ask(&bob, "/2").await, Ok("/2".into()));
    assert_eq!(bob.ask(&ann, "/3").await, Ok("/3".into()));
    assert_eq!(*ann.seen.borrow(), [("port", true), ("rtc", true), ("port", true)]);
}

#[wasm_bindgen_test]
async fn what_is_under_way_over_a_link_that_closes_has_failed_at_once() {
    let (ann, bob) = (Server::new(), Server::new());
    let wire = Wire::between(&ann, &bob, "rtc");
    soon().await;
    bob.links.serve_with(|_| {}, |_, answer| core::mem::forget(answer));
    let begun = js_sys::Date::now();
    let closing = wire.clone();
    spawn_local(async move {
        soon().await;
        closing.close();
    });
    assert_eq!(ann.ask(&bob, "/1").await, Err(SendError::Unreachable));
    assert!(js_sys::Date::now() - begun < 1_000.0);
    assert!(ann.ways().is_empty());
}

#[wasm_bindgen_test]
async fn a_link_that_is_silent_is_left_until_something_comes_over_it() {
    let (ann, bob) = (Server::new(), Server::new());
    let _older = Wire::between(&ann, &bob, "port");
    soon().await;
    let newer = Wire::between(&ann, &bob, "rtc");
    soon().await;
    newer.holds.set(false);
    assert_eq!(ann.ask(&bob, "/1").await, Err(SendError::Unreachable), "nobody takes it");
    assert_eq!(ann.ways(), ["port"]);
    assert_eq!(ann.ask(&bob, "/2").await, Ok("/2".into()));
    // The other end has heard nothing of it: its request finds us over the same link.
    newer.holds.set(true);
    assert_eq!(bob.ask(&ann, "/3").await, Ok("/3".into()));
    assert_eq!(ann.ways(), ["rtc"]);
    assert_eq!(ann.ask(&bob, "/4").await, Ok("/4".into()));
}

#[wasm_bindgen_test]
async fn a_link_opened_anew_at_one_end_is_proved_by_the_other_end_s_last_challenge() {
    let key = ServerKey::in_memory().unwrap();
    let (ann, bob) = (Server::with(key.clone()), Server::new());
    let wire = Wire::between(&ann, &bob, "port");
    soon().await;
    // The server goes on in another tab, which has heard nothing of the link; the other end does not ask again.
    let heir = Server::with(key);
    wire.open(0, &heir);
    soon().await;
    assert_eq!(heir.ways(), ["port"]);
    assert_eq!(heir.ask(&bob, "/1").await, Ok("/1".into()));
    assert_eq!(bob.ask(&heir, "/2").await, Ok("/2".into()));
}

#[wasm_bindgen_test]
async fn only_the_server_that_was_asked_can_answer() {
    let (ann, bob, eve) = (Server::new(), Server::new(), Server::new());
    let wire = Wire::between(&ann, &bob, "port");
    let hers = Wire::between(&ann, &eve, "port");
    soon().await;
    let answer: Rc<RefCell<Option<Box<dyn FnOnce(Option<Response>)>>>> = Rc::default();
    let later = answer.clone();
    bob.links.serve_with(|_| {}, move |_, answer| drop(later.replace(Some(answer))));
    let came: Rc<RefCell<Option<Result<Response, SendError>>>> = Rc::default();
    let into = came.clone();
    let request = Request { method: http::Method::GET, target: "/1".into(), headers: Vec::new(), body: Vec::new() };
    ann.links.send(&bob.name, request, move |result| drop(into.replace(Some(result))));
    soon().await;
    let (id, to) = (wire.asked.borrow().clone(), String::from(ann.name.as_str()));
    let forged = Frame::Response { id, to: to.clone(), status: 200, body: "forged".into() };
    hers.carry(0, forged.write().unwrap());
    let pretended = Frame::Request {
        id: "1".into(),
        to,
        from: "other.example".into(),
        method: "GET".into(),
        target: "/2".into(),
        headers: Vec::new(),
        body: String::new(),
    };
    hers.carry(0, pretended.write().unwrap());
    soon().await;
    assert!(came.borrow().is_none(), "Bob was asked");
    assert_eq!(ann.links.peers().len(), 2, "nobody can be reached over the link of another");
    answer.take().unwrap()(Some(Response { status: 200, body: b"/1".to_vec() }));
    soon().await;
    assert_eq!(came.take().unwrap().unwrap().body, b"/1");
}
