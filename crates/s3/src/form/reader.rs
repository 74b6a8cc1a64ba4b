use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use operations::BodyError;
use s3s::Body;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::malformed;
use super::multipart::{Event, Multipart, Unreadable};
use super::part_headers::boundary;
use crate::error;
use crate::refusal::Refusal;

/// A form whose file has begun.
pub(crate) struct Form {
    /// Everything in front of the file.
    pub(crate) fields: Fields,
    /// What is still to be read.
    pub(crate) rest: Rest,
}

/// A body from the file of its form on.
pub(crate) struct Rest {
    pub(super) multipart: Multipart,
    pub(super) body: Body,
}

/// Everything but the file, in bytes (AWS: "POST object", 20 KB).
pub(crate) const FIELDS_LEN_MAX: usize = 20 << 10;

/// Reads a form up to its file.
pub(crate) async fn read(headers: &HeaderMap, body: Body, time_max: Duration) -> Result<Form, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = boundary(content_type).ok_or_else(malformed)?;
    let multipart = Multipart::new(&boundary, FIELDS_LEN_MAX);
    let reading = Reading { fields: Fields::new(), rest: Rest { multipart, body } };
    tokio::time::timeout(time_max, reading.until_file()).await.unwrap_or_else(|_| Err(error::too_slow()))
}

struct Reading {
    fields: Fields,
    rest: Rest,
}

impl Reading {
    async fn until_file(mut self) -> Result<Form, Refusal> {
        let mut field: Option<(String, Zeroizing<Vec<u8>>)> = None;
        loop {
            let Some(event) = self.rest.multipart.next().map_err(refusal)? else {
                self.more().await?;
                continue;
            };
            match (event, &mut field) {
                (Event::Part(part), _) if part.name == "file" => {
                    self.rest.multipart.is_file();
                    let file_name = part.file_name.as_deref().unwrap_or_default();
                    self.fields.name_file(file_name).map_err(|_| refusal(Unreadable::TooLong))?;
                    return Ok(Form { fields: self.fields, rest: self.rest });
                }
                (Event::Part(part), _) => {
                    // Once and for all: growing would leave copies of a key behind.
                    field = Some((part.name, Zeroizing::new(Vec::with_capacity(FIELDS_LEN_MAX))));
                }
                (Event::Data(data), Some((_, value))) => value.extend_from_slice(&data),
                (Event::Data(_), None) => {}
                (Event::PartEnds, _) => {
                    if let Some((name, value)) = field.take() {
                        self.fields.add(name, value)?;
                    }
                }
            }
        }
    }

    async fn more(&mut self) -> Result<(), Refusal> {
        match self.rest.body.frame().await {
            Some(Ok(frame)) => {
                // Trailers of HTTP itself mean nothing here.
                if let Ok(data) = frame.into_data() {
                    self.rest.multipart.push(&data);
                }
                Ok(())
            }
            Some(Err(_)) => Err(error::of_body(&BodyError::Incomplete)),
            None => Err(self.rest.multipart.finish().map_or_else(refusal, |()| no_file())),
        }
    }
}

pub(super) fn refusal(unreadable: Unreadable) -> Refusal {
    match unreadable {
        Unreadable::Malformed => malformed(),
        Unreadable::TooLong => {
            let message = "Your POST request fields preceding the upload file were too large.";
            Refusal::new(StatusCode::BAD_REQUEST, "MaxPostPreDataLengthExceededError", message)
        }
    }
}

/// There is none, or more than one.
pub(super) fn no_file() -> Refusal {
    Refusal::invalid_argument("POST requires exactly one file upload per request.").argument("file", "")
}
