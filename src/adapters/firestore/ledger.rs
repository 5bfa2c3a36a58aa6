//! The ledger of an app as documents: one for each entry, made once, and one for the head.
//!
//! A commit reads the head with everything else that it reads, and writes the entries with everything else that it
//! writes, so a ledger costs no request of its own. An entry must be new and the head must be as it was read: of two
//! commits that would append the same number, one fails and is run again.

use std::collections::HashMap;

use firestore::gcloud_sdk::google::firestore::v1::{Document, Write as NativeWrite};
use serde_json::{Value, json};

use super::document::{self, Fields, Unknown};
use super::names::Names;
use crate::domain::ids::AppId;
use crate::domain::ledger::{Head, Noted, Page, Sealed};
use crate::ports::StateError;

/// Entries of one page. Each is asked for by its name; they fit into one small answer.
pub const PAGE: u64 = 100;
/// The fields of the head.
pub const HEAD_FIELDS: [&str; 2] = ["number", HASH];
/// The canonical text of an entry.
const ENTRY: &str = "entry";
/// The hash of an entry.
const HASH: &str = "hash";

/// The writes that append entries of the run that `run` names to the ledger of an app, given its head as it was read.
///
/// # Errors
/// Where the head can't be read.
pub fn appended(
    names: &Names,
    app: &AppId,
    run: &str,
    entries: &[Noted],
    before: Option<&Document>,
) -> Result<Vec<NativeWrite>, StateError> {
    let known: Option<Head> = before.map(|before| document::read(names, before)).transpose()?;
    let (mut head, mut writes) = (known.clone(), Vec::new());
    for noted in entries {
        let sealed = noted.sealed(app, run, head.as_ref());
        let name = names.entry(app, sealed.number);
        writes.push(document::write(names, &name, None, fields(&sealed), Unknown::Kept)?);
        head = Some(sealed.head());
    }
    if let Some(head) = head.filter(|head| known.as_ref() != Some(head)) {
        let name = names.ledger(app);
        let fields = document::fields(names, &name, &head)?;
        writes.push(document::write(names, &name, before, fields, Unknown::Kept)?);
    }
    Ok(writes)
}

/// The page from a number on, made of what was found under the names of its entries and of the head.
///
/// # Errors
/// Where a document can't be read.
pub fn page(
    names: &Names,
    app: &AppId,
    numbers: impl Iterator<Item = u64>,
    found: Vec<Document>,
) -> Result<Page, StateError> {
    let mut found: HashMap<String, Document> =
        found.into_iter().map(|document| (document.name.clone(), document)).collect();
    let head: Option<Head> =
        found.remove(&names.ledger(app)).map(|head| document::read(names, &head)).transpose()?;
    let (mut entries, mut last) = (Vec::new(), 0);
    for number in numbers {
        last = number;
        let Some(document) = found.remove(&names.entry(app, number)) else { continue };
        entries.push(sealed(names, number, &document)?);
    }
    let ends_full = entries.last().is_some_and(|entry| entry.number == last);
    let goes_on = ends_full || head.as_ref().is_some_and(|head| head.number > last);
    Ok(Page { entries, head, next: goes_on.then(|| last.saturating_add(1)) })
}

/// Nothing but what the chain covers, so that no change of an entry goes unseen.
fn fields(sealed: &Sealed) -> Fields {
    let fields = [(ENTRY, &sealed.text), (HASH, &sealed.hash)];
    fields.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect()
}

/// An entry as it is kept under the number of its name.
fn sealed(names: &Names, number: u64, document: &Document) -> Result<Sealed, StateError> {
    let fields = document::open(names, document)?;
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Sealed { number, text: text(ENTRY), hash: text(HASH) })
}
