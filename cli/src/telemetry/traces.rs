//! Spans of `tracing` as spans of OpenTelemetry.

use std::time::Duration;

use dataflow::trace::{self, Context, Exporter, Sampled};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tonic::transport::Channel;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::PATIENCE;

/// So many spans wait for the collector; more are dropped.
const WAITING_MAX: usize = 4_096;
/// So many go at once.
const BATCH_MAX: usize = 512;
/// What waits goes at least this often.
const DELAY: Duration = Duration::from_secs(1);

/// Keeps spans until they are told, on a thread of its own.
pub(super) fn provider(channel: Channel, resource: Resource) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_timeout(PATIENCE)
        .build()?;
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(DELAY)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    // Which traces are kept: OTEL_TRACES_SAMPLER, and all of them where it says nothing.
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(processor)
        .build())
}

/// Takes the spans of traces, and nothing else that is logged.
pub(super) fn layer<S>(spans: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(spans.tracer("weir"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(trace::TARGET, LevelFilter::ERROR))
}

/// Joins spans to the traces that other processes began.
pub(super) struct Adopting;

impl Exporter for Adopting {
    fn adopt(&self, span: &Span, parent: Option<Context>) -> Option<Context> {
        if let Some(parent) = parent {
            let remote = opentelemetry::Context::new().with_remote_span_context(foreign(parent));
            // It has begun just now: there is nothing else yet that could hold it.
            let _ = span.set_parent(remote);
        }
        let context = span.context();
        let span = context.span();
        let own = span.span_context();
        own.is_valid().then(|| Context {
            trace: u128::from_be_bytes(own.trace_id().to_bytes()),
            span: u64::from_be_bytes(own.span_id().to_bytes()),
            sampled: if own.is_sampled() { Sampled::Yes } else { Sampled::No },
        })
    }
}

fn foreign(Context { trace, span, sampled }: Context) -> SpanContext {
    let flags = match sampled {
        Sampled::Yes => TraceFlags::SAMPLED,
        Sampled::No => TraceFlags::default(),
    };
    let (trace, span) = (TraceId::from(trace), SpanId::from(span));
    SpanContext::new(trace, span, flags, true, TraceState::default())
}
