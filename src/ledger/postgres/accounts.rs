//! Whose each number is, as its last admission said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::job::NumberId;
use crate::ledger::Account;

/// There are as many as numbers.
#[derive(Default)]
pub(super) struct Accounts {
    known: Mutex<HashMap<NumberId, Arc<Account>>>,
}

impl Accounts {
    /// The number's account, as the last admission by it said.
    pub(super) fn of(&self, number: &NumberId) -> Option<Arc<Account>> {
        self.known.lock().expect("nobody panics while looking").get(number).cloned()
    }

    pub(super) fn remember(&self, number: &NumberId, account: &Arc<Account>) {
        let mut known = self.known.lock().expect("nobody panics while looking");
        match known.get_mut(number) {
            Some(old) if Arc::ptr_eq(old, account) => {}
            Some(old) => *old = account.clone(),
            None => {
                known.insert(number.clone(), account.clone());
            }
        }
    }
}
