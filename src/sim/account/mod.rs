//! The account talks: what Meta does to templates, numbers and accounts of its own accord, and announces by webhook.
//!
//! Shapes: <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/> and the name
//! of the field, read 2026-09-11 (`business_capability_update`: 2026-05-21, `template_category_update`: 2025-11-11).

mod announce;
mod announcement;
mod event;
mod state;

pub use event::{
    AccountEvent, AlertSeverity, BanState, EventError, LimitForm, MarketingPreference, NameDecision, Pause, Restriction,
};

pub(crate) use announce::Moment;
pub(crate) use state::AccountState;
