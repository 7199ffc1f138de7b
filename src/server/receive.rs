//! Receiving a body: of the right kind, of bounded size, in bounded time.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};

use super::problem::{Problem, shown};

/// `application/json` or `application/…+json`, with whatever parameters.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let found = headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = found
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let json = kind == "application/json"
        || kind
            .strip_prefix("application/")
            .is_some_and(|kind| kind.ends_with("+json") && kind.len() > "+json".len());
    match json {
        true => Ok(()),
        false => {
            let text = format!(
                "the content type is `{}`, wanted is `application/json`",
                shown(found)
            );
            Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                text,
            ))
        }
    }
}

/// Reads a body of bounded size in bounded time.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Problem> {
    let too_large = || {
        let text = format!("the body has more than {MOST_OCTETS} octets");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-size", text)
    };
    let size = hyper::body::Body::size_hint(&body);
    if size.lower() > MOST_OCTETS as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY, Limited::new(body, MOST_OCTETS).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body ended early")),
        Err(_) => {
            let text = format!("the body did not arrive within {} seconds", BODY.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-time", text))
        }
    }
}

/// Reads a body that nobody wants, so that the client gets to read the answer; but not much of it.
pub(super) async fn drain(body: Incoming) {
    let mut body = Limited::new(body, MOST_OCTETS);
    let all = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
}

/// Octets of a body. A certification request may have 16 KiB, the rest is small.
const MOST_OCTETS: usize = 64 * 1024;

/// For a body to arrive.
const BODY: Duration = Duration::from_secs(10);
