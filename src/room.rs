//! One room: state, rules and log (spec, sections 4, 5, 7, 9, 10).
