//! App Store Connect: reads the versions of an app with their phased releases, pauses one, resumes one, completes one.
//!
//! PAUSED is the halt, ACTIVE a person's resume and COMPLETE the fast-track. Asking for a state that is there already is
//! refused by Apple, so that refusal counts as done. Only automatic updates are phased: a pause does not take the version
//! out of the store. What would do that, removing the app from sale, takes down every version everywhere and is never
//! done here. Nor is a share of users ever set: Apple raises it by itself, day by day.
//!
//! A run reads each app with one request, and asks once for the ids of all apps of a key.
//! API: <https://developer.apple.com/documentation/appstoreconnectapi/app-store-version-phased-releases>.

mod client;
mod lanes;
mod limit;
mod refusal;
mod token;
mod versions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};

pub use self::client::Client;
use self::client::{Failure, ITEMS_OF_A_PAGE};
use self::lanes::Lane;
use self::refusal::Refusal;
pub use self::token::AppStoreKey;
use self::versions::{Listed, listed, text};
use super::fail_point::{self, FailPoint};
use super::http::Call;
use crate::domain::ids::ApplicationId;
use crate::domain::message::Link;
use crate::domain::release::{Change, Release, RolloutStatus};
use crate::ports::{Lease, PortError, RolloutTarget};

/// Where the API is.
pub const BASE_URL: &str = "https://api.appstoreconnect.apple.com";

/// Versions in these states are asked for: those in the store, and those that Apple has approved. Replaced versions are
/// not, for an app gathers hundreds of them.
const STATES: &str =
    "READY_FOR_DISTRIBUTION,PENDING_DEVELOPER_RELEASE,PENDING_APPLE_RELEASE,PROCESSING_FOR_DISTRIBUTION";

/// One app in the App Store.
pub struct AppStoreConnect {
    client: Arc<Client>,
    bundle_id: ApplicationId,
    /// Apple's id of the app, once it is known.
    app: OnceLock<String>,
    /// Phased releases by the version that was listed with them.
    phased: Mutex<BTreeMap<String, String>>,
    /// Whether the app is being halted.
    is_halting: AtomicBool,
}

impl AppStoreConnect {
    /// An app, and the client of the key that acts for it.
    #[must_use]
    pub fn new(client: Arc<Client>, bundle_id: ApplicationId) -> Self {
        client.register(&bundle_id);
        let (app, phased) = (OnceLock::new(), Mutex::default());
        Self { client, bundle_id, app, phased, is_halting: AtomicBool::new(false) }
    }

    fn lane(&self) -> Lane {
        if self.is_halting.load(Ordering::Relaxed) { Lane::Halt } else { Lane::Other }
    }

    async fn app_id(&self) -> Result<String, PortError> {
        let what = || format!("can't look up {}", self.bundle_id);
        let id = self.client.app_id(self.bundle_id.as_str(), self.lane()).await;
        let found = id.map_err(|failure| self.client.error(&what(), failure))?.ok_or_else(|| {
            PortError::new(
                format!("App Store Connect knows no app with bundle id {} for this key", self.bundle_id),
                "check bundle_id, and that the key may see the app",
            )
            .lasting()
        })?;
        Ok(self.app.get_or_init(|| found).clone())
    }

    async fn listed(&self) -> Result<Vec<Listed>, PortError> {
        let app = self.app_id().await?;
        let path = format!(
            "/v1/apps/{app}/appStoreVersions?filter[platform]=IOS&filter[appVersionState]={STATES}\
             &include=appStoreVersionPhasedRelease,build\
             &fields[appStoreVersions]=versionString,appVersionState,appStoreState,createdDate,build,appStoreVersionPhasedRelease\
             &fields[appStoreVersionPhasedReleases]=phasedReleaseState,startDate,totalPauseDuration,currentDayNumber\
             &fields[builds]=version&limit={ITEMS_OF_A_PAGE}"
        );
        let pages = self.client.pages(path, self.lane()).await;
        let what = || format!("can't list the versions of {}", self.bundle_id);
        let pages = pages.map_err(|failure| self.client.error(&what(), failure))?;
        listed(&pages).map_err(|problem| odd_answer(&self.bundle_id, &problem))
    }

    /// The phased release of a version: the one that was listed with it, else the one that Apple names.
    async fn phased_release(&self, release: &Release, what: &str) -> Result<String, PortError> {
        let known = self.phased.lock().unwrap_or_else(PoisonError::into_inner).get(&release.key).cloned();
        if let Some(id) = known {
            return Ok(id);
        }
        let path = format!("/v1/appStoreVersions/{}/appStoreVersionPhasedRelease", release.key);
        let found = match self.client.ask(&Call::new(Method::GET, path), self.lane()).await {
            Err(Failure::Refused(error, _)) if error.status() == Some(404) => Value::Null,
            found => found.map_err(|failure| self.client.error(what, failure))?,
        };
        text(&found, "/data/id").ok_or_else(|| Refusal::NoPhasedRelease.error(what))
    }
}

#[async_trait]
impl RolloutTarget for AppStoreConnect {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        let listed = self.listed().await?;
        let pairs = listed.iter().filter_map(|one| Some((one.release.key.clone(), one.phased.clone()?)));
        *self.phased.lock().unwrap_or_else(PoisonError::into_inner) = pairs.collect();
        Ok(listed.into_iter().map(|one| one.release).collect())
    }

    async fn apply(&self, _lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError> {
        let what = format!("the {} of version {} of {}", change.as_str(), release.version, self.bundle_id);
        let state = wanted_state(release, change).map_err(|refusal| refusal.error(&what))?;
        if change.stops() {
            self.hurry();
        }
        let id = self.phased_release(release, &what).await?;
        let body = json!({"data": {
            "type": "appStoreVersionPhasedReleases", "id": id, "attributes": {"phasedReleaseState": state},
        }});
        let call = Call::new(Method::PATCH, format!("/v1/appStoreVersionPhasedReleases/{id}")).with(body);
        fail_point::reached(FailPoint::BeforeCommit);
        match self.client.ask(&call, self.lane()).await {
            Ok(_) => {
                fail_point::reached(FailPoint::AfterCommit);
                Ok(())
            }
            Err(Failure::Refused(error, _)) if Refusal::of(&error) == Refusal::AlreadyThere => Ok(()),
            Err(failure) => Err(self.client.error(&what, failure)),
        }
    }

    fn console(&self) -> Option<Link> {
        let id = self.app.get().filter(|id| id.chars().all(|c| c.is_ascii_digit()))?;
        let url = format!("https://appstoreconnect.apple.com/apps/{id}");
        Some(Link { label: "App Store Connect".to_owned(), url })
    }

    fn hurry(&self) {
        self.is_halting.store(true, Ordering::Relaxed);
    }
}

/// The state of the phased release that a change means; a refusal where Apple has no such change.
fn wanted_state(release: &Release, change: &Change) -> Result<&'static str, Refusal> {
    match (change, release.status) {
        (Change::Raise { .. }, _) => Err(Refusal::RaisesByItself),
        (Change::Start { .. }, _) => Err(Refusal::StartsByItself),
        (_, RolloutStatus::Pending) => Err(Refusal::NotReleased),
        (Change::Halt | Change::Withdraw { .. } | Change::Resume { .. }, RolloutStatus::Completed) => {
            Err(Refusal::OfferedToEverybody)
        }
        (Change::Resume { at: Some(_), .. }, _) => Err(Refusal::GoesOnWhereItStopped),
        (Change::Halt | Change::Withdraw { .. }, _) => Ok("PAUSED"),
        (Change::FastTrack, _) => Ok("COMPLETE"),
        (Change::Resume { at: None, .. }, _) => Ok("ACTIVE"),
    }
}

fn odd_answer(bundle_id: &ApplicationId, problem: &str) -> PortError {
    PortError::new(
        format!("App Store Connect answered {problem} for {bundle_id}"),
        "look at the version in App Store Connect; if it looks right there, update tidegate",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{BuildNumber, VersionName};
    use crate::domain::persons_word::PersonsWord;
    use crate::domain::rate::UserFraction;

    fn release(status: RolloutStatus) -> Release {
        Release {
            key: "v".into(),
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status,
            user_fraction: None,
            started_at: None,
            paused_days: None,
        }
    }

    #[test]
    fn a_change_is_a_state_or_a_refusal() {
        use RolloutStatus::{Completed, Halted, Pending, RollingOut};
        let word = || PersonsWord::given("ada", "it crashes", jiff::Timestamp::UNIX_EPOCH).unwrap();
        let share = UserFraction::new(0.5).unwrap();
        let withdraw = Change::Withdraw { word: word() };
        let resume = |at| Change::Resume { at, word: word() };
        let cases = [
            (Change::Halt, RollingOut, Ok("PAUSED")),
            (Change::Halt, Completed, Err(Refusal::OfferedToEverybody)),
            (Change::Halt, Pending, Err(Refusal::NotReleased)),
            (withdraw.clone(), RollingOut, Ok("PAUSED")),
            (withdraw, Completed, Err(Refusal::OfferedToEverybody)),
            (Change::FastTrack, RollingOut, Ok("COMPLETE")),
            (Change::FastTrack, Pending, Err(Refusal::NotReleased)),
            (resume(None), Halted, Ok("ACTIVE")),
            (resume(Some(share)), Halted, Err(Refusal::GoesOnWhereItStopped)),
            (resume(None), Completed, Err(Refusal::OfferedToEverybody)),
            (Change::Raise { from: share, to: share }, RollingOut, Err(Refusal::RaisesByItself)),
            (Change::Start { at: share }, Pending, Err(Refusal::StartsByItself)),
        ];
        for (change, status, expected) in cases {
            assert_eq!(wanted_state(&release(status), &change), expected, "{change:?} {status:?}");
        }
    }
}
