//! The heap of a policy begins with room that is there when its instance is: to grow a memory costs the host as much as all
//! else that it does for an instance, and few policies need more.
#![expect(unsafe_code, reason = "an allocator's memory")]

use core::alloc::Layout;
use core::arch::wasm32::memory_grow;
use core::mem::MaybeUninit;
use core::ptr;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

const PAGE: usize = 65_536;
/// More than the allocator needs for itself in what it is given.
const OVERHEAD: usize = 1_024;

#[global_allocator]
static ALLOCATOR: TalcSyncCell<Room, WasmBinning> = TalcSyncCell::new_wasm(Room { is_taken: false });

static mut ROOM: [MaybeUninit<u8>; PAGE] = [MaybeUninit::uninit(); PAGE];

/// The room, and after it whatever the memory grows by.
#[derive(Debug)]
struct Room {
    is_taken: bool,
}

// SAFETY: it allocates nothing.
unsafe impl Source for Room {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let (base, size) = match talc.source.is_taken {
            false => ((&raw mut ROOM).cast(), PAGE),
            true => {
                let pages = layout.size().saturating_add(layout.align()).saturating_add(OVERHEAD).div_ceil(PAGE);
                match memory_grow::<0>(pages) {
                    usize::MAX => return Err(()),
                    grown => (ptr::with_exposed_provenance_mut(grown * PAGE), pages * PAGE),
                }
            }
        };
        talc.source.is_taken = true;
        // SAFETY: nobody else has this memory, and it is handed over once.
        unsafe { talc.claim(base, size) }.map(drop).ok_or(())
    }
}
