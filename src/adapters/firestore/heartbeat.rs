//! The heartbeat of a job: one write without a transaction, so that it costs one request.
//!
//! It reads nothing first, so a broken run names only the fields that it may change, and the completed one before it
//! stays. A document that this program could not read is left alone. Nothing is tried again: the next run beats too.

use std::sync::atomic::Ordering;

use firestore::gcloud_sdk::google::firestore::v1::write::Operation;
use firestore::gcloud_sdk::google::firestore::v1::{Document, Write};

use super::client::{Client, field_mask};
use super::document::{self, Fields};
use super::error::{failed, unreadable};
use super::names::Names;
use super::value;
use crate::domain::heartbeat::{Beat, Completion};
use crate::ports::{Effect, StateError};

/// The fields that only a completed run writes.
const OF_A_COMPLETED_RUN: [&str; 2] = ["last_completed", "next_expected"];

/// Notes the end of a run.
pub async fn write(client: &Client, beat: &Beat) -> Result<(), StateError> {
    let name = client.names.heartbeat(beat.job);
    if client.foreign_heartbeat.load(Ordering::Relaxed) {
        return Err(unreadable(&client.names, &name, "another program wrote it"));
    }
    let write = rewrite(&client.names, name, beat)?;
    let written = client.commit(Vec::new(), vec![write]).await;
    written.map_err(|status| failed(&client.names, "note a heartbeat in", &status, Effect::Unclear))
}

fn rewrite(names: &Names, name: String, beat: &Beat) -> Result<Write, StateError> {
    let mut fields: Fields = document::fields(names, &name, &beat.after(None))?;
    if beat.completion == Completion::Broken {
        OF_A_COMPLETED_RUN.iter().for_each(|field| drop(fields.shift_remove(*field)));
    }
    fields.insert(document::SCHEMA_FIELD.to_owned(), document::SCHEMA.into());
    let native = value::native(&fields).map_err(|problem| unreadable(names, &name, &problem))?;
    let update_mask = Some(field_mask(&fields.keys().collect::<Vec<_>>()));
    let document = Document { name, fields: native.collect(), ..Document::default() };
    Ok(Write { update_mask, operation: Some(Operation::Update(document)), ..Write::default() })
}
