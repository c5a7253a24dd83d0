//! One tab's part of a server. Tabs that open the same name share one server: a Web Lock makes one of them its writer, and the others hand it their page's
//! calls and the frames of its ports over a `BroadcastChannel`. When the writer dies the next in the line for the lock goes on from the rows, and what was not answered is asked again.
//!
//! Invariant: only who holds the lock opens the rows, so two tabs never write one log.

mod calls;
mod channel;
mod notice;
mod options;
mod ports;

use alloc::{
    boxed::Box,
    format,
    rc::{Rc, Weak},
    string::String,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;
use web_sys::DedicatedWorkerGlobalScope;

use self::{
    calls::{Failed, run},
    channel::{Channel, Message},
    notice::{Notice, Told},
    options::{Kept, Options},
    ports::Ports,
};
use super::{
    clock,
    engine::Engine,
    idb::IndexedStore,
    links::{Carrier, Links},
    locks::{self, Held},
    secret::ServerKey,
    store::{Store, StoreError},
};
use crate::{
    bindings::form::{self, Argument},
    ordered::Map,
};

/// A tab's part of a server; lives in a dedicated Worker, and speaks to the page by messages.
#[wasm_bindgen]
pub struct Tab {
    inner: Rc<Inner>,
}

struct Inner {
    options: Options,
    /// This tab among those of the server.
    id: String,
    channel: RefCell<Option<Channel>>,
    role: RefCell<Role>,
    /// The writer's life that knows of our calls, and how its server is called.
    writer: RefCell<Option<(String, String)>>,
    /// The page's calls that are not answered, by their number. One that brought a port is undefined: whoever writes next is asked by opening that link.
    pending: RefCell<Map<u32, JsValue>>,
    /// The last call of each other tab while we write. A tab's calls come in order, so that one told twice is known and done once.
    asked: RefCell<Map<String, u32>>,
    ports: Ports,
    opened: Cell<bool>,
    this: Weak<Inner>,
}

enum Role {
    /// Waits in the line for the lock.
    Proxy,
    /// Holds it, and reads the rows.
    Opening(Option<Held>),
    /// Runs the server.
    Writer(Rc<Engine>, #[expect(dead_code, reason = "it is released by being dropped")] Option<Held>),
    Closed,
}

#[wasm_bindgen]
impl Tab {
    /// Takes part in a server. That it is ready, or why not, is told the page as the answer to call 0.
    ///
    /// # Errors
    /// What is wrong with the options.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue) -> Result<Self, JsValue> {
        let options: Options = form::from_js(options).map_err(|Argument(words)| JsValue::from(words))?;
        let id = clock::random::<8>().unwrap_or_default().map(|byte| format!("{byte:02x}")).concat();
        let inner = Rc::new_cyclic(|this| Inner {
            options,
            id,
            channel: RefCell::default(),
            role: RefCell::new(Role::Proxy),
            writer: RefCell::default(),
            pending: RefCell::default(),
            asked: RefCell::default(),
            ports: Ports::default(),
            opened: Cell::new(false),
            this: this.clone(),
        });
        inner.begin();
        Ok(Self { inner })
    }

    /// Takes a call of the page: an object with its number as `id`, from 1 on, and its `type`.
    pub fn take(&self, call: JsValue) {
        let id = form::field(&call, "id").and_then(|id| id.as_f64()).map(crate::bindings::whole);
        if let Some(id) = id.and_then(|id| u32::try_from(id).ok()) {
            let kind = form::field(&call, "type").and_then(|kind| kind.as_string()).unwrap_or_default();
            match kind.as_str() {
                "close" => self.inner.close(id),
                "port" => self.inner.keep_port(id, &call),
                _ => {
                    self.inner.pending.borrow_mut().insert(id, call.clone());
                    self.inner.pass_on(id, &call);
                }
            }
        }
    }
}

impl Inner {
    fn begin(self: &Rc<Self>) {
        if self.options.store == Kept::Memory {
            return self.open(None);
        }
        let this = self.this.clone();
        let came = move |message| {
            if let Some(tab) = this.upgrade() {
                tab.came(message);
            }
        };
        let Some(channel) = Channel::open(&self.options.name, came) else {
            return self.fail(&Failed::unsupported("BroadcastChannel"));
        };
        self.show_life();
        channel.post(&Message::Hello { from: self.id.clone() });
        self.channel.replace(Some(channel));
        let this = self.this.clone();
        let granted = move |held| {
            if let Some(tab) = this.upgrade() {
                tab.open(Some(held));
            }
        };
        if !locks::wait_for(&format!("hublet:{}", self.options.name), granted) {
            self.fail(&Failed::unsupported("Web Locks; the page must be served over https or from localhost"));
        }
    }

    /// Becomes the writer.
    fn open(self: &Rc<Self>, held: Option<Held>) {
        if matches!(*self.role.borrow(), Role::Closed) {
            return;
        }
        self.role.replace(Role::Opening(held));
        let tab = self.clone();
        spawn_local(async move {
            match tab.engine().await {
                Ok(engine) => tab.write_with(engine).await,
                Err(error) => {
                    // The lock goes on to the next, who may have more luck.
                    tab.role.replace(Role::Closed);
                    tab.fail(&error.into());
                }
            }
        });
    }

    async fn engine(self: &Rc<Self>) -> Result<Rc<Engine>, StoreError> {
        let (store, key) = match self.options.store {
            Kept::Memory => (Store::in_memory(), ServerKey::in_memory()?),
            Kept::Indexeddb => {
                let store = IndexedStore::open(&format!("hublet:{}", self.options.name)).await?;
                let key = ServerKey::open(&store, self.options.key).await?;
                (Store::Indexed(store), key)
            }
        };
        let this = self.this.clone();
        let told = move |notice: Notice| {
            if let Some(tab) = this.upgrade() {
                tab.tell(&notice);
            }
        };
        let (notify, watch) = (told.clone(), told);
        let links = Links::new(key.clone(), move |event| watch(event.into()));
        let engine = Engine::new(key, store, links, Box::new(move |notification| notify(notification.into())));
        let (reaching, serving) = (Rc::downgrade(&engine), Rc::downgrade(&engine));
        let found = move |server: &str| {
            if let Some(engine) = reaching.upgrade() {
                engine.reached(server);
            }
        };
        engine.links().serve_with(found, move |request, answer| match serving.upgrade() {
            Some(engine) => engine.serve(request, answer),
            None => answer(None),
        });
        Ok(engine)
    }

    async fn write_with(self: &Rc<Self>, engine: Rc<Engine>) {
        let held = match self.role.replace(Role::Closed) {
            Role::Opening(held) => held,
            // Closed meanwhile.
            _ => return,
        };
        let server = engine.links().name();
        if self.options.links.tabs {
            engine.links().open_tabs();
        }
        for (carrier, links) in
            [(Carrier::Socket, &self.options.links.sockets), (Carrier::Http, &self.options.links.http)]
        {
            for (server, url) in links {
                engine.links().keep(carrier, server.clone(), url.clone(), |_| {});
            }
        }
        self.role.replace(Role::Writer(engine.clone(), held));
        self.writer.replace(Some((self.id.clone(), server.clone())));
        self.asked.replace(Map::default());
        if let Err(error) = engine.resume().await {
            return self.fail(&error.into());
        }
        self.post(&Message::Writer { life: self.id.clone(), server });
        self.ready();
        self.hand_over();
    }

    /// Hands whoever has begun to write all that our page waits for, and its ports.
    fn hand_over(self: &Rc<Self>) {
        self.open_ports();
        let pending = self.pending.borrow();
        let calls: Vec<_> =
            pending.iter().filter(|(_, call)| !call.is_undefined()).map(|(id, call)| (*id, call.clone())).collect();
        drop(pending);
        for (id, call) in calls {
            self.pass_on(id, &call);
        }
    }

    /// Tells the page once that calls are answered, and each time who answers them.
    fn ready(&self) {
        let Some((_, server)) = self.writer.borrow().clone() else { return };
        let role = if matches!(*self.role.borrow(), Role::Writer(..)) { "writer" } else { "proxy" };
        if !self.opened.replace(true) {
            let user = format!("@{}:{server}", self.options.user);
            self.to_page(&Told::opened(server, user, role));
        } else {
            self.to_page(&Told::role(role));
        }
    }

    fn fail(&self, failed: &Failed) {
        self.to_page(&Told::failed(0, failed));
    }

    /// Ends this tab's part: whoever is next in the line goes on.
    fn close(&self, id: u32) {
        // Without the channel first: links that other tabs have go on at the next writer, and are told nothing.
        self.channel.replace(None);
        self.close_ports();
        if let Role::Writer(engine, _) = &*self.role.borrow() {
            engine.links().close();
        }
        self.role.replace(Role::Closed);
        self.to_page(&Told::done(id));
    }

    /// The server, if this tab runs it.
    fn engine_at_work(&self) -> Option<Rc<Engine>> {
        match &*self.role.borrow() {
            Role::Writer(engine, _) => Some(engine.clone()),
            _ => None,
        }
    }

    /// Whether that tab is known to write.
    fn is_writer(&self, tab: &str) -> bool {
        self.writer.borrow().as_ref().is_some_and(|(life, _)| life == tab)
    }

    /// Hands a call of our page to whoever writes; while nobody does it waits.
    fn pass_on(self: &Rc<Self>, id: u32, call: &JsValue) {
        match (self.engine_at_work(), &*self.writer.borrow()) {
            (Some(engine), _) => {
                let this = self.this.clone();
                run(&engine, call, move |told| {
                    if let Some(tab) = this.upgrade() {
                        tab.answered(id, told);
                    }
                });
            }
            (None, Some((life, _))) => {
                self.post(&Message::Call { life: life.clone(), from: self.id.clone(), id, call: call.clone() });
            }
            (None, None) => {}
        }
    }

    fn answered(&self, id: u32, mut told: JsValue) {
        if self.pending.borrow_mut().remove(&id).is_some() {
            notice::number(&mut told, id);
            post_to_page(&told);
        }
    }

    /// Deals with what another tab of the server says.
    fn came(self: &Rc<Self>, message: Message) {
        match (message, self.engine_at_work()) {
            (Message::Hello { .. }, Some(engine)) => {
                self.post(&Message::Writer { life: self.id.clone(), server: engine.links().name() });
            }
            (Message::Call { life, from, id, call }, Some(engine)) if life == self.id => {
                let last = self.asked.borrow().get(&from).copied().unwrap_or_default();
                if id <= last {
                    return;
                }
                self.asked.borrow_mut().insert(from.clone(), id);
                let this = self.this.clone();
                run(&engine, &call, move |told| {
                    if let Some(tab) = this.upgrade() {
                        tab.post(&Message::Answer { to: from, id, told });
                    }
                });
            }
            (Message::Writer { life, server }, None) => {
                let is_new = self.writer.borrow().as_ref().is_none_or(|(known, _)| *known != life);
                if !is_new {
                    return;
                }
                self.writer.replace(Some((life, server)));
                self.ready();
                self.hand_over();
            }
            (Message::Frame { to, from, number, rtc, frame }, Some(engine)) if to == self.id => {
                self.came_over(&engine, &from, number, rtc, frame);
            }
            (Message::Frame { to, from, number, frame, .. }, None) if to == self.id && self.is_writer(&from) => {
                self.ports.post(number, &frame);
            }
            (Message::Answer { to, id, told }, _) if to == self.id => self.answered(id, told),
            (Message::Notice { notice }, None) => post_to_page(&notice),
            _ => {}
        }
    }

    /// Tells every page of the server.
    fn tell(&self, notice: &Notice) {
        let Some(notice) = notice.write() else { return };
        post_to_page(&notice);
        self.post(&Message::Notice { notice });
    }

    fn post(&self, message: &Message) {
        if let Some(channel) = &*self.channel.borrow() {
            channel.post(message);
        }
    }

    fn to_page(&self, told: &Told) {
        if let Some(told) = told.write() {
            post_to_page(&told);
        }
    }
}

/// The page has the other end of the worker; what it cannot be told any more nobody waits for.
fn post_to_page(message: &JsValue) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let _ = scope.post_message(message);
}
