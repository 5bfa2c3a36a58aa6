//! `status`: what is remembered of every job and every app. Asks no service.

use serde_json::{Value, json};

use super::print;
use crate::adapters::clock::SystemClock;
use crate::cli::{Common, Output};
use crate::domain::decision::Record;
use crate::domain::message::grouped;
use crate::domain::pause_budget::{MOST_DAYS, PauseBudget};
use crate::domain::release::ReleaseState;
use crate::domain::verdict::Evidence;
use crate::exit::{Ended, Exit};
use crate::jobs::JobId;
use crate::ports::{AppState, Clock as _};
use crate::report::human::{self, minute};
use crate::world::{self, identity};

/// Shows what is remembered.
///
/// # Errors
/// Where the state can't be read.
pub async fn status(common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(world::Acting::DryRun)?;
    let mut apps = Vec::new();
    for app in loaded.chosen(&common.apps)? {
        let (platform, _) = identity(&app.target);
        apps.push((app.id.clone(), platform, state.memory().app(&app.id).await.map_err(Ended::failed)?));
    }
    let mut jobs = Vec::new();
    for job in JobId::ALL {
        jobs.extend(state.memory().heartbeat(job.as_str()).await.map_err(Ended::failed)?);
    }
    match common.output {
        Output::Human | Output::Github => {
            jobs.iter().for_each(|heartbeat| print::out(&human::heartbeat(heartbeat, SystemClock.now())));
            apps.iter().for_each(|(id, platform, app)| print::out(&text(&format!("{id} ({platform})"), app)));
        }
        Output::Json | Output::Ndjson => {
            let apps: Vec<_> = apps.iter().map(|(id, platform, app)| json!({
                "app": id, "platform": platform, "releases": app.releases.iter().map(release).collect::<Vec<_>>(), "messages": app.messages,
                "last_decision": app.last_decision.as_ref().map(|record| json!({
                    "id": record.id, "decision": record.judgement.decision, "decided_at": record.decided_at,
                })),
            })).collect();
            print::out(&print::pretty(&json!({"jobs": jobs, "apps": apps})));
        }
    }
    Ok(Exit::Success)
}

/// Whole days of pause that were used when the release was last looked at; none where its store counts none.
fn paused_days(release: &ReleaseState) -> Option<i64> {
    PauseBudget::of(release, release.looked_at).map(|budget| budget.days_used())
}

fn release(state: &ReleaseState) -> Value {
    let mut release = json!(state);
    if let Some(days) = paused_days(state) {
        release["paused_days"] = json!(days);
    }
    release
}

/// How sure the newest decision could be.
fn sure(record: &Record) -> String {
    let (counts, slo) = (record.facts.fresh(), &record.policy.slo);
    let evidence = Evidence::of_sessions(counts, slo, slo.method, record.judgement.reason);
    let sessions = grouped(counts.sessions);
    format!("  {} crash-free sessions {}, {sessions} sessions", record.version, human::interval(&evidence))
}

fn text(app: &str, state: &AppState) -> String {
    let mut lines = vec![app.to_owned()];
    if state.releases.is_empty() {
        lines.push("  nothing is remembered yet".to_owned());
    }
    lines.extend(state.releases.iter().map(|release| {
        let fraction = release.last_fraction.map(|f| format!(" at {f} of users")).unwrap_or_default();
        let status = release.last_seen.as_str();
        let paused = paused_days(release).map(|days| format!(", paused {days} of {MOST_DAYS} days"));
        let (since, paused) = (minute(release.cycle_start), paused.unwrap_or_default());
        format!("  {} {status}{fraction}, counted since {since}{paused}", release.version)
    }));
    lines.extend(state.last_decision.iter().map(|record| {
        let decision = record.judgement.decision.as_str();
        format!(
            "  last decision {} at {}: {decision} ({})",
            record.id,
            minute(record.decided_at),
            record.judgement.reason
        )
    }));
    lines.extend(state.last_decision.iter().map(sure));
    lines.join("\n") + "\n"
}
