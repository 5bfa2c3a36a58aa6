//! The hosts that may be given a credential, or asked for one.
//!
//! A credentials file and a variable of the environment can name any address, so whoever can change one of them could
//! have a token sent away, or make the program ask an address inside the network. Every address is held against this
//! list before anything is sent. A loopback address is allowed only where `[endpoints]` names a stand-in.

use reqwest::Url;

use crate::config::Endpoints;

/// Ends of the names of hosts that hand out tokens, over TLS.
const FAMILIES: [&str; 2] = [".googleapis.com", ".actions.githubusercontent.com"];
/// Hosts that hand out tokens, over TLS.
const HOSTS: [&str; 1] = ["accounts.google.com"];
/// The names of the metadata server, which has no TLS and is on the machine's own network.
const METADATA: [&str; 2] = ["metadata.google.internal", "169.254.169.254"];
/// Names of this machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// What an address is for; each has its own stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It gives tokens. Its stand-in is `[endpoints] sts`.
    Tokens,
    /// It impersonates service accounts. Its stand-in is `[endpoints] iam_credentials`.
    Impersonation,
}

/// The list, with the stand-ins of a configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct AllowList {
    tokens_on_loopback: bool,
    impersonation_on_loopback: bool,
}

impl AllowList {
    /// The list for a configuration.
    pub(super) fn of(endpoints: &Endpoints) -> Self {
        Self {
            tokens_on_loopback: endpoints.sts.is_some(),
            impersonation_on_loopback: endpoints.iam_credentials.is_some(),
        }
    }

    /// The address, if it may be asked; else why not, with the host and without the rest of it.
    pub(super) fn check(self, address: &str, purpose: Purpose) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|_| "holds no address".to_owned())?;
        let host = url.host_str().unwrap_or_default();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("holds a user's name or password for {host:?}"));
        }
        let (stand_in, setting) = match purpose {
            Purpose::Tokens => (self.tokens_on_loopback, "sts"),
            Purpose::Impersonation => (self.impersonation_on_loopback, "iam_credentials"),
        };
        match url.scheme() {
            "https" if is_known(host) && url.port().is_none() => Ok(url),
            "http" if METADATA.contains(&host) && purpose == Purpose::Tokens => Ok(url),
            "http" if LOOPBACK.contains(&host) && stand_in => Ok(url),
            _ if LOOPBACK.contains(&host) => {
                Err(format!("leads to this machine ({host}), and [endpoints] {setting} is not set"))
            }
            scheme => Err(format!("leads to {host:?} by {scheme}, which may not be given credentials")),
        }
    }
}

fn is_known(host: &str) -> bool {
    HOSTS.contains(&host) || FAMILIES.iter().any(|family| host.ends_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> AllowList {
        AllowList::of(&Endpoints::default())
    }

    fn stand_ins() -> AllowList {
        let address = Some("http://127.0.0.1:4004".to_owned());
        AllowList::of(&Endpoints { sts: address.clone(), iam_credentials: address, ..Endpoints::default() })
    }

    #[test]
    fn the_real_services_are_allowed() {
        for good in [
            "https://sts.googleapis.com/v1/token",
            "https://oauth2.googleapis.com/token",
            "https://accounts.google.com/o/oauth2/token",
            "https://run-actions-1-azure-eastus.actions.githubusercontent.com/1//idtoken/a/b?api-version=2.0",
            "http://metadata.google.internal/computeMetadata/v1",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert!(none().check(good, Purpose::Tokens).is_ok(), "{good}");
        }
        let impersonation =
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a:generateAccessToken";
        assert!(none().check(impersonation, Purpose::Impersonation).is_ok());
    }

    #[test]
    fn no_other_host_is() {
        for bad in [
            "https://evil.example/v1/token",
            "https://googleapis.com.evil.example/",
            "https://evilgoogleapis.com/",
            "https://sts.googleapis.com@evil.example/",
            "https://user@sts.googleapis.com/",
            "https://sts.googleapis.com:8443/",
            "https://sts.googleapis.com./",
            "http://sts.googleapis.com/",
            "ftp://sts.googleapis.com/",
            "file:///etc/passwd",
            "http://10.0.0.1/",
            "http://127.0.0.1:4004/",
            "http://localhost:4004/",
            "http://[::1]:4004/",
            "http://127.0.0.1.evil.example/",
            "sts.googleapis.com",
            "",
        ] {
            assert!(none().check(bad, Purpose::Tokens).is_err(), "{bad}");
        }
        assert!(none().check("http://169.254.169.254/", Purpose::Impersonation).is_err());
    }

    #[test]
    fn this_machine_is_where_a_stand_in_is_named() {
        for purpose in [Purpose::Tokens, Purpose::Impersonation] {
            assert!(stand_ins().check("http://127.0.0.1:9/x", purpose).is_ok());
            assert!(stand_ins().check("http://10.0.0.1:9/x", purpose).is_err());
            let error = none().check("http://127.0.0.1:9/x", purpose).unwrap_err();
            assert!(error.contains("[endpoints]"), "{error}");
        }
    }

    #[test]
    fn the_rest_of_an_address_is_not_shown() {
        let error = none().check("https://evil.example/path?key=CANARY", Purpose::Tokens).unwrap_err();
        assert!(error.contains("evil.example") && !error.contains("CANARY"), "{error}");
    }
}
