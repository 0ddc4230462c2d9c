//! The program, as a user runs it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
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

/// One that runs on. Ended when dropped.
pub(crate) struct Running {
    process: Child,
    /// Lines on its standard output.
    pub(crate) said: Receiver<String>,
    /// Lines on its standard error.
    pub(crate) log: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bandpass"))
            .args(arguments)
            .envs(environment.iter().cloned())
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let (said, log) =
            (lines(process.stdout.take().expect("a pipe")), lines(process.stderr.take().expect("a pipe")));
        Self { process, said, log }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it is there");
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait().expect("it ends")
    }
}

/// Lines as they come.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

pub(crate) fn wait_for(lines: &Receiver<String>, what: &str) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(30)) {
        if line.contains(what) {
            return line;
        }
        seen.push(line);
    }
    panic!("no `{what}` in {seen:#?}")
}
