//! What App Store Connect's refusals mean, in one table: Apple's words on the left, a name, a meaning and a fix on the
//! right. Codes are few and broad, so the words of the detail go before them.
//!
//! Words and codes are those that clients have met; Apple documents the shape of an error document and hardly any of its
//! texts. What is not in the table keeps Apple's own words and the meaning of its status.
//! Source: <https://developer.apple.com/documentation/appstoreconnectapi/interpreting-and-handling-errors>.

use serde_json::Value;

use super::versions::text;
use crate::adapters::http::{HttpError, Kind};
use crate::ports::{Outlook, PortError};

/// Why App Store Connect refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The phased release has the state already.
    AlreadyThere,
    /// The phased release is over.
    FinalState,
    /// There is no phased release.
    NoPhasedRelease,
    /// Everybody is offered the version already.
    OfferedToEverybody,
    /// Nobody is offered the version yet.
    NotReleased,
    /// The share of users is not ours to choose.
    RaisesByItself,
    /// A version is released by Apple's own steps.
    StartsByItself,
    /// A resumed release goes on where it stopped.
    GoesOnWhereItStopped,
    /// One version per platform may be prepared at a time.
    VersionInFlight,
    /// The version number was used before.
    VersionNumberUsed,
    /// The build can't be attached.
    BuildNotUsable,
    /// Another build is in review.
    ReviewBusy,
    /// Something of the version is missing.
    NotReadyForReview,
    /// Uploads are not complete.
    UploadsInProgress,
    /// Age rating attributes are missing.
    AgeRatingMissing,
    /// The value is set already and can't be set again.
    ValueAlreadySet,
    /// Some other state stands against it.
    State,
    /// The request names a wrong attribute value.
    Attribute,
    /// The request names a wrong relationship.
    Relationship,
    /// The request is not a document that Apple can read.
    Document,
    /// A query parameter is wrong.
    Parameter,
    /// The token was refused.
    NotAuthorized,
    /// An agreement has to be accepted.
    AgreementMissing,
    /// The key may not do it.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The limit of requests is reached.
    RateLimit,
    /// Apple is in trouble.
    Unexpected,
    /// None of the above.
    Other,
}

/// Apple's words in the title or the detail of an error, without regard to case.
const BY_WORDS: [(&str, Refusal); 11] = [
    ("already has this value", Refusal::AlreadyThere),
    ("in a final state", Refusal::FinalState),
    ("cannot create a new version of the app in the current state", Refusal::VersionInFlight),
    ("version number has been previously used", Refusal::VersionNumberUsed),
    ("specified pre-release build could not be added", Refusal::BuildNotUsable),
    ("another build is in review", Refusal::ReviewBusy),
    ("version is not ready to be submitted yet", Refusal::NotReadyForReview),
    ("attachment uploads still in progress", Refusal::UploadsInProgress),
    ("cannot update when the value is already set", Refusal::ValueAlreadySet),
    ("ageratingdeclaration", Refusal::AgeRatingMissing),
    ("age rating", Refusal::AgeRatingMissing),
];

/// How codes begin, the longest first.
const BY_CODE: [(&str, Refusal); 14] = [
    ("FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED", Refusal::AgreementMissing),
    ("ENTITY_ERROR.ATTRIBUTE", Refusal::Attribute),
    ("ENTITY_ERROR.RELATIONSHIP", Refusal::Relationship),
    ("ENTITY_UNPROCESSABLE", Refusal::Document),
    ("RATE_LIMIT_EXCEEDED", Refusal::RateLimit),
    ("UNEXPECTED_ERROR", Refusal::Unexpected),
    ("PARAMETER_ERROR", Refusal::Parameter),
    ("NOT_AUTHORIZED", Refusal::NotAuthorized),
    ("ENTITY_ERROR", Refusal::Document),
    ("STATE_ERROR", Refusal::State),
    ("PATH_ERROR", Refusal::NotFound),
    ("FORBIDDEN", Refusal::Forbidden),
    ("NOT_FOUND", Refusal::NotFound),
    ("CONFLICT", Refusal::State),
];

const LOOK: &str = "look at the version in App Store Connect: it does not allow this now";
const OUR_FAULT: &str = "look at the version in App Store Connect; if it looks right there, update tidegate";
const AGAIN: &str = "run again; the next scheduled run does so by itself";
const EVERYBODY: &str = "release a fixed version: nothing else helps those who are offered this one. Removing the app from sale would take \
                         down every version in every country, also for those who want to install it again, so tidegate never does it";
const SUBMISSION: &str = "complete the version in App Store Connect, then submit it again";

impl Refusal {
    /// Why an answer was a refusal.
    pub(super) fn of(error: &HttpError) -> Self {
        let documents = errors(error);
        let all =
            || documents.iter().flat_map(|document| std::iter::once(document).chain(&document.associated));
        let by_words = all().find_map(|document| {
            let words = format!("{} {}", document.title, document.detail).to_lowercase();
            BY_WORDS.iter().find(|(known, _)| words.contains(known)).map(|(_, refusal)| *refusal)
        });
        let by_code = || {
            all().find_map(|document| {
                let begins = |(known, _): &&(&str, Self)| document.code.starts_with(known);
                BY_CODE.iter().find(begins).map(|(_, refusal)| *refusal)
            })
        };
        by_words.or_else(by_code).unwrap_or_else(|| Self::of_status(error.status()))
    }

    fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(400) => Self::Parameter,
            Some(401) => Self::NotAuthorized,
            Some(403) => Self::Forbidden,
            Some(404) => Self::NotFound,
            Some(409) => Self::State,
            Some(422) => Self::Document,
            Some(429) => Self::RateLimit,
            Some(500..=599) => Self::Unexpected,
            _ => Self::Other,
        }
    }

    /// What it means for the release.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::AlreadyThere => "the phased release has that state already",
            Self::FinalState => "its phased release is over, so everybody is offered it",
            Self::NoPhasedRelease => "it has no phased release, so everybody is offered it",
            Self::OfferedToEverybody => {
                "everybody is offered it already, and App Store Connect can't take that back"
            }
            Self::NotReleased => {
                "it is not in the App Store yet: it is being prepared, is in review or waits to be released"
            }
            Self::RaisesByItself => {
                "App Store Connect raises the share of users by itself, by one step a day over seven days"
            }
            Self::StartsByItself => {
                "a version starts in the App Store by its own release, and takes over no other version's share"
            }
            Self::GoesOnWhereItStopped => {
                "a resumed phased release goes on with the day on which it was paused"
            }
            Self::VersionInFlight => "another version of the app is being prepared or reviewed",
            Self::VersionNumberUsed => "the version number was used before",
            Self::BuildNotUsable => "the build can't be attached to the version",
            Self::ReviewBusy => "another build of the app is in review",
            Self::NotReadyForReview => "something that a review needs is missing",
            Self::UploadsInProgress => "attachments of the version are still being uploaded",
            Self::AgeRatingMissing => "age rating attributes of the app are missing",
            Self::ValueAlreadySet => "the value is set and can't be set again",
            Self::State => "the state of the version does not allow it",
            Self::Attribute | Self::Relationship | Self::Document | Self::Parameter => {
                "App Store Connect did not understand the request"
            }
            Self::NotAuthorized => "App Store Connect did not accept the key",
            Self::AgreementMissing => "an agreement of the team has to be accepted first",
            Self::Forbidden => "the key may not do this",
            Self::NotFound => "App Store Connect does not know it",
            Self::RateLimit => "the limit of requests of the key is reached",
            Self::Unexpected => "App Store Connect is in trouble",
            Self::Other => "App Store Connect did not do it",
        }
    }

    /// What a person can do about it.
    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::AlreadyThere => "nothing; it is as it should be",
            Self::FinalState | Self::NoPhasedRelease | Self::OfferedToEverybody => EVERYBODY,
            Self::NotReleased => {
                "nothing can be stopped yet; to keep it from being released, cancel it in App Store Connect"
            }
            Self::RaisesByItself => {
                "nothing; to release it to everybody at once, ask for that, or do it in App Store Connect"
            }
            Self::StartsByItself => "release the version in App Store Connect",
            Self::GoesOnWhereItStopped => "resume it without a share of users",
            Self::VersionInFlight | Self::ReviewBusy => {
                "finish or cancel the other one in App Store Connect first"
            }
            Self::VersionNumberUsed => "choose a higher version number",
            Self::BuildNotUsable => {
                "choose a processed build that has not expired and whose export compliance is answered"
            }
            Self::NotReadyForReview | Self::AgeRatingMissing => SUBMISSION,
            Self::UploadsInProgress => "wait until the uploads are complete, then try again",
            Self::ValueAlreadySet => "nothing; upload a new build where it has to be another value",
            Self::State => LOOK,
            Self::Attribute | Self::Relationship | Self::Document | Self::Parameter => OUR_FAULT,
            Self::NotAuthorized => {
                "check key_id, issuer_id and private_key under [app_store_connect], that the key is not revoked, and the \
                 machine's clock; leave issuer_id out for an individual key, and only for one"
            }
            Self::AgreementMissing => "let the account holder accept it in App Store Connect, under Business",
            Self::Forbidden => "give the key the role App Manager in App Store Connect",
            Self::NotFound => {
                "check bundle_id and that the key may see the app; the version may have been removed"
            }
            Self::RateLimit => "the next run tries again; if it happens often, give apps a key of their own",
            Self::Unexpected | Self::Other => AGAIN,
        }
    }

    /// Whether trying again can help without a person.
    pub(super) fn outlook(self) -> Outlook {
        match self {
            Self::UploadsInProgress | Self::RateLimit | Self::Unexpected | Self::Other | Self::State => {
                Outlook::Passing
            }
            Self::AlreadyThere
            | Self::FinalState
            | Self::NoPhasedRelease
            | Self::OfferedToEverybody
            | Self::NotReleased
            | Self::RaisesByItself
            | Self::StartsByItself
            | Self::GoesOnWhereItStopped
            | Self::VersionInFlight
            | Self::VersionNumberUsed
            | Self::BuildNotUsable
            | Self::ReviewBusy
            | Self::NotReadyForReview
            | Self::AgeRatingMissing
            | Self::ValueAlreadySet
            | Self::Attribute
            | Self::Relationship
            | Self::Document
            | Self::Parameter
            | Self::NotAuthorized
            | Self::AgreementMissing
            | Self::Forbidden
            | Self::NotFound => Outlook::Lasting,
        }
    }

    /// The refusal as an error of the port. `what` says what was wanted, and of which app or version.
    pub(super) fn error(self, what: &str) -> PortError {
        let error = PortError::new(format!("{what}: {}", self.meaning()), self.fix());
        self.with_outlook(error)
    }

    pub(super) fn with_outlook(self, error: PortError) -> PortError {
        match self.outlook() {
            Outlook::Passing | Outlook::Gone => error,
            Outlook::Lasting => error.lasting(),
        }
    }
}

/// One error of an error document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ApiError {
    code: String,
    title: String,
    detail: String,
    /// The place in the request: a JSON pointer or the name of a parameter.
    place: Option<String>,
    /// Errors of other resources that stand behind this one.
    associated: Vec<ApiError>,
}

impl ApiError {
    fn read(error: &Value) -> Self {
        let part = |pointer: &str| text(error, pointer).unwrap_or_default();
        let associated = error.pointer("/meta/associatedErrors").and_then(Value::as_object);
        let behind =
            associated.into_iter().flat_map(|map| map.values().filter_map(Value::as_array).flatten());
        Self {
            code: part("/code"),
            title: part("/title"),
            detail: part("/detail"),
            place: text(error, "/source/pointer").or_else(|| text(error, "/source/parameter")),
            associated: behind.map(Self::read).collect(),
        }
    }

    /// Code, words and place in one line. Title and detail are often the same.
    fn line(&self) -> String {
        let words = if self.detail.is_empty() { &self.title } else { &self.detail };
        let place = self.place.as_ref().map(|place| format!(" (at {place})")).unwrap_or_default();
        let behind: Vec<String> = self.associated.iter().map(Self::line).collect();
        let behind =
            if behind.is_empty() { String::new() } else { format!("; behind it {}", behind.join("; ")) };
        format!("{}: {words}{place}{behind}", self.code)
    }
}

fn errors(error: &HttpError) -> Vec<ApiError> {
    let Kind::Status { body: Some(body), .. } = &error.kind else { return Vec::new() };
    body.get("errors").and_then(Value::as_array).into_iter().flatten().map(ApiError::read).collect()
}

/// What Apple said, in one line; what came where it was no error document.
pub(super) fn told(error: &HttpError) -> String {
    let errors = errors(error);
    match error.status() {
        Some(status) if !errors.is_empty() => {
            let lines: Vec<String> = errors.iter().map(ApiError::line).collect();
            let line = lines.join("; ");
            let line = crate::adapters::http::excerpt(&line);
            format!("{} {} {} was answered {status}, {line}", error.service, error.method, error.path)
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(status: u16, body: &Value) -> HttpError {
        HttpError {
            service: "App Store Connect",
            method: "PATCH".into(),
            path: "/v1/appStoreVersionPhasedReleases/p".into(),
            kind: Kind::Status { status, body: Some(body.clone()), text: body.to_string() },
            retry_after: None,
            earlier_is_unclear: false,
            server_time: None,
        }
    }

    fn document(status: u16, code: &str, detail: &str) -> HttpError {
        let error = json!({"id": "1", "status": status.to_string(), "code": code, "title": "A title", "detail": detail});
        answered(status, &json!({"errors": [error]}))
    }

    #[test]
    fn every_known_code_and_detail_has_a_name() {
        const INVALID: &str = "ENTITY_ERROR.ATTRIBUTE.INVALID";
        let cases = [
            (
                401,
                "NOT_AUTHORIZED",
                "Provide a properly configured and signed bearer token",
                Refusal::NotAuthorized,
            ),
            (403, "FORBIDDEN_ERROR", "This request is forbidden for security reasons", Refusal::Forbidden),
            (403, "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED", "", Refusal::AgreementMissing),
            (404, "NOT_FOUND", "There is no resource of type 'apps' with id '1'", Refusal::NotFound),
            (
                404,
                "PATH_ERROR",
                "The path provided does not match a defined resource type",
                Refusal::NotFound,
            ),
            (409, INVALID, "'FASTER' is not a valid value", Refusal::Attribute),
            (409, "ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE", "", Refusal::Attribute),
            (409, "ENTITY_ERROR.RELATIONSHIP.INVALID", "", Refusal::Relationship),
            (409, "ENTITY_ERROR.TYPE.INVALID", "", Refusal::Document),
            (422, "ENTITY_UNPROCESSABLE", "", Refusal::Document),
            (409, "STATE_ERROR", "The version is not pending developer release", Refusal::State),
            (409, "STATE_ERROR.ENTITY_STATE_INVALID", "", Refusal::State),
            (400, "PARAMETER_ERROR.INVALID", "", Refusal::Parameter),
            (400, "PARAMETER_ERROR.ILLEGAL", "", Refusal::Parameter),
            (429, "RATE_LIMIT_EXCEEDED", "", Refusal::RateLimit),
            (500, "UNEXPECTED_ERROR", "", Refusal::Unexpected),
            (409, INVALID, "The phased release already has this value", Refusal::AlreadyThere),
            (
                409,
                "STATE_ERROR",
                "You cannot change the state of a phased release that is in a final state",
                Refusal::FinalState,
            ),
            (
                409,
                "STATE_ERROR",
                "You cannot create a new version of the App in the current state",
                Refusal::VersionInFlight,
            ),
            (409, INVALID, "The version number has been previously used.", Refusal::VersionNumberUsed),
            (
                409,
                "ENTITY_ERROR.RELATIONSHIP.INVALID",
                "The specified pre-release build could not be added.",
                Refusal::BuildNotUsable,
            ),
            (409, "STATE_ERROR", "Another build is in review", Refusal::ReviewBusy),
            (409, "STATE_ERROR", "Version is not ready to be submitted yet", Refusal::NotReadyForReview),
            (409, "STATE_ERROR", "Attachment uploads still in progress", Refusal::UploadsInProgress),
            (409, INVALID, "You cannot update when the value is already set.", Refusal::ValueAlreadySet),
            (
                409,
                "STATE_ERROR",
                "Attributes of ageRatingDeclarations are missing",
                Refusal::AgeRatingMissing,
            ),
        ];
        for (status, code, detail, expected) in cases {
            assert_eq!(Refusal::of(&document(status, code, detail)), expected, "{code}: {detail}");
        }
        for (status, expected) in [(409, Refusal::State), (502, Refusal::Unexpected), (418, Refusal::Other)] {
            assert_eq!(Refusal::of(&answered(status, &json!({}))), expected, "{status}");
            assert_eq!(Refusal::of(&document(status, "SOMETHING_NEW", "")), expected, "{status}");
        }
    }

    #[test]
    fn what_stands_behind_an_error_names_it() {
        let body = json!({"errors": [{
            "status": "409", "code": "SOMETHING_NEW", "title": "It can't be done",
            "meta": {"associatedErrors": {"/v1/appStoreVersionPhasedReleases/p": [{
                "status": "409", "code": "STATE_ERROR", "title": "x", "detail": "It is in a final state",
                "source": {"pointer": "/data/attributes/phasedReleaseState"},
            }]}},
        }]});
        let error = answered(409, &body);
        assert_eq!(Refusal::of(&error), Refusal::FinalState);
        let expected = "App Store Connect PATCH /v1/appStoreVersionPhasedReleases/p was answered 409, SOMETHING_NEW: It can't be \
                        done; behind it STATE_ERROR: It is in a final state (at /data/attributes/phasedReleaseState)";
        assert_eq!(told(&error), expected);
    }

    #[test]
    fn the_place_in_the_query_is_told() {
        let body = json!({"errors": [{"status": "400", "code": "PARAMETER_ERROR.INVALID", "title": "x",
            "source": {"parameter": "filter[platform]"}}]});
        assert!(told(&answered(400, &body)).ends_with("PARAMETER_ERROR.INVALID: x (at filter[platform])"));
    }

    #[test]
    fn an_answer_that_is_no_document_is_told_as_it_came() {
        assert!(told(&answered(502, &json!({"message": "bad gateway"}))).contains("bad gateway"));
    }

    #[test]
    fn what_only_a_new_version_mends_says_so() {
        for refusal in [Refusal::FinalState, Refusal::NoPhasedRelease, Refusal::OfferedToEverybody] {
            let error = refusal.error("the halt of version 2.0 of com.example");
            assert_eq!(error.outlook, Outlook::Lasting);
            assert!(
                error.fix.contains("fixed version") && error.fix.contains("Removing the app from sale"),
                "{error}"
            );
        }
    }
}
