//! Other people's libraries against the vectors, and the page that says how they fare.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::suite::{Answers, Grade, Rules, STAGES, rules, stage};
use crate::{Vector, generate};

/// Where the page is, in the project's folder.
pub const PAGE: &str = "docs/peers.md";

/// A library, and how it was asked.
struct Peer {
    answers: Answers,
    /// It implements SD-JWT VC, and not SD-JWT alone.
    sd_jwt_vc: bool,
}

impl Peer {
    /// The vectors whose rules are this library's, with its grade.
    fn graded<'a>(&'a self, vectors: &'a [Vector]) -> impl Iterator<Item = (&'a Vector, Grade)> {
        let asked = vectors.iter().filter(|vector| match rules(vector) {
            Rules::SdJwt => true,
            Rules::SdJwtVc => self.sd_jwt_vc,
            Rules::Others => false,
        });
        asked.filter_map(|vector| Some((vector, self.answers.grade(vector)?)))
    }

    /// Right and all of those that `filter` picks, as the tables say it.
    fn score(&self, vectors: &[Vector], filter: impl Fn(&Vector) -> bool) -> String {
        let graded = self.graded(vectors).filter(|(vector, _)| filter(vector)).map(|(_, grade)| grade);
        let grades = graded.collect::<Vec<_>>();
        match grades.iter().filter(|grade| **grade == Grade::Right).count() {
            _ if grades.is_empty() => "–".into(),
            right => format!("{right} of {}", grades.len()),
        }
    }
}

/// The project's folder.
///
/// # Errors
/// If this crate is not in it.
pub fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate is in the project's folder")
}

/// The folder that things are built into.
///
/// # Errors
/// If it can't be told.
pub fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => Ok(std::path::absolute(target)?),
        None => Ok(root()?.join("target")),
    }
}

/// Python with the packages that `cargo xtask setup` installed.
///
/// # Errors
/// If the folder can't be told.
pub fn python() -> Result<Command> {
    Ok(Command::new(target()?.join("python/bin/python")))
}

fn peers(vectors: &[Vector]) -> Result<Vec<Peer>> {
    let adapters = root()?.join("conformance/peers/adapters");
    let mut node = Command::new("node");
    let mut python = python()?;
    let mut sd_jwt_rs = Command::new(target()?.join("peers/release/sd-jwt-rs-adapter"));
    Ok(vec![
        Peer { answers: Answers::ask(node.arg(adapters.join("sd-jwt-vc.mjs")), vectors)?, sd_jwt_vc: true },
        Peer { answers: Answers::ask(&mut sd_jwt_rs, vectors)?, sd_jwt_vc: false },
        Peer { answers: Answers::ask(python.arg(adapters.join("sd-jwt.py")), vectors)?, sd_jwt_vc: false },
    ])
}

/// Runs the vectors through the libraries and writes the page about it.
///
/// # Errors
/// If a library can't be run: `cargo xtask setup` installs them.
pub fn page() -> Result<String> {
    let vectors = generate()?.into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let peers = peers(&vectors)?;
    let judged = vectors.iter().filter(|vector| rules(vector) != Rules::Others).count();
    let mut page = INTRODUCTION.replace("ALL", &vectors.len().to_string()).replace("JUDGED", &judged.to_string());
    let row = |name: &str, filter: &dyn Fn(&Vector) -> bool| {
        let cells = peers.iter().map(|peer| peer.score(&vectors, filter));
        format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let verifiers = peers.iter().map(|peer| peer.answers.verifier.as_str()).collect::<Vec<_>>().join(" | ");
    let rules_of_columns = "---|".repeat(peers.len());
    let mut asked = vectors.iter().filter(|vector| rules(vector) != Rules::Others).collect::<Vec<_>>();
    asked.sort_by_key(|vector| STAGES.iter().position(|name| *name == stage(vector)));
    write!(page, "\n## By stage\n\n| stage | {verifiers} |\n|---|{rules_of_columns}\n")?;
    for name in STAGES.iter().filter(|name| asked.iter().any(|vector| stage(vector) == **name)) {
        page += &row(&format!("`{name}`"), &|vector| stage(vector) == *name);
    }
    page += &row("all", &|_| true);
    page += "\n## By error code\n\nWhat must be refused, by the code that this project's verifier gives it.\n\n";
    write!(page, "| code | {verifiers} |\n|---|{rules_of_columns}\n")?;
    let mut codes = Vec::new();
    for vector in asked {
        if !codes.contains(&code(vector)) && code(vector) != "accept" {
            codes.push(code(vector));
            page += &row(&format!("`{}`", code(vector)), &|other| code(other) == code(vector));
        }
    }
    for peer in &peers {
        write!(page, "\n## {}\n", peer.answers.verifier)?;
        list(&mut page, "Accepts what must be refused", peer, &vectors, Grade::Accepted)?;
        list(&mut page, "Refuses what must be accepted", peer, &vectors, Grade::Refused)?;
        list(&mut page, "Accepts, but reads other claims", peer, &vectors, Grade::OtherClaims)?;
        let crashed =
            peer.graded(&vectors).filter(|(vector, _)| peer.answers.crashed(vector)).map(|(vector, _)| vector);
        let crashed = crashed.map(|vector| format!("`{}`", vector.name)).collect::<Vec<_>>();
        if !crashed.is_empty() {
            write!(page, "\nPanics, which counts as a refusal: {}.\n", crashed.join(", "))?;
        }
    }
    Ok(page)
}

/// The report on one verifier, for whoever tries the vectors on theirs: wrong answers, and a line that counts.
///
/// # Errors
/// If it can't be run.
pub fn report(command: &mut Command) -> Result<String> {
    let vectors = generate()?.into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let peer = Peer { answers: Answers::ask(command, &vectors)?, sd_jwt_vc: true };
    let mut report = String::new();
    for (vector, grade) in peer.graded(&vectors) {
        let wrong = match grade {
            Grade::Right => continue,
            Grade::Accepted => "accepted, must be refused",
            Grade::Refused => "refused, must be accepted",
            Grade::OtherClaims => "accepted, with other claims",
        };
        writeln!(report, "{}: {wrong} ({})", vector.name, vector.section)?;
    }
    writeln!(report, "{}: {} right", peer.answers.verifier, peer.score(&vectors, |_| true))?;
    Ok(report)
}

fn code(vector: &Vector) -> &str {
    vector.name.split('/').next().unwrap_or_default()
}

/// What a library gets wrong in one way, by code.
fn list(page: &mut String, title: &str, peer: &Peer, vectors: &[Vector], wrong: Grade) -> Result<()> {
    let mut by_code = BTreeMap::<_, Vec<_>>::new();
    for (vector, _) in peer.graded(vectors).filter(|(_, grade)| *grade == wrong) {
        let (code, what) = vector.name.split_once('/').context("a name has a code")?;
        by_code.entry(code).or_default().push(what);
    }
    let count = by_code.values().map(Vec::len).sum::<usize>();
    if count > 0 {
        write!(page, "\n{title}: {count}.\n\n")?;
        for (code, names) in by_code {
            writeln!(page, "- `{code}`: {}", names.join(", "))?;
        }
    }
    Ok(())
}

const INTRODUCTION: &str = "\
# Other libraries and the vectors

How libraries that other people wrote fare with the [conformance vectors](../conformance/README.md). `cargo xtask peers`
makes this page; a test fails when it is not what that command makes. Any verifier can be tried the same way: the README
there says how.

## What the figures mean

Each vector is a token with one fault, or with none. A cell says how many a library gets right, of those that concern
it. Of ALL vectors, JUDGED are about the rules of the standards that such a library is for: SD-JWT, SD-JWT VC, and what
these build on. What only the band profile, OpenID4VP or a limit of this project asks is left out, and so are status
lists as CWT and chains of certificates. What SD-JWT VC and Token Status List add does not count for libraries that claim
SD-JWT alone.

- Libraries are set up as their documentation says, with every check on that they offer: nonce and, where it is taken,
  audience, the vector's time and clock tolerance. Nothing was added to them. Their caller finds the issuer's key by
  `iss` and `kid`. Fetching type metadata is off. A vector without a status list is judged without one.
- What a library leaves to its caller counts as not checked. `@sd-jwt/sd-jwt-vc`, for one, hands out the proof, whose
  audience and age a caller can check; all of them hand out the claims, of which a caller can check `vct` or a validity.
  Callers who know that, and do so, are safer than these figures say.
- A refusal counts as right whatever its reason, so a library that stumbles over a token for another cause gets it
  right.
- The vectors are this project's reading of the standards; each names its section. In places the reading is stricter
  than a verifier has to be: signatures are ES256 alone, digests SHA-256, and `vc+sd-jwt` is not `dc+sd-jwt`.
- Numbers of vectors say nothing about how much a fault matters. Some open a way in, such as a proof that is a year old
  or was made for somebody else; many only show that an issuer's or wallet's mistake goes unnoticed.
- The verifier of this project gets all of them right, as it must: the vectors were written with it.
";
