//! `bandpass verify`

use std::path::PathBuf;

use anstream::{eprintln, println};
use anyhow::Result;
use bandpass::{
    Accepted, Binding, Challenge, DcApiBinding, Demand, Error, ProximityBinding, RedirectBinding, Requirements,
    Runtime, Verifier,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::terminal::{line, plain};
use crate::{Verdict, input};

/// Verify a band token, and say what it proves or why it is refused.
#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) judged: Judged,
}

/// A token, and what it is judged by.
#[derive(Args)]
pub(crate) struct Judged {
    /// Trust list (JSON): the issuers, their keys and the credential types that they are trusted for.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    bound: Bound,
    /// Time at which to judge, in seconds since 1970; now, unless given.
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
    /// Greatest age of the proof.
    #[arg(long, value_name = "SECONDS", default_value_t = bandpass_core::Challenge::DEFAULT_MAX_AGE)]
    max_age: u32,
    /// By how much clocks may differ.
    #[arg(long, value_name = "SECONDS", default_value_t = bandpass_core::Challenge::DEFAULT_CLOCK_TOLERANCE)]
    clock_tolerance: u32,
    /// Status list token: a file with a JWT or a CWT. May be repeated.
    #[arg(long, value_name = "FILE")]
    status_list: Vec<PathBuf>,
    /// Greatest age of a status list.
    #[arg(long, value_name = "SECONDS", default_value_t = bandpass_core::Challenge::DEFAULT_STATUS_MAX_AGE)]
    status_max_age: u32,
    /// Transaction data that the holder must have agreed to: a file with the base64url string as sent. May be repeated.
    #[arg(long, value_name = "FILE")]
    transaction_data: Vec<PathBuf>,
    /// DCQL query that was sent (JSON): every answer must be one that it asks for.
    #[arg(long, value_name = "FILE")]
    dcql: Option<PathBuf>,
    /// Of a `vp_token` with several presentations: the query whose answer is to be verified.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    query_id: String,
    /// What to ask for on top of what the band profile does, separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    require: Vec<Requirement>,
    /// Accept a credential without the holder's proof, which anyone may have copied. Never for a band's.
    #[arg(long, value_name = "not-required")]
    holder: Option<Waiver>,
    /// Accept a credential whose status is not known: it may have been revoked, or its band lost.
    #[arg(long, value_name = "not-required")]
    status: Option<Waiver>,
    /// Accept a payment that the phone did not approve.
    #[arg(long, value_name = "not-required")]
    approval: Option<Waiver>,
    /// Accept a payment by a band that is not worn; one that is unlocked is, so add `--unlocked not-required`.
    #[arg(long, value_name = "not-required")]
    worn: Option<Waiver>,
    /// Accept a payment by a band that is locked.
    #[arg(long, value_name = "not-required")]
    unlocked: Option<Waiver>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The token, a file with it, or `-` for standard input.
    #[arg(value_name = "TOKEN|FILE|-")]
    token: String,
}

/// What the proof must be bound to: an audience, for SD-JWTs alone; or for either format a request by redirect, one by the
/// Digital Credentials API, or a proximity session.
#[derive(Args)]
struct Bound {
    /// Audience that the proof of an SD-JWT must name. May be repeated: any one of them will do.
    #[arg(long, value_name = "A", requires = "nonce", required_unless_present_any = ["client_id", "origin", "session_transcript"])]
    audience: Vec<String>,
    /// Nonce that the proof must be for.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    nonce: Option<String>,
    /// The full `client_id` of a request by redirect.
    #[arg(long, value_name = "ID", requires_all = ["nonce", "response_uri"], conflicts_with_all = ["audience", "origin", "session_transcript"])]
    client_id: Option<String>,
    /// Its `response_uri`.
    #[arg(long, value_name = "URI", requires = "client_id")]
    response_uri: Option<String>,
    /// The origin of a request by the Digital Credentials API.
    #[arg(long, value_name = "ORIGIN", requires = "nonce", conflicts_with_all = ["audience", "session_transcript"])]
    origin: Option<String>,
    /// Thumbprint (RFC 7638, base64url) of the key that the response was encrypted to, if it was.
    #[arg(long, value_name = "JKT", allow_hyphen_values = true, conflicts_with_all = ["audience", "session_transcript"])]
    jwk_thumbprint: Option<String>,
    /// `SessionTranscriptBytes` of a proximity session: a file with the bytes.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audience", "nonce"])]
    session_transcript: Option<PathBuf>,
    /// The reader's private key for this session, for a proof that is a MAC: a file with a private JWK.
    #[arg(long, value_name = "FILE", requires = "session_transcript")]
    reader_key: Option<PathBuf>,
    /// The distance to the band that the reader measured in this session. It decides.
    #[arg(long, value_name = "MM", requires = "session_transcript")]
    measured_distance: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Requirement {
    Status,
    Approval,
    Worn,
    Unlocked,
    Confirmed,
}

#[derive(Clone, Copy, ValueEnum)]
enum Waiver {
    NotRequired,
}

/// What the verifier needs for a verdict.
pub(crate) struct Case {
    pub(crate) verifier: Verifier,
    pub(crate) token: Vec<u8>,
    pub(crate) challenge: Challenge,
    pub(crate) requirements: Requirements,
    /// A status list that was refused decides already.
    pub(crate) refused: Option<Error>,
}

impl Verify {
    pub(crate) fn run(self) -> Result<Verdict> {
        let Case { mut verifier, token, challenge, requirements, refused } = self.judged.case()?;
        let verified = match refused {
            Some(refused) => Err(refused),
            None => verifier.verify(&token, &challenge, &self.judged.query_id, &requirements),
        };
        match verified {
            Ok(accepted) => {
                self.print_accepted(&accepted);
                Ok(Verdict::Accepted)
            }
            // The caller's mistakes and the machine's are no verdict on the token.
            Err(error) if is_failure(error.code()) => Err(error.into()),
            Err(error) => {
                match self.judged.json {
                    true => println!("{}", json!({"accepted": false, "error": error.to_json()})),
                    false => println!("rejected: {}", line(&error.to_string())),
                }
                Ok(Verdict::Rejected)
            }
        }
    }

    fn print_accepted(&self, accepted: &Accepted) {
        let mut result = accepted.to_json();
        if self.judged.json {
            if let Some(members) = result.as_object_mut() {
                members.insert("accepted".into(), true.into());
            }
            println!("{result}");
            return;
        }
        eprintln!("replay: not checked");
        println!("accepted");
        for (name, value) in result.as_object().into_iter().flatten() {
            if !value.is_null() && *value != json!([]) {
                println!("{name}: {}", plain(&value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned)));
            }
        }
    }
}

impl Judged {
    /// Reads everything that is named.
    pub(crate) fn case(&self) -> Result<Case> {
        let token = input::token(&self.token)?;
        let transaction_data = self.transaction_data.iter().map(|path| input::transaction_data(path));
        let dcql = self.dcql.as_deref().map(input::text).transpose()?;
        let challenge = Challenge {
            binding: self.bound.binding()?,
            measured_distance_mm: self.bound.measured_distance,
            audience: self.bound.audience.clone(),
            nonce: self.bound.nonce.clone().filter(|_| !self.bound.audience.is_empty()).unwrap_or_default(),
            now: input::now(self.now)?,
            max_age: self.max_age,
            clock_tolerance: self.clock_tolerance,
            status_max_age: self.status_max_age,
            dcql,
            transaction_data: transaction_data.collect::<Result<_>>()?,
        };
        let requirements = self.requirements()?;
        let mut verifier = Verifier::open(&Runtime::new()?, input::file(&self.trust)?)?;
        let refused = input::status_lists(&mut verifier, &self.status_list, challenge.now)?.err();
        Ok(Case { verifier, token, challenge, requirements, refused })
    }

    pub(crate) fn query_id(&self) -> &str {
        &self.query_id
    }

    fn requirements(&self) -> Result<Requirements> {
        let demand = |name, required: Option<Requirement>, waiver: Option<Waiver>| match (
            required.is_some_and(|required| self.require.contains(&required)),
            waiver,
        ) {
            (true, Some(Waiver::NotRequired)) => {
                let message = format!("--require {name} and --{name} not-required exclude each other\n");
                Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, message))
            }
            (true, None) => Ok(Demand::Required),
            (false, Some(Waiver::NotRequired)) => Ok(Demand::NotRequired),
            (false, None) => Ok(Demand::ByProfile),
        };
        Ok(Requirements {
            holder: demand("holder", None, self.holder)?,
            status: demand("status", Some(Requirement::Status), self.status)?,
            approval: demand("approval", Some(Requirement::Approval), self.approval)?,
            worn: demand("worn", Some(Requirement::Worn), self.worn)?,
            unlocked: demand("unlocked", Some(Requirement::Unlocked), self.unlocked)?,
            confirmed: demand("confirmed", Some(Requirement::Confirmed), None)?,
            ..Requirements::default()
        })
    }
}

impl Bound {
    fn binding(&self) -> Result<Option<Binding>> {
        let nonce = self.nonce.clone().unwrap_or_default();
        let jwk_thumbprint = self.jwk_thumbprint.as_deref().map(input::base64url).transpose()?;
        if let Some(client_id) = self.client_id.clone() {
            let response_uri = self.response_uri.clone().unwrap_or_default();
            return Ok(Some(Binding::Openid4vp(RedirectBinding { client_id, nonce, response_uri, jwk_thumbprint })));
        }
        if let Some(origin) = self.origin.clone() {
            return Ok(Some(Binding::DcApi(DcApiBinding { origin, nonce, jwk_thumbprint })));
        }
        let Some(path) = &self.session_transcript else { return Ok(None) };
        let session_transcript = input::file(path)?;
        let reader_key = self.reader_key.as_deref().map(input::private_key).transpose()?;
        Ok(Some(Binding::Proximity(ProximityBinding { session_transcript, reader_key })))
    }
}

/// Whether a code is no verdict on the token, but on the caller's own or the machine.
pub(crate) fn is_failure(code: &str) -> bool {
    ["trust.", "challenge.", "host."].iter().any(|stage| code.starts_with(stage))
}
