//! PKCS#11 URIs (RFC 7512): how configuration and command line name tokens and keys.
//!
//! A strict, small parser. Slots are refused because their numbers change from process to process, `pin-value` because
//! a URI is shown in logs and process lists, and everything unknown because a misspelt attribute would match too much.

mod part;

use std::fmt;

use super::label::MAX_LABEL;
use part::{PATH_CHARACTERS, Part, QUERY_CHARACTERS, encode, encode_all, refusal, write_parts};

/// A parsed `pkcs11:` URI. What it does not name matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    token: Option<String>,
    manufacturer: Option<String>,
    serial: Option<String>,
    model: Option<String>,
    object: Option<String>,
    object_type: Option<ObjectType>,
    id: Option<Vec<u8>>,
    module_path: Option<String>,
    pin_source: Option<String>,
}

/// The `type` attribute of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// A certificate.
    Certificate,
    /// A data object.
    Data,
    /// A private key.
    Private,
    /// A public key.
    Public,
    /// A secret key.
    SecretKey,
}

/// Why a text is not a PKCS#11 URI this tool takes. Values are not repeated, they could be a PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// Named twice.
    #[error("the PKCS#11 URI names `{0}` twice")]
    Duplicate(String),
    /// Without a value.
    #[error("`{0}` in the PKCS#11 URI is empty")]
    Empty(String),
    /// A character that must be percent-encoded, or a broken percent-encoding.
    #[error("`{0}` in the PKCS#11 URI is not percent-encoded as RFC 7512 wants it")]
    Encoding(String),
    /// A part that is not `name=value`.
    #[error("part {0} of the PKCS#11 URI has no `=`")]
    NoValue(usize),
    /// `pin-value`.
    #[error(
        "`pin-value` would show the PIN to everybody; name where the PIN comes from with `pin-source` or `pin:`"
    )]
    PinValue,
    /// Another scheme.
    #[error("a PKCS#11 URI begins with `pkcs11:`")]
    Scheme,
    /// `slot-id` and its like.
    #[error("`{0}` cannot be used: tokens are found by label and serial, never by slot")]
    Slot(String),
    /// Longer than the token's field.
    #[error("`{name}` in the PKCS#11 URI has {found} bytes, a token holds at most {max}")]
    TooLong {
        /// The attribute.
        name: String,
        /// Bytes found.
        found: usize,
        /// Bytes of the field.
        max: usize,
    },
    /// A `type` that RFC 7512 does not know.
    #[error("`type` in the PKCS#11 URI is none of private, public, cert, secret-key, data")]
    Type,
    /// An attribute this tool does not know, or in the wrong half of the URI.
    #[error("`{0}` is not a PKCS#11 URI attribute that is understood here")]
    Unknown(String),
}

impl TokenUri {
    /// Reads a `pkcs11:` URI (RFC 7512 section 2.3).
    pub fn parse(text: &str) -> Result<TokenUri, UriError> {
        let rest = match text.split_at_checked(SCHEME.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
            _ => return Err(UriError::Scheme),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut uri = TokenUri::default();
        let path = (!path.is_empty()).then(|| path.split(';'));
        for (at, part) in path.into_iter().flatten().enumerate() {
            uri.read_path(Part::read(at, part, PATH_CHARACTERS)?)?;
        }
        for (at, part) in query
            .map(|query| query.split('&'))
            .into_iter()
            .flatten()
            .enumerate()
        {
            uri.read_query(Part::read(at, part, QUERY_CHARACTERS)?)?;
        }
        Ok(uri)
    }

    /// The URI that names one token by everything it says about itself.
    pub fn for_token(label: &str, serial: &str, manufacturer: &str, model: &str) -> TokenUri {
        let field = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        TokenUri {
            token: field(label),
            serial: field(serial),
            manufacturer: field(manufacturer),
            model: field(model),
            ..TokenUri::default()
        }
    }

    /// The token's label.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The token's manufacturer.
    pub fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }

    /// The token's serial number.
    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// The token's model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The key's label.
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// What kind of object is meant.
    pub fn object_type(&self) -> Option<ObjectType> {
        self.object_type
    }

    /// The key's CKA_ID.
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// The module's file.
    pub fn module_path(&self) -> Option<&str> {
        self.module_path.as_deref()
    }

    /// Where the PIN is to be read; see [`PinSource::from_pin_source`](super::PinSource::from_pin_source).
    pub fn pin_source(&self) -> Option<&str> {
        self.pin_source.as_deref()
    }

    /// "labelled `x` with serial `y`", as it follows "no token" in an error.
    pub(super) fn wanted(&self) -> String {
        let parts = [
            ("labelled", &self.token),
            ("with serial", &self.serial),
            ("made by", &self.manufacturer),
            ("of model", &self.model),
        ];
        let words: Vec<String> = parts
            .iter()
            .filter_map(|(word, value)| value.as_ref().map(|value| format!("{word} `{value}`")))
            .collect();
        match words.is_empty() {
            true => "at all".to_owned(),
            false => words.join(" "),
        }
    }

    fn read_path(&mut self, part: Part<'_>) -> Result<(), UriError> {
        match part.name {
            "token" => part.text(&mut self.token, MAX_LABEL),
            "manufacturer" => part.text(&mut self.manufacturer, 32),
            "serial" => part.text(&mut self.serial, 16),
            "model" => part.text(&mut self.model, 16),
            "object" => part.text(&mut self.object, usize::MAX),
            "id" => part.store(&mut self.id, part.value.clone()),
            "type" => part.store(&mut self.object_type, ObjectType::read(&part.value)?),
            name => Err(refusal(name)),
        }
    }

    fn read_query(&mut self, part: Part<'_>) -> Result<(), UriError> {
        match part.name {
            "module-path" => part.text(&mut self.module_path, usize::MAX),
            "pin-source" => part.text(&mut self.pin_source, usize::MAX),
            name => Err(refusal(name)),
        }
    }
}

/// Writes the URI in one canonical form; parsing it gives the same value.
impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.as_ref().map(|text| encode(text.as_bytes()));
        let path = [
            ("token", text(&self.token)),
            ("manufacturer", text(&self.manufacturer)),
            ("serial", text(&self.serial)),
            ("model", text(&self.model)),
            ("object", text(&self.object)),
            ("type", self.object_type.map(|kind| kind.name().to_owned())),
            ("id", self.id.as_deref().map(encode_all)),
        ];
        let query = [
            ("module-path", text(&self.module_path)),
            ("pin-source", text(&self.pin_source)),
        ];
        f.write_str(SCHEME)?;
        write_parts(f, "", ";", &path)?;
        write_parts(f, "?", "&", &query)
    }
}

impl std::str::FromStr for TokenUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<TokenUri, UriError> {
        TokenUri::parse(text)
    }
}

impl ObjectType {
    /// Its name in RFC 7512.
    pub fn name(self) -> &'static str {
        match self {
            ObjectType::Certificate => "cert",
            ObjectType::Data => "data",
            ObjectType::Private => "private",
            ObjectType::Public => "public",
            ObjectType::SecretKey => "secret-key",
        }
    }

    fn read(value: &[u8]) -> Result<ObjectType, UriError> {
        OBJECT_TYPES
            .into_iter()
            .find(|kind| kind.name().as_bytes() == value)
            .ok_or(UriError::Type)
    }
}

const SCHEME: &str = "pkcs11:";
const OBJECT_TYPES: [ObjectType; 5] = [
    ObjectType::Certificate,
    ObjectType::Data,
    ObjectType::Private,
    ObjectType::Public,
    ObjectType::SecretKey,
];
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;

    #[test]
    fn a_full_uri_is_read_and_written_back() {
        let text = "pkcs11:token=acme%20root;manufacturer=SoftHSM%20project;serial=a1b2;\
                    model=SoftHSM%20v2;object=root-ca;type=private;id=%01%AF\
                    ?module-path=%2Fusr%2Flib%2Flibsofthsm2.so&pin-source=file%3A%2Frun%2Fpin";
        let uri = TokenUri::parse(text).unwrap();
        assert_eq!(uri.token(), Some("acme root"));
        assert_eq!(uri.object_type(), Some(ObjectType::Private));
        assert_eq!(uri.id(), Some(&[0x01, 0xaf][..]));
        assert_eq!(uri.module_path(), Some("/usr/lib/libsofthsm2.so"));
        assert_eq!(uri.pin_source(), Some("file:/run/pin"));
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn slashes_in_the_query_need_no_encoding() {
        let uri = TokenUri::parse("PKCS11:token=a?module-path=/usr/lib/x.so").unwrap();
        assert_eq!(uri.module_path(), Some("/usr/lib/x.so"));
        assert_eq!(TokenUri::parse("pkcs11:"), Ok(TokenUri::default()));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let long = format!("pkcs11:token={}", "x".repeat(33));
        let cases = [
            ("http:token=a", "a PKCS#11 URI begins with `pkcs11:`"),
            ("pkcs11", "a PKCS#11 URI begins with `pkcs11:`"),
            (
                "pkcs11:slot-id=3",
                "`slot-id` cannot be used: tokens are found by label and serial, never by slot",
            ),
            (
                "pkcs11:token=a?pin-value=1234",
                "`pin-value` would show the PIN to everybody; name where the PIN comes from with `pin-source` or `pin:`",
            ),
            (
                "pkcs11:token=a;token=a",
                "the PKCS#11 URI names `token` twice",
            ),
            ("pkcs11:token=", "`token` in the PKCS#11 URI is empty"),
            ("pkcs11:token=a;", "part 2 of the PKCS#11 URI has no `=`"),
            ("pkcs11:token=a?", "part 1 of the PKCS#11 URI has no `=`"),
            (
                "pkcs11:tokn=a",
                "`tokn` is not a PKCS#11 URI attribute that is understood here",
            ),
            (
                "pkcs11:module-path=a",
                "`module-path` is not a PKCS#11 URI attribute that is understood here",
            ),
            (
                "pkcs11:type=key",
                "`type` in the PKCS#11 URI is none of private, public, cert, secret-key, data",
            ),
            (
                long.as_str(),
                "`token` in the PKCS#11 URI has 33 bytes, a token holds at most 32",
            ),
            (
                "pkcs11:serial=12345678901234567",
                "`serial` in the PKCS#11 URI has 17 bytes, a token holds at most 16",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(
                TokenUri::parse(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    #[test]
    fn encodings_that_are_not_exact_are_refused() {
        for value in [
            "a b", "%", "%4", "%zz", "%+1", "é", "a#b", "a/b", "%FF", "a%00",
        ] {
            assert_eq!(
                TokenUri::parse(&format!("pkcs11:token={value}")),
                Err(UriError::Encoding("token".to_owned())),
                "{value}"
            );
        }
    }

    #[test]
    fn no_value_shows_up_in_an_error() {
        for text in [
            "pkcs11:?pin-value=774411",
            "pkcs11:774411",
            "pkcs11:pin=774411",
        ] {
            let error = TokenUri::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("774411"), "{text}");
        }
    }

    fn text(max: usize) -> impl Strategy<Value = Option<String>> {
        of("[^\0]{1,20}".prop_map(move |text| text[..text.floor_char_boundary(max)].to_owned()))
    }

    proptest! {
        #[test]
        fn uris_survive_the_round_trip(
            (token, manufacturer, serial, model) in (text(32), text(32), text(16), text(16)),
            (object, module_path, pin_source) in (text(99), text(99), text(99)),
            id in of(prop::collection::vec(any::<u8>(), 1..40)),
            object_type in of(prop::sample::select(OBJECT_TYPES.to_vec())),
        ) {
            let uri = TokenUri {
                token, manufacturer, serial, model, object, object_type, id, module_path, pin_source,
            };
            prop_assert_eq!(TokenUri::parse(&uri.to_string()), Ok(uri));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(pkcs11:)?.{0,60}") {
            let _ = TokenUri::parse(&text);
        }
    }
}
