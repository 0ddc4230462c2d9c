//! Band and reader: ISO/IEC 18013-5 in mdoc peripheral server mode, engaged by a tap.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use bandpass_proximity::ble::{Event, Link, Role, Uuid};
use bandpass_proximity::{Band, Code, EphemeralKey, Reader, Received, Session};
use bandpass_roles::{base64url, os_rng};
use clap::Args;
use serde_json::{Value, json};

use crate::pipe::{Frame, Pipe};
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
    #[arg(long)]
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
    let pipe = Pipe::open();
    let mut service = Uuid::default();
    getrandom::fill(&mut service).map_err(|error| anyhow!("{error}"))?;
    let band = Band::by_nfc(EphemeralKey::generate(&mut os_rng()), service);
    pipe.advertise(service, band.handover_select().context("a tap")?)?;
    let (mut waiting, mut session) = (Some(band), None);
    let mut link = Link::new(Role::Band, 23)?;
    let mut did = "nothing".to_owned();
    while let Some(frame) = pipe.next()? {
        let (characteristic, value) = match frame {
            Frame::Connected(mtu) => {
                link = Link::new(Role::Band, mtu)?;
                continue;
            }
            Frame::Value(characteristic, value) => (characteristic, value),
            Frame::Disconnected => break,
            Frame::Tapped(_) | Frame::Compare(_) => continue,
        };
        let heard = match link.received(characteristic, &value) {
            Ok(Event::Message(message)) => hear(&mut waiting, &mut session, &message),
            // The reader disconnects.
            Ok(Event::Started | Event::Chunk | Event::Ended) => continue,
            Err(code) => Err(code),
        };
        match (heard, &mut session) {
            (Ok(Some(request)), Some(session)) => {
                let message = if request == REQUEST_CONFIRMED && !options.confirms {
                    did = "nobody confirmed".into();
                    session.terminate()
                } else {
                    did = "answered".into();
                    let shown = match &options.show {
                        Some(file) => fs::read(file)?,
                        None => prove(&key, session, options.confirms, options.bytes).into(),
                    };
                    session.seal(&shown)?
                };
                pipe.send(link.send(&message)?)?;
            }
            (Ok(_), _) => {}
            (Err(code), _) => {
                did = code.to_string();
                if let Some(reply) = code.reply() {
                    pipe.send(link.send(&reply)?)?;
                }
                pipe.send([link.end()])?;
            }
        }
    }
    Ok(json!({"who": "band", "did": did, "session": session.map(|session| base64url(&session.digest()))}))
}

/// The request in a message, the first of which establishes the session. None at its end.
fn hear(waiting: &mut Option<Band>, session: &mut Option<Session>, message: &[u8]) -> Result<Option<Vec<u8>>, Code> {
    if let Some(band) = waiting.take() {
        let (established, request) = band.establish(message)?;
        *session = Some(established);
        return Ok(Some(request));
    }
    match session.as_mut().ok_or(Code::Ended)?.open(message)? {
        Received::Data(request) | Received::Last(request) => Ok(Some(request)),
        Received::End => Ok(None),
    }
}

/// A reader that is tapped by a band, and says what it thinks of it.
pub(crate) fn reader(options: &ReaderOptions) -> Result<Value> {
    let pipe = Pipe::open();
    let request = if options.confirmed { REQUEST_CONFIRMED } else { REQUEST };
    let mut tapped = None;
    let mut talking = None;
    let mut figures = json!({"who": "reader"});
    let mut fragments = 0;
    let mut start = Instant::now();
    let verdict = loop {
        let Some(frame) = pipe.next()? else { break "silence".into() };
        let (characteristic, value) = match frame {
            Frame::Tapped(select) => {
                start = Instant::now();
                let reader = Reader::by_nfc(&select, None)?;
                pipe.connect(reader.service()?)?;
                tapped = Some(reader);
                continue;
            }
            Frame::Connected(mtu) => {
                let reader = tapped.take().context("tapped before")?;
                let (session, message) = reader.establish(EphemeralKey::generate(&mut os_rng()), request)?;
                let mut link = Link::new(Role::Reader, mtu)?;
                pipe.send([link.start()?])?;
                let values = link.send(&message)?;
                figures["mtu"] = mtu.into();
                figures["request"] = json!({"bytes": message.len(), "fragments": values.len()});
                figures["session"] = base64url(&session.digest()).into();
                pipe.send(values)?;
                talking = Some((session, link));
                continue;
            }
            Frame::Value(characteristic, value) => (characteristic, value),
            Frame::Disconnected => break "the link is gone".into(),
            Frame::Compare(_) => continue,
        };
        let (session, link) = talking.as_mut().context("connected before")?;
        fragments += 1;
        let message = match link.received(characteristic, &value) {
            Ok(Event::Message(message)) => message,
            Ok(Event::Started | Event::Chunk) => continue,
            Ok(Event::Ended) => break "the band ended it".into(),
            Err(code) => break code.to_string(),
        };
        figures["response"] = json!({"bytes": message.len(), "fragments": fragments});
        match session.open(&message) {
            Ok(Received::Data(shown) | Received::Last(shown)) => {
                figures["milliseconds"] = json!(start.elapsed().as_secs_f64() * 1e3);
                figures["shown"] = shown.len().into();
                if let Some(file) = &options.keep {
                    fs::write(file, &shown)?;
                }
                let checked = check(&shown, session, &options.band);
                pipe.send(link.send(&session.terminate())?)?;
                pipe.send([link.end()])?;
                break match checked {
                    Ok(proof) if options.confirmed && !proof.confirmed => "not confirmed".into(),
                    Ok(_) => "let in".into(),
                    Err(error) => error.to_string(),
                };
            }
            Ok(Received::End) => break "the band ended it".into(),
            Err(code) => break code.to_string(),
        }
    };
    pipe.disconnect()?;
    figures["verdict"] = verdict.into();
    Ok(figures)
}
