//! The room of the broker before a real RabbitMQ.

mod outage;
mod publishing;
mod receiving;
mod relay;
mod tls;
mod topology;
mod ward;
mod wire;
