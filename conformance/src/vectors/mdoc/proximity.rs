//! At a reader.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::DeviceAuth;
use bandpass_roles::{base64url, sha256_base64url};
use serde_json::{Value, json};

use super::super::Vectors;
use super::{at, by_redirect, edit};
use crate::draft::{AUDIENCE, Draft, payment};
use crate::mdoc::{session, thief};
use crate::{Binding, Demand};

const DEVICE: &str = "ISO 18013-5, 9.1.3";
const MAC: &str = "ISO 18013-5, 9.1.3.5";
const PROOF: &str = "band profile, Proof";

/// At a reader.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    fn at_reader(draft: &mut Draft) {
        if draft.in_proximity().is_err() {
            draft.expected.binding = None;
        }
    }
    fn without_reader_key(draft: &mut Draft) {
        if let Some(Binding::Proximity { reader_key, .. }) = &mut draft.expected.binding {
            *reader_key = None;
        }
    }
    let (transcript, _) = session()?;
    let this = sha256_base64url(&transcript);
    for (what, auth) in [("signature", DeviceAuth::Signature), ("mac", DeviceAuth::Mac)] {
        vectors.accept(&format!("proximity-{what}"), DEVICE, |draft| {
            at_reader(draft);
            draft.mdoc().auth = auth;
        })?;
        vectors.accept(&format!("proximity-payment-{what}"), "band profile, Approval", |draft| {
            at_reader(draft);
            draft.mdoc().auth = auth;
            draft.pay("35.00");
        })?;
    }
    vectors.accept("proximity-signature-without-reader-key", DEVICE, |draft| {
        at_reader(draft);
        without_reader_key(draft);
    })?;
    vectors.accept("proximity-another-type", DEVICE, |draft| {
        draft.member();
        draft.kb = Some(json!({}));
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
    })?;
    vectors.refuse("holder.reader-key", "mac-and-no-key", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        without_reader_key(draft);
    })?;
    vectors.refuse("holder.reader-key", "mac-by-redirect", MAC, |draft| {
        draft.mdoc().session =
            Some(Binding::Proximity { session_transcript: base64url(&transcript), reader_key: None }.session());
        draft.mdoc().auth = DeviceAuth::Mac;
    })?;
    vectors.refuse("holder.signature", "mac-of-another-reader", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        if let Some(Binding::Proximity { reader_key, .. }) = &mut draft.expected.binding {
            *reader_key = Some(base64url(&[22; 32]));
        }
    })?;
    let thief = thief()?;
    vectors.refuse("holder.signature", "mac-by-another-band", MAC, move |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        draft.holder_key = thief;
    })?;
    vectors.refuse("holder.signature", "mac-cut", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        draft.mdoc().document = edit(|document| {
            let mac = document.member("deviceSigned").member("deviceAuth").member("deviceMac");
            at(mac, 3, Cbor::Bytes(Vec::new()));
        });
    })?;
    vectors.refuse("holder.signature", "of-another-session", DEVICE, |draft| {
        at_reader(draft);
        draft.mdoc().session = Some(by_redirect("n", None).session());
    })?;
    for name in ["aud", "nonce"] {
        let code = if name == "aud" { "holder.audience" } else { "holder.nonce" };
        vectors.refuse(code, "named-at-a-reader", PROOF, |draft| {
            let value = draft.proof()[name].clone();
            at_reader(draft);
            draft.proof()[name] = value;
        })?;
    }
    for name in ["iat", "jti"] {
        vectors.refuse("holder.claim", &format!("no-{name}-at-a-reader"), PROOF, |draft| {
            at_reader(draft);
            draft.proof()[name] = Value::Null;
        })?;
    }
    vectors.refuse("approval.session", "another", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.approved().1["session"] = "A".repeat(43).into();
    })?;
    vectors.refuse("approval.malformed", "no-session", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.approved().1["session"] = Value::Null;
    })?;
    vectors.refuse("approval.malformed", "audience-in-place-of-the-session", "band profile, Approval", |draft| {
        at_reader(draft);
        let approval = &mut draft.approved().1;
        approval["session"] = Value::Null;
        (approval["aud"], approval["nonce"]) = (AUDIENCE.into(), "n".into());
    })?;
    vectors.refuse("approval.missing", "payment-at-a-reader", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.expected.transaction_data.push(payment("35.00"));
    })?;
    let near = |draft: &mut Draft, mm: u32, session: &str| {
        at_reader(draft);
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock", "distance"]));
        draft.band()["distance"] = json!({"mm": mm, "method": "uwb", "session": session});
        draft.expected.requirements.distance_mm = Some(100);
    };
    vectors.accept("distance-by-the-band", PROOF, |draft| near(draft, 100, &this))?;
    vectors.accept("distance-by-channel-sounding", PROOF, |draft| {
        near(draft, 40, &this);
        draft.band()["distance"]["method"] = "cs".into();
    })?;
    vectors.accept("distance-by-the-reader", PROOF, |draft| {
        near(draft, 5_000, &this);
        draft.expected.measured_distance_mm = Some(100);
    })?;
    vectors.accept("distance-by-the-reader-alone", PROOF, |draft| {
        at_reader(draft);
        draft.expected.requirements.distance_mm = Some(100);
        draft.expected.measured_distance_mm = Some(0);
    })?;
    vectors.refuse("evidence.distance", "too-far", PROOF, |draft| near(draft, 101, &this))?;
    vectors.refuse("evidence.distance", "of-another-session", PROOF, |draft| near(draft, 40, &"A".repeat(43)))?;
    vectors.refuse("evidence.distance", "none", PROOF, |draft| {
        near(draft, 40, &this);
        if let Some(band) = draft.band().as_object_mut() {
            band.remove("distance");
        }
    })?;
    vectors.refuse("evidence.distance", "the-reader-decides", PROOF, |draft| {
        near(draft, 40, &this);
        draft.expected.measured_distance_mm = Some(101);
    })?;
    vectors.refuse("evidence.distance", "measured-outside-proximity", PROOF, |draft| {
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock", "distance"]));
        draft.expected.requirements.distance_mm = Some(100);
        draft.expected.measured_distance_mm = Some(40);
    })?;
    vectors.refuse("evidence.unattested", "distance-at-a-reader", PROOF, |draft| {
        near(draft, 40, &this);
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock"]));
    })?;
    for (what, distance) in [
        ("distance-by-another-method", json!({"mm": 40, "method": "rssi", "session": this})),
        ("distance-a-fraction", json!({"mm": 40.5, "method": "uwb", "session": this})),
        ("distance-negative", json!({"mm": -1, "method": "uwb", "session": this})),
        ("distance-without-session", json!({"mm": 40, "method": "uwb"})),
    ] {
        vectors.refuse("evidence.malformed", what, PROOF, |draft| {
            near(draft, 40, &this);
            draft.band()["distance"] = distance;
        })?;
    }
    vectors.accept("confirmed-at-a-reader", PROOF, |draft| {
        at_reader(draft);
        draft.band()["confirmed"] = true.into();
        draft.expected.requirements.confirmed = Some(Demand::Required);
    })
}
