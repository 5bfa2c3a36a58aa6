//! Starting workflows: by an event that workflows listen to, or one workflow by its file.
//!
//! GitHub keeps nothing of a dispatch that its sender could look up, so an answer that was lost stays lost: the error says
//! so, and nobody may take the silence for a no. What is started must bear to be started twice.
//! API: <https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event> and
//! <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::client::GitHub;
use super::error::Purpose;
use super::text;
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Found, Notifier, PortError};

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
        /// Its inputs; words in braces are filled in from the note.
        inputs: BTreeMap<String, String>,
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

    async fn send_event(&self, event_type: &str, payload: &Map<String, Value>) -> Result<(), PortError> {
        let payload = Value::Object(payload.clone());
        let keys = payload.as_object().map_or(0, Map::len);
        if keys > MOST_PAYLOAD_KEYS || payload.to_string().len() >= PAYLOAD_BYTES {
            return Err(PortError::new(
                format!("a repository_dispatch takes {MOST_PAYLOAD_KEYS} values and less than {PAYLOAD_BYTES} bytes"),
                "name fewer values",
            )
            .lasting());
        }
        let body = json!({"event_type": event_type, "client_payload": payload});
        self.raw_post(&Purpose::DispatchEvent, "/dispatches", &body).await.map(drop)
    }

    /// Starts what is configured: an event carries the payload, a workflow the inputs with what the note says filled in.
    /// Returns the address of the run, where GitHub tells it.
    ///
    /// # Errors
    /// Where it was refused, or whether it was started is unclear and stays so.
    pub async fn send(&self, payload: &Map<String, Value>, note: &Note) -> Result<Option<String>, PortError> {
        match &self.start {
            Start::Event { event_type } => self.send_event(event_type, payload).await.map(|()| None),
            Start::Workflow { file, reference, inputs } => {
                let reference = match reference {
                    Some(reference) => reference,
                    None => self.github.default_branch().await?,
                };
                let body = json!({
                    "ref": reference,
                    "inputs": text::inputs(inputs, note),
                    "return_run_details": true,
                });
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

#[async_trait]
impl Notifier for Dispatches {
    async fn post(&self, key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        let run = self.send(&text::payload(key, note), note).await?;
        let id = run.unwrap_or_else(|| match &self.start {
            Start::Event { event_type } => event_type.clone(),
            Start::Workflow { file, .. } => file.clone(),
        });
        Ok(Posted { channel: self.github.repository().to_string(), id, thread: None })
    }

    /// What was started can't be changed.
    async fn update(&self, _posted: &Posted, _key: &str, _note: &Note) -> Result<(), PortError> {
        Ok(())
    }

    async fn find(
        &self,
        _key: &str,
        _parent: Option<&Posted>,
        _since: Timestamp,
        _age: SignedDuration,
    ) -> Result<Found, PortError> {
        let repository = self.github.repository();
        Ok(Found::CannotTell(format!(
            "whether a workflow was started in {repository} is not known: GitHub keeps no list of dispatches, and a second \
             one could act twice"
        )))
    }
}
