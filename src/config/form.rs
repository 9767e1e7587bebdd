//! Forms that several groups share: addresses, URLs, Meta's ids, names.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

use url::Url;

/// By the type's own parser, in its own words.
pub fn parsed<T>(text: &str) -> Result<T, String>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|cause: T::Err| cause.to_string())
}

/// Where to listen: `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let refused = |_| "an address looks like \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"".to_owned();
    numeric.as_deref().unwrap_or(text).parse().map_err(refused)
}

/// An HTTP address without a fragment.
pub fn http_url(text: &str) -> Result<Url, String> {
    let allowed = || "a URL looks like \"https://host/path\"".to_owned();
    let url = Url::parse(text.trim()).map_err(|_| allowed())?;
    let fits = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.fragment().is_none();
    fits.then_some(url).ok_or_else(allowed)
}

/// One of Meta's ids: digits.
pub fn meta_id(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.to_owned()).ok_or_else(|| "an id of Meta's consists of 1 to 32 digits".to_owned())
}

/// The name of a pool.
pub fn pool_name(text: &str) -> Result<String, String> {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let fits = text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(rest);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a name begins with a-z and consists of at most 64 of a-z, 0-9, _ and -".to_owned())
}

/// A word for a schema or a prefix of queues' names.
pub fn identifier(text: &str) -> Result<String, String> {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let fits = text.len() <= 63 && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(rest);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a name begins with a-z and consists of at most 63 of a-z, 0-9 and _".to_owned())
}

/// What may stand in an HTTP header: a credential.
pub fn credential(text: &str) -> Result<(), String> {
    let fits = text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(()).ok_or_else(|| "a credential has no spaces, line ends or letters outside ASCII".to_owned())
}

/// What is shared with Meta by hand: any text.
pub fn shared_secret(text: &str) -> Result<(), String> {
    let fits = !text.contains(char::is_control);
    fits.then_some(()).ok_or_else(|| "a secret has no line ends or control characters".to_owned())
}

/// Several of these, with commas or line ends between them.
pub fn shared_secrets(text: &str) -> Result<(), String> {
    listed(text).try_for_each(shared_secret)
}

/// What stands in a list with commas or line ends between.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

/// An HTTP address that may carry a credential in its path or query.
pub fn secret_http_url(text: &str) -> Result<(), String> {
    http_url(text).map(|_| ())
}

/// Whom a URL speaks to, without user, password, path and query, any of which may be secret.
pub fn host_of(text: &str) -> String {
    let Ok(url) = Url::parse(text) else {
        return "***".to_owned();
    };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}/***", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        assert_eq!(host_of("amqp://user:canary@broker:5672/v?x=canary"), "amqp://broker:5672/***");
        assert_eq!(host_of("https://hooks.example/canary"), "https://hooks.example/***");
        assert_eq!(host_of("canary"), "***");
    }

    #[test]
    fn localhost_is_an_address() {
        assert_eq!(address("localhost:8080"), address("127.0.0.1:8080"));
        assert!(address("8080").is_err());
    }
}
