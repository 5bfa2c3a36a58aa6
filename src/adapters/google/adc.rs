//! Application default credentials: a file, or the metadata server. <https://google.aip.dev/auth/4110>.
//!
//! The file is found and read by us and checked before google-cloud-auth sees it, because a credentials file can make
//! its reader run a program or send a token to any address.

use google_cloud_auth::credentials::service_account::AccessSpecifier;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, service_account, user_account,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Scope;
use super::hosts::{AllowList, Purpose};
use super::problem::{Origin, Step};
use super::tries;
use crate::ports::PortError;

/// The only universe: others have token services of their own.
const UNIVERSE: &str = "googleapis.com";
/// Where the metadata server is.
const METADATA_HOST: &str = "metadata.google.internal";

/// The kinds of a file, by its `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    ServiceAccount,
    AuthorizedUser,
    ExternalAccount,
    Impersonated,
}

impl Type {
    const ALL: [(&str, Self); 4] = [
        ("service_account", Self::ServiceAccount),
        ("authorized_user", Self::AuthorizedUser),
        ("external_account", Self::ExternalAccount),
        ("impersonated_service_account", Self::Impersonated),
    ];

    fn of(file: &Value) -> Result<Self, String> {
        let given = file["type"].as_str();
        let known = Self::ALL.iter().find(|(name, _)| Some(*name) == given);
        known.map(|(_, kind)| *kind).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            match given {
                Some(_) => format!("its `type` is not known; known are {names}"),
                None => format!("it has no `type`; known are {names}"),
            }
        })
    }
}

/// Checked credentials.
pub(super) struct Adc {
    kind: Kind,
    name: String,
}

enum Kind {
    File(File),
    Metadata { address: String },
}

/// A checked file. What of it is no secret stands for itself; the rest is read again when it is handed on.
struct File {
    kind: Type,
    text: SecretString,
    /// The account that it impersonates.
    impersonated: Option<String>,
    /// The account that it is the key of.
    client_email: Option<String>,
}

impl File {
    fn new(kind: Type, file: &Value, text: &SecretString) -> Self {
        let field = |name: &str| file[name].as_str();
        Self {
            kind,
            text: text.clone(),
            impersonated: field("service_account_impersonation_url")
                .map(|url| account(url).unwrap_or_default()),
            client_email: field("client_email").map(str::to_owned),
        }
    }
}

impl Adc {
    /// The credentials of a file. `place` says which one.
    ///
    /// # Errors
    /// Where it is no credentials file, would run a program, or names an address that is not allowed.
    pub(super) fn from_file(
        text: &SecretString,
        place: &str,
        allowed: &AllowList,
    ) -> Result<Self, PortError> {
        let wrong = |problem: String| {
            PortError::new(
                format!("the credentials file {place} can't be used: {problem}"),
                "use a file that gcloud or the Google Cloud console has made, or set [gcp] workload_identity_provider",
            )
        };
        let file = json(text).map_err(wrong)?;
        let kind = check(&file, allowed).map_err(wrong)?;
        Ok(Self {
            kind: Kind::File(File::new(kind, &file, text)),
            name: format!("the credentials file {place}"),
        })
    }

    /// The key of a service account. `reference` says which one.
    ///
    /// # Errors
    /// Where it is no such key.
    pub(super) fn from_key(
        key: &SecretString,
        reference: &str,
        allowed: &AllowList,
    ) -> Result<Self, PortError> {
        let wrong = |problem: String| {
            PortError::new(
                format!("the Google credentials {reference} can't be used: {problem}"),
                "give the JSON key file of a service account, as the Google Cloud console makes it",
            )
        };
        let file = json(key).map_err(wrong)?;
        match check(&file, allowed).map_err(wrong)? {
            kind @ Type::ServiceAccount => {
                let name = format!("the key {reference}");
                Ok(Self { kind: Kind::File(File::new(kind, &file, key)), name })
            }
            Type::AuthorizedUser | Type::ExternalAccount | Type::Impersonated => {
                Err(wrong("its `type` is not service_account".to_owned()))
            }
        }
    }

    /// The metadata server, at another host where `GCE_METADATA_HOST` names one.
    ///
    /// # Errors
    /// Where that host is not allowed.
    pub(super) fn metadata(host: Option<&str>, allowed: &AllowList) -> Result<Self, PortError> {
        let host = host.unwrap_or(METADATA_HOST);
        let address = format!("http://{host}");
        allowed.check(&address, Purpose::Tokens).map_err(|problem| {
            PortError::new(format!("GCE_METADATA_HOST {problem}"), "leave the variable out")
        })?;
        let name =
            format!("application default credentials (no credentials file, so the metadata server {host})");
        Ok(Self { kind: Kind::Metadata { address }, name })
    }

    /// Where the tokens come from, for errors.
    pub(super) fn origin(&self) -> Origin {
        let (last_step, account) = match &self.kind {
            Kind::Metadata { .. } => (Step::Metadata, None),
            Kind::File(File { kind: Type::AuthorizedUser, .. }) => (Step::Refresh, None),
            Kind::File(file) => match &file.impersonated {
                Some(account) => (Step::Impersonation, Some(account.clone()).filter(|name| !name.is_empty())),
                None => (Step::Exchange, None),
            },
        };
        Origin { name: self.name.clone(), last_step, account, pool: None }
    }

    /// The service account that it acts as, where the file names it.
    pub(super) fn account(&self) -> Option<String> {
        let Kind::File(file) = &self.kind else { return None };
        self.origin().account.or_else(|| file.client_email.clone())
    }

    /// A source of tokens for a scope.
    ///
    /// # Errors
    /// Where a field is missing or damaged.
    pub(super) fn credentials(&self, scope: Scope) -> Result<AccessTokenCredentials, PortError> {
        let scope = scope.as_str();
        let built = match &self.kind {
            Kind::Metadata { address } => mds::Builder::default()
                .with_endpoint(address)
                .with_scopes([scope])
                .with_retry_policy(tries::policy())
                .with_backoff_policy(tries::backoff())
                .build_access_token_credentials()
                .ok(),
            Kind::File(file) => from_file(file, scope),
        };
        built.ok_or_else(|| {
            PortError::new(
                format!("{} can't be used: a field is missing or damaged", self.name),
                "make the file or the key anew",
            )
        })
    }
}

/// The source of tokens of a file. Why there is none is not told: the text of the error could quote the key.
fn from_file(file: &File, scope: &str) -> Option<AccessTokenCredentials> {
    let (scope, policy, backoff) = ([scope], tries::policy(), tries::backoff());
    let content = json(&file.text).ok()?;
    let built = match file.kind {
        // It signs its tokens itself and asks nobody.
        Type::ServiceAccount => service_account::Builder::new(content)
            .with_access_specifier(AccessSpecifier::from_scopes(scope))
            .build_access_token_credentials(),
        Type::AuthorizedUser => user_account::Builder::new(content)
            .with_scopes(scope)
            .with_retry_policy(policy)
            .with_backoff_policy(backoff)
            .build_access_token_credentials(),
        Type::ExternalAccount => external_account::Builder::new(content)
            .with_scopes(scope)
            .with_retry_policy(policy)
            .with_backoff_policy(backoff)
            .build_access_token_credentials(),
        Type::Impersonated => impersonated::Builder::new(content)
            .with_scopes(scope)
            .with_retry_policy(policy)
            .with_backoff_policy(backoff)
            .build_access_token_credentials(),
    };
    built.ok()
}

/// The parser's own text could quote the key.
fn json(text: &SecretString) -> Result<Value, String> {
    serde_json::from_str(text.expose_secret()).map_err(|_| "it is not JSON".to_owned())
}

/// The account that an address of impersonation names.
fn account(url: &str) -> Option<String> {
    let (_, account) = url.split_once("/serviceAccounts/")?;
    account.strip_suffix(":generateAccessToken").map(str::to_owned)
}

/// Refuses a file that is unknown, runs a program, or leads to an address that is not allowed.
fn check(file: &Value, allowed: &AllowList) -> Result<Type, String> {
    let kind = Type::of(file)?;
    if file["universe_domain"].as_str().is_some_and(|universe| universe != UNIVERSE) {
        return Err(format!("its `universe_domain` is not {UNIVERSE}"));
    }
    let source = &file["credential_source"];
    if source.get("executable").is_some() {
        return Err("its `credential_source` runs a program (`executable`), which is never done".to_owned());
    }
    let addresses = [
        (file, "token_uri", Purpose::Tokens),
        (file, "token_url", Purpose::Tokens),
        (file, "service_account_impersonation_url", Purpose::Impersonation),
        (source, "url", Purpose::Tokens),
        (source, "region_url", Purpose::Tokens),
        (source, "imdsv2_session_token_url", Purpose::Tokens),
    ];
    for (table, field, purpose) in addresses {
        if let Some(address) = table[field].as_str() {
            allowed.check(address, purpose).map_err(|problem| format!("its `{field}` {problem}"))?;
        }
    }
    if let Some(inner) = file.get("source_credentials") {
        check(inner, allowed).map_err(|problem| format!("in its `source_credentials`, {problem}"))?;
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoints;
    use serde_json::json;

    fn refusal(file: &Value) -> String {
        let allowed = AllowList::of(&Endpoints::default());
        let text = SecretString::from(file.to_string());
        let error = Adc::from_file(&text, "/x.json", &allowed).map(|_| ()).unwrap_err().to_string();
        assert!(!error.contains("CANARY"), "{error}");
        error
    }

    fn external(changes: &Value) -> Value {
        let mut file = json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/token"},
        });
        for (name, value) in changes.as_object().unwrap() {
            file[name] = value.clone();
        }
        file
    }

    #[test]
    fn a_program_is_never_run() {
        let executable = json!({"executable": {"command": "/bin/CANARY"}});
        let told = refusal(&external(&json!({"credential_source": executable})));
        insta::assert_snapshot!(told, @r"
        the credentials file /x.json can't be used: its `credential_source` runs a program (`executable`), which is never done
          fix: use a file that gcloud or the Google Cloud console has made, or set [gcp] workload_identity_provider
        ");
        let mixed = json!({"environment_id": "aws1", "executable": {"command": "CANARY"}});
        assert!(refusal(&external(&json!({"credential_source": mixed}))).contains("runs a program"));
        let inner = external(&json!({"credential_source": executable}));
        let outer = json!({"type": "impersonated_service_account", "source_credentials": inner,
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/x"});
        assert!(refusal(&outer).contains("in its `source_credentials`"));
    }

    #[test]
    fn no_field_leads_elsewhere() {
        const ELSEWHERE: &str = "https://evil.example/?key=CANARY";
        for field in ["token_url", "token_uri", "service_account_impersonation_url"] {
            let told = refusal(&external(&json!({field: ELSEWHERE})));
            assert!(told.contains(&format!("its `{field}` leads to \"evil.example\"")), "{told}");
        }
        for field in ["url", "region_url", "imdsv2_session_token_url"] {
            let told = refusal(&external(&json!({"credential_source": {field: ELSEWHERE}})));
            assert!(told.contains(&format!("its `{field}` leads to \"evil.example\"")), "{told}");
        }
        assert!(refusal(&external(&json!({"universe_domain": "evil.example"}))).contains("universe_domain"));
    }

    #[test]
    fn what_is_no_credentials_file_is_refused_and_not_repeated() {
        assert!(refusal(&json!({"type": "CANARY"})).contains("known are service_account"));
        assert!(refusal(&json!(["CANARY"])).contains("no `type`"));
        let allowed = AllowList::of(&Endpoints::default());
        let text = SecretString::from("CANARY");
        let error = Adc::from_file(&text, "/x.json", &allowed).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("not JSON") && !error.contains("CANARY"), "{error}");
    }

    #[test]
    fn the_files_that_google_and_github_make_are_taken() {
        let allowed = AllowList::of(&Endpoints::default());
        let url = "https://x.actions.githubusercontent.com/1//idtoken/a?api-version=2.0&audience=b";
        for file in [
            external(&json!({})),
            external(&json!({"credential_source": {"url": url, "format": {"type": "json"}}})),
            json!({"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}),
            json!({"type": "service_account", "token_uri": "https://oauth2.googleapis.com/token"}),
        ] {
            assert!(check(&file, &allowed).is_ok(), "{file}");
        }
    }

    #[test]
    fn the_metadata_server_is_where_it_belongs() {
        let allowed = AllowList::of(&Endpoints::default());
        assert!(Adc::metadata(None, &allowed).is_ok());
        for bad in ["evil.example", "127.0.0.1:80", "evil.example/metadata.google.internal"] {
            assert!(Adc::metadata(Some(bad), &allowed).is_err(), "{bad}");
        }
    }
}
