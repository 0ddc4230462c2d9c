//! What is to be fetched, and when. Knows nothing of how.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::bindings::sdk::exports::bandpass::sdk::setup::StatusListInfo;
use crate::error::Error;
use crate::host::Host;

use super::Location;
use super::fetch::{SourceKind, check_url};
use super::timing::{BACK_OFF, FILE_INTERVAL, MIN_INTERVAL, interval};

/// Status lists that nobody configured. The one that was not looked for the longest makes way.
const MAX_WANTED: usize = 64;

/// Why something is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Trust,
    /// A status list of the configuration.
    Configured,
    /// A status list that credentials of this issuer named.
    Wanted {
        issuer: String,
    },
}

impl Purpose {
    pub(super) fn kind(&self) -> SourceKind {
        match self {
            Self::Trust => SourceKind::Trust,
            Self::Configured | Self::Wanted { .. } => SourceKind::StatusList,
        }
    }
}

/// A file's time of modification, and its length.
pub(super) type Stamp = (SystemTime, u64);

/// By what a later version is told from the one that was taken in.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    pub(super) stamp: Option<Stamp>,
    pub(super) etag: Option<String>,
}

/// A source, and what became of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) purpose: Purpose,
    pub(super) location: Location,
    pub(super) due: Instant,
    pub(super) last_success: Option<u64>,
    pub(super) last_attempt: Option<u64>,
    pub(super) last_error: Option<Error>,
    /// What the status list says that was taken in last.
    pub(super) held: Option<StatusListInfo>,
    mark: Mark,
    /// Of the last attempt.
    ended: Option<Instant>,
    failures: u32,
    running: bool,
    /// Grows with every change of trust, after which what is marked may be held no more.
    epoch: u64,
    /// Place of the last decision that looked for it among all.
    last_use: u64,
}

/// An attempt that is to be made.
pub(super) struct Task {
    id: u64,
    epoch: u64,
    pub(super) purpose: Purpose,
    pub(super) location: Location,
    pub(super) mark: Mark,
}

/// What came of an attempt.
pub(super) struct Got {
    /// None if there is nothing new.
    pub(super) changed: Option<(Mark, Option<StatusListInfo>)>,
    /// What HTTP says, in seconds.
    pub(super) max_age: Option<u64>,
}

impl Got {
    pub(super) fn unchanged(max_age: Option<u64>) -> Self {
        Self { changed: None, max_age }
    }
}

pub(super) enum Todo {
    Attempt(Task),
    Forget(StatusListInfo),
}

pub(crate) struct Schedule {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which they came.
    jobs: BTreeMap<u64, Job>,
    newest: u64,
    /// Of jobs that made way.
    forgotten: Vec<StatusListInfo>,
    /// Decisions that looked for a status list.
    uses: u64,
    stopping: bool,
}

impl Job {
    pub(super) fn new(purpose: Purpose, location: Location) -> Self {
        Self {
            purpose,
            location,
            due: Instant::now(),
            last_success: None,
            last_attempt: None,
            last_error: None,
            held: None,
            mark: Mark::default(),
            ended: None,
            failures: 0,
            running: false,
            epoch: 0,
            last_use: 0,
        }
    }

    /// Whether it fetches this issuer's list at `uri`.
    fn serves(&self, issuer: &str, uri: &str) -> bool {
        let of_issuer = match &self.purpose {
            Purpose::Trust => false,
            Purpose::Configured => true,
            Purpose::Wanted { issuer: wanted } => wanted == issuer,
        };
        of_issuer && matches!(&self.location, Location::Url(url) if url == uri)
    }

    /// Whether to ask again out of turn. After a failure the back-off decides.
    fn may_hurry(&self) -> bool {
        self.failures == 0 && self.ended.is_none_or(|ended| ended.elapsed() >= MIN_INTERVAL)
    }

    fn next_interval(&self, max_age: Option<u64>, now: u64, random: u64) -> Duration {
        match &self.location {
            Location::File(_) => FILE_INTERVAL,
            Location::Url(_) => {
                let held = self.held.as_ref();
                let expires_in = held.and_then(|held| held.expires).map(|expires| expires.saturating_sub(now));
                interval(held.and_then(|held| held.ttl), max_age, expires_in, random)
            }
        }
    }
}

impl State {
    fn add(&mut self, job: Job) {
        self.newest = self.newest.saturating_add(1);
        self.jobs.insert(self.newest, job);
    }

    /// Makes room for another status list that nobody configured.
    fn make_way(&mut self) {
        let wanted = |job: &Job| matches!(job.purpose, Purpose::Wanted { .. });
        if self.jobs.values().filter(|job| wanted(job)).count() < MAX_WANTED {
            return;
        }
        let idle = self.jobs.iter().filter(|(_, job)| wanted(job) && !job.running);
        if let Some(id) = idle.min_by_key(|(_, job)| job.last_use).map(|(id, _)| *id) {
            let held = self.jobs.remove(&id).and_then(|job| job.held);
            self.forgotten.extend(held);
        }
    }
}

impl Schedule {
    pub(super) fn new(jobs: impl Iterator<Item = Job>) -> Self {
        let mut state = State::default();
        jobs.for_each(|job| state.add(job));
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A decision looked for this issuer's status list. `fresh`: it was there, and not stale. If not it is fetched, as far as
    /// the issuer's trust entry names its place (band profile, section Status).
    pub(crate) fn looked_for(&self, host: &Host, issuer: &str, uri: &str, fresh: bool) {
        let mut state = self.lock();
        state.uses = state.uses.saturating_add(1);
        let uses = state.uses;
        if let Some(job) = state.jobs.values_mut().find(|job| job.serves(issuer, uri)) {
            job.last_use = uses;
            if !fresh && job.may_hurry() {
                job.due = Instant::now();
                self.changed.notify_all();
            }
        } else if !fresh {
            if check_url(uri).is_ok() && host.names_status_uri(issuer, uri) {
                let wanted = Job::new(Purpose::Wanted { issuer: issuer.into() }, Location::Url(uri.into()));
                state.make_way();
                state.add(Job { last_use: uses, ..wanted });
                self.changed.notify_all();
            } else {
                tracing::warn!("`{uri}` is not fetched: `status_uris` of `{issuer}` in the trust list do not name it");
            }
        }
    }

    /// Status lists may have been given up with the old trust list, and others may be taken in now.
    pub(crate) fn trust_changed(&self, host: &Host) {
        let mut state = self.lock();
        state.jobs.retain(|_, job| match (&job.purpose, &job.location) {
            (Purpose::Wanted { issuer }, Location::Url(uri)) => host.names_status_uri(issuer, uri),
            _ => true,
        });
        for job in state.jobs.values_mut().filter(|job| job.purpose.kind() == SourceKind::StatusList) {
            job.epoch = job.epoch.saturating_add(1);
            (job.mark, job.due) = (Mark::default(), Instant::now());
        }
        self.changed.notify_all();
    }

    pub(super) fn hurry(&self) {
        self.lock().jobs.values_mut().for_each(|job| job.due = Instant::now());
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    pub(super) fn states<T>(&self, state: impl Fn(&Job) -> T) -> Vec<T> {
        self.lock().jobs.values().map(state).collect()
    }

    pub(super) fn wait_until_tried(&self, timeout: Duration) -> bool {
        let untried = |state: &mut State| {
            let configured = |job: &&Job| !matches!(job.purpose, Purpose::Wanted { .. });
            state.jobs.values().filter(configured).any(|job| job.last_attempt.is_none())
        };
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, untried);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits for something to do; none once it is over.
    pub(super) fn next(&self) -> Option<Todo> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(info) = state.forgotten.pop() {
                return Some(Todo::Forget(info));
            }
            let now = Instant::now();
            let next = state.jobs.iter_mut().filter(|(_, job)| !job.running).min_by_key(|(_, job)| job.due);
            let wait = match next {
                None => None,
                Some((id, job)) if job.due <= now => {
                    job.running = true;
                    return Some(Todo::Attempt(Task {
                        id: *id,
                        epoch: job.epoch,
                        purpose: job.purpose.clone(),
                        location: job.location.clone(),
                        mark: job.mark.clone(),
                    }));
                }
                Some((_, job)) => Some(job.due.saturating_duration_since(now)),
            };
            state = match wait {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Puts down what came of an attempt at `now`, in seconds since 1970.
    pub(super) fn done(&self, task: &Task, got: Result<Got, Error>, now: u64) {
        // Without randomness it comes as late as it may.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let mut state = self.lock();
        self.changed.notify_all();
        let Some(job) = state.jobs.get_mut(&task.id) else { return };
        let ended = Instant::now();
        (job.running, job.ended, job.last_attempt) = (false, Some(ended), Some(now));
        match got {
            Ok(got) => {
                (job.failures, job.last_error, job.last_success) = (0, None, Some(now));
                if let Some((mark, held)) = got.changed {
                    (job.mark, job.held) = (mark, held);
                }
                job.due = ended + job.next_interval(got.max_age, now, random);
            }
            Err(error) => {
                if job.last_error.as_ref().is_none_or(|before| before.code() != error.code()) {
                    tracing::warn!("{} is not refreshed: {error}", job.location);
                }
                job.failures = job.failures.saturating_add(1);
                job.last_error = Some(error);
                // A file that was bad may have the same time and length when it is good.
                job.mark.stamp = None;
                let wait = BACK_OFF.wait(job.failures, random);
                job.due =
                    ended + if matches!(job.location, Location::File(_)) { wait.min(FILE_INTERVAL) } else { wait };
            }
        }
        if job.epoch != task.epoch {
            (job.mark, job.due) = (Mark::default(), ended);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(number: u64) -> Job {
        let location = Location::Url(format!("https://wallet.example/status/{number}"));
        let held = StatusListInfo {
            uri: location.to_string(),
            issued_at: number,
            expires: None,
            ttl: None,
            issuers: Vec::new(),
        };
        let wanted = Job::new(Purpose::Wanted { issuer: "https://wallet.example".into() }, location);
        Job { held: Some(held), last_use: number, ..wanted }
    }

    #[test]
    fn the_list_that_was_not_looked_for_the_longest_makes_way() {
        let mut state = State::default();
        state.add(Job::new(Purpose::Configured, Location::Url("https://wallet.example/status/0".into())));
        for number in 1..=70 {
            state.make_way();
            state.add(wanted(number));
            if let Some(first) = state.jobs.values_mut().find(|job| job.last_use == 1) {
                first.running = true;
            }
        }
        assert_eq!(state.jobs.len(), MAX_WANTED + 1);
        let forgotten = state.forgotten.iter().map(|info| info.issued_at).collect::<Vec<_>>();
        assert_eq!(forgotten, [2, 3, 4, 5, 6, 7], "one that is being fetched stays");
    }
}
