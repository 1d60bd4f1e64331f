//! The service `weir.v1.Exchange` with its one method `Carry`, by hand: its frames go through a codec of our own.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use dataflow::scope::Scope;
use proto::v1::Granted;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, BoxStream, Service, http};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::address::Identity;
use super::codec::ReceiverCodec;
use super::connection::Connection;
use super::dial::METHOD;
use super::frame::{FRAME_BYTES_MAX, Frame};
use super::registry::Registry;

/// Answers those who send to this process.
#[derive(Clone)]
pub(super) struct CarryService {
    me: Arc<Identity>,
    registry: Arc<Registry>,
    scope: Scope,
}

impl CarryService {
    pub(super) fn new(me: Arc<Identity>, registry: Arc<Registry>, scope: Scope) -> Self {
        Self { me, registry, scope }
    }

    async fn greet(self, mut frames: Streaming<Frame>) -> Result<Response<BoxStream<Granted>>, Status> {
        let Some(Frame::Hello(hello)) = frames.message().await? else {
            return Err(Status::invalid_argument("the first frame is not a greeting"));
        };
        if hello.receiver_incarnation != self.me.incarnation {
            let name = &self.me.task_manager;
            return Err(Status::failed_precondition(format!(
                "{name}, which listens there now, was started anew"
            )));
        }
        let connection = Arc::new(Connection::new(hello.connection));
        self.scope.run(Arc::clone(&connection).read(frames, self.registry));
        let receipts = futures::stream::unfold(connection, |connection| async move {
            let receipt = connection.receipt().await?;
            Some((receipt, connection))
        });
        Ok(Response::new(Box::pin(receipts)))
    }
}

impl NamedService for CarryService {
    const NAME: &'static str = "weir.v1.Exchange";
}

impl Service<http::Request<Body>> for CarryService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != METHOD {
                return Ok(Status::unimplemented("the exchange has one method: Carry").into_http());
            }
            let mut grpc = Grpc::new(ReceiverCodec).max_decoding_message_size(FRAME_BYTES_MAX);
            Ok(grpc.streaming(Carry(service), request).await)
        })
    }
}

struct Carry(CarryService);

impl StreamingService<Frame> for Carry {
    type Response = Granted;
    type ResponseStream = BoxStream<Granted>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Frame>>) -> Self::Future {
        Box::pin(self.0.clone().greet(request.into_inner()))
    }
}
