//! Amounts of money: exact decimals, in millionths of a currency's unit.

use std::fmt;
use std::ops::{AddAssign, Mul};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How many digits stand after the point.
const DIGITS: usize = 6;
const UNIT: i128 = 1_000_000;

/// An amount of some currency. A million million messages at the highest price that can be written fit in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Amount(i128);

/// A currency by its three letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Currency(String);

impl FromStr for Amount {
    type Err = ();

    /// Digits, a point, at most six more.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole, 12) || !is_number(part, DIGITS) {
            return Err(());
        }
        let whole: i128 = whole.parse().map_err(|_| ())?;
        let part: i128 = format!("{part:0<DIGITS$}").parse().map_err(|_| ())?;
        Ok(Self(whole * UNIT + part))
    }
}

impl Mul<u64> for Amount {
    type Output = Self;
    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// With two digits after the point, and as many more as it takes.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:0DIGITS$}", self.0 % UNIT);
        let kept = part.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / UNIT, &part[..kept])
    }
}

/// As a text: a JSON number would be read as a float.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Currency {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_code { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect("an amount")
    }

    #[test]
    fn an_amount_is_written_as_it_was_read() {
        for (written, shown) in
            [("0", "0.00"), ("0.05", "0.05"), ("0.0535", "0.0535"), ("12", "12.00"), ("0.000001", "0.000001")]
        {
            assert_eq!(amount(written).to_string(), shown);
        }
        for wrong in ["", ".5", "5.", "-1", "1,5", "1e3", "0.0000001", "1 ", "+1", "1.2.3", "1234567890123"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn many_small_prices_come_to_an_exact_sum() {
        let mut sum = Amount::default();
        for _ in 0..1_000 {
            sum += amount("0.0001") * 10_001;
        }
        assert_eq!(sum.to_string(), "1000.10");
        assert_eq!((amount("999999999999.999999") * 1_000_000_000_000).to_string(), "999999999999999999000000.00");
    }

    #[test]
    fn a_currency_has_three_letters() {
        assert!("EUR".parse::<Currency>().is_ok());
        for wrong in ["", "eur", "EURO", "E1R", "€"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }
}
