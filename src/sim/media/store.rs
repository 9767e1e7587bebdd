//! The files themselves, and the addresses under which they can be fetched for a while. No I/O, no clock of its own.

use crate::sim::limits::{INBOUND_MEDIA_LIVES, MEDIA_LINK_LIVES, MEDIA_LIVES};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

/// Bytes kept at most, each file with some more for what is known about it; past that, the oldest files go.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// What a file costs besides its bytes.
const FILE_COST: usize = 512;
/// Ids begin here, so that they look like Meta's.
const FIRST_ID: u64 = 700_000_000_000_001;

/// A picture of one pixel, for customers who send one.
pub(crate) const SMALL_PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

/// A file.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    /// The place of the number that it belongs to.
    pub(crate) number: u32,
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
    pub(crate) sha256: [u8; 32],
    until_ns: u64,
}

impl Medium {
    /// Its checksum as reads show it.
    pub(crate) fn sha256_hex(&self) -> String {
        self.sha256.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        })
    }

    /// Its checksum as webhooks show it: in base64.
    pub(crate) fn sha256_base64(&self) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for three in self.sha256.chunks(3) {
            let bits = three.iter().enumerate().fold(0u32, |bits, (n, byte)| bits | u32::from(*byte) << (16 - 8 * n));
            for n in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * n)) as usize & 63];
                text.push(if n <= three.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }
}

/// All files.
#[derive(Debug)]
pub(crate) struct MediaStore {
    media: HashMap<u64, Medium>,
    order: VecDeque<u64>,
    bytes: usize,
    next_id: u64,
    scale: f64,
    /// Makes addresses that nobody can guess, and none of another run.
    secret: [u8; 32],
}

impl MediaStore {
    /// An empty one. So many simulated seconds pass in a real one.
    pub(crate) fn new(time_scale: f64) -> Self {
        Self {
            media: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            next_id: FIRST_ID,
            scale: time_scale,
            secret: rand::random(),
        }
    }

    /// Keeps a file that the business uploaded: gives its id.
    pub(crate) fn upload(&mut self, number: u32, mime_type: &str, bytes: Bytes, now_ns: u64) -> u64 {
        let until_ns = now_ns.saturating_add(crate::sim::scaled_ns(MEDIA_LIVES, self.scale));
        self.keep(number, mime_type, bytes, until_ns)
    }

    /// Keeps a file that a customer sent.
    pub(crate) fn receive(&mut self, number: u32, mime_type: &str, bytes: Bytes, now_ns: u64) -> u64 {
        let until_ns = now_ns.saturating_add(crate::sim::scaled_ns(INBOUND_MEDIA_LIVES, self.scale));
        self.keep(number, mime_type, bytes, until_ns)
    }

    fn keep(&mut self, number: u32, mime_type: &str, bytes: Bytes, until_ns: u64) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.bytes += bytes.len() + FILE_COST;
        let sha256 = Sha256::digest(&bytes).into();
        self.media.insert(id, Medium { number, mime_type: mime_type.to_owned(), bytes, sha256, until_ns });
        self.order.push_back(id);
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.remove(oldest);
        }
        id
    }

    /// The file with this id, if it is there and still lives.
    pub(crate) fn find(&self, id: &str, now_ns: u64) -> Option<(u64, &Medium)> {
        let id: u64 = id.parse().ok()?;
        let medium = self.media.get(&id).filter(|medium| now_ns < medium.until_ns)?;
        Some((id, medium))
    }

    /// Forgets a file.
    pub(crate) fn remove(&mut self, id: u64) {
        if let Some(medium) = self.media.remove(&id) {
            self.bytes -= medium.bytes.len() + FILE_COST;
        }
    }

    /// The end of an address under which the file can be fetched for five minutes.
    pub(crate) fn link(&self, id: u64, now_ns: u64) -> String {
        let until_ns = now_ns.saturating_add(crate::sim::scaled_ns(MEDIA_LINK_LIVES, self.scale));
        format!("{id}?ext={until_ns}&hash={}", self.hash(id, until_ns))
    }

    /// Whether an address was given out by [`MediaStore::link`], and is still good.
    pub(crate) fn is_good_link(&self, id: u64, until_ns: u64, hash: &str, now_ns: u64) -> bool {
        now_ns < until_ns && hash == self.hash(id, until_ns)
    }

    fn hash(&self, id: u64, until_ns: u64) -> String {
        let digest =
            Sha256::new().chain_update(self.secret).chain_update(id.to_be_bytes()).chain_update(until_ns.to_be_bytes());
        digest.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_until_its_time_is_up_and_a_link_for_five_minutes() {
        let mut store = MediaStore::new(30.0 * 86_400.0);
        let second = 1_000_000_000;
        let uploaded = store.upload(0, "image/png", Bytes::from_static(b"abc"), 0);
        let received = store.receive(0, "image/png", Bytes::from_static(b"abc"), 0);
        assert!(store.find(&uploaded.to_string(), second - 1).is_some());
        assert!(store.find(&uploaded.to_string(), second).is_none());
        assert!(store.find(&received.to_string(), second / 4).is_none());
        let link = store.link(uploaded, 0);
        let (until, hash) = link.split_once("?ext=").unwrap().1.split_once("&hash=").unwrap();
        let until: u64 = until.parse().unwrap();
        assert_eq!(until, 300 * second / (30 * 86_400));
        assert!(store.is_good_link(uploaded, until, hash, until - 1));
        assert!(!store.is_good_link(uploaded, until, hash, until));
        assert!(!store.is_good_link(received, until, hash, 0) && !store.is_good_link(uploaded, until + 1, hash, 0));
    }

    #[test]
    fn the_oldest_files_make_room() {
        let mut store = MediaStore::new(1.0);
        let large = Bytes::from(vec![0; 100 * 1024 * 1024]);
        let ids: Vec<u64> = (0..3).map(|_| store.upload(0, "text/plain", large.clone(), 0)).collect();
        let there: Vec<bool> = ids.iter().map(|id| store.find(&id.to_string(), 1).is_some()).collect();
        assert_eq!(there, [false, true, true]);
        store.remove(ids[1]);
        assert_eq!(store.bytes, large.len() + FILE_COST);
    }

    #[test]
    fn a_checksum_is_written_in_both_ways() {
        let mut store = MediaStore::new(1.0);
        let id = store.upload(0, "text/plain", Bytes::from_static(b"abc"), 0);
        let (_, medium) = store.find(&id.to_string(), 0).unwrap();
        assert_eq!(medium.sha256_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(medium.sha256_base64(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }
}
