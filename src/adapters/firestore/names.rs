//! Where each document is: deterministic ids, so that two runs that mean the same thing mean the same document.
//!
//! Ids that hold text from outside are made safe. Different texts give different ids, and none can leave its collection.

use crate::domain::calendar::UtcDay;
use crate::domain::ids::{AppId, DecisionId};
use crate::domain::keys;
use crate::domain::release::ReleaseId;

/// Releases.
pub const RELEASES: &str = "releases";
/// The day partials under a release.
pub const PARTIALS: &str = "partials";
/// Decisions.
pub const DECISIONS: &str = "decisions";
/// Messages.
pub const OUTBOX: &str = "outbox";

/// The longest id that is kept readable, in bytes. Firestore takes 1,500; a longer one is replaced by its digest.
const LONGEST_ID: usize = 400;

/// The names of one database.
pub struct Names {
    project: String,
    name: String,
    database: String,
}

impl Names {
    pub fn new(project: &str, database: &str) -> Self {
        Self {
            project: project.to_owned(),
            name: database.to_owned(),
            database: format!("projects/{project}/databases/{database}"),
        }
    }

    /// The project of the database.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The database within its project.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The parent of the collections at the top.
    pub fn root(&self) -> String {
        format!("{}/documents", self.database)
    }

    /// A document that is never written.
    pub fn probe(&self) -> String {
        self.document("probes", "doctor")
    }

    pub fn lease(&self, app: &AppId) -> String {
        self.document("leases", app.as_str())
    }

    pub fn app(&self, app: &AppId) -> String {
        self.document("apps", app.as_str())
    }

    pub fn watch(&self, app: &AppId) -> String {
        self.document("watches", app.as_str())
    }

    pub fn report(&self, app: &AppId) -> String {
        self.document("reports", app.as_str())
    }

    pub fn heartbeat(&self, job: &str) -> String {
        self.document("heartbeat", job)
    }

    pub fn control(&self, app: &AppId) -> String {
        self.document("control", app.as_str())
    }

    pub fn release(&self, id: &ReleaseId) -> String {
        self.document(RELEASES, &release_id(id))
    }

    pub fn partial(&self, id: &ReleaseId, day: UtcDay) -> String {
        format!("{}/{PARTIALS}/{}", self.release(id), day.to_string().replace('-', ""))
    }

    pub fn intent(&self, key: &str) -> String {
        self.document("intents", key)
    }

    pub fn message(&self, key: &str) -> String {
        self.document(OUTBOX, key)
    }

    pub fn decision(&self, id: &DecisionId) -> String {
        self.document(DECISIONS, id.as_str())
    }

    /// The head of the ledger of an app.
    pub fn ledger(&self, app: &AppId) -> String {
        self.document("ledgers", app.as_str())
    }

    /// An entry of it. Numbers have leading zeros, so that the console shows them in order.
    pub fn entry(&self, app: &AppId, number: u64) -> String {
        self.document("ledger", &format!("{app}~{number:012}"))
    }

    /// The name without the database, as people know it from the console.
    pub fn short<'n>(&self, document: &'n str) -> &'n str {
        let short = document.strip_prefix(&self.database).and_then(|rest| rest.strip_prefix("/documents/"));
        short.unwrap_or(document)
    }

    fn document(&self, collection: &str, id: &str) -> String {
        format!("{}/{collection}/{}", self.root(), safe(id))
    }
}

/// `APP~PLATFORM~KEY`. Neither an app nor a platform holds `~`, so no two releases share an id.
fn release_id(id: &ReleaseId) -> String {
    format!("{}~{}~{}", id.app, id.platform.as_str(), id.key)
}

/// The text as an id: everything but plain characters as `%` and two digits, and the digest where it is too long.
fn safe(text: &str) -> String {
    let reserved = text.is_empty() || text.starts_with("__") || text.chars().all(|c| c == '.');
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~+".contains(byte);
    let id: String = text
        .bytes()
        .map(|byte| if kept(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if reserved || id.len() > LONGEST_ID {
        // No escaped byte begins with `-`, so a digest is never taken for a text.
        return format!("%-{}", keys::digest([text]));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Platform;
    use proptest::prelude::*;

    fn release(key: &str) -> ReleaseId {
        ReleaseId { app: AppId::new("android").unwrap(), platform: Platform::Android, key: key.to_owned() }
    }

    #[test]
    fn documents_are_where_the_documentation_says() {
        let names = Names::new("p", "tidegate");
        let day = UtcDay::of("2026-11-18T12:00:00Z".parse().unwrap());
        let partial = names.partial(&release("200+201"), day);
        assert_eq!(names.short(&partial), "releases/android~android~200+201/partials/20261118");
        assert_eq!(partial.strip_suffix(names.short(&partial)).unwrap(), names.root() + "/");
        let ios = AppId::new("ios").unwrap();
        assert_eq!(names.short(&names.lease(&ios)), "leases/ios");
        assert_eq!(names.short(&names.ledger(&ios)), "ledgers/ios");
        assert_eq!(names.short(&names.entry(&ios, 17)), "ledger/ios~000000000017");
    }

    #[test]
    fn reserved_and_long_texts_become_digests() {
        for text in ["", ".", "..", "__name__", &"x".repeat(2_000)] {
            let id = safe(text);
            assert!(id.starts_with("%-") && id.len() == 66, "{id}");
        }
        assert_eq!(safe("../a b"), "..%2Fa%20b");
    }

    proptest! {
        #[test]
        fn an_id_is_safe_and_tells_texts_apart(one in r"\PC{0,40}", other in r"\PC{0,40}") {
            let id = safe(&one);
            prop_assert!(!id.contains('/') && id != "." && id != ".." && !id.starts_with("__") && !id.is_empty());
            prop_assert_eq!(one == other, id == safe(&other));
        }
    }
}
