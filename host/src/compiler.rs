//! Compiling, here or in a process of its own.
//!
//! A compiler is much code, and a component can be made to keep it busy or to take all memory. So a plugin is compiled by a
//! child that has limits, which it sets itself before it reads anything.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit};
use wasmtime::{Engine, OutOfMemory};

use crate::cache::Compiled;
use crate::error::{Code, Error, readable};
use crate::runtime::config;

/// Bytes of compiled code.
const MAX_CODE_BYTES: u64 = 512 << 20;
/// Bytes of what the child says.
const MAX_SAID_BYTES: u64 = 4 << 10;
/// How often the child is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How much others come first, from 0 to 19.
const NICENESS: i32 = 10;

/// A program that compiles plugins: it calls [`compile_component`] and turns errors into exit codes, as `bandpass` does.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    limits: CompilerLimits,
}

/// What compiling one plugin may take.
#[derive(Clone, Copy, Debug)]
pub struct CompilerLimits {
    /// Address space in bytes.
    pub memory: u64,
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Time by the clock, which the parent keeps.
    pub wall: Duration,
}

impl Default for CompilerLimits {
    /// A policy in Python, of 18 MB, compiles within.
    fn default() -> Self {
        Self { memory: 2 << 30, cpu_seconds: 120, wall: Duration::from_mins(5) }
    }
}

impl Compiler {
    /// Exit code of the program for a component that is malformed; what is wrong with it is on standard error.
    pub const MALFORMED: u8 = 2;

    /// Runs `program compile-component --memory BYTES --cpu-seconds N` with the component on standard input, and takes
    /// compiled code from its standard output. The code is run as it comes, so the program must be of the same build as this.
    #[must_use]
    pub fn new(program: PathBuf, limits: CompilerLimits) -> Self {
        Self { program, limits }
    }

    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Compiled, Error> {
        let failed =
            |error: std::io::Error| Error::host(Code::HostRuntime, format!("the compiler does not run: {error}"));
        let mut child = Command::new(&self.program)
            .args(["compile-component".into(), OsString::from("--memory"), self.limits.memory.to_string().into()])
            .args(["--cpu-seconds".to_owned(), self.limits.cpu_seconds.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            // A child that ends early leaves the rest unread.
            scope.spawn(move || input.map(|mut input| input.write_all(wasm)));
            let output = scope.spawn(move || read(output, MAX_CODE_BYTES));
            let said = scope.spawn(move || read(said, MAX_SAID_BYTES));
            let status = wait(&mut child, self.limits.wall);
            if !matches!(status, Ok(Some(_))) {
                // Else nobody would close the pipes that are being read.
                let _ = child.kill().and_then(|()| child.wait());
            }
            let (code, said) = (output.join().unwrap_or_default(), said.join().unwrap_or_default());
            let said = readable(String::from_utf8_lossy(&said).trim());
            match status.map_err(failed)? {
                Some(status) if status.success() => Ok(Compiled::by_own_compiler(code)),
                Some(status) if status.code() == Some(Self::MALFORMED.into()) => {
                    Err(Error::host(Code::PluginMalformed, said))
                }
                Some(status) => Err(gave_up(status, &said)),
                None => Err(Error::host(Code::PluginCompile, "compiling the plugin took too long")),
            }
        })
    }
}

fn gave_up(status: ExitStatus, said: &str) -> Error {
    Error::host(Code::PluginCompile, format!("the plugin can't be compiled within the limits: {status} {said}"))
}

/// Everything, up to a limit; then the other end sees that nobody reads.
fn read(source: Option<impl Read>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = source.map(|source| source.take(limit).read_to_end(&mut bytes));
    bytes
}

/// How the child ended; `None` if it takes too long.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// Compiles in this process.
pub(crate) fn precompile(engine: &Engine, wasm: &[u8]) -> Result<Compiled, Error> {
    let code = engine.precompile_component(wasm).map_err(|error| match error.is::<OutOfMemory>() {
        true => Error::host(Code::PluginCompile, "no memory is left to compile the plugin"),
        false => Error::host(Code::PluginMalformed, readable(&error.root_cause().to_string())),
    })?;
    Ok(Compiled::by_own_compiler(code))
}

/// What a [`Compiler`] does: limits this process, which is of no use for anything else afterwards, and compiles what it
/// reads. `memory` is address space in bytes.
///
/// # Errors
/// `plugin.malformed`; `plugin.compile` if memory ran out; `host.runtime` if limits can't be set. A process that runs out of
/// time, or of memory at some other place, is killed.
pub fn compile_component(
    memory: u64,
    cpu_seconds: u64,
    mut wasm: impl Read,
    mut code: impl Write,
) -> Result<(), Error> {
    let runtime = |error: &dyn std::fmt::Display| Error::host(Code::HostRuntime, error);
    let limit = |resource, limit| {
        // Beyond the first the process is told why it ends (SIGXCPU), beyond the second it ends.
        let limits = Rlimit { current: Some(limit), maximum: Some(limit.saturating_add(1)) };
        setrlimit(resource, limits).map_err(|error| runtime(&error))
    };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| runtime(&error))?;
    limit(Resource::Core, 0)?;
    limit(Resource::As, memory)?;
    limit(Resource::Cpu, cpu_seconds)?;
    setpriority_process(None, NICENESS).map_err(|error| runtime(&error))?;
    let mut component = Vec::new();
    wasm.read_to_end(&mut component).map_err(|error| runtime(&error))?;
    let engine = Engine::new(config().parallel_compilation(false)).map_err(|error| runtime(&error))?;
    let compiled = precompile(&engine, &component)?;
    code.write_all(compiled.bytes()).and_then(|()| code.flush()).map_err(|error| runtime(&error))
}
