//! Meta's error codes with their HTTP status and title.
//!
//! Codes and titles: <https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes>,
//! read 2026-09-11. That page prints no HTTP status any more: ours come from an older copy of Meta's
//! table that had the column (agrees with docs.360dialog.com, read 2026-11-20); where none was ever
//! published we answer 400. Meta tells clients to branch on `code` and `details`, not on the status.

/// One row of Meta's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRow {
    /// `error.code`.
    pub code: u32,
    /// The HTTP status it comes with.
    pub http: u16,
    /// `error.error_subcode`, where a sample shows one.
    pub subcode: Option<u32>,
    /// The title, which is also what `error.message` says.
    pub title: &'static str,
}

const fn row(code: u32, http: u16, title: &'static str) -> ErrorRow {
    ErrorRow { code, http, subcode: None, title }
}

const fn sub(code: u32, http: u16, subcode: u32, title: &'static str) -> ErrorRow {
    ErrorRow { code, http, subcode: Some(subcode), title }
}

/// Every code that the send endpoint and the reads around it may answer, ascending.
pub const ERRORS: &[ErrorRow] = &[
    row(0, 401, "We were unable to authenticate the app user"),
    row(1, 400, "Invalid request or possible server error"),
    row(2, 503, "Service temporarily unavailable"),
    row(3, 500, "Application does not have the capability to make this API call"),
    sub(4, 400, 2_446_079, "Application request limit reached"),
    row(10, 403, "Application does not have permission for this action"),
    row(17, 400, "User request limit reached"),
    row(33, 400, "The business phone number has been deleted"),
    row(100, 400, "Invalid parameter"),
    row(104, 401, "An access token is required to request this resource"),
    row(190, 401, "Invalid OAuth access token - Cannot parse access token"),
    row(200, 403, "Permissions error"),
    row(368, 403, "Temporarily blocked for policies violations"),
    row(803, 404, "Some of the aliases you requested do not exist"),
    row(2500, 400, "Unknown path components"),
    row(80007, 400, "Rate limit issues"),
    row(80008, 400, "There have been too many calls to this WhatsApp Business account"),
    row(130_403, 400, "Message not sent: the business has blocked this user"),
    sub(130_429, 400, 2_494_055, "Rate limit hit"),
    row(130_472, 400, "User's number is part of an experiment"),
    row(130_497, 403, "Business account is restricted from messaging users in this country"),
    row(131_000, 500, "Something went wrong"),
    row(131_005, 403, "Access denied"),
    row(131_008, 400, "Required parameter is missing"),
    row(131_009, 400, "Parameter value is not valid"),
    row(131_016, 500, "Service unavailable"),
    row(131_021, 400, "Recipient cannot be sender"),
    row(131_026, 400, "Message undeliverable"),
    row(131_030, 400, "Recipient phone number not in allowed list"),
    row(131_031, 403, "Account has been locked"),
    row(131_037, 400, "Display name of the phone number needs approval before messages can be sent"),
    row(131_042, 400, "Business eligibility payment issue"),
    row(131_045, 500, "Incorrect certificate"),
    row(131_047, 400, "Re-engagement message"),
    row(131_048, 400, "Spam rate limit hit"),
    row(131_049, 400, "Meta chose not to deliver"),
    row(131_050, 400, "User has stopped marketing messages from this business"),
    row(131_051, 400, "Unsupported message type"),
    row(131_052, 400, "Media download error"),
    row(131_053, 400, "Media upload error"),
    row(131_055, 400, "Method not allowed"),
    row(131_056, 400, "(Business Account, Consumer Account) pair rate limit hit"),
    row(131_057, 500, "Account in maintenance mode"),
    row(131_060, 400, "This message is unavailable"),
    row(131_062, 400, "Business-scoped user ids are not supported for this message"),
    row(131_063, 400, "Marketing messages are disabled on Cloud API for this account"),
    row(131_064, 400, "Message limited because of template misclassification"),
    row(132_000, 400, "Number of parameters does not match the expected number of params"),
    row(132_001, 404, "Template name does not exist in the translation"),
    row(132_005, 400, "Translated text too long"),
    row(132_007, 400, "Template format character policy violated"),
    row(132_008, 400, "Parameter value is not valid for this template"),
    row(132_012, 400, "Parameter format does not match format in the created template"),
    row(132_015, 400, "Template is paused"),
    row(132_016, 400, "Template is disabled"),
    row(132_018, 400, "Template validation failed"),
    row(132_068, 400, "Flow is blocked"),
    row(132_069, 400, "Flow is throttled"),
    row(133_000, 500, "Incomplete deregistration"),
    row(133_004, 503, "Server temporarily unavailable"),
    row(133_005, 400, "Two step verification PIN mismatch"),
    row(133_006, 400, "Phone number re-verification needed"),
    row(133_008, 400, "Too many two step verification PIN guesses"),
    row(133_009, 400, "Two step verification PIN guessed too fast"),
    row(133_010, 400, "Phone number not registered"),
    row(133_015, 400, "Please wait a few minutes before attempting to register this phone number"),
    row(133_016, 400, "Registration or deregistration failed because of too many attempts"),
    row(134_011, 400, "Terms of service for payments have not been accepted"),
    row(134_100, 400, "Only marketing messages supported"),
    row(134_101, 400, "Template is still syncing"),
    row(134_102, 500, "Template is unavailable for use"),
    row(135_000, 400, "Generic user error"),
    row(137_000, 400, "Recipient identity key hash mismatch"),
];

/// The row of `code`, if Meta has one for it.
pub fn find(code: u32) -> Option<&'static ErrorRow> {
    ERRORS.binary_search_by_key(&code, |row| row.code).ok().map(|index| &ERRORS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number() {
        assert!(ERRORS.is_sorted_by(|a, b| a.code < b.code));
        for row in ERRORS {
            assert_eq!(find(row.code), Some(row));
        }
        assert_eq!(find(99), None);
    }
}
