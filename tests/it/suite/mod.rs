//! One suite a contract, run against every backend.

mod ledger;
mod ledger_admit;
mod ledger_claim;
mod ledger_enqueue;
mod ledger_holds;
mod ledger_keep;
mod ledger_model;
mod ledger_people;
mod ledger_settle;
mod ledger_sqlite;
