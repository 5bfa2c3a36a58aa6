//! `doctor`: looks at everything that a run needs and changes nothing. What is wrong comes with its fix.

use super::print;
use crate::cli::{Common, Output};
use crate::doctor;
use crate::exit::{Ended, Exit};
use crate::report::checks;
use crate::world;

/// Looks at everything, and shows what was found.
///
/// # Errors
/// A usage error where there is no configuration, it is wrong, or it does not have an app that was named.
pub async fn doctor(common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    let found = doctor::examine(&loaded, &common.apps).await?;
    match common.output {
        Output::Human => print::out(&checks::text(&found)),
        Output::Json => print::out(&print::pretty(&checks::document(&found))),
        Output::Ndjson => {
            found.iter().for_each(|check| print::out(&print::line(&serde_json::json!(check))));
        }
        Output::Github => {
            print::out(&checks::text(&found));
            print::commands(&checks::annotations(&found));
        }
    }
    Ok(if checks::any_failed(&found) { Exit::Failed } else { Exit::Success })
}
