//! What leaves the process as files: create-new, durable, never overwritten but for published revocation lists.

pub mod batch;
pub mod bundle;
pub mod file;
pub mod lists;
