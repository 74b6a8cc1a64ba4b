//! CreateBucket.

use crate::address::Address;
use crate::client::{Call, Client};
use crate::error::ClientError;
use http::Method;

impl Client {
    /// AWS: `CreateBucket`, in the region that the client signs for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_bucket(&self, address: &Address) -> Result<(), ClientError> {
        let bucket = address.with_key("");
        let mut call = Call::new(Method::PUT, &bucket);
        if self.region() != "us-east-1" {
            // The one region that must not be named (AWS: `CreateBucket`, LocationConstraint).
            let document = format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                crate::xml::escaped(self.region())
            );
            call.body = document.into();
        }
        let created = self.call(&call).await;
        created.map(drop).map_err(|failed| self.asked(&bucket, false).judge(failed))
    }
}
