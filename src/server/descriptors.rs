//! How many connections the limit of open files has room for.
//!
//! A connection above it would be refused by the operating system, and so would be whatever else wants to open a file
//! then: the ledger, and a token that opens its files anew for each signature.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as this process may, and says how many connections of `wanted` there is room for.
pub(super) fn room_for(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = (wanted + RESERVED) as u64;
    if limit.current.is_some_and(|current| current < needed) {
        let raised = limit.maximum.map_or(needed, |most| most.min(needed));
        limit.current = Some(raised);
        // What cannot be raised stays as it is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let current = getrlimit(Resource::Nofile).current;
    let room = current.map_or(wanted, |current| {
        usize::try_from(current).unwrap_or(usize::MAX)
    });
    room.saturating_sub(RESERVED).clamp(FEWEST, wanted)
}

/// Files that are no connections of devices: the ledger, tokens, operations, calls of the gateway's backend.
const RESERVED: usize = 256;

/// Below that nobody can work; the operating system will say so.
const FEWEST: usize = 16;
