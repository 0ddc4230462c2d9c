//! Band and reader: what they say to each other.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bandpass_bluetooth::pipe::Pipe;
use bandpass_bluetooth::talk::{Conversation, be_tapped};
use bandpass_roles::base64url;
use clap::Args;
use serde_json::{Value, json};

use crate::proof::{check, prove};

/// What a reader asks for.
const REQUEST: &[u8] = b"proof";
const REQUEST_CONFIRMED: &[u8] = b"proof, confirmed";

#[derive(Args)]
pub(crate) struct BandOptions {
    /// The band's key.
    #[arg(long)]
    key: PathBuf,
    /// The wearer acts on the band when it asks for it.
    #[arg(long)]
    confirms: bool,
    /// Size of the proof.
    #[arg(long, default_value_t = 2_048)]
    bytes: usize,
    /// Show this in place of a proof: an attacker's band, with what it got from another.
    #[arg(long)]
    show: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ReaderOptions {
    /// Thumbprint of the key of the band that is let in.
    #[arg(long, allow_hyphen_values = true)]
    band: String,
    /// Ask for a deliberate act of the wearer.
    #[arg(long)]
    confirmed: bool,
    /// Keep what the band shows: an attacker's reader.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// A band that was tapped, until the reader leaves. Says what it did.
pub(crate) fn band(options: &BandOptions) -> Result<Value> {
    let key = crate::key(&options.key)?;
    let mut did = "nothing".to_owned();
    let (session, wrong) = be_tapped(&Pipe::open(), |session, request| {
        if request == REQUEST_CONFIRMED && !options.confirms {
            did = "nobody confirmed".into();
            return Ok(None);
        }
        did = "answered".into();
        Ok(Some(match &options.show {
            Some(file) => fs::read(file)?,
            None => prove(&key, session, options.confirms, options.bytes).into(),
        }))
    })?;
    let did = wrong.map_or(did, |code| code.to_string());
    Ok(json!({"who": "band", "did": did, "session": session.map(|session| base64url(&session.digest()))}))
}

/// A reader that is tapped by a band, and says what it thinks of it.
pub(crate) fn reader(options: &ReaderOptions) -> Result<Value> {
    let pipe = Pipe::open();
    let request = if options.confirmed { REQUEST_CONFIRMED } else { REQUEST };
    let begun = Conversation::begin(&pipe, |_| Ok(request.to_vec()))?;
    let mut conversation = begun.context("nobody came")?;
    let verdict = match conversation.hear()? {
        Ok(shown) => {
            if let Some(file) = &options.keep {
                fs::write(file, &shown)?;
            }
            conversation.figures["shown"] = shown.len().into();
            match check(&shown, conversation.session(), &options.band) {
                Ok(proof) if options.confirmed && !proof.confirmed => "not confirmed".into(),
                Ok(_) => "let in".into(),
                Err(error) => error.to_string(),
            }
        }
        Err(why) => why,
    };
    let mut figures = std::mem::take(&mut conversation.figures);
    figures["who"] = "reader".into();
    figures["session"] = base64url(&conversation.session().digest()).into();
    figures["verdict"] = verdict.into();
    conversation.end()?;
    Ok(figures)
}
