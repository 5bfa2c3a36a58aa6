//! Numbers that mean something else, or nothing.

use super::*;

#[test]
fn f72_an_objective_as_a_ratio() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = 0.9995"), @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is 0.9995, which looks like a ratio; objectives are written in percent
      | crash_free_sessions = 0.9995
      |                       ^^^^^^
      fix: write 99.95
    ");
}

#[test]
fn f72_an_objective_without_its_point() {
    insta::assert_snapshot!(inside("slo.crash_free_users = 9995"), @r"
    tidegate.toml:5:24: `crash_free_users` in [slo] of app `android` is 9995, which is more than 100 percent
      | slo.crash_free_users = 9995
      |                        ^^^^
      fix: did you mean 99.95?
    ");
}

#[test]
fn a_perfect_objective() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = 100"), @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is 100, which leaves no error budget: a single crash would halt a release
      | crash_free_sessions = 100
      |                       ^^^
      fix: write a percentage above 50 and below 100, such as 99.95
    ");
}

#[test]
fn no_objective() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = 0"), @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is 0, which is no objective in percent
      | crash_free_sessions = 0
      |                       ^
      fix: write a percentage above 50 and below 100, such as 99.95
    ");
}

#[test]
fn not_a_number() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = nan"), @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is NaN, which is no objective in percent
      | crash_free_sessions = nan
      |                       ^^^
      fix: write a percentage above 50 and below 100, such as 99.95
    ");
}

#[test]
fn a_number_beyond_all_floats() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = 1e999"), @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is out of range
      | crash_free_sessions = 1e999
      |                       ^^^^^
      fix: write `crash_free_sessions = 99.95`
    ");
}

#[test]
fn a_bad_value_that_every_app_overrides() {
    insta::assert_snapshot!(
        refusal(&format!("[slo]\ncrash_free_sessions = 0.9995\n{ANDROID}slo.crash_free_sessions = 99.9\n")),
        @r"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is 0.9995, which looks like a ratio; objectives are written in percent
      | crash_free_sessions = 0.9995
      |                       ^^^^^^
      fix: write 99.95
    "
    );
}

#[test]
fn confidence_in_percent() {
    insta::assert_snapshot!(above("[slo]\nconfidence = 99"), @r"
    tidegate.toml:2:14: `confidence` in [slo] is 99, which looks like a percentage; the confidence level is a ratio
      | confidence = 99
      |              ^^
      fix: write 0.99
    ");
}

#[test]
fn a_margin_in_percent() {
    insta::assert_snapshot!(above("[rules.crash-free-sessions-fast-track]\nmargin = 15"), @r"
    tidegate.toml:2:10: `margin` in [rules.crash-free-sessions-fast-track] is 15, which is no margin
      | margin = 15
      |          ^^
      fix: write a ratio from 0 to below 1, such as 0.15
    ");
}

#[test]
fn no_share_of_the_budget() {
    insta::assert_snapshot!(above("[rules.crash-free-sessions-warning]\nalert_budget_fraction = 0"), @r"
    tidegate.toml:2:25: `alert_budget_fraction` in [rules.crash-free-sessions-warning] is 0, which is no share of the error budget
      | alert_budget_fraction = 0
      |                         ^
      fix: write a ratio above 0 and at most 1, such as 0.5
    ");
}

#[test]
fn compat_without_wald() {
    insta::assert_snapshot!(above("[slo]\ncompat = true"), @r#"
    tidegate.toml:2:10: `compat` in [slo] means something for method wald only, and app `android` uses mixture
      | compat = true
      |          ^^^^
      fix: write compat = false here, or method = "wald"
    "#);
}

#[test]
fn steps_that_do_not_ascend() {
    insta::assert_snapshot!(inside("rollout.steps = [0.75, 0.15, 1.0]"), @r"
    tidegate.toml:5:24: the steps of app `android` do not ascend: 0.15 comes too late
      | rollout.steps = [0.75, 0.15, 1.0]
      |                        ^^^^
      fix: write each step once, the smallest first, such as [0.15, 0.75, 1.0]
    ");
}

#[test]
fn steps_in_percent() {
    insta::assert_snapshot!(inside("rollout.steps = [15, 75, 100]"), @r"
    tidegate.toml:5:18: a step of app `android` is refused: 15 is not a user fraction above 0 and at most 1
      | rollout.steps = [15, 75, 100]
      |                  ^^
      fix: write ratios, such as 0.15 for 15 % of users
    ");
}

#[test]
fn steps_that_stop_short() {
    insta::assert_snapshot!(inside("rollout.steps = [0.15, 0.75]"), @r"
    tidegate.toml:5:17: the steps of app `android` do not end with everybody
      | rollout.steps = [0.15, 0.75]
      |                 ^^^^^^^^^^^^
      fix: add 1.0 as the last step
    ");
}

#[test]
fn a_lag_that_makes_all_data_stale() {
    let error = above("[data]\nlag_minutes = 90");
    assert!(error.contains("`max_age_minutes` (90) must be above `lag_minutes` (90)"), "{error}");
    assert!(error.starts_with("tidegate.toml:2:15:"), "{error}");
}

#[test]
fn an_amount_of_data_without_a_unit() {
    insta::assert_snapshot!(above("[warehouse]\nmax_bytes_billed_per_run = \"20\""), @r#"
    tidegate.toml:2:28: `max_bytes_billed_per_run` in [warehouse] is "20", which is no amount of data
      | max_bytes_billed_per_run = "20"
      |                            ^^^^
      fix: write a whole number and its unit, B, KiB, MiB, GiB or TiB, such as "20 GiB"
    "#);
    insta::assert_snapshot!(above("[warehouse]\nmax_bytes_billed_per_run = 20"), @r#"
    tidegate.toml:2:28: `max_bytes_billed_per_run` in [warehouse] is a whole number, and must be a text
      | max_bytes_billed_per_run = 20
      |                            ^^
      fix: write `max_bytes_billed_per_run = "20 GiB"`
    "#);
}

#[test]
fn a_cap_under_which_nothing_can_run() {
    insta::assert_snapshot!(
        above("[warehouse]\nkind = \"bigquery\"\nproject = \"my-project\"\nmax_bytes_billed_per_run = \"1 MiB\""),
        @r#"
    tidegate.toml:4:28: `max_bytes_billed_per_run` in [warehouse] is below 10 MiB, the least that BigQuery bills a query for
      | max_bytes_billed_per_run = "1 MiB"
      |                            ^^^^^^^
      fix: write `max_bytes_billed_per_run = "20 GiB"`; no query could be run
    "#
    );
}
