//! The checks of `doctor`: is everything there that a run needs, and if not, which command puts it right.
//!
//! Every call is harmless: what is asked reads, describes or is a dry run; the only things that are opened, an edit of
//! Google Play and transactions, are thrown away. So rights that only a write would prove are said to be unproved,
//! with the place where a person sees them. One failed check does not end the others; a check that needs what failed
//! is skipped and says so.

mod bigquery;
mod clock;
mod cost;
mod embedded;
mod github;
mod google;
mod heartbeat;
mod secrets;
mod slack;
mod state;
mod store;
mod tables;

use std::time::Duration;

use jiff::Timestamp;

use self::google::Google;
use self::secrets::Secrets;
use crate::adapters::clock::{SystemClock, steady};
use crate::adapters::http;
use crate::config::{App, Warehouse};
use crate::exit::Ended;
use crate::ports::Clock as _;
use crate::report::checks::Check;
use crate::world::{Acting, Loaded, Parts};

/// All questions to the warehouse are answered or given up within this time.
const PATIENCE: Duration = Duration::from_secs(180);
/// What stands for the account in the fixes of the adapters.
const SOME_ACCOUNT: &str = "serviceAccount:ACCOUNT";

/// What the checks look at.
struct Patient<'l> {
    loaded: &'l Loaded,
    parts: Parts<'l>,
    apps: Vec<&'l App>,
    now: Timestamp,
}

/// Looks at the configuration and at everything that the named apps need, or all apps where none is named.
///
/// # Errors
/// A usage error where an app is unknown; else where TLS can't be set up.
pub async fn examine(loaded: &Loaded, named: &[String]) -> Result<Vec<Check>, Ended> {
    let apps = loaded.chosen(named)?;
    let client = http::client().map_err(Ended::failed)?;
    let parts = Parts::new(loaded, client.clone(), Acting::Live, steady() + PATIENCE);
    let patient = Patient { loaded, parts, apps, now: SystemClock.now() };
    let mut checks = vec![configuration(&patient)];
    checks.push(clock::check(&patient).await);
    let google = Google::check(&patient, &client, &mut checks).await;
    let secrets = Secrets::check(&patient, &google, &mut checks).await;
    checks.push(state::check(&patient, &google).await);
    checks.extend(heartbeat::check(&patient, &google).await);
    match &loaded.config.warehouse {
        Warehouse::Embedded { path } => embedded::check(&patient, path, &mut checks).await,
        Warehouse::BigQuery { .. } => Box::pin(bigquery::check(&patient, &google, &mut checks)).await,
    }
    for app in &patient.apps {
        let of_store = store::check(&patient, app, &google, &secrets).await;
        let of_slack = slack::check(&patient, app, &secrets).await;
        let of_github = github::check(&patient, app, &secrets).await;
        checks.extend(of_store.into_iter().chain(of_slack).chain(of_github).map(|check| check.of(&app.id)));
    }
    checks.sort_by_key(|check| place(&patient, check));
    checks.iter_mut().for_each(|check| google.name_account(check));
    Ok(checks)
}

fn configuration(patient: &Patient<'_>) -> Check {
    let (file, all) = (patient.loaded.file.display(), patient.loaded.config.apps.len());
    let chosen = patient.apps.len();
    Check::ok(
        "configuration",
        "configuration",
        format!("{file} is right; {chosen} of its {all} apps are looked at"),
    )
}

/// What all apps share comes first, then the apps in the order of the configuration.
fn place(patient: &Patient<'_>, check: &Check) -> usize {
    let of_app = |name: &String| patient.apps.iter().position(|app| app.id.as_str() == name);
    check.app.as_ref().and_then(of_app).map_or(0, |index| index + 1)
}
