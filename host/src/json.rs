//! Results as JSON: the shapes that the command line prints.

use serde_json::{Map, Value, json};

use crate::bindings::sdk::exports::bandpass::sdk::verification::{
    ClaimPath, CounterState, Demand, Evidence, Failure, PathSegment, Requirements, StatusState, Transaction,
};
use crate::decision::Decision;
use crate::error::Error;
use crate::verifier::Accepted;

impl Accepted {
    /// `{"issuer": .., "credential_type": .., "claims": {..}, "evidence": {..}, ..}`
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "credential_type": self.credential_type,
            "subject": self.subject,
            "claims": self.claims,
            "transactions": self.transactions.iter().map(transaction).collect::<Vec<_>>(),
            "evidence": self.evidence.as_ref().map(evidence),
            "key_thumbprint": self.key_thumbprint,
            "expires": self.expires,
            "status": status(self.status),
        })
    }
}

impl Error {
    /// `{"code": .., "message": ..}`, with `claim`, `expected` and `actual` where they help.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), self.code().into());
        error.insert("message".into(), self.message().into());
        if let Self::Refused(Failure { claim, expected, actual, .. }) = self {
            for (name, value) in [("claim", claim), ("expected", expected), ("actual", actual)] {
                if let Some(value) = value {
                    error.insert(name.into(), value.as_str().into());
                }
            }
        }
        Value::Object(error)
    }
}

impl Decision {
    /// `{"decision": "allow" | "deny" | "step-up", "reason": .., "obligations": [..]}`, and what belongs to each.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Allow { proven, reason, obligations } => {
                let obligations = obligations
                    .iter()
                    .map(|obligation| json!({"name": obligation.name, "parameters": object(&obligation.parameters)}));
                let Accepted { issuer, key_thumbprint, status: found, .. } = proven.accepted();
                json!({"decision": "allow", "reason": reason, "obligations": obligations.collect::<Vec<_>>(),
                    "issuer": issuer, "key_thumbprint": key_thumbprint, "status": status(*found)})
            }
            Self::Deny { reason, message } => {
                json!({"decision": "deny", "reason": reason, "message": message, "obligations": []})
            }
            Self::StepUp { reason, message, requirements: needed } => json!({"decision": "step-up", "reason": reason,
                "message": message, "obligations": [], "requirements": requirements(needed)}),
        }
    }
}

fn transaction(transaction: &Transaction) -> Value {
    let payment = transaction.payment.as_ref().map(|payment| {
        json!({"amount": payment.sum.amount, "currency": payment.sum.currency,
            "payee": {"name": payment.payee.name, "id": payment.payee.id}})
    });
    json!({"type": transaction.type_id, "id": transaction.id, "payment": payment, "payload": object(&transaction.payload)})
}

fn evidence(evidence: &Evidence) -> Value {
    let counter_state = match evidence.counter_state {
        CounterState::Unchecked => "unchecked",
        CounterState::Advanced => "advanced",
    };
    json!({
        "signed_at": evidence.signed_at,
        "worn_since": evidence.worn_since,
        "unlocked_at": evidence.unlocked_at,
        "confirmed": evidence.confirmed,
        "distance": evidence.distance.as_ref().map(|distance| json!({"mm": distance.mm, "method": distance.method})),
        "counter": evidence.counter,
        "counter_state": counter_state,
        "approval": evidence.approval.as_ref().map(|approval| {
            json!({"signed_at": approval.signed_at, "methods": approval.methods})
        }),
        "pairing_epoch": evidence.pairing_epoch,
    })
}

/// Only what is asked for.
fn requirements(requirements: &Requirements) -> Value {
    let mut asked = Map::new();
    for (name, demand) in [
        ("holder", requirements.holder),
        ("status", requirements.status),
        ("approval", requirements.approval),
        ("worn", requirements.worn),
        ("unlocked", requirements.unlocked),
        ("confirmed", requirements.confirmed),
    ] {
        match demand {
            Demand::ByProfile => {}
            Demand::Required => drop(asked.insert(name.into(), "required".into())),
            Demand::NotRequired => drop(asked.insert(name.into(), "not-required".into())),
        }
    }
    if !requirements.methods.is_empty() {
        asked.insert("methods".into(), requirements.methods.clone().into());
    }
    for (name, number) in [
        ("unlocked_within", requirements.unlocked_within),
        ("distance_mm", requirements.distance_mm),
        ("age_at_least", requirements.age_at_least.map(Into::into)),
    ] {
        if let Some(number) = number {
            asked.insert(name.into(), number.into());
        }
    }
    if !requirements.claims.is_empty() {
        asked.insert("claims".into(), requirements.claims.iter().map(path).collect::<Vec<_>>().into());
    }
    if let Some(query_id) = &requirements.same_holder_as {
        asked.insert("same_holder_as".into(), query_id.as_str().into());
    }
    Value::Object(asked)
}

/// As in DCQL: strings, numbers, and `null` for every element.
fn path(path: &ClaimPath) -> Value {
    let segment = |segment: &PathSegment| match segment {
        PathSegment::Key(key) => key.as_str().into(),
        PathSegment::Index(index) => (*index).into(),
        PathSegment::All => Value::Null,
    };
    path.iter().map(segment).collect::<Vec<_>>().into()
}

pub(crate) fn status(status: StatusState) -> &'static str {
    match status {
        StatusState::NotReferenced => "not-referenced",
        StatusState::NotChecked => "not-checked",
        StatusState::Valid => "valid",
    }
}

fn object(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
