//! Running the vectors through any verifier: a process that reads them as lines of JSON and answers each with one.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Vector, Verdict};

/// What a verifier made of the vectors.
#[derive(Debug)]
pub struct Answers {
    /// Its name and version.
    pub verifier: String,
    by_name: BTreeMap<String, Answer>,
}

/// The first line that a verifier prints.
#[derive(Deserialize)]
struct Greeting {
    verifier: String,
}

/// A line for each vector.
#[derive(Debug, Deserialize)]
struct Answer {
    name: String,
    result: Outcome,
    claims: Option<Map<String, Value>>,
    transactions: Option<Vec<Option<String>>>,
    /// Of a refusal by a verifier of ours.
    code: Option<String>,
    #[serde(default)]
    crashed: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Accepted,
    Refused,
}

/// How an answer compares with the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be, whatever reason a refusal gave.
    Right,
    /// Accepted what must be refused.
    Accepted,
    /// Refused what must be accepted.
    Refused,
    /// Accepted, with other claims than were disclosed.
    OtherClaims,
}

impl Answers {
    /// Starts a verifier and asks it about each vector; the verdict is kept from it.
    ///
    /// # Errors
    /// If it can't be started, fails, or leaves a vector without an answer.
    pub fn ask(command: &mut Command, vectors: &[Vector]) -> Result<Self> {
        let program = command.get_program().display().to_string();
        let mut lines = String::new();
        for vector in vectors {
            let mut vector = serde_json::to_value(vector)?;
            vector.as_object_mut().context("a vector is an object")?.remove("result");
            lines += &vector.to_string();
            lines.push('\n');
        }
        let mut verifier = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {program}: run `cargo xtask setup`"))?;
        let mut input = verifier.stdin.take().context("a pipe")?;
        // Apart, for it may answer before everything is written. That it stopped reading shows in its answers.
        let writer = thread::spawn(move || drop(input.write_all(lines.as_bytes())));
        let mut output = BufReader::new(verifier.stdout.take().context("a pipe")?).lines();
        let greeting = output.next().with_context(|| format!("{program} says nothing"))??;
        let greeting = serde_json::from_str::<Greeting>(&greeting).context("the first line names the verifier")?;
        let mut by_name = BTreeMap::new();
        for line in output {
            let line = line?;
            let answer = serde_json::from_str::<Answer>(&line).with_context(|| line.clone())?;
            by_name.insert(answer.name.clone(), answer);
        }
        ensure!(writer.join().is_ok(), "writing to {program}");
        let status = verifier.wait()?;
        ensure!(status.success(), "{program} failed: {status}");
        for vector in vectors {
            ensure!(by_name.contains_key(&vector.name), "{program} gave no answer to {}", vector.name);
        }
        Ok(Self { verifier: greeting.verifier, by_name })
    }

    /// How the answer to a vector compares with its verdict; `None` if there is no answer.
    #[must_use]
    pub fn grade(&self, vector: &Vector) -> Option<Grade> {
        let answer = self.by_name.get(&vector.name)?;
        Some(match (&vector.result, answer.result) {
            (Verdict::Refused { .. }, Outcome::Refused) => Grade::Right,
            (Verdict::Refused { .. }, Outcome::Accepted) => Grade::Accepted,
            (Verdict::Accepted { .. }, Outcome::Refused) => Grade::Refused,
            (Verdict::Accepted { claims, .. }, Outcome::Accepted) => match &answer.claims {
                Some(found) if found != claims => Grade::OtherClaims,
                _ => Grade::Right,
            },
        })
    }

    /// The verdict, where the verifier gives all of it; ours do.
    #[must_use]
    pub fn verdict(&self, vector: &Vector) -> Option<Verdict> {
        let Answer { result, claims, transactions, code, .. } = self.by_name.get(&vector.name)?;
        Some(match result {
            Outcome::Accepted => Verdict::Accepted { claims: claims.clone()?, transactions: transactions.clone()? },
            Outcome::Refused => Verdict::Refused { code: code.clone()? },
        })
    }

    /// Whether the verifier broke down over a vector, and so refused it.
    #[must_use]
    pub fn crashed(&self, vector: &Vector) -> bool {
        self.by_name.get(&vector.name).is_some_and(|answer| answer.crashed)
    }
}

/// Whose rules a vector is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// SD-JWT and what it builds on.
    SdJwt,
    /// Those that SD-JWT VC or Token Status List add, for their credentials alone.
    SdJwtVc,
    /// The band profile's, OpenID4VP's or limits of ours: not a library's for SD-JWTs.
    Others,
}

/// Stages whose checks are the standards' own.
pub const STAGES: &[&str] = &["accept", "token", "issuer", "disclosure", "credential", "holder", "status"];

/// The stage that a vector's name begins with.
#[must_use]
pub fn stage(vector: &Vector) -> &str {
    vector.name.split(['.', '/']).next().unwrap_or_default()
}

/// Whose rules a vector is about. Whatever these are, a vector that must be accepted is a good SD-JWT.
#[must_use]
pub fn rules(vector: &Vector) -> Rules {
    let of_ours = ["band profile", "OpenID4VP", "limit", "trust list"];
    let of_ours = of_ours.iter().any(|ours| vector.section.starts_with(ours));
    let in_a_submission = vector.vp_token.trim_start().starts_with('{');
    let accepted = stage(vector) == "accept";
    // Status lists for mdocs, and certificates, which these libraries leave to their callers.
    let has_cwt = vector.status_lists.iter().any(|token| !token.contains('.'));
    let has_roots = vector.trust["issuers"].as_array().into_iter().flatten().any(|issuer| !issuer["jwks"].is_object());
    let is_bound = vector.expected.binding.is_some();
    if in_a_submission || has_cwt || has_roots || is_bound || !STAGES.contains(&stage(vector)) || of_ours && !accepted {
        Rules::Others
    } else if !accepted && ["SD-JWT VC", "Token Status List"].iter().any(|of| vector.section.starts_with(of)) {
        Rules::SdJwtVc
    } else {
        Rules::SdJwt
    }
}
