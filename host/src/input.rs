//! Reading what commands are given.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use bandpass::Verifier;
use bandpass_core::limits::MAX_SUBMISSION_BYTES;

use crate::terminal::plain;

/// A token given as such, in a file, or on standard input (`-`). Of one that is too large only so much is read that the
/// verifier sees that.
pub(crate) fn token(argument: &str) -> Result<Vec<u8>> {
    let bytes = match argument {
        "-" => limited(io::stdin().lock()).context("standard input")?,
        path if Path::new(path).is_file() => limited(fs::File::open(path)?).with_context(|| path.to_owned())?,
        path if Path::new(path).is_dir() => bail!("{path} is a folder"),
        token => {
            // No token is that short, so it was meant to be a file.
            if token.len() < 100 {
                eprintln!("bandpass: no file `{}`, so it is taken as a token", plain(token));
            }
            token.as_bytes().to_vec()
        }
    };
    Ok(bytes.trim_ascii().to_vec())
}

fn limited(source: impl Read) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_SUBMISSION_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    source.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

/// Gives the verifier status lists. The first that it refuses is the verdict: without it nothing could be accepted.
pub(crate) fn status_lists(
    verifier: &mut Verifier,
    paths: &[PathBuf],
    now: u64,
) -> Result<Result<(), bandpass::Error>> {
    for path in paths {
        if let Err(error) = verifier.update_status(file(path)?, now) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

pub(crate) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Transaction data as sent: the base64url string in a file.
pub(crate) fn transaction_data(path: &Path) -> Result<String> {
    Ok(text(path)?.trim().to_owned())
}

/// The given time, or the system's.
pub(crate) fn now(given: Option<u64>) -> Result<u64> {
    match given {
        Some(now) => Ok(now),
        None => {
            Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?.as_secs())
        }
    }
}
