//! The machine's clock against that of a service: tokens that are signed here are refused where they differ.

use jiff::Timestamp;

use super::Patient;
use crate::adapters::clock::{SystemClock, offset};
use crate::adapters::{app_store_connect, bigquery, google_play, slack};
use crate::config::{Target, Warehouse};
use crate::domain::skew::{DOUBTFUL, FIX, WRONG};
use crate::ports::Clock as _;
use crate::report::checks::Check;

const CHECK: &str = "clock";

/// Compares the clock with the first service that says what time it is.
pub async fn check(patient: &Patient<'_>) -> Check {
    let mut unreached = Vec::new();
    for service in services(patient) {
        let before = SystemClock.now();
        let told = service.time().await;
        let after = SystemClock.now();
        match told {
            Ok(Some(there)) => return compared(service.name, before, after, there),
            Ok(None) => unreached.push(format!("{} does not say what time it is", service.name)),
            Err(error) => unreached.push(error.to_string()),
        }
    }
    let fix = "check the network: the machine must reach the services by HTTPS";
    Check::failed(CHECK, "clock", &unreached.join("; ")).with_fix(fix)
}

fn services(patient: &Patient<'_>) -> Vec<crate::adapters::http::Service> {
    let (config, parts) = (&patient.loaded.config, &patient.parts);
    let endpoints = &config.endpoints;
    let mut services = Vec::new();
    if matches!(config.warehouse, Warehouse::BigQuery { .. }) {
        services.push(parts.service("BigQuery", endpoints.bigquery.as_ref(), bigquery::BASE_URL));
    }
    for app in &patient.apps {
        services.push(match &app.target {
            Target::GooglePlay { .. } => {
                parts.service("Google Play", endpoints.google_play.as_ref(), google_play::BASE_URL)
            }
            Target::AppStore { .. } => {
                let endpoint = endpoints.app_store_connect.as_ref();
                parts.service("App Store Connect", endpoint, app_store_connect::BASE_URL)
            }
        });
    }
    services.push(parts.service("Slack", endpoints.slack.as_ref(), slack::BASE_URL));
    services
}

fn compared(service: &str, before: Timestamp, after: Timestamp, there: Timestamp) -> Check {
    let skew = offset(before, after, there);
    let (off, word) = (skew.abs(), if skew.is_negative() { "ahead of" } else { "behind" });
    let found = match off.as_secs() {
        0 => format!("agrees with {service}"),
        seconds => format!("{seconds} s {word} {service}"),
    };
    match off {
        off if off > WRONG => Check::failed(CHECK, "clock", &found).with_fix(FIX),
        off if off > DOUBTFUL => Check::warning(CHECK, "clock", found, FIX),
        _ => Check::ok(CHECK, "clock", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::checks::Status;
    use jiff::SignedDuration;

    fn off(local: &str) -> (Status, String) {
        let there: Timestamp = "2026-11-18T12:00:00Z".parse().unwrap();
        let local: Timestamp = local.parse().unwrap();
        let check = compared("Slack", local, local + SignedDuration::from_millis(300), there);
        (check.status, check.found)
    }

    #[test]
    fn a_minute_is_doubtful_and_five_are_wrong() {
        assert_eq!(off("2026-11-18T12:00:00.9Z"), (Status::Ok, "agrees with Slack".to_owned()));
        assert_eq!(off("2026-11-18T12:01:00Z"), (Status::Ok, "59 s ahead of Slack".to_owned()));
        assert_eq!(off("2026-11-18T11:58:30Z"), (Status::Warning, "89 s behind Slack".to_owned()));
        assert_eq!(off("2026-11-18T14:00:00Z").0, Status::Failed);
        assert_eq!(off("2026-11-18T10:00:00Z").0, Status::Failed);
    }
}
