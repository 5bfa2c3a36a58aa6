//! `[github]`: who is told of a halt, and each mistake.

use super::*;

const TOKEN: &str = "[github]\ntoken = \"env:GITHUB_TOKEN\"\n";

#[test]
fn a_token_alone_opens_an_issue() {
    let github = app(TOKEN).github.unwrap();
    assert_eq!(github.issue.unwrap().labels, ["tidegate"]);
    assert_eq!((github.repository, github.deployment_environment, github.reference), (None, None, None));
    assert_eq!(github.dispatch, None);
}

#[test]
fn an_app_overrides_key_by_key_and_may_be_told_of_nowhere() {
    let top = format!("{TOKEN}repository = \"acme/app\"\nlabels = []\ndispatch = {{}}\n");
    let own = "github = { assignees = [\"octocat\"], dispatch = { workflow = \"halted.yml\" } }\n";
    let github = good(&format!("{top}{ANDROID}{own}")).apps.remove(0).github.unwrap();
    let issue = github.issue.unwrap();
    assert_eq!((issue.labels.len(), issue.assignees), (0, vec!["octocat".to_owned()]));
    let (file, inputs) = ("halted.yml".to_owned(), std::collections::BTreeMap::new());
    assert_eq!(github.dispatch, Some(GitHubDispatch::Workflow { file, inputs }));
    let event = app(&top).github.unwrap().dispatch;
    assert_eq!(event, Some(GitHubDispatch::Event { event_type: "tidegate-halted".to_owned() }));
    let off = good(&format!("{TOKEN}{ANDROID}github = {{ issue = false }}\n")).apps.remove(0);
    assert_eq!(
        (off.github, app("[github]\nissue = false\n").github, app("[github]\n").github),
        (None, None, None)
    );
}

#[test]
fn keys_without_a_token() {
    insta::assert_snapshot!(above("[github]\nrepository = \"acme/app\"\nlabels = [\"x\"]"), @r#"
    tidegate.toml:2:14: app `android` has `repository` and no `token` in [github], so nothing would be told
      | repository = "acme/app"
      |              ^^^^^^^^^^
      fix: add `token = "env:GITHUB_TOKEN"` to [github]
    "#);
}

#[test]
fn an_event_and_a_workflow_at_once() {
    insta::assert_snapshot!(
        above(&format!("{TOKEN}[github.dispatch]\nevent_type = \"x\"\nworkflow = \"halted.yml\"")),
        @r#"
        tidegate.toml:5:12: app `android` has both `event_type` and `workflow` in [github.dispatch]
          | workflow = "halted.yml"
          |            ^^^^^^^^^^^^
          fix: keep one of the two: `event_type` starts every workflow that listens to it, `workflow` one by its file
        "#
    );
}

#[test]
fn inputs_without_a_workflow() {
    insta::assert_snapshot!(above(&format!("{TOKEN}dispatch = {{ inputs = {{ a = \"b\" }} }}")), @r#"
    tidegate.toml:3:23: app `android` has `inputs` and no `workflow` in [github.dispatch]
      | dispatch = { inputs = { a = "b" } }
      |                       ^^^^^^^^^^^
      fix: add `workflow = "halted.yml"`; an event carries the release without inputs
    "#);
}

#[test]
fn a_word_in_braces_that_nothing_fills() {
    insta::assert_snapshot!(
        above(&format!("{TOKEN}dispatch = {{ workflow = \"a.yml\", inputs = {{ v = \"{{verson}}\" }} }}")),
        @r#"
        tidegate.toml:3:49: `v` in [github.dispatch.inputs] holds {verson}, which nothing fills
          | dispatch = { workflow = "a.yml", inputs = { v = "{verson}" } }
          |                                                 ^^^^^^^^^^
          fix: did you mean `version`?
        "#
    );
    let open = above(&format!("{TOKEN}dispatch = {{ workflow = \"a.yml\", inputs = {{ v = \"{{\" }} }}"));
    assert!(open.contains("a brace that is not closed"), "{open}");
}

#[test]
fn a_workflow_on_a_commit() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    insta::assert_snapshot!(
        above(&format!("{TOKEN}ref = \"{commit}\"\ndispatch = {{ workflow = \"a.yml\" }}")),
        @r#"
        tidegate.toml:3:7: app `android` starts the workflow "a.yml" on a commit: `ref` in [github] is one
          | ref = "0123456789abcdef0123456789abcdef01234567"
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          fix: write a branch or a tag, or leave `ref` out
        "#
    );
    assert!(app(&format!("{TOKEN}ref = \"{commit}\"\ndispatch = {{}}\n")).github.is_some());
}

#[test]
fn more_inputs_than_github_takes() {
    let inputs: String = (0..26).map(|n| format!("i{n} = \"x\"\n")).collect();
    let error =
        above(&format!("{TOKEN}[github.dispatch]\nworkflow = \"a.yml\"\n[github.dispatch.inputs]\n{inputs}"));
    assert!(error.contains("has 26 `inputs` in [github.dispatch]"), "{error}");
}

#[test]
fn a_key_that_is_not_known() {
    insta::assert_snapshot!(above(&format!("{TOKEN}enviroment = \"x\"")), @r#"
    tidegate.toml:3:1: unknown key `enviroment` in [github]
      | enviroment = "x"
      | ^^^^^^^^^^
      fix: known here: token, repository, issue, labels, assignees, deployment_environment, ref, dispatch
    "#);
    insta::assert_snapshot!(above(&format!("{TOKEN}lables = [\"x\"]")), @r#"
    tidegate.toml:3:1: unknown key `lables` in [github]
      | lables = ["x"]
      | ^^^^^^
      fix: did you mean `labels`?
    "#);
    insta::assert_snapshot!(above(&format!("{TOKEN}dispatch = {{ event = \"x\" }}")), @r#"
    tidegate.toml:3:14: unknown key `event` in [github.dispatch]
      | dispatch = { event = "x" }
      |              ^^^^^
      fix: known here: event_type, workflow, inputs
    "#);
}

#[test]
fn values_of_another_type() {
    insta::assert_snapshot!(
        above(&format!("{TOKEN}dispatch = {{ workflow = \"a.yml\", inputs = {{ v = 1 }} }}")),
        @r#"
        tidegate.toml:3:49: `v` in [github.dispatch.inputs] is a whole number, and must be a text
          | dispatch = { workflow = "a.yml", inputs = { v = 1 } }
          |                                                 ^
          fix: write `v = "..."`
        "#
    );
    insta::assert_snapshot!(above(&format!("{TOKEN}labels = \"x\"")), @r#"
    tidegate.toml:3:10: `labels` in [github] is a text, and must be a list
      | labels = "x"
      |          ^^^
      fix: write `labels = ["tidegate"]`
    "#);
    insta::assert_snapshot!(above(&format!("{TOKEN}assignees = [\"@octocat\"]")), @r#"
    tidegate.toml:3:13: `assignees` in [github] holds "@octocat", which is no login
      | assignees = ["@octocat"]
      |             ^^^^^^^^^^^^
      fix: write the login as GitHub shows it, without @, such as assignees = ["octocat"]; a team can't be assigned
    "#);
}

#[test]
fn hostile_names() {
    insta::assert_snapshot!(above(&format!("{TOKEN}repository = \"https://github.com/acme/app\"")), @r#"
    tidegate.toml:3:14: `repository` in [github] is "https://github.com/acme/app", which is no repository of GitHub
      | repository = "https://github.com/acme/app"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: write it as owner/name, such as "example/app", without an address before it and without .git after it
    "#);
    insta::assert_snapshot!(above(&format!("{TOKEN}dispatch = {{ workflow = \"../x.yml\" }}")), @r#"
    tidegate.toml:3:25: `workflow` in [github.dispatch] is "../x.yml", which is no workflow file
      | dispatch = { workflow = "../x.yml" }
      |                         ^^^^^^^^^^
      fix: write the file's name without its folder, such as "halted.yml"
    "#);
}

#[test]
fn a_token_in_the_file() {
    let error = above("[github]\ntoken = \"ghp_CANARY\"");
    assert!(error.contains("a GitHub token"), "{error}");
}
