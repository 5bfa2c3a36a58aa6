//! The state of App Store Connect: apps, versions with builds and phased releases.
//! Pure; the instant comes as a parameter, and `tick` first brings phased releases up to it.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::budget::Budget;
use super::document::Resource;
use super::error::AscError;
use super::phased::Phased;
use super::seed::{AppVersionState, AscAppSeed, AscVersionSeed, PhasedReleaseState, Platform};

/// The first app id; Apple's are ten digits.
const FIRST_APP_ID: u64 = 6_400_000_001;
/// How long a build can be used.
const BUILD_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The apps of the team.
#[derive(Debug, Default)]
pub(crate) struct AscModel {
    apps: Vec<App>,
    last_id: u64,
    /// The requests of the key.
    pub(crate) budget: Budget,
}

/// An app.
#[derive(Debug)]
pub(super) struct App {
    pub id: String,
    pub bundle_id: String,
    pub name: String,
    pub versions: Vec<Version>,
}

/// A version of an app.
#[derive(Debug)]
pub(super) struct Version {
    pub id: String,
    pub app_id: String,
    pub platform: Platform,
    pub version: String,
    pub state: AppVersionState,
    pub created: Timestamp,
    pub build: Option<Build>,
    pub phased: Option<Phased>,
}

/// A build of a version.
#[derive(Debug)]
pub(super) struct Build {
    pub id: String,
    pub number: String,
    pub uploaded: Timestamp,
}

impl AscModel {
    /// Adds an app; false if the bundle id exists.
    pub(crate) fn add_app(&mut self, seed: AscAppSeed, now: Timestamp) -> bool {
        if self.apps.iter().any(|app| app.bundle_id == seed.bundle_id) {
            return false;
        }
        let id = (FIRST_APP_ID + self.apps.len() as u64).to_string();
        let versions = seed.versions.into_iter().map(|version| self.version(&id, version, now)).collect();
        let name = seed.name.unwrap_or_else(|| seed.bundle_id.clone());
        self.apps.push(App { id, bundle_id: seed.bundle_id, name, versions });
        true
    }

    /// Adds a version to an app and returns its id. A live one replaces the present one.
    pub(crate) fn add_version(
        &mut self,
        bundle_id: &str,
        seed: AscVersionSeed,
        now: Timestamp,
    ) -> Option<String> {
        let index = self.apps.iter().position(|app| app.bundle_id == bundle_id)?;
        let app_id = self.apps.get(index)?.id.clone();
        let state = seed.state;
        let version = self.version(&app_id, seed, now);
        let id = version.id.clone();
        self.apps.get_mut(index)?.versions.push(version);
        if state == AppVersionState::ReadyForDistribution {
            self.go_live(&id, now);
        }
        Some(id)
    }

    /// Brings phased releases up to an instant.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        for phased in self
            .apps
            .iter_mut()
            .flat_map(|app| &mut app.versions)
            .filter_map(|version| version.phased.as_mut())
        {
            phased.tick(now);
        }
    }

    /// Changes the state of a phased release and returns it, for the API and for a person alike.
    pub(crate) fn change_phased(
        &mut self,
        id: &str,
        wanted: PhasedReleaseState,
        now: Timestamp,
    ) -> Result<(), AscError> {
        let phased =
            self.versions_mut().find_map(|version| version.phased.as_mut().filter(|phased| phased.id == id));
        phased.ok_or_else(|| AscError::not_found("appStoreVersionPhasedReleases", id))?.change(wanted, now)
    }

    /// Sets the state of a version, as Apple or a person does; going live replaces the present version.
    pub(crate) fn set_version_state(
        &mut self,
        id: &str,
        state: AppVersionState,
        now: Timestamp,
    ) -> Result<(), AscError> {
        let version = self.versions_mut().find(|version| version.id == id);
        version.ok_or_else(|| AscError::not_found("appStoreVersions", id))?.state = state;
        if state == AppVersionState::ReadyForDistribution {
            self.go_live(id, now);
        }
        Ok(())
    }

    /// Releases a version that waits for its developer.
    pub(super) fn release(&mut self, id: &str, now: Timestamp) -> Result<(), AscError> {
        let version = self.version_by_id(id)?;
        if version.state != AppVersionState::PendingDeveloperRelease {
            return Err(AscError::state("The version is not pending developer release"));
        }
        self.set_version_state(id, AppVersionState::ReadyForDistribution, now)
    }

    /// Plans a phased release for a version that is not live yet and is not the first of its app.
    pub(super) fn create_phased(&mut self, version_id: &str) -> Result<Phased, AscError> {
        let app = self.apps.iter().find(|app| app.versions.iter().any(|version| version.id == version_id));
        let app =
            app.ok_or_else(|| AscError::relationship(format!("There is no version with id '{version_id}'")))?;
        let platform =
            app.versions.iter().find(|version| version.id == version_id).map(|version| version.platform);
        let was_live = |version: &Version| {
            let live = matches!(
                version.state,
                AppVersionState::ReadyForDistribution | AppVersionState::ReplacedWithNewVersion
            );
            live && version.id != version_id && Some(version.platform) == platform
        };
        if !app.versions.iter().any(was_live) {
            return Err(AscError::state("A phased release is not available for the first version of an app"));
        }
        let phased = Phased::inactive(self.next_id());
        let version = self.versions_mut().find(|version| version.id == version_id);
        let version = version.ok_or_else(|| AscError::not_found("appStoreVersions", version_id))?;
        if version.phased.is_some() {
            return Err(AscError::relationship("The version already has a phased release"));
        }
        if version.is_over_or_live() {
            return Err(AscError::state("The version is already released"));
        }
        version.phased = Some(phased.clone());
        Ok(phased)
    }

    /// Cancels a phased release that has not started.
    pub(super) fn delete_phased(&mut self, id: &str) -> Result<(), AscError> {
        let owner =
            self.versions_mut().find(|version| version.phased.as_ref().is_some_and(|phased| phased.id == id));
        let version = owner.ok_or_else(|| AscError::not_found("appStoreVersionPhasedReleases", id))?;
        if version.phased.as_ref().is_some_and(|phased| phased.state != PhasedReleaseState::Inactive) {
            // The description of this call has no 409.
            return Err(AscError::forbidden("A phased release that has started cannot be deleted"));
        }
        version.phased = None;
        Ok(())
    }

    pub(super) fn apps(&self) -> &[App] {
        &self.apps
    }

    pub(super) fn app_by_id(&self, id: &str) -> Result<&App, AscError> {
        self.apps.iter().find(|app| app.id == id).ok_or_else(|| AscError::not_found("apps", id))
    }

    pub(super) fn version_by_id(&self, id: &str) -> Result<&Version, AscError> {
        let mut versions = self.apps.iter().flat_map(|app| &app.versions);
        versions.find(|version| version.id == id).ok_or_else(|| AscError::not_found("appStoreVersions", id))
    }

    pub(super) fn phased_by_id(&self, id: &str) -> Result<&Phased, AscError> {
        let mut all =
            self.apps.iter().flat_map(|app| &app.versions).filter_map(|version| version.phased.as_ref());
        all.find(|phased| phased.id == id)
            .ok_or_else(|| AscError::not_found("appStoreVersionPhasedReleases", id))
    }

    /// The bundle ids.
    pub(crate) fn bundle_ids(&self) -> Vec<String> {
        self.apps.iter().map(|app| app.bundle_id.clone()).collect()
    }

    /// Everything, for the control surface; `offeredPercent` is what the API does not tell.
    pub(crate) fn state(&self, now: Timestamp) -> Value {
        let version = |version: &Version| {
            let phased = version.phased.as_ref().map(|phased| {
                let mut state = phased_attributes(phased, now);
                state["id"] = phased.id.clone().into();
                state["offeredPercent"] = phased.percent(now).into();
                state
            });
            json!({
                "id": version.id,
                "version": version.version,
                "build": version.build.as_ref().map(|build| &build.number),
                "platform": version.platform,
                "state": version.state,
                "phasedRelease": phased,
            })
        };
        let app = |app: &App| {
            json!({
                "id": app.id,
                "bundleId": app.bundle_id,
                "versions": app.versions.iter().map(version).collect::<Vec<_>>(),
            })
        };
        self.apps.iter().map(app).collect()
    }

    fn version(&mut self, app_id: &str, seed: AscVersionSeed, now: Timestamp) -> Version {
        let created = seed.created_date.unwrap_or(now);
        let build = seed.build.map(|number| Build { id: self.next_id(), number, uploaded: created });
        let phased = seed.phased_release.map(|phased| Phased::seeded(self.next_id(), phased, now));
        Version {
            id: self.next_id(),
            app_id: app_id.to_owned(),
            platform: seed.platform,
            version: seed.version,
            state: seed.state,
            created,
            build,
            phased,
        }
    }

    /// Starts the phased release of a version and ends the version that was live.
    fn go_live(&mut self, id: &str, now: Timestamp) {
        let Some(app) = self.apps.iter_mut().find(|app| app.versions.iter().any(|version| version.id == id))
        else {
            return;
        };
        let platform = app.versions.iter().find(|version| version.id == id).map(|version| version.platform);
        for version in app.versions.iter_mut().filter(|version| Some(version.platform) == platform) {
            if version.id == id {
                version.phased.iter_mut().for_each(|phased| phased.begin(now));
            } else if version.state == AppVersionState::ReadyForDistribution {
                version.state = AppVersionState::ReplacedWithNewVersion;
                version.phased.iter_mut().for_each(|phased| phased.complete(now));
            }
        }
    }

    fn versions_mut(&mut self) -> impl Iterator<Item = &mut Version> {
        self.apps.iter_mut().flat_map(|app| &mut app.versions)
    }

    /// The next id in the shape of Apple's.
    fn next_id(&mut self) -> String {
        self.last_id += 1;
        format!("5a7db0c5-0000-4000-8000-{:012}", self.last_id)
    }
}

impl Version {
    fn is_over_or_live(&self) -> bool {
        matches!(self.state, AppVersionState::ReadyForDistribution | AppVersionState::ReplacedWithNewVersion)
    }

    /// The state under its old, deprecated name, which replies still carry.
    fn old_state(&self) -> Value {
        match self.state {
            AppVersionState::ReadyForDistribution => "READY_FOR_SALE".into(),
            AppVersionState::ProcessingForDistribution => "PROCESSING_FOR_APP_STORE".into(),
            state => word(state),
        }
    }

    /// The resource of this version.
    pub(super) fn resource(&self) -> Resource {
        Resource {
            kind: "appStoreVersions",
            id: self.id.clone(),
            attributes: json!({
                "platform": self.platform,
                "versionString": self.version,
                "appStoreState": self.old_state(),
                "appVersionState": self.state,
                "reviewType": "APP_STORE",
                "releaseType": "MANUAL",
                "downloadable": self.is_over_or_live(),
                "createdDate": self.created.to_string(),
            }),
            relationships: vec![
                ("app", Some(("apps", self.app_id.clone()))),
                ("build", self.build.as_ref().map(|build| ("builds", build.id.clone()))),
                (
                    "appStoreVersionPhasedRelease",
                    self.phased.as_ref().map(|phased| ("appStoreVersionPhasedReleases", phased.id.clone())),
                ),
            ],
        }
    }
}

impl App {
    /// The resource of this app.
    pub(super) fn resource(&self) -> Resource {
        Resource {
            kind: "apps",
            id: self.id.clone(),
            attributes: json!({
                "name": self.name,
                "bundleId": self.bundle_id,
                "sku": self.bundle_id,
                "primaryLocale": "en-US",
            }),
            relationships: vec![("appStoreVersions", None)],
        }
    }
}

impl Build {
    /// The resource of this build.
    pub(super) fn resource(&self, now: Timestamp) -> Resource {
        let expires = self.uploaded + BUILD_LIFE;
        Resource {
            kind: "builds",
            id: self.id.clone(),
            attributes: json!({
                "version": self.number,
                "uploadedDate": self.uploaded.to_string(),
                "expirationDate": expires.to_string(),
                "expired": expires <= now,
                "processingState": "VALID",
                "buildAudienceType": "APP_STORE_ELIGIBLE",
                "usesNonExemptEncryption": false,
            }),
            relationships: Vec::new(),
        }
    }
}

/// The attributes of a phased release.
pub(super) fn phased_attributes(phased: &Phased, now: Timestamp) -> Value {
    json!({
        "phasedReleaseState": phased.state,
        "startDate": phased.started.map(|started| started.to_string()),
        "totalPauseDuration": phased.pause_days(now),
        "currentDayNumber": phased.day(now),
    })
}

/// An enum as its word in the API.
pub(super) fn word(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
