//! The sealed bytes of one part, or bytes that nothing is known of.

use bytes::Bytes;
use envelope::{PartEntry, SEALED_CHUNK_LEN, TAG_LEN, UnlockedObject, sealed_len};
use model::BlobId;
use storage::BlobReader;

use super::Run;
use super::ciphertext::{Giveaway, giveaway};
use super::report::Problem;
use crate::export_sealed::blob_len;

/// Where bytes are.
pub(super) enum Place {
    Inline(Bytes),
    Blob(BlobId),
}

/// What was found out about some bytes.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) bytes: u64,
    pub(super) chunks: u64,
    pub(super) problems: Vec<Problem>,
}

/// Bytes whose length is known.
struct Opened {
    source: Source,
    length: u64,
}

enum Source {
    Inline(Bytes),
    Blob(Box<dyn BlobReader>),
}

impl Opened {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, String> {
        match &self.source {
            Source::Blob(reader) => reader.read(offset, length).await.map_err(|error| error.to_string()),
            Source::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(bytes.slice(start..start + length))
            }
        }
    }
}

impl Run<'_> {
    /// Looks at the bytes of a part: their length, and each chunk, by its key or else by its looks.
    pub(super) async fn part(&mut self, entry: &PartEntry, place: Place, key: Option<&UnlockedObject>) -> Looked {
        let expected = sealed_len(entry.length);
        let mut looked = Looked::default();
        let opened = match self.open(place, expected).await {
            Ok(opened) => opened,
            Err(problem) => {
                looked.problems.push(problem);
                return looked;
            }
        };
        looked.bytes = opened.length;
        let is_long_enough = opened.length == expected;
        if !is_long_enough {
            looked.problems.push(Problem::Length { found: opened.length, expected });
        }
        // Chunks of another length would not open, but plaintext can still be told.
        let opener = key.filter(|_| is_long_enough).map(|key| key.part_opener(entry));
        let open = |index: u64, chunk: &[u8]| {
            let (opener, index) = (opener.as_ref()?, u32::try_from(index).ok()?);
            Some(opener.open_chunk(index, &mut chunk.to_vec()).is_ok())
        };
        self.chunks(&opened, open, &mut looked).await;
        looked
    }

    /// Looks at bytes that belong to nothing.
    pub(super) async fn stray(&mut self, place: Place, length: u64) -> Looked {
        let mut looked = Looked { bytes: length, ..Looked::default() };
        match self.open(place, length).await {
            Ok(opened) => self.chunks(&opened, |_, _| None, &mut looked).await,
            Err(problem) => looked.problems.push(problem),
        }
        looked
    }

    async fn open(&self, place: Place, expected: u64) -> Result<Opened, Problem> {
        match place {
            Place::Inline(bytes) => Ok(Opened { length: bytes.len() as u64, source: Source::Inline(bytes) }),
            Place::Blob(id) => {
                let reader = self.at_rest.blobs.open(id).await.map_err(|error| Problem::Missing(error.to_string()))?;
                let length = blob_len(reader.as_ref(), expected).await;
                let length = length.map_err(|error| Problem::Unreadable(error.to_string()))?;
                Ok(Opened { source: Source::Blob(reader), length })
            }
        }
    }

    /// Walks through chunks. `open` says whether one authenticates, or that it cannot tell.
    async fn chunks(&mut self, opened: &Opened, open: impl Fn(u64, &[u8]) -> Option<bool>, looked: &mut Looked) {
        if self.selection.quick {
            return;
        }
        let (mut offset, mut bad) = (0, Bad::default());
        while offset < opened.length {
            let length = (opened.length - offset).min(CHUNKS_AT_ONCE * SEALED_CHUNK_LEN as u64);
            self.throttle.admit(length).await;
            let length = usize::try_from(length).expect("a few chunks fit in memory");
            let piece = match opened.read(offset, length).await {
                Ok(piece) => piece,
                Err(error) => {
                    looked.problems.push(Problem::Unreadable(error));
                    break;
                }
            };
            for chunk in piece.chunks(SEALED_CHUNK_LEN) {
                bad.judge(looked.chunks, open(looked.chunks, chunk), chunk);
                looked.chunks += 1;
            }
            offset += length as u64;
            self.sink.progress(0, length as u64);
        }
        looked.problems.extend(bad.problems());
    }
}

/// Chunks that were bad: how many, and the first.
#[derive(Default)]
struct Bad {
    not_authentic: Option<(u64, u64)>,
    plain: Option<(u64, u64, Giveaway)>,
}

impl Bad {
    fn judge(&mut self, index: u64, authenticates: Option<bool>, chunk: &[u8]) {
        if authenticates == Some(true) {
            return;
        }
        // The tag of a sealed chunk would pass, and water down what stands before it.
        let ciphertext = &chunk[..chunk.len().saturating_sub(TAG_LEN)];
        if let Some(giveaway) = giveaway(ciphertext).or_else(|| giveaway(chunk)) {
            let (count, _, _) = self.plain.get_or_insert((0, index, giveaway));
            *count += 1;
        } else if authenticates == Some(false) {
            let (count, _) = self.not_authentic.get_or_insert((0, index));
            *count += 1;
        }
    }

    fn problems(self) -> impl Iterator<Item = Problem> {
        let plain = self.plain.map(|(count, first, giveaway)| Problem::LooksLikePlaintext { count, first, giveaway });
        let not_authentic = self.not_authentic.map(|(count, first)| Problem::ChunksNotAuthentic { count, first });
        plain.into_iter().chain(not_authentic)
    }
}

/// Chunks that are read at a time: about a MiB.
const CHUNKS_AT_ONCE: u64 = 16;
