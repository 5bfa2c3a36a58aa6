//! `ledger`: every entry of the ledger of an app, and whether nothing of it was changed.

use serde_json::{Value, json};

use super::print;
use crate::cli::{Common, Output};
use crate::domain::ids::AppId;
use crate::domain::ledger::{Broken, FIRST, Ledger, Sealed};
use crate::exit::{Ended, Exit};
use crate::ports::Memory;
use crate::report::ledger::{line, short};
use crate::world;

/// Lists and verifies ledgers.
///
/// # Errors
/// Where the state can't be read, and where a ledger was changed.
pub async fn ledger(common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(world::Acting::DryRun)?;
    let mut ledgers = Vec::new();
    for app in loaded.chosen(&common.apps)? {
        ledgers.push(read(state.memory(), &app.id).await?);
    }
    match common.output {
        Output::Human | Output::Github => ledgers.iter().for_each(|ledger| print::out(&text(ledger))),
        Output::Json | Output::Ndjson => {
            let ledgers: Vec<Value> = ledgers.iter().map(json).collect();
            print::out(&print::pretty(&json!({ "ledgers": ledgers })));
        }
    }
    match ledgers.iter().find(|ledger| !ledger.broken.is_empty()) {
        None => Ok(Exit::Success),
        Some(ledger) => Err(Ended::failed(format!(
            "the ledger of app {} was changed after it was written\n  fix: do not rely on it; compare it with a backup",
            ledger.app
        ))),
    }
}

/// Reads a whole ledger, page by page.
///
/// # Errors
/// Where the state can't be read.
pub async fn read(memory: &dyn Memory, app: &AppId) -> Result<Ledger, Ended> {
    let (mut entries, mut from) = (Vec::new(), FIRST);
    loop {
        let page = memory.ledger(app, from).await.map_err(Ended::failed)?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => from = next,
            None => return Ok(Ledger::verified(app.clone(), entries, page.head)),
        }
    }
}

/// What is wrong with a ledger, a line each.
pub fn tampered(broken: &[Broken]) -> impl Iterator<Item = String> {
    broken.iter().map(|broken| format!("  tampered: {broken}"))
}

fn text(ledger: &Ledger) -> String {
    let mut lines = vec![ledger.app.to_string()];
    lines.extend(ledger.entries.iter().map(line));
    lines.extend(tampered(&ledger.broken));
    if ledger.broken.is_empty() {
        lines.push(format!("  {}", standing(ledger)));
    }
    lines.join("\n") + "\n"
}

/// What can be said of a ledger that is whole.
#[must_use]
pub fn standing(ledger: &Ledger) -> String {
    match &ledger.head {
        None => "nothing was entered yet".to_owned(),
        Some(head) => format!("verified: entries 1 to {}, head {}", head.number, short(&head.hash)),
    }
}

fn json(ledger: &Ledger) -> Value {
    json!({
        "app": ledger.app,
        "entries": ledger.entries.iter().map(entry).collect::<Vec<_>>(),
        "head": ledger.head,
        "verified": ledger.broken.is_empty(),
        "tampered": ledger.broken,
    })
}

/// An entry as it is kept: what was hashed, and the hash that is kept with it.
pub fn entry(sealed: &Sealed) -> Value {
    let text: Option<Value> = serde_json::from_str(&sealed.text).ok();
    json!({ "number": sealed.number, "hash": sealed.hash, "entry": text.unwrap_or(Value::Null) })
}
