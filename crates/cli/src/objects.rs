//! The commands for users of any S3 server: put, get, head, ls, rm, cp, mb, which-key.
//!
//! They differ in what they do, not in how they reach a server (`access_args.rs`), how objects are encrypted
//! (`encryption_args.rs`), how failures are told (`exit_code.rs`), and how a transfer is shown (`bars.rs`).

mod access_args;
mod bars;
mod cp;
mod encryption_args;
mod exit_code;
mod get;
mod head;
mod ls;
mod many;
mod mb;
mod paths;
mod put;
mod rm;
mod which_key;

pub(crate) use cp::{CpArgs, run as cp};
pub(crate) use encryption_args::read_key;
pub(crate) use exit_code::exit_code;
pub(crate) use get::{GetArgs, run as get};
pub(crate) use head::{HeadArgs, run as head};
pub(crate) use ls::{LsArgs, run as ls};
pub(crate) use mb::{MbArgs, run as mb};
pub(crate) use put::{PutArgs, run as put};
pub(crate) use rm::{RmArgs, run as rm};
pub(crate) use which_key::{WhichKeyArgs, run as which_key};

use client::{Address, ClientError};

/// An address that must name an object, not only a bucket.
fn with_object_key(address: &Address) -> anyhow::Result<&Address> {
    anyhow::ensure!(!address.key.is_empty(), "{address}: write s3://BUCKET/KEY, or add --recursive");
    Ok(address)
}

/// The beginning of the keys of a folder: with `--recursive`, `s3://b/run1` does not mean `s3://b/run10/…`.
fn folder(address: &Address) -> Address {
    if address.key.is_empty() || address.key.ends_with('/') {
        return address.clone();
    }
    address.with_key(format!("{}/", address.key))
}

/// All objects of a folder. Its memory grows with the number of keys, about 200 bytes each.
async fn objects_in(client: &client::Client, folder: &Address) -> Result<Vec<client::ListedObject>, ClientError> {
    let mut listing = client::Listing::new(folder, false);
    let mut objects = Vec::new();
    while let Some(page) = client.list_objects(&mut listing).await? {
        objects.extend(page.objects);
    }
    Ok(objects)
}
