//! The log: one line an event, for people or as JSON, with the fields of the run and of the app that it belongs to.
//!
//! Only this program's own events have levels to choose; those of its libraries are shown from a warning on, because
//! some of them write headers, and so tokens, at lower levels. Text from outside can't begin a line, hide itself or
//! color a terminal. Lines go where the caller says; those of an app may be kept until its whole log is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::clock::SystemClock;
use crate::ports::Clock as _;

/// The field that says which app an event belongs to.
pub const APP: &str = "app.id";
/// What this program's own events and spans begin with.
const OWN: &str = "tidegate";
/// The span of one request, whose fields its event repeats.
const REQUEST: &str = "request";
/// The lines that are kept of one app. What comes after them is counted and left out.
const MOST_LINES: usize = 2_000;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Instant, level, text and `name=value`.
    Human,
    /// One JSON object.
    Json,
}

/// The lines of each app, where they are printed together.
#[derive(Debug, Default)]
pub struct AppLines(Mutex<BTreeMap<String, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    left_out: usize,
}

impl AppLines {
    fn keep(&self, app: &str, line: String) {
        let mut apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = apps.entry(app.to_owned()).or_default();
        match kept.lines.len() < MOST_LINES {
            true => kept.lines.push(line),
            false => kept.left_out += 1,
        }
    }

    /// The lines of an app so far; they are not kept any longer.
    #[must_use]
    pub fn take(&self, app: &str) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(app).unwrap_or_default();
        let mut text = kept.lines.concat();
        if kept.left_out > 0 {
            text.push_str(&format!("{} more lines are not shown\n", kept.left_out));
        }
        text
    }
}

/// Where a line goes.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes events.
pub struct Log {
    /// How.
    pub format: Format,
    /// Where to.
    pub sink: Sink,
    /// Keeps the lines of apps, where they are printed together.
    pub apps: Option<Arc<AppLines>>,
}

impl Log {
    /// The layer that writes events of this program from `level` on. It knows every span of a run and of an app, so that
    /// a warning says which app it is about.
    pub fn layer<S>(self, level: LevelFilter) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let most = level.max(LevelFilter::INFO);
        let shown = FilterFn::new(move |event: &Metadata<'_>| match (is_own(event), event.is_span()) {
            (true, true) => *event.level() <= Level::INFO,
            (true, false) => *event.level() <= level,
            (false, span) => !span && *event.level() <= level.min(LevelFilter::WARN),
        });
        self.with_filter(shown.with_max_level_hint(most))
    }

    fn write(&self, app: Option<&str>, line: String) {
        match (app, &self.apps) {
            (Some(app), Some(apps)) => apps.keep(app, line),
            _ => (self.sink)(&line),
        }
    }
}

/// Whether a span or an event is this program's own.
#[must_use]
pub fn is_own(metadata: &Metadata<'_>) -> bool {
    metadata.target().split("::").next() == Some(OWN)
}

/// The fields of a span or an event.
#[derive(Debug, Clone, Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(format!("{value:?}")));
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // What is meant for telemetry alone says nothing here.
        if !field.name().starts_with("otel.") {
            self.0.insert(field.name().to_owned(), value);
        }
    }
}

impl<S> Layer<S> for Log
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(known) = span.extensions().get::<Fields>().filter(|_| span.name() != REQUEST) {
                fields.0.extend(known.0.clone());
            }
        }
        let app = fields.0.get(APP).and_then(Value::as_str).map(str::to_owned);
        event.record(&mut fields);
        let line = line(self.format, *event.metadata().level(), fields.0);
        self.write(app.as_deref(), line);
    }
}

/// One line, with its end.
fn line(format: Format, level: Level, mut fields: Map<String, Value>) -> String {
    let message = fields.shift_remove("message").and_then(|text| text.as_str().map(str::to_owned));
    let message = message.unwrap_or_default();
    let at = SystemClock.now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    match format {
        Format::Human => {
            let fields: String =
                fields.iter().map(|(name, value)| format!(" {name}={}", shown(value))).collect();
            format!("{at} {level:<5} {}{fields}\n", visible(&message))
        }
        Format::Json => {
            let head = [("timestamp", at), ("level", level.to_string()), ("message", message)];
            let head = head.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
            let object: Map<String, Value> = head.chain(fields).collect();
            visible(&Value::Object(object).to_string()) + "\n"
        }
    }
}

/// A line of JSON that is no event: why the program ended.
#[must_use]
pub fn last_words(text: &str, exit: u8) -> String {
    let mut fields = Map::new();
    fields.insert("message".to_owned(), Value::from(text));
    fields.insert("exit".to_owned(), Value::from(exit));
    line(Format::Json, Level::ERROR, fields)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => visible(&other.to_string()),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/+~%@".contains(c))
}

/// The text on one line, without what steers a terminal or hides itself. JSON has escaped the rest.
fn visible(text: &str) -> String {
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || hides(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<String>>);

    impl Written {
        fn lines(&self) -> Vec<String> {
            self.0.lock().unwrap().lines().map(str::to_owned).collect()
        }
    }

    /// What is written of `work` from a level on.
    fn logged(
        format: Format,
        level: LevelFilter,
        apps: Option<Arc<AppLines>>,
        work: impl FnOnce(),
    ) -> Vec<String> {
        let written = Written::default();
        let sink = written.clone();
        let log = Log { format, sink: Box::new(move |line| sink.0.lock().unwrap().push_str(line)), apps };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.layer(level)), work);
        written.lines()
    }

    fn one_of_each() {
        let run = tracing::info_span!("run", run.job = "release-monitor");
        let _run = run.enter();
        let app = tracing::info_span!("app", app.id = "android", app.version = tracing::field::Empty);
        let _app = app.enter();
        app.record("app.version", "2.0");
        let request = tracing::debug_span!("request", otel.kind = "client", url.path = "/v1");
        let _request = request.enter();
        tracing::warn!(failures = 2, "it went wrong");
        tracing::debug!(bytes = 7_u64, "small talk");
        tracing::error!(target: "hyper", "a library's error");
        tracing::info!(target: "hyper", "authorization: Bearer CANARY");
    }

    #[test]
    fn an_event_has_the_fields_of_its_run_and_app() {
        let lines = logged(Format::Human, LevelFilter::WARN, None, one_of_each);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let (_, rest) = lines[0].split_once("Z ").unwrap();
        assert_eq!(
            rest,
            "WARN  it went wrong run.job=release-monitor app.id=android app.version=2.0 failures=2"
        );
        assert!(lines[1].contains("a library's error"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines = logged(Format::Json, LevelFilter::DEBUG, None, one_of_each);
        assert_eq!(lines.len(), 3, "{lines:?}");
        let event: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&event["level"], &event["message"]), (&"DEBUG".into(), &"small talk".into()));
        assert_eq!((&event["app.version"], &event["bytes"]), (&"2.0".into(), &7.into()));
        let keys: Vec<&String> = event.as_object().unwrap().keys().take(3).collect();
        assert_eq!(keys, ["timestamp", "level", "message"]);
        assert!(event.get("url.path").is_none(), "the event of a request has the fields of its span itself");
    }

    #[test]
    fn libraries_are_heard_from_warnings_on_only_and_silence_is_silence() {
        let all = logged(Format::Human, LevelFilter::TRACE, None, one_of_each).concat();
        assert!(!all.contains("CANARY"), "{all}");
        assert!(logged(Format::Human, LevelFilter::OFF, None, one_of_each).is_empty());
    }

    #[test]
    fn the_lines_of_an_app_are_kept_until_they_are_taken() {
        let apps = Arc::new(AppLines::default());
        let lines = logged(Format::Human, LevelFilter::WARN, Some(apps.clone()), || {
            tracing::warn!("of nobody");
            one_of_each();
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(apps.take("android").contains("it went wrong"));
        assert_eq!(apps.take("android"), "");
    }

    #[test]
    fn a_flood_of_lines_is_counted_and_left_out() {
        let apps = AppLines::default();
        (0..MOST_LINES + 3).for_each(|_| apps.keep("android", "line\n".to_owned()));
        assert!(apps.take("android").ends_with("line\n3 more lines are not shown\n"));
    }

    #[test]
    fn f85_text_from_outside_stays_on_its_line() {
        let hostile = "1.0\n::error::x\u{1b}[31m\r##[group]\u{202e}";
        for format in [Format::Human, Format::Json] {
            let lines =
                logged(format, LevelFilter::WARN, None, || tracing::warn!(version = hostile, "{hostile}"));
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(
                !lines[0].contains(['\u{1b}', '\r', '\u{202e}']) && !lines[0].starts_with("::"),
                "{lines:?}"
            );
        }
    }
}
