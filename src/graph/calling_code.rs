//! Which country a phone number is of, as far as a hold on a country must know.
//!
//! Where countries share a calling code, the answer is longer than the code, so that a hold on one of them never
//! stops another: +1 with its area code, +7 with one more digit. At worst a large country is held piece by piece.

/// The calling codes of two digits; every other is +1, +7, or has three (ITU-T E.164, list of 2016-12-15 with its
/// amendments, <https://www.itu.int/pub/T-SP-E.164D>).
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51",
    "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90",
    "91", "92", "93", "94", "95", "98",
];

/// The digits by which a number's country begins; none if this is no phone number with `+`.
pub fn of(phone: &str) -> Option<&str> {
    let digits = phone.strip_prefix('+').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let length = match digits.as_bytes().first()? {
        b'1' => 4,
        b'7' => 2,
        _ if TWO_DIGITS.contains(&digits.get(..2)?) => 2,
        _ => 3,
    };
    digits.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_its_country() {
        let cases = [
            ("+447700900123", Some("44")),
            ("+4915123456789", Some("49")),
            ("+358401234567", Some("358")),
            ("+5511987654321", Some("55")),
            ("+50212345678", Some("502")),
            ("+971501234567", Some("971")),
            ("+12125550123", Some("1212")),
            ("+18765550123", Some("1876")),
            ("+79161234567", Some("79")),
            ("+77011234567", Some("77")),
            ("447700900123", None),
            ("US.13491208655302741918", None),
            ("+4", None),
            ("", None),
        ];
        for (phone, expected) in cases {
            assert_eq!(of(phone), expected, "{phone}");
        }
    }

    #[test]
    fn no_code_begins_with_another() {
        for code in TWO_DIGITS {
            assert!(!matches!(code.as_bytes()[0], b'1' | b'7'), "{code}");
            assert_eq!(of(&format!("+{code}123456789")), Some(code));
        }
    }
}
