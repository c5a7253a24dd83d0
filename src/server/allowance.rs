//! Something that is used up and grows again with time: rate limits that repeat exactly under the same clock.

use core::time::Duration;

use super::message::{ErrorCode, Failure};
use crate::id::Timestamp;

/// An allowance: one unit is earned in this time, and so many are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) unit: Duration,
    pub(super) most: u32,
}

/// An allowance and what is spent of it.
#[derive(Debug)]
pub(super) struct Allowance {
    rate: Rate,
    /// The time that earns what is spent, seen from `at`.
    debt: Duration,
    at: Timestamp,
}

impl Allowance {
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, debt: Duration::ZERO, at: Timestamp::new(0) }
    }

    /// The time that earns what is spent; never more than the whole allowance takes. A clock that is set back earns nothing, and costs nothing either.
    fn debt(&mut self, now: Timestamp) -> Duration {
        let earned = now.saturating_since(self.at);
        self.debt = self.debt.min(self.rate.unit.saturating_mul(self.rate.most)).saturating_sub(earned);
        self.at = now;
        self.debt
    }

    pub(super) fn spend(&mut self, now: Timestamp, units: u32) {
        self.debt = self.debt(now).saturating_add(self.rate.unit.saturating_mul(units));
    }

    /// Whether so many units are left; if not, how long until they are.
    pub(super) fn look(&mut self, now: Timestamp, units: u32) -> Result<(), Duration> {
        let left = self.rate.most.saturating_sub(units);
        match self.debt(now).checked_sub(self.rate.unit.saturating_mul(left)) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }
}

/// Refuses what there is no allowance for now.
pub(super) fn limited(wait: Duration, error: &str) -> Failure {
    let mut failure = Failure::of(ErrorCode::LimitExceeded, error);
    failure.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
    failure
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Allowance, Rate};
    use crate::id::Timestamp;

    #[test]
    fn an_allowance_is_spent_and_earned() {
        let mut allowance = Allowance::new(Rate { unit: Duration::from_millis(10), most: 5 });
        let at = Timestamp::new;
        assert_eq!(allowance.look(at(1_000), 5), Ok(()));
        assert_eq!(allowance.look(at(1_000), 6), Ok(()), "nothing costs more than all");
        allowance.spend(at(1_000), 3);
        assert_eq!(allowance.look(at(1_000), 2), Ok(()));
        assert_eq!(allowance.look(at(1_000), 3), Err(Duration::from_millis(10)));
        assert_eq!(allowance.look(at(1_010), 3), Ok(()));
        allowance.spend(at(1_010), 3);
        assert_eq!(allowance.look(at(1_010), 1), Err(Duration::from_millis(10)));
        assert_eq!(allowance.look(at(1_060), 5), Ok(()));
        // Spent behind its end it is still earned again in its time.
        allowance.spend(at(2_000), 500);
        assert_eq!(allowance.look(at(2_000), 1), Err(Duration::from_millis(10)));
        assert_eq!(allowance.look(at(2_010), 1), Ok(()));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut allowance = Allowance::new(Rate { unit: Duration::from_millis(10), most: 5 });
        allowance.spend(Timestamp::new(1_000_000), 5);
        assert_eq!(allowance.look(Timestamp::new(1_000), 5), Err(Duration::from_millis(50)));
        assert_eq!(allowance.look(Timestamp::new(1_050), 5), Ok(()));
    }

    #[test]
    fn a_clock_set_back_spends_nothing() {
        let mut allowance = Allowance::new(Rate { unit: Duration::from_millis(10), most: 5 });
        allowance.spend(Timestamp::new(1_000_000), 2);
        assert_eq!(allowance.look(Timestamp::new(2_000_000), 5), Ok(()));
        assert_eq!(allowance.look(Timestamp::new(1_000), 5), Ok(()));
    }
}
