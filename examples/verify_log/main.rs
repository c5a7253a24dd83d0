//! Audits an exported room: `verify_log KEYS PDUS`.
//!
//! `KEYS` is JSON, server to key ID to public key in unpadded base64. `PDUS` holds one PDU a line, oldest first. Each line is answered with its
//! position, its event ID and a verdict; what the log names and does not hold is answered with position `-`:
//!
//! ```text
//! 0 $… intact
//! 1 $… redacted
//! - $… hole
//! 2 $… rejected link: rule 7: …
//! 3 $… failed: signature: the sender's signature is missing
//! ```
//!
//! The exit status is 1 if a line failed, 2 if a file cannot be read, else 0. That the end of a log was cut off cannot be seen: compare the last ID,
//! which the summary names, with one that you trust.

mod audit;

use std::{env, fs, process::ExitCode};

use audit::{Audit, Keys, Verdict};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keys, pdus] = arguments.as_slice() else {
        eprintln!("usage: verify_log KEYS PDUS");
        return ExitCode::from(2);
    };
    match run(keys, pdus) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// How many lines failed.
fn run(keys: &str, pdus: &str) -> Result<usize, String> {
    let keys = Keys::read(&fs::read(keys).map_err(|error| format!("{keys}: {error}"))?)?;
    let log = fs::read(pdus).map_err(|error| format!("{pdus}: {error}"))?;
    let mut audit = Audit::new(keys);
    let mut failed = 0;
    let mut lines = 0;
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        for finding in audit.line(line) {
            failed += usize::from(matches!(finding.verdict, Verdict::Failed(_)));
            println!("{finding}");
        }
    }
    match audit.last() {
        Some(last) => println!("{lines} events, {failed} failed, the last is {last}"),
        None => println!("{lines} events, {failed} failed, none has an ID"),
    }
    Ok(failed)
}
