//! The verifier by JSON, for other languages: what they ask of it, and what they are told.
//!
//! What comes out is a result or `{"error": ..}`; members that have no value are left out. What comes in is checked
//! by the caller: of a request a member that is not known is not seen. One that can't be read is a challenge without
//! an audience, and refused.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "whole")]
use bandpass_core::Binding;
use bandpass_core::{
    Challenge, ClaimPath, Dcql, Demand, Error, Evidence, Memory, PathSegment, Requirements, Status, Submission,
    Transaction, Trust, Verified,
};
#[cfg(feature = "whole")]
use bandpass_core::{Code, Explanation, Outcome};
use serde_json::{Map, Value};

/// A verifier, and what it remembers of credentials.
#[derive(Debug)]
pub struct Verifier {
    verifier: bandpass_core::Verifier,
    memory: Memory,
}

impl Verifier {
    /// From a trust list (JSON). `remember`: whether credentials that came before are remembered.
    ///
    /// # Errors
    /// What is wrong with the trust list.
    pub fn open(trust: &[u8], remember: bool) -> Result<Self, Error> {
        let memory = Memory::new(if remember { Memory::DEFAULT_BYTES } else { 0 });
        Ok(Self { verifier: bandpass_core::Verifier::new(Trust::from_json(trust)?), memory })
    }

    /// Takes in a status list token. `now`: seconds since 1970. With what the token says of itself comes who signed it
    /// (`issuers`): a later list of theirs with the same `uri` takes its place.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn update_status(&mut self, token: &[u8], now: u64) -> Result<Value, Error> {
        let info = self.verifier.update_status(token, now)?;
        Ok(object([
            ("uri", info.uri.into()),
            ("issuedAt", info.issued_at.into()),
            ("expires", info.expires.into()),
            ("ttl", info.ttl.into()),
            ("issuers", info.issuers.into()),
        ]))
    }

    /// What each presentation that answers the request's query proves.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&mut self, token: &[u8], request: &Value) -> Result<Value, Error> {
        let submission = self.submit(token, request)?;
        let (query, requirements) = (text(request, "query"), requirements(request));
        let proved = match flag(request, "all") {
            Some(true) => submission.verify_all(&query, &requirements)?,
            _ => [submission.verify(&query, &requirements)?].into(),
        };
        Ok(proved.iter().map(verified).collect::<Vec<_>>().into())
    }

    /// What comes of every check of [`Verifier::verify`].
    ///
    /// # Errors
    /// What is wrong with the challenge.
    #[cfg(feature = "whole")]
    pub fn explain(&mut self, token: &[u8], request: &Value) -> Result<Explanation, Error> {
        Ok(self.submit(token, request)?.explain(&text(request, "query"), &requirements(request)))
    }

    fn submit(&mut self, token: &[u8], request: &Value) -> Result<Submission, Error> {
        Ok(self.verifier.submit_remembering(token, challenge(request)?, &mut self.memory))
    }
}

/// Headers, payloads and disclosures of a presentation. Nothing is verified.
///
/// # Errors
/// Why it can't be taken apart.
#[cfg(feature = "whole")]
pub fn inspect(token: &[u8]) -> Result<Value, Error> {
    // What is not UTF-8 is no token either.
    bandpass_core::inspect(core::str::from_utf8(token).unwrap_or_default())
}

/// What came of every check.
#[cfg(feature = "whole")]
#[must_use]
pub fn checks(explanation: &Explanation) -> Value {
    explanation.checks().iter().copied().map(check).collect::<Vec<_>>().into()
}

/// The text of a result, or of `{"error": ..}`.
#[must_use]
pub fn answer(result: Result<Value, Error>) -> String {
    let value = match result {
        Ok(value) => value,
        Err(error) => object([("error", failure(&error))]),
    };
    serde_json::to_string(&value).unwrap_or_default()
}

/// A request; `null` if it can't be read.
#[must_use]
pub fn read(request: &[u8]) -> Value {
    bandpass_core::json(request).unwrap_or_default()
}

/// When a request is made: seconds since 1970.
#[must_use]
pub fn now(request: &Value) -> u64 {
    member(request, "now").as_u64().unwrap_or_default()
}

fn member<'a>(request: &'a Value, name: &str) -> &'a Value {
    request.get(name).unwrap_or(&Value::Null)
}

fn flag(request: &Value, name: &str) -> Option<bool> {
    member(request, name).as_bool()
}

fn text(request: &Value, name: &str) -> String {
    member(request, name).as_str().unwrap_or_default().to_owned()
}

fn texts(request: &Value, name: &str) -> Vec<String> {
    items(request, name).filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn items<'a>(request: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    member(request, name).as_array().into_iter().flatten()
}

fn number(request: &Value, name: &str) -> Option<u32> {
    member(request, name).as_u64()?.try_into().ok()
}

fn challenge(request: &Value) -> Result<Challenge, Error> {
    let built = bound(request)?
        .max_age(number(request, "maxAge").unwrap_or(Challenge::DEFAULT_MAX_AGE))
        .clock_tolerance(number(request, "clockTolerance").unwrap_or(Challenge::DEFAULT_CLOCK_TOLERANCE))
        .max_status_age(number(request, "statusMaxAge").unwrap_or(Challenge::DEFAULT_STATUS_MAX_AGE))
        .transaction_data(&texts(request, "transactionData"))?;
    Ok(match member(request, "dcql").as_str() {
        Some(dcql) => built.dcql(Dcql::from_json(dcql.as_bytes())?),
        None => built,
    })
}

/// What an answer is bound to. Without mdocs that is audience and nonce: of a request with a binding both are empty.
#[cfg(not(feature = "whole"))]
fn bound(request: &Value) -> Result<Challenge, Error> {
    Challenge::new(texts(request, "audience"), text(request, "nonce"), now(request))
}

#[cfg(feature = "whole")]
fn bound(request: &Value) -> Result<Challenge, Error> {
    let built = match binding(request) {
        Some(binding) => Challenge::bound(binding, now(request))?,
        None => Challenge::new(texts(request, "audience"), text(request, "nonce"), now(request))?,
    };
    Ok(match number(request, "measuredDistanceMm") {
        Some(millimetres) => built.measured_distance(millimetres),
        None => built,
    })
}

#[cfg(feature = "whole")]
fn binding(request: &Value) -> Option<Binding> {
    let binding = request.get("binding")?;
    let text = |name| text(binding, name);
    let bytes = |name| member(binding, name).as_str().map(|text| bandpass_core::base64url(text).unwrap_or_default());
    let (nonce, jwk_thumbprint) = (text("nonce"), bytes("jwkThumbprint"));
    Some(match member(binding, "type").as_str() {
        Some("openid4vp") => {
            Binding::OpenId4Vp { client_id: text("clientId"), nonce, response_uri: text("responseUri"), jwk_thumbprint }
        }
        Some("dc-api") => Binding::DcApi { origin: text("origin"), nonce, jwk_thumbprint },
        _ => Binding::Proximity {
            session_transcript: bytes("sessionTranscript").unwrap_or_default(),
            reader_key: bytes("readerKey"),
        },
    })
}

fn requirements(request: &Value) -> Requirements {
    let demand = |name| match flag(request, name) {
        None => Demand::ByProfile,
        Some(true) => Demand::Required,
        Some(false) => Demand::NotRequired,
    };
    let segment = |segment: &Value| match segment {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        // A number that is no index selects nothing.
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).unwrap_or(u32::MAX)),
    };
    let path = |path: &Value| ClaimPath::new(path.as_array().into_iter().flatten().map(segment).collect());
    Requirements {
        holder: demand("holder"),
        status: demand("status"),
        approval: demand("approval"),
        methods: texts(request, "methods"),
        worn: demand("worn"),
        unlocked: demand("unlocked"),
        unlocked_within: number(request, "unlockedWithin"),
        confirmed: demand("confirmed"),
        distance_mm: number(request, "distanceMm"),
        claims: items(request, "claims").map(path).collect(),
        age_at_least: number(request, "ageAtLeast").map(|years| years.try_into().unwrap_or(u8::MAX)),
        same_holder_as: member(request, "sameHolderAs").as_str().map(ToOwned::to_owned),
    }
}

/// Of the members that have a value.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    fn fill(members: &mut dyn Iterator<Item = (&str, Value)>) -> Map<String, Value> {
        // Not collected, which would sort, and bring a second way to fill a map.
        let mut filled = Map::new();
        for (name, value) in members {
            if !value.is_null() {
                filled.insert(name.to_owned(), value);
            }
        }
        filled
    }
    Value::Object(fill(&mut members.into_iter()))
}

fn failure(error: &Error) -> Value {
    object([
        ("code", error.code().as_str().into()),
        ("message", error.message().into()),
        ("claim", error.claim_path().into()),
        ("expected", error.expected_value().into()),
        ("actual", error.actual_value().into()),
    ])
}

#[cfg(feature = "whole")]
fn check((code, outcome): (Code, Outcome)) -> Value {
    let outcome = match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::NotReached => "not-reached",
        Outcome::NotApplicable => "not-applicable",
    };
    object([("code", code.as_str().into()), ("section", code.section().into()), ("outcome", outcome.into())])
}

fn verified(verified: &Verified) -> Value {
    let status = match verified.status() {
        Status::NotReferenced => "not-referenced",
        Status::NotChecked => "not-checked",
        Status::Valid => "valid",
    };
    object([
        ("issuer", verified.issuer().into()),
        ("credentialType", verified.credential_type().into()),
        ("subject", verified.subject().into()),
        ("claims", verified.claims().clone().into()),
        ("transactions", verified.transactions().iter().map(transaction).collect::<Vec<_>>().into()),
        ("evidence", verified.evidence().map(evidence).into()),
        ("keyThumbprint", verified.key_thumbprint().into()),
        ("expires", verified.expires().into()),
        ("status", status.into()),
    ])
}

fn transaction(transaction: &Transaction) -> Value {
    let payment = transaction.payment().map(|payment| {
        let payee = [("name", payment.payee_name.as_str().into()), ("id", payment.payee_id.as_str().into())];
        object([
            ("amount", payment.amount.as_str().into()),
            ("currency", payment.currency.as_str().into()),
            ("payee", object(payee)),
        ])
    });
    object([
        ("type", transaction.type_id().into()),
        ("id", transaction.id().into()),
        ("payment", payment.into()),
        ("payload", transaction.payload().clone().into()),
    ])
}

fn evidence(evidence: &Evidence) -> Value {
    let approval = evidence.approval().map(|approval| {
        object([("signedAt", approval.signed_at().into()), ("methods", approval.methods().to_vec().into())])
    });
    object([
        ("signedAt", evidence.signed_at().into()),
        ("wornSince", evidence.worn_since().into()),
        ("unlockedAt", evidence.unlocked_at().into()),
        ("confirmed", evidence.confirmed().into()),
        #[cfg(feature = "whole")]
        ("distanceMm", evidence.distance_mm().into()),
        ("counter", evidence.counter().into()),
        ("approval", approval.into()),
        ("pairingEpoch", evidence.pairing_epoch().into()),
    ])
}
