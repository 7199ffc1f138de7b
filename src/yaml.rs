//! Reading YAML strictly: the only module that knows which YAML library is used.
//!
//! An unknown key is an error that names the key and the nearest valid one.

use serde::de::DeserializeOwned;

/// For `#[serde(with)]`: an enum written as `word` or as `{word: value}`.
pub use serde_yaml::with::singleton_map as map_enum;

/// Why a YAML text is not what was wanted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line of the fault, from 1; 0 when the library does not know.
    pub line: usize,
    /// Column of the fault, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads one YAML document into a type that denies unknown keys.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_yaml::from_str(text).map_err(|error| {
        let location = error.location();
        YamlError {
            line: location.as_ref().map_or(0, |at| at.line()),
            column: location.as_ref().map_or(0, |at| at.column()),
            message: reword(&error.to_string()),
        }
    })
}

fn reword(message: &str) -> String {
    let message = match message.rfind(" at line ") {
        Some(end) => &message[..end],
        None => message,
    };
    let Some((place, unknown, expected)) = unknown_field(message) else {
        return message.to_owned();
    };
    let nearest = expected.iter().max_by(|a, b| {
        strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown))
    });
    match nearest {
        Some(nearest) => {
            format!("{place}unknown key `{unknown}`, the nearest valid one is `{nearest}`")
        }
        None => format!("{place}unknown key `{unknown}`"),
    }
}

/// Takes serde's sentence apart: ``place: unknown field `a`, expected one of `b`, `c` ``.
fn unknown_field(message: &str) -> Option<(&str, &str, Vec<&str>)> {
    let at = message
        .find("unknown field `")
        .or_else(|| message.find("unknown variant `"))?;
    let mut quoted = message[at..].split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    Some((&message[..at], unknown, quoted.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Outer {
        validity: Inner,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only reading it matters")]
    struct Inner {
        period: String,
        at_least: String,
    }

    #[test]
    fn an_unknown_key_names_the_nearest_valid_one() {
        let error = read::<Outer>("validity:\n  perod: 20y\n  at-least: 5y\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2, column 3: validity: unknown key `perod`, the nearest valid one is `period`"
        );
    }

    #[test]
    fn duplicate_and_missing_keys_are_refused() {
        let error = read::<Outer>("validity: {period: a, period: b, at-least: c}").unwrap_err();
        assert!(
            error.message.contains("duplicate field `period`"),
            "{error}"
        );
        let error = read::<Outer>("validity: {period: a}").unwrap_err();
        assert!(
            error.message.contains("missing field `at-least`"),
            "{error}"
        );
    }
}
