//! An S3 client for any endpoint, made for customer keys.
mod connection;
mod credentials;
mod location;
mod sign;
pub mod tls;

pub use connection::{Connection, ConnectionError, Sent};
pub use credentials::{CredentialsError, KeyPair};
pub use location::Location;
pub use sign::{Credentials, SignedParts, Signer, stamp};
