//! What Slack can do to a run: one test for each row F49 to F55 of the fault table and for invariant I11, with the whole
//! program against the sandbox's Slack, and the same by an incoming webhook.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::adapters::clock::steady;
use tidegate::sandbox::{CannedReply, ChannelAccess, Fault, FaultKind, LoggedRequest, Service};

use crate::support::{CRASHES, crash};
use crate::town::{Apps, CHANNEL, Events, FALLBACK, NOW, Ran, Reached, Town, WEBHOOK};

/// The runs of the schedule after [`NOW`]: a quarter of an hour apart.
const A_QUARTER_LATER: &str = "2026-11-18T12:15:00Z";
const AN_HOUR_LATER: &str = "2026-11-18T13:01:00Z";
const A_DAY_LATER: &str = "2026-11-19T12:01:00Z";
/// Long enough for a lost message to have arrived.
const A_MINUTE_LATER: &str = "2026-11-18T12:01:00Z";

impl Town {
    async fn on_github_at(&self, now: &str) -> Ran {
        self.finish(&["run", "release-monitor", "--now", now, "--output", "github"]).await
    }

    fn slack_does(&self, fault: Fault) {
        self.sandbox.model().add_fault(fault);
    }

    fn slack_is_well(&self) {
        self.sandbox.model().clear_faults();
    }

    fn asked_of_slack(&self, part: &str) -> Vec<LoggedRequest> {
        let requests = self.sandbox.model().requests().into_iter();
        requests.filter(|asked| asked.service == Service::Slack && asked.path.contains(part)).collect()
    }

    fn shown(&self, channel: &str) -> Vec<Value> {
        self.sandbox.model().slack_messages(channel).unwrap()
    }

    /// More crashes, so that a doubtful release becomes a bad one.
    fn gets_worse(&self) {
        let crashes: Vec<_> = (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
        self.fixture.import(CRASHES, &crashes);
    }

    fn scopes(&self, scopes: &[&str]) {
        self.sandbox.model().set_slack_scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    }

    /// People are told by the webhook of the channel.
    fn by_webhook(&self) {
        let bot = format!("channel = \"{CHANNEL}\"\ntoken = \"env:SLACK_TOKEN\"");
        self.reconfigure(&bot, "webhook = \"env:SLACK_WEBHOOK\"");
    }

    fn with_fallback(&self) {
        let token = "token = \"env:SLACK_TOKEN\"";
        self.reconfigure(token, &format!("{token}\nfallback_channel = \"{FALLBACK}\""));
    }
}

fn on_post(kind: FaultKind) -> Fault {
    Fault::new(Service::Slack, kind).on("POST", "chat.postMessage")
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status(CannedReply::status(code))
}

fn asks_to_wait(seconds: &str) -> FaultKind {
    FaultKind::Status(CannedReply::status(429).with_header("Retry-After", seconds))
}

fn word(error: &str) -> CannedReply {
    CannedReply::status(200).with_body(json!({"ok": false, "error": error}))
}

/// What something between here and Slack may answer: it names an error, and it is not Slack's.
fn no_answer_of_slacks() -> CannedReply {
    CannedReply::status(200).with_body(json!({"error": "channel_not_found"}))
}

fn problems(ran: &Ran) -> String {
    ran.result()["problems"].to_string()
}

fn is_halted(town: &Town, ran: &Ran, code: i32) {
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (code, json!(true)), "{}", ran.stderr());
    assert_eq!(town.store_status(), town.halted_status());
}

/// Red on GitHub: the exit code, and an annotation that says what is not told.
fn is_red(ran: &Ran, words: &str) {
    assert_eq!(ran.code(), 3, "{}\n{}", ran.stdout(), ran.stderr());
    let text = ran.stdout();
    let annotation = text.lines().find(|line| line.starts_with("::error") || line.starts_with("::warning"));
    assert!(annotation.is_some_and(|line| line.contains(words)), "no {words:?} in {text}");
}

#[tokio::test]
async fn f49_a_busy_slack_delays_the_message_and_never_the_halt() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.slack_does(on_post(asks_to_wait("30")).times(1000));
    let started = steady();
    let ran = town.monitor(&[]).await;
    is_halted(&town, &ran, 3);
    assert!(started.elapsed() < Duration::from_secs(10), "a wait that is too long is not waited for");
    assert!(problems(&ran).contains("429"), "{}", problems(&ran));
    let requests = town.sandbox.model().requests();
    let halted = requests.iter().position(|asked| asked.path.contains(":commit")).unwrap();
    let told = requests.iter().position(|asked| asked.service == Service::Slack).unwrap();
    assert!(halted < told, "the store first");
    is_red(&town.on_github_at(A_MINUTE_LATER).await, "429");

    town.slack_is_well();
    assert_eq!(town.run_at(A_QUARTER_LATER).await.code(), 0);
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn f49_a_short_wait_is_waited_for() {
    for busy in
        [asks_to_wait("1"), FaultKind::Status(word("ratelimited")), FaultKind::Status(word("rate_limited"))]
    {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.slack_does(on_post(busy));
        is_halted(&town, &town.monitor(&[]).await, 0);
        assert_eq!((town.messages().len(), town.asked_of_slack("chat.postMessage").len()), (1, 2));
    }
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.sandbox.model().set_slack_posts_per_second(Some(0));
    let lifted = async {
        while town.asked_of_slack("chat.postMessage").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        town.sandbox.model().set_slack_posts_per_second(None);
    };
    let (ran, ()) = tokio::join!(town.monitor(&[]), lifted);
    is_halted(&town, &ran, 0);
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn f49_no_wait_is_longer_than_the_deadline_of_the_run() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.slack_does(on_post(asks_to_wait("15")).times(1000));
    let started = steady();
    let ran = town.monitor(&["--deadline", "8s"]).await;
    is_halted(&town, &ran, 3);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn f50_a_message_whose_answer_was_lost_is_found_and_not_said_twice() {
    let kinds = [
        FaultKind::CloseAfter,
        FaultKind::Empty,
        FaultKind::Truncated,
        FaultKind::StatusAfter(CannedReply::status(503)),
        FaultKind::StatusAfter(word("internal_error")),
        FaultKind::StatusAfter(CannedReply::status(200).with_body(json!({}))),
        FaultKind::StatusAfter(no_answer_of_slacks()),
    ];
    for kind in kinds {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.slack_does(on_post(kind.clone()));
        is_halted(&town, &town.monitor(&[]).await, 3);
        assert_eq!(town.messages().len(), 1);
        for later in [A_QUARTER_LATER, AN_HOUR_LATER] {
            assert_eq!(town.run_at(later).await.code(), 0, "{kind:?}");
            assert_eq!(town.messages().len(), 1, "{kind:?}: {:?}", town.messages());
        }
        assert_eq!(town.asked_of_slack("chat.postMessage").len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn f50_a_reply_whose_answer_was_lost_is_found_in_its_thread() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    town.gets_worse();
    town.slack_does(on_post(FaultKind::CloseAfter));
    assert_eq!(town.run_at(A_MINUTE_LATER).await.code(), 3);
    assert_eq!(town.run_at(A_QUARTER_LATER).await.code(), 0);
    let messages = town.shown(CHANNEL);
    assert_eq!((messages.len(), &messages[1]["thread_ts"]), (2, &messages[0]["ts"]));
}

#[tokio::test]
async fn f51_a_message_that_did_not_arrive_is_sent_again() {
    let kinds = [
        FaultKind::Close,
        FaultKind::Html,
        status(503),
        FaultKind::Status(word("fatal_error")),
        FaultKind::Status(no_answer_of_slacks()),
        FaultKind::Status(CannedReply::status(200).with_body(json!({"ok": "false"}))),
        FaultKind::Status(CannedReply::status(200).with_body(Value::Null)),
    ];
    for kind in kinds {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.slack_does(on_post(kind.clone()));
        is_halted(&town, &town.monitor(&[]).await, 3);
        assert!(town.messages().is_empty());
        for later in [A_QUARTER_LATER, AN_HOUR_LATER] {
            assert_eq!(town.run_at(later).await.code(), 0, "{kind:?}");
            assert_eq!(town.messages().len(), 1, "{kind:?}: {:?}", town.messages());
        }
    }
}

#[tokio::test]
async fn f52_what_could_not_be_said_for_hours_is_said_in_order_and_with_its_time() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.slack_does(Fault::new(Service::Slack, status(503)).times(100_000));
    assert_eq!(town.monitor(&[]).await.code(), 3, "the warning is not told");
    town.gets_worse();
    is_halted(&town, &town.run_at(A_QUARTER_LATER).await, 3);
    is_red(&town.on_github_at("2026-11-18T14:00:00Z").await, "503");
    is_red(&town.on_github_at("2026-11-18T15:00:00Z").await, "503");
    assert!(town.messages().is_empty());

    town.slack_is_well();
    let ran = town.run_at("2026-11-18T15:15:00Z").await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let (texts, messages) = (town.messages(), town.shown(CHANNEL));
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].starts_with("⚠️ WARNING") && texts[0].contains("This is of 2026-11-18 12:00 UTC"),
        "{texts:?}"
    );
    assert!(
        texts[1].starts_with("🛑 HALTED") && texts[1].contains("This is of 2026-11-18 12:15 UTC"),
        "{texts:?}"
    );
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"], "the thread is whole");
    assert_eq!(town.run_at("2026-11-18T15:30:00Z").await.code(), 0);
    assert_eq!(town.messages().len(), 2);
}

#[tokio::test]
async fn f52_after_a_failure_nothing_later_overtakes() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.slack_does(on_post(status(503)));
    town.monitor(&[]).await;
    town.gets_worse();
    // The look-up of the warning fails, so the halt waits for the next run.
    town.slack_does(Fault::new(Service::Slack, status(403)).on("GET", "conversations.history").times(9));
    is_halted(&town, &town.run_at(A_QUARTER_LATER).await, 3);
    assert!(town.messages().is_empty(), "{:?}", town.messages());
    town.slack_is_well();
    assert_eq!(town.run_at(AN_HOUR_LATER).await.code(), 0);
    let texts = town.messages();
    assert!(texts[0].contains("WARNING") && texts[1].contains("HALTED") && texts.len() == 2, "{texts:?}");
}

#[tokio::test]
async fn f53_a_refusal_that_only_a_person_can_mend_is_red_with_its_fix() {
    let refusals = [
        ("channel_not_found", "[slack] channel"),
        ("not_in_channel", "/invite"),
        ("is_archived", "unarchive"),
        ("invalid_auth", "xoxb-"),
        ("token_revoked", "xoxb-"),
        ("account_inactive", "xoxb-"),
        ("missing_scope", "chat:write"),
        ("restricted_action", "Posting permissions"),
        ("msg_too_long", "report it"),
    ];
    for (error, fix) in refusals {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.slack_does(on_post(FaultKind::Status(word(error))).times(1000));
        let ran = town.monitor(&[]).await;
        is_halted(&town, &ran, 3);
        assert!(problems(&ran).contains(error) && problems(&ran).contains(fix), "{}", problems(&ran));
        let later = town.on_github_at(A_QUARTER_LATER).await;
        is_red(&later, error);
        is_red(&later, fix);
        assert_eq!(town.asked_of_slack("chat.postMessage").len(), 1, "{error}: it rests for an hour");
    }
}

#[tokio::test]
async fn f53_a_dead_letter_is_tried_once_an_hour_for_a_day() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let model = town.sandbox.model();
    model.set_slack_access(CHANNEL, ChannelAccess::NotInChannel).unwrap();
    let posts = || town.asked_of_slack("chat.postMessage").len();
    for (now, tries) in [(NOW, 1), (A_QUARTER_LATER, 1), ("2026-11-18T12:59:00Z", 1), (AN_HOUR_LATER, 2)] {
        let ran = town.run_at(now).await;
        assert_eq!((ran.code(), posts()), (3, tries), "{now}: {}", ran.stderr());
        assert!(problems(&ran).contains("/invite"), "{now}: {}", problems(&ran));
    }
    assert!(
        problems(&town.run_at("2026-11-18T13:15:00Z").await).contains("not told since 2026-11-18 12:00 UTC")
    );

    model.set_slack_access(CHANNEL, ChannelAccess::Member).unwrap();
    let ran = town.run_at("2026-11-18T14:02:00Z").await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(town.messages().len(), 1);
    assert!(town.messages()[0].contains("This is of 2026-11-18 12:00 UTC"), "{:?}", town.messages());

    let town = Town::new(Apps::Android, Events::Bad).await;
    town.sandbox.model().set_slack_access(CHANNEL, ChannelAccess::Archived).unwrap();
    assert_eq!(town.monitor(&[]).await.code(), 3);
    town.sandbox.model().clear_requests();
    let ran = town.run_at(A_DAY_LATER).await;
    assert_eq!(
        (ran.code(), town.asked_of_slack("").len()),
        (0, 0),
        "it is too old to matter: {}",
        ran.stderr()
    );
}

#[tokio::test]
async fn f53_what_the_channel_refuses_is_told_in_the_fallback_channel() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.with_fallback();
    town.sandbox.model().set_slack_access(CHANNEL, ChannelAccess::Archived).unwrap();
    let ran = town.monitor(&[]).await;
    is_halted(&town, &ran, 3);
    assert!(problems(&ran).contains("unarchive"), "{}", problems(&ran));
    for later in [A_QUARTER_LATER, AN_HOUR_LATER] {
        let ran = town.run_at(later).await;
        assert_eq!(ran.code(), 0, "it counts as told: {}", ran.stderr());
    }
    let told = town.messages_in(FALLBACK);
    assert!(told.len() == 1 && told[0].starts_with("🛑 HALTED"), "{told:?}");
    assert!(told[0].contains(&format!("in channel {CHANNEL}: is_archived")), "{told:?}");
    assert!(town.messages().is_empty());
}

#[tokio::test]
async fn f53_a_run_that_is_killed_while_it_tells_the_fallback_channel_tells_it_once() {
    for kind in [FaultKind::Hang, FaultKind::HangAfter] {
        for passed in 0..9 {
            let town = Town::new(Apps::Android, Events::Bad).await;
            town.with_fallback();
            town.sandbox.model().set_slack_access(CHANNEL, ChannelAccess::Archived).unwrap();
            let reached = town.kill_at(Fault::new(Service::Slack, kind.clone()).after(passed)).await;
            let place = format!("killed at request {passed} with {kind:?}");
            town.run_at(A_QUARTER_LATER).await;
            town.run_at(AN_HOUR_LATER).await;
            assert_eq!(town.messages_in(FALLBACK).len(), 1, "{place}: {:?}", town.messages_in(FALLBACK));
            if reached == Reached::No {
                assert!(passed > 1, "{place}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn f53_a_fallback_that_refuses_too_leaves_a_dead_letter() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.with_fallback();
    for channel in [CHANNEL, FALLBACK] {
        town.sandbox.model().set_slack_access(channel, ChannelAccess::NotInChannel).unwrap();
    }
    let ran = town.monitor(&[]).await;
    is_halted(&town, &ran, 3);
    assert!(problems(&ran).contains(CHANNEL) && problems(&ran).contains(FALLBACK), "{}", problems(&ran));
    is_red(&town.on_github_at(A_QUARTER_LATER).await, "not told since");
    town.sandbox.model().set_slack_access(FALLBACK, ChannelAccess::Member).unwrap();
    assert_eq!(town.run_at(AN_HOUR_LATER).await.code(), 3);
    assert_eq!((town.messages_in(FALLBACK).len(), town.messages().len()), (1, 0));
}

#[tokio::test]
async fn f54_under_a_deleted_warning_a_new_thread_begins_and_goes_on() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let warning = town.shown(CHANNEL)[0]["ts"].as_str().unwrap().to_owned();
    town.sandbox.model().delete_slack_message(CHANNEL, &warning).unwrap();
    town.gets_worse();
    let refused = Fault::new(Service::GooglePlay, status(403)).on("PUT", "/tracks/");
    town.sandbox.model().add_fault(refused);
    assert_eq!(town.run_at(A_MINUTE_LATER).await.code(), 1);
    let messages = town.shown(CHANNEL);
    assert!(messages.len() == 1 && messages[0].get("thread_ts").is_none(), "{messages:#?}");
    assert!(town.messages()[0].starts_with("🚨 HALT FAILED"), "{:?}", town.messages());

    let ran = town.run_at(A_QUARTER_LATER).await;
    is_halted(&town, &ran, 0);
    let messages = town.shown(CHANNEL);
    assert_eq!((messages.len(), &messages[1]["thread_ts"]), (2, &messages[0]["ts"]), "the thread goes on");
    assert_eq!(messages[1]["subtype"], "thread_broadcast");
}

#[tokio::test]
async fn f54_a_thread_that_slack_does_not_know_is_no_reason_to_be_silent() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    town.gets_worse();
    town.slack_does(on_post(FaultKind::Status(word("thread_not_found"))));
    is_halted(&town, &town.run_at(A_MINUTE_LATER).await, 0);
    let messages = town.shown(CHANNEL);
    assert!(messages.len() == 2 && messages[1].get("thread_ts").is_none(), "{messages:#?}");
}

#[tokio::test]
async fn f54_a_lost_answer_under_a_deleted_warning_is_found_in_the_channel() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let warning = town.shown(CHANNEL)[0]["ts"].as_str().unwrap().to_owned();
    town.sandbox.model().delete_slack_message(CHANNEL, &warning).unwrap();
    town.gets_worse();
    town.slack_does(on_post(FaultKind::CloseAfter));
    is_halted(&town, &town.run_at(A_MINUTE_LATER).await, 3);
    assert_eq!(town.run_at(A_QUARTER_LATER).await.code(), 0);
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn f54_something_new_about_a_deleted_warning_is_said_anew() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.configure("[rules.crash-free-sessions-halt]\nmode = \"warn\"\n");
    town.monitor(&[]).await;
    let warning = town.shown(CHANNEL)[0]["ts"].as_str().unwrap().to_owned();
    town.sandbox.model().delete_slack_message(CHANNEL, &warning).unwrap();
    town.gets_worse();
    for later in [A_MINUTE_LATER, A_QUARTER_LATER] {
        let ran = town.run_at(later).await;
        assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("warn")), "{}", ran.stderr());
        assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
    }
}

#[tokio::test]
async fn f55_without_a_look_a_halt_is_told_at_least_once() {
    for (kind, told) in [(FaultKind::CloseAfter, 2), (FaultKind::Close, 1)] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.scopes(&["chat:write"]);
        town.slack_does(on_post(kind));
        is_halted(&town, &town.monitor(&[]).await, 3);
        let early = town.monitor(&[]).await;
        assert_eq!(
            (early.code(), town.asked_of_slack("chat.postMessage").len()),
            (3, 1),
            "it may still arrive"
        );
        assert!(problems(&early).contains("channels:history"), "{}", problems(&early));
        for later in [A_MINUTE_LATER, A_QUARTER_LATER] {
            assert_eq!(town.run_at(later).await.code(), 0);
            assert_eq!(town.messages().len(), told, "{:?}", town.messages());
        }
    }
}

#[tokio::test]
async fn f55_without_a_look_a_warning_is_told_at_most_once() {
    for (kind, told) in [(FaultKind::CloseAfter, 1), (FaultKind::Close, 0)] {
        let town = Town::new(Apps::Android, Events::Doubtful).await;
        town.scopes(&["chat:write"]);
        town.slack_does(on_post(kind));
        assert_eq!(town.monitor(&[]).await.code(), 3);
        let ran = town.run_at(A_MINUTE_LATER).await;
        assert_eq!((ran.code(), town.messages().len()), (3, told), "{}", ran.stderr());
        assert!(problems(&ran).contains("not told twice"), "{}", problems(&ran));
        let ran = town.run_at(A_QUARTER_LATER).await;
        assert_eq!(
            (ran.code(), town.messages().len()),
            (0, told),
            "said once, then it is settled: {}",
            ran.stderr()
        );
    }
}

#[tokio::test]
async fn i11_where_slack_fails_the_run_is_red() {
    let away = [
        status(500),
        status(403),
        FaultKind::Close,
        FaultKind::Html,
        FaultKind::Status(word("team_added_to_org")),
    ];
    for kind in away {
        for events in [Events::Bad, Events::Doubtful, Events::Good] {
            let town = Town::new(Apps::Android, events).await;
            town.slack_does(Fault::new(Service::Slack, kind.clone()).times(100_000));
            let ran = town.on_github_at(NOW).await;
            is_red(&ran, "Slack");
            assert_eq!(town.store_status(), town.status_after(events), "and it acts all the same");
        }
    }
}

#[tokio::test]
async fn a_message_that_slack_refuses_for_its_blocks_is_sent_as_text() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.slack_does(on_post(FaultKind::Status(word("invalid_blocks"))));
    is_halted(&town, &town.monitor(&[]).await, 0);
    let messages = town.shown(CHANNEL);
    assert!(messages.len() == 1 && messages[0].get("blocks").is_none(), "{messages:#?}");
}

#[tokio::test]
async fn a_webhook_tells_and_says_what_it_lacks() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.by_webhook();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert!(ran.result()["notices"][0].as_str().unwrap().contains("no threads"), "{}", ran.stdout());
    assert!(ran.stderr().contains("note: Slack by incoming webhook"), "{}", ran.stderr());
    town.gets_worse();
    is_halted(&town, &town.run_at(A_MINUTE_LATER).await, 0);
    let (texts, messages) = (town.messages(), town.shown(CHANNEL));
    assert!(texts.len() == 2 && texts[1].starts_with("🛑 HALTED"), "{texts:?}");
    assert!(texts.iter().all(|text| text.contains("no threads, no edits, may come twice")), "{texts:?}");
    assert!(messages.iter().all(|message| message.get("thread_ts").is_none()));
    assert_eq!(town.run_at(A_QUARTER_LATER).await.code(), 0);
    assert_eq!(town.messages().len(), 2);
}

#[tokio::test]
async fn a_webhook_says_something_new_in_a_new_message() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.by_webhook();
    town.monitor(&[]).await;
    town.gets_worse();
    let text = std::fs::read_to_string(town.path("tidegate.toml")).unwrap();
    let text = text + "[rules.crash-free-sessions-halt]\nmode = \"warn\"\n";
    std::fs::write(town.path("tidegate.toml"), text).unwrap();
    for later in [A_MINUTE_LATER, A_QUARTER_LATER] {
        assert_eq!(town.run_at(later).await.code(), 0);
        let about_settings = |text: &&String| text.contains("OTHER SETTINGS");
        let others = town.messages().len() - town.messages().iter().filter(about_settings).count();
        assert_eq!(others, 2, "{:?}", town.messages());
        assert!(!town.messages()[1].contains("This is of"), "it is new: {:?}", town.messages());
    }
}

#[tokio::test]
async fn after_a_lost_answer_a_webhook_tells_a_halt_again_and_a_warning_not() {
    for (events, told) in [(Events::Bad, 2), (Events::Doubtful, 1)] {
        let town = Town::new(Apps::Android, events).await;
        town.by_webhook();
        town.slack_does(Fault::new(Service::Slack, FaultKind::CloseAfter).on("POST", "/services/"));
        assert_eq!(town.monitor(&[]).await.code(), 3);
        town.run_at(A_MINUTE_LATER).await;
        assert_eq!(town.run_at(A_QUARTER_LATER).await.code(), 0);
        assert_eq!(town.messages().len(), told, "{:?}", town.messages());
    }
}

#[tokio::test]
async fn what_a_webhook_refuses_is_named_and_its_address_never() {
    let secret = WEBHOOK.rsplit('/').next().unwrap();
    let silent = |ran: &Ran| {
        let shown = ran.stdout() + &ran.stderr();
        assert!(!shown.contains(secret) && !shown.contains("B0WEBHOOK1"), "{shown}");
    };
    let refusals = [
        (400, "invalid_payload", "report it"),
        (403, "action_prohibited", "administrator"),
        (404, "no_service", "make a new webhook"),
        (410, "channel_is_archived", "unarchive"),
    ];
    for (code, error, fix) in refusals {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.by_webhook();
        let refusal = CannedReply::status(code).with_body(json!(error));
        town.slack_does(Fault::new(Service::Slack, FaultKind::Status(refusal)).times(9));
        let ran = town.monitor(&[]).await;
        is_halted(&town, &ran, 3);
        assert!(problems(&ran).contains(error) && problems(&ran).contains(fix), "{}", problems(&ran));
        silent(&ran);
        is_red(&town.on_github_at(A_QUARTER_LATER).await, "not told since");
    }
    for kind in [
        status(500),
        FaultKind::Close,
        FaultKind::Html,
        FaultKind::Redirect { location: "http://127.0.0.1:9/".into() },
    ] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.by_webhook();
        town.slack_does(Fault::new(Service::Slack, kind).times(9));
        let ran = town.monitor(&[]).await;
        is_halted(&town, &ran, 3);
        silent(&ran);
    }
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.by_webhook();
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW, "--output", "json"]);
    command.env("SLACK_WEBHOOK", format!("http://127.0.0.1:1{WEBHOOK}"));
    let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    is_halted(&town, &ran, 3);
    silent(&ran);
}

#[tokio::test]
async fn a_webhook_elsewhere_is_refused_before_anything_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.by_webhook();
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW]);
    command.env("SLACK_WEBHOOK", "https://evil.example/services/T0/B0/canary");
    let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert!(ran.code() == 2 && ran.stderr().contains("hooks.slack.com"), "{}", ran.stderr());
    assert!(
        !ran.stderr().contains("canary") && town.sandbox.model().requests().is_empty(),
        "{}",
        ran.stderr()
    );
}
