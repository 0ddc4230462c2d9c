//! Verifies band tokens: tokens that are bound to a wearable.
//!
//! A band token is an SD-JWT VC with a key-binding proof (RFC 9901, SD-JWT VC), or an ISO mdoc that its device signed or made a
//! MAC over (ISO/IEC 18013-5), signed with ES256. What a band adds to it
//! (transactions that the holder agreed to, the paired phone's approval, evidence that the band was worn and unlocked)
//! is checked with it. A plain credential of another type verifies too, without evidence.
//!
//! ```text
//! bytes -> parse -> issuer -> disclosures -> credential -> holder -> transactions
//!       -> status -> approval -> evidence -> claims -> Verified
//! ```
//!
//! Every check runs whoever calls; the first that fails is the result, as an [`Error`] with a stable [`Code`]. Time, nonce,
//! audience and trust are arguments: there is no clock, no network and no randomness inside, and no panic. `no_std` with
//! `alloc`.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod age;
mod approval;
mod claims;
#[cfg(feature = "cwt")]
mod cose;
mod credential;
#[cfg(feature = "cwt")]
mod cwt;
#[cfg(not(feature = "cwt"))]
#[path = "without/cwt.rs"]
mod cwt;
mod dcql;
mod encoding;
mod error;
#[cfg(not(feature = "p256"))]
mod es256;
#[cfg(feature = "p256")]
#[path = "without/es256.rs"]
mod es256;
mod evidence;
mod expected;
#[cfg(feature = "diagnosis")]
mod explain;
#[cfg(not(feature = "diagnosis"))]
#[path = "without/explain.rs"]
mod explain;
mod holder;
#[cfg(feature = "diagnosis")]
mod inspect;
mod jwk;
mod jws;
pub mod limits;
#[cfg(feature = "mdoc")]
mod mdoc;
#[cfg(not(feature = "mdoc"))]
#[path = "without/mdoc.rs"]
mod mdoc;
mod memory;
#[cfg(feature = "certificates")]
mod roots;
#[cfg(not(feature = "certificates"))]
#[path = "without/roots.rs"]
mod roots;
mod sd_jwt;
mod status;
mod transaction;
mod trust;
mod verified;
mod verify;
#[cfg(feature = "certificates")]
mod x509;

pub use age::Date;
pub use approval::Approval;
pub use claims::{ClaimPath, PathSegment};
pub use dcql::Dcql;
#[doc(hidden)]
pub use encoding::{base64url, json};
pub use error::{Code, Error};
pub use evidence::Evidence;
pub use expected::{Binding, Challenge, Demand, Expected, Requirements};
#[cfg(feature = "diagnosis")]
pub use explain::{Explanation, Outcome};
#[cfg(feature = "diagnosis")]
pub use inspect::inspect;
pub use jws::{SelfSigned, SignatureError, jwk_thumbprint, verify_jws, verify_self_signed};
#[cfg(feature = "mdoc")]
pub use mdoc::{ReaderError, ReaderRoots, RequestedElements, verify_reader_auth};
pub use memory::Memory;
pub use status::{Status, StatusListInfo};
pub use transaction::{Payment, Transaction};
pub use trust::Trust;
pub use verified::Verified;
pub use verify::{Submission, Verifier};
