//! A band as a program: what it keeps, and what it answers to readers.

use std::path::Path;

use anyhow::{Context as _, Result};
use bandpass_bluetooth::pipe::Pipe;
use bandpass_bluetooth::talk::be_tapped;
use bandpass_core::{ReaderError, ReaderRoots};
use bandpass_roles::mdoc::{Answer, BAND_DOCTYPE, DeviceAuth, Mdoc, Session};
use bandpass_roles::{Band, Key, base64url, os_rng};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desk::ACCESS_DOCTYPE;
use crate::files;

/// What a band keeps, in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    key: Value,
    counter: u64,
    /// When it was put on and unlocked, if it is worn.
    pub worn_since: Option<u64>,
    /// By `docType`, in base64url.
    credentials: Vec<(String, String)>,
    /// Authorities whose readers are answered: DER in base64.
    readers: Vec<String>,
}

impl Kept {
    /// A band that is worn and unlocked, with its credential.
    #[must_use]
    pub fn new(key: &Key, credential: &Mdoc, readers: Vec<String>, worn_since: u64) -> Self {
        let credentials = vec![(credential.doctype().to_owned(), encoded(credential))];
        Self { key: key.to_private_jwk(), counter: 0, worn_since: Some(worn_since), credentials, readers }
    }

    /// Takes a credential in, in place of an earlier one of its type.
    ///
    /// # Errors
    /// If it is none.
    pub fn take_in(&mut self, doctype: &str, issuer_signed: &[u8]) -> Result<()> {
        let credential = Mdoc::read(doctype, issuer_signed).context("an access credential")?;
        self.credentials.retain(|(other, _)| other != doctype);
        self.credentials.push((doctype.into(), encoded(&credential)));
        Ok(())
    }

    /// Answers a reader; `confirms`: the wearer acts on the band.
    ///
    /// # Errors
    /// A [`ReaderError`], and then nothing is signed; or what is wrong with the file.
    pub fn answer(
        &mut self,
        device_request: &[u8],
        session_transcript: &[u8],
        confirms: bool,
        now: u64,
    ) -> Result<Result<Vec<u8>, ReaderError>> {
        let mut band = Band::new(Key::from_private_jwk(&self.key)?, String::new()).after(self.counter);
        if let Some(worn_since) = self.worn_since {
            band.put_on(worn_since);
            band.unlock(worn_since);
        }
        if confirms {
            band.confirm();
        }
        let readers = self.readers.iter().map(|root| Base64::decode_vec(root).ok()).collect::<Option<Vec<_>>>();
        let readers = ReaderRoots::from_der(&readers.context("certificates in base64")?)?;
        let mut mdocs = Vec::new();
        for (doctype, issuer_signed) in &self.credentials {
            let issuer_signed = Base64UrlUnpadded::decode_vec(issuer_signed).ok().context("base64url")?;
            mdocs.push(Mdoc::read(doctype, &issuer_signed).context("a credential")?);
        }
        let session = Session::Proximity { session_transcript: session_transcript.to_vec() };
        let answer =
            Answer { session: &session, auth: DeviceAuth::Signature, transaction_data: &[], approval: None, now };
        let response = band.answer_reader(&mdocs, device_request, &readers, |_, _| true, &answer, &mut os_rng());
        self.counter = band.counter();
        Ok(response)
    }
}

fn encoded(credential: &Mdoc) -> String {
    base64url(&credential.issuer_signed(|_, _| true).encode())
}

/// A band that is tapped, until the reader leaves: answers it, and takes an access credential from a desk. Says what it did.
///
/// # Errors
/// What is wrong with the file, or the bridge.
pub fn wear(file: &Path, confirms: bool, now: u64) -> Result<Value> {
    let mut kept = files::read::<Kept>(file)?;
    let mut did = "nothing".to_owned();
    let (_, wrong) = be_tapped(&Pipe::open(), |session, message| {
        if did == "answered" {
            kept.take_in(ACCESS_DOCTYPE, message)?;
            did = "took an access credential in".into();
        } else {
            match kept.answer(message, session.transcript(), confirms, now)? {
                Ok(response) => {
                    did = "answered".into();
                    // Before it is heard: no counter is used twice.
                    files::write(file, &kept)?;
                    return Ok(Some(response));
                }
                Err(error) => did = error.to_string(),
            }
        }
        files::write(file, &kept)?;
        Ok(None)
    })?;
    Ok(json!({"who": "band", "did": wrong.map_or(did, |code| code.to_string()), "type": BAND_DOCTYPE}))
}
