//! The YAML of a profile, as it is written. [`Profile`](super::Profile) is its validated twin.

use serde::Deserialize;

/// One certificate profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileYaml {
    /// The name commands use; equal to the file name without `.yaml`.
    pub name: String,
    /// What kind of certificate it makes.
    pub kind: Kind,
    /// Which keys are certified.
    pub key: KeyYaml,
    /// How serial numbers are made.
    pub serial: SerialYaml,
    /// From when to when certificates are valid.
    pub validity: ValidityYaml,
    /// The subject, attribute by attribute, in order. Anything else in a request's subject is refused.
    pub subject: Vec<SubjectYaml>,
    /// Which alternative names may be asked for; without it none are taken over.
    pub subject_alternative_names: Option<AlternativeNamesYaml>,
    /// What the certificate says beyond names and dates.
    pub extensions: ExtensionsYaml,
    /// How requests are read.
    pub csr: Option<CsrYaml>,
    /// With it, a device holds at most one live certificate within the namespace, and a key belongs to one device.
    pub unique: Option<UniqueYaml>,
}

/// The kind of certificate a profile makes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Self-signed CA certificate.
    Root,
    /// CA certificate below a root.
    Ca,
    /// Everything that signs no certificates.
    Leaf,
}

/// Keys a profile admits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyYaml {
    /// Kinds of keys; anything else is refused.
    pub admit: Vec<AdmittedKey>,
}

/// A kind of key a profile may admit.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum AdmittedKey {
    /// Ed25519.
    Ed25519,
    /// EC on secp256r1.
    P256,
    /// EC on secp384r1.
    P384,
    /// RSA with 2048 bits or more.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
}

/// Serial numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SerialYaml {
    /// Octets of every serial, 9 to 20; all but two bits are random.
    pub octets: usize,
}

/// Validity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ValidityYaml {
    /// How long from now: `20y`, `90d`, `12h`.
    pub period: String,
    /// Issuance is refused when less than this would be left.
    pub at_least: Option<String>,
    /// How far before now validity starts, for devices with poor clocks.
    pub backdate: Option<String>,
    /// What happens when the issuer ends earlier.
    pub nesting: Option<Nesting>,
}

/// What happens when a certificate would outlive its issuer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Nesting {
    /// It ends with its issuer.
    Clamp,
    /// It is refused.
    Refuse,
}

/// One attribute of the subject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SubjectYaml {
    /// The attribute type's name, such as `commonName`.
    pub attribute: String,
    /// Where the value comes from.
    pub from: Source,
    /// The value used when none is given (only with `from: name`).
    pub default: Option<String>,
    /// The value must be the same attribute of the issuer's subject (only with `from: csr`).
    pub equals: Option<Equals>,
    /// The value must have this form.
    pub r#match: Option<Form>,
    /// The value must be one of these.
    pub one_of: Option<Vec<String>>,
    /// Whether the attribute may be missing.
    #[serde(default)]
    pub optional: bool,
}

/// Where a subject attribute's value comes from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The request; its bytes are kept.
    Csr,
    /// The factory's name in the configuration.
    Factory,
    /// The first dNSName of the request.
    FirstDnsName,
    /// The name the officer gives.
    Name,
}

/// What an attribute must equal.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Equals {
    /// The same attribute of the issuer's subject.
    Issuer,
}

/// The form of an attribute's value.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// 8-4-4-4-12 hexadecimal digits of any version and either case; this attribute names the device.
    Uuid,
}

/// Alternative names a request may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AlternativeNamesYaml {
    /// dNSNames allowed; `*.example.com` allows exactly one label in its place.
    pub dns: Vec<String>,
    /// iPAddresses allowed.
    pub ip: Vec<std::net::IpAddr>,
}

/// The extensions of a certificate. The AKI is always the issuer's SKI, and absent on a root.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExtensionsYaml {
    /// CA or not.
    pub basic_constraints: BasicConstraintsYaml,
    /// What the key may do.
    pub key_usage: KeyUsageYaml,
    /// What the certificate is for.
    pub extended_key_usage: Option<ExtendedKeyUsageYaml>,
    /// How the SKI is made; without it there is none.
    pub subject_key_identifier: Option<KeyIdentifierYaml>,
    /// Where CRLs will be found (`http://…`).
    #[serde(default)]
    pub crl_distribution_points: Vec<String>,
    /// Where the issuer's certificate is found (`http://…`).
    #[serde(default)]
    pub ca_issuers: Vec<String>,
}

/// basicConstraints.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BasicConstraintsYaml {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Whether the subject is a CA.
    pub ca: bool,
    /// How many CAs may follow below it.
    pub path_length: Option<u8>,
}

/// keyUsage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyUsageYaml {
    /// Whether the extension is critical.
    pub critical: bool,
    /// The bits by their RFC 5280 names.
    pub bits: Vec<String>,
}

/// extendedKeyUsage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExtendedKeyUsageYaml {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Purposes by their RFC 5280 names or dotted numbers.
    pub purposes: Vec<String>,
}

/// How an SKI is made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyIdentifierYaml {
    /// SHA-1 of the key (RFC 5280 section 4.2.1.2 method 1).
    Sha1,
    /// 160 bits of SHA-256 (RFC 7093 method 1).
    #[serde(rename = "sha256-160")]
    Sha256,
}

/// How requests are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CsrYaml {
    /// What to do with extensions a request asks for beyond those of the profile.
    pub requested_extensions: RequestedExtensions,
}

/// What to do with extensions a request asks for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum RequestedExtensions {
    /// They are not looked at. A request for a CA certificate is refused all the same.
    Ignore,
    /// Any that the profile does not write is refused.
    RefuseUnlisted,
}

/// Uniqueness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UniqueYaml {
    /// Profiles of one namespace share one place per device.
    pub namespace: String,
}
