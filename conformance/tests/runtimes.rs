//! The vectors in every runtime that the verifier is for: the same verdicts, to the error code.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;
use bandpass_conformance::peers::{root, target};
use bandpass_conformance::suite::{Answers, stage};
use bandpass_conformance::{Vector, Verdict, generate};

/// What became of the vectors in a runtime.
struct Column {
    title: &'static str,
    verdicts: Vec<Option<Verdict>>,
}

#[test]
fn every_runtime_gives_every_vector_its_verdict() -> Result<()> {
    let vectors = generate()?.into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let columns = columns(&vectors)?;
    let mut wrong = Vec::new();
    for column in &columns {
        for (vector, verdict) in vectors.iter().zip(&column.verdicts) {
            if verdict.as_ref() != Some(&vector.result) {
                wrong.push(format!("{}: {}: {verdict:?}", column.title, vector.name));
            }
        }
    }
    print!("{}", table(&vectors, &columns));
    assert!(wrong.is_empty(), "other verdicts than the vectors':\n{}", wrong.join("\n"));
    Ok(())
}

/// Rows are stages of the checks; a cell says how many vectors got their verdict.
fn table(vectors: &[Vector], columns: &[Column]) -> String {
    let row = |name: &str, of: &dyn Fn(&Vector) -> bool| {
        let right = |column: &Column| {
            let all = vectors.iter().zip(&column.verdicts).filter(|(vector, _)| of(vector));
            all.filter(|(vector, verdict)| verdict.as_ref() == Some(&vector.result)).count().to_string()
        };
        format!("| {name} | {} |\n", columns.iter().map(right).collect::<Vec<_>>().join(" | "))
    };
    let titles = columns.iter().map(|column| column.title).collect::<Vec<_>>().join(" | ");
    let stages = vectors.iter().map(stage).collect::<BTreeSet<_>>();
    let rows = stages.iter().map(|name| row(&format!("`{name}`"), &|vector| stage(vector) == *name));
    let head = format!("| vectors with their verdict | {titles} |\n|---|{}\n", "---|".repeat(columns.len()));
    head + &rows.collect::<String>() + &row("all", &|_| true)
}

fn columns(vectors: &[Vector]) -> Result<Vec<Column>> {
    let programs = root()?.join("sdk/npm/conformance");
    let node = |program: &str, entry: &str| {
        let mut command = Command::new("node");
        command.arg(programs.join(program)).arg(entry);
        command
    };
    let mut wasmtime = Command::new(target()?.join("release/bandpass"));
    wasmtime.args(["conformance", "--answer"]);
    let native = vectors.iter().map(|vector| Some(vector.verdict())).collect();
    let mut columns = vec![Column { title: "native", verdicts: native }];
    for (title, mut program) in [
        ("wasmtime", wasmtime),
        ("Node", node("node.mjs", "node.js")),
        ("Node, `/inline`", node("node.mjs", "inline.js")),
        ("Node, `/component`", node("node.mjs", "component.js")),
        ("Chromium", node("chromium.mjs", "web.js")),
        ("workerd", node("workerd.mjs", "workerd.js")),
    ] {
        let answers = Answers::ask(&mut program, vectors)?;
        eprintln!("{title}: {}", answers.verifier);
        columns.push(Column { title, verdicts: vectors.iter().map(|vector| answers.verdict(vector)).collect() });
    }
    Ok(columns)
}
