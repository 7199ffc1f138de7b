//! The one unambiguous encoding that everything hashed in the ledger goes through.
//!
//! A hash is SHA-256 over a sequence of fields, the first of which is a domain name, so that no two kinds of record
//! can ever hash the same bytes:
//!
//! | field | octets |
//! |---|---|
//! | bytes or UTF-8 text | length as 8 octets big-endian, then the octets |
//! | integer | 8 octets, two's complement, big-endian |
//! | optional text or bytes | 0x00 when absent; 0x01, then the field when present |
//! | optional integer | the same |
//!
//! What the fields are is told where a hash is made: [`Link::hash`] and the `digest` functions of the facts.

use crate::timestamp::Timestamp;
use crate::x509::key::sha256;

/// Fields written one after the other, then hashed.
pub(super) struct Digest(Vec<u8>);

impl Digest {
    pub(super) fn of(domain: &str) -> Digest {
        Digest(Vec::with_capacity(512)).bytes(domain)
    }

    pub(super) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Digest {
        let bytes = bytes.as_ref();
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
        self
    }

    pub(super) fn integer(mut self, integer: i64) -> Digest {
        self.0.extend(integer.to_be_bytes());
        self
    }

    pub(super) fn optional(mut self, bytes: Option<impl AsRef<[u8]>>) -> Digest {
        self.0.push(u8::from(bytes.is_some()));
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self,
        }
    }

    pub(super) fn optional_integer(mut self, integer: Option<i64>) -> Digest {
        self.0.push(u8::from(integer.is_some()));
        match integer {
            Some(integer) => self.integer(integer),
            None => self,
        }
    }

    pub(super) fn finish(self) -> [u8; 32] {
        sha256(&self.0)
    }
}

/// One event of a writer's audit chain.
pub(super) struct Link<'a> {
    /// The hash of the writer's event before; [`GENESIS`] for its first.
    pub(super) previous: [u8; 32],
    /// The ledger's random id, so that events cannot move between ledgers.
    pub(super) ledger: &'a str,
    /// The writer's random name.
    pub(super) writer: &'a str,
    /// 1 for the writer's first event.
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) body: &'a str,
}

impl Link<'_> {
    /// SHA-256 over the domain `factory-ca ledger event 1`, previous hash, ledger id, writer name, sequence number,
    /// time in Unix seconds, body.
    pub(super) fn hash(&self) -> [u8; 32] {
        Digest::of("factory-ca ledger event 1")
            .bytes(self.previous)
            .bytes(self.ledger)
            .bytes(self.writer)
            .integer(self.seq)
            .integer(self.at.unix())
            .bytes(self.body)
            .finish()
    }
}

/// What a chain starts from.
pub(super) const GENESIS: [u8; 32] = [0; 32];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn link(writer: &str, body: &str) -> [u8; 32] {
        let link = Link {
            previous: GENESIS,
            ledger: "aa",
            writer,
            seq: 1,
            at: Timestamp::from_unix(1_795_485_600).unwrap(),
            body,
        };
        link.hash()
    }

    #[test]
    fn the_event_encoding_never_changes() {
        // Computed outside this program from the documented encoding.
        assert_eq!(
            hex::encode(link("bb", "abandoned 17\n")),
            "8d65086115c419dbcccd6b98744587bd4191d950fdbfbdfae780e1ddfc388d91"
        );
    }

    #[test]
    fn octets_cannot_move_from_one_field_to_the_next() {
        assert_ne!(link("bb", "c"), link("b", "bc"));
        let absent = Digest::of("d").optional(None::<&str>).finish();
        let empty = Digest::of("d").optional(Some("")).finish();
        assert_ne!(absent, empty);
    }
}
