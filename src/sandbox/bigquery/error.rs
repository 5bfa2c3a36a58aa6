//! Refusals of BigQuery with its codes, reasons and texts. The reasons and their codes are from
//! <https://cloud.google.com/bigquery/docs/error-messages>; the texts are those that clients have met, as far as public
//! issues show them. A refusal is an HTTP error, or the error result of a job that ended badly.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::Reply;

/// Why something was refused, in BigQuery's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorReason {
    /// The caller may not do it.
    AccessDenied,
    /// The token is not good.
    AuthError,
    /// BigQuery is out of order.
    BackendError,
    /// The query would cost more than it may.
    BytesBilledLimitExceeded,
    /// The name is taken.
    Duplicate,
    /// BigQuery has an error of its own.
    InternalError,
    /// The request is not valid.
    Invalid,
    /// The query is not valid.
    InvalidQuery,
    /// The job failed for no fault of its own.
    JobBackendError,
    /// The job failed for no fault of its own.
    JobInternalError,
    /// Too many jobs.
    JobRateLimitExceeded,
    /// There is no such thing.
    NotFound,
    /// The quota of the day is used up.
    QuotaExceeded,
    /// Too many requests in a short time.
    RateLimitExceeded,
    /// Something is missing in the request.
    Required,
    /// The query needs more than BigQuery has.
    ResourcesExceeded,
    /// The job was cancelled.
    Stopped,
    /// The job took too long.
    Timeout,
}

impl ErrorReason {
    /// The HTTP status and Google's word for it.
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::AuthError => (401, "UNAUTHENTICATED"),
            Self::AccessDenied | Self::QuotaExceeded | Self::RateLimitExceeded => (403, "PERMISSION_DENIED"),
            Self::NotFound => (404, "NOT_FOUND"),
            Self::Duplicate => (409, "ALREADY_EXISTS"),
            Self::InternalError => (500, "INTERNAL"),
            Self::BackendError => (503, "UNAVAILABLE"),
            Self::BytesBilledLimitExceeded
            | Self::Invalid
            | Self::InvalidQuery
            | Self::JobBackendError
            | Self::JobInternalError
            | Self::JobRateLimitExceeded
            | Self::Required
            | Self::ResourcesExceeded
            | Self::Stopped
            | Self::Timeout => (400, "INVALID_ARGUMENT"),
        }
    }

    /// Where the error is, and what kind of place that is.
    fn place(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::InvalidQuery => Some(("q", "parameter")),
            Self::AuthError => Some(("Authorization", "header")),
            Self::AccessDenied
            | Self::BackendError
            | Self::BytesBilledLimitExceeded
            | Self::Duplicate
            | Self::InternalError
            | Self::Invalid
            | Self::JobBackendError
            | Self::JobInternalError
            | Self::JobRateLimitExceeded
            | Self::NotFound
            | Self::QuotaExceeded
            | Self::RateLimitExceeded
            | Self::Required
            | Self::ResourcesExceeded
            | Self::Stopped
            | Self::Timeout => None,
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// BigQuery's word.
    pub reason: ErrorReason,
    /// BigQuery's text.
    pub message: String,
}

impl Refusal {
    /// A refusal with a text of its own.
    pub(crate) fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// A token that is not good. Google does not say why; the sandbox does, in a header of its own.
    pub(crate) fn unauthenticated(refusal: &str) -> Reply {
        let text = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                    other valid authentication credential. See \
                    https://developers.google.com/identity/sign-in/web/devconsole-project.";
        Self::new(ErrorReason::AuthError, text).reply().with_header("x-sandbox-refusal", refusal)
    }

    /// A path or a method that the sandbox does not model.
    pub(crate) fn path() -> Self {
        Self::new(ErrorReason::NotFound, "Not found.")
    }

    /// A project in which the caller may not start jobs, or that does not exist: BigQuery does not tell which.
    pub(crate) fn no_jobs(project: &str) -> Self {
        let text = format!(
            "Access Denied: Project {project}: User does not have bigquery.jobs.create permission in project {project}."
        );
        Self::new(ErrorReason::AccessDenied, text)
    }

    /// Something that the caller may not look at.
    pub(crate) fn no_permission(kind: &str, permission: &str, name: &str) -> Self {
        let lower = kind.to_lowercase();
        let text = format!(
            "Access Denied: {kind} {name}: Permission {permission} denied on {lower} {name} (or it may not exist)."
        );
        Self::new(ErrorReason::AccessDenied, text)
    }

    /// A table that the caller may not query.
    pub(crate) fn no_query(table: &str) -> Self {
        let text = format!(
            "Access Denied: Table {table}: User does not have permission to query table {table}, or perhaps it does not exist."
        );
        Self::new(ErrorReason::AccessDenied, text)
    }

    /// Something that is not there.
    pub(crate) fn not_found(kind: &str, name: &str) -> Self {
        Self::new(ErrorReason::NotFound, format!("Not found: {kind} {name}"))
    }

    /// Something that is not where the query is run.
    pub(crate) fn not_in_location(kind: &str, name: &str, location: &str) -> Self {
        let text = format!("Not found: {kind} {name} was not found in location {location}");
        Self::new(ErrorReason::NotFound, text)
    }

    /// The id of a job that is taken.
    pub(crate) fn duplicate_job(id: &str) -> Self {
        Self::new(ErrorReason::Duplicate, format!("Already Exists: Job {id}"))
    }

    /// A query that would cost more than it may.
    pub(crate) fn bytes_limit(limit: u64, needed: u64) -> Self {
        let text = format!("Query exceeded limit for bytes billed: {limit}. {needed} or higher required.");
        Self::new(ErrorReason::BytesBilledLimitExceeded, text)
    }

    /// A query that is not valid.
    pub(crate) fn invalid_query(message: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidQuery, message)
    }

    /// A request that is not valid.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorReason::Invalid, message)
    }

    /// A part of the request that is missing.
    pub(crate) fn required(name: &str) -> Self {
        Self::new(ErrorReason::Required, format!("Required parameter is missing: {name}"))
    }

    /// The `ErrorProto` in the status of a job.
    pub(crate) fn proto(&self) -> Value {
        let mut proto = json!({"reason": self.reason, "message": self.message});
        if let Some((location, _)) = self.reason.place() {
            proto["location"] = json!(location);
        }
        proto
    }

    /// The HTTP error.
    pub(crate) fn reply(&self) -> Reply {
        let (code, status) = self.reason.status();
        Reply::json(code, document_with(code, status, self))
    }
}

/// The error document that BigQuery sends with a status.
pub(crate) fn document(code: u16, status: &str) -> Value {
    let (reason, text) = match code {
        401 => (ErrorReason::AuthError, "Request had invalid authentication credentials."),
        403 => (
            ErrorReason::RateLimitExceeded,
            "Exceeded rate limits: too many api requests per user per method for this user_method. For more information, \
             see https://cloud.google.com/bigquery/docs/troubleshoot-quotas",
        ),
        404 => (ErrorReason::NotFound, "Not found."),
        409 => (ErrorReason::Duplicate, "Already Exists."),
        429 => (ErrorReason::RateLimitExceeded, "Too many requests, please retry later."),
        500 => {
            (ErrorReason::InternalError, "An internal error occurred and the request could not be completed.")
        }
        501.. => {
            (ErrorReason::BackendError, "Error encountered during execution. Retrying may solve the problem.")
        }
        _ => (ErrorReason::Invalid, "The request is not valid."),
    };
    document_with(code, status, &Refusal::new(reason, text))
}

fn document_with(code: u16, status: &str, refusal: &Refusal) -> Value {
    let mut item = json!({"message": refusal.message, "domain": "global", "reason": refusal.reason});
    if let Some((location, kind)) = refusal.reason.place() {
        item["location"] = json!(location);
        item["locationType"] = json!(kind);
    }
    json!({"error": {"code": code, "message": refusal.message, "errors": [item], "status": status}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_shape_of_real_ones() {
        let reply = Refusal::invalid_query("Unrecognized name: x at [1:8]").reply();
        let item = json!({"message": "Unrecognized name: x at [1:8]", "domain": "global", "reason": "invalidQuery",
            "location": "q", "locationType": "parameter"});
        let expected = json!({"error": {"code": 400, "message": "Unrecognized name: x at [1:8]", "errors": [item],
            "status": "INVALID_ARGUMENT"}});
        assert_eq!((reply.status, reply.body.json()), (400, Some(&expected)));
        assert_eq!(
            Refusal::bytes_limit(1, 10_485_760).proto(),
            json!({"reason": "bytesBilledLimitExceeded",
            "message": "Query exceeded limit for bytes billed: 1. 10485760 or higher required."})
        );
    }
}
