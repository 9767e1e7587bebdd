//! What news of an account mean: whether anything may be sent by it, and how much by its portfolio.

use std::time::Duration;

use super::Known;
use super::draft::Draft;
use super::event::{self, About};
use super::number::portfolio;
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::job::Category;
use crate::metrics::Update;
use crate::outcome::Reason;
use crate::webhook::notice::{AccountNews, Ban, Change, MessagingLimit, Restriction};

/// A closed account opens by a webhook; should that be lost, one message an hour tries it.
const CLOSED: Duration = Duration::from_secs(3_600);
/// A restriction that does not say how long it lasts is tried after a day.
const RESTRICTED: Duration = Duration::from_secs(24 * 3_600);
/// What an account that is open again was held for as a whole.
const CLOSED_FOR: &[Reason] = &[Reason::AccountLocked, Reason::AccountRestricted, Reason::Permission];

pub(super) fn change(change: &Change, news: &AccountNews, known: &Known<'_>, draft: &mut Draft) {
    draft.count(Update::Account);
    let what = match news {
        AccountNews::Update { event, restrictions, ban } => {
            if !change.waba.is_empty() {
                restrictions.iter().for_each(|restriction| restrict(change, event, *restriction, draft));
                ban.iter().for_each(|ban| close(change, event, *ban, draft));
            }
            event.as_str()
        }
        AccountNews::Capability { limit } => {
            if let Some(limit) = limit.as_deref().and_then(MessagingLimit::parse) {
                draft.fields(portfolio(change, limit, known));
            }
            "messaging_limit"
        }
        AccountNews::Alert { .. } => "alert",
    };
    draft.event(event::change(format!("account.{what}"), change, About::default()));
}

fn restrict(change: &Change, event: &str, restriction: Restriction, draft: &mut Draft) {
    let (categories, until): (&[Category], _) = match restriction {
        Restriction::Templates { until } => {
            (&[Category::Marketing, Category::Utility, Category::Authentication], until)
        }
        Restriction::Answers { until } => (&[Category::Service], until),
    };
    let until = until.unwrap_or(change.at + RESTRICTED);
    for category in categories {
        let cover = Cover::of(Scope::Waba, &*change.waba).category(*category);
        draft.place(order(cover, Reason::AccountRestricted, event, until));
    }
}

fn close(change: &Change, event: &str, ban: Ban, draft: &mut Draft) {
    let cover = Cover::of(Scope::Waba, &*change.waba);
    let until = change.at + CLOSED;
    match ban {
        Ban::Closed => draft.place(order(cover, Reason::AccountLocked, event, until)),
        Ban::Left => draft.place(order(cover, Reason::Permission, event, until)),
        Ban::Open => draft.lift(cover, CLOSED_FOR),
    }
}

fn order(cover: Cover, reason: Reason, event: &str, until: Timestamp) -> HoldOrder {
    let who = format!("webhook:{event}");
    HoldOrder { cover, effect: Effect::Wait, reason, who, until: Some(until), probe: true }
}
