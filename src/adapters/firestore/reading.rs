//! What is remembered, read without a lease. All of an app is read as of one instant of the server.

use std::sync::atomic::Ordering;

use firestore::gcloud_sdk::google::firestore::v1::batch_get_documents_request::ConsistencySelector as GetAt;
use firestore::gcloud_sdk::google::firestore::v1::run_query_request::ConsistencySelector as QueryAt;
use firestore::gcloud_sdk::google::firestore::v1::structured_query::composite_filter::Operator as Together;
use firestore::gcloud_sdk::google::firestore::v1::structured_query::field_filter::Operator;
use firestore::gcloud_sdk::google::firestore::v1::structured_query::filter::FilterType;
use firestore::gcloud_sdk::google::firestore::v1::structured_query::{
    CollectionSelector, CompositeFilter, FieldFilter, FieldReference, Filter,
};
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::gcloud_sdk::google::firestore::v1::{Document, StructuredQuery, Value as Native};
use firestore::gcloud_sdk::prost_types;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::Status;

use super::client::{Client, Found};
use super::commit::{ADDED, LAST_DECISION};
use super::document;
use super::ledger;
use super::names::{DECISIONS, OUTBOX, PARTIALS, RELEASES};
use super::patience::{Failure, LONGEST, Patience};
use crate::domain::canonical;
use crate::domain::control::Control;
use crate::domain::counts::{DayPartial, Partials};
use crate::domain::daily::AppPage;
use crate::domain::decision::Record;
use crate::domain::heartbeat::{self, Heartbeat};
use crate::domain::ids::{AppId, DecisionId};
use crate::domain::ledger::{FIRST, Page};
use crate::domain::outbox::Message;
use crate::domain::release::{ReleaseId, ReleaseState};
use crate::domain::watch::Watch;
use crate::ports::{AppState, StateError};

/// The reading half.
pub struct Reading<'c> {
    /// The database.
    pub client: &'c Client,
}

impl Reading<'_> {
    pub async fn app(&self, app: &AppId) -> Result<AppState, StateError> {
        let name = self.client.names.app(app);
        let found = self.get(name, None).await?;
        let at = found.read_at;
        let last = self.last_decision(&found)?;
        let (releases, messages, last_decision, (watch, heartbeats)) = tokio::try_join!(
            self.of_app(RELEASES, app, at),
            self.of_app(OUTBOX, app, at),
            self.decision_at(last, at),
            self.watch_and_heartbeats(app, at),
        )?;
        let mut releases: Vec<ReleaseState> = self.all(&releases)?;
        releases.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(AppState { releases, messages: self.in_order(&messages)?, last_decision, watch, heartbeats })
    }

    pub async fn partials(&self, release: &ReleaseId) -> Result<Partials, StateError> {
        let parent = self.client.names.release(release);
        let documents = self.query(parent, every(PARTIALS), None).await?;
        Ok(self.all::<DayPartial>(&documents)?.into_iter().collect())
    }

    /// Both in one request: heartbeats are read on every run, and are not worth one of their own.
    async fn watch_and_heartbeats(
        &self,
        app: &AppId,
        at: Option<Timestamp>,
    ) -> Result<(Watch, Vec<Heartbeat>), StateError> {
        let names = &self.client.names;
        let watch = names.watch(app);
        let beats = heartbeat::JOBS.map(|job| names.heartbeat(job));
        let found = self.get_all([watch.clone()].into_iter().chain(beats).collect(), at).await?;
        let (of_app, beats): (Vec<_>, Vec<_>) =
            found.documents.iter().partition(|document| document.name == watch);
        let watch = of_app.first().map(|found| document::read(names, found)).transpose()?;
        Ok((watch.unwrap_or_default(), self.readable(&beats)))
    }

    /// The heartbeats that can be read: they are for people, and stop nothing. One that can't is noted, so that it is not
    /// written over.
    fn readable(&self, beats: &[&Document]) -> Vec<Heartbeat> {
        let read: Vec<_> = beats.iter().map(|found| document::read(&self.client.names, found)).collect();
        if read.iter().any(Result::is_err) {
            self.client.foreign_heartbeat.store(true, Ordering::Relaxed);
        }
        read.into_iter().flatten().collect()
    }

    pub async fn heartbeat(&self, job: &str) -> Result<Option<Heartbeat>, StateError> {
        let found = self.get(self.client.names.heartbeat(job), None).await?;
        found.documents.first().map(|found| document::read(&self.client.names, found)).transpose()
    }

    pub async fn report(&self, app: &AppId) -> Result<Option<AppPage>, StateError> {
        let found = self.get(self.client.names.report(app), None).await?;
        found.documents.first().map(|found| document::read(&self.client.names, found)).transpose()
    }

    pub async fn control(&self, app: &AppId) -> Result<Control, StateError> {
        let found = self.get(self.client.names.control(app), None).await?;
        let said =
            found.documents.first().map(|found| document::read(&self.client.names, found)).transpose()?;
        Ok(said.unwrap_or_default())
    }

    pub async fn decision(&self, id: &DecisionId) -> Result<Option<Record>, StateError> {
        self.decision_at(Some(id.clone()), None).await
    }

    /// Equality of several fields needs no index but those that Firestore makes by itself.
    pub async fn history(&self, release: &ReleaseId) -> Result<Vec<Record>, StateError> {
        let wanted = [
            ("app", release.app.as_str()),
            ("release.key", &release.key),
            ("release.platform", release.platform.as_str()),
        ];
        let and = CompositeFilter {
            op: Together::And.into(),
            filters: wanted.into_iter().map(|(field, text)| equal(field, text)).collect(),
        };
        let filter = Filter { filter_type: Some(FilterType::CompositeFilter(and)) };
        let query = StructuredQuery { r#where: Some(filter), ..every(DECISIONS) };
        let documents = self.query(self.client.names.root(), query, None).await?;
        let mut records: Vec<Record> = self.all(&documents)?;
        Record::in_order(&mut records);
        Ok(records)
    }

    /// The canonical text of all fields of a decision but those that this store adds.
    pub async fn evidence(&self, id: &DecisionId) -> Result<Option<String>, StateError> {
        let found = self.get(self.client.names.decision(id), None).await?;
        let Some(document) = found.documents.first() else { return Ok(None) };
        let mut fields = document::open(&self.client.names, document)?;
        [document::SCHEMA_FIELD, "app"].iter().for_each(|added| drop(fields.shift_remove(*added)));
        Ok(Some(canonical::text(&Value::Object(fields))))
    }

    pub async fn ledger(&self, app: &AppId, from: u64) -> Result<Page, StateError> {
        let names = &self.client.names;
        let from = from.max(FIRST);
        let numbers = from..from.saturating_add(ledger::PAGE);
        let entries = numbers.clone().map(|number| names.entry(app, number));
        let wanted: Vec<String> = entries.chain([names.ledger(app)]).collect();
        let found = self.patiently(|| self.client.get(wanted.clone(), None, None)).await?;
        ledger::page(names, app, numbers, found.documents)
    }

    async fn decision_at(
        &self,
        id: Option<DecisionId>,
        at: Option<Timestamp>,
    ) -> Result<Option<Record>, StateError> {
        let Some(id) = id else { return Ok(None) };
        let found = self.get(self.client.names.decision(&id), at).await?;
        found.documents.first().map(|found| document::read(&self.client.names, found)).transpose()
    }

    fn last_decision(&self, found: &Found) -> Result<Option<DecisionId>, StateError> {
        let names = &self.client.names;
        let Some(app) = found.documents.first() else { return Ok(None) };
        let text = document::open(names, app)?.remove(LAST_DECISION).unwrap_or_default();
        let id = serde_json::from_value(text);
        id.map_err(|error| super::error::unreadable(names, &app.name, &format!("{LAST_DECISION}: {error}")))
    }

    async fn of_app(
        &self,
        collection: &str,
        app: &AppId,
        at: Option<Timestamp>,
    ) -> Result<Vec<Document>, StateError> {
        let query = StructuredQuery { r#where: Some(equal("app", app.as_str())), ..every(collection) };
        self.query(self.client.names.root(), query, at).await
    }

    fn all<T: DeserializeOwned>(&self, documents: &[Document]) -> Result<Vec<T>, StateError> {
        documents.iter().map(|found| document::read(&self.client.names, found)).collect()
    }

    /// Messages, first written first.
    fn in_order(&self, documents: &[Document]) -> Result<Vec<Message>, StateError> {
        let names = &self.client.names;
        let mut messages = Vec::new();
        for found in documents {
            let fields = document::open(names, found)?;
            let added = fields.get(ADDED).and_then(Value::as_str).unwrap_or_default().to_owned();
            messages.push((added, document::parse::<Message>(names, &found.name, fields)?));
        }
        messages.sort_by(|(a, one), (b, other)| (a, &one.key).cmp(&(b, &other.key)));
        Ok(messages.into_iter().map(|(_, message)| message).collect())
    }

    async fn get(&self, name: String, at: Option<Timestamp>) -> Result<Found, StateError> {
        self.get_all(vec![name], at).await
    }

    async fn get_all(&self, names: Vec<String>, at: Option<Timestamp>) -> Result<Found, StateError> {
        let at = at.map(|at| GetAt::ReadTime(native(at)));
        self.patiently(|| self.client.get(names.clone(), None, at.clone())).await
    }

    async fn query(
        &self,
        parent: String,
        query: StructuredQuery,
        at: Option<Timestamp>,
    ) -> Result<Vec<Document>, StateError> {
        let at = at.map(|at| QueryAt::ReadTime(native(at)));
        self.patiently(|| self.client.query(parent.clone(), query.clone(), at.clone())).await
    }

    async fn patiently<T, F, C>(&self, call: F) -> Result<T, StateError>
    where
        F: Fn() -> C,
        C: Future<Output = Result<T, Status>>,
    {
        let names = &self.client.names;
        let mut patience = Patience::new("read");
        let ended = tokio::time::timeout(LONGEST, async {
            loop {
                match call().await {
                    Ok(answer) => return Ok(answer),
                    Err(status) => patience.after(Failure::Reading(status), names).await?,
                }
            }
        })
        .await;
        patience.end(ended, names)
    }
}

/// Documents whose field holds this text.
fn equal(field: &str, text: &str) -> Filter {
    let equal = FieldFilter {
        field: Some(FieldReference { field_path: field.to_owned() }),
        op: Operator::Equal.into(),
        value: Some(Native { value_type: Some(ValueType::StringValue(text.to_owned())) }),
    };
    Filter { filter_type: Some(FilterType::FieldFilter(equal)) }
}

fn every(collection: &str) -> StructuredQuery {
    StructuredQuery {
        from: vec![CollectionSelector { collection_id: collection.to_owned(), all_descendants: false }],
        ..StructuredQuery::default()
    }
}

fn native(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}
