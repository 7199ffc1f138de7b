//! Why a question to the API has no answer.

use super::http::Lost;
use crate::url::ServerUrl;

/// Why a question to the API has no answer of use. Never holds the token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// A success whose body is not what was asked for.
    #[error("the answer of `{server}` cannot be used: {problem}")]
    Answer {
        /// The API's server.
        server: ServerUrl,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A redirect, which is not followed.
    #[error("`{server}` sends us to `{target}`, and redirects are not followed")]
    Redirected {
        /// The API's server.
        server: ServerUrl,
        /// Where it leads, fit to be shown.
        target: String,
    },
    /// The API does not want it, and will not want it later.
    #[error("`{server}` {summary}")]
    Refused {
        /// The API's server.
        server: ServerUrl,
        /// The status, 400 to 499.
        status: u16,
        /// Status and message, fit to be shown.
        summary: String,
    },
    /// The API cannot be reached, or asks to come again.
    #[error("`{server}` is not available: {reason}")]
    Unavailable {
        /// The API's server.
        server: ServerUrl,
        /// Why, fit to be shown.
        reason: String,
    },
}

impl ApiError {
    pub(super) fn lost(server: &ServerUrl, lost: Lost) -> ApiError {
        let (Lost::NotSent(reason) | Lost::Unanswered(reason)) = lost;
        ApiError::Unavailable {
            server: server.clone(),
            reason,
        }
    }
}
