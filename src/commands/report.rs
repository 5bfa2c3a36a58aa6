//! `report`: every app on a page, in a picture, in Markdown and in JSON, from what is remembered. Asks no service but the
//! state store.
//!
//! A file is written beside its place and then put there, so whoever reads it finds the old one or the new one and never a
//! part. Nothing is kept of a report: it can be made again at any time.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{print, run};
use crate::adapters::clock::SystemClock;
use crate::adapters::redact;
use crate::cli::{Common, Output, Report};
use crate::config::App;
use crate::domain::daily::remembered::{self, Subject};
use crate::domain::daily::{AppPage, DAILY_REPORT_VERSION, DailyReport, upcoming};
use crate::domain::decision::Record;
use crate::domain::message::hold_in_words;
use crate::exit::{Ended, Exit};
use crate::ports::{Clock as _, StateStore};
use crate::report::daily::{self, markdown, page, picture, terminal, words};
use crate::report::github;
use crate::world::{self, Loaded};

/// Writes the report.
///
/// # Errors
/// Where the state can't be read, or a file can't be written.
pub async fn report(args: &Report, common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let state = loaded.state(world::Acting::DryRun)?;
    let now = args.now.unwrap_or_else(|| SystemClock.now());
    let report = gathered(&loaded, state.as_ref(), &common.apps, now).await?;
    let written = write(&report, &args.out)?;
    let names: String = written.iter().map(|path| format!("wrote {}\n", path.display())).collect();
    match common.output {
        Output::Human => print::out(&(terminal::text(&report) + "\n" + &names)),
        Output::Json => print::out(&print::pretty(&daily::json(&report))),
        Output::Ndjson => {
            let apps =
                report.apps.iter().map(|app| DailyReport { apps: vec![app.clone()], ..report.clone() });
            apps.for_each(|report| print::out(&print::line(&daily::json(&report))));
        }
        Output::Github => {
            print::out(&(terminal::text(&report) + "\n" + &names));
            run::append("GITHUB_STEP_SUMMARY", |size| {
                markdown::text(&report, github::LARGEST_SUMMARY_FILE.saturating_sub(size))
            });
        }
    }
    Ok(Exit::Success)
}

/// The report of the named apps, or of all where none is named.
///
/// # Errors
/// A usage error where an app is unknown; else where the state can't be read.
pub async fn gathered(
    loaded: &Loaded,
    state: &dyn StateStore,
    named: &[String],
    now: Timestamp,
) -> Result<DailyReport, Ended> {
    let mut apps = Vec::new();
    for app in loaded.chosen(named)? {
        apps.push(app_page(loaded, state, app, now).await?.0);
    }
    Ok(DailyReport { report_version: DAILY_REPORT_VERSION, at: now, apps })
}

/// What is remembered of an app, and the newest decision about the release that it is about.
///
/// # Errors
/// Where the state can't be read.
pub(super) async fn app_page(
    loaded: &Loaded,
    state: &dyn StateStore,
    app: &App,
    now: Timestamp,
) -> Result<(AppPage, Option<Record>), Ended> {
    let memory = state.memory();
    let known = memory.app(&app.id).await.map_err(Ended::failed)?;
    let history = match remembered::release_of(&known.releases) {
        Some(release) => memory.history(&release.id).await.map_err(Ended::failed)?,
        None => Vec::new(),
    };
    // What lies after the instant that was asked about was not known then.
    let mut history: Vec<_> = history.into_iter().filter(|record| record.decided_at <= now).collect();
    let steps = app.policy.rollout.as_ref().map(|plan| plan.steps.as_slice()).unwrap_or_default();
    let subject = Subject {
        app: &app.id,
        platform: app.platform(),
        policy: &app.policy,
        steps,
        monitor_silence: app.monitor_silence,
        month_budget: loaded.budget_of_an_app(),
        links: loaded.pages_of(app),
    };
    let mut page =
        remembered::page(&subject, &known.releases, &known.watch, &known.heartbeats, &history, now);
    let release = remembered::release_of(&known.releases);
    if let (Some(plan), Some(release), Some(shown)) = (&app.policy.rollout, release, page.release.as_mut()) {
        let control = state.heard(&app.id).await.map_err(Ended::failed)?;
        let held = control.strictest(Some(&release.version), now).map(hold_in_words);
        shown.next = upcoming::next_step(release, &known.releases, history.last(), plan, held, now);
    }
    Ok((page, history.pop()))
}

/// Writes every face of a report into a folder, and answers their paths. Of an app of which nothing was counted there is no
/// picture.
///
/// # Errors
/// Where the folder or a file in it can't be written; the text names it.
pub fn write(report: &DailyReport, folder: &Path) -> Result<Vec<PathBuf>, Ended> {
    fs::create_dir_all(folder).map_err(|error| refused(folder, &error))?;
    let json = redact::redacted(&print::pretty(&daily::json(report)));
    let mut faces = vec![
        ("report.html", redact::redacted(&page::html(report)).into_bytes()),
        ("report.md", redact::redacted(&markdown::text(report, github::LARGEST_SUMMARY_FILE)).into_bytes()),
        ("report.json", json.into_bytes()),
    ];
    if let Some(app) = first_to_look_at(&report.apps)
        && let Some(image) = picture::image(app).map_err(Ended::failed)?
    {
        faces.push(("report.png", image.bytes));
    }
    let put = |(name, bytes): &(&str, Vec<u8>)| put(folder, name, bytes);
    faces.iter().map(put).collect()
}

/// The app that a reader should see first: what was stopped, then what is in doubt.
fn first_to_look_at(apps: &[AppPage]) -> Option<&AppPage> {
    let counted =
        apps.iter().filter(|app| app.release.as_ref().is_some_and(|release| !release.history.is_empty()));
    counted.min_by_key(|app| words::standing(app).tone as u8)
}

/// Puts a file into a folder, whole or not at all.
///
/// # Errors
/// Where it can't be written; the text names it.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Ended> {
    let path = folder.join(name);
    let beside = folder.join(format!(".{name}-{}", run::random_word()));
    let written = File::create_new(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, &path));
    written.map_err(|error| {
        // What could not be finished is taken away again, as far as that is possible.
        let _ = fs::remove_file(&beside);
        refused(&path, &error)
    })?;
    Ok(path)
}

fn refused(path: &Path, error: &io::Error) -> Ended {
    let fix = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the disk, or name a folder on another with --out"
        }
        _ => "name a folder that can be written with --out",
    };
    Ended::failed(format!("can't write {}: {error}\n  fix: {fix}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "report.md", b"one").unwrap();
        let path = put(folder.path(), "report.md", b"two").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_a_file_is_named_with_a_fix() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        fs::write(&file, "").unwrap();
        let report =
            DailyReport { report_version: DAILY_REPORT_VERSION, at: Timestamp::UNIX_EPOCH, apps: Vec::new() };
        let error = write(&report, &file).unwrap_err();
        assert_eq!(error.exit, Exit::Failed);
        assert!(error.message.contains("taken") && error.message.contains("fix: name a folder"), "{error}");
        let place = folder.path().join("place");
        fs::create_dir_all(place.join("report.md")).unwrap();
        let error = write(&report, &place).unwrap_err();
        assert!(error.message.contains("report.md"), "{error}");
        let left: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(refused(Path::new("out/report.html"), &full).message.contains("fix: make room on the disk"));
    }
}
