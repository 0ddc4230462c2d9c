//! The host as a policy sees it: verifier, ledger and log.

use std::sync::Arc;

use wasmtime::component::{Resource, ResourceAny, ResourceTable};

use crate::bindings::policy::bandpass::sdk::{ledger as wit_ledger, log, verification};
use crate::bindings::policy::exports::bandpass::sdk::policy;
use crate::bindings::sdk::exports::bandpass::sdk::verification as sdk;
use crate::convert::{to_policy, to_sdk, to_sdk_path};
use crate::decision::{Decision, Proven};
use crate::error::{Code, Error, readable};
use crate::ledger::{Asked, Holder, Ledger, Refusal};
use crate::limits::{Limits, PLUGIN_MEMORY, PLUGIN_TIME};
use crate::submission::{Terms, stopped_earlier};
use crate::verifier::{Instance, trapped};

/// Proofs that a policy may ask for in one evaluation.
const MAX_HANDLES: usize = 64;
/// Handles that a policy may hold on to, those of earlier evaluations included.
const MAX_TABLE: usize = 1_000;
/// Reservations that a policy may make in one evaluation.
const MAX_RESERVATIONS: usize = 16;
/// Lines of one evaluation that reach the log, lines with which a policy goes too far, and characters of a line.
const MAX_LINES: usize = 100;
const FLOOD: usize = 1_000;
const MAX_CHARACTERS: usize = 500;
/// Longest reason or message of a decision, in bytes, and most obligations.
const MAX_TEXT: usize = 1_000;
const MAX_OBLIGATIONS: usize = 16;

/// What a policy's `borrow<submission>` stands for.
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct SubmissionHandle {
    evaluation: u64,
    handle: ResourceAny,
}

/// What a policy's `own<verified>` stands for.
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct VerifiedHandle {
    evaluation: u64,
    handle: ResourceAny,
}

/// What the store of a policy holds.
pub(crate) struct State {
    pub(crate) limits: Limits,
    table: ResourceTable,
    /// Name of the policy, for the log.
    name: Arc<str>,
    lines: usize,
    /// Counts up; handles of earlier evaluations are dead.
    number: u64,
    evaluation: Option<Evaluation>,
}

/// What is there while a policy evaluates.
pub(crate) struct Evaluation {
    /// None after it trapped.
    pub(crate) verifier: Option<Instance>,
    terms: Terms,
    ledger: Option<Box<dyn Ledger>>,
    /// What the policy had verified.
    proofs: Vec<ResourceAny>,
    reservations: usize,
    /// Why there can be no decision at all.
    pub(crate) failure: Option<Error>,
}

impl Evaluation {
    pub(crate) fn new(verifier: Instance, terms: Terms, ledger: Option<Box<dyn Ledger>>) -> Self {
        Self { verifier: Some(verifier), terms, ledger, proofs: Vec::new(), reservations: 0, failure: None }
    }

    /// Whether the policy had something verified.
    pub(crate) fn verified(&self) -> bool {
        !self.proofs.is_empty()
    }

    /// A call into the verifier. Once it traps it is gone, and the evaluation with it.
    fn ask<T>(&mut self, ask: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> Result<T, Error> {
        let verifier = self.verifier.as_mut().ok_or_else(stopped_earlier)?;
        ask(verifier).map_err(|error| {
            self.verifier = None;
            trapped(&error)
        })
    }

    /// Whose caps these are: the band's owner's, or whoever was verified first.
    fn holder(&mut self) -> Result<Option<Holder>, Error> {
        let mut proof = self.proofs.first().copied();
        for other in self.proofs.clone() {
            if self.ask(|verifier| verifier.evidence(other))?.is_some() {
                proof = Some(other);
                break;
            }
        }
        let Some(proof) = proof else { return Ok(None) };
        let holder = self.ask(|verifier| {
            Ok(Holder {
                issuer: verifier.issuer(proof)?,
                subject: verifier.subject(proof)?,
                key_thumbprint: verifier.key_thumbprint(proof)?,
            })
        })?;
        Ok(Some(holder))
    }
}

impl State {
    pub(crate) fn new(name: Arc<str>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_TABLE);
        let limits = Limits::new(PLUGIN_MEMORY, PLUGIN_TIME);
        Self { limits, table, name, lines: 0, number: 0, evaluation: None }
    }

    /// Begins an evaluation, and makes the handle that the policy borrows.
    pub(crate) fn begin(&mut self, evaluation: Evaluation) -> Result<Resource<SubmissionHandle>, Error> {
        self.number += 1;
        self.lines = 0;
        let handle = SubmissionHandle { evaluation: self.number, handle: evaluation.terms.handle };
        self.evaluation = Some(evaluation);
        self.table.push(handle).map_err(|error| Error::host(Code::PluginResult, error))
    }

    /// Ends it.
    pub(crate) fn end(&mut self, handle: Option<Resource<SubmissionHandle>>) -> Option<Evaluation> {
        // The policy borrowed the handle, so it is still there.
        let _ = handle.map(|handle| self.table.delete(handle));
        self.evaluation.take()
    }

    /// Text and obligations of a decision are a stranger's; and the rule of the host: no allow without a proof that the
    /// verifier made for this very submission.
    pub(crate) fn decide(&mut self, decision: policy::Decision) -> Result<Decision, Error> {
        match decision {
            policy::Decision::Allow(allowance) => self.allow(allowance),
            policy::Decision::Deny(policy::Denial { reason, message }) => {
                Ok(Decision::Deny { reason: text(reason)?, message: text(message)? })
            }
            policy::Decision::StepUp(policy::Step { reason, message, requirements }) => Ok(Decision::StepUp {
                reason: text(reason)?,
                message: text(message)?,
                requirements: Box::new(to_sdk(requirements)),
            }),
        }
    }

    fn allow(&mut self, allowance: policy::Allowance) -> Result<Decision, Error> {
        let policy::Allowance { verified, reason, obligations } = allowance;
        let proof = self.table.delete(verified).ok().filter(|proof| proof.evaluation == self.number);
        let too_many = obligations.len() > MAX_OBLIGATIONS;
        let malformed = obligations.iter().any(|obligation| {
            obligation.name.len() > MAX_TEXT
                || obligation.parameters.len() > MAX_TEXT
                || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&obligation.parameters).is_err()
        });
        if too_many || malformed {
            return Err(Error::host(Code::PluginResult, "the obligations are malformed, or there are too many"));
        }
        let proof = proof.ok_or_else(foreign_handle)?.handle;
        let evaluation = self.evaluation.as_mut().ok_or_else(foreign_handle)?;
        let submission = evaluation.terms.handle;
        let proven = evaluation.ask(|verifier| match verifier.belongs(submission, proof)? {
            true => {
                let (issuer, key) = (verifier.issuer(proof)?, verifier.key_thumbprint(proof)?);
                Ok(Some(Proven::after_belongs(issuer, key, verifier.status(proof)?)))
            }
            false => Ok(None),
        })?;
        Ok(Decision::Allow { proven: proven.ok_or_else(foreign_handle)?, reason: text(reason)?, obligations })
    }

    /// A call into the verifier on behalf of the policy, which it is not charged for.
    fn ask<T>(&mut self, ask: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let evaluation = self.evaluation.as_mut().ok_or_else(foreign_handle)?;
        self.limits.charge();
        let answer = evaluation.ask(ask);
        let spent = self.limits.excuse();
        if self.limits.overserved(spent) {
            return Err(Error::host(Code::PluginTimeout, "the plugin had the verifier work for too long").into());
        }
        Ok(answer?)
    }

    /// The verifier's handle behind a proof, if it is one of this evaluation.
    fn proof(&self, handle: &Resource<VerifiedHandle>) -> wasmtime::Result<ResourceAny> {
        let held = self.table.get(handle)?;
        if held.evaluation != self.number {
            return Err(foreign_handle().into());
        }
        Ok(held.handle)
    }

    fn read<T>(
        &mut self,
        handle: &Resource<VerifiedHandle>,
        read: impl FnOnce(&mut Instance, ResourceAny) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let handle = self.proof(handle)?;
        self.ask(|verifier| read(verifier, handle))
    }

    /// Has the verifier check a submission of this evaluation, and hands its proofs on.
    fn check(
        &mut self,
        submission: &Resource<SubmissionHandle>,
        requirements: verification::Requirements,
        check: impl FnOnce(
            &mut Instance,
            ResourceAny,
            &sdk::Requirements,
        ) -> wasmtime::Result<Result<Vec<ResourceAny>, sdk::Failure>>,
    ) -> wasmtime::Result<Result<Vec<Resource<VerifiedHandle>>, verification::Failure>> {
        let &SubmissionHandle { evaluation: number, handle } = self.table.get(submission)?;
        let evaluation = self.evaluation.as_ref().filter(|_| number == self.number).ok_or_else(foreign_handle)?;
        if evaluation.proofs.len() >= MAX_HANDLES {
            return Err(Error::host(Code::PluginResult, "the plugin verified too often").into());
        }
        let requirements = evaluation.terms.require(&to_sdk(requirements))?;
        match self.ask(|verifier| check(verifier, handle, &requirements))? {
            Err(failure) => Ok(Err(to_policy(failure))),
            Ok(handles) => {
                if let Some(evaluation) = &mut self.evaluation {
                    evaluation.proofs.extend(&handles);
                }
                let mut held = Vec::new();
                for handle in handles {
                    held.push(self.table.push(VerifiedHandle { evaluation: number, handle })?);
                }
                Ok(Ok(held))
            }
        }
    }

    /// Takes from a cap of whoever was verified. A failure of the ledger is no refusal: there can be no decision then.
    fn reserve(
        &mut self,
        scope: wit_ledger::Scope,
        name: &str,
        asked: &Asked,
        window: u32,
    ) -> wasmtime::Result<Result<wit_ledger::Reservation, Refusal>> {
        let refused = |code| Ok(Err(Refusal::new(code)));
        let Some(evaluation) = &mut self.evaluation else { return refused(Code::LedgerUnverified) };
        evaluation.reservations += 1;
        if evaluation.reservations > MAX_RESERVATIONS {
            return Err(Error::host(Code::PluginResult, "the plugin made too many reservations").into());
        }
        let Some(holder) = evaluation.holder()? else { return refused(Code::LedgerUnverified) };
        let known = match scope {
            wit_ledger::Scope::Band => holder.key_thumbprint.is_some(),
            wit_ledger::Scope::Account => holder.subject.is_some(),
            wit_ledger::Scope::Merchant => true,
        };
        if !known {
            return refused(Code::LedgerScope);
        }
        let Some(ledger) = &mut evaluation.ledger else { return refused(Code::LedgerUnavailable) };
        match ledger.reserve(&holder, scope, name, &asked.quantity, &asked.cap, window) {
            Ok(reserved) => Ok(reserved.map(Into::into)),
            Err(error) => {
                evaluation.failure = Some(error.clone());
                Err(error.into())
            }
        }
    }
}

/// Text of a decision, of bounded size.
fn text(text: String) -> Result<String, Error> {
    match text.len() {
        0..=MAX_TEXT => Ok(text),
        _ => Err(Error::host(Code::PluginResult, "a text of the decision is too long")),
    }
}

fn foreign_handle() -> Error {
    Error::host(Code::PluginForeignHandle, "the plugin came with a proof of another submission")
}

impl verification::Host for State {}

impl verification::HostSubmission for State {
    fn verify(
        &mut self,
        submission: Resource<SubmissionHandle>,
        query_id: String,
        requirements: verification::Requirements,
    ) -> wasmtime::Result<Result<Resource<VerifiedHandle>, verification::Failure>> {
        let verified = self.check(&submission, requirements, |verifier, submission, requirements| {
            let verified = verifier.verify(submission, &query_id, requirements)?;
            Ok(verified.map(|verified| vec![verified]))
        })?;
        // One handle came, so one is there.
        Ok(match verified.map(|mut verified| verified.pop()) {
            Ok(Some(verified)) => Ok(verified),
            Ok(None) => return Err(foreign_handle().into()),
            Err(failure) => Err(failure),
        })
    }

    fn verify_all(
        &mut self,
        submission: Resource<SubmissionHandle>,
        query_id: String,
        requirements: verification::Requirements,
    ) -> wasmtime::Result<Result<Vec<Resource<VerifiedHandle>>, verification::Failure>> {
        self.check(&submission, requirements, |verifier, submission, requirements| {
            verifier.verify_all(submission, &query_id, requirements)
        })
    }

    fn drop(&mut self, submission: Resource<SubmissionHandle>) -> wasmtime::Result<()> {
        self.table.delete(submission)?;
        Ok(())
    }
}

impl verification::HostVerified for State {
    fn issuer(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<String> {
        self.read(&this, Instance::issuer)
    }

    fn credential_type(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Option<String>> {
        self.read(&this, Instance::credential_type)
    }

    fn subject(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Option<String>> {
        self.read(&this, Instance::subject)
    }

    fn claims(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<String> {
        self.read(&this, Instance::claims)
    }

    fn claim(
        &mut self,
        this: Resource<VerifiedHandle>,
        path: verification::ClaimPath,
    ) -> wasmtime::Result<Option<String>> {
        self.read(&this, |verifier, handle| verifier.claim(handle, &to_sdk_path(path)))
    }

    fn satisfies(
        &mut self,
        this: Resource<VerifiedHandle>,
        dcql: String,
    ) -> wasmtime::Result<Result<(), verification::Failure>> {
        Ok(self.read(&this, |verifier, handle| verifier.satisfies(handle, &dcql))?.map_err(to_policy))
    }

    fn transactions(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Vec<verification::Transaction>> {
        Ok(self.read(&this, Instance::transactions)?.into_iter().map(to_policy).collect())
    }

    fn evidence(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Option<verification::Evidence>> {
        let evidence = self.read(&this, Instance::evidence)?;
        let counters = self.evaluation.as_ref().map(|evaluation| evaluation.terms.counters);
        Ok(evidence.map(|evidence| {
            to_policy(sdk::Evidence { counter_state: counters.unwrap_or(evidence.counter_state), ..evidence })
        }))
    }

    fn key_thumbprint(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Option<String>> {
        self.read(&this, Instance::key_thumbprint)
    }

    fn expires(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<Option<u64>> {
        self.read(&this, Instance::expires)
    }

    fn status(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<verification::StatusState> {
        Ok(to_policy(self.read(&this, Instance::status)?))
    }

    fn drop(&mut self, this: Resource<VerifiedHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit_ledger::Host for State {
    fn reserve(
        &mut self,
        scope: wit_ledger::Scope,
        name: String,
        quantity: wit_ledger::Quantity,
        cap: wit_ledger::Quantity,
        window: u32,
    ) -> wasmtime::Result<Result<wit_ledger::Reservation, wit_ledger::Refusal>> {
        let reserved = match Asked::new(&name, quantity, cap, window) {
            Ok(asked) => {
                self.limits.charge();
                let reserved = self.reserve(scope, &name, &asked, window);
                self.limits.excuse();
                reserved?
            }
            Err(refusal) => Err(refusal),
        };
        Ok(reserved.map_err(Into::into))
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.lines += 1;
        if self.lines > FLOOD {
            return Err(Error::host(Code::PluginLog, "the plugin flooded the log").into());
        }
        if self.lines > MAX_LINES {
            return Ok(());
        }
        let (plugin, line) = (&*self.name, readable(&message.chars().take(MAX_CHARACTERS).collect::<String>()));
        match level {
            log::Level::Debug => tracing::debug!(target: "bandpass::plugin", plugin, "{line}"),
            log::Level::Info => tracing::info!(target: "bandpass::plugin", plugin, "{line}"),
            log::Level::Warn => tracing::warn!(target: "bandpass::plugin", plugin, "{line}"),
        }
        Ok(())
    }
}
