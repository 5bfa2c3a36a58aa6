//! Pages that a person wants next: they come from outside as values, and only where their address is really known.
//!
//! Nothing is guessed: a link that leads nowhere costs more time than none. Only `https` is let in, so that no message
//! can lead anywhere by another way.

use super::message::{Link, Note, NoteKind};

/// The pages of one app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// What to do about a message, in the words of the team.
    pub runbook: Option<String>,
    /// The issues of the app in Crashlytics.
    pub crashes: Option<String>,
    /// The log of this run.
    pub run: Option<String>,
}

impl Links {
    /// The note with the pages that help with it, the most useful first. One that has its own keeps them.
    #[must_use]
    pub fn on(&self, note: Note, console: Option<Link>) -> Note {
        if !note.links.is_empty() {
            return note;
        }
        let links = self.of(note.kind, console).into_iter().filter(|link| link.url.starts_with(HTTPS));
        Note { links: links.collect(), ..note }
    }

    fn of(&self, kind: NoteKind, console: Option<Link>) -> Vec<Link> {
        let page = |label: &str, url: &Option<String>| {
            url.as_ref().map(|url| Link { label: label.to_owned(), url: url.clone() })
        };
        let runbook = page("Runbook", &self.runbook);
        let crashes = page("Crashes", &self.crashes);
        let run = page("This run", &self.run);
        let in_order = match kind {
            // A person has to do it by hand, now.
            NoteKind::HaltFailed | NoteKind::HaltHeld | NoteKind::Stuck => [console, runbook, crashes, run],
            NoteKind::Alarm => [run, runbook, console, None],
            NoteKind::Superseded
            | NoteKind::HaltedElsewhere
            | NoteKind::PauseBudget
            | NoteKind::Resumed
            | NoteKind::Held
            | NoteKind::HoldEnds
            | NoteKind::HoldEnded => [console, crashes, run, runbook],
            NoteKind::Reconfigured | NoteKind::Silence => [run, runbook, None, None],
            NoteKind::Warning
            | NoteKind::Halt
            | NoteKind::FastTrack
            | NoteKind::BudgetAlert
            | NoteKind::Raised
            | NoteKind::Completed
            | NoteKind::DailyReport => [crashes, console, run, runbook],
        };
        in_order.into_iter().flatten().collect()
    }
}

/// The only way by which a page is reached.
const HTTPS: &str = "https://";

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: NoteKind) -> Note {
        Note {
            kind,
            headline: "headline".to_owned(),
            lines: Vec::new(),
            figures: Vec::new(),
            next: "next".to_owned(),
            topic: String::new(),
            subject: None,
            links: Vec::new(),
        }
    }

    fn labels(note: &Note) -> Vec<&str> {
        note.links.iter().map(|link| link.label.as_str()).collect()
    }

    #[test]
    fn the_page_that_helps_most_comes_first() {
        let link = |url: &str| Some(url.to_owned());
        let links = Links {
            runbook: link("https://wiki/runbook"),
            crashes: link("https://crashes"),
            run: link("https://run"),
        };
        let console = Some(Link { label: "Store".to_owned(), url: "https://store".to_owned() });
        let halted = links.on(note(NoteKind::Halt), console.clone());
        assert_eq!(labels(&halted), ["Crashes", "Store", "This run", "Runbook"]);
        assert_eq!(
            labels(&links.on(note(NoteKind::HaltFailed), console.clone())),
            ["Store", "Runbook", "Crashes", "This run"]
        );
        assert_eq!(links.on(halted.clone(), None), halted, "a note keeps its own");
    }

    #[test]
    fn nothing_but_https_is_let_in() {
        let links = Links { runbook: Some("javascript:alert(1)".to_owned()), ..Links::default() };
        let console = Some(Link { label: "Store".to_owned(), url: "http://store".to_owned() });
        assert!(links.on(note(NoteKind::Halt), console).links.is_empty());
    }
}
