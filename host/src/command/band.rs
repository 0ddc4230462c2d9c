//! `bandpass band`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstream::eprintln;
use anyhow::{Context as _, Result};
use bandpass::Error;
use bandpass_roles::device::{BandDevice, Batch, Refusal, Shown};
use bandpass_roles::registry::Maker;
use bandpass_roles::{os_rng, random_id};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::folder::{self, Folder};
use super::radio::{self, Act, Ask, BODY, Enrolment, MAX_LINE, MAX_TIME, RADIO};
use super::serving::{clock, told_to_stop};
use super::{Done, tell};
use crate::{Verdict, input};

/// Be a simulated band, and do what its wearer does.
#[derive(Args)]
pub(crate) struct Band {
    /// Where the band keeps its keys.
    #[arg(long, value_name = "FOLDER", global = true, default_value = "bandpass-band")]
    folder: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: BandCommand,
}

#[derive(Subcommand)]
enum BandCommand {
    Make(Make),
    /// Run the band until SIGTERM or SIGINT.
    ///
    /// It listens on two sockets in its folder: `radio.sock` for phones, `body.sock` for what its wearer does. It begins
    /// taken off, for it can't know whether it was worn all the time.
    Run,
    /// Put the band on; it is locked.
    PutOn,
    /// Take it off, which locks it.
    TakeOff,
    /// Unlock it on the wrist.
    Unlock {
        /// The wearer's PIN.
        #[arg(long, value_name = "PIN")]
        pin: String,
    },
    /// Act on it: counts for what it signs next.
    Confirm,
}

/// Make a band.
#[derive(Args)]
struct Make {
    /// The PIN that its wearer chose.
    #[arg(long, value_name = "PIN")]
    pin: String,
    /// The maker's key, to attest what the band senses: a file with a private JWK and `iss`.
    #[arg(long, value_name = "FILE")]
    maker: Option<PathBuf>,
    /// What the maker attests, separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "wear,unlock,confirm", requires = "maker")]
    measures: Vec<String>,
}

const FILE: &str = "band.json";
const ATTESTATION: &str = "attestation.json";
/// Connections at once.
const MAX_CONNECTIONS: usize = 16;

impl Band {
    pub(crate) fn run(self) -> Result<Verdict> {
        let folder = &self.folder;
        let done = match self.command {
            BandCommand::Make(make) => make.run(folder),
            BandCommand::Run => return run(folder),
            BandCommand::PutOn => acted(folder, &Act::PutOn, "put on"),
            BandCommand::TakeOff => acted(folder, &Act::TakeOff, "taken off"),
            BandCommand::Unlock { pin } => acted(folder, &Act::Unlock { pin }, "unlocked"),
            BandCommand::Confirm => acted(folder, &Act::Confirm, "confirmed"),
        };
        tell(done, self.json)
    }
}

fn acted(folder: &Path, act: &Act, done: &str) -> Result<Done> {
    radio::act(folder, act)?;
    Ok(Done { line: done.into(), json: json!({"done": done}) })
}

impl Make {
    fn run(&self, folder: &Path) -> Result<Done> {
        let band = BandDevice::new(&self.pin, &mut os_rng());
        folder::make(folder, FILE, &band)?;
        let band = band.thumbprint();
        if let Some(file) = &self.maker {
            let (name, key) = folder::signer(file)?;
            let measures = self.measures.iter().map(String::as_str).collect::<Vec<_>>();
            let attestation = Maker { name, key }.attest(&band, &measures, input::now(None)?);
            folder::make(folder, ATTESTATION, &attestation)?;
        }
        Ok(Done { line: format!("made band {band}"), json: json!({"band": band}) })
    }
}

/// A band that runs, and where it keeps what it remembers.
struct Running {
    device: BandDevice,
    folder: Folder,
    attestation: Option<String>,
}

/// Who speaks to it.
#[derive(Clone, Copy)]
enum Socket {
    Radio,
    Body,
}

fn run(path: &Path) -> Result<Verdict> {
    let (mut folder, mut device) = Folder::open::<BandDevice>(path, FILE)?;
    let attestation = path.join(ATTESTATION);
    let attestation = attestation.exists().then(|| folder::read(&attestation)).transpose()?;
    device.take_off(&mut folder)?;
    let thumbprint = device.thumbprint();
    let running = Arc::new(Mutex::new(Running { device, folder, attestation }));
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    executor.map_err(|error| Error::runtime(&error))?.block_on(async {
        let (radio, body) = (bind(path, RADIO)?, bind(path, BODY)?);
        eprintln!("bandpass: band {thumbprint} listens in {}", path.display());
        tokio::select! {
            () = listen(radio, Socket::Radio, running.clone()) => {}
            () = listen(body, Socket::Body, running) => {}
            told = told_to_stop() => told?,
        }
        anyhow::Ok(())
    })?;
    Ok(Verdict::Accepted)
}

/// The folder is locked, so a socket that is there is nobody's.
fn bind(folder: &Path, name: &str) -> Result<UnixListener> {
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => UnixListener::bind(&path),
    }
    .with_context(|| path.display().to_string())
}

async fn listen(listener: UnixListener, socket: Socket, band: Arc<Mutex<Running>>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        let band = band.clone();
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    let answered = tokio::time::timeout(MAX_TIME, answer(stream, socket, &band)).await;
                    match answered.context("it took too long") {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) | Err(error) => tracing::warn!("a connection ended: {error:#}"),
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("{error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Answers the one request of a connection.
async fn answer(mut stream: UnixStream, socket: Socket, band: &Mutex<Running>) -> Result<()> {
    let nonce = random_id(&mut os_rng());
    if matches!(socket, Socket::Radio) {
        stream.write_all(radio::greeting(&nonce).as_bytes()).await?;
    }
    let mut line = String::new();
    BufReader::new((&mut stream).take(MAX_LINE)).read_line(&mut line).await?;
    let line = line.trim_end();
    let answer = match socket {
        Socket::Radio => {
            let (phone, ask) = radio::asked(line, &nonce)?;
            band.lock().unwrap_or_else(PoisonError::into_inner).ask(&phone, ask)
        }
        Socket::Body => {
            let act = serde_json::from_str(line)?;
            band.lock().unwrap_or_else(PoisonError::into_inner).act(act)
        }
    };
    stream.write_all(radio::answer(answer).as_bytes()).await?;
    Ok(())
}

impl Running {
    fn act(&mut self, act: Act) -> Result<Value, Refusal> {
        let Self { device, folder, .. } = self;
        match act {
            Act::PutOn => device.put_on(clock(), folder),
            Act::TakeOff => device.take_off(folder),
            Act::Unlock { pin } => device.unlock(&pin, clock(), folder),
            Act::Confirm => device.confirm(folder),
        }
        .map(|()| Value::Null)
    }

    fn ask(&mut self, phone: &str, ask: Ask) -> Result<Value, Refusal> {
        let Self { device, folder, attestation } = self;
        let (now, rng) = (clock(), &mut os_rng());
        Ok(match ask {
            Ask::Who => json!(device.thumbprint()),
            Ask::Enrol { audience } => {
                let proof = device.pair(&audience, phone, None, now, folder)?;
                json!(Enrolment { proof, attestation: attestation.clone() })
            }
            Ask::Pair { audience, nonce } => json!(device.pair(&audience, phone, Some(&nonce), now, folder)?),
            Ask::Batch { audience, nonce, epoch, count } => {
                let batch = Batch { audience: &audience, nonce: &nonce, epoch, count: count.into() };
                json!(device.batch(&batch, phone, now, rng, folder)?)
            }
            Ask::TakeIn { credentials } => json!(device.take_in(phone, &credentials, folder)?),
            Ask::Choose { audience } => json!(device.choose(phone, &audience, folder)?),
            Ask::Present { request, disclose, approval } => {
                let disclose = disclose.iter().map(String::as_str).collect::<Vec<_>>();
                let shown = Shown { disclose: &disclose, approval: approval.as_deref() };
                json!(device.present(phone, &request, &shown, now, rng, folder)?)
            }
        })
    }
}
