//! What every state store must do. Each store is made by a function and passes the same suite.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tidegate::adapters::firestore::FirestoreState;
use tidegate::adapters::sqlite::SqliteState;
use tidegate::domain::calendar::UtcDay;
use tidegate::domain::canonical;
use tidegate::domain::control::{Control, ControlMode, Said};
use tidegate::domain::counts::{Counts, DayPartial, Partials};
use tidegate::domain::daily::remembered::{self, Subject};
use tidegate::domain::decision::{Judged, Record};
use tidegate::domain::facts::{Facts, Seen};
use tidegate::domain::heartbeat::{self, Beat, Completion};
use tidegate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use tidegate::domain::ledger::{self, Kind, Ledger, Noted, Sealed};
use tidegate::domain::message;
use tidegate::domain::outbox::{Delivery, Message, Sink};
use tidegate::domain::persons_word::PersonsWord;
use tidegate::domain::policy::Policy;
use tidegate::domain::release::{Change, Release, ReleaseId, ReleaseState, RolloutStatus};
use tidegate::domain::sketch::SKETCH_SIZE;
use tidegate::domain::verdict::Reason;
use tidegate::domain::watch::{RunNews, Watch};
use tidegate::ports::{Basis, Lease, Saying, StateError, StateStore, Write};

use crate::emulator::Emulator;
use crate::support::at;

/// Where the state of one test is.
enum Place {
    Folder(TempDir),
    Database(Emulator),
}

/// A kind of store: where a test has one of its own, and what passes for time there.
trait Store: StateStore + Sized {
    /// How long the leases of these tests last.
    const LEASE: SignedDuration;

    /// A place of its own; none where this kind of store can't be had, after saying so.
    fn place() -> Option<Place>;

    /// A handle on the state, as another run would have it.
    fn open(place: &Place) -> Self;

    /// Waits until a lease that was taken at `now` has ended, and says what time it is then.
    async fn after_the_lease(now: Timestamp) -> Timestamp;
}

impl Store for SqliteState {
    const LEASE: SignedDuration = SignedDuration::from_mins(10);

    fn place() -> Option<Place> {
        Some(Place::Folder(tempfile::tempdir().unwrap()))
    }

    fn open(place: &Place) -> Self {
        let Place::Folder(folder) = place else { panic!("a file is in a folder") };
        SqliteState::open(&file(folder)).unwrap()
    }

    async fn after_the_lease(now: Timestamp) -> Timestamp {
        now + Self::LEASE
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("state.sqlite")
}

impl Store for FirestoreState {
    /// Long enough for the tests that must not lose it, short enough to be waited for.
    const LEASE: SignedDuration = SignedDuration::from_secs(3);

    fn place() -> Option<Place> {
        Emulator::new().map(Place::Database)
    }

    fn open(place: &Place) -> Self {
        let Place::Database(emulator) = place else { panic!("Firestore is in the emulator") };
        emulator.store()
    }

    /// The server's clock counts, so time has to pass; the caller's clock stands still, as with `--now`.
    async fn after_the_lease(now: Timestamp) -> Timestamp {
        tokio::time::sleep(Duration::try_from(Self::LEASE).unwrap() + Duration::from_millis(200)).await;
        now
    }
}

const NOW: &str = "2026-11-18T12:00:00Z";

fn app() -> AppId {
    AppId::new("android").unwrap()
}

fn until<S: Store>() -> Timestamp {
    at(NOW) + S::LEASE
}

/// Takes the lease of the app for a run.
async fn acquire<S: Store>(store: &S, holder: &str) -> Result<Lease, StateError> {
    store.acquire(&app(), holder, at(NOW), until::<S>()).await
}

fn state(key: &str) -> ReleaseState {
    let id = ReleaseId { app: app(), platform: Platform::Android, key: key.to_owned() };
    let release = Release {
        key: key.to_owned(),
        version: VersionName::new("2.0").unwrap(),
        builds: vec![BuildNumber::new(key).unwrap()],
        status: RolloutStatus::RollingOut,
        user_fraction: None,
        started_at: None,
        paused_days: None,
    };
    ReleaseState::first_seen(id, &release, at(NOW), at(NOW))
}

fn partial(day: &str, sessions: u64) -> DayPartial {
    let mut partial = DayPartial::empty(UtcDay::of(at(day)), at(NOW), at(NOW));
    partial.fresh = Counts { sessions, crashed_sessions: 1 };
    partial.users.extend([(42, 0)]);
    partial
}

fn decision(decided_at: &str) -> Record {
    let state = state("200");
    let release = Release {
        key: state.id.key.clone(),
        version: state.version.clone(),
        builds: Vec::new(),
        status: RolloutStatus::RollingOut,
        user_fraction: None,
        started_at: None,
        paused_days: None,
    };
    let partials: Partials = [partial(NOW, 7)].into_iter().collect();
    let seen = Seen { absent: Vec::new(), through: at(decided_at), revised: false };
    Record::judge(Judged {
        facts: Facts::gather(&release, &state, &partials, seen),
        release: state.id,
        version: state.version,
        builds: Vec::new(),
        generation: 0,
        now: at(decided_at),
        policy: policy(),
        queries: Vec::new(),
        configuration: None,
    })
}

fn policy() -> Policy {
    let text = "[[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"com.example.app\"\n";
    tidegate::config::parse(text, "tidegate.toml").unwrap().apps[0].policy.clone()
}

fn message(key: &str) -> Message {
    Message {
        key: key.to_owned(),
        sink: Sink::Slack,
        release: state("200").id,
        note: message::superseded(&state("200").id, "2.0", &Change::Halt, "completed"),
        parent: None,
        delivery: Delivery::Pending,
        first_attempt_at: None,
        under: None,
        posted: None,
        written_at: at(NOW),
        refusal: None,
    }
}

async fn what_was_committed_is_read_back<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/run").await.unwrap();
    let state = state("200");
    let partials: Partials = [partial("2026-11-17T00:00:00Z", 5), partial(NOW, 7)].into_iter().collect();
    let writes =
        vec![Write::Release(Box::new(state.clone())), Write::Partials(state.id.clone(), partials.clone())];
    store.commit(&lease, writes).await.unwrap();
    store.release(&lease).await.unwrap();
    drop(store);

    let again = S::open(place);
    assert_eq!(again.memory().app(&app()).await.unwrap().releases, std::slice::from_ref(&state));
    assert_eq!(again.memory().partials(&state.id).await.unwrap(), partials);
}

async fn a_day_is_replaced_and_never_added<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/run").await.unwrap();
    let id = state("200").id;
    for sessions in [5, 9] {
        let partials: Partials = [partial(NOW, sessions)].into_iter().collect();
        store.commit(&lease, vec![Write::Partials(id.clone(), partials)]).await.unwrap();
    }
    let read = store.memory().partials(&id).await.unwrap();
    assert_eq!(read.iter().map(|day| day.fresh.sessions).collect::<Vec<_>>(), [9]);
    store.commit(&lease, vec![Write::ForgetPartials(id.clone())]).await.unwrap();
    assert_eq!(store.memory().partials(&id).await.unwrap(), Partials::default());
}

async fn a_live_lease_keeps_other_runs_out<S: Store>(place: &Place) {
    let (first, second) = (S::open(place), S::open(place));
    let lease = acquire(&first, "p1/a").await.unwrap();
    let busy = acquire(&second, "p2/b").await.unwrap_err();
    assert!(matches!(busy, StateError::Busy { .. }), "{busy}");
    first.release(&lease).await.unwrap();
    acquire(&second, "p2/b").await.unwrap();
}

async fn a_lease_that_was_given_back_writes_nothing<S: Store>(place: &Place) {
    let (first, second) = (S::open(place), S::open(place));
    let old = acquire(&first, "p1/a").await.unwrap();
    first.release(&old).await.unwrap();
    let new = acquire(&second, "p2/b").await.unwrap();
    assert!(new.fence() > old.fence(), "the fence rises");
    let write = || vec![Write::Release(Box::new(state("200")))];
    let refused = first.commit(&old, write()).await.unwrap_err();
    assert!(matches!(refused, StateError::LostLease { .. }), "{refused}");
    assert!(second.memory().app(&app()).await.unwrap().releases.is_empty(), "nothing was written");
    first.release(&old).await.unwrap();
    second.commit(&new, write()).await.unwrap();
}

async fn an_expired_lease_is_taken_over<S: Store>(place: &Place) {
    let store = S::open(place);
    let old = acquire(&store, "p1/a").await.unwrap();
    let later = S::after_the_lease(at(NOW)).await;
    let new = store.acquire(&app(), "p1/b", later, later + S::LEASE).await.unwrap();
    assert!(new.fence() > old.fence());
    assert!(matches!(store.commit(&old, Vec::new()).await, Err(StateError::LostLease { .. })));
}

async fn leases_of_different_apps_are_independent<S: Store>(place: &Place) {
    let store = S::open(place);
    let ios = AppId::new("ios").unwrap();
    let one = acquire(&store, "p1/a").await.unwrap();
    let other = store.acquire(&ios, "p1/a", at(NOW), until::<S>()).await.unwrap();
    store.release(&other).await.unwrap();
    store.commit(&one, vec![Write::Release(Box::new(state("200")))]).await.unwrap();
}

async fn of_two_runs_at_once_one_gets_the_lease<S: Store>(place: &Place) {
    let (first, second) = (S::open(place), S::open(place));
    let (one, other) = tokio::join!(acquire(&first, "p1/a"), acquire(&second, "p2/b"));
    match (one, other) {
        (Ok(_), Err(StateError::Busy { .. })) | (Err(StateError::Busy { .. }), Ok(_)) => {}
        outcome => panic!("{outcome:?}"),
    }
}

async fn commits_at_once_are_all_written<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let write = |key: &str| vec![Write::Release(Box::new(state(key)))];
    let (one, other) = tokio::join!(store.commit(&lease, write("200")), store.commit(&lease, write("201")));
    one.and(other).unwrap();
    let keys = store.memory().app(&app()).await.unwrap().releases;
    assert_eq!(keys.iter().map(|state| state.id.key.as_str()).collect::<Vec<_>>(), ["200", "201"]);
}

async fn a_decision_is_never_changed<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let first = decision(NOW);
    let other = Record { tidegate_version: "another".to_owned(), ..first.clone() };
    for record in [&first, &other] {
        store.commit(&lease, vec![Write::Decision(Box::new(record.clone()))]).await.unwrap();
    }
    assert_eq!(store.memory().decision(&first.id).await.unwrap(), Some(first));
}

async fn the_last_decision_is_the_newest<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    assert_eq!(store.memory().app(&app()).await.unwrap().last_decision, None);
    let (newer, older) = (decision(NOW), decision("2026-11-18T11:00:00Z"));
    for record in [&newer, &older] {
        store.commit(&lease, vec![Write::Decision(Box::new(record.clone()))]).await.unwrap();
    }
    assert_eq!(store.memory().app(&app()).await.unwrap().last_decision, Some(newer));
    assert_eq!(store.memory().decision(&older.id).await.unwrap().map(|record| record.id), Some(older.id));
}

async fn the_history_of_a_release_is_whole_and_in_order<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    assert_eq!(store.memory().history(&state("200").id).await.unwrap(), []);
    // A fraction of a second sorts after the whole one, whatever its text does.
    let instants = [NOW, "2026-11-18T12:00:00.5Z", "2026-11-17T23:59:59Z"];
    let mut wanted: Vec<Record> = instants.iter().map(|instant| decision(instant)).collect();
    let mut others = [decision(NOW), decision(NOW), decision(NOW)];
    others[0].release.key = "20".to_owned();
    others[1].release.key = "200+201".to_owned();
    others[2].release.platform = Platform::Ios;
    let others = others.iter().map(Record::judged_again);
    for record in wanted.iter().cloned().chain(others) {
        store.commit(&lease, vec![Write::Decision(Box::new(record))]).await.unwrap();
    }
    wanted.sort_by_key(|record| record.decided_at);
    assert_eq!(store.memory().history(&state("200").id).await.unwrap(), wanted);
    let elsewhere = ReleaseId { app: AppId::new("ios").unwrap(), ..state("200").id };
    assert_eq!(store.memory().history(&elsewhere).await.unwrap(), []);
}

async fn messages_keep_the_order_in_which_they_were_written<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let write = |keys: &[&str]| keys.iter().map(|key| Write::Message(Box::new(message(key)))).collect();
    store.commit(&lease, write(&["c", "a"])).await.unwrap();
    store.commit(&lease, write(&["b", "c"])).await.unwrap();
    let messages = store.memory().app(&app()).await.unwrap().messages;
    assert_eq!(messages.iter().map(|message| message.key.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
}

async fn counts_that_start_anew_forget_every_day<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let id = state("200").id;
    let old: Partials = [partial("2026-11-16T00:00:00Z", 3), partial(NOW, 5)].into_iter().collect();
    let new: Partials = [partial(NOW, 1)].into_iter().collect();
    store.commit(&lease, vec![Write::Partials(id.clone(), old)]).await.unwrap();
    let anew = vec![Write::ForgetPartials(id.clone()), Write::Partials(id.clone(), new.clone())];
    store.commit(&lease, anew).await.unwrap();
    assert_eq!(store.memory().partials(&id).await.unwrap(), new);
}

async fn apps_do_not_see_each_other<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let writes = vec![Write::Release(Box::new(state("200"))), Write::Message(Box::new(message("a")))];
    store.commit(&lease, writes).await.unwrap();
    let other = store.memory().app(&AppId::new("ios").unwrap()).await.unwrap();
    assert_eq!(other, tidegate::ports::AppState::default());
}

async fn the_biggest_day_is_kept<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let id = state("200").id;
    let mut day = partial(NOW, u64::from(u32::MAX));
    let people = i64::try_from(SKETCH_SIZE).unwrap();
    day.users.extend((0..people).map(|person| (person, 0)));
    day.crashed_installations.extend((0..people).map(|person| (person, u32::MAX)));
    let partials: Partials = [day].into_iter().collect();
    store.commit(&lease, vec![Write::Partials(id.clone(), partials.clone())]).await.unwrap();
    assert_eq!(store.memory().partials(&id).await.unwrap(), partials);
}

async fn the_watch_over_an_app_is_kept<S: Store>(place: &Place) {
    let store = S::open(place);
    assert_eq!(store.memory().app(&app()).await.unwrap().watch, Watch::default());
    let lease = acquire(&store, "p1/run").await.unwrap();
    let (trouble, instant) = (Some(Reason::NoSessions), Some(at(NOW)));
    let news = RunNews { trouble, not_before: instant, bytes_billed: 7, listed_at: instant };
    let (watch, _) = Watch::default().after(&news, 1, at(NOW));
    store.commit(&lease, vec![Write::Watch(app(), Box::new(watch.clone()))]).await.unwrap();
    assert_eq!(store.memory().app(&app()).await.unwrap().watch, watch);
}

async fn the_newest_report_of_an_app_is_kept<S: Store>(place: &Place) {
    let store = S::open(place);
    assert_eq!(store.memory().report(&app()).await.unwrap(), None);
    let lease = acquire(&store, "p1/run").await.unwrap();
    let record = decision(NOW);
    let subject = Subject {
        app: &app(),
        platform: Platform::Android,
        policy: &record.policy,
        steps: &[],
        monitor_silence: SignedDuration::from_hours(3),
        month_budget: Some(7),
        links: Vec::new(),
    };
    let watch = Watch::default();
    let made = |day: &str| {
        let history = std::slice::from_ref(&record);
        remembered::page(&subject, &[state("200")], &watch, &[], history, at(day)).without_history()
    };
    for day in [NOW, "2026-11-19T12:00:00Z"] {
        store.commit(&lease, vec![Write::Report(Box::new(made(day)))]).await.unwrap();
        assert_eq!(store.memory().report(&app()).await.unwrap(), Some(made(day)));
    }
    let other = AppId::new("ios").unwrap();
    assert_eq!(store.memory().report(&other).await.unwrap(), None);
}

fn told(key: &str) -> Write {
    let kind = Kind::Told {
        message: key.to_owned(),
        release: state("200").id,
        sink: "slack".to_owned(),
        place: "C0RELEASES".to_owned(),
    };
    Write::Ledger(Box::new(Noted { at: at(NOW), kind }))
}

/// The whole ledger of an app, page by page.
async fn ledger<S: Store>(store: &S, app: &AppId) -> Ledger {
    let (mut entries, mut from) = (Vec::new(), ledger::FIRST);
    loop {
        let page = store.memory().ledger(app, from).await.unwrap();
        entries.extend(page.entries);
        match page.next {
            Some(next) => from = next,
            None => return Ledger::verified(app.clone(), entries, page.head),
        }
    }
}

/// The keys of the messages that a ledger tells of, in order.
fn keys(ledger: &Ledger) -> Vec<String> {
    let kinds = ledger.entries.iter().map(|sealed| sealed.entry().unwrap().kind);
    kinds
        .filter_map(|kind| match kind {
            Kind::Told { message, .. } => Some(message),
            _ => None,
        })
        .collect()
}

async fn an_entry_is_written_with_what_it_tells_of<S: Store>(place: &Place) {
    let store = S::open(place);
    assert_eq!(ledger(&store, &app()).await, Ledger::verified(app(), Vec::new(), None));
    let lease = acquire(&store, "p1/run").await.unwrap();
    let record = decision(NOW);
    let writes = vec![Write::Decision(Box::new(record.clone())), told("a"), told("b")];
    store.commit(&lease, writes).await.unwrap();
    store.commit(&lease, vec![told("c")]).await.unwrap();
    let ledger = ledger(&store, &app()).await;
    assert_eq!(ledger.broken, []);
    assert_eq!(keys(&ledger), ["a", "b", "c"]);
    let first = ledger.entries[0].entry().unwrap();
    assert_eq!((first.number, first.app, first.run, first.at), (1, app(), "p1/run".to_owned(), at(NOW)));
    assert_eq!(first.previous, ledger::NO_PREVIOUS);
    let evidence = store.memory().evidence(&record.id).await.unwrap().unwrap();
    assert_eq!(ledger.told_of(&record.id), Some((1, canonical::sha256(&evidence))));
    assert_eq!(ledger.head, ledger.entries.last().map(Sealed::head));
}

async fn evidence_is_kept_to_the_byte<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/run").await.unwrap();
    assert_eq!(store.memory().evidence(&decision(NOW).id).await.unwrap(), None);
    for sessions in [0, 1, 999, 1_000_003, u64::from(u32::MAX)] {
        let mut record = decision(NOW);
        record.facts.days[0].fresh.sessions = sessions;
        record.facts.people.concentration = (sessions > 0).then(|| 1.0 + 1.0 / sessions as f64);
        let record = record.judged_again();
        store.commit(&lease, vec![Write::Decision(Box::new(record.clone()))]).await.unwrap();
        let evidence = store.memory().evidence(&record.id).await.unwrap().unwrap();
        assert_eq!(evidence, canonical::text_of(&record));
        let read = store.memory().decision(&record.id).await.unwrap().unwrap();
        assert_eq!(canonical::text_of(&read.judged_again()), evidence);
    }
}

async fn a_decision_that_is_there_has_its_entry<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/run").await.unwrap();
    let first = decision(NOW);
    let other = Record { tidegate_version: "another".to_owned(), ..first.clone() };
    for record in [&first, &other] {
        store.commit(&lease, vec![Write::Decision(Box::new(record.clone())), told("a")]).await.unwrap();
    }
    let ledger = ledger(&store, &app()).await;
    assert_eq!((ledger.broken.len(), ledger.entries.len()), (0, 3), "one decision and two messages");
    let hash = canonical::sha256(&canonical::text_of(&first));
    assert_eq!(ledger.told_of(&first.id), Some((1, hash)));
}

async fn a_commit_without_its_lease_enters_nothing<S: Store>(place: &Place) {
    let (first, second) = (S::open(place), S::open(place));
    let old = acquire(&first, "p1/a").await.unwrap();
    first.commit(&old, vec![told("a")]).await.unwrap();
    first.release(&old).await.unwrap();
    let new = acquire(&second, "p2/b").await.unwrap();
    assert!(matches!(first.commit(&old, vec![told("x")]).await, Err(StateError::LostLease { .. })));
    second.commit(&new, vec![told("b")]).await.unwrap();
    let ledger = ledger(&second, &app()).await;
    assert_eq!((keys(&ledger), ledger.broken.len()), (vec!["a".to_owned(), "b".to_owned()], 0));
}

async fn commits_at_once_number_the_ledger_without_a_gap<S: Store>(place: &Place) {
    let (one, other) = (S::open(place), S::open(place));
    let lease = acquire(&one, "p1/a").await.unwrap();
    let (first, second) =
        tokio::join!(one.commit(&lease, vec![told("a")]), other.commit(&lease, vec![told("b")]));
    first.and(second).unwrap();
    let ledger = ledger(&one, &app()).await;
    assert_eq!((ledger.entries.len(), ledger.broken.len()), (2, 0));
}

async fn a_long_ledger_is_read_in_pages<S: Store>(place: &Place) {
    const PER_COMMIT: usize = 300;
    let store = S::open(place);
    let lease = acquire(&store, "p1/run").await.unwrap();
    for commit in 0..2 {
        let entries = (0..PER_COMMIT).map(|entry| told(&format!("{commit}/{entry}"))).collect();
        store.commit(&lease, entries).await.unwrap();
    }
    let whole = ledger(&store, &app()).await;
    assert_eq!((whole.entries.len(), whole.broken.len()), (2 * PER_COMMIT, 0));
    let page = store.memory().ledger(&app(), 599).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [599, 600]);
    assert_eq!((page.next, page.head.map(|head| head.number)), (None, Some(600)));
}

async fn ledgers_of_apps_are_apart<S: Store>(place: &Place) {
    let store = S::open(place);
    let ios = AppId::new("ios").unwrap();
    for (app, key) in [(app(), "a"), (ios.clone(), "b"), (app(), "c")] {
        let lease = store.acquire(&app, "p1/run", at(NOW), until::<S>()).await.unwrap();
        store.commit(&lease, vec![told(key)]).await.unwrap();
        store.release(&lease).await.unwrap();
    }
    let (android, ios) = (ledger(&store, &app()).await, ledger(&store, &ios).await);
    assert_eq!((keys(&android), keys(&ios)), (vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]));
    assert_eq!((android.broken.len(), ios.broken.len()), (0, 0));
}

/// Says the last word of `now`.
async fn say<S: Store>(store: &S, before: &Control, now: &Control) -> Result<(), StateError> {
    let said = now.words.last().unwrap();
    let (word, what, scope) = (said.word.clone(), "hold".to_owned(), app().to_string());
    let kind = Kind::Controlled { word: word.clone(), what, scope, until: said.until };
    let entry = Noted { at: word.at(), kind };
    store.say(&app(), Saying { before, now, entry: &entry, run: word.actor() }).await
}

async fn words_and_commits_at_once_number_the_ledger_without_a_gap<S: Store>(place: &Place) {
    const EACH: usize = 5;
    let (run, person) = (S::open(place), S::open(place));
    let lease = acquire(&run, "p1/a").await.unwrap();
    let commits = async {
        for number in 0..EACH {
            run.commit(&lease, vec![told(&format!("m{number}"))]).await.unwrap();
        }
    };
    let words = async {
        for number in 0..EACH {
            let before = person.heard(&app()).await.unwrap();
            say(&person, &before, &before.with(said(&format!("kim{number}")))).await.unwrap();
        }
    };
    tokio::join!(commits, words);
    let ledger = ledger(&run, &app()).await;
    assert_eq!((ledger.entries.len(), ledger.broken.len()), (2 * EACH, 0), "{:?}", ledger.broken);
}

async fn what_people_say_is_kept_and_nobody_is_overwritten<S: Store>(place: &Place) {
    let (one, other) = (S::open(place), S::open(place));
    let nothing = one.heard(&app()).await.unwrap();
    assert_eq!(nothing, Control::default());
    let first = nothing.with(said("kim"));
    say(&one, &nothing, &first).await.unwrap();
    assert_eq!(other.heard(&app()).await.unwrap(), first);
    let late = say(&other, &nothing, &nothing.with(said("robin"))).await.unwrap_err();
    assert!(matches!(late, StateError::Overtaken { .. }), "{late}");
    assert_eq!(other.heard(&app()).await.unwrap(), first);
    say(&one, &first, &first.with(said("robin"))).await.unwrap();
    assert_eq!(other.heard(&AppId::new("ios").unwrap()).await.unwrap(), Control::default());
    let ledger = ledger(&one, &app()).await;
    let by: Vec<String> = ledger.entries.iter().map(|sealed| sealed.entry().unwrap().run).collect();
    assert_eq!(
        (by, ledger.broken.len()),
        (vec!["kim".to_owned(), "robin".to_owned()], 0),
        "what was refused is not"
    );
    assert!(ledger.entries[0].text.contains("look at the logs"), "{}", ledger.entries[0].text);
}

async fn a_word_needs_no_lease_and_ends_no_run<S: Store>(place: &Place) {
    let (run, person) = (S::open(place), S::open(place));
    let lease = acquire(&run, "p1/a").await.unwrap();
    let nothing = Control::default();
    say(&person, &nothing, &nothing.with(said("kim"))).await.unwrap();
    run.commit(&lease, vec![Write::Release(Box::new(state("200")))]).await.unwrap();
}

async fn a_commit_that_rests_on_older_words_writes_nothing<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let nothing = Control::default();
    let words = |control: &Control| Write::Provided(Box::new(Basis::Control(app(), control.clone())));
    let write = || Write::Release(Box::new(state("200")));
    store.commit(&lease, vec![words(&nothing), write()]).await.unwrap();
    let spoken = nothing.with(said("kim"));
    say(&store, &nothing, &spoken).await.unwrap();
    let refused = store.commit(&lease, vec![words(&nothing), Write::Release(Box::new(state("201")))]).await;
    assert!(matches!(refused, Err(StateError::Overtaken { .. })), "{refused:?}");
    assert_eq!(store.memory().app(&app()).await.unwrap().releases.len(), 1, "nothing was written");
    let ordered = Write::Control(app(), Box::new(spoken.with(said("robin"))));
    store.commit(&lease, vec![words(&spoken), ordered]).await.unwrap();
    assert_eq!(store.heard(&app()).await.unwrap(), spoken.with(said("robin")));
}

async fn a_commit_that_rests_on_an_older_release_writes_nothing<S: Store>(place: &Place) {
    let store = S::open(place);
    let lease = acquire(&store, "p1/a").await.unwrap();
    let (before, message) = (state("200"), || Write::Message(Box::new(message("a"))));
    let provided = |state: Option<&ReleaseState>| {
        Write::Provided(Box::new(Basis::Release(before.id.clone(), state.cloned().map(Box::new))))
    };
    store.commit(&lease, vec![provided(None), Write::Release(Box::new(before.clone()))]).await.unwrap();
    let refused = store.commit(&lease, vec![provided(None), message()]).await;
    assert!(matches!(refused, Err(StateError::Overtaken { .. })), "{refused:?}");
    let after = ReleaseState { generation: 1, ..before.clone() };
    let replaced = vec![provided(Some(&before)), Write::Release(Box::new(after.clone()))];
    store.commit(&lease, replaced).await.unwrap();
    let refused = store.commit(&lease, vec![provided(Some(&before)), message()]).await;
    assert!(matches!(refused, Err(StateError::Overtaken { .. })), "{refused:?}");
    assert!(store.memory().app(&app()).await.unwrap().messages.is_empty());
    store.commit(&lease, vec![provided(Some(&after)), message()]).await.unwrap();
}

/// A hold of a day.
fn said(actor: &str) -> Said {
    Said {
        release: None,
        mode: ControlMode::Hold,
        until: Some(at(NOW) + SignedDuration::from_hours(24)),
        also_halt: false,
        word: PersonsWord::given(actor, "look at the logs", at(NOW)).unwrap(),
    }
}

async fn the_heartbeat_of_a_job_is_kept_and_a_broken_run_keeps_the_completed_one<S: Store>(place: &Place) {
    let job = heartbeat::JOBS[0];
    let store = S::open(place);
    assert_eq!(store.memory().heartbeat(job).await.unwrap(), None);
    let beat = |ended_at: &str, completion| Beat {
        job,
        started_at: at(ended_at) - SignedDuration::from_secs(30),
        ended_at: at(ended_at),
        completion,
        run: "p1/run".to_owned(),
        exit: u8::from(completion == Completion::Broken),
        expected_within: SignedDuration::from_hours(3),
    };
    let broken = beat("2026-11-18T11:00:00Z", Completion::Broken);
    store.beat(&broken).await.unwrap();
    assert_eq!(store.memory().heartbeat(job).await.unwrap(), Some(broken.after(None)));

    let completed = beat(NOW, Completion::Completed);
    store.beat(&completed).await.unwrap();
    let after = completed.after(None);
    drop(store);
    let store = S::open(place);
    assert_eq!(store.memory().heartbeat(job).await.unwrap().as_ref(), Some(&after));
    assert_eq!(store.memory().app(&app()).await.unwrap().heartbeats, std::slice::from_ref(&after));

    let broken = beat("2026-11-18T13:00:00Z", Completion::Broken);
    store.beat(&broken).await.unwrap();
    let found = store.memory().heartbeat(job).await.unwrap().unwrap();
    assert_eq!(found, broken.after(Some(&after)));
    assert_eq!((found.last_completed, found.exit), (Some(at(NOW)), 1));
}

macro_rules! suite {
    ($module:ident, $store:ty: $($case:ident),+ $(,)?) => {
        mod $module {
            use super::Store as _;

            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(place) = <$store>::place() {
                        super::$case::<$store>(&place).await;
                    }
                }
            )+
        }
    };
}

macro_rules! every_store {
    ($($cases:tt)+) => {
        suite!(sqlite, tidegate::adapters::sqlite::SqliteState: $($cases)+);
        suite!(firestore, tidegate::adapters::firestore::FirestoreState: $($cases)+);
    };
}

every_store!(
    what_was_committed_is_read_back,
    a_day_is_replaced_and_never_added,
    a_live_lease_keeps_other_runs_out,
    a_lease_that_was_given_back_writes_nothing,
    an_expired_lease_is_taken_over,
    leases_of_different_apps_are_independent,
    of_two_runs_at_once_one_gets_the_lease,
    commits_at_once_are_all_written,
    a_decision_is_never_changed,
    the_last_decision_is_the_newest,
    the_history_of_a_release_is_whole_and_in_order,
    the_newest_report_of_an_app_is_kept,
    messages_keep_the_order_in_which_they_were_written,
    counts_that_start_anew_forget_every_day,
    apps_do_not_see_each_other,
    the_biggest_day_is_kept,
    the_watch_over_an_app_is_kept,
    the_heartbeat_of_a_job_is_kept_and_a_broken_run_keeps_the_completed_one,
    an_entry_is_written_with_what_it_tells_of,
    evidence_is_kept_to_the_byte,
    a_decision_that_is_there_has_its_entry,
    a_commit_without_its_lease_enters_nothing,
    commits_at_once_number_the_ledger_without_a_gap,
    a_long_ledger_is_read_in_pages,
    ledgers_of_apps_are_apart,
    what_people_say_is_kept_and_nobody_is_overwritten,
    words_and_commits_at_once_number_the_ledger_without_a_gap,
    a_word_needs_no_lease_and_ends_no_run,
    a_commit_that_rests_on_older_words_writes_nothing,
    a_commit_that_rests_on_an_older_release_writes_nothing,
);

#[test]
fn a_warehouse_is_not_taken_for_a_state_nor_a_state_for_a_warehouse() {
    let fixture = crate::support::Fixture::new();
    fixture.import(crate::support::SESSIONS, &[]);
    let error = SqliteState::open(&fixture.folder.path().join("warehouse.sqlite")).err().unwrap().to_string();
    assert!(error.contains("not a state"), "{error}");
    let state = fixture.folder.path().join("state.sqlite");
    drop(SqliteState::open(&state).unwrap());
    let error = tidegate::adapters::embedded::Embedded::create(&state).err().unwrap().to_string();
    assert!(error.contains("not a warehouse"), "{error}");
}

#[test]
fn a_state_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    drop(SqliteState::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteState::open(&path).err().unwrap().to_string();
    assert!(error.contains("version 99") && error.contains("nothing was changed"), "{error}");
}
