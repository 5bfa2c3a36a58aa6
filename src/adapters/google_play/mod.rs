//! Google Play: reads the releases of a track, and starts, raises, completes, halts or resumes one.
//!
//! Everything happens in an edit that lives for one transaction: open it, read the whole track, look whether the change
//! is still to be made, change our release and nothing else, write the track back, commit. Somebody else's commit ends
//! our edit; then it starts anew, with the track as it is then. A commit that got no answer may have happened, so the
//! caller reads back. It refuses to set `changesNotSentForReview`: a change that waits for a person looks made in the
//! track while users go on getting the release, and a halt would be told that did not happen.
//! API: <https://developers.google.com/android-publisher/api-ref/rest/v3/edits>.

mod api;
mod recovery;
mod refusal;
mod track;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};

use self::api::{Api, Failed, Kind};
pub use self::recovery::Recoveries;
pub use self::refusal::Refusal;
use super::fail_point::{self, FailPoint};
use super::google::GoogleToken;
use super::http::Service;
use crate::config::InReview;
use crate::domain::ids::ApplicationId;
use crate::domain::listing::Listed;
use crate::domain::release::{Change, Release};
use crate::domain::rollout::{NextStep, next_step};
use crate::ports::{Effect, Lease, PortError, RolloutTarget};

/// Where the API is.
pub const BASE_URL: &str = "https://androidpublisher.googleapis.com";

/// Leaves a review alone: with changes in review the commit is refused, and the edit stays.
const CAREFUL: &str = "ERROR_IF_IN_REVIEW";
/// Takes changes out of review and sends them anew together with ours.
const URGENT: &str = "CANCEL_IN_REVIEW_AND_SUBMIT";

/// One track of one app on Google Play.
pub struct GooglePlay {
    api: Api,
    in_review: InReview,
}

/// How a transaction ended, apart from failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// It was committed, and the edit with it.
    Committed,
    /// Nothing was to be done any more; reading back will tell what somebody else did.
    Nothing,
}

impl GooglePlay {
    /// A track of an app.
    pub fn new(
        service: Service,
        token: GoogleToken,
        package: ApplicationId,
        track: String,
        in_review: InReview,
    ) -> Self {
        Self { api: Api::new(service, token, package, track), in_review }
    }

    /// The whole track, read in an edit that is thrown away.
    async fn look(&self) -> Result<Value, Failed> {
        let edit = self.open_edit().await?;
        let track = self.track(&edit).await;
        self.discard(&edit, track.as_ref().err()).await;
        track
    }

    /// Opens an edit. An edit that is never committed changes nothing, so opening may be repeated.
    async fn open_edit(&self) -> Result<String, Failed> {
        let edit = self.api.call(Kind::Harmless, Method::POST, "/edits", Some(json!({}))).await?;
        let id = edit.get("id").and_then(Value::as_str);
        id.map(ToOwned::to_owned).ok_or_else(|| self.api.odd_answer("an edit without an id"))
    }

    async fn track(&self, edit: &str) -> Result<Value, Failed> {
        self.api.call(Kind::Harmless, Method::GET, &self.track_path(edit), None).await
    }

    fn track_path(&self, edit: &str) -> String {
        format!("/edits/{edit}/tracks/{}", self.api.track)
    }

    /// Throws an edit away, if nothing else has ended it. Best effort: it expires by itself.
    async fn discard(&self, edit: &str, failed: Option<&Failed>) {
        if failed.is_some_and(Failed::has_ended_the_edit) {
            return;
        }
        let path = format!("/edits/{edit}");
        if let Err(failed) = self.api.call(Kind::Harmless, Method::DELETE, &path, None).await {
            // The error itself holds the vendor's words.
            let unclear = failed.error.effect == Effect::Unclear;
            tracing::debug!(unclear, "an unused edit could not be deleted; it expires by itself");
        }
    }

    /// One transaction. The track is read in its own edit, so whatever somebody did before the commit is seen, and
    /// whatever they do before it ends the edit.
    async fn transaction(&self, key: &str, change: &Change) -> Result<Made, Failed> {
        let edit = self.open_edit().await?;
        let made = self.in_edit(&edit, key, change).await;
        if !matches!(made, Ok(Made::Committed)) {
            self.discard(&edit, made.as_ref().err()).await;
        }
        made
    }

    async fn in_edit(&self, edit: &str, key: &str, change: &Change) -> Result<Made, Failed> {
        let track = self.track(edit).await?;
        let live = track::find(&track, &self.api.track, key);
        let live = live.map_err(|problem| self.api.odd_answer(&problem))?;
        if next_step(change, live.as_ref()) != NextStep::Mutate {
            return Ok(Made::Nothing);
        }
        let wanted = track::changed(&track, key, change).map_err(|obstacle| self.obstructed(&obstacle))?;
        self.put(edit, wanted, key, change).await?;
        self.commit(edit, change).await?;
        Ok(Made::Committed)
    }

    /// Writes the track into the edit, which nobody sees before the commit. A release has to be stopped even where the
    /// track can't be written back as it was read: then ours goes alone, as other publishing tools send it.
    async fn put(&self, edit: &str, wanted: Value, key: &str, change: &Change) -> Result<(), Failed> {
        let path = self.track_path(edit);
        let alone = change.stops().then(|| track::alone(&wanted, key)).filter(|alone| *alone != wanted);
        let refused = match self.api.call(Kind::Harmless, Method::PUT, &path, Some(wanted)).await {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        match alone.filter(|_| refused.refusal.is_some_and(Refusal::may_be_about_the_others)) {
            // What is said of the whole track says more than what is said of our release alone.
            Some(alone) => match self.api.call(Kind::Harmless, Method::PUT, &path, Some(alone)).await {
                Ok(_) => Ok(()),
                Err(again) if again.has_ended_the_edit() => Err(again),
                Err(_) => Err(refused),
            },
            None => Err(refused),
        }
    }

    /// Commits without disturbing a review; what stops a release may cancel the review where the configuration lets it.
    async fn commit(&self, edit: &str, change: &Change) -> Result<Value, Failed> {
        let may_cancel = change.stops() && self.in_review == InReview::CancelReview;
        match self.commit_with(edit, CAREFUL).await {
            Err(failed) if failed.refusal == Some(Refusal::InReview) && may_cancel => {
                self.commit_with(edit, URGENT).await
            }
            outcome => outcome,
        }
    }

    async fn commit_with(&self, edit: &str, behavior: &str) -> Result<Value, Failed> {
        let path = format!("/edits/{edit}:commit?changesInReviewBehavior={behavior}");
        fail_point::reached(FailPoint::BeforeCommit);
        let committed = self.api.call(Kind::Publishing, Method::POST, &path, None).await?;
        fail_point::reached(FailPoint::AfterCommit);
        Ok(committed)
    }

    fn obstructed(&self, obstacle: &track::Obstacle) -> Failed {
        let fix = "look at the track in the Play Console; the next run takes what it finds there";
        Failed::of_port(PortError::new(format!("{obstacle} ({})", self.api.place()), fix))
    }
}

/// Makes it anew with a fresh edit where that helps, and only so often.
async fn anew<T, F: Future<Output = Result<T, Failed>>>(made: impl Fn() -> F) -> Result<T, PortError> {
    let mut failures = 0;
    loop {
        let failed = match made().await {
            Ok(made) => return Ok(made),
            Err(failed) => failed,
        };
        failures += 1;
        // Whether it was had is for the caller to read back.
        match failed.anew_after(failures).filter(|_| failed.error.effect == Effect::None) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failed.error),
        }
    }
}

#[async_trait]
impl RolloutTarget for GooglePlay {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        let track = anew(|| self.look()).await?;
        track::releases(&track, &self.api.track).map_err(|problem| self.api.odd_answer(&problem).error)
    }

    /// Asks for the summaries of the track, which takes one call and no edit.
    async fn listed(&self) -> Result<Option<Listed>, PortError> {
        let path = format!("/tracks/{}/releases", self.api.track);
        let summaries = self.api.call(Kind::Harmless, Method::GET, &path, None).await;
        let summaries = summaries.map_err(|failed| failed.error)?;
        track::listed(&summaries).map_err(|problem| self.api.odd_answer(&problem).error)
    }

    async fn apply(&self, _lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError> {
        anew(|| self.transaction(&release.key, change)).await.map(drop)
    }
}
