//! What errors of the Foundries side mean for their user.

use super::{Exit, Explanation, of};
use crate::gateway::{ApiError, TokenError, UrlError};
use crate::secret::SecretError;

pub fn explain_api(error: &ApiError) -> Explanation {
    match error {
        ApiError::Refused {
            status: 401 | 403, ..
        } => of("api-token", Exit::Usage)
            .hint("check that the API token is still good and has the scopes for this"),
        ApiError::Refused { .. } => of("api-refused", Exit::Usage)
            .hint("check `factory:` and `foundries: {api: …}` in factory-ca.yaml"),
        ApiError::Answer { .. } => {
            of("api-answer", Exit::Usage).hint("check `foundries: {api: …}` in factory-ca.yaml")
        }
        ApiError::Redirected { .. } => of("api-redirect", Exit::Usage)
            .hint("put the API's own address into `foundries: {api: …}` in factory-ca.yaml"),
        ApiError::Unavailable { .. } => {
            of("api-unavailable", Exit::Unavailable).hint("try again in a moment")
        }
    }
}

pub fn explain_token(error: &TokenError) -> Explanation {
    match error {
        TokenError::Secret(error @ SecretError::Mode { .. }) => Explanation {
            code: "api-token-file-mode",
            ..explain_secret(error)
        },
        _ => of("api-token", Exit::Usage).hint(
            "put the token where `foundries: {token: …}` in factory-ca.yaml says, and nothing else",
        ),
    }
}

pub fn explain_secret(error: &SecretError) -> Explanation {
    match error {
        SecretError::Mode { path, .. } => {
            of("secret-file-mode", Exit::Usage).hint(format!("run `chmod 600 {}`", path.display()))
        }
        _ => of("secret", Exit::Usage),
    }
}

pub fn explain_urls(error: &UrlError) -> Explanation {
    match error {
        UrlError::Certificate(_) => of("certificate", Exit::Usage),
        _ => of("gateway-url", Exit::Usage)
            .hint("say where the gateway is with `gateway: {url: …}` in factory-ca.yaml"),
    }
}
