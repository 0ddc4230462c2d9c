//! `bandpass migrate`

use anstream::println;
use anyhow::Result;
use bandpass::{Migration, Store};
use clap::Args;
use serde_json::json;

use crate::Verdict;

/// Create a store's tables, or bring them up to date.
///
/// A PostgreSQL database needs it once for each new version, before the first host starts; several may do it at once. A file
/// is brought up to date by whoever opens it.
#[derive(Args)]
pub(crate) struct Migrate {
    /// URL of a PostgreSQL database (`postgres://USER:PASSWORD@HOST/NAME`), or path of a file.
    #[arg(long, value_name = "STORE")]
    store: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Migrate {
    pub(crate) fn run(self) -> Result<Verdict> {
        let Migration { from, to } = Store::migrate(&self.store)?;
        match (self.json, from == to) {
            (true, _) => println!("{}", json!({"from": from, "to": to})),
            (false, true) => println!("the store is of version {to} already"),
            (false, false) => println!("the store is of version {to} now; it was of version {from}"),
        }
        Ok(Verdict::Accepted)
    }
}
