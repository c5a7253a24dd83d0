//! What every store must do, as data: each host's test applies the steps to its own store and compares the answers.

use alloc::{vec, vec::Vec};

use super::{Query, Row, Table, WriteBatch};

/// One thing to do to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Apply the batch.
    Apply(WriteBatch),
    /// Read, and compare with these rows.
    Expect(Query, Vec<Row>),
}

/// A behaviour that a store must show, from an empty store on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The behaviour.
    pub name: &'static str,
    /// What shows it.
    pub steps: Vec<Step>,
}

/// Every behaviour.
pub fn cases() -> Vec<Case> {
    vec![
        Case { name: "an empty store has no rows", steps: vec![expect(Query::all(Table::Log), &[])] },
        Case {
            name: "a row is replaced",
            steps: vec![
                put(&[(b"a", b"1"), (b"a", b"2")]),
                put(&[(b"a", b"3")]),
                expect(Query::one(Table::Log, *b"a"), &[(b"a", b"3")]),
                expect(Query::all(Table::Log), &[(b"a", b"3")]),
            ],
        },
        Case {
            name: "writes of a batch are applied in order",
            steps: vec![
                apply(|batch| {
                    batch.put(Table::Log, *b"a", *b"1");
                    batch.delete(Table::Log, *b"a");
                    batch.put(Table::Log, *b"b", *b"2");
                    batch.delete(Table::Log, *b"missing");
                }),
                expect(Query::all(Table::Log), &[(b"b", b"2")]),
            ],
        },
        Case {
            name: "a large batch is applied in order too",
            steps: vec![
                apply(|batch| {
                    for round in 1..=3 {
                        (0..=120).for_each(|key: u8| batch.put(Table::Log, [key], [round, key]));
                        (0..=120).for_each(|key: u8| batch.put(Table::Ids, [key], [round]));
                        batch.delete(Table::Log, [7]);
                    }
                    batch.put(Table::Log, [9], *b"last");
                }),
                expect(Query::range(Table::Log, [6], [10], 9), &[(&[6], &[3, 6]), (&[8], &[3, 8]), (&[9], b"last")]),
                expect(Query::range(Table::Log, [119], [200], 9), &[(&[119], &[3, 119]), (&[120], &[3, 120])]),
                expect(Query::range(Table::Ids, [6], [8], 9), &[(&[6], &[3]), (&[7], &[3])]),
            ],
        },
        Case {
            name: "tables are apart",
            steps: vec![
                apply(|batch| {
                    for table in Table::ALL {
                        batch.put(*table, *b"k", [table.number()]);
                    }
                    batch.delete(Table::Ids, *b"k");
                }),
                expect(Query::one(Table::Log, *b"k"), &[(b"k", &[1])]),
                expect(Query::one(Table::Ids, *b"k"), &[]),
                expect(Query::one(Table::Account, *b"k"), &[(b"k", &[11])]),
            ],
        },
        Case {
            name: "keys sort as bytes, shorter first",
            steps: vec![
                put(&[(&[0x80], b"4"), (&[0xff, 0], b"5"), (&[], b"0"), (&[0], b"1"), (&[0, 0], b"2"), (b"a", b"3")]),
                expect(
                    Query::all(Table::Log),
                    &[(&[], b"0"), (&[0], b"1"), (&[0, 0], b"2"), (b"a", b"3"), (&[0x80], b"4"), (&[0xff, 0], b"5")],
                ),
            ],
        },
        Case {
            name: "a range takes its first key and leaves its end",
            steps: vec![
                put(&[(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")]),
                expect(Query::range(Table::Log, *b"b", *b"d", 9), &[(b"b", b"2"), (b"c", b"3")]),
                expect(Query::range(Table::Log, *b"b", *b"d", 1), &[(b"b", b"2")]),
                expect(Query::range(Table::Log, *b"b", *b"d", 0), &[]),
                expect(Query::range(Table::Log, *b"d", *b"b", 9), &[]),
                expect(Query::range(Table::Log, *b"b", *b"b", 9), &[]),
            ],
        },
        Case {
            name: "reversed, the limit keeps the highest keys",
            steps: vec![
                put(&[(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")]),
                expect(Query::range(Table::Log, *b"a", *b"d", 2).reversed(), &[(b"c", b"3"), (b"b", b"2")]),
                expect(Query::all(Table::Log).reversed(), &[(b"d", b"4"), (b"c", b"3"), (b"b", b"2"), (b"a", b"1")]),
            ],
        },
        Case {
            name: "a prefix finds what starts with it and nothing else",
            steps: vec![
                put(&[(b"a", b"1"), (b"ab", b"2"), (b"b", b"3"), (&[0xff], b"4"), (&[0xff, 0xff], b"5")]),
                expect(Query::prefix(Table::Log, *b"a", 9), &[(b"a", b"1"), (b"ab", b"2")]),
                expect(Query::prefix(Table::Log, [0xff], 9), &[(&[0xff], b"4"), (&[0xff, 0xff], b"5")]),
            ],
        },
        Case {
            name: "values keep every byte, empty and large ones too",
            steps: {
                let large: Vec<u8> = (0..=u8::MAX).cycle().take(70_000).collect();
                vec![
                    put(&[(b"empty", b""), (b"large", &large)]),
                    expect(Query::all(Table::Log), &[(b"empty", b""), (b"large", &large)]),
                ]
            },
        },
    ]
}

fn apply(fill: impl FnOnce(&mut WriteBatch)) -> Step {
    let mut batch = WriteBatch::new();
    fill(&mut batch);
    Step::Apply(batch)
}

fn put(rows: &[(&[u8], &[u8])]) -> Step {
    apply(|batch| rows.iter().for_each(|(key, value)| batch.put(Table::Log, *key, *value)))
}

fn expect(query: Query, rows: &[(&[u8], &[u8])]) -> Step {
    Step::Expect(query, rows.iter().map(|(key, value)| Row { key: key.to_vec(), value: value.to_vec() }).collect())
}
