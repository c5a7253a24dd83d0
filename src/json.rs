//! Canonical JSON: one strict parser to canonical bytes and a table of nodes (spec, 3.1).
