//! Points in time, as arguments and in events.

use core::{fmt, time::Duration};

/// Milliseconds since the Unix epoch. The core reads no clock: every instant comes in as one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// This instant moved on by `duration`, whole milliseconds only, stopping at the last one there is.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use core::time::Duration;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let t = Timestamp::new(1_000);
        assert_eq!(t.saturating_add(Duration::from_micros(2_999)).millis(), 1_002);
        assert_eq!(t.saturating_add(Duration::MAX).millis(), u64::MAX);
        assert_eq!(Timestamp::new(u64::MAX).saturating_add(Duration::from_secs(1)).millis(), u64::MAX);
        assert_eq!(t.saturating_since(Timestamp::new(400)), Duration::from_millis(600));
        assert_eq!(t.saturating_since(Timestamp::new(1_001)), Duration::ZERO);
    }
}
