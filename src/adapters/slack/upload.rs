//! A picture in the channel or in a thread, in three steps: an address is asked for, the file goes there, and it is
//! shown.
//!
//! The address belongs to Slack or to this machine, or nothing is sent; the file goes there without the bot's token,
//! which such an address does not need. Only the last step shows anything, and after a lost answer nobody can tell
//! whether it did: it is made once, and the error says so.
//! API: <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>, files.completeUploadExternal.

use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::super::http::{Call, Content};
use super::Slack;
use crate::domain::outbox::Posted;
use crate::ports::{Effect, Image, PortError};

/// The host of Slack's addresses for files.
const HOST: &str = "files.slack.com";
/// What stands for such an address in errors.
const SHOWN: &str = "/upload";
/// The longest description of a picture, in characters.
const LONGEST_ALT: usize = 1000;

impl Slack {
    /// Shows a picture once at most, in the channel or under `parent`, and answers its id.
    ///
    /// # Errors
    /// Where a step was refused, or whether it is shown is unclear.
    pub async fn upload(&self, image: &Image, parent: Option<&Posted>) -> Result<String, PortError> {
        let (address, id) = self.address(image).await?;
        self.send(&address, image).await?;
        self.show(image, &id, parent).await?;
        Ok(id)
    }

    /// Asking for an address shows nothing, so it may be asked for again.
    async fn address(&self, image: &Image) -> Result<(String, String), PortError> {
        let method = "files.getUploadURLExternal";
        let alt: String = image.alt.chars().take(LONGEST_ALT).collect();
        let length = image.bytes.len();
        let body = json!({"filename": image.name, "length": length, "alt_txt": alt});
        let call = Call::new(Method::POST, format!("/api/{method}")).with(body);
        let answer = self.ask(&call, method, crate::adapters::http::HttpError::is_passing).await?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        let (Some(address), Some(id)) = (text("upload_url"), text("file_id")) else {
            return Err(PortError::new(
                format!("Slack answered {method} without an address to upload to"),
                "nothing: the next picture is tried again",
            ));
        };
        match is_allowed(&address) {
            true => Ok((address, id)),
            false => Err(PortError::new(
                format!(
                    "Slack answered {method} with an address that is not at {HOST}; nothing was sent there"
                ),
                "look for a proxy between this machine and Slack",
            )),
        }
    }

    async fn send(&self, address: &str, image: &Image) -> Result<(), PortError> {
        let sent = self.service.deliver(address, SHOWN, Content::Bytes(image.bytes.clone())).await;
        sent.map(drop).map_err(|error| {
            let what = format!("the picture {} was not uploaded: {error}", image.name);
            PortError::new(what, "nothing was shown; the next picture is tried again")
                .after(error.retry_after)
        })
    }

    async fn show(&self, image: &Image, id: &str, parent: Option<&Posted>) -> Result<(), PortError> {
        let mut body = json!({"files": [{"id": id, "title": image.title}], "channel_id": self.channel});
        if let Some(parent) = parent.filter(|parent| parent.channel == self.channel) {
            body["thread_ts"] = json!(parent.id);
        }
        let shown = self.write("files.completeUploadExternal", body).await;
        shown.map(drop).map_err(|error| match error.effect {
            Effect::None => error,
            Effect::Unclear => PortError {
                fix: "look into the channel: the picture may be there, and it is not shown a second time"
                    .to_owned(),
                ..error
            },
        })
    }
}

/// Whether a file may be sent there: to Slack, or to this machine.
fn is_allowed(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_bare = url.username().is_empty() && url.password().is_none();
    match (url.scheme(), url.host_str()) {
        ("https", Some(host)) => is_bare && host == HOST && url.port().is_none(),
        ("http", Some(host)) => is_bare && matches!(host, "127.0.0.1" | "localhost" | "[::1]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_to_slack_or_to_this_machine_only() {
        for good in ["https://files.slack.com/upload/v1/abc", "http://127.0.0.1:4003/upload/v1/abc"] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "http://files.slack.com/upload",
            "https://files.slack.com.evil.example/",
            "https://files.slack.com@evil.example/",
            "https://evil.example/files.slack.com",
            "https://files.slack.com:8443/",
            "http://127.0.0.1.evil.example/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
