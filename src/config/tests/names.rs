//! Names that are not known.

use super::*;

#[test]
fn f71_a_misspelt_key() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_session = 99.95"), @r"
    tidegate.toml:2:1: unknown key `crash_free_session` in [slo]
      | crash_free_session = 99.95
      | ^^^^^^^^^^^^^^^^^^
      fix: did you mean `crash_free_sessions`?
    ");
}

#[test]
fn a_misspelt_key_in_an_app() {
    insta::assert_snapshot!(inside("slo = { crash_free_session = 99.95 }"), @r"
    tidegate.toml:5:9: unknown key `crash_free_session` in [slo] of app `android`
      | slo = { crash_free_session = 99.95 }
      |         ^^^^^^^^^^^^^^^^^^
      fix: did you mean `crash_free_sessions`?
    ");
}

#[test]
fn f71_a_key_that_is_like_no_other() {
    insta::assert_snapshot!(above("[schedule]\ncron = \"*/15 * * * *\""), @r#"
    tidegate.toml:2:1: unknown key `cron` in [schedule]
      | cron = "*/15 * * * *"
      | ^^^^
      fix: known here: time_zone, monitor_silence_hours, report_at, rollout_at, quiet_days, quiet_dates
    "#);
}

#[test]
fn f71_a_misspelt_section() {
    insta::assert_snapshot!(above("[google-pley]\ncredentials = \"env:KEY\""), @r"
    tidegate.toml:1:2: unknown section `google-pley` at the top level
      | [google-pley]
      |  ^^^^^^^^^^^
      fix: did you mean `google_play`?
    ");
}

#[test]
fn a_misspelt_rule() {
    insta::assert_snapshot!(above("[rules.crash-free-session-halt]\nmode = \"warn\""), @r"
    tidegate.toml:1:8: unknown rule `crash-free-session-halt` in [rules]
      | [rules.crash-free-session-halt]
      |        ^^^^^^^^^^^^^^^^^^^^^^^
      fix: did you mean `crash-free-sessions-halt`?
    ");
}

#[test]
fn a_misspelt_choice() {
    insta::assert_snapshot!(above("[rules.crash-free-sessions-halt]\nmode = \"enforced\""), @r#"
    tidegate.toml:2:8: `mode` in [rules.crash-free-sessions-halt] is "enforced", which is not known; use enforce, warn, observe, off
      | mode = "enforced"
      |        ^^^^^^^^^^
      fix: did you mean "enforce"?
    "#);
}

#[test]
fn an_unknown_method_lists_the_known() {
    insta::assert_snapshot!(above("[slo]\nmethod = \"bayes\""), @r#"
    tidegate.toml:2:10: `method` in [slo] is "bayes", which is not known; use wald, wilson, clopper-pearson, mixture
      | method = "bayes"
      |          ^^^^^^^
      fix: write `method = "mixture"`
    "#);
}

#[test]
fn an_unknown_platform() {
    insta::assert_snapshot!(refusal("[[app]]\nid = \"web\"\nplatform = \"web\"\n"), @r#"
    tidegate.toml:3:12: `platform` in app `web` is "web", which is not known; use android, ios
      | platform = "web"
      |            ^^^^^
      fix: write `platform = "android"`
    "#);
}

#[test]
fn a_section_of_the_whole_program_in_an_app() {
    insta::assert_snapshot!(inside("state = { path = \"other.sqlite\" }"), @r#"
    tidegate.toml:5:1: unknown key `state` in app `android`
      | state = { path = "other.sqlite" }
      | ^^^^^
      fix: [state] holds for the whole program: move it to the top level, above the first [[app]]
    "#);
}

#[test]
fn an_unknown_warehouse_lists_the_known() {
    insta::assert_snapshot!(above("[warehouse]\nkind = \"snowflake\""), @r#"
    tidegate.toml:2:8: `kind` in [warehouse] is "snowflake", which is not known; use embedded, bigquery
      | kind = "snowflake"
      |        ^^^^^^^^^^^
      fix: write `kind = "embedded"`
    "#);
}

#[test]
fn bigquery_without_a_project() {
    insta::assert_snapshot!(above("[warehouse]\nkind = \"bigquery\""), @r#"
    tidegate.toml:2:8: no `project` in [warehouse]: BigQuery must be told where the exports are
      | kind = "bigquery"
      |        ^^^^^^^^^^
      fix: add `project = "my-project"`, the id of the Firebase project, next to it, or in [gcp]
    "#);
}

#[test]
fn a_project_by_its_name() {
    insta::assert_snapshot!(above("[warehouse]\nkind = \"bigquery\"\nproject = \"My project\""), @r#"
    tidegate.toml:3:11: `project` in [warehouse] is "My project", which is no id of a Google Cloud project
      | project = "My project"
      |           ^^^^^^^^^^^^
      fix: write the id as `gcloud projects list` shows it: 6 to 30 of a-z, 0-9 and '-'; not the name, not the number
    "#);
}

#[test]
fn an_unknown_state_store_lists_the_known() {
    insta::assert_snapshot!(above("[state]\nkind = \"redis\""), @r#"
    tidegate.toml:2:8: `kind` in [state] is "redis", which is not known; use sqlite, firestore
      | kind = "redis"
      |        ^^^^^^^
      fix: write `kind = "sqlite"`
    "#);
}

#[test]
fn the_database_of_the_app_itself() {
    insta::assert_snapshot!(above("[state]\nkind = \"firestore\"\ndatabase = \"(default)\""), @r#"
    tidegate.toml:3:12: `database` in [state] is "(default)", the database that the app itself uses
      | database = "(default)"
      |            ^^^^^^^^^^^
      fix: give tidegate a database of its own, so that neither can touch what the other keeps: `gcloud firestore databases create --database=tidegate --location=LOCATION`
    "#);
}

#[test]
fn an_unknown_zone() {
    insta::assert_snapshot!(above("[schedule]\ntime_zone = \"Europe/Berln\""), @r#"
    tidegate.toml:2:13: `time_zone` in [schedule] is "Europe/Berln", which is no time zone
      | time_zone = "Europe/Berln"
      |             ^^^^^^^^^^^^^^
      fix: did you mean `Europe/Berlin`?
    "#);
}

#[test]
fn a_zone_like_no_other() {
    insta::assert_snapshot!(above("[schedule]\ntime_zone = \"Middle-earth/Mordor\""), @r#"
    tidegate.toml:2:13: `time_zone` in [schedule] is "Middle-earth/Mordor", which is no time zone
      | time_zone = "Middle-earth/Mordor"
      |             ^^^^^^^^^^^^^^^^^^^^^
      fix: write an IANA name, such as Europe/Berlin or UTC
    "#);
}
