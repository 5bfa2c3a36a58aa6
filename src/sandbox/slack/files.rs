//! Files on their way into a channel: an address is given out, the bytes come there, and the last call shows them. Each
//! step must follow the one before it, and an address takes one file, of the length that was announced.
//! Source: <https://docs.slack.dev/reference/methods/files.getUploadURLExternal> and files.completeUploadExternal.

use serde_json::{Value, json};

use super::super::call::{Call, CallBody, Reply, ReplyBody};

/// The path of the addresses; the id of the file follows.
const PATH: &str = "upload/v1";

/// A file.
#[derive(Clone, Debug)]
pub(super) struct File {
    id: String,
    name: String,
    length: u64,
    alt: String,
    title: Option<String>,
    /// The digest of the bytes, once they came.
    uploaded: Option<Value>,
    shown: bool,
}

/// All files.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<File>);

impl Files {
    /// Gives out an address for a file.
    pub(super) fn announce(&mut self, name: &str, length: u64, alt: &str, host: &str) -> Value {
        let id = format!("F0SANDBOX{}", self.0.len() + 1);
        let address = format!("http://{host}/{PATH}/{id}");
        self.0.push(File {
            id: id.clone(),
            name: name.to_owned(),
            length,
            alt: alt.to_owned(),
            title: None,
            uploaded: None,
            shown: false,
        });
        json!({"upload_url": address, "file_id": id})
    }

    /// Takes the bytes. Such an address needs no token; one that comes all the same went where it should not.
    pub(super) fn receive(&mut self, id: &str, call: &Call) -> Reply {
        let file = self.0.iter_mut().find(|file| file.id == id && file.uploaded.is_none());
        let refused =
            |status, text: &str| Reply { body: ReplyBody::Html(text.to_owned()), ..Reply::empty(status) };
        let (Some(file), "POST", None) = (file, call.method.as_str(), &call.bearer) else {
            return refused(404, "no such upload, or a token was sent with it");
        };
        let CallBody::Json(described) = &call.body else { return refused(400, "no bytes") };
        match described["file"]["bytes"].as_u64() {
            Some(length) if length == file.length => {
                file.uploaded = Some(described["file"]["sha256"].clone());
                refused(200, &format!("OK - {length}"))
            }
            _ => refused(400, "not the announced length"),
        }
    }

    /// Shows files, each of which was uploaded and not shown before. Nothing is shown where one can't be.
    pub(super) fn show(&mut self, wanted: &[Value]) -> Option<Vec<Value>> {
        let place = |wanted: &Value| {
            self.0
                .iter()
                .position(|file| wanted["id"] == file.id.as_str() && file.uploaded.is_some() && !file.shown)
        };
        let places: Vec<usize> = wanted.iter().map(place).collect::<Option<_>>()?;
        for (place, wanted) in places.iter().zip(wanted) {
            if let Some(file) = self.0.get_mut(*place) {
                file.shown = true;
                file.title = wanted["title"].as_str().map(str::to_owned);
            }
        }
        Some(places.into_iter().filter_map(|place| self.0.get(place)).map(File::shown).collect())
    }

    /// The files for the control surface, with the digests of their bytes.
    pub(super) fn state(&self) -> Value {
        let all = self.0.iter().map(|file| {
            json!({"id": file.id, "name": file.name, "bytes": file.length, "alt_txt": file.alt, "title": file.title,
                "sha256": file.uploaded, "shown": file.shown})
        });
        all.collect()
    }
}

impl File {
    fn shown(&self) -> Value {
        json!({"id": self.id, "name": self.name, "title": self.title.as_ref().unwrap_or(&self.name)})
    }
}
