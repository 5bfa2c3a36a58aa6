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
/// The longest address of a page, in characters: what Slack takes for a button.
const LONGEST_PAGE: usize = 3000;
/// The length of the id of a workload identity pool, or of a provider in it, in characters.
const POOL_PART_LENGTH: RangeInclusive<usize> = 4..=32;
/// The longest name of an owner, a repository or a file at GitHub, in characters; the real ones have at most 100.
const LONGEST_NAME: usize = 100;
/// The longest label, environment, event type and name of a branch at GitHub, in characters.
const LONGEST_LABEL: usize = 50;
const LONGEST_ENVIRONMENT: usize = 255;
const LONGEST_EVENT_TYPE: usize = 100;
const LONGEST_REF: usize = 255;

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
    /// A Google Cloud project.
    ProjectId,
    project,
    "^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
);
text!(
    /// A named Firestore database.
    DatabaseId,
    database,
    "^[a-z][a-z0-9-]{2,61}[a-z0-9]$"
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
    /// A workload identity provider of Google Cloud.
    ProviderName,
    provider,
    "^projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$"
);
text!(
    /// The e-mail address of a service account.
    ServiceAccountEmail,
    service_account,
    "^[a-z0-9-]+@([a-z0-9-]+\\.)+gserviceaccount\\.com$"
);
text!(
    /// A location of BigQuery.
    LocationName,
    location,
    "^[A-Za-z0-9-]+$"
);
text!(
    /// A repository of GitHub, `owner/name`.
    RepositoryText,
    repository,
    "^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$"
);
text!(
    /// A label of an issue.
    LabelName,
    label,
    "^[^,]{1,50}$"
);
text!(
    /// The login of a person at GitHub.
    LoginName,
    login,
    "^[A-Za-z0-9][A-Za-z0-9_-]*$"
);
text!(
    /// An environment of a repository.
    EnvironmentName,
    environment,
    "\\S"
);
text!(
    /// A branch, tag or commit of a repository.
    GitRef,
    git_ref,
    "^[^ ~^:?*\\[\\\\]+$"
);
text!(
    /// The type of an event of one's own.
    EventType,
    event_type,
    "^.{1,100}$"
);
text!(
    /// A file in `.github/workflows`.
    WorkflowFile,
    workflow_file,
    "^[A-Za-z0-9._-]+\\.ya?ml$"
);
text!(
    /// The address of a page for people.
    PageUrl,
    page,
    "^https://[^\\s<>\"]+$"
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

/// A project becomes part of names and headers, so it holds nothing that could end them.
fn project(given: &str) -> Result<(), Refused> {
    // Projects of a domain have it in front, as in `example.com:my-project`.
    let (domain, id) = given.split_once(':').unwrap_or(("domain", given));
    let of_domain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if is_google_id(id, 6..=30) && !domain.is_empty() && domain.chars().all(of_domain) {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no id of a Google Cloud project"),
        "write the id as `gcloud projects list` shows it: 6 to 30 of a-z, 0-9 and '-'; not the name, not the number",
    ))
}

fn database(given: &str) -> Result<(), Refused> {
    if given == "(default)" {
        return Err(Refused::new(
            "is \"(default)\", the database that the app itself uses",
            "give tidegate a database of its own, so that neither can touch what the other keeps: `gcloud firestore \
             databases create --database=tidegate --location=LOCATION`",
        ));
    }
    if is_google_id(given, 4..=63) {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no name of a Firestore database"),
        "use 4 to 63 of a-z, 0-9 and '-', beginning with a letter, such as \"tidegate\"",
    ))
}

fn is_google_id(given: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let plain = given.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let begins = given.starts_with(|c: char| c.is_ascii_lowercase());
    plain && begins && !given.ends_with('-') && length.contains(&given.len())
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

/// It becomes the address of a button, which Slack takes up to a length and only without blanks.
fn page(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"'));
    let host = given
        .strip_prefix("https://")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    if host && plain && given.len() <= LONGEST_PAGE {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no address of a page"),
        "write it whole, beginning with https://, without blanks, such as \"https://wiki.example.com/releases\"",
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

fn is_pool_part(part: &str) -> bool {
    POOL_PART_LENGTH.contains(&part.len()) && part.chars().all(is_id_character)
}

fn is_id_character(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn provider(given: &str) -> Result<(), Refused> {
    let parts: Vec<&str> = given.split('/').collect();
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    match parts.as_slice() {
        ["projects", number, "locations", "global", "workloadIdentityPools", pool, "providers", provider]
            if digits(number) && is_pool_part(pool) && is_pool_part(provider) =>
        {
            Ok(())
        }
        _ => Err(Refused::new(
            format!("is {given:?}, which is no name of a workload identity provider"),
            "write projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the number of \
             the project; `gcloud iam workload-identity-pools providers describe` prints it as `name`",
        )),
    }
}

fn service_account(given: &str) -> Result<(), Refused> {
    let named = given.strip_suffix(".gserviceaccount.com").and_then(|rest| rest.split_once('@'));
    let whole = |part: &str| !part.is_empty() && part.chars().all(is_id_character);
    match named {
        Some((name, domain)) if whole(name) && domain.split('.').all(whole) => Ok(()),
        _ => Err(Refused::new(
            format!("is {given:?}, which is no e-mail address of a service account"),
            "write it as the Google Cloud console shows it, such as tidegate@my-project.iam.gserviceaccount.com",
        )),
    }
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

/// A repository becomes part of an address, so it holds nothing that could lead elsewhere.
fn repository(given: &str) -> Result<(), Refused> {
    if is_repository(given) {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no repository of GitHub"),
        "write it as owner/name, such as \"example/app\", without an address before it and without .git after it",
    ))
}

/// Whether a text is `owner/name`, as GitHub writes it, and can't lead elsewhere in an address.
#[must_use]
pub fn is_repository(given: &str) -> bool {
    let Some((owner, name)) = given.split_once('/') else { return false };
    let dashed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let plain = |c: char| dashed(c) || matches!(c, '.' | '_');
    let short = |part: &str| !part.is_empty() && part.len() <= LONGEST_NAME;
    let leads_elsewhere = matches!(name, "." | "..") || name.ends_with(".git");
    short(owner) && short(name) && owner.chars().all(dashed) && name.chars().all(plain) && !leads_elsewhere
}

fn label(given: &str) -> Result<(), Refused> {
    // GitHub lists labels with commas between them.
    let plain = !given.trim().is_empty() && !given.chars().any(|c| c.is_control() || c == ',');
    if plain && given.chars().count() <= LONGEST_LABEL {
        return Ok(());
    }
    Err(Refused::new(
        format!("holds {given:?}, which is no label"),
        format!("write labels = [\"tidegate\"], each of at most {LONGEST_LABEL} characters without a comma"),
    ))
}

fn login(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let begins = given.starts_with(|c: char| c.is_ascii_alphanumeric());
    if plain && begins && given.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Refused::new(
        format!("holds {given:?}, which is no login"),
        "write the login as GitHub shows it, without @, such as assignees = [\"octocat\"]; a team can't be assigned",
    ))
}

fn environment(given: &str) -> Result<(), Refused> {
    let plain = !given.trim().is_empty() && !given.chars().any(char::is_control);
    if plain && given.chars().count() <= LONGEST_ENVIRONMENT {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no name of an environment"),
        "write it as the settings of the repository do, such as \"production\"",
    ))
}

fn git_ref(given: &str) -> Result<(), Refused> {
    const FORBIDDEN: [char; 8] = [' ', '~', '^', ':', '?', '*', '[', '\\'];
    let plain = !given.chars().any(|c| c.is_control() || FORBIDDEN.contains(&c));
    let named = !given.is_empty() && !given.starts_with(['-', '/']) && !given.contains("..");
    if plain && named && given.len() <= LONGEST_REF {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no branch, tag or commit"),
        "write its name, such as \"main\", or leave it out",
    ))
}

fn event_type(given: &str) -> Result<(), Refused> {
    let plain = !given.trim().is_empty() && !given.chars().any(char::is_control);
    if plain && given.chars().count() <= LONGEST_EVENT_TYPE {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no type of an event"),
        format!("write at most {LONGEST_EVENT_TYPE} characters, such as \"tidegate-halted\""),
    ))
}

fn workflow_file(given: &str) -> Result<(), Refused> {
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let stem = given.strip_suffix(".yml").or_else(|| given.strip_suffix(".yaml"));
    if plain && stem.is_some_and(|stem| !stem.is_empty()) && given.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Refused::new(
        format!("is {given:?}, which is no workflow file"),
        "write the file's name without its folder, such as \"halted.yml\"",
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
    fn identities_at_google_have_their_forms() {
        let pool = "projects/1/locations/global/workloadIdentityPools/github/providers";
        assert!(provider(&format!("{pool}/tidegate")).is_ok());
        for bad in [
            "github",
            "projects/my-project/locations/global/workloadIdentityPools/github/providers/tidegate",
            &format!("//iam.googleapis.com/{pool}/tidegate"),
            &format!("{pool}/x"),
            &format!("{pool}/tidegate/more"),
            &format!("{pool}/tide&gate"),
        ] {
            assert!(provider(bad).is_err(), "{bad}");
        }
        for good in ["a@p.iam.gserviceaccount.com", "1-compute@developer.gserviceaccount.com"] {
            assert!(service_account(good).is_ok(), "{good}");
        }
        for bad in [
            "a@example.com",
            "@p.iam.gserviceaccount.com",
            "a/b@p.iam.gserviceaccount.com",
            "a@.gserviceaccount.com",
        ] {
            assert!(service_account(bad).is_err(), "{bad}");
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
    fn projects_and_databases_can_not_leave_their_place_in_a_name() {
        for good in ["my-project", "example.com:my-project"] {
            assert!(project(good).is_ok(), "{good}");
        }
        for bad in
            ["", "p", "My-Project", "my-project/x", "123456", "my-project-", ":my-project", "a/b:my-project"]
        {
            assert!(project(bad).is_err(), "{bad}");
        }
        assert!(database("tidegate").is_ok() && database("tidegate-2").is_ok());
        for bad in ["(default)", "", "tide/gate", "Tidegate", "abc", "tidegate-"] {
            assert!(database(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_repository_can_not_lead_elsewhere() {
        for good in ["acme/app", "a/b", "acme-inc/my.app_2", "o/.github"] {
            assert!(repository(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "acme",
            "acme/",
            "/app",
            "acme/..",
            "acme/.",
            "acme/a/b",
            "acme/app?x=1",
            "acme/app#1",
            "ac%2fme/app",
            "https://github.com/acme/app",
            "acme/app.git",
            "../app",
            "acme/ app",
        ] {
            assert!(repository(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_at_github_have_their_forms() {
        assert!(workflow_file("halted.yml").is_ok() && workflow_file("a.b-c_d.yaml").is_ok());
        for bad in [
            "",
            ".yml",
            "halted",
            "../halted.yml",
            ".github/workflows/halted.yml",
            "halted.yml?x",
            "h alted.yml",
        ] {
            assert!(workflow_file(bad).is_err(), "{bad}");
        }
        assert!(git_ref("release/2.0").is_ok() && git_ref("v1").is_ok());
        for bad in ["", "a b", "a..b", "-x", "/x", "a:b", "a~1", "a\\b"] {
            assert!(git_ref(bad).is_err(), "{bad}");
        }
        assert!(label("needs: triage").is_ok() && label("a,b").is_err() && label("").is_err());
        assert!(login("octocat").is_ok() && login("@octocat").is_err() && login("acme/team").is_err());
        assert!(event_type("x").is_ok() && event_type(&"x".repeat(101)).is_err() && event_type(" ").is_err());
        assert!(environment("production").is_ok() && environment(" ").is_err());
    }

    #[test]
    fn a_location_is_a_name() {
        assert!(location("EU").is_ok() && location("europe-west3").is_ok());
        assert!(location("").is_err() && location("EU&x=1").is_err());
    }

    #[test]
    fn a_page_is_reached_by_https_alone() {
        assert!(page("https://wiki.example.com/a?b=c#d").is_ok());
        for bad in
            ["", "http://wiki.example.com", "https://", "https:// x", "javascript:alert(1)", "https://a/<b>"]
        {
            assert!(page(bad).is_err(), "{bad}");
        }
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
