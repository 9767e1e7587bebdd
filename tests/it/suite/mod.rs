//! One suite a contract, run against every backend.

mod applying;
mod bench;
mod cases;
mod ledger;
mod ledger_admit;
mod ledger_cancel;
mod ledger_claim;
mod ledger_costs;
mod ledger_delivered;
mod ledger_enqueue;
mod ledger_erase;
mod ledger_events;
mod ledger_holds;
mod ledger_keep;
mod ledger_leases;
mod ledger_model;
mod ledger_news;
mod ledger_orders;
#[cfg(feature = "services")]
mod ledger_outage;
mod ledger_people;
#[cfg(feature = "services")]
mod ledger_postgres;
mod ledger_quota;
mod ledger_quota_ends;
mod ledger_quota_order;
mod ledger_quota_parked;
#[cfg(feature = "services")]
mod ledger_quota_race;
mod ledger_settle;
mod ledger_silence;
mod ledger_sqlite;
mod ledger_statuses;
mod ledger_storm;
mod ledger_strange;
mod ledger_suppressing;
mod ledger_windows;
mod ledger_workers;
mod places;
#[cfg(feature = "services")]
pub mod schema;
mod told;
