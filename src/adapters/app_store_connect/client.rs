//! One client for each key, shared by its apps: strictly one request at a time, halts first, Apple's limits kept.
//!
//! Reads are repeated where that can help. A write is repeated only where Apple certainly did nothing: the connection
//! failed before it, or the answer was 401 or 429. Everything else that is unclear is the caller's, who reads back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::lanes::{Lane, Lanes, Turn};
use super::limit::{self, Left, Limits};
use super::refusal::{Refusal, told};
use super::token::{AppStoreKey, Signer};
use super::versions::text;
use crate::adapters::clock::steady;
use crate::adapters::http::{Call, HttpError, Kind, Service, retry};
use crate::domain::ids::ApplicationId;
use crate::ports::{Clock, PortError};

/// The first wait after a 429 that does not say how long; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Without a deadline, nothing waits longer than this altogether.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bundle ids that are asked for in one request; Apple takes 200, which makes a very long address.
const APPS_OF_A_REQUEST: usize = 50;
/// Items of a page, Apple's most.
pub(super) const ITEMS_OF_A_PAGE: usize = 200;
/// An app with more pages of versions than this has none that we understand.
const MOST_PAGES: usize = 20;
/// The token was refused.
const UNAUTHORIZED: u16 = 401;
/// The limit of requests is reached.
const TOO_MANY: u16 = 429;
/// A clock that is further off than this is worth a word.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(60);

/// The client of one key.
pub struct Client {
    service: Service,
    signer: Signer,
    /// Tokens are checked against Apple's clock, whatever instant the run was asked about.
    wall_clock: Box<dyn Clock>,
    until: Instant,
    lanes: Arc<Lanes>,
    known: Mutex<Known>,
    /// Held while ids are looked up, so that no two apps ask for the same.
    looking_up: tokio::sync::Mutex<()>,
}

/// What the client has learnt in this run.
#[derive(Default)]
struct Known {
    /// How much Apple's clock is ahead of ours.
    ahead: SignedDuration,
    limits: Limits,
    /// Apple asked for no request before this instant.
    closed_until: Option<Instant>,
    /// Bundle ids of the configuration.
    bundle_ids: BTreeSet<String>,
    /// Apple's ids of them; none where the key sees no such app.
    app_ids: BTreeMap<String, Option<String>>,
}

/// Why a request was not answered.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Apple did not do it.
    Refused(Box<HttpError>, SignedDuration),
    /// What is left of the hour is kept for halts.
    Kept(Left),
    /// Apple asked for a longer wait than there is time for.
    Closed(Duration),
    /// No token could be made.
    Unsigned(PortError),
    /// The answer is not what Apple describes.
    Odd(String),
}

/// What has gone wrong with a request so far.
#[derive(Default)]
struct Tries {
    failures: u32,
    limited: u32,
    tokens_refused: u32,
}

impl Client {
    /// The client of a key. Nothing waits beyond `until`.
    ///
    /// # Errors
    /// Where the private key is not an EC key in PEM.
    pub fn new(
        service: Service,
        key: AppStoreKey,
        wall_clock: Box<dyn Clock>,
        until: Option<Instant>,
    ) -> Result<Arc<Self>, PortError> {
        Ok(Arc::new(Self {
            service,
            signer: Signer::new(key)?,
            wall_clock,
            until: until.unwrap_or_else(|| steady() + PATIENCE),
            lanes: Arc::default(),
            known: Mutex::default(),
            looking_up: tokio::sync::Mutex::default(),
        }))
    }

    /// Says that an app of this key will be asked for.
    pub(super) fn register(&self, bundle_id: &ApplicationId) {
        self.known().bundle_ids.insert(bundle_id.to_string());
    }

    /// Apple's id of an app; none where the key sees no such app. All apps of the key are asked for at once, except for
    /// a halt, which waits for no other app's question.
    pub(super) async fn app_id(&self, bundle_id: &str, lane: Lane) -> Result<Option<String>, Failure> {
        let _alone = match lane {
            Lane::Halt => None,
            Lane::Other => Some(self.looking_up.lock().await),
        };
        if let Some(id) = self.known().app_ids.get(bundle_id) {
            return Ok(id.clone());
        }
        let asked = self.worth_asking(bundle_id, lane);
        let path = format!(
            "/v1/apps?filter[bundleId]={}&fields[apps]=bundleId&limit={ITEMS_OF_A_PAGE}",
            asked.join(",")
        );
        let pages = self.pages(path, lane).await?;
        // The filter may find more than was asked for, so what it found is compared.
        let apps = pages.iter().filter_map(|page| page.get("data")?.as_array()).flatten();
        let found: BTreeMap<String, String> =
            apps.filter_map(|app| Some((text(app, "/attributes/bundleId")?, text(app, "/id")?))).collect();
        let mut known = self.known();
        for bundle_id in asked {
            let id = found.get(&bundle_id).cloned();
            known.app_ids.insert(bundle_id, id);
        }
        Ok(known.app_ids.get(bundle_id).cloned().flatten())
    }

    /// The app, and others of the key whose ids are not known yet.
    fn worth_asking(&self, bundle_id: &str, lane: Lane) -> Vec<String> {
        let known = self.known();
        let is_other = |other: &&String| *other != bundle_id && !known.app_ids.contains_key(*other);
        let others = known.bundle_ids.iter().filter(is_other).cloned();
        let others = others.take(if lane == Lane::Halt { 0 } else { APPS_OF_A_REQUEST - 1 });
        std::iter::once(bundle_id.to_owned()).chain(others).collect()
    }

    /// All pages of a list.
    pub(super) async fn pages(&self, path: String, lane: Lane) -> Result<Vec<Value>, Failure> {
        let (mut pages, mut next) = (Vec::new(), Some(path));
        while let Some(path) = next {
            let page = self.ask(&Call::new(Method::GET, path), lane).await?;
            next = self.next_page(&page)?;
            pages.push(page);
            if next.is_some() && pages.len() >= MOST_PAGES {
                return Err(Failure::Odd(format!("more than {MOST_PAGES} pages of one list")));
            }
        }
        Ok(pages)
    }

    /// The page after this one. A link to another host is not followed: our token is for Apple alone.
    fn next_page(&self, page: &Value) -> Result<Option<String>, Failure> {
        let Some(next) = text(page, "/links/next") else { return Ok(None) };
        let path = self.service.path_of(&next).map(str::to_owned);
        path.map(Some).ok_or_else(|| Failure::Odd("a next page at another host".to_owned()))
    }

    /// Sends a request until it is answered, refused for good, or there is no time left.
    pub(super) async fn ask(&self, call: &Call, lane: Lane) -> Result<Value, Failure> {
        let mut tries = Tries::default();
        loop {
            let turn = self.turn(lane).await?;
            let token = self.signer.token(self.apples_time()).map_err(Failure::Unsigned)?;
            let (outcome, limits) = self.service.once_with_values(call, &token, limit::HEADER).await;
            self.known().limits.take(&limits);
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = self.wait_after(&error, call, &mut tries);
            drop(turn);
            match wait.filter(|wait| steady() + *wait < self.until) {
                // After a 429 the queue itself waits, so that a halt keeps its place at the head of it.
                Some(_) if error.status() == Some(TOO_MANY) => {}
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(Failure::Refused(Box::new(error), self.known().ahead)),
            }
        }
    }

    /// How long to wait before the same request is sent again; none where that is no use.
    fn wait_after(&self, error: &HttpError, call: &Call, tries: &mut Tries) -> Option<Duration> {
        let is_write = call.method != Method::GET;
        match (&error.kind, error.status()) {
            (_, Some(UNAUTHORIZED)) => {
                tries.tokens_refused += 1;
                (tries.tokens_refused == 1).then(|| self.set_clock_by(error))
            }
            (_, Some(TOO_MANY)) => Some(self.close_after(error, tries)),
            (Kind::NotSent(_), _) => {
                tries.failures += 1;
                retry::wait(tries.failures, None)
            }
            _ if is_write || !error.is_passing() => None,
            _ => {
                tries.failures += 1;
                retry::wait(tries.failures, error.retry_after)
            }
        }
    }

    /// The next tokens go by Apple's clock, as its refusal showed it.
    fn set_clock_by(&self, error: &HttpError) -> Duration {
        if let Some(there) = error.server_time {
            self.known().ahead = there.duration_since(self.wall_clock.now());
        }
        Duration::ZERO
    }

    /// Keeps every app of the key from asking for as long as Apple wants.
    fn close_after(&self, error: &HttpError, tries: &mut Tries) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << tries.limited.min(16));
        tries.limited += 1;
        let wait = error.retry_after.unwrap_or(doubled);
        let open_at = steady() + wait;
        let mut known = self.known();
        known.closed_until = Some(known.closed_until.map_or(open_at, |before| before.max(open_at)));
        wait
    }

    /// Waits for the right to send. A halt waits at the head of the queue; everything else waits outside, so that a halt
    /// can go before it.
    async fn turn(&self, lane: Lane) -> Result<Turn, Failure> {
        let mut has_paused = false;
        loop {
            let turn = self.lanes.enter(lane).await;
            let wait = self.still_closed()?;
            if lane == Lane::Halt {
                tokio::time::sleep(wait.unwrap_or_default()).await;
                return Ok(turn);
            }
            if let Some(left) = self.kept_for_halts() {
                return Err(Failure::Kept(left));
            }
            let pause = if has_paused { None } else { self.known().limits.pause() };
            has_paused |= wait.is_none();
            match wait.or(pause) {
                None => return Ok(turn),
                Some(wait) => {
                    drop(turn);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn kept_for_halts(&self) -> Option<Left> {
        let known = self.known();
        known.limits.kept_for_halts(known.bundle_ids.len())
    }

    /// How long Apple still wants no request; an error where there is no time for that.
    fn still_closed(&self) -> Result<Option<Duration>, Failure> {
        let closed_until = self.known().closed_until;
        let wait = closed_until.map(|open_at| open_at.saturating_duration_since(steady()));
        match (wait.filter(|wait| !wait.is_zero()), closed_until) {
            (Some(wait), Some(open_at)) if open_at >= self.until => Err(Failure::Closed(wait)),
            (wait, _) => Ok(wait),
        }
    }

    /// What time it is at Apple, as far as we know.
    fn apples_time(&self) -> jiff::Timestamp {
        let now = self.wall_clock.now();
        now.checked_add(self.known().ahead).unwrap_or(now)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failure as an error of the port. `what` says what was wanted, and of which app or version.
    pub(super) fn error(&self, what: &str, failure: Failure) -> PortError {
        match failure {
            Failure::Unsigned(error) => error,
            Failure::Odd(answer) => PortError::new(
                format!("{what}: App Store Connect answered {answer}"),
                "run again; if it stays so, update tidegate",
            ),
            Failure::Kept(left) => PortError::new(
                format!(
                    "{what}: {} of {} requests an hour are left of key {}, and they are kept for halts",
                    left.remaining, left.limit, self.signer.key_id
                ),
                Refusal::RateLimit.fix(),
            ),
            Failure::Closed(wait) => PortError::new(
                format!(
                    "{what}: App Store Connect wants no request of key {} for another {} s",
                    self.signer.key_id,
                    wait.as_secs()
                ),
                Refusal::RateLimit.fix(),
            ),
            Failure::Refused(error, ahead) => self.refused(what, &error, ahead),
        }
    }

    fn refused(&self, what: &str, error: &HttpError, ahead: SignedDuration) -> PortError {
        let refusal = Refusal::of(error);
        let fix = match refusal {
            Refusal::NotAuthorized => key_or_clock(&self.signer.key_id, error, ahead),
            refusal => refusal.fix().to_owned(),
        };
        let what = format!("{what}: {} ({})", refusal.meaning(), told(error));
        match error.effect_is_unclear() {
            true => PortError::unclear(what, fix),
            false => refusal.with_outlook(PortError::new(what, fix)),
        }
    }
}

/// What to check after a token was refused twice, the second time with Apple's own time where it told it.
fn key_or_clock(key_id: &str, error: &HttpError, ahead: SignedDuration) -> String {
    let key = format!(
        "check key_id, issuer_id and private_key of key {key_id} under [app_store_connect], and that it is not revoked; an \
         individual key has no issuer_id"
    );
    match error.server_time {
        None => format!("{key}. The answer told no time, so look at the machine's clock too"),
        Some(_) if ahead.abs() > WORTH_A_WORD => format!(
            "{key}. The machine's clock is {:#} off, which was allowed for; set it right all the same",
            SignedDuration::from_secs(ahead.abs().as_secs())
        ),
        Some(_) => format!("{key}. The machine's clock is right"),
    }
}
