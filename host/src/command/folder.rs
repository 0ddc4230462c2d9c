//! Folders with what owners, bands and phones keep, which is for nobody else to read.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bandpass_roles::Key;
use bandpass_roles::device::{Keep, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// A folder that no other process has open meanwhile.
pub(super) struct Folder {
    /// The folder itself, locked.
    locked: File,
    file: PathBuf,
}

impl Folder {
    /// Opens a folder: with what is kept in this file of it.
    pub(super) fn open<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<(Self, T)> {
        let file = folder.join(name);
        let locked = File::open(folder).with_context(|| folder.display().to_string())?;
        if locked.try_lock().is_err() {
            bail!("{}: another process has it open", folder.display());
        }
        let kept = read(&file)?;
        Ok((Self { locked, file }, kept))
    }
}

impl Keep for Folder {
    fn keep(&mut self, device: &Value) -> Result<(), Refusal> {
        let keep = || {
            let file = temporary(&self.file, device.to_string().as_bytes())?;
            file.persist(&self.file)?;
            // A name is kept with its folder.
            self.locked.sync_all()
        };
        keep().map_err(|error| {
            tracing::error!("{}: {error}", self.file.display());
            Refusal::Store
        })
    }
}

/// Makes a folder with this file in it, where it is not there yet.
pub(super) fn make(folder: &Path, name: &str, content: &impl Serialize) -> Result<()> {
    let file = folder.join(name);
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        temporary(&file, &serde_json::to_vec(content)?)?.persist_noclobber(&file)?;
        File::open(folder)?.sync_all()
    };
    make().with_context(|| file.display().to_string())
}

/// What is kept in a file.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| file.display().to_string())
}

/// Puts down who signs (`iss`), and with which key.
pub(super) fn write_signer(file: &Path, name: &str, key: &Key) -> Result<()> {
    let mut jwk = key.to_private_jwk();
    if let Some(jwk) = jwk.as_object_mut() {
        jwk.insert("iss".into(), json!(name));
    }
    let write = || temporary(file, jwk.to_string().as_bytes())?.persist(file).map_err(io::Error::from);
    write().map(drop).with_context(|| file.display().to_string())
}

/// Reads it again.
pub(super) fn signer(file: &Path) -> Result<(String, Key)> {
    let jwk = read::<Value>(file)?;
    let name = jwk.get("iss").and_then(Value::as_str).with_context(|| format!("{}: no `iss`", file.display()))?;
    Ok((name.to_owned(), Key::from_private_jwk(&jwk).with_context(|| file.display().to_string())?))
}

/// Temporary files are made 0600.
fn temporary(file: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = NamedTempFile::new_in(folder)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}
