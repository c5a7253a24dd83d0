//! A server made of rooms, peers and accounts (spec, section 6).

use http as _;
