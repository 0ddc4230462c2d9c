//! Guests, then the host that carries the verifier in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use wit_component::ComponentEncoder;

use crate::setup::{self, WASM};
use crate::{Project, checkout, npm, run, step};

/// A crate that becomes a component, and where that goes below the target folder.
struct Guest {
    package: &'static str,
    component: &'static str,
}

const VERIFIER: Guest = Guest { package: "bandpass-component", component: "dist/verifier.wasm" };

/// Each is built by itself: what one needs of std must not get into another.
const GUESTS: &[Guest] = &[
    Guest { package: "retail-checkout", component: "dist/plugins/retail-checkout.wasm" },
    Guest { package: "sign-in", component: "dist/plugins/sign-in.wasm" },
    Guest { package: "cinema-ticket", component: "dist/plugins/cinema-ticket.wasm" },
    Guest { package: "hotel-door", component: "dist/plugins/hotel-door.wasm" },
    Guest { package: "bandpass-gate", component: "gate.wasm" },
    Guest { package: "bandpass-no-ledger", component: "no-ledger.wasm" },
    Guest { package: "hostile", component: "hostile.wasm" },
];

/// Builds `target/dist/`, `target/hostile.wasm` and `target/release/bandpass`.
pub(crate) fn everything(project: &Project) -> Result<()> {
    setup::for_build(project)?;
    verifier(project)?;
    // The package takes the verifier, and none of the others; linking and optimising take one core each.
    thread::scope(|scope| {
        let packages = scope.spawn(|| npm::package(project).and_then(|()| checkout::package(project)));
        step("guests", || GUESTS.iter().try_for_each(|guest| build(project, guest)))?;
        packages.join().unwrap_or_else(|_| bail!("a thread panicked"))
    })?;
    // With examples, which take the dependencies of tests: without those features would change, and wasmtime be compiled again.
    step("host", || run(project.cargo("build").args(["--release", "--lib", "--bins", "--examples"])))?;
    step("libraries for C", || c(project))
}

/// Puts what programs in C are built with into `target/dist/c`.
fn c(project: &Project) -> Result<()> {
    let dist = project.target.join("dist/c");
    fs::create_dir_all(&dist)?;
    fs::copy(project.root.join("sdk/c/include/bandpass.h"), dist.join("bandpass.h"))?;
    for library in ["libbandpass_c.a", "libbandpass_c.so"] {
        let copy = dist.join(library);
        fs::copy(project.target.join("release").join(library), &copy).with_context(|| library.to_owned())?;
        run(Command::new("strip").arg("--strip-unneeded").arg(&copy))?;
    }
    Ok(())
}

/// Builds `target/dist/verifier.wasm` alone.
pub(crate) fn verifier(project: &Project) -> Result<()> {
    step("verifier", || build(project, &VERIFIER))
}

fn build(project: &Project, guest: &Guest) -> Result<()> {
    let mut cargo = project.cargo("build");
    cargo.args(["--profile", "guest", "--target", WASM, "--package", guest.package]);
    run(cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags(project)?.join("\x1f")))?;
    component(project, guest)
}

/// Builds the program that compares with others, whose dependencies stay out of the project's, and the module that it and
/// `bench.mjs` run.
pub(crate) fn comparison(project: &Project) -> Result<(PathBuf, PathBuf)> {
    let target = project.target.join("peers");
    let build = |arguments: &[&str]| {
        let mut cargo = project.cargo("build");
        cargo.args(["--quiet", "--locked", "--manifest-path", "conformance/peers/bench/native/Cargo.toml"]);
        run(cargo.arg("--target-dir").arg(&target).args(arguments))
    };
    step("one signature in WebAssembly", || {
        build(&["--package", "bandpass-bench-guest", "--profile", "guest", "--target", WASM])
    })?;
    step("others' libraries", || build(&["--release"]))?;
    Ok((target.join("release/bandpass-bench"), target.join(WASM).join("guest/bandpass_bench_guest.wasm")))
}

/// Panic messages and debug information name source files: without this the digest would depend on where they are.
pub(crate) fn rustflags(project: &Project) -> Result<Vec<String>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("no home folder")?;
    Ok(vec![
        format!("--remap-path-prefix={}=bandpass", project.root.display()),
        format!("--remap-path-prefix={}=cargo", home.display()),
        "-Clink-arg=-zstack-size=65536".into(),
        // A loop in place of 64 rounds written out: seven kilobytes less.
        r#"--cfg=sha2_backend_soft="compact""#.into(),
    ])
}

/// Optimises a guest's module and makes a component of it, unless that was done to the very same module.
fn component(project: &Project, guest: &Guest) -> Result<()> {
    let module_name = format!("{}.wasm", guest.package.replace('-', "_"));
    let module_path = project.target.join(WASM).join("guest").join(module_name);
    let module = fs::read(&module_path).with_context(|| module_path.display().to_string())?;
    let component_path = project.target.join(guest.component);
    let stamp_path = module_path.with_extension("made-from");
    let stamp = Sha256::digest(&module);
    if component_path.exists() && fs::read(&stamp_path).is_ok_and(|made_from| made_from == stamp.as_slice()) {
        return Ok(());
    }
    let optimised = optimise(project, &module_path, &[])?;
    let component = ComponentEncoder::default().validate(true).module(&optimised)?.encode()?;
    let component = without_names(&component).context("sections")?;
    if let Some(folder) = component_path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&component_path, &component)?;
    fs::write(&stamp_path, stamp)?;
    eprintln!("xtask: {}: {} bytes", guest.component, component.len());
    Ok(())
}

/// Without the names that nothing but a debugger looks at (custom section `component-name`): three kilobytes.
fn without_names(component: &[u8]) -> Option<Vec<u8>> {
    let (preamble, mut rest) = component.split_at_checked(8)?;
    let mut kept = preamble.to_vec();
    while !rest.is_empty() {
        // Its id, its length in LEB128, and its content, which in a custom section starts with its name.
        let digits = 1 + rest.iter().skip(1).position(|byte| *byte < 0x80)?;
        let length = rest.get(1..=digits)?.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        let (section, behind) = rest.split_at_checked(1 + digits + length)?;
        if !(section.first() == Some(&0) && section.get(1 + digits..)?.starts_with(b"\x0ecomponent-name")) {
            kept.extend_from_slice(section);
        }
        rest = behind;
    }
    Some(kept)
}

/// Runs wasm-opt over a module.
pub(crate) fn optimise(project: &Project, module: &Path, also: &[&str]) -> Result<Vec<u8>> {
    let optimised = module.with_extension("optimised.wasm");
    let mut wasm_opt = Command::new("node");
    wasm_opt.arg(project.root.join("xtask/node_modules/binaryen/bin/wasm-opt"));
    wasm_opt.args(["--generate-global-effects", "-Oz", "--converge"]).args(also);
    // What rustc's wasm32-unknown-unknown uses; browsers, workerd and wasmtime all have it by default.
    for feature in
        ["bulk-memory", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "sign-ext"]
    {
        wasm_opt.arg(format!("--enable-{feature}"));
    }
    run(wasm_opt.args(["--strip-debug", "--strip-producers", "-o"]).arg(&optimised).arg(module))?;
    Ok(fs::read(&optimised)?)
}
