//! Customer keys from the headers, as the handlers want them.

use envelope::CustomerKey;
use http::HeaderMap;
use operations::{RequestedEncryption, WriteEncryption};
use s3s::S3Result;

use super::caller::Asking;
use crate::refusal::Refusal;
use crate::sse::{self, CustomerKeyHeaders, Repeated};

/// What the answer repeats of a customer key: the algorithm and the MD5 of the key, and nothing without one.
pub(super) struct Echo(Option<String>);

impl Echo {
    /// The algorithm and the MD5, for the fields of an output.
    pub(super) fn into_fields(self) -> (Option<String>, Option<String>) {
        let algorithm = self.0.is_some().then(|| "AES256".to_owned());
        (algorithm, self.0)
    }
}

/// The encryption of an object to be.
pub(super) struct WriteKey {
    pub(super) encryption: WriteEncryption,
    pub(super) requested: RequestedEncryption,
    pub(super) echo: Echo,
    /// The encryption context of SSE-KMS in base64: answers to writes repeat it, and no other does.
    pub(super) context: Option<String>,
}

/// The customer key of an object or upload that exists.
pub(super) struct ReadKey {
    pub(super) customer_key: Option<CustomerKey>,
    pub(super) echo: Echo,
}

impl Asking<'_> {
    pub(super) fn write_key(&self, headers: &mut HeaderMap) -> S3Result<WriteKey> {
        let taken = sse::take_write(headers, self.handlers.compatibility().sse_c_with_aes256);
        let taken = taken.map_err(|refusal| self.exchange.refuse(refusal))?;
        let Repeated { customer_md5, context } = taken.repeated;
        Ok(WriteKey { encryption: taken.encryption, requested: taken.requested, echo: Echo(customer_md5), context })
    }

    pub(super) fn read_key(&self, headers: &mut HeaderMap) -> S3Result<ReadKey> {
        self.taken(sse::take_customer_key(headers))
    }

    pub(super) fn copy_source_key(&self, headers: &mut HeaderMap) -> S3Result<ReadKey> {
        self.taken(sse::take_copy_source_key(headers))
    }

    fn taken(&self, taken: Result<Option<CustomerKeyHeaders>, Refusal>) -> S3Result<ReadKey> {
        let (customer_key, md5) = match taken.map_err(|refusal| self.exchange.refuse(refusal))? {
            None => (None, None),
            Some(headers) => (Some(headers.customer_key), Some(headers.md5)),
        };
        Ok(ReadKey { customer_key, echo: Echo(md5) })
    }
}
