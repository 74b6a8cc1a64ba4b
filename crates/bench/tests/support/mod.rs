//! A tiny S3 server on loopback: objects in memory, requests counted, faults on demand.

#![allow(dead_code, unreachable_pub, reason = "each test file compiles this module and uses a part of it")]

use bytes::Bytes;
use canopic_bench::BenchArgs;
use clap::Parser;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server holds and has seen.
#[derive(Default)]
pub struct Seen {
    pub objects: BTreeMap<String, Bytes>,
    pub uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    pub has_bucket: bool,
    /// Requests by method, and by subresource where there is one: `GET`, `GET list-type`, `PUT partNumber`.
    pub requests: BTreeMap<String, u64>,
    pub connections: u64,
    pub customer_keys: BTreeSet<String>,
    pub server_encryption_headers: u64,
    pub payload_hashes: BTreeSet<String>,
    pub unsigned_requests: u64,
    pub faults: Faults,
}

/// What the server does wrong.
#[derive(Default, Clone, Copy)]
pub struct Faults {
    pub flips_a_byte: bool,
    pub refuses_reads: bool,
    pub fails_completion_behind_200: bool,
    pub forgets_a_key_in_lists: bool,
    pub closes_every_connection: bool,
}

#[derive(Clone)]
pub struct TinyServer {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: BenchArgs,
}

/// Options as typed, with credentials.
pub fn args(line: &str) -> BenchArgs {
    let fixed = ["bench", "--credentials", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/credentials")];
    let words = fixed.into_iter().chain(line.split_whitespace());
    Command::try_parse_from(words).map_err(|error| error.to_string()).unwrap().args
}

impl TinyServer {
    pub async fn start(tls: Option<TlsAcceptor>, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::new(Mutex::new(Seen { faults, ..Seen::default() })),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepting.seen().connections += 1;
                let (server, tls) = (accepting.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => server.serve(stream).await,
                        // A client that refuses the certificate is what the test wants.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                server.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub fn requests(&self, kind: &str) -> u64 {
        self.seen().requests.get(kind).copied().unwrap_or(0)
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(|request: Request<Incoming>| async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let mut seen = self.seen();
            let mut response = seen.answer(&head.method, head.uri.path(), head.uri.query(), &head.headers, body);
            if seen.faults.closes_every_connection {
                response.headers_mut().insert("connection", "close".parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        });
        // A client that goes away is no failure of the test.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

impl Seen {
    fn answer(
        &mut self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<Full<Bytes>> {
        let query: BTreeMap<&str, &str> =
            query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
        self.note(method, &query, headers);
        let object_key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
        if object_key.is_empty() && !query.contains_key("list-type") {
            return self.bucket(method);
        }
        match (method.as_str(), query.get("uploadId").copied()) {
            ("POST", None) => self.create_upload(object_key),
            ("PUT", Some(id)) => self.upload_part(id, query["partNumber"].parse().unwrap(), body),
            ("POST", Some(id)) => self.complete(id, object_key),
            ("DELETE", Some(id)) => status(if self.uploads.remove(id).is_some() { 204 } else { 404 }),
            ("PUT", None) if headers.contains_key("x-amz-copy-source") => {
                let source = headers["x-amz-copy-source"].to_str().unwrap();
                let is_there = source == path && self.objects.contains_key(&object_key);
                if is_there { document("<CopyObjectResult/>") } else { status(404) }
            }
            ("PUT", None) => {
                self.objects.insert(object_key, body);
                status(200)
            }
            ("DELETE", None) => {
                self.objects.remove(&object_key);
                status(204)
            }
            _ if query.contains_key("list-type") => self.list(&query),
            _ => self.read(&object_key, headers),
        }
    }

    fn note(&mut self, method: &Method, query: &BTreeMap<&str, &str>, headers: &HeaderMap) {
        let subresource = ["list-type", "partNumber", "uploads", "uploadId"]
            .into_iter()
            .find(|name| query.contains_key(name))
            .map(|name| format!(" {name}"));
        *self.requests.entry(format!("{method}{}", subresource.unwrap_or_default())).or_default() += 1;
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        self.customer_keys.extend(text("x-amz-server-side-encryption-customer-key"));
        self.payload_hashes.extend(text("x-amz-content-sha256"));
        self.server_encryption_headers += u64::from(headers.contains_key("x-amz-server-side-encryption"));
        let signed = text("authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential=id/"));
        self.unsigned_requests += u64::from(!signed);
    }

    fn bucket(&mut self, method: &Method) -> Response<Full<Bytes>> {
        if method == Method::PUT {
            self.has_bucket = true;
        }
        status(if self.has_bucket { 200 } else { 404 })
    }

    fn create_upload(&mut self, object_key: String) -> Response<Full<Bytes>> {
        // Never given twice, and not without percent-encoding in a query.
        let id = format!("{}+&", self.requests["POST uploads"]);
        self.uploads.insert(percent(&id), BTreeMap::new());
        document(&format!("<R><Key>{object_key}</Key><UploadId>{}</UploadId></R>", id.replace('&', "&amp;")))
    }

    fn upload_part(&mut self, id: &str, number: u32, body: Bytes) -> Response<Full<Bytes>> {
        self.uploads.get_mut(id).unwrap().insert(number, body);
        let mut response = status(200);
        response.headers_mut().insert("etag", format!("\"{number}\"").parse().unwrap());
        response
    }

    fn complete(&mut self, id: &str, object_key: String) -> Response<Full<Bytes>> {
        if self.faults.fails_completion_behind_200 {
            return document("<Error><Code>InternalError</Code></Error>");
        }
        let parts = self.uploads.remove(id).unwrap();
        self.objects.insert(object_key, parts.into_values().collect::<Vec<_>>().concat().into());
        document("<CompleteMultipartUploadResult/>")
    }

    fn list(&self, query: &BTreeMap<&str, &str>) -> Response<Full<Bytes>> {
        let prefix = query["prefix"].replace("%2F", "/");
        let most: usize = query["max-keys"].parse().unwrap();
        let after = query.get("continuation-token").map_or(prefix.clone(), |token| token.replace("%2F", "/"));
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let mut keys: Vec<&String> =
            self.objects.range(behind).map(|(key, _)| key).filter(|key| key.starts_with(&prefix)).collect();
        let truncated = keys.len() > most;
        keys.truncate(most);
        let token = keys.last().map(|key| key.as_str()).unwrap_or_default();
        let mut text = format!("<R><IsTruncated>{truncated}</IsTruncated>");
        write!(text, "<NextContinuationToken>{token}</NextContinuationToken>").unwrap();
        for key in keys.iter().skip(usize::from(self.faults.forgets_a_key_in_lists)) {
            write!(text, "<Contents><Key>{key}</Key></Contents>").unwrap();
        }
        document(&(text + "</R>"))
    }

    fn read(&self, object_key: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let Some(bytes) = self.objects.get(object_key).filter(|_| !self.faults.refuses_reads) else {
            let mut response = document("<Error><Code>NoSuchKey</Code></Error>");
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        let mut bytes = bytes.to_vec();
        if self.faults.flips_a_byte {
            *bytes.last_mut().unwrap() ^= 1;
        }
        let Some(range) = headers.get("range") else { return Response::new(Full::from(bytes)) };
        let (first, last) = range.to_str().unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        Response::builder()
            .status(206)
            .header("content-range", format!("bytes {first}-{last}/{}", bytes.len()))
            .body(Full::from(Bytes::copy_from_slice(&bytes[first..=last])))
            .unwrap()
    }
}

fn status(code: u16) -> Response<Full<Bytes>> {
    Response::builder().status(code).body(Full::default()).unwrap()
}

fn document(text: &str) -> Response<Full<Bytes>> {
    Response::new(Full::from(Bytes::copy_from_slice(text.as_bytes())))
}

fn percent(text: &str) -> String {
    text.replace('+', "%2B").replace('&', "%26")
}
