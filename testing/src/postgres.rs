//! A `PostgreSQL` server of one's own, in a temporary folder.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Debian keeps each version's programs out of the path.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who runs the server when tests run as root, which it refuses to.
const USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts what it is given, and says its process id. Once nobody holds the other end of its input, however they ended, it
/// stops that and removes the folder; told to `leave` it only waits for its end.
const KEEPER: &str = r#"
folder=$1; shift
"$@" >>"$folder/log" 2>&1 &
echo $!
read -r word || { kill -QUIT $!; kill -CONT $!; }
wait $!
[ "$word" ] || rm -rf "$folder"
"#;

/// A server that keeps what it confirms, reached by a socket in its folder. It ends, and its folder goes, when this is
/// dropped or the process ends.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    keeper: Child,
    server: Pid,
    databases: AtomicUsize,
}

/// The folder with `initdb` and the like; of several versions the newest.
#[must_use]
pub fn binaries() -> Option<PathBuf> {
    let installed = fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed.chain(std::env::split_paths(&path)).filter(|folder| folder.join("initdb").is_file());
    found.max_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        version.and_then(|version| version.parse::<u32>().ok())
    })
}

impl Postgres {
    /// A new server.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same, started by another command such as `strace -D`, to which the server's is appended, and which has to become
    /// the server.
    pub fn start_with(by: &[&OsStr]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bandpass-postgres-").tempdir()?.keep();
        if let Some((user, group)) = other_user()? {
            std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
        }
        let data = folder.join("data");
        let mut initdb = program(&folder, "initdb")?;
        initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        output(initdb.arg(data))?;
        let (keeper, server) = keep(&folder, by)?;
        let new = Self { folder, keeper, server, databases: AtomicUsize::new(0) };
        new.wait_until_ready()?;
        Ok(new)
    }

    /// One that all tests of a process share.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: LazyLock<Result<Postgres>> = LazyLock::new(Postgres::start);
        SHARED.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))
    }

    /// Makes an empty database, and returns its URL.
    pub fn database(&self) -> Result<String> {
        // One after the other: while a database is made nobody may use what it is copied from.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// Runs SQL on a database, and returns what it yields, without headings.
    pub fn sql(&self, url: &str, sql: &str) -> Result<String> {
        let mut psql = program(&self.folder, "psql")?;
        output(psql.args(["--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-Atqc", sql, url]))
    }

    /// Process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal to the server and to all that it has started.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.processes()?.into_iter().try_for_each(|pid| send(pid, signal))
    }

    /// Kills the server and all that it has started, so that none of them does anything more.
    pub fn kill(&mut self) -> Result<()> {
        // It could start others otherwise.
        send(self.server, Signal::STOP)?;
        let processes = self.processes()?;
        processes.iter().try_for_each(|pid| send(*pid, Signal::KILL))?;
        if let Some(mut input) = self.keeper.stdin.take() {
            writeln!(input, "leave")?;
        }
        self.keeper.wait()?;
        wait_for("the end of the server", || processes.iter().all(|pid| is_gone(*pid)))
    }

    /// Starts it again, with the data that it left when it was killed.
    pub fn start_again(&mut self) -> Result<()> {
        (self.keeper, self.server) = keep(&self.folder, &[])?;
        self.wait_until_ready()
    }

    fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}/{database}")
    }

    fn wait_until_ready(&self) -> Result<()> {
        let ready =
            wait_for("PostgreSQL", || is_gone(self.server) || self.sql(&self.url("postgres"), "SELECT 1").is_ok());
        if ready.is_err() || is_gone(self.server) {
            bail!("PostgreSQL did not start: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
        Ok(())
    }

    /// The server first, then what it has started.
    fn processes(&self) -> Result<Vec<Pid>> {
        let started = fs::read_dir("/proc")?.flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            (status(pid)?.1 == self.server).then_some(pid)
        });
        Ok(std::iter::once(self.server).chain(started.collect::<Vec<_>>()).collect())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn keep(folder: &Path, by: &[&OsStr]) -> Result<(Child, Pid)> {
    let mut keeper = as_user(folder, "sh")?;
    keeper.args(["-c", KEEPER, "keeper"]).arg(folder).args(by);
    keeper.arg(binaries().context("PostgreSQL is not installed")?.join("postgres")).arg("-D").arg(folder.join("data"));
    // `fsync` and `synchronous_commit` are on unless told otherwise, and what is given here tests could not change.
    for setting in [
        "listen_addresses=",
        "shared_buffers=16MB",
        "max_connections=50",
        &format!("unix_socket_directories={}", folder.display()),
    ] {
        keeper.args(["-c", setting]);
    }
    let mut keeper = keeper
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("starting a shell")?;
    let mut pid = String::new();
    BufReader::new(keeper.stdout.take().context("a pipe")?).read_line(&mut pid)?;
    Ok((keeper, Pid::from_raw(pid.trim().parse()?).context("a process id")?))
}

/// One of `PostgreSQL`'s programs.
fn program(folder: &Path, name: &str) -> Result<Command> {
    as_user(folder, binaries().context("PostgreSQL is not installed: `cargo xtask setup` does that")?.join(name))
}

fn as_user(folder: &Path, program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some((user, group)) = other_user()? {
        command.uid(user).gid(group);
    }
    Ok(command)
}

/// User and group to run as, if it may not be who runs this.
fn other_user() -> Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let user = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|user| user.first() == Some(&USER));
    match user.as_deref() {
        Some([_, _, user, group, ..]) => Ok(Some((user.parse()?, group.parse()?))),
        _ => bail!("there is no user `{USER}`"),
    }
}

/// State and parent of a process that is there.
fn status(pid: Pid) -> Option<(char, Pid)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // Its name, in parentheses, may have anything in it.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.chars().next()?, Pid::from_raw(rest.next()?.parse().ok()?)?))
}

fn is_gone(pid: Pid) -> bool {
    status(pid).is_none_or(|(state, _)| state == 'Z')
}

fn send(pid: Pid, signal: Signal) -> Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > end {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
