//! A collector of OpenTelemetry on loopback: the services of OTLP as their own crate has them, over real gRPC, keeping what
//! comes. It is not a mock of ours: the messages and the server are those that every collector in Rust is made of.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use integration::cluster::{Deadline, until};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// A span, as far as tests look at it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) failed: bool,
    pub(crate) nanos: (u64, u64),
    pub(crate) attributes: Vec<(String, String)>,
}

impl Span {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<Span>>>,
    /// Service and name.
    metrics: Arc<Mutex<Vec<(String, String)>>>,
}

pub(crate) struct Collector {
    kept: Kept,
    address: SocketAddr,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let kept = Kept::default();
        let (traces, metrics) = (
            TraceServiceServer::new(kept.clone()),
            MetricsServiceServer::new(kept.clone()),
        );
        let _within = runtime.enter();
        let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener)?);
        let server = Server::builder().add_service(traces).add_service(metrics);
        let scope = dataflow::Scope::root("collector", runtime.handle().clone());
        scope.run(async move { server.serve_with_incoming(incoming).await.expect("it serves") });
        drop(_within);
        Ok(Self {
            kept,
            address,
            _runtime: runtime,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.spans.lock().clone()
    }

    /// Waits for a span that fits.
    pub(crate) fn until(&self, what: &str, limit: Duration, fits: impl Fn(&Span) -> bool) -> Result<Span> {
        let found = until(what, Deadline::of(limit), || {
            Ok(self.spans().into_iter().find(|span| fits(span)))
        });
        found.with_context(|| {
            let names: std::collections::BTreeSet<_> = self
                .spans()
                .into_iter()
                .map(|span| format!("{} {}", span.service, span.name))
                .collect();
            format!("among {names:?}")
        })
    }

    /// The names of metrics that a service told of.
    pub(crate) fn metrics(&self, service: &str) -> Vec<String> {
        let all = self.kept.metrics.lock();
        all.iter()
            .filter(|(found, _)| found == service)
            .map(|(_, name)| name.clone())
            .collect()
    }
}

fn value(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes
        .iter()
        .find(|one| one.key == name)
        .and_then(|one| one.value.clone()?.value);
    match found {
        Some(any_value::Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_resource in request.into_inner().resource_spans {
            let service = of_resource
                .resource
                .map(|resource| value(&resource.attributes, "service.name"));
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let attribute = |one: &KeyValue| (one.key.clone(), value(std::slice::from_ref(one), &one.key));
                self.spans.lock().push(Span {
                    service: service.clone().unwrap_or_default(),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    failed: span.status.is_some_and(|status| status.code == 2),
                    nanos: (span.start_time_unix_nano, span.end_time_unix_nano),
                    attributes: span.attributes.iter().map(attribute).collect(),
                    name: span.name,
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for of_resource in request.into_inner().resource_metrics {
            let service = of_resource
                .resource
                .map(|resource| value(&resource.attributes, "service.name"));
            for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                self.metrics
                    .lock()
                    .push((service.clone().unwrap_or_default(), metric.name));
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
