//! The npm package: the verifier through wasm-bindgen, and TypeScript around it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

use crate::build::{optimise, rustflags};
use crate::setup::WASM;
use crate::{Project, node_test, run, step};

pub(crate) const TSC: &str = "node_modules/typescript/bin/tsc";

/// Its name in `wasm/`, and what `cargo build` is told.
const MODULES: &[(&str, &[&str])] = &[("verifier", &[]), ("sd-jwt", &["--no-default-features"])];

/// Builds `target/dist/npm`: what `npm pack` there packs is the package. And from it `target/dist/inspector.html`.
pub(crate) fn package(project: &Project) -> Result<()> {
    step("npm package", || {
        let package = begin(project, "npm")?;
        let wasm = package.join("wasm");
        fs::create_dir(&wasm)?;
        for (name, features) in MODULES {
            let made = module(project, name, features)?;
            for file in [format!("{name}.js"), format!("{name}.wasm")] {
                fs::copy(made.join(&file), wasm.join(&file))?;
            }
        }
        let whole = fs::read(wasm.join("verifier.wasm"))?;
        let inline = format!("export default '{}'\n", Base64::encode_string(&whole));
        fs::write(wasm.join("verifier.base64.js"), inline)?;
        let component = project.target.join("dist/verifier.wasm");
        run(npm_program(project, "component.mjs").arg(component).arg(&wasm))?;
        // Comments are for whoever reads declarations.
        for emit in
            [["--declaration", "false", "--removeComments"], ["--emitDeclarationOnly", "--removeComments", "false"]]
        {
            let mut tsc = npm_program(project, TSC);
            run(tsc.args(["--project", "."]).args(emit).arg("--outDir").arg(&package))?;
        }
        let page = project.target.join("dist/inspector.html");
        run(npm_program(project, "inspector/build.mjs").arg(&package).arg(page))
    })
}

/// Empties the folder of a package in `target/dist/`, for what is no longer made must not be packed, and copies what stays
/// as it is.
pub(crate) fn begin(project: &Project, name: &str) -> Result<PathBuf> {
    let package = project.target.join("dist").join(name);
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    fs::create_dir_all(&package)?;
    let own = project.root.join("sdk").join(name);
    for (folder, file) in
        [(&own, "package.json"), (&own, "README.md"), (&project.root, "LICENSE-APACHE"), (&project.root, "LICENSE-MIT")]
    {
        fs::copy(folder.join(file), package.join(file)).with_context(|| file.to_owned())?;
    }
    Ok(package)
}

/// Its tests.
pub(crate) const TESTS: &str = "sdk/npm/test";

/// Checks types that users get.
pub(crate) fn types(project: &Project) -> Result<()> {
    step("npm package's types", || {
        ["test", "inspector"].iter().try_for_each(|folder| run(npm_program(project, TSC).args(["--project", folder])))
    })
}

/// Verifies so often, and looks at the memory that it takes.
pub(crate) fn verify_for_long(project: &Project, verifications: &str) -> Result<()> {
    let test = project.root.join(TESTS).join("memory.test.mjs");
    run(node_test(project).arg(test).env("BANDPASS_VERIFICATIONS", verifications))
}

fn npm_program(project: &Project, program: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(program).current_dir(project.root.join("sdk/npm"));
    node
}

/// Makes a WebAssembly module and the JavaScript next to it, unless that was done from the very same module, and returns
/// their folder.
fn module(project: &Project, name: &str, features: &[&str]) -> Result<PathBuf> {
    let mut cargo = project.cargo("build");
    cargo.args(["--profile", "guest", "--target", WASM, "--package", "bandpass-npm"]).args(features);
    run(cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags(project)?.join("\x1f")))?;
    let built_path = project.target.join(WASM).join("guest/bandpass_npm.wasm");
    let built = fs::read(&built_path)?;
    let folder = project.target.join(WASM).join("npm").join(name);
    let stamp_path = folder.join("made-from");
    let stamp = Sha256::digest(&built);
    if fs::read(&stamp_path).is_ok_and(|made_from| made_from == stamp.as_slice()) {
        return Ok(folder);
    }
    let mut bindgen = Command::new(bindgen(project)?);
    run(bindgen.arg(&built_path).args([name]).arg(&folder))?;
    let glue_path = folder.join(format!("{name}.js"));
    fs::write(&glue_path, without_comments(&fs::read_to_string(&glue_path)?))?;
    // The stack is at the bottom of memory: below 1024 it has overflowed, and what is folded then traps all the same.
    // Functions with one caller stay apart, which packs better.
    let also = ["--one-caller-inline-max-function-size=0", "--low-memory-unused"];
    let optimised = optimise(project, &folder.join(format!("{name}_bg.wasm")), &also)?;
    fs::write(folder.join(format!("{name}.wasm")), optimised)?;
    fs::write(&stamp_path, stamp)?;
    Ok(folder)
}

/// Builds the program around wasm-bindgen, whose dependencies stay out of the project's.
fn bindgen(project: &Project) -> Result<PathBuf> {
    let folder = project.target.join("bindgen");
    let mut cargo = project.cargo("build");
    cargo.args(["--quiet", "--locked", "--manifest-path"]).arg(project.root.join("xtask/bindgen/Cargo.toml"));
    run(cargo.arg("--target-dir").arg(&folder))?;
    Ok(folder.join("debug/bandpass-bindgen"))
}

/// Without what wasm-bindgen takes over from Rust: nobody reads it there.
fn without_comments(script: &str) -> String {
    let mut kept = String::new();
    let mut in_comment = false;
    for line in script.lines() {
        let trimmed = line.trim();
        in_comment |= trimmed.starts_with("/*");
        if !(in_comment || trimmed.is_empty() || trimmed.starts_with("//")) {
            kept.push_str(line);
            kept.push('\n');
        }
        in_comment &= !trimmed.ends_with("*/");
    }
    kept
}
