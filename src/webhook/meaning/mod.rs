//! What notices mean for the ledger: notices and what is known in, [`News`] out. Pure.
//!
//! A failed status may mean a hold for others than its job. What that hold covers, the job says: so the meaning is
//! asked for in two steps, first which jobs it [wants](wanted) to know, then the [news].

mod account;
mod draft;
mod event;
mod failure;
mod names;
mod number;
mod opting;
mod person;
mod template;
#[cfg(test)]
mod tests;

pub use names::Names;
pub use opting::{Rules, Words};
pub use template::times as template_times;

use std::collections::HashMap;

use super::notice::{Notice, Status, Told};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::{Heard, JobFacts, News, StatusNews};
use crate::metrics::Update;
use draft::Draft;

/// What must be known to say what notices mean.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What people may say to us.
    pub rules: &'a Rules,
    /// Our numbers.
    pub names: &'a Names,
    /// The jobs that were [wanted].
    pub facts: &'a HashMap<JobKey, JobFacts>,
    /// When Meta last told of a template's status, by `name/language`: what it told before is outdated.
    pub templates: &'a HashMap<String, Timestamp>,
    /// The portfolio of each account, where it is known.
    pub portfolios: &'a HashMap<String, String>,
    /// Now.
    pub now: Timestamp,
}

/// What notices mean.
#[derive(Debug, Default)]
pub struct Meaning {
    /// For the ledger; which bodies it is of, the caller knows.
    pub news: News,
    /// What the notices told of, but for [`News::statuses`]: those count once it is known whose they are.
    pub updates: Vec<Update>,
}

/// The jobs of which facts are wanted: those whose failure means a hold.
pub fn wanted(notices: &[Notice]) -> Vec<JobKey> {
    let keys = notices.iter().filter_map(|notice| match notice {
        Notice::Status(Status { told: Told::Failed(error), job: Some((key, _)), .. }) => {
            failure::places_hold(error).then_some(*key)
        }
        Notice::Status(_)
        | Notice::Inbound(_)
        | Notice::Trouble(_)
        | Notice::Preference(_)
        | Notice::Number(..)
        | Notice::Template(..)
        | Notice::Account(..)
        | Notice::Strange { .. } => None,
    });
    let mut keys: Vec<JobKey> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What notices mean. Statuses stay in their order; the others are taken in the order in which they happened, since
/// Meta promises none.
pub fn news(notices: Vec<Notice>, known: &Known<'_>) -> Meaning {
    let mut draft = Draft::new(known.now);
    let (statuses, mut others): (Vec<_>, Vec<_>) =
        notices.into_iter().partition(|notice| matches!(notice, Notice::Status(_)));
    others.sort_by_key(happened);
    for notice in statuses.into_iter().chain(others) {
        match notice {
            Notice::Status(status) => tell_status(status, known, &mut draft),
            Notice::Inbound(inbound) => person::inbound(&inbound, known, &mut draft),
            Notice::Trouble(trouble) => number::trouble(&trouble, &mut draft),
            Notice::Preference(preference) => person::preference(&preference, known, &mut draft),
            Notice::Number(change, news) => number::change(&change, &news, known, &mut draft),
            Notice::Template(change, news) => template::change(&change, &news, known, &mut draft),
            Notice::Account(change, news) => account::change(&change, &news, known, &mut draft),
            Notice::Strange { field, body } => draft.strange(field, body),
        }
    }
    draft.finish()
}

fn happened(notice: &Notice) -> Timestamp {
    match notice {
        Notice::Status(status) => status.at,
        Notice::Inbound(inbound) => inbound.at,
        Notice::Trouble(trouble) => trouble.at,
        Notice::Preference(preference) => preference.at,
        Notice::Number(change, _) | Notice::Template(change, _) | Notice::Account(change, _) => change.at,
        Notice::Strange { .. } => Timestamp::default(),
    }
}

fn tell_status(status: Status, known: &Known<'_>, draft: &mut Draft) {
    let Some((key, attempt)) = status.job else {
        draft.count(Update::Foreign);
        return;
    };
    if let Told::Failed(error) = &status.told
        && let Some(facts) = known.facts.get(&key)
        && let Some(order) = failure::order(error, &status, facts, known.now)
    {
        draft.place(order);
    }
    let heard = match status.told {
        Told::Sent => Heard::Sent,
        Told::Delivered => Heard::Delivered,
        Told::Read => Heard::Read,
        Told::Failed(error) => Heard::Failed(failure::of(error)),
    };
    let Status { wamid, at, pricing, .. } = status;
    draft.status(StatusNews { key, attempt, wamid, heard, at, pricing });
}
