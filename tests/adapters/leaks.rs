//! Looks for a secret in whatever was written, in every form that it could have there.
//!
//! It shares nothing with the program's own redactor: base64 is looked for by decoding whatever looks like it, from each of
//! its four beginnings, so that no alignment of the secret inside of something longer hides it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// Something that was written, and what it says once it is decoded.
pub struct Written(Vec<(&'static str, String)>);

impl Written {
    pub fn new(bytes: &[u8]) -> Self {
        let plain = String::from_utf8_lossy(bytes).into_owned();
        let unwrapped = without_breaks(&plain);
        let decoded: Vec<String> = codes(&unwrapped).iter().flat_map(|code| decoded(code)).collect();
        Self(vec![
            ("URL-encoded", from_address(&plain)),
            ("URL-encoded", from_address(&plain.replace('+', " "))),
            ("JSON-escaped", from_json(&plain)),
            ("base64", decoded.join("\n\n")),
            ("plain", unwrapped),
            ("plain", plain),
        ])
    }

    /// The form in which a secret is in there, if it is.
    pub fn find(&self, secret: &str) -> Option<&'static str> {
        assert!(secret.len() >= 8, "too short to be told from chance: {secret:?}");
        let unwrapped = without_breaks(secret);
        let found = self.0.iter().rev().find(|(_, text)| text.contains(secret) || text.contains(&unwrapped));
        found.map(|(form, _)| *form)
    }
}

/// What could be base64, in one alphabet.
fn codes(text: &str) -> Vec<String> {
    let is_code = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let runs = text.split(|c| !is_code(c)).filter(|run| run.len() > 8);
    runs.map(|run| run.replace('-', "+").replace('_', "/")).collect()
}

/// What a run of base64 says from each of its four beginnings; the last bits may be anything.
fn decoded(code: &str) -> Vec<String> {
    let from = |start: usize| {
        let code = code.get(start..)?;
        let (whole, rest) = code.split_at(code.len() / 4 * 4);
        let mut bytes = BASE64_STANDARD_NO_PAD.decode(whole).ok()?;
        // The last group is filled up with nothing, which leaves what it says whole.
        let filled = format!("{rest}{}", "A".repeat(4 - rest.len()));
        let end = BASE64_STANDARD_NO_PAD.decode(filled).ok()?;
        bytes.extend(end.get(..(rest.len() * 6) / 8).unwrap_or_default());
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    (0..4).filter_map(from).collect()
}

/// Undoes the escapes of JSON, as often as they were nested.
fn from_json(text: &str) -> String {
    let once = |text: &str| {
        text.replace("\\\"", "\"").replace("\\/", "/").replace("\\n", "\n").replace("\\\\", "\\")
    };
    once(&once(text))
}

/// Undoes percent-encoding.
fn from_address(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => bytes.extend(format!("%{part}").bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without line breaks, written as they are or as JSON does: keys are wrapped.
fn without_breaks(text: &str) -> String {
    text.replace(['\n', '\r'], "").replace("\\n", "").replace("\\r", "")
}

#[test]
fn a_planted_secret_is_found_in_every_form() {
    const SECRET: &str = "xoxb-canary/1+2=\"3\"\nsecond line";
    let log = |planted: &str| format!("2026-11-18 error: refused ({planted}), tried 3 times");
    let json = serde_json::json!({ "echo": SECRET }).to_string();
    let address = reqwest::Url::parse_with_params("http://x/?a=b", [("token", SECRET)]).unwrap().to_string();
    let forms = [
        ("plain", log(SECRET)),
        ("JSON-escaped", log(&json)),
        ("URL-encoded", log(&address)),
        ("URL-encoded", log(&address.replace('+', "%20"))),
    ];
    for (form, text) in forms {
        let found = Written::new(text.as_bytes()).find(SECRET);
        assert_eq!(found, Some(form), "{text}");
    }
    for before in ["", "a", "ab", "abc"] {
        for after in ["", "z", "zz"] {
            let whole = format!("{before}{SECRET}{after}");
            for code in [
                base64::prelude::BASE64_STANDARD.encode(&whole),
                BASE64_STANDARD_NO_PAD.encode(&whole),
                base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&whole),
            ] {
                let wrapped: Vec<&str> =
                    code.as_bytes().chunks(20).map(|c| std::str::from_utf8(c).unwrap()).collect();
                for text in [
                    log(&code),
                    log(&format!("key{code}")),
                    log(&wrapped.join("\n")),
                    log(&wrapped.join("\\n")),
                ] {
                    assert_eq!(
                        Written::new(text.as_bytes()).find(SECRET),
                        Some("base64"),
                        "{before}|{after}: {text}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_no_secret_is_not_found() {
    let text = "xoxb-canar is short of a letter; eG94Yi1jYW5hcg== too";
    assert_eq!(Written::new(text.as_bytes()).find("xoxb-canary-1"), None);
}
