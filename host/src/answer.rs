//! What goes in and out of a host: challenges, and what answers to them led to.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::query::NewTransaction;
use crate::state::{self, Issued};

/// What a merchant asks a challenge for.
#[derive(Clone, Debug, Default)]
pub struct NewChallenge {
    /// The merchant's identifier.
    pub merchant: String,
    /// What the holder is to agree to.
    pub transactions: Vec<NewTransaction>,
    /// The merchant's own words to its policies.
    pub context: Map<String, Value>,
    /// What a proof may be addressed to; the merchant's own audience, if empty.
    pub audience: Vec<String>,
    /// What the caller keeps with the challenge, for [`Host::remembered`](crate::Host::remembered).
    pub kept: Option<Value>,
}

/// A challenge as it goes to a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedChallenge {
    /// Its identifier at this host.
    pub id: String,
    /// Seconds since 1970 at which it expires.
    pub expires: u64,
    /// What a proof may be addressed to: any one of them.
    pub audience: Vec<String>,
    /// 128 random bits.
    pub nonce: String,
    /// DCQL query (OpenID4VP 1.0, section 6): a JSON object.
    pub dcql: String,
    /// Transaction data (OpenID4VP 1.0, section 8.4): base64url strings.
    pub transaction_data: Vec<String>,
}

/// A challenge that was handed out, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// The merchant's identifier.
    pub merchant: String,
    /// What was handed out.
    pub issued: IssuedChallenge,
    /// What became of it.
    pub stage: Stage,
    /// Why it is not answered yet: the code of the last answer that failed, or of the wallet's error.
    pub refusal: Option<String>,
    /// The decision whose step-up it is.
    pub step_up_of: Option<String>,
    /// What the caller keeps with it.
    pub kept: Option<Value>,
}

/// What became of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It can be answered.
    Open,
    /// Nobody answered it in time.
    Expired,
    /// The wallet answered with an error, or too many answers failed.
    Closed,
    /// It was decided on: [`Host::decision`](crate::Host::decision) tells how, under the same identifier.
    Decided,
}

/// What a wallet's answer led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The decision's identifier, which is its challenge's; none if nothing was decided.
    pub decision_id: Option<String>,
    /// `{"decision": "allow" | "deny" | "step-up", "reason": .., ..}`
    pub outcome: Value,
    /// Of an allow: what each presentation proves, by the id of its query. Kept as long as the challenge is remembered.
    pub presentations: Option<Value>,
    /// The signed receipt (compact JWS, `bandpass-receipt+jwt`).
    pub receipt: Option<String>,
    /// When the merchant took it back.
    pub voided: Option<u64>,
}

impl Answer {
    /// `allow`, `deny` or `step-up`.
    #[must_use]
    pub fn decision(&self) -> &str {
        self.outcome.get("decision").and_then(Value::as_str).unwrap_or("deny")
    }

    /// Stable code of the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.outcome.get("reason").and_then(Value::as_str).unwrap_or_default()
    }

    /// Everything, as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut all = self.outcome.as_object().cloned().unwrap_or_default();
        all.insert("decision_id".into(), json!(self.decision_id));
        all.insert("presentations".into(), self.presentations.clone().unwrap_or_default());
        all.insert("receipt".into(), json!(self.receipt));
        all.insert("voided".into(), json!(self.voided));
        all.retain(|_, value| !value.is_null());
        Value::Object(all)
    }

    /// Denied, and nothing decided.
    pub(crate) fn refused(error: &Error) -> Self {
        let outcome = state::denied(error);
        Self { decision_id: None, outcome, presentations: None, receipt: None, voided: None }
    }
}

impl IssuedChallenge {
    /// As it goes to a wallet.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let dcql = serde_json::from_str::<Value>(&self.dcql).unwrap_or_default();
        json!({"id": self.id, "expires": self.expires, "audience": self.audience, "nonce": self.nonce,
            "dcql_query": dcql, "transaction_data": self.transaction_data})
    }
}

impl From<&state::Challenge> for IssuedChallenge {
    fn from(challenge: &state::Challenge) -> Self {
        let Issued { audience, nonce, dcql, transaction_data, .. } = challenge.issued.clone();
        Self { id: challenge.id.clone(), expires: challenge.expires, audience, nonce, dcql, transaction_data }
    }
}
