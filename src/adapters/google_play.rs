//! Google Play: reads the releases of a track, halts one, completes one.
//!
//! Everything happens in an edit that lives for one transaction: open it, read the whole track, change our release
//! and nothing else, write the track back, commit. Somebody else's commit invalidates ours; then it starts anew. A
//! commit that got no answer may have happened, so the caller reads back.
//! API: <https://developers.google.com/android-publisher/api-ref/rest/v3/edits>.

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};

use super::google::GoogleToken;
use super::http::{Call, HttpError, Service};
use crate::config::InReview;
use crate::domain::ids::{ApplicationId, BuildNumber, VersionName};
use crate::domain::rate::UserFraction;
use crate::domain::release::{Action, Change, Release, RolloutStatus};
use crate::ports::{Effect, Lease, PortError, RolloutTarget};

/// Where the API is.
pub const BASE_URL: &str = "https://androidpublisher.googleapis.com";

/// How often a transaction is started anew after somebody else's commit.
const MOST_TRANSACTIONS: u32 = 3;

/// One track of one app on Google Play.
pub struct GooglePlay {
    service: Service,
    token: GoogleToken,
    package: ApplicationId,
    track: String,
    in_review: InReview,
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
        Self { service, token, package, track, in_review }
    }

    fn path(&self, rest: &str) -> String {
        format!("/androidpublisher/v3/applications/{}{rest}", self.package)
    }

    fn place(&self) -> String {
        format!("track {} of {}", self.track, self.package)
    }

    async fn read(&self, method: Method, rest: &str, body: Option<Value>) -> Result<Value, PortError> {
        self.asked(method, rest, body).await?.map_err(|error| self.named(&error))
    }

    async fn asked(
        &self,
        method: Method,
        rest: &str,
        body: Option<Value>,
    ) -> Result<Result<Value, HttpError>, PortError> {
        let token = self.token.get().await?;
        Ok(self.service.read(&Call { method, path: self.path(rest), body }, &token).await)
    }

    /// The whole track, read in an edit that is thrown away; with a fresh edit where somebody's commit ended it.
    async fn look(&self) -> Result<Value, PortError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let edit = self.open_edit().await?;
            let path = format!("/edits/{edit}/tracks/{}", self.track);
            let answer = self.asked(Method::GET, &path, None).await?;
            match answer {
                Err(error) if is_invalidated(&error) && tries < MOST_TRANSACTIONS => {}
                answer => {
                    self.discard(&edit).await;
                    return answer.map_err(|error| self.named(&error));
                }
            }
        }
    }

    /// Opens an edit. An edit that is never committed changes nothing, so opening may be repeated.
    async fn open_edit(&self) -> Result<String, PortError> {
        let edit = self.read(Method::POST, "/edits", Some(json!({}))).await?;
        let id = edit.get("id").and_then(Value::as_str);
        id.map(ToOwned::to_owned).ok_or_else(|| odd_answer(&self.place(), "an edit without an id"))
    }

    async fn track(&self, edit: &str) -> Result<Value, PortError> {
        self.read(Method::GET, &format!("/edits/{edit}/tracks/{}", self.track), None).await
    }

    /// Throws an edit away. Best effort: it expires by itself.
    async fn discard(&self, edit: &str) {
        if let Err(error) = self.read(Method::DELETE, &format!("/edits/{edit}"), None).await {
            // The error itself holds the vendor's words.
            let unclear = error.effect == Effect::Unclear;
            tracing::debug!(unclear, "an unused edit could not be deleted; it expires by itself");
        }
    }

    async fn transaction(&self, key: &str, action: Action) -> Result<Outcome, PortError> {
        let edit = self.open_edit().await?;
        let mut track = self.track(&edit).await?;
        let release = ours(&mut track, key).ok_or_else(|| self.gone(key))?;
        if status(release) != Some("inProgress") {
            // Somebody was faster; reading back will tell what they did.
            self.discard(&edit).await;
            return Ok(Outcome::Done);
        }
        change(release, action);
        let path = format!("/edits/{edit}/tracks/{}", self.track);
        let written = match self.write(Method::PUT, &path, Some(track)).await {
            Ok(_) => self.commit(&edit, action).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if is_invalidated(&error) => Ok(Outcome::Invalidated),
            Err(error) => {
                self.discard(&edit).await;
                Err(self.named(&error))
            }
        }
    }

    async fn write(&self, method: Method, rest: &str, body: Option<Value>) -> Result<Value, HttpError> {
        let token = self.token.get().await.map_err(|error| self.token_error(&method, rest, &error))?;
        self.service.write(&Call { method, path: self.path(rest), body }, &token).await
    }

    fn token_error(&self, method: &Method, rest: &str, error: &PortError) -> HttpError {
        let kind = super::http::Kind::NotSent(error.to_string());
        HttpError {
            service: self.service.name,
            method: method.to_string(),
            path: self.path(rest),
            kind,
            retry_after: None,
            earlier_is_unclear: false,
            server_time: None,
        }
    }

    /// Commits without disturbing a review; a halt may cancel the review where the configuration lets it.
    async fn commit(&self, edit: &str, action: Action) -> Result<Value, HttpError> {
        let careful = format!("/edits/{edit}:commit?changesInReviewBehavior=ERROR_IF_IN_REVIEW");
        match self.write(Method::POST, &careful, None).await {
            Err(error)
                if is_in_review(&error)
                    && action == Action::Halt
                    && self.in_review == InReview::CancelReview =>
            {
                let urgent =
                    format!("/edits/{edit}:commit?changesInReviewBehavior=CANCEL_IN_REVIEW_AND_SUBMIT");
                self.write(Method::POST, &urgent, None).await
            }
            outcome => outcome,
        }
    }

    fn gone(&self, key: &str) -> PortError {
        PortError::new(
            format!("Google Play no longer lists release {key} on {}", self.place()),
            "look at the track in the Play Console; the next run takes what it finds there",
        )
    }

    fn named(&self, error: &HttpError) -> PortError {
        let what = format!("{error} ({})", self.place());
        match error.effect_is_unclear() {
            true => PortError::unclear(what, self.fix(error)),
            false => PortError::new(what, self.fix(error)),
        }
    }

    fn fix(&self, error: &HttpError) -> String {
        let text = error.text();
        if is_in_review(error) {
            return "wait for the review in progress, or cancel it in the Play Console".to_owned();
        }
        if text.contains("has not been used in project") {
            return "enable the Google Play Android Developer API in the service account's project"
                .to_owned();
        }
        match error.status() {
            Some(401) => "check [google_play] credentials: the key may have been deleted".to_owned(),
            Some(403) => format!(
                "invite the service account in the Play Console (Users and permissions) for {} with \
                 \"Release to production\" and \"View app information\"",
                self.package
            ),
            Some(404) => format!("check package and track of the app: {} and {:?}", self.package, self.track),
            _ => "run again; the next scheduled run does so by itself".to_owned(),
        }
    }
}

/// How a transaction ended, apart from failing.
#[derive(PartialEq, Eq)]
enum Outcome {
    Done,
    /// Somebody else committed meanwhile.
    Invalidated,
}

#[async_trait]
impl RolloutTarget for GooglePlay {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        let track = self.look().await?;
        releases(&track, &self.track).map_err(|problem| odd_answer(&self.place(), &problem))
    }

    async fn apply(&self, _lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError> {
        let action = rules_action(change)?;
        for _ in 0..MOST_TRANSACTIONS {
            if self.transaction(&release.key, action).await? == Outcome::Done {
                return Ok(());
            }
        }
        Err(PortError::new(
            format!("somebody else kept committing changes to {} in Google Play", self.place()),
            "let other tools that publish to this app finish; the next run tries again",
        ))
    }
}

/// What this adapter can do so far.
fn rules_action(change: &Change) -> Result<Action, PortError> {
    match change {
        Change::Halt => Ok(Action::Halt),
        Change::FastTrack => Ok(Action::FastTrack),
        other => Err(PortError::new(
            format!("a {} is not made on Google Play yet", other.as_str()),
            "do it in the Play Console",
        )
        .lasting()),
    }
}

/// The releases of a track. A track without any leaves them out, so its own name tells that it is the answer.
fn releases(track: &Value, name: &str) -> Result<Vec<Release>, String> {
    if track.get("track").and_then(Value::as_str) != Some(name) {
        return Err(format!("something else than the track {name:?}"));
    }
    let listed = match track.get("releases") {
        None => &[],
        Some(releases) => releases.as_array().ok_or("a track whose releases are no list")?.as_slice(),
    };
    listed.iter().filter(|raw| !codes(raw).is_empty()).map(release).collect()
}

/// Our release inside a whole track.
fn ours<'t>(track: &'t mut Value, key: &str) -> Option<&'t mut Value> {
    track.get_mut("releases")?.as_array_mut()?.iter_mut().find(|release| self::key(release) == key)
}

/// Changes our release and leaves every other field as it was read.
fn change(release: &mut Value, action: Action) {
    let Some(fields) = release.as_object_mut() else { return };
    match action {
        Action::Halt => {
            fields.insert("status".to_owned(), json!("halted"));
        }
        Action::FastTrack => {
            fields.insert("status".to_owned(), json!("completed"));
            // A completed release must not have a fraction.
            fields.shift_remove("userFraction");
        }
    }
}

fn status(release: &Value) -> Option<&str> {
    release.get("status").and_then(Value::as_str)
}

/// The version codes, sorted as text, so that the order in the track does not matter.
fn codes(release: &Value) -> Vec<String> {
    let codes = release.get("versionCodes").and_then(Value::as_array);
    let text =
        |code: &Value| code.as_str().map(ToOwned::to_owned).or_else(|| code.as_i64().map(|n| n.to_string()));
    let mut codes: Vec<String> = codes.into_iter().flatten().filter_map(text).collect();
    codes.sort();
    codes
}

fn key(release: &Value) -> String {
    codes(release).join("+")
}

fn release(raw: &Value) -> Result<Release, String> {
    let codes = codes(raw);
    let builds =
        codes.iter().map(BuildNumber::new).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let status = match status(raw) {
        Some("draft") => RolloutStatus::Pending,
        Some("inProgress") => RolloutStatus::RollingOut,
        Some("halted") => RolloutStatus::Halted,
        Some("completed") => RolloutStatus::Completed,
        other => {
            return Err(format!(
                "a release with status {other:?}; known are draft, inProgress, halted, completed"
            ));
        }
    };
    // Play writes no fraction for a completed release; it is offered to everybody.
    let everybody = (status == RolloutStatus::Completed).then_some(1.0);
    let fraction = raw.get("userFraction").and_then(Value::as_f64).or(everybody);
    Ok(Release {
        key: key(raw),
        version: version(raw, &codes),
        builds,
        status,
        user_fraction: fraction.map(UserFraction::new).transpose().map_err(|error| error.to_string())?,
        started_at: None,
        paused_days: None,
    })
}

/// Play's name of a release is the version name, or `200 (26.3.0)` as the console proposes it, unless a person changed
/// it; a release without one goes by its codes.
fn version(raw: &Value, codes: &[String]) -> VersionName {
    let proposed = |name: &str| {
        let (code, version) = name.strip_suffix(')')?.split_once(" (")?;
        codes.iter().any(|known| known == code).then(|| version.to_owned())
    };
    let name = raw.get("name").and_then(Value::as_str).map(str::trim);
    let name = name.map(|name| proposed(name).unwrap_or_else(|| name.to_owned()));
    let name = name.and_then(|name| VersionName::new(name).ok());
    name.unwrap_or_else(|| {
        let first: String = codes.join("+").chars().take(50).collect();
        VersionName::new(first).expect("a release with codes has a name of digits")
    })
}

/// Play's words for an edit that somebody else's commit, or time, has ended.
fn is_invalidated(error: &HttpError) -> bool {
    const WORDS: [&str; 4] =
        ["edit has been deleted", "edit has expired", "already been successfully committed", "editNotFound"];
    let text = error.text().to_lowercase();
    matches!(error.status(), Some(400 | 404 | 409 | 410))
        && WORDS.iter().any(|words| text.contains(&words.to_lowercase()))
}

fn is_in_review(error: &HttpError) -> bool {
    error.status() == Some(400) && error.text().contains("CHANGES_ALREADY_IN_REVIEW")
}

fn odd_answer(place: &str, problem: &str) -> PortError {
    PortError::new(
        format!("Google Play answered {problem} for {place}"),
        "look at the track in the Play Console; if it looks right there, update tidegate",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_release_changes_and_every_other_field_stays() {
        let mut track = json!({"track": "production", "releases": [
            {"name": "26.2.0", "versionCodes": ["100"], "status": "completed"},
            {"name": "26.3.0", "versionCodes": ["201", "200"], "status": "inProgress", "userFraction": 0.15,
             "inAppUpdatePriority": 3, "countryTargeting": {"countries": ["DE"]}, "somethingNew": [1]},
        ]});
        let before = track["releases"][0].to_string();
        change(ours(&mut track, "200+201").unwrap(), Action::Halt);
        assert_eq!(track["releases"][0].to_string(), before);
        assert_eq!(
            track["releases"][1].to_string(),
            r#"{"name":"26.3.0","versionCodes":["201","200"],"status":"halted","userFraction":0.15,"inAppUpdatePriority":3,"countryTargeting":{"countries":["DE"]},"somethingNew":[1]}"#
        );
    }

    #[test]
    fn a_completed_release_has_no_fraction() {
        let mut release = json!({"versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15});
        change(&mut release, Action::FastTrack);
        assert_eq!(release, json!({"versionCodes": ["200"], "status": "completed"}));
    }

    #[test]
    fn an_answer_that_is_no_track_is_an_error_and_not_nothing() {
        let error = |answer: Value| releases(&answer, "production").unwrap_err();
        assert!(error(json!({})).contains("production"));
        assert!(error(json!({"track": "beta", "releases": []})).contains("production"));
        assert!(error(json!({"track": "production", "releases": {}})).contains("no list"));
        assert_eq!(releases(&json!({"track": "production"}), "production"), Ok(Vec::new()));
    }

    #[test]
    fn the_version_is_found_in_the_name_that_the_console_proposes() {
        let version = |name: &str| version(&json!({"name": name}), &["200".to_owned()]).to_string();
        assert_eq!(version("26.3.0"), "26.3.0");
        assert_eq!(version("200 (26.3.0)"), "26.3.0");
        assert_eq!(version("Winter (2026)"), "Winter (2026)");
    }

    #[test]
    fn an_unknown_status_is_an_error_that_lists_the_known_ones() {
        let error = release(&json!({"versionCodes": ["200"], "status": "paused"})).unwrap_err();
        assert!(error.contains("paused") && error.contains("halted"), "{error}");
    }
}
