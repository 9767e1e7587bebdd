//! Choices that a producer may make or leave to us: who sends, how soon, under which category.

use super::Received;
use super::document::Document;
use crate::job::field::Problem;
use crate::job::recipient::Phone;
use crate::job::{Category, From, Message, OnUnknown, PoolName, Priority};

/// Who sends. A number may be named beside a pool's routing key: whether it is of that pool, the fleet knows.
pub(super) fn from(document: &Document<'_>, received: &Received) -> Result<From, Problem> {
    let given = document.parsed::<From>("from")?;
    match (given, &received.routing) {
        (Some(From::Pool(pool)), Some((routed, _))) if pool != *routed => {
            Err(Problem::new("from", format!("pool {pool} contradicts the routing key's pool {routed}")))
        }
        (Some(from), _) => Ok(from),
        (None, Some((routed, _))) => Ok(From::Pool(routed.clone())),
        (None, None) => Ok(From::Pool(PoolName::default_pool())),
    }
}

/// What the producer said of the priority; without a word its category decides.
pub(super) fn priority(document: &Document<'_>, received: &Received) -> Result<Option<Priority>, Problem> {
    let given = document.parsed::<Priority>("priority")?;
    match (given, &received.routing) {
        (Some(given), Some((_, routed))) if given != *routed => {
            Err(Problem::new("priority", format!("{given} contradicts the routing key's {routed}")))
        }
        (_, Some((_, routed))) => Ok(Some(*routed)),
        (given, None) => Ok(given),
    }
}

/// The category: as given, or else the template's own, or by default.
pub(super) fn category(
    document: &Document<'_>,
    message: &Message,
    marketing: bool,
    received: &Received,
) -> Result<Category, Problem> {
    match document.parsed::<Category>("category")? {
        Some(given) if marketing && given != Category::Marketing => {
            Err(Problem::new("category", format!("{given} contradicts marketing, which sends by /marketing_messages")))
        }
        Some(given) => Ok(given),
        None if message.is_free_form() => Ok(Category::Service),
        None if marketing => Ok(Category::Marketing),
        None => {
            let known = received.catalogue.as_ref().zip(message.template.as_ref());
            Ok(known.and_then(|(known, template)| known.category_of(template)).unwrap_or(Category::Marketing))
        }
    }
}

impl Priority {
    /// The priority of a job that names none.
    pub(super) const fn default_of(category: Category) -> Self {
        match category {
            Category::Authentication => Self::Urgent,
            Category::Utility | Category::Service => Self::Normal,
            Category::Marketing => Self::Bulk,
        }
    }
}

impl OnUnknown {
    /// The policy of a job that names none.
    pub(super) const fn default_of(category: Category) -> Self {
        match category {
            Category::Authentication => Self::Resend,
            Category::Utility | Category::Service => Self::ResendIfSilent,
            Category::Marketing => Self::Leave,
        }
    }
}

/// A text that names neither a pool nor a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a pool ([a-z][a-z0-9_-]{{0,63}}), a phone_number_id (1 to 32 digits) or a display number \
     (+ and 8 to 15 digits)"
)]
pub struct InvalidFrom;

impl std::str::FromStr for From {
    type Err = InvalidFrom;

    fn from_str(text: &str) -> Result<Self, InvalidFrom> {
        if let Ok(pool) = text.parse() {
            return Ok(Self::Pool(pool));
        }
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let phone: Phone = text.parse().map_err(|_| InvalidFrom)?;
        Ok(Self::Display(phone.digits().to_owned()))
    }
}
