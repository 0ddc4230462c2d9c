//! ISO mdocs: what the other stages say of SD-JWTs said of mdocs, and what only mdocs have.

mod binding;
mod credential;
mod element;
mod issuer;
mod proof;
mod proximity;
mod query;
mod response;

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::BAND_DOCTYPE;
use serde_json::{Value, json};

use super::{Vectors, accept, approval, claims, evidence, status, transaction};
use crate::Binding;
use crate::certificate::ROOT;
use crate::draft::{AUDIENCE, Draft};
use crate::mdoc::{Edit, Elements};

/// What only SD-JWTs have.
const LEFT_OUT: &[&str] = &[
    "accept/none-disclosed",
    "accept/some-disclosed",
    "accept/all-elements-hidden",
    "accept/nothing-selective",
    "accept/decoy-digests",
    "accept/sd-alg-absent",
    "accept/empty-sd-array",
    "accept/disclosures-in-any-order",
    "accept/key-without-kid",
    "accept/no-kid",
    "accept/unknown-header-parameter",
    "accept/second-key-of-the-issuer",
    "accept/any-vct",
    "accept/another-type-selective-iat",
    "accept/another-type-without-proof",
    "accept/plain-sd-jwt",
    "accept/starts-within-the-tolerance",
    "accept/fractional-time",
    "accept/any-of-two-audiences",
    // An mdoc's issuer is who its certificate says.
    "claims.incomplete/dcql-the-other-is-by-a-stranger",
    "issuer.untrusted/dcql-before-what-the-others-are",
    // At another time, at which no certificate is valid.
    "accept/age-leap-day",
    "claims.age/leap-day-in-a-common-year",
    // It always has a proof.
    "transaction.missing/without-proof",
    "claims.incomplete/dcql-the-other-has-no-proof",
];

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.as_mdocs = Some(LEFT_OUT);
    accept::add(vectors)?;
    transaction::add(vectors)?;
    status::of_mdocs(vectors)?;
    approval::add(vectors)?;
    evidence::add(vectors)?;
    claims::of_mdocs(vectors)?;
    response::accepted(vectors)?;
    binding::add(vectors)?;
    response::add(vectors)?;
    issuer::add(vectors)?;
    element::add(vectors)?;
    credential::add(vectors)?;
    proof::add(vectors)?;
    proximity::add(vectors)?;
    query::add(vectors)
}

fn entry(draft: &mut Draft) -> &mut Value {
    &mut draft.trust["issuers"][0]
}

/// An entry of its own making.
fn trusts(draft: &mut Draft, members: &Value) -> Result<()> {
    *entry(draft) = json!({"iss": crate::draft::ISSUER, "x5c_roots": [ROOT.base64()?],
        "doctypes": [BAND_DOCTYPE, "example.member.1"]});
    for (name, value) in members.as_object().into_iter().flatten() {
        entry(draft)[name] = value.clone();
    }
    Ok(())
}

/// The elements of a band, or of whatever it is.
#[expect(clippy::unnecessary_wraps, reason = "as the drafts have it")]
fn in_first(change: impl FnOnce(&mut Vec<(String, Cbor)>) + 'static) -> Edit<Elements> {
    Some(Box::new(|elements| {
        if let Some((_, elements)) = elements.first_mut() {
            change(elements);
        }
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "as the drafts have it")]
fn edit(change: impl FnOnce(&mut Cbor) + 'static) -> Edit<Cbor> {
    Some(Box::new(change))
}

/// Changes an element of an array.
fn at(array: &mut Cbor, place: usize, value: Cbor) {
    if let Cbor::Array(items) = array {
        items[place] = value;
    }
}

/// A band and a membership in one response, which must prove the same key.
fn two_documents(draft: &mut Draft, change: fn(&mut Draft)) {
    let Ok(mut other) = Draft::new("another-document") else { return };
    other.become_mdoc();
    other.expected.binding.clone_from(&draft.expected.binding);
    other.member();
    if let Some(Binding::OpenId4Vp { nonce, .. }) = &draft.expected.binding {
        other.proof()["nonce"] = nonce.clone().into();
    }
    change(&mut other);
    draft.mdoc().documents.extend(other.mdoc_document());
    draft.expected.query_id = BAND_DOCTYPE.into();
    draft.expected.requirements.same_holder_as = Some("example.member.1".into());
}

fn by_redirect(nonce: &str, jwk_thumbprint: Option<String>) -> Binding {
    let response_uri = "https://shop.example/response".into();
    Binding::OpenId4Vp { client_id: AUDIENCE.into(), nonce: nonce.into(), response_uri, jwk_thumbprint }
}
