//! A deployment with a status for each release that is told of, so that the repository's environment page shows what was
//! halted. A deployment has no hidden line but a payload: ours holds the key.
//!
//! Nothing is deployed by it: no contexts are required, nothing is merged, and GitHub starts only what listens to the
//! event. API: <https://docs.github.com/rest/deployments>.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GitHub, MOST_PAGES, PER_PAGE, time_to_arrive};
use super::error::Purpose;
use super::text;
use crate::domain::markdown::cut;
use crate::domain::message::Note;
use crate::domain::outbox::Posted;
use crate::ports::{Found, Notifier, PortError};

/// Looking for a deployment starts this long before the first attempt, for clocks that differ.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(300);
/// The longest description that GitHub takes, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 140;
/// The field of the payload that holds the key.
const KEY_FIELD: &str = "tidegate";
/// The state of a status that tells of a halt.
const FAILURE: &str = "failure";

/// How far a deployment of ours has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Nowhere,
    /// It is there, by this id, and its failure was not told yet.
    WithoutStatus(u64),
    /// It is there, by this id, and tells its failure.
    Told(u64),
}

/// The deployments of one environment of a repository.
#[derive(Clone)]
pub struct Deployments {
    github: GitHub,
    environment: String,
    reference: Option<String>,
    log_url: Option<String>,
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    payload: Value,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Status {
    state: String,
}

impl Deployments {
    /// The deployments of an environment; new ones are of a branch, a tag or a commit, or of the default branch. Their
    /// statuses link to the log of the run, where it has an address.
    #[must_use]
    pub fn new(
        github: GitHub,
        environment: String,
        reference: Option<String>,
        log_url: Option<String>,
    ) -> Self {
        Self { github, environment, reference, log_url }
    }

    /// Looks for the deployment with a key that was created since a little before `since`, and for its status; without
    /// `since` it is looked for among the newest only.
    ///
    /// # Errors
    /// Where GitHub could not be asked, or has more deployments since then than are looked at.
    pub async fn standing(&self, key: &str, since: Option<Timestamp>) -> Result<Standing, PortError> {
        let since = since.map(|since| since.checked_sub(LOOK_BACK).unwrap_or(since));
        let purpose = Purpose::LookForDeployment;
        let query = [("environment", self.environment.as_str())];
        for page in 1..=MOST_PAGES {
            let deployments: Vec<Deployment> =
                self.github.page(&purpose, "/deployments", &query, page).await?;
            if let Some(ours) = deployments.iter().find(|deployment| has_key(&deployment.payload, key)) {
                return self.told(ours.id).await;
            }
            // The newest come first.
            let oldest = deployments.last().map(|oldest| oldest.created_at);
            if oldest.is_none()
                || since.is_none()
                || oldest < since
                || deployments.len() < usize::from(PER_PAGE)
            {
                return Ok(Standing::Nowhere);
            }
        }
        Err(PortError::new(
            format!("{} has too many new deployments to look for ours", self.github.repository()),
            "look for the release under the environment by hand",
        ))
    }

    fn posted(&self, id: u64) -> Posted {
        Posted { channel: self.github.repository().to_string(), id: id.to_string(), thread: None }
    }

    async fn told(&self, id: u64) -> Result<Standing, PortError> {
        let path = format!("/deployments/{id}/statuses");
        let statuses: Vec<Status> = self.github.page(&Purpose::LookForDeployment, &path, &[], 1).await?;
        match statuses.iter().any(|status| status.state == FAILURE) {
            true => Ok(Standing::Told(id)),
            false => Ok(Standing::WithoutStatus(id)),
        }
    }

    /// Tells of a halted release in a line of which 140 characters are shown: finds the deployment or creates it, then gives it its status. Each is made once, so a
    /// call after an unclear one adds only what is missing. Returns the id of the deployment.
    ///
    /// # Errors
    /// Where it was refused, or how much of it was done is unclear.
    pub async fn tell(&self, key: &str, description: &str) -> Result<u64, PortError> {
        let id = match self.standing(key, None).await? {
            Standing::Told(id) => return Ok(id),
            Standing::WithoutStatus(id) => id,
            Standing::Nowhere => self.create(key, description).await?,
        };
        self.set_failure(id, description).await?;
        Ok(id)
    }

    async fn create(&self, key: &str, description: &str) -> Result<u64, PortError> {
        let reference = match &self.reference {
            Some(reference) => reference,
            None => self.github.default_branch().await?,
        };
        let order = json!({
            "ref": reference,
            "environment": self.environment,
            "description": cut(description, LONGEST_DESCRIPTION),
            "payload": {KEY_FIELD: key},
            "auto_merge": false,
            "required_contexts": [],
            "production_environment": true,
        });
        let answer: Value = self.github.post(&Purpose::CreateDeployment, "/deployments", &order).await?;
        // An answer without an id is that of a merge, which we did not ask for.
        answer.get("id").and_then(Value::as_u64).ok_or_else(|| {
            PortError::unclear(
                format!(
                    "GitHub answered the creation of a deployment in {} without its id",
                    self.github.repository()
                ),
                "nothing: the next run looks whether it is there",
            )
        })
    }

    async fn set_failure(&self, id: u64, description: &str) -> Result<(), PortError> {
        let mut status = json!({"state": FAILURE, "description": cut(description, LONGEST_DESCRIPTION)});
        if let Some(url) = &self.log_url {
            status["log_url"] = json!(url);
        }
        let path = format!("/deployments/{id}/statuses");
        self.github.post::<_, Value>(&Purpose::SetStatus, &path, &status).await.map(drop)
    }
}

#[async_trait]
impl Notifier for Deployments {
    async fn post(&self, key: &str, note: &Note, _parent: Option<&Posted>) -> Result<Posted, PortError> {
        self.tell(key, &text::description(note)).await.map(|id| self.posted(id))
    }

    async fn update(&self, posted: &Posted, _key: &str, note: &Note) -> Result<(), PortError> {
        // The newest status is the one that is shown.
        match posted.id.parse() {
            Ok(id) => self.set_failure(id, &text::description(note)).await,
            Err(_) => Ok(()),
        }
    }

    async fn find(
        &self,
        key: &str,
        _parent: Option<&Posted>,
        since: Timestamp,
        age: SignedDuration,
    ) -> Result<Found, PortError> {
        let mut standing = self.standing(key, Some(since)).await?;
        if let Some(rest) = time_to_arrive(age).filter(|_| standing == Standing::Nowhere) {
            tokio::time::sleep(rest).await;
            standing = self.standing(key, Some(since)).await?;
        }
        Ok(match standing {
            Standing::Told(id) => Found::There(self.posted(id)),
            // Where its failure is not told yet, posting it again adds what is missing; a second status does no harm.
            Standing::WithoutStatus(_) | Standing::Nowhere => Found::Nowhere,
        })
    }
}

/// GitHub gives a payload back as it was sent, or as the text of it.
fn has_key(payload: &Value, key: &str) -> bool {
    let has = |payload: &Value| payload.get(KEY_FIELD).and_then(Value::as_str) == Some(key);
    let from_text = || payload.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    has(payload) || from_text().is_some_and(|payload| has(&payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_in_both_forms() {
        assert!(has_key(&json!({"tidegate": "halt-1", "more": 1}), "halt-1"));
        assert!(has_key(&json!("{\"tidegate\": \"halt-1\"}"), "halt-1"));
        for other in [json!({"tidegate": "halt-2"}), json!({}), json!(""), json!("halt-1"), json!(null)] {
            assert!(!has_key(&other, "halt-1"), "{other}");
        }
    }
}
