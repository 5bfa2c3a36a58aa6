//! Every secret that this process has read or was given, so that none of them leaves it by a text.
//!
//! No error of this program is made from a secret, but a vendor may send one back, a library may quote one, and a person
//! may write one into a name. So whoever reads a secret, or is given a token, tells it here, and whatever is written goes
//! through [`redacted`]: results, logs, errors, the words of a panic. In a workflow of GitHub the runner is told too, by
//! `::add-mask::`, before a secret is used for the first time.
//!
//! It is one list for the process, because the hook of a panic and the writer of the log can be handed nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// What is shown in the place of a secret.
const COVER: &str = "***";
/// Anything shorter is neither masked nor covered, in characters: it would ruin every log and protect nothing, since no
/// vendor's secret is so short.
const SHORTEST: usize = 8;
/// Fields of a credentials file whose values are secrets on their own.
const SECRET_FIELDS: [&str; 6] =
    ["private_key", "client_secret", "refresh_token", "access_token", "token", "Authorization"];
/// The lines around a key in PEM form, which are the same for every key.
const PEM_BOUNDARY: &str = "-----";
/// How a token in a header begins.
const BEARER: &str = "Bearer ";

static KNOWN: Mutex<Known> = Mutex::new(Known { whole: Vec::new(), forms: Vec::new(), announce: None });

struct Known {
    /// As they were told.
    whole: Vec<SecretString>,
    /// As they could be written, the longest first.
    forms: Vec<SecretString>,
    announce: Option<fn(&str)>,
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has every line of every secret handed to `announce`, once, from now on.
pub fn announce_to(announce: fn(&str)) {
    known().announce = Some(announce);
}

/// Tells of a secret. To be called wherever one comes in, before it is used.
pub fn know(secret: &SecretString) {
    let text = secret.expose_secret().trim();
    let mut known = known();
    if text.is_empty() || holds(&known.whole, text) {
        return;
    }
    known.whole.push(SecretString::from(text));
    let parts = parts(text);
    for form in parts.iter().flat_map(|part| forms(part)) {
        if !holds(&known.forms, &form) {
            known.forms.push(SecretString::from(form));
        }
    }
    known.forms.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
    let announce = known.announce;
    // Whoever announces writes, and what is written asks this list.
    drop(known);
    if let Some(announce) = announce {
        masks(text, &parts).iter().for_each(|mask| announce(mask));
    }
}

fn holds(list: &[SecretString], text: &str) -> bool {
    list.iter().any(|secret| secret.expose_secret() == text)
}

/// The text with every known secret covered, in whichever form it stands there.
#[must_use]
pub fn redacted(text: &str) -> String {
    let mut text = text.to_owned();
    for form in &known().forms {
        if text.contains(form.expose_secret()) {
            text = text.replace(form.expose_secret(), COVER);
        }
    }
    text
}

/// The text without one secret: for an answer that is needed as it is, but for the token that it was asked with.
#[must_use]
pub fn without(text: String, secret: &SecretString) -> String {
    let secret = secret.expose_secret().trim();
    if secret.len() < SHORTEST || !text.contains(secret) {
        return text;
    }
    text.replace(secret, COVER)
}

/// What of a secret is a secret on its own: all of it, each line, each field, and a key without its line breaks.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![text.to_owned()];
    let fields = serde_json::from_str(text).map(|file: Value| fields(&file)).unwrap_or_default();
    for whole in fields.iter().map(String::as_str).chain([text]) {
        parts.push(whole.strip_prefix(BEARER).unwrap_or(whole).to_owned());
        let body = whole.lines().map(str::trim).filter(|line| !line.starts_with(PEM_BOUNDARY));
        parts.extend(body.clone().map(str::to_owned));
        if whole.contains(PEM_BOUNDARY) {
            parts.push(body.collect());
        }
    }
    parts.retain(|part| part.chars().count() >= SHORTEST);
    parts.sort();
    parts.dedup();
    parts
}

/// The values of secret fields, at any depth.
fn fields(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if SECRET_FIELDS.contains(&name.as_str()) => vec![text.clone()],
                value => fields(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(fields).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The ways in which a text can be written.
fn forms(part: &str) -> Vec<String> {
    let mut forms = vec![part.to_owned(), in_json(part), in_address(part, "%20"), in_address(part, "+")];
    for offset in 0..3 {
        forms.extend(in_base64(part, offset, &BASE64_STANDARD_NO_PAD));
        forms.extend(in_base64(part, offset, &BASE64_URL_SAFE_NO_PAD));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// As a string of JSON holds it.
fn in_json(part: &str) -> String {
    let quoted = Value::from(part).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(part).to_owned()
}

/// As an address or a form holds it.
fn in_address(part: &str, blank: &str) -> String {
    let encoded = part.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => blank.to_owned(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// As base64 of something longer holds it, `offset` bytes after a beginning: the characters that depend on it alone.
fn in_base64(part: &str, offset: usize, engine: &impl Engine) -> Option<String> {
    /// Bits of a byte, and of a character of base64.
    const BYTE: usize = 8;
    const CHARACTER: usize = 6;
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(part.bytes()).collect();
    let encoded = engine.encode(&padded);
    let first = (offset * BYTE).div_ceil(CHARACTER);
    let end = padded.len() * BYTE / CHARACTER;
    encoded.get(first..end).map(str::to_owned)
}

/// What the runner is told: it looks at one line at a time, and knows the other forms of short secrets itself.
fn masks(text: &str, parts: &[String]) -> Vec<String> {
    let mut masks: Vec<String> = parts.iter().filter(|part| !part.contains(['\n', '\r'])).cloned().collect();
    let is_key = text.contains(['\n', '{']) || text.contains(PEM_BOUNDARY);
    if is_key {
        masks.push(base64::prelude::BASE64_STANDARD.encode(text));
        masks.push(in_json(text));
    }
    masks.sort();
    masks.dedup();
    masks
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END PRIVATE KEY-----\n";

    fn told(text: &str) {
        know(&SecretString::from(text));
    }

    #[test]
    fn a_known_secret_is_covered_in_every_form() {
        const TOKEN: &str = "xoxb-canary/one+two\"three";
        told(TOKEN);
        let json = Value::from(TOKEN).to_string();
        let mut texts = vec![
            format!("refused: {TOKEN}!"),
            format!("{{\"echo\": {json}}}"),
            "GET /?token=xoxb-canary%2Fone%2Btwo%22three&x=1".to_owned(),
        ];
        for before in ["", "a", "ab", "user:"] {
            texts.push(BASE64_STANDARD.encode(format!("{before}{TOKEN}, and more")));
            texts.push(BASE64_URL_SAFE_NO_PAD.encode(format!("{before}{TOKEN}, and more")));
        }
        for text in texts {
            let shown = redacted(&text);
            assert!(shown.contains(COVER) && shown.len() < text.len(), "{text} became {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert_eq!(redacted("nothing of it"), "nothing of it");
    }

    #[test]
    fn a_key_is_covered_line_by_line_and_out_of_its_file() {
        let file =
            serde_json::json!({"type": "service_account", "private_key": KEY, "client_email": "a@b.example"});
        told(&file.to_string());
        for text in [
            "odd line MIGHAgEAMBMGByqGSM49".to_owned(),
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w".to_owned(),
            format!("{file}"),
            Value::from(KEY).to_string(),
        ] {
            let shown = redacted(&text);
            assert!(!shown.contains("MIGHAgEA") && !shown.contains("AgEGCCqG"), "{shown}");
        }
        assert_eq!(
            redacted("-----BEGIN PRIVATE KEY----- a@b.example"),
            "-----BEGIN PRIVATE KEY----- a@b.example"
        );
    }

    #[test]
    fn what_is_short_is_left_alone() {
        told("abc");
        told("line one is long\nx\n");
        assert_eq!(redacted("abc x"), "abc x");
        assert_eq!(redacted("line one is long"), COVER);
        assert_eq!(without("abc".into(), &SecretString::from("abc")), "abc");
        assert_eq!(without("an echo of line one".into(), &SecretString::from("line one")), "an echo of ***");
    }

    #[test]
    fn the_runner_is_told_of_lines_and_of_base64() {
        let masks = masks(KEY.trim(), &parts(KEY.trim()));
        assert!(masks.iter().all(|mask| !mask.contains('\n') && mask.len() >= SHORTEST), "{masks:?}");
        for wanted in ["MIGHAgEAMBMGByqGSM49", "AgEGCCqGSM49AwEHBG0w", &BASE64_STANDARD.encode(KEY.trim())] {
            assert!(masks.iter().any(|mask| mask == wanted), "{wanted} is not in {masks:?}");
        }
        assert!(!masks.iter().any(|mask| mask == "-----BEGIN PRIVATE KEY-----"), "{masks:?}");
        assert_eq!(masks_of("xoxb-a-token"), ["xoxb-a-token"]);
    }

    fn masks_of(text: &str) -> Vec<String> {
        masks(text, &parts(text))
    }
}
