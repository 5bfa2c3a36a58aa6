//! The two ways to start workflows by a call. What was started can't be looked up by its sender, as at GitHub; only the
//! control surface shows it.

use serde_json::{Map, Value, json};

use super::error::GitHubError;
use super::model::Repository;
use super::seed::{InputNeed, WorkflowSeed, WorkflowTrigger};
use super::show::Links;

/// The longest event type, in characters.
const LONGEST_EVENT_TYPE: usize = 100;
/// The most top-level properties of a payload, and of inputs.
const MOST_PAYLOAD_KEYS: usize = 10;
const MOST_INPUTS: usize = 25;
/// A payload must be smaller than this, in bytes.
const PAYLOAD_BYTES: usize = 64 * 1024;

/// One start.
#[derive(Clone, Debug)]
pub(super) enum Dispatch {
    /// By an event of one's own.
    Event { event_type: String, payload: Value },
    /// Of one workflow.
    Workflow { file: String, reference: String, inputs: Value, run: u64 },
}

impl Dispatch {
    pub(super) fn show(&self) -> Value {
        match self {
            Self::Event { event_type, payload } => {
                json!({"event_type": event_type, "client_payload": payload})
            }
            Self::Workflow { file, reference, inputs, run } => {
                json!({"workflow": file, "ref": reference, "inputs": inputs, "run": run})
            }
        }
    }
}

fn most(count: usize, most: usize) -> Result<(), GitHubError> {
    if count <= most {
        return Ok(());
    }
    Err(GitHubError::request(format!("No more than {most} properties are allowed; {count} were supplied.")))
}

impl Repository {
    pub(super) fn dispatch_event(&mut self, body: &Map<String, Value>) -> Result<(), GitHubError> {
        permitted(body, &["event_type", "client_payload"])?;
        let event_type = body.get("event_type").and_then(Value::as_str).unwrap_or_default();
        if event_type.is_empty() {
            return Err(GitHubError::request("\"event_type\" wasn't supplied."));
        }
        if event_type.chars().count() > LONGEST_EVENT_TYPE {
            let problem = format!("event_type is too long (maximum is {LONGEST_EVENT_TYPE} characters)");
            return Err(GitHubError::request(problem));
        }
        let payload = body.get("client_payload").cloned().unwrap_or_else(|| json!({}));
        let Some(keys) = payload.as_object() else {
            return Err(GitHubError::request("For 'properties/client_payload', the value is not an object."));
        };
        most(keys.len(), MOST_PAYLOAD_KEYS)?;
        if payload.to_string().len() >= PAYLOAD_BYTES {
            return Err(GitHubError::Unprocessable("client_payload is too large.".to_owned()));
        }
        self.dispatches.push(Dispatch::Event { event_type: event_type.to_owned(), payload });
        Ok(())
    }

    /// Starts a workflow; the reply is none unless the call asks for the details of the run.
    pub(super) fn dispatch_workflow(
        &mut self,
        file: &str,
        run: u64,
        body: &Map<String, Value>,
        links: &Links,
    ) -> Result<Option<Value>, GitHubError> {
        let workflow = self.seed.workflows.iter().find(|workflow| workflow.file == file);
        let workflow = workflow.ok_or(GitHubError::NotFound)?;
        permitted(body, &["ref", "inputs", "return_run_details"])?;
        let reference = body.get("ref").and_then(Value::as_str).unwrap_or_default();
        if reference.is_empty() {
            return Err(GitHubError::request("\"ref\" wasn't supplied."));
        }
        if !self.has_branch_or_tag(reference) {
            return Err(GitHubError::Unprocessable(format!("No ref found for: {reference}")));
        }
        if workflow.trigger == WorkflowTrigger::Other {
            let message = "Workflow does not have 'workflow_dispatch' trigger".to_owned();
            return Err(GitHubError::Unprocessable(message));
        }
        let inputs = body.get("inputs").cloned().unwrap_or_else(|| json!({}));
        check_inputs(workflow, &inputs)?;
        let (file, reference) = (file.to_owned(), reference.to_owned());
        self.dispatches.push(Dispatch::Workflow { file, reference, inputs, run });
        let details = body.get("return_run_details").and_then(Value::as_bool).unwrap_or_default();
        Ok(details.then(|| {
            json!({
                "workflow_run_id": run, "run_url": format!("{}/actions/runs/{run}", links.repository()),
                "html_url": format!("{}/actions/runs/{run}", links.web()),
            })
        }))
    }
}

fn check_inputs(workflow: &WorkflowSeed, inputs: &Value) -> Result<(), GitHubError> {
    let Some(given) = inputs.as_object() else {
        return Err(GitHubError::request("For 'properties/inputs', the value is not an object."));
    };
    most(given.len(), MOST_INPUTS)?;
    let declared = |name: &String| workflow.inputs.iter().any(|input| input.name == *name);
    let unexpected: Vec<&String> = given.keys().filter(|name| !declared(name)).collect();
    if !unexpected.is_empty() {
        return Err(GitHubError::Unprocessable(format!("Unexpected inputs provided: {unexpected:?}")));
    }
    let missing = workflow
        .inputs
        .iter()
        .find(|input| input.need == InputNeed::Required && !given.contains_key(&input.name));
    match missing {
        Some(input) => {
            Err(GitHubError::Unprocessable(format!("Required input '{}' not provided", input.name)))
        }
        None => Ok(()),
    }
}

fn permitted(body: &Map<String, Value>, names: &[&str]) -> Result<(), GitHubError> {
    match body.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(GitHubError::request(format!("\"{name}\" is not a permitted key."))),
        None => Ok(()),
    }
}
