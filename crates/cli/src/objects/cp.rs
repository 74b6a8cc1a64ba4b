use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use client::{Address, Client, ClientError, CopySource, CustomerKey, Encryption, ListedObject, NewObject, copy_object};

use super::access_args::AccessArgs;
use super::bars::Bar;
use super::encryption_args::{WriteKeyArgs, read_key};
use super::{folder, many, objects_in, with_object_key};

/// Copy an object or a folder on the server; no byte passes through this machine.
///
/// A copy of an object onto itself with another key or mode rekeys it.
#[derive(clap::Args)]
pub(crate) struct CpArgs {
    /// s3://BUCKET/KEY
    source: Address,
    /// s3://BUCKET/KEY; a key that is missing or ends with / gets the last part of the source's
    target: Address,
    /// Copy all objects of a folder
    #[arg(long, short)]
    recursive: bool,
    /// Customer key that opens the source
    #[arg(long, value_name = "FILE")]
    source_key_file: Option<PathBuf>,
    #[command(flatten)]
    encryption: WriteKeyArgs,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: CpArgs) -> anyhow::Result<ExitCode> {
    let source_key = args.source_key_file.as_deref().map(read_key).transpose()?.map(Arc::new);
    let encryption = args.encryption.read()?;
    let client = args.access.client()?;
    let bar = Bar::on_terminal();
    if args.recursive {
        return args.copy_folder(&client, source_key, &encryption, &bar).await;
    }
    let source = with_object_key(&args.source)?;
    let mut target = args.target.clone();
    if target.key.is_empty() || target.key.ends_with('/') {
        target.key.push_str(source.key.rsplit('/').next().unwrap_or(&source.key));
    }
    let line = copy(&client, source.clone(), source_key, target, encryption, &bar).await;
    bar.end();
    let line = line?;
    if !args.quiet {
        bar.line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl CpArgs {
    async fn copy_folder(
        &self,
        client: &Client,
        source_key: Option<Arc<CustomerKey>>,
        encryption: &Encryption,
        bar: &Bar,
    ) -> anyhow::Result<ExitCode> {
        let (source, target) = (folder(&self.source), folder(&self.target));
        let objects = objects_in(client, &source).await?;
        if objects.is_empty() {
            return Err(ClientError::NoSuchObject(source.to_string()).into());
        }
        many::for_each(objects, bar, self.quiet, async |object: ListedObject| {
            let rest = object.key.strip_prefix(&source.key).unwrap_or(&object.key);
            let target = target.with_key(format!("{}{rest}", target.key));
            let source = source.with_key(object.key.as_str());
            copy(client, source, source_key.clone(), target, encryption.clone(), bar).await
        })
        .await
    }
}

async fn copy(
    client: &Client,
    address: Address,
    key: Option<Arc<CustomerKey>>,
    target: Address,
    encryption: Encryption,
    bar: &Bar,
) -> Result<String, ClientError> {
    let object = NewObject {
        address: target,
        encryption,
        content_type: None,
        content_headers: Vec::new(),
        metadata: Vec::new(),
    };
    let source = CopySource { address, key };
    let copied = copy_object(client, &source, &object, &bar.watcher()).await?;
    let how =
        if copied.seen_afterwards { " (it is so already: an answer was lost, or another run did it)" } else { "" };
    Ok(format!("{}{how}", object.address))
}
