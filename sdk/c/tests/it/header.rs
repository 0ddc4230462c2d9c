//! `include/bandpass.h` is what the functions are.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::program::{libraries, package};

/// The header as cbindgen makes it of the sources.
fn made() -> Result<String> {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let sources = ["border", "verifier", "session", "link"].map(|module| package().join(format!("src/{module}.rs")));
    let builder = sources.into_iter().fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
    let mut header = Vec::new();
    builder.with_config(config).generate()?.write(&mut header);
    String::from_utf8(header).context("UTF-8")
}

#[test]
fn is_as_it_is_made() -> Result<()> {
    let path = package().join("include/bandpass.h");
    let made = made()?;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        // At once, for others read it meanwhile.
        let new = path.with_extension("new");
        fs::write(&new, &made)?;
        fs::rename(&new, &path)?;
    }
    assert!(fs::read_to_string(&path)? == made, "UPDATE_DOCS=1 writes it anew");
    Ok(())
}

/// Names of the functions that the header declares.
fn functions() -> Result<BTreeSet<String>> {
    let header = fs::read_to_string(package().join("include/bandpass.h"))?;
    let words = header.split(|character: char| !(character.is_ascii_lowercase() || "_(".contains(character)));
    let names = words.filter_map(|word| word.split_once('(')).map(|(name, _)| name);
    Ok(names.filter(|name| name.starts_with("bandpass_")).map(ToOwned::to_owned).collect())
}

/// Names that a library exports, as `nm` lists them.
fn exported(arguments: &[&str], library: &str) -> Result<BTreeSet<String>> {
    let output = Command::new("nm").args(arguments).arg(libraries()?.join(library)).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout)?;
    let names = listed.lines().filter_map(|line| line.split_once(" T ")).map(|(_, name)| name);
    Ok(names.filter(|name| name.starts_with("bandpass_")).map(ToOwned::to_owned).collect())
}

/// Everything that the header declares is in both libraries, and called by a program that is run; the shared library
/// exports nothing else.
#[test]
fn is_what_the_libraries_have() -> Result<()> {
    // That is in the header itself.
    let declared = functions()?.into_iter().filter(|name| name != "bandpass_text").collect::<BTreeSet<_>>();
    ensure!(declared.len() > 30);
    assert_eq!(exported(&["--defined-only", "--extern-only"], "libbandpass_c.a")?, declared);
    assert_eq!(exported(&["--defined-only", "--dynamic"], "libbandpass_c.so")?, declared);
    let mut programs = String::new();
    for program in ["examples/door.c", "tests/c/misuse.c", "tests/c/sessions.c", "tests/c/vectors.c"] {
        programs += &fs::read_to_string(package().join(program))?;
    }
    let uncalled = declared.iter().filter(|name| !programs.contains(&format!("{name}("))).collect::<Vec<_>>();
    assert!(uncalled.is_empty(), "{uncalled:?}");
    Ok(())
}

/// It is C++, too, and may be included twice.
#[test]
fn can_be_included() -> Result<()> {
    let file = tempfile::Builder::new().suffix(".cc").tempfile()?;
    fs::write(
        &file,
        "#include \"bandpass.h\"\n#include \"bandpass.h\"\nint main() { bandpass_bytes_free(nullptr); }\n",
    )?;
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]);
    ensure!(compiler.arg("-I").arg(package().join("include")).arg(file.path()).status()?.success());
    Ok(())
}
