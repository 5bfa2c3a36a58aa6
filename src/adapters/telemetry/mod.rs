//! Telemetry: the spans of a run and a few numbers, in OpenTelemetry's protocol over HTTP, to one collector.
//!
//! It can't change what a run does. Spans wait in a queue of a fixed length and are dropped where it is full; a request
//! has a short limit and is never made again; the end of a run waits for a fixed time at most, and a thread that still
//! waits for the collector then ends with the process. Whatever goes wrong is one sentence.
//!
//! Only this program's own spans are sent, with the fields that the log has: no event, no text of a vendor, no header.

mod measures;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{
    MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

use self::transport::Transport;
use super::environment;
use super::log;
use crate::config::{Telemetry as Configured, TelemetryEndpoint};
use crate::ports::PortError;

pub use self::measures::{Measured, Measures};

/// What this program is called at a collector.
const NAME: &str = "tidegate";
/// Spans that wait for a collector. A run of one app has about fifty.
const QUEUE: usize = 8_192;
/// Spans of one request.
const BATCH: usize = 512;
/// Between two requests while a run is under way.
const INTERVAL: Duration = Duration::from_secs(5);
/// One request to the collector.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// The end of a run waits for the collector so long at most.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// Numbers are sent once, at the end: no run lasts so long.
const NEVER: Duration = Duration::from_secs(86_400);

/// Names the collector, in the standard of OpenTelemetry. It goes before the configuration.
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Turns everything off, in the same standard.
const DISABLED_VARIABLE: &str = "OTEL_SDK_DISABLED";

/// The collector that the environment names, else the configuration's; none where neither does.
///
/// # Errors
/// Where the environment's is none. The run goes on without telemetry.
pub fn endpoint(configured: &Configured) -> Result<Option<TelemetryEndpoint>, PortError> {
    if environment::variable(DISABLED_VARIABLE).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match environment::variable(ENDPOINT_VARIABLE) {
        None => Ok(configured.endpoint.clone()),
        Some(named) => TelemetryEndpoint::new(&named).map(Some).map_err(|refused| {
            let text = format!("{ENDPOINT_VARIABLE} {refused}");
            let (what, fix) = text.split_once("\n  fix: ").unwrap_or((&text, "correct it"));
            PortError::new(what, fix)
        }),
    }
}

/// What is sent of one run.
pub struct Telemetry {
    transport: Arc<Transport>,
    spans: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Telemetry {
    /// Gets ready to send to a collector. Nothing is sent yet. Needs a Tokio runtime.
    ///
    /// # Errors
    /// Where TLS can't be set up, or a variable of OpenTelemetry's standard has a value that can't be used.
    pub fn start(endpoint: &TelemetryEndpoint) -> Result<Self, PortError> {
        let transport = Arc::new(Transport::new(endpoint, REQUEST_LIMIT)?);
        let unusable = |error: &dyn std::fmt::Display| {
            let fix = "correct the variables that begin with OTEL_EXPORTER_OTLP_, or unset them";
            PortError::new(format!("telemetry can't be set up: {error}"), fix)
        };
        let spans = SpanExporter::builder()
            .with_http()
            .with_shared_http_client(transport.clone())
            .with_endpoint(endpoint.with_path("/v1/traces"))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(REQUEST_LIMIT)
            .with_retry_policy(once())
            .build()
            .map_err(|error| unusable(&error))?;
        let numbers = MetricExporter::builder()
            .with_http()
            .with_shared_http_client(transport.clone())
            .with_endpoint(endpoint.with_path("/v1/metrics"))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(REQUEST_LIMIT)
            .with_retry_policy(once())
            // A process counts one run, so its counts are that run's share.
            .with_temporality(Temporality::Delta)
            .build()
            .map_err(|error| unusable(&error))?;
        let reader = PeriodicReader::builder(numbers).with_interval(NEVER).build();
        Ok(Self {
            transport,
            spans: SdkTracerProvider::builder()
                .with_span_processor(BatchSpanProcessor::builder(spans).with_batch_config(batches()).build())
                .with_resource(resource())
                .build(),
            meters: SdkMeterProvider::builder().with_reader(reader).with_resource(resource()).build(),
        })
    }

    /// The layer that makes spans of this program's own spans, whatever level the log has.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let own = FilterFn::new(|span: &Metadata<'_>| span.is_span() && log::is_own(span));
        tracing_opentelemetry::layer()
            .with_tracer(self.spans.tracer(NAME))
            // Apps take turns on the threads; a span's parent is the one it was made in.
            .with_context_activation(false)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(own.with_max_level_hint(LevelFilter::DEBUG))
    }

    /// The instruments.
    #[must_use]
    pub fn measures(&self) -> Measures {
        use opentelemetry::metrics::MeterProvider as _;
        Measures::new(&self.meters.meter(NAME))
    }

    /// Sends what is left, and waits for it no longer than `limit`. What went wrong since the beginning comes back as one
    /// sentence.
    pub async fn finish(self, limit: Duration) -> Option<String> {
        let Self { transport, spans, meters } = self;
        let sent = flushed(limit, move || spans.shutdown_with_timeout(limit).is_ok());
        let counted = flushed(limit, move || meters.shutdown_with_timeout(limit).is_ok());
        let both = async { tokio::join!(sent, counted) };
        let why = match tokio::time::timeout(limit, both).await {
            Ok((true, true)) => None,
            Ok(_) => Some("the exporter gave up".to_owned()),
            Err(_) => Some(format!("the collector did not take everything within {} ms", limit.as_millis())),
        };
        let why = transport.failure().or(why)?;
        Some(format!("telemetry was not delivered in full: {why}"))
    }
}

/// Does work that blocks on a thread of its own, and says whether it succeeded. One that outlives its time is not waited for: it ends with the process.
async fn flushed(limit: Duration, work: impl FnOnce() -> bool + Send + 'static) -> bool {
    if limit.is_zero() {
        // Even dropping a provider would wait.
        std::mem::forget(work);
        return false;
    }
    let (done, ended) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
        // Nobody waits any longer where the time is over.
        let _ = done.send(work());
    });
    // A thread that panicked has sent nothing more.
    started.is_ok() && ended.await.unwrap_or(false)
}

fn batches() -> opentelemetry_sdk::trace::BatchConfig {
    BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(INTERVAL)
        .build()
}

/// One try: the next run has its own telemetry.
fn once() -> RetryPolicy {
    RetryPolicy::disabled()
}

/// Who sends. Nothing of the machine, and nothing of the environment.
fn resource() -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", NAME),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build()
}
