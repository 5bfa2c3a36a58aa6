//! Why Google Play refused: its words, old and new, as values that the adapter can branch on, each with what a person
//! can do about it.
//!
//! Old answers have a precise `reason` under the domain `androidpublisher`, new ones mostly say `badRequest` and differ
//! in their message alone, so both are looked at, the message loosely. What is not known goes by its status.
//! Reasons: <https://developers.google.com/android-publisher/api-ref/rest/v3/edits>; the messages are those that public
//! issues of publishing tools show.

use std::time::Duration;

use serde_json::Value;

use super::super::http::{HttpError, Kind, retry};
use crate::ports::Outlook;

/// How often one transaction is made with fresh edits where other people's commits end them.
const MOST_EDITS: u32 = 4;

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else's commit, or another edit of this account, ended the edit.
    EditDeleted,
    /// The edit is too old.
    EditExpired,
    /// The edit was committed already.
    EditCommitted,
    /// There is no such edit.
    EditUnknown,
    /// Somebody else changes the app at this moment.
    ConcurrentUpdate,
    /// Too many edits were opened in a short time.
    EditQuota,
    /// Too many requests were made.
    RateLimited,
    /// Changes of the app are in review.
    InReview,
    /// After a rejection only a person can send changes for review.
    ReviewFlagNeeded,
    /// Changes are sent for review by themselves.
    ReviewFlagRefused,
    /// A completed or draft release was sent with a fraction.
    FractionNotAllowed,
    /// A staged or halted release was sent without its fraction.
    FractionMissing,
    /// A fraction of one or more.
    FractionTooHigh,
    /// There is nothing that could be halted.
    NothingToHalt,
    /// A completed release can't be staged again.
    FullyReleased,
    /// The first release of a track can't be staged.
    FirstStaged,
    /// More than one staged release was sent.
    TooManyStaged,
    /// More than one completed release was sent.
    TooManyCompleted,
    /// A rollout to some countries can't be changed in this way.
    CountryTargeting,
    /// The app was never published.
    DraftApp,
    /// A version code that was never uploaded.
    VersionCodeUnknown,
    /// A version code that was used before.
    VersionCodeUsed,
    /// No user could be upgraded to the release.
    NoUpgrade,
    /// The track is not there, or empty.
    TrackUnknown,
    /// The app is not there.
    PackageUnknown,
    /// The API is off in the service account's project.
    ApiDisabled,
    /// The service account lacks the right.
    NotPermitted,
    /// The service account, or its key, is not known.
    NotAuthenticated,
    /// Something that is not there.
    NotFound,
    /// A value that Google Play does not take.
    BadRequest,
    /// Google Play itself failed.
    Failing,
    /// Anything else.
    Other,
}

/// How a refusal is recognised.
struct Known {
    refusal: Refusal,
    statuses: &'static [u16],
    /// `error.errors[].reason` or `error.details[].reason`.
    reasons: &'static [&'static str],
    /// Parts of the message, in lower case.
    words: &'static [&'static str],
}

const fn known(
    refusal: Refusal,
    statuses: &'static [u16],
    reasons: &'static [&'static str],
    words: &'static [&'static str],
) -> Known {
    Known { refusal, statuses, reasons, words }
}

/// What is known, the most precise first.
const KNOWN: [Known; 26] = [
    known(Refusal::EditDeleted, &[400, 404, 409, 410], &["editDeleted"], &["edit has been deleted"]),
    known(Refusal::EditExpired, &[400, 404, 410], &["editExpired"], &["edit has expired"]),
    known(
        Refusal::EditCommitted,
        &[400, 409],
        &["editAlreadyCommitted"],
        &["already been successfully committed"],
    ),
    known(Refusal::EditUnknown, &[404], &["editNotFound"], &["no edit found"]),
    known(Refusal::EditQuota, &[400, 403, 429], &[], &["edit creation quota exceeded"]),
    known(Refusal::InReview, &[400], &["CHANGES_ALREADY_IN_REVIEW"], &["already have changes in review"]),
    known(Refusal::ReviewFlagNeeded, &[400], &[], &["cannot be sent for review automatically"]),
    known(Refusal::ReviewFlagRefused, &[400], &[], &["are sent for review automatically"]),
    known(Refusal::FractionNotAllowed, &[400], &[], &["release must not have fraction"]),
    known(Refusal::FractionMissing, &[400], &[], &["release must have fraction"]),
    known(Refusal::FractionTooHigh, &[400], &[], &["fraction must be lower than one"]),
    known(
        Refusal::NothingToHalt,
        &[400],
        &["releaseToHaltNotFound"],
        &["no matching in progress release found"],
    ),
    known(Refusal::FullyReleased, &[400], &[], &["fully released can not be staged"]),
    known(Refusal::FirstStaged, &[400], &[], &["first release on a track cannot be staged"]),
    known(
        Refusal::TooManyStaged,
        &[400],
        &["releasesTooManyStagedReleases"],
        &["too many staged releases specified"],
    ),
    known(
        Refusal::TooManyCompleted,
        &[400],
        &["releasesTooManyCompletedReleases"],
        &["too many completed releases specified"],
    ),
    known(Refusal::CountryTargeting, &[400], &["stagedCountryTargetingNotSupported"], &["country targeting"]),
    known(Refusal::DraftApp, &[400], &[], &["status draft may be created on draft app"]),
    known(Refusal::VersionCodeUnknown, &[404], &[], &["version codes could not be found"]),
    known(
        Refusal::VersionCodeUsed,
        &[403],
        &["apkUpgradeVersionConflict"],
        &["version code that has already been used"],
    ),
    known(
        Refusal::NoUpgrade,
        &[403],
        &["ReleaseValidationErrorKeyApkNoUpgradePaths"],
        &["does not allow any existing users to upgrade"],
    ),
    known(Refusal::TrackUnknown, &[404], &["trackEmpty"], &["track not found"]),
    known(Refusal::PackageUnknown, &[404], &[], &["package not found"]),
    known(
        Refusal::ApiDisabled,
        &[403],
        &["accessNotConfigured", "SERVICE_DISABLED"],
        &["has not been used in project"],
    ),
    known(
        Refusal::NotPermitted,
        &[403],
        &["userInsufficientPermission"],
        &["caller does not have permission"],
    ),
    known(Refusal::ConcurrentUpdate, &[409], &["concurrentUpdate"], &[]),
];

impl Refusal {
    /// The refusal in an answer; none where there was no answer, or none that refuses.
    #[must_use]
    pub fn of(error: &HttpError) -> Option<Self> {
        match &error.kind {
            Kind::Status { status, body, text } => Some(Self::recognised(*status, body.as_ref(), text)),
            Kind::NotSent(_) | Kind::Lost(_) | Kind::NotJson { .. } => None,
        }
    }

    fn recognised(status: u16, body: Option<&Value>, text: &str) -> Self {
        let reasons = body.map(reasons).unwrap_or_default();
        let message = body.and_then(message).unwrap_or(text).to_lowercase();
        let is_it = |known: &&Known| {
            known.statuses.contains(&status)
                && (known.reasons.iter().any(|reason| reasons.contains(reason))
                    || known.words.iter().any(|words| message.contains(words)))
        };
        KNOWN.iter().find(is_it).map_or_else(|| Self::by_status(status), |known| known.refusal)
    }

    fn by_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::NotAuthenticated,
            403 => Self::NotPermitted,
            404 => Self::NotFound,
            409 => Self::ConcurrentUpdate,
            429 => Self::RateLimited,
            500..=599 => Self::Failing,
            _ => Self::Other,
        }
    }

    /// What another try of the same would find.
    #[must_use]
    pub fn outlook(self) -> Outlook {
        match self {
            Self::EditDeleted
            | Self::EditExpired
            | Self::EditCommitted
            | Self::EditUnknown
            | Self::ConcurrentUpdate
            | Self::EditQuota
            | Self::RateLimited
            | Self::InReview
            | Self::Failing
            | Self::Other => Outlook::Passing,
            Self::ReviewFlagNeeded
            | Self::ReviewFlagRefused
            | Self::FractionNotAllowed
            | Self::FractionMissing
            | Self::FractionTooHigh
            | Self::NothingToHalt
            | Self::FullyReleased
            | Self::FirstStaged
            | Self::TooManyStaged
            | Self::TooManyCompleted
            | Self::CountryTargeting
            | Self::DraftApp
            | Self::VersionCodeUnknown
            | Self::VersionCodeUsed
            | Self::NoUpgrade
            | Self::TrackUnknown
            | Self::PackageUnknown
            | Self::ApiDisabled
            | Self::NotPermitted
            | Self::NotAuthenticated
            | Self::NotFound
            | Self::BadRequest => Outlook::Lasting,
        }
    }

    /// Whether the edit is gone, so that only a fresh one can go on.
    #[must_use]
    pub fn has_ended_the_edit(self) -> bool {
        matches!(self, Self::EditDeleted | Self::EditExpired | Self::EditCommitted | Self::EditUnknown)
    }

    /// How long to wait before the whole transaction is made anew with a fresh edit; none where that is of no use.
    #[must_use]
    pub fn anew_after(self, failures: u32, retry_after: Option<Duration>) -> Option<Duration> {
        match self {
            gone if gone.has_ended_the_edit() => (failures < MOST_EDITS).then_some(Duration::ZERO),
            Self::ConcurrentUpdate | Self::EditQuota => retry::wait(failures, retry_after),
            _ => None,
        }
    }

    /// Whether it may be about the other releases of the track, so that ours alone could be accepted.
    #[must_use]
    pub fn may_be_about_the_others(self) -> bool {
        matches!(
            self,
            Self::TooManyStaged | Self::TooManyCompleted | Self::CountryTargeting | Self::BadRequest
        )
    }

    /// What a person can do about it, in one line.
    #[must_use]
    pub fn fix(self, package: &str, track: &str) -> String {
        match self {
            Self::EditDeleted | Self::EditCommitted | Self::EditUnknown => {
                "let other tools that publish to this app finish; the next run tries again".to_owned()
            }
            Self::EditExpired => "check the clock of this machine; the next run tries again".to_owned(),
            Self::ConcurrentUpdate => {
                "let the other publisher finish; share one concurrency group among workflows that publish".to_owned()
            }
            Self::EditQuota => {
                "let fewer tools open edits of this app at once; the next run tries again".to_owned()
            }
            Self::RateLimited => "ask for more quota in Google Cloud > APIs, or run less often".to_owned(),
            Self::InReview => "wait for the review in progress, or cancel it in the Play Console".to_owned(),
            Self::ReviewFlagNeeded => {
                "do it in the Play Console now, then send the changes under Publishing overview: after a rejection Google \
                 takes no change that goes live by itself"
                    .to_owned()
            }
            Self::NotPermitted => format!(
                "invite the service account in the Play Console (Users and permissions) for {package} with \
                 \"Release to production\" and \"View app information\""
            ),
            Self::NotAuthenticated => {
                "check [google_play] credentials: the key may have been deleted".to_owned()
            }
            Self::ApiDisabled => {
                "enable the Google Play Android Developer API in the service account's project".to_owned()
            }
            Self::PackageUnknown => format!("check package of the app: {package:?} is not in this account"),
            Self::TrackUnknown | Self::NotFound => {
                format!("check package and track of the app: {package} and {track:?}")
            }
            Self::NothingToHalt => {
                "look at the track in the Play Console: without an earlier completed release, and on the internal track, \
                 a completed release can't be halted; release a fixed version"
                    .to_owned()
            }
            Self::DraftApp => "publish the app for the first time in the Play Console".to_owned(),
            Self::NoUpgrade => {
                "a release with a higher version code is out: start one with a higher code still".to_owned()
            }
            Self::FirstStaged => "complete the first release of the track in the Play Console".to_owned(),
            Self::VersionCodeUnknown | Self::VersionCodeUsed => {
                "look up the version codes under App bundle explorer in the Play Console".to_owned()
            }
            Self::TooManyStaged | Self::TooManyCompleted | Self::CountryTargeting => {
                "do it in the Play Console: the API does not change a track like this one".to_owned()
            }
            Self::ReviewFlagRefused
            | Self::FractionNotAllowed
            | Self::FractionMissing
            | Self::FractionTooHigh
            | Self::FullyReleased
            | Self::BadRequest => {
                "do it in the Play Console now; then report this answer, for the request should have been right".to_owned()
            }
            Self::Failing | Self::Other => "run again; the next scheduled run does so by itself".to_owned(),
        }
    }
}

fn message(body: &Value) -> Option<&str> {
    body.get("error")?.get("message")?.as_str()
}

/// The reasons of an answer, of both forms.
fn reasons(body: &Value) -> Vec<&str> {
    let list = |name: &str| body.get("error").and_then(|error| error.get(name)).and_then(Value::as_array);
    let both = [list("errors"), list("details")].into_iter().flatten().flatten();
    both.filter_map(|item| item.get("reason")?.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recognised(status: u16, reason: &str, message: &str) -> Refusal {
        let body = json!({"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT",
            "errors": [{"domain": "global", "reason": reason, "message": message}]}});
        Refusal::recognised(status, Some(&body), &body.to_string())
    }

    #[test]
    fn every_documented_refusal_is_known_by_its_text() {
        let rows = [
            (400, "This Edit has been deleted.", Refusal::EditDeleted),
            (410, "This Edit has been deleted.", Refusal::EditDeleted),
            (400, "This edit has expired please create a new Edit.", Refusal::EditExpired),
            (
                400,
                "This edit has already been successfully committed, please create a new Edit.",
                Refusal::EditCommitted,
            ),
            (409, "The operation was aborted.", Refusal::ConcurrentUpdate),
            (403, "Invalid request - Daily edit creation quota exceeded", Refusal::EditQuota),
            (
                400,
                "You already have changes in review. Cancel this review or wait for it to complete before you try again.",
                Refusal::InReview,
            ),
            (
                400,
                "Changes cannot be sent for review automatically. Please set the query parameter \
                 changesNotSentForReview to true. Once committed, the changes in this edit can be sent for review from \
                 the Google Play Console UI.",
                Refusal::ReviewFlagNeeded,
            ),
            (
                400,
                "Changes are sent for review automatically. The query parameter changesNotSentForReview must not be set.",
                Refusal::ReviewFlagRefused,
            ),
            (400, "COMPLETED release must not have fraction", Refusal::FractionNotAllowed),
            (400, "DRAFT release must not have fraction", Refusal::FractionNotAllowed),
            (400, "Invalid request - HALTED release must have fraction", Refusal::FractionMissing),
            (400, "User fraction must be lower than one.", Refusal::FractionTooHigh),
            (400, "Cannot halt release, no matching in progress release found.", Refusal::NothingToHalt),
            (400, "Fully released can not be staged", Refusal::FullyReleased),
            (400, "The first release on a track cannot be staged", Refusal::FirstStaged),
            (400, "Invalid request - Too many staged releases specified.", Refusal::TooManyStaged),
            (400, "Too many completed releases specified.", Refusal::TooManyCompleted),
            (
                400,
                "Staged rollout with country targeting cannot be updated via API",
                Refusal::CountryTargeting,
            ),
            (400, "Only releases with status draft may be created on draft app", Refusal::DraftApp),
            (404, "The following APK version codes could not be found: [7]", Refusal::VersionCodeUnknown),
            (403, "APK specifies a version code that has already been used.", Refusal::VersionCodeUsed),
            (
                403,
                "You cannot rollout this release because it does not allow any existing users to upgrade to the newly \
                 added APKs.",
                Refusal::NoUpgrade,
            ),
            (403, "The caller does not have permission", Refusal::NotPermitted),
            (
                403,
                "Google Play Android Developer API has not been used in project 1 before or it is disabled.",
                Refusal::ApiDisabled,
            ),
            (404, "Package not found: com.example.app.", Refusal::PackageUnknown),
            (404, "Track not found: no APK version codes in the specified track.", Refusal::TrackUnknown),
            (401, "Request had invalid authentication credentials.", Refusal::NotAuthenticated),
            (404, "Not found.", Refusal::NotFound),
            (400, "Invalid value at 'track.releases[0].status'", Refusal::BadRequest),
            (429, "Quota exceeded for quota metric 'Queries'", Refusal::RateLimited),
            (503, "The service is currently unavailable.", Refusal::Failing),
            (418, "I'm a teapot", Refusal::Other),
        ];
        for (status, message, refusal) in rows {
            assert_eq!(recognised(status, "badRequest", message), refusal, "{status} {message}");
        }
    }

    #[test]
    fn old_answers_are_known_by_their_reason_alone() {
        let rows = [
            (410, "editDeleted", Refusal::EditDeleted),
            (400, "editExpired", Refusal::EditExpired),
            (400, "editAlreadyCommitted", Refusal::EditCommitted),
            (404, "editNotFound", Refusal::EditUnknown),
            (409, "concurrentUpdate", Refusal::ConcurrentUpdate),
            (400, "releaseToHaltNotFound", Refusal::NothingToHalt),
            (403, "apkUpgradeVersionConflict", Refusal::VersionCodeUsed),
            (400, "releasesTooManyCompletedReleases", Refusal::TooManyCompleted),
            (400, "stagedCountryTargetingNotSupported", Refusal::CountryTargeting),
            (403, "ReleaseValidationErrorKeyApkNoUpgradePaths", Refusal::NoUpgrade),
            (404, "trackEmpty", Refusal::TrackUnknown),
            (403, "userInsufficientPermission", Refusal::NotPermitted),
            (400, "invalidValue", Refusal::BadRequest),
            (400, "required", Refusal::BadRequest),
            (404, "notFound", Refusal::NotFound),
        ];
        for (status, reason, refusal) in rows {
            assert_eq!(recognised(status, reason, "words of another day"), refusal, "{status} {reason}");
        }
    }

    #[test]
    fn a_reason_among_the_details_is_enough() {
        let body = json!({"error": {"code": 400, "message": "no", "status": "FAILED_PRECONDITION",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "CHANGES_ALREADY_IN_REVIEW",
                         "domain": "googleapis.com"}]}});
        assert_eq!(Refusal::recognised(400, Some(&body), ""), Refusal::InReview);
    }

    #[test]
    fn a_body_that_is_no_json_goes_by_status_and_text() {
        assert_eq!(Refusal::recognised(400, None, "<p>This Edit has been deleted."), Refusal::EditDeleted);
        assert_eq!(Refusal::recognised(502, None, "<html>"), Refusal::Failing);
    }

    #[test]
    fn only_what_passes_is_made_anew_and_only_so_often() {
        for refusal in KNOWN.iter().map(|known| known.refusal) {
            let anew = refusal.anew_after(1, None).is_some();
            assert!(!anew || refusal.outlook() == Outlook::Passing, "{refusal:?}");
            assert_eq!(refusal.anew_after(10, None), None, "{refusal:?}");
            assert!(!refusal.has_ended_the_edit() || anew, "{refusal:?}");
        }
        assert_eq!(
            Refusal::InReview.anew_after(1, None),
            None,
            "the edit is still good, and so is the refusal"
        );
        assert!(
            Refusal::ConcurrentUpdate.anew_after(1, Some(Duration::from_secs(1))).unwrap().as_secs() >= 1
        );
    }

    #[test]
    fn every_fix_is_one_line_that_says_what_to_do() {
        for refusal in KNOWN.iter().map(|known| known.refusal).chain([
            Refusal::RateLimited,
            Refusal::NotAuthenticated,
            Refusal::NotFound,
            Refusal::BadRequest,
            Refusal::Failing,
            Refusal::Other,
        ]) {
            let fix = refusal.fix("com.example.app", "production");
            assert!(!fix.contains('\n') && !fix.contains("  ") && fix.len() > 20, "{refusal:?}: {fix:?}");
        }
    }
}
