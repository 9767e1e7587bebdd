//! Meta's error codes: one table, one row a code, for what each does to its job and what hold it places.
//!
//! Source, read 2026-09-11 unless a row says otherwise:
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes>. Meta says to
//! branch on the code and not on the HTTP status, which is why there is none here.

use std::time::Duration;

use super::Path;
use super::rule::{After, CodeFate, CodeRow, Covers, HoldRule, Lasts};
use crate::hold::Effect;
use crate::outcome::{Reason, State};

const MINUTE: Duration = minutes(1);
const HOUR: Duration = hours(1);
const DAY: Duration = hours(24);

const WAIT: CodeFate = CodeFate::WaitForHold;
const FAIL: CodeFate = CodeFate::End(State::Failed);
const SUPPRESS: CodeFate = CodeFate::End(State::Suppressed);
const BACKOFF: CodeFate = CodeFate::Retry { few: None, after: After::Backoff, charged: true };
const FEW: CodeFate = CodeFate::Retry { few: Some(3), after: After::Backoff, charged: true };
const SYNC: CodeFate = CodeFate::Retry { few: Some(3), after: After::About(minutes(10)), charged: true };
/// The throughput window is one second: half of one, and the job finds another number or the same one slower.
const SLOWER: CodeFate = CodeFate::Retry { few: None, after: After::About(Duration::from_millis(500)), charged: false };
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform>, pair limits.
const PAIR: CodeFate = CodeFate::Retry { few: None, after: After::Pair, charged: false };

/// Nothing is burnt on a dead credential: one probe a minute.
const TOKEN: HoldRule = wait(Covers::Credential, Lasts::Probed(MINUTE));
/// <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>: calling on lengthens the block.
const APP_QUOTA: HoldRule = wait(Covers::Credential, Lasts::MetasEstimate(minutes(10)));
const ACCOUNT_QUOTA: HoldRule = wait(Covers::Waba, Lasts::MetasEstimate(minutes(10)));
/// A token may keep its right to one account and lose it to another: the account is held, not the token.
const ACCOUNT: HoldRule = wait(Covers::Waba, Lasts::Probed(MINUTE));
/// A person must act at Meta; a probe an hour notices that they have.
const ACCOUNT_PERSON: HoldRule = wait(Covers::Waba, Lasts::Probed(HOUR));
const MISCLASSIFIED: HoldRule = wait(Covers::Waba, Lasts::Probed(hours(3)));
const MARKETING: HoldRule = wait(Covers::WabaMarketing, Lasts::Probed(HOUR));
const COUNTRY: HoldRule = end(Covers::WabaCountry, Lasts::Probed(DAY));
/// The number must be set right, at Meta or in the configuration.
const NUMBER: HoldRule = wait(Covers::Number, Lasts::Probed(minutes(10)));
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput>: about a minute.
const UPGRADE: HoldRule = wait(Covers::Number, Lasts::Probed(MINUTE));
/// Trying on worsens the number's quality.
const COOL_DOWN: HoldRule = wait(Covers::Number, Lasts::Probed(hours(6)));
/// A template's first pause lasts 3 hours; webhooks say so earlier where they come.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-pausing>
const TEMPLATE: HoldRule = wait(Covers::Template, Lasts::Probed(hours(3)));
const TEMPLATE_HOUR: HoldRule = wait(Covers::Template, Lasts::Probed(HOUR));
const TEMPLATE_GONE: HoldRule = end(Covers::Template, Lasts::UntilLifted);
const OPTED_OUT: HoldRule = end(Covers::RecipientMarketing, Lasts::UntilLifted);
const BLOCKED: HoldRule = end(Covers::Recipient, Lasts::UntilLifted);
/// The job that meets it ends, since Meta may refuse it again every day; later marketing waits out the 24 hours,
/// since trying earlier prolongs them.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/marketing-templates/per-user-limits>
const MARKETING_DAY: HoldRule = wait(Covers::RecipientMarketing, Lasts::For(DAY));

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

const fn wait(covers: Covers, lasts: Lasts) -> HoldRule {
    HoldRule { covers, lasts, effect: Effect::Wait }
}

const fn end(covers: Covers, lasts: Lasts) -> HoldRule {
    HoldRule { covers, lasts, effect: Effect::End }
}

const fn row(code: u32, meaning: &'static str, fate: CodeFate, reason: Reason) -> CodeRow {
    CodeRow::new(code, meaning, fate, reason)
}

/// A code of calls, groups, flows, registration or administration: no send should meet it.
const fn elsewhere(code: u32, meaning: &'static str) -> CodeRow {
    row(code, meaning, FAIL, Reason::NotForSending)
}

/// All codes that we know. The first row that covers an answer decides.
pub static TABLE: &[CodeRow] = &[
    // The credential, the app and the account.
    row(0, "cannot authenticate the app user", WAIT, Reason::Credentials).holds(TOKEN),
    row(190, "access token expired or invalid", WAIT, Reason::Credentials).holds(TOKEN),
    row(104, "access token missing", WAIT, Reason::Credentials).holds(TOKEN),
    row(3, "app lacks the capability", WAIT, Reason::Permission).holds(TOKEN),
    row(10, "permission missing or removed", WAIT, Reason::Permission).holds(ACCOUNT),
    row(200, "permission missing or removed", WAIT, Reason::Permission).to(299).holds(ACCOUNT),
    row(131_005, "access denied", WAIT, Reason::Permission).holds(ACCOUNT),
    row(368, "account restricted or disabled for policy", WAIT, Reason::AccountRestricted).holds(ACCOUNT_PERSON),
    row(131_031, "account locked", WAIT, Reason::AccountLocked).holds(ACCOUNT_PERSON),
    row(130_497, "account may not message this country", FAIL, Reason::CountryRestricted).holds(COUNTRY),
    row(131_042, "payment fails", WAIT, Reason::Payment).holds(ACCOUNT_PERSON),
    row(134_011, "payment terms not accepted", WAIT, Reason::Payment).holds(ACCOUNT_PERSON),
    // Throttling: never charged.
    row(4, "call quota of the app", WAIT, Reason::AppQuota).holds(APP_QUOTA),
    row(17, "call quota of the user", WAIT, Reason::AppQuota).holds(APP_QUOTA),
    row(80_007, "call quota of the account", WAIT, Reason::WabaQuota).holds(ACCOUNT_QUOTA),
    row(80_008, "call quota of the account", WAIT, Reason::WabaQuota).holds(ACCOUNT_QUOTA),
    row(130_429, "throughput of the number", SLOWER, Reason::Throughput),
    row(131_056, "pair rate", PAIR, Reason::PairLimit),
    row(131_048, "number restricted for quality", WAIT, Reason::SpamLimit).holds(COOL_DOWN),
    row(131_064, "limited for misclassified templates", WAIT, Reason::Misclassified).holds(MISCLASSIFIED),
    row(131_057, "number maintained or upgraded", WAIT, Reason::Maintenance).holds(UPGRADE),
    row(132_069, "flow throttled to 10 messages an hour", WAIT, Reason::FlowThrottled).holds(TEMPLATE_HOUR),
    // Passing trouble.
    row(1, "unknown: a bad request, or a fault of Meta's", FEW, Reason::MetaUnknown),
    row(2, "overloaded or down", BACKOFF, Reason::ServiceUnavailable),
    row(131_000, "something went wrong", BACKOFF, Reason::MetaUnknown),
    row(131_016, "service unavailable", BACKOFF, Reason::ServiceUnavailable),
    row(133_004, "server unavailable", BACKOFF, Reason::ServiceUnavailable),
    row(134_101, "marketing template is still synchronised", SYNC, Reason::TemplateSyncing),
    row(131_053, "media could not be fetched or taken", FEW, Reason::Media),
    row(131_014, "media link could not be fetched", FEW, Reason::Media),
    // The recipient.
    row(131_026, "undeliverable: not on WhatsApp, or cannot receive this", FAIL, Reason::NotOnWhatsapp),
    row(131_047, "over 24 hours since the recipient's message", FAIL, Reason::WindowClosed),
    row(131_049, "marketing limit of the recipient", FAIL, Reason::MarketingLimit).holds(MARKETING_DAY),
    row(131_050, "recipient stopped our marketing", SUPPRESS, Reason::OptedOut).holds(OPTED_OUT),
    row(130_403, "we blocked the recipient", SUPPRESS, Reason::RecipientBlocked).holds(BLOCKED),
    row(130_472, "recipient is in an experiment of Meta's", FAIL, Reason::Experiment),
    row(131_021, "recipient is the sender", FAIL, Reason::SameAsSender),
    row(131_030, "recipient is not on the test number's list", FAIL, Reason::RecipientNotAllowed),
    row(131_062, "user id not supported for this message", FAIL, Reason::RecipientUnsupported),
    row(137_000, "recipient's identity has changed", FAIL, Reason::IdentityChanged),
    // The request and the template.
    row(100, "number is missing, or not ours", WAIT, Reason::NumberGone).subcode(33).holds(NUMBER),
    row(100, "bad parameter", FAIL, Reason::InvalidParameter),
    row(131_008, "parameter missing", FAIL, Reason::InvalidParameter),
    // A new template reaches this path only after at most 10 minutes, and until then looks like a bad parameter.
    row(131_009, "parameter invalid, or template still synchronised", SYNC, Reason::TemplateSyncing)
        .on(Path::MarketingMessages),
    row(131_009, "parameter invalid", FAIL, Reason::InvalidParameter),
    row(131_051, "type of message not supported", FAIL, Reason::UnsupportedType),
    row(131_055, "not a marketing template", FAIL, Reason::NotMarketing),
    row(134_100, "not a marketing template", FAIL, Reason::NotMarketing),
    row(131_063, "marketing is off on this path", WAIT, Reason::MarketingDisabled).holds(MARKETING),
    row(134_102, "template unavailable for marketing messages", WAIT, Reason::TemplateMissing).holds(TEMPLATE_HOUR),
    row(132_000, "number of parameters differs from the template's", FAIL, Reason::TemplateMismatch),
    row(132_005, "text too long with its parameters", FAIL, Reason::TemplateMismatch),
    row(132_008, "parameter has a bad value", FAIL, Reason::TemplateMismatch),
    row(132_012, "parameter has a bad format", FAIL, Reason::TemplateMismatch),
    row(132_018, "parameters do not validate", FAIL, Reason::TemplateMismatch),
    row(132_001, "no such template in this language", FAIL, Reason::TemplateMissing),
    row(132_007, "template breaks a policy", WAIT, Reason::TemplatePolicy).holds(TEMPLATE),
    row(132_015, "template paused", WAIT, Reason::TemplatePaused).holds(TEMPLATE),
    row(132_016, "template disabled for good", FAIL, Reason::TemplateDisabled).holds(TEMPLATE_GONE),
    row(132_068, "flow blocked", WAIT, Reason::FlowBlocked).holds(TEMPLATE),
    // As an answer; in a webhook the same code means a drop by portfolio pacing (page updated 2026-05-21).
    row(135_000, "bad request", FAIL, Reason::InvalidParameter),
    // The number.
    row(33, "number deleted", WAIT, Reason::NumberGone).holds(NUMBER),
    row(803, "number not found", WAIT, Reason::NumberGone).holds(NUMBER),
    row(131_045, "registration or certificate of the number", WAIT, Reason::NumberUnregistered).holds(NUMBER),
    row(133_010, "number not registered", WAIT, Reason::NumberUnregistered).holds(NUMBER),
    row(131_037, "display name not approved", WAIT, Reason::DisplayName).holds(NUMBER),
    // Not on the path of a send to one person.
    row(131_020, "group with a single member", FAIL, Reason::GroupUnsupported),
    row(131_041, "unknown group", FAIL, Reason::GroupUnsupported),
    elsewhere(131_044, "calls"),
    elsewhere(131_052, "inbound media"),
    elsewhere(131_059, "calls"),
    elsewhere(131_060, "inbound message unavailable"),
    elsewhere(131_200, "groups").to(131_299),
    elsewhere(133_000, "registration"),
    elsewhere(133_005, "two-step PIN"),
    elsewhere(133_006, "registration"),
    elsewhere(133_008, "two-step PIN").to(133_009),
    elsewhere(133_015, "registration").to(133_016),
    elsewhere(138_000, "calls").to(138_999),
    elsewhere(139_000, "block list, flows").to(139_999),
    elsewhere(147_000, "usernames").to(147_099),
    elsewhere(200_005, "template insights").to(200_007),
    elsewhere(1_752_041, "onboarding"),
    elsewhere(2_388_000, "template and account administration").to(2_388_999),
    elsewhere(2_494_100, "migration").to(2_494_199),
    elsewhere(2_593_000, "onboarding").to(2_593_999),
];

/// What the table says of an answer; none for a code that it does not have.
pub fn lookup(path: Path, code: u32, subcode: Option<u32>) -> Option<&'static CodeRow> {
    TABLE.iter().find(|row| row.covers(path, code, subcode))
}

/// What to do about a code that the table does not have: a fault of Meta's by its own word is tried a few times,
/// anything else ends.
pub fn unlisted(http: u16, transient: bool) -> CodeFate {
    if transient || (500..600).contains(&http) { FEW } else { FAIL }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::*;

    /// The classes of the error page, independent of the table's own words.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Class {
        /// The job waits, uncharged, under a hold of this.
        Holds(Covers),
        /// The job ends as failed, and nothing else.
        Fails,
        /// The job ends, and others that meet this cover wait or end.
        EndsAndHolds(State, Covers, Effect),
        /// The job goes again with backoff, charged.
        Backs,
        /// The same, a few times only.
        Few,
        /// The same, ten minutes later.
        Later,
        /// The job goes again soon, uncharged.
        Throttled,
    }

    fn class(row: &CodeRow) -> Class {
        match (row.fate, row.hold) {
            (CodeFate::WaitForHold, Some(hold)) => {
                assert_eq!(hold.effect, Effect::Wait, "{row:?}");
                assert_ne!(hold.lasts, Lasts::UntilLifted, "nobody would reopen {row:?}");
                Holds(hold.covers)
            }
            (CodeFate::WaitForHold, None) => panic!("waits for nothing: {row:?}"),
            (CodeFate::End(State::Failed), None) => Fails,
            (CodeFate::End(state), hold) => {
                let hold = hold.expect("what is suppressed is held");
                EndsAndHolds(state, hold.covers, hold.effect)
            }
            (CodeFate::Retry { .. }, Some(_)) => panic!("goes again against its hold: {row:?}"),
            (CodeFate::Retry { after: After::Pair, charged: false, few: None }, None) => Throttled,
            (CodeFate::Retry { after: After::About(_), charged: false, few: None }, None) => Throttled,
            (CodeFate::Retry { after: After::About(wait), charged: true, few: Some(_) }, None) => {
                assert_eq!(wait, minutes(10));
                Later
            }
            (CodeFate::Retry { after: After::Backoff, charged: true, few: None }, None) => Backs,
            (CodeFate::Retry { after: After::Backoff, charged: true, few: Some(_) }, None) => Few,
            (fate @ CodeFate::Retry { .. }, None) => panic!("{fate:?}"),
        }
    }

    /// Every code of the error page, with what should become of it.
    const EXPECTED: &[(Class, &[u32])] = &[
        (Holds(Covers::Credential), &[0, 190, 104, 3, 4, 17]),
        (Holds(Covers::Waba), &[10, 200, 299, 131_005, 368, 131_031, 131_042, 134_011, 80_007, 80_008, 131_064]),
        (Holds(Covers::Number), &[33, 803, 131_045, 133_010, 131_037, 131_048, 131_057]),
        (Holds(Covers::Template), &[132_007, 132_015, 132_068, 132_069, 134_102]),
        (Holds(Covers::WabaMarketing), &[131_063]),
        (EndsAndHolds(State::Failed, Covers::WabaCountry, Effect::End), &[130_497]),
        (EndsAndHolds(State::Failed, Covers::Template, Effect::End), &[132_016]),
        (EndsAndHolds(State::Failed, Covers::RecipientMarketing, Effect::Wait), &[131_049]),
        (EndsAndHolds(State::Suppressed, Covers::RecipientMarketing, Effect::End), &[131_050]),
        (EndsAndHolds(State::Suppressed, Covers::Recipient, Effect::End), &[130_403]),
        (Throttled, &[130_429, 131_056]),
        (Backs, &[2, 131_000, 131_016, 133_004]),
        (Few, &[1, 131_053, 131_014]),
        (Later, &[134_101]),
        (Fails, &[131_026, 131_047, 130_472, 131_021, 131_030, 131_062, 137_000]),
        (Fails, &[100, 131_008, 131_009, 131_051, 131_055, 134_100, 135_000]),
        (Fails, &[132_000, 132_001, 132_005, 132_008, 132_012, 132_018]),
        (Fails, &[133_000, 133_005, 133_006, 133_008, 133_009, 133_015, 133_016, 131_052, 131_060, 131_020, 131_041]),
        (Fails, &[131_044, 131_059, 131_200, 131_299, 138_000, 139_999, 147_000, 2_388_019, 2_494_100, 2_593_000]),
        (Fails, &[200_005, 200_006, 200_007, 1_752_041]),
    ];

    #[test]
    fn every_code_of_the_page_does_what_the_page_says() {
        for (expected, codes) in EXPECTED {
            for code in *codes {
                let row = lookup(Path::Messages, *code, None).unwrap_or_else(|| panic!("{code} is missing"));
                assert_eq!(class(row), *expected, "{code}: {}", row.meaning);
            }
        }
    }

    #[test]
    fn every_row_is_reached_by_a_code_of_the_page() {
        let expected: Vec<u32> = EXPECTED.iter().flat_map(|(_, codes)| *codes).copied().collect();
        for row in TABLE {
            assert!(expected.iter().any(|code| (row.first..=row.last).contains(code)), "{row:?}");
            assert!(row.first <= row.last, "{row:?}");
            let found = lookup(row.path.unwrap_or(Path::Messages), row.first, row.subcode);
            assert_eq!(found, Some(row), "an earlier row hides this one");
        }
    }

    #[test]
    fn a_subcode_and_a_path_may_change_the_answer() {
        let missing = lookup(Path::Messages, 100, Some(33)).expect("listed");
        assert_eq!((class(missing), missing.reason), (Holds(Covers::Number), Reason::NumberGone));
        assert_eq!(class(lookup(Path::Messages, 100, Some(2_018_001)).expect("listed")), Fails);
        assert_eq!(class(lookup(Path::Messages, 190, Some(463)).expect("listed")), Holds(Covers::Credential));
        assert_eq!(class(lookup(Path::MarketingMessages, 131_009, None).expect("listed")), Later);
    }

    #[test]
    fn a_code_without_a_row_is_tried_again_only_if_meta_may_be_at_fault() {
        for code in [999, 131_999, 4_000_000_000] {
            assert_eq!(lookup(Path::Messages, code, None), None);
        }
        let cases = [(500, false, FEW), (599, false, FEW), (400, true, FEW), (400, false, FAIL), (200, false, FAIL)];
        for (http, transient, expected) in cases {
            assert_eq!(unlisted(http, transient), expected, "{http} {transient}");
        }
    }

    #[test]
    fn a_dead_credential_costs_one_probe_a_minute() {
        for code in [0, 190, 104] {
            let hold = lookup(Path::Messages, code, None).and_then(|row| row.hold).expect("held");
            assert_eq!(hold.lasts, Lasts::Probed(MINUTE));
        }
    }
}
