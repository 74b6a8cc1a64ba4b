//! An installation in memory, and users who send tokens: nothing need be signed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envelope::RootKey;
use http::Request;
use http_body_util::BodyExt as _;
use identity::{AccessKeyId, SecretAccessKey, Token};
use kms::{CacheLimits, CachedKms, DataKeys, Keeper, KeyService as _, LocalKeyring, MemoryKeyringFile, NoAudit};
use md5::{Digest as _, Md5};
use model::{KmsKeyId, Principal, Timestamp};
use operations::{Clock, Fault, Operations, Ports};
use s3::{
    AdminRequest, Body, Compatibility, Connection, CredentialStore, Domains, Gateway, GatewayConfig, Handlers,
    ServerRoutes, TlsVersion,
};
use storage::memory::MemoryStore;

/// Who sends a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Who {
    Owner,
    Other,
    Anonymous,
}

impl Who {
    fn token(self) -> Option<String> {
        let letter = match self {
            Self::Owner => "A",
            Self::Other => "B",
            Self::Anonymous => return None,
        };
        Some(format!("cnpt{}", letter.repeat(40)))
    }

    pub(crate) fn arn(self) -> &'static str {
        match self {
            Self::Owner => "arn:aws:iam::111122223333:user/owner",
            Self::Other => "arn:aws:iam::111122223333:user/other",
            Self::Anonymous => "",
        }
    }
}

struct Users;

#[async_trait]
impl CredentialStore for Users {
    async fn access_key(&self, _: &AccessKeyId) -> Result<Option<(Arc<SecretAccessKey>, Principal)>, Fault> {
        Ok(None)
    }

    async fn token(&self, token: &Token) -> Result<Option<Principal>, Fault> {
        let who = [Who::Owner, Who::Other].into_iter().find(|who| who.token().as_deref() == Some(token.expose()));
        Ok(who.and_then(|who| Principal::from_arn(who.arn())))
    }
}

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_600_000_000_000)
    }
}

impl kms::Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}

struct NoRoutes;

#[async_trait]
impl ServerRoutes for NoRoutes {
    async fn health(&self, _: &str) -> Option<http::Response<Body>> {
        None
    }

    async fn admin(&self, _: AdminRequest) -> http::Response<Body> {
        http::Response::new(Body::empty())
    }
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let inside = self.text.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
        inside.map_or("", |(inside, _)| inside)
    }

    /// The value of a header, as text; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The status and the code of the error document.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }
}

/// A gateway with one bucket, `/bucket`, that belongs to [`Who::Owner`].
pub(crate) struct Site {
    gateway: Gateway<Handlers>,
    /// The KMS.
    kms: Arc<LocalKeyring>,
    pub(crate) tls: Option<TlsVersion>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(Compatibility::default()).await
    }

    pub(crate) async fn with(compatibility: Compatibility) -> Self {
        let root_key = RootKey::generate();
        let (keyring, sealed) = LocalKeyring::create(&root_key);
        let (store, store_key) = (MemoryStore::new(), keyring.store_key());
        let file = Arc::new(MemoryKeyringFile::new(sealed));
        let keyring = Arc::new(keyring.kept_by(Keeper { root_key, file, clock: Arc::new(StandingClock) }));
        // Nothing is kept, so that each use asks the KMS.
        let kms = CachedKms::new(keyring.clone(), CacheLimits { time: Duration::ZERO, keys: 0 });
        let operations = Operations::new(Ports {
            metadata: Arc::new(store.clone()),
            blobs: Arc::new(store),
            keys: DataKeys::new(keyring.clone(), Some(Arc::new(kms)), Arc::new(NoAudit)),
            store_key,
            clock: Arc::new(StandingClock),
        });
        let region = "us-east-1".to_owned();
        let config = GatewayConfig {
            domains: Domains::new(["s3.example"]).unwrap(),
            credentials: Arc::new(Users),
            region: region.clone(),
            routes: Arc::new(NoRoutes),
            clock: Arc::new(StandingClock),
        };
        let handlers = Handlers::new(operations, region, Arc::new(StandingClock), compatibility);
        let gateway = Gateway::new(handlers, config);
        let site = Self { gateway, kms: keyring, tls: Some(TlsVersion::V1_3) };
        assert_eq!(site.send(Who::Owner, "PUT", "/bucket", &[], "").await.status, 200);
        site
    }

    pub(crate) async fn send(
        &self,
        who: Who,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> Answer {
        let body = body.into();
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "127.0.0.1:9443")
            .header("date", "Sun, 13 Sep 2020 12:26:40 GMT")
            .header("content-length", body.len());
        if let Some(token) = who.token() {
            request = request.header("authorization", format!("AWS {token}:none"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let connection = Connection { secure: true, tls: self.tls, peer: ([192, 0, 2, 1], 5000).into() };
        let response = self.gateway.call(request.body(Body::from(body)).unwrap(), connection).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// Makes a key in the KMS.
    pub(crate) async fn kms_key(&self, id: &str) {
        self.kms.create(&KmsKeyId::parse(id).unwrap()).await.unwrap();
    }

    /// Disables a key in the KMS.
    pub(crate) async fn disable_kms_key(&self, id: &str) {
        self.kms.disable(&KmsKeyId::parse(id).unwrap()).await.unwrap();
    }

    /// Sets the policy of the bucket to these statements.
    pub(crate) async fn set_policy(&self, statements: &[&str]) {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let answer = self.send(Who::Owner, "PUT", "/bucket?policy", &[], document).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// The three headers of a customer key.
pub(crate) fn customer_key(byte: u8) -> [(&'static str, String); 3] {
    let bytes = [byte; 32];
    [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256".to_owned()),
        ("x-amz-server-side-encryption-customer-key", STANDARD.encode(bytes)),
        ("x-amz-server-side-encryption-customer-key-MD5", STANDARD.encode(Md5::digest(bytes))),
    ]
}

pub(crate) fn borrowed<'a>(trio: &'a [(&'static str, String); 3]) -> Vec<(&'static str, &'a str)> {
    trio.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
