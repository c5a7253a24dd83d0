//! HTTP as what carries a kept link, for places where no socket gets through (`docs/LINKS.md`): frames go out in lists, each a POST, and one more POST is always open,
//! whose answer is the other end's next list. Frames have numbers, so that a list whose answer was lost is sent or asked for again, and nothing comes twice.
//! A session that the other end no longer knows is closed, and the link made anew.

use alloc::{
    format,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use gloo_timers::{callback::Timeout, future::TimeoutFuture};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, Request, RequestInit, Response, WorkerGlobalScope};

use super::{
    Post,
    frame::Frame,
    kept::{Kept, LinkError},
};
use crate::bindings::{form::field, whole};

/// How long an answer may take, in milliseconds: longer than the other end lets a POST wait.
const ANSWER_TIME: u32 = 40_000;

/// The first wait before a list is posted again whose answer was lost, in milliseconds, and the longest. Behind that the session is given up.
const FIRST_WAIT: u32 = 500;
const LAST_WAIT: u32 = 2_000;

/// The longest frame, which the other end must take with what is around it; how long a list grows before the next begins; the most that waits. All in bytes.
const LONGEST_FRAME: usize = 8_000_000;
const LIST: usize = 1 << 20;
const MOST_WAITING: usize = 1 << 24;

/// One session, which ends when this is dropped.
pub(super) struct Open(Rc<Session>);

struct Session {
    address: String,
    /// What the other end calls it.
    id: RefCell<String>,
    /// Frames that the other end may not have, and the number of the first.
    waiting: RefCell<Vec<String>>,
    first: Cell<u64>,
    /// The number of the last frame that came.
    heard: Cell<u64>,
    is_sending: Cell<bool>,
    is_polling: Cell<bool>,
    is_over: Cell<bool>,
    sending: Slot,
    polling: Slot,
    kept: Weak<Kept>,
}

/// What ends a POST that is open.
type Slot = RefCell<Option<AbortController>>;

/// Why a POST came to nothing, in words.
enum Failure {
    /// It may have been taken, or may be later.
    Lost(String),
    /// The session is over.
    Refused(String),
}

/// Begins a session; `kept` is told what becomes of it.
pub(super) fn dial(kept: &Rc<Kept>, address: String) -> Result<Open, LinkError> {
    let request = Request::new_with_str(&address).map_err(|error| LinkError::Address(words(&error)))?;
    if !request.url().starts_with("http") {
        return Err(LinkError::Address(format!("{} is neither http: nor https:", request.url())));
    }
    let session = Rc::new(Session {
        address,
        id: RefCell::default(),
        waiting: RefCell::default(),
        first: Cell::new(1),
        heard: Cell::new(0),
        is_sending: Cell::new(false),
        is_polling: Cell::new(false),
        is_over: Cell::new(false),
        sending: RefCell::default(),
        polling: RefCell::default(),
        kept: Rc::downgrade(kept),
    });
    spawn_local(session.clone().begin());
    Ok(Open(session))
}

impl Open {
    /// Says good-bye behind all that waits; nobody is told what comes of it.
    pub(super) fn leave(&self, from: String) {
        let session = self.0.clone();
        let (waiting, gone) = (session.waiting.borrow().len(), Frame::Gone { from }.text().unwrap_or_default());
        let body = session.list(waiting, &gone);
        if !session.id.borrow().is_empty() {
            spawn_local(async move { drop(session.post(&RefCell::default(), &body).await) });
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Session {
    async fn begin(self: Rc<Self>) {
        let begun = self.post(&self.polling, "").await;
        let id = begun.as_ref().ok().and_then(|answer| field(answer, "session")?.as_string());
        match (begun, id) {
            (Ok(answer), Some(id)) if !self.is_over.get() => {
                self.id.replace(id);
                let this = Rc::downgrade(&self);
                let post: Post = Rc::new(move |frame| this.upgrade().is_some_and(|session| session.push(frame)));
                if let Some(kept) = self.kept.upgrade() {
                    kept.opened(post);
                }
                self.took(&answer);
            }
            (Ok(_), _) => self.closed("it began no session".into()),
            (Err(Failure::Lost(why) | Failure::Refused(why)), _) => self.closed(why),
        }
    }

    /// Whether the frame is on its way.
    fn push(self: &Rc<Self>, frame: &Frame) -> bool {
        if matches!(frame, Frame::Challenge { .. }) {
            // The address was given by hand: nothing is asked of who answers there.
            return true;
        }
        let size: usize = self.waiting.borrow().iter().map(String::len).sum();
        let text = frame.text().filter(|text| text.len() <= LONGEST_FRAME);
        let (Some(text), false) = (text, self.is_over.get() || size > MOST_WAITING) else { return false };
        self.waiting.borrow_mut().push(text);
        if !self.is_sending.replace(true) {
            spawn_local(self.clone().send());
        }
        true
    }

    /// Posts what waits, one list after the other.
    async fn send(self: Rc<Self>) {
        loop {
            let (count, frames) = self.next();
            if count == 0 {
                return self.is_sending.set(false);
            }
            if let Err(why) = self.surely(&self.sending, &self.list(0, &frames)).await {
                return self.closed(why);
            }
            self.waiting.borrow_mut().drain(..count);
            self.first.set(self.first.get().saturating_add(u64::try_from(count).unwrap_or_default()));
            // The first list holds our proof. Whoever has not proved its name is told nothing.
            if !self.is_polling.replace(true) {
                spawn_local(self.clone().poll());
            }
        }
    }

    /// Waits for one list of the other end after the other.
    async fn poll(self: Rc<Self>) {
        loop {
            match self.surely(&self.polling, &self.list(0, "")).await {
                Ok(answer) => self.took(&answer),
                Err(why) => return self.closed(why),
            }
        }
    }

    /// As many frames as go into the next list, and these.
    fn next(&self) -> (usize, String) {
        let (mut count, mut list) = (0_usize, String::new());
        for frame in self.waiting.borrow().iter() {
            if count > 0 && list.len().saturating_add(frame.len()) > LIST {
                break;
            }
            if count > 0 {
                list.push(',');
            }
            list.push_str(frame);
            count = count.saturating_add(1);
        }
        (count, list)
    }

    /// A list that begins with the frame of that place among those that wait.
    fn list(&self, place: usize, frames: &str) -> String {
        let first = self.first.get().saturating_add(u64::try_from(place).unwrap_or_default());
        format!(r#"{{"heard":{},"first":{first},"frames":[{frames}]}}"#, self.heard.get())
    }

    /// Hands on those frames of the other end's list that are new.
    fn took(&self, answer: &JsValue) {
        let first = field(answer, "first").and_then(|first| first.as_f64()).map(whole).unwrap_or_default();
        let frames = field(answer, "frames").and_then(|frames| frames.dyn_into::<Array>().ok()).unwrap_or_default();
        for (number, frame) in (first..).zip(frames.iter()) {
            let is_next = number == self.heard.get().saturating_add(1);
            if !is_next || self.is_over.get() {
                continue;
            }
            self.heard.set(number);
            if let (Some(kept), Some(frame)) = (self.kept.upgrade(), Frame::read(frame)) {
                kept.came(frame);
            }
        }
    }

    /// Posts until there is an answer; why there is none, where the session is over.
    async fn surely(&self, slot: &Slot, body: &str) -> Result<JsValue, String> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.post(slot, body).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lost(_)) if wait <= LAST_WAIT && !self.is_over.get() => {}
                Err(Failure::Lost(why) | Failure::Refused(why)) => return Err(why),
            }
            TimeoutFuture::new(wait).await;
            wait = wait.saturating_mul(2);
            if self.is_over.get() {
                return Err(String::new());
            }
        }
    }

    async fn post(&self, slot: &Slot, body: &str) -> Result<JsValue, Failure> {
        let lost = |error: JsValue| Failure::Lost(words(&error));
        let abort = AbortController::new().map_err(lost)?;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from(body));
        init.set_signal(Some(&abort.signal()));
        let id = self.id.borrow().clone();
        let address = if id.is_empty() { self.address.clone() } else { format!("{}&session={id}", self.address) };
        let request = Request::new_with_str_and_init(&address, &init).map_err(lost)?;
        let late = abort.clone();
        let timer = Timeout::new(ANSWER_TIME, move || late.abort());
        slot.replace(Some(abort));
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(lost)?;
        let response: Response = response.unchecked_into();
        let text = JsFuture::from(response.text().map_err(lost)?).await.map_err(lost)?;
        drop(timer);
        read(response.status(), &text.as_string().unwrap_or_default())
    }

    fn end(&self) {
        self.is_over.set(true);
        for slot in [&self.sending, &self.polling] {
            if let Some(abort) = slot.take() {
                abort.abort();
            }
        }
    }

    fn closed(&self, why: String) {
        if self.is_over.get() {
            return;
        }
        self.end();
        if let Some(kept) = self.kept.upgrade() {
            kept.closed(why);
        }
    }
}

/// What an answer says.
fn read(status: u16, text: &str) -> Result<JsValue, Failure> {
    let answer = js_sys::JSON::parse(text).unwrap_or_default();
    let said = field(&answer, "error").and_then(|error| error.as_string());
    let why = said.unwrap_or_else(|| format!("status {status}"));
    match status {
        200 if answer.is_object() => Ok(answer),
        429 | 500.. => Err(Failure::Lost(why)),
        _ => Err(Failure::Refused(why)),
    }
}

fn words(error: &JsValue) -> String {
    field(error, "message").and_then(|message| message.as_string()).unwrap_or_default()
}
