//! ListObjectsV2 and ListBuckets, page by page.

use crate::address::Address;
use crate::client::{Call, Client};
use crate::error::ClientError;
use crate::xml::Element;
use http::Method;
use percent_encoding::percent_decode_str;

/// What is to be listed, and how far the listing is.
pub struct Listing {
    address: Address,
    /// Groups keys by what follows the prefix up to the next slash.
    by_folder: bool,
    token: Option<String>,
    is_over: bool,
}

/// One page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of keys.
    pub objects: Vec<ListedObject>,
    /// Beginnings of keys that are shown as one.
    pub folders: Vec<String>,
}

/// An object as lists have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// As the answer has it (RFC 3339).
    pub last_modified: String,
}

impl Listing {
    /// The objects whose keys begin like that of `prefix`; with `by_folder`, those behind a further slash as one.
    #[must_use]
    pub fn new(prefix: &Address, by_folder: bool) -> Self {
        Self { address: prefix.clone(), by_folder, token: None, is_over: false }
    }
}

impl Client {
    /// AWS: `ListObjectsV2`. None when the last page was given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_objects(&self, listing: &mut Listing) -> Result<Option<Page>, ClientError> {
        if listing.is_over {
            return Ok(None);
        }
        let bucket = listing.address.with_key("");
        let mut call = Call::new(Method::GET, &bucket);
        call.query = vec![("list-type", "2".into()), ("encoding-type", "url".into())];
        call.query.push(("prefix", listing.address.key.as_str().into()));
        if listing.by_folder {
            call.query.push(("delimiter", "/".into()));
        }
        call.query.extend(listing.token.take().map(|token| ("continuation-token", token.into())));
        let answer = self.call(&call).await.map_err(|failed| self.asked(&bucket, false).judge(failed))?;
        let root = Element::parse(&answer.text);
        let root = root.ok_or_else(|| ClientError::nonsense(&bucket, "a list that is no XML"))?;
        if root.text_of("IsTruncated") == Some("true") {
            let token = root.text_of("NextContinuationToken").map(str::to_owned);
            listing.token = Some(token.ok_or_else(|| ClientError::nonsense(&bucket, "a page without a token"))?);
        } else {
            listing.is_over = true;
        }
        Page::of(&root).map(Some).ok_or_else(|| ClientError::nonsense(&bucket, "a list without keys or sizes"))
    }

    /// AWS: `ListBuckets`: names, and when they were made.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_buckets(&self) -> Result<Vec<(String, String)>, ClientError> {
        let service = Address { bucket: String::new(), key: String::new() };
        let answer = self.call(&Call::new(Method::GET, &service)).await;
        let answer = answer.map_err(|failed| self.asked(&service, false).judge(failed))?;
        let root = Element::parse(&answer.text);
        let root = root.ok_or_else(|| ClientError::nonsense(self.endpoint().url(), "a list that is no XML"))?;
        let buckets = root.children("Buckets").flat_map(|list| list.children("Bucket"));
        Ok(buckets
            .map(|bucket| {
                let text = |name| bucket.text_of(name).unwrap_or_default().to_owned();
                (text("Name"), text("CreationDate"))
            })
            .collect())
    }
}

impl Page {
    fn of(root: &Element) -> Option<Self> {
        let decoded = |text: &str| decoded_by(root, text);
        let object = |element: &Element| {
            Some(ListedObject {
                key: decoded(element.text_of("Key")?)?,
                size: element.text_of("Size")?.parse().ok()?,
                last_modified: element.text_of("LastModified").unwrap_or_default().to_owned(),
            })
        };
        let objects: Option<Vec<ListedObject>> = root.children("Contents").map(object).collect();
        let folders = root.children("CommonPrefixes").map(|folder| decoded(folder.text_of("Prefix")?));
        Some(Self { objects: objects?, folders: folders.collect::<Option<_>>()? })
    }
}

/// A key of a list, decoded if the list says that its keys are encoded: a server that does not know the parameter
/// leaves them as they are. They are encoded as in forms: some servers write a space as a plus sign, and all of them a
/// plus sign as `%2B`.
pub(crate) fn decoded_by(list: &Element, text: &str) -> Option<String> {
    if list.text_of("EncodingType") != Some("url") {
        return Some(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(encoding: &str) -> Option<Page> {
        let text = format!(
            "<ListBucketResult>{encoding}<Contents><Key>a%2Bb+c%0A</Key><Size>3</Size></Contents>\
             <CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>"
        );
        Page::of(&Element::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn keys_are_decoded_only_where_they_were_encoded() {
        let encoded = page("<EncodingType>url</EncodingType>").unwrap();
        assert_eq!((encoded.objects[0].key.as_str(), encoded.objects[0].size), ("a+b c\n", 3));
        assert_eq!(encoded.folders, ["d/"]);
        assert_eq!(page("").unwrap().objects[0].key, "a%2Bb+c%0A");
    }

    #[test]
    fn a_list_without_sizes_is_none() {
        let root = Element::parse(b"<L><Contents><Key>a</Key></Contents></L>").unwrap();
        assert_eq!(Page::of(&root), None);
    }
}
