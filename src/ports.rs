//! The five ports: what the jobs ask of the outside world, in the domain's words.
//!
//! One to four methods each. An adapter translates and never decides; a job decides and never translates.
//! "Could not" is an error here, never an empty answer.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::domain::calendar::Window;
use crate::domain::cost::QueryCost;
use crate::domain::counts::{DayCrashes, DaySessions, Partials};
use crate::domain::decision::Record;
use crate::domain::facts::AbsentTable;
use crate::domain::heartbeat::{Beat, Heartbeat};
use crate::domain::ids::{AppId, BuildNumber, DecisionId, VersionName};
use crate::domain::message::Note;
use crate::domain::outbox::{Message, Posted};
use crate::domain::release::{Change, Release, ReleaseId, ReleaseState};
use crate::domain::watch::Watch;

/// Why the outside world could not be asked, or refused.
///
/// The text names the thing and the place; `fix` says what a person can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  fix: {fix}")]
pub struct PortError {
    /// What went wrong, where, with the vendor's own words.
    pub what: String,
    /// What to do about it.
    pub fix: String,
    /// Whether a write may have taken effect all the same.
    pub effect: Effect,
    /// How long the service asked to wait before it is asked again, where it did.
    pub retry_after: Option<Duration>,
    /// Whether trying again can help.
    pub outlook: Outlook,
}

/// What another try of a failed call would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Perhaps something better.
    Passing,
    /// The same, until a person changes something.
    Lasting,
}

/// What is known about the effect of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing was changed.
    None,
    /// The answer was lost or unclear: only reading back tells.
    Unclear,
}

impl PortError {
    /// An error after which nothing was changed.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        let (what, fix) = (what.into(), fix.into());
        Self { what, fix, effect: Effect::None, retry_after: None, outlook: Outlook::Passing }
    }

    /// An error after which only reading back tells what is there.
    pub fn unclear(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { effect: Effect::Unclear, ..Self::new(what, fix) }
    }

    /// The same error where only a person can help.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { outlook: Outlook::Lasting, ..self }
    }

    /// The same error of a service that asked to wait.
    #[must_use]
    pub fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }
}

/// One reading of the events of one app.
#[derive(Debug, Clone)]
pub struct MetricRequest {
    /// Sessions are counted over this window, and crashes up to its end.
    pub window: Window,
    /// Crashes are counted from here on: late reports belong to days whose sessions are complete.
    pub crashes_from: Timestamp,
    /// Events before this instant are mature.
    pub mature_to: Timestamp,
    /// The instant of the look: no event can be newer.
    pub seen_at: Timestamp,
    /// The builds of the release.
    pub builds: Vec<BuildNumber>,
    /// The version of the release, for sources that know no builds.
    pub version: VersionName,
    /// Other releases of the app that will be asked for in this run: one scan can serve them all.
    pub others: Vec<(Vec<BuildNumber>, VersionName)>,
}

/// What a reading of both sides found.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The sessions of each day of the window.
    pub sessions: Vec<DaySessions>,
    /// The crashes of each day from [`MetricRequest::crashes_from`] on.
    pub crashes: Vec<DayCrashes>,
    /// Both sides are counted up to here: the window's end, or the newest session where that is earlier.
    pub through: Timestamp,
    /// The newest session of any version in the window.
    pub newest_session_at: Option<Timestamp>,
    /// The newest crash report of any version since [`MetricRequest::crashes_from`].
    pub newest_crash_at: Option<Timestamp>,
    /// Tables that are not there; what they would have counted is unknown, not zero.
    pub absent: Vec<AbsentTable>,
    /// What each query cost.
    pub queries: Vec<QueryCost>,
}

/// What the tables look like without reading them. A mark changes whenever rows are added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Of the crash tables; none where the warehouse can't tell, or a table is not there.
    pub crashes: Option<String>,
    /// Of the session tables; none where the warehouse can't tell, or a table is not there.
    pub sessions: Option<String>,
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
}

/// What a reading of the crashes alone found: everything that the tables hold, so at least as many as belong to any
/// window that ends now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CrashReading {
    /// The crashes of each day from [`MetricRequest::crashes_from`] on.
    pub days: Vec<DayCrashes>,
    /// The newest crash report of any version that is not from the future.
    pub newest_crash_at: Option<Timestamp>,
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
    /// What each query cost.
    pub queries: Vec<QueryCost>,
}

/// Where crashes and sessions are counted.
#[async_trait]
pub trait MetricSource: Send + Sync {
    /// Takes part in a run until what comes back is dropped, so that apps which share tables can be read together.
    fn sit(&self) -> Box<dyn Send + Sync> {
        Box::new(())
    }

    /// Counts both sides up to the same instant, per day.
    ///
    /// # Errors
    /// Where a query could not be completed; an unfinished answer is never an empty one.
    async fn read(&self, request: &MetricRequest) -> Result<Reading, PortError>;

    /// Counts the crashes alone, which is cheap.
    ///
    /// # Errors
    /// As for [`MetricSource::read`].
    async fn crashes(&self, request: &MetricRequest) -> Result<CrashReading, PortError>;

    /// Looks at the tables of a reading without reading them.
    ///
    /// # Errors
    /// Where the warehouse could not be asked.
    async fn marks(&self, request: &MetricRequest) -> Result<Marks, PortError>;

    /// The earliest session of the release since `since`, for a rollout that was under way at first sight.
    ///
    /// # Errors
    /// Where the query could not be completed.
    async fn first_session(
        &self,
        request: &MetricRequest,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, PortError>;
}

/// A store that offers releases to users.
#[async_trait]
pub trait RolloutTarget: Send + Sync {
    /// The releases that the store lists: rolling out, halted, completed or pending.
    ///
    /// # Errors
    /// Where the store could not be asked.
    async fn releases(&self) -> Result<Vec<Release>, PortError>;

    /// Asks the store once for the effect. The caller holds the lease, has written the intent down, and reads back.
    ///
    /// # Errors
    /// Where the store refused or its answer was lost; [`PortError::effect`] says which.
    async fn apply(&self, lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError>;
}

/// Proof that this run, and no other, acts for an app. Only a state store makes one, but for the one that can only halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    app: AppId,
    holder: String,
    fence: u64,
    expires_at: Timestamp,
}

impl Lease {
    /// For state stores only: the proof that the lease has just been taken.
    #[must_use]
    pub fn granted(app: AppId, holder: String, fence: u64, expires_at: Timestamp) -> Self {
        Self { app, holder, fence, expires_at }
    }

    /// For a halt while no state store can be reached. Its fence is below every other, so it can write nothing.
    #[must_use]
    pub fn for_halting_only(app: AppId, holder: String, expires_at: Timestamp) -> Self {
        Self { app, holder, fence: 0, expires_at }
    }

    /// The app that it is for.
    #[must_use]
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// The run that holds it.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Rises each time the lease changes hands; an older fence may write nothing.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Why the state store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another run is active; nothing was done.
    #[error("another run holds the lease of app {app}: {holder}, until {until}")]
    Busy {
        /// The app.
        app: AppId,
        /// The run that holds it.
        holder: String,
        /// When it ends at the latest.
        until: Timestamp,
    },
    /// The lease ended, or another run took it over; nothing of this commit was written.
    #[error("the lease of app {app} ended or was taken over by another run; this run may write nothing more")]
    LostLease {
        /// The app.
        app: AppId,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Failed(#[from] PortError),
    /// The store holds something that this program can't read: nothing may be done for the app.
    #[error(transparent)]
    Unreadable(PortError),
}

/// What is remembered of an app.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AppState {
    /// Its releases.
    pub releases: Vec<ReleaseState>,
    /// The messages about them, oldest first.
    pub messages: Vec<Message>,
    /// Its newest decision.
    pub last_decision: Option<Record>,
    /// What is remembered apart from its releases.
    pub watch: Watch,
    /// When each job ran last, whatever the app; what can't be read is left out.
    pub heartbeats: Vec<Heartbeat>,
}

/// One write of a commit. A commit is written whole or not at all.
#[derive(Debug, Clone)]
pub enum Write {
    /// Puts the state of a release in the place of the older one.
    Release(Box<ReleaseState>),
    /// Puts day partials in the place of older ones of the same days.
    Partials(ReleaseId, Partials),
    /// Forgets the partials of a release, because its counts start anew.
    ForgetPartials(ReleaseId),
    /// Adds a decision; one that is there already is left alone.
    Decision(Box<Record>),
    /// Puts a message in the place of the older one with the same key.
    Message(Box<Message>),
    /// Puts what is remembered of an app in the place of the older.
    Watch(AppId, Box<Watch>),
}

/// Where the program remembers things between runs.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Takes the lease of an app, or says who has it.
    ///
    /// # Errors
    /// [`StateError::Busy`] where another run is active.
    async fn acquire(
        &self,
        app: &AppId,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StateError>;

    /// Gives the lease back. One that was lost meanwhile is left to its new holder.
    ///
    /// # Errors
    /// Where the store could not be asked; the lease then ends by itself.
    async fn release(&self, lease: &Lease) -> Result<(), StateError>;

    /// Writes everything or nothing, if the lease is still held.
    ///
    /// # Errors
    /// [`StateError::LostLease`] where it is not.
    async fn commit(&self, lease: &Lease, writes: Vec<Write>) -> Result<(), StateError>;

    /// Notes that a run has reached its end. Needs no lease, and costs one request at most.
    ///
    /// # Errors
    /// Where it could not be noted. Nothing depends on it.
    async fn beat(&self, beat: &Beat) -> Result<(), StateError>;

    /// Reads what is remembered.
    fn memory(&self) -> &dyn Memory;
}

/// The reading half of a state store; needs no lease.
#[async_trait]
pub trait Memory: Send + Sync {
    /// What is remembered of an app, without its day partials.
    ///
    /// # Errors
    /// Where the store could not be asked or holds something this program can't read.
    async fn app(&self, app: &AppId) -> Result<AppState, StateError>;

    /// The day partials of a release.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn partials(&self, release: &ReleaseId) -> Result<Partials, StateError>;

    /// A decision by its id.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn decision(&self, id: &DecisionId) -> Result<Option<Record>, StateError>;

    /// When a job ran last; none where it never did.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn heartbeat(&self, job: &str) -> Result<Option<Heartbeat>, StateError>;
}

/// What came of looking for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    There(Posted),
    /// It is not.
    Nowhere,
    /// The sink keeps nothing that could be looked through, or does not let us; says why.
    CannotTell(String),
}

/// Where people are told, and where other programs are: a channel, an issue, a deployment's status, a workflow.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Says something new, under `parent` where it is a reply.
    ///
    /// # Errors
    /// Where it was refused, or whether it arrived is unclear.
    async fn post(&self, key: &str, note: &Note, parent: Option<&Posted>) -> Result<Posted, PortError>;

    /// Says something else in the place of what was said.
    ///
    /// # Errors
    /// Where it was refused.
    async fn update(&self, posted: &Posted, key: &str, note: &Note) -> Result<(), PortError>;

    /// Looks up whether a message with this key arrived, since a little before `since`. Where sending began only `age`
    /// ago, it is given time to arrive before the answer is no.
    ///
    /// # Errors
    /// Where the notifier could not be asked.
    async fn find(
        &self,
        key: &str,
        parent: Option<&Posted>,
        since: Timestamp,
        age: SignedDuration,
    ) -> Result<Found, PortError>;
}

/// What time it is.
pub trait Clock: Send + Sync {
    /// The present instant, or the one that the run was asked about.
    fn now(&self) -> Timestamp;

    /// How far the machine's own clock is behind what the services say, or ahead where negative; none where no service
    /// has said anything, or where the instant was given.
    fn skew(&self) -> Option<SignedDuration> {
        None
    }
}
