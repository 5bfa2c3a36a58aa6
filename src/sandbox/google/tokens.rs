//! The tokens that the sandbox's Google and GitHub have given out: random words with an owner, a purpose and an end.
//! Their lifetime is real time, whatever instant the models go by, for clients go by their own clock.

use std::collections::BTreeMap;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::time::wall_clock;

/// How long a token lives unless the control surface says otherwise: what Google gives.
const DEFAULT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Bytes of chance in a token.
const TOKEN_BYTES: usize = 24;
/// The scope that contains those of all services of Google Cloud; Google Play is none of them.
const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const PLAY_SCOPE: &str = "https://www.googleapis.com/auth/androidpublisher";

/// What a token is for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Purpose {
    /// It proves to the audience's owner who the workflow is.
    Subject {
        /// For whom it was minted.
        audience: String,
    },
    /// It opens what the scopes name.
    Access {
        /// The scopes.
        scopes: Vec<String>,
    },
}

/// A token without its text.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// Whose it is: an e-mail address, or `principal://...` for a federated identity.
    pub principal: String,
    /// What it is for.
    pub purpose: Purpose,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Every token that was given out.
#[derive(Debug)]
pub(crate) struct Tokens {
    lifetime: SignedDuration,
    issued: BTreeMap<String, Issued>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { lifetime: DEFAULT_LIFETIME, issued: BTreeMap::new() }
    }
}

impl Tokens {
    /// How long tokens live that are made from now on; `None` goes back to an hour.
    pub(crate) fn set_lifetime(&mut self, lifetime: Option<SignedDuration>) {
        self.lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME);
    }

    /// The end of a token that is made now.
    pub(crate) fn end(&self) -> Timestamp {
        wall_clock() + self.lifetime
    }

    /// The lifetime in whole seconds, as replies tell it.
    pub(crate) fn lifetime_seconds(&self) -> i64 {
        self.lifetime.as_secs()
    }

    /// Keeps a token under the text that its client was given.
    pub(crate) fn keep(&mut self, text: &str, principal: &str, purpose: Purpose) {
        let issued = Issued { principal: principal.to_owned(), purpose, expires_at: self.end() };
        self.issued.insert(text.to_owned(), issued);
    }

    /// Makes an access token for scopes.
    pub(crate) fn access(&mut self, principal: &str, scopes: &[&str]) -> Result<String, Unspecified> {
        let text = format!("ya29.sandbox-{}", random()?);
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.keep(&text, principal, Purpose::Access { scopes });
        Ok(text)
    }

    /// The token of this text, unless it is unknown or has ended.
    pub(crate) fn find(&self, text: &str) -> Result<&Issued, String> {
        let issued = self.issued.get(text).ok_or("not a token of this sandbox")?;
        if issued.expires_at <= wall_clock() {
            return Err("the token has expired".to_owned());
        }
        Ok(issued)
    }

    /// Who calls with an access token that opens a scope.
    pub(crate) fn caller(&self, text: &str, wanted: &[&str]) -> Result<String, String> {
        let issued = self.find(text)?;
        let Purpose::Access { scopes } = &issued.purpose else {
            return Err("a subject token is no access token".to_owned());
        };
        let opens =
            |held: &String, scope: &str| held == scope || (held == CLOUD_PLATFORM && scope != PLAY_SCOPE);
        if !scopes.iter().any(|held| wanted.iter().any(|scope| opens(held, scope))) {
            return Err(format!("scope lacks {}", wanted.join(" or ")));
        }
        Ok(issued.principal.clone())
    }

    /// What is known of the tokens, without their texts, in no order.
    pub(crate) fn state(&self) -> Value {
        let tokens = self.issued.values().map(|issued| {
            let (kind, audience, scopes) = match &issued.purpose {
                Purpose::Subject { audience } => ("subject", Some(audience), None),
                Purpose::Access { scopes } => ("access", None, Some(scopes)),
            };
            json!({"kind": kind, "principal": issued.principal, "audience": audience, "scopes": scopes,
                "expires_at": issued.expires_at.to_string()})
        });
        json!({"lifetime_seconds": self.lifetime_seconds(), "tokens": tokens.collect::<Vec<_>>()})
    }
}

/// A word that nobody can guess, in hexadecimal.
pub(crate) fn random() -> Result<String, Unspecified> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_scopes_until_it_ends() {
        let mut tokens = Tokens::default();
        let token = tokens.access("a@example.com", &[PLAY_SCOPE]).unwrap();
        assert_eq!(tokens.caller(&token, &[PLAY_SCOPE]), Ok("a@example.com".to_owned()));
        assert!(tokens.caller(&token, &[CLOUD_PLATFORM]).is_err());
        tokens.set_lifetime(Some(SignedDuration::ZERO));
        let ended = tokens.access("a@example.com", &[PLAY_SCOPE]).unwrap();
        assert!(tokens.caller(&ended, &[PLAY_SCOPE]).unwrap_err().contains("expired"));
        assert!(tokens.caller("ya29.made-up", &[PLAY_SCOPE]).is_err());
    }

    #[test]
    fn the_scope_of_the_platform_contains_all_but_play() {
        let mut tokens = Tokens::default();
        let token = tokens.access("a@example.com", &[CLOUD_PLATFORM]).unwrap();
        assert!(tokens.caller(&token, &["https://www.googleapis.com/auth/bigquery"]).is_ok());
        assert!(tokens.caller(&token, &[PLAY_SCOPE]).is_err());
    }
}
