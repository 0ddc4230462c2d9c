//! ISO mdocs: a `DeviceResponse` and what its documents prove (ISO/IEC 18013-5:2021; OpenID4VP 1.0, appendix B.2).
//!
//! Section numbers are those of ISO/IEC 18013-5:2021 unless another standard is named.

mod device;
mod elements;
mod mso;
mod reader;
mod response;
mod session;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

pub use reader::{ReaderError, ReaderRoots, RequestedElements, verify_reader_auth};
pub(crate) use response::{Document, documents};
pub(crate) use session::Session;

use crate::credential::{Band, Credential};
use crate::dcql::{Format, Kind};
use crate::encoding::base64url;
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::explain::Trace;
use crate::holder::Proof;
use crate::memory::Memory;
use crate::trust::{Signer, Trust};
use crate::x509;
use mso::Mso;

/// `docType` of a band credential, and the namespace of its elements and of those that a band signs.
const BAND: &str = "bandpass.band.1";

/// Whether it may be a `DeviceResponse`: it begins as a CBOR map does, and so as no text does.
pub(crate) fn is_response(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 5 == 5)
}

/// The `DeviceResponse` in a `vp_token` (OpenID4VP 1.0, appendix B.2.5), if it may be one.
pub(crate) fn response(token: &str) -> Option<Vec<u8>> {
    // The first six bits of such a map are one of these letters, and of a JWS never.
    let may_be = token.starts_with(|first| ('o'..='v').contains(&first));
    may_be.then(|| base64url(token)).flatten().filter(|bytes| is_response(bytes))
}

/// Every check of one document that does not depend on what a caller requires, in order.
pub(crate) fn check(
    document: &Document<'_>,
    trust: &Trust,
    memory: &mut Memory,
    challenge: &Challenge,
    trace: &mut Trace,
) -> Result<(Credential, Proof), Error> {
    trace.passed(&[Code::TokenTooLarge, Code::TokenUnsupported, Code::TokenMalformed, Code::TokenStatus]);
    let issuer_auth = &document.issuer_auth;
    if !issuer_auth.is_es256() {
        return Err(Error::new(Code::IssuerAlgorithm, "the credential is not signed with ES256").claim("issuerAuth"));
    }
    trace.passed(&[Code::IssuerAlgorithm]);
    // 9.3.1, step 1, and 9.3.3: the path from the signer's certificate to a root.
    let signer = Signer { kid: None, chain: issuer_auth.chain() };
    let (issuer_place, issuer, key) = trust.issuer_of_mdoc(&signer, document.doctype, challenge.now())?;
    trace.passed(&[Code::IssuerUntrusted]);
    trace.passed(issuer.checks_of_keys());
    // Step 2: the signature.
    if !issuer_auth.verified_remembering(&key, document.mso_bytes, memory) {
        return Err(Error::new(Code::IssuerSignature, "the issuer's signature does not verify"));
    }
    trace.passed(&[Code::IssuerSignature]);
    // Step 3: the digests of what was returned.
    let mso = Mso { members: &document.mso };
    let claims = elements::disclosed(document, &mso, trace)?;
    // Steps 4 and 5: type and validity.
    let info = mso.info()?;
    if !issuer.lists_doctype(info.doctype) {
        let error = Error::new(Code::CredentialType, "the issuer is not trusted for this type of credential");
        return Err(error.claim("docType").actual(info.doctype));
    }
    trace.passed(&[Code::CredentialType]);
    if info.doctype != document.doctype {
        let error = Error::new(Code::CredentialDoctype, "the document is of another type than the issuer signed");
        return Err(error.claim("docType").expected(info.doctype).actual(document.doctype));
    }
    trace.passed(&[Code::CredentialDoctype]);
    info.check_validity(challenge)?;
    trace.passed(&[Code::CredentialNotYetValid, Code::CredentialExpired]);
    let chain = signer.chain.as_deref().unwrap_or_default();
    let certificates = x509::read(chain).unwrap_or_default();
    if !certificates.first().is_some_and(|leaf| leaf.is_valid_at(info.signed)) {
        let error = Error::new(Code::CredentialSigned, "the signer's certificate was not valid when it signed");
        return Err(error.claim("validityInfo.signed"));
    }
    trace.passed(&[Code::CredentialSigned]);
    let band = if info.doctype == BAND { Some(Band::check(&claims, info.status.is_some())?) } else { None };
    trace.passed(&[Code::CredentialClaim]);
    let credential = Credential {
        issuer: issuer.name().to_owned(),
        issuer_place,
        status: info.status.clone(),
        kind: Kind {
            format: Format::Mdoc,
            types: [info.doctype.to_owned()].into(),
            authority_key_ids: issuer.authority_key_ids(&signer),
        },
        claims,
        expires: Some(info.valid_until),
        band,
    };
    let proof = device::check(document, &mso, credential.band.is_some(), memory, challenge, trace)?;
    Ok((credential, proof))
}
