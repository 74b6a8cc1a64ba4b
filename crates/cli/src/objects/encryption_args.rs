//! How an object is encrypted, and the key that reads it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::{CustomerKey, Encryption, key_file};

use crate::output::note;

/// For commands that read.
#[derive(clap::Args)]
pub(crate) struct ReadKeyArgs {
    /// Customer key of the object (SSE-C): a file of `canopic key-file new`, 32 raw bytes, 64 hex digits or base64
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// For commands that write.
#[derive(clap::Args)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct WriteKeyArgs {
    /// Encrypt under this customer key (SSE-C): a file of `canopic key-file new`, 32 raw bytes, 64 hex digits or base64
    #[arg(long, value_name = "FILE", conflicts_with = "sse")]
    key_file: Option<PathBuf>,
    /// Encrypt under a key of the server (SSE-S3) or of a KMS (SSE-KMS) [default: as the bucket says]
    #[arg(long, value_enum)]
    sse: Option<SseArg>,
    /// Key of the KMS [default: its default key]
    #[arg(long, value_name = "ID", requires = "sse")]
    kms_key_id: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SseArg {
    #[value(name = "AES256")]
    Aes256,
    #[value(name = "aws:kms")]
    AwsKms,
}

impl ReadKeyArgs {
    pub(super) fn read(&self) -> anyhow::Result<Option<Arc<CustomerKey>>> {
        self.key_file.as_deref().map(|path| read_key(path).map(Arc::new)).transpose()
    }
}

impl WriteKeyArgs {
    pub(super) fn read(&self) -> anyhow::Result<Encryption> {
        if let Some(path) = &self.key_file {
            return Ok(Encryption::CustomerKey(Arc::new(read_key(path)?)));
        }
        anyhow::ensure!(
            self.kms_key_id.is_none() || self.sse == Some(SseArg::AwsKms),
            "--kms-key-id goes with --sse aws:kms"
        );
        Ok(match self.sse {
            None => Encryption::Unspecified,
            Some(SseArg::Aes256) => Encryption::ServerKey,
            Some(SseArg::AwsKms) => Encryption::Kms { key_id: self.kms_key_id.clone() },
        })
    }
}

/// Reads a key file, and says so when others can read it too.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<CustomerKey> {
    let read = key_file::read(path)?;
    if read.open_to_others {
        let path = path.display();
        note(&format!("warning: {path}: other users of this machine can read this key; chmod 600 {path}"));
    }
    Ok(read.customer_key)
}
