//! Secrets never stand in a file, and never in a message.

use super::*;

#[test]
fn a_token_itself() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"C0123456\"\ntoken = \"xoxb-1-CANARY\""), @r#"
    tidegate.toml:3:9: `token` in [slack] holds a secret itself: the value looks like a Slack token
      | token = "***"
      |         ^^^^^
      fix: revoke that secret, keep the new one out of the file, and write env:NAME, file:PATH or sm://projects/P/secrets/S
    "#);
}

#[test]
fn a_token_on_one_line_with_others() {
    insta::assert_snapshot!(
        inside("slack = { channel = \"C0123456\", token = \"xoxb-1-CANARY\" }"),
        @r#"
    tidegate.toml:5:41: `token` in [slack] of app `android` holds a secret itself: the value looks like a Slack token
      | slack = { channel = "C0123456", token = "***" }
      |                                         ^^^^^
      fix: revoke that secret, keep the new one out of the file, and write env:NAME, file:PATH or sm://projects/P/secrets/S
    "#
    );
}

#[test]
fn a_private_key_itself() {
    insta::assert_snapshot!(
        above("[app_store_connect]\nprivate_key = \"\"\"\n-----BEGIN PRIVATE KEY-----\nCANARY\n\"\"\""),
        @r#"
    tidegate.toml:2:15: `private_key` in [app_store_connect] holds a secret itself: the value looks like a private key
      | private_key = "***"
      |               ^^^^^
      fix: revoke that secret, keep the new one out of the file, and write env:NAME, file:PATH or sm://projects/P/secrets/S
    "#
    );
}

#[test]
fn a_service_account_itself() {
    insta::assert_snapshot!(
        above("[google_play]\ncredentials = '{\"type\": \"service_account\", \"private_key\": \"CANARY\"}'"),
        @r#"
    tidegate.toml:2:15: `credentials` in [google_play] holds a secret itself: the value looks like a service account key
      | credentials = "***"
      |               ^^^^^
      fix: revoke that secret, keep the new one out of the file, and write env:NAME, file:PATH or sm://projects/P/secrets/S
    "#
    );
}

#[test]
fn a_secret_of_no_known_form() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"C0123456\"\ntoken = \"CANARY\""), @r#"
    tidegate.toml:3:9: `token` in [slack] is not a reference to a secret (the value is not shown)
      | token = "***"
      |         ^^^^^
      fix: keep the secret out of the file and write env:NAME, file:PATH or sm://projects/P/secrets/S
    "#);
}

#[test]
fn a_secret_that_is_a_number() {
    insta::assert_snapshot!(above("slack = { token = 4711, channel = 5 }"), @r#"
    tidegate.toml:1:19: `token` in [slack] is a whole number, and must be a text
      | slack = { token = "***", channel = 5 }
      |                   ^^^^^
      fix: write `token = "env:SLACK_BOT_TOKEN"`
    "#);
}

#[test]
fn a_secret_under_another_key() {
    insta::assert_snapshot!(above("[schedule]\ntime_zone = \"AIzaCANARY\""), @r#"
    tidegate.toml:2:13: `time_zone` in [schedule] holds a secret itself: the value looks like a Google API key
      | time_zone = "***"
      |             ^^^^^
      fix: revoke that secret and take it out of the file; `time_zone` needs none, and others are given as env:NAME, file:PATH or sm://projects/P/secrets/S
    "#);
}

#[test]
fn a_secret_under_an_unknown_key() {
    insta::assert_snapshot!(above("[extra]\nlist = [\"a\", \"ghp_CANARY\"]"), @r#"
    tidegate.toml:2:14: `list` in [extra] holds a secret itself: the value looks like a GitHub token
      | list = ["a", "***"]
      |              ^^^^^
      fix: revoke that secret and take it out of the file; `list` needs none, and others are given as env:NAME, file:PATH or sm://projects/P/secrets/S
    "#);
}

#[test]
fn a_secret_under_a_misspelt_key() {
    insta::assert_snapshot!(above("[slack]\nslack_token = \"CANARY\""), @r#"
    tidegate.toml:2:1: unknown key `slack_token` in [slack]
      | slack_token = "***"
      | ^^^^^^^^^^^
      fix: known here: channel, fallback_channel, runbook, token, webhook
    "#);
    insta::assert_snapshot!(above("[slack]\ntokn = \"CANARY\""), @r#"
    tidegate.toml:2:1: unknown key `tokn` in [slack]
      | tokn = "***"
      | ^^^^
      fix: did you mean `token`?
    "#);
}

#[test]
fn a_secret_as_a_key() {
    insta::assert_snapshot!(above("[slack]\nxoxb-CANARY = true"), @r"
    tidegate.toml:2:1: a key in [slack] is itself a secret
      fix: secrets are given as values, by reference: env:NAME, file:PATH or sm://projects/P/secrets/S
    ");
}

#[test]
fn a_private_key_that_breaks_the_file() {
    insta::assert_snapshot!(
        above("[app_store_connect]\nprivate_key = \"-----BEGIN PRIVATE KEY-----\nCANARY\""),
        @r"
    tidegate.toml:3:8: not valid TOML: key with no value, expected `=`
      fix: write `key = value` below a [section]; text needs quotes, numbers and true or false do not
    "
    );
}

#[test]
fn a_secret_on_a_line_that_is_not_toml() {
    insta::assert_snapshot!(above("[slack]\ntoken = CANARY"), @r"
    tidegate.toml:2:9: not valid TOML: string values must be quoted, expected literal string
      fix: write `key = value` below a [section]; text needs quotes, numbers and true or false do not
    ");
}

#[test]
fn no_name_of_a_variable() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"C0123456\"\ntoken = \"env:\""), @r#"
    tidegate.toml:3:9: `token` in [slack] names no environment variable
      | token = "***"
      |         ^^^^^
      fix: write the variable's name after `env:`, such as env:SLACK_BOT_TOKEN
    "#);
}

#[test]
fn a_secret_in_the_place_of_a_name() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"C0123456\"\ntoken = \"env:CANARY-1\""), @r#"
    tidegate.toml:3:9: `token` in [slack] holds no name of an environment variable after `env:` (the value is not shown)
      | token = "***"
      |         ^^^^^
      fix: write the variable's name after `env:`, such as env:SLACK_BOT_TOKEN
    "#);
}

#[test]
fn an_unfinished_name_of_a_secret() {
    insta::assert_snapshot!(above("[google_play]\ncredentials = \"sm://my-secret\""), @r#"
    tidegate.toml:2:15: `credentials` in [google_play] is not the name of a secret in Secret Manager
      | credentials = "***"
      |               ^^^^^
      fix: write sm://projects/P/secrets/S, or sm://projects/P/secrets/S/versions/V
    "#);
}
