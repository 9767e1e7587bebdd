//! Media: uploaded by the business, or sent by customers; kept in memory for a while.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media>,
//! read 2026-09-11.

mod kinds;
mod multipart;
mod routes;
mod store;

pub(crate) use routes::{Asked, router, view};
pub(crate) use store::{MediaStore, SMALL_PICTURE};
