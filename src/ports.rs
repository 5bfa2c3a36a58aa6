//! The ports: what the jobs ask of the outside world, in the domain's words.
//!
//! One to four methods each. An adapter translates and never decides; a job decides and never translates.
//! "Could not" is an error here, never an empty answer.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::domain::calendar::Window;
use crate::domain::control::Control;
use crate::domain::cost::QueryCost;
use crate::domain::counts::{DayCrashes, DaySessions, Partials};
use crate::domain::daily::{AppPage, Freshness, TopCrash, Totals};
use crate::domain::decision::Record;
use crate::domain::facts::AbsentTable;
use crate::domain::heartbeat::{Beat, Heartbeat};
use crate::domain::ids::{AppId, BuildNumber, DecisionId, VersionName};
use crate::domain::ledger::{Noted, Page};
use crate::domain::listing::Listed;
use crate::domain::message::{Link, Note};
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
    /// Nothing: what the call was about is not there any more, as a message that a person deleted.
    Gone,
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

    /// The same error where what the call was about is not there any more.
    #[must_use]
    pub fn gone(self) -> Self {
        Self { outlook: Outlook::Gone, ..self }
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

/// What the events of a release are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseNames {
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// Its version, for sources that know no builds.
    pub version: VersionName,
}

/// What a daily report asks of the events of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyRequest {
    /// The release that the report is about.
    pub release: ReleaseNames,
    /// Since its counting began; nothing before is counted of it.
    pub cycle: Window,
    /// The last whole day where the team works: [`Window::last_whole_day`].
    pub last_day: Window,
    /// The release that it is compared with; none where there is none.
    pub before: Option<Before>,
    /// Reports of other versions are looked for from here on.
    pub known_from: Timestamp,
    /// The instant of the look: no event can be newer.
    pub seen_at: Timestamp,
}

/// A release before the one of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Which.
    pub release: ReleaseNames,
    /// The stretch of its life that is counted.
    pub then: Window,
    /// As much of the cycle of the report's own release.
    pub now: Window,
}

/// What was counted over a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// From when to when: what was asked for, without what lies outside of the cycle or beyond the newest session.
    pub window: Window,
    /// What was counted.
    pub totals: Totals,
}

/// What a daily report is told. A stretch is none where a table that covers it is not there, or nothing of it lies in
/// the cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyReading {
    /// The whole cycle.
    pub cycle: Option<Counted>,
    /// The last whole day.
    pub last_day: Option<Counted>,
    /// The release before, in [`Before::then`].
    pub then: Option<Counted>,
    /// The release of the report, in [`Before::now`].
    pub now: Option<Counted>,
    /// The groups that most crash reports of the cycle are of, most first and [`TOP_CRASHES`](crate::domain::daily::TOP_CRASHES) at most, without links;
    /// none where no table of crashes is there.
    pub crashes: Option<Vec<TopCrash>>,
    /// How far the data goes, where it comes from, and what is not there.
    pub freshness: Freshness,
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

    /// Counts both sides over whole stretches of time, with people counted once over all of a stretch: from the tables of
    /// finished days, together with the real-time ones for what those don't hold yet. Dear, so it is asked once a day.
    ///
    /// # Errors
    /// As for [`MetricSource::read`].
    async fn daily(&self, request: &DailyRequest) -> Result<DailyReading, PortError>;

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

    /// What the store lists, where it can tell that for less than [`RolloutTarget::releases`]; none where it can't, or
    /// where what it lists is not clear.
    ///
    /// # Errors
    /// Where the store could not be asked.
    async fn listed(&self) -> Result<Option<Listed>, PortError> {
        Ok(None)
    }

    /// Asks the store once for the effect. The caller holds the lease, has written the intent down, and reads back.
    ///
    /// # Errors
    /// Where the store refused or its answer was lost; [`PortError::effect`] says which.
    async fn apply(&self, lease: &Lease, release: &Release, change: &Change) -> Result<(), PortError>;

    /// The page of the app in the store's console, where it is known by now.
    fn console(&self) -> Option<Link> {
        None
    }

    /// Says that the calls that follow are for a halt: where calls of many apps wait for one another, they go first.
    fn hurry(&self) {}
}

/// Proof that this run, and no other, acts for an app. Only a state store makes one, but for the one that can only halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    app: AppId,
    holder: String,
    fence: u64,
    expires_at: Timestamp,
    timed: Option<Timed>,
}

/// When a lease was asked for, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timed {
    since: Moment,
    lasts: Duration,
}

impl Lease {
    /// For state stores only: the proof that the lease has just been taken.
    #[must_use]
    pub fn granted(app: AppId, holder: String, fence: u64, expires_at: Timestamp) -> Self {
        Self { app, holder, fence, expires_at, timed: None }
    }

    /// For a halt while no state store can be reached. Its fence is below every other, so it can write nothing.
    #[must_use]
    pub fn for_halting_only(app: AppId, holder: String, expires_at: Timestamp) -> Self {
        Self { app, holder, fence: 0, expires_at, timed: None }
    }

    /// The same lease, which was asked for at `since` and `lasts` so long from then on.
    #[must_use]
    pub fn timed(self, since: Moment, lasts: Duration) -> Self {
        Self { timed: Some(Timed { since, lasts }), ..self }
    }

    /// What is left of it by the clock that says less. Nothing, where it is not known since when it runs.
    #[must_use]
    pub fn left(&self, now: Moment) -> Duration {
        let left = |timed: Timed| timed.lasts.saturating_sub(now.passed_since(timed.since));
        self.timed.map_or(Duration::ZERO, left)
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
    /// What the decision was made on is not what is stored; nothing of this commit was written.
    #[error(
        "{what} was changed meanwhile, so nothing was written for app {app}\n  fix: nothing; the next run looks again"
    )]
    Overtaken {
        /// The app.
        app: AppId,
        /// What was changed.
        what: &'static str,
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
    /// Adds a decision, and its entry in the ledger; one that is there already is left alone, and has its entry.
    Decision(Box<Record>),
    /// Appends an entry to the ledger of the app that the lease is for.
    Ledger(Box<Noted>),
    /// Puts a message in the place of the older one with the same key.
    Message(Box<Message>),
    /// Puts what is remembered of an app in the place of the older.
    Watch(AppId, Box<Watch>),
    /// Puts the daily report of an app in the place of the older.
    Report(Box<AppPage>),
    /// Puts what people have said about an app in the place of the older.
    Control(AppId, Box<Control>),
    /// Writes nothing: refuses the whole commit with [`StateError::Overtaken`] where something else is stored.
    Provided(Box<Basis>),
}

/// What a decision was made on.
#[derive(Debug, Clone)]
pub enum Basis {
    /// The state of this release; none where nothing was remembered of it.
    Release(ReleaseId, Option<Box<ReleaseState>>),
    /// What people had said about this app.
    Control(AppId, Control),
}

/// A person's word that is to be written down.
#[derive(Debug, Clone, Copy)]
pub struct Saying<'s> {
    /// All that people had said before.
    pub before: &'s Control,
    /// All that people have said with it.
    pub now: &'s Control,
    /// Its entry in the ledger.
    pub entry: &'s Noted,
    /// The command that took it, as a lease would name its holder.
    pub run: &'s str,
}

/// Where people's words about apps are kept. They are written without a lease, so that a person never waits for a run.
#[async_trait]
pub trait Words: Send + Sync {
    /// What people have said about an app.
    ///
    /// # Errors
    /// Where the store could not be asked or holds something this program can't read.
    async fn heard(&self, app: &AppId) -> Result<Control, StateError>;

    /// Puts what is said now in the place of what was said before, and enters it in the ledger of the app; both or
    /// neither.
    ///
    /// # Errors
    /// [`StateError::Overtaken`] where somebody else said something meanwhile; nothing was written.
    async fn say(&self, app: &AppId, saying: Saying<'_>) -> Result<(), StateError>;
}

/// Where the program remembers things between runs.
#[async_trait]
pub trait StateStore: Words {
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
    /// [`StateError::LostLease`] where it is not; [`StateError::Overtaken`] where a [`Write::Provided`] does not hold.
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

    /// All decisions about a release, oldest first; those of one instant in the order of their ids. None are left out:
    /// one that can't be read is an error.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn history(&self, release: &ReleaseId) -> Result<Vec<Record>, StateError>;

    /// The newest daily report of an app, without its history; none where none was made.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn report(&self, app: &AppId) -> Result<Option<AppPage>, StateError>;

    /// When a job ran last; none where it never did.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn heartbeat(&self, job: &str) -> Result<Option<Heartbeat>, StateError>;

    /// The canonical text of a decision, made of all that is stored of it, whether or not this program can read it as a
    /// [`Record`].
    ///
    /// # Errors
    /// Where the store could not be asked.
    async fn evidence(&self, id: &DecisionId) -> Result<Option<String>, StateError>;

    /// The ledger of an app from a number on. What was changed behind the program's back comes as it is.
    ///
    /// # Errors
    /// As for [`Memory::app`].
    async fn ledger(&self, app: &AppId, from: u64) -> Result<Page, StateError>;
}

/// A picture for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name of its file, such as `report.png`.
    pub name: String,
    /// What stands above it.
    pub title: String,
    /// What it shows, for those who don't see it.
    pub alt: String,
    /// The file.
    pub bytes: Vec<u8>,
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
    /// Where it was refused; [`Outlook::Gone`] where it can't be edited any more and has to be said anew.
    async fn update(&self, posted: &Posted, key: &str, note: &Note) -> Result<(), PortError>;

    /// Looks up whether a message with this key arrived, since a little before `since`. Where sending began only `age`
    /// ago, it is given time to arrive before the answer is no. A sink that can't tell says so at once.
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

    /// Looks once for a message with any of these keys, since a little before `since`, and gives none of them time to
    /// arrive. What is only in a thread is not found.
    ///
    /// # Errors
    /// As for [`Notifier::find`].
    async fn find_any(&self, keys: &[String], since: Timestamp) -> Result<Found, PortError> {
        for key in keys {
            match self.find(key, None, since, SignedDuration::MAX).await? {
                Found::Nowhere => {}
                found => return Ok(found),
            }
        }
        Ok(Found::Nowhere)
    }

    /// Whether a message can still be edited there, and be replied to.
    fn holds(&self, _posted: &Posted) -> bool {
        true
    }

    /// Where people are told what this one refuses for good; none where there is no such place.
    fn fallback(&self) -> Option<&dyn Notifier> {
        None
    }

    /// What it can't do that others can, in a sentence for the output of a run; none where it lacks nothing.
    fn shortcoming(&self) -> Option<&'static str> {
        None
    }

    /// Shows a picture, under `parent` where it is a reply, and answers its id. It is shown once at most: after a lost
    /// answer the caller does not try again.
    ///
    /// # Errors
    /// Where it was refused, whether it arrived is unclear, or the sink takes no pictures.
    async fn upload(&self, image: &Image, _parent: Option<&Posted>) -> Result<String, PortError> {
        let what = format!("the picture {} was not shown: this sink takes no pictures", image.name);
        Err(PortError::new(what, "give [slack] a channel and a token with the scope files:write").lasting())
    }
}

/// One moment by the two clocks of a machine. The steady one stands still while the machine is suspended, and the other
/// may be set back, so time has passed when either says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the machine's clock.
    pub wall: Timestamp,
    /// By the clock that never jumps, since some instant that is the same for all moments.
    pub steady: Duration,
}

impl Moment {
    /// How much time has passed since then, by the clock that says more.
    #[must_use]
    pub fn passed_since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).try_into().unwrap_or_default();
        self.steady.saturating_sub(earlier.steady).max(wall)
    }
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

    /// The present moment by both clocks of the machine, whatever instant the run was asked about. A clock of no machine
    /// has no steady one.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), steady: Duration::ZERO }
    }
}
