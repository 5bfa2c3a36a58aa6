//! A note as GitHub shows it: the title and the body of an issue, the description of a deployment, the data of a dispatch.
//!
//! What comes from outside is made inert in one place, `domain::markdown`. Data is passed on as it is: a workflow that
//! puts it into a shell must quote it, which the documentation says.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::deployments::LONGEST_DESCRIPTION;
use super::issues::IssueText;
use crate::domain::markdown::{cut, one_line, prose, title};
use crate::domain::message::{Note, Subject};

/// The longest title that GitHub takes, in characters.
const LONGEST_TITLE: usize = 256;
/// The longest line of a body, in characters before they are escaped.
const LONGEST_LINE: usize = 600;
/// The most lines and links of a body; escaped, they keep far below GitHub's 65,536 characters.
const MOST_LINES: usize = 8;
const MOST_LINKS: usize = 5;
/// The longest address that is shown as a link, in characters.
const LONGEST_URL: usize = 500;
/// The longest value that is passed on, in characters.
const LONGEST_VALUE: usize = 1_000;

/// The issue that tells a note.
pub(super) fn issue(note: &Note) -> IssueText {
    let mut parts = vec![format!("**{}**", prose(&note.headline, LONGEST_LINE))];
    parts.extend(note.lines.iter().take(MOST_LINES).map(|line| prose(line, LONGEST_LINE)));
    parts.push(prose(&note.next, LONGEST_LINE));
    let links: Vec<String> = note
        .links
        .iter()
        .filter(|link| is_address(&link.url))
        .take(MOST_LINKS)
        .map(|link| format!("- [{}]({})", prose(&link.label, LONGEST_LINE), link.url))
        .collect();
    if !links.is_empty() {
        parts.push(links.join("\n"));
    }
    parts.extend(note.subject.as_ref().map(table));
    IssueText { title: title(&note.headline, LONGEST_TITLE), body: parts.join("\n\n") + "\n" }
}

fn table(subject: &Subject) -> String {
    let row = |name: &str, value: &str| format!("| {name} | {} |\n", prose(value, LONGEST_LINE));
    let values = values(subject);
    let rows: String = ["app", "platform", "version", "builds", "decision"]
        .into_iter()
        .filter_map(|name| Some(row(name, values.get(name)?)))
        .collect();
    format!("| release | |\n|---|---|\n{rows}")
}

/// A link leads to a page, and holds nothing that could end it.
fn is_address(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"<>()[]\"'`\\|".contains(c);
    url.starts_with("https://") && url.chars().all(plain) && url.chars().count() <= LONGEST_URL
}

/// The description of a deployment and of its status.
pub(super) fn description(note: &Note) -> String {
    cut(&one_line(&note.headline), LONGEST_DESCRIPTION)
}

/// What is known of a release, by the names that inputs may use. Builds are joined by commas.
fn values(subject: &Subject) -> BTreeMap<&'static str, String> {
    let builds: Vec<&str> = subject.builds.iter().map(|build| build.as_str()).collect();
    let decision = subject.decision.as_ref().map(ToString::to_string).unwrap_or_default();
    BTreeMap::from([
        ("app", subject.release.app.to_string()),
        ("platform", subject.release.platform.as_str().to_owned()),
        ("version", subject.version.to_string()),
        ("builds", builds.join(",")),
        ("decision", decision),
    ])
}

/// The payload of an event: at most ten values, which GitHub allows.
pub(super) fn payload(key: &str, note: &Note) -> Map<String, Value> {
    let mut payload = Map::new();
    payload.insert("key".to_owned(), json!(key));
    payload.insert("headline".to_owned(), json!(value(&note.headline)));
    if let Some(subject) = &note.subject {
        for (name, text) in values(subject) {
            payload.insert(name.to_owned(), json!(value(&text)));
        }
        payload.insert("release".to_owned(), json!(value(&subject.release.key)));
    }
    payload
}

fn value(text: &str) -> String {
    cut(&one_line(text), LONGEST_VALUE)
}

/// The inputs of a workflow, with what is in braces filled in. What is filled in is not looked at again.
pub(super) fn inputs(templates: &BTreeMap<String, String>, note: &Note) -> BTreeMap<String, String> {
    let mut known = note.subject.as_ref().map(values).unwrap_or_default();
    known.insert("headline", note.headline.clone());
    let fill = |template: &String| {
        let mut parts = template.split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            filled.push_str(&known.get(name).map(|text| value(text)).unwrap_or_default());
            filled.push_str(rest);
        }
        filled
    };
    templates.iter().map(|(name, template)| (name.clone(), fill(template))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::PLACEHOLDERS;
    use crate::domain::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
    use crate::domain::message::{Link, NoteKind};
    use crate::domain::release::ReleaseId;

    fn note() -> Note {
        Note {
            kind: NoteKind::Halt,
            headline: "🛑 HALTED android 2.0 (android): 99.00 % crash-free sessions".into(),
            lines: vec!["10 of 1,000 sessions crashed.".into(), "The rollout was stopped.".into()],
            figures: Vec::new(),
            next: "Prepare a fix. Evidence: tidegate explain d-0123456789abcdef".into(),
            topic: String::new(),
            subject: Some(Subject {
                release: ReleaseId {
                    app: AppId::new("android").unwrap(),
                    platform: Platform::Android,
                    key: "200".into(),
                },
                version: VersionName::new("2.0").unwrap(),
                builds: vec![BuildNumber::new("200").unwrap(), BuildNumber::new("201").unwrap()],
                decision: Some(DecisionId::new("d-0123456789abcdef").unwrap()),
            }),
            links: vec![
                Link {
                    label: "Crashes [now]".into(),
                    url: "https://console.firebase.google.com/x?y=1".into(),
                },
                Link { label: "bad".into(), url: "javascript:alert(1)".into() },
                Link { label: "bad".into(), url: "https://e.example/) <b>".into() },
            ],
        }
    }

    #[test]
    fn an_issue_says_what_happened_and_where_to_look() {
        let IssueText { title, body } = issue(&note());
        insta::assert_snapshot!(title, @"🛑 HALTED android 2.0 (android): 99.00 % crash-free sessions");
        insta::assert_snapshot!(body, @r#"
        **🛑 HALTED android 2.0 &#40;android&#41;: 99.00 % crash-free sessions**

        10 of 1,000 sessions crashed.

        The rollout was stopped.

        Prepare a fix. Evidence: tidegate explain d-0123456789abcdef

        - [Crashes &#91;now&#93;](https://console.firebase.google.com/x?y=1)

        | release | |
        |---|---|
        | app | android |
        | platform | android |
        | version | 2.0 |
        | builds | 200,201 |
        | decision | d-0123456789abcdef |
        "#);
    }

    #[test]
    fn hostile_text_is_inert_and_the_body_stays_short() {
        let mut note = note();
        let hostile = "@acme/all \u{202e}<script>`|#1 https://e.example ".repeat(2_000);
        note.headline = hostile.clone();
        note.lines = vec![hostile.clone(); 50];
        note.next = hostile.clone();
        let IssueText { title, body } = issue(&note);
        assert!(title.chars().count() <= LONGEST_TITLE && body.chars().count() < 65_000, "{}", body.len());
        for bad in ["@a", "<script", "\u{202e}", "#1 ", "://e.example"] {
            assert!(!body.contains(bad), "{bad}");
        }
        assert!(!title.contains("@a") && !title.contains('\u{202e}'));
        assert!(description(&note).chars().count() <= LONGEST_DESCRIPTION);
    }

    #[test]
    fn each_word_in_braces_is_filled_once() {
        let all: BTreeMap<String, String> =
            PLACEHOLDERS.iter().map(|word| ((*word).to_owned(), format!("<{{{word}}}>"))).collect();
        let mut note = note();
        note.headline = "{app}".into();
        let filled = inputs(&all, &note);
        assert_eq!(filled["headline"], "<{app}>");
        assert_eq!((filled["builds"].as_str(), filled["version"].as_str()), ("<200,201>", "<2.0>"));
        assert!(filled.values().all(|value| value.len() > 2), "{filled:?}");
    }

    #[test]
    fn a_payload_keeps_to_ten_values() {
        assert!(payload("halt-1", &note()).len() <= 10);
    }
}
