//! Secrets stand in the file by reference only: this file knows what a reference looks like, and what a secret does.
//!
//! It never reads a secret, and no text made here holds a value: a refused one is described, not shown.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::document::{Entry, texts};
use super::error::{Problem, Refused};
use super::{schema, suggest};

/// Where a secret is to be found. Printing it prints the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// `env:NAME`: the value of an environment variable.
    Env(String),
    /// `file:PATH`: the text of a file, relative to the configuration file's directory.
    File(PathBuf),
    /// `sm://projects/P/secrets/S`: Google Secret Manager; held without `sm://`.
    SecretManager(String),
}

/// What a reference may look like, for editors. The last form may name a version.
const PATTERN: &str = "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|sm://projects/[A-Za-z0-9][A-Za-z0-9._:-]*/secrets/[A-Za-z0-9][A-Za-z0-9_-]*(/versions/[A-Za-z0-9][A-Za-z0-9_-]*)?)$";
/// The three forms, as a fix says them.
const FORMS: &str = "env:NAME, file:PATH or sm://projects/P/secrets/S";
/// Every key that holds a reference.
const SECRET_KEYS: [&str; 4] = ["token", "private_key", "credentials", "webhook"];
/// A key with one of these in its name may hold a secret, even if it is misspelt or no key of ours.
const SECRET_WORDS: [&str; 7] =
    ["token", "private", "credential", "secret", "password", "passphrase", "webhook"];
/// What known secrets contain, and what to call them.
const SIGNS: [(&str, &str); 18] = [
    ("-----BEGIN", "a private key"),
    ("\"private_key\"", "a service account key"),
    ("xoxa-", "a Slack token"),
    ("xoxb-", "a Slack token"),
    ("xoxe-", "a Slack token"),
    ("xoxe.", "a Slack token"),
    ("xoxp-", "a Slack token"),
    ("xoxs-", "a Slack token"),
    ("xapp-", "a Slack token"),
    ("hooks.slack.com/services/", "a Slack webhook"),
    ("AIza", "a Google API key"),
    ("ya29.", "a Google access token"),
    ("ghp_", "a GitHub token"),
    ("gho_", "a GitHub token"),
    ("ghu_", "a GitHub token"),
    ("ghs_", "a GitHub token"),
    ("ghr_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
];

impl SecretRef {
    fn parse(given: &str) -> Result<Self, Refused> {
        let parts = (given.strip_prefix("env:"), given.strip_prefix("file:"), given.strip_prefix("sm://"));
        match parts {
            (Some(name), _, _) => variable(name),
            (_, Some(""), _) => Err(Refused::new("names no file", "write the path after `file:`")),
            (_, Some(path), _) => Ok(Self::File(PathBuf::from(path))),
            (_, _, Some(resource)) => secret_manager(resource),
            (None, None, None) => Err(Refused::new(
                "is not a reference to a secret (the value is not shown)",
                format!("keep the secret out of the file and write {FORMS}"),
            )),
        }
    }
}

fn variable(name: &str) -> Result<SecretRef, Refused> {
    const FIX: &str = "write the variable's name after `env:`, such as env:SLACK_BOT_TOKEN";
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() {
        return Err(Refused::new("names no environment variable", FIX));
    }
    if starts_well && plain {
        return Ok(SecretRef::Env(name.to_owned()));
    }
    Err(Refused::new("holds no name of an environment variable after `env:` (the value is not shown)", FIX))
}

fn secret_manager(resource: &str) -> Result<SecretRef, Refused> {
    // The name becomes a part of an address, so it holds nothing that could lead elsewhere.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let named = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain);
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "secrets", secret] if named(project) && named(secret) => {}
        ["projects", project, "secrets", secret, "versions", version]
            if named(project) && named(secret) && named(version) => {}
        _ => {
            return Err(Refused::new(
                "is not the name of a secret in Secret Manager",
                "write sm://projects/P/secrets/S, or sm://projects/P/secrets/S/versions/V",
            ));
        }
    }
    Ok(SecretRef::SecretManager(resource.to_owned()))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SecretManager(resource) => write!(f, "sm://{resource}"),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = RefusedReference;
    fn try_from(given: String) -> Result<Self, RefusedReference> {
        Self::parse(&given).map_err(RefusedReference)
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> String {
        reference.to_string()
    }
}

/// Why a text is no reference to a secret. It does not hold the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RefusedReference(Refused);

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": format!("Where the secret is to be found: {FORMS}. Never the secret itself."),
            "pattern": PATTERN,
        })
    }
}

/// What a text looks like, where it looks like a secret.
pub(super) fn looks_like(text: &str) -> Option<&'static str> {
    let sign = SIGNS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, kind)| *kind);
    sign.or_else(|| (text.starts_with("eyJ") && text.contains('.')).then_some("a signed token"))
}

/// Whether a line of a file that could not be read surely holds no secret: no value at all, or that of a known key.
pub(super) fn may_be_shown(line: &str) -> bool {
    let bare = !line.contains(['=', '"', '\'']);
    let of_known_key = match line.split('=').collect::<Vec<_>>().as_slice() {
        [key, _] => schema::is_key(key.trim()),
        _ => false,
    };
    (bare || of_known_key) && !speaks_of_secrets(line)
}

fn speaks_of_secrets(text: &str) -> bool {
    let text = text.to_lowercase();
    SECRET_WORDS.iter().any(|word| text.contains(word))
}

/// The values that are never shown: those of keys that may hold a secret, unless they are references.
pub(super) fn covered(entries: &[Entry<'_>]) -> Vec<Range<usize>> {
    let doubtful = |entry: &&Entry<'_>| {
        let reference = entry.value.get_ref().as_str().is_some_and(|text| SecretRef::parse(text).is_ok());
        !entry.value.get_ref().is_table() && !reference && may_hold_a_secret(entry.key.get_ref())
    };
    let by_key = entries.iter().filter(doubtful).map(|entry| entry.value.span());
    let by_value = entries.iter().flat_map(|entry| texts(entry.value));
    let by_value = by_value.filter(|(_, text)| looks_like(text).is_some()).map(|(span, _)| span);
    by_key.chain(by_value).collect()
}

fn may_hold_a_secret(key: &str) -> bool {
    speaks_of_secrets(key) || suggest::nearest(key, SECRET_KEYS).is_some()
}

/// Refuses the first value or key that looks like a secret.
pub(super) fn refuse_literals(entries: &[Entry<'_>]) -> Result<(), Problem> {
    let values = entries.iter().filter_map(|entry| {
        let found = texts(entry.value).into_iter().find_map(|(span, text)| Some((span, looks_like(text)?)));
        found.map(|(span, kind)| literal(entry, span, kind))
    });
    let keys = entries.iter().filter(|entry| looks_like(entry.key.get_ref()).is_some()).map(|entry| {
        let message = format!("a key {} is itself a secret", entry.place.within());
        Problem::new(entry.key.span(), message, format!("secrets are given as values, by reference: {FORMS}"))
    });
    values.chain(keys).min_by_key(|problem| problem.span.start).map_or(Ok(()), Err)
}

fn literal(entry: &Entry<'_>, span: Range<usize>, kind: &str) -> Problem {
    let key = entry.key.get_ref();
    let message =
        format!("`{key}` {} holds a secret itself: the value looks like {kind}", entry.place.within());
    let fix = match SECRET_KEYS.contains(&key.as_ref()) {
        true => format!("revoke that secret, keep the new one out of the file, and write {FORMS}"),
        false => format!(
            "revoke that secret and take it out of the file; `{key}` needs none, and others are given as {FORMS}"
        ),
    };
    Problem::new(span, message, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_prints_as_it_was_written() {
        for given in [
            "env:SLACK_BOT_TOKEN",
            "file:keys/play.json",
            "sm://projects/p/secrets/s",
            "sm://projects/p/secrets/s/versions/7",
        ] {
            assert_eq!(SecretRef::parse(given).unwrap().to_string(), given);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_and_not_repeated() {
        for given in [
            "hunter2",
            "env:",
            "env:hunter 2",
            "env:2hunter",
            "file:",
            "sm://hunter2",
            "sm://projects//secrets/s",
            "sm://projects/../secrets/hunter",
            "sm://projects/p/secrets/hunter?alt=media",
        ] {
            let error = SecretRef::try_from(given.to_owned()).unwrap_err().to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn known_secrets_are_recognised() {
        for (text, kind) in [
            ("xoxb-1-2-abc", "a Slack token"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
            ("AIzaSyA", "a Google API key"),
            ("ghp_abc", "a GitHub token"),
            ("{\"type\": \"service_account\", \"private_key\": \"x\"}", "a service account key"),
            ("eyJhbGciOi.eyJz.sig", "a signed token"),
        ] {
            assert_eq!(looks_like(text), Some(kind), "{text}");
        }
        assert_eq!(looks_like("com.example.app"), None);
    }
}
