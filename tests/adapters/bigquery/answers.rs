//! What is sent, and what of an answer is believed.

use std::time::Duration;

use serde_json::json;
use tidegate::adapters::events::Warehouse as _;
use tidegate::queries::{Cell, Question, Source};

use super::fake::{Fault, Job, value_of};
use super::{GIB, TABLE, bigquery, fake, first_session, query, rows, schema, settings, table, with};

#[tokio::test]
async fn a_query_is_a_job_with_everything_that_limits_and_labels_it() {
    let fake = fake().await;
    fake.next_job(rows(1));
    let answer = bigquery(&fake).run(&query()).await.unwrap();
    assert_eq!(answer.rows.len(), 1);

    let sent = &fake.requests("POST").remove(0).body;
    let reference = &sent["jobReference"];
    let id = reference["jobId"].as_str().unwrap();
    assert!(id.starts_with("tidegate-first_session-"), "{id}");
    assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    assert_eq!((&reference["location"], &reference["projectId"]), (&json!("EU"), &json!("my-project")));
    let configuration = &sent["configuration"];
    assert_eq!(
        configuration["labels"],
        json!({"application": "tidegate", "tidegate_question": "first_session", "tidegate_source": "firebase_sessions"})
    );
    let timeout: u64 = configuration["jobTimeoutMs"].as_str().unwrap().parse().unwrap();
    assert!((40_000..=60_000).contains(&timeout), "{timeout}");
    let job = &configuration["query"];
    assert_eq!((&job["useLegacySql"], &job["parameterMode"]), (&json!(false), &json!("NAMED")));
    assert_eq!((&job["useQueryCache"], &job["priority"]), (&json!(true), &json!("INTERACTIVE")));
    let limit: u64 = job["maximumBytesBilled"].as_str().unwrap().parse().unwrap();
    assert!((10 << 20..=20 * GIB).contains(&limit), "{limit}");
    assert!(job["query"].as_str().unwrap().contains(&format!("`{TABLE}`")));
    let parameters = job["queryParameters"].as_array().unwrap();
    let typed = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        (parameter["parameterType"]["type"].clone(), parameter["parameterValue"]["value"].clone())
    };
    assert_eq!(typed("from_us"), (json!("INT64"), json!("1")));
    assert_eq!(typed("builds"), (json!("STRING"), json!(",200,")));

    let asked = fake.requests("/queries/").remove(0);
    assert_eq!(value_of(&asked.query, "formatOptions.useInt64Timestamp").as_deref(), Some("true"));
    assert_eq!(value_of(&asked.query, "location").as_deref(), Some("EU"));
    assert!(value_of(&asked.query, "timeoutMs").unwrap().parse::<u32>().unwrap() <= 10_000);
}

#[tokio::test]
async fn the_cost_of_a_query_is_kept_with_its_job() {
    let fake = fake().await;
    fake.next_job(rows(1));
    let cost = bigquery(&fake).run(&query()).await.unwrap().cost;
    assert_eq!((cost.bytes_billed, cost.slot_ms), (10_485_760, 70));
    assert_eq!(cost.job, Some(fake.jobs().remove(0)));
    assert_eq!((cost.question.as_str(), cost.table.as_str()), ("first_session", TABLE));
}

#[tokio::test]
async fn every_query_has_a_job_id_of_its_own() {
    let fake = fake().await;
    let [first, second] = [bigquery(&fake), bigquery(&fake)];
    for bigquery in [&first, &first, &second] {
        fake.next_job(rows(1));
        bigquery.run(&query()).await.unwrap();
    }
    assert_eq!(fake.jobs().len(), 3);
}

#[tokio::test]
async fn a_thousand_rows_come_over_several_pages() {
    let fake = fake().await;
    let all = (0..1_000).map(first_session).collect();
    fake.next_job(Job::Rows { fields: schema(Question::FirstSession), rows: all, page: 300, unfinished: 1 });
    let answer = bigquery(&fake).run(&query()).await.unwrap();
    let found: Vec<_> = answer.rows.iter().map(|cells| cells[4].clone()).collect();
    assert_eq!(found, (0..1_000).map(Cell::Integer).collect::<Vec<_>>());
    assert_eq!(fake.requests("/queries/").len(), 5, "one unfinished answer and four pages");
}

#[tokio::test]
async fn no_rows_are_no_rows_only_where_the_answer_says_so() {
    let fake = fake().await;
    fake.next_job(rows(0));
    assert!(bigquery(&fake).run(&query()).await.unwrap().rows.is_empty());
}

/// Answers the first request for results with this document, and gives the error.
async fn refused(results: serde_json::Value) -> String {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault("/queries/", Fault::json(200, &results));
    bigquery(&fake).run(&query()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_answer_that_is_less_than_whole_is_an_error_and_never_empty() {
    let fields = schema(Question::FirstSession);
    let whole = json!({"jobComplete": true, "schema": {"fields": fields}, "totalRows": "0"});
    let without = |key: &str| {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().shift_remove(key);
        part
    };
    assert!(refused(without("schema")).await.contains("has no columns"));
    assert!(refused(without("totalRows")).await.contains("how many rows"));
    assert!(refused(without("jobComplete")).await.contains("whether the job is complete"));
    let mut missing = whole.clone();
    missing["totalRows"] = json!("7");
    let error = refused(missing).await;
    assert!(
        error.contains("0 of its 7 rows") && error.contains(TABLE) && error.contains("job tidegate-"),
        "{error}"
    );
    assert!(refused(json!([])).await.contains("not what the API describes"));
}

#[tokio::test]
async fn a_page_with_other_columns_is_an_error() {
    let fake = fake().await;
    let all = (0..4).map(first_session).collect();
    fake.next_job(Job::Rows { fields: schema(Question::FirstSession), rows: all, page: 2, unfinished: 0 });
    let bigquery = bigquery(&fake);
    bigquery.table(&table(TABLE)).await.unwrap();
    let other = json!({"jobComplete": true, "schema": {"fields": schema(Question::Crashes)}, "totalRows": "4", "rows": []});
    let first = json!({
        "jobComplete": true, "schema": {"fields": schema(Question::FirstSession)}, "totalRows": "4",
        "rows": [first_session(0), first_session(1)], "pageToken": "2",
    });
    fake.fault("/queries/", Fault::json(200, &first));
    fake.fault("/queries/", Fault::json(200, &other));
    let error = bigquery.run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("10 columns instead of 5"), "{error}");
}

#[tokio::test]
async fn pages_without_an_end_are_an_error() {
    let fake = fake().await;
    fake.next_job(rows(1));
    let same = json!({
        "jobComplete": true, "schema": {"fields": schema(Question::FirstSession)}, "totalRows": "4",
        "rows": [first_session(0)], "pageToken": "x",
    });
    for _ in 0..2 {
        fake.fault("/queries/", Fault::json(200, &same));
    }
    let error = bigquery(&fake).run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("no end"), "{error}");
}

#[tokio::test]
async fn a_job_that_hides_its_cost_is_an_error() {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault(
        "GET /bigquery/v2/projects/my-project/jobs/",
        Fault::json(200, &json!({"status": {"state": "DONE"}})),
    );
    let error = bigquery(&fake).run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("what it was billed for"), "{error}");
}

#[tokio::test]
async fn queries_are_billed_to_another_project_where_one_is_named() {
    let fake = fake().await;
    fake.next_job(rows(1));
    let settings =
        tidegate::adapters::bigquery::Settings { billing_project: "who-pays".into(), ..settings() };
    with(&fake, settings, Duration::from_secs(60)).run(&query()).await.unwrap();
    let sent = fake.requests("POST").remove(0);
    assert_eq!(sent.path, "/bigquery/v2/projects/who-pays/jobs");
    assert_eq!(sent.body["jobReference"]["projectId"], "who-pays");
    let sql = sent.body["configuration"]["query"]["query"].as_str().unwrap();
    assert!(sql.contains(&format!("`my-project.{TABLE}`")), "{sql}");
    assert_eq!(fake.requests("/projects/my-project/datasets/firebase_sessions").len(), 2);
}

#[tokio::test]
async fn a_location_of_the_configuration_is_taken_as_it_is() {
    let fake = fake().await;
    fake.next_job(rows(1));
    let settings =
        tidegate::adapters::bigquery::Settings { location: Some("europe-west3".into()), ..settings() };
    with(&fake, settings, Duration::from_secs(60)).run(&query()).await.unwrap();
    assert_eq!(fake.requests("POST").remove(0).body["jobReference"]["location"], "europe-west3");
    assert_eq!(
        fake.requests("GET /bigquery/v2/projects/my-project/datasets").len(),
        1,
        "only the tables are listed"
    );
}

#[tokio::test]
async fn f17_counts_that_cannot_be_are_errors_with_their_column() {
    let absurd = |cell: serde_json::Value| async move {
        let fake = fake().await;
        let row = super::row(&[json!(null), json!(null), json!("2.0"), json!("200"), cell]);
        fake.next_job(Job::Rows {
            fields: schema(Question::FirstSession),
            rows: vec![row],
            page: 10,
            unfinished: 0,
        });
        bigquery(&fake).run(&query()).await
    };
    for cell in [json!("NaN"), json!("1e3"), json!(""), json!(7), json!(true), json!("99999999999999999999")]
    {
        let error = absurd(cell).await.unwrap_err().to_string();
        assert!(error.contains("column first_us"), "{error}");
    }
    assert_eq!(
        absurd(json!(null)).await.unwrap().rows[0][4],
        Cell::Null,
        "what may be missing, the row decides"
    );
    assert_eq!(absurd(json!("-5")).await.unwrap().rows[0][4], Cell::Integer(-5));
}

#[test]
fn the_questions_of_the_tests_fit_their_sources() {
    assert_eq!(query().source, Source::FirebaseSessions);
}
