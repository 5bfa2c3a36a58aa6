//! The BigQuery adapter against a scripted API: each row of the fault table that concerns it, and every way in which an
//! answer can be less than whole.

mod answers;
mod discovery;
mod fake;
mod faults;
pub mod sandbox;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::adapters::bigquery::{AccessToken, BigQuery, Settings};
use tidegate::adapters::clock::steady;
use tidegate::adapters::http::{Service, client};
use tidegate::ports::PortError;
use tidegate::queries::{Engine, Kind, Parameters, Query, Question, Shape, Source, Table, render};

use self::fake::{Fake, Job};

const TABLE: &str = "firebase_sessions.com_example_app_ANDROID_REALTIME";
const CRASHES: &str = "firebase_crashlytics.com_example_app_ANDROID_REALTIME";
const GIB: u64 = 1 << 30;

struct Token;

#[async_trait]
impl AccessToken for Token {
    async fn get(&self) -> Result<SecretString, PortError> {
        Ok(SecretString::from("token".to_owned()))
    }
}

fn settings() -> Settings {
    Settings {
        project: "my-project".into(),
        billing_project: "my-project".into(),
        location: None,
        max_bytes_billed: 20 * GIB,
    }
}

fn with(fake: &Fake, settings: Settings, time: Duration) -> BigQuery {
    let service = Service::new("BigQuery", fake.url.clone(), client().unwrap());
    BigQuery::new(service, Box::new(Token), settings, steady() + time).unwrap()
}

fn bigquery(fake: &Fake) -> BigQuery {
    with(fake, settings(), Duration::from_secs(60))
}

fn table(name: &str) -> Table {
    Table::new(name).unwrap()
}

fn columns(source: Source) -> Vec<&'static str> {
    let mut columns = source.needed().to_vec();
    columns.push("application.build_version");
    columns.dedup();
    columns
}

/// A fake with the session table and the crash table in the EU.
async fn fake() -> Fake {
    let fake = Fake::start().await;
    fake.table(TABLE, "EU", &columns(Source::FirebaseSessions), &json!({}));
    fake.table(CRASHES, "EU", &columns(Source::Crashlytics), &json!({}));
    fake
}

fn query_of(question: Question, source: Source, name: &str) -> Query {
    let parameters = Parameters {
        from_us: 1,
        to_us: 2,
        mature_us: 1,
        builds: vec!["200".into()],
        ..Parameters::default()
    };
    render(question, source, Engine::BigQuery, &table(name), &Shape::default(), &parameters)
}

fn query() -> Query {
    query_of(Question::FirstSession, Source::FirebaseSessions, TABLE)
}

fn schema(question: Question) -> Value {
    let field = |(name, kind): &(&str, Kind)| match kind {
        Kind::Integer => json!({"name": name, "type": "INTEGER"}),
        Kind::Text => json!({"name": name, "type": "STRING"}),
    };
    question.columns().iter().map(field).collect()
}

fn row(cells: &[Value]) -> Value {
    json!({"f": cells.iter().map(|cell| json!({"v": cell})).collect::<Vec<_>>()})
}

fn first_session(us: i64) -> Value {
    row(&[json!(null), json!(null), json!("2.0"), json!("200"), json!(us.to_string())])
}

/// A job that answers when the first session was, in so many rows.
fn rows(count: i64) -> Job {
    let rows = (0..count).map(first_session).collect();
    Job::Rows { fields: schema(Question::FirstSession), rows, page: 100_000, unfinished: 0 }
}
