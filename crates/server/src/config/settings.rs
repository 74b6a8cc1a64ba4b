//! The one table of settings. Flags, variables, fields of the file, their defaults and docs/configuration.md all come
//! from it, so none of them can know a setting that another does not.

use std::path::PathBuf;

use serde::Deserialize;

use super::compatibility::{PolicyVersions, SseCWithAes256, UnconfiguredEncryption, WrongKeyStatus};
use super::kms::{KmsProvider, ProviderText};
use super::store::{CephName, CephUser, Placements, StoreKind};
use super::value::{
    Domain, InvalidValue, List, Listen, LogFormat, LogLevels, Network, Period, Region, Value, WhenUnwritable,
};

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The field in the file, with underscores.
    pub name: &'static str,
    /// What stands for the value in help texts.
    pub placeholder: &'static str,
    /// The value, as text, when nobody says anything; empty for none.
    pub default: &'static str,
    /// Whether it may be given several times.
    pub is_list: bool,
    /// What it does, one or two sentences.
    pub meaning: &'static str,
    /// Reads a text into a layer.
    pub set: fn(&mut Layer, &str) -> Result<(), InvalidValue>,
}

impl Setting {
    /// The flag without its dashes in front: `data-dir`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable: `CANOPIC_DATA_DIR`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("CANOPIC_{}", self.name.to_ascii_uppercase())
    }
}

macro_rules! settings {
    ($($name:ident: $type:ty, $placeholder:literal, $default:literal, $meaning:literal;)*) => {
        /// What one source says: every setting may be missing.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Layer {
            $(
                #[doc = $meaning]
                pub $name: Option<$type>,
            )*
        }

        impl Layer {
            /// This layer on top of another: what it leaves open, `lower` says.
            #[must_use]
            pub fn or(self, lower: Self) -> Self {
                Self { $($name: self.$name.or(lower.$name),)* }
            }
        }

        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            placeholder: $placeholder,
            default: $default,
            is_list: <$type as Value>::IS_LIST,
            meaning: $meaning,
            set: |layer, text| {
                layer.$name = Some(<$type as Value>::parse(text)?);
                Ok(())
            },
        },)*];
    };
}

settings! {
    data_dir: PathBuf, "DIR", "./canopic-data",
        "Where everything is kept. Created, readable by its owner only, on the first run.";
    root_key_file: PathBuf, "FILE", "",
        "The key that opens the keyring. Beside the data directory, `<data-dir>.root-key`, unless set; refused inside it.";
    store: StoreKind, "STORE", "embedded",
        "Where records and objects are kept: `embedded` (the data directory) or `rados` (a Ceph cluster that several gateways share). See docs/operations-ceph.md.";
    ceph_conf: PathBuf, "FILE", "",
        "Ceph's configuration file; `/etc/ceph/ceph.conf` unless set.";
    ceph_user: CephUser, "USER", "",
        "The cephx user; `client.canopic` unless set.";
    ceph_namespace: CephName, "NAME", "",
        "The namespace of everything in all pools; `canopic` unless set.";
    pool_data: CephName, "POOL", "",
        "The pool for the bytes of objects, replicated or erasure-coded. `store = \"rados\"` needs it.";
    pool_index: CephName, "POOL", "",
        "The pool for records, replicated. `store = \"rados\"` needs it.";
    placements: Placements, "NAME=DATA_POOL:INDEX_POOL", "",
        "Further places for buckets, by the name that stands behind the colon of a `LocationConstraint`. May be given several times.";
    ceph_deadline: Period, "TIME", "",
        "How long a request waits for the cluster, then it gets 503; `20s` unless set.";
    blob_grace: Period, "TIME", "",
        "How long the bytes of replaced and deleted objects stay in the cluster: longer than the longest download; `6h` unless set.";
    split_entries: u32, "COUNT", "",
        "For tests and experts: how many entries an object of the index holds before it is split; `30000` unless set.";
    listen: Listen, "ADDRESS", "127.0.0.1:9443",
        "Where to serve HTTPS, or `off`.";
    listen_http: Listen, "ADDRESS", "off",
        "Where to serve plain HTTP. Customer keys and tokens are refused there, except from a trusted proxy.";
    tls_cert: PathBuf, "FILE", "",
        "Certificate chain, PEM. With `tls_key`; a change is picked up without a restart. A local CA issues one unless set.";
    tls_key: PathBuf, "FILE", "",
        "Private key of `tls_cert`, PEM.";
    domain: List<Domain>, "NAME", "",
        "Names whose sub-domains are buckets (virtual-host addressing). May be given several times.";
    trusted_proxy: List<Network>, "NETWORK", "",
        "Peers whose `X-Forwarded-Proto: https` is believed. May be given several times.";
    region: Region, "NAME", "us-east-1",
        "The region that clients sign for.";
    sse_c_with_aes256: SseCWithAes256, "CHOICE", "allow",
        "Customer headers together with `x-amz-server-side-encryption: AES256`, as boto 2 sends them: `allow` takes them as SSE-C, `refuse` answers 400, as AWS does.";
    sse_c_wrong_key_status: WrongKeyStatus, "STATUS", "403",
        "What a read with the wrong customer key gets: `403`, as on AWS, or `400`.";
    get_bucket_encryption_unconfigured: UnconfiguredEncryption, "CHOICE", "aes256",
        "What GetBucketEncryption answers for a bucket without a configuration: `aes256`, as AWS does since 2023, or `not-found`.";
    policy_version: PolicyVersions, "CHOICE", "lenient",
        "Which versions a bucket policy may name: `lenient` takes any date, with a warning in the log, `strict` those that exist.";
    kms: KmsProvider, "KMS", "local",
        "What keeps the keys of SSE-KMS: `local` (the keyring), `vault` (Transit of Vault or OpenBao) or `kmip`. See docs/kms.md.";
    kms_address: ProviderText, "ADDRESS", "",
        "Where the KMS is: `https://HOST[:PORT]` for Vault, `HOST[:PORT]` for KMIP.";
    kms_ca_file: PathBuf, "FILE", "",
        "The authorities, PEM, that the KMS's certificate may come from.";
    kms_client_cert: PathBuf, "FILE", "",
        "The certificate, PEM, that the KMS knows this server by. KMIP needs one.";
    kms_client_key: PathBuf, "FILE", "",
        "Private key of `kms_client_cert`, PEM.";
    kms_timeout: Period, "TIME", "5s",
        "How long one call to the KMS may take, its retries included.";
    kms_retries: u32, "COUNT", "3",
        "How often a call to the KMS that failed is made again within its time.";
    kms_cache_time: Period, "TIME", "5m",
        "How long a key that the KMS opened serves without the KMS being asked; also while it is down, and after another disabled the key.";
    kms_cache_keys: u32, "COUNT", "10000",
        "How many keys that the KMS opened are kept.";
    kms_mount: ProviderText, "PATH", "",
        "Vault: where the Transit engine is mounted; `transit` unless set.";
    kms_namespace: ProviderText, "NAME", "",
        "Vault: the namespace.";
    kms_token_file: PathBuf, "FILE", "",
        "Vault: a file with a token. Or `CANOPIC_KMS_TOKEN`, or an AppRole.";
    kms_approle_mount: ProviderText, "PATH", "",
        "Vault: where the AppRole method is mounted; `approle` unless set.";
    kms_role_id_file: PathBuf, "FILE", "",
        "Vault: a file with the AppRole's role id. Or `CANOPIC_KMS_ROLE_ID`.";
    kms_secret_id_file: PathBuf, "FILE", "",
        "Vault: a file with the AppRole's secret id. Or `CANOPIC_KMS_SECRET_ID`.";
    kms_prefix: ProviderText, "NAME", "",
        "KMIP: what the names of Canopic's objects begin with; `canopic` unless set.";
    log: LogLevels, "LEVELS", "info",
        "What is logged, in the form of `RUST_LOG`, which counts too. Other people's code is never below `warn`.";
    log_format: LogFormat, "FORMAT", "auto",
        "`text`, `json`, or `auto`: text on a terminal, JSON elsewhere.";
    audit_dir: PathBuf, "DIR", "",
        "Where the audit log of server-held keys is written: `audit` in the data directory, unless set.";
    audit_file_mib: u32, "MIB", "64",
        "A file of the audit log that is as long as this is followed by a new one.";
    audit_files: u32, "COUNT", "16",
        "How many files of the audit log are kept; at least 2.";
    audit_when_unwritable: WhenUnwritable, "CHOICE", "go-on",
        "What becomes of requests that need a server-held key while the audit log cannot be written: `go-on` (counted in the log later), or `refuse`.";
    shutdown_grace: Period, "TIME", "30s",
        "How long running requests may take to finish when the server is told to stop.";
    max_connections: u32, "COUNT", "4096",
        "Connections served at a time; more wait to be accepted.";
    handshake_timeout: Period, "TIME", "10s",
        "How long a TLS handshake may take.";
    header_timeout: Period, "TIME", "30s",
        "How long a connection may take to send the header of its next request, which bounds idling too.";
    body_timeout: Period, "TIME", "60s",
        "How long a client may neither send nor take a byte while the server waits for it.";
}
