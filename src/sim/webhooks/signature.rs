//! `X-Hub-Signature-256`: HMAC-SHA256 of the raw body under the app secret
//! (<https://developers.facebook.com/docs/graph-api/webhooks/getting-started>, copy read 2026-11-20).

use super::config::AppSecret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt::Write as _;

/// The header that carries the signature.
pub(super) const HEADER: &str = "X-Hub-Signature-256";

/// The header's value for this body.
pub(super) fn sign(secret: &AppSecret, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.0.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    let mut value = String::from("sha256=");
    for byte in mac.finalize().into_bytes() {
        write!(value, "{byte:02x}").expect("a string takes everything");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn it_is_hmac_sha256_in_hexadecimal() {
        assert_eq!(
            sign(&AppSecret("Jefe".to_owned()), b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
