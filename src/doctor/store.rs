//! The store of an app: can its releases be listed. That they may be changed is seen by a person only.

use super::Patient;
use super::google::Google;
use super::secrets::Secrets;
use crate::adapters::google::Scope;
use crate::config::{App, Target};
use crate::domain::release::{Release, RolloutStatus};
use crate::report::checks::Check;

const CHECK: &str = "store";
const RIGHT: &str = "store-right";

/// Lists the releases of an app.
pub async fn check(patient: &Patient<'_>, app: &App, google: &Google, secrets: &Secrets) -> Vec<Check> {
    let subject = app.target.place();
    if let Some(missing) = lacks(app, google, secrets) {
        return vec![Check::skipped(CHECK, subject, missing)];
    }
    let listed = match patient.parts.target(app).await {
        Ok(target) => target.releases().await.map_err(|error| error.to_string()),
        Err(ended) => Err(ended.to_string()),
    };
    match listed {
        Ok(releases) => vec![Check::ok(CHECK, subject, told(&releases)), right(app)],
        Err(error) => vec![Check::failed(CHECK, subject, &error)],
    }
}

fn lacks(app: &App, google: &Google, secrets: &Secrets) -> Option<String> {
    let key = match &app.target {
        Target::GooglePlay { credentials: None, .. } => {
            return (!google.has(Scope::Play)).then(|| "there is no Google token for Google Play".to_owned());
        }
        Target::GooglePlay { credentials: Some(key), .. } => key,
        Target::AppStore { private_key, .. } => private_key,
    };
    (!secrets.has(key)).then(|| format!("the secret {key} is missing"))
}

fn told(releases: &[Release]) -> String {
    let on_its_way = |release: &&Release| release.status == RolloutStatus::RollingOut;
    let name = |release: &Release| match release.user_fraction {
        Some(fraction) => format!("{} to {fraction} of users", release.version),
        None => release.version.to_string(),
    };
    let rolling: Vec<String> = releases.iter().filter(on_its_way).map(name).collect();
    let rolling = if rolling.is_empty() { "none".to_owned() } else { rolling.join(", ") };
    format!("{} releases are listed; rolling out: {rolling}", releases.len())
}

/// Where a person sees the right that reading does not prove.
fn right(app: &App) -> Check {
    let place = match &app.target {
        Target::GooglePlay { package, .. } => format!(
            "Play Console > Users and permissions > the service account > App permissions > {package}: \"Release to \
             production, exclude devices, and use Play App Signing\""
        ),
        Target::AppStore { key_id, .. } => format!(
            "App Store Connect > Users and Access > Integrations > App Store Connect API > key {key_id}: role App Manager"
        ),
    };
    let why = "not proved: reading does not need it, and only a change would show it";
    Check::skipped(RIGHT, "right to change releases", why).with_fix(place)
}
