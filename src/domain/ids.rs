//! Names that may not be mixed up: apps, packages, versions, builds, decisions.
//!
//! Each is parsed once, at the edge, and trusted inside. Versions and builds are compared as strings, never as
//! numbers: "9" and "10" are two names, and only the store says which is newer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::plain;

/// Why a name was refused: what it is, what was given, what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} {problem}")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    problem: &'static str,
}

/// The longest version name or build number that is kept, in characters.
/// Play allows 50 for a release name, Apple 18 for a version; the rest is room, not need.
const LONGEST_VERSION: usize = 100;
/// The longest package name or bundle id, in characters (Play's own limit is 150).
const LONGEST_APPLICATION_ID: usize = 155;
/// The longest app id, in characters: it becomes part of labels and document ids.
const LONGEST_APP_ID: usize = 63;

/// What was given, as an error may quote it: it can be of any length, and hold anything.
fn quoted(given: &str) -> String {
    plain::cut(&plain::line(given), LONGEST_VERSION)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses the name, or says what is wrong with it.
            ///
            /// # Errors
            /// [`InvalidName`] names the kind of name, the value and the rule it breaks.
            pub fn new(given: impl Into<String>) -> Result<Self, InvalidName> {
                let given = given.into();
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(&given) {
                    Ok(()) => Ok(Self(given)),
                    Err(problem) => Err(InvalidName { what: $what, given: quoted(&given), problem }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(given: &str) -> Result<Self, InvalidName> {
                Self::new(given)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(given: String) -> Result<Self, InvalidName> {
                Self::new(given)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// The id of an app in the configuration, for example `android`.
    AppId,
    "app id",
    check_app_id
);
name!(
    /// What the store and the exports call the app: a Play package name or an App Store bundle id.
    ApplicationId,
    "package or bundle id",
    check_application_id
);
name!(
    /// The version that people see, for example `26.3.0`. It may be shared by several builds.
    VersionName,
    "version name",
    check_version
);
name!(
    /// Play's version code or the App Store's build number. A string, because Apple's may hold dots.
    BuildNumber,
    "build number",
    check_version
);
name!(
    /// The id of a recorded decision, `d-` and sixteen hexadecimal digits of its evidence.
    DecisionId,
    "decision id",
    check_decision_id
);

fn check_app_id(given: &str) -> Result<(), &'static str> {
    let starts_well = given.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = given.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if starts_well && plain && given.len() <= LONGEST_APP_ID {
        return Ok(());
    }
    Err("must start with a lowercase letter and hold only a-z, 0-9 and '-', at most 63 of them")
}

fn check_application_id(given: &str) -> Result<(), &'static str> {
    let starts_well = given.starts_with(|c: char| c.is_ascii_alphanumeric());
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if starts_well && plain && given.contains('.') && given.len() <= LONGEST_APPLICATION_ID {
        return Ok(());
    }
    Err("must look like com.example.app: letters, digits, '.', '-' and '_', with at least one dot")
}

fn check_version(given: &str) -> Result<(), &'static str> {
    let printable = given.chars().all(|c| !c.is_control());
    if !given.trim().is_empty() && printable && given.chars().count() <= LONGEST_VERSION {
        return Ok(());
    }
    Err("must hold 1 to 100 printable characters")
}

fn check_decision_id(given: &str) -> Result<(), &'static str> {
    let digits = given.strip_prefix("d-").unwrap_or_default();
    if digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err("must be `d-` and sixteen hexadecimal digits, as `tidegate status` prints it")
}

/// The platform of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Google Play.
    Android,
    /// The App Store.
    Ios,
}

impl Platform {
    /// The word of the configuration and of the machine output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Android => "Android",
            Self::Ios => "iOS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_strings() {
        let (nine, ten) = (BuildNumber::new("9").unwrap(), BuildNumber::new("10").unwrap());
        assert!(nine > ten, "a build is a name; only the store knows which is newer");
    }

    #[test]
    fn a_refused_name_says_what_and_why() {
        let error = AppId::new("My App").unwrap_err().to_string();
        assert!(error.contains("app id \"My App\"") && error.contains("lowercase"), "{error}");
    }

    #[test]
    fn a_refused_name_is_quoted_in_part_and_in_plain_text() {
        let error = VersionName::new(format!("\u{1b}[31m{}", "x".repeat(10_000))).unwrap_err().to_string();
        assert!(error.contains("[31mxxx") && error.len() < 300 && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn application_ids_cannot_carry_sql() {
        for hostile in ["a.b`; DROP", "a.b;c", "a.b--\n", "a.ü", "", "nodots"] {
            assert!(ApplicationId::new(hostile).is_err(), "{hostile:?} was accepted");
        }
        assert!(ApplicationId::new("com.example.my-app_2").is_ok());
    }
}
