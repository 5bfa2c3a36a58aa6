//! Writing to the terminal. A reader that has gone away is no error.

use std::io::Write as _;

/// Writes results to standard output.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // The reader may have closed the pipe: nobody is left to tell.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes text for people to standard error.
pub fn err(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// A JSON value on lines of its own.
#[must_use]
pub fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
