//! The program, as a user runs it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {} {}", self.stdout, self.stderr))
    }
}

/// In a folder, with what comes on its standard input.
pub(crate) fn bandpass<S: AsRef<OsStr>>(folder: &Path, arguments: &[S], input: &[u8]) -> Ran {
    let mut process = Command::new(env!("CARGO_BIN_EXE_bandpass"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // The program may have read enough before the end.
    let _ = process.stdin.take().expect("a pipe").write_all(input);
    let Output { status, stdout, stderr } = process.wait_with_output().expect("ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { code: status.code().expect("no signal"), stdout: text(stdout), stderr: text(stderr) }
}
