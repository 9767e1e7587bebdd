//! Who signed a body: HMAC-SHA256 with one of the secrets that are valid now. Compared in constant time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use super::Texts;
use crate::clock::Mono;

const HEADER: &str = "x-hub-signature-256";

/// The secrets that a signature may be made with. One that was taken out of its file stays valid for a while: Meta
/// and we do not change at the same moment.
pub struct Secrets {
    read: Texts,
    rotation: Duration,
    known: Mutex<Vec<Known>>,
}

/// What a request says about who signed it.
pub(super) struct Signature([u8; 32]);

struct Known {
    text: String,
    /// Since when it is seen to be gone.
    gone: Option<Mono>,
}

impl Secrets {
    /// Reads the secrets anew for each request; one that is gone is valid for `rotation` more.
    pub fn new(read: Texts, rotation: Duration) -> Self {
        let secrets = Self { read, rotation, known: Mutex::default() };
        secrets.valid(Mono::default());
        secrets
    }

    /// Whether nobody told how webhooks are signed.
    pub fn is_empty(&self) -> bool {
        (self.read)().is_empty()
    }

    /// Whether one of the valid secrets made this signature of this body.
    pub(super) fn signed(&self, signature: &Signature, body: &[u8], now: Mono) -> bool {
        let verified = |secret: &String| mac(secret.as_bytes(), body).verify_slice(&signature.0).is_ok();
        self.valid(now).iter().any(verified)
    }

    fn valid(&self, now: Mono) -> Vec<String> {
        let current = (self.read)();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for Known { text, gone } in known.iter_mut() {
            *gone = if current.contains(text) { None } else { Some(gone.unwrap_or(now)) };
        }
        known.retain(|secret| secret.gone.is_none_or(|gone| now.since(gone) < self.rotation));
        for text in current {
            if known.iter().all(|secret| secret.text != text) {
                known.push(Known { text, gone: None });
            }
        }
        known.iter().map(|secret| secret.text.clone()).collect()
    }
}

impl Signature {
    /// Of the one header that has it: `sha256=` and 64 hexadecimal digits.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let digits = value.as_bytes().strip_prefix(b"sha256=")?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        bytes?.try_into().ok().map(Self)
    }
}

/// Whether two texts are the same, in a time that tells nothing of how they differ.
pub(super) fn same_text(one: &str, other: &str) -> bool {
    const KEY: &[u8] = b"only lengths that are alike can be compared in constant time";
    mac(KEY, one.as_bytes()).verify_slice(&mac(KEY, other.as_bytes()).finalize().into_bytes()).is_ok()
}

fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(message);
    mac
}

/// The header's value that Meta would send.
#[cfg(test)]
pub(super) fn sign(secret: &str, body: &[u8]) -> String {
    let digits = mac(secret.as_bytes(), body).finalize().into_bytes().into_iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER.parse().unwrap(), value.parse().unwrap())])
    }

    fn at(seconds: u64) -> Mono {
        Mono::from_nanos(seconds * 1_000_000_000)
    }

    /// Secrets that a test can change.
    fn changing(first: &[&str]) -> (Secrets, impl Fn(&[&str])) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let texts = Arc::new(Mutex::new(owned(first)));
        let read = texts.clone();
        let secrets = Secrets::new(Arc::new(move || read.lock().unwrap().clone()), HOUR);
        (secrets, move |now| *texts.lock().unwrap() = owned(now))
    }

    #[test]
    fn a_known_vector_is_verified() {
        // RFC 4231, test case 2.
        let value = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign("Jefe", b"what do ya want for nothing?"), value);
        let (secrets, _) = changing(&["other", "Jefe"]);
        let signature = Signature::read(&header(value)).unwrap();
        assert!(secrets.signed(&signature, b"what do ya want for nothing?", at(0)));
        assert!(!secrets.signed(&signature, b"what do ya want for nothing!", at(0)));
        let shouted = Signature::read(&header(&value.to_uppercase().replace("SHA", "sha"))).unwrap();
        assert!(secrets.signed(&shouted, b"what do ya want for nothing?", at(0)));
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let good = sign("a", b"b");
        let long = format!("{good}00");
        let twice = format!("{good},{good}");
        for wrong in ["", "sha256=", "sha1=00", &good[..70], &good[7..], &long, &twice, &good.replace('=', " = ")] {
            assert!(Signature::read(&header(wrong)).is_none(), "{wrong}");
        }
        let letter = format!("sha256={}g", &good[7..70]);
        assert!(Signature::read(&header(&letter)).is_none());
        let mut two = header(&good);
        two.append(HEADER, good.parse().unwrap());
        assert!(Signature::read(&two).is_none(), "nobody knows which of two counts");
        assert!(Signature::read(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_secret_that_was_replaced_stays_valid_for_the_rotation() {
        let (secrets, change) = changing(&["old"]);
        let signed =
            |secret: &str, now| secrets.signed(&Signature::read(&header(&sign(secret, b"x"))).unwrap(), b"x", now);
        assert!(signed("old", at(0)) && !signed("new", at(0)));
        change(&["new"]);
        assert!(signed("new", at(10_000)) && signed("old", at(10_000)));
        assert!(signed("old", at(10_000 + 3_599)));
        assert!(signed("new", at(10_000 + 3_600)) && !signed("old", at(10_000 + 3_600)));
        change(&["new", "old"]);
        assert!(signed("old", at(20_000)), "it came back");
    }

    #[test]
    fn texts_are_the_same_or_not() {
        assert!(same_text("token", "token") && same_text("", ""));
        assert!(!same_text("token", "toke") && !same_text("token", "token\0") && !same_text("", "x"));
    }
}
