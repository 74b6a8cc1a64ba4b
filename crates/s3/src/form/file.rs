use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as _, Frame};
use operations::BodyError;
use s3s::StdError;

use super::multipart::Event;
use super::part_headers::PartHeaders;
use super::policy::LengthRange;
use super::reader::{Rest, no_file, refusal};
use crate::error;
use crate::exchange::Exchange;
use crate::refusal::Refusal;

/// The file of a form as the body of a put. It ends only when the whole form has come and its length is one that the
/// policy document allows, so that nothing else is stored.
pub(crate) struct FormFile {
    rest: Rest,
    lengths: LengthRange,
    length: u64,
    state: State,
    exchange: Arc<Exchange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    File,
    /// Behind the file: buttons and the like, which AWS ignores.
    Behind,
    Ended,
}

impl FormFile {
    pub(crate) const fn new(rest: Rest, lengths: LengthRange, exchange: Arc<Exchange>) -> Self {
        Self { rest, lengths, length: 0, state: State::File, exchange }
    }

    /// The next bytes of the file; `None` at its end.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refusal>> {
        loop {
            match self.rest.multipart.next().map_err(refusal)? {
                Some(Event::Data(data)) if self.state == State::File => {
                    self.length += data.len() as u64;
                    self.lengths.check_so_far(self.length)?;
                    return Poll::Ready(Ok(Some(data)));
                }
                Some(Event::PartEnds) => self.state = State::Behind,
                Some(Event::Part(part)) => check_behind(&part)?,
                Some(Event::Data(_)) => {}
                None => match ready!(Pin::new(&mut self.rest.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            self.rest.multipart.push(&data);
                        }
                    }
                    Some(Err(_)) => return Poll::Ready(Err(error::of_body(&BodyError::Incomplete))),
                    None => {
                        self.rest.multipart.finish().map_err(refusal)?;
                        self.lengths.check_whole(self.length)?;
                        return Poll::Ready(Ok(None));
                    }
                },
            }
        }
    }
}

/// AWS ignores what stands behind the file. Whoever writes an encryption header there believes that it counts.
fn check_behind(part: &PartHeaders) -> Result<(), Refusal> {
    if part.name == "file" {
        return Err(no_file());
    }
    if part.name.starts_with("x-amz-") {
        let message = "The form fields of S3 must stand in front of the file.";
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        return Err(refusal.detail("ArgumentName", super::fields::printable(&part.name)));
    }
    Ok(())
}

impl http_body::Body for FormFile {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if self.state == State::Ended {
            return Poll::Ready(None);
        }
        match ready!(self.read(cx)) {
            Ok(Some(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Ok(None) => {
                self.state = State::Ended;
                Poll::Ready(None)
            }
            Err(refusal) => {
                self.state = State::Ended;
                self.exchange.set_body_refusal(refusal);
                Poll::Ready(Some(Err("the form was refused".into())))
            }
        }
    }
}
