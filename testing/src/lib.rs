//! What tests need around them.

mod postgres;

pub use postgres::{Postgres, binaries};
