//! Encoding and compressing off the async threads: a poll of a sink stays short, whatever it has to compute.

use dataflow::Failure;

/// Runs `work`, which computes for long or waits for the disk, on a thread made for that.
#[expect(
    clippy::disallowed_methods,
    reason = "a sink's call waits for the thread, so its life is that of the call"
)]
pub(crate) async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::bug("encoding ended early").because(&error))
}
