//! Which hold a row of the table of codes places, for one attempt: whether an answer or a webhook told of the code.

use super::calling_code;
use super::rule::{Covers, HoldRule, Lasts};
use crate::clock::Timestamp;
use crate::hold::{Cover, HoldOrder, Scope};
use crate::job::Category;
use crate::outcome::{Reason, Refusal};

/// What of an attempt a hold may cover.
#[derive(Clone, Copy, Debug)]
pub struct Subjects<'a> {
    /// The name of the access token, where known.
    pub credential: Option<&'a str>,
    /// The number's account; empty if nobody knows it.
    pub waba: &'a str,
    /// The number that tried, where known.
    pub number: Option<&'a str>,
    /// Who the message was for.
    pub recipient: &'a str,
    /// What kind of message it was.
    pub category: Category,
    /// `name/language` of its template.
    pub template: Option<&'a str>,
}

impl Subjects<'_> {
    /// The hold of a row from this moment on; none if the attempt has nothing that it could cover.
    pub fn order(&self, rule: HoldRule, reason: Reason, refusal: &Refusal, now: Timestamp) -> Option<HoldOrder> {
        let (until, probe) = match rule.lasts {
            Lasts::For(_) => (Some(now + rule.lasts.time(None)), false),
            Lasts::Probed(_) => (Some(now + rule.lasts.time(None)), true),
            Lasts::MetasEstimate(_) => (Some(now + rule.lasts.time(refusal.regain)), true),
            Lasts::UntilLifted => (None, false),
        };
        let who = refusal.code.map_or_else(|| "meta".to_owned(), |code| format!("meta:{code}"));
        Some(HoldOrder { cover: self.cover(rule.covers)?, effect: rule.effect, reason, who, until, probe })
    }

    fn cover(&self, covers: Covers) -> Option<Cover> {
        match covers {
            Covers::Credential => Some(Cover::of(Scope::Credential, self.credential?)),
            Covers::Waba => self.waba(),
            Covers::WabaCountry => Some(self.waba()?.country(calling_code::of(self.recipient)?)),
            Covers::WabaMarketing if self.category == Category::Marketing => {
                Some(self.waba()?.category(Category::Marketing))
            }
            // Declared as something else, a hold on marketing would not stop it.
            Covers::WabaMarketing | Covers::Template => Some(Cover::of(Scope::Template, self.template?)),
            Covers::Number => Some(Cover::of(Scope::Number, self.number?)),
            Covers::Recipient => Some(Cover::of(Scope::Recipient, self.recipient)),
            Covers::RecipientMarketing => {
                Some(Cover::of(Scope::Recipient, self.recipient).category(Category::Marketing))
            }
        }
    }

    /// The account, or as long as nobody knows it, the number.
    fn waba(&self) -> Option<Cover> {
        if self.waba.is_empty() {
            Some(Cover::of(Scope::Number, self.number?))
        } else {
            Some(Cover::of(Scope::Waba, self.waba))
        }
    }
}
