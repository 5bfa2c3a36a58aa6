//! Every text that people read, as they read it.

use jiff::SignedDuration;
use tidegate::domain::heartbeat::Silence;
use tidegate::domain::message::{
    NoteKind, acted, budget_alert, halt_failed, halted_elsewhere, late, reconfigured, silence, superseded,
    warning,
};
use tidegate::domain::policy::Mode;
use tidegate::domain::rate::Rate;
use tidegate::domain::release::Action;

use crate::support::{at, day_two, facts, record};

#[test]
fn a_halt_stands_alone_on_a_lock_screen() {
    let record = record(facts(1204, 7, day_two()), day_two());
    insta::assert_snapshot!(acted(&record, Action::Halt).text(), @r"
    🛑 HALTED Android 26.3.0 (android): 99.418 % crash-free sessions, objective 99.950 %
    Stopped at 15 % of users; the store shows it as halted.
    7 of 1,204 sessions crashed: even the upper bound is below 99.950 % (crash-free-sessions-halt).
    Sessions 1,204 · Crashed sessions 7 · Users 401 · Crashed users 0 · Crash-free 98.188 % to 99.910 % · Counted to 2026-11-17 11:50 UTC
    Those who have it keep it: prepare a fix or a rollback. Only a person can resume it. Evidence: tidegate explain d-b2aa42cc5ac77577
    ");
}

/// Characters of a message that is read standing.
const LONGEST: usize = 600;
/// Characters of a line that a lock screen shows.
const LONGEST_LINE: usize = 100;

#[test]
fn a_halt_is_no_wall_of_text() {
    let halted = acted(&record(facts(10_204_318, 70_412, day_two()), day_two()), Action::Halt);
    let length = halted.text().chars().count();
    assert!(length <= LONGEST, "{length}: {}", halted.text());
    assert!(halted.headline.chars().count() <= LONGEST_LINE, "{}", halted.headline);
}

#[test]
fn what_was_not_counted_has_no_figure() {
    let mut facts = facts(1204, 7, day_two());
    facts.people.users = 0;
    let note = acted(&record(facts, day_two()), Action::Halt);
    assert!(note.figures.iter().all(|figure| !figure.label.contains("users")), "{:?}", note.figures);
}

#[test]
fn a_message_that_comes_late_says_of_when_it_is() {
    let note = acted(&record(facts(1204, 7, day_two()), day_two()), Action::Halt);
    let late = late(&note, day_two());
    assert_eq!((&late.headline, &late.next), (&note.headline, &note.next));
    assert_eq!(late.lines[0], "This is of 2026-11-17 12:00 UTC; it could not be sent before.");
}

#[test]
fn a_halt_that_failed_says_what_to_do_by_hand_and_cuts_the_words_of_others() {
    let id = record(facts(1, 0, day_two()), day_two()).release;
    let note =
        halt_failed(&id, "26.3.0", &format!("Google Play did not do it: {}", "é ".repeat(900)), "invite it");
    assert!(note.lines[0].chars().count() <= 400 && note.lines[0].ends_with('…'), "{:?}", note.lines);
    insta::assert_snapshot!(format!("{}\n{}", note.headline, note.next), @r"
    🚨 HALT FAILED Android 26.3.0 (android): it is still being offered
    Halt it in the store's console now. Every run tries again. To let it: invite it.
    ");
}

#[test]
fn what_asks_for_a_person_at_once_is_said_twice_rather_than_never() {
    let all = [
        (NoteKind::Halt, true),
        (NoteKind::HaltFailed, true),
        (NoteKind::Alarm, true),
        (NoteKind::HaltedElsewhere, true),
        (NoteKind::Warning, false),
        (NoteKind::FastTrack, false),
        (NoteKind::BudgetAlert, false),
        (NoteKind::Superseded, false),
        (NoteKind::PauseBudget, true),
    ];
    assert!(all.iter().all(|(kind, must)| kind.must_arrive() == *must));
}

#[test]
fn a_warning_names_every_rule_that_warns() {
    let mut facts = facts(1000, 5, day_two());
    facts.people.crashed_users = 5;
    insta::assert_snapshot!(warning(&record(facts, day_two())).text(), @r"
    ⚠️ WARNING Android 26.3.0 (android): 99.500 % crash-free sessions, objective 99.950 %
    5 of 1,000 sessions crashed: the evidence that it misses 99.950 % is above ten to one (crash-free-sessions-warning).
    5 of 333 users crashed: the evidence that it misses 99.900 % is above ten to one (crash-free-users-warning).
    The rollout goes on to 15 % of users.
    Sessions 1,000 · Crashed sessions 5 · Users 333 · Crashed users 5 · Crash-free 98.176 % to 99.951 % · Counted to 2026-11-17 11:50 UTC
    Look at the newest crashes. Nothing has been changed. Evidence: tidegate explain d-fc078058b631352c
    ");
}

#[test]
fn a_fast_track_says_what_was_proven() {
    let record = record(facts(30_000, 0, day_two()), day_two());
    insta::assert_snapshot!(acted(&record, Action::FastTrack).text(), @r"
    ⏩ FAST-TRACKED Android 26.3.0 (android): 100.000 % crash-free sessions, objective 99.9575 %
    Offered to everybody after 15 % of users; the store shows it as completed.
    0 of 30,000 sessions crashed: even the lower bound is above 99.9575 % (crash-free-sessions-fast-track).
    Sessions 30,000 · Crashed sessions 0 · Users 10,000 · Crashed users 0 · Crash-free 99.982 % to 100.000 % · Counted to 2026-11-17 11:50 UTC
    Nothing to do. Evidence: tidegate explain d-e75b835e851bf0ca
    ");
}

#[test]
fn a_budget_alert_says_that_nothing_has_to_be_done() {
    let now = at("2026-11-16T15:00:00Z");
    let record = record(facts(500_000, 185, now), now);
    insta::assert_snapshot!(budget_alert(&record).unwrap().text(), @r"
    ℹ️ BUDGET ALERT Android 26.3.0 (android): 99.963 % crash-free sessions, objective 99.950 %
    It very probably uses more than 50 % of the error budget. That it misses the objective is not shown.
    Sessions 500,000 · Crashed sessions 185 · Users 166,666 · Crashed users 0 · Crash-free 99.951 % to 99.972 % · Counted to 2026-11-16 14:50 UTC
    Nothing to do now. Evidence: tidegate explain d-ce07b6a568a1aae0
    ");
}

#[test]
fn an_overtaken_halt_says_who_won() {
    let id = record(facts(1, 0, day_two()), day_two()).release;
    let note =
        superseded(&id, "26.3.0", &Action::Halt.into(), "somebody released it to everybody before the halt");
    insta::assert_snapshot!(note.text(), @r"
    ✋ LEFT ALONE Android 26.3.0 (android): the halt was not made
    The evidence asked for a halt, but somebody released it to everybody before the halt. Nothing was changed.
    If it must be stopped: release a fixed version, or halt it with your own word: tidegate control halt --app android
    ");
}

#[test]
fn a_halt_by_somebody_else_says_that_nobody_but_a_person_resumes_it() {
    let record = record(facts(1, 0, day_two()), day_two());
    let stood = record.facts.user_fraction;
    let note = halted_elsewhere(&record.release, &record.version, &record.builds, stood);
    insta::assert_snapshot!(note.text(), @r"
    🛑 HALTED BY SOMEBODY Android 26.3.0 (android): the store shows it as halted
    It was halted in the store's console, by another tool, or by a run without a memory that was cut off; it stood at 15 % of users.
    It stays halted until a person resumes it; then its counts start anew.
    ");
}

#[test]
fn other_settings_are_named_with_what_they_were() {
    let before = record(facts(1000, 0, day_two()), day_two());
    let mut now = before.clone();
    now.policy.slo.crash_free_sessions = Rate::new(0.999).unwrap();
    now.policy.rules.crash_free_sessions_halt.mode = Mode::Warn;
    insta::assert_snapshot!(reconfigured(&now, Some(&before)).text(), @r#"
    🔧 OTHER SETTINGS Android 26.3.0 (android): the configuration changed during the rollout
    slo.crash_free_sessions: 0.999, was 0.9995
    rules.crash_free_sessions_halt.mode: "warn", was "enforce"
    What was halted stays halted, and nothing is resumed.
    If nobody meant that, look at the newest change of the configuration. Evidence: tidegate explain d-a16dd83d03271ff0
    "#);
    let mut before = before.clone();
    before.tidegate_version = "0.0.9".to_owned();
    now.policy = before.policy.clone();
    now.tidegate_version = "0.1.0".to_owned();
    insta::assert_snapshot!(reconfigured(&now, Some(&before)).text(), @r"
    🔧 OTHER SETTINGS Android 26.3.0 (android): the configuration changed during the rollout
    The objectives, the rules and the limits of the data are the same.
    It was judged by tidegate 0.0.9 and is by 0.1.0, which may have other settings.
    What was halted stays halted, and nothing is resumed.
    If nobody meant that, look at the newest change of the configuration. Evidence: tidegate explain d-a16dd83d03271ff0
    ");
    insta::assert_snapshot!(reconfigured(&now, None).text(), @r"
    🔧 OTHER SETTINGS Android 26.3.0 (android): the configuration changed during the rollout
    What was halted stays halted, and nothing is resumed.
    If nobody meant that, look at the newest change of the configuration. Evidence: tidegate explain d-a16dd83d03271ff0
    ");
}

#[test]
fn a_gap_says_since_when_nobody_was_watching() {
    let record = record(facts(1_000, 10, day_two()), day_two());
    let gap = Silence { since: at("2026-11-17T05:10:00Z"), lasted: SignedDuration::from_mins(410) };
    insta::assert_snapshot!(silence(&record.release, record.version.as_str(), gap).text(), @r"
    ⏰ WAS NOT WATCHED Android 26.3.0 (android): the monitor has not run for 6 h
    The last run before this one completed at 2026-11-17 05:10 UTC. What has come since is counted now.
    Look at the schedule if this goes on: GitHub starts runs late, and leaves some out.
    ");
}
