//! Connections of REST: so many at most, each with a bounded head that has to come in time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dataflow::Scope;
use dataflow::time::Clock;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At most so many at a time; who comes then waits in the queue of the operating system.
const CONNECTIONS_MAX: usize = 256;
/// The head of a request has come by then; a connection without a request is closed after it.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
/// The head of a request is at most this large.
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 64;
/// Between two tries where the operating system gives no connection: it may be out of file handles.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves a router until the scope ends.
pub(crate) async fn serve(listener: TcpListener, router: Router, (scope, clock): (Scope, Arc<dyn Clock>)) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed.
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => scope.run(converse(stream, router.clone(), permit)),
            Err(error) => {
                tracing::warn!(%error, "a connection to REST cannot be accepted");
                clock.sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router, _room: OwnedSemaphorePermit) {
    // Small answers are not held back to be sent together with others.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Whoever breaks off or sends nonsense is answered by hyper, as far as there is an answer.
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to REST ended");
    }
}
