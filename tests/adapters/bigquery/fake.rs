//! BigQuery's API over plain sockets: datasets, tables and jobs as documents, and a queue of faults that reaches down to
//! cut connections. It answers as the API does, and keeps every request.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Value,
    pub at: tokio::time::Instant,
}

/// What happens to a request instead of, or after, its effect.
#[derive(Clone)]
pub enum Fault {
    /// No effect, this answer.
    Status(u16, Vec<(&'static str, String)>, String),
    /// The effect, and the connection is cut before the answer.
    CutAfter,
    /// No effect, and the connection is cut.
    Cut,
    /// The effect, and half of the answer.
    Truncated,
    /// The effect, and half of the answer, compressed.
    TruncatedGzip,
    /// The effect, and no answer.
    HangAfter,
}

impl Fault {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Status(status, Vec::new(), body.to_string())
    }

    /// An error document of Google's.
    pub fn error(status: u16, reason: &str, message: &str) -> Self {
        Self::json(status, &error(status, reason, message))
    }
}

pub fn error(status: u16, reason: &str, message: &str) -> Value {
    json!({"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}})
}

/// How the next job ends.
#[derive(Clone)]
pub enum Job {
    /// With this answer, in pages of so many rows, after being unfinished so many times.
    Rows { fields: Value, rows: Vec<Value>, page: usize, unfinished: usize },
    /// With an error of the job.
    Failed(&'static str, String),
    /// Never.
    Endless,
}

struct Inserted {
    document: Value,
    ends: Job,
    asked: usize,
    cancelled: bool,
}

#[derive(Default)]
struct State {
    datasets: BTreeMap<String, (String, BTreeMap<String, Value>)>,
    tables_a_page: usize,
    next_jobs: VecDeque<Job>,
    jobs: BTreeMap<String, Inserted>,
    faults: VecDeque<(String, Fault)>,
    requests: Vec<Request>,
}

/// The server.
#[derive(Clone)]
pub struct Fake {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, state: Arc::new(Mutex::new(State { tables_a_page: 50, ..State::default() })) };
        let served = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().serve(stream));
            }
        });
        fake
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Adds a table with these columns, given as `name:TYPE` or `record.name:TYPE`.
    pub fn table(&self, name: &str, location: &str, columns: &[&str], more: &Value) {
        let (dataset, table) = name.split_once('.').unwrap();
        let mut document = json!({
            "kind": "bigquery#table", "type": "TABLE", "numRows": "10", "lastModifiedTime": "1700000000000",
            "tableReference": {"projectId": "my-project", "datasetId": dataset, "tableId": table},
            "schema": {"fields": fields(columns)},
        });
        for (key, value) in more.as_object().unwrap() {
            document[key.as_str()] = value.clone();
        }
        let mut state = self.state();
        let (_, tables) = state
            .datasets
            .entry(dataset.to_owned())
            .or_insert_with(|| (location.to_owned(), BTreeMap::new()));
        tables.insert(table.to_owned(), document);
    }

    pub fn tables_a_page(&self, count: usize) {
        self.state().tables_a_page = count;
    }

    pub fn next_job(&self, job: Job) {
        self.state().next_jobs.push_back(job);
    }

    /// The next request whose method and path contain this text suffers the fault.
    pub fn fault(&self, part: &str, fault: Fault) {
        self.state().faults.push_back((part.to_owned(), fault));
    }

    /// The requests whose method and path contain this text.
    pub fn requests(&self, part: &str) -> Vec<Request> {
        let state = self.state();
        state.requests.iter().filter(|r| format!("{} {}", r.method, r.path).contains(part)).cloned().collect()
    }

    /// The jobs that were run, by id.
    pub fn jobs(&self) -> Vec<String> {
        self.state().jobs.keys().cloned().collect()
    }

    pub fn cancelled(&self) -> usize {
        self.state().jobs.values().filter(|job| job.cancelled).count()
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else { return };
        let fault = {
            let mut state = self.state();
            state.requests.push(request.clone());
            let line = format!("{} {}", request.method, request.path);
            let place = state.faults.iter().position(|(part, _)| line.contains(part.as_str()));
            place.and_then(|place| state.faults.remove(place)).map(|(_, fault)| fault)
        };
        match &fault {
            Some(Fault::Status(status, headers, body)) => {
                return write(&mut stream, *status, headers, body.as_bytes(), body.len()).await;
            }
            Some(Fault::Cut) => return,
            _ => {}
        }
        let (status, body) = self.answer(&request);
        let body = body.to_string();
        match fault {
            Some(Fault::CutAfter) => {}
            Some(Fault::HangAfter) => tokio::time::sleep(Duration::from_secs(60)).await,
            Some(Fault::Truncated) => {
                let half = &body.as_bytes()[..body.len() / 2];
                write(&mut stream, status, &[], half, body.len()).await;
            }
            Some(Fault::TruncatedGzip) => {
                let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(body.as_bytes()).unwrap();
                let packed = packed.finish().unwrap();
                let half = &packed[..packed.len() / 2];
                write(&mut stream, status, &[("content-encoding", "gzip".into())], half, half.len()).await;
            }
            _ => write(&mut stream, status, &[], body.as_bytes(), body.len()).await,
        }
    }

    fn answer(&self, request: &Request) -> (u16, Value) {
        let mut state = self.state();
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').skip(2).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["projects", _, "datasets", dataset]) => match state.datasets.get(*dataset) {
                Some((location, _)) => (
                    200,
                    json!({"kind": "bigquery#dataset", "datasetReference": {"projectId": "my-project", "datasetId": dataset}, "location": location}),
                ),
                None => not_found(&format!("Dataset my-project:{dataset}")),
            },
            ("GET", ["projects", _, "datasets", dataset, "tables"]) => state.list(dataset, &request.query),
            ("GET", ["projects", _, "datasets", dataset, "tables", table]) => {
                match state.datasets.get(*dataset).and_then(|(_, tables)| tables.get(*table)) {
                    Some(document) => (200, document.clone()),
                    None => not_found(&format!("Table my-project:{dataset}.{table}")),
                }
            }
            ("POST", ["projects", _, "jobs"]) => state.insert(&request.body),
            ("GET", ["projects", _, "jobs", id]) => state.job(id, &request.query),
            ("GET", ["projects", _, "queries", id]) => state.results(id, &request.query),
            ("POST", ["projects", _, "jobs", id, "cancel"]) => {
                if let Some(job) = state.jobs.get_mut(*id) {
                    job.cancelled = true;
                }
                (200, json!({"kind": "bigquery#jobCancelResponse"}))
            }
            _ => (404, json!({"error": {"code": 404, "message": "no such path"}})),
        }
    }
}

impl State {
    fn list(&self, dataset: &str, query: &str) -> (u16, Value) {
        let Some((_, tables)) = self.datasets.get(dataset) else {
            return not_found(&format!("Dataset my-project:{dataset}"));
        };
        let start: usize = value_of(query, "pageToken").map_or(0, |token| token.parse().unwrap());
        let all: Vec<Value> = tables
            .values()
            .map(|table| json!({"tableReference": table["tableReference"], "type": table["type"]}))
            .collect();
        let end = (start + self.tables_a_page).min(all.len());
        let mut list =
            json!({"kind": "bigquery#tableList", "tables": &all[start..end], "totalItems": all.len()});
        if end < all.len() {
            list["nextPageToken"] = json!(end.to_string());
        }
        (200, list)
    }

    fn insert(&mut self, body: &Value) -> (u16, Value) {
        let id = body["jobReference"]["jobId"].as_str().unwrap().to_owned();
        if self.jobs.contains_key(&id) {
            return (409, error(409, "duplicate", &format!("Already Exists: Job my-project:EU.{id}")));
        }
        let ends = self.next_jobs.pop_front().unwrap_or(Job::Endless);
        let mut document = body.clone();
        document["status"] = json!({"state": "RUNNING"});
        self.jobs.insert(id, Inserted { document: document.clone(), ends, asked: 0, cancelled: false });
        (200, document)
    }

    /// A job is found only where it runs.
    fn place(&mut self, id: &str, query: &str) -> Result<&mut Inserted, (u16, Value)> {
        let found = self.jobs.get_mut(id).filter(|job| {
            value_of(query, "location").as_deref() == job.document["jobReference"]["location"].as_str()
        });
        found.ok_or_else(|| not_found(&format!("Job my-project:{id}")))
    }

    fn job(&mut self, id: &str, query: &str) -> (u16, Value) {
        let job = match self.place(id, query) {
            Ok(job) => job,
            Err(answer) => return answer,
        };
        let mut document = job.document.clone();
        match &job.ends {
            Job::Rows { unfinished, .. } if job.asked >= *unfinished => {
                document["status"] = json!({"state": "DONE"});
                document["statistics"] = json!({
                    "totalSlotMs": "70",
                    "query": {"totalBytesBilled": "10485760", "totalSlotMs": "70", "cacheHit": false},
                });
            }
            Job::Failed(reason, message) => {
                let proto = json!({"reason": reason, "message": message});
                document["status"] = json!({"state": "DONE", "errorResult": proto, "errors": [proto]});
            }
            _ => {}
        }
        (200, document)
    }

    fn results(&mut self, id: &str, query: &str) -> (u16, Value) {
        let job = match self.place(id, query) {
            Ok(job) => job,
            Err(answer) => return answer,
        };
        job.asked += 1;
        let reference = job.document["jobReference"].clone();
        let unfinished = json!({"kind": "bigquery#getQueryResultsResponse", "jobReference": reference, "jobComplete": false});
        match &job.ends {
            Job::Endless => (200, unfinished),
            Job::Failed(reason, message) => (400, error(400, reason, message)),
            Job::Rows { unfinished: times, .. } if job.asked <= *times => (200, unfinished),
            Job::Rows { fields, rows, page, .. } => {
                let start: usize = value_of(query, "pageToken").map_or(0, |token| token.parse().unwrap());
                let end = (start + page).min(rows.len());
                let mut answer = json!({
                    "kind": "bigquery#getQueryResultsResponse", "jobReference": reference, "jobComplete": true,
                    "schema": {"fields": fields}, "totalRows": rows.len().to_string(), "rows": &rows[start..end],
                    "totalBytesProcessed": "1000", "cacheHit": false,
                });
                if end < rows.len() {
                    answer["pageToken"] = json!(end.to_string());
                }
                (200, answer)
            }
        }
    }
}

fn not_found(what: &str) -> (u16, Value) {
    (404, error(404, "notFound", &format!("Not found: {what}")))
}

pub fn value_of(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned))
}

/// Columns given as `name:TYPE`; those with one dot are fields of a record.
pub fn fields(columns: &[&str]) -> Value {
    let mut top: Vec<Value> = Vec::new();
    for column in columns {
        let (path, kind) = column.split_once(':').unwrap_or((column, "STRING"));
        let Some((record, name)) = path.split_once('.') else {
            top.push(json!({"name": path, "type": kind, "mode": "NULLABLE"}));
            continue;
        };
        let place = top.iter().position(|field| field["name"] == record).unwrap_or_else(|| {
            top.push(json!({"name": record, "type": "RECORD", "mode": "NULLABLE", "fields": []}));
            top.len() - 1
        });
        top[place]["fields"].as_array_mut().unwrap().push(json!({"name": name, "type": kind}));
    }
    Value::Array(top)
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length: usize = head
        .lines()
        .find_map(|line| {
            line.to_lowercase().strip_prefix("content-length:").map(|text| text.trim().parse().unwrap())
        })
        .unwrap_or(0);
    while bytes.len() < head_end + length {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        body: serde_json::from_slice(&bytes[head_end..]).unwrap_or(Value::Null),
        at: tidegate::adapters::clock::steady(),
    })
}

async fn write(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
    length: usize,
) {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.flush().await;
}
