//! One form for every error document (AWS: "Error responses").

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use s3s::Body;

use crate::exchange::Exchange;
use crate::refusal::Refusal;

/// The answer that a refusal becomes. `HEAD` and 304 have no body (RFC 9110 sections 9.3.2 and 15.4.5).
pub(crate) fn refusal(refusal: &Refusal, method: &Method, exchange: &Exchange) -> Response<Body> {
    let bodiless = *method == Method::HEAD || refusal.status == StatusCode::NOT_MODIFIED;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = refusal.status;
    if let Some(headers) = &refusal.headers {
        *response.headers_mut() = http::HeaderMap::clone(headers);
    }
    if bodiless {
        return response;
    }
    let text = document(refusal, exchange);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    *response.body_mut() = Body::from(text);
    response
}

fn document(refusal: &Refusal, exchange: &Exchange) -> String {
    let mut text = String::with_capacity(512);
    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(&mut text, "Code", &refusal.code);
    element(&mut text, "Message", &refusal.message);
    for (name, value) in &refusal.details {
        element(&mut text, name, value);
    }
    element(&mut text, "Resource", &exchange.resource());
    element(&mut text, "RequestId", exchange.request_id());
    element(&mut text, "HostId", exchange.host_id());
    text.push_str("</Error>");
    text
}

pub(crate) fn element(text: &mut String, name: &str, value: &str) {
    text.push('<');
    text.push_str(name);
    text.push('>');
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            // XML 1.0 section 2.2: not even escaped ones are allowed.
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            '\r' => text.push_str("&#13;"),
            c => text.push(c),
        }
    }
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

/// Reads an error back from the answer that `s3s` made of it.
pub(crate) fn of_s3s(status: StatusCode, mut headers: http::HeaderMap, document: &str) -> Refusal {
    headers.remove(CONTENT_TYPE);
    headers.remove(CONTENT_LENGTH);
    let code = between(document, "<Code>", "</Code>").map_or_else(|| "InternalError".to_owned(), unescaped);
    let message = between(document, "<Message>", "</Message>").map(unescaped);
    let message = message.unwrap_or_else(|| default_message(&code).to_owned());
    let code: std::borrow::Cow<'static, str> = code.into();
    Refusal { status, code, message: message.into(), details: Vec::new(), headers: Some(Box::new(headers)) }
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let rest = &text[text.find(from)? + from.len()..];
    Some(&rest[..rest.find(to)?])
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

/// What AWS says where `s3s` says nothing.
fn default_message(code: &str) -> &'static str {
    match code {
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        "InvalidURI" => "Couldn't parse the specified URI.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "IncompleteBody" => "You did not provide the number of bytes specified by the Content-Length HTTP header",
        "MalformedXML" => "The XML you provided was not well-formed or did not validate against our published schema",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MissingRequestBodyError" => "Request Body is empty",
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NotImplemented" => "A header or query you provided implies functionality that is not implemented",
        "AccessDenied" => "Access Denied",
        "InvalidPart" => "One or more of the specified parts could not be found.",
        _ => "The request could not be served.",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::connection::Connection;

    #[test]
    fn everything_is_escaped_and_nothing_invalid_is_left() {
        let exchange = Exchange::new(Connection { secure: true, tls: None, peer: ([127, 0, 0, 1], 1).into() });
        exchange.set_resource("/b/<o>&%00".into());
        let refusal = Refusal::invalid_argument("a < b & \u{1} \"c\"").argument("x", "</Error>");
        let text = document(&refusal, &exchange);
        assert!(text.contains("<Message>a &lt; b &amp; \u{fffd} &quot;c&quot;</Message>"), "{text}");
        assert!(text.contains("<ArgumentName>x</ArgumentName><ArgumentValue>&lt;/Error&gt;</ArgumentValue>"));
        assert!(text.contains("<Resource>/b/&lt;o&gt;&amp;%00</Resource>"));
        assert!(text.contains(&format!("<RequestId>{}</RequestId>", exchange.request_id())));
    }

    #[test]
    fn errors_of_s3s_are_read_back() {
        let text = "<?xml version=\"1.0\"?><Error><Code>A</Code><Message>x &lt;&amp;lt;</Message></Error>";
        let refusal = of_s3s(StatusCode::BAD_REQUEST, HeaderMap::new(), text);
        assert_eq!((&*refusal.code, &*refusal.message), ("A", "x <&lt;"));
        let refusal = of_s3s(StatusCode::FORBIDDEN, HeaderMap::new(), "<Error><Code>AccessDenied</Code></Error>");
        assert_eq!(refusal.message, "Access Denied");
        assert_eq!(of_s3s(StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), "").code, "InternalError");
    }
}
