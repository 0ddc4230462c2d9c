//! What a wallet sent, verified once for everybody who decides on it.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use crate::bindings::sdk::exports::bandpass::sdk::setup::Check;
use crate::bindings::sdk::exports::bandpass::sdk::verification::{CounterState, Failure, Requirements};
use crate::error::{Code, Error};
use crate::verifier::{Accepted, Instance, Verifier, trapped};

/// What a wallet sent for one challenge. A chain of plugins shares one: signatures are checked once, when it is made.
/// Dropped, it gives everything in the verifier back. A verifier that trapped is replaced for the next submission; this one
/// then fails with `verifier.trap`.
pub struct Submission<'a> {
    verifier: &'a mut Verifier,
    terms: Terms,
}

/// What holds for everybody who looks at a submission.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) handle: ResourceAny,
    pub(crate) floor: Option<Arc<Requirements>>,
    pub(crate) counters: CounterState,
}

impl Terms {
    /// What a policy or the host requires, and the merchant on top of it.
    pub(crate) fn require(&self, requirements: &Requirements) -> Result<Requirements, Error> {
        match &self.floor {
            Some(floor) => floor.and(requirements),
            None => Ok(requirements.clone()),
        }
    }
}

impl<'a> Submission<'a> {
    pub(crate) fn new(verifier: &'a mut Verifier, handle: ResourceAny) -> Self {
        Self { verifier, terms: Terms { handle, floor: None, counters: CounterState::Unchecked } }
    }

    /// Adds requirements of the merchant to every verification from here on, whoever asks for it.
    #[must_use]
    pub fn with_floor(mut self, floor: Requirements) -> Self {
        self.terms.floor = Some(Arc::new(floor));
        self
    }

    /// Tells policies that the band's counter is compared with the last one that was seen: the caller does that, and denies
    /// with `evidence.counter` when it has not grown.
    #[must_use]
    pub fn remembering_counters(mut self) -> Self {
        self.terms.counters = CounterState::Advanced;
        self
    }

    /// Verifies the presentation that answers `query_id`, the empty one for a bare presentation.
    ///
    /// # Errors
    /// The verifier's refusal, `plugin.requirements` if the floor excludes what is required, or `verifier.trap`.
    pub fn verify(&mut self, query_id: &str, requirements: &Requirements) -> Result<Accepted, Error> {
        let requirements = self.terms.require(requirements)?;
        let counters = self.terms.counters;
        self.ask(|verifier, submission| match verifier.verify(submission, query_id, &requirements)? {
            Ok(verified) => verifier.accepted(verified, counters).map(Ok),
            Err(failure) => Ok(Err(failure)),
        })?
        .map_err(Error::Refused)
    }

    /// The same for a query that asks for several presentations: what each of them proves, at least one.
    ///
    /// # Errors
    /// As [`Submission::verify`].
    pub fn verify_all(&mut self, query_id: &str, requirements: &Requirements) -> Result<Vec<Accepted>, Error> {
        let requirements = self.terms.require(requirements)?;
        let counters = self.terms.counters;
        let accepted = |verifier: &mut Instance, verified: Vec<_>| {
            verified
                .into_iter()
                .map(|verified| verifier.accepted(verified, counters))
                .collect::<wasmtime::Result<Vec<_>>>()
        };
        self.ask(|verifier, submission| match verifier.verify_all(submission, query_id, &requirements)? {
            Ok(verified) => accepted(verifier, verified).map(Ok),
            Err(failure) => Ok::<Result<_, Failure>, _>(Err(failure)),
        })?
        .map_err(Error::Refused)
    }

    pub(crate) fn explain(&mut self, query_id: &str, requirements: &Requirements) -> Result<Vec<Check>, Error> {
        self.ask(|verifier, submission| verifier.explain(submission, query_id, requirements))
    }

    /// Lends the verifier to a policy. None after a trap.
    pub(crate) fn lend(&mut self) -> Option<(Instance, Terms)> {
        Some((self.verifier.instance.take()?, self.terms.clone()))
    }

    /// Takes the verifier back, and with it what the policy holds; none if it trapped.
    pub(crate) fn take_back(&mut self, verifier: Option<Instance>) {
        // One is the submission itself.
        self.verifier.instance = verifier.and_then(|mut verifier| verifier.release(1).is_ok().then_some(verifier));
    }

    /// Asks the verifier something, and gives back what that made.
    fn ask<T>(&mut self, ask: impl FnOnce(&mut Instance, ResourceAny) -> wasmtime::Result<T>) -> Result<T, Error> {
        let Some(verifier) = &mut self.verifier.instance else { return Err(stopped_earlier()) };
        let answer = ask(verifier, self.terms.handle).and_then(|answer| verifier.release(1).map(|()| answer));
        answer.map_err(|error| {
            self.verifier.instance = None;
            trapped(&error)
        })
    }
}

impl Drop for Submission<'_> {
    fn drop(&mut self) {
        if self.verifier.instance.as_mut().is_some_and(|verifier| verifier.release(0).is_err()) {
            self.verifier.instance = None;
        }
    }
}

pub(crate) fn stopped_earlier() -> Error {
    Error::host(Code::VerifierTrap, "the verifier stopped earlier")
}
