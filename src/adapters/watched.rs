//! A store that is asked for a change only while the run's time lasts, and whose changes are each one event of the log.
//!
//! A machine can be suspended between a decision and its effect. When it wakes up the lease has ended, another run may
//! have acted, and the steady clock says that no time has passed. So the machine's own clock is asked as well, right
//! before the change. A change that comes too late is not refused, which would be told as a failure of the store: it
//! never begins, and the run is ended by its deadline. Its intent stays open, and the next run goes on with it.

use async_trait::async_trait;
use std::time::Duration;

use super::clock::Until;
use super::exchange::milliseconds;
use crate::domain::release::{Change, Release};
use crate::ports::{Effect, Lease, PortError, RolloutTarget};

/// A change is not begun when the run has less time than this left: it has to be made, read back and written down.
const ACTING_TIME: Duration = Duration::from_secs(45);
/// With a short deadline, this part of it is kept for that.
const ACTING_PART: u32 = 4;

/// A store that is watched.
pub struct Watched {
    store: Box<dyn RolloutTarget>,
    begin_by: Until,
}

impl Watched {
    /// The store, for a run that lasts until `end`, `deadline` after its beginning.
    #[must_use]
    pub fn new(store: Box<dyn RolloutTarget>, end: &Until, deadline: Duration) -> Self {
        Self { store, begin_by: end.less(ACTING_TIME.min(deadline / ACTING_PART)) }
    }
}

#[async_trait]
impl RolloutTarget for Watched {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        self.store.releases().await
    }

    async fn apply(&self, lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError> {
        if self.begin_by.is_over() {
            tracing::warn!(change = change.as_str(), "too late to change the store; the next run goes on");
            return std::future::pending().await;
        }
        let began = super::clock::steady();
        let outcome = self.store.apply(lease, release, change).await;
        tracing::info!(
            change = change.as_str(),
            app.version = release.version.as_str(),
            release.key = release.key,
            lease.fence = lease.fence(),
            outcome = word(&outcome),
            duration_ms = milliseconds(began.elapsed()),
            "the store was asked for a change"
        );
        outcome
    }
}

fn word(outcome: &Result<(), PortError>) -> &'static str {
    match outcome.as_ref().map_err(|error| error.effect) {
        Ok(()) => "accepted",
        Err(Effect::None) => "refused",
        Err(Effect::Unclear) => "unclear",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::adapters::clock::SystemClock;
    use crate::domain::ids::{AppId, BuildNumber, VersionName};
    use crate::domain::release::RolloutStatus;
    use crate::ports::Clock;

    /// A store that counts what it was asked for.
    struct Store(Arc<AtomicU32>);

    #[async_trait]
    impl RolloutTarget for Store {
        async fn releases(&self) -> Result<Vec<Release>, PortError> {
            Ok(Vec::new())
        }

        async fn apply(&self, _: &Lease, _: &Release, _: &Change) -> Result<(), PortError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    /// The machine's clock, some time later than it is.
    #[derive(Default)]
    struct Later(Mutex<SignedDuration>);

    impl Clock for Later {
        fn now(&self) -> Timestamp {
            SystemClock.now() + *self.0.lock().unwrap()
        }
    }

    const DEADLINE: Duration = Duration::from_secs(480);

    fn release() -> Release {
        Release {
            key: "200".into(),
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status: RolloutStatus::RollingOut,
            user_fraction: None,
            started_at: None,
            paused_days: None,
        }
    }

    /// How often the store was asked, where the machine slept for so long between the start and the effect.
    async fn asked_after(sleep: SignedDuration) -> u32 {
        let (wall, asked) = (Arc::new(Later::default()), Arc::new(AtomicU32::new(0)));
        let end = Until::after(DEADLINE, wall.clone());
        let store = Watched::new(Box::new(Store(asked.clone())), &end, DEADLINE);
        *wall.0.lock().unwrap() = sleep;
        let lease = Lease::granted(AppId::new("android").unwrap(), "a/b".into(), 1, SystemClock.now());
        let release = release();
        tokio::select! {
            done = store.apply(&lease, &release, &Change::Halt) => done.unwrap(),
            () = end.over() => {}
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
        }
        asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn f66_nothing_is_changed_after_the_machine_slept_through_the_deadline() {
        assert_eq!(asked_after(SignedDuration::ZERO).await, 1);
        assert_eq!(asked_after(SignedDuration::from_mins(20)).await, 0);
    }

    #[tokio::test]
    async fn the_last_seconds_of_a_run_are_kept_for_reading_back() {
        assert_eq!(asked_after(SignedDuration::from_secs(480 - 60)).await, 1);
        assert_eq!(asked_after(SignedDuration::from_secs(480 - 30)).await, 0);
    }
}
