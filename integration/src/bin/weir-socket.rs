//! `weir` with one connector more, [`Socket`]: what the latency of a job is measured with (`integration/bench/latency.sh`).

use std::process::ExitCode;
use std::sync::Arc;

use dataflow::Registry;
use integration::socket::Socket;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let known = connectors::registry();
    let mut all = known.connectors().to_vec();
    all.push(Arc::new(Socket));
    cli::weir(Registry::new(all, known.formats().to_vec()))
}
