//! A note as Block Kit: pure, and within Slack's limits by construction, because Slack refuses a whole message for one
//! character too many.
//!
//! The text of a message is what a lock screen shows, so it begins with the headline. The blocks are for reading: the
//! headline, what was done, the counts next to each other, what to do next, and pages behind buttons. Text from outside
//! is shown as it is and does nothing: no mention, no link, no word that turns the reading direction.
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks>, block elements and text object.

use serde_json::{Value, json};

use crate::domain::message::{Figure, Link, Note};
use crate::domain::plain;

/// Slack's limits, in characters.
const LONGEST_HEADER: usize = 150;
const LONGEST_SECTION: usize = 3000;
const LONGEST_FIELD: usize = 2000;
const LONGEST_BUTTON: usize = 75;
const LONGEST_URL: usize = 3000;
/// A text of more than this is hard to read; Slack itself cuts much later.
const LONGEST_TEXT: usize = 3900;
/// Fields of a section.
const MOST_FIELDS: usize = 10;
/// Buttons of a message; Slack takes 25, and a phone shows these on two lines.
const MOST_BUTTONS: usize = 5;
/// What stands where a text would be empty, which Slack refuses.
const NOTHING: &str = "-";

/// A note as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Dressed {
    /// What notifications show.
    pub text: String,
    /// What the channel shows.
    pub blocks: Vec<Value>,
}

/// Dresses a note. The footer is small print of the way by which it goes.
#[must_use]
pub fn dressed(note: &Note, footer: Option<&str>) -> Dressed {
    let lines = note.lines.join("\n");
    let mut blocks = vec![json!({"type": "header", "text": plain_text(&note.headline, LONGEST_HEADER)})];
    blocks.extend((!shown(&lines).is_empty()).then(|| section(&lines)));
    blocks.extend((!note.figures.is_empty()).then(|| fields(&note.figures)));
    blocks.extend((!shown(&note.next).is_empty()).then(|| section(&note.next)));
    let buttons: Vec<Value> =
        note.links.iter().filter_map(address).take(MOST_BUTTONS).enumerate().map(button).collect();
    blocks.extend((!buttons.is_empty()).then(|| json!({"type": "actions", "elements": buttons})));
    blocks.extend(
        footer.map(|footer| json!({"type": "context", "elements": [plain_text(footer, LONGEST_FIELD)]})),
    );
    Dressed { text: text(note, footer), blocks }
}

fn text(note: &Note, footer: Option<&str>) -> String {
    let footer = footer.map(|footer| format!("\n{footer}")).unwrap_or_default();
    cut_escaped(&format!("{}{footer}", note.text()), LONGEST_TEXT)
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(&cut_escaped(text, LONGEST_SECTION))})
}

fn fields(figures: &[Figure]) -> Value {
    let field = |figure: &Figure| {
        let label = cut_escaped(&figure.label, LONGEST_FIELD / 4);
        let value = cut_escaped(&figure.value, LONGEST_FIELD / 4);
        mrkdwn(&format!("{label}\n*{value}*"))
    };
    json!({"type": "section", "fields": figures.iter().take(MOST_FIELDS).map(field).collect::<Vec<_>>()})
}

/// Without `verbatim` Slack would make links of addresses that stand in a text from outside.
fn mrkdwn(escaped: &str) -> Value {
    json!({"type": "mrkdwn", "text": escaped, "verbatim": true})
}

fn plain_text(text: &str, longest: usize) -> Value {
    json!({"type": "plain_text", "text": cut(&bracketless(text), longest)})
}

/// A page whose address a button can hold.
fn address(link: &Link) -> Option<&Link> {
    let is_plain = link.url.chars().all(|c| c.is_ascii_graphic());
    (is_plain && link.url.starts_with("https://") && link.url.len() <= LONGEST_URL).then_some(link)
}

fn button((index, link): (usize, &Link)) -> Value {
    json!({
        "type": "button",
        "text": plain_text(&link.label, LONGEST_BUTTON),
        "url": link.url,
        "action_id": format!("tidegate-link-{index}"),
    })
}

/// Slack's three special characters, without which no mention and no link can be written.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Plain text is shown as it stands, in which entities are not for certain read; so the brackets of a mention go.
fn bracketless(text: &str) -> String {
    plain::text(text).replace('<', "‹").replace('>', "›")
}

fn shown(text: &str) -> String {
    plain::text(text).trim().to_owned()
}

/// Cuts at a character, with an ellipsis in the last place. What is empty becomes a dash.
fn cut(text: &str, longest: usize) -> String {
    match text.chars().count() {
        _ if text.trim().is_empty() => NOTHING.to_owned(),
        length if length <= longest => text.to_owned(),
        _ => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// Escapes, and cuts so that what is escaped keeps the limit and no entity is cut in two.
fn cut_escaped(text: &str, longest: usize) -> String {
    let text = shown(text);
    let whole = escaped(&text);
    match whole.chars().count() {
        0 => NOTHING.to_owned(),
        length if length <= longest => whole,
        _ => {
            let mut kept = String::new();
            let mut length = 1; // The ellipsis.
            for piece in text.chars().map(|c| escaped(c.encode_utf8(&mut [0; 4]))) {
                length += piece.chars().count();
                if length > longest {
                    break;
                }
                kept.push_str(&piece);
            }
            kept + "…"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::NoteKind;
    use crate::sandbox::check_blocks;
    use proptest::prelude::*;

    fn note(headline: &str, line: &str, next: &str) -> Note {
        Note {
            kind: NoteKind::Warning,
            headline: headline.to_owned(),
            lines: vec![line.to_owned()],
            figures: Vec::new(),
            next: next.to_owned(),
            topic: String::new(),
            subject: None,
            links: Vec::new(),
        }
    }

    #[test]
    fn hostile_text_mentions_nobody_and_links_nowhere() {
        let mut note = note(
            "<!channel> \u{202e}1.0 & more",
            "<https://evil.example|click> https://evil.example @here <@U1>",
            &"x".repeat(4000),
        );
        note.links = vec![
            Link { label: "<!here>".into(), url: "https://good.example/".into() },
            Link { label: "no".into(), url: "javascript:alert(1)".into() },
            Link { label: "no".into(), url: "https://evil.example/ <b>".into() },
        ];
        let dressed = dressed(&note, None);
        let shown = format!("{}{}", dressed.text, Value::from(dressed.blocks.clone()));
        for forbidden in ["<!", "<@", "<https", "\u{202e}", "javascript"] {
            assert!(!shown.contains(forbidden), "{forbidden}: {shown}");
        }
        assert_eq!(dressed.blocks[1]["text"]["verbatim"], true);
        assert_eq!(dressed.blocks[3]["elements"].as_array().unwrap().len(), 1);
        assert_eq!(dressed.blocks[2]["text"]["text"].as_str().unwrap().chars().count(), LONGEST_SECTION);
    }

    #[test]
    fn an_entity_is_never_cut_in_two() {
        for longest in 1..12 {
            let cut = cut_escaped("&&&&<>", longest);
            assert!(cut.chars().count() <= longest, "{cut}");
            let rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(rest == "…" || rest.is_empty(), "{cut}");
        }
        assert_eq!(cut_escaped("aé&b", 5), "aé…", "a character of two bytes stays whole");
    }

    #[test]
    fn the_way_is_named_in_the_text_too() {
        let dressed = dressed(&note("headline", "line", "next"), Some("by webhook"));
        assert!(dressed.text.starts_with("headline\n") && dressed.text.ends_with("\nby webhook"));
        assert_eq!(dressed.blocks.last().unwrap()["type"], "context");
    }

    #[test]
    fn a_halt_is_read_from_top_to_bottom_and_ends_in_buttons() {
        let figure = |label: &str, value: &str| Figure { label: label.into(), value: value.into() };
        let link = |label: &str| Link { label: label.into(), url: format!("https://example.com/{label}") };
        let halt = Note {
            figures: vec![figure("Sessions", "1,204"), figure("Crashed sessions", "7")],
            links: vec![link("Crashes"), link("Runbook")],
            ..note(
                "🛑 HALTED Android 26.3.0 (android): 99.418 % crash-free sessions, objective 99.950 %",
                "Stopped at 15 % of users; the store shows it as halted.",
                "Those who have it keep it.",
            )
        };
        let shown: Vec<String> = dressed(&halt, None).blocks.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        {"type":"header","text":{"type":"plain_text","text":"🛑 HALTED Android 26.3.0 (android): 99.418 % crash-free sessions, objective 99.950 %"}}
        {"type":"section","text":{"type":"mrkdwn","text":"Stopped at 15 % of users; the store shows it as halted.","verbatim":true}}
        {"type":"section","fields":[{"type":"mrkdwn","text":"Sessions\n*1,204*","verbatim":true},{"type":"mrkdwn","text":"Crashed sessions\n*7*","verbatim":true}]}
        {"type":"section","text":{"type":"mrkdwn","text":"Those who have it keep it.","verbatim":true}}
        {"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Crashes"},"url":"https://example.com/Crashes","action_id":"tidegate-link-0"},{"type":"button","text":{"type":"plain_text","text":"Runbook"},"url":"https://example.com/Runbook","action_id":"tidegate-link-1"}]}
        "#);
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,40}",
            r"[<>&@!*_~`\u{202e}\u{200b} \n]{0,60}",
            (1..5000_usize).prop_map(|length| "é&".repeat(length)),
            Just(String::new()),
            Just("  \n ".to_owned()),
        ]
    }

    fn links() -> impl Strategy<Value = Vec<Link>> {
        let url = prop_oneof![
            "https://[a-z]{1,9}/[a-z]{0,9}",
            (2980..3020_usize).prop_map(|length| format!("https://{}", "a".repeat(length))),
            ".{0,20}",
        ];
        prop::collection::vec((texts(), url).prop_map(|(label, url)| Link { label, url }), 0..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_note_gives_blocks_that_slack_takes(
            headline in texts(),
            lines in prop::collection::vec(texts(), 0..60),
            figures in prop::collection::vec((texts(), texts()), 0..20),
            next in texts(),
            links in links(),
            footer in prop::option::of(texts()),
        ) {
            let figures = figures.into_iter().map(|(label, value)| Figure { label, value }).collect();
            let note = Note { lines, figures, links, ..note(&headline, "", &next) };
            let dressed = dressed(&note, footer.as_deref());
            prop_assert_eq!(check_blocks(&dressed.blocks), Ok(()));
            let length = dressed.text.chars().count();
            prop_assert!((1..4000).contains(&length), "{}", length);
        }
    }
}
