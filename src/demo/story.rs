//! What happened in the week: the timeline, the end, the thread, and the same for machines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::scenario::{App, NEW_BUILD, NEW_VERSION};
use super::week::{CHANNEL, Look};
use crate::domain::decision::Record;
use crate::domain::ids::Platform;
use crate::domain::judge::Decision;
use crate::domain::message::{NoteKind, grouped};
use crate::domain::verdict::Reason;
use crate::exit::Ended;
use crate::jobs::Acted;
use crate::report::human::interval;
use crate::sandbox::Model;

/// The decision that a release is remembered by.
struct Remembered {
    decision: Decision,
    at: Timestamp,
    record: Option<Record>,
}

/// Collects the looks of a week.
#[derive(Default)]
pub struct Story {
    last: BTreeMap<App, Decision>,
    remembered: BTreeMap<App, Remembered>,
    /// How many runs there were.
    pub runs: usize,
}

impl Story {
    /// Takes a look in. Answers a line where the decision changed.
    pub fn add(&mut self, look: &Look, zone: &TimeZone) -> Option<String> {
        if look.report.reason == Reason::ReportMade || look.report.reason == Reason::NotApplicable {
            return None;
        }
        let decision = look.report.decision;
        self.remember(look);
        let before = self.last.insert(look.app, decision);
        let changed = before != Some(decision) && decision != Decision::None;
        changed.then(|| line(look, zone))
    }

    /// The strongest thing that was decided counts: an effect that was had, else a warning, else the newest answer.
    fn remember(&mut self, look: &Look) {
        let rank = |decision: Decision| match decision {
            Decision::Halt | Decision::FastTrack | Decision::Complete => 2,
            Decision::Warn => 1,
            _ => 0,
        };
        let new = look.report.decision;
        let known = self.remembered.get(&look.app).map(|known| rank(known.decision));
        if new == Decision::None || known.is_some_and(|known| known > 0 && known >= rank(new)) {
            return;
        }
        let remembered = Remembered { decision: new, at: look.at, record: look.report.record.clone() };
        self.remembered.insert(look.app, remembered);
    }

    /// The recorded halt of an app, to explain.
    #[must_use]
    pub fn first_halt(&self) -> Option<&Record> {
        let halted = |remembered: &&Remembered| remembered.decision == Decision::Halt;
        self.remembered.values().find(halted).and_then(|remembered| remembered.record.as_ref())
    }

    /// The document of the week.
    ///
    /// # Errors
    /// Where the sandbox does not know what it was set up with.
    pub fn document(&self, model: &Model, seed: u64) -> Result<Value, Ended> {
        let stores = model.state();
        let messages = model.slack_messages(CHANNEL).map_err(Ended::failed)?;
        let releases: Vec<Value> =
            App::ALL.into_iter().map(|app| self.release(app, &stores, &messages)).collect();
        Ok(json!({ "seed": seed, "runs": self.runs, "releases": releases }))
    }

    fn release(&self, app: App, stores: &Value, messages: &[Value]) -> Value {
        let remembered = self.remembered.get(&app);
        let counts = remembered.and_then(|known| known.record.as_ref()).map(|record| record.facts.fresh());
        let (store_status, user_fraction) = in_store(app, stores);
        json!({
            "app": app.id(),
            "platform": app.platform,
            "version": NEW_VERSION,
            "scenario": app.scenario.as_str(),
            "store_status": store_status,
            "user_fraction": user_fraction,
            "decision": remembered.map(|known| known.decision.as_str()),
            "decided_at": remembered.map(|known| known.at),
            "sessions": counts.map(|counts| counts.sessions),
            "crashed_sessions": counts.map(|counts| counts.crashed_sessions),
            "slack_messages": messages.iter().filter(|message| is_about(message, app) && !is_daily(message)).count(),
            "daily_reports": messages.iter().filter(|message| is_about(message, app) && is_daily(message)).count(),
        })
    }
}

/// Whether a message is a daily report.
fn is_daily(message: &Value) -> bool {
    let (symbol, _) = NoteKind::DailyReport.symbol_and_word();
    message["text"].as_str().is_some_and(|text| text.starts_with(symbol))
}

fn line(look: &Look, zone: &TimeZone) -> String {
    let at = look.at.to_zoned(zone.clone()).strftime("%a %H:%M").to_string();
    let report = &look.report;
    let acted = if report.acted == Acted::Yes { ", done" } else { "" };
    let numbers = report.record.as_ref().and_then(|record| {
        let rule = record.judgement.rule.as_ref();
        let outcome = record.judgement.rules.iter().find(|outcome| Some(&outcome.rule) == rule)?;
        let sessions = grouped(outcome.ruling.evidence.valid);
        Some(format!("  {}, {sessions} counted", interval(&outcome.ruling.evidence)))
    });
    format!(
        "{at}  {:<17} {:<10} {}{acted}{}\n",
        look.app.id(),
        report.decision.as_str().to_uppercase(),
        report.reason,
        numbers.unwrap_or_default()
    )
}

/// The status and the share of users that the store shows, in the store's own words.
fn in_store(app: App, stores: &Value) -> (Value, Value) {
    match app.platform {
        Platform::Android => on_play(app, stores),
        Platform::Ios => in_the_app_store(app, stores),
    }
}

fn on_play(app: App, stores: &Value) -> (Value, Value) {
    let tracks = list(stores.pointer(&format!("/play/{}/tracks", app.package())));
    let track = tracks.iter().find(|track| track["track"] == "production");
    let holds = |release: &&Value| list(release.get("versionCodes")).contains(&json!(NEW_BUILD));
    let releases = list(track.and_then(|track| track.get("releases")));
    let release = releases.iter().find(holds).cloned().unwrap_or_default();
    let status = release["status"].clone();
    let fraction = if status == "completed" { json!(1.0) } else { release["userFraction"].clone() };
    (status, fraction)
}

fn in_the_app_store(app: App, stores: &Value) -> (Value, Value) {
    let apps = list(stores.get("asc"));
    let ours = apps.iter().find(|known| known["bundleId"] == app.package());
    let versions = list(ours.and_then(|app| app.get("versions")));
    let version =
        versions.iter().find(|version| version["version"] == NEW_VERSION).cloned().unwrap_or_default();
    let phased = &version["phasedRelease"];
    let fraction = phased["offeredPercent"].as_f64().map(|percent| percent / 100.0);
    (phased["phasedReleaseState"].clone(), json!(fraction))
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is_about(message: &Value, app: App) -> bool {
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    text.contains(&format!("({})", app.id()))
}

/// The channel as text: threads under the message they belong to.
#[must_use]
pub fn thread(messages: &[Value], zone: &TimeZone) -> String {
    let field = |message: &Value, name: &str| {
        message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let is_reply = |message: &&Value| {
        let thread = field(message, "thread_ts");
        !thread.is_empty() && thread != field(message, "ts")
    };
    let mut text = String::new();
    for message in messages.iter().filter(|message| !is_reply(message)) {
        text.push_str(&shown(message, "", zone));
        let ts = field(message, "ts");
        let replies = messages.iter().filter(|reply| is_reply(reply) && field(reply, "thread_ts") == ts);
        replies.for_each(|reply| text.push_str(&shown(reply, "    ", zone)));
    }
    text
}

fn shown(message: &Value, indent: &str, zone: &TimeZone) -> String {
    let ts: f64 =
        message.get("ts").and_then(Value::as_str).and_then(|ts| ts.parse().ok()).unwrap_or_default();
    let at = Timestamp::from_second(ts as i64)
        .map(|at| at.to_zoned(zone.clone()).strftime("%a %H:%M").to_string());
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let lines: String = text.lines().map(|line| format!("{indent}  {line}\n")).collect();
    format!("{indent}{} tidegate\n{lines}", at.unwrap_or_default())
}

/// The end of the week in the stores, a line each.
#[must_use]
pub fn final_states(document: &Value) -> String {
    let releases = document["releases"].as_array().cloned().unwrap_or_default();
    let line = |release: &Value| {
        let text = |name: &str| release[name].as_str().unwrap_or("-").to_owned();
        let percent = release["user_fraction"]
            .as_f64()
            .map(|f| format!("{} %", (f * 100_000.0).round() / 1000.0))
            .unwrap_or_default();
        format!("  {:<17} {:<11} {:>6}  {}\n", text("app"), text("store_status"), percent, text("decision"))
    };
    let lines: String = releases.iter().map(line).collect();
    lines + "  (Apple raises a phased release by itself, day by day; only a halt stops that.)\n"
}
