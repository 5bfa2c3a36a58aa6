//! Refusals of Google Play with the codes, reasons and texts that clients have met. The texts are Google's, word for
//! word as far as public issues show them; those marked "no public example" follow their pattern.

use serde_json::{Value, json};

use super::super::call::Reply;

/// The domain of new error items; old ones have their own.
const GLOBAL: &str = "global";
const ANDROID_PUBLISHER: &str = "androidpublisher";

/// A refusal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum PlayError {
    #[error(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )]
    Unauthenticated { refusal: String },
    #[error("The caller does not have permission")]
    NotInvited,
    #[error("Package not found: {0}.")]
    Package(String),
    #[error("Track not found: {0}.")] // No public example.
    Track(String),
    #[error("No edit found with id {0}.")] // No public example of the text; the reason is known.
    Edit(String),
    #[error("This Edit has been deleted.")]
    EditDeleted,
    #[error("This edit has expired please create a new Edit.")]
    EditExpired,
    #[error("This edit has already been successfully committed, please create a new Edit.")]
    EditCommitted,
    #[error(
        "You already have changes in review. Cancel this review or wait for it to complete before you try again. \
         You can also set changesInReviewBehavior to cancel the changes in review."
    )]
    InReview,
    #[error(
        "Changes cannot be sent for review automatically. Please set the query parameter changesNotSentForReview to \
         true. Once committed, the changes in this edit can be sent for review from the Google Play Console UI."
    )]
    ReviewFlagNeeded,
    #[error(
        "Changes are sent for review automatically. The query parameter changesNotSentForReview must not be set."
    )]
    ReviewFlagRefused,
    #[error("{0} release must not have fraction")]
    FractionNotAllowed(&'static str),
    #[error("Invalid request - {0} release must have fraction")]
    FractionMissing(&'static str),
    #[error("User fraction must be lower than one.")]
    FractionTooHigh,
    #[error("User fraction must be greater than zero.")] // No public example.
    FractionTooLow,
    #[error("Cannot halt release, no matching in progress release found.")]
    NothingToHalt,
    #[error("Invalid request - Too many staged releases specified.")]
    TooManyStaged,
    #[error("Too many completed releases specified.")]
    TooManyCompleted,
    #[error("Track names in request path and request body must match.")]
    TrackNames,
    #[error("Country targeting can only be set for in progress releases in the production track.")]
    // No public example.
    CountryTargeting,
    #[error("In app update priority can not be updated once the release is rolled out.")]
    // No public example.
    PriorityFixed,
    #[error("Release notes in language {0} are longer than 500 characters.")]
    // No public example of the text.
    NotesTooLong(String),
    #[error("Fully released can not be staged")]
    FullyReleased,
    #[error("The first release on a track cannot be staged")]
    FirstStaged,
    #[error("Only releases with status draft may be created on draft app")]
    DraftApp,
    #[error("The following APK version codes could not be found: {0:?}")]
    VersionCodes(Vec<i64>),
    #[error(
        "You cannot rollout this release because it does not allow any existing users to upgrade to the newly added \
         APKs."
    )]
    NoUpgrade,
    #[error("Invalid JSON payload received. {0}")]
    Payload(String),
    #[error("Invalid value at '{0}'")]
    Value(String),
    #[error("App recovery action not found: {0}.")] // No public example.
    Recovery(String),
    #[error("App recovery action {id} has status {status}.")] // No public example.
    RecoveryStatus { id: String, status: &'static str },
    #[error("Not found.")] // A path or method that the sandbox does not model.
    Path,
}

impl PlayError {
    /// HTTP code, canonical status, domain and reason of the error item.
    fn kind(&self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::Unauthenticated { .. } => (401, "UNAUTHENTICATED", GLOBAL, "authError"),
            Self::Package(_) | Self::Track(_) | Self::VersionCodes(_) | Self::Recovery(_) | Self::Path => {
                (404, "NOT_FOUND", GLOBAL, "notFound")
            }
            Self::Edit(_) => (404, "NOT_FOUND", ANDROID_PUBLISHER, "editNotFound"),
            Self::EditDeleted => (400, "FAILED_PRECONDITION", GLOBAL, "failedPrecondition"),
            Self::EditExpired => (400, "FAILED_PRECONDITION", ANDROID_PUBLISHER, "editExpired"),
            Self::EditCommitted => (400, "INVALID_ARGUMENT", ANDROID_PUBLISHER, "editAlreadyCommitted"),
            Self::InReview | Self::RecoveryStatus { .. } => {
                (400, "FAILED_PRECONDITION", GLOBAL, "failedPrecondition")
            }
            Self::TooManyCompleted => {
                (400, "INVALID_ARGUMENT", ANDROID_PUBLISHER, "releasesTooManyCompletedReleases")
            }
            Self::NothingToHalt => (400, "INVALID_ARGUMENT", ANDROID_PUBLISHER, "releaseToHaltNotFound"),
            Self::NotInvited | Self::NoUpgrade => (403, "PERMISSION_DENIED", GLOBAL, "forbidden"),
            Self::ReviewFlagNeeded
            | Self::ReviewFlagRefused
            | Self::FractionNotAllowed(_)
            | Self::FractionMissing(_)
            | Self::FractionTooHigh
            | Self::FractionTooLow
            | Self::TooManyStaged
            | Self::TrackNames
            | Self::CountryTargeting
            | Self::PriorityFixed
            | Self::NotesTooLong(_)
            | Self::FullyReleased
            | Self::FirstStaged
            | Self::DraftApp
            | Self::Payload(_)
            | Self::Value(_) => (400, "INVALID_ARGUMENT", GLOBAL, "badRequest"),
        }
    }

    /// The reply with this refusal.
    pub(crate) fn reply(&self) -> Reply {
        let (code, status, domain, reason) = self.kind();
        let mut body = document_with(code, status, domain, reason, &self.to_string());
        if *self == Self::InReview {
            body["error"]["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "CHANGES_ALREADY_IN_REVIEW",
                "domain": "googleapis.com",
            }]);
        }
        let reply = Reply::json(code, body);
        match self {
            // Google does not say why; the sandbox does, in a header of its own.
            Self::Unauthenticated { refusal } => reply.with_header("x-sandbox-refusal", refusal),
            _ => reply,
        }
    }
}

/// The error document of Google APIs.
pub(crate) fn document(code: u16, status: &str, message: &str) -> Value {
    let reason = if code >= 500 { "backendError" } else { "badRequest" };
    document_with(code, status, GLOBAL, reason, message)
}

fn document_with(code: u16, status: &str, domain: &str, reason: &str, message: &str) -> Value {
    json!({"error": {
        "code": code,
        "message": message,
        "status": status,
        "errors": [{"domain": domain, "reason": reason, "message": message}],
    }})
}
