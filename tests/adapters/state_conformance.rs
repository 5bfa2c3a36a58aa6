//! What every state store must do. Each store is made by a function and passes the same suite.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tidegate::adapters::sqlite::SqliteState;
use tidegate::domain::calendar::UtcDay;
use tidegate::domain::counts::{Counts, DayPartial, Partials};
use tidegate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use tidegate::domain::release::{Release, ReleaseId, ReleaseState, RolloutStatus};
use tidegate::ports::{StateError, StateStore, Write};

use crate::support::at;

/// Makes a second handle on the same data, as another run would have it.
trait Store: StateStore + Sized {
    fn open(place: &Path) -> Self;
}

impl Store for SqliteState {
    fn open(place: &Path) -> Self {
        SqliteState::open(&place.join("state.sqlite")).unwrap()
    }
}

const NOW: &str = "2026-11-18T12:00:00Z";

fn app() -> AppId {
    AppId::new("android").unwrap()
}

fn until(now: Timestamp) -> Timestamp {
    now + SignedDuration::from_mins(10)
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
    };
    ReleaseState::first_seen(id, &release, at(NOW), at(NOW))
}

fn partial(day: &str, sessions: u64) -> DayPartial {
    let mut partial = DayPartial::empty(UtcDay::of(at(day)), at(NOW), at(NOW));
    partial.fresh = Counts { sessions, crashed_sessions: 1 };
    partial.users.extend([(42, 0)]);
    partial
}

async fn what_was_committed_is_read_back<S: Store>(place: &TempDir) {
    let store = S::open(place.path());
    let lease = store.acquire(&app(), "p1/run", at(NOW), until(at(NOW))).await.unwrap();
    let state = state("200");
    let partials: Partials = [partial("2026-11-17T00:00:00Z", 5), partial(NOW, 7)].into_iter().collect();
    let writes =
        vec![Write::Release(Box::new(state.clone())), Write::Partials(state.id.clone(), partials.clone())];
    store.commit(&lease, writes).await.unwrap();
    store.release(&lease).await.unwrap();
    drop(store);

    let again = S::open(place.path());
    assert_eq!(again.memory().app(&app()).await.unwrap().releases, std::slice::from_ref(&state));
    assert_eq!(again.memory().partials(&state.id).await.unwrap(), partials);
}

async fn a_day_is_replaced_and_never_added<S: Store>(place: &TempDir) {
    let store = S::open(place.path());
    let lease = store.acquire(&app(), "p1/run", at(NOW), until(at(NOW))).await.unwrap();
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

async fn a_live_lease_keeps_other_runs_out<S: Store>(place: &TempDir) {
    let (first, second) = (S::open(place.path()), S::open(place.path()));
    let lease = first.acquire(&app(), "p1/a", at(NOW), until(at(NOW))).await.unwrap();
    let busy = second.acquire(&app(), "p2/b", at(NOW), until(at(NOW))).await.unwrap_err();
    assert!(matches!(busy, StateError::Busy { .. }), "{busy}");
    first.release(&lease).await.unwrap();
    second.acquire(&app(), "p2/b", at(NOW), until(at(NOW))).await.unwrap();
}

async fn a_lease_that_was_given_back_writes_nothing<S: Store>(place: &TempDir) {
    let (first, second) = (S::open(place.path()), S::open(place.path()));
    let old = first.acquire(&app(), "p1/a", at(NOW), until(at(NOW))).await.unwrap();
    first.release(&old).await.unwrap();
    let new = second.acquire(&app(), "p2/b", at(NOW), until(at(NOW))).await.unwrap();
    assert!(new.fence() > old.fence(), "the fence rises");
    let write = || vec![Write::Release(Box::new(state("200")))];
    let refused = first.commit(&old, write()).await.unwrap_err();
    assert!(matches!(refused, StateError::LostLease { .. }), "{refused}");
    assert!(second.memory().app(&app()).await.unwrap().releases.is_empty(), "nothing was written");
    first.release(&old).await.unwrap();
    second.commit(&new, write()).await.unwrap();
}

async fn an_expired_lease_is_taken_over<S: Store>(place: &TempDir) {
    let store = S::open(place.path());
    let old = store.acquire(&app(), "p1/a", at(NOW), until(at(NOW))).await.unwrap();
    let later = until(at(NOW));
    let new = store.acquire(&app(), "p1/b", later, until(later)).await.unwrap();
    assert!(new.fence() > old.fence());
    assert!(matches!(store.commit(&old, Vec::new()).await, Err(StateError::LostLease { .. })));
}

async fn leases_of_different_apps_are_independent<S: Store>(place: &TempDir) {
    let store = S::open(place.path());
    let ios = AppId::new("ios").unwrap();
    let one = store.acquire(&app(), "p1/a", at(NOW), until(at(NOW))).await.unwrap();
    let other = store.acquire(&ios, "p1/a", at(NOW), until(at(NOW))).await.unwrap();
    store.release(&other).await.unwrap();
    store.commit(&one, vec![Write::Release(Box::new(state("200")))]).await.unwrap();
}

macro_rules! suite {
    ($module:ident, $store:ty: $($case:ident),+ $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case::<$store>(&tempfile::tempdir().unwrap()).await;
                }
            )+
        }
    };
}

suite!(sqlite, tidegate::adapters::sqlite::SqliteState:
    what_was_committed_is_read_back,
    a_day_is_replaced_and_never_added,
    a_live_lease_keeps_other_runs_out,
    a_lease_that_was_given_back_writes_nothing,
    an_expired_lease_is_taken_over,
    leases_of_different_apps_are_independent,
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
