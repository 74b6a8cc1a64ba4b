//! First run, later runs, and the ends of a whole server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod client;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use canopic_server::{InstallationError, Offline, StartError};
use client::{Client, socket_call};
use http::StatusCode;
use testkit::{ROOT_ACCESS_KEY_ID, ROOT_SECRET, TestPlace, TestServer};

fn modes(directory: &Path, found: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        found.push((entry.path().display().to_string(), mode));
        if entry.file_type().unwrap().is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[tokio::test]
async fn the_root_pair_is_made_on_the_first_run_only() {
    let place = TestPlace::new();
    let mut first = canopic_server::start(&place.config(&[], &[])).await.unwrap();
    let pair = first.take_root_pair().unwrap();
    let client =
        Client::new(first.https().unwrap(), first.authority().unwrap(), pair.id.as_str(), pair.secret.expose());
    assert_eq!(client.call("PUT", "/bucket", b"").await.status, StatusCode::OK);
    first.stop().await;

    let mut second = canopic_server::start(&place.config(&[], &[])).await.unwrap();
    assert!(second.take_root_pair().is_none());
    let client =
        Client::new(second.https().unwrap(), second.authority().unwrap(), pair.id.as_str(), pair.secret.expose());
    assert_eq!(client.call("HEAD", "/bucket", b"").await.status, StatusCode::OK);
    second.stop().await;
}

#[tokio::test]
async fn a_fixed_root_pair_is_used_and_no_other_is_made() {
    let server = TestServer::start(&[]).await.unwrap();
    let client = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, ROOT_SECRET);
    assert_eq!(client.call("PUT", "/bucket", b"").await.status, StatusCode::OK);
    let answer = client.call("POST", "/-/admin/v1/list-access-keys", b"{}").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.text().matches("\"id\"").count(), 1, "{}", answer.text());
    assert!(!answer.text().contains(ROOT_SECRET));
    server.stop().await;
}

#[tokio::test]
async fn objects_outlive_the_server() {
    let server = TestServer::start(&[]).await.unwrap();
    let client = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, ROOT_SECRET);
    client.call("PUT", "/bucket", b"").await;
    let body = vec![7; 3 << 20];
    assert_eq!(client.call("PUT", "/bucket/object", &body).await.status, StatusCode::OK);
    let place = server.stop().await;

    let server = TestServer::start_at(place, &[]).await.unwrap();
    let client = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, ROOT_SECRET);
    let answer = client.call("GET", "/bucket/object", b"").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body == body);
    server.stop().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let server = TestServer::start(&[]).await.unwrap();
    let error = canopic_server::start(&server.place().config(&[], &[])).await.err().unwrap();
    assert!(matches!(error, StartError::Installation(InstallationError::DataDir(_))), "{error}");
    assert!(Offline::open(&server.place().config(&[], &[])).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn data_without_their_root_key_are_not_served() {
    let place = TestServer::start(&[]).await.unwrap().stop().await;
    std::fs::remove_file(place.root_key_file()).unwrap();
    let error = canopic_server::start(&place.config(&[], &[])).await.err().unwrap();
    assert!(matches!(error, StartError::Installation(InstallationError::RootKeyMissing { .. })), "{error}");
    assert!(!place.root_key_file().exists());
}

#[tokio::test]
async fn a_port_that_is_taken_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = TestPlace::new();
    let error = canopic_server::start(&place.config(&[("listen", &address)], &[])).await.err().unwrap();
    assert!(matches!(error, StartError::Listen(..)), "{error}");
    assert!(!place.data_dir().exists() && !place.root_key_file().exists());
}

#[tokio::test]
async fn keys_and_the_directory_are_for_the_owner_alone() {
    let server = TestServer::start(&[]).await.unwrap();
    let mut found = Vec::new();
    modes(&server.place().data_dir(), &mut found);
    let private = ["ca.key", "server.key", "keyring", "admin.sock"];
    for (path, mode) in found.iter().filter(|(path, _)| private.iter().any(|name| path.ends_with(name))) {
        assert_eq!(*mode, 0o600, "{path}");
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&server.place().root_key_file()), 0o600);
    assert_eq!(mode(&server.place().data_dir()), 0o700);
    server.stop().await;
}

#[tokio::test]
async fn the_socket_is_a_way_to_the_admin_api_while_the_server_runs() {
    let server = TestServer::start(&[]).await.unwrap();
    let socket = canopic_server::admin_socket(&server.place().data_dir());
    let answer = socket_call(&socket, "/-/admin/v1/create-user", br#"{"name":"alice"}"#.to_vec()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let too_long = vec![b' '; 1 << 20];
    assert_eq!(socket_call(&socket, "/-/admin/v1/list-users", too_long).await.status, StatusCode::BAD_REQUEST);
    let place = server.stop().await;
    assert!(!socket.exists());

    let offline = Offline::open(&place.config(&[], &[])).await.unwrap();
    let (status, body) = offline.call("/-/admin/v1/list-users", b"{}").await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("alice"));
}

#[tokio::test]
async fn the_admin_api_wants_the_administrators_signature_over_tls() {
    let server = TestServer::start(&[]).await.unwrap();
    let root = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, ROOT_SECRET);
    root.call("POST", "/-/admin/v1/create-user", br#"{"name":"alice"}"#).await;
    let issued = root.call("POST", "/-/admin/v1/issue-access-key", br#"{"owner":{"user":"alice"}}"#).await;
    let issued: serde_json::Value = serde_json::from_str(issued.text()).unwrap();
    let (id, secret) = (issued["access_key_id"].as_str().unwrap(), issued["secret_access_key"].as_str().unwrap());

    let list = ("POST", "/-/admin/v1/list-users", &b"{}"[..]);
    let alice = Client::new(server.https(), server.authority(), id, secret);
    assert_eq!(alice.call(list.0, list.1, list.2).await.status, StatusCode::FORBIDDEN);
    let wrong = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, "not-the-secret");
    assert_eq!(wrong.call(list.0, list.1, list.2).await.status, StatusCode::FORBIDDEN);
    assert_eq!(root.plain(server.http()).call(list.0, list.1, list.2).await.status, StatusCode::FORBIDDEN);
    assert_eq!(root.call(list.0, list.1, list.2).await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn health_is_answered_at_every_listener_without_a_signature() {
    let server = TestServer::start(&[("domain", "s3.example.org")]).await.unwrap();
    let client = Client::new(server.https(), server.authority(), ROOT_ACCESS_KEY_ID, ROOT_SECRET);
    for client in [client.plain(server.http()), client] {
        for path in ["/-/health/live", "/-/health/ready"] {
            assert_eq!(client.unsigned("GET", path).await.status, StatusCode::OK, "{path}");
        }
        assert_eq!(client.unsigned("GET", "/-/health/other").await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.unsigned("DELETE", "/-/health/live").await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    server.stop().await;
}
