//! Sets up, builds, runs and tests Bandpass.

mod build;
mod checkout;
mod fuzz;
mod npm;
mod setup;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Parser;

/// Sets up, builds, runs and tests Bandpass. Each command does all that it needs first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Install what building and testing need; what is there already is left alone.
    Setup,
    /// Build what is shipped: `target/dist/` and `target/release/bandpass`.
    Build,
    /// Run the main job, as a story in the terminal.
    Demo {
        /// Passed on to `bandpass demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Pass every test.
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build and test the npm package and the token inspector alone: `target/dist/npm/`, `target/dist/inspector.html`.
    Npm,
    /// Build everything, and test the checkout element and the examples alone: `target/dist/checkout/`.
    Checkout,
    /// Fuzz what reads bytes that anybody may send.
    Fuzz {
        /// One target; otherwise every one.
        #[arg(long)]
        target: Option<String>,
        /// Seconds for each.
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Fuzz for hours, and append the figures to docs/soak.md.
    Soak {
        /// Hours of processor time over all targets.
        #[arg(long)]
        cpu_hours: f64,
        /// For libFuzzer; by the clock unless given.
        #[arg(long)]
        seed: Option<u32>,
    },
    /// Measure, and print the tables of docs/benchmarks.md.
    Bench,
    /// Run the conformance vectors through the verifier.
    Conformance {
        /// Natively, and in wasmtime, Node, Deno, Chromium and workerd.
        #[arg(long)]
        all_runtimes: bool,
    },
    /// Run the conformance vectors through other people's libraries, and write docs/peers.md.
    Peers,
}

fn main() -> Result<()> {
    if let Some(status) = fuzz::as_rustc() {
        std::process::exit(status?.code().unwrap_or(1));
    }
    let project = Project::find()?;
    match Task::parse() {
        Task::Setup => setup::everything(&project),
        Task::Build => build::everything(&project),
        Task::Demo { arguments } => {
            build::everything(&project)?;
            run(Command::new(project.target.join("release/bandpass")).arg("demo").args(arguments))
        }
        Task::Test { arguments } => test(&project, &arguments),
        Task::Npm => {
            setup::for_build(&project)?;
            setup::debian_packages()?;
            build::verifier(&project)?;
            npm::package(&project)?;
            npm::types(&project)?;
            node_tests(&project, &[npm::TESTS])
        }
        Task::Checkout => {
            setup::debian_packages()?;
            setup::for_examples(&project)?;
            build::everything(&project)?;
            checkout::types(&project)?;
            node_tests(&project, &checkout::TESTS)
        }
        Task::Fuzz { target, seconds } => fuzz::all(&project, target.as_deref(), seconds),
        Task::Soak { cpu_hours, seed } => fuzz::soak(&project, cpu_hours, seed),
        Task::Bench => {
            setup::everything(&project)?;
            build::everything(&project)?;
            // The whole set, as everywhere: for one package alone features differ, and wasmtime would be compiled again.
            run(project.cargo("bench").args([
                "--bench", "verify", "--bench", "host", "--bench", "http", "--bench", "status", "--bench", "curves",
                "--bench", "native",
            ]))?;
            let (program, guest) = build::comparison(&project)?;
            step("verifying, by others too", || {
                run(Command::new(program).arg(guest).arg(project.target.join("dist/verifier.wasm")))
            })?;
            step("verifying in JavaScript, by others too", || {
                run(Command::new("node").arg(project.root.join("conformance/peers/bench/bench.mjs")))
            })
        }
        Task::Conformance { all_runtimes } => {
            if all_runtimes {
                setup::everything(&project)?;
            }
            build::everything(&project)?;
            match all_runtimes {
                true => run(project.cargo("test").args(["--release", "--test", "runtimes", "--", "--nocapture"])),
                false => run(Command::new(project.target.join("release/bandpass")).arg("conformance")),
            }
        }
        Task::Peers => {
            setup::everything(&project)?;
            run(project.cargo("run").args(["--release", "--package", "bandpass-conformance", "--", "peers"]))
        }
    }
}

fn test(project: &Project, arguments: &[String]) -> Result<()> {
    setup::everything(project)?;
    build::everything(project)?;
    // A target without an operating system: what builds here needs no std.
    step("core and session without std", || {
        run(project.cargo("check").args([
            "--profile",
            "guest",
            "--package",
            "bandpass-core",
            "--package",
            "bandpass-proximity",
            "--target",
            setup::BARE_METAL,
        ]))
    })?;
    run(project.cargo("test").arg("--release").args(arguments))?;
    if !arguments.is_empty() {
        return Ok(());
    }
    // For this package alone, so that features of the host's dependencies, and wasmtime with them, stay as they are.
    step("core with p256", || {
        run(project.cargo("test").args(["--release", "--package", "bandpass-core", "--features", "p256"]))
    })?;
    npm::types(project)?;
    checkout::types(project)?;
    node_tests(project, &[&[npm::TESTS], &checkout::TESTS[..]].concat())
}

/// Passes the tests in these folders, two files at a time: most wait for a browser, or a server.
fn node_tests(project: &Project, folders: &[&str]) -> Result<()> {
    step("tests in JavaScript", || {
        let mut files = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(project.root.join(folder)).with_context(|| (*folder).to_owned())? {
                files.push(entry?.path());
            }
        }
        let tests = files.iter().filter(|path| path.to_str().is_some_and(|path| path.ends_with(".test.mjs")));
        run(node_test(project).arg("--test-concurrency=2").args(tests))
    })
}

fn node_test(project: &Project) -> Command {
    let mut node = Command::new("node");
    node.args(["--expose-gc", "--test"]).current_dir(&project.root);
    node.env("BANDPASS_TARGET", &project.target).env("BANDPASS_PACKAGE", project.target.join("dist/npm"));
    node
}

/// Where things are.
struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in the workspace")?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => std::path::absolute(target)?,
            None => root.join("target"),
        };
        Ok(Self { root: root.to_owned(), target })
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).arg(command);
        // What `cargo run` says of this very package. Build scripts look at it: they and all that is built on them would be
        // built anew whenever cargo is called without it, and again with it.
        let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
            cargo.env_remove(name);
        }
        cargo
    }
}

/// Says what is being done, and how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("xtask: {what} ...");
    let start = Instant::now();
    let done = work().with_context(|| what.to_owned())?;
    eprintln!("xtask: {what}: done in {:.1} s", start.elapsed().as_secs_f32());
    Ok(done)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{} failed: {status}", command.get_program().display());
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
