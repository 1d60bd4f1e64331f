//! Configuration that comes from the environment: the one place that reads it. Flags are in `args`.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the place that the lint sends everybody to"
)]

use std::env::{VarError, var};
use std::num::ParseIntError;
use std::time::Duration;

use dataflow::store::open::S3;

use crate::exit::{Exit, Stop};

/// How S3 is reached, by the variables that every S3 client knows.
///
/// Secrets are read here and nowhere printed.
pub(crate) fn s3() -> Result<S3, Stop> {
    Ok(S3 {
        endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])?,
        region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"])?,
        access_key: first(&["AWS_ACCESS_KEY_ID"])?,
        secret_key: first(&["AWS_SECRET_ACCESS_KEY"])?,
        session_token: first(&["AWS_SESSION_TOKEN"])?,
        metadata: first(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"])?,
    })
}

/// How often metrics are told to a collector, by the variable that OpenTelemetry has for it, in milliseconds.
pub(crate) fn otlp_interval() -> Result<Duration, Stop> {
    const NAME: &str = "OTEL_METRIC_EXPORT_INTERVAL";
    let Some(text) = first(&[NAME])? else {
        return Ok(Duration::from_secs(10));
    };
    let wrong =
        |_error: ParseIntError| Stop::new(Exit::Failed, format!("{NAME}: `{text}` is no number of milliseconds"));
    let ms: u64 = text.parse().map_err(wrong)?;
    Ok(Duration::from_millis(ms.max(100)))
}

/// What a process is called at a collector, where somebody says so.
pub(crate) fn otlp_service() -> Result<Option<String>, Stop> {
    first(&["OTEL_SERVICE_NAME"])
}

/// The token by which REST is asked, where it is in the environment itself and not in a file.
pub(crate) fn token() -> Result<Option<String>, Stop> {
    first(&["WEIR_TOKEN"])
}

/// The first of these variables that is set to something.
fn first(names: &[&str]) -> Result<Option<String>, Stop> {
    for name in names {
        match var(name) {
            Ok(value) if !value.is_empty() => return Ok(Some(value)),
            Ok(_) | Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => {
                return Err(Stop::new(
                    Exit::Failed,
                    format!("the environment variable {name} is not text"),
                ));
            }
        }
    }
    Ok(None)
}
