//! The simulator over real sockets, as a sender meets it.

mod control;
mod faults;
mod limits;
mod media;
mod reads;
mod sends;
mod states;
mod virtual_time;
mod virtual_webhooks;
mod webhooks;

use super::{NumberSpec, Sim, SimConfig};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Two numbers, `1001` and `1002`, and nothing else.
pub(super) fn two_numbers() -> SimConfig {
    SimConfig::with_numbers([NumberSpec::new("1001"), NumberSpec::new("1002")])
}

/// The same, with «seconds» of about seventeen minutes, which no test outlasts.
pub(super) fn slow_time() -> SimConfig {
    SimConfig { scale_throughput: true, time_scale: 0.001, ..two_numbers() }
}

/// A text message with callback data.
pub(super) fn text(to: &str, callback: &str) -> Value {
    json!({
        "messaging_product": "whatsapp", "to": to, "type": "text",
        "text": { "body": "hello" }, "biz_opaque_callback_data": callback,
    })
}

/// A template message without parameters.
pub(super) fn template(to: &str, name: &str) -> Value {
    json!({
        "messaging_product": "whatsapp", "to": to, "type": "template",
        "template": { "name": name, "language": { "code": "en_US" } },
    })
}

/// An answer, read as far as it came.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the body was as long as its head promised.
    pub(super) whole: bool,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn code(&self) -> u64 {
        self.json()["error"]["code"].as_u64().unwrap()
    }
}

/// A connection that is used as long as it lasts.
pub(super) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    pub(super) async fn call(&mut self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> io::Result<Got> {
        self.call_with("application/json", (method, path), token, body).await
    }

    /// A call whose body is of this type.
    pub(super) async fn call_with(
        &mut self,
        content_type: &str,
        (method, path): (&str, &str),
        token: Option<&str>,
        body: &[u8],
    ) -> io::Result<Got> {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: sim\r\n{authorization}Content-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await?;
        self.read().await
    }

    async fn read(&mut self) -> io::Result<Got> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let promised = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())
                    .unwrap_or(0);
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let mut body = bytes.split_off(end + 4);
                while body.len() < promised {
                    if self.stream.read_buf(&mut body).await? == 0 {
                        break;
                    }
                }
                return Ok(Got { status, head, whole: body.len() == promised, body });
            }
            if self.stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(super) async fn send(&mut self, number: &str, message: &Value) -> io::Result<Got> {
        self.call("POST", &format!("/v23.0/{number}/messages"), Some("secret"), message.to_string().as_bytes()).await
    }
}

/// One request on a connection of its own.
pub(super) async fn call(sim: &Sim, method: &str, path: &str, body: &str) -> Got {
    let mut client = Client::connect(sim.address()).await;
    client.call(method, path, Some("secret"), body.as_bytes()).await.unwrap()
}
