//! What leaves the process as files: create-new, durable, never overwritten.

pub mod batch;
pub mod bundle;
pub mod file;
