//! One reading of an account, or of a number whose account nobody knows, and what the ledger keeps of it.

use crate::clock::Timestamp;
use crate::config::AuthHeader;
use crate::graph::Usage;
use crate::graph::reads::{PhoneNumber, ReadError, Reads};
use crate::job::NumberId;
use crate::ledger::{FieldsNews, FleetRow, Ledger, LedgerError, MessagingLimit, NUMBER, News, PORTFOLIO};

use super::accounts::{Account, Token};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The account; empty if unknown.
    pub waba: String,
    /// Its portfolio and its name; none: Meta does not say.
    pub owner: Option<(String, String)>,
    /// Numbers, with their fields.
    pub numbers: Vec<PhoneNumber>,
    /// How much of the quota of calls is used.
    pub usage: Usage,
}

impl Survey {
    /// Reads an account: two calls, however many numbers it has (and one more for each hundred).
    pub async fn account(reads: &Reads, header: &AuthHeader, account: &Account) -> Result<Self, ReadError> {
        let credential = account.token.header(header);
        let (numbers, usage) = reads.phone_numbers(&account.waba, &credential).await?;
        let owner = match &account.portfolio {
            Some(portfolio) => Some((portfolio.clone(), String::new())),
            None => match reads.account(&account.waba, &credential).await {
                Ok(read) => read.owner_business_info.map(|owner| (owner.id, read.name.unwrap_or_default())),
                Err(error) => {
                    // A token that may send need not be let see this.
                    tracing::debug!(waba = account.waba, %error, "who owns account {} cannot be read: {error}", account.waba);
                    None
                }
            },
        };
        Ok(Self { waba: account.waba.clone(), owner, numbers, usage })
    }

    /// Reads one number. `waba` is its account; empty if unknown.
    pub async fn number(
        reads: &Reads,
        header: &AuthHeader,
        (id, token): (&NumberId, &Token),
        waba: &str,
    ) -> Result<Self, ReadError> {
        let (number, usage) = reads.phone_number(id, &token.header(header)).await?;
        Ok(Self { waba: waba.to_owned(), owner: None, numbers: vec![number], usage })
    }

    /// Keeps it. `portfolio` is what is known of the owner where this reading does not say.
    pub async fn keep(&self, ledger: &Ledger, portfolio: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
        // First the limit: a number that is known without it would send uncounted.
        self.keep_limit(ledger, portfolio, now).await?;
        let mut rows: Vec<FleetRow> = self.numbers.iter().map(|number| self.row(number, now)).collect();
        if let Some((portfolio, name)) = &self.owner {
            rows.push(FleetRow::account(&self.waba, portfolio, name, now));
        }
        if rows.is_empty() { Ok(()) } else { ledger.fleet_put(rows).await }
    }

    async fn keep_limit(&self, ledger: &Ledger, portfolio: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
        let portfolio = self.owner.as_ref().map(|(portfolio, _)| portfolio.as_str()).or(portfolio).unwrap_or_default();
        let Some(limit) = self.limit() else { return Ok(()) };
        let (field, value) = limit.field();
        let fields = FieldsNews {
            kind: PORTFOLIO.to_owned(),
            id: portfolio.to_owned(),
            parent: String::new(),
            fields: [(field.to_owned(), value)].into_iter().collect(),
            at: now,
        };
        // Laid over what else is known of it; what is known already changes nothing.
        ledger.apply(News { fields: vec![fields], ..News::default() }, now).await?;
        Ok(())
    }

    fn row(&self, number: &PhoneNumber, now: Timestamp) -> FleetRow {
        FleetRow {
            kind: NUMBER.to_owned(),
            id: number.id.clone(),
            parent: self.waba.clone(),
            fields: serde_json::to_string(number).expect("fields are texts and flags"),
            read_at: now,
        }
    }

    /// The portfolio's limit. Its numbers all say the same; should they not, the lowest is the safe one.
    fn limit(&self) -> Option<MessagingLimit> {
        let said = self.numbers.iter().filter_map(|number| number.whatsapp_business_manager_messaging_limit.as_deref());
        let limits = said.filter_map(|said| MessagingLimit::read(&said.into()));
        limits.min_by_key(|limit| limit.count().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::ledger::sqlite::{Access, Migrate, SqliteLedger};

    #[tokio::test]
    async fn no_number_is_known_before_its_limit() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("ledger.sqlite");
        let ledger =
            Ledger::Sqlite(SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("the ledger opens"));
        let fields = serde_json::json!({"id": "1001", "whatsapp_business_manager_messaging_limit": "TIER_2K"});
        let survey = Survey {
            waba: "102".to_owned(),
            owner: Some(("55".to_owned(), String::new())),
            numbers: vec![serde_json::from_value(fields).expect("a number")],
            usage: Usage::default(),
        };
        let beside = rusqlite::Connection::open(&path).expect("opens");
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON fleet WHEN NEW.kind = 'portfolio'
            BEGIN SELECT RAISE(ABORT, 'the limit is refused'); END";
        beside.execute_batch(refuse).expect("the trigger is set");
        let now = crate::clock::now().wall;
        survey.keep(&ledger, None, now).await.expect_err("the limit is refused");
        assert_eq!(ledger.fleet_list(NUMBER.to_owned()).await.expect("rows"), []);
        beside.execute_batch("DROP TRIGGER refuse").expect("the trigger is gone");
        survey.keep(&ledger, None, now).await.expect("kept");
        assert_eq!(ledger.fleet_list(NUMBER.to_owned()).await.expect("rows").len(), 1);
        let limit = ledger.fleet_get(PORTFOLIO.to_owned(), "55".to_owned()).await.expect("read").expect("known");
        assert_eq!(MessagingLimit::of_fields(&limit.fields), Some(MessagingLimit::Of(2_000)));
    }
}
