//! Meta's limits as numbers, each with the page that states it and the day it was read (all 2026-09-11 unless said).
//!
//! Pages, under <https://developers.facebook.com/documentation/business-messaging/whatsapp/>:
//! `throughput`, `about-the-platform`, `messaging-limits`, `messages/…`, `webhooks/reference/messages/status`.

use std::time::Duration;

/// Messages a second of a number at level STANDARD (`throughput`).
pub const STANDARD_MPS: u32 = 80;
/// Messages a second of a number at level HIGH (`throughput`).
pub const HIGH_MPS: u32 = 1_000;
/// Messages a second of a number that is also on the WhatsApp Business app (`throughput`): fixed, never upgraded.
pub const COEXISTENCE_MPS: u32 = 20;
/// What «a second» of the throughput limit is here: a sliding one, measured where the request arrives.
///
/// Meta writes «messages per second» and no more (`throughput`); a sliding second is the strictest
/// reading, so who keeps to it keeps to every other one.
pub const THROUGHPUT_WINDOW: Duration = Duration::from_secs(1);

/// One message to the same user in this time (`about-the-platform`, pair rate limits).
pub const PAIR_INTERVAL: Duration = Duration::from_secs(6);
/// So many messages may be borrowed in one burst (`about-the-platform`).
pub const PAIR_BURST: u32 = 45;
/// A burst is what starts within this time of its first message (`about-the-platform`).
pub const PAIR_BURST_WINDOW: Duration = Duration::from_secs(6);

/// The portfolio's messaging limit looks back so far (`messaging-limits`).
pub const MESSAGING_LIMIT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// What we answer past the messaging limit.
///
/// Meta documents no code for it (open point; read 2026-09-11); integrators report 131048, the
/// number's own restriction, so that is what a sender must be able to live with.
pub const MESSAGING_LIMIT_CODE: u32 = 131_048;

/// Characters of a text body (`messages/text-messages`).
pub const TEXT_BODY_CHARS: usize = 4_096;
/// Characters of an interactive body, list messages aside (`messages/interactive-cta-url-messages`).
pub const INTERACTIVE_BODY_CHARS: usize = 1_024;
/// Characters of a list message's body (`messages/interactive-list-messages`; the OpenAPI file says 1,024).
pub const LIST_BODY_CHARS: usize = 4_096;
/// Characters of a header's or a footer's text (`messages/interactive-list-messages`).
pub const HEADER_CHARS: usize = 60;
/// Characters of a media caption (legacy `/messages` reference, copy read 2026-11-20).
pub const CAPTION_CHARS: usize = 1_024;
/// Characters of `biz_opaque_callback_data` (legacy `/messages` reference, copy read 2026-11-20).
pub const CALLBACK_CHARS: usize = 512;
/// Contacts in one message (`facebook/openapi` `business-messaging-api_v23.0.yaml` at ecba623).
pub const CONTACTS: usize = 5;
/// Products in one product list (`facebook/openapi`, as above).
pub const PRODUCTS: usize = 30;
/// Characters of a template's text parameter (legacy `/messages` reference).
pub const TEMPLATE_PARAMETER_CHARS: usize = 1_024;
/// Characters of a body parameter when the body is the only component (legacy `/messages` reference).
pub const TEMPLATE_LONE_BODY_CHARS: usize = 32_768;
/// Characters of a template's name (`templates`, read 2026-09-11).
pub const TEMPLATE_NAME_CHARS: usize = 512;
/// Alphanumerics after the country code of a business-scoped user id
/// (`business-scoped-user-ids`, page of 2026-02-06).
pub const USER_ID_CHARS: usize = 128;
/// Digits of a phone number with its country code (E.164; the shortest in use have 8).
pub const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Updates in one webhook, at most (`webhooks/overview`).
pub const WEBHOOK_UPDATES: usize = 1_000;
/// Bytes of a webhook's body (`webhooks/overview`).
pub const WEBHOOK_BYTES: usize = 3 * 1024 * 1024;
/// A webhook is sent again for so long (`webhooks/overview`).
pub const WEBHOOK_RETRIES_LAST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A service window is open for so long after the customer's last message (`messages/send-messages`).
pub const SERVICE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// An uploaded medium is kept for so long (`business-phone-numbers/media`).
pub const MEDIA_LIVES: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A medium from a customer is kept for so long (`business-phone-numbers/media`).
pub const INBOUND_MEDIA_LIVES: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The address of a medium is good for so long (`business-phone-numbers/media`).
pub const MEDIA_LINK_LIVES: Duration = Duration::from_secs(5 * 60);

/// The simulator reads no longer body than this. Ours: Meta publishes no number, and no valid message comes near it.
pub const BODY_BYTES: usize = 1024 * 1024;
