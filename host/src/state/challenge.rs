//! Challenges: handed out, answered once, closed after too many failures.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::audit;
use super::decision::Decision;
use crate::error::{Code, Error};
use crate::store::{Record, Rows, Table};

/// Failing answers after which a challenge is closed.
const MAX_ATTEMPTS: u32 = 5;
/// Seconds within which a step-up has to be taken up.
pub(crate) const STEP_UP_WITHIN: u64 = 300;

/// A challenge and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Challenge<I = Issued> {
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) created: u64,
    pub(crate) expires: u64,
    /// Seconds for which it is remembered once it expired, so that its answer can be asked for again.
    #[serde(default = "a_day")]
    pub(crate) remembered: u32,
    pub(crate) attempts: u32,
    /// Why it is not answered yet: the code of the last answer that failed, or of the wallet's error.
    pub(crate) refusal: Option<String>,
    pub(crate) state: State,
    pub(crate) issued: I,
    /// What whoever handed it out keeps with it.
    pub(crate) kept: Option<Value>,
}

/// One of which only the state matters: what was handed out stays as it was written.
pub(super) type Unread = Challenge<Box<RawValue>>;

/// Of those that were put down before it could be set.
fn a_day() -> u32 {
    86_400
}

/// What was handed out, and what it is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) audience: Vec<String>,
    pub(crate) nonce: String,
    pub(crate) dcql: String,
    pub(crate) transaction_data: Vec<String>,
    /// The merchant's policies as they were then.
    pub(crate) policies: Vec<Policy>,
    /// The merchant's own words to its policies: a JSON object.
    pub(crate) context: String,
    /// The decision that this is the step-up of.
    pub(crate) step_up_of: Option<String>,
}

/// A policy with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) plugin: String,
    /// Digest of the component, in hexadecimal.
    pub(crate) sha256: String,
    /// JSON.
    pub(crate) settings: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(crate) enum State {
    Open,
    Answered(Answered),
    Closed,
}

/// By which token, and with which decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) token_sha256: String,
    pub(crate) decision: String,
    /// What was disclosed for an allow. It is kept here, which is forgotten, and nowhere else.
    pub(crate) claims: Option<Value>,
}

impl<I: Serialize + DeserializeOwned> Record for Challenge<I> {
    const TABLE: Table = Table::Challenge;

    fn key(&self) -> &str {
        &self.id
    }

    fn due(&self) -> Option<u64> {
        Some(self.expires.saturating_add(self.remembered.into()))
    }
}

impl<I> Challenge<I> {
    /// Whether a token may answer it now.
    ///
    /// # Errors
    /// `challenge.used`, `challenge.attempts` or `challenge.expired`.
    pub(crate) fn is_open(&self, now: u64) -> Result<(), Error> {
        match self.state {
            State::Answered(_) => Err(Error::host(Code::ChallengeUsed, "the challenge was answered before")),
            State::Closed => {
                Err(Error::host(Code::ChallengeAttempts, "too many answers failed; ask for a new challenge"))
            }
            State::Open if now >= self.expires => Err(Error::host(Code::ChallengeExpired, "the challenge has expired")),
            State::Open => Ok(()),
        }
    }

    /// The answer, if it was by this very token.
    pub(crate) fn answered_by(&self, token_sha256: &str) -> Option<&Answered> {
        match &self.state {
            State::Answered(answered) if answered.token_sha256 == token_sha256 => Some(answered),
            _ => None,
        }
    }

    /// What was disclosed, if it was answered and allowed.
    pub(crate) fn claims(self) -> Option<Value> {
        match self.state {
            State::Answered(answered) => answered.claims,
            State::Open | State::Closed => None,
        }
    }
}

/// Puts a challenge down.
pub(crate) fn open(rows: &mut Rows, challenge: &Challenge) -> Result<(), Error> {
    match rows.get::<Unread>(&challenge.id)? {
        None => rows.put(challenge),
        Some(_) => Err(Error::host(Code::HostStore, "a challenge with this id is there already")),
    }
}

/// Puts down the challenge that a step-up leads to: once, and soon.
///
/// # Errors
/// `decision.unknown`, `step-up.none`, `step-up.used` or `step-up.expired`.
pub(crate) fn step_up(rows: &mut Rows, decision: &str, challenge: &Challenge) -> Result<(), Error> {
    let mut decision = Decision::find(rows, decision, &challenge.merchant)?;
    decision.takes_step_up(challenge.created)?;
    decision.step_up = Some(challenge.id.clone());
    rows.put(&decision)?;
    open(rows, challenge)
}

/// Changes what is kept with a challenge.
///
/// # Errors
/// `challenge.unknown`.
pub(crate) fn keep(rows: &mut Rows, id: &str, kept: Value) -> Result<(), Error> {
    let mut challenge = rows.get::<Unread>(id)?.ok_or_else(super::unknown_challenge)?;
    challenge.kept = Some(kept);
    rows.put(&challenge)
}

/// Closes an open challenge that the wallet answers with an error: its holder may have declined.
///
/// # Errors
/// `challenge.unknown`, or as [`Challenge::is_open`].
pub(crate) fn decline(rows: &mut Rows, chain: &str, id: &str, error: &str, now: u64) -> Result<(), Error> {
    let mut challenge = rows.get::<Unread>(id)?.ok_or_else(super::unknown_challenge)?;
    challenge.is_open(now)?;
    challenge.state = State::Closed;
    challenge.refusal = Some(Code::WalletError.as_str().into());
    rows.put(&challenge)?;
    let mut what = Map::new();
    for (name, value) in [("merchant", challenge.merchant.as_str()), ("challenge", id), ("error", error)] {
        what.insert(name.into(), value.into());
    }
    audit::append(rows, chain, now, "declined", &what).map(drop)
}

/// Counts an answer that failed, if the challenge is open. The last one that is allowed closes it.
pub(super) fn fail(
    rows: &mut Rows,
    chain: &str,
    mut challenge: Unread,
    token_sha256: &str,
    code: &str,
    now: u64,
) -> Result<(), Error> {
    if challenge.is_open(now).is_ok() {
        challenge.attempts += 1;
        challenge.refusal = Some(code.into());
        if challenge.attempts >= MAX_ATTEMPTS {
            challenge.state = State::Closed;
        }
        rows.put(&challenge)?;
    }
    let mut what = Map::new();
    for (name, value) in [
        ("merchant", challenge.merchant.as_str()),
        ("challenge", &challenge.id),
        ("token_sha256", token_sha256),
        ("reason", code),
    ] {
        what.insert(name.into(), value.into());
    }
    audit::append(rows, chain, now, "refused", &what).map(drop)
}
