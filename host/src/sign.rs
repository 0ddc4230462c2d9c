//! What a host signs: receipts of its decisions, and checkpoints of its audit chain. Compact JWS, ES256.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use bandpass_roles::Key;
use serde_json::{Value, json};

use crate::error::{Code, Error};
use crate::state::Position;

/// Media types, for `typ`.
pub(crate) const RECEIPT: &str = "bandpass-receipt+jwt";
pub(crate) const CHECKPOINT: &str = "bandpass-checkpoint+jwt";

/// Signs in a host's name.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: Key,
    kid: String,
}

impl Signer {
    pub(crate) fn new(key: Key) -> Self {
        Self { kid: key.thumbprint(), key }
    }

    /// Public keys as a JWK Set has them (RFC 7517): this one, and those that signed before it.
    pub(crate) fn public_keys(&self, retired: &[Value]) -> Vec<Value> {
        let mut keys = vec![self.key.jwk()];
        keys.extend(retired.iter().cloned());
        for key in keys.iter_mut().filter_map(Value::as_object_mut) {
            key.insert("use".into(), "sig".into());
            key.insert("alg".into(), "ES256".into());
        }
        if let Some(key) = keys.first_mut().and_then(Value::as_object_mut) {
            key.insert("kid".into(), self.kid.as_str().into());
        }
        keys
    }

    /// The receipt of a decision. ES256 signatures are deterministic (RFC 6979), so that it is the same each time.
    pub(crate) fn receipt(&self, payload: &str) -> String {
        self.sign(RECEIPT, payload)
    }

    /// Says how far an audit chain had come.
    pub(crate) fn checkpoint(&self, host: &str, position: &Position, now: u64) -> String {
        self.sign(CHECKPOINT, &json!({"iss": host, "iat": now, "audit": position}).to_string())
    }

    fn sign(&self, typ: &str, payload: &str) -> String {
        self.key.sign_text(&json!({"alg": "ES256", "typ": typ, "kid": self.kid}).to_string(), payload)
    }
}

/// Appends a line, durably.
pub(crate) fn append_line(path: &Path, line: &str) -> Result<(), Error> {
    let append = || {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    };
    append().map_err(|error| Error::host(Code::HostStore, format!("{}: {error}", path.display())))
}
