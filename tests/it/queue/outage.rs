//! Connections that are lost, and brokers that are not there.

use std::str::FromStr;
use std::time::Duration;

use tidegate::job::{PoolName, Priority};
use tidegate::queue::{BrokerState, LaneName, topology};

use super::ward::{Private, Ward, deliveries, delivery, event, lanes, lost, state};
use super::wire::Wire;
use crate::world::patient;

#[tokio::test]
async fn a_cut_connection_is_told_and_its_deliveries_come_again_under_new_tickets() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 6).await;
    let wire = Wire::to(&ward.url).await;
    let mut reception = ward.reception(ward.by(vec![wire.url(&ward.url)]));
    reception.serve(&lanes(&[(Priority::Bulk, 4), (Priority::High, 4)]), true);
    let first = deliveries(&mut reception, 4).await;
    wire.cut();
    let lost = lost(&mut reception).await;
    assert!(first.iter().all(|arrived| lost.covers(arrived.ticket) && reception.is_lost(arrived.ticket)));
    let second = deliveries(&mut reception, 4).await;
    assert!(second.iter().all(|arrived| arrived.redelivered && !lost.covers(arrived.ticket)));
    // The old tickets bear tags that the new channel knows too: they must not ack its deliveries.
    reception.ack(first.iter().map(|arrived| arrived.ticket).collect());
    reception.ack(vec![second[0].ticket]);
    delivery(&mut reception).await;
    ward.stop().await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 5).await;
    assert!(ward.metrics.render().contains("tidegate_broker_reconnects_total{reason=\"lost\"} 1"));
}

#[tokio::test]
async fn the_next_host_is_tried_when_the_first_is_dead() {
    let mut ward = Ward::new().await;
    let (dead, alive) = ("amqp://127.0.0.1:1/%2f".to_owned(), ward.url.clone());
    let mut reception = ward.reception(ward.by(vec![dead.clone(), alive.clone()]));
    reception.serve(&lanes(&[(Priority::Bulk, 4)]), false);
    let away = state(&mut reception, |state| matches!(state, BrokerState::Away { .. })).await;
    assert!(matches!(&away, BrokerState::Away { why, .. } if why.contains("127.0.0.1:1")), "{away:?}");
    state(&mut reception, |state| *state == BrokerState::Connected).await;
    ward.stranger().await.publish_jobs(&ward.jobs(), "default.bulk", 1).await;
    delivery(&mut reception).await;
    ward.publisher(ward.by(vec![dead, alive])).await;
}

#[tokio::test]
async fn a_connection_that_froze_is_given_up_after_two_heartbeats() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 3).await;
    let wire = Wire::to(&ward.url).await;
    let mut broker = ward.by(vec![wire.url(&ward.url)]);
    broker.heartbeat = Duration::from_secs(1);
    let mut reception = ward.reception(broker);
    reception.serve(&lanes(&[(Priority::Bulk, 4)]), false);
    let first = deliveries(&mut reception, 3).await;
    wire.freeze();
    let lost = lost(&mut reception).await;
    assert!(first.iter().all(|arrived| lost.covers(arrived.ticket)));
    // The broker waits as long for us as we for it.
    let second = deliveries(&mut reception, 3).await;
    assert!(second.iter().all(|arrived| arrived.redelivered));
    let old_thread = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        // Ours and the stranger's.
        while threads_of_lapin() > 2 {
            look.tick().await;
        }
    };
    patient("the thread of the frozen connection ends", old_thread).await;
}

/// How many threads lapin has in this process; nextest gives each test one of its own.
fn threads_of_lapin() -> usize {
    let names = std::fs::read_dir("/proc/self/task").expect("Linux");
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok();
    names.filter_map(name).filter(|name| name.starts_with("lapin-io-loop")).count()
}

#[tokio::test]
async fn a_host_that_says_nothing_is_given_up_and_leaves_no_thread_behind() {
    let mut ward = Ward::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("amqp://{}/%2f", silent.local_addr().expect("bound"));
    let mut broker = ward.by(vec![url]);
    broker.step_timeout = Duration::from_millis(200);
    let mut reception = ward.reception(broker);
    let (met, other) = (silent.accept().await.expect("it comes"), silent.accept().await.expect("and again"));
    let away = state(&mut reception, |state| matches!(state, BrokerState::Away { .. })).await;
    assert!(matches!(&away, BrokerState::Away { why, .. } if why.contains("no answer within")), "{away:?}");
    ward.stop().await;
    let before = (met, other);
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while threads_of_lapin() > 0 {
            look.tick().await;
        }
    };
    patient("lapin's threads end", gone).await;
    drop(before);
}

/// RabbitMQ 3.10 never brings a queue back that was younger than a second when it was killed; who consumes from it is
/// answered with an error that closes the whole connection.
#[tokio::test]
async fn a_killed_broker_is_found_again_and_a_queue_that_it_broke_holds_up_no_other() {
    let private = Private::start();
    let mut ward = Ward::at(private.url.clone()).await;
    let mut reception = ward.reception(ward.broker.clone());
    let publisher = ward.publisher(ward.broker.clone()).await;
    reception.serve(&lanes(&[(Priority::Bulk, 10), (Priority::Urgent, 10)]), true);
    // A queue younger than a second does not outlive a kill (tidegate::queue::topology::Declared).
    tokio::time::sleep(Duration::from_secs(3)).await;
    ward.stranger().await.publish_jobs(&ward.jobs(), "default.bulk", 5).await;
    let before = deliveries(&mut reception, 5).await;
    let fresh = PoolName::from_str("fresh").expect("a name");
    let mut served = lanes(&[(Priority::Bulk, 10), (Priority::Urgent, 10)]);
    served.insert(LaneName { pool: fresh.clone(), priority: Priority::Bulk }, 10);
    reception.serve(&served, true);
    topology::declare(&ward.broker, &[fresh]).await.expect("declared");
    private.kill();
    let lost = lost(&mut reception).await;
    assert!(before.iter().all(|arrived| lost.covers(arrived.ticket)));
    let published = patient("an answer without a broker", publisher.publish(vec![event(1)])).await;
    assert!(published.iter().all(|answer| *answer != tidegate::queue::Published::Confirmed), "{published:?}");
    private.start_again();
    let after = deliveries_again(&mut reception, 5).await;
    reception.ack(after);
    assert!(patient("publishing goes on", publisher.until_open()).await);
    ward.stop().await;
    ward.stranger().await.until_ready(&ward.queue(Priority::Bulk), 0).await;
}

/// Deliveries of one connection: a broker that just came up may lose a few more.
async fn deliveries_again(reception: &mut tidegate::queue::Reception, count: usize) -> Vec<tidegate::queue::Ticket> {
    let mut tickets = Vec::new();
    while tickets.len() < count {
        match patient("deliveries after the restart", reception.next()).await.expect("the supervisor runs") {
            tidegate::queue::Arrival::Delivery(arrived) => tickets.push(arrived.ticket),
            tidegate::queue::Arrival::Lost(lost) => tickets.retain(|ticket| !lost.covers(*ticket)),
            tidegate::queue::Arrival::State(_) => {}
        }
    }
    tickets
}
