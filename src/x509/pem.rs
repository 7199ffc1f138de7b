//! PEM text (RFC 7468), strictly: nothing but blocks and white space.
//!
//! CRLF line ends and bodies on one line are read, because devices send them. Text before, between or after the
//! blocks is refused, so a file never says more than what is read from it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One PEM block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The label between the dashes, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded bytes.
    pub contents: Vec<u8>,
}

/// Why text is not PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The base64 body has other characters, wrong padding or stray bits.
    #[error("the text between the PEM lines is not base64")]
    Base64,
    /// The END line is missing or has another label.
    #[error("the PEM block has no END line that matches its BEGIN line")]
    End,
    /// The label cannot be shown on a terminal, or is no label at all.
    #[error("the PEM label is not 1 to 64 printable ASCII characters")]
    Label,
    /// There is no block at all.
    #[error("there is no PEM block")]
    Missing,
    /// Characters outside the blocks.
    #[error("there is text outside the PEM blocks")]
    Outside,
}

/// Whether bytes are meant as PEM rather than DER, even if there is text before the first block.
///
/// Every DER structure this tool reads starts with the tag of a SEQUENCE and is longer than 127 bytes, so its second
/// byte is no ASCII character.
pub fn is_pem(bytes: &[u8]) -> bool {
    let is_der = matches!(bytes, [0x30, 0x80..=0xff, ..]);
    !is_der && find(bytes, b"-----BEGIN ").is_some()
}

/// Reads all blocks of a text; at least one must be there.
pub fn read(text: &[u8]) -> Result<Vec<Block>, PemError> {
    let mut rest = text.trim_ascii();
    let mut blocks = Vec::new();
    if rest.is_empty() {
        return Err(PemError::Missing);
    }
    while !rest.is_empty() {
        let (block, after) = read_block(rest)?;
        blocks.push(block);
        rest = after.trim_ascii_start();
    }
    Ok(blocks)
}

/// Writes one block with 64 characters to the line and a final line feed.
pub fn write(label: &str, contents: &[u8]) -> String {
    let body = STANDARD.encode(contents);
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn read_block(text: &[u8]) -> Result<(Block, &[u8]), PemError> {
    let after_begin = text.strip_prefix(b"-----BEGIN ").ok_or(PemError::Outside)?;
    let label_end = find(after_begin, b"-----").ok_or(PemError::End)?;
    let label = read_label(&after_begin[..label_end])?;
    let body = &after_begin[label_end + 5..];
    let end_line = format!("-----END {label}-----");
    let body_end = find(body, b"-----").ok_or(PemError::End)?;
    let after = body[body_end..]
        .strip_prefix(end_line.as_bytes())
        .ok_or(PemError::End)?;
    let digits: Vec<u8> = body[..body_end]
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let contents = STANDARD.decode(digits).map_err(|_| PemError::Base64)?;
    let label = label.to_owned();
    Ok((Block { label, contents }, after))
}

/// RFC 7468 section 3 wants printable characters; the length keeps error messages to a line.
fn read_label(label: &[u8]) -> Result<&str, PemError> {
    let label = std::str::from_utf8(label).map_err(|_| PemError::Label)?;
    let printable = label.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    match printable && (1..=64).contains(&label.len()) {
        true => Ok(label),
        false => Err(PemError::Label),
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_survive_the_round_trip(contents in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = write("CERTIFICATE", &contents);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let label = "CERTIFICATE".to_owned();
            prop_assert_eq!(read(text.as_bytes()), Ok(vec![Block { label, contents }]));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"-----BEGIN A-----".to_vec();
            text.extend(&bytes);
            let _ = read(&text);
            let _ = read(&bytes);
        }
    }

    #[test]
    fn carriage_returns_and_single_lines_are_read() {
        for text in [
            "-----BEGIN A-----\r\nAAEC\r\n-----END A-----\r\n",
            "-----BEGIN A-----AAEC-----END A-----",
            "\n -----BEGIN A-----\nAA\nEC\n-----END A-----  \n",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap()[0].contents, [0, 1, 2]);
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (text, wanted) in [
            ("", PemError::Missing),
            ("hello", PemError::Outside),
            (
                "-----BEGIN A-----\nAAEC\n-----END A-----\nx",
                PemError::Outside,
            ),
            (
                "x\n-----BEGIN A-----\nAAEC\n-----END A-----",
                PemError::Outside,
            ),
            (
                "-----BEGIN \u{1b}[2J-----\nAAEC\n-----END \u{1b}[2J-----",
                PemError::Label,
            ),
            ("-----BEGIN -----\nAAEC\n-----END -----", PemError::Label),
            ("-----BEGIN A-----\nAAEC\n-----END B-----", PemError::End),
            ("-----BEGIN A-----\nAAEC\n", PemError::End),
            ("-----BEGIN A-----\nA*EC\n-----END A-----", PemError::Base64),
            ("-----BEGIN A-----\nAAE\n-----END A-----", PemError::Base64),
            ("-----BEGIN A-----\nAAF=\n-----END A-----", PemError::Base64),
        ] {
            assert_eq!(read(text.as_bytes()), Err(wanted), "{text}");
        }
    }
}
