use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use client::{Address, Client, ClientError, CustomerKey, Downloaded, ListedObject, download, download_to, shown};

use super::access_args::AccessArgs;
use super::bars::Bar;
use super::encryption_args::ReadKeyArgs;
use super::{folder, many, objects_in, paths, with_object_key};

/// Download an object or a folder.
///
/// A file appears under its name when it is whole and has the checksum that the server gave; until then it is FILE.….part.
/// A run that was cut off goes on where it was when the same command is given again.
#[derive(clap::Args)]
pub(crate) struct GetArgs {
    /// s3://BUCKET/KEY
    source: Address,
    /// File, directory, or - for standard output [default: the last part of the key, in this directory]
    target: Option<PathBuf>,
    /// Download all objects of a folder
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    key: ReadKeyArgs,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(args: GetArgs) -> anyhow::Result<ExitCode> {
    let key = args.key.read()?;
    let client = args.access.client()?;
    let bar = Bar::on_terminal();
    if args.recursive {
        return args.get_folder(&client, key.as_deref(), &bar).await;
    }
    let address = with_object_key(&args.source)?;
    if args.target.as_deref() == Some(Path::new("-")) {
        let mut stdout = standard_stream(std::io::stdout())?;
        let downloaded = download_to(&client, address, key.as_deref(), &mut stdout, &*bar.watcher()).await;
        bar.end();
        downloaded?;
        return Ok(ExitCode::SUCCESS);
    }
    let target = match &args.target {
        Some(target) if !target.is_dir() => target.clone(),
        directory => {
            let name = paths::file_name(&address.key);
            let name = name.with_context(|| format!("{address}: its key ends like no file; give a file name"))?;
            directory.as_deref().unwrap_or(Path::new("")).join(name)
        }
    };
    let downloaded = download(&client, address, key.as_deref(), &target, &*bar.watcher()).await;
    bar.end();
    let downloaded = downloaded?;
    if !args.quiet {
        bar.line(&said(&target, &downloaded))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl GetArgs {
    async fn get_folder(&self, client: &Client, key: Option<&CustomerKey>, bar: &Bar) -> anyhow::Result<ExitCode> {
        let source = folder(&self.source);
        let root = self.target.clone().unwrap_or_else(|| PathBuf::from("."));
        let objects = objects_in(client, &source).await?;
        if objects.is_empty() {
            return Err(ClientError::NoSuchObject(source.to_string()).into());
        }
        // A key that ends with a slash is how some clients keep an empty directory.
        let is_file = |object: &ListedObject| !(object.key.ends_with('/') && object.size == 0);
        let objects = objects.into_iter().filter(is_file);
        many::for_each(objects, bar, self.quiet, async |object: ListedObject| {
            let address = source.with_key(object.key);
            let rest = address.key.strip_prefix(&source.key).unwrap_or(&address.key);
            let target = paths::below(&root, rest).ok_or_else(|| unfit(&address))?;
            if let Some(directory) = target.parent() {
                let made = std::fs::create_dir_all(directory);
                made.map_err(|source| ClientError::File { path: directory.to_owned(), source })?;
            }
            let downloaded = download(client, &address, key, &target, &*bar.watcher()).await?;
            Ok(said(&target, &downloaded))
        })
        .await
    }
}

fn unfit(address: &Address) -> ClientError {
    let source = std::io::Error::other("this key can be no file below the directory");
    ClientError::File { path: PathBuf::from(address.to_string()), source }
}

fn said(target: &Path, downloaded: &Downloaded) -> String {
    let verified = downloaded.verified.map_or("no checksum to compare".to_owned(), |name| format!("{name} verified"));
    let resumed = match downloaded.resumed {
        0 => String::new(),
        resumed => format!(", {resumed} of an earlier run"),
    };
    format!("{} {} ({verified}{resumed})", shown(target), downloaded.size)
}

/// A standard stream without its buffer of lines.
pub(super) fn standard_stream(stream: impl AsFd) -> std::io::Result<tokio::fs::File> {
    let owned = stream.as_fd().try_clone_to_owned()?;
    Ok(tokio::fs::File::from_std(std::fs::File::from(owned)))
}
