//! Connections of REST: so many at most, each with a bounded head that has to come in time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use dataflow::Scope;
use dataflow::time::Clock;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;

use crate::access::Caller;

/// At most so many at a time; who comes then waits in the queue of the operating system.
const CONNECTIONS_MAX: usize = 256;
/// The head of a request has come by then; a connection without a request is closed after it.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
/// The head of a request is at most this large.
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 64;
/// Between two tries where the operating system gives no connection: it may be out of file handles.
const PAUSE: Duration = Duration::from_millis(200);

/// A greeting of TLS takes no longer.
const GREETING_PATIENCE: Duration = Duration::from_secs(10);

/// Serves a router until the scope ends; by TLS, where it is given.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    (scope, clock): (Scope, Arc<dyn Clock>),
    tls: Option<TlsAcceptor>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed.
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let (router, tls, clock) = (router.clone(), tls.clone(), clock.clone());
                scope.run(async move {
                    let _room: OwnedSemaphorePermit = permit;
                    converse((stream, from.ip()), router, tls, clock.as_ref()).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to REST cannot be accepted");
                clock.sleep(PAUSE).await;
            }
        }
    }
}

async fn converse((stream, address): (TcpStream, IpAddr), router: Router, tls: Option<TlsAcceptor>, clock: &dyn Clock) {
    // Small answers are not held back to be sent together with others.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        let caller = Caller {
            address,
            certified: false,
        };
        return talk(stream, router, caller).await;
    };
    let greeted = tokio::select! {
        greeted = tls.accept(stream) => greeted,
        () = clock.sleep(GREETING_PATIENCE) => return,
    };
    match greeted {
        Ok(stream) => {
            let certified = stream.get_ref().1.peer_certificates().is_some();
            talk(stream, router, Caller { address, certified }).await;
        }
        // Strangers greet as they like; the log is not theirs to fill.
        Err(error) => tracing::debug!(%error, %address, "a connection to REST did not become one of TLS"),
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, caller: Caller) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let served = builder.serve_connection(
        TokioIo::new(stream),
        TowerToHyperService::new(Extension(caller).layer(router)),
    );
    // Whoever breaks off or sends nonsense is answered by hyper, as far as there is an answer.
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to REST ended");
    }
}
