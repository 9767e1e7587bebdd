//! The fault suite's own parts, on the bench: what judges others is judged here first.

#[path = "../../chaos/handover.rs"]
mod handover;
#[path = "../../chaos/judge.rs"]
mod judge;
#[path = "../../chaos/link.rs"]
mod link;
#[path = "../../chaos/rate.rs"]
mod rate;
#[path = "../../chaos/report.rs"]
mod report;
#[path = "../../chaos/stall.rs"]
mod stall;

mod tests {
    mod handover;
    mod judge;
    mod link;
    mod rate;
    mod report;
    mod stall;
}
