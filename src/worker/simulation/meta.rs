//! Meta as the receiver sees it: counts what arrives by each number, and answers by chance and by plan.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::outcome::{Outcome, Refusal, UnknownCause};

use super::chance::Chance;
use super::making::ms;
use super::plan::{Plan, Sickness};
use super::reading::{BUSY, CREDENTIAL_SICK, NUMBER_SICK, TEMPLATE_SICK, THROTTLED, UNDELIVERABLE};

const SECOND: Duration = Duration::from_secs(1);
/// One message to one person from one number in this time.
const SIX_SECONDS: Duration = Duration::from_secs(6);

/// One request as it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub number: usize,
    pub seq: u64,
    pub attempt: u32,
    pub template: usize,
    /// To whom, and how much one of this priority may borrow.
    pub person: u64,
    pub may_borrow: u32,
    /// Which run of which worker sends: another one knows nothing of what this one has borrowed.
    pub life: u64,
}

/// What the sender gets to see.
#[derive(Debug)]
pub(super) enum Answer {
    After(Duration, Outcome),
    /// Nothing, until its own deadline.
    Never,
}

#[derive(Default)]
pub(super) struct Meta {
    /// Arrivals of the last second, by number.
    recent: BTreeMap<usize, VecDeque<Duration>>,
    /// When the burst to a person began, how long it is and how long the highest of its priorities lets it be, by
    /// sender and number.
    bursts: BTreeMap<(u64, usize, u64), (Duration, u32, u32)>,
    seen: BTreeSet<(u64, u32)>,
    /// How often each job was taken.
    pub taken: BTreeMap<u64, u32>,
    /// Every arrival, for those who count shares.
    pub log: Vec<(Duration, Arrival)>,
}

impl Meta {
    /// How the request fares. More than the limit in any second is the sender's fault and ends the run.
    pub(super) fn receive(&mut self, now: Duration, arrival: Arrival, plan: &Plan, chance: &mut Chance) -> Answer {
        let limit = plan.numbers[arrival.number].per_second as usize;
        let recent = self.recent.entry(arrival.number).or_default();
        while recent.front().is_some_and(|first| now - *first >= SECOND) {
            recent.pop_front();
        }
        recent.push_back(now);
        assert!(
            recent.len() <= limit,
            "number {} got {} in one second, its limit is {limit}",
            arrival.number,
            recent.len()
        );
        self.count_pair(now, arrival);
        assert!(self.seen.insert((arrival.seq, arrival.attempt)), "an admission was sent twice: {arrival:?}");
        self.log.push((now, arrival));
        let after = chance.between(ms(10), ms(200));
        let calm = now >= plan.calm_from;
        if let Some(code) = sickness(plan, now, arrival) {
            return Answer::After(after, refused(code));
        }
        if !calm && chance.one_in(plan.throttled) {
            return Answer::After(after, refused(THROTTLED));
        }
        if !calm && chance.one_in(plan.refused) {
            let code = if chance.one_in(0.2) { UNDELIVERABLE } else { BUSY };
            return Answer::After(after, refused(code));
        }
        // Cut, perhaps before it was read.
        let cut = !calm && chance.one_in(plan.cut);
        if cut && chance.one_in(0.5) {
            return Answer::After(after, Outcome::Unknown(UnknownCause::ConnectionLost));
        }
        *self.taken.entry(arrival.seq).or_default() += 1;
        if cut {
            return Answer::After(after, Outcome::Unknown(UnknownCause::Garbled));
        }
        if !calm && chance.one_in(plan.silent) {
            return Answer::Never;
        }
        let wamid = format!("wamid.{}.{}", arrival.seq, arrival.attempt);
        Answer::After(after, Outcome::Accepted { wamid, held_for_quality: false })
    }

    /// A burst is borrowed within six seconds, and nothing more goes until all of it is paid back.
    fn count_pair(&mut self, now: Duration, arrival: Arrival) {
        let key = (arrival.life, arrival.number, arrival.person);
        let (first, length, most) = self.bursts.entry(key).or_insert((now, 0, 0));
        if now >= *first + SIX_SECONDS * *length {
            (*first, *length, *most) = (now, 0, 0);
        }
        *length += 1;
        // Whoever borrows may overtake whoever does not, between the ledger and the bytes.
        *most = arrival.may_borrow.max(*most);
        let lent = *length == 1 || now < *first + SIX_SECONDS && *length <= *most;
        assert!(lent, "the {length}. of a burst since {first:?}: {arrival:?}");
    }
}

fn sickness(plan: &Plan, now: Duration, arrival: Arrival) -> Option<u32> {
    plan.sick.iter().filter(|(from, until, _)| (*from..*until).contains(&now)).find_map(|(_, _, what)| match what {
        Sickness::Number(number) => (*number == arrival.number).then_some(NUMBER_SICK),
        Sickness::Credential(credential) => (*credential == arrival.number / 3).then_some(CREDENTIAL_SICK),
        Sickness::Template(template) => (*template == arrival.template).then_some(TEMPLATE_SICK),
    })
}

fn refused(code: u32) -> Outcome {
    Outcome::Refused(Refusal {
        code: Some(code),
        subcode: None,
        http: 400,
        transient: true,
        details: String::new(),
        regain: None,
    })
}
