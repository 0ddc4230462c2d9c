//! The verifier: what goes in, the order of the checks, what comes out.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::approval::{Approval, require_approval};
use crate::claims::{ClaimPath, select};
use crate::credential::Credential;
use crate::encoding::{JsonError, json};
use crate::error::{Code, Error};
use crate::evidence::{Evidence, require_evidence};
use crate::holder::Proof;
use crate::limits::{MAX_PRESENTATIONS, MAX_SUBMISSION_BYTES, MAX_TRANSACTIONS};
use crate::sd_jwt::Presentation;
use crate::status::{Status, StatusListInfo, StatusLists};
use crate::transaction::{Transaction, agreed};
use crate::trust::Trust;

/// What the relying party handed out, and the time at which the answer is judged.
///
/// Nothing in it has a default that a caller must know of: time, audience and nonce are arguments.
#[derive(Clone, Debug)]
pub struct Challenge {
    audience: Vec<String>,
    nonce: String,
    now: u64,
    max_age: u64,
    tolerance: u64,
    status_max_age: u64,
    transactions: Vec<Transaction>,
}

impl Challenge {
    /// Greatest age of a proof unless [`Challenge::max_age`] says otherwise, in seconds.
    pub const DEFAULT_MAX_AGE: u32 = 300;
    /// Clock tolerance unless [`Challenge::clock_tolerance`] says otherwise, in seconds.
    pub const DEFAULT_CLOCK_TOLERANCE: u32 = 60;
    /// Greatest age of a status list unless [`Challenge::max_status_age`] says otherwise, in seconds.
    pub const DEFAULT_STATUS_MAX_AGE: u32 = 900;

    /// `audience`: what the proof's `aud` may be, any one of them. `now`: seconds since 1970 (UTC).
    ///
    /// That the nonce is unpredictable (at least 128 random bits) and used once is the caller's part.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`] if there is no audience, or an empty one, or an empty nonce.
    pub fn new(audience: Vec<String>, nonce: String, now: u64) -> Result<Self, Error> {
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(Error::new(Code::ChallengeMalformed, "a challenge has an audience").claim("audience"));
        }
        if nonce.is_empty() {
            return Err(Error::new(Code::ChallengeMalformed, "a challenge has a nonce").claim("nonce"));
        }
        Ok(Self {
            audience,
            nonce,
            now,
            max_age: Self::DEFAULT_MAX_AGE.into(),
            tolerance: Self::DEFAULT_CLOCK_TOLERANCE.into(),
            status_max_age: Self::DEFAULT_STATUS_MAX_AGE.into(),
            transactions: Vec::new(),
        })
    }

    /// Sets the greatest age of the proof, in seconds.
    #[must_use]
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = seconds.into();
        self
    }

    /// Sets by how many seconds clocks may differ.
    #[must_use]
    pub fn clock_tolerance(mut self, seconds: u32) -> Self {
        self.tolerance = seconds.into();
        self
    }

    /// Sets the greatest age of a status list, counted from its `iat`, in seconds. It ends with its `exp` in any case.
    #[must_use]
    pub fn max_status_age(mut self, seconds: u32) -> Self {
        self.status_max_age = seconds.into();
        self
    }

    /// Sets the transaction data: base64url strings, as sent to the wallet.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`] if an entry is not what its type says, or there are too many.
    pub fn transaction_data<S: AsRef<str>>(mut self, sent: &[S]) -> Result<Self, Error> {
        if sent.len() > MAX_TRANSACTIONS {
            let error = Error::new(Code::ChallengeMalformed, "a challenge has too many transactions");
            return Err(error.claim("transaction_data"));
        }
        self.transactions = sent.iter().map(|entry| Transaction::parse(entry.as_ref())).collect::<Result<_, _>>()?;
        if let Some(twice) = Transaction::first_sent_twice(&self.transactions) {
            let error = Error::new(Code::ChallengeMalformed, "a challenge has the same transaction twice");
            return Err(error.claim("transaction_data").actual(twice));
        }
        Ok(self)
    }

    pub(crate) fn audience(&self) -> &[String] {
        &self.audience
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn tolerance(&self) -> u64 {
        self.tolerance
    }

    pub(crate) fn status_max_age(&self) -> u64 {
        self.status_max_age
    }

    pub(crate) fn earliest_proof(&self) -> u64 {
        self.now.saturating_sub(self.max_age).saturating_sub(self.tolerance)
    }
}

/// Whether something is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// As the band profile says: payments ask for approval, worn and unlocked; a holder's proof is always asked for.
    #[default]
    ByProfile,
    /// Refuse without it.
    Required,
    /// Accept without it. Weakens the verdict; what is present is checked all the same.
    NotRequired,
}

impl Demand {
    pub(crate) fn holds(self, by_profile: bool) -> bool {
        match self {
            Self::ByProfile => by_profile,
            Self::Required => true,
            Self::NotRequired => false,
        }
    }
}

/// What a caller asks for on top of the checks that the standards make mandatory; those always run.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Key binding (RFC 9901, section 7.3). `NotRequired` accepts a credential that anyone could have copied, and is
    /// refused for band credentials.
    pub holder: Demand,
    /// The credential's status, from a list that is at hand and not too old. By profile it is asked for wherever the
    /// credential names a status list. `NotRequired` accepts credentials that may have been revoked.
    pub status: Demand,
    /// The paired phone's approval.
    pub approval: Demand,
    /// Authentication methods that the approval must name, all of them (RFC 8176). Any asks for the approval.
    pub methods: Vec<String>,
    /// The band was on the wrist when it signed.
    pub worn: Demand,
    /// The band was unlocked, on the wrist, when it signed.
    pub unlocked: Demand,
    /// Greatest age of that unlock in seconds. Asks for unlocked.
    pub unlocked_within: Option<u32>,
    /// The wearer acted on the band after the challenge arrived.
    pub confirmed: Demand,
    /// Greatest distance between band and reader in millimetres.
    pub distance_mm: Option<u32>,
    /// Claims that must have been disclosed.
    pub claims: Vec<ClaimPath>,
    /// The presentation of this query must prove the same holder key.
    pub same_holder_as: Option<String>,
}

/// What a token is judged by.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What was handed out.
    pub challenge: Challenge,
    /// What is asked for on top.
    pub requirements: Requirements,
}

/// Checks tokens against a trust list. No clock, no network, no randomness inside.
///
/// ```
/// use bandpass_core::{Challenge, Code, Expected, Requirements, Trust, Verifier};
///
/// # fn main() -> Result<(), bandpass_core::Error> {
/// let trust = Trust::from_json(br#"{"issuers":[{"iss":"https://wallet.example","vct":["urn:bandpass:band:1"],
///     "jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
///                      "y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}]}}]}"#)?;
/// let verifier = Verifier::new(trust);
/// let challenge = Challenge::new(vec!["x509_san_dns:shop.example".into()], "n-0S6_WzA2Mj".into(), 1_780_000_000)?;
/// let expected = Expected { challenge, requirements: Requirements::default() };
/// let refused = verifier.verify("not a token", &expected).unwrap_err();
/// assert_eq!(refused.code(), Code::TokenMalformed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    trust: Trust,
    status_lists: StatusLists,
}

impl Verifier {
    /// A verifier that trusts these issuers.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self { trust, status_lists: StatusLists::default() }
    }

    /// Takes in a status list token (draft-ietf-oauth-status-list-21, section 5), a compact JWT or a CWT, and keeps it
    /// decoded in place of the issuer's earlier one with the same `sub`. `now`: seconds since 1970 (UTC).
    ///
    /// It has to be signed by a key of the issuer that the credentials are of. `ttl` tells when to fetch the next one,
    /// which is the caller's part.
    ///
    /// # Errors
    /// `status.*`; what was held is held on.
    pub fn update_status(&mut self, token: &[u8], now: u64) -> Result<StatusListInfo, Error> {
        self.status_lists.update(token, &self.trust, now)
    }

    /// Checks one presentation. All checks are on; having a [`Verified`] proves that every one of them ran and passed.
    ///
    /// # Errors
    /// The first check that failed, in the order of [`Code::ALL`].
    pub fn verify(&self, token: &str, expected: &Expected) -> Result<Verified, Error> {
        let checked = self.check(token, &expected.challenge)?;
        checked.require(None, &[], &expected.challenge, &expected.requirements)
    }

    /// Takes in what a wallet sent for a challenge: a bare presentation, or an OpenID4VP `vp_token`.
    ///
    /// Every presentation is checked once, here; [`Submission::verify`] tells what came of it.
    #[must_use]
    pub fn submit(&self, vp_token: &[u8], challenge: Challenge) -> Submission {
        let presentations = self.presentations(vp_token, &challenge);
        Submission { presentations, challenge }
    }

    fn presentations(&self, vp_token: &[u8], challenge: &Challenge) -> Result<Vec<Answer>, Error> {
        if vp_token.len() > MAX_SUBMISSION_BYTES {
            return Err(Error::new(Code::TokenTooLarge, "the submission has too many bytes"));
        }
        if vp_token.trim_ascii_start().first() != Some(&b'{') {
            let error = || Error::new(Code::TokenMalformed, "the token is not text");
            let token = core::str::from_utf8(vp_token).map_err(|_| error())?;
            let checked = self.check(token, challenge);
            return Ok([Answer { query_id: None, checked }].into());
        }
        let by_query = match json(vp_token) {
            Ok(Value::Object(by_query)) => by_query,
            Err(JsonError::TooLarge) => {
                return Err(Error::new(
                    Code::TokenTooLarge,
                    "the submission is nested too deep, or has too many values",
                ));
            }
            _ => return Err(Error::new(Code::TokenMalformed, "the `vp_token` is not a JSON object")),
        };
        if by_query.get("payload").is_some_and(Value::is_string) {
            return Err(Error::new(Code::TokenUnsupported, "the JWS JSON serialization is not accepted"));
        }
        if by_query.len() > MAX_PRESENTATIONS {
            return Err(Error::new(Code::TokenTooLarge, "the submission has too many presentations"));
        }
        let mut answers = Vec::new();
        if by_query.contains_key("") {
            return Err(Error::new(Code::TokenMalformed, "a query of the `vp_token` has no id"));
        }
        for (query_id, presentations) in by_query {
            let token = match presentations.as_array().map(Vec::as_slice) {
                Some([Value::String(token)]) => token,
                Some([_, _, ..]) => {
                    let error = Error::new(Code::TokenUnsupported, "a query has more than one presentation");
                    return Err(error.claim(&query_id));
                }
                _ => {
                    let why = "the `vp_token` does not hold a presentation for each query";
                    return Err(Error::new(Code::TokenMalformed, why).claim(&query_id));
                }
            };
            let checked = self.check(token, challenge);
            answers.push(Answer { query_id: Some(query_id), checked });
        }
        // Every presentation carries this challenge's binding, or none counts.
        let foreign = answers.iter().filter_map(|answer| answer.checked.as_ref().err());
        match foreign.clone().find(|error| error.code().as_str().starts_with("holder.")) {
            Some(error) => Err(error.clone()),
            None => Ok(answers),
        }
    }

    /// The checks that do not depend on what a policy requires, in order. Signatures are verified here and nowhere else.
    fn check(&self, token: &str, challenge: &Challenge) -> Result<Checked, Error> {
        let presentation = Presentation::parse(token)?;
        let credential = Credential::check(&presentation, &self.trust, challenge)?;
        let mut proof = Proof::check(&presentation, &credential, challenge)?;
        let (approval, evidence) = match (&proof, &credential.band) {
            (Some(proof), Some(band)) => {
                let approval = Approval::check(proof, band, challenge);
                (approval, Evidence::check(proof, band).map(Some))
            }
            _ => (Ok(None), Ok(None)),
        };
        let status = match &credential.status {
            Some(reference) => self.status_lists.check(credential.issuer_place, reference, challenge),
            None => Ok(()),
        };
        // Whatever else the proof carries was chosen by the holder and is not kept.
        if let Some(proof) = &mut proof {
            proof.payload.clear();
        }
        Ok(Checked { credential, proof, status, approval, evidence })
    }
}

/// A presentation whose credential and proof hold. What comes after them in the order of the checks waits for what the
/// caller requires, so that the first failure is the result.
#[derive(Clone, Debug)]
struct Checked {
    credential: Credential,
    proof: Option<Proof>,
    status: Result<(), Error>,
    approval: Result<Option<Approval>, Error>,
    evidence: Result<Option<Evidence>, Error>,
}

#[derive(Clone, Debug)]
struct Answer {
    query_id: Option<String>,
    checked: Result<Checked, Error>,
}

impl Checked {
    fn require(
        &self,
        query_id: Option<&str>,
        others: &[(&str, &Self)],
        challenge: &Challenge,
        requirements: &Requirements,
    ) -> Result<Verified, Error> {
        // Holder. Nobody may drop the proof of a band.
        let proof_is_needed = self.credential.band.is_some() || requirements.holder.holds(true);
        if proof_is_needed && self.proof.is_none() {
            return Err(Error::new(Code::HolderMissing, "the presentation has no key-binding proof"));
        }
        if let Some(id) = &requirements.same_holder_as {
            let theirs = others.iter().find(|(other, _)| other == id).and_then(|(_, other)| other.proof.as_ref());
            let thumbprint = |proof: &Proof| proof.thumbprint.clone();
            if self.proof.is_none() || theirs.map(thumbprint) != self.proof.as_ref().map(thumbprint) {
                let error = Error::new(Code::HolderKey, "two presentations do not prove the same holder key");
                return Err(error.claim(id));
            }
        }
        // Transactions.
        let hashes = self.proof.as_ref().map(|proof| &proof.transaction_hashes);
        let their_hashes = others
            .iter()
            .filter_map(|(id, other)| other.proof.as_ref().map(|proof| (*id, &proof.transaction_hashes)))
            .collect::<Vec<_>>();
        let transactions = agreed(&challenge.transactions, query_id, hashes, &their_hashes)?;
        let pays = transactions.iter().any(|transaction| transaction.payment().is_some());
        // Status.
        let status = self.require_status(requirements)?;
        // Approval.
        let approval = self.approval.clone()?;
        require_approval(approval.as_ref(), pays, requirements)?;
        // Evidence.
        let mut evidence = self.evidence.clone()?;
        require_evidence(evidence.as_ref(), pays, challenge, requirements)?;
        if let Some(evidence) = &mut evidence {
            evidence.approval = approval;
        }
        // Claims.
        for path in &requirements.claims {
            if select(&self.credential.claims, path).is_none() {
                let error = Error::new(Code::ClaimsMissing, "a claim that was asked for was not disclosed");
                return Err(error.claim(&alloc::format!("{path}")));
            }
        }
        Ok(Verified {
            issuer: self.credential.issuer.clone(),
            credential_type: self.credential.types.first().cloned(),
            claims: self.credential.claims.clone(),
            expires: self.credential.expires,
            status,
            key_thumbprint: self.proof.as_ref().map(|proof| proof.thumbprint.clone()),
            transactions: transactions.into_iter().cloned().collect(),
            evidence,
        })
    }

    fn require_status(&self, requirements: &Requirements) -> Result<Status, Error> {
        let referenced = self.credential.status.is_some();
        match &self.status {
            Ok(()) if referenced => Ok(Status::Valid),
            Ok(()) if requirements.status.holds(false) => {
                Err(Error::new(Code::StatusUnreferenced, "the credential names no status list").claim("status"))
            }
            Ok(()) => Ok(Status::NotReferenced),
            Err(error) if matches!(error.code(), Code::StatusMissing | Code::StatusStale) => {
                match requirements.status.holds(true) {
                    true => Err(error.clone()),
                    false => Ok(Status::NotChecked),
                }
            }
            Err(error) => Err(error.clone()),
        }
    }
}

/// What a wallet sent for one challenge, checked.
#[derive(Clone, Debug)]
pub struct Submission {
    presentations: Result<Vec<Answer>, Error>,
    challenge: Challenge,
}

impl Submission {
    /// What the presentation that answers `query_id` proves. A bare presentation answers whichever query is asked; an
    /// empty `query_id` stands for a bare presentation and whatever query it answers.
    ///
    /// # Errors
    /// The first check that failed, in the order of [`Code::ALL`]. If the proof of any presentation is refused
    /// (`holder.*`), every query gets that refusal.
    pub fn verify(&self, query_id: &str, requirements: &Requirements) -> Result<Verified, Error> {
        let answers = self.presentations.as_ref().map_err(Clone::clone)?;
        let query = Some(query_id).filter(|id| !id.is_empty());
        let answer = answers.iter().find(|answer| answer.query_id.as_deref().is_none_or(|id| id == query_id));
        let Some(answer) = answer else {
            let error = Error::new(Code::TokenMissing, "the submission has no presentation for the query");
            return Err(error.claim(query_id));
        };
        let checked = answer.checked.as_ref().map_err(Clone::clone)?;
        let others = answers
            .iter()
            .filter_map(|other| Some((other.query_id.as_deref()?, other.checked.as_ref().ok()?)))
            .filter(|(id, _)| *id != query_id)
            .collect::<Vec<_>>();
        checked.require(query, &others, &self.challenge, requirements)
    }
}

/// Proof that every check passed. Only [`Verifier::verify`] and [`Submission::verify`] make one.
#[derive(Clone, Debug)]
pub struct Verified {
    issuer: String,
    credential_type: Option<String>,
    claims: Map<String, Value>,
    expires: Option<u64>,
    status: Status,
    key_thumbprint: Option<String>,
    transactions: Vec<Transaction>,
    evidence: Option<Evidence>,
}

impl Verified {
    /// `iss` of the credential, or what stands for it in the trust list where its certificate names the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `vct` of the credential; `None` for a plain SD-JWT without one. If the issuer is not trusted for it but for one of
    /// the credential's `aka_vcts`, that one.
    #[must_use]
    pub fn credential_type(&self) -> Option<&str> {
        self.credential_type.as_deref()
    }

    /// `sub`, if it was disclosed: stable per account, so it links what one person does at different relying parties.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }

    /// The disclosed claims: the processed SD-JWT payload (RFC 9901, section 7.1).
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// One claim by its path; `None` if it was not disclosed.
    #[must_use]
    pub fn claim(&self, path: &ClaimPath) -> Option<Value> {
        select(&self.claims, path)
    }

    /// `exp` of the credential, seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// Whether the credential's status was looked up.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// RFC 7638 thumbprint of the holder's key; `None` if no proof was required and none was there.
    #[must_use]
    pub fn key_thumbprint(&self) -> Option<&str> {
        self.key_thumbprint.as_deref()
    }

    /// Transactions that the holder agreed to, in the order in which they were sent.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// What the proof says of the moment; `None` for credentials that are not a band's.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }
}
