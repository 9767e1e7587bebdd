//! What a simulated number is: its identity, its state and its throughput, as configured and as Meta would show it.

use super::key_values::{self, SpecError};
use super::limits::{COEXISTENCE_MPS, HIGH_MPS, STANDARD_MPS};
use super::number_state::{NumberStatus, Quality, ThroughputLevel};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// One sending phone number. As text: `id=1001,quality=GREEN,mps=80,display=+15550001001`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSpec {
    /// Meta's `phone_number_id`.
    pub id: String,
    /// The number people see; empty: made from the id.
    #[serde(default)]
    pub display: String,
    /// Its quality rating.
    #[serde(default)]
    pub quality: Quality,
    /// Its status; some of them refuse every message.
    #[serde(default)]
    pub status: NumberStatus,
    /// Its throughput level.
    #[serde(default)]
    pub level: ThroughputLevel,
    /// Messages a second, instead of what the level says.
    #[serde(default)]
    pub mps: Option<u32>,
    /// Also on the WhatsApp Business app: 20 messages a second, whatever the level.
    #[serde(default)]
    pub coexistence: bool,
    /// The account it belongs to.
    #[serde(default = "default_waba")]
    pub waba: String,
    /// The only token that may use it, besides those that may use everything.
    #[serde(default)]
    pub token: Option<Token>,
}

/// Account of numbers that name none.
pub(crate) const DEFAULT_WABA: &str = "2001";

fn default_waba() -> String {
    DEFAULT_WABA.to_owned()
}

/// An access token. It is only a simulated one, but people paste real ones by mistake: it is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const KEYS: &[&str] = &["id", "display", "quality", "status", "level", "mps", "coexistence", "waba", "token"];

impl NumberSpec {
    /// A healthy number at level STANDARD.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            display: String::new(),
            quality: Quality::Green,
            status: NumberStatus::Connected,
            level: ThroughputLevel::Standard,
            mps: None,
            coexistence: false,
            waba: default_waba(),
            token: None,
        }
    }

    /// The same number with a throughput of its own.
    #[must_use]
    pub fn with_mps(self, mps: u32) -> Self {
        Self { mps: Some(mps), ..self }
    }

    /// Messages that the number may send in any sliding second.
    pub fn messages_per_second(&self) -> u32 {
        match (self.mps, self.coexistence, self.level) {
            (Some(mps), _, _) => mps,
            (None, true, _) => COEXISTENCE_MPS,
            (None, false, ThroughputLevel::High) => HIGH_MPS,
            (None, false, ThroughputLevel::Standard | ThroughputLevel::NotApplicable) => STANDARD_MPS,
        }
    }

    /// The number as people see it.
    pub fn display_number(&self) -> String {
        if self.display.is_empty() {
            let digits: String = self.id.chars().filter(char::is_ascii_digit).collect();
            let tail = &digits[digits.len().saturating_sub(7)..];
            format!("+1555{tail:0>7}")
        } else {
            self.display.clone()
        }
    }
}

impl FromStr for NumberSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::new("");
        for (key, value) in key_values::pairs(text) {
            match key {
                "id" => value.clone_into(&mut spec.id),
                "display" => value.clone_into(&mut spec.display),
                "quality" => spec.quality = Quality::read(key, value)?,
                "status" => spec.status = NumberStatus::read(key, value)?,
                "level" => spec.level = ThroughputLevel::read(key, value)?,
                "mps" => {
                    spec.mps = Some(key_values::parse(key, value, "a whole number of messages a second, 0 or more")?);
                }
                "coexistence" => spec.coexistence = key_values::flag(key, value)?,
                "waba" => value.clone_into(&mut spec.waba),
                "token" => spec.token = Some(Token(value.to_owned())),
                _ => return Err(SpecError::unknown_key(key, KEYS)),
            }
        }
        spec.check()?;
        Ok(spec)
    }
}

impl NumberSpec {
    /// Refuses an id that could not stand in a path.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let fits = |id: &str| {
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let allowed = "1 to 64 letters, digits, `-` or `_`";
        if !fits(&self.id) {
            return Err(SpecError::bad_value("id", &self.id, allowed));
        }
        if !fits(&self.waba) {
            return Err(SpecError::bad_value("waba", &self.waba, allowed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::number_state::NumberChange;
    use super::*;

    #[test]
    fn a_number_is_read_from_a_command_line() {
        let spec: NumberSpec = "id=1001,quality=yellow,mps=40,display=+15550001001".parse().unwrap();
        assert_eq!((spec.id.as_str(), spec.quality, spec.messages_per_second()), ("1001", Quality::Yellow, 40));
        assert_eq!(spec.display_number(), "+15550001001");
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        for (text, says) in [
            ("id=1,quality=PINK", "quality: `PINK` is not allowed; allowed is GREEN, YELLOW, RED, NA, UNKNOWN"),
            ("id=1,mps=fast", "mps: `fast` is not allowed; allowed is a whole number"),
            ("id=1,qualty=GREEN", "qualty: no such key; allowed are id, display, quality"),
            ("quality=GREEN", "id: `` is not allowed; allowed is 1 to 64"),
            ("id=1/2", "id: `1/2` is not allowed"),
        ] {
            let error = text.parse::<NumberSpec>().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_level_gives_the_throughput_unless_one_is_configured() {
        for (text, mps) in [
            ("id=1", 80),
            ("id=1,level=HIGH", 1_000),
            ("id=1,level=HIGH,coexistence", 20),
            ("id=1,level=HIGH,mps=5", 5),
        ] {
            assert_eq!(text.parse::<NumberSpec>().unwrap().messages_per_second(), mps, "{text}");
        }
    }

    #[test]
    fn a_new_level_ends_a_configured_throughput() {
        let mut spec = NumberSpec::new("1").with_mps(5);
        NumberChange { level: Some(ThroughputLevel::High), ..NumberChange::default() }.apply(&mut spec);
        assert_eq!(spec.messages_per_second(), 1_000);
    }

    #[test]
    fn a_token_is_not_printed() {
        let spec: NumberSpec = "id=1,token=hunter2".parse().unwrap();
        assert!(!format!("{spec:?}").contains("hunter2"));
    }
}
