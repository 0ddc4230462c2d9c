//! The vectors in every runtime that the verifier is for: the same verdicts, to the error code.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;
use bandpass_conformance::peers::{root, target};
use bandpass_conformance::suite::{Answers, stage};
use bandpass_conformance::{Vector, Verdict, generate};
use serde_json::Value;

/// What became of the vectors in a runtime.
struct Column {
    title: &'static str,
    verdicts: Vec<Option<Verdict>>,
    /// Its numbers are JavaScript's.
    rounds: bool,
}

impl Column {
    /// Each vector with what was made of it, and whether that is its verdict.
    fn graded<'a>(&'a self, vectors: &'a [Vector]) -> impl Iterator<Item = (&'a Vector, &'a Option<Verdict>, bool)> {
        vectors.iter().zip(&self.verdicts).map(|(vector, found)| {
            let right = found.as_ref().is_some_and(|found| match self.rounds {
                true => rounded(found) == rounded(&vector.result),
                false => *found == vector.result,
            });
            (vector, found, right)
        })
    }
}

fn rounded(verdict: &Verdict) -> Verdict {
    fn all(value: &Value) -> Value {
        match value {
            Value::Number(number) => number.as_f64().into(),
            Value::Array(items) => items.iter().map(all).collect(),
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), all(value))).collect(),
            other => other.clone(),
        }
    }
    match verdict {
        Verdict::Accepted { claims, transactions } => Verdict::Accepted {
            claims: claims.iter().map(|(name, value)| (name.clone(), all(value))).collect(),
            transactions: transactions.clone(),
        },
        refused @ Verdict::Refused { .. } => refused.clone(),
    }
}

#[test]
fn every_runtime_gives_every_vector_its_verdict() -> Result<()> {
    let vectors = generate()?.into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let columns = columns(&vectors)?;
    let wrong = columns.iter().flat_map(|column| {
        let wrong = column.graded(&vectors).filter(|(.., right)| !right);
        wrong.map(|(vector, found, _)| format!("{}: {}: {found:?}", column.title, vector.name))
    });
    let wrong = wrong.collect::<Vec<_>>();
    print!("{}", table(&vectors, &columns));
    assert!(wrong.is_empty(), "other verdicts than the vectors':\n{}", wrong.join("\n"));
    Ok(())
}

/// Rows are stages of the checks; a cell says how many vectors got their verdict.
fn table(vectors: &[Vector], columns: &[Column]) -> String {
    let row = |name: &str, of: &dyn Fn(&Vector) -> bool| {
        let right = |column: &Column| {
            column.graded(vectors).filter(|(vector, _, right)| *right && of(vector)).count().to_string()
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
    let mut deno = Command::new("node");
    deno.arg(root()?.join("sdk/npm/node_modules/deno/bin.cjs")).args(["run", "--allow-read"]);
    deno.arg(programs.join("node.mjs")).arg("web.js");
    let mut wasmtime = Command::new(target()?.join("release/bandpass"));
    wasmtime.args(["conformance", "--answer"]);
    let native = vectors.iter().map(|vector| Some(vector.verdict())).collect();
    let mut columns = vec![Column { title: "native", verdicts: native, rounds: false }];
    for (title, mut program) in [
        ("wasmtime", wasmtime),
        ("Node", node("node.mjs", "node.js")),
        ("Node, `/inline`", node("node.mjs", "inline.js")),
        ("Node, `/component`", node("node.mjs", "component/node.js")),
        ("Deno", deno),
        ("Chromium", node("chromium.mjs", "web.js")),
        ("Chromium, `/component`", node("chromium.mjs", "component/web.js")),
        ("workerd", node("workerd.mjs", "workerd.js")),
        ("workerd, `/component`", node("workerd.mjs", "component/workerd.js")),
    ] {
        let answers = Answers::ask(&mut program, vectors)?;
        eprintln!("{title}: {}", answers.verifier);
        let verdicts = vectors.iter().map(|vector| answers.verdict(vector)).collect();
        columns.push(Column { title, verdicts, rounds: title != "wasmtime" });
    }
    Ok(columns)
}
