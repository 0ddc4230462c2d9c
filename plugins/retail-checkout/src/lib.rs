//! Retail checkout: payments without a password up to the merchant's limit, a step-up above it. The band is worn and
//! unlocked and the paired phone approves, always; above the limit the phone does so by face.
//!
//! Settings: `{"currency": "CNY", "passwordless_limit": "200.00"}`, and `"daily_limit": "1000.00"` for a cap on what an account
//! pays within 24 hours. Amount and payee come from the verified transaction.

use std::cell::OnceCell;

use bandpass_policy::{
    Allowance, Decimal, Decision, Demand, Denial, Description, Money, Policy, Query, Request, Requirements, Step,
    Submission, Verified, by_profile, ledger,
};
use serde::Deserialize;

struct RetailCheckout;
bandpass_policy::export_policy!(RetailCheckout);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    currency: String,
    passwordless_limit: String,
    daily_limit: Option<String>,
}

struct Limit {
    currency: String,
    amount: Decimal,
    /// As the ledger takes it.
    daily: Option<String>,
}

thread_local! {
    static LIMIT: OnceCell<Limit> = const { OnceCell::new() };
}

const SETTINGS_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code of the only currency taken"},
    "passwordless_limit": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$", "description": "greatest amount without a step-up"},
    "daily_limit": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$", "description": "greatest sum an account pays within 24 hours; any, unless given"}
  },
  "required": ["currency", "passwordless_limit"],
  "additionalProperties": false
}"#;

const DCQL: &str = r#"{"credentials":[{"id":"band","format":"dc+sd-jwt","meta":{"vct_values":["urn:bandpass:band:1"]},"claims":[{"path":["sub"]}]}]}"#;

const PAYMENT: &str = "urn:bandpass:payment:1";

impl Policy for RetailCheckout {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: SETTINGS_SCHEMA.into(),
            capabilities: vec![],
        }
    }

    fn configure(settings: String) -> Result<(), String> {
        let settings: Settings = serde_json::from_str(&settings).map_err(|error| error.to_string())?;
        let is_code = settings.currency.len() == 3 && settings.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code {
            return Err("`currency` is not an ISO 4217 code".into());
        }
        let decimal = |text: &str| Decimal::from_str_exact(text).ok().filter(|limit| !limit.is_sign_negative());
        let amount = decimal(&settings.passwordless_limit);
        let amount = amount.ok_or("`passwordless_limit` is not a decimal string such as `200.00`")?;
        if settings.daily_limit.as_deref().is_some_and(|limit| decimal(limit).is_none()) {
            return Err("`daily_limit` is not a decimal string such as `1000.00`".into());
        }
        LIMIT
            .with(|limit| limit.set(Limit { currency: settings.currency, amount, daily: settings.daily_limit }))
            .map_err(|_| "configured twice".into())
    }

    fn ask(_request: Request) -> Result<Query, String> {
        Ok(Query { dcql: DCQL.into(), transaction_types: vec![PAYMENT.into()], requirements: passwordless() })
    }

    fn evaluate(submission: &Submission, _request: Request) -> Result<Decision, String> {
        LIMIT.with(|limit| decide(submission, limit.get().ok_or("not configured")?))
    }
}

fn decide(submission: &Submission, limit: &Limit) -> Result<Decision, String> {
    let verified = match submission.verify("band", &passwordless()) {
        Ok(verified) => verified,
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let mut payments = verified.transactions().into_iter().filter_map(|transaction| transaction.payment);
    let (Some(payment), None) = (payments.next(), payments.next()) else {
        return Ok(deny("payment.count", "the challenge must ask for exactly one payment"));
    };
    if payment.sum.currency != limit.currency {
        return Ok(deny("currency.unsupported", format!("this shop takes {} only", limit.currency)));
    }
    let amount = payment.sum.decimal().map_err(|error| error.to_string())?;
    if amount <= limit.amount {
        return Ok(allow(verified, "limit.within", payment.sum, limit));
    }
    let requirements = Requirements { methods: vec!["face".into()], ..passwordless() };
    Ok(match submission.verify("band", &requirements) {
        Ok(verified) => allow(verified, "limit.approved", payment.sum, limit),
        // What was signed passed every check already; what can be missing is the method that is asked for now.
        Err(_) => Decision::StepUp(Step {
            reason: "limit.above".into(),
            message: format!("above {} {} the phone has to approve by face", limit.currency, limit.amount),
            requirements,
        }),
    })
}

/// Allows, unless the account has paid too much today.
fn allow(verified: Verified, reason: &str, sum: Money, limit: &Limit) -> Decision {
    if let Some(daily) = &limit.daily {
        let cap = ledger::Quantity::Sum(Money { amount: daily.clone(), currency: limit.currency.clone() });
        let quantity = ledger::Quantity::Sum(sum);
        match ledger::reserve(ledger::Scope::Account, "daily", &quantity, &cap, 86_400) {
            Ok(_) => {}
            Err(refusal) if refusal.code == "ledger.exceeded" => {
                return deny("limit.daily", "the account has reached what it may pay within 24 hours");
            }
            Err(refusal) => return deny(&refusal.code, "the account's payments of the day can't be told"),
        }
    }
    Decision::Allow(Allowance { verified, reason: reason.into(), obligations: vec![] })
}

fn deny(reason: &str, message: impl Into<String>) -> Decision {
    Decision::Deny(Denial { reason: reason.into(), message: message.into() })
}

/// What every payment takes, whatever the profile may say one day: no password, but the phone, by whichever method.
fn passwordless() -> Requirements {
    Requirements { approval: Demand::Required, worn: Demand::Required, unlocked: Demand::Required, ..by_profile() }
}
