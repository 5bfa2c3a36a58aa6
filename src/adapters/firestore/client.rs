//! The four calls that are used, each with a token and a time limit, and each one event of the log. Nothing is tried
//! again here.
//!
//! Reference: <https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1>

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use firestore::gcloud_sdk::google::firestore::v1::batch_get_documents_request::ConsistencySelector as GetAt;
use firestore::gcloud_sdk::google::firestore::v1::batch_get_documents_response::Result as Got;
use firestore::gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use firestore::gcloud_sdk::google::firestore::v1::run_query_request::{
    ConsistencySelector as QueryAt, QueryType,
};
use firestore::gcloud_sdk::google::firestore::v1::{
    BatchGetDocumentsRequest, CommitRequest, Document, DocumentMask, RollbackRequest, RunQueryRequest,
    StructuredQuery, Write,
};
use firestore::gcloud_sdk::prost_types;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use jiff::Timestamp;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Extensions, Request, Status};
use tracing::Instrument as _;

use super::names::Names;
use crate::adapters::clock::{ServerClock, SystemClock};
use crate::adapters::exchange::{End, Exchange};
use crate::ports::{Clock as _, PortError};

/// Where Firestore is.
const SERVICE: &str = "https://firestore.googleapis.com";
/// What it is called in the log.
const SERVICE_NAME: &str = "Firestore";
/// Where its calls are, as paths of HTTP.
const PATH: &str = "/google.firestore.v1.Firestore";
/// A connection is idle while BigQuery works; what lies between must not forget it.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// A connection that is not there by then will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One call, its whole answer included; the longest is a query of some hundred small documents.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How the database is reached.
pub enum Access {
    /// An emulator on this machine, `http://127.0.0.1:PORT`. It asks for no token, so none is sent.
    Emulator(String),
    /// Google's service, with credentials for [`super::SCOPE`].
    Google(Credentials),
}

/// What a reading of documents by name found.
#[derive(Default)]
pub struct Found {
    /// The documents that are there.
    pub documents: Vec<Document>,
    /// The transaction that the reading began, where it was asked to begin one.
    pub transaction: Vec<u8>,
    /// The server's clock at the reading.
    pub read_at: Option<Timestamp>,
}

/// One database.
pub struct Client {
    /// Names of its documents.
    pub names: Names,
    /// Hears what time it is there.
    pub clock: ServerClock,
    /// Whether a heartbeat was found that can't be read, and so must not be written over.
    pub foreign_heartbeat: AtomicBool,
    rpc: FirestoreClient<Channel>,
    credentials: Option<Credentials>,
}

impl Client {
    pub fn new(project: &str, database: &str, access: Access) -> Result<Self, PortError> {
        let (channel, credentials) = match access {
            Access::Emulator(address) => (plain(&address)?, None),
            Access::Google(credentials) => (encrypted()?, Some(credentials)),
        };
        Ok(Self {
            names: Names::new(project, database),
            clock: ServerClock::default(),
            foreign_heartbeat: AtomicBool::new(false),
            rpc: FirestoreClient::new(channel),
            credentials,
        })
    }

    /// Reads documents by their names; one that is not there is left out.
    pub async fn get(
        &self,
        documents: Vec<String>,
        mask: Option<&[&str]>,
        at: Option<GetAt>,
    ) -> Result<Found, Status> {
        let message = BatchGetDocumentsRequest {
            database: self.names.database().to_owned(),
            documents,
            mask: mask.map(field_mask),
            request_options: None,
            consistency_selector: at,
        };
        let is_now = !matches!(message.consistency_selector, Some(GetAt::ReadTime(_)));
        let before = SystemClock.now();
        let found = within("BatchGetDocuments", async {
            let request = self.request(message).await?;
            let mut answers = self.rpc.clone().batch_get_documents(request).await?.into_inner();
            let mut found = Found::default();
            while let Some(answer) = answers.message().await? {
                if !answer.transaction.is_empty() {
                    found.transaction = answer.transaction;
                }
                found.read_at = found.read_at.max(answer.read_time.and_then(instant));
                if let Some(Got::Found(document)) = answer.result {
                    found.documents.push(document);
                }
            }
            Ok(found)
        })
        .await?;
        if let Some(there) = found.read_at.filter(|_| is_now) {
            self.clock.hear(SERVICE_NAME, before, SystemClock.now(), there);
        }
        Ok(found)
    }

    /// Every document that a query finds under `parent`, a document or the database itself.
    pub async fn query(
        &self,
        parent: String,
        query: StructuredQuery,
        at: Option<QueryAt>,
    ) -> Result<Vec<Document>, Status> {
        let message = RunQueryRequest {
            parent,
            explain_options: None,
            request_options: None,
            query_type: Some(QueryType::StructuredQuery(query)),
            consistency_selector: at,
        };
        within("RunQuery", async {
            let request = self.request(message).await?;
            let mut answers = self.rpc.clone().run_query(request).await?.into_inner();
            let mut documents = Vec::new();
            while let Some(answer) = answers.message().await? {
                documents.extend(answer.document);
            }
            Ok(documents)
        })
        .await
    }

    /// Commits a transaction. An error may come after the writes were applied.
    pub async fn commit(&self, transaction: Vec<u8>, writes: Vec<Write>) -> Result<(), Status> {
        let database = self.names.database().to_owned();
        let message = CommitRequest { database, writes, transaction, request_options: None };
        within("Commit", async {
            let request = self.request(message).await?;
            self.rpc.clone().commit(request).await.map(|_| ())
        })
        .await
    }

    /// Ends a transaction without writes, which frees its locks at once.
    pub async fn roll_back(&self, transaction: Vec<u8>) -> Result<(), Status> {
        let database = self.names.database().to_owned();
        let message = RollbackRequest { database, transaction, request_options: None };
        within("Rollback", async {
            let request = self.request(message).await?;
            self.rpc.clone().rollback(request).await.map(|_| ())
        })
        .await
    }

    /// A request with its token, and with the database in the header by which Google routes to named databases.
    async fn request<M>(&self, message: M) -> Result<Request<M>, Status> {
        let mut request = Request::new(message);
        if let Some(credentials) = &self.credentials {
            *request.metadata_mut() = token(credentials).await?;
        }
        let database = MetadataValue::try_from(self.names.database())
            .map_err(|_| Status::invalid_argument("the name of the project or database is no header"))?;
        request.metadata_mut().insert("google-cloud-resource-prefix", database);
        Ok(request)
    }
}

async fn token(credentials: &Credentials) -> Result<MetadataMap, Status> {
    match credentials.headers(Extensions::new()).await {
        Ok(CacheableResource::New { data, .. }) => Ok(MetadataMap::from_headers(data)),
        Ok(CacheableResource::NotModified) => Err(Status::unauthenticated("no Google token was made")),
        Err(error) if error.is_transient() => Err(Status::unavailable(format!("no Google token: {error}"))),
        Err(error) => Err(Status::unauthenticated(format!("no Google token: {error}"))),
    }
}

/// A call that takes too long is given up. Whether a commit was applied is then not known.
async fn within<T>(rpc: &str, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let exchange = Exchange::begin(SERVICE_NAME, "POST", &format!("{PATH}/{rpc}"));
    let Ok(answer) = tokio::time::timeout(CALL_TIMEOUT, call.instrument(exchange.span())).await else {
        return Err(Status::deadline_exceeded(format!(
            "no answer within {} seconds",
            CALL_TIMEOUT.as_secs()
        )));
    };
    let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
    exchange.ended(End::Grpc { code: code.into() });
    answer
}

fn plain(address: &str) -> Result<Channel, PortError> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| {
        PortError::new(
            format!("the Firestore emulator's address {address:?} can't be used: {error}"),
            "write http://127.0.0.1:PORT in [endpoints] firestore",
        )
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Some(KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

fn encrypted() -> Result<Channel, PortError> {
    // A second installation in one process answers with an error that says it is already there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tls = ClientTlsConfig::new().with_native_roots();
    let endpoint = Endpoint::from_static(SERVICE).tls_config(tls).map_err(|error| {
        PortError::new(
            format!("can't set up TLS for Firestore: {error}"),
            "install the system's CA certificates (package ca-certificates)",
        )
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Some(KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

pub fn field_mask<S: AsRef<str>>(fields: &[S]) -> DocumentMask {
    DocumentMask { field_paths: fields.iter().map(|field| field.as_ref().to_owned()).collect() }
}

fn instant(time: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_auth::credentials::{CredentialsProvider, EntityTag};
    use google_cloud_auth::errors::CredentialsError;
    use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

    /// Gives one header, or a reason why not.
    #[derive(Debug)]
    struct Scripted(Option<&'static str>);

    impl CredentialsProvider for Scripted {
        async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
            let value = self.0.ok_or_else(|| CredentialsError::from_msg(false, "revoked"))?;
            let data = [(AUTHORIZATION, HeaderValue::from_static(value))].into_iter().collect();
            Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
        }

        async fn universe_domain(&self) -> Option<String> {
            None
        }
    }

    #[tokio::test]
    async fn a_call_to_google_carries_a_token_and_its_database_and_one_to_an_emulator_no_token() {
        let google = Access::Google(Credentials::from(Scripted(Some("Bearer t"))));
        let request = Client::new("my-project", "tidegate", google).unwrap().request(()).await.unwrap();
        let database = "projects/my-project/databases/tidegate";
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer t");
        assert_eq!(request.metadata().get("google-cloud-resource-prefix").unwrap(), database);
        let emulator = Access::Emulator("http://127.0.0.1:1".to_owned());
        let request = Client::new("my-project", "tidegate", emulator).unwrap().request(()).await.unwrap();
        assert!(request.metadata().get("authorization").is_none());
        let refused = Access::Google(Credentials::from(Scripted(None)));
        let error = Client::new("my-project", "tidegate", refused).unwrap().request(()).await.unwrap_err();
        assert!(error.code() == Code::Unauthenticated && error.message().contains("revoked"), "{error}");
    }

    #[tokio::test]
    async fn connecting_asks_nobody_and_needs_no_network() {
        assert!(Client::new("p", "tidegate", Access::Emulator("http://127.0.0.1:1".to_owned())).is_ok());
        assert!(encrypted().is_ok(), "the system has CA certificates");
    }
}
