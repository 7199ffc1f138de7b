//! What came back, and how much of it may be shown.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;
use crate::gateway::token::ApiToken;
use crate::url::ServerUrl;

/// An answer: of the body no more than may be read.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Where a redirect leads, fit to be shown.
    pub location: Option<String>,
    /// What the server says about it, fit to be shown; empty if nothing.
    pub message: String,
    body: Vec<u8>,
    is_whole: bool,
}

/// What an answer means, for every kind of request alike.
pub enum Meaning {
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirect,
    /// 408, 425, 429: the server asks to come again.
    Later,
    /// The other 400 to 499.
    Refusal,
    /// 502 and 504: somebody in between does not know what became of the request.
    Unknown,
    /// The other 500 to 599.
    Failure,
}

impl Reply {
    pub fn new(
        status: u16,
        location: Option<String>,
        body: Vec<u8>,
        is_whole: bool,
        token: &ApiToken,
    ) -> Reply {
        let text = String::from_utf8_lossy(&body);
        let message = match serde_json::from_slice(&body) {
            Ok(Value::Object(object)) => ["message", "error", "detail"]
                .iter()
                .find_map(|key| object.get(*key)?.as_str())
                .map_or_else(|| clean(&text, token), |text| clean(text, token)),
            Ok(Value::String(text)) => clean(&text, token),
            _ => clean(&text, token),
        };
        Reply {
            status,
            location,
            message,
            body,
            is_whole,
        }
    }

    pub fn meaning(&self) -> Meaning {
        match self.status {
            200..=299 => Meaning::Success,
            300..=399 => Meaning::Redirect,
            408 | 425 | 429 => Meaning::Later,
            400..=499 => Meaning::Refusal,
            500 | 501 | 503 | 505..=599 => Meaning::Failure,
            _ => Meaning::Unknown,
        }
    }

    /// "answered 503: try later".
    pub fn summary(&self) -> String {
        let colon = if self.message.is_empty() { "" } else { ": " };
        format!("answered {}{colon}{}", self.status, self.message)
    }

    /// Where a redirect leads.
    pub fn target(&self) -> String {
        self.location
            .clone()
            .unwrap_or_else(|| "nowhere".to_owned())
    }

    /// The body of a success: a JSON object of that shape.
    pub fn json<T: DeserializeOwned>(&self, server: &ServerUrl) -> Result<T, ApiError> {
        let unusable = |problem| ApiError::Answer {
            server: server.clone(),
            problem,
        };
        if !self.is_whole {
            return Err(unusable("it is longer than 64 KiB, or breaks off"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|_| unusable("it is not the JSON that is wanted"))
    }

    /// The answer as an error, if it is not a success.
    pub fn into_success(self, server: &ServerUrl) -> Result<Reply, ApiError> {
        let server = server.clone();
        match self.meaning() {
            Meaning::Success => Ok(self),
            Meaning::Redirect => Err(ApiError::Redirected {
                server,
                target: self.target(),
            }),
            Meaning::Later | Meaning::Unknown | Meaning::Failure => Err(ApiError::Unavailable {
                server,
                reason: format!("it {}", self.summary()),
            }),
            Meaning::Refusal => Err(ApiError::Refused {
                server,
                status: self.status,
                summary: self.summary(),
            }),
        }
    }
}

/// A foreign text as it may be shown: on one line, no longer than that, without what moves a cursor, hides text or turns
/// its direction, and without the token, should it be quoted.
pub fn clean(text: &str, token: &ApiToken) -> String {
    clean_name(&text.replace(token.text(), "…"))
}

/// The same for a text that is no message: it is not searched for the token.
pub fn clean_name(text: &str) -> String {
    let visible = |c: char| match c {
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let text: String = text.chars().map(visible).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

const LONGEST_LINE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> ApiToken {
        ApiToken::new("s3cr3t".to_owned().into(), "a test").unwrap()
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply::new(status, None, body.as_bytes().to_vec(), true, &token())
    }

    #[test]
    fn messages_are_cleaned() {
        let long = "x".repeat(201);
        let cut = format!("{}…", "x".repeat(200));
        for (text, wanted) in [
            ("", ""),
            ("no such group", "no such group"),
            ("a\r\n\tb\u{1b}[2J\0c", "a b [2J c"),
            ("\u{202e}evil\u{2066}\u{feff}\u{200b}x\u{85}", "evil x"),
            ("token s3cr3t is wrong", "token … is wrong"),
            ("é 😀", "é 😀"),
            (&long, &cut),
            (&long[..200], &cut[..200]),
        ] {
            assert_eq!(clean(text, &token()), wanted);
        }
    }

    #[test]
    fn of_json_the_message_is_shown() {
        for (body, wanted) in [
            (r#"{"message": "no such group", "x": 1}"#, "no such group"),
            (r#"{"error": "no\nsuch s3cr3t"}"#, "no such …"),
            (r#"{"detail": "x"}"#, "x"),
            (r#"{"message": {"a": 1}}"#, r#"{"message": {"a": 1}}"#),
            (r#""quoted""#, "quoted"),
            ("<h1>Bad\nGateway</h1>", "<h1>Bad Gateway</h1>"),
        ] {
            let reply = reply(400, body);
            assert_eq!(reply.summary(), format!("answered 400: {wanted}"));
        }
        assert_eq!(reply(503, "").summary(), "answered 503");
    }
}
