//! What went wrong at BigQuery, in words that name the table, the column and the right that is missing.

use gcp_bigquery_client::model::error_proto::ErrorProto;
use serde_json::Value;

use super::api::Api;
use super::budget::Spent;
use crate::adapters::http::{HttpError, Kind, excerpt};
use crate::adapters::redact;
use crate::ports::PortError;
use crate::queries::{Query, Table};

/// Reasons of BigQuery that get a text of their own. <https://cloud.google.com/bigquery/docs/error-messages>
pub const NOT_FOUND: &str = "notFound";
/// The query would be billed for more than its limit.
pub const LIMIT_EXCEEDED: &str = "bytesBilledLimitExceeded";
/// Failures of a job that a new job may not have.
const PASSING_JOBS: [&str; 6] = [
    "jobBackendError",
    "jobInternalError",
    "jobRateLimitExceeded",
    "backendError",
    "internalError",
    "rateLimitExceeded",
];

/// Why BigQuery did not do what it was asked.
#[derive(Debug, Clone)]
pub enum Failure {
    /// It refused, or could not be reached.
    Http(Box<HttpError>),
    /// The job was run and ended with an error.
    Job(Box<ErrorProto>),
    /// It answered something that can't be used.
    Odd(String),
    /// There is no token.
    Token(Box<PortError>),
    /// The time was up.
    Late,
    /// The cap of the run is used up.
    Spent(Spent),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Http(Box::new(error))
    }
}

impl From<Spent> for Failure {
    fn from(spent: Spent) -> Self {
        Self::Spent(spent)
    }
}

impl Failure {
    /// Whether BigQuery has said so itself, in a document of its own.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Http(error) if matches!(error.kind, Kind::Status { .. }) => error.status(),
            _ => None,
        }
    }

    /// BigQuery's own reason, and its text.
    fn vendor(&self) -> (Option<String>, String) {
        match self {
            Self::Http(error) => (reason(error), message(error)),
            Self::Job(error) => {
                let text = excerpt(error.message.as_deref().unwrap_or_default());
                (error.reason.clone(), redact::redacted(&text))
            }
            Self::Odd(problem) => (None, problem.clone()),
            Self::Token(error) => (None, error.what.clone()),
            Self::Late => (None, "the time of the run was up".to_owned()),
            Self::Spent(spent) => (None, format!("{} are left of the cap of a run", bytes(spent.left))),
        }
    }

    fn has_reason(&self, wanted: &str) -> bool {
        self.vendor().0.as_deref() == Some(wanted)
    }

    /// Whether BigQuery says that the dataset or table is not there. That its project is not there is no such answer, and
    /// neither is a page of somebody else with this status.
    pub fn is_absence(&self) -> bool {
        let names_project =
            |text: &str| text.starts_with("Not found: Project") || text.contains("has not enabled BigQuery");
        self.status() == Some(404) && self.has_reason(NOT_FOUND) && !names_project(&self.vendor().1)
    }

    /// Whether the job failed for a reason that a new one may not have.
    pub fn wants_a_new_job(&self) -> bool {
        matches!(self, Self::Job(error) if PASSING_JOBS.iter().any(|passing| error.reason.as_deref() == Some(passing)))
    }

    /// Whether the query was refused because it would be billed for more than its limit.
    pub fn is_limit(&self) -> bool {
        self.has_reason(LIMIT_EXCEEDED) || self.vendor().1.contains("exceeded limit for bytes billed")
    }

    /// The same failure of a request about a job that is there: nothing of it says that there is none.
    pub fn of_existing_job(self) -> Self {
        match self {
            Self::Http(mut error) => {
                error.earlier_is_unclear = true;
                Self::Http(error)
            }
            Self::Token(error) => Self::Odd(error.to_string()),
            other => other,
        }
    }

    /// Whether the job was ended from outside; such a one may be billed.
    pub fn was_stopped(&self) -> bool {
        self.has_reason("stopped") || self.has_reason("timeout")
    }

    /// Whether BigQuery refused, at this try and at all before it: then there is no job.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Http(error) => !error.earlier_is_unclear && !error.effect_is_unclear(),
            Self::Token(_) | Self::Spent(_) => true,
            Self::Job(_) | Self::Odd(_) | Self::Late => false,
        }
    }
}

/// What was asked of BigQuery, for errors.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    project: &'p str,
    billing_project: &'p str,
    dataset: &'p str,
    table: Option<&'p str>,
    question: Option<&'p str>,
    job: Option<&'p str>,
    cap: u64,
}

impl<'p> Place<'p> {
    /// The project that pays.
    pub fn project(api: &'p Api) -> Self {
        Self::dataset(api, "")
    }

    /// A dataset.
    pub fn dataset(api: &'p Api, dataset: &'p str) -> Self {
        let (project, billing_project) = (api.project(), api.billing_project());
        Self { project, billing_project, dataset, table: None, question: None, job: None, cap: 0 }
    }

    /// A table.
    pub fn table(api: &'p Api, table: &'p Table) -> Self {
        Self { table: Some(table.as_str()), ..Self::dataset(api, table.dataset()) }
    }

    /// A query under a cap.
    pub fn query(api: &'p Api, query: &'p Query, cap: u64) -> Self {
        Self { question: Some(query.question.name()), cap, ..Self::table(api, &query.table) }
    }

    /// The same with the id of its job.
    pub fn of_job(self, job: &'p str) -> Self {
        Self { job: Some(job), ..self }
    }

    /// The query, the table or the dataset.
    fn what(&self) -> String {
        let place = match self.table {
            Some(table) => format!("table {}.{table}", self.project),
            None if self.dataset.is_empty() => format!("project {}", self.billing_project),
            None => format!("dataset {}.{}", self.project, self.dataset),
        };
        match (self.question, self.job) {
            (Some(question), Some(job)) => format!("question {question} on {place} (job {job})"),
            (Some(question), None) => format!("question {question} on {place}"),
            _ => place,
        }
    }

    /// The error of a failure here.
    pub fn error(&self, failure: &Failure) -> PortError {
        let asked_to_wait = match failure {
            Failure::Http(error) => error.retry_after,
            _ => None,
        };
        let (reason, text) = failure.vendor();
        let (problem, fix) = self.told(failure, reason.as_deref().unwrap_or_default(), &text);
        PortError::new(problem, fix).after(asked_to_wait)
    }

    fn told(&self, failure: &Failure, reason: &str, text: &str) -> (String, String) {
        let what = self.what();
        match (failure, reason) {
            _ if failure.is_limit() => self.over_the_cap(text),
            (Failure::Spent(_), _) => self.over_the_cap(text),
            (Failure::Late, _) => (
                format!("{what}: BigQuery had not answered when the time of the run was up; no job was left running"),
                "the next run asks again; if it happens often, raise --deadline or see whether the project lacks slots".into(),
            ),
            (Failure::Token(error), _) => (format!("{what}: {}", error.what), error.fix.clone()),
            (_, "accessDenied") => self.denied(text),
            (_, "accessNotConfigured") => (
                format!("{what}: BigQuery is not switched on: {text}"),
                format!("gcloud services enable bigquery.googleapis.com --project={}", self.billing_project),
            ),
            (_, "billingNotEnabled" | "billingTierLimitExceeded") => (
                format!("{what}: BigQuery refuses for reasons of billing: {text}"),
                format!("check the billing account of the project {}", self.billing_project),
            ),
            (_, "quotaExceeded") => (
                format!("{what}: a quota of the project {} is used up: {text}", self.billing_project),
                "wait for the quota to be renewed, or raise it (IAM & Admin, Quotas, BigQuery API, Query usage per day)".into(),
            ),
            (_, "invalidQuery") => self.invalid(text),
            (_, NOT_FOUND) => (
                format!("{what}: it is not there: {text}"),
                format!(
                    "check that the export still writes to it (bq show {}:{}), and that [warehouse] project and location \
                     are those of the exports",
                    self.project,
                    self.table.unwrap_or(self.dataset)
                ),
            ),
            (Failure::Http(error), "" | "forbidden") if error.status() == Some(403) => self.denied(text),
            (Failure::Http(error), _) if error.status() == Some(401) => (
                format!("{what}: BigQuery does not take the token: {text}"),
                "check the credentials of the run: they need the scope of BigQuery, and must not have expired".into(),
            ),
            (Failure::Job(_), "stopped") => (
                format!("{what}: the job was stopped: {text}"),
                "the next run asks again; if it happens often, raise --deadline".into(),
            ),
            (Failure::Job(_), _) => (
                format!("{what}: the job failed: {text} ({reason})"),
                "the next run asks again; BigQuery's page on error messages explains the reason".into(),
            ),
            (Failure::Odd(_), _) => (
                format!("{what}: {text}"),
                "nothing was concluded from it; the next run asks again".into(),
            ),
            (Failure::Http(error), _) => (
                format!("{what}: {error}"),
                "nothing was concluded from it; the next run asks again; https://status.cloud.google.com tells of outages".into(),
            ),
        }
    }

    fn over_the_cap(&self, text: &str) -> (String, String) {
        (
            format!("{}: it would cost more than is left of the cap of {}: {text}", self.what(), bytes(self.cap)),
            "raise [warehouse] max_bytes_billed_per_run, or name a smaller table under [sources]; nothing was billed".into(),
        )
    }

    /// Running a query needs a right on the project that pays, reading one on the dataset.
    fn denied(&self, text: &str) -> (String, String) {
        if text.contains("bigquery.jobs.create") {
            return (
                format!(
                    "{}: no right to run queries in project {}: {text}",
                    self.what(),
                    self.billing_project
                ),
                format!(
                    "grant roles/bigquery.jobUser on the project that pays: gcloud projects add-iam-policy-binding {} \
                     --member=serviceAccount:ACCOUNT --role=roles/bigquery.jobUser",
                    self.billing_project
                ),
            );
        }
        (
            format!("{}: no right to read it: {text}", self.what()),
            format!(
                "grant roles/bigquery.dataViewer on the dataset {}:{}: bq query --use_legacy_sql=false 'GRANT \
                 `roles/bigquery.dataViewer` ON SCHEMA `{}.{}` TO \"serviceAccount:ACCOUNT\"'",
                self.project, self.dataset, self.project, self.dataset
            ),
        )
    }

    fn invalid(&self, text: &str) -> (String, String) {
        let problem = match column(text) {
            Some(column) => format!("{}: the table has no usable column {column}: {text}", self.what()),
            None => format!("{}: BigQuery refuses the query: {text}", self.what()),
        };
        (
            problem,
            "check that the table is the export that its name says, or name the right one under [sources]"
                .into(),
        )
    }
}

/// The error of a table that was there a moment ago.
pub fn gone(place: &Place<'_>) -> PortError {
    PortError::new(
        format!("{}: it is no longer there", place.what()),
        "the next run looks for it again; check that the export is still on",
    )
}

/// The reason in an answer of BigQuery, or the status that Google's newer front ends write.
pub fn reason(error: &HttpError) -> Option<String> {
    let body = document(error)?;
    let proto: Option<ErrorProto> =
        body["errors"].get(0).and_then(|first| serde_json::from_value(first.clone()).ok());
    proto.and_then(|proto| proto.reason)
}

fn message(error: &HttpError) -> String {
    match document(error).and_then(|body| body["message"].as_str()) {
        Some(text) => excerpt(text),
        None => excerpt(error.text()),
    }
}

fn document(error: &HttpError) -> Option<&Value> {
    match &error.kind {
        Kind::Status { body, .. } => body.as_ref()?.get("error"),
        _ => None,
    }
}

/// The column that a refused query could not find.
fn column(text: &str) -> Option<String> {
    let word = |rest: &str| {
        let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
        rest.split(end).next().filter(|word| !word.is_empty()).map(str::to_owned)
    };
    if let Some((_, rest)) = text.split_once("Unrecognized name: ") {
        return word(rest);
    }
    if let Some((before, inside)) = text.split_once(" not found inside ") {
        let field = before.split_whitespace().last()?;
        return word(inside).map(|record| format!("{record}.{field}"));
    }
    let (_, rest) = text.split_once("Field name ")?;
    word(rest)
}

/// Bytes for people: the largest unit of which there is at least one.
pub fn bytes(count: u64) -> String {
    const STEP: u64 = 1024;
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let size = |index: usize| STEP.pow(u32::try_from(index).unwrap_or(0));
    let index = (0..units.len()).rev().find(|index| count >= size(*index)).unwrap_or(0);
    match (index, count % size(index)) {
        (_, 0) => format!("{} {}", count / size(index), units[index]),
        _ => format!("{:.1} {}", count as f64 / size(index) as f64, units[index]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_column_in_the_words_of_bigquery() {
        assert_eq!(
            column("Unrecognized name: issue_titel; Did you mean issue_title? at [3:5]").as_deref(),
            Some("issue_titel")
        );
        assert_eq!(
            column("Name build_version not found inside application at [9:3]").as_deref(),
            Some("application.build_version")
        );
        assert_eq!(
            column("Field name version does not exist in STRUCT<id STRING> at [1:2]").as_deref(),
            Some("version")
        );
        assert_eq!(column("Syntax error: Unexpected end of script"), None);
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(bytes(20 * 1024 * 1024 * 1024), "20 GiB");
        assert_eq!(bytes(1536 * 1024), "1.5 MiB");
        assert_eq!(bytes(0), "0 bytes");
    }
}
