//! Rows as bytes under (table, ordered key).
