//! `demo`: a week of good, bad and doubtful releases on the embedded default.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::{explain, print, report};
use crate::cli::{Common, Demo, Output};
use crate::demo::story::{Story, final_states, thread};
use crate::demo::week::{CHANNEL, Setting, Week};
use crate::exit::{Ended, Exit};
use crate::jobs::JobId;
use crate::report::daily::page;
use crate::world::{self, Acting};

/// Walks through the week.
///
/// # Errors
/// Where the folder can't be written, or a run could not use its state.
pub async fn demo(args: &Demo, common: &Common) -> Result<Exit, Ended> {
    let place = Place::make(args.keep.as_deref())?;
    let ended = |exit| Err(Ended { exit, message: "the demo was ended; nothing of it is left".to_owned() });
    let outcome = tokio::select! {
        outcome = walk(args, common, place.path()) => outcome,
        () = super::ending::interrupted() => ended(Exit::Interrupted),
        () = super::ending::terminated() => ended(Exit::Terminated),
    };
    if place.is_kept() {
        print::err(&format!(
            "kept in {}; try: tidegate status --config {0}/tidegate.toml\n",
            place.path().display()
        ));
    }
    outcome
}

async fn walk(args: &Demo, common: &Common, folder: &Path) -> Result<Exit, Ended> {
    let for_people = matches!(common.output, Output::Human | Output::Github);
    let mut week = Week::set_up(folder, &Setting { seed: args.seed, ..Setting::default() }).await?;
    let firings = week.firings();
    let bar = progress(firings.len());
    let mut story = Story::default();
    let end = firings.last().map(|(at, _)| *at);
    for (now, job) in firings {
        for look in Box::pin(week.fire(job, now)).await? {
            if let Some(line) = story.add(&look, &week.zone).filter(|_| for_people) {
                bar.suspend(|| print::out(&line));
            }
        }
        story.runs += usize::from(job == JobId::ReleaseMonitor);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let document = story.document(week.sandbox.model(), args.seed)?;
    if for_people {
        show(&week, &story, &document)?;
    } else {
        print::out(&print::pretty(&document));
    }
    if let Some(end) = end.filter(|_| for_people || args.keep.is_some()) {
        let path = told(args, folder, end).await?;
        print::err(&format!("\nThe report of the week is in {}; open it in a browser.\n", path.display()));
    }
    week.sandbox.shutdown().await;
    Ok(Exit::Success)
}

/// Writes the report of the week: into the folder that is kept, else where the system keeps what goes by itself one day.
async fn told(args: &Demo, folder: &Path, end: Timestamp) -> Result<PathBuf, Ended> {
    let loaded = world::load(Some(&folder.join("tidegate.toml")))?;
    let state = loaded.state(Acting::DryRun)?;
    let week = report::gathered(&loaded, state.as_ref(), &[], end).await?;
    if args.keep.is_some() {
        report::write(&week, folder)?;
        return Ok(folder.join("report.html"));
    }
    let name = format!("tidegate-demo-report-{}.html", super::run::random_word());
    report::put(&std::env::temp_dir(), &name, page::html(&week).as_bytes())
}

fn show(week: &Week, story: &Story, document: &serde_json::Value) -> Result<(), Ended> {
    let messages = week.sandbox.model().slack_messages(CHANNEL).map_err(Ended::failed)?;
    print::out(&format!("\nThe stores after {} runs\n{}", story.runs, final_states(document)));
    print::out(&format!("\nThe Slack channel\n{}", thread(&messages, &week.zone)));
    if let Some(record) = story.first_halt() {
        print::out(&format!("\ntidegate explain {}\n{}", record.id, explain::text(record)));
    }
    Ok(())
}

/// A bar on standard error, where a person watches it.
fn progress(runs: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} run {pos} of {len}, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The folder of a demo: one to keep, or one that goes when the demo ends.
struct Place {
    path: PathBuf,
    kept: Kept,
}

#[derive(PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

impl Place {
    fn make(keep: Option<&Path>) -> Result<Self, Ended> {
        let (path, kept) = match keep {
            Some(path) => (path.to_owned(), Kept::Yes),
            None => {
                (std::env::temp_dir().join(format!("tidegate-demo-{}", super::run::random_word())), Kept::No)
            }
        };
        if path.join("state.sqlite").exists() || path.join("warehouse.sqlite").exists() {
            return Err(Ended::usage(format!(
                "{} holds an earlier demo or a real state\n  fix: name an empty folder with --keep",
                path.display()
            )));
        }
        std::fs::create_dir_all(&path).map_err(|error| {
            Ended::failed(format!("can't make {}: {error}\n  fix: check --keep", path.display()))
        })?;
        Ok(Self { path, kept })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn is_kept(&self) -> bool {
        self.kept == Kept::Yes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept == Kept::No {
            // What is left in the system's temporary folder goes with it.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
