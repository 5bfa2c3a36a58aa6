//! The numbers of a run: what was decided, what it cost, how long it took, how the releases stand.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};

/// What is counted of one app in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured<'r> {
    /// The app.
    pub app: &'r str,
    /// Its platform.
    pub platform: &'r str,
    /// The version, where a release is rolling out.
    pub version: Option<&'r str>,
    /// The decision.
    pub decision: &'r str,
    /// Why.
    pub reason: &'r str,
    /// Bytes that its queries were billed for.
    pub bytes_billed: u64,
    /// The crash-free sessions rate with its lower and its upper bound, as ratios, where there is one.
    pub crash_free_sessions: Option<[f64; 3]>,
}

/// The instruments.
pub struct Measures {
    decisions: Counter<u64>,
    bytes_billed: Counter<u64>,
    run_seconds: Gauge<f64>,
    crash_free_sessions: [Gauge<f64>; 3],
}

impl Measures {
    pub(super) fn new(meter: &Meter) -> Self {
        let ratio = |name: &'static str, what: &'static str| {
            meter.f64_gauge(name).with_unit("1").with_description(what).build()
        };
        Self {
            decisions: meter
                .u64_counter("tidegate.decisions")
                .with_unit("{decision}")
                .with_description("Decisions, by app, decision and reason.")
                .build(),
            bytes_billed: meter
                .u64_counter("tidegate.bytes_billed")
                .with_unit("By")
                .with_description("Bytes that queries were billed for.")
                .build(),
            run_seconds: meter
                .f64_gauge("tidegate.run.duration")
                .with_unit("s")
                .with_description("How long the run took.")
                .build(),
            crash_free_sessions: [
                ratio("tidegate.crash_free_sessions", "The crash-free sessions rate of the release."),
                ratio("tidegate.crash_free_sessions.lower", "The lower bound of that rate."),
                ratio("tidegate.crash_free_sessions.upper", "The upper bound of that rate."),
            ],
        }
    }

    /// Counts what came of an app.
    pub fn app(&self, measured: &Measured<'_>) {
        let own = |name: &'static str, value: &str| KeyValue::new(name, value.to_owned());
        let app = [own("app.id", measured.app), own("app.platform", measured.platform)];
        let decided = [own("decision", measured.decision), own("reason", measured.reason)];
        self.decisions.add(1, &[app.clone(), decided].concat());
        self.bytes_billed.add(measured.bytes_billed, &app);
        let Some(rates) = measured.crash_free_sessions else { return };
        let version = [own("app.version", measured.version.unwrap_or("?"))];
        let release = [app.as_slice(), version.as_slice()].concat();
        for (gauge, rate) in self.crash_free_sessions.iter().zip(rates) {
            gauge.record(rate, &release);
        }
    }

    /// Counts the run itself.
    pub fn run(&self, job: &str, exit: u8, seconds: f64) {
        let of_run = [KeyValue::new("run.job", job.to_owned()), KeyValue::new("run.exit", i64::from(exit))];
        self.run_seconds.record(seconds, &of_run);
    }
}
