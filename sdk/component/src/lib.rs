//! The verifier as a Wasm component: WIT types to core types, nothing else.
//!
//! Without `std`, since its panic messages alone would be a fifth of the component. A panic traps.
#![no_std]
#![expect(unsafe_code, reason = "the exports that wit-bindgen makes")]

extern crate alloc;

mod bindings {
    #![expect(clippy::pedantic, reason = "generated from the WIT package")]
    wit_bindgen::generate!({ path: "../../wit", world: "sdk" });
}

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU64, Ordering};

use bandpass_core as core_sdk;
use bindings::exports::bandpass::sdk::setup::Verifier;
use bindings::exports::bandpass::sdk::setup::{
    Binding, Challenge, Check, DcApiBinding, Guest as Setup, GuestVerifier, Outcome, ProximityBinding, RedirectBinding,
    StatusListInfo,
};
use bindings::exports::bandpass::sdk::verification::{
    Approval, ClaimPath, CounterState, Demand, Evidence, Failure, Guest as Verification, GuestSubmission,
    GuestVerified, Money, PathSegment, Payee, Payment, Requirements, StatusState, Submission, SubmissionBorrow,
    Transaction, Verified, VerifiedBorrow,
};

#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Component;
bindings::export!(Component with_types_in bindings);

impl Verification for Component {
    type Submission = HeldSubmission;
    type Verified = HeldVerified;
}

impl Setup for Component {
    type Verifier = HeldVerifier;

    fn explain(submission: SubmissionBorrow<'_>, query_id: String, requirements: Requirements) -> Vec<Check> {
        let explanation = match &submission.get::<HeldSubmission>().checked {
            Ok(submission) => submission.explain(&query_id, &core_requirements(requirements)),
            Err(error) => core_sdk::Explanation::refused(error.clone()),
        };
        explanation.checks().iter().copied().map(check).collect()
    }

    fn belongs(submission: SubmissionBorrow<'_>, verified: VerifiedBorrow<'_>) -> bool {
        submission.get::<HeldSubmission>().number == verified.get::<HeldVerified>().submission
    }
}

struct HeldVerifier {
    verifier: RefCell<core_sdk::Verifier>,
    memory: RefCell<core_sdk::Memory>,
}

struct HeldSubmission {
    /// Never given twice in an instance.
    number: u64,
    checked: Result<core_sdk::Submission, core_sdk::Error>,
}

struct HeldVerified {
    submission: u64,
    verified: core_sdk::Verified,
}

static SUBMISSIONS: AtomicU64 = AtomicU64::new(0);

impl GuestVerifier for HeldVerifier {
    fn open(trust: Vec<u8>) -> Result<Verifier, Failure> {
        let trust = core_sdk::Trust::from_json(&trust).map_err(failure)?;
        let verifier = RefCell::new(core_sdk::Verifier::new(trust));
        let memory = RefCell::new(core_sdk::Memory::new(core_sdk::Memory::DEFAULT_BYTES));
        Ok(Verifier::new(Self { verifier, memory }))
    }

    fn remember(&self, bytes: u32) {
        *self.memory.borrow_mut() = core_sdk::Memory::new(usize::try_from(bytes).unwrap_or_default());
    }

    fn update_status(&self, status_list_token: Vec<u8>, now: u64) -> Result<StatusListInfo, Failure> {
        let info = self.verifier.borrow_mut().update_status(&status_list_token, now).map_err(failure)?;
        let core_sdk::StatusListInfo { uri, issued_at, expires, ttl, issuers } = info;
        Ok(StatusListInfo { uri, issued_at, expires, ttl, issuers })
    }

    fn submit(&self, vp_token: Vec<u8>, challenge: Challenge) -> Submission {
        let number = SUBMISSIONS.fetch_add(1, Ordering::Relaxed);
        let memory = &mut self.memory.borrow_mut();
        let submit = |challenge| self.verifier.borrow().submit_remembering(&vp_token, challenge, memory);
        let checked = core_challenge(challenge).map(submit);
        Submission::new(HeldSubmission { number, checked })
    }
}

impl GuestSubmission for HeldSubmission {
    fn verify(&self, query_id: String, requirements: Requirements) -> Result<Verified, Failure> {
        let verified = self.submission()?.verify(&query_id, &core_requirements(requirements)).map_err(failure)?;
        Ok(self.hold(verified))
    }

    fn verify_all(&self, query_id: String, requirements: Requirements) -> Result<Vec<Verified>, Failure> {
        let verified = self.submission()?.verify_all(&query_id, &core_requirements(requirements)).map_err(failure)?;
        Ok(verified.into_iter().map(|verified| self.hold(verified)).collect())
    }
}

impl HeldSubmission {
    fn submission(&self) -> Result<&core_sdk::Submission, Failure> {
        self.checked.as_ref().map_err(|error| failure(error.clone()))
    }

    fn hold(&self, verified: core_sdk::Verified) -> Verified {
        Verified::new(HeldVerified { submission: self.number, verified })
    }
}

impl GuestVerified for HeldVerified {
    fn issuer(&self) -> String {
        self.verified.issuer().into()
    }

    fn credential_type(&self) -> Option<String> {
        self.verified.credential_type().map(Into::into)
    }

    fn subject(&self) -> Option<String> {
        self.verified.subject().map(Into::into)
    }

    fn claims(&self) -> String {
        json(self.verified.claims())
    }

    fn claim(&self, path: ClaimPath) -> Option<String> {
        self.verified.claim(&core_path(path)).map(|claim| serde_json::to_string(&claim).unwrap_or_default())
    }

    fn satisfies(&self, dcql: String) -> Result<(), Failure> {
        let dcql = core_sdk::Dcql::from_json(dcql.as_bytes()).map_err(failure)?;
        self.verified.satisfies(&dcql).map_err(failure)
    }

    fn transactions(&self) -> Vec<Transaction> {
        self.verified.transactions().iter().map(transaction).collect()
    }

    fn evidence(&self) -> Option<Evidence> {
        self.verified.evidence().map(evidence)
    }

    fn key_thumbprint(&self) -> Option<String> {
        self.verified.key_thumbprint().map(Into::into)
    }

    fn expires(&self) -> Option<u64> {
        self.verified.expires()
    }

    fn status(&self) -> StatusState {
        match self.verified.status() {
            core_sdk::Status::NotReferenced => StatusState::NotReferenced,
            core_sdk::Status::NotChecked => StatusState::NotChecked,
            core_sdk::Status::Valid => StatusState::Valid,
        }
    }
}

fn core_challenge(challenge: Challenge) -> Result<core_sdk::Challenge, core_sdk::Error> {
    let built = match challenge.binding {
        None => core_sdk::Challenge::new(challenge.audience, challenge.nonce, challenge.now)?,
        Some(binding) if challenge.audience.is_empty() && challenge.nonce.is_empty() => {
            core_sdk::Challenge::bound(core_binding(binding), challenge.now)?
        }
        Some(_) => core_sdk::Challenge::new(Vec::new(), String::new(), challenge.now)?,
    };
    let built = match challenge.measured_distance_mm {
        Some(millimetres) => built.measured_distance(millimetres),
        None => built,
    };
    let built = built
        .max_age(challenge.max_age)
        .clock_tolerance(challenge.clock_tolerance)
        .max_status_age(challenge.status_max_age)
        .transaction_data(&challenge.transaction_data)?;
    Ok(match challenge.dcql {
        Some(dcql) => built.dcql(core_sdk::Dcql::from_json(dcql.as_bytes())?),
        None => built,
    })
}

fn core_binding(binding: Binding) -> core_sdk::Binding {
    match binding {
        Binding::Openid4vp(RedirectBinding { client_id, nonce, response_uri, jwk_thumbprint }) => {
            core_sdk::Binding::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint }
        }
        Binding::DcApi(DcApiBinding { origin, nonce, jwk_thumbprint }) => {
            core_sdk::Binding::DcApi { origin, nonce, jwk_thumbprint }
        }
        Binding::Proximity(ProximityBinding { session_transcript, reader_key }) => {
            core_sdk::Binding::Proximity { session_transcript, reader_key }
        }
    }
}

fn core_requirements(requirements: Requirements) -> core_sdk::Requirements {
    core_sdk::Requirements {
        holder: core_demand(requirements.holder),
        status: core_demand(requirements.status),
        approval: core_demand(requirements.approval),
        methods: requirements.methods,
        worn: core_demand(requirements.worn),
        unlocked: core_demand(requirements.unlocked),
        unlocked_within: requirements.unlocked_within,
        confirmed: core_demand(requirements.confirmed),
        distance_mm: requirements.distance_mm,
        claims: requirements.claims.into_iter().map(core_path).collect(),
        age_at_least: requirements.age_at_least,
        same_holder_as: requirements.same_holder_as,
    }
}

fn core_demand(demand: Demand) -> core_sdk::Demand {
    match demand {
        Demand::ByProfile => core_sdk::Demand::ByProfile,
        Demand::Required => core_sdk::Demand::Required,
        Demand::NotRequired => core_sdk::Demand::NotRequired,
    }
}

fn core_path(path: ClaimPath) -> core_sdk::ClaimPath {
    let segment = |segment| match segment {
        PathSegment::Key(key) => core_sdk::PathSegment::Key(key),
        PathSegment::Index(index) => core_sdk::PathSegment::Index(index),
        PathSegment::All => core_sdk::PathSegment::All,
    };
    core_sdk::ClaimPath::new(path.into_iter().map(segment).collect())
}

fn check((code, outcome): (core_sdk::Code, core_sdk::Outcome)) -> Check {
    Check {
        code: code.as_str().into(),
        section: code.section().into(),
        outcome: match outcome {
            core_sdk::Outcome::Passed => Outcome::Passed,
            core_sdk::Outcome::Failed => Outcome::Failed,
            core_sdk::Outcome::NotReached => Outcome::NotReached,
            core_sdk::Outcome::NotApplicable => Outcome::NotApplicable,
        },
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: core_sdk::Error) -> Failure {
    Failure {
        code: error.code().as_str().into(),
        message: error.message().into(),
        claim: error.claim_path().map(Into::into),
        expected: error.expected_value().map(Into::into),
        actual: error.actual_value().map(Into::into),
    }
}

fn transaction(transaction: &core_sdk::Transaction) -> Transaction {
    Transaction {
        type_id: transaction.type_id().into(),
        id: transaction.id().map(Into::into),
        payment: transaction.payment().map(|payment| Payment {
            sum: Money { amount: payment.amount.clone(), currency: payment.currency.clone() },
            payee: Payee { name: payment.payee_name.clone(), id: payment.payee_id.clone() },
        }),
        payload: json(transaction.payload()),
    }
}

fn evidence(evidence: &core_sdk::Evidence) -> Evidence {
    Evidence {
        signed_at: evidence.signed_at(),
        worn_since: evidence.worn_since(),
        unlocked_at: evidence.unlocked_at(),
        confirmed: evidence.confirmed(),
        distance_mm: evidence.distance_mm(),
        counter: evidence.counter(),
        counter_state: CounterState::Unchecked,
        approval: evidence
            .approval()
            .map(|approval| Approval { signed_at: approval.signed_at(), methods: approval.methods().to_vec() }),
        pairing_epoch: evidence.pairing_epoch(),
    }
}

fn json(object: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}
