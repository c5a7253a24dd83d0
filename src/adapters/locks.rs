//! Web Locks: who holds one is the only one of the origin that does, until it lets go or dies.

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;

use alloc::rc::Rc;
use core::cell::RefCell;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{
    JsCast, JsValue,
    prelude::{Closure, wasm_bindgen},
};

#[wasm_bindgen]
extern "C" {
    /// What `web-sys` has only behind a compiler flag.
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, granted: &Function) -> Result<Promise, JsValue>;
}

/// A lock that is held until this is dropped.
pub struct Held {
    release: Function,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// Waits in the line for a lock, and hands it to `granted`. Whether the browser has locks.
pub fn wait_for(name: &str, granted: impl FnOnce(Held) + 'static) -> bool {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap_or_default();
    let Ok(locks) = Reflect::get(&navigator, &"locks".into()) else { return false };
    if !locks.is_object() {
        return false;
    }
    let callback = Closure::once_into_js(move |_lock: JsValue| -> Promise {
        let release = Rc::new(RefCell::new(None));
        let taken = release.clone();
        let held = Promise::new(&mut |resolve, _| {
            taken.replace(Some(resolve));
        });
        if let Some(release) = release.take() {
            granted(Held { release });
        }
        held
    });
    locks.unchecked_ref::<LockManager>().request(name, callback.unchecked_ref()).is_ok()
}
