//! Which checks ran, and what came of each: for people and tools, never for authorising.

use alloc::vec::Vec;

use crate::error::{Code, Error};

/// The checks that passed, in the order in which they did. One that runs for several things is there several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Vec<Code>);

impl Trace {
    pub(crate) fn passed(&mut self, checks: &[Code]) {
        self.0.extend_from_slice(checks);
    }

    pub(crate) fn then(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// What came of every check, in the order of the checks, given what verifying came to.
    pub(crate) fn outcomes(&self, failed: Option<Code>) -> Vec<(Code, Outcome)> {
        let outcome = |check: &Code| match failed {
            Some(failed) if failed == *check => Outcome::Failed,
            _ if self.0.contains(check) => Outcome::Passed,
            Some(failed) if *check > failed => Outcome::NotReached,
            _ => Outcome::NotApplicable,
        };
        Code::ALL.iter().map(|check| (*check, outcome(check))).collect()
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It is why the token is refused.
    Failed,
    /// An earlier check failed.
    NotReached,
    /// There was nothing that it concerns: no certificate, no transaction, no such requirement.
    NotApplicable,
}

/// What came of every check: the same verdict as that of verifying, which it accompanies.
///
/// **For people and tools, never for authorising**: only a [`Verified`](crate::Verified) proves that every check passed.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub(crate) checks: Vec<(Code, Outcome)>,
    pub(crate) error: Option<Error>,
}

impl Explanation {
    /// A refusal before there was anything to check, such as that of a status list: what comes after it was not reached.
    #[must_use]
    pub fn refused(error: Error) -> Self {
        Self { checks: Trace::default().outcomes(Some(error.code())), error: Some(error) }
    }

    /// Every check with its outcome, in the order of the checks. A check is known by the code of its failure, which tells
    /// the standard too: [`Code::section`].
    #[must_use]
    pub fn checks(&self) -> &[(Code, Outcome)] {
        &self.checks
    }

    /// Why verifying refuses; `None` if it accepts.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}
