//! Pages of metrics as OTLP has them: the same names, labels and values as in Prometheus' text form.
//!
//! Not by the instruments of OpenTelemetry's SDK: those measure, and here everything is measured already; the SDK has no way
//! to hand in a histogram that others have counted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dataflow::metric::{Buckets, Kind, Metric, Page, Sample, Value};
use dataflow::time::Clock;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric as Told, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ToldResource;
use opentelemetry_sdk::Resource;
use tonic::transport::Channel;

use crate::wiring;

/// Tells of pages.
pub(super) struct Pusher {
    client: MetricsServiceClient<Channel>,
    resource: ToldResource,
    interval: Duration,
    clock: Arc<dyn Clock>,
}

impl Pusher {
    pub(super) fn new(channel: Channel, resource: &Resource, interval: Duration) -> Self {
        let attributes = resource
            .iter()
            .map(|(name, value)| text(name.as_str(), &value.as_str()));
        Self {
            client: MetricsServiceClient::new(channel),
            resource: ToldResource {
                attributes: attributes.collect(),
                ..ToldResource::default()
            },
            interval,
            clock: wiring::clock(),
        }
    }

    /// One page after the other: what the collector does not take is not kept, since the next one says more.
    pub(super) async fn keep<W: Future<Output = Page>>(mut self, page: impl Fn() -> W) {
        let begun = self.now();
        let mut away = false;
        loop {
            self.clock.sleep(self.interval).await;
            let request = self.request(&page().await, begun);
            match self.client.export(request).await {
                Ok(_) => away = false,
                Err(status) => {
                    if !away {
                        tracing::warn!(reason = status.message(), "the collector takes no metrics");
                    }
                    away = true;
                }
            }
        }
    }

    fn now(&self) -> u64 {
        nanos(self.clock.wall().0)
    }

    fn request(&self, page: &Page, begun: u64) -> ExportMetricsServiceRequest {
        let span = (begun, self.now());
        let metrics = page.families().map(|(metric, samples)| told(metric, samples, span));
        let scope = ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "weir".to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: metrics.collect(),
            ..ScopeMetrics::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![scope],
                ..ResourceMetrics::default()
            }],
        }
    }
}

fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

fn text(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// One family; the span is from the beginning of the process to now.
fn told(metric: &Metric, samples: &[Sample], span: (u64, u64)) -> Told {
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || samples.iter().filter_map(|sample| number(sample, span)).collect();
    let data = match metric.kind {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: samples.iter().filter_map(|sample| histogram(sample, span)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    let of = |end: &str| metric.name.trim_end_matches("_total").ends_with(end);
    Told {
        name: metric.name.to_owned(),
        description: metric.help.to_owned(),
        unit: match () {
            () if of("_seconds") => "s",
            () if of("_bytes") => "By",
            () => "1",
        }
        .to_owned(),
        data: Some(data),
        ..Told::default()
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.labels.iter().map(|(name, value)| text(name, value)).collect()
}

fn number(sample: &Sample, (begun, now): (u64, u64)) -> Option<NumberDataPoint> {
    let Value::Number(value) = sample.value else {
        return None;
    };
    Some(NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: begun,
        time_unix_nano: now,
        value: Some(Number::AsDouble(value)),
        ..NumberDataPoint::default()
    })
}

fn histogram(sample: &Sample, (begun, now): (u64, u64)) -> Option<HistogramDataPoint> {
    let Value::Buckets(Buckets { up_to, count, sum }) = &sample.value else {
        return None;
    };
    // Each for itself, where Prometheus counts those below in.
    let ends = up_to.iter().map(|(_, below)| *below).chain([*count]);
    let mut before = 0;
    let counts = ends.map(|end| end - std::mem::replace(&mut before, end));
    Some(HistogramDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: begun,
        time_unix_nano: now,
        count: *count,
        sum: Some(*sum),
        bucket_counts: counts.collect(),
        explicit_bounds: up_to.iter().map(|(bound, _)| *bound).collect(),
        ..HistogramDataPoint::default()
    })
}

#[cfg(test)]
mod tests {
    use dataflow::metric::{Bounds, CPU_SECONDS, Histogram as Counted, REST_DURATION, SLOTS};

    use super::*;

    fn families(fill: impl FnOnce(&mut Page)) -> Vec<Told> {
        let mut page = Page::new(Bounds {
            per_vertex: 50,
            series: 1_000,
        });
        fill(&mut page);
        page.families()
            .map(|(metric, samples)| told(metric, samples, (1, 2)))
            .collect()
    }

    #[test]
    fn counters_are_sums_gauges_are_gauges_and_labels_are_attributes() {
        let all = families(|page| {
            page.number(CPU_SECONDS, &[], 1.5);
            page.number(SLOTS, &["free"], 3.0);
        });
        let [cpu, slots] = &all[..] else { panic!("{all:?}") };
        let Some(Data::Sum(sum)) = &cpu.data else {
            panic!("{cpu:?}")
        };
        assert_eq!(
            (cpu.name.as_str(), cpu.unit.as_str(), sum.is_monotonic),
            ("process_cpu_seconds_total", "s", true)
        );
        assert_eq!(sum.data_points[0].value, Some(Number::AsDouble(1.5)));
        let Some(Data::Gauge(gauge)) = &slots.data else {
            panic!("{slots:?}")
        };
        assert_eq!(gauge.data_points[0].attributes, [text("kind", "free")]);
    }

    #[test]
    fn each_bucket_of_a_histogram_counts_for_itself() {
        let counted = Counted::new(&[0.1, 1.0]);
        for ms in [50, 60, 500, 5_000, 6_000, 7_000] {
            counted.observe(Duration::from_millis(ms));
        }
        let all = families(|page| page.buckets(REST_DURATION, &["/v1/cluster"], counted.buckets()));
        let Some(Data::Histogram(histogram)) = &all[0].data else {
            panic!("{all:?}")
        };
        let point = &histogram.data_points[0];
        assert_eq!((&point.bucket_counts[..], point.count), (&[2, 1, 3][..], 6));
        assert_eq!(point.explicit_bounds, [0.1, 1.0]);
    }
}
