//! Calls to BigQuery's REST API: where they go, what may be tried again, and until when.
//!
//! <https://cloud.google.com/bigquery/docs/reference/rest>. Every call here may be made twice: reads change nothing, and
//! a job is inserted under an id of our own.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{Failure, reason};
use crate::adapters::clock;
use crate::adapters::google::GoogleToken;
use crate::adapters::http::{Call, HttpError, Service};
use crate::ports::PortError;

/// What is kept of the time for cancelling a job, where there is that much.
const CANCEL_TIME: Duration = Duration::from_secs(3);
/// With little time in all, this part of it is kept for cancelling.
const CANCEL_PART: u32 = 4;
/// Reasons that pass by themselves, whatever the status that they come with.
/// <https://cloud.google.com/bigquery/docs/error-messages>
const PASSING: [&str; 4] = ["rateLimitExceeded", "backendError", "internalError", "tableUnavailable"];

/// A source of tokens for [`super::SCOPE`].
#[async_trait]
pub trait AccessToken: Send + Sync {
    /// A token that is valid now.
    ///
    /// # Errors
    /// Where none can be had.
    async fn get(&self) -> Result<SecretString, PortError>;
}

#[async_trait]
impl AccessToken for GoogleToken {
    async fn get(&self) -> Result<SecretString, PortError> {
        Self::get(self).await
    }
}

/// The API, with two projects and a time by which everything is done.
pub struct Api {
    service: Service,
    token: Box<dyn AccessToken>,
    project: String,
    billing_project: String,
    work_until: Instant,
    until: Instant,
}

impl Api {
    /// The API. The last seconds before `until` are kept for cancelling what is not done by then.
    pub fn new(
        service: Service,
        token: Box<dyn AccessToken>,
        project: String,
        billing_project: String,
        until: Instant,
    ) -> Self {
        let left = until.saturating_duration_since(clock::steady());
        let work_until = until.checked_sub(CANCEL_TIME.min(left / CANCEL_PART)).unwrap_or(until);
        Self { service, token, project, billing_project, work_until, until }
    }

    /// The project that the exports are in.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The project that queries are run in and billed to.
    pub fn billing_project(&self) -> &str {
        &self.billing_project
    }

    /// The time that is left for work.
    pub fn time_left(&self) -> Duration {
        self.work_until.saturating_duration_since(clock::steady())
    }

    /// The path of a dataset, with what follows.
    pub fn dataset_path(&self, dataset: &str, rest: &str) -> String {
        format!("/bigquery/v2/projects/{}/datasets/{dataset}{rest}", self.project)
    }

    /// A path within the project that queries are run in.
    pub fn job_path(&self, rest: &str) -> String {
        format!("/bigquery/v2/projects/{}/{rest}", self.billing_project)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// After the last of a few tries, or when the time is up.
    pub async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T, Failure> {
        document(self.read_value(path).await?)
    }

    /// Reads a document as it came.
    ///
    /// # Errors
    /// As for [`Api::read`].
    pub async fn read_value(&self, path: String) -> Result<Value, Failure> {
        self.ask(&Call::new(Method::GET, path)).await
    }

    /// Sends a document that may arrive twice without harm.
    ///
    /// # Errors
    /// As for [`Api::read`].
    pub async fn send<T: DeserializeOwned>(&self, path: String, body: Value) -> Result<T, Failure> {
        document(self.ask(&Call::new(Method::POST, path).with(body)).await?)
    }

    async fn ask(&self, call: &Call) -> Result<Value, Failure> {
        let asking = async {
            let token = self.token.get().await.map_err(|error| Failure::Token(Box::new(error)))?;
            Ok(self.service.ask(call, &token, is_passing, self.work_until).await?)
        };
        self.in_time(asking).await
    }

    /// Waits for nothing beyond the time that is left for work.
    ///
    /// # Errors
    /// [`Failure::Late`] when the time is up.
    pub async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        timeout_at(self.work_until, work).await.unwrap_or(Err(Failure::Late))
    }

    /// Asks once, and briefly, that something be ended. Whether it worked is not told: nothing could be done about it.
    pub async fn end(&self, path: String) {
        let asking = async {
            let Ok(token) = self.token.get().await else { return };
            let call = Call::new(Method::POST, path);
            drop(self.service.ask(&call, &token, |_| false, self.until).await);
        };
        let _ = timeout(CANCEL_TIME, asking).await;
    }
}

fn is_passing(error: &HttpError) -> bool {
    error.is_passing() || reason(error).is_some_and(|reason| PASSING.contains(&reason.as_str()))
}

fn document<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|error| Failure::Odd(format!("its answer is not what the API describes: {error}")))
}

/// Text as one part of a query string.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_stays_one_value() {
        assert_eq!(encoded("BGIK+a/b==&x"), "BGIK%2Ba%2Fb%3D%3D%26x");
    }
}
