//! What Meta tells us by itself: of messages, people, numbers, templates and accounts.

pub mod meaning;
pub mod notice;
