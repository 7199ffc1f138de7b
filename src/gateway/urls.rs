//! Where devices find their gateway and their ostree server.
//!
//! The configuration says so; where it does not, the DNS names of the gateway's TLS certificate do, because devices will
//! compare them with the address they connect to anyway.

use crate::config::GatewayConfig;
use crate::url::ServerUrl;
use crate::x509::Certificate;
use crate::x509::certificate::CertificateError;

/// The addresses a device is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUrls {
    /// The device gateway.
    pub gateway: ServerUrl,
    /// The ostree server.
    pub ostree: ServerUrl,
}

/// Why the addresses are not known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// The gateway's TLS certificate.
    #[error("the gateway's TLS certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// A DNS name no device can connect to.
    #[error(
        "the gateway's TLS certificate names the host `{}`, wanted is a DNS name without wildcard",
        .0.escape_debug()
    )]
    Host(String),
    /// Neither the configuration nor a certificate.
    #[error(
        "`gateway.url` is not configured, and there is no TLS certificate of the gateway to read it from"
    )]
    Missing,
    /// A certificate that names no host.
    #[error("the gateway's TLS certificate has no DNS name in its subjectAltName")]
    NoName,
}

impl GatewayUrls {
    /// What the configuration says; where it is silent, what the gateway's TLS certificate says (PEM, the gateway's own
    /// certificate first).
    ///
    /// An explicit `url` without `ostree-url` is the address of both.
    pub fn find(config: &GatewayConfig, tls: Option<&[u8]>) -> Result<GatewayUrls, UrlError> {
        let (gateway, ostree) = match (&config.url, &config.ostree_url) {
            (Some(gateway), Some(ostree)) => (gateway.clone(), ostree.clone()),
            (Some(gateway), None) => (gateway.clone(), gateway.clone()),
            (None, ostree) => {
                let named = GatewayUrls::from_certificate(tls.ok_or(UrlError::Missing)?)?;
                let ostree = ostree.clone().unwrap_or(named.ostree);
                (named.gateway, ostree)
            }
        };
        Ok(GatewayUrls { gateway, ostree })
    }

    /// `https://<first DNS name>:8443` and `https://<second DNS name>:8443`; one name is both.
    pub fn from_certificate(pem: &[u8]) -> Result<GatewayUrls, UrlError> {
        let chain = Certificate::all_from_pem(pem)?;
        let names = chain
            .first()
            .map_or(Ok(Vec::new()), Certificate::dns_names)?;
        let first = names.first().ok_or(UrlError::NoName)?;
        let second = names.get(1).unwrap_or(first);
        let url = |name: &String| {
            ServerUrl::of_host(name, PORT).ok_or_else(|| UrlError::Host(name.clone()))
        };
        Ok(GatewayUrls {
            gateway: url(first)?,
            ostree: url(second)?,
        })
    }
}

/// Where Foundries' device gateway listens.
const PORT: u16 = 8443;

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> String {
        let mut wanted = rcgen::CertificateParams::default();
        let dns = |name: &&str| rcgen::SanType::DnsName((*name).try_into().unwrap());
        wanted.subject_alt_names = names.iter().map(dns).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        wanted.self_signed(&key).unwrap().pem()
    }

    fn config(url: Option<&str>, ostree: Option<&str>) -> GatewayConfig {
        let read = |text: Option<&str>| text.map(|text| ServerUrl::https(text).unwrap());
        GatewayConfig {
            url: read(url),
            ostree_url: read(ostree),
            sections: Vec::new(),
        }
    }

    fn found(config: &GatewayConfig, names: Option<&[&str]>) -> Result<[String; 2], String> {
        let pem = names.map(certificate);
        GatewayUrls::find(config, pem.as_ref().map(String::as_bytes))
            .map(|urls| [urls.gateway.to_string(), urls.ostree.to_string()])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_configuration_comes_first_then_the_certificate() {
        let (a, b) = (Some("https://a.example"), Some("https://b.example"));
        let one: Option<&[&str]> = Some(&["gw.example"]);
        let two: Option<&[&str]> = Some(&["gw.example", "ostree.example"]);
        for (config, names, wanted) in [
            (
                config(a, b),
                None,
                ["https://a.example", "https://b.example"],
            ),
            (
                config(a, None),
                two,
                ["https://a.example", "https://a.example"],
            ),
            (
                config(None, None),
                one,
                ["https://gw.example:8443", "https://gw.example:8443"],
            ),
            (
                config(None, None),
                two,
                ["https://gw.example:8443", "https://ostree.example:8443"],
            ),
            (
                config(None, b),
                two,
                ["https://gw.example:8443", "https://b.example"],
            ),
        ] {
            assert_eq!(found(&config, names), Ok(wanted.map(str::to_owned)));
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        let nothing = config(None, None);
        for (names, wanted) in [
            (
                None,
                "`gateway.url` is not configured, and there is no TLS certificate of the gateway to read it from",
            ),
            (
                Some(&[][..]),
                "the gateway's TLS certificate has no DNS name in its subjectAltName",
            ),
            (
                Some(&["*.example"][..]),
                "the gateway's TLS certificate names the host `*.example`, wanted is a DNS name without wildcard",
            ),
            (
                Some(&["gw.example", "gw.example/\n"][..]),
                "the gateway's TLS certificate names the host `gw.example/\\n`, wanted is a DNS name without wildcard",
            ),
        ] {
            assert_eq!(found(&nothing, names), Err(wanted.to_owned()));
        }
        let error = GatewayUrls::from_certificate(b"no PEM").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "there is text outside the PEM blocks");
    }

    #[test]
    fn of_a_chain_the_first_certificate_counts() {
        let chain = certificate(&["gw.example"]) + &certificate(&["ca.example"]);
        let urls = GatewayUrls::from_certificate(chain.as_bytes()).unwrap();
        assert_eq!(urls.gateway.as_str(), "https://gw.example:8443");
        assert_eq!(urls.ostree.as_str(), "https://gw.example:8443");
    }
}
