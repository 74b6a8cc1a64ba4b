//! HTTP and XML of the S3 protocol, in front of [`operations`].
//!
//! [`Gateway`] takes a request and answers it. Before anything of a request reaches the `s3s` crate, which parses
//! operations and checks signatures, the modules here look at it in this order:
//!
//! 1. `target`: what the host and the path name;
//! 2. `hygiene`: headers that are doubled, unreadable, or would carry a customer key over plain HTTP;
//! 3. `query`: only parameters that the operation knows, so that an unknown subresource never becomes the plain
//!    operation;
//! 4. `auth`: who the request claims to be; tokens are settled here, signatures are handed to `s3s` with the one secret
//!    that the request may use;
//! 5. `body`: the framing and the digest of the body, checked while it streams;
//! 6. `features`, once the signature has been checked: headers that ask for something we do not do.
//!
//! Of a browser's form, `form` makes the put that it stands for, which then goes the same way.
//!
//! Afterwards `render` gives every error one form. Why each of them is needed stands in
//! `docs/decisions/0005-s3s.md`; no other crate knows of `s3s`.
//!
//! Deliberately absent: sockets and TLS (the server's), and every decision about who may do what (`operations`).

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

mod auth;
mod aws_chunked;
mod body;
mod compatibility;
mod connection;
mod content_sha256;
mod error;
mod exchange;
mod features;
mod form;
mod gateway;
mod handlers;
mod hygiene;
mod limits;
mod own;
mod query;
mod refusal;
mod render;
mod server_routes;
mod sse;
mod target;

pub use auth::CredentialStore;
pub use compatibility::{Compatibility, PolicyVersions, SseCWithAes256, UnconfiguredEncryption, WrongKeyStatus};
pub use connection::{Connection, TlsVersion};
pub use exchange::RequestSummary;
pub use gateway::{Gateway, GatewayConfig};
pub use handlers::Handlers;
pub use own::{OwnInput, OwnOperation, OwnOperations};
pub use s3s::Body;
pub use server_routes::{AdminRequest, ServerRoutes};
pub use target::{Domains, InvalidDomain};
