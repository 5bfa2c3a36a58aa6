//! Everything that can happen on the way: what is tried again, what is given up, and what is left behind.

use std::time::Duration;

use tidegate::adapters::bigquery::Settings;
use tidegate::adapters::clock::steady;
use tidegate::adapters::events::Warehouse as _;

use super::fake::{Fake, Fault, Job};
use super::{TABLE, bigquery, fake, query, rows, settings, table, with};

fn unavailable() -> Fault {
    Fault::error(503, "backendError", "The service is currently unavailable.")
}

/// What a service answers that wants to be left alone for a while.
fn busy(retry_after: &str) -> Fault {
    let body = super::fake::error(429, "rateLimitExceeded", "Exceeded rate limits").to_string();
    Fault::Status(429, vec![("retry-after", retry_after.to_owned())], body)
}

async fn answered(fake: &Fake) {
    let answer = bigquery(fake).run(&query()).await.unwrap();
    assert_eq!(answer.rows.len(), 1);
    assert_eq!(fake.cancelled(), 0);
}

#[tokio::test]
async fn f01_an_outage_that_passes_changes_nothing() {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault("POST", unavailable());
    fake.fault("POST", unavailable());
    answered(&fake).await;
    assert_eq!(fake.requests("POST").len(), 3);
    assert_eq!(fake.jobs().len(), 1);
}

#[tokio::test]
async fn f02_an_outage_that_lasts_is_an_error() {
    let fake = fake().await;
    for _ in 0..5 {
        fake.fault("/datasets/", unavailable());
    }
    let error = bigquery(&fake).table(&table(TABLE)).await.unwrap_err().to_string();
    assert!(error.contains("503") && error.contains("firebase_sessions"), "{error}");
}

#[tokio::test]
async fn f03_the_service_is_given_the_time_that_it_asks_for() {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault("POST", busy("2"));
    answered(&fake).await;
    let tries = fake.requests("POST");
    let waited = tries[1].at - tries[0].at;
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn f04_a_long_wait_stops_at_once_and_is_told() {
    let fake = fake().await;
    fake.fault("POST", busy("3600"));
    let started = steady();
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(fake.requests("POST").len(), 1);
}

#[tokio::test]
async fn f04_a_wait_beyond_the_time_that_is_left_stops_at_once_and_is_told() {
    let fake = fake().await;
    fake.fault("POST", busy("15"));
    let bigquery = with(&fake, settings(), Duration::from_secs(10));
    let started = steady();
    let error = bigquery.run(&query()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(error.retry_after, Some(Duration::from_secs(15)));
}

#[tokio::test]
async fn a_job_that_may_have_been_inserted_before_the_refusal_is_cancelled() {
    let fake = fake().await;
    fake.fault("POST", Fault::CutAfter);
    fake.fault("POST", busy("3600"));
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert_eq!((fake.jobs().len(), fake.cancelled()), (1, 1));
}

#[tokio::test]
async fn f05_an_unfinished_answer_is_asked_for_again() {
    let fake = fake().await;
    let Job::Rows { fields, rows, page, .. } = rows(1) else { panic!() };
    fake.next_job(Job::Rows { fields, rows, page, unfinished: 3 });
    answered(&fake).await;
    assert_eq!(fake.requests("/queries/").len(), 4);
}

#[tokio::test]
async fn f06_a_job_that_does_not_end_is_cancelled() {
    let fake = fake().await;
    let started = steady();
    let error = with(&fake, settings(), Duration::from_secs(2)).run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("the time of the run was up") && error.contains(TABLE), "{error}");
    assert!(started.elapsed() < Duration::from_millis(2_100), "{:?}", started.elapsed());
    assert_eq!((fake.jobs().len(), fake.cancelled()), (1, 1));
}

#[tokio::test]
async fn f06_a_service_that_does_not_answer_holds_nobody_up() {
    let fake = fake().await;
    fake.fault("/queries/", Fault::HangAfter);
    let started = steady();
    assert!(with(&fake, settings(), Duration::from_secs(2)).run(&query()).await.is_err());
    assert!(started.elapsed() < Duration::from_millis(2_100), "{:?}", started.elapsed());
    assert_eq!(fake.cancelled(), 1);
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_is_cancelled() {
    let fake = fake().await;
    let bigquery = bigquery(&fake);
    let query = query();
    let dropped = tokio::time::timeout(Duration::from_millis(400), bigquery.run(&query));
    assert!(dropped.await.is_err());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fake.cancelled(), 1);
}

#[tokio::test]
async fn f07_a_lost_answer_is_asked_for_under_the_same_job_id() {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault("POST", Fault::CutAfter);
    answered(&fake).await;
    let ids: Vec<_> =
        fake.requests("POST").iter().map(|sent| sent.body["jobReference"]["jobId"].clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert_eq!(fake.jobs().len(), 1, "billed once");
}

#[tokio::test]
async fn f07_a_connection_that_is_cut_is_made_again() {
    for place in
        ["/datasets/firebase_sessions", "POST", "/queries/", "GET /bigquery/v2/projects/my-project/jobs/"]
    {
        let fake = fake().await;
        fake.next_job(rows(1));
        fake.fault(place, Fault::Cut);
        answered(&fake).await;
        assert_eq!(fake.jobs().len(), 1);
    }
}

#[tokio::test]
async fn f08_an_answer_that_is_not_the_document_is_asked_for_again() {
    let html = "<!DOCTYPE html><html><body>Please sign in</body></html>";
    let faults = [
        Fault::Status(200, Vec::new(), String::new()),
        Fault::Status(200, vec![("content-type", "text/html".to_owned())], html.to_owned()),
        Fault::Truncated,
        Fault::TruncatedGzip,
    ];
    for fault in faults {
        let fake = fake().await;
        fake.next_job(rows(1));
        fake.fault("/queries/", fault);
        answered(&fake).await;
        assert_eq!(fake.requests("/queries/").len(), 2);
    }
}

#[tokio::test]
async fn f08_an_answer_that_never_is_the_document_is_an_error() {
    let fake = fake().await;
    fake.next_job(rows(1));
    for _ in 0..5 {
        fake.fault("/queries/", Fault::Status(200, Vec::new(), String::new()));
    }
    let error = bigquery(&fake).run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("not JSON (nothing at all)") && error.contains(TABLE), "{error}");
    assert_eq!(fake.cancelled(), 1, "nobody will read its answer");
}

#[tokio::test]
async fn a_redirect_is_an_error() {
    let fake = fake().await;
    let elsewhere = vec![("location", format!("{}/elsewhere", fake.url))];
    fake.fault("/datasets/", Fault::Status(302, elsewhere, String::new()));
    assert!(bigquery(&fake).table(&table(TABLE)).await.is_err());
    assert!(fake.requests("/elsewhere").is_empty());
}

#[tokio::test]
async fn a_job_that_failed_for_a_passing_reason_is_run_again_under_a_new_id() {
    let fake = fake().await;
    fake.next_job(Job::Failed("jobBackendError", "Please try again".into()));
    fake.next_job(Job::Failed("jobInternalError", "Please try again".into()));
    fake.next_job(rows(1));
    answered(&fake).await;
    assert_eq!(fake.jobs().len(), 3);
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_an_error_after_three() {
    let fake = fake().await;
    for _ in 0..4 {
        fake.next_job(Job::Failed("jobRateLimitExceeded", "Too many jobs".into()));
    }
    let error = bigquery(&fake).run(&query()).await.unwrap_err().to_string();
    assert!(error.contains("Too many jobs") && error.contains("jobRateLimitExceeded"), "{error}");
    assert_eq!((fake.jobs().len(), fake.cancelled()), (3, 0));
}

#[tokio::test]
async fn f18_a_query_above_the_cap_is_not_run_and_names_the_cap() {
    let fake = fake().await;
    let message = "Query exceeded limit for bytes billed: 5368709120. 53687091200 or higher required.";
    for _ in 0..2 {
        fake.next_job(Job::Failed("bytesBilledLimitExceeded", message.into()));
    }
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(error.what.contains("cap of 20 GiB") && error.what.contains(TABLE), "{error}");
    assert!(error.fix.contains("max_bytes_billed_per_run"), "{error}");
    let limits: Vec<_> = fake
        .requests("POST")
        .iter()
        .map(|sent| {
            sent.body["configuration"]["query"]["maximumBytesBilled"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .collect();
    assert_eq!(limits, [5 << 30, 20 << 30], "first its share, then everything that is left");
}

#[tokio::test]
async fn f18_the_cap_is_shared_by_all_queries_of_a_run() {
    let fake = fake().await;
    let settings = Settings { max_bytes_billed: 25 << 20, ..settings() };
    let bigquery = with(&fake, settings, Duration::from_secs(30));
    for _ in 0..2 {
        fake.next_job(rows(1));
        bigquery.run(&query()).await.unwrap();
    }
    let error = bigquery.run(&query()).await.unwrap_err();
    assert!(error.what.contains("cap of 25 MiB") && error.what.contains("5 MiB"), "{error}");
    assert_eq!(fake.jobs().len(), 2, "no query is run that can't be paid");
}

#[tokio::test]
async fn f18_a_quota_that_is_used_up_is_an_error() {
    let fake = fake().await;
    let message = "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay";
    fake.next_job(Job::Failed("quotaExceeded", message.into()));
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(
        error.what.contains("quota of the project my-project") && error.what.contains("QueryUsagePerDay"),
        "{error}"
    );
    assert_eq!(fake.jobs().len(), 1);
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_and_a_denial_is_not() {
    let fake = fake().await;
    fake.next_job(rows(1));
    fake.fault("POST", Fault::error(403, "rateLimitExceeded", "Exceeded rate limits"));
    answered(&fake).await;

    let message = "Access Denied: Project my-project: User does not have bigquery.jobs.create permission in project my-project.";
    fake.fault("POST", Fault::error(403, "accessDenied", message));
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(
        error.fix.contains("roles/bigquery.jobUser")
            && error.fix.contains("add-iam-policy-binding my-project"),
        "{error}"
    );
}

#[tokio::test]
async fn a_right_that_is_missing_at_query_time_is_that_of_the_dataset() {
    let fake = fake().await;
    let message =
        format!("Access Denied: Table my-project:{TABLE}: User does not have permission to query table");
    fake.next_job(Job::Failed("accessDenied", message));
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(error.fix.contains("roles/bigquery.dataViewer") && error.what.contains(TABLE), "{error}");
}

#[tokio::test]
async fn a_table_that_goes_before_the_query_is_named() {
    let fake = fake().await;
    fake.next_job(Job::Failed(
        "notFound",
        format!("Not found: Table my-project:{TABLE} was not found in location EU"),
    ));
    let error = bigquery(&fake).run(&query()).await.unwrap_err();
    assert!(error.what.contains("it is not there") && error.what.contains(TABLE), "{error}");
}

#[tokio::test]
async fn an_api_that_is_off_is_switched_on_with_a_command() {
    let fake = fake().await;
    fake.fault(
        "/datasets/",
        Fault::error(403, "accessNotConfigured", "BigQuery API has not been used in project 1 before"),
    );
    let error = bigquery(&fake).table(&table(TABLE)).await.unwrap_err();
    assert!(
        error.fix.contains("gcloud services enable bigquery.googleapis.com --project=my-project"),
        "{error}"
    );
}
