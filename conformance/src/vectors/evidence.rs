//! What the band says of the moment, and what was asked to be disclosed.

use anyhow::Result;
use serde_json::{Value, json};

use super::Vectors;
use crate::draft::{Draft, NOW, payment};
use crate::{Demand, Requirements};

const SECTION: &str = "band profile, Proof";

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.refuse("evidence.missing", "none", SECTION, |draft| *draft.band() = Value::Null)?;
    vectors.refuse("evidence.missing", "another-type", SECTION, |draft| {
        draft.member();
        draft.expected.requirements.worn = Some(Demand::Required);
    })?;
    for (what, band) in [
        ("not-an-object", json!([])),
        ("no-counter", json!({"worn_since": NOW - 60})),
        ("counter-a-string", json!({"counter": "7"})),
        ("counter-negative", json!({"counter": -1})),
        ("counter-too-great", json!({"counter": 1_u64 << 53})),
        ("counter-a-fraction", json!({"counter": 7.5})),
        ("worn-since-a-string", json!({"counter": 7, "worn_since": "now"})),
        ("unlocked-at-null", json!({"counter": 7, "unlocked_at": null})),
        ("confirmed-a-number", json!({"counter": 7, "confirmed": 1})),
        ("distance-a-number", json!({"counter": 7, "distance": 40})),
    ] {
        vectors.refuse("evidence.malformed", what, SECTION, |draft| *draft.band() = band)?;
    }
    vectors.refuse("evidence.future", "worn", SECTION, |draft| draft.band()["worn_since"] = (NOW - 4).into())?;
    vectors.refuse("evidence.future", "unlocked", SECTION, |draft| draft.band()["unlocked_at"] = (NOW - 4).into())?;
    let unattested: [(_, _, fn(&mut Requirements)); 5] = [
        ("wear", json!(["unlock", "confirm"]), |asked| asked.worn = Some(Demand::Required)),
        ("unlock", json!(["wear", "confirm"]), |asked| asked.unlocked = Some(Demand::Required)),
        ("confirm", json!(["wear", "unlock"]), |asked| asked.confirmed = Some(Demand::Required)),
        ("distance", json!(["wear"]), |asked| asked.distance_mm = Some(100)),
        ("nothing", json!([]), |asked| asked.worn = Some(Demand::Required)),
    ];
    for (what, measures, ask) in unattested {
        vectors.refuse("evidence.unattested", what, SECTION, |draft: &mut Draft| {
            draft.claims.insert("band_measures".into(), measures);
            draft.band()["confirmed"] = true.into();
            ask(&mut draft.expected.requirements);
        })?;
    }
    vectors.refuse("evidence.unattested", "payment", SECTION, |draft| {
        draft.pay("35.00");
        draft.claims.insert("band_measures".into(), json!(["wear"]));
    })?;
    vectors.refuse("evidence.not-worn", "required", SECTION, |draft| {
        *draft.band() = json!({"counter": 7});
        draft.expected.requirements.worn = Some(Demand::Required);
    })?;
    vectors.refuse("evidence.not-worn", "payment", SECTION, |draft| {
        draft.pay("35.00");
        *draft.band() = json!({"counter": 7});
    })?;
    vectors.refuse("evidence.not-worn", "unlocked-off-the-wrist", SECTION, |draft| {
        *draft.band() = json!({"counter": 7, "unlocked_at": NOW - 60});
        draft.expected.requirements.unlocked = Some(Demand::Required);
    })?;
    vectors.refuse("evidence.locked", "required", SECTION, |draft| {
        *draft.band() = json!({"counter": 7, "worn_since": NOW - 60});
        draft.expected.requirements.unlocked = Some(Demand::Required);
    })?;
    vectors.refuse("evidence.locked", "payment", SECTION, |draft| {
        draft.expected.transaction_data.push(payment("35.00"));
        draft.expected.requirements.approval = Some(Demand::NotRequired);
        *draft.band() = json!({"counter": 7, "worn_since": NOW - 60});
    })?;
    vectors.refuse("evidence.locked", "unlocked-before-it-was-put-on", SECTION, |draft| {
        *draft.band() = json!({"counter": 7, "worn_since": NOW - 60, "unlocked_at": NOW - 120});
    })?;
    vectors.refuse("evidence.unlock-stale", "by-a-second", SECTION, |draft| {
        draft.expected.requirements.unlocked_within = Some(2_999);
    })?;
    vectors.refuse("evidence.unconfirmed", "required", SECTION, |draft| {
        draft.expected.requirements.confirmed = Some(Demand::Required);
    })?;
    vectors.refuse("evidence.unconfirmed", "false", SECTION, |draft| {
        draft.band()["confirmed"] = false.into();
        draft.expected.requirements.confirmed = Some(Demand::Required);
    })?;
    vectors.refuse("evidence.distance", "outside-proximity", SECTION, |draft| {
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock", "distance"]));
        draft.band()["distance"] = json!({"mm": 40, "method": "uwb", "session": "A".repeat(43)});
        draft.expected.requirements.distance_mm = Some(100);
    })?;
    for (what, path) in [
        ("hidden", vec![json!("birthdate")]),
        ("nested-hidden", vec![json!("age_equal_or_over"), json!("21")]),
        ("never-there", vec![json!("email")]),
        ("index-too-great", vec![json!("nationalities"), json!(9)]),
        ("empty-path", vec![]),
    ] {
        vectors.refuse("claims.missing", what, "OpenID4VP 1.0, 7", |draft| {
            draft.hidden = vec!["/birthdate", "/age_equal_or_over/21"];
            draft.expected.requirements.claims = vec![path];
        })?;
    }
    Ok(())
}
