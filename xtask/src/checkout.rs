//! The npm package `@bandpass/checkout`, and the examples.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::npm::{self, TSC};
use crate::{Project, node_test, run, step};

const MANIFEST: &str = "node_modules/@custom-elements-manifest/analyzer/cem.js";

/// Builds `target/dist/checkout`: what `npm pack` there packs is the package.
pub(crate) fn package(project: &Project) -> Result<()> {
    step("checkout element", || {
        let package = npm::begin(project, "checkout")?;
        // Types are checked, and declared; the module itself is one file, for pages without a bundler.
        run(program(project, TSC).args(["--project", ".", "--outDir"]).arg(&package))?;
        let mut esbuild = program(project, "node_modules/esbuild/bin/esbuild");
        esbuild.args([
            "src/index.ts",
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
            "--log-level=warning",
        ]);
        run(esbuild.arg(format!("--outfile={}", package.join("index.js").display())))?;
        // It takes folders below its own only.
        let manifest = "node_modules/.manifest";
        run(program(project, MANIFEST).args(["analyze", "--quiet", "--outdir", manifest]))?;
        let made = project.root.join("sdk/checkout").join(manifest).join("custom-elements.json");
        fs::copy(&made, package.join("custom-elements.json")).with_context(|| made.display().to_string())?;
        Ok(())
    })
}

/// Tests of the package, and of the examples.
pub(crate) const TESTS: [&str; 3] =
    ["sdk/checkout/test", "examples/browser-checkout/test", "examples/edge-worker/test"];

/// Checks types that users get.
pub(crate) fn types(project: &Project) -> Result<()> {
    step("checkout element's types", || run(program(project, TSC).args(["--project", "test"])))
}

/// Sells so often at the edge, where one policy of a hundred traps.
pub(crate) fn sell_for_long(project: &Project, purchases: &str) -> Result<()> {
    let test = project.root.join("examples/edge-worker/test/others.test.mjs");
    run(node_test(project).arg(test).env("BANDPASS_EDGE_REQUESTS", purchases))
}

fn program(project: &Project, program: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(program).current_dir(project.root.join("sdk/checkout"));
    node
}
