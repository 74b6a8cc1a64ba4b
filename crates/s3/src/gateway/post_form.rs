//! Forms on their way to a put ([`crate::form`]).

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response};
use s3s::{Body, S3};

use super::own_route::names;
use super::{Gateway, settle};
use crate::auth::{self, Claim, Gatekeeper};
use crate::exchange::Exchange;
use crate::form::{FormFile, LengthRange, PostPolicy, answer, put, reader};
use crate::hygiene;
use crate::limits::DOCUMENT_TIME_MAX;
use crate::own::OwnOperations;
use crate::refusal::Refusal;
use crate::target::Target;

impl<S: S3 + OwnOperations + Clone> Gateway<S> {
    /// Answers a form that was sent to a bucket. `resource`: the path with the bucket in front, still percent-encoded.
    pub(super) async fn post_form(
        &self,
        mut parts: Parts,
        body: Body,
        resource: &str,
        exchange: &Arc<Exchange>,
    ) -> Result<Response<Body>, Refusal> {
        exchange.set_operation(OPERATION);
        auth::form::check_nowhere_else(&parts.headers, &parts.uri)?;
        // Nobody has proven anything before the fields are here.
        exchange.hold(self.budget.hold(reader::FIELDS_LEN_MAX as u64, None)?);
        let form = reader::read(&parts.headers, body, DOCUMENT_TIME_MAX).await?;
        exchange.let_go();
        // One decoding for the document that judges the form and for the put that it becomes.
        let (bucket, _) = names(resource);
        let bucket = bucket.as_str();
        let by_host = parts.uri.path() == "/";
        let uri = put::uri((!by_host).then_some(bucket), &form.fields)?;
        let claim = auth::form::claim(self.config.credentials.as_ref(), &form.fields, &self.config.region).await?;
        let lengths = match (&claim, form.fields.get("policy")) {
            (Claim::Anonymous, _) | (_, None) => LengthRange::ANY,
            (_, Some(document)) => {
                let policy = PostPolicy::parse(document)?;
                policy.check(&form.fields, bucket, self.config.clock.now())?;
                policy.lengths()
            }
        };
        let headers = put::headers(&form.fields, &parts.headers)?;
        let connection = &exchange.connection;
        let wanted = answer::Wanted::of(&form.fields, bucket, &uri, &parts.headers, connection.secure);
        hygiene::check_customer_keys(&headers, &uri, connection)?;
        hygiene::check(&headers)?;
        (parts.method, parts.uri, parts.headers) = (Method::PUT, uri, headers);
        parts.extensions.insert(exchange.clone());
        let file = Body::http_body(FormFile::new(form.rest, lengths, exchange.clone()));
        let service = self.service(Gatekeeper::new(claim, exchange.clone()), Target::Object, None);
        let response = service.call(Request::from_parts(parts, file)).await.map_err(|_| Refusal::internal())?;
        exchange.set_operation(OPERATION);
        settle(response, &Method::POST, Target::Object, exchange).map(|put| wanted.answer(put))
    }
}

/// AWS has this name for it, and `s3:PutObject` for the right to it.
const OPERATION: &str = "PostObject";
