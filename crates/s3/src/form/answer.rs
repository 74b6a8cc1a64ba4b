//! What a browser gets for a form whose object is stored.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::Body;

use super::fields::Fields;
use crate::render::element;

/// What a form wants to be answered with.
pub(crate) struct Wanted {
    bucket: String,
    object: String,
    /// The address of the object, as the browser would ask for it.
    location: String,
    redirect: Option<String>,
    status: StatusCode,
}

impl Wanted {
    /// Reads the fields of a form to `bucket`. `uri`: of the put that it stands for.
    pub(crate) fn of(fields: &Fields, bucket: &str, uri: &Uri, outer: &HeaderMap, secure: bool) -> Self {
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        let host = outer.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
        Self {
            bucket: bucket.to_owned(),
            object: fields.get("key").unwrap_or_default().to_owned(),
            location: format!("{scheme}://{host}{}", uri.path()),
            redirect: redirect.filter(|target| is_web_address(target)).map(str::to_owned),
            // AWS: any other value is as if there were none.
            status: match fields.get("success_action_status") {
                Some("200") => StatusCode::OK,
                Some("201") => StatusCode::CREATED,
                _ => StatusCode::NO_CONTENT,
            },
        }
    }

    /// The answer to the form, from that to the put.
    pub(crate) fn answer(&self, put: Response<Body>) -> Response<Body> {
        let (mut parts, _) = put.into_parts();
        let etag = parts.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        let redirect = self.redirect.as_deref().map(|target| HeaderValue::try_from(self.redirected(target, &etag)));
        if let Some(Ok(target)) = redirect {
            parts.status = StatusCode::SEE_OTHER;
            parts.headers.insert(LOCATION, target);
            return Response::from_parts(parts, Body::empty());
        }
        parts.status = self.status;
        if let Ok(location) = HeaderValue::try_from(&self.location) {
            parts.headers.insert(LOCATION, location);
        }
        if self.status != StatusCode::CREATED {
            return Response::from_parts(parts, Body::empty());
        }
        let document = self.document(&etag);
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
        Response::from_parts(parts, Body::from(document))
    }

    fn document(&self, etag: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
        element(&mut text, "Location", &self.location);
        element(&mut text, "Bucket", &self.bucket);
        element(&mut text, "Key", &self.object);
        element(&mut text, "ETag", etag);
        text.push_str("</PostResponse>");
        text
    }

    /// The target with what was stored (AWS: "POST object", `success_action_redirect`).
    fn redirected(&self, target: &str, etag: &str) -> String {
        let (address, fragment) = target.split_once('#').map_or((target, None), |(a, f)| (a, Some(f)));
        let separator = if address.contains('?') { '&' } else { '?' };
        let encoded = |text: &str| utf8_percent_encode(text, VALUE).to_string();
        let (bucket, object, etag) = (encoded(&self.bucket), encoded(&self.object), encoded(etag));
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        format!("{address}{separator}bucket={bucket}&key={object}&etag={etag}{fragment}")
    }
}

/// AWS: an address that cannot be read is as if there were none. One that runs in the page is none either.
fn is_web_address(target: &str) -> bool {
    let address = target.split('#').next().unwrap_or_default();
    let parsed = address.parse::<Uri>().ok();
    parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
