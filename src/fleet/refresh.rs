//! Reads what Meta says of the numbers, now and then, and tells the worker what changed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_all;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{AuthHeader, Config, QualityConfig, SecretSource};
use crate::graph::Credential;
use crate::graph::reads::{PhoneNumber, ReadError, Reads};
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::job::NumberId;
use crate::ledger::{FleetRow, INBOUND, Ledger};
use crate::outcome::Reason;
use crate::worker::FleetChange;

use super::members::{Member, limit_of_level};
use super::standing::standing;

/// The kind under which numbers lie in the ledger.
pub const NUMBER: &str = "number";
/// A number that could not be read is tried again sooner than the others.
const SOON: Duration = Duration::from_secs(20);
/// Who placed a hold for what was read.
const READER: &str = "meta-read";
/// Longer than until the next read, which decides on it.
const HOLD: Duration = Duration::from_secs(60);

/// Reads the fleet's fields on a schedule. One read a number and interval: 12 an hour by default, far below the
/// management quota of 200.
pub struct Refresher {
    every: Duration,
    weights: QualityConfig,
    header: AuthHeader,
    reads: Reads,
    members: Vec<Member>,
    ledger: Ledger,
    changes: mpsc::Sender<FleetChange>,
}

impl Refresher {
    /// Reads these numbers, and tells of changes.
    pub fn new(
        config: &Config,
        reads: Reads,
        members: Vec<Member>,
        ledger: Ledger,
        changes: mpsc::Sender<FleetChange>,
    ) -> Self {
        let header = config.cloud_api.auth_header.clone();
        Self { every: config.fleet.refresh, weights: config.quality.clone(), header, reads, members, ledger, changes }
    }

    /// Runs until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        // Side by side: a Meta that does not answer must hold up neither a new secret nor the stop.
        let work = async { tokio::join!(self.keep_reading(), self.keep_hearing(), self.keep_telling_tokens()) };
        stop.run_until_cancelled(work).await;
    }

    async fn keep_reading(&self) {
        let mut read = BTreeSet::new();
        loop {
            let failed = self.read_all(&mut read).await;
            tokio::time::sleep(if failed { SOON.min(self.every) } else { self.every }).await;
        }
    }

    /// What a webhook said, or another worker read, counts here at once.
    async fn keep_hearing(&self) {
        let mut signals = self.ledger.signals();
        loop {
            let heard = signals.borrow_and_update().fleet;
            self.tell_inbound().await;
            if signals.wait_for(|signal| signal.fleet != heard).await.is_err() {
                // The ledger has stopped: there will be no news.
                return std::future::pending().await;
            }
            match self.ledger.fleet_list(NUMBER.to_owned()).await {
                Ok(rows) => self.tell_rows(&rows).await,
                // The next reading, or the next signal, says the same.
                Err(error) => tracing::warn!(%error, "what changed in the fleet could not be read: {error}"),
            }
        }
    }

    async fn tell_inbound(&self) {
        match self.ledger.fleet_list(INBOUND.to_owned()).await {
            Ok(rows) => {
                for (id, per_second) in rows.iter().filter_map(FleetRow::inbound_rate) {
                    let _gone = self.changes.send(FleetChange::Inbound { id, per_second }).await;
                }
            }
            Err(error) => tracing::warn!(%error, "how fast people write could not be read: {error}"),
        }
    }

    async fn tell_rows(&self, rows: &[FleetRow]) {
        for member in &self.members {
            let row = rows.iter().find(|row| row.id == member.id.as_str());
            if let Some(fields) = row.and_then(|row| serde_json::from_str::<PhoneNumber>(&row.fields).ok()) {
                self.tell_worker(member, &fields).await;
            }
        }
    }

    async fn keep_telling_tokens(&self) {
        let mut tokens = self.tokens();
        loop {
            let credential = changed(&mut tokens).await;
            self.tell_token(&credential).await;
        }
    }

    /// Each credential once, with its source.
    fn tokens(&self) -> Vec<(String, SecretSource)> {
        let mut seen = BTreeSet::new();
        let own = self.members.iter().filter(|member| seen.insert(member.credential.clone()));
        own.map(|member| (member.credential.clone(), member.token.clone())).collect()
    }

    /// Whether a number could not be read.
    async fn read_all(&self, read: &mut BTreeSet<NumberId>) -> bool {
        let mut failed = false;
        for member in &self.members {
            match self.reads.phone_number(&member.id, &credential(&self.header, &member.token)).await {
                Ok(fields) => {
                    read.insert(member.id.clone());
                    self.lift_refusal(member).await;
                    self.tell(member, &fields).await;
                }
                Err(error) => {
                    failed = true;
                    let then = match (member.rate.is_some(), read.contains(&member.id)) {
                        (true, _) => "it sends at its configured rate",
                        (false, true) => "it goes on as it was",
                        (false, false) => "it sends nothing until it can be read",
                    };
                    tracing::warn!(number.id = %member.id, "cannot read number {}: {error}; {then}", member.display);
                    // A token that may send and not read is no reason to stop.
                    if let ReadError::Credential(refusal) = &error
                        && let Some(code @ (0 | 104 | 190)) = refusal.code
                    {
                        self.hold_refused(member, code).await;
                    }
                }
            }
        }
        failed
    }

    /// Meta refuses the token: the same hold as where a send is refused, so that everyone is told why nothing goes.
    async fn hold_refused(&self, member: &Member, code: u32) {
        let now = clock::now().wall;
        let order = HoldOrder {
            cover: Cover::of(Scope::Credential, member.credential.as_str()),
            effect: Effect::Wait,
            reason: Reason::Credentials,
            who: format!("{READER}:{code}"),
            until: Some(now + HOLD),
            probe: true,
        };
        if let Err(error) = self.ledger.place(order, now).await {
            tracing::warn!("the refusal of credential {} could not be noted: {error}", member.credential);
        }
    }

    /// What was read shows that Meta takes the token: a hold of this reader's own has served its purpose.
    async fn lift_refusal(&self, member: &Member) {
        let Ok(holds) = self.ledger.holds().await else { return };
        let own = holds.iter().filter(|hold| {
            hold.cover.scope == Scope::Credential
                && hold.cover.subject == member.credential
                && hold.who.starts_with(READER)
        });
        for hold in own {
            // A hold that could not be lifted is lifted after the next read.
            let _later = self.ledger.lift(hold.id, clock::now().wall).await;
        }
    }

    async fn tell(&self, member: &Member, fields: &PhoneNumber) {
        let row = FleetRow {
            kind: NUMBER.to_owned(),
            id: member.id.to_string(),
            parent: member.waba.clone(),
            fields: serde_json::to_string(fields).expect("fields are texts and flags"),
            read_at: clock::now().wall,
        };
        if let Err(error) = self.ledger.fleet_put(vec![row]).await {
            tracing::warn!(%error, "what was read of number {} could not be kept: {error}", member.display);
        }
        self.tell_worker(member, fields).await;
    }

    async fn tell_worker(&self, member: &Member, fields: &PhoneNumber) {
        let change = FleetChange::Number {
            id: member.id.clone(),
            standing: standing(fields.status(), fields.quality(), &self.weights),
            limit: member.rate.is_none().then(|| limit_of_level(fields.level(), fields.is_on_business_app())),
            quality: fields.quality().to_owned(),
            status: fields.status().to_owned(),
        };
        // A worker that is gone needs no news.
        let _gone = self.changes.send(change).await;
    }

    async fn tell_token(&self, name: &str) {
        let Some(member) = self.members.iter().find(|member| member.credential == name) else { return };
        tracing::info!(credential = name, "credential {name} has a new secret");
        let header = credential(&self.header, &member.token);
        let _gone = self.changes.send(FleetChange::Token { credential: name.to_owned(), header }).await;
    }
}

/// The name of the next credential that changes; never returns where none can.
async fn changed(tokens: &mut [(String, SecretSource)]) -> String {
    if tokens.is_empty() {
        return std::future::pending().await;
    }
    let waits = tokens.iter_mut().map(|(name, token)| {
        async move {
            token.changed().await;
            name.clone()
        }
        .boxed()
    });
    select_all(waits).await.0
}

/// The header that a secret makes.
pub fn credential(header: &AuthHeader, token: &SecretSource) -> Credential {
    Credential::new(header.name().clone(), header.value(&token.current()))
}
