//! Prints what every store must do, for hosts in other languages: a JSON array of `{name, steps}`.
//!
//! A step is `{"apply": batch}` or `{"read": query, "rows": rows}`, each in the store wire form, in hexadecimal: what a host answers is compared byte by byte.

use hublet::store::Writer;
use hublet::store::conformance::{Case, Step, cases};
use hublet::store::wire::encode_rows;

fn main() {
    let cases: Vec<String> = cases().iter().map(case).collect();
    println!("[{}]", cases.join(",\n"));
}

fn case(case: &Case) -> String {
    let steps: Vec<String> = case.steps.iter().map(step).collect();
    format!("{{\"name\":{:?},\"steps\":[{}]}}", case.name, steps.join(","))
}

fn step(step: &Step) -> String {
    match step {
        Step::Apply(batch) => format!("{{\"apply\":\"{}\"}}", hex(&batch.encode())),
        Step::Expect(query, rows) => {
            let (mut asked, mut found) = (Writer::new(), Writer::new());
            query.encode(&mut asked);
            encode_rows(rows, &mut found);
            format!("{{\"read\":\"{}\",\"rows\":\"{}\"}}", hex(&asked.into_bytes()), hex(&found.into_bytes()))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
