//! ListObjectsV2, one page per operation, round and round through a folder.

use super::{Requests, encoded};
use crate::client::{Call, Sink};
use crate::error::Failure;
use crate::xml;
use http::Method;

/// Where a worker is in its listing.
#[derive(Default)]
pub(crate) struct Listing {
    token: Option<String>,
    /// Keys seen on the pages before.
    seen: u64,
}

impl Requests {
    /// Fetches the next page of a folder of `names` objects; behind the last page it begins anew. A failure also
    /// makes it begin anew.
    pub(crate) async fn list(&mut self, listing: &mut Listing, folder: &str, names: u64) -> Result<u64, Failure> {
        let Listing { token, seen } = std::mem::take(listing);
        let mut call = Call::new(Method::GET, "");
        let prefix = format!("{}{folder}/", self.plan.prefix);
        let token = token.map(|token| format!("continuation-token={}&", encoded(&token))).unwrap_or_default();
        call.query = format!("{token}list-type=2&max-keys={}&prefix={}", self.plan.page_size, encoded(&prefix));
        let answer = self.client.call(call, Sink::Text).await?;
        let document = String::from_utf8_lossy(&answer.text);
        let keys = self.check_page(&document, folder, seen, names)?;
        if document.contains("<IsTruncated>true</IsTruncated>") {
            let token = xml::text(&answer.text, "NextContinuationToken");
            let token = token.ok_or(Failure::Mismatch("a truncated page without a token"))?;
            *listing = Listing { token: Some(token), seen: seen + keys };
        } else if self.plan.verify && seen + keys != names {
            return Err(Failure::Mismatch("a listing with another number of keys"));
        }
        Ok(answer.body_length)
    }

    /// Counts the keys of a page; when verifying, each must be the one that is due, and the page full.
    fn check_page(&self, document: &str, folder: &str, seen: u64, names: u64) -> Result<u64, Failure> {
        let mut keys = 0;
        for key in xml::texts(document, "Key") {
            if self.plan.verify && key != self.plan.object_key(folder, seen + keys) {
                return Err(Failure::Mismatch("another key than is due"));
            }
            keys += 1;
        }
        if self.plan.verify && keys != self.plan.page_size.min(names.saturating_sub(seen)) {
            return Err(Failure::Mismatch("a page that is not full"));
        }
        Ok(keys)
    }
}
