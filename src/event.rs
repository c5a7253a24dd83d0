//! Events: the ladder from received bytes to a verified event (spec, section 3).
