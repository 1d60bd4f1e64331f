//! `weir`, the one binary.

use std::process::ExitCode;

// Batches are made on one thread and dropped on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::weir(connectors::registry())
}
