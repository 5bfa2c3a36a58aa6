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
use crate::world;

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
    let apps: Vec<AppId> = loaded.config.apps.iter().map(|app| app.id.clone()).collect();
    let explained = Explained::of(&id, state.memory(), &apps).await?;
    match common.output {
        Output::Human | Output::Github => print::out(&explained.text()),
        Output::Json | Output::Ndjson => print::out(&print::pretty(&explained.json())),
    }
    explained.verdict()
}

/// A decision, and everything that was found about it.
pub struct Explained {
    id: DecisionId,
    record: Record,
    differences: Vec<Difference>,
    vouched: Vouched,
    ledger: Ledger,
}

impl Explained {
    /// Examines a stored decision. `apps` are those whose ledgers are searched where the record itself is of no help.
    ///
    /// # Errors
    /// A usage error where there is no such decision; a failure where it is gone or unreadable, or the state is.
    pub async fn of(id: &DecisionId, memory: &dyn Memory, apps: &[AppId]) -> Result<Self, Ended> {
        let Some(text) = memory.evidence(id).await.map_err(Ended::failed)? else {
            return Err(absent(id, entry_of(id, memory, apps).await?));
        };
        let record: Record = match serde_json::from_str(&text) {
            Ok(record) => record,
            Err(error) => return Err(unreadable(id, entry_of(id, memory, apps).await?, &error)),
        };
        let ledger = ledger::read(memory, &record.release.app).await?;
        Ok(Self {
            id: id.clone(),
            differences: recomputed(&text, &record).map_err(Ended::failed)?,
            vouched: Vouched::of(id, &text, record.decided_at, &ledger),
            record,
            ledger,
        })
    }

    /// Whether the decision follows from its evidence to the byte, and nothing of it or of the ledger was changed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.differences.is_empty() && self.tampered().is_empty()
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
        let of_another = (self.record.id != self.id)
            .then(|| format!("  tampered: what is kept under this id is decision {}", self.record.id));
        of_another.into_iter().chain(of_record).chain(ledger::tampered(&self.ledger.broken)).collect()
    }

    fn after(&self) -> Vec<&Sealed> {
        let number = self.vouched.entry();
        number.map(|number| self.ledger.after(number, &self.record.release)).unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut lines = evidence(&self.record);
        lines.extend(recomputation(&self.differences));
        let tampered = self.tampered();
        if tampered.is_empty() {
            lines.push(match self.vouched.entry() {
                Some(entry) => format!("  ledger: entry {entry}; {}", ledger::standing(&self.ledger)),
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

    fn verdict(&self) -> Result<Exit, Ended> {
        if self.holds() {
            return Ok(Exit::Success);
        }
        let what = match (self.differences.is_empty(), self.tampered().first()) {
            (_, Some(first)) => first.trim_start().to_owned(),
            (_, None) => "it does not follow from its stored evidence".to_owned(),
        };
        Err(Ended::failed(format!(
            "decision {}: {what}\n  fix: it was changed after it was written, or judged by another tidegate ({}; this is \
             {}); do not rely on it",
            self.id,
            self.record.tidegate_version,
            env!("CARGO_PKG_VERSION")
        )))
    }
}

/// The entry of a decision in any of the ledgers.
async fn entry_of(
    id: &DecisionId,
    memory: &dyn Memory,
    apps: &[AppId],
) -> Result<Option<(AppId, u64)>, Ended> {
    for app in apps {
        if let Some((entry, _)) = ledger::read(memory, app).await?.told_of(id) {
            return Ok(Some((app.clone(), entry)));
        }
    }
    Ok(None)
}

/// Why there is no such decision: it never was, or it is gone.
fn absent(id: &DecisionId, entry: Option<(AppId, u64)>) -> Ended {
    match entry {
        None => Ended::usage(format!(
            "no decision {id} is recorded here\n  fix: `tidegate status` shows the newest of each app"
        )),
        Some((app, entry)) => Ended::failed(format!(
            "tampered: decision {id} is gone, and entry {entry} of the ledger of app {app} tells of it\n  fix: it was \
             deleted after it was written; look for it in a backup"
        )),
    }
}

fn unreadable(id: &DecisionId, entry: Option<(AppId, u64)>, error: &serde_json::Error) -> Ended {
    let told = entry.map(|(app, entry)| format!("; entry {entry} of the ledger of app {app} tells of it"));
    Ended::failed(format!(
        "decision {id} can't be read: {error}{}\n  fix: it was changed after it was written, or a newer tidegate wrote \
         it; compare it with a backup",
        told.unwrap_or_default()
    ))
}

/// A decision for people as this program has just made it: the evidence, and what it gives when it is judged again.
#[must_use]
pub fn text(record: &Record) -> String {
    let again = canonical::differences_of(record, &record.judged_again());
    let lines = evidence(record).into_iter().chain(recomputation(&again));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// What judging again gives, in lines.
fn recomputation(differences: &[Difference]) -> Vec<String> {
    if differences.is_empty() {
        return vec!["  recomputed: identical".to_owned()];
    }
    let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), canonical::text);
    let lines = differences.iter().take(SHOWN_DIFFERENCES).map(|found| {
        format!("  recomputed: {} is {}, stored is {}", found.at, shown(&found.other), shown(&found.one))
    });
    let more = differences.len().saturating_sub(SHOWN_DIFFERENCES);
    let more = (more > 0).then(|| format!("  recomputed: {more} more differences"));
    lines.chain(more).collect()
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
