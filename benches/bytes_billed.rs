//! What a week of looks at a healthy release costs: a million sessions a day on two platforms, 384 runs.
//!
//! The monitor itself runs, with its own rules, memory and way of reading, over a warehouse that is a formula: it
//! answers the totals that such traffic has at the clock's instant, and bills as BigQuery does. The other ways of reading
//! are billed by the same rules: the whole cycle on each run, and the start of the day to now, from Google Analytics.
//! The fast-track is off, or a healthy release would be out of sight after the second day. Bytes are counted, not timed.
//!
//! Row widths and events a session are those of the worked example in docs/cost.md.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tidegate::adapters::events::{Answer, Events, TableInfo, Together, Warehouse};
use tidegate::adapters::sqlite::SqliteState;
use tidegate::config;
use tidegate::demo::schedule;
use tidegate::domain::calendar::UtcDay;
use tidegate::domain::cost::QueryCost;
use tidegate::domain::ids::{ApplicationId, BuildNumber, Platform, VersionName};
use tidegate::domain::judge::Decision;
use tidegate::domain::looking::ReadSessions;
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::{Change, Release, RolloutStatus};
use tidegate::domain::sketch::SKETCH_SIZE;
use tidegate::jobs::AppWorld;
use tidegate::jobs::brakes::Brakes;
use tidegate::jobs::release_monitor::{Asks, ReleaseMonitor};
use tidegate::ports::{Clock, Lease, MetricSource, PortError, RolloutTarget};
use tidegate::queries::{Cell, Engine, Query, Question, Table, Value};
use tidegate::sandbox::accounting::{self, Partitions};

/// Sessions a day on both platforms together.
const SESSIONS_A_DAY: u64 = 1_000_000;
/// Platforms, each with tables of its own in the Firebase exports.
const PLATFORMS: u64 = 2;
/// Events that Google Analytics keeps of one session.
const EVENTS_A_SESSION: u64 = 20;
/// One session in so many crashes: a crash-free sessions rate of 99.99 %.
const SESSIONS_A_CRASH: u64 = 10_000;
/// Reports of all kinds and versions for each crash of the release.
const REPORTS_A_CRASH: u64 = 100;
/// The share of sessions that have the new version: 15 %.
const NEW_VERSION_PERCENT: u64 = 15;
/// Sessions of one user on a day.
const SESSIONS_A_USER: u64 = 3;
/// Bytes of the columns that are read of an Analytics event, without and with its parameters.
const ANALYTICS_LEAN: u64 = 75;
const ANALYTICS_WITH_PARAMETERS: u64 = 339;
/// Bytes of the columns that are read of a Firebase session, and of a crash report.
const SESSION_ROW: u64 = 91;
const CRASH_ROW: u64 = 190;
const DAY: i64 = accounting::DAY_US;
const GIBIBYTE: f64 = 1_073_741_824.0;

#[derive(Clone)]
struct At(Arc<Mutex<Timestamp>>);

impl Clock for At {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// How many of `a_day`, evenly spread, lie between two instants that are no later than now.
fn between(a_day: u64, from_us: i64, to_us: i64) -> u64 {
    (a_day as i128 * i128::from((to_us - from_us).max(0)) / i128::from(DAY)) as u64
}

/// A warehouse with even traffic up to the clock's instant.
#[derive(Clone)]
struct Even {
    clock: At,
    first: i64,
}

impl Even {
    fn bytes_per_day(&self, rows_a_day: u64, row: u64) -> BTreeMap<i64, u64> {
        let now = self.clock.now().as_microsecond();
        let of_day = |day: i64| between(rows_a_day, day * DAY, now.min((day + 1) * DAY)) * row;
        (self.first..=now.div_euclid(DAY)).map(|day| (day, of_day(day))).collect()
    }

    fn billed(&self, question: Question, from_us: i64, to_us: i64) -> u64 {
        let (rows, row) = match question {
            Question::Sessions | Question::FirstSession | Question::SessionTotals => {
                (SESSIONS_A_DAY / PLATFORMS, SESSION_ROW)
            }
            Question::Crashes | Question::CrashTotals | Question::TopCrashes => {
                (SESSIONS_A_DAY / SESSIONS_A_CRASH * REPORTS_A_CRASH / PLATFORMS, CRASH_ROW)
            }
        };
        let processed =
            accounting::processed(&self.bytes_per_day(rows, row), Partitions::ByEventDay, from_us, to_us);
        accounting::billed(&[processed])
    }
}

fn parameter(query: &Query, name: &str) -> i64 {
    match query.parameters.iter().find(|(known, _)| *known == name) {
        Some((_, Value::Integer(value))) => *value,
        _ => i64::MIN,
    }
}

#[async_trait]
impl Warehouse for Even {
    fn engine(&self) -> Engine {
        Engine::BigQuery
    }

    async fn table(&self, _: &Table) -> Result<Option<TableInfo>, PortError> {
        // Rows come all the time.
        Ok(Some(TableInfo { mark: Some(self.clock.now().to_string()), ..TableInfo::default() }))
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        let (from, to) = (parameter(query, "from_us"), parameter(query, "to_us"));
        let mature = parameter(query, "mature_us");
        let now = self.clock.now().as_microsecond();
        let rows = match query.question {
            Question::FirstSession => Vec::new(),
            Question::SessionTotals | Question::CrashTotals | Question::TopCrashes => {
                return Err(PortError::new("the monitor asks nothing of a daily report", "ask what it asks"));
            }
            question => (from.div_euclid(DAY)..=to.min(now).div_euclid(DAY))
                .flat_map(|day| rows(question, day, from, to.min(now), mature))
                .collect(),
        };
        let cost = QueryCost {
            question: query.question.name().to_owned(),
            table: query.table.to_string(),
            bytes_billed: self.billed(query.question, from, to),
            ..QueryCost::default()
        };
        Ok(Answer { rows, cost })
    }
}

/// The totals of one day and its people, as the question answers them.
fn rows(question: Question, day: i64, from: i64, to: i64, mature: i64) -> Vec<Vec<Cell>> {
    let (start, end) = (from.max(day * DAY), to.min((day + 1) * DAY));
    if start >= end {
        return Vec::new();
    }
    let of_release = SESSIONS_A_DAY / PLATFORMS * NEW_VERSION_PERCENT / 100;
    let a_day = if question == Question::Crashes { of_release / SESSIONS_A_CRASH } else { of_release };
    let (all, mature) = (between(a_day, start, end), between(a_day, start, end.min(mature).max(start)));
    let people = if question == Question::Crashes { all } else { all / SESSIONS_A_USER };
    let shown = people.clamp(1, SKETCH_SIZE as u64);
    (0..shown)
        .map(|place| {
            let (all, mature) = if place == 0 { (all, mature) } else { (0, 0) };
            one_row(question, day, [all, mature], end, fingerprint(day, place, people.max(1)))
        })
        .collect()
}

/// The fingerprint of the person at a place, where so many are spread evenly.
fn fingerprint(day: i64, place: u64, people: u64) -> i64 {
    let hash = (place + 1).saturating_mul(u64::MAX / (people + 1)).wrapping_add(day.cast_unsigned());
    (hash ^ (1 << 63)).cast_signed()
}

fn one_row(question: Question, day: i64, [all, mature]: [u64; 2], end: i64, fingerprint: i64) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let count = |count: u64| Cell::Integer(count.cast_signed());
    let (newest, fingerprint) = (Cell::Integer(end - 1), Cell::Integer(fingerprint));
    let day = Cell::Integer(day);
    match question {
        Question::Crashes => {
            let head = [day, text("2.0"), text("200"), count(all), count(0), count(all), count(mature)];
            head.into_iter().chain([newest, fingerprint, count(1)]).collect()
        }
        // The questions of a daily report are not asked.
        Question::SessionTotals | Question::CrashTotals | Question::TopCrashes => Vec::new(),
        Question::Sessions | Question::FirstSession => {
            let head = [day, Cell::Null, Cell::Null, text("2.0"), text("200"), count(all), count(mature)];
            head.into_iter().chain([newest, fingerprint]).collect()
        }
    }
}

/// A store with one release that is rolling out and stays so.
struct Store(Timestamp);

#[async_trait]
impl RolloutTarget for Store {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        Ok(vec![Release {
            key: "200".to_owned(),
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status: RolloutStatus::RollingOut,
            user_fraction: UserFraction::new(0.15).ok(),
            started_at: Some(self.0),
            paused_days: None,
        }])
    }

    async fn apply(&self, _: &Lease, _: &Release, _: &Change) -> Result<(), PortError> {
        Ok(())
    }
}

/// The policy of the defaults, with the fast-track off.
fn app() -> config::App {
    let text = "[rules.crash-free-sessions-fast-track]\nmode = \"off\"\n[[app]]\nid = \"android\"\n\
                platform = \"android\"\npackage = \"com.example.app\"\n";
    config::parse(text, "the benchmark").unwrap().apps.remove(0)
}

/// The deadline of a run, in seconds: the default of the command line.
const DEADLINE_SECONDS: u64 = 480;

/// A week of looks at one platform: what it was billed, its queries, and what it decided at each look.
async fn week(read_sessions: ReadSessions, looks: &[Timestamp]) -> (u64, usize, Vec<Decision>) {
    let folder = tempfile::tempdir().unwrap();
    let state = SqliteState::open(&folder.path().join("state.sqlite")).unwrap();
    let start = looks[0];
    let clock = At(Arc::new(Mutex::new(start)));
    let even = Even { clock: clock.clone(), first: start.as_microsecond().div_euclid(DAY) - 1 };
    let app = app();
    let application = ApplicationId::new("com.example.app").unwrap();
    let metrics: Box<dyn MetricSource> =
        Box::new(Events::new(Together::new(even), Platform::Android, application, app.sources.clone()));
    let world = AppWorld {
        id: app.id.clone(),
        platform: Platform::Android,
        policy: app.policy.clone(),
        switch: app.mode,
        configuration: app.fingerprint(),
        read_sessions,
        alarm_after_runs: 3,
        monitor_silence: jiff::SignedDuration::from_hours(3),
        budget_per_month: None,
        degraded_halt: false,
        metrics,
        target: Box::new(Store(start)),
        notifiers: BTreeMap::new(),
        links: tidegate::domain::links::Links::default(),
        report_at: app.report_at,
        picture: None,
    };
    let (mut bytes, mut queries, mut decisions) = (0, 0, Vec::new());
    for now in looks {
        *clock.0.lock().unwrap() = *now;
        let brakes = Brakes::new(clock.moment(), Duration::from_secs(DEADLINE_SECONDS));
        let monitor = ReleaseMonitor {
            state: &state,
            clock: &clock,
            holder: "bench/1".to_owned(),
            brakes: &brakes,
            asks: Asks::Nothing,
            held: Mutex::default(),
        };
        for report in monitor.run(&world).await.unwrap() {
            let record = report.record.unwrap_or_else(|| panic!("at {now}: {:?}", report.problems));
            bytes += tidegate::domain::cost::bytes_billed(&record.queries);
            queries += record.queries.len();
            decisions.push(record.judgement.decision);
        }
    }
    (bytes, queries, decisions)
}

/// What reading Analytics costs on every look: the tables of the property's days, from the cycle's start or today's.
fn analytics(looks: &[Timestamp], row: u64, whole_cycle: bool) -> u64 {
    let start = looks[0].as_microsecond();
    let of_day = |day: i64, now: i64| {
        let (from, to) = ((day * DAY).max(start), now.min((day + 1) * DAY));
        between(SESSIONS_A_DAY * EVENTS_A_SESSION, from, to) * row
    };
    let of_look = |now: &Timestamp| {
        let now = now.as_microsecond();
        let today = now.div_euclid(DAY);
        let first = if whole_cycle { start.div_euclid(DAY) } else { today };
        let sessions: u64 = (first..=today).map(|day| accounting::billed(&[of_day(day, now)])).sum();
        // Both ways read the crash tables too: tiny, and billed at the least.
        sessions + PLATFORMS * accounting::LEAST_BYTES
    };
    looks.iter().map(of_look).sum()
}

/// The same from Firebase Sessions, from the start of the day to now.
fn firebase_start_of_day(looks: &[Timestamp]) -> u64 {
    let of_look = |now: &Timestamp| {
        let now = now.as_microsecond();
        let today = now.div_euclid(DAY) * DAY;
        let bytes = between(SESSIONS_A_DAY / PLATFORMS, today, now) * SESSION_ROW;
        PLATFORMS * (accounting::billed(&[bytes]) + accounting::LEAST_BYTES)
    };
    looks.iter().map(of_look).sum()
}

fn line(name: &str, bytes: u64, base: u64) {
    println!("{name:<58} {:>9.2} GiB {:>9.4}", bytes as f64 / GIBIBYTE, bytes as f64 / base as f64);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let monday = date(2026, 11, 16);
    let looks = schedule::looks(monday, &TimeZone::UTC);
    // The cycle begins with the first look; a look at its very instant has nothing to see.
    let looks: Vec<Timestamp> = looks.iter().map(|look| *look + SignedDuration::from_mins(15)).collect();
    assert_eq!(UtcDay::of(looks[0]), UtcDay::of(looks[0]));
    let (ours, our_queries, our_decisions) = week(ReadSessions::WhenNeeded, &looks).await;
    let (every, every_queries, every_decisions) = week(ReadSessions::EveryRun, &looks).await;
    assert_eq!(our_decisions, every_decisions, "leaving sessions unread changed a decision");
    let base = analytics(&looks, ANALYTICS_LEAN, false);
    println!(
        "{} looks, {SESSIONS_A_DAY} sessions a day on {PLATFORMS} platforms, decisions identical",
        looks.len()
    );
    println!("{:<58} {:>13} {:>9}", "bytes billed in the week", "", "ratio");
    line(
        "whole cycle each run, Analytics with event parameters",
        analytics(&looks, ANALYTICS_WITH_PARAMETERS, true),
        base,
    );
    line("whole cycle each run, Analytics lean", analytics(&looks, ANALYTICS_LEAN, true), base);
    line("start of day to now, Analytics lean", base, base);
    line("start of day to now, Firebase Sessions", firebase_start_of_day(&looks), base);
    line(&format!("ours, sessions on every run ({} queries)", every_queries * 2), every * PLATFORMS, base);
    line(&format!("ours ({} queries)", our_queries * 2), ours * PLATFORMS, base);
    println!("ours / start-of-day GA4 lean = {:.4}", (ours * PLATFORMS) as f64 / base as f64);
}
