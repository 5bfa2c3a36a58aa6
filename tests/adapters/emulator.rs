//! Google's Firestore emulator, which `scripts/test` starts once for all tests.
//!
//! Each test has a project of its own, so tests don't see each other. Where there is no emulator a test says that it is
//! skipped; in CI that is a failure. The emulator asks for no token and no index, so it proves nothing about either.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate::adapters::environment::variable;
use tidegate::adapters::firestore::{Access, FirestoreState};

pub const DATABASE: &str = "tidegate";

/// One database of the emulator, empty at first.
#[derive(Clone)]
pub struct Emulator {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    pub project: String,
}

impl Emulator {
    /// A database that no other test uses; none where no emulator runs, after saying so.
    #[expect(clippy::print_stderr, reason = "a test that is skipped must not look as if it had passed")]
    pub fn new() -> Option<Self> {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let Some(host) = variable("FIRESTORE_EMULATOR_HOST") else {
            assert!(
                variable("CI").is_none(),
                "CI has no Firestore emulator: FIRESTORE_EMULATOR_HOST is not set"
            );
            eprintln!("SKIPPED: no Firestore emulator runs; scripts/test starts one");
            return None;
        };
        assert!(host.starts_with("127.0.0.1:"), "the emulator must be on this machine: {host}");
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        let project = format!("test-{}-{test}", tidegate::commands::run::random_word());
        Some(Self { address: format!("http://{host}"), project })
    }

    /// A state store as a run has it.
    pub fn store(&self) -> FirestoreState {
        self.store_at(&self.address)
    }

    /// A state store that is reached through something in between.
    pub fn store_at(&self, address: &str) -> FirestoreState {
        FirestoreState::connect(&self.project, DATABASE, Access::Emulator(address.to_owned())).unwrap()
    }

    /// A document as Firestore's own JSON; none where there is none.
    pub async fn document(&self, path: &str) -> Option<Value> {
        let answer = http().get(self.url(path)).bearer_auth("owner").send().await.unwrap();
        (answer.status() != 404).then_some(())?;
        Some(answer.json().await.unwrap())
    }

    /// The documents of a collection.
    pub async fn collection(&self, path: &str) -> Vec<Value> {
        let answer = http().get(self.url(path)).bearer_auth("owner").send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["documents"].as_array().cloned().unwrap_or_default()
    }

    /// Sets one field behind the program's back, with a native value such as `{"integerValue": "2"}`; null takes it out.
    pub async fn set(&self, path: &str, field: &str, value: Value) {
        let fields = if value.is_null() { json!({}) } else { json!({ field: value }) };
        let url = format!("{}?updateMask.fieldPaths={field}", self.url(path));
        let body = json!({ "fields": fields }).to_string();
        let request = http().patch(url).header("content-type", "application/json").body(body);
        let answer = request.bearer_auth("owner").send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    pub async fn delete(&self, path: &str) {
        let answer = http().delete(self.url(path)).bearer_auth("owner").send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// Lets the lease of an app run out: sets its end into the past, as the passing of time does.
    pub async fn let_the_lease_end(&self, app: &str) {
        let past = json!({"stringValue": "2001-01-01T00:00:00Z"});
        self.set(&format!("leases/{app}"), "expires", past).await;
    }

    /// Frees the locks of a transaction whose client was killed, as the server does by itself after a minute.
    pub async fn let_the_transaction_end(&self, transaction: &[u8]) {
        let url =
            format!("{}/v1/projects/{}/databases/{DATABASE}/documents:rollback", self.address, self.project);
        let body = json!({ "transaction": STANDARD.encode(transaction) }).to_string();
        let request = http().post(url).header("content-type", "application/json").body(body);
        // One that was committed has ended already.
        request.bearer_auth("owner").send().await.unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/projects/{}/databases/{DATABASE}/documents/{path}", self.address, self.project)
    }
}

fn http() -> reqwest::Client {
    tidegate::adapters::http::client().unwrap()
}
