//! What is promised besides that nothing is lost or doubled: when sending is back, and how fast it never is.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate::sim::{Entry, EntryOutcome};
use tokio::time::Instant;

use crate::cells::Cell;
use crate::handover::{Send, shortest_rest};
use crate::rate::{allowed_refusals, pace, unexplained};
use crate::report::Outcome;
use crate::stall::Watch;
use crate::trial::Trial;

/// Meta's code for more than a number may send in a second.
const TOO_FAST: u32 = 130_429;
/// A number's rest between two owners is a second at their pacers. On the way from there something may be earlier or
/// later than usual: a write may take 25 ms, and so may the link.
const REST: Duration = Duration::from_millis(900);

/// Looks at all of it, on a machine whose stalls were watched since then.
pub fn check(cell: &Cell, trial: &Trial<'_>, since: Instant, stalls: &Watch, outcome: &mut Outcome) -> Result<()> {
    outcome.stalled = stalls.between(since, Instant::now());
    check_pace(trial, stalls, outcome)?;
    check_rests(trial, stalls, outcome);
    check_returns(cell, trial, stalls, outcome);
    Ok(())
}

/// Meta's limit, in every second.
fn check_pace(trial: &Trial<'_>, stalls: &Watch, outcome: &mut Outcome) -> Result<()> {
    let oracle = trial.sim.oracle();
    ensure!(oracle.stats().rows_dropped == 0, "the oracle forgot rows");
    let (entries, limit) = (oracle.entries_since(0, usize::MAX), trial.setup.rate);
    let stalls = |from, to| {
        let (from, to) = (trial.recovery.instant(from), trial.recovery.instant(to));
        stalls.between(from, to).longest
    };
    outcome.worst_second = (0, limit);
    for number in trial.setup.number_ids() {
        let of_number = entries.iter().filter(|entry| *entry.number == *number);
        let arrivals: Vec<u64> = of_number.map(|entry| entry.at_ns).collect();
        let pace = pace(&arrivals, limit, &stalls);
        outcome.worst_second.0 = outcome.worst_second.0.max(pace.worst);
        if let Some((count, allowed)) = pace.too_many {
            outcome.failures.push(format!("{count} requests of {number} in a sliding second, {allowed} allowed"));
        }
    }
    let too_fast = |entry: &&Entry| matches!(entry.outcome, EntryOutcome::Refused { code: TOO_FAST, .. });
    let refusals: Vec<u64> = entries.iter().filter(too_fast).map(|entry| entry.at_ns).collect();
    outcome.throttled = (refusals.len(), unexplained(&refusals, &stalls));
    let allowed = allowed_refusals(entries.len(), trial.setup.numbers);
    if outcome.throttled.1 > allowed {
        let (all, unexplained) = outcome.throttled;
        let told = format!("{all} of {} requests were refused as too fast", entries.len());
        outcome.failures.push(format!("{told}, {unexplained} without a stall, {allowed} allowed"));
    }
    Ok(())
}

/// A new owner begins as if the last second had been full.
fn check_rests(trial: &Trial<'_>, stalls: &Watch, outcome: &mut Outcome) {
    let sends = trial.seats.iter().enumerate().flat_map(|(place, seat)| seat.sends(place));
    let Some((rest, Send { at, number, .. })) = shortest_rest(sends.collect()) else { return };
    outcome.shortest_rest = Some(rest);
    // What a stall held back of the last owner's looks as if it had been sent later.
    let late = stalls.between(at - rest - REST, at).longest;
    if rest + late < REST {
        outcome.failures.push(format!("{number} had another owner that sent after {rest:?}, stalls of {late:?} apart"));
    }
}

/// Sending is back when it was promised, and not later by more than the machine stood still meanwhile.
fn check_returns(cell: &Cell, trial: &Trial<'_>, stalls: &Watch, outcome: &mut Outcome) {
    let returns = match trial.recovery.returns() {
        Ok(returns) => returns,
        Err(never) => return outcome.failures.push(never),
    };
    outcome.resume = returns.iter().map(|back| back.took()).max();
    for back in returns {
        let stalled = stalls.between(back.from, back.to).long_ones;
        let (took, promised) = (back.took(), cell.resumes_within);
        if took > promised.saturating_add(stalled) {
            outcome.failures.push(format!("sending was back after {took:?}, {promised:?} and {stalled:?} allowed"));
        }
    }
}
