//! librados keeps the contract on a real cluster.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Librados, LibradosError};
use crate::config::Config;
use crate::rados::Rados as _;
use crate::rados::contract::{Site, contract};
use crate::store::tests::real::cluster_config as config;

async fn site() -> Site {
    let config = config();
    let (rados, other) = (Librados::connect(&config).await.unwrap(), Librados::connect(&config).await.unwrap());
    let pool = rados.pool(&config.default_placement.index_pool).await.unwrap();
    let ec_pool = match std::env::var("CANOPIC_TEST_CEPH_POOL_EC") {
        Ok(name) => Some(rados.pool(&name).await.unwrap()),
        Err(_) => None,
    };
    Site { rados: Arc::new(rados), other: Arc::new(other), pool, ec_pool }
}

contract!(
    site(),
    [tokio::test(flavor = "multi_thread", worker_threads = 2), ignore = "needs a Ceph cluster: ./check --ceph"]
);

/// A Ceph configuration of these words, which stays for the system to clear away.
fn written_conf(words: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("canopic-test-{}.conf", hex::encode(crate::random::random::<6>())));
    File::create_new(&path).and_then(|mut file| file.write_all(words.as_bytes())).unwrap();
    path
}

async fn refusal(config: &Config) -> LibradosError {
    Librados::connect(config).await.err().expect("there is nothing to connect to")
}

#[tokio::test]
#[ignore = "needs a Ceph cluster: ./check --ceph"]
async fn a_missing_or_broken_configuration_is_named() {
    let missing = Config { conf: "/there/is/no/ceph.conf".into(), ..config() };
    let error = refusal(&missing).await;
    assert!(error.to_string().contains("/there/is/no/ceph.conf"), "{error}");
    for conf in [written_conf("[global\nmon host = ="), without("mon host", "")] {
        let error = refusal(&Config { conf: conf.clone(), ..config() }).await;
        assert!(matches!(error, LibradosError::Configuration { .. }), "{error}");
        assert!(error.to_string().contains(conf.to_str().unwrap()), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs a Ceph cluster: ./check --ceph"]
async fn a_user_that_is_not_there_is_named() {
    let stranger = Config { user: "client.stranger".to_owned(), ..config() };
    let without_type = Config { user: "stranger".to_owned(), ..config() };
    let without_keyring = Config { conf: without("keyring", "keyring = /there/is/none"), ..config() };
    for config in [stranger, without_type, without_keyring] {
        let error = refusal(&config).await;
        assert!(error.to_string().contains(&config.user), "{error}");
        assert!(matches!(error, LibradosError::User { .. }), "{error}");
    }
}

/// The configuration of the cluster with another line for the one that begins so.
fn without(beginning: &str, instead: &str) -> PathBuf {
    let conf = std::fs::read_to_string(config().conf).unwrap();
    let lines = conf.lines().map(|line| if line.trim().starts_with(beginning) { instead } else { line });
    // Ceph wants the last line to end, too.
    written_conf(&lines.flat_map(|line| [line, "\n"]).collect::<String>())
}

#[tokio::test]
#[ignore = "needs a Ceph cluster: ./check --ceph"]
async fn monitors_that_do_not_answer_are_waited_for_no_longer_than_the_deadline() {
    let conf = written_conf("[global]\nmon host = [v2:127.0.0.1:9]\nauth client required = none\n");
    let unreachable = Config { conf, deadline: Duration::from_secs(2), ..config() };
    let started = Instant::now();
    let error = refusal(&unreachable).await;
    assert!(matches!(error, LibradosError::NoAnswer(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
