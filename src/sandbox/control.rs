//! The control surface: what a test, a demo or a person does to the sandbox that no service offers, over HTTP and JSON.
//! It has no authentication, for it listens on the loopback only and holds no secret; each path is one method of
//! `Model`. Its own requests are neither logged nor hit by faults.
//!
//! | path | method | body or reply |
//! |---|---|---|
//! | `/state` | GET | all models |
//! | `/now` | GET, POST | `{"now": RFC 3339}`; null goes back to the wall clock |
//! | `/latency` | PUT | `{"milliseconds"}` that every answer takes |
//! | `/faults` | GET, POST, DELETE | one fault or a list |
//! | `/chance` | PUT | `{"seed", "percent"}` of the requests that fail, until the faults are deleted |
//! | `/requests` | GET, DELETE | `{"total", "requests"}` |
//! | `/play/apps` | POST | an app |
//! | `/play/apps/{package}` | PATCH | stage, review, sending |
//! | `/play/apps/{package}/tracks/{track}` | PUT | `{"releases": [..]}`, as by a person in the console |
//! | `/asc/apps` | POST | an app |
//! | `/asc/apps/{bundle id}/versions` | POST | a version |
//! | `/asc/versions/{id}` | PATCH | `{"state"}` |
//! | `/asc/phased-releases/{id}` | PATCH | `{"state"}`, as by a person |
//! | `/asc/budget` | PUT | `{"requests_per_hour", "requests_per_minute"}`; null lifts a limit |
//! | `/asc/clock` | PUT | `{"ahead_seconds"}` of the clock by which tokens are judged |
//! | `/slack/channels` | POST | a channel |
//! | `/slack/channels/{id}` | PATCH | `{"access"}`: the bot's place in it |
//! | `/slack/channels/{id}/messages` | POST | `{"text"}`, as by a person |
//! | `/slack/channels/{id}/messages/{ts}` | DELETE | as by a person |
//! | `/github/repositories` | POST | a repository |
//! | `/github/repositories/{owner}/{name}/issues` | POST | an issue that somebody else opens |
//! | `/github/repositories/{owner}/{name}/issues/{number}` | PATCH | `{"state"}`, as by a person |
//! | `/github/token` | PUT | `{"of": "workflow" or "person"}`: whose token it is |
//! | `/github/budget` | PUT | `{"requests_per_hour"}`; null goes back to GitHub's own |
//! | `/slack/token` | PUT | `{"scopes": [..]}` |
//! | `/slack/limit` | PUT | `{"posts_per_second"}`; null lifts it |
//! | `/slack/files` | GET | files that were announced, and whether they are shown |
//! | `/bigquery/datasets` | POST | a dataset |
//! | `/bigquery/datasets/{project}/{dataset}` | PATCH | location, access, warehouse |
//! | `/bigquery/datasets/{project}/{dataset}/tables/{table}` | PUT | partitioning, hidden and extra columns, bytes |
//! | `/bigquery/projects/{project}` | PUT | `{"jobs": "allowed" or "denied"}` |
//! | `/bigquery/jobs` | PUT | polls while running, rows of a page, failures to come |
//! | `/google/secrets` | POST | a secret |
//! | `/google/token-lifetime` | PUT | `{"seconds"}` of tokens from now on; null goes back to an hour |

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::asc::seed::{AppVersionState, PhasedReleaseState};
use super::bigquery::seed::Access;
use super::call::{Call, CallBody, Reply};
use super::faults::Fault;
use super::github::seed::{GitHubCaller, IssueState};
use super::model::Model;
use super::play::error::PlayError;
use super::slack::ChannelAccess;

/// Why a change of the sandbox was refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A name that is taken.
    #[error("{kind} {name} exists already")]
    Exists {
        /// What it names.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A name that nothing has.
    #[error("unknown {kind} {name}; known are: {known}")]
    Unknown {
        /// What it should name.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that would do.
        known: String,
    },
    /// The model or the surface refuses.
    #[error("{text}")]
    Refused {
        /// The HTTP status over the surface.
        status: u16,
        /// Why.
        text: String,
    },
}

impl ControlError {
    pub(super) fn exists(kind: &'static str, name: &str) -> Self {
        Self::Exists { kind, name: name.to_owned() }
    }

    pub(super) fn unknown(kind: &'static str, name: &str, known: &[String]) -> Self {
        Self::Unknown { kind, name: name.to_owned(), known: known.join(", ") }
    }

    pub(super) fn refused(status: u16, text: impl Into<String>) -> Self {
        Self::Refused { status, text: text.into() }
    }

    pub(super) fn play(error: &PlayError, package: &str, known: &[String]) -> Self {
        match error {
            PlayError::Package(_) => Self::unknown("package", package, known),
            error => Self::refused(404, error.to_string()),
        }
    }

    fn reply(&self) -> Reply {
        let status = match self {
            Self::Exists { .. } => 409,
            Self::Unknown { .. } => 404,
            Self::Refused { status, .. } => *status,
        };
        Reply::json(status, json!({"error": self.to_string()}))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NowBody {
    now: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleasesBody {
    releases: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateBody<T> {
    state: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyBody {
    milliseconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChanceBody {
    seed: u64,
    percent: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetBody {
    requests_per_hour: Option<usize>,
    requests_per_minute: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AscClockBody {
    ahead_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HourBody {
    requests_per_hour: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessBody {
    access: ChannelAccess,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    of: GitHubCaller,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextBody {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesBody {
    scopes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostsBody {
    posts_per_second: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectBody {
    jobs: Access,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeBody {
    seconds: Option<u32>,
}

/// Answers a request to the surface.
pub(super) fn answer(model: &Model, call: &Call) -> Reply {
    match route(model, call) {
        Ok(Value::Null) => Reply::empty(204),
        Ok(value) => Reply::json(200, value),
        Err(error) => error.reply(),
    }
}

fn route(model: &Model, call: &Call) -> Result<Value, ControlError> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["state"]) => return Ok(model.state()),
        ("GET", ["now"]) => return Ok(json!({"now": model.now().to_string()})),
        ("POST", ["now"]) => model.set_now(body::<NowBody>(call)?.now),
        ("PUT", ["latency"]) => {
            model.set_latency(Duration::from_millis(body::<LatencyBody>(call)?.milliseconds));
        }
        ("GET", ["faults"]) => return Ok(json!({"faults": model.faults()})),
        ("POST", ["faults"]) => add_faults(model, call)?,
        ("DELETE", ["faults"]) => model.clear_faults(),
        ("PUT", ["chance"]) => {
            let chance: ChanceBody = body(call)?;
            model.set_chance(chance.seed, chance.percent);
        }
        ("GET", ["requests"]) => {
            let requests = model.requests();
            return Ok(json!({"total": requests.len(), "requests": requests}));
        }
        ("DELETE", ["requests"]) => model.clear_requests(),
        ("POST", ["play", "apps"]) => model.add_play_app(body(call)?)?,
        ("PATCH", ["play", "apps", package]) => model.set_play_conditions(package, body(call)?)?,
        ("PUT", ["play", "apps", package, "tracks", track]) => {
            model.console_change(package, track, body::<ReleasesBody>(call)?.releases)?;
        }
        ("POST", ["asc", "apps"]) => model.add_asc_app(body(call)?)?,
        ("POST", ["asc", "apps", bundle_id, "versions"]) => {
            return model.add_asc_version(bundle_id, body(call)?).map(|id| json!({"id": id}));
        }
        ("PATCH", ["asc", "versions", id]) => {
            model.set_version_state(id, body::<StateBody<AppVersionState>>(call)?.state)?;
        }
        ("PATCH", ["asc", "phased-releases", id]) => {
            model.change_phased_release(id, body::<StateBody<PhasedReleaseState>>(call)?.state)?;
        }
        ("PUT", ["asc", "budget"]) => {
            let budget = body::<BudgetBody>(call)?;
            model.set_asc_budget(budget.requests_per_hour);
            model.set_asc_minute_limit(budget.requests_per_minute);
        }
        ("PUT", ["asc", "clock"]) => {
            let ahead = SignedDuration::from_secs(body::<AscClockBody>(call)?.ahead_seconds);
            model.set_asc_clock_ahead(ahead);
        }
        ("POST", ["slack", "channels"]) => model.add_slack_channel(body(call)?)?,
        ("PATCH", ["slack", "channels", channel]) => {
            model.set_slack_access(channel, body::<AccessBody>(call)?.access)?;
        }
        ("POST", ["slack", "channels", channel, "messages"]) => {
            let ts = model.post_slack_message(channel, &body::<TextBody>(call)?.text)?;
            return Ok(json!({"ts": ts}));
        }
        ("PUT", ["slack", "token"]) => model.set_slack_scopes(body::<ScopesBody>(call)?.scopes),
        ("PUT", ["slack", "limit"]) => {
            model.set_slack_posts_per_second(body::<PostsBody>(call)?.posts_per_second);
        }
        ("GET", ["slack", "files"]) => return Ok(model.slack_files()),
        ("DELETE", ["slack", "channels", channel, "messages", ts]) => {
            model.delete_slack_message(channel, ts)?;
        }
        ("POST", ["github", "repositories"]) => model.add_github_repository(body(call)?)?,
        ("POST", ["github", "repositories", owner, name, "issues"]) => {
            let number = model.open_github_issue(&format!("{owner}/{name}"), body(call)?)?;
            return Ok(json!({"number": number}));
        }
        ("PATCH", ["github", "repositories", owner, name, "issues", number]) => {
            let state = body::<StateBody<IssueState>>(call)?.state;
            // A number that is none names no issue.
            let number = number.parse().unwrap_or_default();
            model.set_github_issue_state(&format!("{owner}/{name}"), number, state)?;
        }
        ("PUT", ["github", "token"]) => model.set_github_caller(body::<TokenBody>(call)?.of),
        ("PUT", ["github", "budget"]) => model.set_github_budget(body::<HourBody>(call)?.requests_per_hour),
        ("POST", ["bigquery", "datasets"]) => model.add_bigquery_dataset(body(call)?)?,
        ("PATCH", ["bigquery", "datasets", project, dataset]) => {
            model.change_bigquery_dataset(project, dataset, body(call)?)?;
        }
        ("PUT", ["bigquery", "datasets", project, dataset, "tables", table]) => {
            model.set_bigquery_table(project, dataset, table, body(call)?)?;
        }
        ("PUT", ["bigquery", "projects", project]) => {
            model.set_bigquery_job_access(project, body::<ProjectBody>(call)?.jobs);
        }
        ("PUT", ["bigquery", "jobs"]) => model.set_bigquery_jobs(body(call)?),
        ("POST", ["google", "secrets"]) => model.add_secret(body(call)?)?,
        ("PUT", ["google", "token-lifetime"]) => {
            model.set_token_lifetime(body::<LifetimeBody>(call)?.seconds);
        }
        _ => {
            return Err(ControlError::refused(
                404,
                format!("no such control: {} {}", call.method, call.path),
            ));
        }
    }
    Ok(Value::Null)
}

fn add_faults(model: &Model, call: &Call) -> Result<(), ControlError> {
    let faults: Vec<Fault> =
        if call.json().is_some_and(Value::is_array) { body(call)? } else { vec![body::<Fault>(call)?] };
    faults.into_iter().for_each(|fault| model.add_fault(fault));
    Ok(())
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, ControlError> {
    let value = match &call.body {
        CallBody::Json(value) => value.clone(),
        CallBody::Empty | CallBody::Form(_) => {
            return Err(ControlError::refused(400, "a JSON body is needed"));
        }
        CallBody::Invalid(reason) => {
            return Err(ControlError::refused(400, format!("read the JSON body: {reason}")));
        }
    };
    serde_json::from_value(value)
        .map_err(|error| ControlError::refused(400, format!("read the JSON body: {error}")))
}
