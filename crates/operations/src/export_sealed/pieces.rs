//! The file, piece by piece: a frame before each section, a digest behind the last.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use storage::{BlobReader, Blobs};

use super::{BODY, END, FORMAT, MAGIC, SealedExport, Section};
use crate::error::Fault;

/// Bytes that are read at a time.
const PIECE: u64 = 1 << 20;

impl SealedExport {
    /// The file, to be asked for piece by piece.
    #[must_use]
    pub fn into_pieces(self) -> ExportPieces {
        let mut sections = self.sections;
        sections.reverse();
        ExportPieces { blobs: self.blobs, sections, stage: Stage::Head, digest: Sha256::new(), anchor: None }
    }
}

/// An export that is being written. Memory for a piece is needed, however large the object.
pub struct ExportPieces {
    blobs: Arc<dyn Blobs>,
    /// In reverse order: the next one is the last.
    sections: Vec<Section>,
    stage: Stage,
    digest: Sha256,
    /// The reader of the first blob, kept to the end: it holds on to the others. See [`Blobs::open`].
    anchor: Option<Arc<dyn BlobReader>>,
}

enum Stage {
    Head,
    Section,
    Bytes(Bytes),
    Blob { reader: Arc<dyn BlobReader>, at: u64, length: u64 },
    Digest,
    Over,
}

impl ExportPieces {
    /// The next bytes, or none behind the end.
    ///
    /// # Errors
    /// When the store fails; what came before is of no use then, and nothing comes after.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let (piece, stage) = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Head => ([&MAGIC[..], &[FORMAT]].concat().into(), Stage::Section),
            Stage::Section => self.begin_section().await?,
            Stage::Bytes(bytes) => (bytes, Stage::Section),
            Stage::Blob { reader, at, length } => read_on(reader, at, length).await?,
            Stage::Digest => {
                let digest = Bytes::copy_from_slice(&std::mem::take(&mut self.digest).finalize());
                return Ok(Some(digest));
            }
            Stage::Over => return Ok(None),
        };
        self.digest.update(&piece);
        self.stage = stage;
        Ok(Some(piece))
    }

    async fn begin_section(&mut self) -> Result<(Bytes, Stage), Fault> {
        Ok(match self.sections.pop() {
            None => (frame(END, 0), Stage::Digest),
            Some(Section::Bytes(kind, bytes)) => (frame(kind, bytes.len() as u64), Stage::Bytes(bytes)),
            Some(Section::Blob(id, length)) => {
                let reader: Arc<dyn BlobReader> = Arc::from(self.blobs.open(id).await?);
                self.anchor.get_or_insert_with(|| reader.clone());
                (frame(BODY, length), Stage::Blob { reader, at: 0, length })
            }
        })
    }
}

async fn read_on(reader: Arc<dyn BlobReader>, at: u64, length: u64) -> Result<(Bytes, Stage), Fault> {
    let piece_len = usize::try_from((length - at).min(PIECE)).expect("a piece fits in memory");
    let piece = reader.read(at, piece_len).await?;
    let at = at + piece_len as u64;
    let stage = if at < length { Stage::Blob { reader, at, length } } else { Stage::Section };
    Ok((piece, stage))
}

fn frame(kind: u8, length: u64) -> Bytes {
    let mut frame = vec![kind];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.into()
}
