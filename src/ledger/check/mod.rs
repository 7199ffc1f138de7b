//! Proving the ledger: every audit chain, every row, every stored certificate, and that they tell the same story.
//!
//! It finds rows and events that were changed, added or removed by anything but this program, and programming errors
//! of its own. It does not find a ledger forged as a whole, hashes included: signed checkpoints are for that.
//!
//! | rule | violated when |
//! |---|---|
//! | `file` | SQLite's integrity check complains |
//! | `reference` | a row points at one that is not there |
//! | `chain-sequence` | an event is missing or too many |
//! | `chain-hash` | an event's hash does not follow from its contents and the event before |
//! | `chain-head` | a chain does not end where its writer says |
//! | `fact-unknown` | a line of an event is not a fact this version writes |
//! | `fact-repeated` | the same fact stands in the chains twice |
//! | `fact-without-row` | a fact is about a row that is not there |
//! | `fact-differs` | a fact and its row differ |
//! | `fact-missing` | a row has no fact that would explain it |
//! | `certificate-…` | a stored certificate's serial, issuer, TBS bytes, key or notAfter is not its row's |
//! | `device-place` | a device points at another device's entry |
//! | `second-live` | a device has a live certificate besides the one in its place |
//! | `key-owner` | a certified key does not belong to its device |
//! | `key-compromised` | a key is barred and no certificate was revoked for its compromise, or the other way round |
//! | `registrar-used` | a registrar's count is not that of its entries |

mod chains;
mod entries;
mod wanted;

use std::fmt;

use rusqlite::Connection;

use crate::hex;
use crate::timestamp::Timestamp;

use super::store::{self, Access, audit, read};
use super::{Counts, Entry, Error, Ledger};

/// What [`Ledger::check`] found.
#[derive(Clone, Debug)]
pub struct Check {
    /// Entries by state.
    pub counts: Counts,
    /// Audit events verified.
    pub events: u64,
    /// What is wrong, at most a thousand of them.
    pub violations: Vec<Violation>,
    /// How many there were in all.
    pub violations_found: u64,
    /// Intents of which nothing was released; not wrong, but they want to be looked at.
    pub intents_without_result: Vec<Entry>,
    /// Names of the writers that are alive.
    pub live_writers: Vec<String>,
}

/// Something about the ledger that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's name, as in the table above.
    pub rule: &'static str,
    /// What it is about: `entry 17`, `event 3 of writer 4`.
    pub object: String,
    /// What was found.
    pub found: String,
    /// What should have been.
    pub wanted: String,
}

impl Ledger {
    /// Proves the ledger as of one moment; writers go on meanwhile.
    ///
    /// Memory: four bytes for each row, whatever the certificates' size.
    pub fn check(&self) -> Result<Check, Error> {
        let live_writers = self.live_writers()?;
        let intents_without_result = self.intents_without_result()?;
        let connection = store::open(self.path(), Access::Read, self.busy_timeout())?;
        let proof = prove(&connection, self.id())
            .map_err(|source| store::unreadable(self.path(), source))?;
        let (counts, findings) = proof;
        Ok(Check {
            counts,
            events: findings.events,
            violations: findings.violations,
            violations_found: findings.count,
            intents_without_result,
            live_writers,
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            rule,
            object,
            found,
            wanted,
        } = self;
        write!(f, "{rule}: {object}: found {found}, wanted {wanted}")
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    events: u64,
    violations: Vec<Violation>,
    count: u64,
}

impl Findings {
    fn add(
        &mut self,
        rule: &'static str,
        object: impl fmt::Display,
        found: impl fmt::Display,
        wanted: impl fmt::Display,
    ) {
        self.count += 1;
        if self.violations.len() < LISTED {
            self.violations.push(Violation {
                rule,
                object: object.to_string(),
                found: found.to_string(),
                wanted: wanted.to_string(),
            });
        }
    }

    /// Adds a violation unless both are the same.
    fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        rule: &'static str,
        object: impl fmt::Display,
        found: T,
        wanted: T,
    ) {
        if found != wanted {
            self.add(rule, object, found, wanted);
        }
    }
}

fn prove(connection: &Connection, ledger: &str) -> rusqlite::Result<(Counts, Findings)> {
    audit::snapshot(connection)?;
    let mut findings = Findings::default();
    for line in audit::damage(connection)? {
        findings.add("file", "the database", line, "a sound file");
    }
    for (table, row, target) in audit::dangling(connection)? {
        let object = format!("{table} {row}");
        findings.add("reference", object, "nothing", format!("a row of {target}"));
    }
    let seen = chains::walk(connection, ledger, &mut findings)?;
    // Live is judged at the newest event, so that a check of an old backup says the same for ever.
    let newest = read::newest(connection)?.unwrap_or(Timestamp::NO_EXPIRY);
    entries::walk(connection, &seen, newest, &mut findings)?;
    audit::misplaced(connection, |namespace, device, entry| {
        let object = format!("device `{device}` in `{namespace}`");
        findings.add(
            "device-place",
            object,
            format!("entry {entry}"),
            "its own entry",
        );
    })?;
    audit::compromise_unexplained(connection, |key, found, wanted| {
        let object = format!("key {}", hex::encode(key));
        findings.add("key-compromised", object, found, wanted);
    })?;
    audit::miscounted(connection, |name, found, wanted| {
        let object = format!("registrar `{name}`");
        findings.compare("registrar-used", object, found, wanted);
    })?;
    Ok((read::counts(connection)?, findings))
}

/// More violations than that tell nobody anything new.
const LISTED: usize = 1000;
