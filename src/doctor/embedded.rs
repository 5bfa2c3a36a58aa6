//! The embedded warehouse: is the file there, are the tables of each app in it, how old is the newest event.

use std::path::Path;
use std::sync::Arc;

use super::Patient;
use super::tables::{self, Side, age};
use crate::adapters::embedded::Embedded;
use crate::adapters::events::{Found, Warehouse};
use crate::config::App;
use crate::report::checks::Check;

/// Looks at the file and at the tables of each app.
pub async fn check(patient: &Patient<'_>, path: &Path, checks: &mut Vec<Check>) {
    let path = patient.loaded.path(path);
    let subject = format!("warehouse {}", path.display());
    let embedded = match Embedded::open(&path) {
        Ok(embedded) => Arc::new(embedded),
        Err(error) => {
            checks.push(Check::failed("warehouse", subject, &error));
            let skipped = |app: &&App| Check::skipped("table", "tables", "there is no warehouse").of(&app.id);
            checks.extend(patient.apps.iter().map(skipped));
            return;
        }
    };
    checks.push(Check::ok("warehouse", subject, "can be read"));
    for app in &patient.apps {
        let warehouse: Arc<dyn Warehouse> = embedded.clone();
        let looked = tables::look(patient, app, &warehouse).await;
        let newest =
            looked.found.iter().filter_map(|(side, found)| newest(patient, app, &embedded, *side, found));
        let newest: Vec<Check> = newest.collect();
        checks.extend(looked.checks.into_iter().chain(newest).map(|check| check.of(&app.id)));
    }
}

/// An empty table of sessions is none that a release could be judged by.
fn newest(patient: &Patient<'_>, app: &App, embedded: &Embedded, side: Side, found: &Found) -> Option<Check> {
    let subject = format!("newest event of {}", found.table);
    let fix = "tidegate import --warehouse FILE DATASET.TABLE FILE... with a newer export";
    Some(match embedded.newest_event(&found.table) {
        Ok(Some(at)) => age(patient, app, side, subject, at, fix),
        Ok(None) => Check::warning("freshness", subject, "the table is empty", fix),
        Err(error) => Check::failed("freshness", subject, &error),
    })
}
