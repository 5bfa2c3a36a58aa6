//! Replays of seeded weeks, twice in step: once reading sessions on every run, once only where they could change a
//! decision. At every tick both must say the same of every app.

use serde_json::{Value, json};
use tidegate::demo::week::{Look, Setting, Week};
use tidegate::domain::verdict::Verdict;
use tidegate::jobs::AppReport;

/// What a person and a store would notice.
fn effect(report: &AppReport) -> Value {
    let record = report.record.as_ref();
    let rules: Vec<_> = record
        .iter()
        .flat_map(|record| &record.judgement.rules)
        .map(|outcome| json!([outcome.rule, outcome.ruling.verdict, outcome.ruling.evidence.reason]))
        .collect();
    json!({
        "app": report.app, "decision": report.decision, "reason": report.reason, "rules": rules,
        "action": record.and_then(|record| record.judgement.action),
        "problems": report.problems, "fraction": report.user_fraction,
    })
}

fn spared(report: &AppReport) -> bool {
    report.record.as_ref().is_some_and(|record| record.facts.data.spared.is_some())
}

/// How often sessions were left unread while no rule warned, and how often they were read all the same.
#[derive(Default)]
struct Tally {
    quiet: u32,
    spared: u32,
}

impl Tally {
    fn add(&mut self, report: &AppReport) {
        let Some(record) = &report.record else { return };
        if record.judgement.rules.iter().all(|outcome| outcome.ruling.verdict < Verdict::Warn) {
            self.quiet += 1;
            self.spared += u32::from(spared(report));
        }
    }
}

async fn in_step(seed: u64) -> Tally {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let every_run =
        Setting { seed, more: "\n[data]\nread_sessions = \"every-run\"\n".to_owned(), ..Setting::default() };
    let mut reading = Week::set_up(one.path(), &every_run).await.unwrap();
    let mut sparing = Week::set_up(other.path(), &Setting { seed, ..Setting::default() }).await.unwrap();
    let mut tally = Tally::default();
    for now in crate::support::some(reading.looks()) {
        let expected: Vec<Look> = reading.look(now).await.unwrap();
        let found: Vec<Look> = sparing.look(now).await.unwrap();
        for (expected, found) in expected.iter().zip(&found) {
            assert!(!spared(&expected.report));
            assert_eq!(effect(&found.report), effect(&expected.report), "seed {seed} at {now}");
            tally.add(&found.report);
        }
        assert_eq!(found.len(), expected.len());
    }
    let said = |week: &Week| -> Vec<Value> {
        let messages = week.sandbox.model().slack_messages(tidegate::demo::week::CHANNEL).unwrap();
        messages
            .iter()
            .map(|message| message["text"].as_str().unwrap().lines().next().map(headline).into())
            .collect()
    };
    assert_eq!(said(&sparing), said(&reading), "the same is said");
    tally
}

/// A headline without its numbers.
fn headline(line: &str) -> String {
    line.split(':').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn leaving_sessions_unread_changes_no_decision_of_a_week() {
    let tally = Box::pin(in_step(7)).await;
    assert!(tally.spared > 0, "nothing was spared of {} quiet looks", tally.quiet);
    println!("{} of {} quiet looks left the sessions unread", tally.spared, tally.quiet);
}
