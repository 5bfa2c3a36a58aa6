//! The rules of the outbox for sinks of every kind: a run of the job over a real state file, with a sink that answers
//! what the test wants and notes what it was asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidegate::adapters::clock::{FixedClock, moment};
use tidegate::adapters::sqlite::SqliteState;
use tidegate::domain::control::Switch;
use tidegate::domain::ids::{AppId, Platform};
use tidegate::domain::links::Links;
use tidegate::domain::looking::ReadSessions;
use tidegate::domain::message::{Link, Note, NoteKind};
use tidegate::domain::outbox::{Delivery, Message, Posted, Sink};
use tidegate::domain::release::{Change, Release, ReleaseId};
use tidegate::jobs::AppWorld;
use tidegate::jobs::brakes::Brakes;
use tidegate::jobs::release_monitor::{Asks, ReleaseMonitor};
use tidegate::ports::{
    CrashReading, DailyReading, DailyRequest, Found, Lease, Marks, MetricRequest, MetricSource, Notifier,
    PortError, Reading, RolloutTarget, StateStore, Write,
};

use crate::support::at;
use crate::town::{NOW, hours_later};

/// The deadline of a run, as the command line has it.
const DEADLINE: Duration = Duration::from_mins(8);

/// An app without releases, so that a run does nothing but tell.
struct Idle;

fn never<T>() -> Result<T, PortError> {
    Err(PortError::new("nobody is asked", "ask nobody"))
}

#[async_trait]
impl MetricSource for Idle {
    async fn read(&self, _request: &MetricRequest) -> Result<Reading, PortError> {
        never()
    }

    async fn crashes(&self, _request: &MetricRequest) -> Result<CrashReading, PortError> {
        never()
    }

    async fn daily(&self, _request: &DailyRequest) -> Result<DailyReading, PortError> {
        never()
    }

    async fn marks(&self, _request: &MetricRequest) -> Result<Marks, PortError> {
        never()
    }

    async fn first_session(
        &self,
        _request: &MetricRequest,
        _since: Timestamp,
    ) -> Result<Option<Timestamp>, PortError> {
        never()
    }
}

#[async_trait]
impl RolloutTarget for Idle {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        Ok(Vec::new())
    }

    async fn apply(&self, _lease: &Lease, _release: &Release, _change: &Change) -> Result<(), PortError> {
        never()
    }

    fn console(&self) -> Option<Link> {
        Some(Link { label: "Store".to_owned(), url: "https://store.example/1".to_owned() })
    }
}

/// What a sink answers, and what it was asked.
struct Scripted {
    post: Result<(), PortError>,
    found: Result<Found, PortError>,
    asked: Arc<Mutex<Vec<(String, Note)>>>,
}

#[async_trait]
impl Notifier for Scripted {
    async fn post(&self, key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        self.asked.lock().unwrap().push((format!("post {key}"), note.clone()));
        self.post.clone().map(|()| Posted { channel: "place".into(), id: key.into(), thread: None })
    }

    async fn update(&self, _posted: &Posted, key: &str, note: &Note) -> Result<(), PortError> {
        self.asked.lock().unwrap().push((format!("update {key}"), note.clone()));
        self.post.clone()
    }

    async fn find(
        &self,
        key: &str,
        _parent: Option<&Posted>,
        _since: Timestamp,
        _age: SignedDuration,
    ) -> Result<Found, PortError> {
        assert!(!key.is_empty());
        self.found.clone()
    }
}

/// A state file with messages in it, and the sinks that they go to.
struct Outbox {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<(String, Note)>>>,
}

fn app() -> AppId {
    AppId::new("android").unwrap()
}

fn message(key: &str, sink: Sink, kind: NoteKind, delivery: Delivery) -> Message {
    let note = Note {
        kind,
        headline: format!("about {key}"),
        lines: Vec::new(),
        figures: Vec::new(),
        next: "next".to_owned(),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    };
    Message {
        key: key.to_owned(),
        sink,
        release: ReleaseId { app: app(), platform: Platform::Android, key: "200".to_owned() },
        note,
        parent: None,
        delivery,
        first_attempt_at: (delivery == Delivery::Sending).then(|| at(NOW)),
        under: None,
        posted: None,
        written_at: at(NOW),
        refusal: None,
    }
}

fn open(folder: &Path) -> SqliteState {
    SqliteState::open(&folder.join("state.sqlite")).unwrap()
}

impl Outbox {
    async fn with(messages: Vec<Message>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = open(folder.path());
        let until = at(NOW) + SignedDuration::from_mins(5);
        let lease = state.acquire(&app(), "p/first", at(NOW), until).await.unwrap();
        let writes = messages.into_iter().map(|message| Write::Message(Box::new(message))).collect();
        state.commit(&lease, writes).await.unwrap();
        state.release(&lease).await.unwrap();
        Self { folder, asked: Arc::default() }
    }

    fn sink(&self, post: Result<(), PortError>, found: Result<Found, PortError>) -> Box<dyn Notifier> {
        Box::new(Scripted { post, found, asked: self.asked.clone() })
    }

    /// One run at an instant; answers its problems.
    async fn run(&self, now: &str, notifiers: BTreeMap<Sink, Box<dyn Notifier>>) -> Vec<String> {
        let text = "[[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"com.example.app\"\n";
        let config = tidegate::config::parse(text, "tidegate.toml").unwrap().apps.remove(0);
        let world = AppWorld {
            id: app(),
            platform: Platform::Android,
            policy: config.policy,
            switch: Switch::Auto,
            configuration: String::new(),
            monitor_silence: SignedDuration::from_hours(3),
            read_sessions: ReadSessions::WhenNeeded,
            alarm_after_runs: 3,
            budget_per_month: None,
            degraded_halt: true,
            metrics: Box::new(Idle),
            target: Box::new(Idle),
            notifiers,
            report_at: jiff::civil::Time::midnight(),
            picture: None,
            links: Links { runbook: Some("https://wiki.example/".to_owned()), ..Links::default() },
        };
        let (state, clock) = (open(self.folder.path()), FixedClock(at(now)));
        let brakes = Brakes::new(moment(), DEADLINE);
        let (holder, held) = (format!("p/{now}"), Mutex::default());
        let job = ReleaseMonitor {
            state: &state,
            clock: &clock,
            holder,
            brakes: &brakes,
            asks: Asks::Nothing,
            held,
        };
        let reports = job.run(&world).await.unwrap();
        reports.into_iter().flat_map(|report| report.problems).collect()
    }

    async fn messages(&self) -> Vec<Message> {
        open(self.folder.path()).memory().app(&app()).await.unwrap().messages
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        self.messages().await.iter().map(|message| message.delivery).collect()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect()
    }
}

fn cannot_tell() -> Result<Found, PortError> {
    Ok(Found::CannotTell("it keeps nothing".to_owned()))
}

#[tokio::test]
async fn a_workflow_is_never_started_twice() {
    for found in [cannot_tell(), Ok(Found::Nowhere)] {
        let started = message("dispatch", Sink::GithubDispatch, NoteKind::Halt, Delivery::Sending);
        let outbox = Outbox::with(vec![started]).await;
        for (now, problems) in [(hours_later(0), 1), (hours_later(2), 1), (hours_later(30), 0)] {
            let sink = outbox.sink(Ok(()), found.clone());
            let told = outbox.run(&now, BTreeMap::from([(Sink::GithubDispatch, sink)])).await;
            assert_eq!(told.len(), problems, "{now}: {told:?}");
            assert!(told.iter().all(|told| told.contains("under Actions of the repository")), "{told:?}");
            assert_eq!(outbox.deliveries().await, [Delivery::Dead]);
        }
        assert_eq!(outbox.asked(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_workflow_that_was_surely_not_started_is_started_by_the_next_run() {
    let outbox =
        Outbox::with(vec![message("d", Sink::GithubDispatch, NoteKind::Halt, Delivery::Pending)]).await;
    let busy = outbox.sink(Err(PortError::new("busy", "wait")), cannot_tell());
    assert_eq!(outbox.run(NOW, BTreeMap::from([(Sink::GithubDispatch, busy)])).await.len(), 1);
    let well = outbox.sink(Ok(()), cannot_tell());
    assert!(outbox.run(&hours_later(1), BTreeMap::from([(Sink::GithubDispatch, well)])).await.is_empty());
    assert_eq!((outbox.asked().len(), outbox.deliveries().await), (2, vec![Delivery::Sent]));
}

#[tokio::test]
async fn a_sink_that_fails_stops_only_itself() {
    let all =
        [(Sink::Slack, "s1"), (Sink::GithubIssue, "i1"), (Sink::Slack, "s2"), (Sink::GithubIssue, "i2")];
    let messages = all.map(|(sink, key)| message(key, sink, NoteKind::Halt, Delivery::Pending));
    let outbox = Outbox::with(messages.to_vec()).await;
    let away = outbox.sink(Err(PortError::unclear("away", "wait")), cannot_tell());
    let well = outbox.sink(Ok(()), cannot_tell());
    let problems = outbox.run(NOW, BTreeMap::from([(Sink::Slack, away), (Sink::GithubIssue, well)])).await;
    assert_eq!(problems, ["away\n  fix: wait"]);
    assert_eq!(outbox.asked(), ["post s1", "post i1", "post i2"], "in order, and nothing after a failure");
    let told = outbox.messages().await;
    let delivery = |key: &str| told.iter().find(|message| message.key == key).unwrap().delivery;
    assert_eq!(["s1", "s2", "i1", "i2"].map(delivery), {
        [Delivery::Sending, Delivery::Pending, Delivery::Sent, Delivery::Sent]
    });
}

#[tokio::test]
async fn a_refusal_stops_nothing_else() {
    let messages = ["one", "two"].map(|key| message(key, Sink::Slack, NoteKind::Halt, Delivery::Pending));
    let outbox = Outbox::with(messages.to_vec()).await;
    let refusing = outbox.sink(Err(PortError::new("no", "ask a person").lasting()), cannot_tell());
    assert_eq!(outbox.run(NOW, BTreeMap::from([(Sink::Slack, refusing)])).await.len(), 2);
    assert_eq!((outbox.asked().len(), outbox.deliveries().await), (2, vec![Delivery::Dead, Delivery::Dead]));
}

#[tokio::test]
async fn what_asks_for_a_person_is_said_again_and_the_rest_is_not() {
    let all = [
        (NoteKind::Halt, 1),
        (NoteKind::HaltFailed, 1),
        (NoteKind::Alarm, 1),
        (NoteKind::HaltedElsewhere, 1),
        (NoteKind::Warning, 0),
        (NoteKind::FastTrack, 0),
        (NoteKind::BudgetAlert, 0),
        (NoteKind::Superseded, 0),
        (NoteKind::PauseBudget, 1),
    ];
    for (kind, again) in all {
        let outbox = Outbox::with(vec![message("m", Sink::Slack, kind, Delivery::Sending)]).await;
        let sink = || BTreeMap::from([(Sink::Slack, outbox.sink(Ok(()), cannot_tell()))]);
        let early = at(NOW) + SignedDuration::from_secs(29);
        let problems = outbox.run(&early.to_string(), sink()).await;
        assert_eq!((problems.len(), outbox.asked().len()), (1, 0), "{kind:?}: a lost call may still arrive");
        outbox.run(&hours_later(1), sink()).await;
        assert_eq!(
            (outbox.asked().len(), outbox.deliveries().await),
            (again, vec![Delivery::Sent]),
            "{kind:?}"
        );
        assert!(outbox.run(&hours_later(2), sink()).await.is_empty(), "{kind:?}: it is settled");
        assert_eq!(outbox.asked().len(), again);
    }
}

#[tokio::test]
async fn what_nobody_can_look_for_any_more_is_not_lost() {
    let refused = || Err(PortError::new("the token was revoked", "renew it").lasting());
    let outbox = Outbox::with(vec![message("w", Sink::Slack, NoteKind::Warning, Delivery::Sending)]).await;
    let blind = outbox.sink(Ok(()), refused());
    assert_eq!(outbox.run(&hours_later(1), BTreeMap::from([(Sink::Slack, blind)])).await.len(), 1);
    assert_eq!((outbox.asked().len(), outbox.deliveries().await), (0, vec![Delivery::Sending]));
    let well = outbox.sink(Ok(()), Ok(Found::Nowhere));
    assert!(outbox.run(&hours_later(2), BTreeMap::from([(Sink::Slack, well)])).await.is_empty());
    assert_eq!((outbox.asked().len(), outbox.deliveries().await), (1, vec![Delivery::Sent]));
}

#[tokio::test]
async fn what_is_sent_late_says_of_when_it_is_and_every_message_has_its_pages() {
    for (minutes, is_late) in [(4, false), (5, true)] {
        let outbox = Outbox::with(vec![message("m", Sink::Slack, NoteKind::Alarm, Delivery::Pending)]).await;
        let now = at(NOW) + SignedDuration::from_mins(minutes);
        outbox
            .run(&now.to_string(), BTreeMap::from([(Sink::Slack, outbox.sink(Ok(()), cannot_tell()))]))
            .await;
        let (_, note) = outbox.asked.lock().unwrap()[0].clone();
        assert_eq!(
            note.text().contains("This is of 2026-11-18 12:00 UTC"),
            is_late,
            "{minutes} min: {note:?}"
        );
        let pages: Vec<&str> = note.links.iter().map(|link| link.label.as_str()).collect();
        assert_eq!(pages, ["Runbook", "Store"]);
    }
}
