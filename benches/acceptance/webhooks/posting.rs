//! A client that posts as Meta does: signed, over connections that it keeps.

use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::SECRET;

/// A request's head, signed, for a body of this length.
pub fn head(body: &[u8], length: usize) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "POST /webhook/whatsapp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n"
    )
}

/// One connection.
pub struct Poster {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Poster {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is open");
        Self { address, stream: BufReader::new(stream) }
    }

    /// The answer's status, and how long it took. A connection that was closed meanwhile is opened anew.
    pub async fn post(&mut self, body: &[u8]) -> (u16, Duration) {
        let request = [head(body, body.len()).as_bytes(), body].concat();
        let begun = Instant::now();
        loop {
            if let Ok(status) = self.exchange(&request).await {
                return (status, begun.elapsed());
            }
            if begun.elapsed() > Duration::from_secs(30) {
                return (0, begun.elapsed());
            }
            *self = Self::connect(self.address).await;
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<u16> {
        self.stream.get_mut().write_all(request).await?;
        let (mut status, mut length) = (0, 0);
        for n in 0.. {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if n == 0 {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        self.stream.read_exact(&mut vec![0; length]).await?;
        Ok(status)
    }
}
