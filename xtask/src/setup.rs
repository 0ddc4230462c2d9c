//! What building and testing need beyond Rust: each step is skipped when it is done.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::{Project, output, run, step};

/// What guests run on.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// What a door controller might run on; it has no std.
pub(crate) const BARE_METAL: &str = "thumbv7em-none-eabi";

/// Everything that any command needs. Much of it is waiting for downloads, so it is done side by side.
pub(crate) fn everything(project: &Project) -> Result<()> {
    for_fuzzing()?;
    thread::scope(|scope| {
        let beside = [
            scope.spawn(|| debian_packages().and_then(|()| python_packages(project))),
            scope.spawn(|| sd_jwt_rs(project).and_then(|()| published_vectors(project))),
        ];
        for_build(project)?;
        rust_target(BARE_METAL)?;
        npm_packages(project, "conformance/peers")?;
        for_examples(project)?;
        beside.into_iter().try_for_each(|work| work.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

/// What building needs.
pub(crate) fn for_build(project: &Project) -> Result<()> {
    require("rustup", "see https://rustup.rs")?;
    require("gcc", "apt-get install gcc")?;
    require("node", "apt-get install nodejs, version 20 or newer")?;
    require("npm", "apt-get install npm")?;
    node_is_new_enough()?;
    rust_target(WASM)?;
    npm_packages(project, "xtask")?;
    npm_packages(project, "sdk/npm")?;
    npm_packages(project, "sdk/checkout")
}

/// What the examples take.
pub(crate) fn for_examples(project: &Project) -> Result<()> {
    npm_packages(project, "examples/browser-checkout")
}

/// What fuzzing needs: libFuzzer is C++.
pub(crate) fn for_fuzzing() -> Result<()> {
    require("g++", "apt-get install g++")
}

/// The first Chromium whose wallet tests can play (`DigitalCredentials.setVirtualWalletBehavior`), as far as was tried.
const CHROMIUM: u32 = 156;

/// What tests start: a `PostgreSQL` of their own, `strace` to see what is synced when, `valgrind` to see what programs in C do
/// with memory and to count instructions, and Chromium for pages.
pub(crate) fn debian_packages() -> Result<()> {
    let is_there =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if is_there("strace")
        && is_there("valgrind")
        && chromium().is_some_and(|version| version >= CHROMIUM)
        && bandpass_testing::binaries().is_some()
    {
        return Ok(());
    }
    let install = ["install", "-y", "--no-install-recommends", "chromium", "postgresql", "strace", "valgrind"];
    if !output(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0") {
        bail!(
            "Chromium {CHROMIUM}, PostgreSQL, strace or valgrind is missing: sudo apt-get update; sudo apt-get {}",
            install.join(" ")
        );
    }
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    step("Chromium, PostgreSQL, strace and valgrind", || {
        // The lists of packages may be missing or old.
        run(apt().arg("update"))?;
        run(apt().args(install))
    })
}

/// The version of Chromium, if it is there.
fn chromium() -> Option<u32> {
    let version = output(Command::new("/usr/bin/chromium").arg("--version")).ok()?;
    version.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

fn require(program: &str, remedy: &str) -> Result<()> {
    match Command::new(program).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!("`{program}` is missing: {remedy}"),
    }
}

fn node_is_new_enough() -> Result<()> {
    let version = output(Command::new("node").arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        bail!("node {} is too old: version 20 or newer is needed", version.trim());
    }
    Ok(())
}

fn rust_target(target: &str) -> Result<()> {
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    step(&format!("rustup target add {target}"), || run(Command::new("rustup").args(["target", "add", target])))
}

/// Installs the packages that a folder's lock file names, unless just those are there.
fn npm_packages(project: &Project, folder: &str) -> Result<()> {
    let folder_path = project.root.join(folder);
    let lock =
        fs::read(folder_path.join("package-lock.json")).with_context(|| format!("{folder}/package-lock.json"))?;
    let stamp = folder_path.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step(&format!("npm ci in {folder}"), || {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder_path))?;
        Ok(fs::write(stamp, &lock)?)
    })
}

/// Installs Python packages with the hashes that `requirements.txt` names into a folder of their own, unless just those
/// are there.
fn python_packages(project: &Project) -> Result<()> {
    let requirements_path = project.root.join("conformance/peers/requirements.txt");
    let requirements = fs::read_to_string(&requirements_path).context("conformance/peers/requirements.txt")?;
    require("python3", "apt-get install python3 python3-venv")?;
    // Packages are for one version of Python.
    let wanted = output(Command::new("python3").arg("--version"))? + &requirements;
    let folder = project.target.join("python");
    let stamp = folder.join("installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        bail!("Python's `venv` is missing: apt-get install python3-venv");
    }
    step("Python packages", || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]);
        run(pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "-r"]).arg(&requirements_path))?;
        Ok(fs::write(stamp, wanted)?)
    })
}

/// Builds the program around sd-jwt-rs, whose dependencies stay out of the project's.
fn sd_jwt_rs(project: &Project) -> Result<()> {
    let manifest = project.root.join("conformance/peers/adapters/sd-jwt-rs/Cargo.toml");
    let mut cargo = project.cargo("build");
    cargo.args(["--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    step("sd-jwt-rs", || run(cargo.arg("--target-dir").arg(project.target.join("peers"))))
}

/// Crates that ship other people's vectors; they are read, never built.
fn published_vectors(project: &Project) -> Result<()> {
    let manifest = project.root.join("conformance/published/Cargo.toml");
    let fetch = |offline: &[&str]| {
        let mut cargo = project.cargo("fetch");
        cargo.args(["--quiet", "--locked", "--manifest-path"]).arg(&manifest).args(offline);
        cargo
    };
    if fetch(&["--offline"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    step("fetching crates that ship vectors", || run(&mut fetch(&[])))
}
