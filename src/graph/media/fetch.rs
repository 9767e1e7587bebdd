//! Fetches a file's bytes from where Meta says that they lie, if that is a place that may see the token.

use http::{Method, StatusCode, header};
use reqwest::Response;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use url::{Host, Url};

use super::{Checksum, Media, MediaError, MediaId, Medium, time_for};
use crate::graph::ask;
use crate::graph::{AskError, Credential};

/// Where Meta keeps media; whole names, or what a name ends in.
const HOSTS: &[&str] = &["lookaside.fbsbx.com", ".fbcdn.net", ".facebook.com", ".whatsapp.net"];
/// Meta has not been seen to send anybody on; each step is checked like the first.
const MOST_STEPS: usize = 3;

impl Media {
    /// Looks a file up and writes it out, at most so many bytes; says what it was.
    pub async fn fetch<Out: AsyncWrite + Unpin>(
        &self,
        id: &MediaId,
        credential: &Credential,
        most: u64,
        out: &mut Out,
    ) -> Result<Medium, MediaError> {
        let medium = self.look_up(id, None, credential).await?;
        self.download(&medium, credential, most, out).await?;
        Ok(medium)
    }

    /// Writes out a file that was looked up, at most so many bytes. If its address is over, asks for another, once.
    ///
    /// After an error, what was written may be the beginning of the file, and must not be used.
    pub async fn download<Out: AsyncWrite + Unpin>(
        &self,
        medium: &Medium,
        credential: &Credential,
        most: u64,
        out: &mut Out,
    ) -> Result<(), MediaError> {
        let size = medium.file_size.unwrap_or(most);
        check_size(medium, size, most)?;
        let response = match self.open(&medium.url, credential, size).await? {
            Some(response) => response,
            None => {
                let fresh = self.look_up(&medium.id, None, credential).await?;
                self.open(&fresh.url, credential, size).await?.ok_or(MediaError::Gone)?
            }
        };
        write_out(response, medium, most, out).await
    }

    /// An answer that brings a file of this size; none if there is none at this address.
    async fn open(&self, address: &str, credential: &Credential, size: u64) -> Result<Option<Response>, MediaError> {
        let unreadable = |problem: &str| AskError::Unreadable { http: 200, problem: problem.to_owned() };
        let mut url = Url::parse(address).map_err(|_| unreadable("the file's address is no URL"))?;
        for _ in 0..MOST_STEPS {
            if !may_see_the_token(&url, self.asker.base().url()) {
                let host = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
                return Err(MediaError::Foreign { host });
            }
            let request = self.asker.request(Method::GET, url.clone(), credential).timeout(time_for(size));
            let mut response = request.send().await.map_err(ask::unreachable)?;
            let status = response.status();
            if status.is_success() {
                return Ok(Some(response));
            } else if status == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            match onward(&url, &response) {
                Some(next) => url = next,
                None => {
                    let body = ask::whole(&mut response).await?;
                    return Err(ask::refused(status, response.headers(), &body).into());
                }
            }
        }
        Err(unreadable("the file's address leads on and on").into())
    }
}

/// Where a redirect leads.
fn onward(from: &Url, response: &Response) -> Option<Url> {
    let location = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection())?;
    from.join(location.to_str().ok()?).ok()
}

/// Whether this is an address of Meta's, or of the server that the configuration names.
fn may_see_the_token(url: &Url, base: &Url) -> bool {
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    if url.origin() == base.origin() {
        return true;
    }
    let is_of_meta =
        |name: &str| HOSTS.iter().any(|known| known == &name || known.starts_with('.') && name.ends_with(known));
    url.scheme() == "https"
        && url.port().is_none()
        && matches!(url.host(), Some(Host::Domain(name)) if is_of_meta(name))
}

fn check_size(medium: &Medium, size: u64, most: u64) -> Result<(), MediaError> {
    let too_large = || MediaError::TooLarge { mime_type: medium.mime_type.clone(), size, most };
    if size > most { Err(too_large()) } else { Ok(()) }
}

async fn write_out<Out: AsyncWrite + Unpin>(
    mut response: Response,
    medium: &Medium,
    most: u64,
    out: &mut Out,
) -> Result<(), MediaError> {
    let mut hasher = Sha256::new();
    let mut came = 0;
    while let Some(chunk) = response.chunk().await.map_err(ask::unreachable)? {
        came += chunk.len() as u64;
        check_size(medium, came, most)?;
        hasher.update(&chunk);
        out.write_all(&chunk).await.map_err(MediaError::Write)?;
    }
    out.flush().await.map_err(MediaError::Write)?;
    if medium.file_size.is_some_and(|size| size != came) {
        return Err(MediaError::Damaged("another number of bytes"));
    }
    let checksum = Checksum::from(hasher);
    match medium.sha256.as_deref() {
        Some(said) if Checksum::parse(said) != Some(checksum) => {
            Err(MediaError::Damaged("its checksum is another one"))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(url: &str, base: &str) -> bool {
        may_see_the_token(&url.parse().expect("a URL"), &base.parse().expect("a URL"))
    }

    #[test]
    fn only_metas_hosts_and_the_configured_one_see_the_token() {
        const META: &str = "https://graph.facebook.com";
        for url in [
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
            "https://scontent.xx.fbcdn.net/a",
            "https://LOOKASIDE.fbsbx.com:443/a",
            "https://graph.facebook.com/v25.0/1",
            "https://mmg.whatsapp.net/a",
        ] {
            assert!(may(url, META), "{url}");
        }
        for url in [
            "http://lookaside.fbsbx.com/a",
            "https://lookaside.fbsbx.com:8443/a",
            "https://other.fbsbx.com/a",
            "https://fbcdn.net/a",
            "https://evilfbcdn.net/a",
            "https://fbcdn.net.evil.example/a",
            "https://lookaside.fbsbx.com.evil.example/a",
            "https://evil.example/lookaside.fbsbx.com",
            "https://evil.example#.facebook.com",
            "https://graph.facebook.com@evil.example/a",
            "https://user:secret@graph.facebook.com/a",
            "https://a.facebook.com./a",
            "https://127.0.0.1/a",
            "https://[::1]/a",
            "ftp://a.facebook.com/a",
            "file:///etc/passwd",
            "data:text/plain,a",
        ] {
            assert!(!may(url, META), "{url}");
        }
    }

    #[test]
    fn a_reseller_or_a_simulator_sees_the_token_at_its_own_address() {
        assert!(may("http://127.0.0.1:8099/_media/1?ext=2", "http://127.0.0.1:8099"));
        assert!(!may("http://127.0.0.1:8098/_media/1", "http://127.0.0.1:8099"));
        assert!(!may("http://localhost:8099/_media/1", "http://127.0.0.1:8099"));
        assert!(may("https://waba.reseller.example/a", "https://waba.reseller.example/meta"));
        assert!(!may("http://waba.reseller.example/a", "https://waba.reseller.example"));
        assert!(!may("https://other.reseller.example/a", "https://waba.reseller.example"));
    }
}
