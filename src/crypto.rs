//! Ed25519 behind one small door (spec, 3.4).
