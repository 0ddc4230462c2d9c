//! The last step: everything that a decision changes, in one transaction, or nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::audit::{self, Position};
use super::caps::{self, Held};
use super::challenge::{self, Answered, STEP_UP_WITHIN, State, Unread};
use super::delivery::{Event, announce};
use crate::error::{Code, Error};
use crate::store::{Keys, Record, Rows, Table};

/// A decision as it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) challenge: String,
    pub(crate) at: u64,
    /// What the merchant is told, without anything that the holder disclosed.
    pub(crate) outcome: Value,
    /// What the receipt says: signed as it stands here, so that a receipt is the same whenever it is asked for.
    pub(crate) receipt: String,
    /// Its entry in the audit chain.
    pub(crate) audit: Position,
    pub(crate) reservations: Vec<Held>,
    /// The challenge that its step-up led to.
    pub(crate) step_up: Option<String>,
    /// When the merchant took it back.
    pub(crate) voided: Option<u64>,
}

impl Record for Decision {
    const TABLE: Table = Table::Decision;

    fn key(&self) -> &str {
        &self.id
    }

    fn due(&self) -> Option<u64> {
        Some(self.at)
    }
}

impl Decision {
    /// The decision with this id, if it is the merchant's.
    ///
    /// # Errors
    /// `decision.unknown`.
    pub(crate) fn find(rows: &Rows, id: &str, merchant: &str) -> Result<Self, Error> {
        let decision = rows.get::<Self>(id)?.filter(|decision| decision.merchant == merchant);
        decision.ok_or_else(unknown_decision)
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.outcome.get("decision").and_then(Value::as_str) == Some(word)
    }

    /// Whether its step-up may be taken up now.
    ///
    /// # Errors
    /// `step-up.none`, `step-up.used` or `step-up.expired`.
    pub(crate) fn takes_step_up(&self, now: u64) -> Result<(), Error> {
        if !self.is("step-up") {
            return Err(Error::host(Code::StepUpNone, "the decision is no step-up"));
        }
        if self.step_up.is_some() {
            return Err(Error::host(Code::StepUpUsed, "the step-up was taken up before"));
        }
        match now > self.at.saturating_add(STEP_UP_WITHIN) {
            true => Err(Error::host(Code::StepUpExpired, "the step-up came too late")),
            false => Ok(()),
        }
    }
}

/// The signature counter of a holder's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// RFC 7638 thumbprint.
    pub(crate) key: String,
    pub(crate) value: u64,
    /// `exp` of the credential: afterwards nothing by this key is accepted anyway.
    pub(crate) expires: Option<u64>,
}

impl Record for Counter {
    const TABLE: Table = Table::Counter;

    fn key(&self) -> &str {
        &self.key
    }

    /// A day later than it must, for clocks and tolerances.
    fn due(&self) -> Option<u64> {
        self.expires.map(|expires| expires.saturating_add(86_400))
    }
}

/// A merchant's transaction that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    key: String,
    decision: String,
    at: Option<u64>,
}

impl Record for Allowed {
    const TABLE: Table = Table::Allowed;

    fn key(&self) -> &str {
        &self.key
    }

    fn due(&self) -> Option<u64> {
        self.at
    }
}

/// The key of a merchant's transaction.
pub(crate) fn transaction_key(merchant: &str, transaction_id: &str) -> String {
    json!([merchant, transaction_id]).to_string()
}

/// What a receipt says of the host and the rules that it decided by.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rules {
    pub(crate) iss: String,
    pub(crate) nonce: String,
    /// Digest of the component.
    pub(crate) verifier: String,
    pub(crate) policies: Vec<Applied>,
}

/// A policy as it was applied.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Applied {
    pub(crate) plugin: String,
    pub(crate) sha256: String,
    pub(crate) settings_sha256: String,
}

/// The payload of a receipt.
#[derive(Serialize)]
struct Receipt<'r> {
    #[serde(flatten)]
    rules: &'r Rules,
    jti: &'r str,
    iat: u64,
    merchant: &'r str,
    challenge: &'r str,
    token_sha256: &'r str,
    transactions: &'r [String],
    decision: Option<&'r Value>,
    reason: Option<&'r Value>,
    obligations: Option<&'r Value>,
    audit: &'r Position,
}

/// What the audit chain says of a decision.
#[derive(Serialize)]
struct Said<'s> {
    decision_id: &'s str,
    merchant: &'s str,
    challenge: &'s str,
    token_sha256: &'s str,
    decision: Option<&'s Value>,
    reason: Option<&'s Value>,
    policies: Vec<&'s str>,
}

/// What is to be settled.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) chain: String,
    pub(crate) challenge: String,
    pub(crate) decision: String,
    pub(crate) token_sha256: String,
    pub(crate) now: u64,
    /// What the policies decided.
    pub(crate) outcome: Value,
    pub(crate) claims: Option<Value>,
    pub(crate) counters: Vec<Counter>,
    /// `transaction_id` of each verified transaction that has one.
    pub(crate) transactions: Vec<String>,
    pub(crate) reservations: Vec<Held>,
    pub(crate) rules: Rules,
    /// Whether the merchant is to be told.
    pub(crate) webhook: bool,
}

impl Settlement {
    /// Every row that it may read or change. (The decision is new: its challenge's row keeps others from it.)
    pub(crate) fn keys(&self, merchant: &str) -> Keys {
        let keys = Keys::at(self.now).row(Table::Challenge, &self.challenge);
        let mut keys = caps::keys_of(keys, &self.reservations).row(Table::Chain, &self.chain);
        for counter in &self.counters {
            keys = keys.row(Table::Counter, &counter.key);
        }
        for id in &self.transactions {
            keys = keys.row(Table::Allowed, transaction_key(merchant, id));
        }
        keys
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// Decided now. The outcome may have become a denial; what was disclosed comes along with an allow.
    Now(Box<Decision>, Option<Value>),
    /// This very token had been decided on before, with this decision.
    Before(String),
    /// Nothing was decided: the token does not verify, the challenge is not open, or a signature counter did not grow.
    Refused(Error),
}

/// All or nothing: the challenge is answered, counters are raised, an allow takes its transactions and commits its
/// reservations, anything else gives them back, and decision and audit entry are written.
pub(crate) fn settle(rows: &mut Rows, settlement: Settlement) -> Result<Settled, Error> {
    let Settlement { chain, challenge: id, decision: decision_id, token_sha256, now, mut outcome, claims, .. } =
        settlement;
    let reservations = settlement.reservations;
    let mut challenge = rows.get::<Unread>(&id)?.ok_or_else(unknown_challenge)?;
    if let Some(answered) = challenge.answered_by(&token_sha256) {
        let before = answered.decision.clone();
        caps::release(rows, &reservations)?;
        return Ok(Settled::Before(before));
    }
    let mut refused = challenge.is_open(now).err();
    for counter in &settlement.counters {
        if refused.is_none() && rows.get::<Counter>(&counter.key)?.is_some_and(|held| counter.value <= held.value) {
            let clone = "the band's signature counter did not grow: the token is old, or the key was copied";
            refused = Some(Error::host(Code::EvidenceCounter, clone));
        }
    }
    if let Some(refused) = refused {
        caps::release(rows, &reservations)?;
        challenge::fail(rows, &chain, challenge, &token_sha256, refused.code(), now)?;
        return Ok(Settled::Refused(refused));
    }
    for counter in &settlement.counters {
        rows.put(counter)?;
    }
    let keys = settlement.transactions.iter().map(|id| transaction_key(&challenge.merchant, id)).collect::<Vec<_>>();
    if outcome.get("decision").and_then(Value::as_str) == Some("allow") {
        let mut taken = false;
        for key in &keys {
            taken |= rows.get::<Allowed>(key)?.is_some();
        }
        if taken {
            outcome = denied(&Error::host(Code::TransactionUsed, "this transaction was allowed before"));
        } else if !caps::all_held(rows, &reservations, now)? {
            outcome = denied(&Error::host(Code::LedgerLapsed, "what was reserved lapsed before the decision"));
        }
    }
    let allowed = outcome.get("decision").and_then(Value::as_str) == Some("allow");
    let reservations = match allowed {
        true => {
            for key in keys {
                rows.put(&Allowed { key, decision: decision_id.clone(), at: Some(now) })?;
            }
            caps::commit(rows, &reservations)?;
            reservations
        }
        false => {
            caps::release(rows, &reservations)?;
            Vec::new()
        }
    };
    let said = Said {
        decision_id: &decision_id,
        merchant: &challenge.merchant,
        challenge: &id,
        token_sha256: &token_sha256,
        decision: outcome.get("decision"),
        reason: outcome.get("reason"),
        policies: settlement.rules.policies.iter().map(|policy| policy.sha256.as_str()).collect(),
    };
    let audit = audit::append(rows, &chain, now, "decided", &said)?;
    let receipt = Receipt {
        rules: &settlement.rules,
        jti: &decision_id,
        iat: now,
        merchant: &challenge.merchant,
        challenge: &id,
        token_sha256: &token_sha256,
        transactions: &settlement.transactions,
        decision: outcome.get("decision"),
        reason: outcome.get("reason"),
        obligations: outcome.get("obligations"),
        audit: &audit,
    };
    let receipt = serde_json::to_string(&receipt).map_err(|error| Error::host(Code::HostStore, error))?;
    let decision = Decision {
        id: decision_id.clone(),
        merchant: challenge.merchant.clone(),
        challenge: id,
        at: now,
        outcome,
        receipt,
        audit,
        reservations,
        step_up: None,
        voided: None,
    };
    rows.put(&decision)?;
    if settlement.webhook {
        announce(rows, Event::Made, &decision, now)?;
    }
    let claims = claims.filter(|_| allowed);
    challenge.state = State::Answered(Answered { token_sha256, decision: decision_id, claims });
    rows.put(&challenge)?;
    Ok(Settled::Now(Box::new(decision), challenge.claims()))
}

/// A token that does not verify: counted, unless the challenge was answered or closed meanwhile.
pub(crate) fn refuse(
    rows: &mut Rows,
    chain: &str,
    id: &str,
    token_sha256: &str,
    refusal: Error,
    now: u64,
) -> Result<Settled, Error> {
    let Some(challenge) = rows.get::<Unread>(id)? else { return Ok(Settled::Refused(unknown_challenge())) };
    if let Some(answered) = challenge.answered_by(token_sha256) {
        return Ok(Settled::Before(answered.decision.clone()));
    }
    if let Err(closed) = challenge.is_open(now) {
        return Ok(Settled::Refused(closed));
    }
    challenge::fail(rows, chain, challenge, token_sha256, refusal.code(), now)?;
    Ok(Settled::Refused(refusal))
}

/// Takes an allow back: what it took from caps counts no more. Its transaction stays used. Doing it again changes nothing.
///
/// # Errors
/// `decision.unknown`, or `decision.not-allowed` if it is no allow.
pub(crate) fn void(
    rows: &mut Rows,
    chain: &str,
    id: &str,
    merchant: &str,
    webhook: bool,
    now: u64,
) -> Result<Decision, Error> {
    let mut decision = Decision::find(rows, id, merchant)?;
    if !decision.is("allow") {
        return Err(Error::host(Code::DecisionNotAllowed, "only an allow can be taken back"));
    }
    if decision.voided.is_none() {
        caps::release(rows, &decision.reservations)?;
        decision.voided = Some(now);
        rows.put(&decision)?;
        let mut what = Map::new();
        what.insert("decision_id".into(), id.into());
        what.insert("merchant".into(), merchant.into());
        audit::append(rows, chain, now, "voided", &what)?;
        if webhook {
            announce(rows, Event::Voided, &decision, now)?;
        }
    }
    Ok(decision)
}

/// What the merchant is told when the host itself denies.
pub(crate) fn denied(error: &Error) -> Value {
    crate::decision::Decision::deny(error).to_json()
}

pub(crate) fn unknown_decision() -> Error {
    Error::host(Code::DecisionUnknown, "the merchant has no such decision")
}

pub(crate) fn unknown_challenge() -> Error {
    Error::host(Code::ChallengeUnknown, "there is no such challenge, or no longer")
}
