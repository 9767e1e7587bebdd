//! The faults in force, with what each has already met.

use super::fault::{Fault, FaultAction};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;

/// What a fault does to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) slow: Duration,
    pub(crate) action: FaultAction,
}

/// All faults, in the order they are asked.
#[derive(Debug)]
pub(crate) struct FaultScript {
    armed: Vec<Armed>,
    rng: SmallRng,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    met: u32,
}

impl FaultScript {
    /// `faults`, none of which has met a request yet; shares are drawn from `seed`.
    pub(crate) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        let mut script = Self { armed: Vec::new(), rng: SmallRng::seed_from_u64(seed) };
        script.replace(faults);
        script
    }

    /// Other faults from now on.
    pub(crate) fn replace(&mut self, faults: Vec<Fault>) {
        self.armed = faults.into_iter().map(|fault| Armed { fault, met: 0 }).collect();
    }

    /// More faults, asked after those that are there.
    pub(crate) fn add(&mut self, faults: Vec<Fault>) {
        self.armed.extend(faults.into_iter().map(|fault| Armed { fault, met: 0 }));
    }

    /// The faults in force.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.armed.iter().map(|armed| armed.fault.clone()).collect()
    }

    /// What befalls a request of which only the head was read: whether it is cut.
    pub(crate) fn cuts_at_head(&mut self, number: &str, now: Duration) -> bool {
        let Self { armed, rng } = self;
        armed.iter_mut().any(|armed| armed.is_asked_at_head() && armed.meets(number, "", now, rng))
    }

    /// What befalls a request that was read whole.
    pub(crate) fn effect(&mut self, number: &str, recipient: &str, now: Duration) -> Option<Effect> {
        let Self { armed, rng } = self;
        let armed = armed.iter_mut().find_map(|armed| {
            (!armed.is_asked_at_head() && armed.meets(number, recipient, now, rng)).then_some(&armed.fault)
        })?;
        Some(Effect { slow: armed.slow, action: armed.action })
    }
}

impl Armed {
    fn is_asked_at_head(&self) -> bool {
        self.fault.action == FaultAction::CutBefore && self.fault.recipient_suffix.is_none()
    }

    fn meets(&mut self, number: &str, recipient: &str, now: Duration, rng: &mut SmallRng) -> bool {
        let fault = &self.fault;
        let in_scope = fault.number.as_deref().is_none_or(|wanted| wanted == number)
            && fault.from.is_none_or(|from| now >= from)
            && fault.until.is_none_or(|until| now < until)
            && fault.recipient_suffix.as_deref().is_none_or(|suffix| recipient.ends_with(suffix));
        if !in_scope {
            return false;
        }
        self.met = self.met.saturating_add(1);
        fault.first.is_none_or(|first| self.met <= first.get())
            && fault.every.is_none_or(|every| self.met.is_multiple_of(every.get()))
            && fault.probability.is_none_or(|share| rng.random_bool(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(faults: &[&str]) -> FaultScript {
        FaultScript::new(faults.iter().map(|text| text.parse().unwrap()).collect(), 1)
    }

    fn hits(script: &mut FaultScript, number: &str, requests: u32) -> Vec<u32> {
        (1..=requests).filter(|_| script.effect(number, "+4477", Duration::ZERO).is_some()).collect()
    }

    #[test]
    fn every_nth_counts_only_the_requests_of_its_number() {
        let mut script = script(&["number=1,every=3,hang"]);
        assert!(hits(&mut script, "2", 10).is_empty());
        assert_eq!(hits(&mut script, "1", 9), [3, 6, 9]);
    }

    #[test]
    fn the_first_n_are_met_and_no_more() {
        assert_eq!(hits(&mut script(&["first=2,code=2"]), "1", 9), [1, 2]);
    }

    #[test]
    fn a_share_is_drawn_from_the_seed() {
        let first = hits(&mut script(&["probability=0.3,hang"]), "1", 1_000);
        assert_eq!(first, hits(&mut script(&["probability=0.3,hang"]), "1", 1_000));
        assert!((250..350).contains(&first.len()), "{} of 1000", first.len());
    }

    #[test]
    fn time_and_recipient_narrow_a_fault() {
        let mut script = script(&["from=1,until=2,recipient_suffix=77,hang"]);
        let mut meets = |recipient, seconds| script.effect("1", recipient, Duration::from_secs_f64(seconds)).is_some();
        assert!(!meets("+4477", 0.9));
        assert!(meets("+4477", 1.0));
        assert!(!meets("+4478", 1.5));
        assert!(!meets("+4477", 2.0));
    }

    #[test]
    fn the_first_fault_that_meets_a_request_acts() {
        let mut script = script(&["number=1,code=2", "slow=5"]);
        assert_eq!(script.effect("1", "", Duration::ZERO).unwrap().action, FaultAction::Code { code: 2, http: None });
        let other = script.effect("2", "", Duration::ZERO).unwrap();
        assert_eq!((other.action, other.slow), (FaultAction::Answer, Duration::from_millis(5)));
    }

    #[test]
    fn a_cut_is_asked_at_the_head_unless_it_looks_at_the_recipient() {
        let mut head = script(&["cut_before"]);
        assert!(head.cuts_at_head("1", Duration::ZERO));
        assert_eq!(head.effect("1", "+4477", Duration::ZERO), None);
        let mut body = script(&["cut_before,recipient_suffix=77"]);
        assert!(!body.cuts_at_head("1", Duration::ZERO));
        assert!(body.effect("1", "+4477", Duration::ZERO).is_some());
    }
}
