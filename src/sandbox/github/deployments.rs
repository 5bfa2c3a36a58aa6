//! Deployments and their statuses. A deployment with `auto_merge` may merge instead, and one with contexts may be
//! refused; both are on unless the call says otherwise, as at GitHub.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::GitHubError;
use super::issues::{seconds, texts};
use super::model::{Caller, Repository};
use super::seed::BranchStanding;
use super::show::{Account, Links};

/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 140;
/// What a status may say.
const STATES: [&str; 7] = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
/// The commit of every name that is no commit itself.
const SHA: &str = "5a7db0c5000000000000000000000000000c0de0";
/// The length of a full SHA, in characters.
const SHA_LENGTH: usize = 40;

/// A deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    id: u64,
    creator: Account,
    order: Order,
    statuses: Vec<Status>,
    created_at: Timestamp,
}

/// What a call asks for.
#[derive(Clone, Debug)]
struct Order {
    reference: String,
    task: String,
    payload: Value,
    environment: String,
    description: Option<String>,
    transient: bool,
    production: bool,
    auto_merge: bool,
    /// None for all that there are.
    contexts: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
struct Status {
    id: u64,
    creator: Account,
    state: String,
    description: String,
    environment: Option<String>,
    log_url: String,
    environment_url: String,
    created_at: Timestamp,
}

/// What became of a deployment.
pub(super) enum Deployed {
    /// It is there.
    Created(Value),
    /// The default branch was merged instead, and nothing is deployed.
    Merged(Value),
}

/// Which deployments are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) reference: Option<String>,
    pub(super) task: Option<String>,
    pub(super) environment: Option<String>,
}

impl Deployment {
    pub(super) fn show(&self, links: &Links) -> Value {
        let (api, order) = (format!("{}/deployments/{}", links.repository(), self.id), &self.order);
        json!({
            "url": api, "id": self.id, "node_id": format!("DE_{}", self.id), "sha": sha(&order.reference),
            "ref": order.reference, "task": order.task, "payload": order.payload,
            "original_environment": order.environment, "environment": order.environment,
            "description": order.description, "creator": self.creator.show(links),
            "created_at": seconds(self.created_at), "updated_at": seconds(self.created_at),
            "statuses_url": format!("{api}/statuses"), "repository_url": links.repository(),
            "transient_environment": order.transient, "production_environment": order.production,
        })
    }

    /// The statuses, newest first.
    pub(super) fn show_statuses(&self, links: &Links) -> Value {
        self.statuses.iter().rev().map(|status| self.show_status(status, links)).collect()
    }

    fn show_status(&self, status: &Status, links: &Links) -> Value {
        let api = format!("{}/deployments/{}", links.repository(), self.id);
        let mut shown = json!({
            "url": format!("{api}/statuses/{}", status.id), "id": status.id, "node_id": format!("DS_{}", status.id),
            "state": status.state, "creator": status.creator.show(links), "description": status.description,
            "environment": status.environment.as_ref().unwrap_or(&self.order.environment),
            "target_url": status.log_url, "created_at": seconds(status.created_at),
            "updated_at": seconds(status.created_at), "deployment_url": api, "repository_url": links.repository(),
        });
        for (name, url) in [("environment_url", &status.environment_url), ("log_url", &status.log_url)] {
            if !url.is_empty() {
                shown[name] = json!(url);
            }
        }
        shown
    }
}

/// The commit of a branch, a tag or a commit.
fn sha(reference: &str) -> &str {
    if is_sha(reference) { reference } else { SHA }
}

fn is_sha(text: &str) -> bool {
    text.len() == SHA_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Order {
    fn read(body: &Map<String, Value>) -> Result<Self, GitHubError> {
        let mut order = Self {
            reference: String::new(),
            task: "deploy".to_owned(),
            payload: json!({}),
            environment: "production".to_owned(),
            description: None,
            transient: false,
            production: false,
            auto_merge: true,
            contexts: None,
        };
        let mut production = None;
        for (name, value) in body {
            let wrong = || GitHubError::request(format!("For '{name}', {value} is not of the right type."));
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            let flag = || value.as_bool().ok_or_else(wrong);
            match name.as_str() {
                "ref" => order.reference = text()?,
                "task" => order.task = text()?,
                "environment" => order.environment = text()?,
                "description" if value.is_null() => {}
                "description" => order.description = Some(text()?),
                "payload" if value.is_object() || value.is_string() => order.payload = value.clone(),
                "transient_environment" => order.transient = flag()?,
                "production_environment" => production = Some(flag()?),
                "auto_merge" => order.auto_merge = flag()?,
                "required_contexts" if value.is_null() => {}
                "required_contexts" => order.contexts = Some(texts(value).ok_or_else(wrong)?),
                "payload" => return Err(wrong()),
                _ => return Err(GitHubError::request(format!("\"{name}\" is not a permitted key."))),
            }
        }
        order.production = production.unwrap_or(order.environment == "production");
        if order.reference.is_empty() {
            return Err(GitHubError::request("\"ref\" wasn't supplied."));
        }
        check_description("Deployment", order.description.as_deref().unwrap_or_default())?;
        Ok(order)
    }
}

fn check_description(resource: &str, text: &str) -> Result<(), GitHubError> {
    if text.chars().count() <= LONGEST_DESCRIPTION {
        return Ok(());
    }
    let message = format!("description is too long (maximum is {LONGEST_DESCRIPTION} characters)");
    Err(GitHubError::custom(resource, "description", &message))
}

impl Status {
    fn read(body: &Map<String, Value>, id: u64, caller: &Caller) -> Result<Self, GitHubError> {
        let mut status = Self {
            id,
            creator: caller.account.clone(),
            state: String::new(),
            description: String::new(),
            environment: None,
            log_url: String::new(),
            environment_url: String::new(),
            created_at: caller.now,
        };
        for (name, value) in body {
            let wrong = || GitHubError::request(format!("For '{name}', {value} is not of the right type."));
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            match name.as_str() {
                "state" if STATES.contains(&text()?.as_str()) => status.state = text()?,
                "state" => return Err(GitHubError::field("DeploymentStatus", "state", "inclusion")),
                "description" => status.description = text()?,
                "environment" => status.environment = Some(text()?),
                "log_url" | "target_url" => status.log_url = url(text()?)?,
                "environment_url" => status.environment_url = url(text()?)?,
                "auto_inactive" => drop(value.as_bool().ok_or_else(wrong)?),
                _ => return Err(GitHubError::request(format!("\"{name}\" is not a permitted key."))),
            }
        }
        if status.state.is_empty() {
            return Err(GitHubError::request("\"state\" wasn't supplied."));
        }
        check_description("DeploymentStatus", &status.description)?;
        Ok(status)
    }
}

fn url(text: String) -> Result<String, GitHubError> {
    let good = text.is_empty() || ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    if good { Ok(text) } else { Err(GitHubError::field("DeploymentStatus", "target_url", "invalid")) }
}

impl Repository {
    /// The deployments that fit, newest first.
    pub(super) fn list_deployments(&self, filter: &Filter, links: &Links) -> Vec<Value> {
        let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        let fits = |deployment: &&Deployment| {
            let order = &deployment.order;
            is(&filter.reference, &order.reference)
                && is(&filter.task, &order.task)
                && is(&filter.environment, &order.environment)
        };
        self.deployments.iter().rev().filter(fits).map(|deployment| deployment.show(links)).collect()
    }

    pub(super) fn create_deployment(
        &mut self,
        id: u64,
        body: &Map<String, Value>,
        caller: &Caller,
        links: &Links,
    ) -> Result<Deployed, GitHubError> {
        let order = Order::read(body)?;
        let reference = order.reference.clone();
        let known = self.has_branch_or_tag(&reference) || self.seed.commits.contains(&reference);
        if !known {
            return Err(GitHubError::Unprocessable(format!("No ref found for: {reference}")));
        }
        let merged = if order.auto_merge { self.merge(&reference)? } else { None };
        if let Some(merged) = merged {
            return Ok(Deployed::Merged(merged));
        }
        let failing = &self.seed.failing_contexts;
        let required =
            |context: &&String| order.contexts.as_ref().is_none_or(|named| named.contains(context));
        if failing.iter().any(|context| required(&context)) {
            let message = format!("Conflict: Commit status checks failed for {reference}.");
            return Err(GitHubError::Conflict(message));
        }
        let creator = caller.account.clone();
        let deployment = Deployment { id, creator, order, statuses: Vec::new(), created_at: caller.now };
        let shown = deployment.show(links);
        self.deployments.push(deployment);
        Ok(Deployed::Created(shown))
    }

    /// Merges the default branch into a branch that lacks some of it.
    fn merge(&mut self, reference: &str) -> Result<Option<Value>, GitHubError> {
        let default = self.seed.default_branch.clone();
        let branch = self.seed.branches.iter_mut().find(|branch| branch.name == reference);
        let Some(branch) = branch else { return Ok(None) };
        match branch.standing {
            BranchStanding::UpToDate => Ok(None),
            BranchStanding::Behind => {
                branch.standing = BranchStanding::UpToDate;
                let message = format!("Auto-merged {default} into {reference} on deployment.");
                Ok(Some(json!({"message": message})))
            }
            BranchStanding::Conflicting => {
                Err(GitHubError::Conflict(format!("Conflict merging {default} into {reference}.")))
            }
        }
    }

    pub(super) fn deployment(&self, id: u64) -> Result<&Deployment, GitHubError> {
        self.deployments.iter().find(|deployment| deployment.id == id).ok_or(GitHubError::NotFound)
    }

    pub(super) fn create_status(
        &mut self,
        deployment: u64,
        id: u64,
        body: &Map<String, Value>,
        caller: &Caller,
        links: &Links,
    ) -> Result<Value, GitHubError> {
        self.deployment(deployment)?;
        let status = Status::read(body, id, caller)?;
        let found = self.deployments.iter_mut().find(|known| known.id == deployment);
        let found = found.ok_or(GitHubError::NotFound)?;
        let shown = found.show_status(&status, links);
        found.statuses.push(status);
        Ok(shown)
    }
}
