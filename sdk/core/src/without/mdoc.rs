//! ISO mdocs, in a build without them: each is refused.

use alloc::vec::Vec;

use crate::credential::Credential;
use crate::encoding::base64url;
use crate::error::{Code, Error};
use crate::expected::{Binding, Challenge};
use crate::explain::Trace;
use crate::holder::Proof;
use crate::memory::Memory;
use crate::trust::Trust;

/// There are none.
pub(crate) enum Document {}

impl Document {
    pub(crate) fn doctype(&self) -> &str {
        match *self {}
    }
}

pub(crate) fn is_response(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 5 == 5)
}

pub(crate) fn response(token: &str) -> Option<Vec<u8>> {
    base64url(token).filter(|bytes| is_response(bytes))
}

pub(crate) fn documents(_: &[u8]) -> Result<Vec<Document>, Error> {
    Err(Error::new(Code::TokenUnsupported, "this build verifies no mdocs"))
}

pub(crate) fn check(
    document: &Document,
    _: &Trust,
    _: &mut Memory,
    _: &Challenge,
    _: &mut Trace,
) -> Result<(Credential, Proof), Error> {
    match *document {}
}

/// What an mdoc's proof would be bound to.
#[derive(Clone, Debug)]
pub(crate) struct Session {}

impl Session {
    pub(crate) fn of(binding: &Binding) -> Result<Self, &'static str> {
        match binding {
            Binding::Proximity { .. } => Err("session_transcript"),
            _ => Ok(Self {}),
        }
    }

    #[expect(clippy::unused_self, reason = "as with mdocs")]
    pub(crate) fn id(&self) -> Option<&str> {
        None
    }
}
