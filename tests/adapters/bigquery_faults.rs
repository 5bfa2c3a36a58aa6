//! What BigQuery and the exports can do to a run: one test for each row F01 to F21 of the fault table, with the whole
//! program against the sandbox's BigQuery.
//!
//! Most towns have a release that would be fast-tracked, so that "nothing permissive" has something to refuse.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::adapters::clock::steady;
use tidegate::sandbox::{
    Access, CannedReply, DatasetChange, ErrorReason, Fault, FaultKind, JobConditions, JobFailure,
    LoggedRequest, Service, TableConditions,
};

use crate::support::{CRASHES, SESSIONS, analytics, at, crash, session, with};
use crate::town::{Apps, Events, LOCATION, NOW, PROJECT, Ran, Town};

/// People are told at the first run, so that a test needs no three.
const ALARM_AT_ONCE: &str = "[data]\nalarm_after_runs = 1\n";
const GIB: u64 = 1 << 30;

async fn town(events: Events) -> Town {
    Town::on_bigquery(Apps::Android, events).await
}

/// A town that tells people at the first run.
async fn loud_town(events: Events) -> Town {
    let town = town(events).await;
    town.configure(ALARM_AT_ONCE);
    town
}

impl Town {
    pub async fn run_at(&self, now: &str) -> Ran {
        self.finish(&["run", "release-monitor", "--now", now, "--output", "json"]).await
    }

    async fn on_github(&self) -> Ran {
        self.finish(&["run", "release-monitor", "--now", NOW, "--output", "github"]).await
    }

    fn fault(&self, fault: Fault) {
        self.sandbox.model().add_fault(fault);
    }

    fn jobs_go(&self, conditions: JobConditions) {
        self.sandbox.model().set_bigquery_jobs(conditions);
    }

    fn looks(&self, table: &str, conditions: TableConditions) {
        let (dataset, table) = table.split_once('.').unwrap();
        self.sandbox.model().set_bigquery_table(PROJECT, dataset, table, conditions).unwrap();
    }

    fn access(&self, dataset: &str, access: Access) {
        let change = DatasetChange { access: Some(access), ..DatasetChange::default() };
        self.sandbox.model().change_bigquery_dataset(PROJECT, dataset, change).unwrap();
    }

    /// Changes the tables behind the sandbox's back, as an export does.
    fn export(&self, sql: &str) {
        let sql =
            sql.replace("SESSIONS", &format!("`{SESSIONS}`")).replace("CRASHES", &format!("`{CRASHES}`"));
        rusqlite::Connection::open(self.path("warehouse.sqlite")).unwrap().execute_batch(&sql).unwrap();
    }

    /// What BigQuery was asked, in order.
    pub fn asked(&self) -> Vec<LoggedRequest> {
        let requests = self.sandbox.model().requests().into_iter();
        requests.filter(|request| request.service == Service::BigQuery).collect()
    }

    /// The requests that insert a job.
    pub fn insertions(&self) -> Vec<LoggedRequest> {
        let inserts = |request: &LoggedRequest| request.method == "POST" && !request.path.contains("/cancel");
        self.asked().into_iter().filter(inserts).collect()
    }

    /// The jobs that BigQuery has started.
    fn jobs(&self) -> Vec<Value> {
        self.sandbox.model().state()["bigquery"]["jobs"].as_array().unwrap().clone()
    }

    async fn releases(&self) -> Value {
        let status = self.finish(&["status", "--output", "json"]).await;
        serde_json::from_str::<Value>(&status.stdout()).unwrap()["apps"][0]["releases"].clone()
    }

    fn is_untouched(&self) {
        let changed = self.writes().into_iter().filter(|write| write.contains("androidpublisher"));
        assert_eq!(changed.collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(self.store_status(), "inProgress");
        let acted = |text: &String| text.contains("FAST-TRACKED") || text.contains("HALTED");
        assert!(!self.messages().iter().any(acted), "{:?}", self.messages());
    }

    /// What a person finds in the channel: one message, about the trouble and with these words.
    fn told_once(&self, words: &[&str]) {
        let messages = self.messages();
        assert!(messages.len() == 1 && messages[0].starts_with("🔕 NOT WATCHED"), "{messages:?}");
        assert!(words.iter().all(|word| messages[0].contains(word)), "{messages:?}");
    }
}

pub fn job_id(request: &LoggedRequest) -> String {
    request.body["jobReference"]["jobId"].as_str().unwrap().to_owned()
}

/// What a run decided, and on what.
fn answer(ran: &Ran) -> Value {
    let result = ran.result();
    let parts = ["decision", "reason", "acted", "sessions", "crashed_sessions", "rules", "bytes_billed"];
    parts.iter().map(|part| ((*part).to_owned(), result[*part].clone())).collect()
}

fn decided(ran: &Ran, decision: &str, reason: &str) {
    let result = ran.result();
    assert_eq!(
        (&result["decision"], &result["reason"], &result["acted"]),
        (&json!(decision), &json!(reason), &json!(false)),
        "{}",
        ran.stderr()
    );
}

/// An error that says all of this; nothing was done.
fn failed(ran: &Ran, words: &[&str]) {
    decided(ran, "error", "could-not-complete");
    assert_eq!(ran.code(), 1);
    let problem = ran.result()["problems"][0].as_str().unwrap().to_owned();
    assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
}

/// Red on GitHub, with these words.
fn is_red(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code(), code, "{}\n{}", ran.stdout(), ran.stderr());
    let text = ran.stdout();
    let error = text.lines().find(|line| line.starts_with("::error")).unwrap_or_else(|| panic!("{text}"));
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status(CannedReply::status(code))
}

fn asks_to_wait(seconds: &str) -> FaultKind {
    FaultKind::Status(CannedReply::status(429).with_header("Retry-After", seconds))
}

/// A fault of the requests that insert a job.
fn on_insertion(kind: FaultKind) -> Fault {
    Fault::new(Service::BigQuery, kind).on("POST", "/jobs")
}

/// Faults that never end.
fn forever(kind: FaultKind) -> Fault {
    Fault::new(Service::BigQuery, kind).times(100_000)
}

/// Runs without and with faults, which must decide the same; answers the town with the faults.
async fn the_same_as_without(events: Events, faults: impl Fn(&Town)) -> Town {
    let quiet = town(events).await;
    let expected = answer(&quiet.monitor(&[]).await);
    let town = town(events).await;
    faults(&town);
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), answer(&ran)), (0, expected), "{}", ran.stderr());
    assert_eq!(town.store_status(), quiet.store_status());
    assert_eq!(town.messages().len(), quiet.messages().len());
    assert_eq!(town.jobs().len(), quiet.jobs().len(), "as many jobs, so each is billed once");
    town
}

/// The tries of the first job.
fn tries(town: &Town) -> usize {
    let insertions = town.insertions();
    insertions.iter().filter(|request| job_id(request) == job_id(&insertions[0])).count()
}

#[tokio::test]
async fn f01_an_outage_that_passes_changes_no_decision() {
    for events in [Events::Good, Events::Bad] {
        let town = the_same_as_without(events, |town| town.fault(on_insertion(status(503)).times(2))).await;
        assert_eq!(tries(&town), 3);
        let metadata = |town: &Town| {
            town.fault(Fault::new(Service::BigQuery, status(503)).on("GET", "/datasets/").times(2));
        };
        let town = the_same_as_without(events, metadata).await;
        let first = town.asked()[0].path.clone();
        assert_eq!(town.asked().iter().filter(|request| request.path == first).count(), 3);
    }
}

#[tokio::test]
async fn f02_an_outage_that_lasts_is_told_once_and_changes_nothing() {
    let town = town(Events::Good).await;
    town.fault(forever(status(503)));
    for messages in [0, 0, 1, 1] {
        let ran = town.monitor(&[]).await;
        failed(&ran, &["503", "BigQuery"]);
        assert_eq!(town.messages().len(), messages, "one alarm, at the third run");
    }
    town.told_once(&["503"]);
    town.is_untouched();
    assert_eq!(town.releases().await, json!([]), "nothing is known of a release that was not counted");
    town.sandbox.model().clear_faults();
    assert_eq!(town.monitor(&[]).await.result()["decision"], "fast-track");
}

#[tokio::test]
async fn f03_the_service_is_given_the_time_that_it_asks_for() {
    /// What watching the log may add.
    const TOLERANCE: Duration = Duration::from_millis(400);
    let town = town(Events::Good).await;
    town.fault(on_insertion(asks_to_wait("7")));
    let reached = async |count: usize| {
        while town.insertions().len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        steady()
    };
    let waited = async { (reached(1).await, reached(2).await) };
    let (ran, (first, second)) = tokio::join!(town.monitor(&[]), waited);
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("fast-track")), "{}", ran.stderr());
    let (waited, asked) = (second - first, Duration::from_secs(7));
    assert!(waited + TOLERANCE >= asked && waited <= asked.mul_f64(1.2) + TOLERANCE, "{waited:?}");
    assert_eq!(tries(&town), 2);
}

#[tokio::test]
async fn f04_a_wait_that_is_too_long_ends_the_run_and_is_kept_to() {
    let town = town(Events::Good).await;
    town.fault(forever(asks_to_wait("3600")));
    let started = steady();
    failed(&town.monitor(&[]).await, &["429"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(town.asked().len(), 1, "at once");
    town.is_untouched();

    town.sandbox.model().clear_faults();
    for early in ["2026-11-18T12:15:00Z", "2026-11-18T12:59:59Z"] {
        failed(&town.run_at(early).await, &["left alone until 2026-11-18 13:00:00 UTC"]);
        assert_eq!(town.asked().len(), 1, "BigQuery is left alone");
    }
    town.is_untouched();
    let ran = town.run_at("2026-11-18T13:00:00Z").await;
    assert_eq!(ran.result()["decision"], "fast-track", "{}", ran.stderr());
}

#[tokio::test]
async fn f05_an_unfinished_job_is_waited_for_and_is_no_empty_answer() {
    for events in [Events::Good, Events::Bad] {
        let slow = JobConditions { running_polls: 3, ..JobConditions::default() };
        let town = the_same_as_without(events, |town| town.jobs_go(slow.clone())).await;
        let unfinished = |request: &&LoggedRequest| {
            let reply = request.reply.as_ref();
            request.path.contains("/queries/") && reply.is_some_and(|reply| reply["jobComplete"] == false)
        };
        let polled = town.asked().iter().filter(unfinished).count();
        assert!(polled >= town.jobs().len(), "{polled} unfinished answers");
    }
}

#[tokio::test]
async fn f06_a_job_without_an_end_is_cancelled_before_the_deadline() {
    let town = town(Events::Good).await;
    town.jobs_go(JobConditions { running_polls: 100_000, ..JobConditions::default() });
    let started = steady();
    let ran = town.monitor(&["--deadline", "8s"]).await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    failed(&ran, &["the time of the run was up", "no job was left running"]);
    let jobs = town.jobs();
    assert_eq!(jobs.len(), 1);
    assert!(jobs[0].to_string().contains("User requested cancellation"), "{jobs:#?}");
    town.is_untouched();
}

#[tokio::test]
async fn f07_a_job_whose_insertion_was_not_answered_is_billed_once() {
    for kind in [FaultKind::CloseAfter, FaultKind::Close] {
        let town = the_same_as_without(Events::Good, |town| town.fault(on_insertion(kind.clone()))).await;
        assert_eq!(tries(&town), 2, "the same job under the same id");
    }
}

#[tokio::test]
async fn f08_an_answer_that_is_none_is_asked_for_again() {
    for kind in [FaultKind::Empty, FaultKind::Html, FaultKind::TruncatedGzip] {
        let faults = |town: &Town| {
            town.fault(on_insertion(kind.clone()));
            town.fault(Fault::new(Service::BigQuery, kind.clone()).on("GET", "/queries/"));
        };
        the_same_as_without(Events::Good, faults).await;
    }
}

#[tokio::test]
async fn f08_an_answer_that_never_is_one_is_an_error() {
    for kind in [FaultKind::Empty, FaultKind::Html, FaultKind::TruncatedGzip] {
        let town = town(Events::Good).await;
        town.fault(forever(kind));
        let ran = town.monitor(&[]).await;
        failed(&ran, &["BigQuery", "nothing was concluded from it"]);
        assert!(!ran.stderr().contains("panicked"), "{}", ran.stderr());
        town.is_untouched();
    }
}

#[tokio::test]
async fn f09_without_a_table_of_sessions_nothing_is_done_and_people_are_told_once() {
    for events in [Events::Good, Events::Bad] {
        let town = town(events).await;
        town.export("DROP TABLE SESSIONS");
        for messages in [0, 0, 1, 1] {
            let ran = town.monitor(&[]).await;
            decided(&ran, "insufficient-data", "sessions-table-missing");
            assert_eq!(town.messages().len(), messages, "one warning, at the third run");
        }
        town.told_once(&[SESSIONS]);
        town.is_untouched();
    }
}

#[tokio::test]
async fn f09_a_table_of_sessions_that_vanishes_halts_nothing_by_its_rate() {
    let town = town(Events::Doubtful).await;
    town.monitor(&[]).await;
    town.export("DROP TABLE SESSIONS");
    let more: Vec<_> = (0..60).map(|n| crash(&format!("more{n}"), "2026-11-18T11:00:00Z")).collect();
    town.fixture.import(CRASHES, &more);
    decided(&town.monitor(&[]).await, "insufficient-data", "sessions-table-missing");
    town.is_untouched();
}

#[tokio::test]
async fn f10_a_missing_table_of_crashes_is_named() {
    for events in [Events::Good, Events::Bad] {
        let town = loud_town(events).await;
        town.export("DROP TABLE CRASHES");
        let ran = town.monitor(&[]).await;
        decided(&ran, "stale-data", "crash-table-missing");
        assert!(ran.stderr().contains(&format!("missing table: {CRASHES}")), "{}", ran.stderr());
        let shown = town.on_github().await.stdout();
        let annotated = |line: &str| line.starts_with("::warning") && line.contains(CRASHES);
        assert!(shown.lines().any(annotated), "{shown}");
        town.told_once(&["crash-table-missing", CRASHES]);
        town.is_untouched();
    }
}

#[tokio::test]
async fn f11_an_export_of_crashes_that_stopped_is_an_alarm() {
    for newest in [None, Some("2026-11-17T11:55:00Z")] {
        let town = loud_town(Events::Good).await;
        town.export("DELETE FROM CRASHES");
        let old = newest.map(|instant| with(crash("old", instant), json!({"error_type": "NON_FATAL"})));
        town.fixture.import(CRASHES, old.as_slice());
        let ran = town.monitor(&[]).await;
        decided(&ran, "stale-data", "crash-export-silent");
        assert_eq!(ran.code(), 5, "without being asked: {}", ran.stderr());
        is_red(&town.on_github().await, 5, &["crash-export-silent"]);
        town.told_once(&["crash-export-silent", "export has probably stopped"]);
        town.is_untouched();
    }
}

/// The last crash report of any version is three hours older than the last session.
fn crashes_lag(town: &Town) {
    town.export("DELETE FROM CRASHES WHERE event_id = 'alive'");
    let alive = with(crash("alive", "2026-11-18T08:45:00Z"), json!({"error_type": "NON_FATAL"}));
    town.fixture.import(CRASHES, &[alive]);
}

#[tokio::test]
async fn f12_crashes_that_lag_refuse_a_fast_track_until_they_come() {
    let town = town(Events::Good).await;
    crashes_lag(&town);
    let ran = town.monitor(&[]).await;
    let result = ran.result();
    assert_ne!(result["decision"], "fast-track", "{}", ran.stderr());
    assert_eq!(result["rules"][1]["evidence"]["reason"], "crashes-lag", "{result:#}");
    town.is_untouched();

    let late = with(crash("late", "2026-11-18T11:40:00Z"), json!({"error_type": "NON_FATAL"}));
    town.fixture.import(CRASHES, &[late]);
    let ran = town.run_at("2026-11-18T12:15:00Z").await;
    assert_eq!(ran.result()["decision"], "fast-track", "the check was not used up: {}", ran.stderr());
}

#[tokio::test]
async fn f12_crashes_that_lag_still_halt() {
    let town = town(Events::Bad).await;
    crashes_lag(&town);
    let ran = town.monitor(&[]).await;
    let result = ran.result();
    assert_eq!((&result["decision"], &result["acted"]), (&json!("halt"), &json!(true)), "{}", ran.stderr());
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"));
}

#[tokio::test]
async fn f13_crashes_after_the_newest_session_are_left_out() {
    let town = town(Events::Good).await;
    // A session every 12.42 seconds: this is what came before 09:00.
    town.export("DELETE FROM SESSIONS WHERE CAST(substr(session_id, 2) AS INTEGER) > 14200");
    let early: Vec<_> = (0..3).map(|n| crash(&format!("early{n}"), "2026-11-18T08:30:00Z")).collect();
    let late: Vec<_> = (0..90).map(|n| crash(&format!("late{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(CRASHES, &early);
    town.fixture.import(CRASHES, &late);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        decided(&ran, "stale-data", "sessions-stale");
        assert_eq!(ran.result()["crashed_sessions"], 3, "those before the cut");
        assert!(ran.result()["data_through"].as_str().unwrap() < "2026-11-18T09:00:01Z");
        town.is_untouched();
    }
}

const ANALYTICS: &str =
    "[app.sources]\nsessions = \"analytics\"\nanalytics_dataset = \"analytics_1\"\ntime_zone = \"UTC\"\n";
/// When the tables of yesterday are first read, an hour before midnight.
const YESTERDAY: &str = "2026-11-17T23:00:00Z";

/// A town whose sessions are those of Analytics; each of three days has so many.
async fn analytics_town(events: Events, more: &str) -> Town {
    let town = town(events).await;
    analytics_day(&town, "events_intraday_20261116", "2026-11-16T08:00:00Z", 300);
    analytics_day(&town, "events_intraday_20261117", "2026-11-17T00:00:00Z", 400);
    analytics_day(&town, "events_intraday_20261118", "2026-11-18T00:00:00Z", 220);
    // Events of Analytics are read an hour late, and crashes with them.
    let alive = with(crash("alive too", "2026-11-18T10:30:00Z"), json!({"error_type": "NON_FATAL"}));
    town.fixture.import(CRASHES, &[alive]);
    town.configure(&format!("{ANALYTICS}{more}"));
    town
}

/// A session of somebody else every three minutes.
fn analytics_day(town: &Town, table: &str, from: &str, sessions: i64) {
    let instant = |index| (at(from) + jiff::SignedDuration::from_mins(3 * index)).to_string();
    let rows: Vec<_> = (0..sessions).map(|n| analytics(&format!("{from} {n}"), &instant(n))).collect();
    town.fixture.import(&format!("analytics_1.{table}"), &rows);
}

const DROP_YESTERDAY: &str = "DROP TABLE `analytics_1.events_intraday_20261117`";
/// So low that 900 sessions without a crash prove it.
const LOW_OBJECTIVE: &str = "[slo]\ncrash_free_sessions = 99.0\ncrash_free_users = 98.0\n";

fn sessions(ran: &Ran) -> u64 {
    ran.result()["sessions"].as_u64().unwrap_or_else(|| panic!("{}", ran.stderr()))
}

#[tokio::test]
async fn f14_the_daily_table_takes_the_place_of_a_streamed_one_that_is_gone() {
    let town = analytics_town(Events::Good, LOW_OBJECTIVE).await;
    let first = sessions(&town.run_at(YESTERDAY).await);
    let expected = town.monitor(&["--dry-run"]).await;
    assert!(sessions(&expected) > first);
    town.export(DROP_YESTERDAY);
    analytics_day(&town, "events_20261117", "2026-11-17T00:00:00Z", 400);
    let ran = town.monitor(&[]).await;
    assert_eq!(sessions(&ran), sessions(&expected));
    assert_eq!(
        (expected.result()["decision"].clone(), ran.result()["decision"].clone()),
        (json!("fast-track"), json!("fast-track")),
        "{}",
        ran.stderr()
    );
}

#[tokio::test]
async fn f14_without_either_table_the_sum_stays_and_nothing_is_released() {
    let town = analytics_town(Events::Good, LOW_OBJECTIVE).await;
    let first = sessions(&town.run_at(YESTERDAY).await);
    assert_eq!(town.monitor(&["--dry-run"]).await.result()["decision"], "fast-track", "else");
    town.export(DROP_YESTERDAY);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        decided(&ran, "stale-data", "sessions-table-gone");
        assert!(sessions(&ran) >= first, "{} of {first} sessions", sessions(&ran));
        town.is_untouched();
    }
}

#[tokio::test]
async fn f14_what_was_counted_before_still_halts() {
    let watching = "[rules.crash-free-sessions-halt]\nmode = \"observe\"\n";
    let town = analytics_town(Events::Bad, watching).await;
    let first = town.run_at(YESTERDAY).await;
    assert_ne!(first.result()["decision"], "halt");
    town.export(DROP_YESTERDAY);
    town.configure(ANALYTICS);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], "halt", "{}", ran.stderr());
    assert_eq!(sessions(&ran), sessions(&first));
    assert_eq!(town.store_status(), "halted");
}

#[tokio::test]
async fn f15_rows_that_came_twice_count_once() {
    for events in [Events::Good, Events::Doubtful, Events::Bad] {
        let twice = "INSERT INTO SESSIONS SELECT * FROM SESSIONS; INSERT INTO CRASHES SELECT * FROM CRASHES";
        the_same_as_without(events, |town| town.export(twice)).await;
    }
}

#[tokio::test]
async fn f16_counts_that_became_less_are_taken_and_nothing_is_released_in_that_run() {
    let town = town(Events::Good).await;
    let first = town.run_at("2026-11-16T23:55:00Z").await;
    assert_eq!(first.code(), 0, "{}", first.stderr());
    town.export("DELETE FROM SESSIONS WHERE CAST(substr(session_id, 2) AS INTEGER) BETWEEN 100 AND 199");
    let ran = town.monitor(&[]).await;
    decided(&ran, "stale-data", "counts-revised");
    assert_eq!(sessions(&ran), 15_001 - 100, "the new value is taken");
    town.is_untouched();
    let next = town.run_at("2026-11-18T12:15:00Z").await;
    assert_eq!(next.result()["decision"], "fast-track", "{}", next.stderr());
}

#[tokio::test]
async fn f17_counts_that_can_not_be_true_are_an_alarm() {
    let in_one_session = |event: Value| with(event, json!({"firebase_session_id": "one"}));
    let alone = |event: Value| event;
    for place in [alone as fn(Value) -> Value, in_one_session] {
        let town = loud_town(Events::Good).await;
        town.export("DELETE FROM SESSIONS WHERE CAST(substr(session_id, 2) AS INTEGER) >= 10");
        let many = (0..600).map(|n| place(crash(&format!("many{n}"), "2026-11-16T08:01:00Z")));
        town.fixture.import(CRASHES, &many.collect::<Vec<_>>());
        let ran = town.monitor(&[]).await;
        decided(&ran, "error", "more-crashes-than-sessions");
        assert_eq!(ran.code(), 1);
        is_red(&town.on_github().await, 1, &["more-crashes-than-sessions"]);
        town.told_once(&["more-crashes-than-sessions", "can't be"]);
        town.is_untouched();
    }
}

/// The answer of the question on sessions, with another number of sessions in its only row.
async fn answer_with(sessions: &Value) -> Value {
    /// The place of the count among the columns.
    const SESSIONS_COLUMN: usize = 5;
    let quiet = town(Events::Good).await;
    quiet.monitor(&["--dry-run"]).await;
    let asked = quiet.asked();
    let page = asked.iter().find(|request| request.path.contains("/queries/tidegate-sessions-")).unwrap();
    let mut reply = page.reply.clone().unwrap();
    assert_eq!(reply["schema"]["fields"][SESSIONS_COLUMN]["name"], "sessions");
    let mut row = reply["rows"][0].clone();
    row["f"][SESSIONS_COLUMN]["v"] = sessions.clone();
    (reply["rows"], reply["totalRows"]) = (json!([row]), json!("1"));
    reply.as_object_mut().unwrap().remove("pageToken");
    reply
}

#[tokio::test]
async fn f17_numbers_that_are_no_counts_are_an_alarm() {
    for count in [json!("-5"), json!(null), json!("NaN")] {
        let reply = CannedReply::status(200).with_body(answer_with(&count).await);
        let town = loud_town(Events::Good).await;
        let odd = Fault::new(Service::BigQuery, FaultKind::Status(reply));
        town.fault(odd.on("GET", "/queries/tidegate-sessions-").times(1_000));
        failed(&town.monitor(&[]).await, &[SESSIONS, "sessions"]);
        is_red(&town.on_github().await, 1, &[SESSIONS]);
        town.told_once(&[SESSIONS]);
        town.is_untouched();
    }
}

#[tokio::test]
async fn f18_a_query_above_the_cap_is_not_run_and_the_cap_is_named() {
    let town = loud_town(Events::Good).await;
    town.looks(SESSIONS, TableConditions { bytes: Some(30 * GIB), ..TableConditions::default() });
    let words = ["max_bytes_billed_per_run", "cap of 20 GiB", SESSIONS];
    failed(&town.monitor(&[]).await, &words);
    is_red(&town.on_github().await, 1, &words);
    town.told_once(&words);
    town.is_untouched();
    let billed = |job: &Value| job["statistics"]["query"]["totalBytesBilled"].as_str().unwrap_or("0") != "0";
    assert!(!town.jobs().iter().any(billed), "{:#?}", town.jobs());
}

#[tokio::test]
async fn f18_a_quota_that_is_used_up_is_named() {
    let town = loud_town(Events::Good).await;
    let text = "Quota exceeded: Your project exceeded quota for free query bytes scanned.".to_owned();
    let failure = JobFailure { reason: ErrorReason::QuotaExceeded, message: text };
    town.jobs_go(JobConditions { failures: vec![failure; 50], ..JobConditions::default() });
    failed(&town.monitor(&[]).await, &["a quota of the project my-project is used up"]);
    is_red(&town.on_github().await, 1, &["a quota of the project my-project"]);
    town.told_once(&["a quota of the project my-project"]);
    town.is_untouched();
}

/// Adds a bad iOS release with tables of its own.
fn add_ios(town: &Town) {
    town.configure(&format!(
        "[[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n\
         [app.sources]\ncrashlytics_dataset = \"ios_crashlytics\"\nsessions_dataset = \"ios_sessions\"\n{ALARM_AT_ONCE}"
    ));
    let instant = |n: i64| (at("2026-11-16T08:00:00Z") + jiff::SignedDuration::from_mins(3 * n)).to_string();
    let sessions: Vec<_> = (0..1_030).map(|n| session(&format!("i{n}"), &instant(n))).collect();
    let crashes: Vec<_> = (0..10).map(|n| crash(&format!("ic{n}"), &instant(100 * n))).collect();
    town.fixture.import("ios_sessions.com_example_app_IOS_REALTIME", &sessions);
    town.fixture.import("ios_crashlytics.com_example_app_IOS_REALTIME", &crashes);
}

#[tokio::test]
async fn f19_an_app_whose_dataset_is_denied_leaves_the_other_alone() {
    let town = town(Events::Good).await;
    add_ios(&town);
    town.access("firebase_crashlytics", Access::Denied);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 3, "{}", ran.stderr());
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let of = |index: usize, part: &str| document["results"][index][part].clone();
    assert_eq!((of(0, "app"), of(0, "decision")), (json!("android"), json!("error")), "{document:#}");
    assert!(of(0, "problems").to_string().contains("firebase_crashlytics"), "{document:#}");
    assert_eq!((of(1, "app"), of(1, "decision"), of(1, "acted")), (json!("ios"), json!("halt"), json!(true)));
    assert_eq!(town.store_status(), "inProgress", "the app that could not be judged");
    let messages = town.messages();
    assert!(messages.iter().any(|text| text.starts_with("🛑 HALTED iOS")), "{messages:?}");
    assert!(messages.iter().any(|text| text.starts_with("🔕 NOT WATCHED Android")), "{messages:?}");
}

#[tokio::test]
async fn f20_a_column_that_is_gone_or_renamed_is_named_with_its_table() {
    let gone = TableConditions { hidden: vec!["process_state".into()], ..TableConditions::default() };
    let renamed = TableConditions {
        hidden: vec!["session_id".into()],
        extra: vec!["session_key".into()],
        ..TableConditions::default()
    };
    for (table, column, conditions) in [(CRASHES, "process_state", gone), (SESSIONS, "session_id", renamed)] {
        let town = loud_town(Events::Good).await;
        town.looks(table, conditions);
        failed(&town.monitor(&[]).await, &[table, column]);
        is_red(&town.on_github().await, 1, &[table, column]);
        town.told_once(&[table, column]);
        town.is_untouched();
    }
}

#[tokio::test]
async fn f21_queries_are_run_where_the_dataset_is() {
    let town = town(Events::Bad).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
    assert!(!town.configuration().contains("location"), "nobody said where it is");
    let jobs = town.jobs();
    assert!(
        jobs.len() >= 2 && jobs.iter().all(|job| job["jobReference"]["location"] == LOCATION),
        "{jobs:#?}"
    );
    let datasets = town.asked().iter().filter(|request| request.path.contains("/datasets/")).count();
    assert!(datasets > 0, "the location is that of the metadata");
}
