//! GetObject: the beginning of a read, from any offset of a known object.

use crate::address::Address;
use crate::client::{Answer, Call, Client, Failed};
use crate::customer_key::{ALGORITHM, CustomerKey};
use crate::error::ClientError;
use crate::head_object::{ObjectHead, is_ambiguous};
use http::header::CONTENT_RANGE;
use http::{Method, StatusCode};

impl Client {
    /// AWS: `GetObject`, the whole object. The head is that of this very answer.
    pub(crate) async fn get_object(
        &self,
        address: &Address,
        key: Option<&CustomerKey>,
    ) -> Result<(ObjectHead, Answer), ClientError> {
        let mut call = Call::new(Method::GET, address);
        call.headers.push(("x-amz-checksum-mode", "ENABLED".into()));
        let answer = self.read(call, key).await?;
        let head = ObjectHead::of(&answer.headers).ok_or_else(|| ClientError::nonsense(address, "no length"))?;
        Ok((head, answer))
    }

    /// AWS: `GetObject` with a range, from `offset` to the end of the object that `head` describes.
    pub(crate) async fn get_rest_of_object(
        &self,
        address: &Address,
        key: Option<&CustomerKey>,
        head: &ObjectHead,
        offset: u64,
    ) -> Result<Answer, ClientError> {
        let mut call = Call::new(Method::GET, address);
        call.headers.push(("range", format!("bytes={offset}-").into()));
        if !head.etag.is_empty() {
            call.headers.push(("if-match", head.etag.as_str().into()));
        }
        let answer = self.read(call, key).await?;
        let range = answer.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wanted = format!("bytes {offset}-{}/{}", head.size.saturating_sub(1), head.size);
        if answer.status != StatusCode::PARTIAL_CONTENT || range != wanted {
            return Err(ClientError::nonsense(address, "another range than was asked for"));
        }
        Ok(answer)
    }

    async fn read<'a>(&self, mut call: Call<'a>, key: Option<&'a CustomerKey>) -> Result<Answer, ClientError> {
        self.protect(key)?;
        call.headers.extend(key.map(CustomerKey::headers).into_iter().flatten());
        let asked = self.asked(call.address, key.is_some());
        match self.open(&call).await {
            Ok(answer) if key.is_some() && !answer.headers.contains_key(ALGORITHM) => Err(asked.not_applicable()),
            Ok(answer) => Ok(answer),
            Err(Failed::Refused(refusal)) if is_ambiguous(&refusal, key.is_some()) => {
                match asked.judge(Failed::Refused(refusal.clone())) {
                    ClientError::AccessDenied { .. } | ClientError::Refused { .. } => {
                        Err(self.explain(asked, refusal).await)
                    }
                    clear => Err(clear),
                }
            }
            Err(failed) => Err(asked.judge_read(failed)),
        }
    }
}
