//! Files that are not TOML, and values of another type.

use super::*;

#[test]
fn not_toml() {
    insta::assert_snapshot!(above("[slo\ncrash_free_sessions = 99.95"), @r"
    tidegate.toml:1:5: not valid TOML: unclosed table, expected `]`
      | [slo
      |     ^
      fix: write `key = value` below a [section]; text needs quotes, numbers and true or false do not
    ");
}

#[test]
fn a_text_without_quotes() {
    insta::assert_snapshot!(above("[slo]\nmethod = mixture"), @r"
    tidegate.toml:2:10: not valid TOML: string values must be quoted, expected literal string
      | method = mixture
      |          ^^^^^^^
      fix: write `key = value` below a [section]; text needs quotes, numbers and true or false do not
    ");
}

#[test]
fn a_key_twice() {
    insta::assert_snapshot!(above("[slo]\nconfidence = 0.99\nconfidence = 0.95"), @r"
    tidegate.toml:3:1: not valid TOML: duplicate key
      | confidence = 0.95
      | ^^^^^^^^^^
      fix: keep one of the two
    ");
}

#[test]
fn f71_a_text_for_a_number() {
    insta::assert_snapshot!(above("[slo]\ncrash_free_sessions = \"99.95\""), @r#"
    tidegate.toml:2:23: `crash_free_sessions` in [slo] is a text, and must be a number
      | crash_free_sessions = "99.95"
      |                       ^^^^^^^
      fix: write `crash_free_sessions = 99.95`
    "#);
}

#[test]
fn f71_a_number_for_a_text() {
    insta::assert_snapshot!(above("[slack]\nchannel = 123456"), @r#"
    tidegate.toml:2:11: `channel` in [slack] is a whole number, and must be a text
      | channel = 123456
      |           ^^^^^^
      fix: write `channel = "C0123456"`
    "#);
}

#[test]
fn a_fraction_for_a_whole_number() {
    insta::assert_snapshot!(above("[data]\nlag_minutes = 7.5"), @r"
    tidegate.toml:2:15: `lag_minutes` in [data] is a number with a fraction, and must be a whole number
      | lag_minutes = 7.5
      |               ^^^
      fix: write `lag_minutes = 10`
    ");
}

#[test]
fn a_date_for_a_switch() {
    insta::assert_snapshot!(above("[slo]\ncompat = 2026-07-01"), @r"
    tidegate.toml:2:10: `compat` in [slo] is a date, and must be true or false
      | compat = 2026-07-01
      |          ^^^^^^^^^^
      fix: write `compat = false`
    ");
}

#[test]
fn one_bracket_for_an_app() {
    insta::assert_snapshot!(refusal("[app]\nid = \"android\"\n"), @r"
    tidegate.toml:1:1: `app` at the top level is a table, and must be a list
      | [app]
      | ^^^^^
      fix: write [[app]], with two brackets: there may be several
    ");
}

#[test]
fn two_brackets_for_a_section() {
    insta::assert_snapshot!(above("[[slo]]\nconfidence = 0.99"), @r"
    tidegate.toml:1:1: `slo` at the top level is a list, and must be a table
      | [[slo]]
      | ^^^^^^^
      fix: write [slo], with one pair of brackets: there is only one
    ");
}

#[test]
fn a_value_for_a_section() {
    insta::assert_snapshot!(above("slo = 99.95"), @r"
    tidegate.toml:1:7: `slo` at the top level is a number with a fraction, and must be a table
      | slo = 99.95
      |       ^^^^^
      fix: write [slo], and its keys below
    ");
}

#[test]
fn negative_minutes() {
    insta::assert_snapshot!(above("[data]\nlag_minutes = -5"), @r"
    tidegate.toml:2:15: `lag_minutes` in [data] is -5, which is out of range
      | lag_minutes = -5
      |               ^^
      fix: write a whole number from 0 to 1440, such as `lag_minutes = 10`
    ");
}

#[test]
fn more_than_any_number() {
    insta::assert_snapshot!(above("[data]\nmax_age_minutes = 99999999999999999999"), @r"
    tidegate.toml:2:19: `max_age_minutes` in [data] is 99999999999999999999, which is out of range
      | max_age_minutes = 99999999999999999999
      |                   ^^^^^^^^^^^^^^^^^^^^
      fix: write a whole number from 1 to 10080, such as `max_age_minutes = 90`
    ");
}

#[test]
fn a_step_that_is_a_text() {
    insta::assert_snapshot!(inside("rollout = { steps = [0.15, \"all\"] }"), @r#"
    tidegate.toml:5:28: `steps` in [rollout] of app `android` is a text, and must be a number
      | rollout = { steps = [0.15, "all"] }
      |                            ^^^^^
      fix: write `steps = [0.15,0.75,1.0]`
    "#);
}
