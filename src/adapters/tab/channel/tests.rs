use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::cell::RefCell;

use gloo_timers::future::TimeoutFuture;
use js_sys::{JSON, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Channel, Message};
use crate::adapters::clock;

/// One message of each kind, and its form.
fn messages() -> Vec<(Message, &'static str)> {
    let text = |text: &str| String::from(text);
    let object = || JSON::parse(r#"{"a":1}"#).unwrap();
    Vec::from([
        (Message::Hello { from: text("t1") }, r#"{"kind":"hello","from":"t1"}"#),
        (
            Message::Writer { life: text("t2"), server: text("hub.example") },
            r#"{"kind":"writer","life":"t2","server":"hub.example"}"#,
        ),
        (
            Message::Call { life: text("t2"), from: text("t1"), id: 3, call: object() },
            r#"{"kind":"call","life":"t2","from":"t1","id":3,"call":{"a":1}}"#,
        ),
        (
            Message::Answer { to: text("t1"), id: 3, told: object() },
            r#"{"kind":"answer","to":"t1","id":3,"told":{"a":1}}"#,
        ),
        (Message::Notice { notice: object() }, r#"{"kind":"notice","notice":{"a":1}}"#),
        (
            Message::Frame { to: text("t2"), from: text("t1"), number: 4, rtc: true, frame: object() },
            r#"{"kind":"frame","to":"t2","from":"t1","number":4,"rtc":true,"frame":{"a":1}}"#,
        ),
        (
            Message::Frame { to: text("t2"), from: text("t1"), number: 5, rtc: false, frame: JsValue::NULL },
            r#"{"kind":"frame","to":"t2","from":"t1","number":5,"rtc":false,"frame":null}"#,
        ),
    ])
}

fn json(value: &JsValue) -> String {
    JSON::stringify(value).unwrap().into()
}

#[wasm_bindgen_test]
fn a_message_has_its_form_and_is_read_as_it_was_written() {
    for (message, form) in messages() {
        let written = message.write();
        assert_eq!(json(&written), form);
        assert_eq!(json(&Message::read(&written).unwrap().write()), form);
    }
}

#[wasm_bindgen_test]
fn a_message_that_lacks_a_field_is_none() {
    for (message, form) in messages() {
        let written = message.write();
        for field in Object::keys(written.unchecked_ref::<Object>()) {
            let lacking = JSON::parse(form).unwrap();
            Reflect::delete_property(lacking.unchecked_ref::<Object>(), &field).unwrap();
            assert!(Message::read(&lacking).is_none(), "{form} without {field:?}");
        }
    }
    for odd in ["null", "1", "[]", r#"{"kind":"nonsense"}"#] {
        assert!(Message::read(&JSON::parse(odd).unwrap()).is_none(), "{odd}");
    }
}

#[wasm_bindgen_test]
async fn frames_come_in_their_order_and_as_large_as_a_transaction() {
    let name = format!("test order {:?}", clock::random::<8>());
    let came: Rc<RefCell<Vec<(u32, usize)>>> = Rc::default();
    let heard = came.clone();
    let _there = Channel::open(&name, move |message| {
        if let Message::Frame { number, frame, .. } = message {
            heard.borrow_mut().push((number, frame.as_string().unwrap().len()));
        }
    });
    let here = Channel::open(&name, |_| {}).unwrap();
    for number in 0..20 {
        let frame = JsValue::from("x".repeat(usize::try_from(number).unwrap() * 30_000));
        here.post(&Message::Frame { to: "t2".into(), from: "t1".into(), number, rtc: false, frame });
    }
    for _ in 0..100 {
        if came.borrow().len() == 20 {
            break;
        }
        TimeoutFuture::new(20).await;
    }
    let sent: Vec<_> = (0..20).map(|number| (number, usize::try_from(number).unwrap() * 30_000)).collect();
    assert_eq!(*came.borrow(), sent);
}
