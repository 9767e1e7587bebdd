//! How many in how long.

use std::num::NonZeroU32;
use std::time::Duration;

/// So many sends in any period of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub period: Duration,
}

impl Limit {
    /// So many in any second.
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { count, period: Duration::from_secs(1) }
    }

    /// The same less what others use of it, so many a second; one send is always left.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of messages is small and positive"
    )]
    pub fn less(&self, per_second: u32) -> Self {
        let used = (f64::from(per_second) * self.period.as_secs_f64()).ceil() as u32;
        let left = NonZeroU32::new(self.count.get().saturating_sub(used)).unwrap_or(NonZeroU32::MIN);
        Self { count: left, period: self.period }
    }

    /// How many may start within `span` in the long run.
    pub fn within(&self, span: Duration) -> f64 {
        f64::from(self.count.get()) * span.as_secs_f64() / self.period.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_use_of_a_limit_is_not_ours() {
        let level = |count| Limit::per_second(NonZeroU32::new(count).expect("not zero"));
        assert_eq!(level(80).less(0), level(80));
        assert_eq!(level(80).less(30), level(50));
        assert_eq!(level(20).less(20), level(1));
        let slow = Limit { period: Duration::from_secs(60), ..level(300) };
        assert_eq!(slow.less(2).count.get(), 180);
    }
}
