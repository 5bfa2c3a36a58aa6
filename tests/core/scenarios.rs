//! Timelines: what the judge answers from look to look. Each file under `tests/scenarios` tells one story of one rule.

use jiff::Timestamp;
use serde::Deserialize;
use tidegate::domain::judge::judge;
use tidegate::domain::verdict::Verdict;

use crate::support::{at, facts, policy, start};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What the story shows, in a sentence.
    story: String,
    /// The rule that it is about.
    rule: String,
    look: Vec<Look>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    at: String,
    sessions: u64,
    crashed: u64,
    #[serde(default)]
    users: Option<u64>,
    #[serde(default)]
    crashed_users: u64,
    /// The verdict of the rule.
    verdict: Verdict,
    /// The code of its reason.
    reason: String,
    /// The decision over all rules.
    decision: String,
}

#[test]
fn every_scenario_goes_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let mut told = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        walk(&scenario);
        told += scenario.look.len();
    }
    assert!(told > 0, "no look was told");
}

fn walk(scenario: &Scenario) {
    let mut checked_at: Option<Timestamp> = None;
    for look in &scenario.look {
        let now = at(&look.at);
        let mut facts = facts(look.sessions, look.crashed, now);
        facts.cycle_start = start();
        facts.people.users = look.users.unwrap_or(look.sessions);
        facts.people.crashed_users = look.crashed_users;
        facts.fast_track_checked_at = checked_at;
        let judgement = judge(&facts, &policy(), now);
        if judgement.fast_track_checked {
            checked_at = Some(now);
        }
        let place = format!("{} at {} ({})", scenario.rule, look.at, scenario.story);
        let outcome = judgement.rules.iter().find(|outcome| outcome.rule == scenario.rule).expect(&place);
        assert_eq!(outcome.ruling.verdict, look.verdict, "{place}");
        assert_eq!(outcome.ruling.evidence.reason.as_str(), look.reason, "{place}");
        assert_eq!(judgement.decision.as_str(), look.decision, "{place}");
    }
}
