//! Tokens for Google APIs: a service account's key, or application default credentials.
//!
//! google-cloud-auth signs, caches and refreshes; here only its errors get a place and a fix.

use google_cloud_auth::credentials::service_account::{AccessSpecifier, Builder as ServiceAccount};
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder as ApplicationDefault};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::ports::PortError;

/// A source of tokens for one scope.
pub struct GoogleToken {
    credentials: AccessTokenCredentials,
    origin: String,
}

impl GoogleToken {
    /// Tokens of a service account, from the text of its key file. `origin` names the reference, for errors.
    ///
    /// # Errors
    /// Where the text is not the key of a service account.
    pub fn from_key(key: &SecretString, origin: &str, scope: &str) -> Result<Self, PortError> {
        let wrong = |problem: String| {
            PortError::new(
                format!("the Google credentials {origin} can't be used: {problem}"),
                "give the JSON key file of a service account, as the Google Cloud console makes it",
            )
        };
        // The parser's own text could quote the key.
        let key: Value =
            serde_json::from_str(key.expose_secret()).map_err(|_| wrong("not JSON".to_owned()))?;
        match key.get("type").and_then(Value::as_str) {
            Some("service_account") => {}
            other => return Err(wrong(format!("its type is {other:?}, not \"service_account\""))),
        }
        let credentials = ServiceAccount::new(key)
            .with_access_specifier(AccessSpecifier::from_scopes([scope]))
            .build_access_token_credentials()
            .map_err(|_| wrong("a field is missing or the private key is damaged".to_owned()))?;
        Ok(Self { credentials, origin: origin.to_owned() })
    }

    /// Tokens of the machine: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's login, or the metadata server.
    ///
    /// # Errors
    /// Where there are none.
    pub fn application_default(scope: &str) -> Result<Self, PortError> {
        let credentials = ApplicationDefault::default()
            .with_scopes([scope])
            .build_access_token_credentials()
            .map_err(|error| missing("application default credentials", &error.to_string()))?;
        Ok(Self { credentials, origin: "application default credentials".to_owned() })
    }

    /// A token that is valid now.
    ///
    /// # Errors
    /// Where none can be had.
    pub async fn get(&self) -> Result<SecretString, PortError> {
        match self.credentials.access_token().await {
            Ok(token) => Ok(SecretString::from(token.token)),
            Err(error) => Err(missing(&self.origin, &error.to_string())),
        }
    }
}

fn missing(origin: &str, problem: &str) -> PortError {
    PortError::new(
        format!("no Google token from {origin}: {problem}"),
        "set [google_play] credentials to a service account's key, or run where application default credentials are",
    )
}
