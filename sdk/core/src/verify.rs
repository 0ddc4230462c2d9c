//! The verifier: the order of the checks.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::approval::{Approval, require_approval};
use crate::claims::require_claims;
use crate::credential::{Credential, strings};
use crate::dcql::CredentialQuery;
use crate::encoding::{JsonError, json};
use crate::error::{Code, Error};
use crate::evidence::{Evidence, require_evidence};
use crate::expected::{Challenge, Expected, Requirements};
#[cfg(feature = "diagnosis")]
use crate::explain::Explanation;
use crate::explain::Trace;
use crate::holder::{Proof, no_proof};
use crate::limits::{MAX_PRESENTATIONS, MAX_SUBMISSION_BYTES};
use crate::mdoc;
use crate::memory::Memory;
use crate::sd_jwt::Presentation;
use crate::status::{Status, StatusListInfo, StatusLists};
use crate::transaction::agreed;
use crate::trust::Trust;
use crate::verified::Verified;

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
        let answers = [self.answer(None, token, &expected.challenge, &mut Memory::new(0))];
        let trace = &mut Trace::default();
        one(require_answers(&answers, &expected.challenge, "", true, &expected.requirements, trace)?)
    }

    /// What came of every check of [`Verifier::verify`]: for people and tools, never for authorising.
    #[cfg(feature = "diagnosis")]
    #[must_use]
    pub fn explain(&self, token: &str, expected: &Expected) -> Explanation {
        let (challenge, requirements) = (&expected.challenge, &expected.requirements);
        explain(Ok(&[self.answer(None, token, challenge, &mut Memory::new(0))]), challenge, "", requirements)
    }

    /// Takes in what a wallet sent for a challenge: a bare presentation, or an OpenID4VP `vp_token`.
    ///
    /// Every presentation is checked once, here; [`Submission::verify`] tells what came of it.
    #[must_use]
    pub fn submit(&self, vp_token: &[u8], challenge: Challenge) -> Submission {
        self.submit_remembering(vp_token, challenge, &mut Memory::new(0))
    }

    /// [`Verifier::submit`] with a memory of credentials that came before. The verdict is the same.
    #[must_use]
    pub fn submit_remembering(&self, vp_token: &[u8], challenge: Challenge, memory: &mut Memory) -> Submission {
        let presentations = self.presentations(vp_token, &challenge, memory);
        Submission { presentations, challenge }
    }

    fn presentations(&self, vp_token: &[u8], challenge: &Challenge, memory: &mut Memory) -> Result<Vec<Answer>, Error> {
        if vp_token.len() > MAX_SUBMISSION_BYTES {
            return Err(Error::new(Code::TokenTooLarge, "the submission has too many bytes"));
        }
        if mdoc::is_response(vp_token) {
            return self.documents(vp_token, challenge, memory);
        }
        if vp_token.trim_ascii_start().first() != Some(&b'{') {
            let error = || Error::new(Code::TokenMalformed, "the token is not text");
            let token = core::str::from_utf8(vp_token).map_err(|_| error())?;
            return match mdoc::response(token) {
                Some(response) => self.documents(&response, challenge, memory),
                None => Ok([self.answer(None, token, challenge, memory)].into()),
            };
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
            answers.push(self.answer(Some(query_id), &token, challenge, memory));
        }
        all_bound(answers)
    }

    /// A bare `DeviceResponse`. Of several documents each answers the query for its type, which without a DCQL query has the
    /// type for its id.
    fn documents(&self, response: &[u8], challenge: &Challenge, memory: &mut Memory) -> Result<Vec<Answer>, Error> {
        let documents = mdoc::documents(response)?;
        let mut query_ids = Vec::new();
        if documents.len() > 1 {
            for document in &documents {
                let query = challenge.dcql.as_ref().and_then(|dcql| dcql.for_doctype(document.doctype()));
                query_ids.push(query.map_or(document.doctype(), CredentialQuery::id));
            }
            if let Some(dcql) = &challenge.dcql {
                dcql.check_sent(&query_ids)?;
            }
        }
        let mut query_ids = query_ids.into_iter().map(ToOwned::to_owned);
        let mut answers = Vec::new();
        for document in &documents {
            let mut trace = Trace::default();
            let credential = mdoc::check(document, &self.trust, memory, challenge, &mut trace);
            let checked = credential.map(|(credential, proof)| self.later(credential, Some(proof), challenge, memory));
            answers.push(Answer { query_id: query_ids.next(), checked, trace });
        }
        all_bound(answers)
    }

    fn answer(&self, query_id: Option<String>, token: &str, challenge: &Challenge, memory: &mut Memory) -> Answer {
        let mut trace = Trace::default();
        let checked = self.check(token, challenge, memory, &mut trace);
        Answer { query_id, checked, trace }
    }

    /// The checks that do not depend on what a policy requires, in order. Signatures are verified here and nowhere else.
    fn check(
        &self,
        token: &str,
        challenge: &Challenge,
        memory: &mut Memory,
        trace: &mut Trace,
    ) -> Result<Checked, Error> {
        let (credential, proof) = match mdoc::response(token) {
            Some(response) => {
                let documents = mdoc::documents(&response)?;
                let [document] = documents.as_slice() else {
                    let why = "the response has several documents, and one was asked for";
                    return Err(Error::new(Code::TokenUnexpected, why));
                };
                let (credential, proof) = mdoc::check(document, &self.trust, memory, challenge, trace)?;
                (credential, Some(proof))
            }
            None => {
                let presentation = Presentation::parse(token, memory, trace)?;
                let credential = Credential::check(&presentation, memory, &self.trust, challenge, trace)?;
                let proof = Proof::check(&presentation, &credential, memory, challenge, trace)?;
                (credential, proof)
            }
        };
        Ok(self.later(credential, proof, challenge, memory))
    }

    /// The checks after those of credential and proof.
    fn later(
        &self,
        credential: Credential,
        mut proof: Option<Proof>,
        challenge: &Challenge,
        memory: &mut Memory,
    ) -> Checked {
        let mut later = Later::default();
        let (approval, evidence) = match (&proof, &credential.band) {
            (Some(proof), Some(band)) => {
                let approval = Approval::check(proof, band, memory, challenge, &mut later.approval);
                (approval, Evidence::check(proof, band, challenge, &mut later.evidence).map(Some))
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
        Checked { credential, proof, status, approval, evidence, later }
    }
}

/// Every presentation carries this challenge's binding, or none counts.
fn all_bound(answers: Vec<Answer>) -> Result<Vec<Answer>, Error> {
    let foreign = answers.iter().filter_map(|answer| answer.checked.as_ref().err());
    match foreign.clone().find(|error| error.code().as_str().starts_with("holder.")) {
        Some(error) => Err(error.clone()),
        None => Ok(answers),
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
            key_coordinates: self.proof.as_ref().map(|proof| proof.coordinates),
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
#[cfg(feature = "diagnosis")]
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
    #[cfg(feature = "diagnosis")]
    #[must_use]
    pub fn explain(&self, query_id: &str, requirements: &Requirements) -> Explanation {
        let answers = self.presentations.as_ref().map(Vec::as_slice).map_err(Clone::clone);
        explain(answers, &self.challenge, query_id, requirements)
    }
}
