//! Every store of this crate shows the same behaviour; stores outside it are driven by the same cases.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use hublet::store::conformance::{Step, cases};
use hublet::store::memory::MemoryStore;

#[test]
fn the_memory_store_conforms() {
    for case in cases() {
        let mut store = MemoryStore::new();
        for step in case.steps {
            match step {
                Step::Apply(batch) => store.apply(batch),
                Step::Expect(query, rows) => assert_eq!(store.read(&query), rows, "{}", case.name),
            }
        }
    }
}
