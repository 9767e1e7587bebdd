//! Reads the fleet on a schedule, one process at a time of those that read the same, and keeps what was read in the
//! ledger: that is where everyone hears of it.
//!
//! An account is read with all its numbers in two calls, and accounts take their turns over the interval. Where Meta
//! says that much of its quota of calls is used, readings slow down; where it refuses, they rest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Mono, Now, Timestamp};
use crate::config::Config;
use crate::graph::Usage;
use crate::graph::reads::{ReadError, Reads};
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::ledger::{Ledger, READING, TEMPLATE};
use crate::outcome::Reason;

use super::accounts::{Account, Token, accounts};
use super::discover::allowed;
use super::members::{Acquainted, Member};
use super::rhythm::Rhythm;
use super::survey::Survey;
use super::templates;

/// Who placed a hold for what was read.
const READER: &str = "meta-read";
/// News of the fleet come in swarms: they are looked at together.
const NEWS: Duration = Duration::from_secs(5);
/// Longer than until the next read, which decides on it.
const HOLD: Duration = Duration::from_secs(60);

/// Reads on a schedule while it is on duty.
pub struct Schedule {
    config: Arc<Config>,
    reads: Reads,
    ledger: Ledger,
    subjects: Vec<Subject>,
    members: watch::Receiver<Arc<[Member]>>,
    on_duty: watch::Receiver<bool>,
    /// Counts readings: what was read again as it was gives no signal of the ledger's.
    readings: watch::Sender<u64>,
}

/// What is read at once.
struct Subject {
    /// None: one number whose account cannot be read.
    account: Option<Account>,
    /// Those that may send of it.
    members: Vec<Member>,
    rhythm: Rhythm,
    templates: Rhythm,
    /// Templates for which it was read out of turn, and when a webhook told of them: once each time, since one that is
    /// gone never comes.
    looked_for: BTreeSet<(String, Timestamp)>,
}

/// What of a subject is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Numbers,
    Templates,
}

impl Subject {
    fn token(&self) -> &Token {
        match &self.account {
            Some(account) => &account.token,
            None => &self.members.first().expect("a subject without an account is a number").token,
        }
    }

    fn rhythm(&mut self, what: What) -> &mut Rhythm {
        match what {
            What::Numbers => &mut self.rhythm,
            What::Templates => &mut self.templates,
        }
    }

    fn next(&self) -> (Mono, What) {
        let numbers = (self.rhythm.due(), What::Numbers);
        let has_templates = self.account.is_some() && self.templates.due() < self.rhythm.due();
        if has_templates { (self.templates.due(), What::Templates) } else { numbers }
    }

    fn waba(&self) -> &str {
        self.account.as_ref().map_or_else(|| self.members[0].waba.as_str(), |account| &account.waba)
    }
}

impl Schedule {
    /// Reads these numbers and their accounts while on duty.
    pub fn new(
        config: &Config,
        reads: Reads,
        members: watch::Receiver<Arc<[Member]>>,
        ledger: Ledger,
        on_duty: watch::Receiver<bool>,
    ) -> Self {
        let subjects = subjects(config, &members.borrow());
        let readings = watch::Sender::new(0);
        Self { config: Arc::new(config.clone()), reads, ledger, subjects, members, on_duty, readings }
    }

    /// Changes with each reading of this process.
    pub fn readings(&self) -> watch::Receiver<u64> {
        self.readings.subscribe()
    }

    /// Runs until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_reading()).await;
    }

    async fn keep_reading(&mut self) {
        let mut is_first = true;
        loop {
            if self.on_duty.wait_for(|on_duty| *on_duty).await.is_err() {
                // Whoever gives the duty has stopped.
                return std::future::pending().await;
            }
            self.begin(is_first).await;
            is_first = false;
            let mut duty = self.on_duty.clone();
            let read = async {
                loop {
                    self.read_next().await;
                }
            };
            tokio::select! {
                () = read => {}
                _ended = duty.wait_for(|on_duty| !*on_duty) => {}
            }
        }
    }

    /// A process that starts reads what Meta says now. One that takes over later goes on where the one before left off.
    async fn begin(&mut self, is_first: bool) {
        let known = Acquainted::of(&self.config, &self.ledger).await.unwrap_or_default();
        let now = clock::now();
        let count = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX).max(1);
        for (place, subject) in (1..).zip(&mut self.subjects) {
            let times = subject.members.iter().map(|member| known.read_at(&member.id));
            let last = times.min().flatten();
            // Everyone's first turn comes at another part of the interval.
            let turn = self.config.fleet.refresh / count * place;
            let due = last.filter(|_| !is_first).map_or(now.mono, |last| when(last + turn, now));
            subject.rhythm.begin(due, if is_first { turn } else { self.config.fleet.refresh });
            subject.templates.restart(now.mono);
        }
    }

    /// Who joined since belongs to an account from now on.
    fn take_in(&mut self) {
        if self.members.has_changed().unwrap_or(false) {
            let members = self.members.borrow_and_update();
            for subject in &mut self.subjects {
                let Some(account) = &subject.account else { continue };
                let is_new = |member: &&Member| subject.members.iter().all(|known| known.id != member.id);
                let new = members.iter().filter(|member| member.waba == account.waba).filter(is_new).cloned();
                let new: Vec<Member> = new.collect();
                subject.members.extend(new);
            }
        }
    }

    async fn read_next(&mut self) {
        let mut signals = self.ledger.signals();
        let heard = signals.borrow_and_update().fleet;
        self.look_for_templates().await;
        let Some(next) = (0..self.subjects.len()).min_by_key(|slot| self.subjects[*slot].next().0) else {
            return std::future::pending().await;
        };
        let (due, what) = self.subjects[next].next();
        let news = async {
            if signals.wait_for(|signal| signal.fleet != heard).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(NEWS).await;
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep(due.since(clock::now().mono)) => {}
            () = news => return,
        }
        self.take_in();
        let read = match what {
            What::Numbers => self.read(&self.subjects[next]).await,
            What::Templates => self.read_templates(&self.subjects[next]).await,
        };
        let now = clock::now().mono;
        match read {
            Ok(usage) => self.slow_down(next, what, (usage, now)),
            Err(ReadError::Quota { regain }) => self.rest(next, regain, now),
            Err(
                ReadError::Credential(_)
                | ReadError::NotFound(_)
                | ReadError::Refused(_)
                | ReadError::Unreachable(_)
                | ReadError::Unreadable { .. },
            ) => self.subjects[next].rhythm(what).failed(now),
        }
        self.readings.send_modify(|count| *count += 1);
    }

    /// What a webhook said of a template that was not read since is a reason to read them all, once. So is a job that
    /// does not fit what was read some time ago, but no more than once a minute: there may be a million of them.
    async fn look_for_templates(&mut self) {
        let Ok(rows) = self.ledger.fleet_list(TEMPLATE.to_owned()).await else { return };
        let Ok(readings) = self.ledger.fleet_list(READING.to_owned()).await else { return };
        let now = clock::now().mono;
        for subject in self.subjects.iter_mut().filter(|subject| subject.account.is_some()) {
            let unread = templates::unread(&rows, subject.waba());
            if !unread.is_subset(&subject.looked_for) {
                subject.looked_for = unread;
                subject.templates.restart(now);
            }
            if templates::is_doubted(&readings, subject.waba()) {
                subject.templates.hasten(now);
            }
        }
    }

    async fn read_templates(&self, subject: &Subject) -> Result<Usage, ReadError> {
        let account = subject.account.as_ref().expect("templates are an account's");
        let header = &self.config.cloud_api.auth_header;
        let into = (&self.ledger, clock::now().wall);
        match templates::read(&self.reads, header, account, into).await {
            Ok((usage, kept)) => {
                if let Err(error) = kept {
                    tracing::warn!(%error, "what was read of templates could not be kept: {error}");
                }
                Ok(usage)
            }
            Err(error) => {
                tracing::warn!("cannot read the templates of account {}: {error}; those known count", account.waba);
                Err(error)
            }
        }
    }

    fn slow_down(&mut self, slot: usize, what: What, (usage, now): (Usage, Mono)) {
        let subject = &mut self.subjects[slot];
        if let Some(every) = subject.rhythm(what).read(usage, now) {
            let percent = usage.0;
            tracing::warn!(
                percent,
                "{percent} % of Meta's quota of calls is used: account {} is read every {} s",
                subject.waba(),
                every.as_secs()
            );
        }
    }

    /// The quota is the account's or the app's: nothing is read with this credential.
    fn rest(&mut self, slot: usize, regain: Duration, now: Mono) {
        let name = self.subjects[slot].token().name.clone();
        let mut rest = Duration::ZERO;
        for subject in self.subjects.iter_mut().filter(|subject| subject.token().name == name) {
            rest = subject.rhythm.refused(regain, now);
            subject.templates.refused(regain, now);
        }
        tracing::warn!(
            "Meta's quota of calls is used up: nothing is read with credential {name} for {} s",
            rest.as_secs()
        );
    }

    async fn read(&self, subject: &Subject) -> Result<Usage, ReadError> {
        let header = &self.config.cloud_api.auth_header;
        let survey = match &subject.account {
            Some(account) => match Survey::account(&self.reads, header, account).await {
                Ok(survey) => survey,
                Err(error) => {
                    self.tell_failure(&subject.members, &account.token, &error).await;
                    return Err(error);
                }
            },
            None => return self.read_alone(&subject.members).await,
        };
        self.keep(&allowed(&self.config, survey.clone())).await;
        self.lift_refusal(subject.token()).await;
        let is_missing = |member: &&Member| survey.numbers.iter().all(|number| number.id != member.id.as_str());
        let missing: Vec<&Member> = subject.members.iter().filter(is_missing).collect();
        // A ledger that is away keeps nothing of them either.
        let Ok(known) = Acquainted::of(&self.config, &self.ledger).await else { return Ok(survey.usage) };
        let beside = |member: &Member| Member { waba: known.waba_beside(&self.config, member), ..member.clone() };
        let missing: Vec<Member> = missing.into_iter().map(beside).collect();
        Ok(self.read_numbers(&missing).await?.max(survey.usage))
    }

    /// Those that are of no account that is read, unless one was found to list them meanwhile.
    async fn read_alone(&self, members: &[Member]) -> Result<Usage, ReadError> {
        let Ok(known) = Acquainted::of(&self.config, &self.ledger).await else { return Ok(Usage::default()) };
        let now = |member: &Member| Member { waba: known.waba_of(&self.config, &member.id), ..member.clone() };
        self.read_numbers(&members.iter().map(now).collect::<Vec<_>>()).await
    }

    /// Number by number, for those that no account lists. The last failure is told to the caller, all to the log.
    async fn read_numbers(&self, members: &[Member]) -> Result<Usage, ReadError> {
        let mut usage = Usage::default();
        let mut failure = None;
        for member in members {
            let named = (&member.id, &member.token);
            match Survey::number(&self.reads, &self.config.cloud_api.auth_header, named, &member.waba).await {
                Ok(survey) => {
                    usage = usage.max(survey.usage);
                    self.keep(&survey).await;
                    self.lift_refusal(&member.token).await;
                }
                Err(error) => {
                    self.tell_failure(std::slice::from_ref(member), &member.token, &error).await;
                    let is_refused = matches!(error, ReadError::Quota { .. });
                    failure = Some(error);
                    if is_refused {
                        break;
                    }
                }
            }
        }
        failure.map_or(Ok(usage), Err)
    }

    async fn keep(&self, survey: &Survey) {
        let kept = async {
            let known = Acquainted::of(&self.config, &self.ledger).await?;
            let portfolio = known.portfolio_of(&survey.waba);
            survey.keep(&self.ledger, Some(&portfolio), clock::now().wall).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "what was read of the fleet could not be kept: {error}");
        }
    }

    async fn tell_failure(&self, members: &[Member], token: &Token, error: &ReadError) {
        let known = Acquainted::of(&self.config, &self.ledger).await.unwrap_or_default();
        for member in members {
            let then = match (member.rate.is_some(), known.read_at(&member.id).is_some()) {
                (true, _) => "it sends at its configured rate",
                (false, true) => "it goes on as it was",
                (false, false) => "it sends nothing until it can be read",
            };
            tracing::warn!(number.id = %member.id, "cannot read number {}: {error}; {then}", member.display);
        }
        // A token that may send and not read is no reason to stop.
        if let ReadError::Credential(refusal) = error
            && let Some(code @ (0 | 104 | 190)) = refusal.code
        {
            self.hold_refused(&token.name, code).await;
        }
    }

    /// Meta refuses the token: the same hold as where a send is refused, so that everyone is told why nothing goes.
    async fn hold_refused(&self, credential: &str, code: u32) {
        let now = clock::now().wall;
        let order = HoldOrder {
            cover: Cover::of(Scope::Credential, credential),
            effect: Effect::Wait,
            reason: Reason::Credentials,
            who: format!("{READER}:{code}"),
            until: Some(now + HOLD),
            probe: true,
        };
        if let Err(error) = self.ledger.place(order, now).await {
            tracing::warn!("the refusal of credential {credential} could not be noted: {error}");
        }
    }

    /// What was read shows that Meta takes the token: a hold of this reader's own has served its purpose.
    async fn lift_refusal(&self, token: &Token) {
        let Ok(holds) = self.ledger.holds().await else { return };
        let own = holds.iter().filter(|hold| {
            hold.cover.scope == Scope::Credential && hold.cover.subject == token.name && hold.who.starts_with(READER)
        });
        for hold in own {
            // A hold that could not be lifted is lifted after the next read.
            let _later = self.ledger.lift(hold.id, clock::now().wall).await;
        }
    }
}

/// Accounts with those of their numbers that may send, and each number alone that is of none of them.
fn subjects(config: &Config, members: &[Member]) -> Vec<Subject> {
    let rhythm = Rhythm::new(config.fleet.refresh, Mono::default());
    let templates = Rhythm::new(config.fleet.templates, Mono::default());
    let accounts = accounts(config);
    let of = |waba: &str| members.iter().filter(|member| member.waba == waba).cloned().collect::<Vec<_>>();
    let is_alone = |member: &&Member| accounts.iter().all(|account| account.waba != member.waba);
    let alone = members.iter().filter(is_alone).map(|member| Subject {
        account: None,
        members: vec![member.clone()],
        rhythm,
        templates,
        looked_for: BTreeSet::new(),
    });
    let alone: Vec<Subject> = alone.collect();
    let with_account = accounts.iter().map(|account| {
        let members = of(&account.waba);
        Subject { account: Some(account.clone()), members, rhythm, templates, looked_for: BTreeSet::new() }
    });
    with_account.chain(alone).collect()
}

fn when(at: Timestamp, now: Now) -> Mono {
    now.mono + at.since(now.wall)
}
