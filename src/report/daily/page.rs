//! The report as one page: a file that asks nobody for anything, in light and dark, on a phone and on paper.
//!
//! What comes from outside is put in as text by the template engine and nowhere else; an address is a link only where it
//! begins with `https://`. The page has no script, and its own policy forbids whatever it does not hold. Numbers carry
//! their full value and their place in the report's JSON (`data-value`, `data-key`), so that a test can compare the two.
//! Hundreds of apps stay usable: a list at the top leads to each, and a browser lays out only what is seen.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, Chart, Format};
use super::series;
use super::words::{self, Standing, Tone};
use crate::domain::daily::{AppPage, DailyReport, Fix, Look, Measured, ReleasePage, TopCrash};
use crate::domain::message::{Link, grouped};
use crate::domain::plain;
use crate::domain::verdict::Evidence;

/// Nothing may be loaded, run, framed or sent.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("page.css");
/// Text from outside is cut there: a title is a line.
const LONGEST_TEXT: usize = 300;
/// Decisions that a page lists; the ledger has them all.
const MOST_DECISIONS: usize = 12;
/// The only way that a link may lead.
const HTTPS: &str = "https://";

/// The page.
#[must_use]
pub fn html(report: &DailyReport) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                link rel="icon" href="data:,";
                title { (title(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#apps" { "Skip to the apps" }
                div.wide { (top(report)) (index(report)) (apps(report)) (foot(report)) }
            }
        }
    };
    page.into_string()
}

fn title(report: &DailyReport) -> String {
    let standings: Vec<String> = words::census(&report.apps)
        .iter()
        .map(|(standing, count)| format!("{count} {}", standing.word.to_lowercase()))
        .collect();
    format!(
        "Release report: {}",
        if standings.is_empty() { "no app".to_owned() } else { standings.join(", ") }
    )
}

fn top(report: &DailyReport) -> Markup {
    let made = report.at.strftime("%A, %-d %B %Y, %H:%M UTC").to_string();
    html! {
        header.top {
            h1 { "Release report" }
            p.quiet { time datetime=(report.at) { (made) } }
            ul.census aria-label="How many apps stand how" {
                @for (standing, count) in words::census(&report.apps) {
                    li { (badge(standing, Some(count))) }
                }
            }
        }
    }
}

fn badge(standing: Standing, count: Option<usize>) -> Markup {
    html! {
        span.badge.(tone(standing.tone)) {
            span aria-hidden="true" { (standing.symbol) }
            @if let Some(count) = count { (count) " " (standing.word.to_lowercase()) } @else { (standing.word) }
        }
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Doubt => "doubt",
        Tone::Good => "good",
        Tone::Calm => "calm",
        Tone::Unknown => "none",
    }
}

/// The list of apps, each a link to its part of the page.
fn index(report: &DailyReport) -> Markup {
    html! {
        nav.card id="list" aria-label="Apps" {
            table.index {
                caption { "Apps" }
                thead {
                    tr {
                        th scope="col" { "App" }
                        th scope="col" { "State" }
                        th.number scope="col" { "Crash-free sessions" }
                        th.number.offered scope="col" { "Sessions" }
                        th.number.offered scope="col" { "Offered to" }
                    }
                }
                tbody { @for page in &report.apps { (row(page)) } }
            }
        }
    }
}

fn row(page: &AppPage) -> Markup {
    let release = page.release.as_ref();
    let cycle = release.and_then(|release| release.cycle.as_ref());
    let share = release.and_then(|release| release.user_fraction);
    html! {
        tr {
            th scope="row" {
                a href=(format!("#{}", anchor(page))) { (page.app) }
                @if let Some(release) = release {
                    br; span.quiet.small { (page.platform) " " (outside(release.version.as_str())) }
                }
            }
            td { (badge(words::standing(page), None)) }
            td.number { (cycle.map_or(words::UNKNOWN.to_owned(), |cycle| words::rate(&cycle.sessions))) }
            td.number.offered { (cycle.map_or(words::UNKNOWN.to_owned(), |cycle| grouped(cycle.sessions.valid))) }
            td.number.offered { (share.map_or(words::UNKNOWN.to_owned(), |share| share.to_string())) }
        }
    }
}

fn anchor(page: &AppPage) -> String {
    format!("app-{}", page.app)
}

fn apps(report: &DailyReport) -> Markup {
    html! {
        main id="apps" { @for page in &report.apps { (app(page, report)) } }
    }
}

fn app(page: &AppPage, report: &DailyReport) -> Markup {
    let id = anchor(page);
    let heading = format!("{id}-heading");
    html! {
        section.card.app id=(id) aria-labelledby=(heading) data-app=(page.app) {
            div.head {
                div {
                    h2 id=(heading) { (page.app) }
                    p.quiet { (subtitle(page)) }
                }
                (badge(words::standing(page), None))
            }
            p.verdict { (words::verdict(page).replace(" %", "\u{a0}%")) }
            (problems(page))
            @if let Some(release) = &page.release { (of_release(page, release, report)) }
            (links(page))
        }
    }
}

fn subtitle(page: &AppPage) -> Markup {
    html! {
        (page.platform)
        @if let Some(release) = &page.release {
            " version " strong { (datum("release.version", Some(shown(release.version.as_str())), &shown(release.version.as_str()))) }
            @if !release.builds.is_empty() {
                @let builds: Vec<&str> = release.builds.iter().map(|build| build.as_str()).collect();
                " (" (outside(&builds.join(", "))) ")"
            }
            ", since " (words::short_moment(release.cycle_start, &page.zone))
        }
        ", times of " (words::zone(&page.zone))
    }
}

/// What went wrong, where something did.
fn problems(page: &AppPage) -> Markup {
    let unwatched = page.unwatched_hours.map(|hours| {
        format!("Nobody was watching: the monitor completed no run for {hours} h before this report.")
    });
    let found: Vec<String> = unwatched.into_iter().chain(page.problems.iter().cloned()).collect();
    html! {
        @if !found.is_empty() {
            ul.problems aria-label="What went wrong" { @for problem in found { li { (outside(&problem)) } } }
        }
    }
}

fn of_release(page: &AppPage, release: &ReleasePage, report: &DailyReport) -> Markup {
    html! {
        (figures(page, release))
        (drawing(page, release))
        div.parts {
            (rates(release))
            (facts(page, release, report))
            @if let Some(fix) = &release.fix { (of_fix(fix, release)) }
            (crashes(page, release))
            (decisions(page, release))
        }
    }
}

/// The numbers that most readers come for.
fn figures(page: &AppPage, release: &ReleasePage) -> Markup {
    let cycle = release.cycle.as_ref();
    html! {
        dl.figures {
            (rate_figure("Crash-free sessions", "sessions", cycle.map(|cycle| &cycle.sessions)))
            (rate_figure("Crash-free users", "users", cycle.map(|cycle| &cycle.users)))
            div {
                dt { "Sessions" }
                dd.value { (number("release.cycle.sessions.valid", cycle.map(|cycle| cycle.sessions.valid))) }
                @if let Some(cycle) = cycle {
                    dd { (number("release.cycle.sessions.crashed", Some(cycle.sessions.crashed))) " crashed" }
                }
            }
            div {
                dt { "Offered to" }
                dd.value { (share(page)) }
                @if let Some(next) = &release.next { dd { "next: " (words::next(next)) } }
            }
        }
    }
}

fn share(page: &AppPage) -> Markup {
    let share = page.release.as_ref().and_then(|release| release.user_fraction);
    datum(
        "release.user_fraction",
        share.map(|share| share.get()),
        &share.map_or_else(|| words::UNKNOWN.to_owned(), |share| share.to_string()),
    )
}

fn rate_figure(name: &str, side: &str, evidence: Option<&Evidence>) -> Markup {
    let key = format!("release.cycle.{side}");
    html! {
        div {
            dt { (name) }
            @if let Some(evidence) = evidence {
                dd.value { (percent(&format!("{key}.rate"), evidence.rate, evidence)) }
                dd { (bounds(&key, evidence)) }
                dd { "objective " (percent(&format!("{key}.objective"), Some(evidence.objective.ratio()), evidence)) }
            } @else {
                dd.value { (words::UNKNOWN) }
            }
        }
    }
}

fn bounds(key: &str, evidence: &Evidence) -> Markup {
    html! {
        @if evidence.lower.is_some() {
            (percent(&format!("{key}.lower"), evidence.lower, evidence)) " to "
            (percent(&format!("{key}.upper"), evidence.upper, evidence))
        } @else { (words::UNKNOWN) }
    }
}

/// The chart in two formats, of which the style sheet shows one.
fn drawing(page: &AppPage, release: &ReleasePage) -> Markup {
    let (Some(wide), Some(narrow)) = (Chart::of(page, Format::WIDE), Chart::of(page, Format::NARROW)) else {
        return html! { p.quiet.small { "No chart: no look at this release has found a session yet." } };
    };
    let id = anchor(page);
    html! {
        figure {
            (svg(&wide, Format::WIDE, "wide-drawing", &format!("{id}-wide"), page))
            (svg(&narrow, Format::NARROW, "narrow", &format!("{id}-narrow"), page))
            figcaption {
                ul.legend aria-label="Legend" {
                    li { (key_line("s-line", false)) "rate and counts" }
                    li { (key_band()) "band between the bounds" }
                    li { (key_line("s-slo", true)) "objective (SLO)" }
                    @for kind in chart::legend(release) {
                        li { (key_mark(kind)) (kind.word()) }
                    }
                }
            }
        }
    }
}

fn svg(chart: &Chart<'_>, format: Format, class: &str, id: &str, page: &AppPage) -> Markup {
    let (width, height) = format.drawn();
    let (title, description) = (format!("{id}-title"), format!("{id}-description"));
    html! {
        svg.drawing.(class) role="img" aria-labelledby=(title) aria-describedby=(description)
            viewBox=(format!("0 0 {width} {height}")) xmlns="http://www.w3.org/2000/svg" {
            title id=(title) { "Crash-free sessions, sessions and users of " (page.app) " over the life of the release" }
            desc id=(description) { (chart.description()) }
            (PreEscaped(chart.svg()))
        }
    }
}

fn key_line(class: &str, is_dashed: bool) -> Markup {
    html! {
        svg viewBox="0 0 28 28" aria-hidden="true" {
            line class=(class) x1="2" y1="14" x2="26" y2="14" stroke-width="3.5" stroke-dasharray=[is_dashed.then_some("7 5")] {}
        }
    }
}

fn key_band() -> Markup {
    html! { svg viewBox="0 0 28 28" aria-hidden="true" { rect.f-band x="2" y="7" width="24" height="14" {} } }
}

fn key_mark(kind: series::MarkKind) -> Markup {
    html! {
        svg viewBox="0 0 56 56" aria-hidden="true" {
            (PreEscaped(chart::legend_shape(kind)))
            text.f-ink x="28" y=(if kind == series::MarkKind::Warn { "44" } else { "37" }) font-size="25" font-weight="bold" text-anchor="middle" {
                (kind.letter())
            }
        }
    }
}

/// The last day next to the whole cycle.
fn rates(release: &ReleasePage) -> Markup {
    let columns =
        [("release.last_day", release.last_day.as_ref()), ("release.cycle", release.cycle.as_ref())];
    html! {
        table.measures {
            caption { "Rates" }
            thead {
                tr {
                    th scope="col" { "Measure" }
                    th.number scope="col" { "Last day" }
                    th.number scope="col" { "Whole cycle" }
                }
            }
            tbody { (measures(&columns)) }
        }
    }
}

/// Two rows for each side, a column for each stretch of time.
fn measures(columns: &[(&str, Option<&Measured>)]) -> Markup {
    html! {
        @for (side, of) in [("sessions", sessions as fn(&Measured) -> &Evidence), ("users", users)] {
            tr {
                th scope="row" { "Crash-free " (side) }
                @for (key, measured) in columns { td.number { (rate_cell(&format!("{key}.{side}"), measured.map(of))) } }
            }
            tr {
                th scope="row" { (capital(side)) }
                @for (key, measured) in columns { td.number { (count_cell(&format!("{key}.{side}"), measured.map(of))) } }
            }
        }
    }
}

fn rate_cell(key: &str, evidence: Option<&Evidence>) -> Markup {
    let Some(evidence) = evidence else { return html! { (words::UNKNOWN) } };
    html! {
        (percent(&format!("{key}.rate"), evidence.rate, evidence))
        @if evidence.lower.is_some() { span.bounds.quiet.small { (bounds(key, evidence)) } }
    }
}

fn count_cell(key: &str, evidence: Option<&Evidence>) -> Markup {
    let Some(evidence) = evidence else { return html! { (words::UNKNOWN) } };
    html! {
        (number(&format!("{key}.valid"), Some(evidence.valid)))
        span.bounds.quiet.small { (number(&format!("{key}.crashed"), Some(evidence.crashed))) " crashed" }
    }
}

fn sessions(measured: &Measured) -> &Evidence {
    &measured.sessions
}

fn users(measured: &Measured) -> &Evidence {
    &measured.users
}

fn capital(side: &str) -> &'static str {
    if side == "users" { "Users" } else { "Sessions" }
}

/// What a fix has changed.
fn of_fix(fix: &Fix, release: &ReleasePage) -> Markup {
    let columns = [("release.fix.then", Some(&fix.then)), ("release.fix.now", Some(&fix.now))];
    html! {
        table.measures {
            caption { "What this version changed" }
            thead {
                tr {
                    th scope="col" { "Measure" }
                    th.number scope="col" { (outside(fix.before.as_str())) }
                    th.number scope="col" { (outside(release.version.as_str())) }
                }
            }
            tbody { (measures(&columns)) }
        }
        div {
            h3 { "Against " (outside(fix.before.as_str())) }
            dl.facts {
                dt { "Crash-free sessions" } dd { (words::difference(&fix.then.sessions, &fix.now.sessions)) }
                dt { "Crash-free users" } dd { (words::difference(&fix.then.users, &fix.now.users)) }
                dt { "Compared over" } dd { "the same stretch of time since each began" }
                @if let Some(reason) = fix.reason { dt { "It was stopped" } dd { (reason) } }
            }
        }
    }
}

/// The crashes that most reports are of.
fn crashes(page: &AppPage, release: &ReleasePage) -> Markup {
    let known = release.warehouse_at.map(|at| format!("counted {}", words::short_moment(at, &page.zone)));
    html! {
        div.whole {
            @if release.crashes.is_empty() {
                h3 { "Top crashes" }
                p.quiet { (if known.is_some() { "No crash report in this cycle." } else { "Not known: no daily report has counted them yet." }) }
            } @else {
                table.crashes role="table" {
                    caption { "Top crashes " span.quiet.small { (known.unwrap_or_default()) } }
                    thead role="rowgroup" {
                        tr role="row" {
                            th scope="col" role="columnheader" { "Crash" }
                            th.number scope="col" role="columnheader" { "Users" }
                            th.number scope="col" role="columnheader" { "Events" }
                            th scope="col" role="columnheader" { "Seen" }
                        }
                    }
                    tbody role="rowgroup" { @for (index, crash) in release.crashes.iter().enumerate() { (crash_row(index, crash)) } }
                }
            }
        }
    }
}

fn crash_row(index: usize, crash: &TopCrash) -> Markup {
    let key = format!("release.crashes.{index}");
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                strong { (datum(&format!("{key}.title"), Some(shown(&crash.title)), &shown(&crash.title))) }
                @if !crash.subtitle.trim().is_empty() { br; span.small { (outside(&crash.subtitle)) } }
                br; span.quiet.small {
                    (words::kind(crash.kind))
                    @if let Some(link) = crash.link.as_ref().filter(|link| leads(link)) { ", " (anchor_to(link)) }
                }
            }
            td.number role="cell" data-unit="users" { (number(&format!("{key}.users"), Some(crash.users))) }
            td.number role="cell" data-unit="events" { (number(&format!("{key}.events"), Some(crash.events))) }
            td role="cell" { (words::seen(crash.seen)) }
        }
    }
}

/// Freshness, cost, and what a store limits.
fn facts(page: &AppPage, release: &ReleasePage, report: &DailyReport) -> Markup {
    let fresh = &release.freshness;
    let told = |at| words::moment_and_age(at, report.at, &page.zone);
    html! {
        div {
            h3 { "Data and cost" }
            dl.facts {
                dt { "Counted up to" } dd { (told(fresh.through)) }
                dt { "Newest session" } dd { (told(fresh.newest_session_at)) }
                dt { "Newest crash" } dd { (told(fresh.newest_crash_at)) }
                @if release.warehouse_at.is_some() {
                    dt { "Sessions from" } dd { (words::origin(fresh.sessions_from)) }
                    dt { "Crashes from" } dd { (words::origin(fresh.crashes_from)) }
                }
                @if !fresh.absent.is_empty() {
                    dt { "Missing" } dd { @for table in &fresh.absent { (outside(&words::absent(table))) br; } }
                }
                @if let Some(phased) = &release.phased { dt { "Phased release" } dd { (words::phased(phased)) } }
                dt { "Cost" }
                dd {
                    (datum("cost.cycle_bytes", Some(page.cost.cycle_bytes), &words::bytes(page.cost.cycle_bytes))) " billed in this cycle, "
                    (datum("cost.month_bytes", Some(page.cost.month_bytes), &words::bytes(page.cost.month_bytes))) " this month"
                    @if let Some(budget) = page.cost.month_budget { " of " (words::bytes(budget)) }
                }
            }
        }
    }
}

/// What was decided, newest first.
fn decisions(page: &AppPage, release: &ReleasePage) -> Markup {
    let changes = series::changes(&release.history);
    let earlier = changes.len().saturating_sub(MOST_DECISIONS);
    html! {
        @if !changes.is_empty() {
            div.whole {
                table {
                    caption { "Decisions " span.quiet.small { "where they changed, newest first, out of " (release.history.len()) " looks" } }
                    thead {
                        tr {
                            th scope="col" { "When" }
                            th scope="col" { "Decision" }
                            th.number scope="col" { "Rate" }
                            th.number scope="col" { "Sessions" }
                        }
                    }
                    tbody { @for look in changes.iter().rev().take(MOST_DECISIONS) { (decision_row(page, look)) } }
                }
                @if earlier > 0 { p.quiet.small { (earlier) " earlier changes are in the ledger." } }
            }
        }
    }
}

fn decision_row(page: &AppPage, look: &Look) -> Markup {
    let objective = page.slo.crash_free_sessions;
    html! {
        tr {
            th scope="row" { (words::short_moment(look.at, &page.zone)) }
            td { strong { (look.decision.as_str()) } br; span.quiet.small { (look.reason) } }
            td.number { (look.rate.map_or(words::UNKNOWN.to_owned(), |rate| words::percent(rate, objective))) }
            td.number { (grouped(look.sessions)) }
        }
    }
}

fn links(page: &AppPage) -> Markup {
    let links = page.release.iter().flat_map(|release| &release.links).filter(|link| leads(link));
    html! {
        ul.links {
            @for link in links { li { (anchor_to(link)) } }
            li { a href="#list" { "Back to the list of apps" } }
        }
    }
}

fn foot(report: &DailyReport) -> Markup {
    html! {
        footer.quiet.small {
            p { "Rates round toward worse. Bands are those of the configured method at its confidence level. What is not known is not guessed." }
            p { "Shape " (report.report_version) " of this report; the same numbers are in report.json." }
        }
    }
}

fn leads(link: &Link) -> bool {
    link.url.starts_with(HTTPS)
}

fn anchor_to(link: &Link) -> Markup {
    html! { a href=(link.url) rel="noreferrer" { (outside(&link.label)) } }
}

/// Text from outside: on one line, without what is hidden, not longer than a line, in its own direction.
fn outside(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

fn shown(text: &str) -> String {
    plain::cut(plain::line(text).trim(), LONGEST_TEXT)
}

/// A value with its place in the JSON.
fn datum(key: &str, value: Option<impl std::fmt::Display>, shown: &str) -> Markup {
    html! { bdi data-key=(key) data-value=[value] { (shown) } }
}

fn number(key: &str, value: Option<u64>) -> Markup {
    datum(key, value, &value.map_or_else(|| words::UNKNOWN.to_owned(), grouped))
}

fn percent(key: &str, ratio: Option<f64>, evidence: &Evidence) -> Markup {
    let shown =
        ratio.map_or_else(|| words::UNKNOWN.to_owned(), |ratio| words::percent(ratio, evidence.objective));
    datum(key, ratio, &shown)
}
