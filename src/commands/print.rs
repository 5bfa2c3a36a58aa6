//! Writing to the terminal, or to the log of a workflow. A reader that has gone away is no error.
//!
//! Whatever a person reads goes through here, so it is here that known secrets are covered and that text from outside
//! loses what could be a command. Only what this program itself says to GitHub's runner is a command.

use std::io::{self, Write};

use crate::adapters::redact;
use crate::report::escape;

/// Writes results to standard output.
pub fn out(text: &str) {
    raw(&shown(text));
}

/// Writes text for people to standard error.
pub fn err(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to tell.
    let _ = stderr.write_all(shown(text).as_bytes()).and_then(|()| stderr.flush());
}

/// Writes workflow commands that [`escape`] has made to standard output.
pub fn commands(text: &str) {
    raw(&redact::redacted(text));
}

/// Tells the runner of a secret on standard output.
pub fn mask(secret: &str) {
    raw(&masked(secret));
}

/// Tells the runner of a secret on standard error, which it reads too: a document on standard output stays one.
pub fn mask_aside(secret: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(masked(secret).as_bytes()).and_then(|()| stderr.flush());
}

fn masked(secret: &str) -> String {
    format!("::add-mask::{}\n", escape::workflow_value(secret))
}

fn shown(text: &str) -> String {
    escape::workflow_log(&redact::redacted(text))
}

fn raw(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    drop(stdout);
    // The reader may have closed the pipe; a full disk has to be told.
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        err(&format!("could not write standard output: {error}\n"));
    }
}

/// A JSON value on lines of its own.
#[must_use]
pub fn pretty(value: &serde_json::Value) -> String {
    escape::json(&format!("{value:#}\n"))
}

/// A JSON value on one line.
#[must_use]
pub fn line(value: &serde_json::Value) -> String {
    escape::json(&format!("{value}\n"))
}

/// The log, for the crate that writes it: each write is one event.
pub struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        err(&String::from_utf8_lossy(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
