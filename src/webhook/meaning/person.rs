//! What it means that a person wrote: they may be answered, and may have asked to be left alone.

use super::Known;
use super::draft::Draft;
use super::event;
use super::opting::{Said, Wish, opt};
use crate::job::{Category, PoolName};
use crate::ledger::{WINDOW, WindowNews};
use crate::metrics::Update;
use crate::webhook::notice::{Inbound, InboundKind, Preference};

pub(super) fn inbound(inbound: &Inbound, known: &Known<'_>, draft: &mut Draft) {
    draft.count(Update::Inbound);
    // That a number or an identity changed, WhatsApp says and not the person.
    if inbound.kind != InboundKind::System {
        for recipient in &inbound.from {
            draft.window(WindowNews {
                number: inbound.number.clone(),
                recipient: recipient.expose().to_owned(),
                until: inbound.at.min(known.now) + WINDOW,
            });
        }
    }
    if let Some(wish) = known.rules.wish(&inbound.said) {
        let who = match wish {
            Wish::Stop => "stop word",
            Wish::Start => "start word",
        };
        let said = Said { wish, at: inbound.at.min(known.now), who };
        opt(said, &inbound.from, &known.rules.categories, draft);
    }
    draft.event(event::inbound(inbound, known.names.pool(&inbound.number).as_str()));
}

/// WhatsApp asks people about marketing only.
pub(super) fn preference(preference: &Preference, known: &Known<'_>, draft: &mut Draft) {
    draft.count(Update::Preference);
    let wish = if preference.wants { Wish::Start } else { Wish::Stop };
    let said = Said { wish, at: preference.at.min(known.now), who: "user preference" };
    opt(said, &preference.from, &[Category::Marketing], draft);
    let pool = preference.number.as_ref().map_or_else(PoolName::default_pool, |number| known.names.pool(number));
    draft.event(event::preference(preference, pool.as_str()));
}
