//! Reading what commands are given.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use bandpass::Verifier;
use bandpass_core::limits::MAX_SUBMISSION_BYTES;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

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
    // Whatever a `DeviceResponse` ends with belongs to it. It begins as a CBOR map, and so as no text does.
    let is_cbor = bytes.first().is_some_and(|first| first >> 5 == 5);
    Ok(if is_cbor { bytes } else { bytes.trim_ascii().to_vec() })
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

/// Bytes as base64url.
pub(crate) fn base64url(text: &str) -> Result<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| anyhow!("`{}` is not base64url", plain(text)))
}

/// The private key in a JWK (RFC 7518, section 6.2.2).
pub(crate) fn private_key(path: &Path) -> Result<Vec<u8>> {
    let jwk = serde_json::from_slice::<Value>(&file(path)?).ok();
    let is_p256 = jwk.as_ref().is_some_and(|jwk| jwk["kty"] == "EC" && jwk["crv"] == "P-256");
    let key = jwk.as_ref().filter(|_| is_p256).and_then(|jwk| Base64UrlUnpadded::decode_vec(jwk["d"].as_str()?).ok());
    key.with_context(|| format!("{}: not a private P-256 key as JWK", path.display()))
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
