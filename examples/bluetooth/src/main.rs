//! Band, reader and phone as processes that speak over a virtual Bluetooth link: `bridge.py` connects their standard
//! input and output. What each of them finds it says on standard error, as a line of JSON.
#![expect(clippy::indexing_slicing, reason = "members are set in JSON that was made here")]

mod proof;
mod proximity;
mod wrist;

use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bandpass_roles::{Key, os_rng};
use clap::Parser;
use serde_json::Value;

#[derive(Parser)]
#[command(name = "bluetooth")]
enum Program {
    /// Makes a key, and says its thumbprint.
    Key {
        /// Where to: a private JWK.
        file: PathBuf,
    },
    /// A band, tapped by a reader.
    Band(proximity::BandOptions),
    /// A reader, which asks a band for a proof.
    Reader(proximity::ReaderOptions),
    /// A band, as its owner's phone sees it.
    Wrist(wrist::WristOptions),
    /// The owner's phone, which sends its band an approval.
    Phone(wrist::PhoneOptions),
}

fn main() -> Result<()> {
    let found = match Program::parse() {
        Program::Key { file } => {
            let key = Key::generate(&mut os_rng());
            fs::write(&file, key.to_private_jwk().to_string()).with_context(|| file.display().to_string())?;
            println!("{}", key.thumbprint());
            return Ok(());
        }
        Program::Band(options) => proximity::band(&options)?,
        Program::Reader(options) => proximity::reader(&options)?,
        Program::Wrist(options) => wrist::wrist(&options)?,
        Program::Phone(options) => wrist::phone(&options)?,
    };
    // At once: the other process writes there too.
    Ok(stderr().write_all(format!("{found}\n").as_bytes())?)
}

/// The key in a file that `bluetooth key` wrote.
fn key(file: &Path) -> Result<Key> {
    let jwk = fs::read(file).with_context(|| file.display().to_string())?;
    let jwk = serde_json::from_slice::<Value>(&jwk).with_context(|| file.display().to_string())?;
    Key::from_private_jwk(&jwk).with_context(|| file.display().to_string())
}
