//! Holds: «nothing may pass here», in one table for everything that blocks.
//!
//! Pure: who is blocked by what. The ledger keeps the holds, the worker keeps a [`HoldSet`] of all but the
//! recipients' (there may be a million of those; the ledger looks them up at admission).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job::Category;
use crate::outcome::{Reason, words};

words! {
    /// What a hold covers. Its subject names which one.
    Scope {
        /// The whole sender; the subject is empty.
        Everything = "everything",
        /// One access token, by its name in the configuration.
        Credential = "credential",
        /// One business portfolio.
        Portfolio = "portfolio",
        /// One WhatsApp Business Account, perhaps one country of it only.
        Waba = "waba",
        /// One sending number.
        Number = "number",
        /// One template, as `name/language`.
        Template = "template",
        /// One recipient, perhaps one category only.
        Recipient = "recipient",
        /// One campaign.
        Campaign = "campaign",
        /// The places of one business portfolio's messaging limit: who needs one waits for it here. It is in nobody's
        /// way who needs none.
        Quota = "quota",
    }
}

words! {
    /// What becomes of a job that meets a hold.
    Effect {
        /// It waits until the hold is lifted.
        Wait = "wait",
        /// It ends as `suppressed`.
        End = "end",
    }
}

/// The ledger's number of a hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(pub i64);

/// A hold that shall be placed; placed again on the same cover, the later `until` wins and `step` counts up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldOrder {
    /// What it covers, and which one.
    pub cover: Cover,
    /// What becomes of jobs that meet it.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Who placed it: `meta:190`, `health`, `cli:anna`.
    pub who: String,
    /// When it ends by itself; none: a webhook or a person ends it.
    pub until: Option<Timestamp>,
    /// At its end one job goes first, and the hold is lifted only if that one comes through.
    pub probe: bool,
}

/// What a hold covers. Two holds of the same cover are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cover {
    /// The kind of thing.
    pub scope: Scope,
    /// Which one; empty for `everything`.
    pub subject: String,
    /// Only jobs of this category.
    pub category: Option<Category>,
    /// Only recipients whose phone number begins with this calling code (digits).
    pub country: Option<String>,
}

impl HoldOrder {
    /// That a recipient does not want messages of this category: those that meet it end.
    pub fn opt_out(cover: Cover, who: impl Into<String>) -> Self {
        let (effect, reason) = (Effect::End, Reason::OptedOut);
        Self { cover, effect, reason, who: who.into(), until: None, probe: false }
    }
}

impl Cover {
    /// Covers all of one thing.
    pub fn of(scope: Scope, subject: impl Into<String>) -> Self {
        Self { scope, subject: subject.into(), category: None, country: None }
    }

    /// Covers only jobs of one category.
    pub fn category(self, category: Category) -> Self {
        Self { category: Some(category), ..self }
    }

    /// Covers only one country.
    pub fn country(self, calling_code: impl Into<String>) -> Self {
        Self { country: Some(calling_code.into()), ..self }
    }

    /// Whether it covers the whole subject, so that nothing of it need be looked at.
    pub fn is_whole(&self) -> bool {
        self.category.is_none() && self.country.is_none()
    }
}

/// A hold as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The ledger's number of it.
    pub id: HoldId,
    /// What it covers.
    #[serde(flatten)]
    pub cover: Cover,
    /// What becomes of jobs that meet it.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// Who placed it.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none: a webhook or a person ends it.
    pub until: Option<Timestamp>,
    /// Whether its end is tried with one job first.
    pub probe: bool,
    /// How often it was placed in a row.
    pub step: u32,
}

/// What of a job and its number a hold may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The name of the number's access token.
    pub credential: &'a str,
    /// The number's portfolio, where known.
    pub portfolio: &'a str,
    /// The number's account, where known.
    pub waba: &'a str,
    /// Meta's id of the number.
    pub number: &'a str,
    /// `name/language` of the job's template; empty for free-form.
    pub template: &'a str,
    /// The recipient, whole.
    pub recipient: &'a str,
    /// The job's campaign; empty for none.
    pub campaign: &'a str,
    /// The job's category.
    pub category: Category,
}

impl Facts<'_> {
    fn subject(&self, scope: Scope) -> &str {
        match scope {
            Scope::Everything => "",
            Scope::Credential => self.credential,
            Scope::Portfolio => self.portfolio,
            Scope::Waba => self.waba,
            Scope::Number => self.number,
            Scope::Template => self.template,
            Scope::Recipient => self.recipient,
            Scope::Campaign => self.campaign,
            Scope::Quota => self.portfolio,
        }
    }
}

/// The answer to «may this pass?».
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage<'a> {
    /// Nothing is in the way.
    Free,
    /// This hold's time is over, and one job may go to try it.
    Probe(&'a Hold),
    /// This hold is in the way.
    Blocked(&'a Hold),
}

/// All holds that a worker must know without asking.
#[derive(Clone, Debug, Default)]
pub struct HoldSet {
    by_scope: HashMap<Scope, HashMap<String, Vec<Hold>>>,
    /// Portfolios that have no place left for ordinary jobs.
    full: HashMap<String, Hold>,
}

impl HoldSet {
    /// Holds of recipients are left out: they are looked up.
    pub fn new(holds: impl IntoIterator<Item = Hold>) -> Self {
        let mut set = Self::default();
        for hold in holds.into_iter().filter(|hold| hold.cover.scope != Scope::Recipient) {
            if hold.cover.scope == Scope::Quota {
                set.full.insert(hold.cover.subject.clone(), hold);
                continue;
            }
            let subjects = set.by_scope.entry(hold.cover.scope).or_default();
            subjects.entry(hold.cover.subject.clone()).or_default().push(hold);
        }
        // Worker and ledger must name the same hold, in whatever order they read them.
        for holds in set.by_scope.values_mut().flat_map(HashMap::values_mut) {
            holds.sort_by_key(|hold| hold.id);
        }
        set
    }

    /// Whether nothing at all is in anybody's way.
    pub fn is_empty(&self) -> bool {
        self.by_scope.is_empty()
    }

    /// Every hold, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.by_scope.values().flat_map(HashMap::values).flatten().chain(self.full.values())
    }

    /// The hold under which jobs wait for a place of this portfolio, if it is at its messaging limit.
    pub fn at_limit(&self, portfolio: &str) -> Option<&Hold> {
        self.full.get(portfolio)
    }

    /// What stands in the way of this job by this number; a hold that blocks comes before one that may be tried.
    pub fn passage(&self, facts: &Facts<'_>, now: Timestamp) -> Passage<'_> {
        let mut answer = Passage::Free;
        if self.is_empty() {
            return answer;
        }
        for scope in Scope::ALL {
            for hold in self.over(*scope, facts) {
                match hold.stands(facts, now) {
                    Passage::Free => {}
                    Passage::Probe(hold) if answer == Passage::Free => answer = Passage::Probe(hold),
                    Passage::Probe(_) => {}
                    Passage::Blocked(hold) => return Passage::Blocked(hold),
                }
            }
        }
        answer
    }

    /// The hold that this job may not pass, if it may try one of those whose time is over: it passes the others of
    /// these too, or two that cover the same jobs would wait for each other. What ends a job comes before what makes
    /// it wait: it need not wait first.
    pub fn obstacle(&self, facts: &Facts<'_>, now: Timestamp, tries: Option<HoldId>) -> Option<&Hold> {
        let mut first = None;
        for hold in Scope::ALL.iter().flat_map(|scope| self.over(*scope, facts)) {
            match (hold.stops(facts, now, tries), hold.effect) {
                (false, _) => {}
                (true, Effect::End) => return Some(hold),
                (true, Effect::Wait) => first = first.or(Some(hold)),
            }
        }
        first
    }

    fn over(&self, scope: Scope, facts: &Facts<'_>) -> impl Iterator<Item = &Hold> + use<'_> {
        let subjects = self.by_scope.get(&scope);
        subjects.and_then(|subjects| subjects.get(facts.subject(scope))).into_iter().flatten()
    }

    /// What stands in the way of a number whatever the job: holds of one template, campaign, category or country
    /// are left out, since other jobs may pass them.
    pub fn whole_passage(&self, facts: &Facts<'_>, now: Timestamp) -> Passage<'_> {
        const WHOLE: [Scope; 5] = [Scope::Everything, Scope::Credential, Scope::Portfolio, Scope::Waba, Scope::Number];
        let mut answer = Passage::Free;
        if self.is_empty() {
            return answer;
        }
        for scope in WHOLE {
            for hold in self.over(scope, facts).filter(|hold| hold.cover.is_whole() && hold.effect == Effect::Wait) {
                match hold.stands(facts, now) {
                    Passage::Free => {}
                    Passage::Probe(hold) if answer == Passage::Free => answer = Passage::Probe(hold),
                    Passage::Probe(_) => {}
                    Passage::Blocked(hold) => return Passage::Blocked(hold),
                }
            }
        }
        answer
    }
}

impl Hold {
    /// What this hold says to a job that its subject covers.
    pub fn stands(&self, facts: &Facts<'_>, now: Timestamp) -> Passage<'_> {
        let other_category = self.cover.category.is_some_and(|category| category != facts.category);
        let other_country = self
            .cover
            .country
            .as_deref()
            .is_some_and(|code| !facts.recipient.strip_prefix('+').is_some_and(|digits| digits.starts_with(code)));
        if other_category || other_country {
            return Passage::Free;
        }
        match (self.until, self.probe) {
            (Some(until), true) if until <= now => Passage::Probe(self),
            (Some(until), false) if until <= now => Passage::Free,
            _ => Passage::Blocked(self),
        }
    }

    /// Whether a job may not pass this hold, if it may try one of those whose time is over.
    pub fn stops(&self, facts: &Facts<'_>, now: Timestamp, tries: Option<HoldId>) -> bool {
        match self.stands(facts, now) {
            Passage::Free => false,
            Passage::Probe(_) => tries.is_none(),
            Passage::Blocked(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_000);

    fn hold(id: i64, cover: Cover) -> Hold {
        let (effect, reason) = (Effect::Wait, Reason::Operator);
        let (who, since, until) = ("test".to_owned(), Timestamp::default(), None);
        Hold { id: HoldId(id), cover, effect, reason, who, since, until, probe: false, step: 1 }
    }

    fn facts() -> Facts<'static> {
        Facts {
            credential: "main",
            portfolio: "portfolio",
            waba: "waba",
            number: "7",
            template: "hello/en_US",
            recipient: "+447700900123",
            campaign: "spring",
            category: Category::Utility,
        }
    }

    #[test]
    fn a_hold_covers_its_subject_its_category_and_its_country_only() {
        let waba = || Cover::of(Scope::Waba, "waba");
        for (cover, is_covered) in [
            (waba(), true),
            (Cover::of(Scope::Waba, "other"), false),
            (Cover::of(Scope::Number, "waba"), false),
            (Cover::of(Scope::Everything, ""), true),
            (waba().category(Category::Utility), true),
            (waba().category(Category::Marketing), false),
            (waba().country("44"), true),
            (waba().country("33"), false),
            (waba().country("44").category(Category::Marketing), false),
        ] {
            let set = HoldSet::new([hold(1, cover.clone())]);
            assert_eq!(set.obstacle(&facts(), NOON, None).is_some(), is_covered, "{cover:?}");
            assert_eq!(matches!(set.passage(&facts(), NOON), Passage::Blocked(_)), is_covered, "{cover:?}");
        }
    }

    #[test]
    fn a_hold_whose_time_is_over_lets_pass_or_wants_to_be_tried() {
        let ended = Hold { until: Some(NOON), ..hold(1, Cover::of(Scope::Number, "7")) };
        let tried = Hold { probe: true, ..ended.clone() };
        assert_eq!(HoldSet::new([ended]).passage(&facts(), NOON), Passage::Free);
        let set = HoldSet::new([tried.clone()]);
        assert_eq!(set.passage(&facts(), NOON), Passage::Probe(&tried));
        assert_eq!(set.passage(&facts(), Timestamp::from_millis(999)), Passage::Blocked(&tried));
        assert_eq!(set.obstacle(&facts(), NOON, Some(HoldId(1))), None);
        assert_eq!(set.obstacle(&facts(), NOON, None), Some(&tried));
        assert_eq!(set.obstacle(&facts(), Timestamp::from_millis(999), Some(HoldId(1))), Some(&tried));
    }

    #[test]
    fn who_tries_one_hold_passes_all_whose_time_is_over_and_no_other() {
        let over = |id, cover| Hold { until: Some(NOON), probe: true, ..hold(id, cover) };
        let template = over(1, Cover::of(Scope::Template, "hello/en_US"));
        let number = over(2, Cover::of(Scope::Number, "7"));
        let country = Hold { effect: Effect::End, ..over(3, Cover::of(Scope::Waba, "waba").country("44")) };
        let set = HoldSet::new([template, number, country.clone()]);
        // Whichever is tried first, the worker and the ledger mean the same one.
        assert_eq!(set.passage(&facts(), NOON), Passage::Probe(&country));
        assert_eq!(set.obstacle(&facts(), NOON, Some(HoldId(3))), None);
        assert_eq!(set.obstacle(&facts(), NOON, Some(HoldId(1))), None);
        assert_eq!(set.obstacle(&facts(), NOON, None), Some(&country));
        assert!(set.obstacle(&facts(), Timestamp::from_millis(999), Some(HoldId(1))).is_some());
    }

    #[test]
    fn what_ends_a_job_comes_before_what_makes_it_wait() {
        let waits = hold(1, Cover::of(Scope::Everything, ""));
        let ends = Hold { effect: Effect::End, ..hold(2, Cover::of(Scope::Campaign, "spring")) };
        let set = HoldSet::new([waits, ends.clone()]);
        assert_eq!(set.obstacle(&facts(), NOON, None), Some(&ends));
    }

    #[test]
    fn holds_of_recipients_are_looked_up_elsewhere() {
        assert!(HoldSet::new([hold(1, Cover::of(Scope::Recipient, "+447700900123"))]).is_empty());
    }

    #[test]
    fn a_number_is_blocked_as_a_whole_only_by_what_blocks_all_its_jobs() {
        for (cover, is_blocked) in [
            (Cover::of(Scope::Number, "7"), true),
            (Cover::of(Scope::Number, "7").country("44"), false),
            (Cover::of(Scope::Campaign, "spring"), false),
        ] {
            let set = HoldSet::new([hold(1, cover.clone())]);
            assert_eq!(matches!(set.whole_passage(&facts(), NOON), Passage::Blocked(_)), is_blocked, "{cover:?}");
        }
    }
}
