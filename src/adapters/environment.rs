//! The one place that reads the environment and files of secrets.
//!
//! A secret comes out as a [`SecretString`], which does not print. Errors name the reference, never the value.

use std::path::Path;

use secrecy::SecretString;

use crate::config::SecretRef;
use crate::ports::PortError;

/// The value of an environment variable, if it is set and not empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads what a reference points to. Relative paths start at `directory`, the configuration file's.
///
/// # Errors
/// Where the variable or file is missing or empty; the text names it and says how to set it.
pub fn secret(reference: &SecretRef, directory: &Path) -> Result<SecretString, PortError> {
    match reference {
        SecretRef::Env(name) => variable(name).map(SecretString::from).ok_or_else(|| {
            PortError::new(
                format!("the secret {reference} is missing: the environment variable {name} is not set"),
                format!(
                    "set {name} in the environment of the run, or change the reference in the configuration"
                ),
            )
        }),
        SecretRef::File(path) => from_file(reference, &directory.join(path)),
        SecretRef::SecretManager(_) => Err(PortError::new(
            format!(
                "the secret {reference} can't be read: this version reads env: and file: references only"
            ),
            "use env:NAME or file:PATH",
        )),
    }
}

fn from_file(reference: &SecretRef, path: &Path) -> Result<SecretString, PortError> {
    let place = path.display();
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(SecretString::from(text)),
        Ok(_) => Err(PortError::new(
            format!("the secret {reference} is empty: {place}"),
            "put the secret into the file",
        )),
        Err(error) => Err(PortError::new(
            format!("the secret {reference} can't be read from {place}: {error}"),
            "check the path (it starts at the folder of the configuration file) and the file's permissions",
        )),
    }
}
