//! An S3 client for any endpoint, made for customer keys.
//!
//! - [`Endpoint`] and [`KeyPair`] make a [`Client`]: signed requests (Signature V4), tried again where that can help.
//! - [`CustomerKey`] comes from a [`key_file`] and goes into headers only. The server has to confirm it.
//! - One file for each operation of S3 (`put_object.rs`, `get_object.rs`, …), and above them what users want: a file
//!   uploaded in parts and resumed ([`Uploader`]), downloaded and resumed ([`download`]), the question which of many
//!   keys opens an object ([`which_key`]).
//! - [`ClientError`] is sorted by what a user can do about it.
//!
//! Why our own: SDKs retry, chunk and check, but none knows a wrong key from a denied one, resumes after a crash, or
//! says that the server has not used the key. Requests have their bodies in memory, a part at a time, so that each can
//! be repeated and memory is bounded by the parts in flight.
//!
//! Left out: HTTP/2, Signature V2, ACLs, tags, versions, and any administration.

mod address;
mod body;
mod checksum;
mod client;
mod connection;
mod copy_object;
mod create_bucket;
mod credentials;
mod customer_key;
mod delete_objects;
mod download;
mod encryption;
mod endpoint;
mod error;
mod get_object;
mod head_object;
mod judge;
pub mod key_file;
mod list_multipart_uploads;
mod list_objects;
mod location;
mod multipart;
mod put_object;
mod sign;
pub mod tls;
mod upload;
mod which_key;
mod xml;

pub use address::{Address, InvalidAddress};
pub use body::{Progress, Unwatched};
pub use checksum::{Checksum, InvalidChecksum};
pub use client::{Client, Patience};
pub use connection::{Connection, ConnectionError, Sent};
pub use copy_object::{Copied, CopySource, copy_object};
pub use credentials::{CredentialsError, KeyPair};
pub use customer_key::{CustomerKey, NoRandomness, random};
pub use delete_objects::DELETE_MAX;
pub use download::{Downloaded, download, download_to};
pub use encryption::Encryption;
pub use endpoint::{Addressing, Endpoint, EndpointError, Trust};
pub use error::{ClientError, Damage, Refusal, shown};
pub use head_object::ObjectHead;
pub use list_multipart_uploads::UnfinishedUpload;
pub use list_objects::{ListedObject, Listing, Page};
pub use location::Location;
pub use put_object::NewObject;
pub use sign::{Credentials, SignedParts, Signer, now, stamp};
pub use upload::{UploadOptions, Uploaded, Uploader};
pub use which_key::{KeyAnswer, which_key};
