//! The keys of rows: the machine's address, a zero, the table's number, the row's own key. IndexedDB sorts binary keys as bytes, shorter first, so within a
//! machine and a table they sort as the core asks.

use alloc::{string::String, vec::Vec};

use crate::store::{Query, Row, Table};

/// Ends an address, in which no such byte occurs.
const END: u8 = 0;

/// The key of a row.
pub(super) fn of(machine: &str, table: Table, key: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(machine.len().saturating_add(key.len()).saturating_add(2));
    whole.extend_from_slice(machine.as_bytes());
    whole.push(END);
    whole.push(table.number());
    whole.extend_from_slice(key);
    whole
}

/// The first key that may answer a query and the first above that may not; nothing where no key can.
pub(super) fn range(machine: &str, query: &Query) -> Option<(Vec<u8>, Vec<u8>)> {
    let from = of(machine, query.table, &query.from);
    let to = match &query.to {
        Some(to) => of(machine, query.table, to),
        None => behind(machine, query.table),
    };
    (from < to && query.limit > 0).then_some((from, to))
}

/// The first key behind a table of a machine.
fn behind(machine: &str, table: Table) -> Vec<u8> {
    let mut key = of(machine, table, &[]);
    if let Some(number) = key.last_mut() {
        *number = number.saturating_add(1);
    }
    key
}

/// A row of the machine, from its whole key.
pub(super) fn row(machine: &str, key: &[u8], value: Vec<u8>) -> Row {
    let own = key.get(machine.len().saturating_add(2)..).unwrap_or_default();
    Row { key: own.to_vec(), value }
}

/// The machine whose row has this key, and the first key behind all of its rows.
pub(super) fn machine(key: &[u8]) -> Option<(String, Vec<u8>)> {
    let name = key.split(|byte| *byte == END).next()?;
    let mut next = name.to_vec();
    next.push(END.saturating_add(1));
    Some((String::from_utf8(name.to_vec()).ok()?, next))
}

#[cfg(test)]
mod tests {
    use super::{machine, of, range, row};
    use crate::store::{Query, Table};

    #[test]
    fn a_whole_key_is_taken_apart_again() {
        let key = of("room:!r:a.example", Table::Log, b"\0k");
        assert_eq!(row("room:!r:a.example", &key, alloc::vec![1]).key, b"\0k");
        let (name, next) = machine(&key).unwrap();
        assert_eq!(name, "room:!r:a.example");
        assert!(key < next && next < of("room:!r:a.exampleA", Table::Meta, b""));
    }

    #[test]
    fn a_query_stays_within_its_machine_and_table() {
        let (from, to) = range("front", &Query::all(Table::Log)).unwrap();
        for (machine, table, key, is_within) in [
            ("front", Table::Log, &b""[..], true),
            ("front", Table::Log, &[255, 255], true),
            ("front", Table::Meta, &[255], false),
            ("front", Table::Ids, b"", false),
            ("fronts", Table::Log, b"", false),
        ] {
            let key = of(machine, table, key);
            assert_eq!(from <= key && key < to, is_within, "{machine} {table:?}");
        }
        assert_eq!(range("front", &Query::range(Table::Log, *b"b", *b"a", 9)), None);
        assert_eq!(range("front", &Query::range(Table::Log, *b"a", *b"b", 0)), None);
    }
}
