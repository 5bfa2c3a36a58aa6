//! Texts that must have a form: names of tables and files, ids, addresses. Each is checked where it is read, so a bad one
//! is refused even where every app overrides it.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::Refused;

/// The longest dataset or table id that BigQuery takes, in characters.
const LONGEST_PART: usize = 1024;
/// The longest id of a store or channel, in characters; the real ones have at most 36.
const LONGEST_ID: usize = 64;
/// The length of the id of a project of Google Cloud, in characters.
const PROJECT_LENGTH: RangeInclusive<usize> = 6..=30;

macro_rules! text {
    ($(#[$doc:meta])* $type:ident, $check:path, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String", inline, extend("pattern" = $pattern))]
        pub(super) struct $type(String);

        impl $type {
            pub(super) fn to_text(&self) -> String {
                self.0.clone()
            }
        }

        impl TryFrom<String> for $type {
            type Error = Refused;
            fn try_from(given: String) -> Result<Self, Refused> {
                $check(&given)?;
                Ok(Self(given))
            }
        }
    };
}

text!(
    /// A BigQuery dataset.
    DatasetName,
    dataset,
    "^[A-Za-z0-9_]+$"
);
text!(
    /// A table with its dataset, `DATASET.TABLE`.
    TableName,
    table,
    "^[A-Za-z0-9_]+\\.[A-Za-z0-9_]+$"
);
text!(
    /// A file, relative to the configuration file's directory.
    FileName,
    file,
    "\\S"
);
text!(
    /// The id of a Slack channel.
    ChannelId,
    channel,
    "^[A-Z0-9]+$"
);
text!(
    /// An id that App Store Connect shows next to a key.
    KeyPart,
    key_part,
    "^[A-Za-z0-9-]+$"
);
text!(
    /// A Play track.
    TrackName,
    track,
    "\\S"
);
text!(
    /// The id of a project of Google Cloud.
    ProjectId,
    project,
    "^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
);
text!(
    /// A location of BigQuery.
    LocationName,
    location,
    "^[A-Za-z0-9-]+$"
);
text!(
    /// The address of a service on this machine.
    LoopbackUrl,
    loopback,
    "^http://(127\\.0\\.0\\.1|localhost|\\[::1\\]):[0-9]{1,5}$"
);

fn is_plain(part: &str) -> bool {
    let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && !part.is_empty() && part.len() <= LONGEST_PART
}

fn dataset(given: &str) -> Result<(), Refused> {
    if is_plain(given) {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no name of a dataset"),
        "use letters, digits and underscores only; the project is not part of it",
    ))
}

/// A table name becomes part of a query, so it holds nothing that could end it.
fn table(given: &str) -> Result<(), Refused> {
    match given.split('.').collect::<Vec<_>>().as_slice() {
        [dataset, table] if is_plain(dataset) && is_plain(table) => Ok(()),
        _ => Err(Refused::new(
            format!("is {given:?}, which is no name of a table"),
            "write DATASET.TABLE, of letters, digits and underscores only",
        )),
    }
}

fn file(given: &str) -> Result<(), Refused> {
    if !given.trim().is_empty() && !given.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refused::new("names no file", "write a path, such as \"state.sqlite\""))
}

fn channel(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if plain && !given.is_empty() && given.len() <= LONGEST_ID {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no id of a channel"),
        "write the id, such as C0123456, not the name: Slack shows it at the end of the channel's details",
    ))
}

fn key_part(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain && !given.is_empty() && given.len() <= LONGEST_ID {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no id of App Store Connect"),
        "copy it from Users and Access, Integrations, App Store Connect API",
    ))
}

fn track(given: &str) -> Result<(), Refused> {
    // Form factor tracks have a prefix, as in `wear:production`; the closed ones have any name that people chose.
    let plain = given.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | ':' | '_' | '-'));
    if plain && !given.trim().is_empty() && given.len() <= LONGEST_ID {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no name of a track"),
        "write it as the Play Console's API does, such as \"production\" or \"beta\"",
    ))
}

/// The id of a project; an old one of an organisation has the organisation's domain before it.
fn project(given: &str) -> Result<(), Refused> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let (domain, id) = given.rsplit_once(':').unwrap_or(("no-domain", given));
    let domain_is_plain = !domain.is_empty() && domain.chars().all(|c| plain(c) || c == '.');
    let id_is_plain = PROJECT_LENGTH.contains(&id.len()) && id.chars().all(plain);
    if domain_is_plain
        && id_is_plain
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
    {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no id of a project"),
        "write the id, such as my-project, not the name or the number: `gcloud projects list` prints it",
    ))
}

fn location(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain && !given.is_empty() && given.len() <= LONGEST_ID {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no location of BigQuery"),
        "write it as BigQuery does, such as \"EU\" or \"europe-west3\", or leave it out to ask each dataset",
    ))
}

fn loopback(given: &str) -> Result<(), Refused> {
    const HOSTS: [&str; 3] = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    let port = HOSTS.iter().find_map(|host| given.strip_prefix(host));
    if port.is_some_and(is_port) {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is not an address of this machine"),
        "write http://127.0.0.1:PORT with nothing after the port, or leave [endpoints] out to use the real services",
    ))
}

fn is_port(given: &str) -> bool {
    let digits = given.chars().all(|c| c.is_ascii_digit());
    digits && given.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_this_machine_can_be_an_endpoint() {
        for good in ["http://127.0.0.1:4001", "http://localhost:1", "http://[::1]:65535"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1:4001",
            "http://127.0.0.1",
            "http://127.0.0.1:",
            "http://127.0.0.1:0",
            "http://127.0.0.1:65536",
            "http://127.0.0.1:+80",
            "http://127.0.0.1:4001/",
            "http://127.0.0.1:4001@evil.example",
            "http://127.0.0.1.evil.example:80",
            "http://localhost.evil.example:80",
            "http://user@127.0.0.1:80",
            "http://10.0.0.1:80",
            "HTTP://127.0.0.1:80",
            " http://127.0.0.1:80",
        ] {
            assert!(loopback(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_project_is_an_id() {
        assert!(project("my-project").is_ok() && project("example.com:my-project").is_ok());
        for bad in
            ["", "short", "My-Project", "my-project-", "123456789", "my_project", ":my-project", "my`project"]
        {
            assert!(project(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_location_is_a_name() {
        assert!(location("EU").is_ok() && location("europe-west3").is_ok());
        assert!(location("").is_err() && location("EU&x=1").is_err());
    }

    #[test]
    fn a_channel_is_an_id() {
        assert!(channel("C0123456").is_ok());
        for bad in ["#releases", "releases", "", "C01 23"] {
            assert!(channel(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tracks_of_form_factors_and_people_are_names() {
        for good in ["production", "beta", "wear:production", "Friends and family"] {
            assert!(track(good).is_ok(), "{good}");
        }
        assert!(track("").is_err() && track("a/b").is_err());
    }

    proptest! {
        #[test]
        fn no_accepted_table_can_leave_its_quotes(given in r"\PC{0,40}|[A-Za-z0-9_.`;-]{0,12}") {
            let plain = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            let expected = given.split_once('.').is_some_and(|(left, right)| plain(left) && plain(right));
            prop_assert_eq!(table(&given).is_ok(), expected);
        }
    }
}
