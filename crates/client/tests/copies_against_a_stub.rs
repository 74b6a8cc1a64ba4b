//! Copies, against a server that loses answers or finds everything too large.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use canopic_client::{
    Addressing, Client, ClientError, CopySource, CustomerKey, Encryption, Endpoint, NewObject, Patience, Progress,
    Trust, copy_object,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

struct Silent;

impl Progress for Silent {
    fn expect(&self, _: u64) {}
    fn moved(&self, _: u64) {}
    fn taken_back(&self, _: u64) {}
}

/// Heads of requests in the order of their coming, in lower case.
type Seen = Arc<Mutex<Vec<String>>>;

/// Answers each request with what `answer` makes of its head and the number of those before; nothing closes the
/// connection instead.
async fn stub(answer: impl Fn(&str, usize) -> Option<String> + Send + 'static) -> (Client, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let noted = seen.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            while !text.windows(4).any(|four| four == b"\r\n\r\n") && stream.read_buf(&mut text).await.unwrap() > 0 {}
            let head = String::from_utf8_lossy(&text).to_lowercase();
            let before = noted.lock().unwrap().len();
            noted.lock().unwrap().push(head.clone());
            if let Some(answer) = answer(&head, before) {
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
                // A request's body that was not read would reset the connection before the answer is.
                let _ = stream.read_to_end(&mut text).await;
            }
        }
    });
    let endpoint = Endpoint::new(&url, &Trust::System, Addressing::Path).unwrap();
    let patience = Patience { attempts: 3, first_wait: Duration::from_millis(1), stall: Duration::from_secs(5) };
    (Client::new(endpoint, None, "us-east-1", patience).unwrap(), seen)
}

fn answer(status: &str, headers: &str, body: &str) -> Option<String> {
    let length =
        if headers.contains("content-length") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    Some(format!("HTTP/1.1 {status}\r\nconnection: close\r\n{length}{headers}\r\n{body}"))
}

fn error(code: &str, message: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

fn copy_of(from: &str, key: Option<&Arc<CustomerKey>>, to: &str, encryption: Encryption) -> (CopySource, NewObject) {
    let (content_headers, metadata) = (Vec::new(), Vec::new());
    let object = NewObject { address: to.parse().unwrap(), encryption, content_type: None, content_headers, metadata };
    (CopySource { address: from.parse().unwrap(), key: key.cloned() }, object)
}

fn silent() -> Arc<dyn Progress> {
    Arc::new(Silent)
}

fn fresh_key() -> Arc<CustomerKey> {
    Arc::new(CustomerKey::generate().unwrap())
}

/// Loses the first answer, refuses the second attempt for its key, and opens the object with `opening` alone.
async fn after_a_lost_answer(opening: &CustomerKey) -> (Client, Seen) {
    let opening = opening.md5_base64().to_lowercase();
    stub(move |head, before| match before {
        0 => None,
        _ if head.starts_with("put ") => {
            answer("403 Forbidden", "", &error("AccessDenied", "you must provide the correct secret key"))
        }
        _ if head.contains(&opening) => answer(
            "200 OK",
            "content-length: 3\r\netag: \"new\"\r\nx-amz-server-side-encryption-customer-algorithm: AES256\r\n",
            "",
        ),
        _ => answer("400 Bad Request", "content-length: 0\r\n", ""),
    })
    .await
}

#[tokio::test]
async fn a_rekey_whose_answer_was_lost_is_found_done() {
    let (old, new) = (fresh_key(), fresh_key());
    let (client, seen) = after_a_lost_answer(&new).await;
    let (source, object) = copy_of("s3://b/k", Some(&old), "s3://b/k", Encryption::CustomerKey(new));
    let copied = copy_object(&client, &source, &object, &silent()).await.unwrap();
    assert_eq!((copied.etag.as_str(), copied.seen_afterwards), ("\"new\"", true));
    assert_eq!(seen.lock().unwrap().iter().filter(|head| head.starts_with("put ")).count(), 2);
}

#[tokio::test]
async fn a_rekey_with_a_wrong_key_is_told_as_such() {
    let (old, new) = (fresh_key(), fresh_key());
    let (client, _) = after_a_lost_answer(&fresh_key()).await;
    let (source, object) = copy_of("s3://b/k", Some(&old), "s3://b/k", Encryption::CustomerKey(new.clone()));
    let refused = copy_object(&client, &source, &object, &silent()).await;
    assert!(matches!(refused, Err(ClientError::WrongCustomerKey { .. })), "{refused:?}");
    // Another object under the wished key says nothing of this copy.
    let (client, _) = after_a_lost_answer(&new).await;
    let (source, object) = copy_of("s3://b/k", Some(&old), "s3://b/other", Encryption::CustomerKey(new));
    let refused = copy_object(&client, &source, &object, &silent()).await;
    assert!(matches!(refused, Err(ClientError::WrongCustomerKey { .. })), "{refused:?}");
}

const TOO_LARGE: &str =
    "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";

#[tokio::test]
async fn a_copy_in_parts_holds_on_to_one_source_and_keeps_its_headers() {
    let (client, seen) = stub(|head, _| {
        let line = head.lines().next().unwrap_or_default();
        if line.starts_with("head ") {
            let kept = "content-type: text/csv\r\ncontent-encoding: gzip\r\ncache-control: no-store\r\n\
                        content-disposition: inline\r\ncontent-language: de\r\nexpires: never\r\nx-amz-meta-plan: a\r\n";
            answer("200 OK", &format!("content-length: 6442450944\r\netag: \"one\"\r\n{kept}"), "")
        } else if line.contains("?uploads=") {
            answer("200 OK", "", "<R><UploadId>id</UploadId></R>")
        } else if line.contains("partnumber=3&") {
            answer("412 Precondition Failed", "", &error("PreconditionFailed", "it changed"))
        } else if line.contains("partnumber=") {
            answer("200 OK", "", "<R><ETag>\"part\"</ETag></R>")
        } else if line.starts_with("delete ") {
            answer("204 No Content", "", "")
        } else {
            answer("400 Bad Request", "", &error("InvalidRequest", TOO_LARGE))
        }
    })
    .await;
    let (source, object) = copy_of("s3://b/big", None, "s3://b/copy", Encryption::Unspecified);
    let refused = copy_object(&client, &source, &object, &silent()).await;
    assert!(matches!(refused, Err(ClientError::Replaced(_))), "{refused:?}");
    let seen = seen.lock().unwrap();
    let mut parts = seen.iter().filter(|head| head.contains("partnumber=")).peekable();
    assert!(parts.peek().is_some() && parts.all(|head| head.contains("x-amz-copy-source-if-match: \"one\"\r\n")));
    let begun = seen.iter().find(|head| head.contains("?uploads=")).unwrap();
    for kept in [
        "content-type: text/csv",
        "content-encoding: gzip",
        "cache-control: no-store",
        "content-disposition: inline",
        "content-language: de",
        "expires: never",
        "x-amz-meta-plan: a",
    ] {
        assert!(begun.contains(&format!("{kept}\r\n")), "{kept}");
    }
    assert!(seen.last().unwrap().starts_with("delete "), "the upload is thrown away");
}
