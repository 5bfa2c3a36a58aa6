//! One query from its insertion to its last row, and what it cost.
//!
//! The id of a job is ours, so a job whose insertion was answered unclearly is found again instead of being run and
//! billed twice. A job that failed for a passing reason is run again under a new id. Nobody waits for a job that is left
//! running: at the end of the time, on an unclear end and when the waiting is dropped, it is cancelled.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gcp_bigquery_client::model::get_query_results_response::GetQueryResultsResponse;
use gcp_bigquery_client::model::job::Job;

use super::api::{Api, encoded};
use super::budget::{Budget, Share};
use super::error::{Failure, Place};
use super::wire;
use crate::adapters::events::Answer;
use crate::adapters::http::retry;
use crate::domain::cost::QueryCost;
use crate::ports::PortError;
use crate::queries::{Cell, Query, Question};

/// Jobs that are tried for one query, the first included.
const MOST_JOBS: u32 = 3;
/// How long BigQuery may keep one request for results waiting, in milliseconds; below the limit of every call.
const RESULTS_TIMEOUT_MS: u32 = 10_000;
/// The first pause before an unfinished job is asked about again; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The state of a job that has ended.
const DONE: &str = "DONE";
/// The status of an insertion under an id that is there already.
const CONFLICT: u16 = 409;
/// The status of a job that is not found.
const NOT_FOUND: u16 = 404;
/// How often a job that must be there is looked for.
const MOST_LOOKS: u32 = 4;

/// Runs queries as jobs.
pub struct Jobs {
    api: Arc<Api>,
    budget: Budget,
    run: String,
    next: AtomicU64,
}

/// A job that may be running. Dropped in this state, it is cancelled.
struct Running<'j> {
    api: &'j Arc<Api>,
    id: &'j str,
    location: &'j str,
    ended: bool,
}

/// Why a job gave no answer.
struct Unanswered {
    failure: Failure,
    billed: Billed,
}

/// What is known of the bill of a job that gave no answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Billed {
    /// A job that was refused or failed is free.
    Nothing,
    /// A job that is cancelled may be billed in full.
    Unknown,
}

impl Jobs {
    /// Jobs under a cap.
    pub fn new(api: Arc<Api>, budget: Budget) -> Self {
        let run = format!("{:016x}", RandomState::new().build_hasher().finish());
        Self { api, budget, run, next: AtomicU64::new(1) }
    }

    /// Runs a query to its last row.
    ///
    /// # Errors
    /// Where it did not complete, in whole, within the time and the cap.
    pub async fn answer(&self, query: &Query, location: &str) -> Result<Answer, PortError> {
        let mut job = self.next_id(query.question);
        let mut share = self.share(Size::Part).await.map_err(|failure| self.told(query, &job, &failure))?;
        let mut jobs = 1;
        loop {
            let unanswered = match self.attempt(query, &job, location, share.bytes()).await {
                Ok(answer) => {
                    share.settle(answer.cost.bytes_billed);
                    return Ok(answer);
                }
                Err(unanswered) => unanswered,
            };
            let failure = unanswered.failure;
            let size = if share.is_everything() { Size::Everything } else { Size::Part };
            if unanswered.billed == Billed::Nothing {
                share.settle(0);
            } else {
                drop(share);
            }
            let again = match size {
                Size::Part if failure.is_limit() => Some(Size::Everything),
                same if failure.wants_a_new_job() && jobs < MOST_JOBS => {
                    self.pause(retry::wait(jobs, None).unwrap_or_default()).await;
                    jobs += 1;
                    Some(same)
                }
                _ => None,
            };
            let told = |failure: &Failure| self.told(query, &job, failure);
            let Some(size) = again else { return Err(told(&failure)) };
            tracing::debug!(question = query.question.name(), jobs, "a query is run again as another job");
            share = self.share(size).await.map_err(|spent| told(&spent))?;
            job = self.next_id(query.question);
        }
    }

    fn told(&self, query: &Query, job: &str, failure: &Failure) -> PortError {
        Place::query(&self.api, query, self.budget.cap()).of_job(job).error(failure)
    }

    /// Unique among all runs, and the same for every request about one job.
    fn next_id(&self, question: Question) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("tidegate-{}-{}-{number}", question.name(), self.run)
    }

    async fn share(&self, size: Size) -> Result<Share<'_>, Failure> {
        let sharing = async {
            Ok(match size {
                Size::Part => self.budget.share().await?,
                Size::Everything => self.budget.everything().await?,
            })
        };
        self.api.in_time(sharing).await
    }

    /// A pause that ends with the time for work; whatever comes then finds out.
    async fn pause(&self, pause: Duration) {
        tokio::time::sleep(pause.min(self.api.time_left())).await;
    }

    async fn attempt(
        &self,
        query: &Query,
        job: &str,
        location: &str,
        limit: u64,
    ) -> Result<Answer, Unanswered> {
        let mut running = Running { api: &self.api, id: job, location, ended: false };
        let inserted = match self.insert(query, &running, limit).await {
            Ok(inserted) => inserted,
            Err(failure) if failure.is_refusal() => {
                running.ended = true;
                return Err(Unanswered { failure, billed: Billed::Nothing });
            }
            Err(failure) => return Err(running.given_up(failure).await),
        };
        match self.completed(query, &running, inserted).await {
            Ok(answer) => {
                running.ended = true;
                Ok(answer)
            }
            Err(failure @ Failure::Job(_)) => {
                running.ended = true;
                let billed = if failure.was_stopped() { Billed::Unknown } else { Billed::Nothing };
                Err(Unanswered { failure, billed })
            }
            Err(failure) => Err(running.given_up(failure).await),
        }
    }

    /// <https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/insert>. Sent again after an unclear answer, the id
    /// is there already: the job is the one that was sent first.
    async fn insert(&self, query: &Query, running: &Running<'_>, limit: u64) -> Result<Box<Job>, Failure> {
        let body = wire::job(&self.api, query, running.id, running.location, limit)?;
        match self.api.send(self.api.job_path("jobs"), body).await {
            Err(failure) if failure.status() == Some(CONFLICT) => self.look_at_existing(running).await,
            answer => answer,
        }
    }

    /// A job that is there already may not be found in the moment after its insertion.
    async fn look_at_existing(&self, running: &Running<'_>) -> Result<Box<Job>, Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..MOST_LOOKS {
            match self.look(running).await {
                Err(failure) if failure.status() == Some(NOT_FOUND) => self.pause(pause).await,
                answer => return answer.map_err(Failure::of_existing_job),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.look(running).await.map_err(Failure::of_existing_job)
    }

    /// <https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/get>.
    async fn look(&self, running: &Running<'_>) -> Result<Box<Job>, Failure> {
        self.api.read(running.path("jobs", "")).await
    }

    async fn completed(
        &self,
        query: &Query,
        running: &Running<'_>,
        inserted: Box<Job>,
    ) -> Result<Answer, Failure> {
        refuse_failed(&inserted)?;
        let first = self.first_page(running).await?;
        let job = if is_done(&inserted) { inserted } else { self.done(running).await? };
        let cost = cost(query, running.id, &job)?;
        Ok(Answer { rows: self.rows(query.question, running, first).await?, cost })
    }

    /// Waits for the job, and reads the first rows.
    async fn first_page(&self, running: &Running<'_>) -> Result<GetQueryResultsResponse, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let page = match self.page(running, None).await {
                Ok(page) => page,
                Err(failure) => return Err(self.cause(running, failure).await),
            };
            match page.job_complete {
                Some(true) => return Ok(page),
                Some(false) => self.pause(pause).await,
                None => {
                    return Err(Failure::Odd("the answer does not say whether the job is complete".into()));
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Results that are refused are those of a job that failed; the job itself says why.
    async fn cause(&self, running: &Running<'_>, failure: Failure) -> Failure {
        if failure.status().is_none() {
            return failure;
        }
        match self.look(running).await {
            Ok(job) => refuse_failed(&job).err().unwrap_or(failure),
            Err(_) => failure,
        }
    }

    /// <https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults>.
    async fn page(
        &self,
        running: &Running<'_>,
        token: Option<&str>,
    ) -> Result<GetQueryResultsResponse, Failure> {
        let wait = u128::from(RESULTS_TIMEOUT_MS).min(self.api.time_left().as_millis());
        let token = token.map(|token| format!("&pageToken={}", encoded(token))).unwrap_or_default();
        let rest = format!("&timeoutMs={wait}&formatOptions.useInt64Timestamp=true{token}");
        self.api.read(running.path("queries", &rest)).await
    }

    /// The job once it says itself that it has ended: only then are its costs known.
    async fn done(&self, running: &Running<'_>) -> Result<Box<Job>, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let job = self.look(running).await?;
            refuse_failed(&job)?;
            if is_done(&job) {
                return Ok(job);
            }
            self.pause(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Every row of every page.
    async fn rows(
        &self,
        question: Question,
        running: &Running<'_>,
        first: GetQueryResultsResponse,
    ) -> Result<Vec<Vec<Cell>>, Failure> {
        let total = wire::total(&first)?;
        let (mut page, mut known) = (first, None);
        let mut rows = Vec::new();
        loop {
            let next = page.page_token.take().filter(|token| !token.is_empty());
            wire::read_page(question, page, &mut rows)?;
            let Some(token) = next else { break };
            if known.as_ref() == Some(&token) {
                return Err(Failure::Odd("the pages of the answer have no end".into()));
            }
            page = self.page(running, Some(&token)).await?;
            known = Some(token);
        }
        if rows.len() as u64 == total {
            return Ok(rows);
        }
        Err(Failure::Odd(format!("the answer has {} of its {total} rows", rows.len())))
    }
}

/// How much of the budget a job is given.
#[derive(Clone, Copy)]
enum Size {
    Part,
    Everything,
}

impl Running<'_> {
    fn path(&self, kind: &str, rest: &str) -> String {
        let (id, location) = (self.id, encoded(self.location));
        self.api.job_path(&format!("{kind}/{id}?location={location}{rest}"))
    }

    /// <https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/cancel>.
    fn cancel_path(&self) -> String {
        let (id, location) = (self.id, encoded(self.location));
        self.api.job_path(&format!("jobs/{id}/cancel?location={location}"))
    }

    /// The job may be running, and nobody will read its answer.
    async fn given_up(&mut self, failure: Failure) -> Unanswered {
        self.api.end(self.cancel_path()).await;
        self.ended = true;
        Unanswered { failure, billed: Billed::Unknown }
    }
}

impl Drop for Running<'_> {
    /// The run was ended from outside. The job has a time limit of its own, should the process be gone before this.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (api, path) = (self.api.clone(), self.cancel_path());
            drop(runtime.spawn(async move { api.end(path).await }));
        }
    }
}

fn is_done(job: &Job) -> bool {
    job.status.as_ref().and_then(|status| status.state.as_deref()) == Some(DONE)
}

fn refuse_failed(job: &Job) -> Result<(), Failure> {
    let error = job.status.as_ref().and_then(|status| status.error_result.clone());
    error.map_or(Ok(()), |error| Err(Failure::Job(Box::new(error))))
}

/// What the job says that it cost. An answer from the cache is free.
fn cost(query: &Query, id: &str, job: &Job) -> Result<QueryCost, Failure> {
    let statistics = job.statistics.as_ref();
    let of_query = statistics.and_then(|statistics| statistics.query.as_ref());
    let count = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
    let cached = of_query.is_some_and(|of_query| of_query.cache_hit == Some(true));
    let billed = count(of_query.and_then(|of_query| of_query.total_bytes_billed.as_ref()));
    let slots = of_query.and_then(|of_query| of_query.total_slot_ms.as_ref());
    let slots = slots.or(statistics.and_then(|statistics| statistics.total_slot_ms.as_ref()));
    Ok(QueryCost {
        question: query.question.name().to_owned(),
        table: query.table_names(),
        job: Some(id.to_owned()),
        bytes_billed: billed
            .or(cached.then_some(0))
            .ok_or_else(|| Failure::Odd("the job does not say what it was billed for".to_owned()))?,
        slot_ms: count(slots).unwrap_or(0),
    })
}
