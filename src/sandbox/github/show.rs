//! What accounts, labels and repositories look like in replies: every field that the official description requires, and
//! none that it lacks.

use serde_json::{Map, Value, json};

use super::model::{Caller, Repository};

/// Where people see things; links to the API lead back to the sandbox.
const WEB: &str = "https://github.com";
/// The color of a label that was made by the way.
const LABEL_COLOR: &str = "ededed";

/// Somebody who opens issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) login: String,
    kind: &'static str,
}

impl Account {
    /// The account of a workflow's own token.
    pub(super) fn workflow() -> Self {
        Self { login: "github-actions[bot]".to_owned(), kind: "Bot" }
    }

    pub(super) fn person(login: &str) -> Self {
        Self { login: login.to_owned(), kind: "User" }
    }

    pub(super) fn show(&self, links: &Links) -> Value {
        let login = &self.login;
        let api = format!("{}/users/{}", links.api, login.replace('[', "%5B").replace(']', "%5D"));
        let mut shown = json!({
            "login": login, "id": number_of(login), "node_id": format!("U_{}", number_of(login)),
            "avatar_url": format!("{WEB}/images/{}.png", number_of(login)), "gravatar_id": "", "url": api,
            "html_url": format!("{WEB}/{}", login.trim_end_matches("[bot]")), "type": self.kind, "site_admin": false,
        });
        for name in ["followers", "subscriptions", "repos", "received_events"] {
            shown[format!("{name}_url")] = json!(format!("{api}/{name}"));
        }
        shown["organizations_url"] = json!(format!("{api}/orgs"));
        shown["following_url"] = json!(format!("{api}/following{{/other_user}}"));
        shown["gists_url"] = json!(format!("{api}/gists{{/gist_id}}"));
        shown["starred_url"] = json!(format!("{api}/starred{{/owner}}{{/repo}}"));
        shown["events_url"] = json!(format!("{api}/events{{/privacy}}"));
        shown
    }
}

/// A number that is the same for the same name.
fn number_of(name: &str) -> u64 {
    const PRIME: u64 = 1_099_511_627_791;
    name.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % PRIME)
}

/// From where replies link.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// The address of the API.
    pub(super) api: String,
    full_name: String,
}

impl Links {
    pub(super) fn new(caller: &Caller) -> Self {
        Self { api: format!("http://{}", caller.host), full_name: String::new() }
    }

    /// Links for the control surface, which belongs to no host.
    pub(super) fn control() -> Self {
        Self { api: "https://api.github.com".to_owned(), full_name: String::new() }
    }

    pub(super) fn of(&self, full_name: &str) -> Self {
        Self { api: self.api.clone(), full_name: full_name.to_owned() }
    }

    /// The repository in the API.
    pub(super) fn repository(&self) -> String {
        format!("{}/repos/{}", self.api, self.full_name)
    }

    /// The repository for people.
    pub(super) fn web(&self) -> String {
        format!("{WEB}/{}", self.full_name)
    }
}

pub(super) fn label(name: &str, links: &Links) -> Value {
    let id = number_of(name);
    json!({
        "id": id, "node_id": format!("LA_{id}"), "url": format!("{}/labels/{}", links.repository(), escaped(name)),
        "name": name, "description": null, "color": LABEL_COLOR, "default": false,
    })
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let part = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(part).collect()
}

/// The addresses of a repository that are its own with a word after it.
const PARTS: [&str; 16] = [
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "hooks",
    "languages",
    "merges",
    "stargazers",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "assignees",
    "branches",
    "collaborators",
];
/// The same with a template after the word.
const TEMPLATES: [(&str, &str); 20] = [
    ("archive", "{archive_format}{/ref}"),
    ("blobs", "git/blobs{/sha}"),
    ("comments", "comments{/number}"),
    ("commits", "commits{/sha}"),
    ("compare", "compare/{base}...{head}"),
    ("contents", "contents/{+path}"),
    ("git_commits", "git/commits{/sha}"),
    ("git_refs", "git/refs{/sha}"),
    ("git_tags", "git/tags{/sha}"),
    ("issue_comment", "issues/comments{/number}"),
    ("issue_events", "issues/events{/number}"),
    ("issues", "issues{/number}"),
    ("keys", "keys{/key_id}"),
    ("labels", "labels{/name}"),
    ("milestones", "milestones{/number}"),
    ("notifications", "notifications{?since,all,participating}"),
    ("pulls", "pulls{/number}"),
    ("releases", "releases{/id}"),
    ("statuses", "statuses/{sha}"),
    ("trees", "git/trees{/sha}"),
];

/// A repository as `GET /repos/{owner}/{repo}` shows it.
pub(super) fn repository(repository: &Repository, links: &Links) -> Value {
    let links = links.of(&repository.seed.full_name);
    let (api, web) = (links.repository(), links.web());
    let (owner, name) = repository.seed.full_name.split_once('/').unwrap_or_default();
    let created_at = repository.created_at.to_string();
    let mut shown = json!({
        "id": repository.id, "node_id": format!("R_{}", repository.id), "name": name,
        "full_name": repository.seed.full_name, "owner": Account::person(owner).show(&links), "private": true,
        "html_url": web, "description": null, "fork": false, "url": api,
        "clone_url": format!("{web}.git"), "git_url": format!("git:{web}.git"), "ssh_url": format!("git@github.com:{owner}/{name}.git"),
        "svn_url": web, "mirror_url": null, "homepage": null, "language": null, "license": null,
        "default_branch": repository.seed.default_branch, "archived": false, "disabled": false,
        "has_issues": repository.seed.issues == super::seed::IssuesFeature::Enabled, "has_projects": true,
        "has_wiki": true, "has_pages": false, "has_downloads": true,
        "created_at": created_at, "updated_at": created_at, "pushed_at": created_at,
    });
    for name in [
        "forks",
        "forks_count",
        "stargazers_count",
        "watchers",
        "watchers_count",
        "size",
        "open_issues",
        "open_issues_count",
    ] {
        shown[name] = json!(0);
    }
    let parts = PARTS.iter().map(|part| (*part, (*part).to_owned()));
    let templates = TEMPLATES.iter().map(|(name, path)| (*name, (*path).to_owned()));
    let urls: Map<String, Value> = parts
        .chain(templates)
        .map(|(name, path)| (format!("{name}_url"), format!("{api}/{path}").into()))
        .collect();
    shown.as_object_mut().into_iter().for_each(|object| object.extend(urls.clone()));
    shown
}
