//! Threads that verify and decide: each has a verifier of its own and finishes one piece of work before the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::oneshot;
use tracing::Span;

use crate::error::{Code, Error};
use crate::runtime::Runtime;
use crate::status_lists::StatusLists;
use crate::verifier::Verifier;

/// Pieces of work that may wait for each thread. More than that would be answered after its caller gave up.
const MAX_WAITING: usize = 64;

/// By how many bytes a verifier may grow before it is replaced.
const MAX_GROWTH: usize = 8 << 20;

/// What every verifier is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) trust: Arc<[u8]>,
    pub(crate) status_lists: StatusLists,
    /// Grows when verifiers have to be made anew, such as with every change of trust.
    pub(crate) epoch: u64,
}

type Job = Box<dyn FnOnce(&mut Verifier) + Send>;

/// As many threads as the machine has cores, behind a queue of bounded length.
pub(crate) struct Workers {
    jobs: SyncSender<Job>,
    inputs: Arc<RwLock<Inputs>>,
}

impl Workers {
    pub(crate) fn start(runtime: &Runtime, inputs: Inputs) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::host(Code::HostRuntime, error);
        let threads = std::thread::available_parallelism().map_err(failed)?.get();
        let (jobs, waiting) = sync_channel::<Job>(threads.saturating_mul(MAX_WAITING));
        let (inputs, waiting) = (Arc::new(RwLock::new(inputs)), Arc::new(Mutex::new(waiting)));
        for number in 0..threads {
            let worker = Worker {
                runtime: runtime.clone(),
                inputs: inputs.clone(),
                verifier: None,
                epoch: 0,
                newest: 0,
                memory: 0,
            };
            let waiting = waiting.clone();
            let name = format!("bandpass-worker-{number}");
            std::thread::Builder::new().name(name).spawn(move || worker.work(&waiting)).map_err(failed)?;
        }
        Ok(Self { jobs, inputs })
    }

    /// Runs `work` on a thread with a verifier that has the newest trust list and status lists.
    ///
    /// # Errors
    /// `host.overloaded` if too many wait already.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Verifier) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        let span = Span::current();
        let job: Job = Box::new(move |verifier| drop(sender.send(span.in_scope(|| work(verifier)))));
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::host(Code::HostOverloaded, "too many answers wait for their decisions"),
            TrySendError::Disconnected(_) => Error::host(Code::HostRuntime, "the workers are gone"),
        })?;
        receiver.await.map_err(|_| Error::host(Code::HostRuntime, "the work was given up"))
    }

    /// Changes what verifiers are given, from the next piece of work on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Inputs)) {
        change(&mut self.inputs.write().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Worker {
    runtime: Runtime,
    inputs: Arc<RwLock<Inputs>>,
    verifier: Option<Verifier>,
    epoch: u64,
    /// Number of the newest status list that the verifier has.
    newest: u64,
    /// Bytes of its memory with its lists.
    memory: usize,
}

impl Worker {
    fn work(mut self, waiting: &Mutex<Receiver<Job>>) {
        loop {
            let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            match self.verifier() {
                // Nothing here panics; if something does, the verifier may be in the middle of it.
                Ok(verifier) => {
                    if catch_unwind(AssertUnwindSafe(|| job(verifier))).is_err() {
                        self.verifier = None;
                    }
                }
                Err(error) => tracing::error!("no verifier: {error}"),
            }
        }
    }

    fn verifier(&mut self) -> Result<&mut Verifier, Error> {
        let inputs = self.inputs.read().unwrap_or_else(PoisonError::into_inner);
        let has_grown = |verifier: &Verifier| verifier.memory() > self.memory.saturating_add(MAX_GROWTH);
        if self.epoch != inputs.epoch || self.verifier.as_ref().is_some_and(has_grown) {
            self.verifier = None;
        }
        let verifier = match &mut self.verifier {
            Some(verifier) => verifier,
            none => {
                (self.epoch, self.newest, self.memory) = (inputs.epoch, 0, 0);
                none.insert(Verifier::open(&self.runtime, inputs.trust.to_vec())?)
            }
        };
        for list in inputs.status_lists.iter().filter(|list| list.number > self.newest) {
            // Every one was taken in by the host's own verifier before it came here.
            if let Err(error) = verifier.hold(list) {
                tracing::error!("a status list was taken in once but not by every verifier: {error}");
            }
        }
        if self.newest != inputs.status_lists.newest() || self.memory == 0 {
            (self.newest, self.memory) = (inputs.status_lists.newest(), verifier.memory());
        }
        Ok(verifier)
    }
}
