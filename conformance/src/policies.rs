//! Tokens with the decision that a sample policy must come to, for hosts and for composed policies alike.

use anyhow::Result;
use bandpass_roles::transaction_data;
use serde::Serialize;
use serde_json::{Value, json};

use crate::draft::{Draft, eudi_payment, payment};
use crate::{Expected, Requirements, Vector, Verdict};

/// A token, the policy that decides on it, and the decision.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyVector {
    /// `allow`, `deny` or `step-up`, the reason, and what it is about.
    pub name: String,
    /// The policy's name, such as `retail-checkout`.
    pub policy: &'static str,
    /// The merchant's settings.
    pub settings: Value,
    /// Trust list.
    pub trust: Value,
    /// As in [`Vector`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status_lists: Vec<String>,
    /// What the wallet sent.
    pub vp_token: String,
    /// What it is judged by; requirements are the policy's.
    pub expected: Expected,
    /// What must come of it.
    #[serde(skip)]
    pub ruling: Ruling,
}

/// A decision, as far as a vector says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    /// `allow`, `deny` or `step-up`.
    pub decision: String,
    /// Stable code.
    pub reason: String,
    /// Name and parameters of each.
    pub obligations: Vec<(String, Value)>,
}

impl PolicyVector {
    /// The status list tokens as bytes.
    #[must_use]
    pub fn status_list_tokens(&self) -> Vec<Vec<u8>> {
        crate::status_list_tokens(&self.status_lists)
    }
}

const SECTION: &str = "WIT, policy";
const RETAIL: &str = "retail-checkout";
const SIGN_IN: &str = "sign-in";

/// Every vector: those for the policies, and every refusal of the verifier's that a policy has to pass on.
///
/// # Errors
/// If one can't be made.
pub fn policies() -> Result<Vec<PolicyVector>> {
    let mut vectors = Vec::new();
    retail(&mut vectors)?;
    sign_in(&mut vectors)?;
    for vector in crate::generate()?.into_values().flat_map(|file| file.vectors) {
        vectors.extend(refused(vector));
    }
    Ok(vectors)
}

fn shop() -> Value {
    json!({"currency": "CNY", "passwordless_limit": "200.00"})
}

fn retail(vectors: &mut Vec<PolicyVector>) -> Result<()> {
    for amount in ["0.01", "35.00", "199.99", "200", "200.00", "200.000000"] {
        make(vectors, RETAIL, shop(), "allow", "limit.within", amount, |draft| draft.pay(amount))?;
    }
    for method in ["fpt", "pin", "swk"] {
        make(vectors, RETAIL, shop(), "allow", "limit.within", method, |draft| {
            draft.pay("35.00");
            draft.approved().1["amr"] = json!([method]);
        })?;
        for amount in ["200.01", "200.000001", "900.00", "999999999999999"] {
            make(vectors, RETAIL, shop(), "step-up", "limit.above", &format!("{method}-{amount}"), |draft| {
                draft.pay(amount);
                draft.approved().1["amr"] = json!([method]);
            })?;
        }
    }
    for (what, methods) in [("face", json!(["face"])), ("face-among-others", json!(["pin", "face", "fpt"]))] {
        for amount in ["200.01", "900.00"] {
            make(vectors, RETAIL, shop(), "allow", "limit.approved", &format!("{what}-{amount}"), |draft| {
                draft.pay(amount);
                draft.approved().1["amr"] = methods.clone();
            })?;
        }
    }
    let free = json!({"currency": "CNY", "passwordless_limit": "0"});
    make(vectors, RETAIL, free.clone(), "allow", "limit.within", "nothing-of-nothing", |draft| draft.pay("0.00"))?;
    make(vectors, RETAIL, free, "step-up", "limit.above", "nothing-without-a-password", |draft| {
        draft.pay("0.01");
        draft.approved().1["amr"] = json!(["pin"]);
    })?;
    let euros = json!({"currency": "EUR", "passwordless_limit": "50"});
    make(vectors, RETAIL, euros.clone(), "allow", "limit.within", "eudi-payment", |draft| {
        draft.expected.transaction_data.push(eudi_payment("35.5"));
        draft.approved();
    })?;
    make(vectors, RETAIL, euros, "deny", "currency.unsupported", "another-currency", |draft| draft.pay("35.00"))?;
    make(vectors, RETAIL, shop(), "deny", "payment.count", "no-payment", |draft| {
        draft.approved();
    })?;
    make(vectors, RETAIL, shop(), "deny", "payment.count", "two-payments", |draft| {
        draft.pay("35.00");
        draft.expected.transaction_data.push(payment("36.00"));
    })?;
    let capped = json!({"currency": "CNY", "passwordless_limit": "200.00", "daily_limit": "500.00"});
    make(vectors, RETAIL, capped, "deny", "ledger.unavailable", "a-cap-without-a-ledger", |draft| draft.pay("35.00"))
}

fn sign_in(vectors: &mut Vec<PolicyVector>) -> Result<()> {
    let mail = || json!({"service": "mail.example", "session_seconds": 3_600, "sensitive": ["change-password"]});
    let adult = |age: u8| json!({"service": "cinema.example", "session_seconds": 60, "age_at_least": age});
    let agree = |draft: &mut Draft, service: &str, action: &str| {
        let payload = json!({"transaction_id": "t-1", "service": service, "action": action});
        draft.expected.transaction_data.push(transaction_data("urn:bandpass:sign-in:1", &["band"], &payload));
    };
    for action in ["sign-in", "read"] {
        make(vectors, SIGN_IN, mail(), "allow", "sign-in.worn", action, |draft| agree(draft, "mail.example", action))?;
    }
    make(vectors, SIGN_IN, mail(), "allow", "sign-in.confirmed", "approved-and-touched", |draft| {
        agree(draft, "mail.example", "change-password");
        draft.approved();
        draft.band()["confirmed"] = true.into();
    })?;
    for (what, approved, confirmed) in
        [("neither", false, None), ("approved-only", true, Some(false)), ("touched-only", false, Some(true))]
    {
        make(vectors, SIGN_IN, mail(), "step-up", "sign-in.sensitive", what, |draft| {
            agree(draft, "mail.example", "change-password");
            if approved {
                draft.approved();
            }
            if let Some(confirmed) = confirmed {
                draft.band()["confirmed"] = confirmed.into();
            }
        })?;
    }
    make(vectors, SIGN_IN, mail(), "deny", "sign-in.service", "another-service", |draft| {
        agree(draft, "bank.example", "sign-in");
    })?;
    make(vectors, SIGN_IN, mail(), "deny", "sign-in.count", "a-payment", |draft| draft.pay("35.00"))?;
    make(vectors, SIGN_IN, mail(), "deny", "sign-in.count", "twice", |draft| {
        agree(draft, "mail.example", "read");
        agree(draft, "mail.example", "sign-in");
    })?;
    make(vectors, SIGN_IN, mail(), "deny", "evidence.not-worn", "not-worn", |draft| {
        agree(draft, "mail.example", "sign-in");
        *draft.band() = json!({"counter": 7});
    })?;
    for age in [14, 18, 21] {
        make(vectors, SIGN_IN, adult(age), "allow", "sign-in.worn", &format!("age-{age}"), |draft| {
            agree(draft, "cinema.example", "sign-in");
            draft.hidden = vec!["/birthdate"];
        })?;
    }
    make(vectors, SIGN_IN, adult(36), "allow", "sign-in.worn", "born-then", |draft| {
        agree(draft, "cinema.example", "sign-in");
    })?;
    make(vectors, SIGN_IN, adult(37), "deny", "claims.age", "too-young", |draft| {
        agree(draft, "cinema.example", "sign-in");
    })?;
    make(vectors, SIGN_IN, adult(18), "deny", "claims.missing", "not-told", |draft| {
        agree(draft, "cinema.example", "sign-in");
        draft.hidden =
            draft.selective.iter().copied().filter(|path| path.contains("/age_") || *path == "/birthdate").collect();
    })
}

fn make(
    vectors: &mut Vec<PolicyVector>,
    policy: &'static str,
    settings: Value,
    decision: &str,
    reason: &str,
    what: &str,
    change: impl FnOnce(&mut Draft),
) -> Result<()> {
    let name = format!("{decision}/{reason}/{what}");
    let mut draft = Draft::new(&name)?;
    change(&mut draft);
    let mut obligations = Vec::new();
    if let ("allow", Some(seconds)) = (decision, settings.get("session_seconds")) {
        obligations.push(("end-session-after".into(), json!({"seconds": seconds})));
        if let Some(age) = settings.get("age_at_least") {
            obligations.push(("record-age-check".into(), json!({"age_at_least": age})));
        }
    }
    let ruling = Ruling { decision: decision.into(), reason: reason.into(), obligations };
    vectors.push(decided(draft.finish(&name, SECTION, None)?, name, policy, settings, ruling));
    Ok(())
}

/// A refusal of the verifier's as the shop's: where nothing else is asked for than the shop asks, and what fails comes before
/// what the shop adds.
fn refused(vector: Vector) -> Option<PolicyVector> {
    let Verdict::Refused { code } = &vector.result else { return None };
    let stage = code.split('.').next()?;
    let is_payment = !vector.expected.transaction_data.is_empty();
    // A bare presentation answers any query.
    let answers_band = match vector.expected.query_id.as_str() {
        "" => !vector.vp_token.trim_start().starts_with('{'),
        query_id => query_id == "band",
    };
    let is_asked =
        answers_band && vector.expected.requirements == Requirements::default() && vector.expected.dcql.is_none();
    let comes_first = match stage {
        "token" | "issuer" | "disclosure" | "credential" | "holder" | "transaction" | "status" => true,
        "approval" | "evidence" => is_payment,
        _ => false,
    };
    let name = format!("deny/{}", vector.name);
    let ruling = Ruling { decision: "deny".into(), reason: code.clone(), obligations: Vec::new() };
    (is_asked && comes_first).then(|| decided(vector, name, RETAIL, shop(), ruling))
}

fn decided(vector: Vector, name: String, policy: &'static str, settings: Value, ruling: Ruling) -> PolicyVector {
    let Vector { trust, status_lists, vp_token, expected, .. } = vector;
    PolicyVector { name, policy, settings, trust, status_lists, vp_token, expected, ruling }
}
