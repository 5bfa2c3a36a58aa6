//! The state of Google Play: apps, their tracks and the edits on them. Edits rotate: a commit, by whomever, makes the
//! other open edits of the app useless, and so does a change in the console. Pure; the instant comes as a parameter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::error::PlayError;
use super::recovery::{Recoveries, known_fields};
use super::rules::{TrackState, check, codes, settle};
use super::seed::{PlayAppSeed, PlayConditions, ReviewState, Sending, TrackSeed};

/// How long an edit lives. Google gives only `expiryTimeSeconds`; hours are typical.
const EDIT_LIFE: SignedDuration = SignedDuration::from_hours(4);
/// Tracks that every app has.
const STANDARD_TRACKS: [&str; 4] = ["production", "beta", "alpha", "internal"];
/// The most release summaries that are returned.
const SUMMARY_LIMIT: usize = 20;

/// The apps of the developer account.
#[derive(Debug, Default)]
pub(crate) struct PlayModel {
    apps: BTreeMap<String, PlayApp>,
    last_edit: u64,
}

#[derive(Debug)]
struct PlayApp {
    /// What an edit starts from: all that was committed.
    tracks: Vec<TrackState>,
    /// What users are offered; behind `tracks` while changes wait to be sent for review.
    served: Vec<TrackState>,
    uploaded: BTreeSet<i64>,
    conditions: PlayConditions,
    cancelled_reviews: u32,
    edits: BTreeMap<String, Edit>,
    devices: BTreeMap<i64, u64>,
    recoveries: Recoveries,
}

#[derive(Debug)]
struct Edit {
    caller: String,
    expires_at: Timestamp,
    fate: EditFate,
    /// The tracks that this edit set, as they were sent.
    changes: BTreeMap<String, Vec<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum EditFate {
    Open,
    Deleted,
    Committed,
}

/// The query parameters of a commit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommitOptions {
    /// `changesInReviewBehavior=ERROR_IF_IN_REVIEW`; the default cancels the review.
    pub error_if_in_review: bool,
    /// `changesNotSentForReview=true`.
    pub not_sent_for_review: bool,
}

impl PlayModel {
    /// Adds an app; false if the package exists.
    pub(crate) fn add_app(&mut self, seed: PlayAppSeed) -> bool {
        if self.apps.contains_key(&seed.package) {
            return false;
        }
        let missing =
            STANDARD_TRACKS.iter().filter(|name| seed.tracks.iter().all(|track| track.track != **name));
        let empty =
            missing.map(|name| TrackSeed { track: (*name).to_owned(), releases: vec![], earlier: vec![] });
        let state = |seed: TrackSeed| TrackState {
            track: seed.track,
            releases: seed.releases,
            earlier: seed.earlier,
        };
        let tracks: Vec<TrackState> =
            empty.collect::<Vec<_>>().into_iter().chain(seed.tracks).map(state).collect();
        let in_releases =
            tracks.iter().flat_map(|track| track.releases.iter().chain(&track.earlier)).flat_map(codes);
        let app = PlayApp {
            uploaded: in_releases.chain(seed.version_codes).collect(),
            served: tracks.clone(),
            tracks,
            conditions: seed.conditions,
            cancelled_reviews: 0,
            edits: BTreeMap::new(),
            devices: seed.devices,
            recoveries: Recoveries::default(),
        };
        self.apps.insert(seed.package, app);
        true
    }

    /// A person's change in the console: sets the releases of a track as they are given and invalidates open edits.
    pub(crate) fn console_change(
        &mut self,
        package: &str,
        track: &str,
        releases: Vec<Value>,
    ) -> Result<(), PlayError> {
        let app = self.app(package)?;
        let state = find_mut(&mut app.tracks, track)?;
        let dropped =
            state.releases.iter().filter(|old| old["status"] == "completed" && !releases.contains(old));
        state.earlier.extend(dropped.cloned().collect::<Vec<_>>());
        app.uploaded.extend(releases.iter().flat_map(codes));
        state.releases = releases;
        app.served.clone_from(&app.tracks);
        app.invalidate_edits();
        Ok(())
    }

    /// Sets stage, review and sending. Going back to automatic sending sends what was waiting.
    pub(crate) fn set_conditions(
        &mut self,
        package: &str,
        conditions: PlayConditions,
    ) -> Result<(), PlayError> {
        let app = self.app(package)?;
        app.conditions = conditions;
        if conditions.sending == Sending::Automatic {
            app.served.clone_from(&app.tracks);
        }
        Ok(())
    }

    /// Opens an edit; an open one of the same caller is discarded.
    pub(crate) fn insert_edit(
        &mut self,
        package: &str,
        caller: &str,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        let number = self.last_edit + 1;
        let app = self.app(package)?;
        for edit in app.edits.values_mut().filter(|edit| edit.caller == caller && edit.fate == EditFate::Open)
        {
            edit.fate = EditFate::Deleted;
        }
        let id = format!("{number:020}");
        let edit = Edit {
            caller: caller.to_owned(),
            expires_at: now + EDIT_LIFE,
            fate: EditFate::Open,
            changes: BTreeMap::new(),
        };
        let document = edit.document(&id);
        app.edits.insert(id, edit);
        self.last_edit = number;
        Ok(document)
    }

    /// An open edit as `AppEdit`; also what a validation returns, for updates are checked when they are made.
    pub(crate) fn edit(&mut self, package: &str, id: &str, now: Timestamp) -> Result<Value, PlayError> {
        Ok(self.app(package)?.open_edit(id, now)?.document(id))
    }

    /// Discards an edit.
    pub(crate) fn delete_edit(&mut self, package: &str, id: &str, now: Timestamp) -> Result<(), PlayError> {
        self.app(package)?.open_edit(id, now)?.fate = EditFate::Deleted;
        Ok(())
    }

    /// Publishes an edit and invalidates the others of the app.
    pub(crate) fn commit(
        &mut self,
        package: &str,
        id: &str,
        options: CommitOptions,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        let edit = app.open_edit(id, now)?;
        let (document, changes) = (edit.document(id), edit.changes.clone());
        app.check_review(options)?;
        for (track, sent) in changes {
            let state = find_mut(&mut app.tracks, &track)?;
            *state = settle(state, &sent);
        }
        if app.conditions.sending == Sending::Automatic {
            app.served.clone_from(&app.tracks);
        }
        app.open_edit(id, now)?.fate = EditFate::Committed;
        app.invalidate_edits();
        Ok(document)
    }

    /// All tracks as an edit sees them.
    pub(crate) fn tracks(&mut self, package: &str, id: &str, now: Timestamp) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        let names: Vec<String> = app.tracks.iter().map(|state| state.track.clone()).collect();
        let tracks =
            names.iter().map(|name| app.track_in_edit(id, name, now)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"kind": "androidpublisher#tracksListResponse", "tracks": tracks}))
    }

    /// One track as an edit sees it.
    pub(crate) fn track(
        &mut self,
        package: &str,
        id: &str,
        track: &str,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        self.app(package)?.track_in_edit(id, track, now)
    }

    /// Sets the releases of a track in an edit; without `releases` nothing changes.
    pub(crate) fn update_track(
        &mut self,
        package: &str,
        id: &str,
        track: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        app.open_edit(id, now)?;
        let published = find(&app.tracks, track)?;
        known_fields(body, "track.", &["track", "releases"])?;
        if body.get("track").is_some_and(|named| named != track) {
            return Err(PlayError::TrackNames);
        }
        if let Some(releases) = body.get("releases") {
            let wanted = releases.as_array().ok_or_else(|| PlayError::Value("track.releases".to_owned()))?;
            let stored = check(published, wanted, &app.uploaded, app.conditions.stage)?;
            app.open_edit(id, now)?.changes.insert(track.to_owned(), stored);
        }
        app.track_in_edit(id, track, now)
    }

    /// Release summaries of a track, without an edit.
    pub(crate) fn summaries(&mut self, package: &str, track: &str) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        let state = find(&app.tracks, track)?;
        let served = &find(&app.served, track)?.releases;
        let summary = |release: &Value| {
            let codes = codes(release);
            let lifecycle = match release["status"].as_str() {
                Some("draft") => "DRAFT",
                _ if served.contains(release) => "PUBLISHED",
                _ => "NOT_SENT_FOR_REVIEW",
            };
            let first = codes.first().map(i64::to_string).unwrap_or_default();
            json!({
                "releaseName": release["name"].as_str().map_or(first, str::to_owned),
                "track": track,
                "releaseLifecycleState": format!("RELEASE_LIFECYCLE_STATE_{lifecycle}"),
                "activeArtifacts": codes.iter().map(|code| json!({"versionCode": code})).collect::<Vec<_>>(),
            })
        };
        let summaries: Vec<Value> = state.releases.iter().take(SUMMARY_LIMIT).map(summary).collect();
        // An empty list is left out, as everywhere in the API.
        Ok(if summaries.is_empty() { json!({}) } else { json!({"releases": summaries}) })
    }

    /// Drafts an app recovery action.
    pub(crate) fn create_recovery(
        &mut self,
        package: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        app.recoveries.create(body, &app.uploaded, &app.devices, now)
    }

    /// The app recovery actions that are aimed at a version.
    pub(crate) fn recoveries(&mut self, package: &str, code: Option<&str>) -> Result<Value, PlayError> {
        let app = self.app(package)?;
        let code = code.and_then(|code| code.parse().ok());
        let code = code.ok_or_else(|| PlayError::Value("version_code".to_owned()))?;
        Ok(app.recoveries.list(code, &app.uploaded, &app.devices))
    }

    /// Deploys, cancels or widens an app recovery action.
    pub(crate) fn change_recovery(
        &mut self,
        package: &str,
        id: &str,
        action: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        let recoveries = &mut self.app(package)?.recoveries;
        match action {
            "addTargeting" => recoveries.add_targeting(id, body, now),
            "deploy" => known_fields(body, "", &[]).and_then(|()| recoveries.deploy(id, now)),
            "cancel" => known_fields(body, "", &[]).and_then(|()| recoveries.cancel(id, now)),
            _ => Err(PlayError::Path),
        }
    }

    /// Everything, for the control surface.
    pub(crate) fn state(&self) -> Value {
        self.apps
            .iter()
            .map(|(package, app)| (package.clone(), app.state()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The package names.
    pub(crate) fn packages(&self) -> Vec<String> {
        self.apps.keys().cloned().collect()
    }

    fn app(&mut self, package: &str) -> Result<&mut PlayApp, PlayError> {
        self.apps.get_mut(package).ok_or_else(|| PlayError::Package(package.to_owned()))
    }
}

impl PlayApp {
    fn open_edit(&mut self, id: &str, now: Timestamp) -> Result<&mut Edit, PlayError> {
        let edit = self.edits.get_mut(id).ok_or_else(|| PlayError::Edit(id.to_owned()))?;
        match edit.fate {
            EditFate::Deleted => Err(PlayError::EditDeleted),
            EditFate::Committed => Err(PlayError::EditCommitted),
            EditFate::Open if edit.expires_at <= now => Err(PlayError::EditExpired),
            EditFate::Open => Ok(edit),
        }
    }

    fn invalidate_edits(&mut self) {
        for edit in self.edits.values_mut().filter(|edit| edit.fate == EditFate::Open) {
            edit.fate = EditFate::Deleted;
        }
    }

    fn track_in_edit(&mut self, id: &str, track: &str, now: Timestamp) -> Result<Value, PlayError> {
        let changed = self.open_edit(id, now)?.changes.get(track).cloned();
        let releases = match changed {
            Some(changed) => changed,
            None => find(&self.tracks, track)?.releases.clone(),
        };
        Ok(document(track, &releases))
    }

    fn check_review(&mut self, options: CommitOptions) -> Result<(), PlayError> {
        match (self.conditions.sending, options.not_sent_for_review) {
            (Sending::Manual, false) => return Err(PlayError::ReviewFlagNeeded),
            (Sending::Automatic, true) => return Err(PlayError::ReviewFlagRefused),
            (Sending::Manual, true) | (Sending::Automatic, false) => {}
        }
        if self.conditions.review == ReviewState::InReview {
            if options.error_if_in_review {
                return Err(PlayError::InReview);
            }
            self.conditions.review = ReviewState::Idle;
            self.cancelled_reviews += 1;
        }
        Ok(())
    }

    fn state(&self) -> Value {
        let documents = |tracks: &[TrackState]| -> Vec<Value> {
            let used = tracks.iter().filter(|state| !state.releases.is_empty() || !state.earlier.is_empty());
            used.map(
                |state| json!({"track": state.track, "releases": state.releases, "earlier": state.earlier}),
            )
            .collect()
        };
        json!({
            "tracks": documents(&self.tracks),
            "served": documents(&self.served),
            "conditions": self.conditions,
            "cancelledReviews": self.cancelled_reviews,
            "recoveries": self.recoveries.state(&self.uploaded, &self.devices),
            "openEdits": self.edits.values().filter(|edit| edit.fate == EditFate::Open).count(),
        })
    }
}

impl Edit {
    fn document(&self, id: &str) -> Value {
        json!({"id": id, "expiryTimeSeconds": self.expires_at.as_second().to_string()})
    }
}

/// A `Track`; a track without releases has no such field.
fn document(track: &str, releases: &[Value]) -> Value {
    if releases.is_empty() { json!({"track": track}) } else { json!({"track": track, "releases": releases}) }
}

fn find<'a>(tracks: &'a [TrackState], name: &str) -> Result<&'a TrackState, PlayError> {
    tracks.iter().find(|state| state.track == name).ok_or_else(|| PlayError::Track(name.to_owned()))
}

fn find_mut<'a>(tracks: &'a mut [TrackState], name: &str) -> Result<&'a mut TrackState, PlayError> {
    tracks.iter_mut().find(|state| state.track == name).ok_or_else(|| PlayError::Track(name.to_owned()))
}
