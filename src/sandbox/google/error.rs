//! Refusals of Google's identity services and of Secret Manager, in their shapes: OAuth's for token endpoints, the
//! document of Google APIs for the others, GitHub's for its own.

use serde_json::json;

use super::super::call::Reply;
use super::super::play::error::document;

/// A refusal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum GoogleError {
    /// RFC 6749 section 5.2: a code and words about it.
    #[error("{description}")]
    OAuth { code: &'static str, description: String },
    #[error(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )]
    Unauthenticated { refusal: String },
    #[error("Permission '{permission}' denied on resource '{resource}' (or it may not exist).")]
    Permission { permission: &'static str, resource: String },
    #[error("{0}")]
    Argument(String),
    #[error("Secret [{0}] not found or has no versions.")]
    Secret(String),
    #[error("Secret Version [{0}] not found.")]
    Version(String),
    #[error("Not found.")] // A path or method that the sandbox does not model.
    Path,
    /// GitHub's OIDC endpoint, to a wrong or missing bearer.
    #[error("Unauthorized")]
    GitHub { refusal: String },
    /// The metadata server, without its header.
    #[error("Missing Metadata-Flavor:Google header.")]
    Flavor,
    #[error("the cryptographic library gave no random bytes")]
    Random,
}

impl GoogleError {
    /// A request for a token that the endpoint refuses.
    pub(crate) fn grant(description: impl Into<String>) -> Self {
        Self::OAuth { code: "invalid_grant", description: description.into() }
    }

    /// A request for a token that lacks or misspells something.
    pub(crate) fn request(description: impl Into<String>) -> Self {
        Self::OAuth { code: "invalid_request", description: description.into() }
    }

    /// The reply with this refusal. The services do not say all that the sandbox knows, so it says that in a header.
    pub(crate) fn reply(&self) -> Reply {
        let text = self.to_string();
        let google = |code, status| Reply::json(code, document(code, status, &text));
        match self {
            Self::OAuth { code, .. } => Reply::json(400, json!({"error": code, "error_description": text})),
            Self::Unauthenticated { refusal } => {
                google(401, "UNAUTHENTICATED").with_header("x-sandbox-refusal", refusal)
            }
            Self::Permission { .. } => google(403, "PERMISSION_DENIED"),
            Self::Argument(_) => google(400, "INVALID_ARGUMENT"),
            Self::Secret(_) | Self::Version(_) | Self::Path => google(404, "NOT_FOUND"),
            Self::GitHub { refusal } => {
                Reply::json(401, json!({"message": text})).with_header("x-sandbox-refusal", refusal)
            }
            Self::Flavor => Reply::json(403, json!({"error": text})),
            Self::Random => google(500, "INTERNAL"),
        }
    }
}
