//! Cinema tickets: whoever wears the band that a ticket was sold to gets in, once, to the showing that it is for, if they are
//! old enough for the film.
//!
//! Settings: `{"cinema": "https://cinema.example", "opens_before": 1800, "closes_after": 900}`: who issues the tickets, and from
//! how many seconds before a showing until how many after its start people get in. What is shown at this entrance comes from
//! the verified transaction, everything about the ticket from the ticket. A request's context may have `{"rating": 16}`: then
//! the wallet is asked for the age with the ticket.
//!
//! A ticket is a credential of the type `urn:bandpass:cinema-ticket:1` with the claims `ticket_id`, `event_id`, `starts_at` (seconds
//! since 1970), `seat` and, if the film has one, `rating` (full years); its holder's key is the band's.

use std::cell::OnceCell;

use bandpass_policy::{
    Allowance, Capability, Decision, Demand, Denial, Description, Obligation, Policy, Query, Request, Requirements,
    Submission, by_profile, ledger,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

struct CinemaTicket;
bandpass_policy::export_policy!(CinemaTicket);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cinema: String,
    opens_before: u32,
    closes_after: u32,
}

#[derive(Deserialize)]
struct Ticket {
    ticket_id: String,
    event_id: String,
    starts_at: u64,
    seat: String,
    rating: Option<u8>,
}

/// What is shown behind this entrance.
#[derive(Deserialize)]
struct Showing {
    event_id: String,
    starts_at: Option<u64>,
    seat: Option<String>,
}

#[derive(Deserialize)]
struct Context {
    rating: Option<u8>,
}

thread_local! {
    static SETTINGS: OnceCell<Settings> = const { OnceCell::new() };
}

const SETTINGS_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "cinema": {"type": "string", "minLength": 1, "description": "issuer of the tickets, as the trust list names it"},
    "opens_before": {"type": "integer", "minimum": 0, "maximum": 86400, "description": "seconds before a showing from which people get in"},
    "closes_after": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "seconds after its start until which they do"}
  },
  "required": ["cinema", "opens_before", "closes_after"],
  "additionalProperties": false
}"#;

const ENTRY: &str = "urn:bandpass:ticket:1";
/// A day, the longest that both settings can be.
const LONGEST: u32 = 86_400;
/// Bytes: a cap's name has 100 at most.
const LONGEST_ID: usize = 80;

impl Policy for CinemaTicket {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: SETTINGS_SCHEMA.into(),
            capabilities: vec![Capability::Ledger],
        }
    }

    fn configure(settings: String) -> Result<(), String> {
        let settings: Settings = parsed(&settings)?;
        if settings.cinema.is_empty()
            || settings.opens_before > LONGEST
            || !(1..=LONGEST).contains(&settings.closes_after)
        {
            return Err("`cinema` is not empty, and both times are within a day".into());
        }
        SETTINGS.with(|held| held.set(settings)).map_err(|_| "configured twice".into())
    }

    fn ask(request: Request) -> Result<Query, String> {
        let (format, meta) = ("dc+sd-jwt", json!({"vct_values": ["urn:bandpass:band:1"]}));
        let band = match parsed::<Context>(&request.context)?.rating {
            None => json!({"id": "band", "format": format, "meta": meta}),
            // Better no birthdate, if the wallet can say it without.
            Some(age) => json!({"id": "band", "format": format, "meta": meta,
                "claims": [{"id": "age", "path": ["age_equal_or_over", age.to_string()]},
                    {"id": "born", "path": ["birthdate"]}],
                "claim_sets": [["age"], ["born"]]}),
        };
        let ticket =
            json!({"id": "ticket", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:bandpass:cinema-ticket:1"]}});
        let dcql = json!({"credentials": [band, ticket]}).to_string();
        Ok(Query { dcql, transaction_types: vec![ENTRY.into()], requirements: worn() })
    }

    fn evaluate(submission: &Submission, request: Request) -> Result<Decision, String> {
        SETTINGS.with(|settings| decide(submission, request.now, settings.get().ok_or("not configured")?))
    }
}

fn decide(submission: &Submission, now: u64, settings: &Settings) -> Result<Decision, String> {
    let same_band = Requirements { same_holder_as: Some("band".into()), ..by_profile() };
    let ticket = match submission.verify("ticket", &same_band) {
        Ok(verified) if verified.issuer() == settings.cinema => parsed::<Ticket>(&verified.claims()),
        Ok(_) => return Ok(deny("ticket.issuer", "the ticket is another cinema's")),
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let Some(ticket) = ticket.ok().filter(|ticket| (1..=LONGEST_ID).contains(&ticket.ticket_id.len())) else {
        return Ok(deny("ticket.malformed", "the ticket does not say what it is for"));
    };
    let band = match submission.verify("band", &Requirements { age_at_least: ticket.rating, ..worn() }) {
        Ok(verified) => verified,
        Err(failure) => return Ok(Decision::Deny(failure.into())),
    };
    let mut entries = band.transactions().into_iter().filter(|transaction| transaction.type_id == ENTRY);
    let (Some(entry), None) = (entries.next(), entries.next()) else {
        return Ok(deny("ticket.count", "the challenge must ask for exactly one entry"));
    };
    let shown: Showing = parsed(&entry.payload)?;
    if shown.event_id != ticket.event_id || shown.starts_at.is_some_and(|at| at != ticket.starts_at) {
        return Ok(deny("ticket.event", "the ticket is for another showing"));
    }
    if shown.seat.is_some_and(|seat| seat != ticket.seat) {
        return Ok(deny("ticket.seat", "the ticket is for another seat"));
    }
    if now < ticket.starts_at.saturating_sub(settings.opens_before.into()) {
        return Ok(deny("ticket.early", "the doors are not open yet"));
    }
    if now >= ticket.starts_at.saturating_add(settings.closes_after.into()) {
        return Ok(deny("ticket.late", "the showing began too long ago"));
    }
    // Longer than anybody gets in with the ticket: it can't be used again before its use is forgotten.
    let window = settings.opens_before + settings.closes_after;
    let once = ledger::Quantity::Count(1);
    match ledger::reserve(ledger::Scope::Merchant, &format!("ticket {}", ticket.ticket_id), &once, &once, window) {
        Ok(_) => {}
        Err(refusal) if refusal.code == "ledger.exceeded" => {
            return Ok(deny("ticket.used", "somebody got in with this ticket already"));
        }
        Err(refusal) => return Ok(deny(&refusal.code, "whether the ticket was used can't be told")),
    }
    let seat = Obligation { name: "show-seat".into(), parameters: json!({"seat": ticket.seat}).to_string() };
    Ok(Decision::Allow(Allowance { verified: band, reason: "ticket.valid".into(), obligations: vec![seat] }))
}

fn deny(reason: &str, message: &str) -> Decision {
    Decision::Deny(Denial { reason: reason.into(), message: message.into() })
}

/// The band on the wrist of whoever unlocked it.
fn worn() -> Requirements {
    Requirements { worn: Demand::Required, unlocked: Demand::Required, ..by_profile() }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
