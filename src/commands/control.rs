//! `control`: what people say about an app. The only place where a person's word is made.
//!
//! A hold is written at once, whatever a run is doing: the run finds it before it writes down what it is going to do, and
//! the next one tells people. Its entry in the ledger is written with it, so nothing that was said between two runs is lost. An order goes to the store on the path that a rule's halt takes, so it waits for the run that holds the lease.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::ending::{self, within};
use super::print;
use super::{place, run};
use crate::adapters::clock::{self, FixedClock, SystemClock};
use crate::adapters::environment;
use crate::cli::{Common, Hold, Ordered, Output, Said as Args, Until, Word};
use crate::config::App;
use crate::domain::control::{Control, ControlMode, Heard, Said, Switch, end_of_hold};
use crate::domain::ids::VersionName;
use crate::domain::ledger::{Kind, Noted};
use crate::domain::message::hold_in_words;
use crate::domain::persons_word::PersonsWord;
use crate::domain::release::{Change, ReleaseState};
use crate::domain::rollout::NextStep;
use crate::exit::{Ended, Exit};
use crate::jobs::brakes::Brakes;
use crate::jobs::release_monitor::order::{self, Refused};
use crate::jobs::release_monitor::{Asks, ReleaseMonitor};
use crate::jobs::{Acted, AppReport, AppWorld};
use crate::ports::{Clock, Saying, StateError, StateStore};
use crate::report::{human, json as machine};
use crate::world::{self, Acting, Loaded};

/// How often a word is said again where somebody else spoke in the same moment.
const MOST_TRIES: u32 = 5;
/// A lease that another run holds is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The command of a hold may take so long; it asks the state only.
const HOLD_DEADLINE: Duration = Duration::from_secs(60);

/// Says it.
///
/// # Errors
/// A usage error where it may not be said, or does not say enough; else where it could not be written or done.
pub async fn control(word: &Word, common: &Common) -> Result<Exit, Ended> {
    match word {
        Word::Hold(hold) => set(hold, ControlMode::Hold, common).await,
        Word::Observe(hold) => set(hold, ControlMode::Observe, common).await,
        Word::ReleaseHold(args) => end(args, common).await,
        Word::Halt(args) => {
            let word = given(&args.said)?;
            Box::pin(ordered(args, Change::Withdraw { word }, common)).await
        }
        Word::Resume(args) => {
            let word = given(&args.ordered.said)?;
            Box::pin(ordered(&args.ordered, Change::Resume { at: args.fraction, word }, common)).await
        }
        Word::Show { now } => show(*now, common).await,
    }
}

/// Takes a person's word, from the one who started the workflow or the command.
fn given(args: &Args) -> Result<PersonsWord, Ended> {
    let users = ["GITHUB_ACTOR", "USER", "LOGNAME", "USERNAME"];
    let actor = args.actor.clone().or_else(|| users.into_iter().find_map(environment::variable));
    let actor = actor.unwrap_or_default();
    PersonsWord::given(&actor, &args.reason, instant(args.now)).map_err(|unsaid| {
        Ended::usage(format!("{unsaid}\n  fix: give --reason TEXT, and --actor NAME where nobody is known"))
    })
}

fn instant(given: Option<Timestamp>) -> Timestamp {
    given.unwrap_or_else(|| SystemClock.now())
}

/// A word is about exactly one app.
fn one_app<'l>(loaded: &'l Loaded, common: &Common) -> Result<&'l App, Ended> {
    match loaded.chosen(&common.apps)?.as_slice() {
        [only] => Ok(only),
        several => {
            let ids: Vec<&str> = several.iter().map(|app| app.id.as_str()).collect();
            Err(Ended::usage(format!(
                "it is not clear which app is meant\n  fix: name one with --app: {}",
                ids.join(", ")
            )))
        }
    }
}

async fn set(hold: &Hold, mode: ControlMode, common: &Common) -> Result<Exit, Ended> {
    let word = given(&hold.said)?;
    let now = word.at();
    let asked = hold.until.map(|until| match until {
        Until::At(at) => at,
        Until::In(lasts) => now.checked_add(lasts).unwrap_or(now),
    });
    let until = end_of_hold(asked, now).map_err(|refused| Ended::usage(format!("--until: {refused}")))?;
    let release = hold.said.release.clone();
    let said = Said { release, mode, until: Some(until), also_halt: hold.also_halt, word };
    say(&hold.said, said, common).await
}

async fn end(args: &Args, common: &Common) -> Result<Exit, Ended> {
    let word = given(args)?;
    let loaded = world::load(common.config.as_deref())?;
    let app = one_app(&loaded, common)?;
    let heard = loaded.state(Acting::DryRun)?.heard(&app.id).await.map_err(Ended::failed)?;
    let held = heard.about(args.release.as_ref()).filter(|said| said.holds(word.at()));
    if held.is_none() {
        let about = args.release.as_ref().map(|version| format!(" on release {version}")).unwrap_or_default();
        return Err(Ended::usage(format!(
            "app {} has no hold{about}\n  fix: `tidegate control show` lists what people have said",
            app.id
        )));
    }
    let said =
        Said { release: args.release.clone(), mode: ControlMode::Auto, until: None, also_halt: false, word };
    say(args, said, common).await
}

/// Writes a word down by comparing and setting, so that neither a run nor another person is overwritten.
async fn say(args: &Args, said: Said, common: &Common) -> Result<Exit, Ended> {
    if !args.any_ref {
        place::may_act()?;
    }
    let loaded = world::load(common.config.as_deref())?;
    let app = one_app(&loaded, common)?;
    let acting = if args.dry_run { Acting::DryRun } else { Acting::Live };
    let state = loaded.state(acting)?;
    let brakes = Brakes::new(clock::moment(), HOLD_DEADLINE);
    within(HOLD_DEADLINE, &brakes, async {
        if !args.dry_run {
            written(state.as_ref(), app, &said).await.map_err(Ended::failed)?;
        }
        show_words(common, app, &Control::default().with(said.clone()), said.word.at(), args.dry_run);
        Ok(Exit::Success)
    })
    .await?
}

async fn written(state: &dyn StateStore, app: &App, said: &Said) -> Result<(), StateError> {
    let (entry, run) = (entry(state, app, said).await, run::holder());
    let mut tries = 1;
    loop {
        let before = state.heard(&app.id).await?;
        let now = before.with(said.clone());
        let saying = Saying { before: &before, now: &now, entry: &entry, run: &run };
        match state.say(&app.id, saying).await {
            Err(StateError::Overtaken { .. }) if tries < MOST_TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

/// The entry of a word. A release is named by its key, where one of that version is remembered: what can't be read keeps
/// nobody from speaking.
async fn entry(state: &dyn StateStore, app: &App, said: &Said) -> Noted {
    let scope = match &said.release {
        None => app.id.to_string(),
        Some(version) => {
            let known = state.memory().app(&app.id).await.unwrap_or_default();
            let is_its = |state: &&ReleaseState| state.version == *version;
            let newest = known.releases.iter().filter(is_its).max_by_key(|state| state.looked_at);
            newest.map_or_else(|| version.to_string(), |state| state.id.key.clone())
        }
    };
    let what = match (said.mode, said.also_halt) {
        (ControlMode::Auto, _) => "release-hold",
        (ControlMode::Hold, true) => "hold (halts too)",
        (mode @ (ControlMode::Hold | ControlMode::Observe), _) => mode.as_str(),
    };
    let (word, what) = (said.word.clone(), what.to_owned());
    Noted { at: word.at(), kind: Kind::Controlled { word, what, scope, until: said.until } }
}

async fn ordered(args: &Ordered, change: Change, common: &Common) -> Result<Exit, Ended> {
    if !args.said.any_ref {
        place::may_act()?;
    }
    let mode = world::mode()?;
    let loaded = world::load(common.config.as_deref())?;
    let app = one_app(&loaded, common)?;
    if mode.max(app.mode) == Switch::Off {
        return Err(Ended::usage(format!(
            "the mode of app {} is off, so nobody is asked anything\n  fix: set TIDEGATE_MODE and [control] mode to \
             auto, or do it in the store's console",
            app.id
        )));
    }
    if args.said.now.is_some() && !args.said.dry_run && loaded.uses_a_real_store() {
        return Err(Ended::usage(
            "--now is not the present, so nothing may be done to real stores for it\n  fix: add --dry-run",
        ));
    }
    let acting = if args.said.dry_run { Acting::DryRun } else { Acting::Live };
    let deadline = Duration::try_from(args.deadline).map_err(Ended::usage)?;
    let brakes = Brakes::new(clock::moment(), deadline);
    let end = clock::steady() + deadline;
    let ids = [app.id.to_string()];
    let world = within(deadline, &brakes, loaded.world(&ids, acting, end)).await??;
    let [app] = world.apps.as_slice() else { return Err(Ended::failed("the app could not be set up")) };
    let clock: Box<dyn Clock> = match args.said.now {
        Some(now) => Box::new(FixedClock(now)),
        None => Box::new(SystemClock),
    };
    let monitor = ReleaseMonitor {
        state: world.state.as_ref(),
        clock: clock.as_ref(),
        holder: run::holder(),
        brakes: &brakes,
        asks: Asks::Nothing,
        held: Mutex::default(),
    };
    let left = end.saturating_duration_since(clock::steady());
    let named = args.said.release.as_ref();
    let waited = Mutex::new(None);
    let work = async {
        match acting {
            Acting::Live => Box::pin(patiently(&monitor, app, &change, named, &waited)).await,
            Acting::DryRun => foretold(&monitor, app, &change, named).await,
        }
    };
    let done = match Box::pin(within(left, &brakes, work)).await {
        Ok(done) => done,
        Err(ended) => {
            ending::give_back(&monitor).await;
            let busy = waited.into_inner().unwrap_or_default().filter(|_| ended.exit == Exit::Failed);
            return Err(busy.map_or(ended, |message| Ended { exit: Exit::LostLease, message }));
        }
    };
    let report = done.map_err(|error| refused(&error))?;
    show_report(&change, args.said.dry_run, common, &report);
    Ok(exit(&report))
}

fn refused(refused: &Refused) -> Ended {
    let message = refused.to_string();
    let exit = match refused {
        Refused::Release(_) | Refused::Leave(_) => Exit::Usage,
        Refused::State(
            StateError::LostLease { .. } | StateError::Overtaken { .. } | StateError::Busy { .. },
        ) => Exit::LostLease,
        Refused::Store(_) | Refused::State(StateError::Failed(_) | StateError::Unreadable(_)) => Exit::Failed,
    };
    Ended { exit, message }
}

/// Carries the order out once no other run holds the lease, which can take as long as the deadline lets it.
async fn patiently(
    monitor: &ReleaseMonitor<'_>,
    app: &AppWorld,
    change: &Change,
    named: Option<&VersionName>,
    waited: &Mutex<Option<String>>,
) -> Result<AppReport, Refused> {
    loop {
        match Box::pin(order::carry_out(monitor, app, change.clone(), named)).await {
            Err(Refused::State(busy @ StateError::Busy { .. })) => {
                let mut waited = waited.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if waited.is_none() {
                    print::err(&format!("waiting: {busy}\n"));
                }
                *waited = Some(format!("{busy}\n  fix: try again later, or do it in the store's console"));
            }
            outcome => return outcome,
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// What the order would do. Reads only.
async fn foretold(
    monitor: &ReleaseMonitor<'_>,
    app: &AppWorld,
    change: &Change,
    named: Option<&VersionName>,
) -> Result<AppReport, Refused> {
    let heard = Heard::Words(monitor.state.heard(&app.id).await?);
    let meant = order::meant(monitor, app, change, named, &heard).await?;
    let wanted = change.as_str();
    let foretold = match meant.next {
        NextStep::Mutate => format!("the {wanted} would be made"),
        NextStep::Confirm | NextStep::Supersede(_) => {
            format!("nothing would be done: the store shows it as {} already", meant.release.status.as_str())
        }
    };
    Ok(AppReport {
        version: Some(meant.release.version),
        builds: meant.release.builds,
        user_fraction: meant.release.user_fraction,
        withheld: Some(foretold),
        ..order::blank(app, change)
    })
}

/// An order that was written down and is not done yet is left to the next run.
fn exit(report: &AppReport) -> Exit {
    match (report.acted, report.problems.is_empty()) {
        (_, true) => Exit::Success,
        (Acted::Yes | Acted::No, false) => Exit::Partial,
    }
}

fn show_report(change: &Change, dry_run: bool, common: &Common, report: &AppReport) {
    let command = format!("control {}", change.as_str());
    let reports = std::slice::from_ref(report);
    match common.output {
        Output::Human => print::out(&human::text(reports)),
        Output::Github => print::out(&human::text(reports)),
        Output::Json => {
            print::err(&human::text(reports));
            print::out(&print::pretty(&machine::document(&command, dry_run, reports)));
        }
        Output::Ndjson => {
            print::err(&human::text(reports));
            print::out(&format!("{}\n", machine::result(report)));
        }
    }
}

async fn show(now: Option<Timestamp>, common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(Acting::DryRun)?;
    for app in loaded.chosen(&common.apps)? {
        let control = state.heard(&app.id).await.map_err(Ended::failed)?;
        show_words(common, app, &control, instant(now), false);
    }
    Ok(Exit::Success)
}

fn show_words(common: &Common, app: &App, control: &Control, now: Timestamp, dry_run: bool) {
    match common.output {
        Output::Human => print::out(&words(app, control, now, dry_run)),
        Output::Github => print::out(&words(app, control, now, dry_run)),
        Output::Json | Output::Ndjson => {
            let document = json!({
                "app": app.id, "dry_run": dry_run, "environment": world::mode().unwrap_or_default(),
                "configured": app.mode, "words": control.words, "last_order": control.last_order,
            });
            let text = if common.output == Output::Json {
                print::pretty(&document)
            } else {
                format!("{document}\n")
            };
            print::out(&text);
        }
    }
}

fn words(app: &App, control: &Control, now: Timestamp, dry_run: bool) -> String {
    let (environment, configured) = (world::mode().unwrap_or_default(), app.mode);
    let mut lines = vec![format!("{}: TIDEGATE_MODE {environment}, [control] mode {configured}", app.id)];
    let holding = control.words.iter().filter(|said| said.holds(now));
    lines.extend(holding.map(|said| {
        let halts = if said.also_halt { ", halts held back as well" } else { "" };
        format!("  {}{halts}", hold_in_words(said))
    }));
    let ended = control.words.iter().filter(|said| said.mode == ControlMode::Auto);
    lines.extend(ended.map(|said| {
        let of = said.release.as_ref().map_or("the app".to_owned(), |version| format!("release {version}"));
        format!("  {of} is left to the rules by {}: {}", said.word.actor(), said.word.reason())
    }));
    lines.extend(control.last_order.iter().map(|order| {
        let (change, release, word) = (&order.change, &order.release, &order.word);
        format!(
            "  last order: {change} of {release} by {} at {}: {}",
            word.actor(),
            human::minute(word.at()),
            word.reason()
        )
    }));
    if dry_run {
        lines.push("  (dry run: nothing was changed)".to_owned());
    }
    lines.join("\n") + "\n"
}
