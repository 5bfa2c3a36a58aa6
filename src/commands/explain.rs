//! `explain`: a recorded decision with its evidence, judged again from nothing but what was stored.

use serde_json::json;

use super::print;
use crate::cli::{Common, Output};
use crate::domain::decision::Record;
use crate::domain::ids::DecisionId;
use crate::exit::{Ended, Exit};
use crate::report::human;
use crate::world;

/// Shows a decision.
///
/// # Errors
/// A usage error where there is no such decision; a failure where its evidence does not give its judgement any more.
pub async fn explain(id: &str, common: &Common) -> Result<Exit, Ended> {
    let id = DecisionId::new(id).map_err(Ended::usage)?;
    let state = world::load(common.config.as_deref())?.state(world::Acting::DryRun)?;
    let record = state.memory().decision(&id).await.map_err(Ended::failed)?;
    let record = record.ok_or_else(|| {
        Ended::usage(format!(
            "no decision {id} is recorded here\n  fix: `tidegate status` shows the newest of each app"
        ))
    })?;
    match common.output {
        Output::Human | Output::Github => print::out(&text(&record)),
        Output::Json | Output::Ndjson => {
            print::out(&print::pretty(&json!({"record": record, "holds": record.holds()})));
        }
    }
    if record.holds() {
        return Ok(Exit::Success);
    }
    Err(Ended::failed(format!(
        "decision {id} does not follow from its stored evidence\n  fix: it was changed after it was written, or judged \
         by tidegate {}; do not rely on it",
        record.tidegate_version
    )))
}

/// A decision for people.
#[must_use]
pub fn text(record: &Record) -> String {
    let judgement = &record.judgement;
    let by = judgement.rule.as_deref().unwrap_or("the state of the data");
    let mut lines = vec![
        format!(
            "{} {} ({}): {} ({}), by {by}",
            record.release.app,
            record.version,
            record.release.platform,
            judgement.decision.as_str().to_uppercase(),
            judgement.reason
        ),
        format!(
            "  decided {} by tidegate {}",
            record.decided_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            record.tidegate_version
        ),
    ];
    lines.extend(human::evidence(record));
    lines.push("  per day (UTC): sessions, crashed".to_owned());
    lines.extend(
        record.facts.days.iter().map(|day| {
            format!("    {}  {:>9} {:>6}", day.day, day.fresh.sessions, day.fresh.crashed_sessions)
        }),
    );
    let again = if record.holds() { "gives the same decision" } else { "gives ANOTHER decision" };
    lines.push(format!("  judged again from this evidence: {again}"));
    lines.join("\n") + "\n"
}
