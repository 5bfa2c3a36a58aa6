//! `config` and `schema`: the configuration itself.

use super::print;
use crate::cli::{Common, ConfigAction};
use crate::exit::{Ended, Exit};
use crate::world;

/// Checks or shows the configuration.
///
/// # Errors
/// A usage error for whatever is wrong in it.
pub fn config(action: ConfigAction, common: &Common) -> Result<Exit, Ended> {
    let loaded = world::load(common.config.as_deref())?;
    match action {
        ConfigAction::Check => {
            print::out(&format!("the configuration is right: {} apps\n", loaded.config.apps.len()));
        }
        ConfigAction::Show => print::out(&print::pretty(&serde_json::json!(loaded.config))),
    }
    Ok(Exit::Success)
}

/// Prints the JSON Schema.
///
/// # Errors
/// None.
pub fn schema() -> Result<Exit, Ended> {
    print::out(&crate::config::schema());
    Ok(Exit::Success)
}
