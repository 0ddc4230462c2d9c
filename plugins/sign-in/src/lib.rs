//! Sign-in: the band as an identity card on the web. Worn and unlocked suffices to sign in; what the service calls sensitive
//! takes the phone's approval and a touch on the band too. With an age, nobody younger gets in.
//!
//! Settings: `{"service": "cinema.example", "session_seconds": 3600}`, and, each if wanted, `"age_at_least": 18` and
//! `"sensitive": ["change-email"]`. What is to be done comes from the verified transaction.

use std::cell::OnceCell;

use bandpass_policy::{
    Allowance, Decision, Demand, Denial, Description, Obligation, Policy, Query, Request, Requirements, Step,
    Submission, Verified, by_profile,
};
use serde::Deserialize;

struct SignIn;
bandpass_policy::export_policy!(SignIn);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    service: String,
    session_seconds: u32,
    age_at_least: Option<u8>,
    #[serde(default)]
    sensitive: Vec<String>,
}

/// What the holder agreed to.
#[derive(Deserialize)]
struct Agreed {
    service: String,
    action: String,
}

thread_local! {
    static SETTINGS: OnceCell<Settings> = const { OnceCell::new() };
}

const SETTINGS_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "service": {"type": "string", "minLength": 1, "description": "what is signed in to, as the transaction names it"},
    "session_seconds": {"type": "integer", "minimum": 1, "maximum": 4294967295, "description": "how long a sign-in lasts"},
    "age_at_least": {"type": "integer", "minimum": 1, "maximum": 255, "description": "full years; any age, unless given"},
    "sensitive": {"type": "array", "items": {"type": "string"}, "description": "actions that take approval and a touch"}
  },
  "required": ["service", "session_seconds"],
  "additionalProperties": false
}"#;

const SIGN_IN: &str = "urn:bandpass:sign-in:1";

impl Policy for SignIn {
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
        if settings.service.is_empty() || settings.session_seconds == 0 || settings.age_at_least == Some(0) {
            return Err("`service`, `session_seconds` and `age_at_least` can't be empty or zero".into());
        }
        SETTINGS.with(|held| held.set(settings)).map_err(|_| "configured twice".into())
    }

    fn ask(_request: Request) -> Result<Query, String> {
        with_settings(|settings| {
            let claims = match settings.age_at_least {
                None => r#""claims":[{"path":["sub"]}]"#.into(),
                // Better no birthdate, if the wallet can say it without.
                Some(age) => format!(
                    r#""claims":[{{"id":"sub","path":["sub"]}},{{"id":"age","path":["age_equal_or_over","{age}"]}},{{"id":"born","path":["birthdate"]}}],"claim_sets":[["sub","age"],["sub","born"]]"#
                ),
            };
            let dcql = format!(
                r#"{{"credentials":[{{"id":"band","format":"dc+sd-jwt","meta":{{"vct_values":["urn:bandpass:band:1"]}},{claims}}}]}}"#
            );
            Ok(Query { dcql, transaction_types: vec![SIGN_IN.into()], requirements: least(settings) })
        })
    }

    fn evaluate(submission: &Submission, _request: Request) -> Result<Decision, String> {
        with_settings(|settings| decide(submission, settings))
    }
}

fn with_settings<T>(work: impl FnOnce(&Settings) -> Result<T, String>) -> Result<T, String> {
    SETTINGS.with(|settings| work(settings.get().ok_or("not configured")?))
}

fn decide(submission: &Submission, settings: &Settings) -> Result<Decision, String> {
    let verified = match submission.verify("band", &least(settings)) {
        Ok(verified) => verified,
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let mut transactions = verified.transactions().into_iter().filter(|transaction| transaction.type_id == SIGN_IN);
    let (Some(transaction), None) = (transactions.next(), transactions.next()) else {
        return Ok(deny("sign-in.count", "the challenge must ask for exactly one sign-in"));
    };
    let agreed: Agreed = serde_json::from_str(&transaction.payload).map_err(|error| error.to_string())?;
    if agreed.service != settings.service {
        return Ok(deny("sign-in.service", "the holder agreed to sign in elsewhere"));
    }
    if !settings.sensitive.contains(&agreed.action) {
        return Ok(allow(verified, "sign-in.worn", settings));
    }
    let requirements = Requirements { approval: Demand::Required, confirmed: Demand::Required, ..least(settings) };
    Ok(match submission.verify("band", &requirements) {
        Ok(verified) => allow(verified, "sign-in.confirmed", settings),
        // What was signed passed every check already; what can be missing is what is asked for now.
        Err(_) => Decision::StepUp(Step {
            reason: "sign-in.sensitive".into(),
            message: "this takes the phone's approval, and a touch on the band".into(),
            requirements,
        }),
    })
}

fn allow(verified: Verified, reason: &str, settings: &Settings) -> Decision {
    let obligation = |name: &str, parameter: &str, value: u32| Obligation {
        name: name.into(),
        parameters: format!(r#"{{"{parameter}":{value}}}"#),
    };
    let mut obligations = vec![obligation("end-session-after", "seconds", settings.session_seconds)];
    obligations.extend(settings.age_at_least.map(|age| obligation("record-age-check", "age_at_least", age.into())));
    Decision::Allow(Allowance { verified, reason: reason.into(), obligations })
}

fn deny(reason: &str, message: &str) -> Decision {
    Decision::Deny(Denial { reason: reason.into(), message: message.into() })
}

/// What every sign-in takes.
fn least(settings: &Settings) -> Requirements {
    Requirements {
        worn: Demand::Required,
        unlocked: Demand::Required,
        age_at_least: settings.age_at_least,
        ..by_profile()
    }
}
