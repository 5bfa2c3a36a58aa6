//! GitHub's adapter against the sandbox's GitHub: nothing is made twice, nothing of a stranger is taken for ours, every
//! refusal says what a person can do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::adapters::github::{Deployments, Dispatches, GitHub, Issues, RepositoryName, Standing, Start};
use tidegate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use tidegate::domain::message::{Note, NoteKind, Subject};
use tidegate::domain::release::ReleaseId;
use tidegate::ports::{Effect, Found, Notifier, Outlook, PortError};
use tidegate::sandbox::{
    BranchSeed, BranchStanding, CannedReply, Fault, FaultKind, ForeignIssue, GitHubAccess, GitHubCaller,
    GitHubRepositorySeed, IssueState, IssuesFeature, LoggedRequest, Ports, Sandbox, SandboxOptions, Seed,
    Service,
};

use crate::town::{Apps, Events, REPOSITORY, Town};

const KEY: &str = "halt@github-issue-0123456789abcdef";
/// The hidden line of that key.
const LINE: &str = "<!-- tidegate:halt-github-issue-0123456789abcdef -->";
/// So long after sending began that what is not there did not arrive.
const LONG_AGO: SignedDuration = SignedDuration::from_mins(5);

struct Hub {
    sandbox: Sandbox,
    _folder: tempfile::TempDir,
}

impl Hub {
    async fn new(change: impl FnOnce(&mut GitHubRepositorySeed)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut repository =
            GitHubRepositorySeed::new(REPOSITORY).with_workflow("halted.yml", &["app", "release"]);
        repository.assignable = vec!["octocat".into()];
        change(&mut repository);
        let seed = Seed { github: vec![repository], ..Seed::default() };
        let credentials_dir = folder.path().join("keys");
        let options = SandboxOptions { ports: Ports::default(), seed, credentials_dir };
        Self { sandbox: Sandbox::start(options).await.unwrap(), _folder: folder }
    }

    fn at(&self, address: &str, repository: &str, token: &str) -> GitHub {
        let repository = RepositoryName::parse(repository).unwrap();
        GitHub::connect(address, &SecretString::from(token), repository).unwrap()
    }

    fn github(&self) -> GitHub {
        self.at(&self.sandbox.endpoints.github, REPOSITORY, &self.sandbox.credentials.github_token)
    }

    fn issues(&self) -> Issues {
        Issues::new(self.github(), vec!["tidegate".into()], vec!["octocat".into()])
    }

    fn deployments(&self) -> Deployments {
        let log_url = "https://github.com/acme/app/actions/runs/1";
        Deployments::new(self.github(), "production".into(), None, Some(log_url.into()))
    }

    fn dispatches(&self, start: Start) -> Dispatches {
        Dispatches::new(self.github(), start)
    }

    fn fault(&self, kind: FaultKind, method: &str, path: &str) {
        self.sandbox.model().add_fault(Fault::new(Service::GitHub, kind).on(method, path));
    }

    fn refuse(&self, reply: CannedReply, method: &str, path: &str) {
        self.fault(FaultKind::Status(reply), method, path);
    }

    fn state(&self) -> Value {
        self.sandbox.model().state()["github"][REPOSITORY].clone()
    }

    fn opened(&self) -> Vec<Value> {
        self.state()["issues"].as_array().unwrap().clone()
    }

    /// How often something was asked.
    fn asked(&self, method: &str, path: &str) -> usize {
        let is = |request: &&LoggedRequest| request.method == method && request.path.contains(path);
        self.sandbox.model().requests().iter().filter(is).count()
    }
}

fn now() -> Timestamp {
    tidegate::ports::Clock::now(&tidegate::adapters::clock::SystemClock)
}

fn note() -> Note {
    Note {
        kind: NoteKind::Halt,
        headline: "🛑 HALTED Android 2.0 (android): 99.00 % crash-free sessions".into(),
        lines: vec!["10 of 1,000 sessions crashed.".into()],
        figures: Vec::new(),
        next: "Prepare a fix.".into(),
        topic: "crash-free-sessions-halt".into(),
        subject: Some(Subject {
            release: ReleaseId {
                app: AppId::new("android").unwrap(),
                platform: Platform::Android,
                key: "200".into(),
            },
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            decision: None,
        }),
        links: Vec::new(),
    }
}

/// Both kinds of tokens: that of a workflow, which may not ask who it is, and that of a person.
const CALLERS: [GitHubCaller; 2] = [GitHubCaller::Workflow, GitHubCaller::Person];

#[tokio::test]
async fn an_issue_is_opened_once_and_edited_in_place() {
    for caller in CALLERS {
        let hub = Hub::new(|_| {}).await;
        hub.sandbox.model().set_github_caller(caller);
        let issues = hub.issues();
        let first = issues.post(KEY, &note(), None).await.unwrap();
        // Another process, which knows nothing of the first.
        let second = hub.issues().post(KEY, &note(), None).await.unwrap();
        assert_eq!((&first, first.channel.as_str(), first.id.as_str()), (&second, REPOSITORY, "1"));
        let found = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
        assert_eq!(found, Found::There(first.clone()));
        assert_eq!(issues.find("halt-other", None, now(), LONG_AGO).await.unwrap(), Found::Nowhere);
        issues.update(&first, KEY, &Note { headline: "new".into(), ..note() }).await.unwrap();
        let opened = hub.opened();
        assert_eq!(opened.len(), 1, "{opened:#?}");
        assert_eq!(opened[0]["title"], "new");
        assert!(opened[0]["body"].as_str().unwrap().starts_with(LINE));
        assert_eq!(opened[0]["labels"][0]["name"], "tidegate");
        assert_eq!(opened[0]["assignees"][0]["login"], "octocat");
    }
}

#[tokio::test]
async fn an_issue_whose_answer_was_lost_is_found_again() {
    let lost = [
        FaultKind::CloseAfter,
        FaultKind::Truncated,
        FaultKind::Empty,
        FaultKind::StatusAfter(CannedReply::status(502)),
    ];
    for caller in CALLERS {
        for kind in lost.clone() {
            let hub = Hub::new(|_| {}).await;
            hub.sandbox.model().set_github_caller(caller);
            hub.fault(kind.clone(), "POST", "/issues");
            let error = hub.issues().post(KEY, &note(), None).await.unwrap_err();
            assert_eq!(
                (error.effect, error.outlook),
                (Effect::Unclear, Outlook::Passing),
                "{kind:?} {error}"
            );
            let found = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
            assert!(matches!(&found, Found::There(posted) if posted.id == "1"), "{kind:?} {found:?}");
            hub.issues().post(KEY, &note(), None).await.unwrap();
            assert_eq!((hub.opened().len(), hub.asked("POST", "/issues")), (1, 1), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn an_issue_that_never_was_is_not_found_and_opened_then() {
    for kind in [FaultKind::Close, FaultKind::Html, FaultKind::Status(CannedReply::status(503))] {
        let hub = Hub::new(|_| {}).await;
        hub.fault(kind.clone(), "POST", "/issues");
        let error = hub.issues().post(KEY, &note(), None).await.unwrap_err();
        assert_eq!(error.effect, Effect::Unclear, "{kind:?} {error}");
        assert_eq!(hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap(), Found::Nowhere);
        hub.issues().post(KEY, &note(), None).await.unwrap();
        assert_eq!(hub.opened().len(), 1);
    }
}

#[tokio::test]
async fn a_closed_issue_is_found_and_stays_closed() {
    let hub = Hub::new(|_| {}).await;
    let posted = hub.issues().post(KEY, &note(), None).await.unwrap();
    hub.sandbox.model().set_github_issue_state(REPOSITORY, 1, IssueState::Closed).unwrap();
    assert_eq!(hub.issues().post(KEY, &note(), None).await.unwrap(), posted);
    let found = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
    assert_eq!(found, Found::There(posted.clone()));
    hub.issues().update(&posted, KEY, &Note { headline: "new".into(), ..note() }).await.unwrap();
    let opened = hub.opened();
    assert_eq!(
        (opened.len(), &opened[0]["state"], &opened[0]["title"]),
        (1, &json!("closed"), &json!("new"))
    );
}

#[tokio::test]
async fn a_strangers_issue_with_our_line_is_not_taken() {
    for caller in CALLERS {
        let hub = Hub::new(|_| {}).await;
        hub.sandbox.model().set_github_caller(caller);
        let copied = |login: &str, body: &str| ForeignIssue {
            login: login.into(),
            title: "x".into(),
            body: body.into(),
            labels: vec!["tidegate".into()],
        };
        let model = hub.sandbox.model();
        model.open_github_issue(REPOSITORY, copied("mallory", &format!("{LINE}\nx"))).unwrap();
        assert_eq!(
            hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap(),
            Found::Nowhere,
            "{caller:?}"
        );
        let posted = hub.issues().post(KEY, &note(), None).await.unwrap();
        assert_eq!(posted.id, "2");
        model.open_github_issue(REPOSITORY, copied("mallory", &format!("{LINE}\nx"))).unwrap();
        model.open_github_issue(REPOSITORY, copied("tidegate-sandbox", &format!("text\n{LINE}\n"))).unwrap();
        let found = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
        assert_eq!(found, Found::There(posted));
    }
}

#[tokio::test]
async fn an_issue_is_found_behind_many_newer_ones() {
    let hub = Hub::new(|_| {}).await;
    let posted = hub.issues().post(KEY, &note(), None).await.unwrap();
    for number in 0..250 {
        let issue = ForeignIssue {
            login: "a".into(),
            title: number.to_string(),
            body: String::new(),
            labels: vec![],
        };
        hub.sandbox.model().open_github_issue(REPOSITORY, issue).unwrap();
    }
    let found = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
    assert_eq!(found, Found::There(posted));
    assert_eq!(hub.asked("GET", "&page=3"), 1);
}

/// What came of opening an issue.
async fn refused(hub: &Hub) -> PortError {
    hub.issues().post(KEY, &note(), None).await.unwrap_err()
}

fn expect(error: &PortError, outlook: Outlook, fix: &str) {
    assert_eq!((error.effect, error.outlook), (Effect::None, outlook), "{error}");
    assert!(error.fix.contains(fix), "{error}");
    assert!(!error.to_string().contains("ghs_"), "{error}");
}

#[tokio::test]
async fn each_refusal_says_what_to_do_about_it() {
    let hub = Hub::new(|seed| seed.permissions.issues = GitHubAccess::Read).await;
    expect(&refused(&hub).await, Outlook::Lasting, "`issues: write` in acme/app");
    let hub = Hub::new(|seed| seed.issues = IssuesFeature::Disabled).await;
    expect(&refused(&hub).await, Outlook::Lasting, "[github] issue = false");
    let hub = Hub::new(|seed| seed.assignable.clear()).await;
    expect(&refused(&hub).await, Outlook::Lasting, "assignees");
    let hub = Hub::new(|_| {}).await;
    let address = hub.sandbox.endpoints.github.clone();
    let issues = |github| Issues::new(github, Vec::new(), Vec::new());
    let stranger = issues(hub.at(&address, REPOSITORY, "ghs_other"));
    let error = stranger.post(KEY, &note(), None).await.unwrap_err();
    expect(&error, Outlook::Lasting, "[github] token");
    let hidden = issues(hub.at(&address, "acme/hidden", &hub.sandbox.credentials.github_token));
    expect(&hidden.post(KEY, &note(), None).await.unwrap_err(), Outlook::Lasting, "acme/hidden is there");
    let nobody = issues(hub.at("http://127.0.0.1:1", REPOSITORY, "ghs_x")).open(KEY, &text()).await;
    expect(&nobody.unwrap_err(), Outlook::Passing, "every run tries again");
    // A redirect is not followed with the token.
    let elsewhere = format!("{address}/repositories/1/issues");
    hub.fault(FaultKind::Redirect { location: elsewhere }, "POST", "/issues");
    expect(&refused(&hub).await, Outlook::Lasting, "[github] repository");
    assert_eq!(hub.asked("POST", "/repositories/"), 0);
}

fn text() -> tidegate::adapters::github::IssueText {
    tidegate::adapters::github::IssueText { title: "x".into(), body: "x".into() }
}

#[tokio::test]
async fn limits_are_obeyed_and_nothing_is_sent_twice() {
    let waits = [
        (CannedReply::status(403).with_header("retry-after", "61"), Some(61)),
        (CannedReply::status(429).with_header("retry-after", "7200"), Some(7200)),
        (CannedReply::status(403), Some(60)),
        (CannedReply::status(429), Some(60)),
    ];
    for (reply, seconds) in waits {
        let hub = Hub::new(|_| {}).await;
        hub.refuse(reply, "POST", "/issues");
        let error = refused(&hub).await;
        expect(&error, Outlook::Passing, "tried again");
        assert_eq!(error.retry_after, seconds.map(Duration::from_secs));
        assert_eq!(hub.asked("POST", "/issues"), 1);
    }
    let hub = Hub::new(|_| {}).await;
    hub.sandbox.model().set_github_budget(Some(0));
    let error = hub.issues().open(KEY, &text()).await.unwrap_err();
    expect(&error, Outlook::Passing, "tried again");
    let asked = error.retry_after.unwrap();
    assert!(asked > Duration::from_mins(58) && asked < Duration::from_mins(62), "{asked:?}");
}

#[tokio::test]
async fn a_read_is_made_again_where_that_may_help() {
    let hub = Hub::new(|_| {}).await;
    hub.refuse(CannedReply::status(502), "GET", "/issues");
    hub.fault(FaultKind::Close, "GET", "/issues");
    assert_eq!(hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap(), Found::Nowhere);
    assert_eq!(hub.asked("GET", "/issues"), 3);
    hub.refuse(CannedReply::status(403).with_header("retry-after", "3600"), "GET", "/issues");
    let error = hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(hub.asked("GET", "/issues"), 4);
}

#[tokio::test]
async fn a_hostile_version_is_inert_in_an_issue() {
    let hub = Hub::new(|_| {}).await;
    let hostile = "@acme/all \u{202e}<img src=x> #1 https://evil.example `x` | \n# big";
    let mut note = Note { headline: hostile.repeat(20), lines: vec![hostile.repeat(500)], ..note() };
    note.subject.as_mut().unwrap().version = VersionName::new("2.0|<b>@acme #1").unwrap();
    hub.issues().post(KEY, &note, None).await.unwrap();
    let issue = &hub.opened()[0];
    let (title, body) = (issue["title"].as_str().unwrap(), issue["body"].as_str().unwrap());
    for bad in ["@a", "\u{202e}", "#1 "] {
        assert!(!title.contains(bad) && !body.contains(bad), "{bad}: {title}\n{body}");
    }
    let rest = body.strip_prefix(LINE).unwrap();
    assert!(!rest.contains(['<', '`']) && !rest.contains("://") && !rest.contains("\n# "), "{rest}");
    assert!(title.chars().count() <= 256);
}

#[tokio::test]
async fn a_deployment_tells_its_failure_once() {
    let hub = Hub::new(|_| {}).await;
    let first = hub.deployments().post(KEY, &note(), None).await.unwrap();
    let second = hub.deployments().post(KEY, &note(), None).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(hub.deployments().find(KEY, None, now(), LONG_AGO).await.unwrap(), Found::There(first));
    assert_eq!(hub.deployments().find("other", None, now(), LONG_AGO).await.unwrap(), Found::Nowhere);
    let deployments = hub.state()["deployments"].as_array().unwrap().clone();
    assert_eq!(deployments.len(), 1, "{deployments:#?}");
    let (deployment, status) = (&deployments[0], &deployments[0]["status_list"][0]);
    assert_eq!((&deployment["ref"], &deployment["environment"]), (&json!("main"), &json!("production")));
    assert_eq!(
        (&deployment["production_environment"], &deployment["payload"]),
        (&json!(true), &json!({"tidegate": KEY}))
    );
    assert_eq!(status["state"], "failure");
    assert_eq!(status["log_url"], "https://github.com/acme/app/actions/runs/1");
    assert_eq!(deployments[0]["status_list"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deployment_whose_answers_were_lost_is_completed() {
    for (path, standing) in [("/deployments", "without"), ("/statuses", "told")] {
        let hub = Hub::new(|_| {}).await;
        hub.fault(FaultKind::CloseAfter, "POST", path);
        let error = hub.deployments().post(KEY, &note(), None).await.unwrap_err();
        assert_eq!(error.effect, Effect::Unclear, "{error}");
        match hub.deployments().standing(KEY, Some(now())).await.unwrap() {
            Standing::WithoutStatus(_) => assert_eq!(standing, "without"),
            Standing::Told(_) => assert_eq!(standing, "told"),
            Standing::Nowhere => panic!("{path}: the deployment was not found"),
        }
        hub.deployments().post(KEY, &note(), None).await.unwrap();
        let deployments = hub.state()["deployments"].as_array().unwrap().clone();
        assert_eq!(deployments.len(), 1);
        assert_eq!(deployments[0]["status_list"].as_array().unwrap().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_deployment_that_is_refused_says_why() {
    let hub = Hub::new(|seed| seed.permissions.deployments = GitHubAccess::Read).await;
    let error = hub.deployments().post(KEY, &note(), None).await.unwrap_err();
    expect(&error, Outlook::Lasting, "`deployments: write`");
    let hub = Hub::new(|seed| seed.failing_contexts.push("ci".into())).await;
    hub.deployments().post(KEY, &note(), None).await.unwrap();
    let of_nothing = Deployments::new(hub.github(), "production".into(), Some("nowhere".into()), None);
    let error = of_nothing.post("halt-2", &note(), None).await.unwrap_err();
    expect(&error, Outlook::Lasting, "[github] ref");
    assert!(error.what.contains("No ref found for: nowhere"), "{error}");
}

fn event() -> Start {
    Start::Event { event_type: "tidegate-halted".into() }
}

fn workflow(file: &str, input: &str) -> Start {
    let inputs = BTreeMap::from([(input.to_owned(), "{platform} {version} ({builds})".to_owned())]);
    Start::Workflow { file: file.into(), reference: None, inputs }
}

#[tokio::test]
async fn an_event_carries_the_release() {
    let hub = Hub::new(|_| {}).await;
    let posted = hub.dispatches(event()).post(KEY, &note(), None).await.unwrap();
    assert_eq!((posted.channel.as_str(), posted.id.as_str()), (REPOSITORY, "tidegate-halted"));
    let dispatches = hub.state()["dispatches"].clone();
    assert_eq!(
        dispatches,
        json!([{"event_type": "tidegate-halted", "client_payload": {
            "key": KEY, "headline": note().headline, "app": "android", "builds": "200", "decision": "",
            "platform": "android", "version": "2.0", "release": "200",
        }}])
    );
}

#[tokio::test]
async fn a_workflow_is_started_with_its_inputs_and_its_run_is_known() {
    let hub = Hub::new(|_| {}).await;
    let posted = hub.dispatches(workflow("halted.yml", "release")).post(KEY, &note(), None).await.unwrap();
    assert!(posted.id.starts_with("https://github.com/acme/app/actions/runs/"), "{posted:?}");
    let dispatch = &hub.state()["dispatches"][0];
    assert_eq!(
        (&dispatch["ref"], &dispatch["inputs"]),
        (&json!("main"), &json!({"release": "android 2.0 (200)"}))
    );
}

#[tokio::test]
async fn a_dispatch_that_may_have_been_sent_is_not_sent_again() {
    for start in [event(), workflow("halted.yml", "release")] {
        let hub = Hub::new(|_| {}).await;
        hub.fault(FaultKind::CloseAfter, "POST", "/dispatches");
        let dispatches = hub.dispatches(start);
        let error = dispatches.post(KEY, &note(), None).await.unwrap_err();
        assert_eq!((error.effect, error.outlook), (Effect::Unclear, Outlook::Passing), "{error}");
        assert!(error.fix.contains("not sent again"), "{error}");
        let found = dispatches.find(KEY, None, now(), LONG_AGO).await.unwrap();
        assert!(matches!(found, Found::CannotTell(_)), "{found:?}");
        assert_eq!(hub.asked("POST", "/dispatches"), 1);
    }
}

/// How a repository differs.
type Change = fn(&mut GitHubRepositorySeed);

#[tokio::test]
async fn a_dispatch_that_is_refused_says_why() {
    let refusal = async |change: Change, start| {
        let hub = Hub::new(change).await;
        hub.dispatches(start).post(KEY, &note(), None).await.unwrap_err()
    };
    let good = || workflow("halted.yml", "release");
    let cases: [(Change, Start, &str); 5] = [
        (|seed| seed.permissions.contents = GitHubAccess::Read, event(), "`contents: write`"),
        (|seed| seed.permissions.actions = GitHubAccess::Read, good(), "`actions: write`"),
        (|_| {}, workflow("other.yml", "release"), "[github.dispatch] workflow"),
        (|_| {}, workflow("halted.yml", "undeclared"), "must declare each input"),
        (
            |seed| seed.workflows[0].trigger = tidegate::sandbox::WorkflowTrigger::Other,
            good(),
            "workflow_dispatch",
        ),
    ];
    for (change, start, fix) in cases {
        expect(&refusal(change, start).await, Outlook::Lasting, fix);
    }
}

/// Every kind of call, by both kinds of callers, with the answers that GitHub's description has.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let mut calls = Vec::new();
    for caller in CALLERS {
        let hub = Hub::new(|seed| {
            let standing = BranchStanding::Behind;
            seed.branches.push(BranchSeed { name: "behind".into(), standing });
        })
        .await;
        hub.sandbox.model().set_github_caller(caller);
        told_and_found(&hub).await;
        raw_calls(&hub).await;
        calls.extend(hub.sandbox.model().requests());
    }
    for hub in [
        Hub::new(|seed| seed.permissions.issues = GitHubAccess::Read).await,
        Hub::new(|seed| seed.issues = IssuesFeature::Disabled).await,
        Hub::new(|seed| seed.assignable.clear()).await,
    ] {
        drop(hub.issues().open(KEY, &text()).await.unwrap_err());
        calls.extend(hub.sandbox.model().requests());
    }
    calls
}

/// What the adapter does, and does again after a lost answer.
async fn told_and_found(hub: &Hub) {
    hub.fault(FaultKind::CloseAfter, "POST", "/issues");
    hub.refuse(CannedReply::status(503), "POST", "/issues");
    for key in [KEY, "halt-2", "halt-3"] {
        drop(hub.issues().post(key, &note(), None).await);
    }
    let posted = hub.issues().post(KEY, &note(), None).await.unwrap();
    hub.issues().update(&posted, KEY, &note()).await.unwrap();
    hub.issues().find(KEY, None, now(), LONG_AGO).await.unwrap();
    let without_log = Deployments::new(hub.github(), "production".into(), None, None);
    for deployments in [hub.deployments(), without_log] {
        deployments.post(KEY, &note(), None).await.unwrap();
        deployments.post("halt-2", &note(), None).await.unwrap();
    }
    let of_nothing = Deployments::new(hub.github(), "staging".into(), Some("nowhere".into()), None);
    of_nothing.post(KEY, &note(), None).await.unwrap_err();
    for start in [event(), workflow("halted.yml", "release")] {
        hub.dispatches(start).post(KEY, &note(), None).await.unwrap();
    }
    let long = Start::Event { event_type: "x".repeat(101) };
    hub.dispatches(long).post(KEY, &note(), None).await.unwrap_err();
    let hidden = hub.at(&hub.sandbox.endpoints.github, "acme/hidden", &hub.sandbox.credentials.github_token);
    Dispatches::new(hidden.clone(), event()).post(KEY, &note(), None).await.unwrap_err();
    let issues = Issues::new(hidden, Vec::new(), Vec::new());
    issues.open(KEY, &text()).await.unwrap_err();
    issues.find(KEY, None, now(), LONG_AGO).await.unwrap_err();
}

/// What the sandbox offers besides.
async fn raw_calls(hub: &Hub) {
    use tidegate::adapters::http::{Call, Service as Remote, client};
    let service = Remote::new("GitHub", hub.sandbox.endpoints.github.clone(), client().unwrap());
    let token = SecretString::from(hub.sandbox.credentials.github_token.clone());
    let behind = json!({"ref": "behind", "required_contexts": []});
    for (method, path, body) in [
        ("POST", "/issues/1/comments", json!({"body": "x"})),
        ("GET", "/issues/1/comments?per_page=1", Value::Null),
        ("GET", "/issues/1", Value::Null),
        ("GET", "/issues?state=closed&labels=tidegate&per_page=1&page=1", Value::Null),
        ("PATCH", "/issues/1", json!({"state": "closed"})),
        ("POST", "/deployments", behind),
        ("POST", "/actions/workflows/halted.yml/dispatches", json!({"ref": "main"})),
    ] {
        let call =
            Call { method: method.parse().unwrap(), path: format!("/repos/{REPOSITORY}{path}"), body: None };
        let call = if body.is_null() { call } else { call.with(body) };
        service.once(&call, &token).await.unwrap();
    }
    let nowhere = Call::new("GET".parse().unwrap(), format!("/repos/{REPOSITORY}/issues/999"));
    drop(service.once(&nowhere, &token).await.unwrap_err());
}

const ALL: &str = "[github]\ntoken = \"env:GITHUB_TOKEN\"\nrepository = \"acme/app\"\n\
    deployment_environment = \"production\"\ndispatch = { workflow = \"halted.yml\", inputs = { release = \"{version}\" } }\n";

/// What GitHub holds in a town: issues, deployments, dispatches.
fn told(town: &Town) -> [usize; 3] {
    let state = town.sandbox.model().state()["github"][REPOSITORY].clone();
    ["issues", "deployments", "dispatches"].map(|kind| state[kind].as_array().unwrap().len())
}

#[tokio::test]
async fn a_halt_is_told_to_github_once() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure(ALL);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
    }
    assert_eq!((town.store_status().as_str(), told(&town)), ("halted", [1, 1, 1]));
    let issue = town.sandbox.model().state()["github"][REPOSITORY]["issues"][0].clone();
    assert!(issue["title"].as_str().unwrap().contains("HALTED"), "{issue:#}");
    assert!(issue["body"].as_str().unwrap().contains("2.0"), "{issue:#}");
}

#[tokio::test]
async fn what_is_not_halted_is_not_told_to_github() {
    for events in [Events::Good, Events::Doubtful] {
        let town = Town::new(Apps::Android, events).await;
        town.configure(ALL);
        assert_eq!(town.monitor(&[]).await.code(), 0);
        assert_eq!(told(&town), [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_tells_github_tells_nothing_twice() {
    for path in ["/issues", "/deployments", "/statuses"] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.configure(ALL);
        town.kill_at(Fault::new(Service::GitHub, FaultKind::HangAfter).on("POST", path)).await;
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.code(), 0, "{path}: {}", ran.stderr());
        assert_eq!(told(&town), [1, 1, 1], "{path}");
        let deployment = &town.sandbox.model().state()["github"][REPOSITORY]["deployments"][0];
        assert_eq!(deployment["status_list"].as_array().unwrap().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn github_down_delays_neither_the_halt_nor_the_channel() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure(ALL);
    let down = Fault::new(Service::GitHub, FaultKind::Status(CannedReply::status(503))).times(100);
    town.sandbox.model().add_fault(down);
    let ran = town.monitor(&[]).await;
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 1), "{}", ran.stderr());
    town.sandbox.model().clear_faults();
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(told(&town)[..1], [1]);
}

#[tokio::test]
async fn no_repository_is_a_usage_error_before_anything_is_done() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure("[github]\ntoken = \"env:GITHUB_TOKEN\"\n");
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (2, "inProgress"), "{}", ran.stderr());
    assert!(ran.stderr().contains("GITHUB_REPOSITORY"), "{}", ran.stderr());
}
