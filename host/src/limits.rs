//! What a guest may take.

use wasmtime::ResourceLimiter;

/// Linear memory of a plugin in bytes: a policy in JavaScript needs some 4 MiB.
pub(crate) const PLUGIN_MEMORY: usize = 32 << 20;
/// Linear memory of a verifier in bytes: what a submission may take is bounded by its own limits.
pub(crate) const VERIFIER_MEMORY: usize = 32 << 20;
/// Entries of a guest's tables.
const TABLE_ENTRIES: usize = 20_000;
/// Core instances, tables and memories of one component.
const PARTS: usize = 32;
/// Bytes that one call may hand from a guest to the host.
pub(crate) const RESULT_BYTES: usize = 1 << 20;
/// Ticks that one call into a guest may take; see `Runtime`.
pub(crate) const CALL_TICKS: u64 = 100;

/// Limits of one store. Running into one looks like any panic of the guest, so it is written down.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Bytes of linear memory that are left, over all memories of the store.
    memory: usize,
    /// Table entries that are left, over all tables.
    entries: usize,
    refused: bool,
}

impl Limits {
    pub(crate) fn new(memory: usize) -> Self {
        Self { memory, entries: TABLE_ENTRIES, refused: false }
    }

    /// Whether the guest ran into a limit.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
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
