use alloc::{format, rc::Rc, string::String, vec, vec::Vec};
use core::cell::RefCell;

use gloo_timers::future::TimeoutFuture;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Held, wait_for};
use crate::adapters::clock;

/// Those who got the lock, in that order, and what they hold.
type Granted = Rc<RefCell<Vec<(usize, Option<Held>)>>>;

/// A lock that no other test has.
fn fresh(what: &str) -> String {
    format!("test {what} {:?}", clock::random::<8>())
}

fn stand_in_line(name: &str, number: usize, granted: &Granted) {
    let granted = granted.clone();
    assert!(wait_for(name, move |held| granted.borrow_mut().push((number, Some(held)))));
}

fn order(granted: &Granted) -> Vec<usize> {
    granted.borrow().iter().map(|(number, _)| *number).collect()
}

/// Waits until so many have had it, for a second at most; then a little longer, should there be one more.
async fn had(granted: &Granted, count: usize) {
    for _ in 0..50 {
        if granted.borrow().len() >= count {
            break;
        }
        TimeoutFuture::new(20).await;
    }
    TimeoutFuture::new(40).await;
}

fn let_go(granted: &Granted) {
    let held = granted.borrow_mut().last_mut().and_then(|(_, held)| held.take());
    assert!(held.is_some(), "somebody holds it");
}

#[wasm_bindgen_test]
async fn one_holds_it_and_those_in_line_follow_in_order() {
    let (name, granted) = (fresh("line"), Granted::default());
    for number in 0..4 {
        stand_in_line(&name, number, &granted);
    }
    for count in 1..=4 {
        had(&granted, count).await;
        assert_eq!(order(&granted), (0..count).collect::<Vec<_>>());
        let_go(&granted);
    }
}

#[wasm_bindgen_test]
async fn locks_of_other_servers_are_others() {
    let (one, other) = (Granted::default(), Granted::default());
    stand_in_line(&fresh("one"), 1, &one);
    stand_in_line(&fresh("other"), 2, &other);
    had(&one, 1).await;
    had(&other, 1).await;
    assert_eq!((order(&one), order(&other)), (vec![1], vec![2]));
}

/// A worker that holds the lock until it is ended.
async fn holder(name: &str) -> JsValue {
    let script =
        format!("navigator.locks.request({name:?}, () => {{ postMessage(1); return new Promise(() => {{}}); }})");
    let source = format!("new Worker(URL.createObjectURL(new Blob([{script:?}])))");
    let worker = js_sys::eval(&source).unwrap();
    let holds = Promise::new(&mut |holds, _| {
        Reflect::set(&worker, &"onmessage".into(), &holds).unwrap();
    });
    JsFuture::from(holds).await.unwrap();
    worker
}

#[wasm_bindgen_test]
async fn when_the_holder_dies_the_next_has_it_within_a_second() {
    let (name, granted) = (fresh("death"), Granted::default());
    let worker = holder(&name).await;
    stand_in_line(&name, 1, &granted);
    TimeoutFuture::new(100).await;
    assert!(granted.borrow().is_empty());
    let terminate: Function = Reflect::get(&worker, &"terminate".into()).unwrap().unchecked_into();
    terminate.call0(&worker).unwrap();
    had(&granted, 1).await;
    assert_eq!(order(&granted), [1]);
}
