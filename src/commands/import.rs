//! `import`: exports of real tables into the embedded warehouse.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::print;
use crate::adapters::embedded::Embedded;
use crate::adapters::embedded::import::Imported;
use crate::adapters::embedded::schema::Export;
use crate::cli::{Common, ExportName, Import, Output};
use crate::exit::{Ended, Exit};
use crate::ports::PortError;
use crate::queries::Table;

/// Imports files into a table.
///
/// # Errors
/// A usage error for a table whose name or export is unknown, else where a file was refused.
pub fn import(args: &Import, common: &Common) -> Result<Exit, Ended> {
    let table = Table::new(&args.table).map_err(|error| {
        Ended::usage(format!("{error}\n  fix: write the names as BigQuery shows them, without the project"))
    })?;
    let export = args.export.map(known).or_else(|| Export::of_table(table.as_str())).ok_or_else(|| {
        let names = Export::ALL.map(Export::name).join(", ");
        Ended::usage(format!(
            "the name {table} does not tell which export it holds\n  fix: add --as, one of {names}"
        ))
    })?;
    let imported = import_all(&args.warehouse, &table, export, &args.files).map_err(Ended::failed)?;
    let left_out: Vec<&String> = imported.columns_left_out.iter().collect();
    match common.output {
        Output::Human | Output::Github => {
            print::out(&format!("imported {} rows into {table} ({} export)\n", imported.rows, export.name()));
            if !left_out.is_empty() {
                print::out(&format!("  columns that are not kept: {}\n", join(&left_out)));
            }
        }
        Output::Json | Output::Ndjson => print::out(&format!(
            "{}\n",
            json!({"table": table.as_str(), "export": export.name(), "rows": imported.rows, "columns_left_out": left_out})
        )),
    }
    Ok(Exit::Success)
}

/// Imports everything or nothing: a refused import leaves no new warehouse behind either.
fn import_all(path: &Path, table: &Table, export: Export, files: &[PathBuf]) -> Result<Imported, PortError> {
    let is_new = !path.exists();
    let imported = Embedded::create(path)?.import(table, export, files);
    if imported.is_err() && is_new {
        // What can't be removed is empty, and the next import fills it.
        drop(std::fs::remove_file(path));
    }
    imported
}

fn known(name: ExportName) -> Export {
    match name {
        ExportName::Crashlytics => Export::Crashlytics,
        ExportName::FirebaseSessions => Export::FirebaseSessions,
        ExportName::Analytics => Export::Analytics,
    }
}

fn join(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
