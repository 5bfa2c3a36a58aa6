//! Refusals of App Store Connect. Codes and details are those that clients have met; where no public example is known,
//! the detail says what is wrong in plain words and the code keeps Apple's family (`STATE_ERROR`, `ENTITY_ERROR`, ...).

use serde_json::{Value, json};

use super::super::call::Reply;

/// What a repeated phased-release state is answered with. Clients that join title, detail and pointer show it with the
/// pointer behind it.
pub(super) const SAME_VALUE: &str = "The phased release already has this value";
/// What a change after the end is answered with.
pub(super) const FINAL_STATE: &str =
    "You cannot change the state of a phased release that is in a final state";
const STATE_POINTER: &str = "/data/attributes/phasedReleaseState";

/// A refusal: one error of an Apple error document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AscError {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: String,
    /// Kind (`pointer` or `parameter`) and place of what is wrong.
    source: Option<(&'static str, String)>,
}

impl AscError {
    fn new(status: u16, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), source: None }
    }

    fn at(mut self, kind: &'static str, place: &str) -> Self {
        self.source = Some((kind, place.to_owned()));
        self
    }

    pub(crate) fn not_authorized() -> Self {
        Self::new(
            401,
            "NOT_AUTHORIZED",
            "Authentication credentials are missing or invalid.",
            "Provide a properly configured and signed bearer token, and make sure that it has not expired. Learn more \
             about Generating Tokens for API Requests https://developer.apple.com/go/?id=api-generating-tokens",
        )
    }

    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        let detail = format!("There is no resource of type '{kind}' with id '{id}'");
        Self::new(404, "NOT_FOUND", "The specified resource does not exist", detail)
    }

    pub(super) fn path(path: &str) -> Self {
        let detail = format!("The path provided does not match a defined resource type: {path}");
        Self::new(404, "PATH_ERROR", "The URL path is not valid", detail)
    }

    pub(super) fn parameter_unknown(name: &str) -> Self {
        let detail = format!("The parameter '{name}' can not be used with this request");
        Self::new(400, "PARAMETER_ERROR.ILLEGAL", "A parameter is not valid for this request", detail)
            .at("parameter", name)
    }

    pub(super) fn parameter_invalid(name: &str, value: &str, known: &str) -> Self {
        let detail = format!("'{value}' is not a valid value for '{name}'; known are {known}");
        Self::new(400, "PARAMETER_ERROR.INVALID", "A parameter has an invalid value", detail)
            .at("parameter", name)
    }

    pub(super) fn unreadable(detail: &str) -> Self {
        let title = "The request entity is not a valid request document object";
        Self::new(422, "ENTITY_UNPROCESSABLE", title, detail)
    }

    pub(super) fn same_value() -> Self {
        Self::attribute(SAME_VALUE)
    }

    pub(super) fn attribute(detail: impl Into<String>) -> Self {
        let title = "The provided entity includes an attribute with an invalid value";
        Self::new(409, "ENTITY_ERROR.ATTRIBUTE.INVALID", title, detail).at("pointer", STATE_POINTER)
    }

    pub(super) fn relationship(detail: impl Into<String>) -> Self {
        let title = "The provided entity includes a relationship with an invalid value";
        Self::new(409, "ENTITY_ERROR.RELATIONSHIP.INVALID", title, detail)
            .at("pointer", "/data/relationships/appStoreVersion")
    }

    pub(super) fn identity(detail: impl Into<String>) -> Self {
        Self::new(409, "ENTITY_ERROR.TYPE.INVALID", "The provided entity has another type or id", detail)
            .at("pointer", "/data")
    }

    pub(super) fn state(detail: impl Into<String>) -> Self {
        Self::new(
            409,
            "STATE_ERROR",
            "The request cannot be fulfilled because of the state of another resource.",
            detail,
        )
    }

    pub(super) fn attribute_unknown(name: &str) -> Self {
        let detail = format!("The attribute '{name}' is not an attribute of this resource");
        let title = "The provided entity includes an unknown attribute";
        Self::new(409, "ENTITY_ERROR.ATTRIBUTE.UNKNOWN", title, detail)
            .at("pointer", &format!("/data/attributes/{name}"))
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        let title = "The given operation is not allowed";
        Self::new(403, "FORBIDDEN_ERROR", title, detail)
    }

    pub(super) fn rate_limit(window: &str) -> Self {
        let detail = format!("The number of requests of this key has reached its limit of the {window}");
        Self::new(429, "RATE_LIMIT_EXCEEDED", "The request rate limit has been reached.", detail)
    }

    /// The text that says what is wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The reply with this refusal.
    pub(crate) fn reply(&self) -> Reply {
        let mut error = json!({
            "status": self.status.to_string(),
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
        });
        if let Some((kind, place)) = &self.source {
            error["source"] = json!({*kind: place});
        }
        Reply::json(self.status, json!({"errors": [error]}))
    }
}

/// The error document for a scripted status.
pub(crate) fn document(status: u16) -> Value {
    let (code, title) = match status {
        401 => ("NOT_AUTHORIZED", "Authentication credentials are missing or invalid."),
        403 => ("FORBIDDEN_ERROR", "This request is forbidden for security reasons"),
        404 => ("NOT_FOUND", "The specified resource does not exist"),
        409 => ("STATE_ERROR", "The request cannot be fulfilled because of the state of another resource."),
        429 => ("RATE_LIMIT_EXCEEDED", "The request rate limit has been reached."),
        _ => ("UNEXPECTED_ERROR", "An unexpected error occurred."),
    };
    json!({"errors": [{"status": status.to_string(), "code": code, "title": title, "detail": title}]})
}
