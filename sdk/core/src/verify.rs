//! The verifier: what goes in, the order of the checks, what comes out.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::age::Date;
use crate::approval::{Approval, require_approval};
use crate::claims::{ClaimPath, require_claims, select, selected};
use crate::credential::{Credential, strings};
use crate::dcql::{CredentialQuery, Dcql, Kind};
use crate::encoding::{JsonError, json};
use crate::error::{Code, Error};
use crate::evidence::{Evidence, require_evidence};
use crate::explain::{Explanation, Trace};
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
    dcql: Option<Dcql>,
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
            dcql: None,
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

    /// Sets the query that was sent to the wallet: every submission must be an answer to it, whatever else is required.
    #[must_use]
    pub fn dcql(mut self, query: Dcql) -> Self {
        self.dcql = Some(query);
        self
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
    /// The holder has at least that many full years, by `birthdate` or `age_equal_or_over`.
    pub age_at_least: Option<u8>,
    /// The presentation of this query must prove the same holder key; all of them, if there are several.
    pub same_holder_as: Option<String>,
}

impl Requirements {
    /// What stands whatever a caller requires, and the status as the caller does.
    fn of_others(&self) -> Self {
        let no = Demand::NotRequired;
        let status = self.status;
        Self { holder: no, status, approval: no, worn: no, unlocked: no, confirmed: no, ..Self::default() }
    }
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

    /// Checks one bare presentation. All checks are on; having a [`Verified`] proves that every one of them ran and passed.
    ///
    /// # Errors
    /// The first check that failed, in the order of [`Code::ALL`].
    pub fn verify(&self, token: &str, expected: &Expected) -> Result<Verified, Error> {
        let answers = [self.answer(None, token, &expected.challenge)];
        let trace = &mut Trace::default();
        one(require_answers(&answers, &expected.challenge, "", true, &expected.requirements, trace)?)
    }

    /// What came of every check of [`Verifier::verify`]: for people and tools, never for authorising.
    #[must_use]
    pub fn explain(&self, token: &str, expected: &Expected) -> Explanation {
        let (challenge, requirements) = (&expected.challenge, &expected.requirements);
        explain(Ok(&[self.answer(None, token, challenge)]), challenge, "", requirements)
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
            return Ok([self.answer(None, token, challenge)].into());
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
        let count = by_query.values().map(|presentations| presentations.as_array().map_or(1, Vec::len));
        if count.sum::<usize>() > MAX_PRESENTATIONS {
            return Err(Error::new(Code::TokenTooLarge, "the submission has too many presentations"));
        }
        if by_query.contains_key("") {
            return Err(Error::new(Code::TokenMalformed, "a query of the `vp_token` has no id"));
        }
        let mut tokens = Vec::new();
        for (query_id, presentations) in by_query {
            let presentations = strings(Some(&presentations)).filter(|presentations| !presentations.is_empty());
            let why = "the `vp_token` does not hold a presentation for each query";
            let presentations = presentations.ok_or_else(|| Error::new(Code::TokenMalformed, why).claim(&query_id))?;
            tokens.extend(presentations.into_iter().map(|token| (query_id.clone(), token)));
        }
        if let Some(dcql) = &challenge.dcql {
            dcql.check_sent(&tokens.iter().map(|(query_id, _)| query_id.as_str()).collect::<Vec<_>>())?;
        }
        let mut answers = Vec::new();
        for (query_id, token) in tokens {
            answers.push(self.answer(Some(query_id), &token, challenge));
        }
        // Every presentation carries this challenge's binding, or none counts.
        let foreign = answers.iter().filter_map(|answer| answer.checked.as_ref().err());
        match foreign.clone().find(|error| error.code().as_str().starts_with("holder.")) {
            Some(error) => Err(error.clone()),
            None => Ok(answers),
        }
    }

    fn answer(&self, query_id: Option<String>, token: &str, challenge: &Challenge) -> Answer {
        let mut trace = Trace::default();
        let checked = self.check(token, challenge, &mut trace);
        Answer { query_id, checked, trace }
    }

    /// The checks that do not depend on what a policy requires, in order. Signatures are verified here and nowhere else.
    fn check(&self, token: &str, challenge: &Challenge, trace: &mut Trace) -> Result<Checked, Error> {
        let presentation = Presentation::parse(token, trace)?;
        let credential = Credential::check(&presentation, &self.trust, challenge, trace)?;
        let mut proof = Proof::check(&presentation, &credential, challenge, trace)?;
        let mut later = Later::default();
        let (approval, evidence) = match (&proof, &credential.band) {
            (Some(proof), Some(band)) => {
                let approval = Approval::check(proof, band, challenge, &mut later.approval);
                (approval, Evidence::check(proof, band, &mut later.evidence).map(Some))
            }
            _ => (Ok(None), Ok(None)),
        };
        let lists = &self.status_lists;
        let status = match &credential.status {
            Some(reference) => lists.check(credential.issuer_place, reference, challenge, &mut later.status),
            None => Ok(()),
        };
        // Whatever else the proof carries was chosen by the holder and is not kept.
        if let Some(proof) = &mut proof {
            proof.payload.clear();
        }
        Ok(Checked { credential, proof, status, approval, evidence, later })
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
    later: Later,
}

/// Which checks passed whose results wait.
#[derive(Clone, Debug, Default)]
struct Later {
    status: Trace,
    approval: Trace,
    evidence: Trace,
}

#[derive(Clone, Debug)]
struct Answer {
    query_id: Option<String>,
    checked: Result<Checked, Error>,
    /// What passed of it.
    trace: Trace,
}

impl Answer {
    fn answers(&self, query_id: Option<&str>) -> bool {
        self.query_id.is_none() || self.query_id.as_deref() == query_id
    }
}

impl Checked {
    fn require(
        &self,
        query_id: Option<&str>,
        others: &[(&str, Option<&Self>)],
        challenge: &Challenge,
        requirements: &Requirements,
        trace: &mut Trace,
    ) -> Result<Verified, Error> {
        let query = challenge.dcql.as_ref().and_then(|dcql| dcql.query(query_id?));
        // Holder. Nobody may drop the proof of a band.
        let is_bound = query.is_some_and(CredentialQuery::holder_binding);
        if (self.credential.band.is_some() || is_bound || requirements.holder.holds(true)) && self.proof.is_none() {
            return Err(no_proof());
        }
        if let Some(id) = &requirements.same_holder_as {
            let mine = self.thumbprint();
            let theirs = others.iter().filter(|(other, _)| other == id);
            let mut theirs = theirs.map(|(_, other)| other.and_then(Self::thumbprint)).peekable();
            if mine.is_none() || theirs.peek().is_none() || theirs.any(|theirs| theirs != mine) {
                let error = Error::new(Code::HolderKey, "two presentations do not prove the same holder key");
                return Err(error.claim(id));
            }
            trace.passed(&[Code::HolderKey]);
        }
        // Transactions.
        let hashes = self.proof.as_ref().map(|proof| &proof.transaction_hashes);
        let their_hashes = others
            .iter()
            .filter_map(|(id, other)| Some((*id, &other.as_ref()?.proof.as_ref()?.transaction_hashes)))
            .collect::<Vec<_>>();
        let transactions = agreed(&challenge.transactions, query_id, hashes, &their_hashes, trace)?;
        let pays = transactions.iter().any(|transaction| transaction.payment().is_some());
        // Status.
        trace.then(&self.later.status);
        let status = self.require_status(requirements)?;
        if status != Status::NotReferenced {
            trace.passed(&[Code::StatusUnreferenced]);
        }
        // Approval.
        trace.then(&self.later.approval);
        let approval = self.approval.clone()?;
        require_approval(approval.as_ref(), pays, requirements, trace)?;
        // Evidence.
        trace.then(&self.later.evidence);
        let mut evidence = self.evidence.clone()?;
        require_evidence(evidence.as_ref(), pays, challenge, requirements, trace)?;
        if let Some(evidence) = &mut evidence {
            evidence.approval = approval;
        }
        // Claims.
        require_claims(&self.credential, query, challenge, requirements, trace)?;
        Ok(Verified {
            issuer: self.credential.issuer.clone(),
            query_id: query_id.map(Into::into),
            kind: self.credential.kind.clone(),
            credential_type: self.credential.kind.types.first().cloned(),
            claims: self.credential.claims.clone(),
            expires: self.credential.expires,
            status,
            key_thumbprint: self.thumbprint().map(Into::into),
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

    fn thumbprint(&self) -> Option<&str> {
        self.proof.as_ref().map(|proof| proof.thumbprint.as_str())
    }
}

fn no_proof() -> Error {
    Error::new(Code::HolderMissing, "the presentation has no key-binding proof")
}

/// What the presentations that answer a query prove, and that what else is required to be there holds too.
fn require_answers(
    answers: &[Answer],
    challenge: &Challenge,
    asked: &str,
    is_one: bool,
    requirements: &Requirements,
    trace: &mut Trace,
) -> Result<Vec<Verified>, Error> {
    let missing = || Error::new(Code::TokenMissing, "the submission has no presentation for the query").claim(asked);
    let is_bare = answers.iter().any(|answer| answer.query_id.is_none());
    let query_id = match &challenge.dcql {
        Some(dcql) if is_bare => {
            let id = dcql.asked(asked).ok_or_else(missing)?.id();
            dcql.check_sent(&[id])?;
            Some(id)
        }
        _ => Some(asked).filter(|id| !id.is_empty()),
    };
    match answers.iter().filter(|answer| answer.answers(query_id)).count() {
        0 => return Err(missing()),
        2.. if is_one => {
            let error = Error::new(Code::TokenUnexpected, "the query has several presentations, and one was asked for");
            return Err(error.claim(asked));
        }
        _ => {}
    }
    trace.passed(&[Code::TokenUnexpected, Code::TokenMissing]);
    if challenge.dcql.is_some() {
        trace.passed(&[Code::TokenIncomplete]);
    }
    let verified = require_query(answers, challenge, query_id, requirements, trace)?;
    let mut is_answered = |id: &str| {
        let others = || require_query(answers, challenge, Some(id), &requirements.of_others(), &mut Trace::default());
        Some(id) == query_id || others().is_ok_and(|found| !found.is_empty())
    };
    if let Some(dcql) = &challenge.dcql
        && let Err(id) = dcql.check_answered(&mut is_answered)
    {
        let error = Error::new(Code::ClaimsIncomplete, "another presentation that must be there was refused");
        return Err(error.claim(id));
    }
    if challenge.dcql.is_some() {
        trace.passed(&[Code::ClaimsIncomplete]);
    }
    Ok(verified)
}

fn require_query(
    answers: &[Answer],
    challenge: &Challenge,
    query_id: Option<&str>,
    requirements: &Requirements,
    trace: &mut Trace,
) -> Result<Vec<Verified>, Error> {
    let mut verified = Vec::new();
    for (place, answer) in answers.iter().enumerate().filter(|(_, answer)| answer.answers(query_id)) {
        trace.then(&answer.trace);
        let checked = answer.checked.as_ref().map_err(Clone::clone)?;
        let mut others = Vec::new();
        for (other_place, other) in answers.iter().enumerate() {
            if let Some(id) = &other.query_id
                && other_place != place
            {
                others.push((id.as_str(), other.checked.as_ref().ok()));
            }
        }
        verified.push(checked.require(query_id, &others, challenge, requirements, trace)?);
    }
    Ok(verified)
}

/// What came of every check, and of verifying.
fn explain(
    answers: Result<&[Answer], Error>,
    challenge: &Challenge,
    query_id: &str,
    requirements: &Requirements,
) -> Explanation {
    let mut trace = Trace::default();
    trace.passed(&[Code::TrustMalformed, Code::ChallengeMalformed]);
    let verified =
        answers.and_then(|answers| require_answers(answers, challenge, query_id, true, requirements, &mut trace));
    let error = verified.err();
    Explanation { checks: trace.outcomes(error.as_ref().map(Error::code)), error }
}

fn one(verified: Vec<Verified>) -> Result<Verified, Error> {
    let missing = || Error::new(Code::TokenMissing, "the submission has no presentation for the query");
    verified.into_iter().next().ok_or_else(missing)
}

/// What a wallet sent for one challenge, checked.
#[derive(Clone, Debug)]
pub struct Submission {
    presentations: Result<Vec<Answer>, Error>,
    challenge: Challenge,
}

impl Submission {
    /// What the presentation that answers `query_id` proves. A bare presentation answers whichever query is asked; an
    /// empty `query_id` stands for a bare presentation and whatever query it answers. With a DCQL query that is the only
    /// Credential Query in it, or the one that is asked.
    ///
    /// # Errors
    /// The first check that failed, in the order of [`Code::ALL`]. If the proof of any presentation is refused
    /// (`holder.*`), every query gets that refusal. A query with several presentations is [`Code::TokenUnexpected`]:
    /// picking one of them would leave the others unseen.
    pub fn verify(&self, query_id: &str, requirements: &Requirements) -> Result<Verified, Error> {
        one(self.require(query_id, true, requirements)?)
    }

    /// What each of the presentations that answer `query_id` proves, in the order in which they were sent; at least one.
    /// Every one of them meets the requirements.
    ///
    /// # Errors
    /// Those of [`Submission::verify`], of the first presentation that is refused.
    pub fn verify_all(&self, query_id: &str, requirements: &Requirements) -> Result<Vec<Verified>, Error> {
        self.require(query_id, false, requirements)
    }

    fn require(&self, query_id: &str, is_one: bool, requirements: &Requirements) -> Result<Vec<Verified>, Error> {
        let answers = self.presentations.as_ref().map_err(Clone::clone)?;
        require_answers(answers, &self.challenge, query_id, is_one, requirements, &mut Trace::default())
    }

    /// What came of every check of [`Submission::verify`]: for people and tools, never for authorising.
    #[must_use]
    pub fn explain(&self, query_id: &str, requirements: &Requirements) -> Explanation {
        let answers = self.presentations.as_ref().map(Vec::as_slice).map_err(Clone::clone);
        explain(answers, &self.challenge, query_id, requirements)
    }
}

/// Proof that every check passed. Only [`Verifier`] and [`Submission`] make one.
#[derive(Clone, Debug)]
pub struct Verified {
    issuer: String,
    credential_type: Option<String>,
    /// None for a bare presentation, unless a query was asked for.
    query_id: Option<String>,
    kind: Kind,
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

    /// A claim that is a string; `None` if it was not disclosed or is something else.
    #[must_use]
    pub fn claim_text(&self, path: &ClaimPath) -> Option<&str> {
        self.only(path)?.as_str()
    }

    /// A claim that is an array of strings, such as `nationalities`, or strings in an array; `None` if it was not
    /// disclosed or if anything in it is something else.
    #[must_use]
    pub fn claim_texts(&self, path: &ClaimPath) -> Option<Vec<&str>> {
        let found = selected(&self.claims, path);
        let items = match found.as_slice() {
            [] => return None,
            [Value::Array(items)] => items.iter().collect(),
            _ => found,
        };
        items.into_iter().map(Value::as_str).collect()
    }

    /// A claim that is true or false, such as `age_equal_or_over.18`; `None` if it was not disclosed or is something
    /// else.
    #[must_use]
    pub fn claim_bool(&self, path: &ClaimPath) -> Option<bool> {
        self.only(path)?.as_bool()
    }

    /// A claim that is an integer; `None` if it was not disclosed, or is something else, a number with a fraction or an
    /// exponent included.
    #[must_use]
    pub fn claim_integer(&self, path: &ClaimPath) -> Option<i64> {
        self.only(path)?.as_i64()
    }

    /// `birthdate`; `None` if it was not disclosed or is not a day.
    #[must_use]
    pub fn birthdate(&self) -> Option<Date> {
        self.claim_text(&"birthdate".into()).and_then(Date::parse)
    }

    fn only(&self, path: &ClaimPath) -> Option<&Value> {
        match selected(&self.claims, path).as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether this credential meets the Credential Query that it answers: the one with the id under which it was
    /// submitted or asked for; for a bare presentation that nobody gave an id any one of them.
    ///
    /// Other Credential Queries and `credential_sets` are about submissions and not looked at.
    ///
    /// # Errors
    /// [`Code::TokenUnexpected`] if there is no such Credential Query, [`Code::HolderMissing`] if it demands a proof and
    /// there was none, and the codes of `claims.` for what it asks; of the first one if any would do and none does.
    pub fn satisfies(&self, dcql: &Dcql) -> Result<(), Error> {
        let meets = |query: &CredentialQuery| {
            if query.holder_binding() && self.key_thumbprint.is_none() {
                return Err(no_proof());
            }
            query.check_kind(&self.kind)?;
            query.check_claims(&self.claims)
        };
        if let Some(id) = &self.query_id {
            let unasked = || Error::new(Code::TokenUnexpected, "a presentation answers no query").claim(id);
            return meets(dcql.query(id).ok_or_else(unasked)?);
        }
        let mut results = dcql.queries().iter().map(meets);
        let first = results.next().unwrap_or(Ok(()));
        if first.is_ok() || results.any(|result| result.is_ok()) { Ok(()) } else { first }
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
