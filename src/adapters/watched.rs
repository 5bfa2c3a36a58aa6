//! A store whose changes are each one event of the log: what was asked for, for which release, under which lease, and
//! how the store took it. What it shows afterwards is the caller's to read.

use async_trait::async_trait;

use super::clock;
use super::exchange::milliseconds;
use crate::domain::listing::Listed;
use crate::domain::message::Link;
use crate::domain::release::{Change, Release};
use crate::ports::{Effect, Lease, PortError, RolloutTarget};

/// A store that is watched.
pub struct Watched(pub Box<dyn RolloutTarget>);

#[async_trait]
impl RolloutTarget for Watched {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        self.0.releases().await
    }

    async fn listed(&self) -> Result<Option<Listed>, PortError> {
        self.0.listed().await
    }

    async fn apply(&self, lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError> {
        let began = clock::steady();
        let outcome = self.0.apply(lease, release, change).await;
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

    fn console(&self) -> Option<Link> {
        self.0.console()
    }

    fn hurry(&self) {
        self.0.hurry();
    }
}

fn word(outcome: &Result<(), PortError>) -> &'static str {
    match outcome.as_ref().map_err(|error| error.effect) {
        Ok(()) => "accepted",
        Err(Effect::None) => "refused",
        Err(Effect::Unclear) => "unclear",
    }
}
