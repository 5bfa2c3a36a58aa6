//! Text from outside that wants to be more than text, through the real binary into every sink: the names of releases as a
//! store shows them, and the words of vendors in their refusals. Each sink is read as whoever reads it does.

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};
use tidegate::domain::plain;
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::town::{Apps, CHANNEL, Events, NOW, Ran, Town};

/// Names that Google Play could show: at most a hundred characters, none of them a control.
const NAMES: [&str; 5] = [
    "::error::x ##[add-mask]y",
    "<!channel> <@U1> <https://evil.example|y> <!here>",
    "| `x` ](javascript:1) <script>x</script> ![x](https://evil.example)",
    "@everyone #1 \u{202e}0.1\u{200b} GH-1 www.evil.example",
    "%0A::stop-commands::x &lt;!channel&gt; \u{fe0f}:\u{fe0f}:debug::",
];

/// What a vendor could write into an error.
fn words() -> String {
    format!(
        "::error::x\r\n::add-mask::halt\n##[error]y \u{1b}[31m\u{1b}]8;;https://evil.example\u{7} \u{202e} <!channel> <@U1> \
         | `x` | ](javascript:1) <script>x</script> @everyone #1 \0 {}",
        "long ".repeat(2_000)
    )
}

async fn town(name: &str) -> Town {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let old = json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"});
    let ours = json!({"name": name, "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15});
    town.sandbox.model().console_change("com.example.app", "production", vec![old, ours]).unwrap();
    let refused = CannedReply::status(403).with_body(json!({"error": {"code": 403, "message": words()}}));
    let refused = Fault::new(Service::GooglePlay, FaultKind::Status(refused));
    town.sandbox.model().add_fault(refused.on("PUT", "/tracks/").times(1_000));
    town
}

/// The commands of a log by the runner's rule, whose comparisons look through what is not seen.
fn commands(log: &str) -> Vec<String> {
    let unseen = |c: char| plain::is_hidden(c) || plain::is_variation_selector(c);
    let seen = |line: &str| -> String { line.chars().filter(|c| *c == '\t' || !unseen(*c)).collect() };
    let is_command = |line: &String| {
        let newer = line.trim_start().strip_prefix("::").is_some_and(|rest| rest.contains("::"));
        newer || line.split_once("##[").is_some_and(|(_, rest)| rest.contains(']'))
    };
    log.split(['\r', '\n']).map(seen).filter(is_command).collect()
}

fn is_plain(text: &str) {
    let hidden = text.chars().find(|c| plain::is_hidden(*c) && !matches!(c, '\n' | '\t'));
    assert_eq!(hidden, None, "{text}");
}

#[tokio::test]
async fn hostile_text_is_inert_on_a_terminal_and_in_a_log() {
    for name in NAMES {
        let town = town(name).await;
        let outputs = ["human", "json", "ndjson"];
        let commands_of = |output| {
            let run = vec!["run", "release-monitor", "--now", NOW, "--output", output];
            [run, vec!["status", "--output", output], vec!["doctor", "--output", output]]
        };
        for args in outputs.into_iter().flat_map(commands_of) {
            let ran = town.finish(&args).await;
            for text in [ran.stdout(), ran.stderr()] {
                assert_eq!(commands(&text), Vec::<String>::new(), "{name}: {args:?}");
                is_plain(&text);
                assert!(text.len() < 100_000, "{} bytes", text.len());
            }
            if args.last() == Some(&"json") {
                let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
                if args[0] == "run" {
                    assert_eq!(document["results"][0]["version"], name, "a value stays what it is");
                }
            }
        }
        let id = town.monitor(&[]).await.result()["decision_id"].as_str().unwrap().to_owned();
        for output in ["human", "json", "github"] {
            let ran = town.finish(&["explain", &id, "--output", output]).await;
            assert_eq!(commands(&ran.stdout()), Vec::<String>::new(), "{}", ran.stdout());
            is_plain(&ran.stdout());
        }
    }
}

#[tokio::test]
async fn hostile_text_is_inert_in_a_workflow() {
    for name in NAMES {
        let town = town(name).await;
        let (summary, outputs) = (town.path("summary.md"), town.path("outputs.txt"));
        let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW, "--output", "github"]);
        command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &outputs);
        let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
        let all = commands(&ran.stdout());
        let [group, end, found @ ..] = all.as_slice() else { panic!("{name}: {all:?}") };
        assert!(group.starts_with("::group::") && end.as_str() == "::endgroup::", "{name}: {all:?}");
        assert_eq!(found.len(), 1, "{name}: only our own: {found:?}");
        assert!(found[0].starts_with("::error title=android "), "{found:?}");
        let data = found[0].strip_prefix("::error title=").unwrap().split_once("::").unwrap().1;
        assert!(data.len() < 4_096, "the runner would cut it: {} bytes", data.len());
        assert_eq!(commands(&ran.stderr()), Vec::<String>::new());
        is_plain(&(ran.stdout() + &ran.stderr()));
        one_table_of_text(&std::fs::read_to_string(summary).unwrap(), name);
        outputs_are_two(&std::fs::read_to_string(outputs).unwrap(), name);
    }
}

/// The summary as GitHub renders it: a heading, a table with one row, a list of problems.
fn one_table_of_text(summary: &str, name: &str) {
    let (mut rows, mut text) = (0, String::new());
    for event in Parser::new_ext(summary, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Start(Tag::TableRow) => rows += 1,
            Event::Text(part) => text += &part,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock | Tag::CodeBlock(_))
            | Event::Code(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_) => panic!("{event:?} in {summary}"),
            _ => {}
        }
    }
    assert_eq!(rows, 1, "{summary}");
    for link in ["@everyone", "#1", "GH-1", "://", "www.evil"] {
        assert!(!text.contains(link), "{link} in {text}");
    }
    let readable = text.replace('\u{200b}', "");
    assert!(readable.contains(plain::line(name).trim()), "it stays readable: {readable}");
}

/// The file of outputs as the runner reads it.
fn outputs_are_two(file: &str, name: &str) {
    let lines: Vec<&str> = file.lines().collect();
    let [decision, opened, results, closed] = lines.as_slice() else { panic!("{file}") };
    assert_eq!(*decision, "decision=halt");
    assert_eq!(opened.strip_prefix("results<<"), Some(*closed));
    let results: Value = serde_json::from_str(results).unwrap();
    assert_eq!(results[0]["version"], name);
}

#[tokio::test]
async fn hostile_text_mentions_nobody_in_slack() {
    for name in NAMES {
        let town = town(name).await;
        town.monitor(&[]).await;
        let messages = town.sandbox.model().slack_messages(CHANNEL).unwrap();
        assert!(!messages.is_empty(), "people are told that the halt failed");
        let written = strings(&Value::from(messages)).join("\n");
        for special in ["<!", "<@", "<#", "<http"] {
            assert!(!written.contains(special), "{special} in {written}");
        }
        is_plain(&written);
        assert!(written.len() < 20_000, "{} bytes", written.len());
    }
}

/// Every text in a document.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(object) => object.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
