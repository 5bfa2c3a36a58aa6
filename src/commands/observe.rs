//! What a command lets be seen of itself: its log, and the telemetry of a run.
//!
//! Results are not here: they go to standard output. The log goes to standard error; on GitHub the lines of an app are
//! kept and printed with its result.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::layer::SubscriberExt as _;

use super::print;
use crate::adapters::clock;
use crate::adapters::log::{AppLines, Format, Log};
use crate::adapters::telemetry::{self, FLUSH_LIMIT, Measured, Measures, Telemetry};
use crate::cli::{Common, LogFormat, Output};
use crate::config;
use crate::domain::cost::bytes_billed;
use crate::domain::verdict::Evidence;
use crate::jobs::{AppReport, JobId};

/// The observers of one run.
pub struct Observing {
    lines: Option<Arc<AppLines>>,
    telemetry: Option<(Telemetry, Measures)>,
    began: Instant,
}

/// Starts the log of a command that is no run.
pub fn log_only(common: &Common) {
    set(tracing_subscriber::registry().with(log(common, None).layer(common.log_level.filter())));
}

impl Observing {
    /// Starts the log of a run, and its telemetry where there is a collector. Without one, or with one that can't be used,
    /// the run is the same.
    #[must_use]
    pub fn start(common: &Common, configured: &config::Telemetry) -> Self {
        let lines = (common.output == Output::Github).then(Arc::default);
        let started = telemetry::endpoint(configured)
            .and_then(|endpoint| endpoint.map(|endpoint| Telemetry::start(&endpoint)).transpose());
        let (telemetry, problem) = match started {
            Ok(telemetry) => (telemetry, None),
            Err(error) => (None, Some(error)),
        };
        let log = log(common, lines.clone()).layer(common.log_level.filter());
        let spans = telemetry.as_ref().map(Telemetry::layer);
        set(tracing_subscriber::registry().with(log).with(spans));
        if let Some(error) = problem {
            tracing::warn!(fix = error.fix, "no telemetry is sent: {}", error.what);
        }
        let telemetry = telemetry.map(|telemetry| {
            let measures = telemetry.measures();
            (telemetry, measures)
        });
        Self { lines, telemetry, began: clock::steady() }
    }

    /// The lines of the log that belong to an app, where they are kept.
    #[must_use]
    pub fn lines_of(&self, app: &str) -> String {
        self.lines.as_ref().map(|lines| lines.take(app)).unwrap_or_default()
    }

    /// Counts what came of the apps.
    pub fn count(&self, reports: &[AppReport]) {
        if let Some((_, measures)) = &self.telemetry {
            reports.iter().for_each(|report| measures.app(&measured(report)));
        }
    }

    /// Sends what is left of the telemetry, for as long as it may take and no longer than is `left` of the run.
    pub async fn finish(self, job: JobId, exit: u8, left: Duration) {
        let Some((telemetry, measures)) = self.telemetry else { return };
        measures.run(job.as_str(), exit, self.began.elapsed().as_secs_f64());
        if let Some(problem) = telemetry.finish(FLUSH_LIMIT.min(left)).await {
            tracing::warn!("{problem}");
        }
    }
}

fn log(common: &Common, apps: Option<Arc<AppLines>>) -> Log {
    let format = match common.log {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    Log { format, sink: Box::new(print::err), apps }
}

/// A second start in one process, as tests make it, keeps the first.
fn set(subscriber: impl tracing::Subscriber + Send + Sync) {
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn measured(report: &AppReport) -> Measured<'_> {
    let record = report.record.as_ref();
    let evidence = record.map(|record| {
        let slo = &record.policy.slo;
        Evidence::of_sessions(record.facts.fresh(), slo, slo.method, record.judgement.reason)
    });
    Measured {
        app: report.app.as_str(),
        platform: report.platform.as_str(),
        version: report.version.as_ref().map(|version| version.as_str()),
        decision: report.decision.as_str(),
        reason: report.reason.as_str(),
        bytes_billed: record.map_or(0, |record| bytes_billed(&record.queries)),
        crash_free_sessions: evidence
            .and_then(|evidence| Some([evidence.rate?, evidence.lower?, evidence.upper?])),
    }
}
