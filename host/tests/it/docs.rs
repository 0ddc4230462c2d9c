//! Pages of `docs/` that are made from the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bandpass_core::Code;

/// What the codes of a registry begin with.
const REGISTRY: [&str; 8] =
    ["account", "dpop", "access-token", "proof", "attestation", "offer", "issue", "status-list"];

fn errors_page() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
        Made from the code: `UPDATE_DOCS=1 cargo test --release --test it docs` writes it anew.\n\n\
        A code never changes its meaning. The verifier's stand in the order of its checks; the first that fails is the\n\
        result. Every one has vectors in `conformance/vectors/` that are named after it; [checks.md](checks.md) has them.\n\n\
        ## The verifier's\n\n| code | meaning |\n|---|---|\n",
    );
    for code in Code::ALL {
        writeln!(page, "| `{code}` | {} |", code.meaning()).expect("written");
    }
    page.push_str("\n## The host's\n\n| code | meaning |\n|---|---|\n");
    let (registry, host) = bandpass::Code::ALL
        .iter()
        .map(|code| (code.as_str(), code.meaning()))
        .partition::<Vec<_>, _>(|(code, _)| REGISTRY.contains(&code.split('.').next().unwrap_or_default()));
    for (code, meaning) in host {
        writeln!(page, "| `{code}` | {meaning} |").expect("written");
    }
    page.push_str(
        "\n## A registry's\n\nThose of a pairing are in [pairing.md](pairing.md) with the states of a band.\n\n\
        | code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in registry {
        writeln!(page, "| `{code}` | {meaning} |").expect("written");
    }
    for code in bandpass_pairing::Code::ALL {
        writeln!(page, "| `{code}` | {} |", code.meaning()).expect("written");
    }
    page
}

/// The vectors that are named after a code, and the sections that decide them.
#[derive(Default)]
struct Proof {
    first: String,
    count: usize,
    sections: BTreeSet<String>,
}

/// A row a check: what `bandpass explain` prints, and what shows that it is so.
fn checks_page() -> String {
    let mut proofs = BTreeMap::<String, Proof>::new();
    for vector in bandpass_conformance::generate().expect("vectors").into_values().flat_map(|file| file.vectors) {
        let code = vector.name.split('/').next().expect("a code").to_owned();
        let proof = proofs.entry(code).or_default();
        if proof.count == 0 {
            proof.first.clone_from(&vector.name);
        }
        proof.count += 1;
        proof.sections.insert(vector.section);
    }
    let functions = functions();
    let mut page = String::from(
        "# Checks\n\n\
        Made from the code and the vectors: `UPDATE_DOCS=1 cargo test --release --test it docs` writes it anew.\n\n\
        Every check of the verifier in the order in which it comes, known by the code of its failure. The first that fails is\n\
        the result. `bandpass explain` says of each what came of it. The first section is the one that decides; others add to\n\
        it, or are where a vector's fault lies. Functions are those of `sdk/core/src` that refuse with the code. Vectors are\n\
        in `conformance/vectors/`; the first is named.\n\n\
        | | check | what is refused | standard and section | function | vectors |\n|---|---|---|---|---|---|\n",
    );
    for (step, code) in Code::ALL.iter().enumerate() {
        let proof = proofs.get(code.as_str()).expect("every code has a vector");
        assert!(proof.sections.contains(code.section()), "no vector of {code} is about {}", code.section());
        let others = proof.sections.iter().filter(|section| *section != code.section());
        let sections = std::iter::once(code.section()).chain(others.map(String::as_str)).collect::<Vec<_>>().join("; ");
        let functions = functions.get(&format!("{code:?}")).unwrap_or_else(|| panic!("{code} is used nowhere"));
        let functions = functions.iter().map(|function| format!("`{function}`")).collect::<Vec<_>>().join(", ");
        let (step, meaning, Proof { first, count, .. }) = (step + 1, code.meaning(), proof);
        writeln!(page, "| {step} | `{code}` | {meaning} | {sections} | {functions} | {count}: `{first}` |")
            .expect("written");
    }
    page
}

/// In which functions of the core an error is made with a code, by the code's name in Rust.
fn functions() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/core/src");
    let mut functions = BTreeMap::<String, BTreeSet<String>>::new();
    // What stands in for a feature that is off is in a folder of its own.
    let folders = [folder.clone(), folder.join("mdoc")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    for path in files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
        let module = path.strip_prefix(&folder).expect("below it").with_extension("");
        let module = module.to_string_lossy().replace('/', "::").replace("::mod", "");
        let source = fs::read_to_string(&path).expect("a file");
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut function = String::new();
        let mut marks = false;
        for line in source.lines() {
            let declared = line.trim_start().split_once("fn ").filter(|(before, _)| {
                before.split_whitespace().all(|word| ["pub", "pub(crate)", "pub(super)", "const"].contains(&word))
            });
            if let Some((_, name)) = declared {
                name.split(['(', '<']).next().unwrap_or_default().clone_into(&mut function);
            }
            // What is listed as passed is no refusal, and what is compared is none either.
            marks |=
                line.contains("trace.passed(") || line.contains("&'static [Code]") || line.contains("&[Code] = &[");
            if !marks && !line.contains("matches!(") && !line.trim_start().starts_with("//") {
                for used in line.split("Code::").skip(1) {
                    let name = used.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
                    functions.entry(name.to_owned()).or_default().insert(format!("{module}::{function}"));
                }
            }
            if line.contains(");") || line.trim() == "];" || line.trim() == "}" {
                marks = false;
            }
        }
    }
    functions
}

fn is_up_to_date(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/{name}: run `UPDATE_DOCS=1 cargo test --release --test it docs`");
}

#[test]
fn the_page_of_error_codes_is_up_to_date() {
    is_up_to_date("errors.md", &errors_page());
}

#[test]
fn the_page_of_checks_is_up_to_date() {
    is_up_to_date("checks.md", &checks_page());
}
