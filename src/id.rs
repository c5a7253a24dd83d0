//! Identifiers: grammar, checked once at the edge (spec, section 2).
