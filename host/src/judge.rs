//! One answer to a challenge, judged on a worker's thread: verified once, then decided on by the merchant's policies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use serde_json::json;
use tracing::field::Empty;

use crate::bindings::policy::exports::bandpass::sdk::policy::{Obligation, Request};
use crate::bindings::sdk::exports::bandpass::sdk::setup::Challenge;
use crate::bindings::sdk::exports::bandpass::sdk::verification::{Demand, Money, Requirements};
use crate::decision::Decision;
use crate::error::{Code, Error};
use crate::ledger::{Holder, Ledger, Quantity, Refusal, Reservation, Scope};
use crate::meters::Meters;
use crate::plugin::Plugin;
use crate::runtime::digest;
use crate::state::{Cap, Held, Reserved, Take, keys_of, release, reserve};
use crate::store::{Keys, Store, Table};
use crate::submission::Submission;
use crate::verifier::{Accepted, Verifier};

/// Seconds for which a reservation is held for a decision. Evaluations end within seconds.
const HELD: u64 = 60;

/// What is to be judged.
pub(crate) struct Case {
    pub(crate) vp_token: Vec<u8>,
    pub(crate) challenge: Challenge,
    /// A policy that can't be had denies, after the token was verified.
    /// By name, with settings.
    pub(crate) policies: Vec<(String, Result<Arc<Plugin>, Error>, String)>,
    pub(crate) floor: Option<Requirements>,
    pub(crate) request: Request,
    pub(crate) store: Store,
    pub(crate) meters: Arc<Meters>,
    /// Whether this is the answer to a step-up, after which there is no other.
    pub(crate) stepped_up: bool,
}

/// What came of it.
pub(crate) enum Judged {
    /// The token does not verify: nobody was asked.
    Refused(Error),
    Decided {
        decision: Decision,
        /// What each presentation proves, by the id of its query.
        proven: Vec<(String, Accepted)>,
        /// What the policies reserved.
        reservations: Vec<Held>,
    },
}

/// What a DCQL query that was sent says of each credential, as far as it matters here.
#[derive(Deserialize)]
struct Dcql {
    credentials: Vec<CredentialQuery>,
}

#[derive(Deserialize)]
struct CredentialQuery {
    id: String,
    require_cryptographic_holder_binding: Option<bool>,
}

impl Case {
    /// # Errors
    /// What is no verdict: `host.store` if a cap could not be asked, `host.overloaded`, `host.runtime`.
    pub(crate) fn judge(&self, verifier: &mut Verifier) -> Result<Judged, Error> {
        let (mut submission, proven) = match self.verified(verifier) {
            Ok(verified) => verified,
            Err(error) if error.is_no_verdict() => return Err(error),
            Err(error) => return Ok(Judged::Refused(error)),
        };
        // The merchant's floor comes after: like a policy it decides, and what it refuses is used up all the same.
        if let Some(floor) = &self.floor {
            submission = submission.with_floor(floor.clone());
        }
        let reservations = Arc::new(Mutex::new(Vec::new()));
        let decision = self.decide(&mut submission, &reservations);
        let held = std::mem::take(&mut *reservations.lock().unwrap_or_else(PoisonError::into_inner));
        match decision {
            Ok(decision) => Ok(Judged::Decided { decision, proven, reservations: held }),
            Err(error) => {
                // They would lapse anyway; but somebody may want to try again before.
                let _ = release_now(&self.store, held, self.request.now);
                Err(error)
            }
        }
    }

    /// What was submitted, and what it proves.
    fn verified<'v>(&self, verifier: &'v mut Verifier) -> Result<(Submission<'v>, Vec<(String, Accepted)>), Error> {
        let _span = tracing::debug_span!("verify").entered();
        let begun = Instant::now();
        // This is where signatures are checked. A counter that did not grow undoes the decision, so that no policy has to ask.
        let submission = verifier.submit(&self.vp_token, &self.challenge).map(Submission::remembering_counters);
        let verified = submission.and_then(|mut submission| {
            let proven = self.verify(&mut submission)?;
            Ok((submission, proven))
        });
        self.meters.verified(begun.elapsed());
        verified
    }

    /// The standards' checks of everything that was asked for, with nothing waived that a policy could not waive.
    fn verify(&self, submission: &mut Submission<'_>) -> Result<Vec<(String, Accepted)>, Error> {
        let (mut proven, mut first_refusal) = (Vec::new(), None);
        for (query_id, requirements) in self.queries() {
            match submission.verify_all(&query_id, &requirements) {
                Ok(all) => proven.extend(all.into_iter().map(|accepted| (query_id.clone(), accepted))),
                Err(error) => {
                    // What is not there may be optional; then what is there says so.
                    let missing = error.code() == bandpass_core::Code::TokenMissing.as_str();
                    match &first_refusal {
                        Some((_, true)) | None => first_refusal = Some((error, missing)),
                        Some((_, false)) => {}
                    }
                }
            }
        }
        match (proven.is_empty(), first_refusal) {
            (false, _) => Ok(proven),
            (true, Some((refusal, _))) => Err(refusal),
            (true, None) => Err(Error::host(Code::ChallengeMalformed, "the challenge asks for nothing")),
        }
    }

    /// Ids of the queries that were sent, each with the least that any policy may require of it.
    fn queries(&self) -> Vec<(String, Requirements)> {
        let dcql = self.challenge.dcql.as_deref().map(serde_json::from_str::<Dcql>);
        let credentials = dcql.and_then(Result::ok).map(|dcql| dcql.credentials).unwrap_or_default();
        let query = |CredentialQuery { id, require_cryptographic_holder_binding: bound }| {
            let holder = match bound {
                Some(false) => Demand::NotRequired,
                _ => Demand::ByProfile,
            };
            (id, Requirements { holder, ..Requirements::none() })
        };
        credentials.into_iter().map(query).collect()
    }

    /// Deny beats step-up beats allow.
    fn decide(&self, submission: &mut Submission<'_>, reservations: &Arc<Mutex<Vec<Held>>>) -> Result<Decision, Error> {
        let mut so_far: Option<Decision> = None;
        for (name, plugin, settings) in &self.policies {
            let span = tracing::debug_span!("policy", plugin = name, decision = Empty, reason = Empty).entered();
            let begun = Instant::now();
            let ledger = CapsOfMerchant {
                store: self.store.clone(),
                merchant: self.request.merchant.clone(),
                now: self.request.now,
                reservations: reservations.clone(),
            };
            let decided = match plugin.as_ref().map_err(Clone::clone).and_then(|plugin| plugin.session(settings)) {
                Ok(mut session) => session.evaluate(submission, &self.request, Some(Box::new(ledger)))?.decision,
                Err(error) if error.is_no_verdict() => return Err(error),
                Err(error) => Decision::deny(&error),
            };
            span.record("decision", decided.word()).record("reason", decided.reason());
            self.meters.evaluated(name, decided.word(), decided.reason(), begun.elapsed());
            so_far = Some(match (so_far, decided) {
                (_, deny @ Decision::Deny { .. }) => return Ok(deny),
                (None, decided) => decided,
                (Some(before), decided) => both(before, decided).unwrap_or_else(|error| Decision::deny(&error)),
            });
        }
        Ok(match so_far {
            Some(Decision::StepUp { .. }) if self.stepped_up => {
                let why = "a policy asked for more after its step-up; start anew";
                Decision::deny(&Error::host(Code::StepUpRepeated, why))
            }
            Some(decision) => decision,
            None => Decision::deny(&Error::host(Code::MerchantUnknown, "the merchant has no policy")),
        })
    }
}

/// What two policies decided together, neither having denied.
fn both(before: Decision, decided: Decision) -> Result<Decision, Error> {
    Ok(match (before, decided) {
        (Decision::StepUp { reason, message, requirements }, Decision::StepUp { requirements: more, .. }) => {
            Decision::StepUp { reason, message, requirements: Box::new(requirements.and(&more)?) }
        }
        (step_up @ Decision::StepUp { .. }, _) | (_, step_up @ Decision::StepUp { .. }) => step_up,
        (Decision::Allow { proven, reason, mut obligations }, Decision::Allow { obligations: more, .. }) => {
            let is_new = |obligation: &Obligation| {
                !obligations
                    .iter()
                    .any(|there| (&there.name, &there.parameters) == (&obligation.name, &obligation.parameters))
            };
            let more = more.into_iter().filter(is_new).collect::<Vec<_>>();
            obligations.extend(more);
            Decision::Allow { proven, reason, obligations }
        }
        (deny, _) => deny,
    })
}

/// The caps of a merchant, as its policies reach them.
struct CapsOfMerchant {
    store: Store,
    merchant: String,
    now: u64,
    reservations: Arc<Mutex<Vec<Held>>>,
}

impl Ledger for CapsOfMerchant {
    fn reserve(
        &mut self,
        holder: &Holder,
        scope: Scope,
        name: &str,
        quantity: &Quantity,
        cap: &Quantity,
        window: u32,
    ) -> Result<Result<Reservation, Refusal>, Error> {
        let (Some((unit, quantity)), Some((_, limit))) = (amount(quantity), amount(cap)) else {
            return Ok(Err(Refusal::new(Code::LedgerMalformed)));
        };
        let holder = match scope {
            Scope::Band => json!(["band", holder.key_thumbprint]),
            Scope::Account => json!(["account", holder.issuer, holder.subject]),
            Scope::Merchant => json!(["merchant"]),
        };
        // Whose cap it is stays readable to nobody who reads the store.
        let id = digest(json!([self.merchant, holder, name, unit.name()]).to_string().as_bytes());
        let held = Held { cap: id.clone(), id: crate::host::random_id()? };
        let keys = Keys::at(self.now).row(Table::Cap, id.clone()).row(Table::Reservation, held.id.clone());
        let take = Take {
            id: held.id.clone(),
            cap: Cap { id, merchant: self.merchant.clone(), name: name.into(), taken: Decimal::ZERO, until: 0 },
            quantity,
            limit,
            window,
            now: self.now,
            lapses: self.now.saturating_add(HELD),
        };
        let reserved = self.store.transact_blocking(keys, |rows| reserve(rows, take))?;
        Ok(match reserved {
            Reserved::Taken { remaining } => {
                self.reservations.lock().unwrap_or_else(PoisonError::into_inner).push(held);
                Ok(Reservation { remaining: unit.quantity(remaining) })
            }
            Reserved::Exceeded { remaining } => {
                Err(Refusal { remaining: Some(unit.quantity(remaining)), ..Refusal::new(Code::LedgerExceeded) })
            }
        })
    }
}

/// What a cap counts in.
enum Unit {
    Currency(String),
    Uses,
}

impl Unit {
    fn name(&self) -> &str {
        match self {
            Self::Currency(code) => code,
            Self::Uses => "",
        }
    }

    fn quantity(&self, amount: Decimal) -> Quantity {
        match self {
            Self::Currency(code) => Quantity::Sum(Money { amount: amount.to_string(), currency: code.clone() }),
            Self::Uses => Quantity::Count(amount.to_u32().unwrap_or(u32::MAX)),
        }
    }
}

fn amount(quantity: &Quantity) -> Option<(Unit, Decimal)> {
    match quantity {
        Quantity::Sum(Money { amount, currency }) => {
            Some((Unit::Currency(currency.clone()), Decimal::from_str_exact(amount).ok()?))
        }
        Quantity::Count(count) => Some((Unit::Uses, Decimal::from(*count))),
    }
}

/// Gives back what was reserved for a decision that was not made.
fn release_now(store: &Store, held: Vec<Held>, now: u64) -> Result<(), Error> {
    store.transact_blocking(keys_of(Keys::at(now), &held), move |rows| release(rows, &held))
}
