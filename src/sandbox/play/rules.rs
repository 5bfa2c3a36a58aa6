//! The rules for the releases of one track: which update Play accepts, and what a commit makes of it. Pure.
//! Unverified behaviour is left permissive only where a refusal would be invented: a lower fraction is accepted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::PlayError;
use super::fields;
use super::seed::AppStage;

/// The track whose completed releases can't be halted.
const INTERNAL_TRACK: &str = "internal";

/// One track: its present releases and the fully rolled-out ones before them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrackState {
    pub track: String,
    pub releases: Vec<Value>,
    pub earlier: Vec<Value>,
}

/// The status of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Draft,
    InProgress,
    Halted,
    Completed,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "draft" => Some(Self::Draft),
            "inProgress" => Some(Self::InProgress),
            "halted" => Some(Self::Halted),
            "completed" => Some(Self::Completed),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::InProgress => "IN_PROGRESS",
            Self::Halted => "HALTED",
            Self::Completed => "COMPLETED",
        }
    }
}

/// The version codes of a release; the API takes texts and numbers.
pub(super) fn codes(release: &Value) -> BTreeSet<i64> {
    let code = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    release["versionCodes"].as_array().into_iter().flatten().filter_map(code).collect()
}

/// The status of a release, where it is one that there is.
pub(super) fn status(release: &Value) -> Option<Status> {
    release["status"].as_str().and_then(Status::parse)
}

fn is_completed(release: &Value) -> bool {
    status(release) == Some(Status::Completed)
}

/// Checks the wanted releases of a track against the published ones and returns them as Play stores them.
///
/// # Errors
/// With Play's refusal of the first release that breaks a rule.
pub(super) fn check(
    published: &TrackState,
    wanted: &[Value],
    uploaded: &BTreeSet<i64>,
    stage: AppStage,
) -> Result<Vec<Value>, PlayError> {
    let check_one = |(index, release): (usize, &Value)| {
        let stored = fields::normalised(published, index, release)?;
        let codes = codes(&stored);
        let missing: Vec<i64> = codes.difference(uploaded).copied().collect();
        if !missing.is_empty() {
            return Err(PlayError::VersionCodes(missing));
        }
        let status = status(&stored).ok_or_else(|| PlayError::Value(format!("releases[{index}].status")))?;
        if stage == AppStage::Draft && status != Status::Draft {
            return Err(PlayError::DraftApp);
        }
        let before = published.releases.iter().find(|old| self::codes(old) == codes);
        fields::check(&published.track, index, before, &stored)?;
        check_transition(published, before, &stored, &codes, status)?;
        Ok(stored)
    };
    let stored: Vec<Value> = wanted.iter().enumerate().map(check_one).collect::<Result<_, _>>()?;
    check_together(&stored)?;
    Ok(stored)
}

/// A track has one staged and one completed release at most, and a version code is in one release.
fn check_together(releases: &[Value]) -> Result<(), PlayError> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = releases.iter().flat_map(codes).find(|code| !seen.insert(*code)) {
        return Err(PlayError::Value(format!("track.releases.version_codes: {twice}")));
    }
    if releases.iter().filter(|release| is_staged(release)).count() > 1 {
        return Err(PlayError::TooManyStaged);
    }
    if releases.iter().filter(|release| is_completed(release)).count() > 1 {
        return Err(PlayError::TooManyCompleted);
    }
    Ok(())
}

fn is_staged(release: &Value) -> bool {
    let has_fraction = release.get("userFraction").is_some_and(|fraction| !fraction.is_null());
    match status(release) {
        Some(Status::InProgress) => true,
        Some(Status::Halted) => has_fraction,
        Some(Status::Draft | Status::Completed) | None => false,
    }
}

/// Checks the step from the published release with the same version codes, if there is one, to the wanted one.
fn check_transition(
    published: &TrackState,
    before: Option<&Value>,
    wanted: &Value,
    codes: &BTreeSet<i64>,
    status: Status,
) -> Result<(), PlayError> {
    let before_status = before.and_then(self::status);
    let fraction = check_fraction(wanted)?;
    match status {
        Status::Draft | Status::Completed if fraction.is_some() => {
            Err(PlayError::FractionNotAllowed(status.name()))
        }
        Status::Draft => Ok(()),
        Status::Halted => check_halt(published, before, fraction),
        Status::InProgress if before_status == Some(Status::Completed) => Err(PlayError::FullyReleased),
        Status::InProgress if fraction.is_none() => Err(PlayError::FractionMissing(status.name())),
        Status::InProgress if before_status.is_none() && !ever_completed(published) => {
            Err(PlayError::FirstStaged)
        }
        Status::InProgress | Status::Completed => check_upgrade(published, codes),
    }
}

fn check_fraction(release: &Value) -> Result<Option<f64>, PlayError> {
    match release.get("userFraction") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            None => Err(PlayError::Value("releases.user_fraction".to_owned())),
            Some(fraction) if fraction >= 1.0 => Err(PlayError::FractionTooHigh),
            Some(fraction) if fraction <= 0.0 => Err(PlayError::FractionTooLow),
            Some(fraction) => Ok(Some(fraction)),
        },
    }
}

/// A staged release keeps its fraction when it is halted; a completed one has none, is not on the internal track
/// and has a fully rolled-out predecessor that can be served again.
fn check_halt(
    published: &TrackState,
    before: Option<&Value>,
    fraction: Option<f64>,
) -> Result<(), PlayError> {
    let before = before.ok_or(PlayError::NothingToHalt)?;
    let staged = before.get("userFraction").is_some_and(|value| !value.is_null());
    match status(before) {
        Some(Status::InProgress | Status::Halted) if staged && fraction.is_none() => {
            Err(PlayError::FractionMissing(Status::Halted.name()))
        }
        Some(Status::InProgress | Status::Halted) if staged => Ok(()),
        Some(Status::Completed | Status::Halted) if fraction.is_some() => Err(PlayError::FullyReleased),
        Some(Status::Halted) => Ok(()),
        Some(Status::Completed)
            if published.track != INTERNAL_TRACK && has_predecessor(published, before) =>
        {
            Ok(())
        }
        Some(_) | None => Err(PlayError::NothingToHalt),
    }
}

fn has_predecessor(published: &TrackState, release: &Value) -> bool {
    let other = |old: &Value| is_completed(old) && codes(old) != codes(release);
    !published.earlier.is_empty() || published.releases.iter().any(other)
}

fn ever_completed(published: &TrackState) -> bool {
    !published.earlier.is_empty() || published.releases.iter().any(is_completed)
}

/// No user of the present completed release could take a release of lower version codes.
fn check_upgrade(published: &TrackState, wanted: &BTreeSet<i64>) -> Result<(), PlayError> {
    let newest = published.releases.iter().filter(|old| is_completed(old)).flat_map(codes).max();
    if newest > wanted.last().copied() { Err(PlayError::NoUpgrade) } else { Ok(()) }
}

/// What the track is after a commit of the sent releases: a completed release stays until a newer one is completed;
/// when the last one was halted, its predecessor is served again.
pub(super) fn settle(published: &TrackState, sent: &[Value]) -> TrackState {
    let sent_codes: Vec<BTreeSet<i64>> = sent.iter().map(codes).collect();
    let kept = published.releases.iter().filter(|old| is_completed(old) && !sent_codes.contains(&codes(old)));
    let (mut completed, mut releases): (Vec<Value>, Vec<Value>) =
        kept.cloned().chain(sent.iter().cloned()).partition(is_completed);
    completed.sort_by_key(|release| codes(release).last().copied());
    let mut earlier = published.earlier.clone();
    let newest = completed.pop().or_else(|| if releases.is_empty() { None } else { earlier.pop() });
    earlier.extend(completed);
    if let Some(newest) = newest {
        let place = sent.iter().position(|release| *release == newest).unwrap_or(0);
        releases.insert(place.min(releases.len()), newest);
    }
    TrackState { track: published.track.clone(), releases, earlier }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(code: i64, status: &str, fraction: Option<f64>) -> Value {
        let mut release = json!({"versionCodes": [code.to_string()], "status": status});
        if let Some(fraction) = fraction {
            release["userFraction"] = json!(fraction);
        }
        release
    }

    fn track(releases: Vec<Value>, earlier: Vec<Value>) -> TrackState {
        TrackState { track: "production".to_owned(), releases, earlier }
    }

    fn try_update(published: &TrackState, wanted: Value) -> Result<Vec<Value>, PlayError> {
        check(published, &[wanted], &BTreeSet::from([100, 200, 300]), AppStage::Published)
    }

    #[test]
    fn refuses_what_play_refuses() {
        let staged =
            track(vec![release(100, "completed", None), release(200, "inProgress", Some(0.15))], vec![]);
        let refused = |wanted| try_update(&staged, wanted).unwrap_err();
        assert_eq!(refused(release(200, "completed", Some(0.5))), PlayError::FractionNotAllowed("COMPLETED"));
        assert_eq!(refused(release(200, "draft", Some(0.5))), PlayError::FractionNotAllowed("DRAFT"));
        assert_eq!(refused(release(200, "halted", None)), PlayError::FractionMissing("HALTED"));
        assert_eq!(refused(release(200, "inProgress", None)), PlayError::FractionMissing("IN_PROGRESS"));
        assert_eq!(refused(release(200, "inProgress", Some(1.0))), PlayError::FractionTooHigh);
        assert_eq!(refused(release(200, "inProgress", Some(0.0))), PlayError::FractionTooLow);
        assert_eq!(refused(release(300, "halted", Some(0.1))), PlayError::NothingToHalt);
        assert_eq!(refused(release(100, "inProgress", Some(0.1))), PlayError::FullyReleased);
        assert_eq!(refused(release(400, "inProgress", Some(0.1))), PlayError::VersionCodes(vec![400]));
        assert_eq!(
            refused(release(200, "statusUnspecified", None)),
            PlayError::Value("releases[0].status".into())
        );
        let unknown = json!({"versionCodes": ["200"], "status": "completed", "speed": 1});
        assert!(refused(unknown).to_string().contains("Unknown name \"speed\""));
        let newer = track(vec![release(200, "completed", None)], vec![]);
        assert_eq!(
            try_update(&newer, release(100, "inProgress", Some(0.1))).unwrap_err(),
            PlayError::NoUpgrade
        );
        let empty = track(vec![], vec![]);
        assert_eq!(
            try_update(&empty, release(100, "inProgress", Some(0.1))).unwrap_err(),
            PlayError::FirstStaged
        );
        let codes = BTreeSet::from([100]);
        let draft_app = check(&empty, &[release(100, "completed", None)], &codes, AppStage::Draft);
        assert_eq!(draft_app.unwrap_err(), PlayError::DraftApp);
    }

    #[test]
    fn halts_a_completed_release_only_with_a_predecessor_and_not_on_internal() {
        let mut published = track(vec![release(200, "completed", None)], vec![]);
        let halted = release(200, "halted", None);
        assert_eq!(try_update(&published, halted.clone()).unwrap_err(), PlayError::NothingToHalt);
        published.earlier.push(release(100, "completed", None));
        assert_eq!(
            try_update(&published, release(200, "halted", Some(0.5))).unwrap_err(),
            PlayError::FullyReleased
        );
        let sent = try_update(&published, halted.clone()).unwrap();
        let settled = settle(&published, &sent);
        assert_eq!(settled.releases, [release(100, "completed", None), halted.clone()]);
        let resumed = settle(&settled, &[release(200, "completed", None)]);
        assert_eq!((resumed.releases.len(), resumed.earlier.len()), (1, 1));
        published.track = "internal".to_owned();
        assert_eq!(try_update(&published, halted).unwrap_err(), PlayError::NothingToHalt);
    }

    #[test]
    fn a_commit_keeps_the_completed_release_until_a_newer_one_is_completed() {
        let published =
            track(vec![release(100, "completed", None), release(200, "inProgress", Some(0.15))], vec![]);
        let hotfix = settle(&published, &[release(300, "inProgress", Some(0.15))]);
        assert_eq!(
            hotfix.releases,
            [release(100, "completed", None), release(300, "inProgress", Some(0.15))]
        );
        let both = vec![release(100, "completed", None), release(200, "completed", None)];
        let codes = BTreeSet::from([100, 200, 300]);
        let sent = |releases: &[Value]| check(&published, releases, &codes, AppStage::Published).unwrap_err();
        assert_eq!(sent(&both), PlayError::TooManyCompleted);
        let staged = [release(200, "halted", Some(0.15)), release(300, "inProgress", Some(0.15))];
        assert_eq!(sent(&staged), PlayError::TooManyStaged);
        let done = settle(&published, &[release(200, "completed", None)]);
        assert_eq!(
            (done.releases, done.earlier),
            (vec![release(200, "completed", None)], vec![release(100, "completed", None)])
        );
    }
}
