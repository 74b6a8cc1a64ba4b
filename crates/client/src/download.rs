//! From an object to a file: whole, right and durable, or not at all.
//!
//! Bytes are written to `FILE.TAG.part` beside the target, where the tag stands for this very object (endpoint, name,
//! ETag, size). A run that is cut off goes on from there: what is there is read again for the checksum, the rest comes by
//! a range on the condition that the object is still the same (`If-Match`). If the checksum then differs, all of it comes
//! again. When all of it is there and has the checksum
//! that the server gave, it is made durable and renamed.
//!
//! A server that ends a body early at the same place again and again has a damaged object: it may not send what it cannot
//! verify.

mod part_file;

use crate::address::Address;
use crate::body::Progress;
use crate::checksum::Summing;
use crate::client::{Answer, Client, Trouble};
use crate::connection::ConnectionError;
use crate::customer_key::CustomerKey;
use crate::error::{ClientError, Damage};
use crate::head_object::ObjectHead;
use part_file::PartFile;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// What a download came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes of the object.
    pub size: u64,
    /// Name of the checksum that was compared, if the server gave one.
    pub verified: Option<&'static str>,
    /// Bytes that an earlier run had downloaded already.
    pub resumed: u64,
}

/// Downloads an object to a file, in place of any that is there.
///
/// # Errors
/// [`ClientError`]. When the way broke, what came stays for the next run.
pub async fn download(
    client: &Client,
    address: &Address,
    key: Option<&CustomerKey>,
    target: &Path,
    progress: &dyn Progress,
) -> Result<Downloaded, ClientError> {
    // Something to go on with is worth a question of its own; else the first answer is already the download.
    let (head, answer) = if PartFile::any_beside(target) {
        (client.head_object(address, key).await?, None)
    } else {
        let (head, answer) = client.get_object(address, key).await?;
        (head, Some(answer))
    };
    progress.expect(head.size);
    let mut fetch = Fetch::new(client, address, key, head, progress);
    let (resumed, outcome) = fetch.fill_file(answer, target).await?;
    match outcome {
        // The beginning is of an earlier run, so it may have been spoiled on this machine: all of it comes again.
        Err(ClientError::Damaged { what: Damage::Checksum { .. }, .. }) if resumed > 0 => {
            progress.taken_back(fetch.offset);
            fetch.begin_anew();
            let (_, outcome) = fetch.fill_file(None, target).await?;
            outcome.map(|verified| Downloaded { size: fetch.head.size, verified, resumed: 0 })
        }
        outcome => outcome.map(|verified| Downloaded { size: fetch.head.size, verified, resumed }),
    }
}

/// Writes an object to a stream. What was written before an error cannot be taken back.
///
/// # Errors
/// [`ClientError`].
pub async fn download_to(
    client: &Client,
    address: &Address,
    key: Option<&CustomerKey>,
    stream: &mut (impl AsyncWrite + Unpin),
    progress: &dyn Progress,
) -> Result<Downloaded, ClientError> {
    let (head, answer) = client.get_object(address, key).await?;
    progress.expect(head.size);
    let mut fetch = Fetch::new(client, address, key, head, progress);
    fetch.run(Some(answer), stream).await?;
    stream.flush().await.map_err(ClientError::file(PathBuf::from("-")))?;
    let verified = fetch.verify()?;
    Ok(Downloaded { size: fetch.head.size, verified, resumed: 0 })
}

/// A download under way.
struct Fetch<'a> {
    client: &'a Client,
    address: &'a Address,
    key: Option<&'a CustomerKey>,
    head: ObjectHead,
    progress: &'a dyn Progress,
    /// Bytes that are there.
    offset: u64,
    /// Over those bytes.
    summing: Option<Summing>,
}

impl<'a> Fetch<'a> {
    fn new(
        client: &'a Client,
        address: &'a Address,
        key: Option<&'a CustomerKey>,
        head: ObjectHead,
        progress: &'a dyn Progress,
    ) -> Self {
        let summing = head.checksum.as_ref().map(|(checksum, _)| Summing::new(*checksum));
        Self { client, address, key, head, progress, offset: 0, summing }
    }

    /// Forgets what was there.
    fn begin_anew(&mut self) {
        self.offset = 0;
        self.summing = self.head.checksum.as_ref().map(|(checksum, _)| Summing::new(*checksum));
    }

    /// Goes on with what an earlier run left beside the target, and publishes the file when it is whole and right. Gives
    /// the length of what was left, and what became of it: the checksum that was compared, or why there is no file.
    async fn fill_file(
        &mut self,
        answer: Option<Answer>,
        target: &Path,
    ) -> Result<(u64, Result<Option<&'static str>, ClientError>), ClientError> {
        let part_file = PartFile::open(target, self.client.endpoint().url(), self.address, &self.head)?;
        let resumed = part_file.read_back(self).await?;
        let mut file = part_file.writer()?;
        let fetched = self.run(answer.filter(|_| resumed == 0), &mut file).await;
        file.flush().await.map_err(ClientError::file(target))?;
        drop(file);
        let outcome = fetched.and_then(|()| self.verify());
        match &outcome {
            Ok(_) => part_file.publish()?,
            // What is wrong or of yesterday is of no use to anybody.
            Err(ClientError::Replaced(_) | ClientError::Damaged { what: Damage::Checksum { .. }, .. }) => {
                part_file.remove();
            }
            Err(_) => {}
        }
        Ok((resumed, outcome))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.progress.moved(bytes.len() as u64);
        if let Some(summing) = &mut self.summing {
            summing.update(bytes);
        }
    }

    /// Writes what is missing, over as many answers as it takes.
    async fn run(&mut self, first: Option<Answer>, sink: &mut (impl AsyncWrite + Unpin)) -> Result<(), ClientError> {
        let mut answer = first;
        let mut vain = 0;
        loop {
            let before = self.offset;
            let opened = match answer.take() {
                Some(answer) => Ok(answer),
                None if self.offset == self.head.size => return Ok(()),
                None => self.client.get_rest_of_object(self.address, self.key, &self.head, self.offset).await,
            };
            let trouble = match opened {
                Ok(mut answer) => match self.copy(&mut answer, sink).await? {
                    None if self.offset == self.head.size => return Ok(()),
                    None => Trouble::Connection(ConnectionError::Broken("ended the body early")),
                    Some(trouble) => trouble,
                },
                Err(ClientError::Damaged { .. }) => return Err(self.ends_early()),
                Err(error) => return Err(error),
            };
            vain = if self.offset > before { 0 } else { vain + 1 };
            if vain >= VAIN_MAX {
                return Err(match trouble {
                    Trouble::Connection(_) => self.ends_early(),
                    other => ClientError::Unavailable {
                        endpoint: self.client.endpoint().url().to_owned(),
                        attempts: vain,
                        last: other.to_string(),
                    },
                });
            }
            tokio::time::sleep(self.client.backoff(vain + 1)).await;
        }
    }

    /// Copies one answer; the trouble in which it ended, if it did not end well.
    async fn copy(
        &mut self,
        answer: &mut Answer,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Option<Trouble>, ClientError> {
        loop {
            match answer.next().await {
                Ok(None) => return Ok(None),
                Ok(Some(bytes)) if self.offset + bytes.len() as u64 > self.head.size => {
                    return Err(ClientError::nonsense(self.address, "more bytes than it said"));
                }
                Ok(Some(bytes)) => {
                    sink.write_all(&bytes).await.map_err(ClientError::file(PathBuf::from("the output")))?;
                    self.take(&bytes);
                }
                Err(trouble) => return Ok(Some(trouble)),
            }
        }
    }

    /// Compares the checksum, and says which one.
    fn verify(&mut self) -> Result<Option<&'static str>, ClientError> {
        let Some(((checksum, expected), summing)) = self.head.checksum.as_ref().zip(self.summing.take()) else {
            return Ok(None);
        };
        let algorithm = checksum.name();
        if summing.finish() == *expected {
            return Ok(Some(algorithm));
        }
        Err(self.client.asked(self.address, self.key.is_some()).damaged(Damage::Checksum { algorithm }))
    }

    fn ends_early(&self) -> ClientError {
        let what = match self.offset {
            0 => Damage::Unreadable,
            at => Damage::EndsEarly { at, size: self.head.size },
        };
        self.client.asked(self.address, self.key.is_some()).damaged(what)
    }
}

/// Answers in a row that brought nothing.
const VAIN_MAX: u32 = 3;
