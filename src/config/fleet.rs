//! Which numbers send, in which pools, and how fast.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::form;
use super::reader::{Reader, Told};
use super::{Pace, SecretSource};

/// One of `[[numbers]]`.
#[derive(Clone, Debug)]
pub struct NumberConfig {
    /// Meta's `phone_number_id`.
    pub id: String,
    /// The number as people know it.
    pub display: Option<DisplayNumber>,
    /// Instead of what Meta's fields say.
    pub rate: Option<Pace>,
    /// The business account it is of, if not `cloud_api.waba`.
    pub waba: Option<String>,
    /// A credential of its own, if not `cloud_api.access_token`.
    pub token: Option<SecretSource>,
}

/// A phone number with its digits counted, as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayNumber(String);

/// One of `[[accounts]]`.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// The business account.
    pub waba: String,
    /// The portfolio that owns it, for tokens that may not ask Meta for it.
    pub portfolio: Option<String>,
    /// The credential of its numbers, if not `cloud_api.access_token`.
    pub token: Option<SecretSource>,
}

/// One of `[[pools]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// The lanes' name.
    pub name: String,
    /// Ids or display numbers, as they were written.
    pub numbers: Vec<String>,
}

/// Group `fleet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetConfig {
    /// What to do with numbers that Meta lists and `[[numbers]]` does not.
    pub discover: Discover,
    /// How often numbers' fields are read from Meta.
    pub refresh: Duration,
    /// How often templates are, beside those times when a webhook or a job gives a reason to.
    pub templates: Duration,
}

/// Which of the numbers that are found may send, where none is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discover {
    /// The one there is; more than one is an error that lists them.
    Sole,
    /// Every one of the business accounts.
    All,
    /// None: only `[[numbers]]` send.
    Off,
}

impl DisplayNumber {
    /// 8 to 15 digits; `+`, spaces, hyphens, dots and parentheses may stand between.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = Self(text.trim().to_owned());
        let separators = |letter: char| letter.is_ascii_digit() || "+ -.()".contains(letter);
        let fits = number.0.chars().all(separators) && (8..=15).contains(&number.digits().len());
        fits.then_some(number).ok_or_else(|| "a phone number has 8 to 15 digits, as in \"+1 555 010 0000\"".to_owned())
    }

    /// As it was written.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// Its digits only, to compare by.
    pub fn digits(&self) -> String {
        self.0.chars().filter(char::is_ascii_digit).collect()
    }
}

impl FleetConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let words = [("sole", Discover::Sole), ("all", Discover::All), ("off", Discover::Off)];
        let discover = reader.word("fleet.discover", &words);
        let refresh = reader.span("fleet.refresh", Duration::from_secs(1)..=Duration::from_secs(86_400));
        let templates = reader.span("fleet.templates", Duration::from_secs(1)..=Duration::from_secs(7 * 86_400));
        Ok(Self { discover: discover?, refresh: refresh?, templates: templates? })
    }
}

impl NumberConfig {
    pub(super) fn read_all(reader: &mut Reader) -> Result<Vec<Self>, Told> {
        let count = reader.tables("numbers")?;
        let numbers: Vec<_> = (0..count).map(|index| Self::read(reader, index)).collect();
        let numbers = numbers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut ids = BTreeSet::new();
        let mut displays = BTreeSet::new();
        for (index, number) in numbers.iter().enumerate() {
            if !ids.insert(number.id.as_str()) {
                reader.tell(&format!("numbers[{index}].id"), "each number is listed once");
            }
            if number.display.as_ref().is_some_and(|display| !displays.insert(display.digits())) {
                reader.tell(&format!("numbers[{index}].display"), "each number is listed once");
            }
        }
        Ok(numbers)
    }

    fn read(reader: &mut Reader, index: usize) -> Result<Self, Told> {
        let key = |name: &str| format!("numbers[{index}].{name}");
        let id = reader.read(&key("id"), form::meta_id);
        let display = reader.read_optional(&key("display"), DisplayNumber::parse);
        let rate = reader.read_optional(&key("rate"), form::parsed);
        let waba = reader.read_optional(&key("waba"), form::meta_id);
        let token = reader.secret(&key("token"), form::credential);
        Ok(Self { id: id?, display: display?, rate: rate?, waba: waba?, token: token? })
    }

    /// Whether a pool that lists this text means this number.
    pub fn is_named(&self, text: &str) -> bool {
        let display = || Some(DisplayNumber::parse(text).ok()?.digits());
        self.id == text || self.display.as_ref().is_some_and(|own| display().is_some_and(|it| it == own.digits()))
    }
}

impl AccountConfig {
    pub(super) fn read_all(reader: &mut Reader) -> Result<Vec<Self>, Told> {
        let count = reader.tables("accounts")?;
        let accounts: Vec<_> = (0..count).map(|index| Self::read(reader, index)).collect();
        let accounts = accounts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut wabas = BTreeSet::new();
        for (index, account) in accounts.iter().enumerate() {
            if !wabas.insert(account.waba.as_str()) {
                reader.tell(&format!("accounts[{index}].waba"), "each account is listed once");
            }
        }
        Ok(accounts)
    }

    fn read(reader: &mut Reader, index: usize) -> Result<Self, Told> {
        let key = |name: &str| format!("accounts[{index}].{name}");
        let waba = reader.read(&key("waba"), form::meta_id);
        let portfolio = reader.read_optional(&key("portfolio"), form::meta_id);
        let token = reader.secret(&key("token"), form::credential);
        Ok(Self { waba: waba?, portfolio: portfolio?, token: token? })
    }
}

impl PoolConfig {
    pub(super) fn read_all(reader: &mut Reader, numbers: &Result<Vec<NumberConfig>, Told>) -> Result<Vec<Self>, Told> {
        let count = reader.tables("pools")?;
        let pools: Vec<_> =
            (0..count).map(|index| Self::read(reader, index, numbers.as_deref().unwrap_or(&[]))).collect();
        let pools = pools.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        for (index, pool) in pools.iter().enumerate() {
            if !names.insert(pool.name.as_str()) {
                reader.tell(&format!("pools[{index}].name"), "each pool has a name of its own");
            }
        }
        Self::tell_of_shared(reader, &pools, numbers.as_deref().unwrap_or(&[]));
        Ok(pools)
    }

    /// A number has one pool.
    fn tell_of_shared(reader: &mut Reader, pools: &[Self], known: &[NumberConfig]) {
        let mut pool_of: BTreeMap<String, &str> = BTreeMap::new();
        for (index, pool) in pools.iter().enumerate() {
            for text in &pool.numbers {
                let digits = || text.chars().filter(char::is_ascii_digit).collect();
                let number = known.iter().find(|number| number.is_named(text)).map_or_else(digits, |it| it.id.clone());
                match pool_of.insert(number, &pool.name) {
                    Some(other) if other != pool.name => {
                        let message = format!("{text:?} is in pool {other} already: a number has one pool");
                        reader.tell(&format!("pools[{index}].numbers"), message);
                    }
                    Some(_) | None => {}
                }
            }
        }
    }

    fn read(reader: &mut Reader, index: usize, known: &[NumberConfig]) -> Result<Self, Told> {
        let name = reader.read(&format!("pools[{index}].name"), form::pool_name);
        let key = format!("pools[{index}].numbers");
        let numbers = reader.texts(&key)?;
        if numbers.is_empty() {
            reader.tell(&key, "a pool has at least one number");
        }
        for (at, text) in numbers.iter().enumerate() {
            if form::meta_id(text).is_err() && DisplayNumber::parse(text).is_err() {
                reader.tell(&key, format!("{text:?} is neither an id of Meta's nor a phone number"));
            } else if !known.is_empty() && !known.iter().any(|number| number.is_named(text)) {
                reader.tell(
                    &key,
                    format!(
                        "{text:?} is not among the numbers that may send: [[numbers]], PHONE_NUMBERS and \
                         WHATSAPP_PHONE_NUMBER_ID list all of them"
                    ),
                );
            }
            if numbers[..at].contains(text) {
                reader.tell(&key, format!("{text:?} is listed twice"));
            }
        }
        Ok(Self { name: name?, numbers })
    }
}
