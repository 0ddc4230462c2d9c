//! What was written to a log and synced between two answers.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const ANSWERS: usize = 20;
const CALLS: &str = "trace=write,pwrite64,fsync,fdatasync,sendto";

#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// Writes to the log that were synced.
    synced: usize,
    /// Writes to the log that were not.
    unsynced: usize,
}

/// Reads what strace wrote.
fn answers(trace: &str, log: &str, answer: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut current = Answer::default();
    // By the process, how many writes a sync covers that has begun.
    let mut syncing = HashMap::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').expect("a process and its call");
        let call = call.trim_start();
        let of_log = call.split_once('>').is_some_and(|(start, _)| start.contains(log));
        if call.contains(answer) {
            answers.push(current);
            current.synced = 0;
        } else if of_log && call.starts_with("pwrite64(") {
            current.unsynced += 1;
        } else if of_log && (call.starts_with("fdatasync(") || call.starts_with("fsync(")) {
            syncing.insert(process, current.unsynced);
        }
        if call.contains("sync") && call.ends_with(" = 0") {
            let covered = syncing.remove(process).unwrap_or_default().min(current.unsynced);
            current.synced += covered;
            current.unsynced -= covered;
        }
    }
    answers
}

async fn answer(store: &Store, mut say: impl FnMut(usize)) {
    for number in 1..=ANSWERS {
        put(store, thing::<1>(&number.to_string(), 1)).await.expect("written");
        say(number);
    }
}

fn say(number: usize) {
    let mut out = std::io::stdout();
    out.write_all(format!("answer {number}\n").as_bytes()).and_then(|()| out.flush()).expect("printed");
}

#[test]
fn what_was_not_synced_is_found() {
    let trace = r#"
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
2 pwrite64(4</x/other>, "a"..., 4096, 0) = 4096
1 fdatasync(3</x/log> <unfinished ...>
2 write(1</dev/null>, "answer 1\n", 9) = 9
1 <... fdatasync resumed>) = 0
2 write(1</dev/null>, "answer 2\n", 9) = 9
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
1 fdatasync(3</x/log>) = 0
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
1 fdatasync(4</x/other>) = 0
2 write(1</dev/null>, "answer 3\n", 9) = 9
1 fdatasync(3</x/log>) = -1 EIO (Input/output error)
2 write(1</dev/null>, "answer 4\n", 9) = 9"#;
    let found = answers(trace.trim(), "/log", "\"answer ");
    let found = found.iter().map(|answer| (answer.synced, answer.unsynced)).collect::<Vec<_>>();
    assert_eq!(found, [(0, 1), (1, 0), (1, 1), (0, 1)]);
}

#[test]
#[ignore = "a test traces this in a process of its own"]
fn is_traced() {
    if let Ok(location) = std::env::var("BANDPASS_TRACED_STORE") {
        block_on(answer(&Store::open(&location).expect("opens"), say));
    }
}

#[test]
fn a_file_is_synced_before_each_answer() {
    let place = Place::file();
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let status = Command::new("strace")
        .args(["-f", "-y", "-e", CALLS, "-e", "signal=none", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["store::tests::syncs::is_traced", "--exact", "--ignored", "--nocapture"])
        .env("BANDPASS_TRACED_STORE", place.location())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("strace runs").success());
    let trace = std::fs::read_to_string(trace.path()).expect("read");
    let answers = answers(&trace, "/state-wal", "\"answer ");
    assert_eq!(answers.len(), ANSWERS, "{trace}");
    assert!(answers.iter().all(|answer| answer.synced > 0 && answer.unsynced == 0), "{answers:?}");
}

#[test]
fn a_server_syncs_before_each_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    // The server may run as another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("opened");
    let trace = folder.path().join("trace");
    let strace = ["strace", "-D", "-f", "-y", "-e", CALLS, "-e", "signal=none", "-o"];
    let strace = strace.map(OsStr::new).into_iter().chain([trace.as_os_str()]).collect::<Vec<_>>();
    let server = Postgres::start_with(&strace).expect("a server");
    let url = server.database().expect("a database");
    Store::migrate(&url).expect("migrated");
    let store = Store::open(&url).expect("opens");
    let before = std::fs::read_to_string(&trace).expect("read").len();
    block_on(answer(&store, |_| ()));
    drop(server);
    let trace = std::fs::read_to_string(&trace).expect("read");
    // Between a sync and the answer the server's other processes may write more.
    let answers = answers(&trace[before..], "/pg_wal/", "COMMIT\\0");
    assert_eq!(answers.len(), ANSWERS);
    assert!(answers.iter().all(|answer| answer.synced > 0), "{answers:?}");
}
