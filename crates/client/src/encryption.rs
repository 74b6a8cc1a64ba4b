//! What a write asks for, and whether the server did it.

use crate::address::Address;
use crate::client::Client;
use crate::customer_key::{ALGORITHM, CustomerKey, Headers};
use crate::error::ClientError;
use http::HeaderMap;
use std::sync::Arc;

/// How an object is to be encrypted by the server.
#[derive(Clone, Default)]
pub enum Encryption {
    /// As the bucket's default says.
    #[default]
    Unspecified,
    /// SSE-S3: a key of the server.
    ServerKey,
    /// SSE-KMS.
    Kms {
        /// None for the default key of the service.
        key_id: Option<String>,
    },
    /// SSE-C.
    CustomerKey(Arc<CustomerKey>),
}

impl Encryption {
    /// The headers with which an object or an upload begins.
    pub(crate) fn headers(&self) -> Headers<'_> {
        const SSE: &str = "x-amz-server-side-encryption";
        match self {
            Self::Unspecified => Vec::new(),
            Self::ServerKey => vec![(SSE, "AES256".into())],
            Self::Kms { key_id } => {
                let id = key_id.as_ref().map(|id| ("x-amz-server-side-encryption-aws-kms-key-id", id.into()));
                [(SSE, "aws:kms".into())].into_iter().chain(id).collect()
            }
            Self::CustomerKey(key) => key.headers().into(),
        }
    }

    /// The key that goes with every further request about the object.
    #[must_use]
    pub fn customer_key(&self) -> Option<&Arc<CustomerKey>> {
        match self {
            Self::CustomerKey(key) => Some(key),
            Self::Unspecified | Self::ServerKey | Self::Kms { .. } => None,
        }
    }
}

impl Client {
    /// Refuses to send a customer key where others can read it.
    pub(crate) fn protect(&self, key: Option<&CustomerKey>) -> Result<(), ClientError> {
        if key.is_some() && !self.endpoint().keeps_secrets() {
            return Err(ClientError::CustomerKeyInTheClear);
        }
        Ok(())
    }
}

/// Checks that the server used the key of a write. A server that does not know the headers passes over them, and
/// stores in the clear.
pub(crate) fn confirmed(address: &Address, key: Option<&CustomerKey>, answer: &HeaderMap) -> Result<(), ClientError> {
    let Some(key) = key else { return Ok(()) };
    let same_digest = answer
        .get("x-amz-server-side-encryption-customer-key-md5")
        .is_none_or(|digest| digest.as_bytes() == key.md5_base64().as_bytes());
    if answer.contains_key(ALGORITHM) && same_digest {
        return Ok(());
    }
    Err(ClientError::CustomerKeyIgnored { object: address.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_says_nothing_of_the_key_is_not_believed() {
        let (key, other) = (CustomerKey::generate().unwrap(), CustomerKey::generate().unwrap());
        let address: Address = "s3://b/k".parse().unwrap();
        let answer = |digest: &str| {
            let pairs = [(ALGORITHM, "AES256"), ("x-amz-server-side-encryption-customer-key-md5", digest)];
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        assert!(confirmed(&address, Some(&key), &answer(key.md5_base64())).is_ok());
        assert!(confirmed(&address, None, &HeaderMap::new()).is_ok());
        for bad in [HeaderMap::new(), answer(other.md5_base64())] {
            let refused = confirmed(&address, Some(&key), &bad);
            assert!(matches!(refused, Err(ClientError::CustomerKeyIgnored { .. })));
        }
    }

    #[test]
    fn each_mode_has_its_headers() {
        let names =
            |encryption: Encryption| encryption.headers().iter().map(|(name, _)| name.len()).collect::<Vec<_>>();
        assert!(names(Encryption::Unspecified).is_empty());
        assert_eq!(names(Encryption::ServerKey), [28]);
        assert_eq!(names(Encryption::Kms { key_id: Some("k".into()) }), [28, 43]);
        assert_eq!(names(Encryption::CustomerKey(Arc::new(CustomerKey::generate().unwrap()))).len(), 3);
    }
}
