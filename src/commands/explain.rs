//! `explain`: a recorded decision with its evidence, judged again from nothing but what was stored, held against the
//! ledger, and what came of it.

use serde_json::{Value, json};

use super::ledger;
use super::print;
use crate::cli::{Common, Output};
use crate::domain::canonical::{self, Difference};
use crate::domain::decision::Record;
use crate::domain::examination::{Vouched, recomputed};
use crate::domain::ids::{AppId, DecisionId};
use crate::domain::ledger::{Ledger, Sealed};
use crate::exit::{Ended, Exit};
use crate::ports::Memory;
use crate::report::human;
use crate::report::ledger::line;
use crate::world::{self, Loaded};

/// Differences that are shown; the first ones say enough.
const SHOWN_DIFFERENCES: usize = 5;

/// Shows a decision.
///
/// # Errors
/// A usage error where there is no such decision; a failure where its evidence does not give its judgement any more, or
/// it or the ledger was changed after it was written.
pub async fn explain(id: &str, common: &Common) -> Result<Exit, Ended> {
    let id = DecisionId::new(id).map_err(Ended::usage)?;
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(world::Acting::DryRun)?;
    let memory = state.memory();
    let Some(text) = memory.evidence(&id).await.map_err(Ended::failed)? else {
        return Err(gone(&loaded, memory, &id).await?);
    };
    let record = match serde_json::from_str::<Record>(&text) {
        Ok(record) => record,
        Err(error) => return Err(unreadable(&loaded, memory, &id, &error).await?),
    };
    let ledger = ledger::read(memory, &record.release.app).await?;
    let explained = Explained::new(&id, &text, record, ledger).map_err(Ended::failed)?;
    match common.output {
        Output::Human | Output::Github => print::out(&explained.text()),
        Output::Json | Output::Ndjson => print::out(&print::pretty(&explained.json())),
    }
    explained.verdict(&id)
}

/// The entry of a decision in any ledger of the configuration.
async fn entry_of(
    loaded: &Loaded,
    memory: &dyn Memory,
    id: &DecisionId,
) -> Result<Option<(AppId, u64)>, Ended> {
    for app in loaded.chosen(&[])? {
        if let Some((entry, _)) = ledger::read(memory, &app.id).await?.told_of(id) {
            return Ok(Some((app.id.clone(), entry)));
        }
    }
    Ok(None)
}

/// Why there is no such decision: it never was, or it is gone.
async fn gone(loaded: &Loaded, memory: &dyn Memory, id: &DecisionId) -> Result<Ended, Ended> {
    Ok(match entry_of(loaded, memory, id).await? {
        None => Ended::usage(format!(
            "no decision {id} is recorded here\n  fix: `tidegate status` shows the newest of each app"
        )),
        Some((app, entry)) => Ended::failed(format!(
            "decision {id} is gone: entry {entry} of the ledger of app {app} tells of it\n  fix: it was deleted after it \
             was written; look for it in a backup"
        )),
    })
}

async fn unreadable(
    loaded: &Loaded,
    memory: &dyn Memory,
    id: &DecisionId,
    error: &serde_json::Error,
) -> Result<Ended, Ended> {
    let problem = match entry_of(loaded, memory, id).await? {
        None => "it was changed after it was written, or a newer tidegate wrote it".to_owned(),
        Some((app, entry)) => format!(
            "compare it with entry {entry} of the ledger of app {app}: it was changed after it was written, or a newer \
             tidegate wrote it"
        ),
    };
    Ok(Ended::failed(format!("decision {id} can't be read: {error}\n  fix: {problem}")))
}

/// A decision, and everything that was found about it.
struct Explained {
    record: Record,
    differences: Vec<Difference>,
    vouched: Vouched,
    ledger: Ledger,
}

impl Explained {
    fn new(id: &DecisionId, text: &str, record: Record, ledger: Ledger) -> Result<Self, serde_json::Error> {
        Ok(Self {
            differences: recomputed(text, &record)?,
            vouched: Vouched::of(id, text, Some(record.decided_at), &ledger),
            record,
            ledger,
        })
    }

    /// What shows that something was changed, in lines.
    fn tampered(&self) -> Vec<String> {
        let of_record = match &self.vouched {
            Vouched::By { .. } | Vouched::OlderThanTheLedger => None,
            Vouched::Replaced { entry } => {
                Some(format!("  tampered: entry {entry} was written for another record of this decision"))
            }
            Vouched::Nowhere { since } => Some(format!(
                "  tampered: the ledger has no entry of this decision, and goes back to {}",
                human::minute(*since)
            )),
        };
        of_record.into_iter().chain(ledger::tampered(&self.ledger.broken)).collect()
    }

    fn after(&self) -> Vec<&Sealed> {
        let number = self.vouched.entry();
        number.map(|number| self.ledger.after(number, &self.record.release)).unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut lines = evidence(&self.record);
        lines.extend(self.recomputed());
        let tampered = self.tampered();
        if tampered.is_empty() {
            lines.push(match self.vouched.entry() {
                Some(entry) => format!(
                    "  ledger: entry {entry};{}",
                    ledger::standing(&self.ledger).trim_start_matches(' ')
                ),
                None => {
                    "  ledger: this decision is older than the ledger, which says nothing of it".to_owned()
                }
            });
        }
        lines.extend(tampered);
        let after = self.after();
        if !after.is_empty() {
            lines.push("  afterwards:".to_owned());
            lines.extend(after.into_iter().map(line));
        }
        lines.join("\n") + "\n"
    }

    fn recomputed(&self) -> Vec<String> {
        if self.differences.is_empty() {
            return vec!["  recomputed: identical".to_owned()];
        }
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), canonical::text);
        let shown = self.differences.iter().take(SHOWN_DIFFERENCES).map(|found| {
            format!("  recomputed: {} is {}, stored is {}", found.at, shown(&found.other), shown(&found.one))
        });
        let more = self.differences.len().saturating_sub(SHOWN_DIFFERENCES);
        let more = (more > 0).then(|| format!("  recomputed: {more} more differences"));
        shown.chain(more).collect()
    }

    fn json(&self) -> Value {
        let differences = self.differences.iter();
        let differences: Vec<Value> = differences
            .map(|found| json!({ "at": found.at, "stored": found.one, "recomputed": found.other }))
            .collect();
        json!({
            "record": self.record,
            "holds": self.holds(),
            "recomputed": if self.differences.is_empty() { "identical" } else { "differs" },
            "differences": differences,
            "ledger": {
                "app": self.ledger.app,
                "head": self.ledger.head,
                "record": self.vouched,
                "tampered": self.ledger.broken,
            },
            "afterwards": self.after().into_iter().map(ledger::entry).collect::<Vec<_>>(),
        })
    }

    fn holds(&self) -> bool {
        self.differences.is_empty() && self.tampered().is_empty()
    }

    fn verdict(&self, id: &DecisionId) -> Result<Exit, Ended> {
        if self.holds() {
            return Ok(Exit::Success);
        }
        let what = match (self.differences.is_empty(), self.tampered().first()) {
            (_, Some(first)) => first.trim_start().to_owned(),
            (_, None) => "it does not follow from its stored evidence".to_owned(),
        };
        Err(Ended::failed(format!(
            "decision {id}: {what}\n  fix: it was changed after it was written, or judged by another tidegate ({}; this is \
             {}); do not rely on it",
            self.record.tidegate_version,
            env!("CARGO_PKG_VERSION")
        )))
    }
}

/// A decision for people, with its evidence.
fn evidence(record: &Record) -> Vec<String> {
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
    lines
}
