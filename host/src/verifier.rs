//! The verifier component, in a store of its own.

use std::sync::Arc;

use serde_json::{Map, Value};
use wasmtime::component::{Linker, ResourceAny};
use wasmtime::{PoolConcurrencyLimitError, Store};

use crate::bindings::sdk::exports::bandpass::sdk::setup::{Challenge, Check, StatusListInfo};
use crate::bindings::sdk::exports::bandpass::sdk::verification::{
    ClaimPath, CounterState, Evidence, Failure, Requirements, StatusState, Transaction,
};
use crate::bindings::sdk::{Sdk, SdkPre};
use crate::error::{Code, Error};
use crate::limits::{Limits, Time, VERIFIER_MEMORY, VERIFIER_TIME, limited_store};
use crate::runtime::Runtime;
use crate::status_lists::{StatusListToken, StatusLists};
use crate::submission::Submission;

/// A verifier that trusts a list of issuers. It belongs to one thread, which finishes one submission before the next.
pub struct Verifier {
    pre: SdkPre<Limits>,
    trust: Arc<[u8]>,
    status_lists: StatusLists,
    /// As [`Verifier::remember`] was told.
    remembered: Option<u32>,
    /// None while a policy has it, and after a trap, which poisons an instance for good.
    pub(crate) instance: Option<Instance>,
}

/// What a verification proved, as data.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// `iss` of the credential.
    pub issuer: String,
    /// `vct` of the credential.
    pub credential_type: Option<String>,
    /// `sub`, if it was disclosed.
    pub subject: Option<String>,
    /// The disclosed claims.
    pub claims: Map<String, Value>,
    /// Transactions that the holder agreed to.
    pub transactions: Vec<Transaction>,
    /// What the proof says of the moment.
    pub evidence: Option<Evidence>,
    /// RFC 7638 thumbprint of the holder's key.
    pub key_thumbprint: Option<String>,
    /// `exp` of the credential.
    pub expires: Option<u64>,
    /// Whether the credential's status was looked up.
    pub status: StatusState,
}

impl Verifier {
    /// A verifier with a trust list (JSON).
    ///
    /// # Errors
    /// `trust.malformed`, or `host.runtime` if the component can't be compiled here.
    pub fn open(runtime: &Runtime, trust: Vec<u8>) -> Result<Self, Error> {
        let component = runtime.verifier()?;
        let pre = Linker::new(runtime.engine()).instantiate_pre(&component).and_then(SdkPre::new);
        let pre = pre.map_err(|error| Error::host(Code::HostRuntime, error))?;
        let (trust, status_lists) = (trust.into(), StatusLists::default());
        let mut verifier = Self { pre, trust, status_lists, remembered: None, instance: None };
        verifier.instance()?;
        Ok(verifier)
    }

    /// How many bytes of credentials to remember, 262,144 unless it is told: the signature of one that comes again is not
    /// verified again, and a key that verified three times takes half the time. No verdict depends on it. Zero: none.
    ///
    /// # Errors
    /// `verifier.trap`.
    pub fn remember(&mut self, bytes: u32) -> Result<(), Error> {
        self.remembered = Some(bytes);
        self.instance()?.remember(bytes).map_err(|error| trapped(&error))
    }

    /// Takes in a status list token, a compact JWT or a CWT. `now`: seconds since 1970.
    ///
    /// # Errors
    /// The verifier's refusal (`status.*`), after which what was held is held on, or `verifier.trap`.
    pub fn update_status(&mut self, token: Vec<u8>, now: u64) -> Result<StatusListInfo, Error> {
        let info = self.take_in(&token, now)?;
        self.status_lists.add(StatusListToken::new(&info, token.into(), now));
        Ok(info)
    }

    /// Takes in what another verifier with the same trust list took in.
    pub(crate) fn hold(&mut self, list: &StatusListToken) -> Result<(), Error> {
        self.take_in(&list.token, list.taken_in)?;
        self.status_lists.add(list.clone());
        Ok(())
    }

    fn take_in(&mut self, token: &[u8], now: u64) -> Result<StatusListInfo, Error> {
        match self.instance()?.update_status(token, now) {
            Ok(info) => info.map_err(Error::Refused),
            Err(error) => {
                self.instance = None;
                Err(trapped(&error))
            }
        }
    }

    /// A verifier with another trust list and those status lists that are to be kept, as far as they hold under it: each as
    /// though it had come then, so that none has to be fetched again.
    pub(crate) fn renewed(&self, trust: Arc<[u8]>, keep: impl Fn(&StatusListToken) -> bool) -> Result<Self, Error> {
        let pre = self.pre.clone();
        let (status_lists, remembered) = (StatusLists::default(), self.remembered);
        let mut verifier = Self { pre, trust, status_lists, remembered, instance: None };
        verifier.instance()?;
        for list in self.status_lists.iter().filter(|list| keep(list)) {
            match verifier.update_status(list.token.to_vec(), list.taken_in) {
                Err(refusal @ Error::Refused(_)) => tracing::info!("a status list is given up: {refusal}"),
                taken_in => drop(taken_in?),
            }
        }
        Ok(verifier)
    }

    pub(crate) fn trust(&self) -> &Arc<[u8]> {
        &self.trust
    }

    pub(crate) fn status_lists(&self) -> &StatusLists {
        &self.status_lists
    }

    /// Takes in what a wallet sent for a challenge: a bare presentation or an OpenID4VP `vp_token`. What is wrong with it is
    /// told when it is verified.
    ///
    /// # Errors
    /// `verifier.trap`, or `host.overloaded` if there is no room for another verifier after that.
    pub fn submit(&mut self, vp_token: &[u8], challenge: &Challenge) -> Result<Submission<'_>, Error> {
        match self.instance()?.submit(vp_token, challenge) {
            Ok(handle) => Ok(Submission::new(self, handle)),
            Err(error) => {
                self.instance = None;
                Err(trapped(&error))
            }
        }
    }

    /// Verifies the presentation that answers `query_id`, the empty one for a bare presentation.
    ///
    /// # Errors
    /// The verifier's refusal, or `verifier.trap`.
    pub fn verify(
        &mut self,
        vp_token: &[u8],
        challenge: &Challenge,
        query_id: &str,
        requirements: &Requirements,
    ) -> Result<Accepted, Error> {
        self.submit(vp_token, challenge)?.verify(query_id, requirements)
    }

    /// What came of every check of [`Verifier::verify`], in the order of the checks: for people and tools, never for
    /// authorising.
    ///
    /// # Errors
    /// `verifier.trap`.
    pub fn explain(
        &mut self,
        vp_token: &[u8],
        challenge: &Challenge,
        query_id: &str,
        requirements: &Requirements,
    ) -> Result<Vec<Check>, Error> {
        self.submit(vp_token, challenge)?.explain(query_id, requirements)
    }

    /// Bytes of linear memory that the verifier takes. Status lists stay in it, a submission leaves nothing.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.instance.as_ref().map_or(0, |instance| VERIFIER_MEMORY.saturating_sub(instance.store.data().memory_left()))
    }

    /// Handles that are alive in the verifier: none, unless a [`Submission`] was forgotten.
    #[must_use]
    pub fn handles(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::held)
    }

    /// The instance, a fresh one if the last one trapped.
    pub(crate) fn instance(&mut self) -> Result<&mut Instance, Error> {
        if self.instance.is_none() {
            let mut instance = Instance::new(&self.pre, &self.trust)?;
            if let Some(bytes) = self.remembered {
                instance.remember(bytes).map_err(|error| trapped(&error))?;
            }
            for list in self.status_lists.iter() {
                // What was taken in once can only have gone stale since, which verifying finds out.
                let _ = instance.update_status(&list.token, list.taken_in).map_err(|error| trapped(&error))?;
            }
            self.instance = Some(instance);
        }
        self.instance.as_mut().ok_or_else(|| Error::host(Code::VerifierTrap, "no verifier"))
    }
}

impl Challenge {
    /// A challenge without transaction data, with the verifier's own limits on age and clocks. `now`: seconds since 1970.
    #[must_use]
    pub fn new(audience: String, nonce: String, now: u64) -> Self {
        Self {
            binding: None,
            measured_distance_mm: None,
            audience: vec![audience],
            nonce,
            now,
            max_age: bandpass_core::Challenge::DEFAULT_MAX_AGE,
            clock_tolerance: bandpass_core::Challenge::DEFAULT_CLOCK_TOLERANCE,
            status_max_age: bandpass_core::Challenge::DEFAULT_STATUS_MAX_AGE,
            dcql: None,
            transaction_data: Vec::new(),
        }
    }
}

pub(crate) fn trapped(error: &wasmtime::Error) -> Error {
    Error::host(Code::VerifierTrap, format!("the verifier stopped: {}", error.root_cause()))
}

/// An instance of the verifier with its trust list. An `Err` of a method is a trap: the instance is of no more use.
pub(crate) struct Instance {
    store: Store<Limits>,
    sdk: Sdk,
    verifier: ResourceAny,
    /// Handles of the submission under evaluation, which have to be given back.
    held: Vec<ResourceAny>,
}

impl Instance {
    fn new(pre: &SdkPre<Limits>, trust: &[u8]) -> Result<Self, Error> {
        let limits = Limits::new(VERIFIER_MEMORY, VERIFIER_TIME);
        let mut store = limited_store(pre.engine(), limits, |limits| limits);
        let sdk = pre.instantiate(&mut store).map_err(|error| match error.is::<PoolConcurrencyLimitError>() {
            true => Error::overloaded(),
            false => trapped(&error),
        })?;
        let opened = sdk.bandpass_sdk_setup().verifier().call_open(&mut store, trust);
        let verifier = opened.map_err(|error| trapped(&error))?.map_err(Error::Refused)?;
        Ok(Self { store, sdk, verifier, held: Vec::new() })
    }

    /// Every call starts with its full time.
    fn rearm(&mut self) {
        self.store.data_mut().begin(Time::default());
        self.store.set_epoch_deadline(1);
    }

    fn remember(&mut self, bytes: u32) -> wasmtime::Result<()> {
        self.rearm();
        self.sdk.bandpass_sdk_setup().verifier().call_remember(&mut self.store, self.verifier, bytes)
    }

    fn update_status(&mut self, token: &[u8], now: u64) -> wasmtime::Result<Result<StatusListInfo, Failure>> {
        self.rearm();
        let verifier = self.sdk.bandpass_sdk_setup().verifier();
        verifier.call_update_status(&mut self.store, self.verifier, token, now)
    }

    fn submit(&mut self, vp_token: &[u8], challenge: &Challenge) -> wasmtime::Result<ResourceAny> {
        // Nothing is held, unless a submission was forgotten.
        self.release(0)?;
        self.rearm();
        let verifier = self.sdk.bandpass_sdk_setup().verifier();
        let submission = verifier.call_submit(&mut self.store, self.verifier, vp_token, challenge)?;
        self.held.push(submission);
        Ok(submission)
    }

    pub(crate) fn verify(
        &mut self,
        submission: ResourceAny,
        query_id: &str,
        requirements: &Requirements,
    ) -> wasmtime::Result<Result<ResourceAny, Failure>> {
        self.rearm();
        let resource = self.sdk.bandpass_sdk_verification().submission();
        let verified = resource.call_verify(&mut self.store, submission, query_id, requirements)?;
        self.held.extend(verified.as_ref().ok());
        Ok(verified)
    }

    pub(crate) fn verify_all(
        &mut self,
        submission: ResourceAny,
        query_id: &str,
        requirements: &Requirements,
    ) -> wasmtime::Result<Result<Vec<ResourceAny>, Failure>> {
        self.rearm();
        let resource = self.sdk.bandpass_sdk_verification().submission();
        let verified = resource.call_verify_all(&mut self.store, submission, query_id, requirements)?;
        self.held.extend(verified.iter().flatten());
        Ok(verified)
    }

    pub(crate) fn explain(
        &mut self,
        submission: ResourceAny,
        query_id: &str,
        requirements: &Requirements,
    ) -> wasmtime::Result<Vec<Check>> {
        self.rearm();
        self.sdk.bandpass_sdk_setup().call_explain(&mut self.store, submission, query_id, requirements)
    }

    pub(crate) fn satisfies(&mut self, verified: ResourceAny, dcql: &str) -> wasmtime::Result<Result<(), Failure>> {
        self.rearm();
        self.sdk.bandpass_sdk_verification().verified().call_satisfies(&mut self.store, verified, dcql)
    }

    pub(crate) fn belongs(&mut self, submission: ResourceAny, verified: ResourceAny) -> wasmtime::Result<bool> {
        self.rearm();
        self.sdk.bandpass_sdk_setup().call_belongs(&mut self.store, submission, verified)
    }

    /// Handles that are held for the submission under evaluation.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Gives back handles until so many are held. They would add up otherwise, whatever became of the policy's store.
    pub(crate) fn release(&mut self, held: usize) -> wasmtime::Result<()> {
        self.rearm();
        // What came out of a submission goes before it.
        while self.held.len() > held {
            if let Some(handle) = self.held.pop() {
                handle.resource_drop(&mut self.store)?;
            }
        }
        Ok(())
    }

    /// Everything that a proof says. `counters`: what becomes of the band's counter.
    pub(crate) fn accepted(&mut self, verified: ResourceAny, counters: CounterState) -> wasmtime::Result<Accepted> {
        Ok(Accepted {
            issuer: self.issuer(verified)?,
            credential_type: self.credential_type(verified)?,
            subject: self.subject(verified)?,
            claims: serde_json::from_str(&self.claims(verified)?).map_err(wasmtime::Error::new)?,
            transactions: self.transactions(verified)?,
            evidence: self.evidence(verified)?.map(|evidence| Evidence { counter_state: counters, ..evidence }),
            key_thumbprint: self.key_thumbprint(verified)?,
            expires: self.expires(verified)?,
            status: self.status(verified)?,
        })
    }

    pub(crate) fn claim(&mut self, verified: ResourceAny, path: &ClaimPath) -> wasmtime::Result<Option<String>> {
        self.rearm();
        self.sdk.bandpass_sdk_verification().verified().call_claim(&mut self.store, verified, path)
    }
}

/// Methods of `verified` that take nothing else.
macro_rules! read {
    ($($method:ident, $call:ident -> $result:ty;)+) => {
        impl Instance {
            $(pub(crate) fn $method(&mut self, verified: ResourceAny) -> wasmtime::Result<$result> {
                self.rearm();
                self.sdk.bandpass_sdk_verification().verified().$call(&mut self.store, verified)
            })+
        }
    };
}

read! {
    issuer, call_issuer -> String;
    credential_type, call_credential_type -> Option<String>;
    subject, call_subject -> Option<String>;
    claims, call_claims -> String;
    transactions, call_transactions -> Vec<Transaction>;
    evidence, call_evidence -> Option<Evidence>;
    key_thumbprint, call_key_thumbprint -> Option<String>;
    expires, call_expires -> Option<u64>;
    status, call_status -> StatusState;
}
