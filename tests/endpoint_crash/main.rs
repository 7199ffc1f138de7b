//! What only a killed endpoint can show: no request is lost, none is signed twice, whenever the server is killed.
//!
//! | file | what it shows |
//! |---|---|
//! | `steps` | kill -9 between any two steps of a registration, fully and partially detached |
//! | `soak` | load while the server is killed and started again at random |
//! | `stations` | two endpoints on one ledger, one of them killed at random, with officers and a batch beside them |
//! | `race` | the same request at two endpoints at once, which both register the device at the backend |
//! | `limit` | a registrar that may register so many registers so many, whenever the server is killed |
//! | `newcomer` | a registrar's token is good at once |
//! | `unsent` | a reply that never left the server was never offered |
//! | `stop` | SIGTERM under load: what was taken is answered, nothing stays reserved |
//!
//! After every kill the same holds: what a 201 said is in the ledger; a device has one live certificate, that of its
//! last 201; the ledger's check is clean; no serial number repeats; every signature that the token made belongs to
//! one entry; the backend never sees a second registration of a certificate without a look-up before it.
//!
//! Small by default. The full scale, ten minutes of load among it:
//!
//! ```text
//! FACTORY_CA_TEST_SCALE=full cargo test --test endpoint_crash -- --nocapture
//! ```
//!
//! `FACTORY_CA_TEST_SEED=NUMBER` repeats the random choices of a run, though not its timing.

#[path = "../support/mod.rs"]
mod support;

mod backend;
mod books;
mod chance;
mod client;
mod device;
mod killer;
mod kinds;
mod limit;
mod line;
mod moments;
mod newcomer;
mod race;
mod server;
mod soak;
mod stations;
mod steps;
mod stop;
mod unsent;
