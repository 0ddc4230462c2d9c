//! Threads that verify and decide: each has a verifier of its own and finishes one piece of work before the next.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, Thread};

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

/// Where the result of a piece of work goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// As many threads as the machine has cores, behind a queue of bounded length.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    inputs: Arc<RwLock<Inputs>>,
}

impl Drop for Workers {
    /// What waits is done first.
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.closed = true;
        waiting.idle.drain(..).for_each(|thread| thread.unpark());
    }
}

/// Work that waits for a thread. One is woken for each piece: who worked last, for its verifier is at hand still.
struct Queue {
    waiting: Mutex<Waiting>,
    capacity: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Threads that have nothing to do, who worked last at the end.
    idle: Vec<Thread>,
    /// No more will come.
    closed: bool,
}

impl Queue {
    fn push(&self, job: Job) -> Result<(), Error> {
        let mut waiting = self.lock();
        if waiting.jobs.len() >= self.capacity {
            return Err(Error::host(Code::HostOverloaded, "too many answers wait for their decisions"));
        }
        waiting.jobs.push_back(job);
        let idle = waiting.idle.pop();
        drop(waiting);
        idle.iter().for_each(Thread::unpark);
        Ok(())
    }

    /// Waits for work; none once no more will come.
    fn pop(&self) -> Option<Job> {
        let this = thread::current();
        loop {
            let mut waiting = self.lock();
            // It may have woken by itself.
            waiting.idle.retain(|thread| thread.id() != this.id());
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle.push(this.clone());
            drop(waiting);
            thread::park();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers {
    pub(crate) fn start(runtime: &Runtime, inputs: Inputs) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::host(Code::HostRuntime, error);
        let threads = thread::available_parallelism().map_err(failed)?.get();
        let capacity = threads.saturating_mul(MAX_WAITING);
        let queue = Arc::new(Queue { waiting: Mutex::default(), capacity });
        let workers = Self { queue, inputs: Arc::new(RwLock::new(inputs)) };
        for number in 0..threads {
            let worker = Worker {
                runtime: runtime.clone(),
                inputs: workers.inputs.clone(),
                verifier: None,
                epoch: 0,
                newest: 0,
                memory: 0,
            };
            let queue = workers.queue.clone();
            let name = format!("bandpass-worker-{number}");
            thread::Builder::new().name(name).spawn(move || worker.work(&queue)).map_err(failed)?;
        }
        Ok(workers)
    }

    /// Runs `work` on a thread with a verifier that has the newest trust list and status lists.
    ///
    /// # Errors
    /// `host.overloaded` if too many wait already.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Verifier) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.begin(move |verifier, reply| drop(reply.send(work(verifier)))).await
    }

    /// The same for work that hands on what it has begun, so that the thread is free before the result is there.
    ///
    /// # Errors
    /// `host.overloaded` if too many wait already.
    pub(crate) async fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Verifier, Reply<T>) + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, receiver) = oneshot::channel();
        let span = Span::current();
        self.queue.push(Box::new(move |verifier| span.in_scope(|| work(verifier, reply))))?;
        receiver.await.map_err(|_| Error::host(Code::HostRuntime, "the work was given up"))
    }

    /// Whether a thread waits for work, and no work for a thread.
    pub(crate) fn has_spare(&self) -> bool {
        let waiting = self.queue.lock();
        waiting.jobs.is_empty() && !waiting.idle.is_empty()
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
    fn work(mut self, queue: &Queue) {
        while let Some(job) = queue.pop() {
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
