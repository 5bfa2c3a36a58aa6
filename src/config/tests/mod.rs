//! What people are told: each bad file with its whole message, and what the good ones mean.

mod apps;
mod gcp;
mod github;
mod meaning;
mod names;
mod numbers;
mod secrets;
mod sources_and_services;
mod types;

use proptest::prelude::*;

use super::*;
use crate::domain::policy::{Mode, WarnWhen};
use crate::domain::stats::Method;

/// The shortest Android app.
const ANDROID: &str = "[[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"com.example.app\"\n";
/// A complete iOS app.
const IOS: &str = "[[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n\
                   app_store_connect = { key_id = \"ABC1234567\", private_key = \"env:ASC_PRIVATE_KEY\" }\n";
/// Nothing that a message says may hold this.
const CANARY: &str = "CANARY";

fn good(text: &str) -> Config {
    parse(text, "tidegate.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// The one app of a file whose other lines come before it.
fn app(before: &str) -> App {
    good(&format!("{before}\n{ANDROID}")).apps.remove(0)
}

fn refusal(text: &str) -> String {
    let error = parse(text, "tidegate.toml").map(|config| format!("{config:?}")).unwrap_err().to_string();
    assert!(!error.contains(CANARY), "{error}");
    error
}

/// The refusal of a file with a good app below these lines.
fn above(lines: &str) -> String {
    refusal(&format!("{lines}\n\n{ANDROID}"))
}

/// The refusal of a file with these lines in a good app.
fn inside(lines: &str) -> String {
    refusal(&format!("{ANDROID}{lines}\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text, "tidegate.toml");
    }

    #[test]
    fn no_mixture_of_the_language_makes_it_panic(
        parts in proptest::collection::vec(proptest::sample::select(&PARTS), 0..24)
    ) {
        let _ = parse(&parts.concat(), "tidegate.toml");
    }

    #[test]
    fn a_damaged_file_neither_panics_nor_shows_a_secret(
        from in 0..EXAMPLE.len(), len in 0..40_usize, part in proptest::sample::select(&PARTS), secret in 0..3_usize
    ) {
        let canary = ["xoxb-CANARY", "CANARY", "-----BEGIN KEY-----\\nCANARY"][secret];
        let text = EXAMPLE.replace("env:SLACK_BOT_TOKEN", canary);
        let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary((from + len).min(text.len())));
        let damaged = [text.get(..from).unwrap(), part, text.get(to..).unwrap()].concat();
        // A damage that gives the secret another name makes it another key's value, which may be shown.
        prop_assume!(damaged.contains("token = "));
        if let Err(error) = parse(&damaged, "tidegate.toml") {
            let shown = error.to_string();
            prop_assert!(!shown.contains("CANARY"), "{}", shown);
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}

/// The example, for the tests that damage it.
const EXAMPLE: &str = include_str!("../../../tidegate.example.toml");
/// Words of the language and of the schema, and what breaks either.
const PARTS: [&str; 40] = [
    "\n",
    " = ",
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "#",
    "\\",
    "\t",
    "\0",
    "ü",
    "[[app]]\n",
    "[slo]\n",
    "[rules.crash-free-sessions-halt]\n",
    "[slack]\n",
    "[app.slo]\n",
    "app = ",
    "id = \"a\"\n",
    "platform = \"ios\"\n",
    "platform = \"android\"\n",
    "package = \"a.b\"\n",
    "bundle_id = \"a.b\"\n",
    "mode = ",
    "token = ",
    "\"env:A\"\n",
    "method = \"wald\"\n",
    "compat = true\n",
    "steps = [1.0]\n",
    "rollout = {",
    "nan",
    "-1",
    "1e400\n",
    "99999999999999999999\n",
];
