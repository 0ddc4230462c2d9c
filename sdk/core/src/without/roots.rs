//! Issuers that are known by certificates, in a build without them: there are none.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::error::{Code, Error};
use crate::jwk::PublicKey;
use crate::trust::{Members, Purpose};

/// There are none.
#[derive(Clone, Debug)]
pub(crate) enum Roots {}

impl Roots {
    pub(crate) fn parse(_: &[Value], _: &Members<'_>, _: Option<&str>) -> Result<(String, Self), Error> {
        let error = Error::new(Code::TrustUnsupported, "this build knows no certificates");
        Err(error.claim("x5c_roots"))
    }

    pub(crate) fn name(&self, _: &[u8]) -> bool {
        match *self {}
    }

    pub(crate) fn key(&self, _: Option<&[Vec<u8>]>, _: u64, _: Purpose) -> Result<PublicKey, Error> {
        match *self {}
    }

    pub(crate) fn authority_key_ids(&self, _: &[Vec<u8>]) -> Vec<Vec<u8>> {
        match *self {}
    }
}
