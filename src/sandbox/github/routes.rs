//! Paths, permissions and pages of GitHub's REST API. A repository that the token can't see is answered as if it were
//! not there; one that it can see, with what the token lacks.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::call::{Call, CallBody, Reply};
use super::deployments::{Deployed, Filter as DeploymentFilter};
use super::error::GitHubError;
use super::issues::{Filter as IssueFilter, draft};
use super::model::{Caller, GitHubModel, Repository};
use super::seed::{GitHubAccess, GitHubCaller, IssueState, IssuesFeature};
use super::show::{self, Links};

/// Items on a page unless the caller asks for another number.
const DEFAULT_PER_PAGE: usize = 30;
/// The most items on a page.
const MAX_PER_PAGE: usize = 100;

/// Answers a call; `allowed` is what the check of the token said.
pub(crate) fn answer(
    model: &mut GitHubModel,
    call: &Call,
    allowed: Result<(), GitHubError>,
    now: Timestamp,
) -> Reply {
    if let Err(error) = allowed {
        return error.reply();
    }
    let caller = Caller { account: model.account(), now, host: call.host.clone() };
    let (budget, allowed) = model.spend(now);
    let reply = allowed.and_then(|()| route(model, call, &caller));
    budget.on(reply.unwrap_or_else(|error| error.reply()))
}

fn route(model: &mut GitHubModel, call: &Call, caller: &Caller) -> Result<Reply, GitHubError> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["user"]) => match model.caller_kind() {
            GitHubCaller::Workflow => Err(GitHubError::NotAccessible),
            GitHubCaller::Person => Ok(Reply::json(200, caller.account.show(&Links::new(caller)))),
        },
        (method, ["repos", owner, name, rest @ ..]) => {
            let id = model.next_id();
            let repository = model.repository(owner, name)?;
            let links = Links::new(caller).of(&repository.seed.full_name.clone());
            within(repository, &Within { call, method, rest, id, caller, links })
        }
        _ => Err(GitHubError::NotFound),
    }
}

/// A call about one repository.
struct Within<'c> {
    call: &'c Call,
    method: &'c str,
    rest: &'c [&'c str],
    /// For whatever the call creates.
    id: u64,
    caller: &'c Caller,
    links: Links,
}

fn within(repository: &mut Repository, asked: &Within<'_>) -> Result<Reply, GitHubError> {
    match asked.rest {
        [] if asked.method == "GET" => {
            Ok(Reply::json(200, show::repository(repository, &Links::new(asked.caller))))
        }
        ["issues", rest @ ..] => {
            needs(repository.seed.permissions.issues, asked.method)?;
            if repository.seed.issues == IssuesFeature::Disabled {
                return Err(GitHubError::IssuesDisabled);
            }
            issues(repository, asked, rest)
        }
        ["deployments", rest @ ..] => {
            needs(repository.seed.permissions.deployments, asked.method)?;
            deployments(repository, asked, rest)
        }
        ["dispatches"] if asked.method == "POST" => {
            needs(repository.seed.permissions.contents, asked.method)?;
            repository.dispatch_event(&body(asked.call)?)?;
            Ok(Reply::empty(204))
        }
        ["actions", "workflows", file, "dispatches"] if asked.method == "POST" => {
            needs(repository.seed.permissions.actions, asked.method)?;
            let run = repository.dispatch_workflow(file, asked.id, &body(asked.call)?, &asked.links)?;
            Ok(run.map_or_else(|| Reply::empty(204), |details| Reply::json(200, details)))
        }
        _ => Err(GitHubError::NotFound),
    }
}

fn issues(repository: &mut Repository, asked: &Within<'_>, rest: &[&str]) -> Result<Reply, GitHubError> {
    let (caller, links, id) = (asked.caller, &asked.links, asked.id);
    match (asked.method, rest) {
        ("GET", []) => page(asked, repository.list_issues(&issue_filter(asked.call)?, links)),
        ("POST", []) => {
            let issue = repository.create_issue(id, draft(&body(asked.call)?)?, caller, links)?;
            Ok(Reply::json(201, issue))
        }
        ("GET", [number]) => Ok(Reply::json(200, repository.issue(parsed(number)?)?.show(links))),
        ("PATCH", [number]) => {
            let draft = draft(&body(asked.call)?)?;
            Ok(Reply::json(200, repository.update_issue(parsed(number)?, draft, caller, links)?))
        }
        ("GET", [number, "comments"]) => {
            let comments = repository.issue(parsed(number)?)?.show_comments(links);
            page(asked, comments.as_array().cloned().unwrap_or_default())
        }
        ("POST", [number, "comments"]) => {
            let body = body(asked.call)?;
            let text = body.get("body").and_then(Value::as_str).unwrap_or_default();
            let comment = repository.create_comment(parsed(number)?, id, text, caller, links)?;
            Ok(Reply::json(201, comment))
        }
        _ => Err(GitHubError::NotFound),
    }
}

fn deployments(repository: &mut Repository, asked: &Within<'_>, rest: &[&str]) -> Result<Reply, GitHubError> {
    let (caller, links, id) = (asked.caller, &asked.links, asked.id);
    match (asked.method, rest) {
        ("GET", []) => page(asked, repository.list_deployments(&deployment_filter(asked.call)?, links)),
        ("POST", []) => match repository.create_deployment(id, &body(asked.call)?, caller, links)? {
            Deployed::Created(shown) => Ok(Reply::json(201, shown)),
            Deployed::Merged(shown) => Ok(Reply::json(202, shown)),
        },
        ("GET", [deployment, "statuses"]) => {
            let statuses = repository.deployment(parsed(deployment)?)?.show_statuses(links);
            page(asked, statuses.as_array().cloned().unwrap_or_default())
        }
        ("POST", [deployment, "statuses"]) => {
            let status =
                repository.create_status(parsed(deployment)?, id, &body(asked.call)?, caller, links)?;
            Ok(Reply::json(201, status))
        }
        _ => Err(GitHubError::NotFound),
    }
}

/// Reading needs reading, everything else writing.
fn needs(held: GitHubAccess, method: &str) -> Result<(), GitHubError> {
    let needed = if method == "GET" { GitHubAccess::Read } else { GitHubAccess::Write };
    if held >= needed { Ok(()) } else { Err(GitHubError::NotAccessible) }
}

fn parsed(number: &str) -> Result<u64, GitHubError> {
    number.parse().map_err(|_| GitHubError::NotFound)
}

fn body(call: &Call) -> Result<Map<String, Value>, GitHubError> {
    match &call.body {
        CallBody::Json(Value::Object(object)) => Ok(object.clone()),
        CallBody::Empty | CallBody::Json(_) | CallBody::Form(_) | CallBody::Invalid(_) => {
            Err(GitHubError::NotJson)
        }
    }
}

/// Refuses parameters that the call does not have, and reads the known ones.
fn known<'c>(call: &'c Call, names: &[&str]) -> Result<impl Fn(&str) -> Option<&'c str>, GitHubError> {
    let pages = ["per_page", "page"];
    let unknown = call
        .query
        .iter()
        .find(|(name, _)| !names.contains(&name.as_str()) && !pages.contains(&name.as_str()));
    match unknown {
        Some((name, _)) => Err(GitHubError::request(format!("\"{name}\" is not a permitted parameter."))),
        None => Ok(|name: &str| call.query_value(name)),
    }
}

fn issue_filter(call: &Call) -> Result<IssueFilter, GitHubError> {
    let value = known(call, &["state", "labels", "creator", "since"])?;
    let state = match value("state") {
        None | Some("open") => Some(IssueState::Open),
        Some("closed") => Some(IssueState::Closed),
        Some("all") => None,
        Some(_) => return Err(GitHubError::field("Issue", "state", "invalid")),
    };
    let since = value("since").map(|since| since.parse::<Timestamp>());
    let since = since.transpose().map_err(|_| GitHubError::field("Issue", "since", "invalid"))?;
    let labels = value("labels").unwrap_or_default().split(',').filter(|label| !label.is_empty());
    Ok(IssueFilter {
        state,
        labels: labels.map(str::to_owned).collect(),
        creator: value("creator").map(str::to_owned),
        since,
    })
}

fn deployment_filter(call: &Call) -> Result<DeploymentFilter, GitHubError> {
    let value = known(call, &["ref", "task", "environment"])?;
    let text = |name: &str| value(name).map(str::to_owned);
    Ok(DeploymentFilter { reference: text("ref"), task: text("task"), environment: text("environment") })
}

/// One page of a list, with links to the others.
fn page(asked: &Within<'_>, items: Vec<Value>) -> Result<Reply, GitHubError> {
    let number = |name: &str, default: usize| match asked.call.query_value(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| GitHubError::request(format!("\"{name}\" is not a positive number."))),
    };
    let (size, page) = (number("per_page", DEFAULT_PER_PAGE)?.min(MAX_PER_PAGE), number("page", 1)?);
    let last = items.len().div_ceil(size).max(1);
    let shown: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
    let reply = Reply::json(200, shown.into());
    let links = [("prev", page - 1), ("next", page + 1), ("last", last), ("first", 1)];
    let is_there = |(rel, to): &(&str, usize)| match *rel {
        "prev" | "first" => page > 1 && *to >= 1,
        _ => page < last,
    };
    let header: Vec<String> = links
        .into_iter()
        .filter(is_there)
        .map(|(rel, to)| format!("<{}>; rel=\"{rel}\"", address(asked, to)))
        .collect();
    Ok(if header.is_empty() { reply } else { reply.with_header("link", &header.join(", ")) })
}

/// The address of another page of the same list.
fn address(asked: &Within<'_>, page: usize) -> String {
    let others = asked.call.query.iter().filter(|(name, _)| name != "page");
    let query: Vec<String> =
        others.map(|(name, value)| format!("{name}={}", value.replace(' ', "%20"))).collect();
    let query: String = query.into_iter().map(|part| part + "&").collect();
    format!("http://{}{}?{query}page={page}", asked.caller.host, asked.call.path)
}
