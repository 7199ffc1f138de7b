//! The token that the Foundries API knows us by.

use std::fmt;

use zeroize::Zeroizing;

use crate::secret::{SecretError, SecretSource};

/// An API token: 1 to 4096 visible ASCII characters. It is wiped when it goes and has no `Display`.
///
/// Who holds it can do everything its scopes allow; the HTTP library keeps a copy for the length of a call.
#[derive(Clone)]
pub struct ApiToken(Zeroizing<String>);

/// Why there is no API token. Never holds one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing but a line end.
    #[error("the API token from {0} is empty")]
    Empty(String),
    /// The source.
    #[error("there is no API token")]
    Secret(#[from] SecretError),
    /// A character no header can carry.
    #[error("the API token from {0} holds other characters than visible ASCII ones")]
    Unfit(String),
}

impl ApiToken {
    /// Reads the token from where the configuration says; `env` reads an environment variable.
    pub fn read(
        source: &SecretSource,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ApiToken, TokenError> {
        ApiToken::new(source.read(LONGEST, env)?, &source.to_string())
    }

    /// Takes a token as it is; `from` says in errors where it came from.
    pub fn new(text: Zeroizing<String>, from: &str) -> Result<ApiToken, TokenError> {
        match text.as_str() {
            "" => Err(TokenError::Empty(from.to_owned())),
            sound if sound.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(ApiToken(text)),
            _ => Err(TokenError::Unfit(from.to_owned())),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

/// Tokens have 40 characters; signed ones (JWT) have some hundred.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_visible_ascii_and_never_shown() {
        let read = |text: &str| ApiToken::new(text.to_owned().into(), "file `x`");
        let token = read("s3cr3t.-_~+/=").unwrap();
        assert_eq!(format!("{token:?}"), "ApiToken(…)");
        for (text, wanted) in [
            ("", "the API token from file `x` is empty"),
            ("s3cr3t s3cr3t", UNFIT),
            ("s3cr3t\r\nX-Evil: 1", UNFIT),
            ("s3cr3t\0", UNFIT),
            ("gehéim", UNFIT),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn it_comes_from_the_environment_if_the_configuration_says_so() {
        let source = SecretSource::Env("API_TOKEN".to_owned());
        let token = ApiToken::read(&source, &|name| Some(format!("value-of-{name}"))).unwrap();
        assert_eq!(token.text(), "value-of-API_TOKEN");
        let error = ApiToken::read(&source, &|_| None).unwrap_err();
        assert_eq!(error.to_string(), "there is no API token");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "the environment variable `API_TOKEN` is not set");
    }

    const UNFIT: &str =
        "the API token from file `x` holds other characters than visible ASCII ones";
}
