//! Programs in C.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};

/// What gcc may find wrong.
pub(crate) const STRICT: [&str; 5] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];
/// What goes with the static library.
const SYSTEM: [&str; 5] = ["-Wl,--gc-sections", "-lgcc_s", "-lpthread", "-lm", "-ldl"];

/// What a program is linked with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linking {
    Static,
    Shared,
}

pub(crate) const BOTH: [Linking; 2] = [Linking::Static, Linking::Shared];

/// Files of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Cargo puts the libraries: beside the tests.
pub(crate) fn libraries() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.parent().context("a test is in a folder")?.to_owned())
}

/// Programs that were built; whoever starts one must not find it half written.
static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Builds a program from a file of this package, unless that was done.
pub(crate) fn build(source: &str, linking: Linking) -> Result<PathBuf> {
    let source = package().join(source);
    let name = source.file_stem().and_then(|name| name.to_str()).context("a name")?;
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{linking:?}"));
    let mut built = BUILT.lock().map_err(|_| anyhow!("another test panicked"))?;
    if !built.insert(program.clone()) {
        return Ok(program);
    }
    let libraries = libraries()?;
    let mut gcc = Command::new("gcc");
    gcc.args(STRICT).arg("-g").arg("-I").arg(package().join("include")).arg(&source);
    match linking {
        Linking::Static => gcc.arg(libraries.join("libbandpass_c.a")).args(SYSTEM),
        Linking::Shared => {
            gcc.arg("-L").arg(&libraries).arg("-lbandpass_c").arg(format!("-Wl,-rpath,{}", libraries.display()))
        }
    };
    ensure!(gcc.arg("-o").arg(&program).status()?.success(), "{}", source.display());
    Ok(program)
}

/// A program, under valgrind if that is wanted: an error in memory, or anything that was not freed, is exit code 9.
pub(crate) fn command(program: &Path, valgrind: bool) -> Command {
    let mut command = Command::new(if valgrind { "valgrind".as_ref() } else { program });
    if valgrind {
        command.args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=all"]);
        command.arg("--show-leak-kinds=all").arg(program);
    }
    // Cargo's, in which an older library may come first.
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs a program to its end with this input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<Output> {
    let name = command.get_program().display().to_string();
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}: run `cargo xtask setup`"))?;
    let mut pipe = running.stdin.take().context("a pipe")?;
    thread::scope(|scope| {
        // Apart, for it may answer before everything is written. That it stopped reading shows in its answers.
        scope.spawn(move || drop(pipe.write_all(input)));
        let output = running.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {}: {said}", output.status);
        Ok(output)
    })
}

/// Other people's bytes; `None` in a clone that lies alone.
pub(crate) fn shared(name: &str) -> Option<String> {
    let path = package().join("../../../shared/data").join(name);
    let read = fs::read_to_string(&path).ok();
    if read.is_none() {
        println!("left out: {} is not there", path.display());
    }
    read
}
