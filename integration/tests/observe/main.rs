//! What is told of a running cluster: metrics that Prometheus reads, dashboards and alerts made of them, logs and traces.
//! Real processes, a real Prometheus, and a collector made of OTLP's own services.

mod collector;
mod deploy;
mod logs;
mod metrics;
mod prometheus;
mod traces;
