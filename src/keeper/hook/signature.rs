//! The signature of Standard Webhooks, version 1: HMAC-SHA256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What begins the usual form of a key: the rest is base64.
const PREFIX: &str = "whsec_";

/// A signing key.
pub struct Key(Vec<u8>);

impl Key {
    /// From `whsec_` and base64, or from any other text as it is.
    pub fn new(text: &str) -> Self {
        let decoded = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        Self(decoded.unwrap_or_else(|| text.as_bytes().to_vec()))
    }

    /// The header's value. `at` is in seconds since 1970.
    pub(super) fn sign(&self, id: &str, at: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_specifications_example_is_signed_as_it_says() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_no_base64_is_taken_as_it_is() {
        assert_ne!(Key::new("plain").sign("a", 1, "b"), Key::new("whsec_").sign("a", 1, "b"));
    }
}
