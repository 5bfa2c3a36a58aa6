//! BigQuery: each dataset, the right to run queries, each table, how fresh it is, and what a look would cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::google::Google;
use super::tables::{self, Side, age};
use super::{PATIENCE, Patient, cost};
use crate::adapters::bigquery::BigQuery;
use crate::adapters::clock::steady;
use crate::adapters::events::{self, Found};
use crate::adapters::google::Scope;
use crate::config::{App, SessionSource, Warehouse};
use crate::report::checks::{Check, Status};

/// Where a person sees whether the export still runs.
const EXPORT: &str = "Firebase console > Project settings > Integrations > BigQuery: see whether the export is on, and \
                      whether the app still reports";

/// Looks at everything that the apps need of BigQuery.
pub async fn check(patient: &Patient<'_>, google: &Google, checks: &mut Vec<Check>) {
    let subject = "BigQuery";
    if !google.has(Scope::BigQuery) {
        checks.push(Check::skipped("bigquery-jobs", subject, "there is no Google token for BigQuery"));
        return;
    }
    let bigquery = match patient.parts.bigquery(steady() + PATIENCE) {
        Ok(bigquery) => Arc::new(bigquery),
        Err(ended) => return checks.push(Check::failed("bigquery-jobs", subject, &ended)),
    };
    let datasets = datasets(patient, &bigquery, checks).await;
    let may_query = may_query(patient, &bigquery, &datasets).await;
    let asks = may_query.status == Status::Ok;
    checks.push(may_query);
    let mut looks = Vec::new();
    for app in &patient.apps {
        if let Some(unreadable) = used(app).into_iter().find(|name| !datasets.contains_key(*name)) {
            let why = format!("the dataset {unreadable} can't be read");
            checks.push(Check::skipped("table", "tables", why).of(&app.id));
            continue;
        }
        let warehouse: Arc<dyn events::Warehouse> = bigquery.clone();
        let looked = tables::look(patient, app, &warehouse).await;
        checks.extend(looked.checks.into_iter().map(|check| check.of(&app.id)));
        for (side, found) in &looked.found {
            let described = described(patient, app, &bigquery, *side, found).await;
            checks.extend(described.into_iter().map(|check| check.of(&app.id)));
        }
        looks.push((*app, looked.found));
    }
    match asks {
        true => Box::pin(cost::check(patient, &bigquery, &looks, checks)).await,
        false => checks.push(Check::skipped("cost", "cost", "queries can't be run in the project that pays")),
    }
}

/// The datasets that an app is read from.
fn used(app: &App) -> Vec<&str> {
    let sources = &app.sources;
    let crashes = match &sources.crashes_table {
        Some(table) => table.split('.').next().unwrap_or_default(),
        None => sources.crashlytics_dataset.as_str(),
    };
    let sessions = match (&sources.sessions, &sources.sessions_table) {
        (SessionSource::Analytics { dataset, .. }, _) => dataset.as_str(),
        (SessionSource::FirebaseSessions, Some(table)) => table.split('.').next().unwrap_or_default(),
        (SessionSource::FirebaseSessions, None) => sources.sessions_dataset.as_str(),
    };
    vec![crashes, sessions]
}

/// Looks at each dataset once. Those that can be read come back with their places.
async fn datasets<'p>(
    patient: &Patient<'p>,
    bigquery: &BigQuery,
    checks: &mut Vec<Check>,
) -> BTreeMap<&'p str, String> {
    let mut names: Vec<&'p str> = patient.apps.iter().flat_map(|app| used(app)).collect();
    names.sort_unstable();
    names.dedup();
    let mut readable = BTreeMap::new();
    for name in names {
        let subject = format!("BigQuery dataset {name}");
        checks.push(match bigquery.location_of(name).await {
            Ok(Some(location)) => {
                let check = Check::ok(
                    "bigquery-dataset",
                    subject,
                    format!("its tables can be listed; it is in {location}"),
                );
                readable.insert(name, location);
                check
            }
            Ok(None) => Check::failed("bigquery-dataset", subject, "is not there").with_fix(format!(
                "{EXPORT}; or correct [warehouse] project and the datasets under [sources]"
            )),
            Err(error) => Check::failed("bigquery-dataset", subject, &error),
        });
    }
    readable
}

/// A dry run costs nothing, wherever it is; an organisation may allow the places of its datasets only.
async fn may_query(patient: &Patient<'_>, bigquery: &BigQuery, datasets: &BTreeMap<&str, String>) -> Check {
    let (payer, configured) = match &patient.loaded.config.warehouse {
        Warehouse::BigQuery { billing_project, location, .. } => {
            (billing_project.as_str(), location.as_deref())
        }
        Warehouse::Embedded { .. } => ("", None),
    };
    let subject = format!("queries billed to project {payer}");
    let location = configured.or_else(|| datasets.values().next().map(String::as_str));
    match bigquery.check_jobs(location).await {
        Ok(()) => Check::ok("bigquery-jobs", subject, "may be run, by a dry run"),
        Err(error) => Check::failed("bigquery-jobs", subject, &error),
    }
}

/// What a table's description tells of its rows, free of charge.
async fn described(
    patient: &Patient<'_>,
    app: &App,
    bigquery: &BigQuery,
    side: Side,
    found: &Found,
) -> Vec<Check> {
    let subject = format!("newest rows of {}", found.table);
    let look = match bigquery.look(&found.table).await {
        Ok(Some(look)) => look,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Check::failed("freshness", subject, &error)],
    };
    let mut checks = Vec::new();
    let is_dated = side == Side::Sessions && matches!(app.sources.sessions, SessionSource::Analytics { .. });
    if look.partitioned_by.is_none() && !is_dated {
        let fix = format!(
            "name a table under [sources] that is partitioned by event_timestamp: bq show --format=prettyjson {} shows how it is",
            found.table
        );
        let text = "is not partitioned: every query reads the whole table";
        checks.push(Check::warning("partitions", format!("partitions of {}", found.table), text, fix));
    }
    checks.extend(match look.modified_at {
        _ if look.is_streaming => Some(Check::ok("freshness", subject, "rows are being streamed now")),
        Some(at) => Some(age(patient, app, side, subject, at, EXPORT)),
        None => Some(Check::skipped("freshness", subject, "the description of a view does not tell")),
    });
    checks
}
