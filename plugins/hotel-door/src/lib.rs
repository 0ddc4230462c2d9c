//! Hotel doors: whoever wears the band that an access credential was issued to opens the doors that it names, while it counts.
//!
//! Settings: `{"hotel": "https://hotel.example", "site": "aurora", "door": "412"}`: who issues access credentials, and which
//! door this is. Further, where they are wanted: `shared`, that this is nobody's room; `staff`, the roles that open this door besides
//! guests; `confirm`, whether the wearer has to act on the band, which stops a relay; `anti_passback`, for how many seconds a band
//! that opened the door does not open it again, which takes the ledger.
//!
//! A request's context is what the door's controller knows: `{"sequences": {"guest": 7, "housekeeping": 2}, "battery":
//! "good"}`. `sequences` are the highest that opened this door, by role; a lower one is refused, so that the first
//! use of the next guest's credential ends the earlier guest's; at a shared door those of guests say nothing. With an allow comes the obligation `keep-sequence` (`role`,
//! `sequence`), to be stored before the door opens. `battery` is `good`, `low`, which brings the obligation `show-low-battery`, or
//! `critical`: then the door opens for staff alone, who can change it.
//!
//! An access credential is an mdoc of the type `bandpass.access.1` with, in the namespace of that name, `site`, `doors`,
//! `not_before` and `not_after` (seconds since 1970), `sequence` and, of staff, `role`; its device key is the band's.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use bandpass_policy::{
    Allowance, Decision, Demand, Denial, Description, Obligation, Policy, Query, Request, Requirements, Submission,
    by_profile, ledger,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

struct HotelDoor;
bandpass_policy::export_policy!(HotelDoor);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    hotel: String,
    site: String,
    door: String,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    staff: Vec<String>,
    #[serde(default)]
    confirm: bool,
    anti_passback: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    sequences: BTreeMap<String, u64>,
    battery: Battery,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Battery {
    Good,
    Low,
    Critical,
}

#[derive(Deserialize)]
struct Access {
    site: String,
    doors: Vec<String>,
    not_before: u64,
    not_after: u64,
    sequence: u64,
    role: Option<String>,
}

thread_local! {
    static SETTINGS: OnceCell<Settings> = const { OnceCell::new() };
}

const SETTINGS_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "hotel": {"type": "string", "minLength": 1, "description": "issuer of the access credentials, as the trust list names it"},
    "site": {"type": "string", "minLength": 1, "description": "the hotel's name for the building"},
    "door": {"type": "string", "minLength": 1, "description": "this door"},
    "shared": {"type": "boolean", "description": "nobody's room: one guest's key does not end another's"},
    "staff": {"type": "array", "items": {"type": "string", "minLength": 1}, "description": "roles that open it besides guests"},
    "confirm": {"type": "boolean", "description": "the wearer has to act on the band"},
    "anti_passback": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "seconds for which a band that opened it does not open it again"}
  },
  "required": ["hotel", "site", "door"],
  "additionalProperties": false
}"#;

const BAND: &str = "bandpass.band.1";
const ACCESS: &str = "bandpass.access.1";
/// Who has no role.
const GUEST: &str = "guest";
/// A day.
const LONGEST: u32 = 86_400;

impl Policy for HotelDoor {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: SETTINGS_SCHEMA.into(),
            // Only anti-passback needs the ledger.
            capabilities: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), String> {
        let settings: Settings = parsed(&settings)?;
        let named = [&settings.hotel, &settings.site, &settings.door].into_iter().chain(&settings.staff);
        if named.into_iter().any(String::is_empty) || settings.staff.iter().any(|role| role == GUEST) {
            return Err("no name is empty, and no role is called `guest`".into());
        }
        if settings.anti_passback.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
            return Err("`anti_passback` is from a second to a day".into());
        }
        SETTINGS.with(|held| held.set(settings)).map_err(|_| "configured twice".into())
    }

    fn ask(_: Request) -> Result<Query, String> {
        let asked = |id: &str, doctype: &str, elements: &[&str], sets: &[&[&str]]| {
            let claims = elements.iter().map(|element| json!({"id": element, "path": [doctype, element]}));
            json!({"id": id, "format": "mso_mdoc", "meta": {"doctype_value": doctype},
                "claims": claims.collect::<Vec<_>>(), "claim_sets": sets})
        };
        // No name: a door has no use for it. Only staff have a role.
        let (band, of_guests) =
            (["pairing", "band_measures"], ["site", "doors", "not_before", "not_after", "sequence"]);
        let of_staff = ["site", "doors", "not_before", "not_after", "sequence", "role"];
        let credentials =
            [asked("band", BAND, &band, &[&band]), asked("access", ACCESS, &of_staff, &[&of_staff, &of_guests])];
        let dcql = json!({"credentials": credentials}).to_string();
        SETTINGS.with(|settings| {
            let requirements = worn(settings.get().ok_or("not configured")?);
            Ok(Query { dcql, transaction_types: Vec::new(), requirements })
        })
    }

    fn evaluate(submission: &Submission, request: Request) -> Result<Decision, String> {
        SETTINGS.with(|settings| decide(submission, &request, settings.get().ok_or("not configured")?))
    }
}

fn decide(submission: &Submission, request: &Request, settings: &Settings) -> Result<Decision, String> {
    let context: Context = parsed(&request.context)?;
    let band = match submission.verify("band", &worn(settings)) {
        Ok(verified) => verified,
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let same_band = Requirements { same_holder_as: Some("band".into()), ..by_profile() };
    let access = match submission.verify("access", &same_band) {
        Ok(verified) if verified.issuer() == settings.hotel => parsed::<Access>(&verified.claims()),
        Ok(_) => return Ok(deny("access.issuer", "the access credential is another hotel's")),
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let Ok(access) = access else {
        return Ok(deny("access.malformed", "the access credential does not say what it opens"));
    };
    if access.site != settings.site {
        return Ok(deny("access.site", "the access credential is for another building"));
    }
    if !access.doors.contains(&settings.door) {
        return Ok(deny("access.door", "the access credential is for other doors"));
    }
    let role = access.role.as_deref().unwrap_or(GUEST);
    let is_staff = settings.staff.iter().any(|staff| staff == role);
    if !is_staff && access.role.is_some() {
        return Ok(deny("access.role", "the door does not open for this role"));
    }
    if request.now < access.not_before {
        return Ok(deny("access.early", "the access credential does not count yet"));
    }
    if request.now >= access.not_after {
        return Ok(deny("access.ended", "the access credential counts no more"));
    }
    let highest = context.sequences.get(role).filter(|_| is_staff || !settings.shared);
    if highest.is_some_and(|highest| access.sequence < *highest) {
        return Ok(deny("access.superseded", "a later access credential opened this door"));
    }
    if context.battery == Battery::Critical && !is_staff {
        return Ok(deny("access.battery", "the battery is nearly empty: staff can change it"));
    }
    if let Some(window) = settings.anti_passback {
        let once = ledger::Quantity::Count(1);
        match ledger::reserve(ledger::Scope::Band, "anti-passback", &once, &once, window) {
            Ok(_) => {}
            Err(refusal) if refusal.code == "ledger.exceeded" => {
                return Ok(deny("access.passback", "this band opened the door a moment ago"));
            }
            Err(refusal) => return Ok(deny(&refusal.code, "whether the band opened the door before can't be told")),
        }
    }
    let mut obligations = vec![obligation("keep-sequence", &json!({"role": role, "sequence": access.sequence}))];
    if context.battery != Battery::Good {
        obligations.push(obligation("show-low-battery", &json!({})));
    }
    Ok(Decision::Allow(Allowance { verified: band, reason: "access.valid".into(), obligations }))
}

fn obligation(name: &str, parameters: &Value) -> Obligation {
    Obligation { name: name.into(), parameters: parameters.to_string() }
}

fn deny(reason: &str, message: &str) -> Decision {
    Decision::Deny(Denial { reason: reason.into(), message: message.into() })
}

/// The band on the wrist of whoever unlocked it.
fn worn(settings: &Settings) -> Requirements {
    let confirmed = if settings.confirm { Demand::Required } else { Demand::ByProfile };
    Requirements { worn: Demand::Required, unlocked: Demand::Required, confirmed, ..by_profile() }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
