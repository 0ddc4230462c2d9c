//! README.md: its commands and its example as they stand there, and the table of codes.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bandpass_c::Code;

use crate::program::{STRICT, command, libraries, package};
use crate::vectors::{request, vector};

const BEGIN: &str = "<!-- codes: made by `UPDATE_DOCS=1 cargo test -p bandpass-c` -->\n";

#[test]
fn lists_every_code() -> Result<()> {
    let mut table = "| code | what |\n|---|---|\n".to_owned();
    for code in Code::ALL {
        writeln!(table, "| `{code}` | {} |", code.meaning())?;
    }
    let path = package().join("README.md");
    let page = fs::read_to_string(&path)?;
    let (before, _) = page.split_once(BEGIN).context("a place for the table")?;
    let made = format!("{before}{BEGIN}{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made)?;
        return Ok(());
    }
    assert!(page == made, "UPDATE_DOCS=1 writes it anew");
    Ok(())
}

/// In a folder that has what `cargo xtask build` makes.
#[test]
fn does_what_it_says() -> Result<()> {
    let page = fs::read_to_string(package().join("README.md"))?;
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n"))?;
        rest.split_once("```").map(|(block, _)| block)
    };
    let folder = tempfile::tempdir()?;
    let dist = folder.path().join("target/dist/c");
    fs::create_dir_all(&dist)?;
    fs::copy(package().join("include/bandpass.h"), dist.join("bandpass.h"))?;
    for library in ["libbandpass_c.a", "libbandpass_c.so"] {
        std::os::unix::fs::symlink(libraries()?.join(library), dist.join(library))?;
    }
    fs::write(folder.path().join("example.c"), block("c").context("an example")?)?;
    let payment = vector("accept/payment")?;
    let mut request = request(&payment);
    // The list is not at hand.
    request["status"] = false.into();
    for line in block("sh").context("commands")?.lines() {
        let line = line.replace("cc ", &format!("cc {} ", STRICT.join(" ")));
        ensure!(Command::new("sh").args(["-c", &line]).current_dir(&folder).status()?.success(), "{line}");
        let example = |token: &str| {
            let texts = [&payment.trust.to_string(), token, &request.to_string()];
            command(&folder.path().join("example"), false).args(texts).output()
        };
        let accepted = example(&payment.vp_token)?;
        let answer: serde_json::Value = serde_json::from_slice(&accepted.stdout)?;
        assert_eq!((accepted.status.code(), answer[0]["status"].as_str()), (Some(0), Some("not-checked")));
        let refused = example("x")?;
        assert_eq!((refused.status.code(), &refused.stderr[..]), (Some(2), &b"refused: token.malformed\n"[..]));
    }
    Ok(())
}
