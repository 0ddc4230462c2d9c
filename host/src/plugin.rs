//! Merchants' policies: untrusted components, each in a store of its own.

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceAny, ResourceTable};

use crate::bindings::policy::bandpass::sdk::{log, verification};
use crate::bindings::policy::exports::bandpass::sdk::policy;
use crate::bindings::policy::{MerchantPolicy, MerchantPolicyPre};
use crate::bindings::sdk::exports::bandpass::sdk::setup::Challenge;
use crate::convert::{to_policy, to_sdk, to_sdk_path};
use crate::decision::{Decision, Outcome, Proven};
use crate::error::{Code, Error};
use crate::limits::{CALL_TICKS, Limits, PLUGIN_MEMORY, RESULT_BYTES};
use crate::runtime::Runtime;
use crate::verifier::{Instance, Verifier, trapped};

/// Interfaces that a policy may import here.
const OFFERED: &[&str] = &["bandpass:sdk/verification@0.1.0", "bandpass:sdk/log@0.1.0"];
/// Proofs that a policy may ask for in one evaluation.
const MAX_HANDLES: usize = 64;
/// Handles that a policy may hold on to, those of earlier evaluations included.
const MAX_TABLE: usize = 1_000;
/// Lines that a policy may log in one evaluation, and their length in characters.
const MAX_LOG: (usize, usize) = (100, 500);
/// Longest reason or message of a decision, in bytes, and most obligations.
const MAX_TEXT: usize = 1_000;
const MAX_OBLIGATIONS: usize = 16;

/// A merchant's policy, compiled and checked.
pub struct Plugin {
    pre: MerchantPolicyPre<State>,
}

impl Plugin {
    /// Compiles a policy and checks that it needs nothing that this host does not offer.
    ///
    /// # Errors
    /// `plugin.malformed` or `plugin.import`.
    pub fn load(runtime: &Runtime, wasm: &[u8]) -> Result<Self, Error> {
        let malformed =
            |error: wasmtime::Error| Error::host(Code::PluginMalformed, readable(&error.root_cause().to_string()));
        let component = runtime.compile(wasm).map_err(malformed)?;
        check_imports(runtime, &component)?;
        let linker = linker(runtime).map_err(|error| Error::host(Code::HostRuntime, error))?;
        let pre = linker.instantiate_pre(&component).and_then(MerchantPolicyPre::new).map_err(malformed)?;
        let plugin = Self { pre };
        match plugin.describe()?.capabilities.contains(&policy::Capability::Ledger) {
            false => Ok(plugin),
            true => Err(Error::host(Code::PluginImport, "the plugin needs a ledger, which this host does not offer")),
        }
    }

    /// What the policy says of itself.
    ///
    /// # Errors
    /// `plugin.*`, if it fails to.
    pub fn describe(&self) -> Result<policy::Description, Error> {
        let mut session = self.instantiate()?;
        session.call(|policy, store| policy.call_describe(store))
    }

    /// A fresh instance with the merchant's settings (JSON).
    ///
    /// # Errors
    /// `plugin.settings` if the policy refuses them, or another `plugin.*`.
    pub fn session(&self, settings: &str) -> Result<Session, Error> {
        let mut session = self.instantiate()?;
        let configured = session.call(|policy, store| policy.call_configure(store, settings))?;
        configured.map_err(|why| Error::host(Code::PluginSettings, readable(&why)))?;
        Ok(session)
    }

    /// Decides in a fresh instance. Whatever goes wrong denies, with the code of what went wrong.
    #[must_use]
    pub fn decide(
        &self,
        verifier: &mut Verifier,
        settings: &str,
        vp_token: &[u8],
        challenge: &Challenge,
        request: &policy::Request,
    ) -> Outcome {
        match self.session(settings) {
            Ok(mut session) => session.evaluate(verifier, vp_token, challenge, request),
            Err(error) => Outcome::denied(&error),
        }
    }

    fn instantiate(&self) -> Result<Session, Error> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_TABLE);
        let state = State {
            limits: Limits::new(PLUGIN_MEMORY),
            table,
            verifier: None,
            evaluation: 0,
            verified: false,
            logged: 0,
        };
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(RESULT_BYTES);
        store.set_epoch_deadline(CALL_TICKS);
        let policy = self.pre.instantiate(&mut store);
        let policy = policy.map_err(|error| Error::from_plugin_call(&error, &store.data().limits))?;
        Ok(Session { store, policy })
    }
}

fn check_imports(runtime: &Runtime, component: &Component) -> Result<(), Error> {
    let component_type = component.component_type();
    match component_type.imports(runtime.engine()).find(|(name, _)| !OFFERED.contains(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("the plugin imports `{}`, which this host does not offer", readable(name));
            Err(Error::host(Code::PluginImport, message))
        }
    }
}

fn linker(runtime: &Runtime) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(runtime.engine());
    verification::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// An instance of a policy with its settings. [`Plugin::decide`] makes one for each decision; one that is kept must be
/// expected to remember what it saw.
pub struct Session {
    store: Store<State>,
    policy: MerchantPolicy,
}

impl Session {
    /// What the policy wants the wallet to be asked for.
    ///
    /// # Errors
    /// `plugin.error` if it can't tell, or another `plugin.*`.
    pub fn ask(&mut self, request: &policy::Request) -> Result<policy::Query, Error> {
        let asked = self.call(|policy, store| policy.call_ask(store, request))?;
        asked.map_err(|why| Error::host(Code::PluginError, readable(&why)))
    }

    /// Decides on what a wallet sent for a challenge. Whatever goes wrong denies, with the code of what went wrong.
    #[must_use]
    pub fn evaluate(
        &mut self,
        verifier: &mut Verifier,
        vp_token: &[u8],
        challenge: &Challenge,
        request: &policy::Request,
    ) -> Outcome {
        self.store.data_mut().verified = false;
        let decision = verifier.instance().map(|_| ()).and_then(|()| {
            // The verifier stays with the policy's store for as long as the policy may call it.
            self.store.data_mut().verifier = verifier.instance.take();
            let decision = self.evaluate_with_verifier(vp_token, challenge, request);
            let mut instance = self.store.data_mut().verifier.take();
            if instance.as_mut().is_some_and(|instance| instance.release().is_err()) {
                instance = None;
            }
            verifier.instance = instance;
            decision
        });
        let decision = decision.unwrap_or_else(|error| Decision::deny(&error));
        Outcome { decision, verified: self.store.data().verified }
    }

    fn evaluate_with_verifier(
        &mut self,
        vp_token: &[u8],
        challenge: &Challenge,
        request: &policy::Request,
    ) -> Result<Decision, Error> {
        let state = self.store.data_mut();
        state.evaluation += 1;
        state.logged = 0;
        let submission = state.ask_verifier(|verifier| verifier.submit(vp_token, challenge));
        let submission = submission.map_err(|error| Error::from_plugin_call(&error, &state.limits))?;
        let handle = SubmissionHandle { evaluation: state.evaluation, handle: submission };
        let result = |error| Error::host(Code::PluginResult, error);
        let handle = state.table.push(handle).map_err(result)?;
        let borrowed = Resource::new_borrow(handle.rep());
        let decided = self.call(|policy, store| policy.call_evaluate(store, borrowed, request));
        let state = self.store.data_mut();
        state.table.delete(handle).map_err(result)?;
        match decided?.map_err(|why| Error::host(Code::PluginError, readable(&why)))? {
            policy::Decision::Allow(allowance) => state.allow(submission, allowance),
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

    /// Calls the policy with its full time.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&policy::Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        self.store.set_epoch_deadline(CALL_TICKS);
        call(self.policy.bandpass_sdk_policy(), &mut self.store)
            .map_err(|error| Error::from_plugin_call(&error, &self.store.data().limits))
    }
}

/// Text of a decision, of bounded size.
fn text(text: String) -> Result<String, Error> {
    match text.len() {
        0..=MAX_TEXT => Ok(text),
        _ => Err(Error::host(Code::PluginResult, "a text of the decision is too long")),
    }
}

/// Text by a plugin in a message: cut, and nothing in it that a terminal would act on.
fn readable(text: &str) -> String {
    text.chars()
        .take(MAX_TEXT)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

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
struct State {
    limits: Limits,
    table: ResourceTable,
    /// There while the policy evaluates.
    verifier: Option<Instance>,
    /// Counts up; handles of earlier evaluations are dead.
    evaluation: u64,
    verified: bool,
    logged: usize,
}

impl State {
    /// A call into the verifier. Once it traps it is gone, and the evaluation with it.
    fn ask_verifier<T>(&mut self, ask: impl FnOnce(&mut Instance) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let verifier = self.verifier.as_mut();
        let verifier = verifier.ok_or_else(|| Error::host(Code::VerifierTrap, "the verifier stopped earlier"))?;
        ask(verifier).map_err(|error| {
            self.verifier = None;
            trapped(&error).into()
        })
    }

    /// The verifier's handle behind a proof, if it is one of this evaluation.
    fn proof(&self, handle: &Resource<VerifiedHandle>) -> wasmtime::Result<ResourceAny> {
        let held = self.table.get(handle)?;
        if held.evaluation != self.evaluation {
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
        self.ask_verifier(|verifier| read(verifier, handle))
    }

    /// Has the verifier check a submission of this evaluation, and hands its proofs on.
    fn check(
        &mut self,
        submission: &Resource<SubmissionHandle>,
        check: impl FnOnce(&mut Instance, ResourceAny) -> wasmtime::Result<Result<Vec<ResourceAny>, sdk::Failure>>,
    ) -> wasmtime::Result<Result<Vec<Resource<VerifiedHandle>>, verification::Failure>> {
        let &SubmissionHandle { evaluation, handle } = self.table.get(submission)?;
        if evaluation != self.evaluation {
            return Err(foreign_handle().into());
        }
        let verified = self.ask_verifier(|verifier| {
            if verifier.held() > MAX_HANDLES {
                return Ok(None);
            }
            check(verifier, handle).map(Some)
        })?;
        match verified {
            None => Err(Error::host(Code::PluginResult, "the plugin verified too often").into()),
            Some(Err(failure)) => Ok(Err(to_policy(failure))),
            Some(Ok(handles)) => {
                self.verified = true;
                let mut held = Vec::new();
                for handle in handles {
                    held.push(self.table.push(VerifiedHandle { evaluation, handle })?);
                }
                Ok(Ok(held))
            }
        }
    }

    /// The rule of the host: no allow without a proof that the verifier made for this very submission.
    fn allow(&mut self, submission: ResourceAny, allowance: policy::Allowance) -> Result<Decision, Error> {
        let policy::Allowance { verified, reason, obligations } = allowance;
        let proof = self.table.delete(verified).ok().filter(|proof| proof.evaluation == self.evaluation);
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
        let accepted = self.ask_verifier(|verifier| match verifier.belongs(submission, proof)? {
            true => verifier.accepted(proof).map(Some),
            false => Ok(None),
        });
        let accepted = accepted.map_err(|error| Error::from_plugin_call(&error, &self.limits))?;
        let proven = Proven::after_belongs(accepted.ok_or_else(foreign_handle)?);
        Ok(Decision::Allow { proven: Box::new(proven), reason: text(reason)?, obligations })
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
        let verified = self.check(&submission, |verifier, submission| {
            let verified = verifier.verify(submission, &query_id, &to_sdk(requirements))?;
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
        self.check(&submission, |verifier, submission| {
            verifier.verify_all(submission, &query_id, &to_sdk(requirements))
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
        Ok(self.read(&this, Instance::evidence)?.map(to_policy))
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

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.logged += 1;
        let (lines, characters) = MAX_LOG;
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
        };
        if self.logged <= lines {
            eprintln!("plugin: {level}: {}", readable(&message.chars().take(characters).collect::<String>()));
        }
        Ok(())
    }
}
