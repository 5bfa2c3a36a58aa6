//! Whatever was known, a stored decision is recomputed to the same bytes, and a changed one is not.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use tidegate::domain::canonical;
use tidegate::domain::cost::QueryCost;
use tidegate::domain::counts::Counts;
use tidegate::domain::decision::Record;
use tidegate::domain::examination::{Vouched, recomputed};
use tidegate::domain::facts::{AbsentTable, DayFacts, Extent, Facts, People, Side, Spared};
use tidegate::domain::ids::DecisionId;
use tidegate::domain::ledger::{Kind, Ledger, Noted};
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::RolloutStatus;

use crate::support::{day_two, facts, record, start};

fn counts() -> impl Strategy<Value = Counts> {
    (0u64..2_000_000, 0u64..3_000)
        .prop_map(|(sessions, crashed_sessions)| Counts { sessions, crashed_sessions })
}

fn side() -> impl Strategy<Value = AbsentTable> {
    (any::<bool>(), any::<bool>(), r"\PC{1,20}").prop_map(|(crashes, whole, table)| AbsentTable {
        side: if crashes { Side::Crashes } else { Side::Sessions },
        table,
        extent: if whole { Extent::Whole } else { Extent::Part },
    })
}

/// Anything that could be known of a release, true or not, at any instant of its second day.
fn anything() -> impl Strategy<Value = (Facts, Timestamp)> {
    let people = (0u64..1_000_000, 0u64..5_000, prop::option::of(1.0f64..50.0));
    let data = (prop::collection::vec(side(), 0..2), any::<bool>(), prop::option::of((0u64..100, 0u64..100)));
    let standing = (prop::option::of(1e-6f64..=1.0), 0usize..4, 0i64..172_800_000);
    (prop::collection::vec((counts(), counts()), 1..8), people, data, standing, 0u64..10_000).prop_map(
        |(days, people, data, (fraction, status, millis), reports)| {
            let now = start() + SignedDuration::from_millis(millis);
            let mut facts = facts(1, 0, now);
            let one = facts.days[0].day;
            facts.days = (0..)
                .zip(days)
                .map(|(n, (fresh, mature))| DayFacts { day: one.plus(n), fresh, mature })
                .collect();
            let (users, crashed_users, concentration) = people;
            facts.people = People { users, crashed_users, concentration };
            facts.user_fraction = fraction.map(|fraction| UserFraction::new(fraction).unwrap());
            facts.status = [
                RolloutStatus::Pending,
                RolloutStatus::RollingOut,
                RolloutStatus::Halted,
                RolloutStatus::Completed,
            ][status];
            facts.fatal_events = reports;
            let (absent, revised, spared) = data;
            (facts.data.absent, facts.data.revised) = (absent, revised);
            facts.data.spared = spared.map(|(sessions, users)| Spared {
                crashed_sessions_at_most: sessions,
                crashed_users_at_most: users,
            });
            (facts, now)
        },
    )
}

fn ledger_of(record: &Record) -> Ledger {
    let sealed = Noted::decided(record).sealed(&record.release.app, "p/run", None);
    Ledger::verified(record.release.app.clone(), vec![sealed.clone()], Some(sealed.head()))
}

/// The places of a value, deepest first.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        Value::Array(values) if !values.is_empty() => {
            (0..).zip(values).for_each(|(n, value): (u32, _)| leaves(value, &format!("{at}/{n}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stored_decision_is_recomputed_to_the_same_bytes((facts, now) in anything()) {
        let mut record = record(facts, now);
        record.configuration = Some(canonical::sha256("a configuration"));
        record.queries = vec![QueryCost { bytes_billed: 7, ..QueryCost::default() }];
        let stored = canonical::text_of(&record);
        let read: Record = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(canonical::text_of(&read.judged_again()), stored.clone());
        prop_assert_eq!(recomputed(&stored, &read).unwrap(), []);
        let vouched = Vouched::of(&record.id, &stored, read.decided_at, &ledger_of(&record));
        prop_assert_eq!(vouched, Vouched::By { entry: 1 });
    }

    #[test]
    fn a_record_with_any_other_value_is_not_the_one_of_its_entry((facts, now) in anything(), pick in any::<prop::sample::Index>()) {
        let record = record(facts, now);
        let mut stored: Value = serde_json::from_str(&canonical::text_of(&record)).unwrap();
        let mut places = Vec::new();
        leaves(&stored, "", &mut places);
        let place = &places[pick.index(places.len())];
        *stored.pointer_mut(place).unwrap() = Value::from("changed");
        let vouched = Vouched::of(&record.id, &canonical::text(&stored), now, &ledger_of(&record));
        prop_assert_eq!(vouched, Vouched::Replaced { entry: 1 });
    }
}

#[test]
fn the_field_that_does_not_follow_from_the_evidence_is_named() {
    let record = record(facts(1000, 20, day_two()), day_two());
    let mut stored = serde_json::to_value(&record).unwrap();
    stored["judgement"]["decision"] = "hold".into();
    let read: Record = serde_json::from_value(stored.clone()).unwrap();
    let found = recomputed(&stored.to_string(), &read).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].at.as_str(), &found[0].one), ("judgement.decision", &Some("hold".into())));
    assert_eq!(found[0].other, Some("halt".into()));
}

#[test]
fn evidence_that_is_changed_gives_another_decision_or_another_id() {
    let record = record(facts(1000, 6, day_two()), day_two());
    let mut stored = serde_json::to_value(&record).unwrap();
    stored["facts"]["fatal_events"] = 7.into();
    let read: Record = serde_json::from_value(stored.clone()).unwrap();
    let found = recomputed(&stored.to_string(), &read).unwrap();
    assert_eq!(found.iter().map(|found| found.at.as_str()).collect::<Vec<_>>(), ["id"]);
}

#[test]
fn a_decision_is_older_than_the_ledger_or_in_it() {
    let record = record(facts(1000, 6, day_two()), day_two());
    let text = canonical::text_of(&record);
    let app = record.release.app.clone();
    let of = |ledger: &Ledger| Vouched::of(&record.id, &text, record.decided_at, ledger);
    assert_eq!(of(&Ledger::verified(app.clone(), Vec::new(), None)), Vouched::OlderThanTheLedger);
    let told = |at: Timestamp| {
        let other = DecisionId::new("d-0123456789abcdef").unwrap();
        let kind = Kind::Decided { decision: other, release: record.release.clone(), record: String::new() };
        let sealed = Noted { at, kind }.sealed(&app, "p/run", None);
        Ledger::verified(app.clone(), vec![sealed.clone()], Some(sealed.head()))
    };
    let later = record.decided_at + SignedDuration::from_mins(15);
    assert_eq!(of(&told(later)), Vouched::OlderThanTheLedger);
    let earlier = record.decided_at - SignedDuration::from_mins(15);
    assert_eq!(of(&told(earlier)), Vouched::Nowhere { since: earlier });
}

#[test]
fn what_came_of_a_decision_ends_with_the_next_one_of_its_release() {
    let first = record(facts(1000, 6, day_two()), day_two());
    let next = record(facts(2000, 6, day_two()), day_two() + SignedDuration::from_mins(15));
    let mut other = first.release.clone();
    other.key = "2640".to_owned();
    let told = |message: &str, release: &tidegate::domain::release::ReleaseId| Kind::Told {
        message: message.to_owned(),
        release: release.clone(),
        sink: "slack".to_owned(),
        place: "C0".to_owned(),
    };
    let kinds = [
        Kind::decided(&first),
        told("of-it", &first.release),
        told("of-another", &other),
        Kind::decided(&next),
        told("later", &first.release),
    ];
    let (app, mut entries) = (first.release.app.clone(), Vec::new());
    let mut head = None;
    for kind in kinds {
        let sealed = Noted { at: day_two(), kind }.sealed(&app, "p/run", head.as_ref());
        head = Some(sealed.head());
        entries.push(sealed);
    }
    let ledger = Ledger::verified(app, entries, head);
    assert_eq!(ledger.broken, []);
    let after =
        |number| ledger.after(number, &first.release).iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!((after(1), after(4)), (vec![2], vec![5]));
}
