//! How others speak to a simulated band: over Unix sockets in its folder, in place of a radio and of the band itself.
//! One request a connection, in lines of JSON.
//!
//! By radio the band sends a nonce first, and what is asked comes signed over it, so that it knows who asks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bandpass::{Code, Error};
use bandpass_core::{SignatureError, verify_self_signed};
use bandpass_roles::device::Refusal;
use bandpass_roles::{Key, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Socket for phones.
pub(super) const RADIO: &str = "radio.sock";
/// Socket for what the wearer does.
pub(super) const BODY: &str = "body.sock";
/// Bytes of a line: a batch of credentials.
pub(super) const MAX_LINE: u64 = 1 << 20;
/// How long a connection may take.
pub(super) const MAX_TIME: Duration = Duration::from_secs(10);

const TYPE: &str = "bandpass-link+jwt";

/// What a phone asks of a band; an owner's device, at enrolment.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Ask {
    /// Its thumbprint.
    Who,
    /// To sign that it is enrolled for whoever asks.
    Enrol { audience: String },
    /// To sign that it is paired with whoever asks.
    Pair { audience: String, nonce: String },
    /// To make keys for a batch of credentials, and sign for them.
    Batch { audience: String, nonce: String, epoch: u64, count: u8 },
    /// To take the credentials in.
    TakeIn { credentials: Vec<String> },
    /// Which credential it will show to an audience.
    Choose { audience: String },
    /// To show it.
    Present { request: Request, disclose: Vec<String>, approval: Option<String> },
}

/// What a band brings to its enrolment.
#[derive(Serialize, Deserialize)]
pub(super) struct Enrolment {
    pub(super) proof: String,
    /// Its maker's, if it has one.
    pub(super) attestation: Option<String>,
}

/// What the wearer does.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Act {
    PutOn,
    TakeOff,
    Unlock { pin: String },
    Confirm,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    nonce: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ok(Value),
    Error(Refusal),
}

/// The line with a band's nonce.
pub(super) fn greeting(nonce: &str) -> String {
    line(&Greeting { nonce: nonce.into() })
}

/// The line with a band's answer.
pub(super) fn answer(answer: Result<Value, Refusal>) -> String {
    line(&answer.map_or_else(Answer::Error, Answer::Ok))
}

/// What is asked in a line, and the thumbprint of the key that signed it over this nonce.
pub(super) fn asked(line: &str, nonce: &str) -> Result<(String, Ask), SignatureError> {
    let mut signed = verify_self_signed(line, TYPE, &[])?;
    let ask = signed.payload.remove("do").ok_or(SignatureError::Malformed)?;
    if signed.payload.get("nonce").and_then(Value::as_str) != Some(nonce) {
        return Err(SignatureError::Signature);
    }
    Ok((signed.thumbprint, serde_json::from_value(ask).map_err(|_| SignatureError::Malformed)?))
}

/// Asks the band of this folder, as the owner of `key`.
pub(super) fn ask<T: DeserializeOwned>(band: &Path, key: &Key, ask: &Ask) -> Result<T, Error> {
    let mut connection = Connection::open(band, RADIO)?;
    let Greeting { nonce } = connection.read()?;
    let header = json!({"alg": "ES256", "typ": TYPE, "jwk": key.jwk()});
    connection.write(&(key.sign(&header, &json!({"nonce": nonce, "do": ask})) + "\n"))?;
    connection.answer()
}

/// Does what the wearer of the band of this folder does.
pub(super) fn act(band: &Path, act: &Act) -> Result<(), Error> {
    let mut connection = Connection::open(band, BODY)?;
    connection.write(&line(act))?;
    connection.answer()
}

struct Connection<'a> {
    band: &'a Path,
    stream: BufReader<std::io::Take<UnixStream>>,
}

impl<'a> Connection<'a> {
    fn open(band: &'a Path, socket: &str) -> Result<Self, Error> {
        let open = || {
            let stream = UnixStream::connect(band.join(socket))?;
            stream.set_read_timeout(Some(MAX_TIME))?;
            stream.set_write_timeout(Some(MAX_TIME))?;
            Ok(Self { band, stream: BufReader::new(stream.take(MAX_LINE)) })
        };
        open().map_err(|error: std::io::Error| failed(band, &error))
    }

    fn write(&mut self, line: &str) -> Result<(), Error> {
        let written = self.stream.get_mut().get_mut().write_all(line.as_bytes());
        written.map_err(|error| failed(self.band, &error))
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| failed(self.band, &error))?;
        serde_json::from_str(&line).map_err(|_| failed(self.band, &"it ended the connection"))
    }

    fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        match self.read()? {
            Answer::Ok(value) => serde_json::from_value(value).map_err(|error| failed(self.band, &error)),
            Answer::Error(refusal) => Err(refusal.into()),
        }
    }
}

fn failed(band: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Host { code: Code::HostInput, message: format!("the band in {}: {error}", band.display()) }
}

fn line(content: &impl Serialize) -> String {
    serde_json::to_string(content).unwrap_or_default() + "\n"
}
