//! `plan`: what happens next to every app, and when. From what is remembered; asks no service but the state store.

use jiff::Timestamp;

use super::{print, report};
use crate::adapters::clock::SystemClock;
use crate::cli::{AsOf, Common, Output};
use crate::config::App;
use crate::domain::calendar::next_due;
use crate::domain::forecast::{bytes_at_end, forecast};
use crate::domain::release::RolloutStatus;
use crate::exit::{Ended, Exit};
use crate::ports::{Clock as _, StateStore};
use crate::report::json::SCHEMA_VERSION;
use crate::report::plan::{Ahead, document, text};
use crate::world::{self, Loaded};

/// Shows what is ahead.
///
/// # Errors
/// A usage error where an app is unknown; else where the state can't be read.
pub async fn plan(args: &AsOf, common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(world::Acting::DryRun)?;
    let now = args.now.unwrap_or_else(|| SystemClock.now());
    let mut all = Vec::new();
    for app in loaded.chosen(&common.apps)? {
        all.push(ahead(&loaded, state.as_ref(), app, now).await?);
    }
    match common.output {
        Output::Human | Output::Github => {
            print::out(&all.iter().map(text).collect::<Vec<_>>().join("\n"));
        }
        Output::Json => {
            let apps: Vec<_> = all.iter().map(document).collect();
            print::out(&print::pretty(&serde_json::json!({"schema_version": SCHEMA_VERSION, "apps": apps})));
        }
        Output::Ndjson => all.iter().for_each(|ahead| print::out(&print::line(&document(ahead)))),
    }
    Ok(Exit::Success)
}

async fn ahead(loaded: &Loaded, state: &dyn StateStore, app: &App, now: Timestamp) -> Result<Ahead, Ended> {
    let (page, newest) = report::app_page(loaded, state, app, now).await?;
    let made = state.memory().report(&app.id).await.map_err(Ended::failed)?.map(|page| page.date);
    // Nothing is expected of a release that is not rolling out.
    let moving = page.release.as_ref().filter(|release| release.status == RolloutStatus::RollingOut);
    Ok(Ahead {
        forecast: moving.and(newest.as_ref()).map(|record| forecast(record, now)),
        next_report: next_due(app.report_at, made, now, &app.policy.zone),
        bytes_at_end: moving
            .and_then(|release| bytes_at_end(page.cost.cycle_bytes, release.cycle_start, now)),
        page,
    })
}
