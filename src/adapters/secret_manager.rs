//! Google Secret Manager, for `sm://` references.
//! <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>.
//!
//! It reads and never lists. What the service answers is shown by its status only: a cut body could be the secret.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;

use super::google::GoogleToken;
use super::http::{Call, HttpError, Kind, Service};
use super::redact;
use crate::ports::PortError;

/// Where the API is.
pub const BASE_URL: &str = "https://secretmanager.googleapis.com";

/// Secrets, as an identity may read them.
pub struct SecretManager {
    service: Service,
    token: GoogleToken,
    reader: String,
}

impl SecretManager {
    /// The secrets that `reader` may read; its name is only for the command that grants the right.
    #[must_use]
    pub fn new(service: Service, token: GoogleToken, reader: Option<&str>) -> Self {
        let reader =
            reader.map_or_else(|| "MEMBER".to_owned(), |account| format!("serviceAccount:{account}"));
        Self { service: service.of_secrets(), token, reader }
    }

    /// The text of `projects/P/secrets/S`, its latest version unless `/versions/V` follows.
    ///
    /// # Errors
    /// Where it does not exist, may not be read, or is no text.
    pub async fn read(&self, resource: &str) -> Result<SecretString, PortError> {
        let path = match resource.contains("/versions/") {
            true => format!("/v1/{resource}:access"),
            false => format!("/v1/{resource}/versions/latest:access"),
        };
        let token = self.token.get().await.map_err(|error| {
            PortError::new(format!("the secret sm://{resource} can't be read: {}", error.what), error.fix)
        })?;
        let answer = self.service.read(&Call::new(Method::GET, path), &token).await;
        let answer = answer.map_err(|error| self.refused(resource, &error))?;
        let secret = text(&answer);
        secret.iter().for_each(redact::know);
        secret.ok_or_else(|| {
            PortError::new(
                format!("the secret sm://{resource} is empty, or is no text"),
                "store the secret as text: gcloud secrets versions add SECRET --data-file FILE",
            )
        })
    }

    fn refused(&self, resource: &str, error: &HttpError) -> PortError {
        let (project, secret) = parts(resource);
        let (problem, fix) = match &error.kind {
            Kind::Status { status: status @ (401 | 403), .. } => (
                format!("Secret Manager answered {status}: no right to read it, or it does not exist"),
                format!(
                    "grant the role roles/secretmanager.secretAccessor on it: `gcloud secrets add-iam-policy-binding \
                     {secret} --project {project} --member {} --role roles/secretmanager.secretAccessor`",
                    self.reader
                ),
            ),
            Kind::Status { status: 404, .. } => (
                "Secret Manager answered 404: there is no such secret, or no such version".to_owned(),
                format!("check the name: `gcloud secrets versions list {secret} --project {project}`"),
            ),
            Kind::Status { status: 400, .. } => (
                "Secret Manager answered 400: the version is disabled or destroyed, or the name is wrong"
                    .to_owned(),
                format!("check the version: `gcloud secrets versions list {secret} --project {project}`"),
            ),
            Kind::Status { status, .. } => (format!("Secret Manager answered {status}"), LATER.to_owned()),
            Kind::NotSent(_) | Kind::Lost(_) => {
                ("Secret Manager could not be reached, or its answer was lost".to_owned(), LATER.to_owned())
            }
            Kind::NotJson { status, .. } => {
                (format!("Secret Manager answered {status}, but not JSON"), LATER.to_owned())
            }
        };
        PortError::new(format!("the secret sm://{resource} can't be read: {problem}"), fix)
    }
}

/// What to do about what passes.
const LATER: &str = "the next run tries again; if it lasts, see https://status.cloud.google.com";

/// Project and secret of a checked name.
fn parts(resource: &str) -> (&str, &str) {
    let mut parts = resource.split('/').skip(1).step_by(2);
    (parts.next().unwrap_or("PROJECT"), parts.next().unwrap_or("SECRET"))
}

fn text(answer: &Value) -> Option<SecretString> {
    let bytes = BASE64_STANDARD.decode(answer["payload"]["data"].as_str()?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    (!text.trim().is_empty()).then(|| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    #[test]
    fn only_a_text_that_is_there_is_a_secret() {
        let data = |data: &str| json!({"payload": {"data": data}});
        assert_eq!(text(&data("aHVudGVyMg==")).unwrap().expose_secret(), "hunter2");
        for bad in [json!({}), data(""), data("ICA="), data("!"), data("//4=")] {
            assert!(text(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_name_has_a_project_and_a_secret() {
        assert_eq!(parts("projects/p/secrets/s/versions/7"), ("p", "s"));
    }
}
