//! Vectors for verifiers of band tokens: their format, and what makes them from fixed keys.
//!
//! `vectors/*.json` is made by this crate; a test fails when it drifts. Other verifiers can run the files as they are: see
//! README.md.

#![expect(clippy::indexing_slicing, reason = "it changes JSON that it made itself")]

mod certificate;
pub mod counts;
mod draft;
mod mdoc;
mod native;
pub mod peers;
mod policies;
pub mod scale;
pub mod suite;
mod vectors;

pub use certificate::{Certified, RelyingParty};
pub use native::claim_path;
pub use policies::{PolicyVector, Ruling, policies};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file of vectors.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The vectors.
    pub vectors: Vec<Vector>,
}

/// A token, what it is judged by, and the verdict.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// `accept/what` or `stage.reason/what`: the error code comes first.
    pub name: String,
    /// The standard and section that decide it.
    pub section: String,
    /// Trust list.
    pub trust: Value,
    /// Status list tokens that the verifier takes in before it judges, at the time at which it judges: a compact JWT, or
    /// base64url of a CWT. The first that is refused is the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status_lists: Vec<String>,
    /// What the wallet sent: a bare presentation, or a JSON object.
    pub vp_token: String,
    /// What it is judged by.
    pub expected: Expected,
    /// The verdict.
    pub result: Verdict,
}

impl Vector {
    /// The status list tokens as bytes.
    #[must_use]
    pub fn status_list_tokens(&self) -> Vec<Vec<u8>> {
        status_list_tokens(&self.status_lists)
    }
}

/// One with a dot is a JWT, anything else base64url of a CWT, or nothing that it should be.
fn status_list_tokens(tokens: &[String]) -> Vec<Vec<u8>> {
    let bytes = |token: &String| {
        let cwt = Base64UrlUnpadded::decode_vec(token).ok().filter(|_| !token.contains('.'));
        cwt.unwrap_or_else(|| token.clone().into_bytes())
    };
    tokens.iter().map(bytes).collect()
}

/// What a token is judged by.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Audiences, any one of which will do; none where there is a binding.
    pub audience: Vec<String>,
    /// Nonce; empty where there is a binding.
    pub nonce: String,
    /// What the answer is bound to, for either format: in place of audience and nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The reader's own measure of the distance, in proximity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_distance_mm: Option<u32>,
    /// Seconds since 1970.
    pub now: u64,
    /// Greatest age of the proof in seconds.
    pub max_age: u32,
    /// Clock tolerance in seconds.
    pub clock_tolerance: u32,
    /// Greatest age of a status list in seconds.
    pub status_max_age: u32,
    /// Transaction data as sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transaction_data: Vec<String>,
    /// DCQL query as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dcql: Option<Value>,
    /// The query that is asked; empty for a bare presentation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query_id: String,
    /// What is asked for on top of the profile.
    #[serde(default, skip_serializing_if = "Requirements::is_empty")]
    pub requirements: Requirements,
}

/// What an answer is bound to. Bytes are base64url.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "kebab-case")]
pub enum Binding {
    /// A request by redirect.
    #[serde(rename = "openid4vp")]
    OpenId4Vp {
        /// The full `client_id`.
        client_id: String,
        /// The nonce.
        nonce: String,
        /// `response_uri`.
        response_uri: String,
        /// Thumbprint of the key that the response is encrypted to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jwk_thumbprint: Option<String>,
    },
    /// A request by the Digital Credentials API.
    DcApi {
        /// The origin.
        origin: String,
        /// The nonce.
        nonce: String,
        /// Thumbprint of the key that the response is encrypted to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jwk_thumbprint: Option<String>,
    },
    /// A proximity session.
    Proximity {
        /// `SessionTranscriptBytes`, tagged.
        session_transcript: String,
        /// The reader's private key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reader_key: Option<String>,
    },
}

/// What is asked for on top of the profile.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requirements {
    /// Key binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Demand>,
    /// The credential's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Demand>,
    /// The phone's approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Demand>,
    /// Authentication methods that the approval must name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// On the wrist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worn: Option<Demand>,
    /// Unlocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlocked: Option<Demand>,
    /// Greatest age of the unlock in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlocked_within: Option<u32>,
    /// A deliberate act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Demand>,
    /// Greatest distance in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_mm: Option<u32>,
    /// Claims that must be disclosed, as DCQL paths: strings, numbers and `null`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Vec<Value>>,
    /// Full years that the holder must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_at_least: Option<u8>,
    /// Query whose presentation must prove the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_holder_as: Option<String>,
}

impl Requirements {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether something is asked for; as the profile says where there is none.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Refuse without it.
    Required,
    /// Accept without it.
    NotRequired,
}

/// The verdict.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Verdict {
    /// Accepted.
    Accepted {
        /// The disclosed claims, all of them.
        claims: Map<String, Value>,
        /// `transaction_id` of each transaction that was agreed to.
        transactions: Vec<Option<String>>,
    },
    /// Refused.
    Refused {
        /// Stable code.
        code: String,
    },
}

/// Every vector, by the file that it is in: made anew, always the same.
///
/// # Errors
/// If a vector can't be made.
pub fn generate() -> anyhow::Result<BTreeMap<&'static str, File>> {
    vectors::all()
}

/// The vector with this name.
///
/// # Errors
/// If there is none.
pub fn vector(name: &str) -> anyhow::Result<Vector> {
    let mut vectors = generate()?.into_values().flat_map(|file| file.vectors);
    vectors.find(|vector| vector.name == name).with_context(|| format!("no vector is called {name}"))
}

/// The folder of a crate that `published/` names: other people's vectors, as they ship them.
///
/// # Errors
/// If it was not fetched: `cargo xtask setup` does that.
pub fn published(package: &str) -> anyhow::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("published/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline", "--locked", "--manifest-path"])
        .arg(manifest)
        .output()?;
    ensure!(output.status.success(), "run `cargo xtask setup`: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut manifests =
        packages.filter(|found| found["name"] == package).filter_map(|found| found["manifest_path"].as_str());
    let manifest = manifests.next().with_context(|| format!("{package} is not in conformance/published"))?;
    Ok(Path::new(manifest).parent().context("a manifest is in a folder")?.to_owned())
}
