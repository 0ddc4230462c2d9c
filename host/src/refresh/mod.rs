//! Keeps trust list and status lists fresh in the background. Verification never waits for it.

mod fetch;
mod schedule;
mod timing;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bandpass_core::{Challenge, Trust};

pub use fetch::SourceKind;
pub(crate) use fetch::{Client, check_url};
pub(crate) use schedule::Schedule;
pub(crate) use timing::BackOff;

use self::fetch::Fetched;
use self::schedule::{Got, Job, Mark, Purpose, Stamp, Task, Todo};
use crate::error::{Code, Error};
use crate::host::Host;

/// Sources that are read at a time, so that a slow server does not keep the others waiting.
const THREADS: usize = 4;

/// Where something comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file, read again when it changes.
    File(PathBuf),
    /// An `https` URL, or an `http` URL of this very machine.
    Url(String),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// What a host refreshes, besides the status lists that credentials name.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The trust list; none if it stays as it is.
    pub trust: Option<Location>,
    /// Where the newest trust list that was fetched is kept, so that a host can start without its server.
    pub trust_copy: Option<PathBuf>,
    /// Status list tokens.
    pub status_lists: Vec<Location>,
    /// Certificates (PEM) of those who may vouch for servers, in place of those that the platform trusts.
    pub authorities: Option<Vec<u8>>,
}

/// How fresh something is. Times are seconds since 1970.
#[derive(Clone, Debug)]
pub struct SourceState {
    /// What it is.
    pub kind: SourceKind,
    /// Where it comes from: a path or a URL.
    pub location: String,
    /// Whether the configuration names it; if not, a credential did.
    pub configured: bool,
    /// When it was last found good, were it unchanged.
    pub last_success: Option<u64>,
    /// When it was last asked for.
    pub last_attempt: Option<u64>,
    /// Why the last attempt failed, if it did: `fetch.*`, or what the verifier refuses (`trust.malformed`, `status.*`).
    pub last_error: Option<Error>,
    /// When it is asked for next.
    pub next_attempt: u64,
    /// Of a status list that is held: from then on it does not count any more.
    pub fresh_until: Option<u64>,
}

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Refreshes a host until it is dropped.
pub struct Refresher {
    schedule: Arc<Schedule>,
    clock: Clock,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread works with.
struct Worker {
    host: Host,
    client: Client,
    clock: Clock,
    schedule: Arc<Schedule>,
    trust_copy: Option<PathBuf>,
}

impl Refresher {
    /// Starts to refresh `host`, every source at once, on threads of its own. A host has one refresher: the newest. `clock`
    /// tells seconds since 1970.
    ///
    /// # Errors
    /// `config.malformed` if the authorities are no certificates, `host.runtime` if there can be no threads.
    pub fn start(
        host: &Host,
        sources: &Sources,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let client = Client::new(sources.authorities.as_deref());
        let client = client.map_err(|why| Error::host(Code::ConfigMalformed, format!("fetch.ca: {why}")))?;
        let trust = sources.trust.iter().map(|location| Job::new(Purpose::Trust, location.clone()));
        let lists = sources.status_lists.iter().map(|location| Job::new(Purpose::Configured, location.clone()));
        let schedule = Arc::new(Schedule::new(trust.chain(lists)));
        let clock = Arc::new(clock);
        let worker = Arc::new(Worker {
            host: host.clone(),
            client,
            clock: clock.clone(),
            schedule: schedule.clone(),
            trust_copy: sources.trust_copy.clone(),
        });
        let mut refresher = Self { schedule: schedule.clone(), clock, threads: Vec::new() };
        for number in 0..THREADS {
            let (worker, name) = (worker.clone(), format!("bandpass-refresh-{number}"));
            let thread = std::thread::Builder::new().name(name).spawn(move || worker.work());
            refresher.threads.push(thread.map_err(|error| Error::host(Code::HostRuntime, error))?);
        }
        host.refresh_by(&schedule);
        Ok(refresher)
    }

    /// What is refreshed, and how fresh it is: configured sources first, then status lists that credentials named.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceState> {
        let (now, instant) = ((self.clock)(), Instant::now());
        self.schedule.states(|job| SourceState {
            kind: job.purpose.kind(),
            location: job.location.to_string(),
            configured: !matches!(job.purpose, Purpose::Wanted { .. }),
            last_success: job.last_success,
            last_attempt: job.last_attempt,
            last_error: job.last_error.clone(),
            next_attempt: now.saturating_add(job.due.saturating_duration_since(instant).as_secs()),
            fresh_until: job.held.as_ref().map(|held| {
                let oldest = held.issued_at.saturating_add(Challenge::DEFAULT_STATUS_MAX_AGE.into());
                held.expires.unwrap_or(u64::MAX).min(oldest)
            }),
        })
    }

    /// Asks for everything now, whatever has failed before.
    pub fn refresh_now(&self) {
        self.schedule.hurry();
    }

    /// Waits until every configured source was asked for once. False if that took longer than `timeout`.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        self.schedule.wait_until_tried(timeout)
    }

    /// Stops, and waits for what is under way: ten seconds at most, the time that a server gets to answer, for each of the
    /// places that it may send on to. Dropping stops as well, without waiting.
    pub fn stop(mut self) {
        self.schedule.stop();
        for thread in std::mem::take(&mut self.threads) {
            // Nothing panics there; if something does, it is over as well.
            let _ = thread.join();
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.schedule.stop();
    }
}

impl Worker {
    fn work(&self) {
        while let Some(todo) = self.schedule.next() {
            match todo {
                Todo::Forget(info) => {
                    if let Err(error) = self.host.forget_status(&info) {
                        tracing::error!("the status list `{}` can't be given up: {error}", info.uri);
                    }
                }
                Todo::Attempt(task) => {
                    let got = self.attempt(&task);
                    self.schedule.done(&task, got, (self.clock)());
                }
            }
        }
    }

    fn attempt(&self, task: &Task) -> Result<Got, Error> {
        let kind = task.purpose.kind();
        let (body, mark, max_age) = match &task.location {
            Location::File(path) => match read_file(path, kind.limit(), task.mark.stamp)? {
                None => return Ok(Got::unchanged(None)),
                Some((body, stamp)) => (body, Mark { stamp: Some(stamp), etag: None }, None),
            },
            Location::Url(url) => {
                let may_fetch = |url: &str| match &task.purpose {
                    Purpose::Wanted { issuer } => self.host.names_status_uri(issuer, url),
                    Purpose::Trust | Purpose::Configured => true,
                };
                match self.client.fetch(kind, url, task.mark.etag.as_deref(), &may_fetch)? {
                    Fetched::NotModified { max_age } => return Ok(Got::unchanged(max_age)),
                    Fetched::New { body, etag, max_age } => (body, Mark { stamp: None, etag }, max_age),
                }
            }
        };
        let held = match &task.purpose {
            Purpose::Trust => {
                self.host.update_trust(&body)?;
                if let (Some(copy), Location::Url(_)) = (&self.trust_copy, &task.location) {
                    keep(copy, &body);
                }
                None
            }
            Purpose::Configured => Some(self.host.update_status(&body, (self.clock)())?),
            Purpose::Wanted { issuer } => {
                let info = self.host.update_status(&body, (self.clock)())?;
                let uri = task.location.to_string();
                if info.uri != uri || !info.issuers.contains(issuer) {
                    let why =
                        format!("`{uri}` has a status list for `{}`, or of another issuer than `{issuer}`", info.uri);
                    return Err(Error::host(Code::FetchOther, why));
                }
                Some(info)
            }
        };
        Ok(Got { changed: Some((mark, held)), max_age })
    }
}

/// A file, unless it is the one that was read before.
fn read_file(path: &Path, limit: usize, before: Option<Stamp>) -> Result<Option<(Vec<u8>, Stamp)>, Error> {
    let failed = |error: std::io::Error| Error::host(Code::FetchFile, format!("{}: {error}", path.display()));
    let file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let stamp = (metadata.modified().map_err(failed)?, metadata.len());
    if before == Some(stamp) {
        return Ok(None);
    }
    let mut body = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(failed)?;
    match u64::try_from(body.len()).unwrap_or(u64::MAX) > limit {
        true => Err(Error::host(Code::FetchTooLarge, format!("{}: more than {limit} bytes", path.display()))),
        false => Ok(Some((body, stamp))),
    }
}

/// The trust list to start with: the one that is at `url` now, or else the copy of the last that was good.
///
/// # Errors
/// `fetch.*` or `trust.malformed`, if there is no copy either.
pub(crate) fn first_trust(client: &Client, url: &str, copy: &Path) -> Result<Vec<u8>, Error> {
    let fetched = client.fetch(SourceKind::Trust, url, None, &|_| true).and_then(|fetched| match fetched {
        Fetched::New { body, .. } => Ok(body),
        Fetched::NotModified { .. } => Err(Error::host(Code::FetchStatus, format!("`{url}` answered with nothing"))),
    });
    let fetched = fetched.and_then(|body| {
        Trust::from_json(&body)?;
        Ok(body)
    });
    match (fetched, fs::read(copy)) {
        (Ok(body), _) => {
            keep(copy, &body);
            Ok(body)
        }
        (Err(error), Ok(body)) => {
            tracing::warn!("starting with the last good trust list, {}: {error}", copy.display());
            Ok(body)
        }
        (Err(Error::Host { code, message }), Err(_)) => {
            Err(Error::host(code, format!("{message}; and there is no earlier trust list in {}", copy.display())))
        }
        (Err(refused), Err(_)) => Err(refused),
    }
}

/// Keeps a trust list for the next start. One that can't be kept is good for now all the same.
fn keep(copy: &Path, trust: &[u8]) {
    let folder = copy.parent().unwrap_or(Path::new("."));
    let kept = fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, trust)?;
        file.as_file().sync_all()?;
        file.persist(copy).map_err(|error| error.error)
    });
    if let Err(error) = kept {
        tracing::warn!("the trust list can't be kept in {}: {error}", copy.display());
    }
}
