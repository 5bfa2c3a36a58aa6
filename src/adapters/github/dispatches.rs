//! Starting workflows: by an event that workflows listen to, or one workflow by its file.
//!
//! GitHub keeps nothing of a dispatch that its sender could look up, so an answer that was lost stays lost: the error says
//! so, and nobody may take the silence for a no. What is started must bear to be started twice.
//! API: <https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event> and
//! <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::client::GitHub;
use super::error::Purpose;
use crate::ports::PortError;

/// Limits of GitHub: the top-level properties of a payload, and its size in bytes, which must be smaller.
const MOST_PAYLOAD_KEYS: usize = 10;
const PAYLOAD_BYTES: usize = 64 * 1024;

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Every workflow that listens to the event.
    Event {
        /// The type that they name under `on: repository_dispatch: types`.
        event_type: String,
    },
    /// One workflow.
    Workflow {
        /// Its file in `.github/workflows`.
        file: String,
        /// The branch or tag; none is the default branch.
        reference: Option<String>,
    },
}

/// The dispatches to one repository.
#[derive(Clone)]
pub struct Dispatches {
    github: GitHub,
    start: Start,
}

impl Dispatches {
    /// What is to be started in a repository.
    #[must_use]
    pub fn new(github: GitHub, start: Start) -> Self {
        Self { github, start }
    }

    /// What is started.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Sends the event with a payload.
    ///
    /// # Errors
    /// Where the payload is too large, it was refused, or whether it was sent is unclear and stays so.
    async fn send_event(&self, event_type: &str, payload: &Map<String, Value>) -> Result<(), PortError> {
        let payload = Value::Object(payload.clone());
        let keys = payload.as_object().map_or(0, Map::len);
        if keys > MOST_PAYLOAD_KEYS || payload.to_string().len() >= PAYLOAD_BYTES {
            return Err(PortError::new(
                format!("a repository_dispatch takes {MOST_PAYLOAD_KEYS} values and less than {PAYLOAD_BYTES} bytes"),
                "report this as a bug",
            ));
        }
        let body = json!({"event_type": event_type, "client_payload": payload});
        self.raw_post(&Purpose::DispatchEvent, "/dispatches", &body).await.map(drop)
    }

    /// Starts what is configured: an event carries the payload, a workflow the inputs. Returns the address of the run,
    /// where GitHub tells it.
    ///
    /// # Errors
    /// Where it was refused, or whether it was started is unclear and stays so.
    pub async fn send(
        &self,
        payload: &Map<String, Value>,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Option<String>, PortError> {
        match &self.start {
            Start::Event { event_type } => self.send_event(event_type, payload).await.map(|()| None),
            Start::Workflow { file, reference } => {
                let reference = match reference {
                    Some(reference) => reference,
                    None => self.github.default_branch().await?,
                };
                let body = json!({"ref": reference, "inputs": inputs, "return_run_details": true});
                let path = format!("/actions/workflows/{file}/dispatches");
                let answer = self.raw_post(&Purpose::DispatchWorkflow, &path, &body).await?;
                // An older GitHub Enterprise answers nothing.
                let details: Value = serde_json::from_str(&answer).unwrap_or_default();
                Ok(details.get("html_url").and_then(Value::as_str).map(str::to_owned))
            }
        }
    }

    /// Posts a body and returns the text of the answer: octocrab's own call can't read an empty one.
    async fn raw_post(&self, purpose: &Purpose, path: &str, body: &Value) -> Result<String, PortError> {
        let crab = self.github.crab();
        let call = async {
            let answer = crab._post(self.github.path(path), Some(body)).await?;
            crab.body_to_string(octocrab::map_github_error(answer).await?).await
        };
        self.github.write(purpose, call).await
    }
}
