//! Merchants' policies: untrusted components, each in a store of its own.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker, Resource};

use crate::bindings::policy::bandpass::sdk::{ledger as wit_ledger, log, verification};
use crate::bindings::policy::exports::bandpass::sdk::policy;
use crate::bindings::policy::{MerchantPolicy, MerchantPolicyPre};
use crate::bindings::sdk::exports::bandpass::sdk::setup::Challenge;
use crate::decision::{Decision, Outcome};
use crate::error::{Code, Error, readable};
use crate::guest::{Evaluation, State};
use crate::ledger::Ledger;
use crate::limits::{Time, limited_store};
use crate::runtime::Runtime;
use crate::settings;
use crate::submission::{Submission, stopped_earlier};
use crate::verifier::Verifier;

/// Interfaces that a policy may import here.
const OFFERED: &[&str] = &["bandpass:sdk/verification@0.1.0", "bandpass:sdk/ledger@0.1.0", "bandpass:sdk/log@0.1.0"];
/// Longest name and version of a policy, in bytes.
const MAX_NAME: usize = 100;

/// A merchant's policy, compiled and checked. Cheap to share: every decision gets an instance of its own.
pub struct Plugin {
    pre: MerchantPolicyPre<State>,
    description: policy::Description,
    name: Arc<str>,
}

impl Plugin {
    /// Compiles a policy, checks that it needs nothing that this host does not offer, and asks it what it is.
    ///
    /// # Errors
    /// `plugin.too-large`, `plugin.compile`, `plugin.malformed`, `plugin.import`; `host.overloaded`; or what `describe` ended
    /// with, such as `plugin.trap`.
    pub fn load(runtime: &Runtime, wasm: &[u8]) -> Result<Self, Error> {
        let component = runtime.plugin(wasm)?;
        check_imports(runtime, &component)?;
        let linker = linker(runtime).map_err(|error| Error::host(Code::HostRuntime, error))?;
        let pre = linker.instantiate_pre(&component).and_then(MerchantPolicyPre::new);
        let pre = pre.map_err(|error| Error::host(Code::PluginMalformed, readable(&error.root_cause().to_string())))?;
        let description = instantiate(&pre, "".into())?.call(|policy, store| policy.call_describe(store))?;
        for text in [&description.name, &description.version] {
            if text.is_empty() || text.len() > MAX_NAME || text.contains(char::is_control) {
                return Err(Error::host(Code::PluginResult, "the plugin has no proper name and version"));
            }
        }
        let name = description.name.as_str().into();
        Ok(Self { pre, description, name })
    }

    /// What the policy says of itself.
    #[must_use]
    pub fn description(&self) -> &policy::Description {
        &self.description
    }

    /// Whether it says that it can't work without an interface. One that only imports it may have settings without.
    #[must_use]
    pub fn needs(&self, capability: policy::Capability) -> bool {
        self.description.capabilities.contains(&capability)
    }

    /// Holds a merchant's settings (JSON) against the policy's schema, and has the policy check them.
    ///
    /// # Errors
    /// `plugin.settings` if either refuses them, `plugin.malformed` if the schema can't be used, or what `configure` ended
    /// with, such as `plugin.trap`.
    pub fn check_settings(&self, settings: &str) -> Result<(), Error> {
        settings::check(&self.description.settings_schema, settings)?;
        self.session(settings).map(|_| ())
    }

    /// A fresh instance with the merchant's settings (JSON).
    ///
    /// # Errors
    /// `plugin.settings` if the policy refuses them, `host.overloaded`, or another `plugin.*`.
    pub fn session(&self, settings: &str) -> Result<Session, Error> {
        let mut session = instantiate(&self.pre, Arc::clone(&self.name))?;
        let configured = session.call(|policy, store| policy.call_configure(store, settings))?;
        configured.map_err(|why| Error::host(Code::PluginSettings, readable(&why)))?;
        session.configured = session.store.data().limits.spent();
        Ok(session)
    }

    /// Decides alone, in a fresh instance and without a ledger. Whatever goes wrong denies, with the code of what went wrong.
    #[must_use]
    pub fn decide(
        &self,
        verifier: &mut Verifier,
        settings: &str,
        vp_token: &[u8],
        challenge: &Challenge,
        request: &policy::Request,
    ) -> Outcome {
        if self.needs(policy::Capability::Ledger) {
            let message = "the plugin needs a ledger, which is not there";
            return Outcome::denied(&Error::host(Code::PluginImport, message));
        }
        let decided = self.session(settings).and_then(|mut session| {
            let mut submission = verifier.submit(vp_token, challenge)?;
            session.evaluate(&mut submission, request, None)
        });
        decided.unwrap_or_else(|error| Outcome::denied(&error))
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
    wit_ledger::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn instantiate(pre: &MerchantPolicyPre<State>, name: Arc<str>) -> Result<Session, Error> {
    let mut store = limited_store(pre.engine(), State::new(name), |state| &mut state.limits);
    let policy = pre.instantiate(&mut store);
    let policy = policy.map_err(|error| Error::from_plugin_call(&error, &store.data().limits))?;
    Ok(Session { store, policy, configured: Time::default() })
}

/// An instance of a policy with its settings, for one decision. One that is kept must be expected to remember what it saw.
pub struct Session {
    store: Store<State>,
    policy: MerchantPolicy,
    /// What `configure` took, as far as it was counted.
    configured: Time,
}

impl Session {
    /// What the policy wants the wallet to be asked for.
    ///
    /// # Errors
    /// `plugin.error` if it can't tell, or another `plugin.*`.
    pub fn ask(&mut self, request: &policy::Request) -> Result<policy::Query, Error> {
        self.store.data_mut().limits.begin(self.configured);
        let asked = self.call(|policy, store| policy.call_ask(store, request))?;
        asked.map_err(|why| Error::host(Code::PluginError, readable(&why)))
    }

    /// Decides on what a wallet sent. Whatever the policy does wrong denies, with the code of what went wrong.
    ///
    /// # Errors
    /// What the ledger failed with: there is no decision then.
    pub fn evaluate(
        &mut self,
        submission: &mut Submission<'_>,
        request: &policy::Request,
        ledger: Option<Box<dyn Ledger>>,
    ) -> Result<Outcome, Error> {
        let Some((verifier, terms)) = submission.lend() else { return Ok(Outcome::denied(&stopped_earlier())) };
        let state = self.store.data_mut();
        state.limits.begin(self.configured);
        let handle = state.begin(Evaluation::new(verifier, terms, ledger));
        let (handle, decided) = match handle {
            Ok(handle) => {
                let borrowed = Resource::new_borrow(handle.rep());
                let decided = self.call(|policy, store| policy.call_evaluate(store, borrowed, request));
                (Some(handle), decided)
            }
            Err(error) => (None, Err(error)),
        };
        let state = self.store.data_mut();
        let decision = decided
            .and_then(|decided| decided.map_err(|why| Error::host(Code::PluginError, readable(&why))))
            .and_then(|decision| state.decide(decision))
            .unwrap_or_else(|error| Decision::deny(&error));
        let Some(evaluation) = state.end(handle) else { return Ok(Outcome::denied(&stopped_earlier())) };
        let verified = evaluation.verified();
        submission.take_back(evaluation.verifier);
        match evaluation.failure {
            Some(failure) => Err(failure),
            None => Ok(Outcome { decision, verified }),
        }
    }

    /// Calls the policy, which has what is left of its time.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&policy::Guest, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Error> {
        self.store.set_epoch_deadline(1);
        let called = call(self.policy.bandpass_sdk_policy(), &mut self.store);
        let limits = &mut self.store.data_mut().limits;
        limits.end();
        called.map_err(|error| Error::from_plugin_call(&error, limits))
    }
}
