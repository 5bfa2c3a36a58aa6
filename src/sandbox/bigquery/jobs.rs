//! Query jobs: they are started once, say for a while that they are running, and are done, with an answer or with an
//! error. An id is used once in a location. A query that is not valid ends its job badly, as it does at BigQuery: the
//! insertion succeeds, and the status of the job tells.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, DEFAULT_LOCATION, answer, location};
use super::error::{ErrorReason, Refusal};
use super::model::BigQueryModel;
use super::page::Page;
use super::request::{Request, Running};
use super::seed::JobConditions;

/// The jobs of all projects.
#[derive(Default)]
pub(crate) struct Jobs {
    pub conditions: JobConditions,
    last: u64,
    jobs: BTreeMap<Key, Job>,
}

/// What tells a job from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    project: String,
    location: String,
    id: String,
}

impl Key {
    fn full(&self) -> String {
        format!("{}:{}.{}", self.project, self.location, self.id)
    }

    fn reference(&self) -> Value {
        json!({"projectId": self.project, "jobId": self.id, "location": self.location})
    }
}

/// A job.
#[derive(Debug)]
pub(crate) struct Job {
    key: Key,
    caller: String,
    configuration: Value,
    created: Timestamp,
    /// How often it will still say that it is running.
    polls_left: u32,
    ended: Option<Timestamp>,
    outcome: Result<Answer, Refusal>,
}

impl Jobs {
    fn insert(&mut self, key: Key, job: Job) -> &mut Job {
        self.jobs.entry(key).or_insert(job)
    }

    /// The id that the caller chose, or a new one.
    fn id(&mut self, chosen: Option<&str>) -> String {
        self.last += 1;
        chosen.map_or_else(|| format!("job_sandbox{:06}", self.last), str::to_owned)
    }

    /// How the next job is told to end.
    fn failure(&mut self) -> Option<Refusal> {
        let failures = &mut self.conditions.failures;
        let next = (!failures.is_empty()).then(|| failures.remove(0))?;
        Some(Refusal::new(next.reason, next.message))
    }

    /// Every job as `jobs.get` shows it, for the control surface.
    pub(crate) fn state(&self) -> Vec<Value> {
        self.jobs.values().map(|job| job.document("http://127.0.0.1")).collect()
    }

    /// A job that the caller can find: outside the US only with its location.
    pub(crate) fn find(
        &mut self,
        project: &str,
        id: &str,
        location: Option<&str>,
        now: Timestamp,
    ) -> Result<&mut Job, Refusal> {
        let wanted = location.unwrap_or(DEFAULT_LOCATION);
        let is_it =
            |key: &Key| key.project == project && key.id == id && key.location.eq_ignore_ascii_case(wanted);
        let job = self.jobs.values_mut().find(|job| is_it(&job.key));
        let job = job.ok_or_else(|| Refusal::not_found("Job", &format!("{project}:{id}")))?;
        job.tick(now);
        Ok(job)
    }
}

/// Starts a job, or checks a query: `jobs.insert`.
pub(crate) fn insert(
    model: &mut BigQueryModel,
    project: &str,
    request: &Request,
    caller: &str,
    base: &str,
    now: Timestamp,
) -> Result<Value, Refusal> {
    model.check_jobs(project)?;
    if request.running == Running::Dry {
        return dry(model, project, request, caller, now);
    }
    Ok(start(model, project, request, caller, now)?.document(base))
}

/// Starts a job and answers as far as it is done, or checks a query: `jobs.query`.
pub(crate) fn query(
    model: &mut BigQueryModel,
    project: &str,
    request: &Request,
    wait_ms: Option<u64>,
    page: Page,
    caller: &str,
    now: Timestamp,
) -> Result<Value, Refusal> {
    model.check_jobs(project)?;
    if request.running == Running::Dry {
        let checked = answer(model, project, request, now)?;
        let location = location(model, project, request);
        return Ok(json!({
            "kind": "bigquery#queryResponse", "jobComplete": true, "cacheHit": false,
            "jobReference": {"projectId": project, "location": location}, "location": location,
            "schema": {"fields": checked.columns}, "totalBytesProcessed": checked.processed.to_string(),
        }));
    }
    let job = start(model, project, request, caller, now)?;
    job.tick(now);
    // Who does not wait gets the answer later, however quick it is.
    let is_awaited = wait_ms != Some(0);
    let mut reply = match job.ended.filter(|_| is_awaited) {
        None => json!({"jobComplete": false, "jobReference": job.key.reference()}),
        Some(ended) => {
            let mut reply = job.results(page)?;
            let answer = job.outcome.as_ref().map_err(Clone::clone)?;
            reply["totalBytesBilled"] = json!(answer.billed.to_string());
            reply["totalSlotMs"] = json!(answer.slot_ms.to_string());
            reply["endTime"] = json!(ended.as_millisecond().to_string());
            reply
        }
    };
    let created = json!(job.created.as_millisecond().to_string());
    (reply["creationTime"], reply["startTime"]) = (created.clone(), created);
    reply["kind"] = json!("bigquery#queryResponse");
    reply["location"] = json!(job.key.location);
    Ok(reply)
}

fn start<'m>(
    model: &'m mut BigQueryModel,
    project: &str,
    request: &Request,
    caller: &str,
    now: Timestamp,
) -> Result<&'m mut Job, Refusal> {
    let location = location(model, project, request);
    let id = model.jobs.id(request.job_id.as_deref());
    let key = Key { project: project.to_owned(), location, id };
    if model.jobs.jobs.contains_key(&key) {
        return Err(Refusal::duplicate_job(&key.full()));
    }
    let outcome = match model.jobs.failure() {
        Some(refusal) => Err(refusal),
        None => answer(model, project, request, now),
    };
    let polls_left = model.jobs.conditions.running_polls;
    let job = Job {
        key: key.clone(),
        caller: caller.to_owned(),
        configuration: request.configuration.clone(),
        created: now,
        polls_left,
        ended: (polls_left == 0).then_some(now),
        outcome,
    };
    Ok(model.jobs.insert(key, job))
}

/// What a query would cost. A dry run has no id: there is no job to look at later.
fn dry(
    model: &mut BigQueryModel,
    project: &str,
    request: &Request,
    caller: &str,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let checked = answer(model, project, request, now)?;
    let location = location(model, project, request);
    let mut statistics = statistics(&checked);
    statistics["schema"] = json!({"fields": checked.columns});
    Ok(json!({
        "kind": "bigquery#job",
        "configuration": request.configuration,
        "jobReference": {"projectId": project, "location": location},
        "statistics": {
            "creationTime": now.as_millisecond().to_string(),
            "totalBytesProcessed": checked.processed.to_string(),
            "query": statistics,
        },
        "status": {"state": "DONE"},
        "user_email": caller,
    }))
}

fn statistics(answer: &Answer) -> Value {
    json!({
        "totalBytesProcessed": answer.processed.to_string(),
        "totalBytesBilled": answer.billed.to_string(),
        "totalSlotMs": answer.slot_ms.to_string(),
        "cacheHit": answer.cache_hit,
        "referencedTables": answer.tables,
        "statementType": "SELECT",
    })
}

impl Job {
    /// Somebody looks: a running job comes nearer to its end.
    fn tick(&mut self, now: Timestamp) {
        match self.polls_left.checked_sub(1) {
            Some(left) => self.polls_left = left,
            None => {
                self.ended.get_or_insert(now);
            }
        }
    }

    /// Ends it, if it is still running: `jobs.cancel`.
    pub(crate) fn cancel(&mut self, now: Timestamp) {
        if self.ended.is_none() {
            let text = "Job execution was cancelled: User requested cancellation";
            self.outcome = Err(Refusal::new(ErrorReason::Stopped, text));
            (self.polls_left, self.ended) = (0, Some(now));
        }
    }

    /// The rows of a page: `jobs.getQueryResults`. A job that ended badly is an error here.
    pub(crate) fn results(&self, page: Page) -> Result<Value, Refusal> {
        let mut reply = json!({
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": self.key.reference(),
            "jobComplete": self.ended.is_some(),
        });
        if self.ended.is_none() {
            return Ok(reply);
        }
        let answer = self.outcome.as_ref().map_err(Clone::clone)?;
        let (rows, next) = page.of(&answer.rows);
        reply["schema"] = json!({"fields": answer.columns});
        reply["totalRows"] = json!(answer.rows.len().to_string());
        reply["totalBytesProcessed"] = json!(answer.processed.to_string());
        reply["cacheHit"] = json!(answer.cache_hit);
        if !rows.is_empty() {
            reply["rows"] = json!(rows);
        }
        if let Some(next) = next {
            reply["pageToken"] = json!(next);
        }
        Ok(reply)
    }

    /// The job: `jobs.get`.
    pub(crate) fn document(&self, base: &str) -> Value {
        let key = &self.key;
        let created = self.created.as_millisecond().to_string();
        let mut statistics_of_job = json!({"creationTime": created, "startTime": created});
        let mut status = json!({"state": "RUNNING"});
        if let Some(ended) = self.ended {
            statistics_of_job["endTime"] = json!(ended.as_millisecond().to_string());
            status["state"] = json!("DONE");
            match &self.outcome {
                Ok(answer) => {
                    statistics_of_job["totalBytesProcessed"] = json!(answer.processed.to_string());
                    statistics_of_job["totalSlotMs"] = json!(answer.slot_ms.to_string());
                    statistics_of_job["query"] = statistics(answer);
                }
                Err(refusal) => {
                    status["errorResult"] = refusal.proto();
                    status["errors"] = json!([refusal.proto()]);
                    statistics_of_job["totalBytesProcessed"] = json!("0");
                    statistics_of_job["query"] = json!({"totalBytesProcessed": "0", "totalBytesBilled": "0",
                        "cacheHit": false, "statementType": "SELECT"});
                }
            }
        }
        json!({
            "kind": "bigquery#job",
            "etag": BASE64_STANDARD.encode(format!("{}{status}", key.full())),
            "id": key.full(),
            "selfLink": format!("{base}/jobs/{}?location={}", key.id, key.location),
            "user_email": self.caller,
            "configuration": self.configuration,
            "jobReference": key.reference(),
            "statistics": statistics_of_job,
            "status": status,
            "jobCreationReason": {"code": "REQUESTED"},
        })
    }
}
