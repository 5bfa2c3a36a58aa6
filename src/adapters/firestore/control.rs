//! What people have said, as `control/{app}`, and what a commit depends on. A word needs no lease: one transaction compares
//! and writes, and a run that decided on the older word can't commit.

use std::collections::BTreeMap;

use async_trait::async_trait;
use firestore::gcloud_sdk::google::firestore::v1::Document;

use super::FirestoreState;
use super::document::{self, Unknown};
use super::ledger;
use super::names::Names;
use super::transaction::{Fault, Plan, Transaction, Work, transact};
use crate::domain::control::Control;
use crate::domain::ids::AppId;
use crate::domain::release::ReleaseState;
use crate::ports::{Basis, Saying, StateError, Words, Write};

#[async_trait]
impl Words for FirestoreState {
    async fn heard(&self, app: &AppId) -> Result<Control, StateError> {
        self.reading().control(app).await
    }

    async fn say(&self, app: &AppId, saying: Saying<'_>) -> Result<(), StateError> {
        transact(&self.client, &Say { app, saying }).await
    }
}

/// Puts a word in the place of the older one, and enters it.
struct Say<'s> {
    app: &'s AppId,
    saying: Saying<'s>,
}

#[async_trait]
impl Work for Say<'_> {
    type Done = ();
    const VERB: &'static str = "write to";

    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<()>, Fault> {
        let names = &transaction.client.names;
        let (name, head) = (names.control(self.app), names.ledger(self.app));
        let Saying { before, now, entry, run } = self.saying;
        let mut found = transaction.get(vec![name.clone(), head.clone()], None).await?;
        let (found, head) = (found.remove(&name), found.remove(&head));
        let stored = control(names, found.as_ref())?;
        // A try whose answer was lost may have written it, and its entry with it.
        if stored == *now {
            return Ok(Plan::Done(()));
        }
        if stored != *before {
            return Err(overtaken(self.app, "what people have said").into());
        }
        let fields = document::fields(names, &name, now)?;
        let mut writes = vec![document::write(names, &name, found.as_ref(), fields, Unknown::Kept)?];
        writes.extend(ledger::appended(names, self.app, run, std::slice::from_ref(entry), head.as_ref())?);
        Ok(Plan::Commit(writes, ()))
    }
}

/// The documents that the bases of a commit are about.
pub fn documents<'w>(names: &Names, writes: &'w [Write]) -> BTreeMap<String, &'w Basis> {
    let of = |write: &'w Write| match write {
        Write::Provided(basis) => Some(basis.as_ref()),
        _ => None,
    };
    let named = |basis: &'w Basis| match basis {
        Basis::Control(app, _) => (names.control(app), basis),
        Basis::Release(id, _) => (names.release(id), basis),
    };
    writes.iter().filter_map(of).map(named).collect()
}

/// Refuses a commit whose basis is gone. Of a word that can't be read nothing can be said, so it is another one.
///
/// # Errors
/// [`StateError::Overtaken`]; [`StateError::Unreadable`] for a release that can't be read.
pub fn must_hold(names: &Names, found: Option<&Document>, basis: &Basis) -> Result<(), StateError> {
    let (app, holds, what) = match basis {
        Basis::Control(app, before) => {
            let holds = control(names, found).is_ok_and(|found| found == *before);
            (app, holds, "what people have said")
        }
        Basis::Release(id, before) => {
            let found = found.map(|found| document::read::<ReleaseState>(names, found)).transpose()?;
            (&id.app, found.map(Box::new) == *before, "the state of the release")
        }
    };
    if holds { Ok(()) } else { Err(overtaken(app, what)) }
}

fn control(names: &Names, found: Option<&Document>) -> Result<Control, StateError> {
    Ok(found.map(|found| document::read(names, found)).transpose()?.unwrap_or_default())
}

fn overtaken(app: &AppId, what: &'static str) -> StateError {
    StateError::Overtaken { app: app.clone(), what }
}
