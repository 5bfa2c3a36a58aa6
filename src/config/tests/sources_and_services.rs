//! Where events are read, and where people are told.

use super::*;

#[test]
fn analytics_without_a_dataset() {
    insta::assert_snapshot!(above("[sources]\nsessions = \"analytics\"\ntime_zone = \"UTC\""), @r#"
    tidegate.toml:2:12: app `android` counts sessions in Analytics and has no `analytics_dataset` in [sources]
      | sessions = "analytics"
      |            ^^^^^^^^^^^
      fix: add `analytics_dataset = "analytics_123456789"`, the property's dataset, next to it
    "#);
}

#[test]
fn analytics_without_a_zone() {
    insta::assert_snapshot!(
        inside("sources = { sessions = \"analytics\", analytics_dataset = \"analytics_1\" }"),
        @r#"
    tidegate.toml:5:24: app `android` counts sessions in Analytics and has no `time_zone` in [sources]
      | sources = { sessions = "analytics", analytics_dataset = "analytics_1" }
      |                        ^^^^^^^^^^^
      fix: add `time_zone = "Europe/Berlin"`, the property's reporting time zone, next to it
    "#
    );
}

#[test]
fn a_sessions_table_for_analytics() {
    insta::assert_snapshot!(
        above(
            "[sources]\nsessions = \"analytics\"\nanalytics_dataset = \"analytics_1\"\ntime_zone = \"UTC\"\n\
             sessions_table = \"a.b\""
        ),
        @r#"
    tidegate.toml:5:18: `sessions_table` in [sources] is for firebase-sessions, and app `android` uses analytics
      | sessions_table = "a.b"
      |                  ^^^^^
      fix: leave it out: Analytics has one table a day, all of them in `analytics_dataset`
    "#
    );
}

#[test]
fn f73_hostile_tables() {
    insta::assert_snapshot!(above("[sources]\ncrashes_table = \"a.b` WHERE 1=1; --\""), @r#"
    tidegate.toml:2:17: `crashes_table` in [sources] is "a.b` WHERE 1=1; --", which is no name of a table
      | crashes_table = "a.b` WHERE 1=1; --"
      |                 ^^^^^^^^^^^^^^^^^^^^
      fix: write DATASET.TABLE, of letters, digits and underscores only
    "#);
    for hostile in ["a.b`", "a.b;c", "a.b--", "a.ü", "a.b.c", "a", ".b", "a.", "a. b", "a.b\\n", "a.b\\u0000"]
    {
        for key in ["crashes_table", "sessions_table"] {
            let error = above(&format!("[sources]\n{key} = \"{hostile}\""));
            assert!(
                error.starts_with(&format!("tidegate.toml:2:{}: `{key}` in [sources]", key.len() + 4)),
                "{error}"
            );
        }
    }
}

proptest! {
    #[test]
    fn f73_a_table_is_two_plain_words_or_refused(name in r#"[a-zA-Z0-9_.`; \-/*'ü\u{202e}]{0,24}"#) {
        let is_plain = |word: &str| {
            !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let is_table = matches!(name.split('.').collect::<Vec<_>>().as_slice(), [a, b] if is_plain(a) && is_plain(b));
        let taken = parse(&format!("[sources]\ncrashes_table = \"{name}\"\n\n{ANDROID}"), "tidegate.toml");
        prop_assert_eq!(taken.is_ok(), is_table, "{}: {:?}", name, taken.err());
    }

    #[test]
    fn f73_a_table_that_is_taken_is_taken_as_it_was_written(name in any::<String>()) {
        let quoted = toml::Value::String(name.clone()).to_string();
        if let Ok(config) = parse(&format!("[sources]\ncrashes_table = {quoted}\n\n{ANDROID}"), "tidegate.toml") {
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), "{}", name);
            prop_assert_eq!(config.apps[0].sources.crashes_table.as_ref(), Some(&name));
        }
    }
}

#[test]
fn f73_a_hostile_dataset() {
    insta::assert_snapshot!(above("[sources]\ncrashlytics_dataset = \"project.dataset\""), @r#"
    tidegate.toml:2:23: `crashlytics_dataset` in [sources] is "project.dataset", which is no name of a dataset
      | crashlytics_dataset = "project.dataset"
      |                       ^^^^^^^^^^^^^^^^^
      fix: use letters, digits and underscores only; the project is not part of it
    "#);
}

#[test]
fn an_endpoint_elsewhere() {
    insta::assert_snapshot!(above("[endpoints]\nslack = \"https://slack.example.com\""), @r#"
    tidegate.toml:2:9: `slack` in [endpoints] is "https://slack.example.com", which is not an address of this machine
      | slack = "https://slack.example.com"
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: write http://127.0.0.1:PORT with nothing after the port, or leave [endpoints] out to use the real services
    "#);
}

#[test]
fn an_endpoint_with_a_path() {
    insta::assert_snapshot!(above("[endpoints]\ngoogle_play = \"http://127.0.0.1:4001/x\""), @r#"
    tidegate.toml:2:15: `google_play` in [endpoints] is "http://127.0.0.1:4001/x", which is not an address of this machine
      | google_play = "http://127.0.0.1:4001/x"
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: write http://127.0.0.1:PORT with nothing after the port, or leave [endpoints] out to use the real services
    "#);
}

#[test]
fn the_name_of_a_channel() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"#releases\"\ntoken = \"env:T\""), @r##"
    tidegate.toml:2:11: `channel` in [slack] is "#releases", which is no id of a channel
      | channel = "#releases"
      |           ^^^^^^^^^^^
      fix: write the id, such as C0123456, not the name: Slack shows it at the end of the channel's details
    "##);
}

#[test]
fn a_channel_without_a_token() {
    insta::assert_snapshot!(above("[slack]\nchannel = \"C0123456\""), @r#"
    tidegate.toml:2:11: app `android` has a channel and no `token` in [slack]
      | channel = "C0123456"
      |           ^^^^^^^^^^
      fix: add `token = "env:SLACK_BOT_TOKEN"` to [slack]
    "#);
}

#[test]
fn a_bot_and_a_webhook() {
    insta::assert_snapshot!(
        above("[slack]\nchannel = \"C0123456\"\ntoken = \"env:SLACK_BOT_TOKEN\"\nwebhook = \"env:SLACK_WEBHOOK\""),
        @r#"
    tidegate.toml:4:11: app `android` has a `webhook` and a bot in [slack], and only one of them can tell
      | webhook = "env:SLACK_WEBHOOK"
      |           ^^^^^^^^^^^^^^^^^^^
      fix: keep `channel` and `token`, which can do more, or keep only `webhook`
    "#);
}

#[test]
fn an_app_that_names_the_other_way_takes_nothing_of_the_first() {
    let bot = "[slack]\nchannel = \"C1\"\ntoken = \"env:T\"\nrunbook = \"https://wiki.example.com/r\"\n";
    let config = good(&format!("{bot}{ANDROID}slack = {{ webhook = \"env:HOOK\" }}\n{IOS}"));
    let slack = |index: usize| config.apps[index].slack.clone().unwrap();
    assert!(matches!(slack(0).way, Way::Webhook { .. }) && slack(1).channel() == Some("C1"));
    assert_eq!(slack(0).runbook, slack(1).runbook, "what both ways have is that of the top level");
    let hook = "[slack]\nwebhook = \"env:HOOK\"\n";
    let config = good(&format!("{hook}{ANDROID}slack = {{ channel = \"C2\", token = \"env:T\" }}\n"));
    assert_eq!(config.apps[0].slack.as_ref().unwrap().channel(), Some("C2"));
}

#[test]
fn a_webhook_itself() {
    for webhook in ["https://hooks.slack.com/services/T0/B0/CANARY", "CANARY"] {
        let error = above(&format!("[slack]\nwebhook = \"{webhook}\""));
        assert!(error.starts_with("tidegate.toml:2:11: ") && !error.contains("CANARY"), "{error}");
    }
}

#[test]
fn a_fallback_that_is_none() {
    let bot = "[slack]\nchannel = \"C1\"\ntoken = \"env:T\"\nfallback_channel = ";
    insta::assert_snapshot!(above(&format!("{bot}\"C1\"")), @r#"
    tidegate.toml:4:20: app `android` has the same `fallback_channel` as `channel` in [slack]
      | fallback_channel = "C1"
      |                    ^^^^
      fix: name another channel: it is for what the first one refuses
    "#);
    insta::assert_snapshot!(above("[slack]\nfallback_channel = \"C1\""), @r#"
    tidegate.toml:2:20: app `android` has a `fallback_channel` and no `channel` in [slack]
      | fallback_channel = "C1"
      |                    ^^^^
      fix: add `channel` and `token` to [slack]
    "#);
    let config = good(&format!("{bot}\"C2\"\n{ANDROID}"));
    let way = &config.apps[0].slack.as_ref().unwrap().way;
    assert!(matches!(way, Way::Bot { fallback_channel: Some(other), .. } if other == "C2"));
}

#[test]
fn a_runbook_that_is_no_page() {
    insta::assert_snapshot!(above("[slack]\nrunbook = \"wiki/releases\""), @r#"
    tidegate.toml:2:11: `runbook` in [slack] is "wiki/releases", which is no address of a page
      | runbook = "wiki/releases"
      |           ^^^^^^^^^^^^^^^
      fix: write it whole, beginning with https://, without blanks, such as "https://wiki.example.com/releases"
    "#);
    insta::assert_snapshot!(above("[slack]\nrunbook = \"https://wiki.example.com/\""), @r#"
    tidegate.toml:2:11: app `android` has a `runbook` and nobody is told in [slack]
      | runbook = "https://wiki.example.com/"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      fix: add `channel` and `token` to [slack]
    "#);
}

#[test]
fn a_token_without_a_channel() {
    insta::assert_snapshot!(above("[slack]\ntoken = \"env:SLACK_BOT_TOKEN\""), @r#"
    tidegate.toml:2:9: app `android` has a token and no `channel` in [slack]
      | token = "env:SLACK_BOT_TOKEN"
      |         ^^^^^^^^^^^^^^^^^^^^^
      fix: add `channel = "C0123456"`, the id of the channel, to [slack]
    "#);
}

#[test]
fn a_file_without_a_name() {
    insta::assert_snapshot!(above("[state]\npath = \"\""), @r#"
    tidegate.toml:2:8: `path` in [state] names no file
      | path = ""
      |        ^^
      fix: write a path, such as "state.sqlite"
    "#);
}
