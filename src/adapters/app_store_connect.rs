//! App Store Connect: reads the versions of an app with their phased releases, pauses one, completes one.
//!
//! PAUSED is the halt and COMPLETE the fast-track. Asking for a state that is there already is refused by Apple, so that
//! refusal counts as done. Only automatic updates are phased: a pause does not take the version out of the store.
//! API: <https://developer.apple.com/documentation/appstoreconnectapi/app-store-version-phased-releases>.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::http::{Call, HttpError, Service};
use super::redact;
use crate::domain::ids::{ApplicationId, BuildNumber, VersionName};
use crate::domain::rate::UserFraction;
use crate::domain::release::{Action, Release, RolloutStatus};
use crate::ports::{Clock, Lease, PortError, RolloutTarget};

/// Where the API is.
pub const BASE_URL: &str = "https://api.appstoreconnect.apple.com";

/// Apple takes tokens of at most 20 minutes.
const TOKEN_LIFE_SECONDS: i64 = 600;
/// A token is used for so long, which leaves every call far more than it may take.
const TOKEN_USE_SECONDS: i64 = 300;
/// A little back in time, so that a slow clock at Apple does not refuse the token.
const TOKEN_BACKDATE_SECONDS: i64 = 30;
/// The shares of users of the seven days of a phased release.
const PHASES: [f64; 7] = [0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0];
/// The newest versions that are looked at; a rollout is always among them.
const VERSIONS_LOOKED_AT: u32 = 10;

/// A key of App Store Connect: a team's, or one person's where there is no issuer.
pub struct AppStoreKey {
    /// The id of the key.
    pub key_id: String,
    /// The team's issuer id; none for an individual key.
    pub issuer_id: Option<String>,
    /// The private key, PKCS#8 PEM as Apple hands it out.
    pub private_key: SecretString,
}

/// Signs the tokens of a key. Apps share it, and a token is used for some minutes, as Apple asks for: so few are made, and
/// each is told to [`redact`] before its first use.
pub struct Signer {
    key_id: String,
    issuer_id: Option<String>,
    signing_key: EncodingKey,
    /// Tokens are checked against Apple's wall clock, whatever instant the run was asked about.
    wall_clock: Box<dyn Clock>,
    /// The newest token, with the second of its making.
    signed: Mutex<Option<(SecretString, i64)>>,
}

impl Signer {
    /// The signer of a key.
    ///
    /// # Errors
    /// Where the private key is not an EC key in PEM.
    pub fn new(key: AppStoreKey, wall_clock: Box<dyn Clock>) -> Result<Self, PortError> {
        // The parser's own text could quote the key.
        let signing_key =
            EncodingKey::from_ec_pem(key.private_key.expose_secret().as_bytes()).map_err(|_| {
                PortError::new(
                    format!(
                        "the private key {} of App Store Connect is not an EC key in PEM form",
                        key.key_id
                    ),
                    "give the .p8 file as it was downloaded, with its BEGIN and END lines",
                )
            })?;
        let AppStoreKey { key_id, issuer_id, private_key: _ } = key;
        Ok(Self { key_id, issuer_id, signing_key, wall_clock, signed: Mutex::default() })
    }

    fn token(&self) -> Result<SecretString, PortError> {
        let now = self.wall_clock.now().as_second();
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, made_at)) = &*signed
            && (*made_at..made_at + TOKEN_USE_SECONDS).contains(&now)
        {
            return Ok(token.clone());
        }
        let token = self.sign(now)?;
        redact::know(&token);
        *signed = Some((token.clone(), now));
        Ok(token)
    }

    fn sign(&self, now: i64) -> Result<SecretString, PortError> {
        let mut claims = json!({
            "iat": now - TOKEN_BACKDATE_SECONDS,
            "exp": now - TOKEN_BACKDATE_SECONDS + TOKEN_LIFE_SECONDS,
            "aud": "appstoreconnect-v1",
        });
        match &self.issuer_id {
            Some(issuer) => claims["iss"] = json!(issuer),
            None => claims["sub"] = json!("user"),
        }
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.signing_key).map(SecretString::from).map_err(|error| {
            PortError::new(
                format!("can't sign a token for App Store Connect: {error}"),
                "check [app_store_connect]",
            )
        })
    }
}

/// One app in the App Store.
pub struct AppStoreConnect {
    service: Service,
    signer: Arc<Signer>,
    bundle_id: ApplicationId,
}

impl AppStoreConnect {
    /// An app, and what signs for it.
    #[must_use]
    pub fn new(service: Service, signer: Arc<Signer>, bundle_id: ApplicationId) -> Self {
        Self { service, signer, bundle_id }
    }

    async fn get(&self, path: String) -> Result<Value, PortError> {
        let token = self.signer.token()?;
        self.service.read(&Call::new(Method::GET, path), &token).await.map_err(|error| self.named(&error))
    }

    async fn app_id(&self) -> Result<String, PortError> {
        let apps = self.get(format!("/v1/apps?filter[bundleId]={}&limit=1", self.bundle_id)).await?;
        text(&apps, "/data/0/id").ok_or_else(|| {
            PortError::new(
                format!("App Store Connect knows no app with bundle id {} for this key", self.bundle_id),
                "check bundle_id, and that the key may see the app",
            )
        })
    }

    async fn phased_release(&self, version: &str) -> Result<String, PortError> {
        let path = format!("/v1/appStoreVersions/{version}/appStoreVersionPhasedRelease");
        let found = self.get(path).await?;
        text(&found, "/data/id").ok_or_else(|| {
            PortError::new(
                format!("version {version} of {} has no phased release to change", self.bundle_id),
                "it is offered to everybody already; in App Store Connect only a new version helps",
            )
        })
    }

    fn named(&self, error: &HttpError) -> PortError {
        let what = format!("{error} (app {})", self.bundle_id);
        let fix = match error.status() {
            Some(401) => {
                "check key_id, issuer_id and private_key under [app_store_connect], and the machine's clock"
            }
            Some(403) => {
                "give the key the role App Manager, and accept pending agreements in App Store Connect"
            }
            Some(404) => "check bundle_id; the version may have been removed",
            Some(409) => "look at the version in App Store Connect: it does not allow this change now",
            Some(429) => "the hourly limit of the key is used up; the next run tries again",
            _ => "run again; the next scheduled run does so by itself",
        };
        match error.effect_is_unclear() {
            true => PortError::unclear(what, fix),
            false => PortError::new(what, fix),
        }
    }
}

#[async_trait]
impl RolloutTarget for AppStoreConnect {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        let app = self.app_id().await?;
        let path = format!(
            "/v1/apps/{app}/appStoreVersions?filter[platform]=IOS\
             &filter[appVersionState]=READY_FOR_DISTRIBUTION,PENDING_DEVELOPER_RELEASE\
             &include=appStoreVersionPhasedRelease,build\
             &fields[appStoreVersionPhasedReleases]=phasedReleaseState,startDate,totalPauseDuration,currentDayNumber\
             &fields[builds]=version&limit={VERSIONS_LOOKED_AT}"
        );
        let answer = self.get(path).await?;
        releases(&answer).and_then(with_builds).map_err(|problem| odd_answer(&self.bundle_id, &problem))
    }

    async fn apply(&self, _lease: &Lease, release: &Release, action: Action) -> Result<(), PortError> {
        let id = self.phased_release(&release.key).await?;
        let state = match action {
            Action::Halt => "PAUSED",
            Action::FastTrack => "COMPLETE",
        };
        let body = json!({"data": {
            "type": "appStoreVersionPhasedReleases", "id": id, "attributes": {"phasedReleaseState": state},
        }});
        let call = Call::new(Method::PATCH, format!("/v1/appStoreVersionPhasedReleases/{id}")).with(body);
        match self.service.write(&call, &self.signer.token()?).await {
            Ok(_) => Ok(()),
            Err(error) if is_there_already(&error) => Ok(()),
            Err(error) => Err(self.named(&error)),
        }
    }
}

/// The versions of an answer. One without a list of them is no answer, and not an app without versions.
fn releases(answer: &Value) -> Result<Vec<Release>, String> {
    let versions = answer.get("data").and_then(Value::as_array).ok_or("no list of versions")?;
    versions.iter().map(|version| release(answer, version)).collect()
}

/// Leaves out versions without a build, unless one is on its way: that it can't be matched to events is no health.
fn with_builds(releases: Vec<Release>) -> Result<Vec<Release>, String> {
    let on_its_way = |status| matches!(status, RolloutStatus::RollingOut | RolloutStatus::Halted);
    match releases.iter().find(|release| release.builds.is_empty() && on_its_way(release.status)) {
        Some(release) => Err(format!("version {} that is on its way without a build", release.version)),
        None => Ok(releases.into_iter().filter(|release| !release.builds.is_empty()).collect()),
    }
}

fn is_there_already(error: &HttpError) -> bool {
    error.status() == Some(409) && error.text().contains("already has this value")
}

fn release(answer: &Value, version: &Value) -> Result<Release, String> {
    let id = text(version, "/id").ok_or("a version without an id")?;
    let name = text(version, "/attributes/versionString").ok_or("a version without a versionString")?;
    let build = related(answer, version, "build").and_then(|build| text(build, "/attributes/version"));
    let phased = related(answer, version, "appStoreVersionPhasedRelease");
    let (status, user_fraction) = standing(version, phased)?;
    Ok(Release {
        key: id,
        version: VersionName::new(name).map_err(|error| error.to_string())?,
        builds: build
            .map(BuildNumber::new)
            .transpose()
            .map_err(|error| error.to_string())?
            .into_iter()
            .collect(),
        status,
        user_fraction,
        started_at: phased
            .and_then(|phased| text(phased, "/attributes/startDate"))
            .and_then(|at| instant(&at)),
    })
}

/// Where a version stands, by its phased release and its own state.
fn standing(
    version: &Value,
    phased: Option<&Value>,
) -> Result<(RolloutStatus, Option<UserFraction>), String> {
    let attribute = |name: &str| text(version, &format!("/attributes/{name}"));
    if attribute("appVersionState").or_else(|| attribute("appStoreState")).as_deref()
        == Some("PENDING_DEVELOPER_RELEASE")
    {
        return Ok((RolloutStatus::Pending, None));
    }
    let Some(phased) = phased else {
        return Ok((RolloutStatus::Completed, Some(UserFraction::EVERYBODY)));
    };
    match text(phased, "/attributes/phasedReleaseState").as_deref() {
        Some("INACTIVE") => Ok((RolloutStatus::Pending, None)),
        Some("ACTIVE") => Ok((RolloutStatus::RollingOut, phase(phased))),
        Some("PAUSED") => Ok((RolloutStatus::Halted, phase(phased))),
        Some("COMPLETE") => Ok((RolloutStatus::Completed, Some(UserFraction::EVERYBODY))),
        other => {
            Err(format!("a phased release in state {other:?}; known are INACTIVE, ACTIVE, PAUSED, COMPLETE"))
        }
    }
}

/// The share of users of the present day of a phased release.
fn phase(phased: &Value) -> Option<UserFraction> {
    let day = phased.pointer("/attributes/currentDayNumber").and_then(Value::as_u64)?;
    let index = usize::try_from(day).ok()?.checked_sub(1)?.min(PHASES.len() - 1);
    PHASES.get(index).and_then(|fraction| UserFraction::new(*fraction).ok())
}

/// The included resource that a version points to.
fn related<'a>(answer: &'a Value, version: &Value, relationship: &str) -> Option<&'a Value> {
    let link = version.pointer(&format!("/relationships/{relationship}/data"))?;
    let included = answer.get("included")?.as_array()?;
    included.iter().find(|found| found.get("type") == link.get("type") && found.get("id") == link.get("id"))
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned)
}

/// Apple writes an instant with an offset, or a bare date.
fn instant(text: &str) -> Option<Timestamp> {
    let of_date = || {
        text.parse::<jiff::civil::Date>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|at| at.timestamp())
    };
    text.parse().ok().or_else(of_date)
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

    fn standing_of(state: &str, day: u64) -> (RolloutStatus, Option<f64>) {
        let phased = json!({"attributes": {"phasedReleaseState": state, "currentDayNumber": day}});
        let version = json!({"attributes": {"appVersionState": "READY_FOR_DISTRIBUTION"}});
        let (status, fraction) = standing(&version, Some(&phased)).unwrap();
        (status, fraction.map(UserFraction::get))
    }

    #[test]
    fn states_become_the_domains_words() {
        assert_eq!(standing_of("ACTIVE", 1), (RolloutStatus::RollingOut, Some(0.01)));
        assert_eq!(standing_of("PAUSED", 6), (RolloutStatus::Halted, Some(0.5)));
        assert_eq!(standing_of("COMPLETE", 7), (RolloutStatus::Completed, Some(1.0)));
        assert_eq!(standing_of("INACTIVE", 0), (RolloutStatus::Pending, None));
    }

    #[test]
    fn a_version_on_its_way_without_a_build_is_an_error_and_not_nothing() {
        let version = |status| Release {
            key: "1".into(),
            version: VersionName::new("2.0").unwrap(),
            builds: Vec::new(),
            status,
            user_fraction: None,
            started_at: None,
        };
        assert!(with_builds(vec![version(RolloutStatus::RollingOut)]).unwrap_err().contains("2.0"));
        assert_eq!(with_builds(vec![version(RolloutStatus::Completed)]), Ok(Vec::new()));
    }

    #[test]
    fn an_answer_without_versions_is_an_error_and_not_nothing() {
        assert!(releases(&json!({"errors": []})).unwrap_err().contains("no list of versions"));
        assert_eq!(releases(&json!({"data": []})), Ok(Vec::new()));
    }

    #[test]
    fn start_dates_are_read_with_an_offset() {
        assert_eq!(instant("2026-11-16T00:00:00-08:00"), instant("2026-11-16T08:00:00Z"));
        assert!(instant("2026-11-16").is_some());
    }
}
