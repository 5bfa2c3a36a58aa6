//! App recovery: after a halt, Google Play's offer of an update to devices that have the halted version already.
//!
//! It is written as a message that is said once: an action that is there for the halted version codes is taken and never
//! made twice, whoever made it, and one that a person cancelled stays cancelled. A draft offers nothing to anybody; it is
//! deployed only where the configuration says so, because users are interrupted, and because there is something to
//! update to only once a fixed version is out.
//! API: <https://developers.google.com/android-publisher/api-ref/rest/v3/apprecovery>.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::super::google::GoogleToken;
use super::super::http::Service;
use super::api::{Api, Failed, Kind};
use crate::config::AppRecovery;
use crate::domain::ids::ApplicationId;
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Found, Notifier, PortError};

/// The recovery actions of one app.
pub struct Recoveries {
    api: Api,
    wanted: AppRecovery,
}

/// What Google Play tells of an action, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Action {
    id: String,
    status: Status,
    devices: u64,
    recovered: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Draft,
    Active,
    Canceled,
    BeingMade,
    NotMade,
}

impl Recoveries {
    /// The recovery actions of an app, and what is wanted of them.
    #[must_use]
    pub fn new(service: Service, token: GoogleToken, package: ApplicationId, wanted: AppRecovery) -> Self {
        Self { api: Api::new(service, token, package, String::new()), wanted }
    }

    /// The action for these version codes: the one that is there, else a new draft.
    async fn action(&self, codes: &BTreeSet<String>) -> Result<Action, Failed> {
        match self.there(codes).await? {
            Some(action) => Ok(action),
            None => self.create(codes).await,
        }
    }

    async fn there(&self, codes: &BTreeSet<String>) -> Result<Option<Action>, Failed> {
        let Some(first) = codes.first() else { return Ok(None) };
        let path = format!("/appRecoveries?versionCode={first}");
        let answer = self.api.call(Kind::Harmless, Method::GET, &path, None).await?;
        let actions = answer.get("recoveryActions").and_then(Value::as_array);
        let ours = actions.into_iter().flatten().filter(|action| targets(action, codes));
        let read: Result<Vec<Action>, String> = ours.map(read).collect();
        let mut read = read.map_err(|problem| self.api.odd_answer(&problem))?;
        // Where people have made several, the one that goes furthest says most.
        read.sort_by_key(|action| action.status != Status::Active);
        Ok(read.into_iter().next())
    }

    /// Makes a draft. One whose answer was lost is found by the next try.
    async fn create(&self, codes: &BTreeSet<String>) -> Result<Action, Failed> {
        let body = json!({
            "remoteInAppUpdate": {"isRemoteInAppUpdateRequested": true},
            "targeting": {"versionList": {"versionCodes": codes}},
        });
        let made = self.api.call(Kind::Publishing, Method::POST, "/appRecoveries", Some(body)).await?;
        read(&made).map_err(|problem| self.api.odd_answer(&problem))
    }

    /// Deploys a draft, where that is wanted. Every other status is left as it is.
    async fn deploy(&self, action: &Action) -> Result<(), Failed> {
        match (self.wanted, action.status) {
            (AppRecovery::Deploy, Status::Draft) => {
                let path = format!("/appRecoveries/{}:deploy", action.id);
                self.api.call(Kind::Publishing, Method::POST, &path, Some(json!({}))).await.map(drop)
            }
            (AppRecovery::Deploy, Status::BeingMade) => Err(Failed::of_port(PortError::new(
                format!("app recovery action {} of {} is still being made", action.id, self.api.place()),
                "nothing; the next run deploys it",
            ))),
            (_, Status::NotMade) => Err(Failed::of_port(
                PortError::new(
                    format!(
                        "Google Play could not make app recovery action {} of {}",
                        action.id,
                        self.api.place()
                    ),
                    "look at App recovery in the Play Console",
                )
                .lasting(),
            )),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Notifier for Recoveries {
    async fn post(&self, _key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        let subject = note.subject.as_ref();
        let codes: BTreeSet<String> =
            subject.into_iter().flat_map(|subject| &subject.builds).map(ToString::to_string).collect();
        if codes.is_empty() {
            let what = format!("the message for app recovery of {} names no builds", self.api.place());
            return Err(PortError::new(what, "make the action in the Play Console").lasting());
        }
        let action = self.action(&codes).await.map_err(|failed| failed.error)?;
        self.deploy(&action).await.map_err(|failed| failed.error)?;
        let (id, devices, recovered) = (&action.id, action.devices, action.recovered);
        tracing::warn!(package = %self.api.package, id, devices, recovered, "app recovery action for the halted release");
        Ok(Posted { channel: self.api.package.to_string(), id: action.id, thread: None })
    }

    /// An action does not follow the words of a message.
    async fn update(&self, _posted: &Posted, _key: &str, _note: &Note) -> Result<(), PortError> {
        Ok(())
    }

    /// Always to be posted again: posting takes an action that is there, so it is never made twice.
    async fn find(
        &self,
        _key: &str,
        _parent: Option<&Posted>,
        _since: Timestamp,
        _age: SignedDuration,
    ) -> Result<Found, PortError> {
        Ok(Found::Nowhere)
    }
}

/// Whether an action is for all of these version codes.
fn targets(action: &Value, codes: &BTreeSet<String>) -> bool {
    let targeting = action.get("targeting");
    let list = targeting.and_then(|targeting| targeting.get("versionList")?.get("versionCodes")?.as_array());
    if let Some(list) = list {
        let listed: BTreeSet<String> = list.iter().filter_map(text).collect();
        return codes.is_subset(&listed);
    }
    let range = targeting.and_then(|targeting| targeting.get("versionRange"));
    let end = |name: &str| text(range?.get(name)?)?.parse::<u64>().ok();
    match (end("versionCodeStart"), end("versionCodeEnd")) {
        (Some(start), Some(end)) => {
            codes.iter().all(|code| code.parse().is_ok_and(|code: u64| (start..=end).contains(&code)))
        }
        _ => false,
    }
}

fn read(action: &Value) -> Result<Action, String> {
    let id = action.get("appRecoveryId").and_then(text).ok_or("a recovery action without an id")?;
    let status = match action.get("status").and_then(Value::as_str) {
        Some("RECOVERY_STATUS_DRAFT") => Status::Draft,
        Some("RECOVERY_STATUS_ACTIVE") => Status::Active,
        Some("RECOVERY_STATUS_CANCELED") => Status::Canceled,
        Some("RECOVERY_STATUS_GENERATION_IN_PROGRESS") => Status::BeingMade,
        Some("RECOVERY_STATUS_GENERATION_FAILED") => Status::NotMade,
        other => return Err(format!("a recovery action with status {other:?}")),
    };
    let data = action.get("remoteInAppUpdateData");
    let bundles = data.and_then(|data| data.get("remoteAppUpdateDataPerBundle")?.as_array());
    let sum = |name: &str| {
        let counts = bundles.into_iter().flatten().filter_map(|bundle| text(bundle.get(name)?));
        counts.filter_map(|count| count.parse::<u64>().ok()).sum()
    };
    let (devices, recovered) = (sum("totalDeviceCount"), sum("recoveredDeviceCount"));
    Ok(Action { id, status, devices, recovered })
}

/// A 64-bit number, which the API writes as a text.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn an_action_is_taken_only_where_it_is_for_all_of_the_codes() {
        let list = json!({"targeting": {"versionList": {"versionCodes": ["200", "201"]}}});
        assert!(targets(&list, &codes(&["200"])) && targets(&list, &codes(&["200", "201"])));
        assert!(!targets(&list, &codes(&["200", "202"])));
        let range =
            json!({"targeting": {"versionRange": {"versionCodeStart": "9", "versionCodeEnd": "200"}}});
        assert!(targets(&range, &codes(&["100", "200"])) && !targets(&range, &codes(&["201"])));
        assert!(!targets(&json!({"targeting": {"allUsers": {}}}), &codes(&["200"])));
    }

    #[test]
    fn counts_of_all_bundles_are_added_up() {
        let action = read(&json!({
            "appRecoveryId": "7", "status": "RECOVERY_STATUS_ACTIVE",
            "remoteInAppUpdateData": {"remoteAppUpdateDataPerBundle": [
                {"versionCode": "200", "totalDeviceCount": "1000", "recoveredDeviceCount": "10"},
                {"versionCode": "201", "totalDeviceCount": "500", "recoveredDeviceCount": "5"},
            ]},
        }));
        let expected = Action { id: "7".to_owned(), status: Status::Active, devices: 1500, recovered: 15 };
        assert_eq!(action, Ok(expected));
        assert!(read(&json!({"appRecoveryId": "7", "status": "NEW"})).is_err());
    }
}
