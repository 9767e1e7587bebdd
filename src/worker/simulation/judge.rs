//! What must hold at every step, and at the end of every run.

use crate::clock::Now;
use crate::job::OnUnknown;
use crate::outcome::State;

use super::fold::{Fold, Place};
use super::making::seq_of;
use super::plan::Plan;
use super::shell::{Flight, Shell};
use super::world::World;

/// Buffers are bounded: jobs in hand by the cap, admissions by what can go soon.
pub(super) fn buffers(shell: &mut Shell, plan: &Plan, given_back: usize) {
    for number in std::mem::take(&mut shell.promised) {
        let asked = shell.asking.get(&number.slot()).copied().unwrap_or(0);
        let waiting = shell.core.scheduler.number(number).waiting();
        let most = window(plan, number.slot());
        assert!(asked + waiting <= most, "number {}: {asked} asked and {waiting} admitted of {most}", number.slot());
    }
    // What was asked for and comes back unanswered may find its place taken.
    assert!(shell.in_hand() <= plan.cap + given_back, "{} jobs in hand of {}", shell.in_hand(), plan.cap);
}

/// So many jobs of a number may be promised at once.
pub(super) fn window(plan: &Plan, number: usize) -> usize {
    4.max((f64::from(plan.numbers[number].per_second) * plan.ahead.as_secs_f64()) as usize)
}

/// Bytes leave only for a standing admission, by the one worker that owns the number, past every hold it knows.
pub(super) fn send(shell: &Shell, flight: &Flight, fold: &Fold, now: Now) {
    let seq = seq_of(flight.admission.key());
    let row = &fold.rows[&seq];
    let number = flight.number.slot();
    match &row.place {
        Place::Sending { by, number: admitted_for, deadline } => {
            assert_eq!((*by, *admitted_for), (shell.life, number), "job {seq} was admitted to another");
            assert!(*deadline > now.wall, "job {seq} leaves after its deadline");
        }
        place => panic!("job {seq} leaves and is {place:?} in the ledger"),
    }
    assert_eq!(row.attempt, flight.admission.attempt(), "an admission of an earlier attempt of job {seq}");
    if let Some(lease) = fold.leases.get(&number) {
        assert!(lease.owner == shell.life || lease.expires <= now.wall, "number {number} sends from two workers");
    }
    assert!(row.routed.job.expires_at > now.wall, "job {seq} leaves expired");
    if let Some(hold) = flight.probe {
        let same = shell.flights.values().filter(|other| other.probe == Some(hold)).count();
        assert_eq!(same, 1, "hold {hold:?} is tried twice at once");
    }
}

/// Every job ended, and Meta took it as often as that says.
pub(super) fn end(world: &World) {
    let mut doubled = 0;
    let mut without_outcome = 0;
    for (seq, row) in &world.fold.rows {
        let Place::Ended(state) = row.place else {
            let holds: Vec<_> = world.fold.holds.values().collect();
            panic!("job {seq} has not ended: {:?}, attempt {}; holds {holds:?}", row.place, row.attempt);
        };
        let taken = world.meta.taken.get(seq).copied().unwrap_or(0);
        assert!(taken <= 1 + row.resends, "job {seq} was taken {taken} times and resent {} times", row.resends);
        assert!(taken <= 1 || row.on_unknown == OnUnknown::Resend, "job {seq} is doubled, against its policy");
        assert!(state != State::Accepted || taken >= 1, "job {seq} is accepted and Meta has not got it");
        if taken >= 1 && row.resends == 0 {
            assert!(matches!(state, State::Accepted | State::Unresolved), "job {seq} was taken and is {state}");
        }
        doubled += taken.saturating_sub(1);
        without_outcome += row.unknowns;
    }
    assert_eq!(world.fold.rows.len(), world.plan.jobs.len(), "a job is missing");
    assert!(doubled <= without_outcome, "{doubled} doubled, {without_outcome} without outcome");
}
