//! The numbers of a running worker: those that it starts with, and those that its accounts get while it runs. Nobody
//! leaves it: what becomes of a number that is gone, Meta says.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::{self, Timestamp};
use crate::config::{Config, Discover};
use crate::job::NumberId;
use crate::ledger::FleetRow;
use crate::worker::Joining;
use crate::worker::reception::Router;

use super::accounts::accounts;
use super::members::{self, Acquainted, Member, Pools};

/// Who may send, as far as is known.
pub struct Roster {
    config: Config,
    members: watch::Sender<Arc<[Member]>>,
    /// What was read since is in its account now; what was read before may have left it.
    since: Timestamp,
}

impl Roster {
    /// Nobody yet. Made before the first reading, so that nothing is missed that was found after it.
    pub fn new(config: &Config) -> Self {
        Self { config: config.clone(), members: watch::Sender::new(Arc::from([])), since: clock::now().wall }
    }

    /// Everyone who has joined.
    pub fn members(&self) -> Arc<[Member]> {
        self.members.borrow().clone()
    }

    /// The same, and word of those who join later.
    pub fn subscribe(&self) -> watch::Receiver<Arc<[Member]>> {
        self.members.subscribe()
    }

    /// Takes these in, at the start as later on, and says how the worker does the same.
    pub fn join(&self, newcomers: Vec<Member>) -> Joining {
        let all: Arc<[Member]> = self.members().iter().chain(&newcomers).cloned().collect();
        self.members.send_replace(all.clone());
        let named = all.iter().map(|member| (&member.id, member.display.as_str()));
        let directory = Pools::new(&self.config).directory(named);
        let router = Router::new(move |from| directory.route(from).map_err(|error| error.to_string()));
        Joining { recruits: members::recruits(&self.config, newcomers), router }
    }

    /// Whether numbers may join that are found later.
    pub fn is_open(&self) -> bool {
        self.config.numbers.is_empty() && self.config.fleet.discover == Discover::All
    }

    /// Those of the numbers read who may join. Who may not is told of once, and then stands in `turned_away`.
    pub fn newcomers(
        &self,
        rows: &[FleetRow],
        known: &Acquainted,
        turned_away: &mut BTreeSet<NumberId>,
    ) -> Vec<Member> {
        if !self.config.numbers.is_empty() {
            return Vec::new();
        }
        let (accounts, members) = (accounts(&self.config), self.members());
        let joined: HashSet<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let found = rows.iter().filter(|row| row.read_at >= self.since && !joined.contains(row.id.as_str()));
        let found = found.filter(|row| accounts.iter().any(|account| account.waba == row.parent));
        let found = found.filter_map(|row| Some((row.id.parse::<NumberId>().ok()?, row)));
        // What only a webhook told of was not read.
        let found = found.filter(|(id, _)| known.read_at(id).is_some());
        let found = found.filter_map(|(id, row)| members::discovered(&self.config, id, &row.parent, known));
        match self.config.fleet.discover {
            Discover::All => found.collect(),
            Discover::Sole => {
                found.filter(|stranger| turned_away.insert(stranger.id.clone())).for_each(turn_away);
                Vec::new()
            }
            Discover::Off => Vec::new(),
        }
    }
}

fn turn_away(stranger: Member) {
    let Member { id, display: shown, waba, .. } = stranger;
    tracing::warn!(
        number.id = %id,
        "account {waba} has one more number now, {id} ({shown}), which sends nothing: list those that may send as \
         [[numbers]], or set fleet.discover = \"all\"; the next start asks which"
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::config::Sources;
    use crate::job::From;
    use crate::ledger::NUMBER;

    const ACCOUNT: &str = "102";

    fn roster(settings: &[(&str, &str)]) -> Roster {
        let all = [("cloud_api.access_token", "shared"), ("cloud_api.waba", ACCOUNT)].iter().chain(settings);
        let overrides = all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let config = Config::load(Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides });
        Roster::new(&config.expect("a configuration"))
    }

    fn row(id: &str, waba: &str, read_at: Timestamp) -> FleetRow {
        let fields = serde_json::json!({"id": id, "display_phone_number": format!("+1 555 {id}")}).to_string();
        FleetRow { kind: NUMBER.to_owned(), id: id.to_owned(), parent: waba.to_owned(), fields, read_at }
    }

    fn newcomers(roster: &Roster, rows: &[FleetRow], turned_away: &mut BTreeSet<NumberId>) -> Vec<Member> {
        let known = Acquainted::new(&roster.config, rows, &[]);
        roster.newcomers(rows, &known, turned_away)
    }

    fn ids(members: &[Member]) -> Vec<&str> {
        members.iter().map(|member| member.id.as_str()).collect()
    }

    #[test]
    fn who_is_found_in_an_account_joins_once_and_is_found_by_id_and_display_number() {
        let roster =
            roster(&[("fleet.discover", "all"), ("pools[0].name", "shop"), ("pools[0].numbers[0]", "+1 555 1002")]);
        let now = clock::now().wall;
        let mut nobody = BTreeSet::new();
        let mut rows = vec![row("1001", ACCOUNT, now)];
        let first = newcomers(&roster, &rows, &mut nobody);
        assert_eq!(roster.join(first).recruits.len(), 1);
        rows.extend([
            row("1002", ACCOUNT, now),
            row("1003", "999", now),
            row("1004", ACCOUNT, now - Duration::from_secs(60)),
        ]);
        let second = newcomers(&roster, &rows, &mut nobody);
        assert_eq!(ids(&second), ["1002"], "one is in, one of a strange account, one may have left");
        let joining = roster.join(second);
        let recruit = &joining.recruits[0];
        assert_eq!((recruit.pool.as_str(), recruit.standing.may_send), ("shop", false), "before its fields are heeded");
        let shown = joining.router.route(&From::Display("15551002".to_owned())).expect("known by now");
        assert_eq!((shown.pool.as_str(), shown.pinned.as_ref().map(NumberId::as_str)), ("shop", Some("1002")));
        assert!(joining.router.route(&From::Display("15551001".to_owned())).is_ok(), "and so is who joined before");
        assert_eq!(ids(&roster.members()), ["1001", "1002"]);
        assert!(newcomers(&roster, &rows, &mut nobody).is_empty() && nobody.is_empty());
    }

    #[test]
    fn nobody_joins_a_list_or_a_sole_number() {
        for (settings, told) in [
            (&[("numbers[0].id", "1001"), ("fleet.discover", "all")][..], 0),
            (&[("fleet.discover", "sole")][..], 1),
            (&[("fleet.discover", "off")][..], 0),
        ] {
            let roster = roster(settings);
            let now = clock::now().wall;
            let rows = [row("1001", ACCOUNT, now), row("1002", ACCOUNT, now)];
            let known = Acquainted::new(&roster.config, &rows, &[]);
            let sole = members::discovered(&roster.config, "1001".parse().expect("an id"), ACCOUNT, &known);
            roster.join(sole.into_iter().collect());
            let mut turned_away = BTreeSet::new();
            for _ in 0..2 {
                assert!(newcomers(&roster, &rows, &mut turned_away).is_empty(), "{settings:?}");
                assert_eq!(turned_away.len(), told, "{settings:?}");
            }
        }
    }
}
