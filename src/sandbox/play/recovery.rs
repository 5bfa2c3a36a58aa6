//! App recovery: actions that ask devices of some versions to update. Pure; the instant comes as a parameter.
//!
//! The shapes are those of the discovery document. A draft can be deployed, a deployed one cancelled or aimed at more,
//! and nothing else; public pages show no texts of refusals, so these follow the pattern of the others.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::PlayError;

/// What an action may be aimed at, and the one field that each has.
const CRITERIA: [(&str, &[&str]); 5] = [
    ("versionList", &["versionCodes"]),
    ("versionRange", &["versionCodeStart", "versionCodeEnd"]),
    ("regions", &["regionCode"]),
    ("androidSdks", &["sdkLevels"]),
    ("allUsers", &["isAllUsersRequested"]),
];
/// The criteria that can be widened later, with the list that each holds.
const WIDENED: [(&str, &str); 2] = [("regions", "regionCode"), ("androidSdks", "sdkLevels")];
/// The ids of the sandbox begin here.
const FIRST_ID: u64 = 4_600_000_000_000_000_001;

/// The actions of one app.
#[derive(Debug, Default)]
pub(super) struct Recoveries {
    actions: Vec<Action>,
}

#[derive(Debug)]
struct Action {
    id: u64,
    status: Status,
    targeting: Map<String, Value>,
    created_at: Timestamp,
    updated_at: Timestamp,
    deployed_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Draft,
    Active,
    Canceled,
}

impl Recoveries {
    /// Creates a draft.
    pub(super) fn create(
        &mut self,
        body: &Value,
        uploaded: &BTreeSet<i64>,
        devices: &BTreeMap<i64, u64>,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        known_fields(body, "", &["remoteInAppUpdate", "targeting"])?;
        let update = body.get("remoteInAppUpdate").ok_or_else(|| required("remoteInAppUpdate"))?;
        known_fields(update, "remoteInAppUpdate.", &["isRemoteInAppUpdateRequested"])?;
        if update.get("isRemoteInAppUpdateRequested") != Some(&json!(true)) {
            return Err(PlayError::Value(
                "remote_in_app_update.is_remote_in_app_update_requested".to_owned(),
            ));
        }
        let targeting = body.get("targeting").ok_or_else(|| required("targeting"))?;
        let targeting = checked(targeting, uploaded)?;
        let id = FIRST_ID + self.actions.len() as u64;
        let action = Action {
            id,
            status: Status::Draft,
            targeting,
            created_at: now,
            updated_at: now,
            deployed_at: None,
            cancelled_at: None,
        };
        let document = action.document(uploaded, devices);
        self.actions.push(action);
        Ok(document)
    }

    /// The actions that are aimed at a version.
    pub(super) fn list(&self, code: i64, uploaded: &BTreeSet<i64>, devices: &BTreeMap<i64, u64>) -> Value {
        let aimed = self.actions.iter().filter(|action| action.codes(uploaded).contains(&code));
        let actions: Vec<Value> = aimed.map(|action| action.document(uploaded, devices)).collect();
        if actions.is_empty() { json!({}) } else { json!({"recoveryActions": actions}) }
    }

    /// Deploys a draft.
    pub(super) fn deploy(&mut self, id: &str, now: Timestamp) -> Result<Value, PlayError> {
        let action = self.find(id)?;
        action.goes_from(Status::Draft)?;
        (action.status, action.deployed_at, action.updated_at) = (Status::Active, Some(now), now);
        Ok(json!({}))
    }

    /// Cancels an action that was deployed.
    pub(super) fn cancel(&mut self, id: &str, now: Timestamp) -> Result<Value, PlayError> {
        let action = self.find(id)?;
        action.goes_from(Status::Active)?;
        (action.status, action.cancelled_at, action.updated_at) = (Status::Canceled, Some(now), now);
        Ok(json!({}))
    }

    /// Widens the criteria that an action was created with.
    pub(super) fn add_targeting(
        &mut self,
        id: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<Value, PlayError> {
        known_fields(body, "", &["targetingUpdate"])?;
        let update = body.get("targetingUpdate").ok_or_else(|| required("targetingUpdate"))?;
        let names: Vec<&str> = WIDENED.iter().map(|(name, _)| *name).chain(["allUsers"]).collect();
        known_fields(update, "targetingUpdate.", &names)?;
        let action = self.find(id)?;
        if action.status == Status::Canceled {
            return Err(action.refused());
        }
        for (name, list) in WIDENED {
            let Some(more) = update.get(name) else { continue };
            let kept = action.targeting.get_mut(name).and_then(|kept| kept.get_mut(list)?.as_array_mut());
            let kept = kept.ok_or_else(|| PlayError::Value(format!("targeting_update.{name}")))?;
            let more = more.get(list).and_then(Value::as_array);
            let more = more.ok_or_else(|| PlayError::Value(format!("targeting_update.{name}.{list}")))?;
            kept.extend(more.iter().filter(|new| !kept.contains(new)).cloned().collect::<Vec<_>>());
        }
        action.updated_at = now;
        Ok(json!({}))
    }

    /// Everything, for the control surface.
    pub(super) fn state(&self, uploaded: &BTreeSet<i64>, devices: &BTreeMap<i64, u64>) -> Vec<Value> {
        self.actions.iter().map(|action| action.document(uploaded, devices)).collect()
    }

    fn find(&mut self, id: &str) -> Result<&mut Action, PlayError> {
        let action = self.actions.iter_mut().find(|action| action.id.to_string() == id);
        action.ok_or_else(|| PlayError::Recovery(id.to_owned()))
    }
}

impl Action {
    fn goes_from(&self, status: Status) -> Result<(), PlayError> {
        if self.status == status { Ok(()) } else { Err(self.refused()) }
    }

    fn refused(&self) -> PlayError {
        PlayError::RecoveryStatus { id: self.id.to_string(), status: self.status.name() }
    }

    /// The version codes that it is aimed at, of those that are known.
    fn codes(&self, uploaded: &BTreeSet<i64>) -> BTreeSet<i64> {
        let list = self.targeting.get("versionList").and_then(|list| list["versionCodes"].as_array());
        let end = |name: &str| self.targeting.get("versionRange").and_then(|range| number(&range[name]));
        match (list, end("versionCodeStart"), end("versionCodeEnd")) {
            (Some(list), _, _) => list.iter().filter_map(number).collect(),
            (None, Some(from), Some(to)) => uploaded.range(from..=to).copied().collect(),
            _ => uploaded.clone(),
        }
    }

    fn document(&self, uploaded: &BTreeSet<i64>, devices: &BTreeMap<i64, u64>) -> Value {
        let count = |code: &i64| devices.get(code).copied().unwrap_or_default().to_string();
        let per_bundle: Vec<Value> = self
            .codes(uploaded)
            .iter()
            .map(|code| {
                json!({"versionCode": code.to_string(), "totalDeviceCount": count(code), "recoveredDeviceCount": "0"})
            })
            .collect();
        let mut document = json!({
            "appRecoveryId": self.id.to_string(),
            "status": format!("RECOVERY_STATUS_{}", self.status.name()),
            "targeting": self.targeting,
            "createTime": self.created_at.to_string(),
            "lastUpdateTime": self.updated_at.to_string(),
            "remoteInAppUpdateData": {"remoteAppUpdateDataPerBundle": per_bundle},
        });
        for (name, at) in [("deployTime", self.deployed_at), ("cancelTime", self.cancelled_at)] {
            if let Some(at) = at {
                document[name] = json!(at.to_string());
            }
        }
        document
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Active => "ACTIVE",
            Self::Canceled => "CANCELED",
        }
    }
}

/// The targeting as it is stored: which versions, by list or by range and not both, and what else it names.
fn checked(targeting: &Value, uploaded: &BTreeSet<i64>) -> Result<Map<String, Value>, PlayError> {
    let names: Vec<&str> = CRITERIA.iter().map(|(name, _)| *name).collect();
    known_fields(targeting, "targeting.", &names)?;
    let mut stored = Map::new();
    for (name, fields) in CRITERIA {
        let Some(criterion) = targeting.get(name) else { continue };
        known_fields(criterion, &format!("targeting.{name}."), fields)?;
        if let Some(missing) = fields.iter().find(|field| criterion.get(**field).is_none()) {
            return Err(required(&format!("targeting.{name}.{missing}")));
        }
        stored.insert(name.to_owned(), criterion.clone());
    }
    if stored.contains_key("versionList") == stored.contains_key("versionRange") {
        return Err(PlayError::Value("targeting.version".to_owned()));
    }
    if let Some(list) = stored.get("versionList") {
        let codes = list["versionCodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let read: Option<Vec<i64>> = codes.iter().map(number).collect();
        let read = read.filter(|read| !read.is_empty());
        let read = read.ok_or_else(|| PlayError::Value("targeting.version_list.version_codes".to_owned()))?;
        let missing: Vec<i64> = read.iter().filter(|code| !uploaded.contains(code)).copied().collect();
        if !missing.is_empty() {
            return Err(PlayError::VersionCodes(missing));
        }
        let text: Vec<String> = read.iter().map(i64::to_string).collect();
        stored.insert("versionList".to_owned(), json!({"versionCodes": text}));
    }
    Ok(stored)
}

/// A 64-bit number, as a text or a number.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn required(field: &str) -> PlayError {
    PlayError::Value(field.to_owned())
}

/// Refuses what is no object or has fields that the description does not name.
pub(super) fn known_fields(value: &Value, place: &str, known: &[&str]) -> Result<(), PlayError> {
    let fields = value.as_object().ok_or_else(|| PlayError::Value(place.trim_end_matches('.').to_owned()))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(PlayError::Payload(format!("Unknown name \"{place}{name}\": Cannot find field."))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(targeting: &Value) -> Value {
        json!({"remoteInAppUpdate": {"isRemoteInAppUpdateRequested": true}, "targeting": targeting})
    }

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn an_action_is_drafted_deployed_and_cancelled_in_this_order() {
        let (uploaded, devices) = (BTreeSet::from([100, 200]), BTreeMap::from([(200, 1500)]));
        let mut recoveries = Recoveries::default();
        let targeting = json!({"versionList": {"versionCodes": ["200"]}, "regions": {"regionCode": ["DE"]}});
        let made = recoveries.create(&body(&targeting), &uploaded, &devices, now()).unwrap();
        assert_eq!(made["status"], "RECOVERY_STATUS_DRAFT");
        let counts = &made["remoteInAppUpdateData"]["remoteAppUpdateDataPerBundle"][0];
        assert_eq!(counts["totalDeviceCount"], "1500");
        let id = made["appRecoveryId"].as_str().unwrap().to_owned();
        assert!(recoveries.cancel(&id, now()).is_err(), "it is not executing yet");
        recoveries.deploy(&id, now()).unwrap();
        assert!(recoveries.deploy(&id, now()).is_err(), "twice");
        let more = json!({"targetingUpdate": {"regions": {"regionCode": ["FR", "DE"]}}});
        recoveries.add_targeting(&id, &more, now()).unwrap();
        let sdks = json!({"targetingUpdate": {"androidSdks": {"sdkLevels": ["34"]}}});
        assert!(recoveries.add_targeting(&id, &sdks, now()).is_err(), "it was not created with that");
        recoveries.cancel(&id, now()).unwrap();
        assert!(
            recoveries.deploy(&id, now()).is_err() && recoveries.add_targeting(&id, &more, now()).is_err()
        );
        let listed = recoveries.list(200, &uploaded, &devices);
        assert_eq!(listed["recoveryActions"][0]["targeting"]["regions"]["regionCode"], json!(["DE", "FR"]));
        assert_eq!(recoveries.list(100, &uploaded, &devices), json!({}));
        assert_eq!(recoveries.deploy("7", now()), Err(PlayError::Recovery("7".to_owned())));
    }

    #[test]
    fn what_the_description_does_not_name_is_refused() {
        let uploaded = BTreeSet::from([200]);
        let list = json!({"versionList": {"versionCodes": ["200"]}});
        let refused = |body: Value| {
            Recoveries::default().create(&body, &uploaded, &BTreeMap::new(), now()).unwrap_err()
        };
        assert!(refused(json!({"targeting": list})).to_string().contains("remoteInAppUpdate"));
        let mut more = body(&list);
        more["speed"] = json!(1);
        assert!(refused(more).to_string().contains("speed"));
        assert!(refused(body(&json!({"versions": {}}))).to_string().contains("versions"));
        assert!(refused(body(&json!({}))).to_string().contains("targeting.version"));
        let unknown = json!({"versionList": {"versionCodes": ["7"]}});
        assert_eq!(refused(body(&unknown)), PlayError::VersionCodes(vec![7]));
        let range = json!({"versionRange": {"versionCodeStart": "1"}});
        assert!(refused(body(&range)).to_string().contains("versionCodeEnd"));
    }
}
