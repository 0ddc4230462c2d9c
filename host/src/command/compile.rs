//! `bandpass compile-component`: the other side of [`Compiler`]. Not for people.

use std::io;
use std::process::ExitCode;

use bandpass::{Code, Compiler, CompilerLimits, Runtime, compile_component};
use clap::Args;

use crate::FAILURE;
use crate::terminal::plain;

/// Compile a component from standard input to standard output, within limits.
#[derive(Args)]
pub(crate) struct Compile {
    /// Address space in bytes.
    #[arg(long)]
    memory: u64,
    /// Processor time in seconds.
    #[arg(long)]
    cpu_seconds: u64,
}

impl Compile {
    pub(crate) fn run(&self) -> ExitCode {
        match compile_component(self.memory, self.cpu_seconds, io::stdin().lock(), io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}", plain(error.message()));
                match error {
                    bandpass::Error::Host { code: Code::PluginMalformed, .. } => Compiler::MALFORMED.into(),
                    _ => FAILURE.into(),
                }
            }
        }
    }
}

/// A runtime that has plugins compiled by a child of this process.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    let compiler = Compiler::new(std::env::current_exe()?, CompilerLimits::default());
    Ok(Runtime::new()?.compiling_apart(compiler))
}
