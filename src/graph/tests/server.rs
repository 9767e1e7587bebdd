//! A server on its own thread that does what its script says, connection by connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One thing that a server does on a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads a whole request.
    Read,
    /// Writes this.
    Write(Vec<u8>),
    /// Writes this again and again, a piece each few milliseconds, until the client has gone.
    Drip(&'static [u8]),
    /// Writes this again and again until the client has gone.
    Flood(&'static [u8]),
    /// Says that the client shall close first, by a FIN.
    Finish,
    /// Closes with a RST.
    Reset,
    /// Begins the script again.
    Again,
    /// Does nothing until the client has gone.
    Hang,
}

/// The server; its threads end when their clients have gone.
pub struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    /// One message for each connection that has ended: how many bytes came in.
    pub ended: UnboundedReceiver<usize>,
}

impl Server {
    /// Each connection goes through the same script.
    pub fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let accepted = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let (ended_sender, ended) = unbounded_channel();
        let (count, over) = (accepted.clone(), is_over.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let (script, ended) = (script.clone(), ended_sender.clone());
                thread::spawn(move || serve(stream.expect("accepted"), &script, &ended));
            }
        });
        Self { address, accepted, is_over, ended }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it notices.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, script: &[Step], ended: &UnboundedSender<usize>) {
    let mut received = 0;
    let mut steps = script.iter();
    while let Some(step) = steps.next() {
        let went = match step {
            Step::Read => read_request(&mut stream, &mut received),
            Step::Write(bytes) => stream.write_all(bytes),
            Step::Drip(piece) => drip(&mut stream, piece, Duration::from_millis(5)),
            Step::Flood(piece) => drip(&mut stream, piece, Duration::ZERO),
            Step::Finish => stream.shutdown(Shutdown::Write),
            Step::Reset => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            Step::Again => {
                steps = script.iter();
                Ok(())
            }
            Step::Hang => drain(&mut stream, &mut received),
        };
        if went.is_err() {
            break;
        }
        if matches!(step, Step::Reset) {
            drop(stream);
            let _ = ended.send(received);
            return;
        }
    }
    // What comes after our FIN counts too.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = drain(&mut stream, &mut received);
    let _ = ended.send(received);
}

fn drip(stream: &mut TcpStream, piece: &[u8], pause: Duration) -> std::io::Result<()> {
    loop {
        stream.write_all(piece)?;
        thread::park_timeout(pause);
    }
}

fn drain(stream: &mut TcpStream, received: &mut usize) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => *received += bytes,
        }
    }
}

fn read_request(stream: &mut TcpStream, received: &mut usize) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let bytes = stream.read(&mut buffer)?;
        if bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        *received += bytes;
        request.extend_from_slice(&buffer[..bytes]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse::<usize>().expect("a number") {
                return Ok(());
            }
        }
    }
}
