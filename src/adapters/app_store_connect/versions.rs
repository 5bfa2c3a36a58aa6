//! Reads the versions of an app out of JSON:API documents: pure.
//!
//! Every state that Apple documents is mapped on purpose; one that it does not is an error that lists the known ones,
//! for a guess could be a halt of the wrong thing, or health where there is none.
//! Source: <https://developer.apple.com/documentation/appstoreconnectapi/app-store-versions>.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::ids::{BuildNumber, VersionName};
use crate::domain::rate::UserFraction;
use crate::domain::release::{Release, RolloutStatus};

/// The shares of users of the seven days of a phased release.
const PHASES: [f64; 7] = [0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0];

/// Where a version stands in the store, phased release aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// In the store: the phased release says to whom it is offered.
    Offered,
    /// On its way to the store: nobody has it yet.
    Waiting,
    /// No longer in the store: there is nothing to watch and nothing to halt.
    Gone,
}

/// The values of `appVersionState`.
const VERSION_STATES: [(&str, Standing); 15] = [
    ("ACCEPTED", Standing::Waiting),
    ("DEVELOPER_REJECTED", Standing::Waiting),
    ("IN_REVIEW", Standing::Waiting),
    ("INVALID_BINARY", Standing::Waiting),
    ("METADATA_REJECTED", Standing::Waiting),
    ("PENDING_APPLE_RELEASE", Standing::Waiting),
    ("PENDING_DEVELOPER_RELEASE", Standing::Waiting),
    ("PREPARE_FOR_SUBMISSION", Standing::Waiting),
    ("PROCESSING_FOR_DISTRIBUTION", Standing::Waiting),
    ("READY_FOR_DISTRIBUTION", Standing::Offered),
    ("READY_FOR_REVIEW", Standing::Waiting),
    ("REJECTED", Standing::Waiting),
    ("REPLACED_WITH_NEW_VERSION", Standing::Gone),
    ("WAITING_FOR_EXPORT_COMPLIANCE", Standing::Waiting),
    ("WAITING_FOR_REVIEW", Standing::Waiting),
];

/// The values that only the deprecated `appStoreState` has; it shares the others.
const OLD_STATES: [(&str, Standing); 7] = [
    ("READY_FOR_SALE", Standing::Offered),
    ("PROCESSING_FOR_APP_STORE", Standing::Waiting),
    ("PENDING_CONTRACT", Standing::Waiting),
    ("PREORDER_READY_FOR_SALE", Standing::Waiting),
    ("REMOVED_FROM_SALE", Standing::Gone),
    ("DEVELOPER_REMOVED_FROM_SALE", Standing::Gone),
    // A version that is not distributed through the store at all.
    ("NOT_APPLICABLE", Standing::Gone),
];

/// A release, and the phased release through which it is changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub release: Release,
    pub phased: Option<String>,
    created_at: Option<Timestamp>,
}

/// The releases of some pages, the newest first. A page without a list of versions is no answer, and not an app without
/// versions.
///
/// # Errors
/// Says what is odd about the answer.
pub(super) fn listed(pages: &[Value]) -> Result<Vec<Listed>, String> {
    let mut all = Vec::new();
    for page in pages {
        let versions = page.get("data").and_then(Value::as_array).ok_or("no list of versions")?;
        for version in versions {
            all.extend(one(page, version)?);
        }
    }
    all.sort_by_key(|listed| std::cmp::Reverse(listed.created_at));
    with_builds(all)
}

/// Leaves out versions without a build, unless one is on its way: that it can't be matched to events is no health.
fn with_builds(all: Vec<Listed>) -> Result<Vec<Listed>, String> {
    let on_its_way = |status| matches!(status, RolloutStatus::RollingOut | RolloutStatus::Halted);
    let is_odd = |listed: &&Listed| listed.release.builds.is_empty() && on_its_way(listed.release.status);
    match all.iter().find(is_odd) {
        Some(odd) => Err(format!("version {} that is on its way without a build", odd.release.version)),
        None => Ok(all.into_iter().filter(|listed| !listed.release.builds.is_empty()).collect()),
    }
}

/// One version; none where it is no longer in the store.
fn one(page: &Value, version: &Value) -> Result<Option<Listed>, String> {
    let key = text(version, "/id").ok_or("a version without an id")?;
    let name = text(version, "/attributes/versionString").ok_or("a version without a versionString")?;
    let phased = related(page, version, "appStoreVersionPhasedRelease")?;
    let (status, user_fraction) = match standing(version)? {
        Standing::Gone => return Ok(None),
        Standing::Waiting => (RolloutStatus::Pending, None),
        Standing::Offered => offered(phased)?,
    };
    let build = related(page, version, "build")?.and_then(|build| text(build, "/attributes/version"));
    let build = build.map(BuildNumber::new).transpose().map_err(|error| error.to_string())?;
    let of_phased = |name: &str| phased.and_then(|phased| phased.pointer(&format!("/attributes/{name}")));
    let release = Release {
        key,
        version: VersionName::new(name).map_err(|error| error.to_string())?,
        builds: build.into_iter().collect(),
        status,
        user_fraction,
        started_at: of_phased("startDate").and_then(Value::as_str).and_then(instant),
        paused_days: of_phased("totalPauseDuration").and_then(Value::as_u64).map(saturating),
    };
    let created_at = text(version, "/attributes/createdDate").and_then(|at| instant(&at));
    Ok(Some(Listed { release, phased: phased.and_then(|phased| text(phased, "/id")), created_at }))
}

fn saturating(days: u64) -> u32 {
    u32::try_from(days).unwrap_or(u32::MAX)
}

/// Where a version stands, by the newer of the two attributes that say so.
fn standing(version: &Value) -> Result<Standing, String> {
    let attribute = |name: &str| text(version, &format!("/attributes/{name}"));
    let new = attribute("appVersionState").map(|state| ("appVersionState", state));
    let (name, state) = new
        .or_else(|| attribute("appStoreState").map(|state| ("appStoreState", state)))
        .ok_or("a version with neither appVersionState nor appStoreState")?;
    let known: Vec<(&str, Standing)> = match name {
        "appVersionState" => VERSION_STATES.to_vec(),
        _ => OLD_STATES.iter().chain(&VERSION_STATES).copied().collect(),
    };
    let found = known.iter().find(|(word, _)| *word == state).map(|(_, standing)| *standing);
    found.ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        format!("a version whose {name} is {state}; known are {}", known.join(", "))
    })
}

/// To whom a version in the store is offered. Without a phased release, to everybody.
fn offered(phased: Option<&Value>) -> Result<(RolloutStatus, Option<UserFraction>), String> {
    let Some(phased) = phased else {
        return Ok((RolloutStatus::Completed, Some(UserFraction::EVERYBODY)));
    };
    match text(phased, "/attributes/phasedReleaseState").as_deref() {
        Some("INACTIVE") => Ok((RolloutStatus::Pending, None)),
        Some("ACTIVE") => Ok((RolloutStatus::RollingOut, phase(phased))),
        Some("PAUSED") => Ok((RolloutStatus::Halted, phase(phased))),
        Some("COMPLETE") => Ok((RolloutStatus::Completed, Some(UserFraction::EVERYBODY))),
        Some(other) => Err(format!(
            "a phased release whose phasedReleaseState is {other}; known are INACTIVE, ACTIVE, PAUSED, COMPLETE"
        )),
        None => Err("a phased release without a phasedReleaseState".to_owned()),
    }
}

/// The share of users of the present day of a phased release.
fn phase(phased: &Value) -> Option<UserFraction> {
    let day = phased.pointer("/attributes/currentDayNumber").and_then(Value::as_u64)?;
    let index = usize::try_from(day).ok()?.checked_sub(1)?.min(PHASES.len() - 1);
    PHASES.get(index).and_then(|fraction| UserFraction::new(*fraction).ok())
}

/// The included resource that a version points to; none where it points to nothing. A pointer to something that is not
/// there is an error: a phased release that got lost would look like one that never was.
fn related<'a>(page: &'a Value, version: &Value, name: &str) -> Result<Option<&'a Value>, String> {
    let Some(link) = version.pointer(&format!("/relationships/{name}/data")).filter(|link| !link.is_null())
    else {
        return Ok(None);
    };
    let included = page.get("included").and_then(Value::as_array).into_iter().flatten();
    let mut fitting =
        included.filter(|found| found.get("type") == link.get("type") && found.get("id") == link.get("id"));
    fitting.next().map(Some).ok_or_else(|| format!("a version whose {name} is not included"))
}

pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned)
}

/// Apple writes an instant with an offset, or a bare date.
fn instant(text: &str) -> Option<Timestamp> {
    let of_date = || {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
    };
    text.parse().ok().or_else(of_date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A page with one version of build 200, and a phased release where one is given.
    fn page(attributes: &Value, phased: Option<&Value>) -> Value {
        let mut attributes = attributes.clone();
        attributes["versionString"] = json!("2.0");
        let pointer = phased.map(|_| json!({"type": "appStoreVersionPhasedReleases", "id": "p"}));
        let mut included = vec![json!({"type": "builds", "id": "b", "attributes": {"version": "200"}})];
        included.extend(phased.map(|attributes| {
            json!({"type": "appStoreVersionPhasedReleases", "id": "p", "attributes": attributes})
        }));
        json!({"data": [{"type": "appStoreVersions", "id": "v", "attributes": attributes, "relationships": {
            "build": {"data": {"type": "builds", "id": "b"}},
            "appStoreVersionPhasedRelease": {"data": pointer},
        }}], "included": included})
    }

    fn live(phased: &Value) -> Release {
        let page = page(&json!({"appVersionState": "READY_FOR_DISTRIBUTION"}), Some(phased));
        listed(&[page]).unwrap().remove(0).release
    }

    #[test]
    fn phased_states_become_the_domains_words() {
        let of = |state: &str, day: u64| {
            let release = live(&json!({"phasedReleaseState": state, "currentDayNumber": day}));
            (release.status, release.user_fraction.map(UserFraction::get))
        };
        assert_eq!(of("ACTIVE", 1), (RolloutStatus::RollingOut, Some(0.01)));
        assert_eq!(of("ACTIVE", 9), (RolloutStatus::RollingOut, Some(1.0)));
        assert_eq!(of("PAUSED", 6), (RolloutStatus::Halted, Some(0.5)));
        assert_eq!(of("COMPLETE", 7), (RolloutStatus::Completed, Some(1.0)));
        assert_eq!(of("INACTIVE", 0), (RolloutStatus::Pending, None));
    }

    #[test]
    fn every_documented_state_has_one_meaning_under_both_names() {
        let of = |name: &str, state: &str| {
            let found = listed(&[page(&json!({name: state}), None)]).unwrap();
            found.first().map(|listed| listed.release.status)
        };
        let expected = |standing| match standing {
            Standing::Offered => Some(RolloutStatus::Completed),
            Standing::Waiting => Some(RolloutStatus::Pending),
            Standing::Gone => None,
        };
        for (state, standing) in VERSION_STATES {
            assert_eq!(of("appVersionState", state), expected(standing), "{state}");
        }
        for (state, standing) in OLD_STATES {
            assert_eq!(of("appStoreState", state), expected(standing), "{state}");
        }
        assert_eq!(of("appStoreState", "IN_REVIEW"), Some(RolloutStatus::Pending));
    }

    #[test]
    fn the_new_attribute_goes_before_the_deprecated_one() {
        let both = json!({"appVersionState": "IN_REVIEW", "appStoreState": "READY_FOR_SALE"});
        assert_eq!(listed(&[page(&both, None)]).unwrap()[0].release.status, RolloutStatus::Pending);
    }

    #[test]
    fn what_waits_is_pending_whatever_its_phased_release_says() {
        let waiting = json!({"appVersionState": "PENDING_DEVELOPER_RELEASE"});
        let found = listed(&[page(&waiting, Some(&json!({"phasedReleaseState": "ACTIVE"})))]).unwrap();
        assert_eq!(found[0].release.status, RolloutStatus::Pending);
    }

    #[test]
    fn an_unknown_state_is_an_error_that_lists_the_known_ones() {
        let error = listed(&[page(&json!({"appVersionState": "READY_FOR_SALE"}), None)]).unwrap_err();
        assert!(error.contains("READY_FOR_SALE") && error.contains("READY_FOR_DISTRIBUTION"), "{error}");
        let odd = page(
            &json!({"appVersionState": "READY_FOR_DISTRIBUTION"}),
            Some(&json!({"phasedReleaseState": "ODD"})),
        );
        let error = listed(&[odd]).unwrap_err();
        assert!(error.contains("ODD") && error.contains("PAUSED"), "{error}");
        let error = listed(&[page(&json!({}), None)]).unwrap_err();
        assert!(error.contains("appVersionState"), "{error}");
    }

    #[test]
    fn a_lost_phased_release_is_not_one_that_never_was() {
        let mut page = page(
            &json!({"appVersionState": "READY_FOR_DISTRIBUTION"}),
            Some(&json!({"phasedReleaseState": "ACTIVE"})),
        );
        page["included"].as_array_mut().unwrap().pop();
        assert!(listed(&[page]).unwrap_err().contains("appStoreVersionPhasedRelease"));
    }

    #[test]
    fn pauses_and_dates_are_read() {
        let phased = json!({"phasedReleaseState": "PAUSED", "currentDayNumber": 2, "totalPauseDuration": 12,
            "startDate": "2026-11-16T00:00:00-08:00"});
        let release = live(&phased);
        assert_eq!((release.paused_days, release.started_at), (Some(12), instant("2026-11-16T08:00:00Z")));
        assert!(instant("2026-11-16").is_some());
        assert_eq!(live(&json!({"phasedReleaseState": "ACTIVE"})).paused_days, None);
    }

    #[test]
    fn the_newest_version_comes_first_across_pages() {
        let at = |created: &str, id: &str| {
            let mut page =
                page(&json!({"appVersionState": "READY_FOR_DISTRIBUTION", "createdDate": created}), None);
            page["data"][0]["id"] = json!(id);
            page
        };
        let found = listed(&[
            at("2026-01-01T00:00:00-08:00", "old"),
            at("2026-01-01T00:00:00Z", "older"),
            at("2026-02-01", "new"),
        ]);
        let keys: Vec<String> = found.unwrap().into_iter().map(|listed| listed.release.key).collect();
        assert_eq!(keys, ["new", "old", "older"]);
    }

    #[test]
    fn a_version_on_its_way_without_a_build_is_an_error_and_not_nothing() {
        let without_build = |phased: Option<&Value>| {
            let mut page = page(&json!({"appVersionState": "READY_FOR_DISTRIBUTION"}), phased);
            page["data"][0]["relationships"]["build"]["data"] = Value::Null;
            listed(&[page])
        };
        let active = json!({"phasedReleaseState": "ACTIVE"});
        assert!(without_build(Some(&active)).unwrap_err().contains("2.0"));
        assert_eq!(without_build(None), Ok(Vec::new()));
    }

    #[test]
    fn an_answer_without_versions_is_an_error_and_not_nothing() {
        assert!(listed(&[json!({"errors": []})]).unwrap_err().contains("no list of versions"));
        assert_eq!(listed(&[json!({"data": []})]), Ok(Vec::new()));
    }
}
