//! `bandpass conformance`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anstream::println;
use anyhow::{Context as _, Result};
use bandpass::{Runtime, run_vector};
use bandpass_conformance::{File, Vector, Verdict as Expected, generate};
use clap::Args;
use serde_json::{Value, json};

use crate::terminal::line;
use crate::{Verdict, input};

/// Run the conformance vectors through the verifier.
#[derive(Args)]
pub(crate) struct Conformance {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Answer vectors as they come on standard input, a line each, as `conformance/README.md` says.
    #[arg(long, conflicts_with_all = ["json", "files"])]
    answer: bool,
    /// Files of vectors; those that this program knows, unless given.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Conformance {
    pub(crate) fn run(self) -> Result<Verdict> {
        let runtime = Runtime::new()?;
        if self.answer {
            return answer(&runtime);
        }
        // Passed and failed, by the code that the name begins with.
        let mut table = BTreeMap::<String, (usize, usize)>::new();
        let mut failed = Vec::new();
        for vector in self.vectors()? {
            let found = run_vector(&runtime, &vector);
            let code = vector.name.split('/').next().unwrap_or_default();
            let row = table.entry(code.to_owned()).or_default();
            if found == vector.result {
                row.0 += 1;
            } else {
                row.1 += 1;
                failed.push((vector, found));
            }
        }
        let passed = table.values().map(|(passed, _)| passed).sum::<usize>();
        if self.json {
            let failed = failed.iter().map(|(vector, found)| {
                json!({"name": vector.name, "expected": summary(&vector.result), "found": summary(found)})
            });
            println!("{}", json!({"passed": passed, "failed": failed.collect::<Vec<Value>>()}));
        } else {
            for (code, (passed, failed)) in &table {
                println!("{:28}{passed:5} passed{failed:5} failed", line(code));
            }
            for (vector, found) in &failed {
                println!("{}: {}, not {}", line(&vector.name), summary(found), summary(&vector.result));
            }
            println!("{passed} passed, {} failed", failed.len());
        }
        Ok(if failed.is_empty() { Verdict::Accepted } else { Verdict::Rejected })
    }

    fn vectors(&self) -> Result<Vec<Vector>> {
        if self.files.is_empty() {
            return Ok(generate()?.into_values().flat_map(|file| file.vectors).collect());
        }
        let mut vectors = Vec::new();
        for path in &self.files {
            let file = serde_json::from_slice::<File>(&input::file(path)?);
            vectors.extend(file.with_context(|| path.display().to_string())?.vectors);
        }
        Ok(vectors)
    }
}

/// The verdict on each, which lines don't give away.
fn answer(runtime: &Runtime) -> Result<Verdict> {
    println!("{}", json!({"verifier": concat!("bandpass ", env!("CARGO_PKG_VERSION"), ", wasmtime")}));
    for line in std::io::stdin().lines() {
        let mut vector = serde_json::from_str::<Value>(&line?).context("a vector")?;
        let members = vector.as_object_mut().context("a vector is an object")?;
        members.insert("result".into(), json!({"code": ""}));
        let vector = serde_json::from_value::<Vector>(vector).context("a vector")?;
        let answer = match run_vector(runtime, &vector) {
            Expected::Accepted { claims, transactions } => {
                json!({"name": vector.name, "result": "accepted", "claims": claims, "transactions": transactions})
            }
            Expected::Refused { code } => json!({"name": vector.name, "result": "refused", "code": code}),
        };
        println!("{answer}");
    }
    Ok(Verdict::Accepted)
}

fn summary(verdict: &Expected) -> Value {
    match verdict {
        Expected::Accepted { .. } => "accepted".into(),
        Expected::Refused { code } => code.as_str().into(),
    }
}
