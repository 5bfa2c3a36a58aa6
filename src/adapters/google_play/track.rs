//! A track as Google Play writes it: reading its releases, and changing one of them. Pure.
//!
//! A track goes back as it was read. Of our release only status and fraction change; all other releases, and every field
//! that this program has never heard of, stay as they were. What has to leave the list leaves it: Google Play takes one
//! staged and one completed release of a track, no more ("Too many staged releases specified").
//! Resource: <https://developers.google.com/android-publisher/api-ref/rest/v3/edits.tracks>.

use serde_json::{Value, json};

use crate::domain::ids::{BuildNumber, VersionName};
use crate::domain::listing::Listed;
use crate::domain::rate::UserFraction;
use crate::domain::release::{Change, Release, RolloutStatus};

/// The most release summaries that Google Play lists; with so many, some may be missing.
const MOST_SUMMARIES: usize = 20;

/// Why a change can't be made to a track as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Our release is not there.
    #[error("the track does not list release {0}")]
    Gone(String),
    /// Another release has taken its place.
    #[error("release {0} is newer and offered already")]
    Newer(String),
    /// Another release is staged.
    #[error("release {0} is staged, and a track has one staged release at most")]
    Occupied(String),
}

/// The releases of a track. A track without any leaves them out, so its own name tells that it is the answer.
///
/// # Errors
/// Where it is another track, or no track at all; says what it is instead.
pub fn releases(track: &Value, name: &str) -> Result<Vec<Release>, String> {
    listed_in(track, name)?.iter().filter(|raw| !codes(raw).is_empty()).map(release).collect()
}

/// Our release in a track; none where it is not there. Others may be in a state that nobody knows.
///
/// # Errors
/// As for [`releases`].
pub fn find(track: &Value, name: &str, key: &str) -> Result<Option<Release>, String> {
    listed_in(track, name)?.iter().find(|raw| self::key(raw) == key).map(release).transpose()
}

fn listed_in<'t>(track: &'t Value, name: &str) -> Result<&'t [Value], String> {
    if track.get("track").and_then(Value::as_str) != Some(name) {
        return Err(format!("something else than the track {name:?}"));
    }
    match track.get("releases") {
        None => Ok(&[]),
        Some(Value::Array(releases)) => Ok(releases),
        Some(_) => Err("a track whose releases are no list".to_owned()),
    }
}

/// The track as it has to be written for a change of our release.
///
/// # Errors
/// [`Obstacle`] where the rest of the track does not allow it.
pub fn changed(track: &Value, key: &str, change: &Change) -> Result<Value, Obstacle> {
    let mut track = track.clone();
    let releases = track.get_mut("releases").and_then(Value::as_array_mut);
    let releases = releases.ok_or_else(|| Obstacle::Gone(key.to_owned()))?;
    let ours = releases.iter().position(|release| self::key(release) == key);
    let ours = ours.ok_or_else(|| Obstacle::Gone(key.to_owned()))?;
    check(releases, ours, change)?;
    set(&mut releases[ours], change);
    let completed = status(&releases[ours]) == Some("completed");
    let starts = matches!(change, Change::Start { .. });
    let mut index = 0;
    releases.retain(|release| {
        let leaves = (completed && status(release) == Some("completed")) || (starts && is_staged(release));
        index += 1;
        index - 1 == ours || !leaves
    });
    Ok(track)
}

/// Our release alone, without the countries that only a release in progress may name: what is left to stop a release
/// with, where Google Play does not take its own track back. It keeps the completed release by itself.
#[must_use]
pub fn alone(track: &Value, key: &str) -> Value {
    let mut track = track.clone();
    if let Some(releases) = track.get_mut("releases").and_then(Value::as_array_mut) {
        releases.retain(|release| self::key(release) == key);
        let fields = releases.iter_mut().filter_map(Value::as_object_mut);
        fields.for_each(|fields| drop(fields.shift_remove("countryTargeting")));
    }
    track
}

/// What may take the place of another release must be newer than it; a resumed release needs its place free.
fn check(releases: &[Value], ours: usize, change: &Change) -> Result<(), Obstacle> {
    if !matches!(change, Change::Start { .. } | Change::Resume { .. }) {
        return Ok(());
    }
    let newest = |release: &Value| codes(release).iter().filter_map(|code| code.parse::<u64>().ok()).max();
    let offered = |release: &&Value| matches!(status(release), Some("inProgress" | "completed"));
    let mut others =
        releases.iter().enumerate().filter(|(index, _)| *index != ours).map(|(_, release)| release);
    if let Some(newer) = others.clone().filter(offered).find(|other| newest(other) > newest(&releases[ours]))
    {
        return Err(Obstacle::Newer(key(newer)));
    }
    match (change, others.find(|other| is_staged(other))) {
        (Change::Resume { .. }, Some(staged)) => Err(Obstacle::Occupied(key(staged))),
        _ => Ok(()),
    }
}

/// In progress, or halted at a fraction.
fn is_staged(release: &Value) -> bool {
    match status(release) {
        Some("inProgress") => true,
        Some("halted") => fraction(release).is_some(),
        _ => false,
    }
}

/// Changes our release and leaves every other field as it was read.
fn set(release: &mut Value, change: &Change) {
    match change {
        // A staged release keeps its fraction, a completed one has none; both as Google Play asks for it.
        Change::Halt | Change::Withdraw { .. } => put(release, "status", json!("halted")),
        Change::FastTrack => complete(release),
        Change::Raise { to: share, .. } | Change::Start { at: share } => offer(release, *share),
        Change::Resume { at: Some(share), .. } => offer(release, *share),
        Change::Resume { at: None, .. } if fraction(release).is_none() => complete(release),
        Change::Resume { at: None, .. } => put(release, "status", json!("inProgress")),
    }
}

/// Offers it to a share of users; to all of them it is completed, for a staged release is offered to fewer.
fn offer(release: &mut Value, share: UserFraction) {
    if share.is_about(UserFraction::EVERYBODY) {
        return complete(release);
    }
    put(release, "status", json!("inProgress"));
    put(release, "userFraction", json!(share.get()));
}

fn complete(release: &mut Value) {
    put(release, "status", json!("completed"));
    // A completed release must not have a fraction.
    if let Some(fields) = release.as_object_mut() {
        fields.shift_remove("userFraction");
    }
}

fn put(release: &mut Value, field: &str, value: Value) {
    if let Some(fields) = release.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn status(release: &Value) -> Option<&str> {
    release.get("status").and_then(Value::as_str)
}

fn fraction(release: &Value) -> Option<f64> {
    release.get("userFraction").and_then(Value::as_f64)
}

/// The version codes, sorted as text, so that the order in the track does not matter.
fn codes(release: &Value) -> Vec<String> {
    let codes = release.get("versionCodes").and_then(Value::as_array);
    sorted(codes.into_iter().flatten())
}

fn sorted<'v>(codes: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let text =
        |code: &Value| code.as_str().map(ToOwned::to_owned).or_else(|| code.as_i64().map(|n| n.to_string()));
    let mut codes: Vec<String> = codes.filter_map(text).collect();
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
    let fraction = fraction(raw).or(everybody);
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

/// The keys in the summaries of a track; none where a summary is neither a draft nor out, or some may be missing. A
/// draft without artifacts is no release yet.
/// <https://developers.google.com/android-publisher/api-ref/rest/v3/applications.tracks.releases/list>.
///
/// # Errors
/// Where it is no list of summaries; says what it is instead.
pub fn listed(summaries: &Value) -> Result<Option<Listed>, String> {
    let summaries = match (summaries.as_object(), summaries.get("releases")) {
        (Some(fields), None) if fields.is_empty() => &[],
        (_, Some(Value::Array(summaries))) => summaries.as_slice(),
        _ => return Err("something else than a list of releases".to_owned()),
    };
    if summaries.len() >= MOST_SUMMARIES {
        return Ok(None);
    }
    let mut listed = Listed::default();
    for summary in summaries {
        let artifacts = summary.get("activeArtifacts").and_then(Value::as_array);
        let codes = artifacts.into_iter().flatten().filter_map(|artifact| artifact.get("versionCode"));
        let key = sorted(codes).join("+");
        let state = summary.get("releaseLifecycleState").and_then(Value::as_str).unwrap_or_default();
        match state.strip_prefix("RELEASE_LIFECYCLE_STATE_") {
            Some("DRAFT") if key.is_empty() => {}
            Some("DRAFT") => drop(listed.drafts.insert(key)),
            Some("PUBLISHED") if !key.is_empty() => drop(listed.offered.insert(key)),
            _ => return Ok(None),
        }
    }
    Ok(Some(listed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::persons_word::PersonsWord;
    use crate::domain::rollout::{NextStep, next_step};

    fn word() -> PersonsWord {
        PersonsWord::given("ada", "it crashes at start", jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    fn share(share: f64) -> UserFraction {
        UserFraction::new(share).unwrap()
    }

    fn raw(code: u32, status: &str, fraction: Option<f64>) -> Value {
        let mut release = json!({"versionCodes": [code.to_string()], "status": status});
        if let Some(fraction) = fraction {
            release["userFraction"] = json!(fraction);
        }
        release
    }

    fn track(releases: &[Value]) -> Value {
        json!({"track": "production", "releases": releases})
    }

    fn after(releases: &[Value], key: &str, change: &Change) -> Vec<Value> {
        changed(&track(releases), key, change).unwrap()["releases"].as_array().unwrap().clone()
    }

    #[test]
    fn only_our_release_changes_and_every_other_field_stays() {
        let before = json!({"track": "production", "somethingElse": {"b": 1, "a": 2}, "releases": [
            {"name": "26.2.0", "versionCodes": ["100"], "status": "completed"},
            {"name": "26.3.0", "versionCodes": ["201", "200"], "status": "inProgress", "userFraction": 0.15,
             "inAppUpdatePriority": 3, "countryTargeting": {"countries": ["DE"]}, "somethingNew": [1]},
        ]});
        let after = changed(&before, "200+201", &Change::Halt).unwrap();
        assert_eq!(after["releases"][0].to_string(), before["releases"][0].to_string());
        assert_eq!(
            after["releases"][1].to_string(),
            r#"{"name":"26.3.0","versionCodes":["201","200"],"status":"halted","userFraction":0.15,"inAppUpdatePriority":3,"countryTargeting":{"countries":["DE"]},"somethingNew":[1]}"#
        );
        assert_eq!(after["somethingElse"].to_string(), r#"{"b":1,"a":2}"#);
    }

    #[test]
    fn every_change_gives_the_status_and_the_fraction_that_play_asks_for() {
        let staged = |fraction| vec![raw(100, "completed", None), raw(200, "inProgress", Some(fraction))];
        let halted = |fraction| vec![raw(100, "completed", None), raw(200, "halted", fraction)];
        let resume = |at| Change::Resume { at, word: word() };
        let withdraw = Change::Withdraw { word: word() };
        let drafted = [
            raw(100, "completed", None),
            raw(200, "inProgress", Some(0.5)),
            raw(250, "draft", None),
            raw(300, "draft", None),
        ];
        let (half, all) = (share(0.5), UserFraction::EVERYBODY);
        let old = || raw(100, "completed", None);
        let rows: Vec<(Vec<Value>, &str, Change, Vec<Value>)> = vec![
            (staged(0.15), "200", Change::Halt, vec![old(), raw(200, "halted", Some(0.15))]),
            (staged(0.15), "200", withdraw.clone(), vec![old(), raw(200, "halted", Some(0.15))]),
            (vec![raw(200, "completed", None)], "200", withdraw, vec![raw(200, "halted", None)]),
            (staged(0.15), "200", Change::FastTrack, vec![raw(200, "completed", None)]),
            (
                staged(0.15),
                "200",
                Change::Raise { from: share(0.15), to: half },
                vec![old(), raw(200, "inProgress", Some(0.5))],
            ),
            (
                staged(0.15),
                "200",
                Change::Raise { from: share(0.15), to: all },
                vec![raw(200, "completed", None)],
            ),
            (halted(Some(0.15)), "200", resume(None), vec![old(), raw(200, "inProgress", Some(0.15))]),
            (halted(Some(0.15)), "200", resume(Some(half)), vec![old(), raw(200, "inProgress", Some(0.5))]),
            (halted(None), "200", resume(None), vec![raw(200, "completed", None)]),
            (halted(None), "200", resume(Some(half)), vec![old(), raw(200, "inProgress", Some(0.5))]),
            (halted(Some(0.15)), "200", resume(Some(all)), vec![raw(200, "completed", None)]),
            (
                drafted.to_vec(),
                "300",
                Change::Start { at: half },
                vec![old(), raw(250, "draft", None), raw(300, "inProgress", Some(0.5))],
            ),
            (
                drafted.to_vec(),
                "300",
                Change::Start { at: all },
                vec![raw(250, "draft", None), raw(300, "completed", None)],
            ),
        ];
        for (before, key, change, expected) in rows {
            assert_eq!(after(&before, key, &change), expected, "{change:?} of {before:?}");
        }
    }

    #[test]
    fn a_fraction_that_is_all_but_one_is_a_completion() {
        let staged = [raw(200, "inProgress", Some(0.5))];
        let to = share(0.999_999_9);
        assert_eq!(
            after(&staged, "200", &Change::Raise { from: share(0.5), to }),
            [raw(200, "completed", None)]
        );
    }

    #[test]
    fn nothing_takes_the_place_of_something_newer() {
        let start = Change::Start { at: share(0.5) };
        let resume = Change::Resume { at: None, word: word() };
        let newer = [raw(300, "inProgress", Some(0.1)), raw(200, "draft", None)];
        assert_eq!(changed(&track(&newer), "200", &start), Err(Obstacle::Newer("300".to_owned())));
        let newer = [raw(300, "completed", None), raw(200, "halted", Some(0.1))];
        assert_eq!(changed(&track(&newer), "200", &resume), Err(Obstacle::Newer("300".to_owned())));
        let staged = [raw(150, "halted", Some(0.5)), raw(200, "halted", Some(0.1))];
        assert_eq!(changed(&track(&staged), "200", &resume), Err(Obstacle::Occupied("150".to_owned())));
        assert_eq!(changed(&track(&staged), "7", &Change::Halt), Err(Obstacle::Gone("7".to_owned())));
    }

    #[test]
    fn ours_alone_names_no_countries() {
        let before = track(&[
            raw(100, "completed", None),
            json!({"versionCodes": ["200"], "status": "halted", "userFraction": 0.1, "countryTargeting": {"countries": ["DE"]}}),
        ]);
        assert_eq!(alone(&before, "200"), track(&[raw(200, "halted", Some(0.1))]));
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
        let others = track(&[raw(100, "paused", None), raw(200, "inProgress", Some(0.1))]);
        assert!(find(&others, "production", "200").unwrap().is_some(), "only ours has to be known");
    }

    #[test]
    fn summaries_say_what_is_drafted_and_what_is_out_or_nothing() {
        let summary = |code: &Value, state: &str| {
            json!({"activeArtifacts": [{"versionCode": code}, {"versionCode": 7}], "track": "production",
                   "releaseLifecycleState": format!("RELEASE_LIFECYCLE_STATE_{state}")})
        };
        let read = |summaries: Vec<Value>| listed(&json!({"releases": summaries}));
        let both = read(vec![
            summary(&json!(100), "PUBLISHED"),
            summary(&json!(200), "DRAFT"),
            json!({"releaseLifecycleState": "RELEASE_LIFECYCLE_STATE_DRAFT"}),
        ]);
        let both = both.unwrap().unwrap();
        assert!(both.offered.iter().eq(["100+7"]) && both.drafts.iter().eq(["200+7"]), "{both:?}");
        for state in ["NOT_SENT_FOR_REVIEW", "IN_REVIEW", "APPROVED_NOT_PUBLISHED", "NOT_APPROVED", "NEW"] {
            assert_eq!(read(vec![summary(&json!(100), state)]), Ok(None), "{state}");
        }
        assert_eq!(read(vec![summary(&json!(1), "PUBLISHED"); MOST_SUMMARIES]), Ok(None));
        assert_eq!(listed(&json!({})), Ok(Some(Listed::default())));
        assert!(listed(&json!({"tracks": []})).is_err() && listed(&json!([])).is_err());
    }

    /// A JSON value that this program has never heard of.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("a number", |number| number.is_finite()).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-zA-Z]{1,8}", inner), 0..4)
                    .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    /// A release with fields in any order, among them unknown ones.
    fn any_release(code: u32) -> impl Strategy<Value = Value> {
        let status = prop_oneof![Just("draft"), Just("inProgress"), Just("halted"), Just("completed")];
        let fraction = prop_oneof![Just(None), (0.001..0.999).prop_map(Some)];
        let unknown = prop::collection::vec(("x[a-zA-Z]{1,8}", anything()), 0..4);
        (status, fraction, anything(), anything(), anything(), anything(), unknown).prop_flat_map(
            move |(status, fraction, name, notes, targeting, priority, unknown)| {
                let fraction = match status {
                    "inProgress" => Some(fraction.unwrap_or(0.15)),
                    "halted" => fraction,
                    _ => None,
                };
                let mut fields = vec![
                    ("versionCodes".to_owned(), json!([code.to_string()])),
                    ("status".to_owned(), json!(status)),
                    ("name".to_owned(), name),
                    ("releaseNotes".to_owned(), notes),
                    ("countryTargeting".to_owned(), targeting),
                    ("inAppUpdatePriority".to_owned(), priority),
                ];
                fields.extend(fraction.map(|fraction| ("userFraction".to_owned(), json!(fraction))));
                fields.extend(unknown);
                Just(fields).prop_shuffle().prop_map(|fields| Value::Object(fields.into_iter().collect()))
            },
        )
    }

    fn any_track() -> impl Strategy<Value = Value> {
        let releases = (1u32..5)
            .prop_flat_map(|count| (1..=count).map(|index| any_release(index * 100)).collect::<Vec<_>>());
        (releases, anything()).prop_map(
            |(releases, unknown)| json!({"unknown": unknown, "releases": releases, "track": "production"}),
        )
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let shares = || (0.001..=1.0).prop_map(share);
        prop_oneof![
            Just(Change::Halt),
            Just(Change::FastTrack),
            Just(Change::Withdraw { word: word() }),
            Just(Change::Resume { at: None, word: word() }),
            shares().prop_map(|at| Change::Resume { at: Some(at), word: word() }),
            shares().prop_map(|to| Change::Raise { from: to, to }),
            shares().prop_map(|at| Change::Start { at }),
        ]
    }

    /// Every field but the two that a change may touch, as bytes in their order.
    fn rest(release: &Value) -> String {
        let fields = release.as_object().unwrap().iter();
        let kept = fields.filter(|(name, _)| !matches!(name.as_str(), "status" | "userFraction"));
        kept.map(|(name, value)| format!("{name}:{value}\n")).collect()
    }

    proptest! {
        #[test]
        fn a_track_goes_back_as_it_came_but_for_our_status_and_fraction(
            sent in any_track(), change in any_change(), pick in 0usize..4
        ) {
            // Over the wire and back: what is compared is what Google Play gets.
            let before: Value = serde_json::from_str(&sent.to_string()).unwrap();
            prop_assert_eq!(before.to_string(), sent.to_string());
            let releases = before["releases"].as_array().unwrap();
            let ours = &releases[pick % releases.len()];
            let key = key(ours);
            let live = find(&before, "production", &key).unwrap();
            prop_assume!(next_step(&change, live.as_ref()) == NextStep::Mutate);
            let Ok(after) = changed(&before, &key, &change) else { return Ok(()) };
            prop_assert_eq!(after["unknown"].to_string(), before["unknown"].to_string());
            let kept = after["releases"].as_array().unwrap();
            let now = kept.iter().find(|release| self::key(release) == key).unwrap();
            prop_assert_eq!(rest(now), rest(ours));
            let completes = status(now) == Some("completed");
            prop_assert!(!completes || now.get("userFraction").is_none());
            let others = |list: &[Value]| -> Vec<String> {
                list.iter().filter(|release| self::key(release) != key).map(Value::to_string).collect()
            };
            let stays = |release: &&Value| {
                let starts = matches!(change, Change::Start { .. });
                !(completes && status(release) == Some("completed") || starts && is_staged(release))
            };
            let staying: Vec<Value> = releases.iter().filter(stays).cloned().collect();
            prop_assert_eq!(others(kept), others(&staying));
            // What was written is what was wanted, so that reading it back confirms it.
            let written = find(&after, "production", &key).unwrap();
            prop_assert_eq!(next_step(&change, written.as_ref()), NextStep::Confirm);
        }
    }
}
