//! Who may speak to us: an allow-list of networks.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

const HEADER: &str = "x-forwarded-for";

/// An allow-list, and how a client's address is told behind proxies.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// Empty: everybody.
    pub allowed: Vec<IpNet>,
    /// How many proxies of ours stand before us; each adds to `X-Forwarded-For` whom it speaks to. None: the
    /// connection's own address counts, and the header, which anybody can write, does not.
    pub proxies: usize,
}

impl Networks {
    /// Whether a request of this peer may come in.
    pub(super) fn admit(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        let client = if self.proxies == 0 { Some(peer) } else { self.forwarded(headers) };
        client.is_some_and(|client| self.allowed.iter().any(|network| network.contains(&client.to_canonical())))
    }

    /// What the outermost of our proxies wrote: what stands further left, the client may have made up.
    fn forwarded(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(HEADER).iter().map(|line| line.to_str().unwrap_or_default());
        let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        let entry = entries.iter().rev().nth(self.proxies - 1)?.trim();
        entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allowed: &[&str], proxies: usize) -> Networks {
        Networks { allowed: allowed.iter().map(|network| network.parse().unwrap()).collect(), proxies }
    }

    fn admits(networks: &Networks, peer: &str, forwarded: &[&str]) -> bool {
        let headers = forwarded.iter().map(|line| (HEADER.parse().unwrap(), line.parse().unwrap()));
        networks.admit(peer.parse().unwrap(), &headers.collect())
    }

    #[test]
    fn an_empty_list_is_everybody() {
        assert!(admits(&networks(&[], 0), "203.0.113.9", &[]));
        assert!(admits(&networks(&[], 2), "::1", &[]));
    }

    #[test]
    fn without_proxies_only_the_peer_counts() {
        let list = networks(&["10.0.0.0/8", "2001:db8::/32"], 0);
        assert!(admits(&list, "10.1.2.3", &[]) && admits(&list, "2001:db8::7", &[]));
        assert!(admits(&list, "::ffff:10.1.2.3", &[]), "IPv4 on a socket of IPv6");
        assert!(!admits(&list, "11.0.0.1", &["10.1.2.3"]));
    }

    #[test]
    fn behind_proxies_what_the_outermost_wrote_counts() {
        let one = networks(&["10.0.0.0/8"], 1);
        assert!(admits(&one, "192.0.2.1", &["10.1.2.3"]));
        assert!(admits(&one, "192.0.2.1", &["203.0.113.9, 10.1.2.3:4711"]));
        assert!(!admits(&one, "192.0.2.1", &["10.1.2.3, 203.0.113.9"]), "the client made the first one up");
        assert!(!admits(&one, "10.1.2.3", &[]), "who comes without the proxy");
        assert!(!admits(&one, "10.1.2.3", &["unknown"]));
        let two = networks(&["10.0.0.0/8"], 2);
        assert!(admits(&two, "192.0.2.1", &["10.9.9.9, 10.1.2.3", "192.0.2.7"]));
        assert!(!admits(&two, "192.0.2.1", &["10.1.2.3"]));
    }
}
