//! Instructions that hot paths take, as they are written down in `instructions.json`: what a time would be if machines
//! were all alike.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// Vectors that stand for hot paths: two signatures, the same with disclosures, three and a payment, an mdoc.
pub const HOT: [&str; 4] =
    ["accept/another-type", "accept/some-disclosed", "accept/payment", "accept/another-type-mdoc"];

/// By how much a count may differ from what is written down, in percent: compilers differ, too.
const MARGIN: u64 = 5;

/// Holds counts against those that are written down, and prints both. With `UPDATE_COUNTS` they are written down anew.
///
/// # Panics
/// If one differs by more than a twentieth: if it rose something got slower, and if it fell a later rise would go unseen.
pub fn compare(kind: &str, counts: &[(&str, u64)]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json");
    let read = || serde_json::from_slice::<Value>(&fs::read(&file).ok()?).ok();
    let mut all = read().unwrap_or_default();
    let before = all.get(kind).cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, count) in counts {
        let written = before.get(*name).and_then(Value::as_u64).unwrap_or_default();
        println!("{kind}: {name}: {count} ({written} written down)");
        if count.abs_diff(written) * 100 > written * MARGIN {
            wrong.push(*name);
        }
    }
    if std::env::var_os("UPDATE_COUNTS").is_some() {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<Map<_, _>>();
        if !all.is_object() {
            all = json!({});
        }
        if let Some(all) = all.as_object_mut() {
            all.insert(kind.into(), counts.into());
        }
        let written = fs::write(&file, format!("{all:#}\n"));
        assert!(written.is_ok(), "{written:?}");
        return;
    }
    assert!(
        wrong.is_empty(),
        "{kind}: {wrong:?} differ by more than {MARGIN} %: make them so again, or UPDATE_COUNTS=1"
    );
}
