//! Addresses of servers: `https://HOST`, a port if need be, and nothing else.
//!
//! A path, a query, a user's name or a control character in such a place is a mistake or an attack: what looks like one
//! host could be read as another. So there is one narrow grammar, and everything outside of it is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address of a server, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    is_encrypted: bool,
}

/// What [`ServerUrl::https`] wants.
pub const HTTPS: &str = "`https://`, a host, a port if need be, and no path";

/// What [`ServerUrl::https_or_loopback`] wants.
pub const HTTPS_OR_LOOPBACK: &str =
    "`https://`, a host, a port if need be, and no path (`http://` for this machine only)";

impl ServerUrl {
    /// Reads `https://HOST` or `https://HOST:PORT`; one slash at the end is dropped. `None` for anything else.
    ///
    /// A host is a DNS name in ASCII (RFC 1123 section 2.1), an IPv4 address, or an IPv6 address in brackets.
    pub fn https(text: &str) -> Option<ServerUrl> {
        let authority = text.strip_prefix("https://")?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        host_of(authority)?;
        Some(ServerUrl {
            text: format!("https://{authority}"),
            is_encrypted: true,
        })
    }

    /// Reads what [`ServerUrl::https`] reads, and `http://` where the host is this machine: what is sent there does not
    /// cross a wire. `localhost`, 127.0.0.0/8 and ::1 are this machine.
    pub fn https_or_loopback(text: &str) -> Option<ServerUrl> {
        let Some(authority) = text.strip_prefix("http://") else {
            return ServerUrl::https(text);
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        host_of(authority)?.is_loopback().then(|| ServerUrl {
            text: format!("http://{authority}"),
            is_encrypted: false,
        })
    }

    /// The server with that DNS name and port. `None` for a wildcard and for whatever else is no host.
    pub fn of_host(name: &str, port: u16) -> Option<ServerUrl> {
        match Host::parse(name)? {
            Host::Name(_) => ServerUrl::https(&format!("https://{name}:{port}")),
            Host::Address(_) => None,
        }
    }

    /// The address, as in `https://gateway.example:8443`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is https.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

impl Host<'_> {
    fn parse(text: &str) -> Option<Host<'_>> {
        if let Some(address) = text.strip_prefix('[') {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Host::Address(address.into()));
        }
        let labels = || text.split('.');
        let sound = text.len() <= LONGEST_HOST && labels().all(is_label);
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        match labels().next_back().is_some_and(is_number) {
            // A name whose last label is a number would be read as an address.
            true => Some(Host::Address(text.parse::<Ipv4Addr>().ok()?.into())),
            false => sound.then_some(Host::Name(text)),
        }
    }

    fn is_loopback(&self) -> bool {
        match self {
            Host::Name(name) => *name == "localhost",
            Host::Address(address) => address.is_loopback(),
        }
    }
}

/// Splits `HOST` or `HOST:PORT` and checks both.
fn host_of(authority: &str) -> Option<Host<'_>> {
    // The colons of an IPv6 address stand before its bracket.
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[end..].find(':') else {
        return Host::parse(authority);
    };
    let (host, port) = authority.split_at(end + colon);
    is_port(&port[1..]).then(|| Host::parse(host)).flatten()
}

fn is_port(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

fn is_label(label: &str) -> bool {
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(sane)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// RFC 1035 section 2.3.4, written without the final dot.
const LONGEST_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_without_the_final_slash() {
        for (text, wanted) in [
            ("https://gw.example", "https://gw.example"),
            ("https://gw.example/", "https://gw.example"),
            ("https://gw.example:8443", "https://gw.example:8443"),
            ("https://gw.example:8443/", "https://gw.example:8443"),
            ("https://gateway", "https://gateway"),
            ("https://10.0.0.1:443", "https://10.0.0.1:443"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
            ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
            ),
            ("https://3.example", "https://3.example"),
        ] {
            let read = ServerUrl::https(text).unwrap();
            assert_eq!(read.to_string(), wanted);
            assert!(read.is_encrypted());
            assert_eq!(ServerUrl::https_or_loopback(text), Some(read));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long_label = format!("https://{}.example", "a".repeat(64));
        let long_name = format!("https://{}", ["a".repeat(62).as_str(); 5].join("."));
        for text in [
            "",
            "gw.example",
            "http://gw.example",
            "HTTPS://gw.example",
            "ftp://gw.example",
            "https:gw.example",
            "https://",
            "https:///",
            "https://gw.example//",
            "https://gw.example/ota",
            "https://gw.example?x",
            "https://gw.example/?x",
            "https://gw.example#x",
            "https://user@gw.example",
            "https://user:secret@gw.example",
            "https://127.0.0.1@gw.example",
            "https://gw.example:",
            "https://gw.example:0",
            "https://gw.example:08443",
            "https://gw.example:65536",
            "https://gw.example:+1",
            "https://gw.example:8443:1",
            "https://:8443",
            "https://gw..example",
            "https://gw.example.",
            "https://.example",
            "https://-gw.example",
            "https://gw-.example",
            "https://gw_1.example",
            "https://*.example",
            "https://bücher.example",
            "https://gw.example\n",
            " https://gw.example",
            "https://gw.ex ample",
            "https://gw.example\\@evil",
            "https://1.2.3",
            "https://1.2.3.256",
            "https://gw.7",
            "https://2001:db8::1",
            "https://[2001:db8::1",
            "https://[gw.example]",
            "https://[::1]x",
            &long_label,
            &long_name,
        ] {
            assert_eq!(ServerUrl::https(text), None, "{text}");
            assert_eq!(ServerUrl::https_or_loopback(text), None, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for text in [
            "http://127.0.0.1:8080",
            "http://127.1.2.3",
            "http://localhost:8080/",
            "http://[::1]:8080",
        ] {
            assert!(ServerUrl::https(text).is_none(), "{text}");
            let read = ServerUrl::https_or_loopback(text).unwrap();
            assert!(!read.is_encrypted());
            assert_eq!(read.as_str(), text.trim_end_matches('/'));
        }
        for text in [
            "http://128.0.0.1",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://localhost@gw.example",
            "http://0.0.0.0",
            "http://[::]",
        ] {
            assert_eq!(ServerUrl::https_or_loopback(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_becomes_an_address() {
        let url = |name| ServerUrl::of_host(name, 8443).map(|url| url.to_string());
        assert_eq!(
            url("gw.example"),
            Some("https://gw.example:8443".to_owned())
        );
        for name in [
            "*.example",
            "",
            "gw.example:1",
            "10.0.0.1",
            "[::1]",
            "a/b",
            "a@b",
        ] {
            assert_eq!(url(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_stays_on_one_line_and_names_one_host(text in "(https?://)?[a-z0-9.:@/?#\\[\\]\\\\ \n-]{0,30}") {
            if let Some(url) = ServerUrl::https_or_loopback(&text) {
                let rest = url.as_str().split_once("://").unwrap().1;
                prop_assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b".:[]-".contains(&b)));
                prop_assert_eq!(ServerUrl::https_or_loopback(url.as_str()), Some(url));
            }
        }
    }
}
