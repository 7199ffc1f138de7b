//! Where a request comes from, behind proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use ipnet::IpNet;

/// The address of the client: the peer's, or, when the peer is a trusted proxy, the last address in
/// `X-Forwarded-For` that no trusted proxy has.
///
/// Whoever connects directly can write that header, so it counts only what trusted proxies added. An element that is
/// no address, or no text at all, ends the search: the proxy that passed it on is the client. Passing over it would
/// believe what stands before it, which is the client's own writing.
pub(super) fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.ip().to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|octet| *octet == b','));
    for hop in hops {
        if !is_trusted(client) {
            break;
        }
        match std::str::from_utf8(hop).ok().and_then(address) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let parsed: Option<IpAddr> = text
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|found| found.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    parsed.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&[u8]]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            let line = hyper::header::HeaderValue::from_bytes(line).unwrap();
            headers.append("x-forwarded-for", line);
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, wanted) in [
            ("192.0.2.7:1", &["198.51.100.1"] as &[&str], "192.0.2.7"),
            ("10.0.0.1:1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1:1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            (
                "10.0.0.1:1",
                &["203.0.113.9", "198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            ("10.0.0.1:1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1:1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1:1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1:1", &["198.51.100.1, nonsense"], "10.0.0.1"),
            ("10.0.0.1:1", &[], "10.0.0.1"),
            ("[::1]:1", &["198.51.100.1"], "198.51.100.1"),
            ("[::ffff:10.0.0.1]:1", &["198.51.100.1"], "198.51.100.1"),
        ] {
            let lines: Vec<&[u8]> = forwarded.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(found(peer, &lines), wanted, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn what_is_no_text_hides_nothing_and_lets_nothing_through() {
        for (forwarded, wanted) in [
            (
                &[b"203.0.113.9".as_slice(), b"\xff, 198.51.100.1"] as &[&[u8]],
                "198.51.100.1",
            ),
            (&[b"203.0.113.9", b"\xff"], "10.0.0.1"),
            (&[b"203.0.113.9, \xff"], "10.0.0.1"),
            (&[b"203.0.113.9, \xff, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(found("10.0.0.1:1", forwarded), wanted, "{forwarded:?}");
        }
    }
}
