//! Plugins that are compiled by a process of their own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bandpass::{Compiler, CompilerLimits, Decision, Error, Runtime};

use crate::support::{Host, built};

fn host(limits: CompilerLimits) -> Host {
    let compiler = Compiler::new(PathBuf::from(env!("CARGO_BIN_EXE_bandpass")), limits);
    Host::on(Runtime::without_cache().expect("a runtime").compiling_apart(compiler))
}

/// A function with a great many values that are all needed at its end.
fn laborious() -> Vec<u8> {
    let values = 200_000;
    let calls = "(call $f)".repeat(values);
    let sums = "i32.add ".repeat(values - 1);
    let text = format!(
        "(component (core module (func $f (result i32) i32.const 1) (func (export \"g\") (result i32) {calls} {sums})))"
    );
    wat::parse_str(text).expect("a component")
}

fn refused(limits: CompilerLimits, wasm: &[u8]) -> Error {
    host(limits).load(wasm).err().expect("refused")
}

#[test]
fn a_good_plugin_is_compiled_apart_and_works() {
    let mut host = host(CompilerLimits::default());
    let plugin = host.hostile();
    assert!(matches!(host.decide(&plugin, "allow").decision, Decision::Allow { .. }));
}

#[test]
fn a_plugin_that_takes_too_much_to_compile_is_refused() {
    let laborious = laborious();
    for (what, limits) in [
        ("processor time", CompilerLimits { cpu_seconds: 1, ..CompilerLimits::default() }),
        ("memory", CompilerLimits { memory: 128 << 20, ..CompilerLimits::default() }),
        ("time", CompilerLimits { wall: Duration::from_millis(300), ..CompilerLimits::default() }),
    ] {
        let start = Instant::now();
        let error = refused(limits, &laborious);
        assert_eq!(error.code(), "plugin.compile", "{what}: {error}");
        eprintln!("{what}: {error}, after {:?}", start.elapsed());
    }
}

#[test]
fn what_is_no_component_is_told_apart_from_what_cannot_be_compiled() {
    for malformed in [b"".to_vec(), b"not wasm".to_vec(), wat::parse_str("(module)").expect("a module")] {
        assert_eq!(refused(CompilerLimits::default(), &malformed).code(), "plugin.malformed");
    }
    let missing = Compiler::new(PathBuf::from("/nonexistent/bandpass"), CompilerLimits::default());
    let runtime = Runtime::without_cache().expect("a runtime").compiling_apart(missing);
    let error = Host::on(runtime).load(&built("hostile.wasm")).err().expect("refused");
    assert_eq!(error.code(), "host.runtime");
}
