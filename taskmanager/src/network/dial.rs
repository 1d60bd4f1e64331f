//! Keeps the connection to one peer: dials, resumes, and says when the peer is gone.
//!
//! | what happens | what follows |
//! |---|---|
//! | refused | no process listens there any more: gone |
//! | another incarnation answers | the process was started anew: gone |
//! | no answer, or the connection breaks | dial again with back-off; gone after [`GIVE_UP`] without a receipt |

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use dataflow::time::Clock;
use futures::StreamExt as _;
use proto::v1::Hello;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use super::GIVE_UP;
use super::address::Identity;
use super::codec::SenderCodec;
use super::frame::{FRAME_BYTES_MAX, Outgoing};
use super::papers::Papers;
use super::peer::Peer;

/// The one method of the exchange.
pub(super) const METHOD: &str = "/weir.v1.Exchange/Carry";

/// A peer that does not answer a ping of the connection within the second of these counts as cut off.
pub(super) const PING: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(4));

/// What a connection may have on its way, in all channels: credit bounds it long before.
pub(super) const WINDOW: u32 = 16 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);

/// Why a connection ended.
enum Broken {
    /// The peer's process is gone for good.
    Gone(String),
    /// Another try may succeed.
    Cut(String),
}

/// What a connection is kept with.
pub(super) struct Dialler {
    pub(super) me: Identity,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Patience,
    pub(super) papers: Option<Arc<Papers>>,
}

/// How long silence is borne.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Without any connection that gives a receipt: then the peer counts as gone.
    pub(super) give_up: Duration,
    /// Without a receipt for a frame that left, while the connection seems well: then it is dialled anew. Damage to
    /// the length of a message makes its reader wait for bytes that never come. Longer than a slow line takes for a frame.
    pub(super) stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            give_up: GIVE_UP,
            stall: Duration::from_secs(60),
        }
    }
}

/// Keeps `peer` connected until it is gone or `is_unused` says that nobody sends to it any more.
pub(super) async fn keep(peer: Arc<Peer>, dialler: Dialler, is_unused: impl Fn(&Peer) -> bool) {
    let Dialler { clock, patience, .. } = &dialler;
    let mut since = clock.now();
    let mut backoff = BACKOFF_FIRST;
    while !is_unused(&peer) {
        let mut receipts = 0u64;
        let broken = converse(&peer, &dialler, &mut receipts).await;
        let now = clock.now();
        if receipts > 0 {
            since = now;
            backoff = BACKOFF_FIRST;
        }
        match broken {
            Broken::Gone(reason) => {
                tracing::warn!(peer = %peer.address.identity.task_manager, reason, "peer is gone");
                return peer.die(&reason);
            }
            Broken::Cut(reason) if now.since(since) >= patience.give_up => {
                tracing::warn!(peer = %peer.address.identity.task_manager, reason, "peer does not answer");
                return peer.die(&format!("no answer for {} s: {reason}", patience.give_up.as_secs()));
            }
            Broken::Cut(reason) => {
                tracing::debug!(peer = %peer.address.identity.task_manager, reason, "connection broke");
            }
        }
        clock.sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_LONGEST);
    }
}

/// One connection, from dialling to its end.
async fn converse(peer: &Arc<Peer>, dialler: &Dialler, receipts: &mut u64) -> Broken {
    let endpoint = match endpoint(&peer.address.address, dialler.papers.as_deref()) {
        Ok(endpoint) => endpoint,
        Err(error) => return Broken::Gone(format!("its address is not one: {}", causes(&error))),
    };
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let channel = match endpoint.connect().await {
        Ok(channel) => channel,
        Err(error) if is_refused(&error) => return Broken::Gone("connection refused".to_owned()),
        Err(error) => return Broken::Cut(causes(&error)),
    };
    let mut grpc = Grpc::new(channel).max_encoding_message_size(FRAME_BYTES_MAX);
    if let Err(error) = grpc.ready().await {
        return Broken::Cut(causes(&error));
    }
    let connection = peer.begin();
    let hello = Outgoing::hello(Hello {
        task_manager: dialler.me.task_manager.clone(),
        incarnation: dialler.me.incarnation.clone(),
        receiver_incarnation: peer.address.identity.incarnation.clone(),
        connection,
    });
    let frames = futures::stream::unfold(Arc::clone(peer), move |peer| async move {
        peer.next(connection).await.map(|frame| (frame, peer))
    });
    let request = Request::new(futures::stream::iter([hello]).chain(frames));
    let mut answers = match grpc
        .streaming(request, PathAndQuery::from_static(METHOD), SenderCodec)
        .await
    {
        Ok(response) => response.into_inner(),
        Err(status) if status.code() == Code::FailedPrecondition => return Broken::Gone(status.message().to_owned()),
        Err(status) => return Broken::Cut(causes(&status)),
    };
    loop {
        let answer = tokio::select! {
            answer = answers.message() => answer,
            () = dialler.clock.sleep(dialler.patience.stall) => {
                if peer.is_owed_a_receipt() {
                    return Broken::Cut("frames that left get no receipt".to_owned());
                }
                continue;
            }
        };
        match answer {
            Ok(Some(granted)) => {
                *receipts += 1;
                peer.on(&granted);
            }
            Ok(None) => return Broken::Cut("the peer closed the stream".to_owned()),
            Err(status) => return Broken::Cut(causes(&status)),
        }
    }
}

fn endpoint(address: &str, papers: Option<&Papers>) -> Result<Endpoint, tonic::transport::Error> {
    match papers {
        None => Endpoint::from_shared(format!("http://{address}")),
        Some(papers) => Endpoint::from_shared(format!("https://{address}"))?.tls_config(papers.client.clone()),
    }
}

/// Whether nobody listens at the address.
fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    let refused = |error: &(dyn StdError + 'static)| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    chain(error).any(refused)
}

fn causes(error: &(dyn StdError + 'static)) -> String {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.join(": ")
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
