//! provisional
use crate::clock::Timestamp;
use crate::job::{PoolName, Priority};
use std::collections::BTreeMap;
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LaneName {
    pub pool: PoolName,
    pub priority: Priority,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Ticket(u64);
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Expired,
    Unroutable,
}
#[derive(Clone, Debug)]
pub struct Returned {
    pub why: Why,
    pub routing_key: String,
}
#[derive(Clone, Debug)]
pub struct Arrived {
    pub ticket: Ticket,
    pub lane: Option<LaneName>,
    pub body: Vec<u8>,
    pub message_id: Option<String>,
    pub app_id: Option<String>,
    pub timestamp: Option<Timestamp>,
    pub enqueued_at: Option<Timestamp>,
    pub redelivered: bool,
    pub returned: Option<Returned>,
}
#[derive(Clone, Copy, Debug)]
pub struct Lost(u64);
impl Lost {
    pub fn covers(&self, t: Ticket) -> bool {
        t.0 <= self.0
    }
}
#[derive(Clone, Debug)]
pub enum BrokerState {
    Away,
    Connected,
    Blocked,
}
#[derive(Debug)]
pub enum Arrival {
    Delivery(Arrived),
    Lost(Lost),
    State(BrokerState),
}
#[derive(Debug)]
pub enum Queue {
    None,
}
impl Queue {
    pub fn serve(&mut self, _l: &BTreeMap<LaneName, u16>) {}
    pub fn ack(&mut self, _t: Vec<Ticket>) {}
    pub fn give_back(&mut self, _t: Vec<Ticket>) {}
    pub async fn next(&mut self) -> Arrival {
        std::future::pending().await
    }
    pub fn try_next(&mut self) -> Option<Arrival> {
        None
    }
    pub fn origin(&self, _l: Option<&LaneName>) -> String {
        String::new()
    }
}
