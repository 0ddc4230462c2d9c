//! The library as C sees it: programs in C, built by gcc against what Cargo built, run plainly and under valgrind.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod door;
mod header;
mod misuse;
mod program;
mod readme;
mod sessions;
mod vectors;
