//! The embedded pair and the production pair decide alike: the same seeded week, once over SQLite files and once over
//! the sandbox's BigQuery and Google's Firestore emulator. Every decision must be the same to the byte.

use serde_json::Value;
use tidegate::demo::week::{Look, Pair, Setting, Week};

use crate::emulator::Emulator;

/// A decision without what its queries cost.
fn decided(look: &Look) -> String {
    let report = &look.report;
    let record = report.record.as_ref().map(|record| {
        let mut record = serde_json::to_value(record).unwrap();
        drop(record.as_object_mut().and_then(|record| record.shift_remove("queries")));
        record
    });
    let story = (report.decision, report.reason, report.user_fraction, &report.problems);
    format!("{} {story:?} {}", report.app, record.unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_production_pair_decides_as_the_embedded_one_does() {
    let Some(emulator) = Emulator::new() else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let google = Pair::Google { emulator: emulator.address.clone(), project: emulator.project.clone() };
    let mut embedded = Week::set_up(one.path(), &Setting { seed: 7, ..Setting::default() }).await.unwrap();
    let google = Setting { seed: 7, pair: google, ..Setting::default() };
    let mut production = Week::set_up(other.path(), &google).await.unwrap();
    let (mut decisions, mut bytes) = (0, 0);
    for now in crate::support::some(embedded.looks()) {
        let expected = embedded.look(now).await.unwrap();
        let found = production.look(now).await.unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(decided(found), decided(expected), "at {now}");
            decisions += 1;
            let queries = found.report.record.iter().flat_map(|record| &record.queries);
            bytes += queries.map(|query| query.bytes_billed).sum::<u64>();
        }
    }
    assert!(bytes > 0);
    println!("{decisions} decisions identical; {} MiB billed", bytes >> 20);
}
