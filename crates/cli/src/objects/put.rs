use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use bench::ByteSize;
use client::{Address, Checksum, ClientError, Encryption, NewObject, UploadOptions, Uploaded, Uploader};

use super::access_args::AccessArgs;
use super::bars::Bar;
use super::encryption_args::WriteKeyArgs;
use super::{folder, many, paths};
use crate::output::note;

/// Upload a file, a directory or standard input.
///
/// Files larger than --part-size go in parts, several at a time. A run that was cut off goes on where it was when the same
/// command is given again.
#[derive(clap::Args)]
pub(crate) struct PutArgs {
    /// File, directory (with --recursive), or - for standard input
    source: PathBuf,
    /// s3://BUCKET/KEY; a key that is missing or ends with / gets the name of the file
    target: Address,
    /// Upload the files of a directory, and those below it
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    encryption: WriteKeyArgs,
    /// Content-Type of the object
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// User metadata, NAME=VALUE; repeatable
    #[arg(long = "meta", value_name = "NAME=VALUE", value_parser = metadata)]
    metadata: Vec<(String, String)>,
    /// Size of the parts, at least 5MiB
    #[arg(long, default_value = "16MiB")]
    part_size: ByteSize,
    /// Parts in memory and on their way at a time
    #[arg(long, value_name = "PARTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// Checksum for the server to check: crc64nvme, crc32c, crc32, sha256 or none
    #[arg(long, default_value = "crc64nvme", value_parser = checksum)]
    checksum: ChecksumArg,
    /// Remember nothing for a later run
    #[arg(long)]
    no_resume: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    access: AccessArgs,
}

/// A checksum, or none.
#[derive(Clone, Copy)]
struct ChecksumArg(Option<Checksum>);

pub(crate) async fn run(args: PutArgs) -> anyhow::Result<ExitCode> {
    let encryption = args.encryption.read()?;
    let uploader = Uploader::new(args.access.client()?, args.options()?);
    let bar = Bar::on_terminal();
    if args.recursive {
        return args.put_directory(&uploader, &encryption, &bar).await;
    }
    let from_stdin = args.source == Path::new("-");
    let mut address = args.target.clone();
    if address.key.is_empty() || address.key.ends_with('/') {
        ensure!(!from_stdin, "standard input has no name: write s3://BUCKET/KEY");
        let name = args.source.file_name().and_then(|name| name.to_str()).context("a file without a name")?;
        address.key.push_str(name);
    }
    if args.source.is_dir() {
        bail!("{} is a directory; add --recursive", args.source.display());
    }
    let object = args.object(address, encryption);
    let uploaded = if from_stdin {
        let mut stdin = super::get::standard_stream(std::io::stdin())?;
        uploader.upload_stream(&mut stdin, &object, &bar.watcher()).await
    } else {
        uploader.upload_file(&args.source, &object, &bar.watcher()).await
    };
    bar.end();
    let uploaded = uploaded.inspect_err(|error| args.hint(error))?;
    if !args.quiet {
        bar.line(&said(&object.address, &uploaded))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl PutArgs {
    async fn put_directory(&self, uploader: &Uploader, encryption: &Encryption, bar: &Bar) -> anyhow::Result<ExitCode> {
        let (files, others) = paths::files_below(&self.source)?;
        for path in others {
            note(&format!("{}: passed over: neither a file nor a directory", path.display()));
        }
        let target = folder(&self.target);
        many::for_each(files, bar, self.quiet, async |found: paths::Found| {
            let address = target.with_key(format!("{}{}", target.key, found.relative));
            let object = self.object(address, encryption.clone());
            let uploaded = uploader.upload_file(&found.path, &object, &bar.watcher()).await;
            uploaded.map(|uploaded| said(&object.address, &uploaded)).inspect_err(|error| self.hint(error))
        })
        .await
    }

    fn object(&self, address: Address, encryption: Encryption) -> NewObject {
        NewObject {
            address,
            encryption,
            content_type: self.content_type.clone(),
            content_headers: Vec::new(),
            metadata: self.metadata.clone(),
        }
    }

    fn options(&self) -> anyhow::Result<UploadOptions> {
        let part_size = self.part_size.bytes();
        ensure!((5 << 20..=5 << 30).contains(&part_size), "--part-size: from 5MiB to 5GiB");
        Ok(UploadOptions {
            part_size,
            parts_in_flight: usize::from(self.parallel),
            checksum: self.checksum.0,
            journals: if self.no_resume { None } else { journals() },
        })
    }

    fn hint(&self, error: &ClientError) {
        if matches!(error, ClientError::Unavailable { .. }) && !self.no_resume && journals().is_some() {
            note("parts that were uploaded are kept: the same command goes on with them");
        }
    }
}

fn said(address: &Address, uploaded: &Uploaded) -> String {
    match uploaded.resumed {
        0 => format!("{address} {}", uploaded.size),
        resumed => format!("{address} {} (of which an earlier run had uploaded {resumed})", uploaded.size),
    }
}

/// Where journals of uploads are kept: `$XDG_STATE_HOME/canopic/uploads` (XDG Base Directory Specification).
fn journals() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("canopic/uploads"))
}

fn metadata(text: &str) -> Result<(String, String), &'static str> {
    let token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let valid = !name.is_empty() && name.chars().all(token) && !value.chars().any(char::is_control);
    let valid = valid && value.trim() == value;
    valid
        .then(|| (name.to_ascii_lowercase(), value.to_owned()))
        .ok_or("a name of letters, digits, - _ . and a value of text")
}

fn checksum(text: &str) -> Result<ChecksumArg, client::InvalidChecksum> {
    if text == "none" { Ok(ChecksumArg(None)) } else { text.parse().map(Some).map(ChecksumArg) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_name_and_a_value() {
        assert_eq!(metadata("Plan=a=b c"), Ok(("plan".to_owned(), "a=b c".to_owned())));
        for text in ["plan", "=a", "p l=a", "plan= a", "plan=a\nb", "plan:x=a"] {
            assert!(metadata(text).is_err(), "{text:?}");
        }
    }
}
