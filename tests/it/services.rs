//! The services that tests work with: real ones, and never skipped where they are missing.
//!
//! A module that uses them is compiled with the feature `services` only; `make test` gives it and starts them.

use lapin::{Connection, ConnectionProperties};
use tokio_postgres::NoTls;

use crate::world::patient;

/// Where RabbitMQ is.
pub fn amqp_url() -> String {
    given("TEST_AMQP_URL", "RabbitMQ")
}

/// Where PostgreSQL is.
pub fn database_url() -> String {
    given("TEST_DATABASE_URL", "PostgreSQL")
}

fn given(name: &str, service: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must say where {service} is; `make test` starts one"))
}

#[tokio::test]
async fn rabbitmq_and_postgresql_are_there() {
    let url = amqp_url();
    let broker = patient("RabbitMQ answers", Connection::connect(&url, ConnectionProperties::default()))
        .await
        .expect("RabbitMQ answers");
    patient("RabbitMQ lets go", broker.close(200, "bye".into())).await.expect("it says so");
    let (database, connection) = tokio_postgres::connect(&database_url(), NoTls).await.expect("PostgreSQL answers");
    let asked = async { (database.query_one("SHOW fsync", &[]).await, drop(database)).0 };
    let (answer, ended) = tokio::join!(asked, connection);
    ended.expect("it ends well");
    assert_eq!(answer.expect("an answer").get::<_, &str>(0), "on", "durability is part of what is tested");
}
