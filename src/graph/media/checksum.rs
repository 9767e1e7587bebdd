//! A file's SHA-256, which Meta writes in two ways.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A SHA-256; printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(Sha256::new_with_prefix(bytes))
    }

    /// From a text: in hexadecimal, as look-ups have it, or in base64, as webhooks do.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = match text.len() {
            64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => (0..32)
                .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16))
                .collect::<Result<Vec<_>, _>>()
                .expect("two digits fit a byte"),
            _ => STANDARD.decode(text).ok()?,
        };
        bytes.try_into().ok().map(Self)
    }
}

impl From<Sha256> for Checksum {
    fn from(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_known_in_both_ways() {
        let abc = Checksum::of(b"abc");
        assert_eq!(abc.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let upper = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        for text in [&abc.to_string(), upper, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="] {
            assert_eq!(Checksum::parse(text), Some(abc), "{text}");
        }
        for wrong in ["", "be78", "ungWv48B", &upper.replace('B', "G"), "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ"]
        {
            assert_eq!(Checksum::parse(wrong), None, "{wrong}");
        }
    }
}
