//! Results as JSON: the shapes that the command line prints.

use serde_json::{Map, Value, json};

use crate::bindings::sdk::exports::bandpass::sdk::verification::{
    Approval, ClaimPath, CounterState, Demand, Evidence, Failure, PathSegment, Payment, Requirements, StatusState,
    Transaction,
};
use crate::decision::Decision;
use crate::error::Error;
use crate::verifier::Accepted;

impl Accepted {
    /// `{"issuer": .., "credential_type": .., "claims": {..}, "evidence": {..}, ..}`
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.clone().into_json()
    }

    /// The same without a copy.
    pub(crate) fn into_json(self) -> Value {
        members([
            ("issuer", self.issuer.into()),
            ("credential_type", self.credential_type.into()),
            ("subject", self.subject.into()),
            ("claims", self.claims.into()),
            ("transactions", self.transactions.into_iter().map(transaction).collect()),
            ("evidence", self.evidence.map(evidence).into()),
            ("key_thumbprint", self.key_thumbprint.into()),
            ("expires", self.expires.into()),
            ("status", status(self.status).into()),
        ])
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
                json!({"decision": "allow", "reason": reason, "obligations": obligations.collect::<Vec<_>>(),
                    "issuer": proven.issuer(), "key_thumbprint": proven.key_thumbprint(),
                    "status": status(proven.status())})
            }
            Self::Deny { reason, message } => {
                json!({"decision": "deny", "reason": reason, "message": message, "obligations": []})
            }
            Self::StepUp { reason, message, requirements: needed } => json!({"decision": "step-up", "reason": reason,
                "message": message, "obligations": [], "requirements": requirements(needed)}),
        }
    }
}

/// As `json!`, which copies what it is given.
fn members<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect()
}

fn transaction(transaction: Transaction) -> Value {
    let Transaction { type_id, id, payment, payload } = transaction;
    let payment = payment.map(|Payment { sum, payee }| {
        let payee = members([("name", payee.name.into()), ("id", payee.id.into())]);
        members([("amount", sum.amount.into()), ("currency", sum.currency.into()), ("payee", payee)])
    });
    let payload = object(&payload);
    members([("type", type_id.into()), ("id", id.into()), ("payment", payment.into()), ("payload", payload)])
}

fn evidence(evidence: Evidence) -> Value {
    let counter_state = match evidence.counter_state {
        CounterState::Unchecked => "unchecked",
        CounterState::Advanced => "advanced",
    };
    let approval = evidence
        .approval
        .map(|Approval { signed_at, methods }| members([("signed_at", signed_at.into()), ("methods", methods.into())]));
    members([
        ("signed_at", evidence.signed_at.into()),
        ("worn_since", evidence.worn_since.into()),
        ("unlocked_at", evidence.unlocked_at.into()),
        ("confirmed", evidence.confirmed.into()),
        ("distance_mm", evidence.distance_mm.into()),
        ("counter", evidence.counter.into()),
        ("counter_state", counter_state.into()),
        ("approval", approval.into()),
        ("pairing_epoch", evidence.pairing_epoch.into()),
    ])
}

/// Only what is asked for.
pub(crate) fn requirements(requirements: &Requirements) -> Value {
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

impl Requirements {
    /// Requires nothing: what the profile asks for is waived too. A floor starts from here.
    pub(crate) fn none() -> Self {
        let no = Demand::NotRequired;
        Self { holder: no, status: no, approval: no, worn: no, unlocked: no, confirmed: no, ..Self::default() }
    }
}

/// Reads what `requirements` writes, over what stands without it.
pub(crate) fn requirements_over(base: Requirements, asked: &Map<String, Value>) -> Result<Requirements, String> {
    let mut over = base;
    for (name, value) in asked {
        let wrong = || format!("`{name}` can't be {value}");
        let demand = || match value.as_str() {
            Some("required") => Ok(Demand::Required),
            Some("by-profile") => Ok(Demand::ByProfile),
            Some("not-required") => Ok(Demand::NotRequired),
            _ => Err(wrong()),
        };
        let number = || value.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(wrong);
        match name.as_str() {
            "holder" => over.holder = demand()?,
            "status" => over.status = demand()?,
            "approval" => over.approval = demand()?,
            "worn" => over.worn = demand()?,
            "unlocked" => over.unlocked = demand()?,
            "confirmed" => over.confirmed = demand()?,
            "methods" => over.methods = serde_json::from_value(value.clone()).map_err(|_| wrong())?,
            "unlocked_within" => over.unlocked_within = Some(number()?),
            "distance_mm" => over.distance_mm = Some(number()?),
            "age_at_least" => over.age_at_least = Some(u8::try_from(number()?).map_err(|_| wrong())?),
            "same_holder_as" => over.same_holder_as = Some(value.as_str().ok_or_else(wrong)?.into()),
            "claims" => {
                let paths = value.as_array().ok_or_else(wrong)?.iter().map(path_from);
                over.claims = paths.collect::<Option<_>>().ok_or_else(wrong)?;
            }
            _ => return Err(format!("there is no requirement `{name}`")),
        }
    }
    Ok(over)
}

fn path_from(path: &Value) -> Option<ClaimPath> {
    let segment = |segment: &Value| match segment {
        Value::String(key) => Some(PathSegment::Key(key.clone())),
        Value::Number(index) => Some(PathSegment::Index(u32::try_from(index.as_u64()?).ok()?)),
        Value::Null => Some(PathSegment::All),
        _ => None,
    };
    path.as_array()?.iter().map(segment).collect()
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
