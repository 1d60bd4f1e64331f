//! What is told to a collector of OpenTelemetry: spans of traces, and the metrics that `/metrics` shows. Off unless `--otlp`.
//!
//! ```text
//!   spans of `dataflow::trace` ──> queue of 4,096, full: dropped ──> a thread ──┐
//!   pages of metrics, one each 10 s ──> a task ────────────────────────────────┴─ gRPC ──> collector
//! ```
//!
//! The only place that knows OpenTelemetry. Must stay true: a collector that is away, slow or refuses costs nothing but what
//! was to be told to it; nothing that moves data waits for any of this.

mod metrics;
mod traces;

use std::future::Future;
use std::time::Duration;

use dataflow::Scope;
use dataflow::metric::Page;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::args::Verb;
use crate::config;
use crate::exit::{Exit, Stop};
use crate::wiring;

/// A collector that does not take what it is sent within this is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a process waits for what is still to be told.
const PARTING: Duration = Duration::from_secs(2);

/// The way to a collector, or none.
#[derive(Default)]
pub(crate) struct Telemetry(Option<Outlet>);

struct Outlet {
    runtime: Runtime,
    scope: Scope,
    channel: Channel,
    resource: Resource,
    spans: SdkTracerProvider,
}

impl Telemetry {
    /// To the collector at `url`, if there is one; nothing is connected yet.
    pub(crate) fn open(url: Option<&str>, verb: &Verb) -> Result<Self, Stop> {
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            return Ok(Self(None));
        };
        let wrong = |reason: String| {
            Stop::new(Exit::Failed, format!("--otlp {url}: {reason}"))
                .help("it is the gRPC address of a collector, such as http://127.0.0.1:4317")
        };
        if !url.starts_with("http://") {
            return Err(wrong(
                "only http:// is spoken, to a collector beside this process".to_owned(),
            ));
        }
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| wrong(error.to_string()))?;
        let runtime = wiring::telemetry_runtime()?;
        let channel = {
            let _within = runtime.enter();
            endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect_lazy()
        };
        let resource = resource(verb)?;
        let spans = {
            let _within = runtime.enter();
            traces::provider(channel.clone(), resource.clone()).map_err(|error| wrong(error.to_string()))?
        };
        dataflow::trace::export_by(Box::new(traces::Adopting));
        Ok(Self(Some(Outlet {
            scope: Scope::root("telemetry", runtime.handle().clone()),
            runtime,
            channel,
            resource,
            spans,
        })))
    }

    /// What takes the spans out of the log.
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        self.0.as_ref().map(|outlet| traces::layer(&outlet.spans))
    }

    /// Tells of a page of metrics now and then, until the process ends.
    pub(crate) fn push<F, W>(&self, page: F) -> Result<(), Stop>
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = Page> + Send + 'static,
    {
        let Some(outlet) = &self.0 else { return Ok(()) };
        let pusher = metrics::Pusher::new(outlet.channel.clone(), &outlet.resource, config::otlp_interval()?);
        outlet.scope.run(pusher.keep(page));
        Ok(())
    }

    /// Tells what is still to be told, for a moment.
    pub(crate) fn close(self) {
        let Some(outlet) = self.0 else { return };
        // A collector that is away has lost what it has lost.
        let _ = outlet.spans.shutdown_with_timeout(PARTING);
        outlet.scope.cancel();
        outlet.runtime.shutdown_background();
    }
}

/// Who tells.
fn resource(verb: &Verb) -> Result<Resource, Stop> {
    let role = match verb {
        Verb::Jobmanager(_) => "weir-jobmanager",
        Verb::Taskmanager(_) => "weir-taskmanager",
        _ => "weir",
    };
    let name = config::otlp_service()?.unwrap_or_else(|| role.to_owned());
    // Of what the environment says, only the name: anything else would be a surprise in every span.
    let builder = Resource::builder_empty().with_service_name(name);
    Ok(builder
        .with_attribute(KeyValue::new("service.version", crate::command::BUILD))
        .with_attribute(KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()))
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .build())
}
