//! A commit: what each write of the port means as documents, under a lease that is still held.
//!
//! The transaction reads the lease and every document that will be written, then writes all or nothing. A new kind of
//! write is one more arm of [`Wanted::of`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use firestore::gcloud_sdk::google::firestore::v1::structured_query::{
    CollectionSelector, FieldReference, Projection,
};
use firestore::gcloud_sdk::google::firestore::v1::{Document, StructuredQuery, Write as NativeWrite};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::control;
use super::document::{self, Fields, Unknown};
use super::names::{Names, PARTIALS};
use super::transaction::{Fault, Plan, Transaction, Work};
use super::{lease, ledger};
use crate::domain::decision::Record;
use crate::domain::ledger::Noted;
use crate::domain::outbox::Message;
use crate::domain::release::{Intent, ReleaseId, ReleaseState};
use crate::ports::{Lease, StateError, Write};

/// The field of a message that keeps the order in which messages were first written.
pub const ADDED: &str = "added";
/// The field of an app's document that names its newest decision.
pub const LAST_DECISION: &str = "last_decision";

/// What is read of the documents that will be written: their version, and what the rewrite depends on.
const READ: [&str; 3] = [document::SCHEMA_FIELD, "decided_at", "intent"];
/// The status of an intent that was taken back before the store was asked.
const WITHDRAWN: &str = "withdrawn";

/// Writes everything or nothing.
pub struct Commit<'c> {
    lease: &'c Lease,
    writes: Vec<Write>,
    mark: String,
}

impl<'c> Commit<'c> {
    /// These writes, under this lease.
    pub fn new(lease: &'c Lease, writes: Vec<Write>) -> Self {
        Self { lease, writes, mark: lease::mark() }
    }

    /// What it writes.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }
}

#[async_trait]
impl Work for Commit<'_> {
    type Done = ();
    const VERB: &'static str = "write to";

    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<()>, Fault> {
        let names = &transaction.client.names;
        let wanted = Wanted::of(names, self.lease, &self.writes)?;
        let lease_name = names.lease(self.lease.app());
        let ledger_name = names.ledger(self.lease.app());
        let mask: Vec<&str> = READ.into_iter().chain(lease::FIELDS).chain(ledger::HEAD_FIELDS).collect();
        let head = (!wanted.entries.is_empty()).then(|| ledger_name.clone());
        let bases = control::documents(names, &self.writes);
        let written = wanted.documents.keys().cloned().chain([lease_name.clone()]).chain(head);
        let documents: BTreeSet<String> = written.chain(bases.keys().cloned()).collect();
        // What a decision was made on is compared whole.
        let mask = bases.is_empty().then_some(mask.as_slice());
        let mut found = transaction.get(documents.into_iter().collect(), mask).await?;
        let before = found.remove(&lease_name);
        let head = found.remove(&ledger_name);
        let held = match lease::Stored::read(names, before.as_ref())? {
            // An earlier try was applied and its answer lost.
            Some(stored) if stored.shows(&self.mark) => return Ok(Plan::Done(())),
            _ => lease::still_held(names, self.lease, before.as_ref(), transaction.now())?,
        };
        bases.iter().try_for_each(|(name, basis)| control::must_hold(names, found.get(name), basis))?;
        found.retain(|name, _| wanted.documents.contains_key(name));
        let mut writes = vec![held.marked(&self.mark).write(names, self.lease.app(), before.as_ref())?];
        writes.extend(withdrawn(transaction, &wanted, &found).await?);
        writes.extend(forgotten(transaction, &wanted).await?);
        let (app, run) = (self.lease.app(), self.lease.holder());
        writes.extend(ledger::appended(names, app, run, &wanted.new_entries(&found), head.as_ref())?);
        writes.extend(wanted.writes(names, &found, transaction.now()?)?);
        Ok(Plan::Commit(writes, ()))
    }
}

/// The documents that a commit is to leave behind.
#[derive(Default)]
struct Wanted {
    documents: BTreeMap<String, Put>,
    /// Releases whose partials go, as the names of their documents.
    forgotten: Vec<String>,
    /// What is appended to the ledger, in order.
    entries: Vec<ToEnter>,
}

/// An entry that a commit is to append.
struct ToEnter {
    noted: Noted,
    /// The document with which it comes: where that is there already, so is its entry.
    with: Option<String>,
}

/// One document.
struct Put {
    fields: Fields,
    how: How,
}

/// What a document that is already there means for a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// It is rewritten; fields that are not known stay.
    Rewrite,
    /// It is left alone: what was decided is never changed.
    CreateOnly,
    /// It is rewritten unless it tells of a later decision.
    UnlessOlder(Timestamp),
    /// It is rewritten; where there is none, the new one remembers its place among those of the same commit.
    InOrder(usize),
}

impl Wanted {
    /// The documents of all writes, in the order of the writes: a later one wins.
    fn of(names: &Names, lease: &Lease, writes: &[Write]) -> Result<Self, StateError> {
        let mut wanted = Self::default();
        for (place, write) in writes.iter().enumerate() {
            match write {
                Write::Release(state) => wanted.release(names, lease, state)?,
                Write::Partials(id, partials) => {
                    for partial in partials.iter() {
                        wanted.put(names, names.partial(id, partial.day), How::Rewrite, partial)?;
                    }
                }
                Write::ForgetPartials(id) => wanted.forget(names, id),
                Write::Decision(record) => wanted.decision(names, record)?,
                Write::Message(message) => wanted.message(names, message, place)?,
                Write::Watch(app, watch) => wanted.put(names, names.watch(app), How::Rewrite, watch)?,
                Write::Report(page) => {
                    wanted.put(names, names.report(&page.app), How::Rewrite, page.as_ref())?;
                }
                Write::Control(app, said) => {
                    wanted.put(names, names.control(app), How::Rewrite, said.as_ref())?;
                }
                // Looked at before anything is written.
                Write::Provided(_) => {}
                Write::Ledger(noted) => {
                    wanted.entries.push(ToEnter { noted: noted.as_ref().clone(), with: None });
                }
            }
        }
        Ok(wanted)
    }

    fn release(&mut self, names: &Names, lease: &Lease, state: &ReleaseState) -> Result<(), StateError> {
        self.put_of(names, names.release(&state.id), How::Rewrite, state, &state.id)?;
        let Some(intent) = &state.intent else { return Ok(()) };
        let fields = intent_fields(names, lease, state, intent)?;
        self.documents.insert(names.intent(&intent.key), Put { fields, how: How::Rewrite });
        Ok(())
    }

    fn forget(&mut self, names: &Names, id: &ReleaseId) {
        let release = names.release(id);
        let within = format!("{release}/");
        self.documents.retain(|name, _| !name.starts_with(&within));
        self.forgotten.push(release);
    }

    fn decision(&mut self, names: &Names, record: &Record) -> Result<(), StateError> {
        let id = &record.release;
        let name = names.decision(&record.id);
        self.entries.push(ToEnter { noted: Noted::decided(record), with: Some(name.clone()) });
        self.put_of(names, name, How::CreateOnly, record, id)?;
        let newest = json!({LAST_DECISION: record.id, "decided_at": record.decided_at});
        self.put_of(names, names.app(&id.app), How::UnlessOlder(record.decided_at), &newest, id)
    }

    fn message(&mut self, names: &Names, message: &Message, place: usize) -> Result<(), StateError> {
        self.put_of(names, names.message(&message.key), How::InOrder(place), message, &message.release)
    }

    /// A document that is found by its app.
    fn put_of(
        &mut self,
        names: &Names,
        name: String,
        how: How,
        value: &impl serde::Serialize,
        id: &ReleaseId,
    ) -> Result<(), StateError> {
        let mut fields = document::fields(names, &name, value)?;
        fields.insert("app".to_owned(), json!(id.app));
        self.documents.insert(name, Put { fields, how });
        Ok(())
    }

    fn put(
        &mut self,
        names: &Names,
        name: String,
        how: How,
        value: &impl serde::Serialize,
    ) -> Result<(), StateError> {
        let fields = document::fields(names, &name, value)?;
        self.documents.insert(name, Put { fields, how });
        Ok(())
    }

    /// The entries of what is not there yet.
    fn new_entries(&self, found: &HashMap<String, Document>) -> Vec<Noted> {
        let is_new = |entry: &&ToEnter| entry.with.as_ref().is_none_or(|name| !found.contains_key(name));
        self.entries.iter().filter(is_new).map(|entry| entry.noted.clone()).collect()
    }

    fn writes(
        self,
        names: &Names,
        found: &HashMap<String, Document>,
        now: Timestamp,
    ) -> Result<Vec<NativeWrite>, StateError> {
        let mut writes = Vec::new();
        for (name, Put { mut fields, how }) in self.documents {
            let before = found.get(&name);
            let known = before.map(|before| document::open(names, before)).transpose()?;
            match (how, &known) {
                (How::CreateOnly, Some(_)) => continue,
                (How::UnlessOlder(at), Some(known)) if is_later(known, at) => continue,
                (How::InOrder(place), None) => drop(fields.insert(ADDED.to_owned(), added(now, place))),
                (How::Rewrite | How::CreateOnly | How::UnlessOlder(_) | How::InOrder(_), _) => {}
            }
            let anew = self.forgotten.iter().any(|release| name.starts_with(&format!("{release}/")));
            let unknown = if anew { Unknown::Forgotten } else { Unknown::Kept };
            writes.push(document::write(names, &name, before, fields, unknown)?);
        }
        Ok(writes)
    }
}

fn is_later(known: &Fields, at: Timestamp) -> bool {
    let decided_at = known.get("decided_at").and_then(Value::as_str).and_then(|text| text.parse().ok());
    decided_at.is_some_and(|known: Timestamp| known > at)
}

/// The place of a new message among all: the server's clock, then its place in the commit. Sorts as text.
fn added(now: Timestamp, place: usize) -> Value {
    Value::String(format!("{}/{place:04}", now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")))
}

/// An intent as a document of its own: what people and audits look for. The release carries it too.
fn intent_fields(
    names: &Names,
    lease: &Lease,
    state: &ReleaseState,
    intent: &Intent,
) -> Result<Fields, StateError> {
    let mut fields = document::fields(names, &names.intent(&intent.key), intent)?;
    let status = fields.remove("status").unwrap_or_default();
    fields.insert("status".to_owned(), status["status"].clone());
    fields.insert("reason".to_owned(), status["reason"].clone());
    fields.insert("release".to_owned(), json!(state.id));
    fields.insert("generation".to_owned(), json!(state.generation));
    fields.insert("app".to_owned(), json!(state.id.app));
    fields.insert("fence".to_owned(), json!(lease.fence()));
    Ok(fields)
}

/// Intents that a release carried, that were not carried out, and that it does not carry any more.
async fn withdrawn(
    transaction: &mut Transaction<'_>,
    wanted: &Wanted,
    found: &HashMap<String, Document>,
) -> Result<Vec<NativeWrite>, Fault> {
    let names = &transaction.client.names;
    let mut left = Vec::new();
    for (name, before) in found {
        let intent = document::open(names, before)?.remove("intent").unwrap_or_default();
        let Some(key) = intent["key"].as_str().filter(|_| intent["status"]["status"] == "planned") else {
            continue;
        };
        let after = wanted.documents.get(name).and_then(|put| put.fields.get("intent"));
        let carried = after.is_some_and(|after| after["key"] == key);
        if !carried {
            left.push(names.intent(key));
        }
    }
    let documents = transaction.get(left, Some(&READ)).await?;
    let gone = |before: &Document| {
        document::open(names, before)?;
        let fields = [("status".to_owned(), json!(WITHDRAWN))].into_iter().collect();
        document::write(names, &before.name, Some(before), fields, Unknown::Kept)
    };
    Ok(documents.values().map(gone).collect::<Result<_, StateError>>()?)
}

/// The partials of releases whose counts start anew, but for those that are written again at once.
async fn forgotten(transaction: &mut Transaction<'_>, wanted: &Wanted) -> Result<Vec<NativeWrite>, Fault> {
    let mut deletions = Vec::new();
    for release in &wanted.forgotten {
        let partials = transaction.query(release.clone(), names_only(PARTIALS)).await?;
        let gone = partials.iter().filter(|partial| !wanted.documents.contains_key(&partial.name));
        deletions.extend(gone.map(document::delete));
    }
    Ok(deletions)
}

fn names_only(collection: &str) -> StructuredQuery {
    let name = FieldReference { field_path: "__name__".to_owned() };
    StructuredQuery {
        select: Some(Projection { fields: vec![name] }),
        from: vec![CollectionSelector { collection_id: collection.to_owned(), all_descendants: false }],
        ..StructuredQuery::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::UtcDay;
    use crate::domain::counts::{DayPartial, Partials};
    use crate::domain::ids::{AppId, Platform};
    use crate::domain::sketch::SKETCH_SIZE;

    /// Firestore's limit for one document, in bytes.
    const LIMIT: usize = 1024 * 1024;

    /// What a value counts as, in bytes. Source: Firestore's page on storage size calculations.
    fn size(value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) => 1,
            Value::Number(_) => 8,
            Value::String(text) => text.len() + 1,
            Value::Array(values) => values.iter().map(size).sum(),
            Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + 1 + size(value)).sum(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_biggest_document_is_far_below_the_limit() {
        let now = at("2026-11-18T12:00:00Z");
        let app = AppId::new("android").unwrap();
        let mut day = DayPartial::empty(UtcDay::of(now), now, now);
        let people = || (0..SKETCH_SIZE as i64).map(|person| (person, u32::MAX));
        day.users.extend(people());
        day.crashed_installations.extend(people());
        let partials: Partials = [day].into_iter().collect();
        let id = ReleaseId { app: app.clone(), platform: Platform::Android, key: "200".to_owned() };
        let lease = Lease::granted(app, "a/b".to_owned(), 1, now);
        let writes = [Write::Partials(id, partials)];
        let wanted = Wanted::of(&Names::new("p", "tidegate"), &lease, &writes).unwrap();
        let (name, put) = wanted.documents.iter().next().unwrap();
        let bytes = name.len() + size(&Value::Object(put.fields.clone()));
        assert!((LIMIT / 20..LIMIT / 5).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn messages_sort_by_when_they_were_first_written() {
        let early = added(at("2026-11-18T12:00:00Z"), 11);
        let late = added(at("2026-11-18T12:00:00.5Z"), 2);
        assert_eq!(early, "2026-11-18T12:00:00.000000Z/0011");
        assert!(early.as_str() < late.as_str());
    }
}
