//! What a guest may take.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};

/// Linear memory of a plugin in bytes: a policy in JavaScript needs some 4 MiB.
pub(crate) const PLUGIN_MEMORY: usize = 32 << 20;
/// Linear memory of a verifier in bytes: what a submission may take is bounded by its own limits, and a trust list of ten
/// thousand issuers takes more than half of it while it is read.
pub(crate) const VERIFIER_MEMORY: usize = 64 << 20;
/// Entries of a guest's tables.
pub(crate) const TABLE_ENTRIES: usize = 20_000;
/// Core instances, tables and memories of one component.
const PARTS: usize = 32;
/// Bytes that one call may hand from a guest to the host.
const RESULT_BYTES: usize = 1 << 20;
/// What a plugin may take for `configure` and one `ask` or `evaluate` together.
pub(crate) const PLUGIN_TIME: Time = Time { cpu: Duration::from_millis(50), wall: Duration::from_secs(1) };
/// What a call into the verifier may take, and all that one plugin makes in an evaluation.
pub(crate) const VERIFIER_TIME: Time = Time { cpu: Duration::from_millis(500), wall: Duration::from_secs(5) };

/// Time of the processor and time of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    /// What this thread computed. A machine that is busy with something else takes nothing from it.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Time {
    fn add(&mut self, other: Self) {
        self.cpu = self.cpu.saturating_add(other.cpu);
        self.wall = self.wall.saturating_add(other.wall);
    }

    fn passes(self, limit: Self) -> bool {
        self.cpu > limit.cpu || self.wall > limit.wall
    }
}

/// A moment of a thread.
#[derive(Clone, Copy, Debug)]
struct Moment {
    cpu: Duration,
    wall: Instant,
}

impl Moment {
    fn now() -> Self {
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        Self { cpu: Duration::try_from(cpu).unwrap_or(Duration::MAX), wall: Instant::now() }
    }

    fn since(self, before: Self) -> Time {
        Time { cpu: self.cpu.saturating_sub(before.cpu), wall: self.wall.saturating_duration_since(before.wall) }
    }
}

/// Limits of one store. Running into one looks like any panic of the guest, so it is written down.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Bytes of linear memory that are left, over all memories of the store.
    memory: usize,
    /// Table entries that are left, over all tables.
    entries: usize,
    refused: bool,
    time: Time,
    spent: Time,
    /// What the verifier spent on this guest's calls.
    served: Time,
    /// The moment up to which time was counted. To ask for the time of a thread takes longer than most calls, so counting
    /// begins with the first tick: it delays no guest that is done by then, and gives others up to a tick on top.
    counted: Option<Moment>,
}

impl Limits {
    pub(crate) fn new(memory: usize, time: Time) -> Self {
        let (spent, served) = (Time::default(), Time::default());
        Self { memory, entries: TABLE_ENTRIES, refused: false, time, spent, served, counted: None }
    }

    /// Whether the guest ran into a limit on memory or tables.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Bytes of linear memory that are left.
    pub(crate) fn memory_left(&self) -> usize {
        self.memory
    }

    /// What the guest has spent, as far as it was counted.
    pub(crate) fn spent(&self) -> Time {
        self.spent
    }

    /// The guest begins something, and has spent so much of its time already.
    pub(crate) fn begin(&mut self, spent: Time) {
        (self.spent, self.served, self.counted) = (spent, Time::default(), None);
    }

    /// The guest has returned.
    pub(crate) fn end(&mut self) {
        self.charge();
        self.counted = None;
    }

    /// The guest calls the host: what passed until now is its own time.
    pub(crate) fn charge(&mut self) {
        if self.counted.is_some() {
            let spent = self.lap();
            self.spent.add(spent);
        }
    }

    /// The host returns to the guest: what passed since [`Limits::charge`] was not the guest's time.
    pub(crate) fn excuse(&mut self) -> Time {
        if self.counted.is_some() { self.lap() } else { Time::default() }
    }

    /// Whether the verifier has spent more on this guest's calls, this time included, than it may.
    pub(crate) fn overserved(&mut self, time: Time) -> bool {
        self.served.add(time);
        self.served.passes(VERIFIER_TIME)
    }

    /// A tick has passed while the guest runs. Whether its time is up.
    fn tick(&mut self) -> bool {
        let spent = self.lap();
        self.spent.add(spent);
        self.spent.passes(self.time)
    }

    /// The time that was not counted yet; none the first time.
    fn lap(&mut self) -> Time {
        let now = Moment::now();
        self.counted.replace(now).map(|before| now.since(before)).unwrap_or_default()
    }
}

/// A store with the limits that are part of its data.
pub(crate) fn limited_store<T: Send + 'static>(
    engine: &Engine,
    data: T,
    limits: impl Fn(&mut T) -> &mut Limits + Copy + Send + Sync + 'static,
) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.limiter(move |data| limits(data));
    store.set_hostcall_fuel(RESULT_BYTES);
    store.epoch_deadline_callback(move |mut context| {
        Ok(match limits(context.data_mut()).tick() {
            true => UpdateDeadline::Interrupt,
            false => UpdateDeadline::Continue(1),
        })
    });
    store.set_epoch_deadline(1);
    store
}

/// Takes what a memory or table grows by from what is left.
fn take(left: &mut usize, current: usize, desired: usize) -> bool {
    let rest = left.checked_sub(desired.saturating_sub(current));
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = take(&mut self.memory, current, desired);
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = take(&mut self.entries, current, desired);
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
