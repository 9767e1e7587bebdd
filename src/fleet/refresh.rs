//! Tells a worker what was read of its numbers, whoever read it, and which secrets are new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_all;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::graph::reads::PhoneNumber;
use crate::job::{Catalogue, NumberId};
use crate::ledger::{FleetRow, INBOUND, Ledger, LedgerError, NUMBER, WABA};
use crate::worker::FleetChange;

use super::accounts::Token;
use super::members::{Acquainted, Member, limit_of_level};
use super::rhythm::oldest;
use super::roster::Roster;
use super::standing::standing;
use super::templates;

/// While a number was not heard of, what the ledger has is looked at so often: another process may have read it
/// without finding anything new.
const LOOK: Duration = Duration::from_secs(20);

/// Changes of templates are looked for no more often than this.
const TEMPLATES: Duration = Duration::from_secs(2);

/// Tells one worker of the fleet.
pub struct Refresher {
    config: Config,
    roster: Roster,
    ledger: Ledger,
    changes: mpsc::Sender<FleetChange>,
    readings: watch::Receiver<u64>,
}

/// What the worker was told.
#[derive(Default)]
struct Told {
    numbers: BTreeSet<NumberId>,
    accounts: BTreeMap<NumberId, (String, String)>,
    /// Who may not join.
    turned_away: BTreeSet<NumberId>,
    /// From when on rows count: what is older nobody goes on reading.
    since: Timestamp,
}

impl Told {
    fn have_joined(&mut self, members: &[Member]) {
        let whose = |member: &Member| (member.id.clone(), (member.waba.clone(), member.portfolio.clone()));
        self.accounts.extend(members.iter().map(whose));
    }
}

impl Refresher {
    /// Tells of these numbers, and of those that join them; looks at the ledger also when `readings` changes.
    pub fn new(
        config: &Config,
        roster: Roster,
        ledger: Ledger,
        changes: mpsc::Sender<FleetChange>,
        readings: watch::Receiver<u64>,
    ) -> Self {
        Self { config: config.clone(), roster, ledger, changes, readings }
    }

    /// Runs until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        // Side by side: a ledger that does not answer must hold up neither a new secret nor the stop.
        let work =
            async { tokio::join!(self.keep_hearing(), self.keep_hearing_of_templates(), self.keep_telling_tokens()) };
        stop.run_until_cancelled(work).await;
    }

    /// What a webhook said, or another worker read, counts here at once.
    async fn keep_hearing(&self) {
        let mut signals = self.ledger.signals();
        let mut readings = self.readings.clone();
        let mut told = Told { since: clock::now().wall - oldest(self.config.fleet.refresh), ..Told::default() };
        told.have_joined(&self.roster.members());
        loop {
            let heard = signals.borrow_and_update().fleet;
            readings.mark_unchanged();
            if let Err(error) = self.tell_all(&mut told).await {
                // The next reading, or the next signal, says the same.
                tracing::warn!(%error, "what changed in the fleet could not be read: {error}");
            }
            // One that comes back as it was gives no signal either.
            let has_strangers = self.roster.is_open() || told.numbers.len() < self.roster.members().len();
            let signal = async {
                if signals.wait_for(|signal| signal.fleet != heard).await.is_err() {
                    // The ledger has stopped: there will be no news.
                    std::future::pending::<()>().await;
                }
            };
            let reading = async {
                if readings.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = signal => {}
                () = reading, if has_strangers => {}
                () = tokio::time::sleep(LOOK), if has_strangers => {}
            }
        }
    }

    /// There may be thousands, and the fleet changes every second: they are not looked at for each change.
    async fn keep_hearing_of_templates(&self) {
        let mut signals = self.ledger.signals();
        let mut told: Arc<Catalogue> = Arc::default();
        loop {
            let heard = signals.borrow_and_update().fleet;
            match templates::catalogue(&self.ledger).await {
                Ok(catalogue) if catalogue == told => {}
                Ok(catalogue) => {
                    told = catalogue.clone();
                    self.tell(FleetChange::Templates(catalogue)).await;
                }
                Err(error) => tracing::warn!(%error, "what is known of templates could not be read: {error}"),
            }
            tokio::time::sleep(TEMPLATES).await;
            if signals.wait_for(|signal| signal.fleet != heard).await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn tell_all(&self, told: &mut Told) -> Result<(), LedgerError> {
        let list = async |kind: &str| self.ledger.fleet_list(kind.to_owned()).await;
        let (inbound, numbers, accounts) = (list(INBOUND).await?, list(NUMBER).await?, list(WABA).await?);
        let known = Acquainted::new(&self.config, &numbers, &accounts);
        self.welcome(&numbers, &known, told).await;
        for (id, per_second) in inbound.iter().filter_map(FleetRow::inbound_rate) {
            self.tell(FleetChange::Inbound { id, per_second }).await;
        }
        self.tell_accounts(&known, told).await;
        for member in self.roster.members().iter() {
            let row = numbers.iter().find(|row| row.id == member.id.as_str());
            let is_known = told.numbers.contains(&member.id);
            if let Some(row) = row.filter(|row| is_known || row.read_at >= told.since)
                && let Ok(fields) = serde_json::from_str::<PhoneNumber>(&row.fields)
            {
                told.numbers.insert(member.id.clone());
                self.tell_number(member, &fields).await;
            }
        }
        Ok(())
    }

    /// Who was found since joins, before anything else is told of them.
    async fn welcome(&self, numbers: &[FleetRow], known: &Acquainted, told: &mut Told) {
        let newcomers = self.roster.newcomers(numbers, known, &mut told.turned_away);
        if newcomers.is_empty() {
            return;
        }
        for Member { id, display: shown, pool, .. } in &newcomers {
            tracing::info!(number.id = %id, "number {shown} was found and joins pool {pool}");
        }
        told.have_joined(&newcomers);
        self.tell(FleetChange::Joined(self.roster.join(newcomers))).await;
    }

    /// Whose numbers are, where that was learnt since, or has changed.
    async fn tell_accounts(&self, known: &Acquainted, told: &mut Told) {
        for member in self.roster.members().iter() {
            let waba = known.waba_of(&self.config, &member.id);
            let portfolio = known.portfolio_of(&waba);
            let last = told.accounts.insert(member.id.clone(), (waba.clone(), portfolio.clone()));
            if last.as_ref() != Some(&(waba.clone(), portfolio.clone())) {
                self.tell(FleetChange::Account { id: member.id.clone(), waba, portfolio }).await;
            }
        }
    }

    async fn tell_number(&self, member: &Member, fields: &PhoneNumber) {
        let level = || limit_of_level(fields.level(), fields.is_on_business_app());
        self.tell(FleetChange::Number {
            id: member.id.clone(),
            standing: standing(fields.status(), fields.quality(), &self.config.quality),
            limit: member.rate.is_none().then(level),
            quality: fields.quality().to_owned(),
            status: fields.status().to_owned(),
        })
        .await;
    }

    /// A worker that is gone needs no news.
    async fn tell(&self, change: FleetChange) {
        let _gone = self.changes.send(change).await;
    }

    async fn keep_telling_tokens(&self) {
        let mut members = self.roster.subscribe();
        let mut tokens: Vec<Token> = Vec::new();
        loop {
            // Each credential once.
            for Member { token, .. } in members.borrow_and_update().iter() {
                if tokens.iter().all(|known| known.name != token.name) {
                    tokens.push(token.clone());
                }
            }
            tokio::select! {
                credential = changed(&mut tokens) => self.tell_token(&credential).await,
                Ok(()) = members.changed() => {}
            }
        }
    }

    async fn tell_token(&self, name: &str) {
        let members = self.roster.members();
        let Some(member) = members.iter().find(|member| member.token.name == name) else { return };
        tracing::info!(credential = name, "credential {name} has a new secret");
        let header = member.token.header(&self.config.cloud_api.auth_header);
        self.tell(FleetChange::Token { credential: name.to_owned(), header }).await;
    }
}

/// The name of the next credential that changes; never returns where none can.
async fn changed(tokens: &mut [Token]) -> String {
    if tokens.is_empty() {
        return std::future::pending().await;
    }
    let waits = tokens.iter_mut().map(|token| {
        async move {
            token.source.changed().await;
            token.name.clone()
        }
        .boxed()
    });
    select_all(waits).await.0
}
