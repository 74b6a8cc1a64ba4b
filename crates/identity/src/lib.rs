//! Who asks: access key pairs, tokens, and what a request presents of them.
//!
//! Pure: random bytes and the time are arguments. Secrets sit in types that cannot be cloned, printed or serialized
//! and are zeroized when dropped; a token never travels in an [`AccessKeyId`], which may be printed.
//!
//! Left out: storing and looking up credentials, and checking signatures (the protocol crate does, with the secret
//! that it looked up).

mod access_key;
mod canonical_user;
mod presented;
mod request_time;
mod status;
mod token;

pub use access_key::{AccessKeyId, InvalidAccessKeyId, InvalidSecretAccessKey, SecretAccessKey};
pub use canonical_user::canonical_user_id;
pub use presented::{MalformedAuthorization, Presented, PresentedKey, SignatureScheme, presented_access_key};
pub use request_time::{InvalidRequestTime, RequestTimeTooSkewed, SKEW_MAX_MS, check_skew, request_time};
pub use status::{KeyStatus, is_live};
pub use token::{InvalidToken, Token, TokenDigest};
