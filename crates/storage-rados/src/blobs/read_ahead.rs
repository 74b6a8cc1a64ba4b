//! Bytes that are read before they are asked for: a row of reads on their way, within the span that was announced.
//!
//! Each read asks for several pieces, each with an allocation of its own, so that whoever reads piece by piece gets buffers
//! that nobody shares.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::BlobId;
use storage::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::blob_id::BlobPlace;
use super::stripes::{self, Part};
use crate::rados::{Rados, RadosError};

/// See the module.
pub(super) struct ReadAhead {
    rados: Arc<dyn Rados>,
    place: BlobPlace,
    id: BlobId,
    room: Arc<Semaphore>,
    span: Range<u64>,
    /// The first byte that was not yet handed out; [`ASTRAY`] when nobody knows.
    position: u64,
    /// The first byte that was not yet asked for.
    asked: u64,
    flights: VecDeque<Flight>,
    /// From `position` on.
    ready: VecDeque<Bytes>,
    /// Why there is nothing behind `ready`.
    ended: Option<Ended>,
}

#[derive(Clone, Copy)]
enum Ended {
    Short,
    Missing,
}

struct Flight {
    parts: Vec<Part>,
    answer: JoinHandle<Result<Vec<Bytes>, RadosError>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

impl ReadAhead {
    /// Asks for the first bytes of the span.
    pub(super) fn begin(
        rados: Arc<dyn Rados>,
        place: BlobPlace,
        id: BlobId,
        room: Arc<Semaphore>,
        span: Range<u64>,
    ) -> Self {
        let (position, asked) = (span.start, span.start);
        let (flights, ready) = (VecDeque::new(), VecDeque::new());
        let mut ahead = Self { rados, place, id, room, span, position, asked, flights, ready, ended: None };
        ahead.ask(FIRST_PIECES);
        ahead.ask_ahead();
        ahead
    }

    /// Waits for the first answer. Whether the blob exists is known then.
    ///
    /// # Errors
    /// [`Error::NoSuchBlob`], or when RADOS fails.
    pub(super) async fn look(&mut self) -> Result<(), Error> {
        self.receive().await?;
        if let Some(Ended::Missing) = self.ended
            && let error @ Error::NoSuchBlob(_) = stripes::missing(self.rados.as_ref(), self.place, self.id).await
        {
            return Err(error);
        }
        Ok(())
    }

    /// Whether these are the bytes that come next.
    pub(super) const fn goes_on_with(&self, range: &Range<u64>) -> bool {
        range.start == self.position && range.end <= self.span.end
    }

    /// The next bytes.
    ///
    /// # Errors
    /// When the blob ends before them, or is gone, or RADOS fails.
    pub(super) async fn next(&mut self, length: usize) -> Result<Bytes, Error> {
        // Should this be given up half way, what was taken out is gone.
        let position = std::mem::replace(&mut self.position, ASTRAY);
        let mut joined = BytesMut::new();
        loop {
            if let Some(piece) = self.take_ready(length - joined.len()) {
                if piece.len() == length {
                    self.position = position + length as u64;
                    return Ok(piece);
                }
                joined.reserve(length - joined.len());
                joined.extend_from_slice(&piece);
                if joined.len() == length {
                    self.position = position + length as u64;
                    return Ok(joined.freeze());
                }
                continue;
            }
            match self.ended {
                Some(Ended::Short) => return Err(Error::BlobTooShort(self.id)),
                Some(Ended::Missing) => return Err(stripes::missing(self.rados.as_ref(), self.place, self.id).await),
                None => self.receive().await?,
            }
        }
    }

    /// At most `length` bytes of what is ready.
    fn take_ready(&mut self, length: usize) -> Option<Bytes> {
        let piece = self.ready.front_mut()?;
        if piece.len() > length { Some(piece.split_to(length)) } else { self.ready.pop_front() }
    }

    /// Waits for the next answer and asks for more.
    async fn receive(&mut self) -> Result<(), Error> {
        if self.flights.is_empty() {
            self.ask(PIECES);
        }
        let Some(flight) = self.flights.front_mut() else {
            self.ended = Some(Ended::Short);
            return Ok(());
        };
        let answer = (&mut flight.answer).await;
        let flight = self.flights.pop_front();
        self.ask_ahead();
        let parts = flight.as_ref().map_or(&[][..], |flight| &flight.parts);
        match answer.map_err(|error| Error::Unavailable(format!("a read of a blob: {error}")))? {
            Ok(pieces) => {
                for (piece, part) in pieces.into_iter().zip(parts) {
                    let is_whole = piece.len() == part.len;
                    if !piece.is_empty() {
                        self.ready.push_back(piece);
                    }
                    if !is_whole {
                        self.end(Ended::Short);
                        break;
                    }
                }
            }
            Err(RadosError::NotFound) => self.end(Ended::Missing),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.flights.clear();
    }

    /// Asks for what comes next, as far as there is room for it.
    fn ask_ahead(&mut self) {
        while self.flights.len() < FLIGHTS_MAX && self.asked < self.span.end && self.ended.is_none() {
            let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(PIECE * PIECES) else { break };
            self.ask(PIECES);
            if let Some(flight) = self.flights.back_mut() {
                flight.permit = Some(permit);
            }
        }
    }

    /// Asks for the next few pieces of one stripe, if there is anything to ask for.
    fn ask(&mut self, count: u32) {
        let mut parts = Vec::new();
        while parts.len() < count as usize {
            let piece = u64::from(PIECE);
            let to_border = piece - (self.asked - self.span.start) % piece;
            let Some(part) = stripes::first_part(self.place, &(self.asked..self.span.end), to_border) else { break };
            if parts.first().is_some_and(|first: &Part| first.stripe != part.stripe) {
                break;
            }
            self.asked += part.len as u64;
            parts.push(part);
        }
        if parts.is_empty() {
            return;
        }
        let (rados, place, id, asked) = (Arc::clone(&self.rados), self.place, self.id, parts.clone());
        let answer = tokio::spawn(async move { stripes::read(rados.as_ref(), place, id, &asked).await });
        self.flights.push_back(Flight { parts, answer, permit: None });
    }
}

/// What is usually read at a time: four sealed chunks of 64 KiB.
const PIECE: u32 = 4 * (65_536 + 16);
/// Pieces of one read, and of the first one.
const PIECES: u32 = 4;
const FIRST_PIECES: u32 = 2;
/// Reads on their way at once.
const FLIGHTS_MAX: usize = 4;
/// No position.
const ASTRAY: u64 = u64::MAX;
