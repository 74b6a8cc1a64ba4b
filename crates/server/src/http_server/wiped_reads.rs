//! A stream whose readers keep no customer key in their buffers while the client says nothing.
//!
//! Both TLS and HTTP read into buffers of their own that live as long as the connection, and what was read stays in
//! them until something longer comes. Nobody else can reach those buffers; but each attempt to read lends their free
//! part, with all that is left in it, to the stream below. So there the free part is wiped: once for each request with
//! a key, when it is over and its connection waits for the next one. What flows is not slowed down.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::Uptake;

/// Wipes what a reader lends it, when there is nothing to read.
pub(super) struct WipedReads<S> {
    inner: S,
    uptake: Arc<Uptake>,
    /// How many customer keys had come when the reader's buffer was last wiped.
    wiped_for: usize,
}

impl<S> WipedReads<S> {
    pub(super) const fn new(inner: S, uptake: Arc<Uptake>) -> Self {
        Self { inner, uptake, wiped_for: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WipedReads<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if read.is_pending()
            && let Some(keys) = self.uptake.customer_keys_at_rest()
            && keys != self.wiped_for
        {
            self.wiped_for = keys;
            // Whatever lies behind it is wiped by being initialised.
            let initialized = buffer.initialized().len() - buffer.filled().len();
            buffer.initialize_unfilled()[..initialized].fill(0);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WipedReads<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::mem::MaybeUninit;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::body::Turn;
    use super::*;

    /// Reads into the rest of a buffer full of leftovers, and tells what is left of them.
    async fn leftovers_after_reading(reader: &mut WipedReads<tokio::io::DuplexStream>) -> [u8; 8] {
        let mut lent = [7; 8];
        poll_fn(|cx| {
            let mut buffer = ReadBuf::new(&mut lent);
            let _ = Pin::new(&mut *reader).poll_read(cx, &mut buffer);
            Poll::Ready(())
        })
        .await;
        lent
    }

    #[tokio::test]
    async fn leftovers_are_wiped_when_a_request_with_a_key_is_over_and_nothing_comes() {
        let (mut client, server) = tokio::io::duplex(64);
        let uptake = Arc::new(Uptake::new());
        let mut reader = WipedReads::new(server, Arc::clone(&uptake));
        assert_eq!(leftovers_after_reading(&mut reader).await, [7; 8], "no key has come");

        let turn = Turn::begin(Arc::clone(&uptake));
        uptake.saw_customer_key();
        assert_eq!(leftovers_after_reading(&mut reader).await, [7; 8], "the request still runs");
        drop(turn);
        client.write_all(b"ab").await.unwrap();
        assert_eq!(&leftovers_after_reading(&mut reader).await, b"ab\x07\x07\x07\x07\x07\x07", "something comes");
        assert_eq!(leftovers_after_reading(&mut reader).await, [0; 8]);
        assert_eq!(leftovers_after_reading(&mut reader).await, [7; 8], "no other key has come");
    }

    #[tokio::test]
    async fn leftovers_of_a_buffer_that_counts_as_uninitialised_are_wiped_too() {
        let (_client, server) = tokio::io::duplex(64);
        let uptake = Arc::new(Uptake::new());
        let mut reader = WipedReads::new(server, Arc::clone(&uptake));
        uptake.saw_customer_key();
        let mut lent = [MaybeUninit::new(7_u8); 8];
        poll_fn(|cx| {
            let mut buffer = ReadBuf::uninit(&mut lent);
            let _ = Pin::new(&mut reader).poll_read(cx, &mut buffer);
            assert_eq!((buffer.initialized(), buffer.filled().len()), (&[0; 8][..], 0));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_read_and_written_goes_through_unchanged() {
        let (client, server) = tokio::io::duplex(4);
        let [mut client, mut server] = [client, server].map(|end| WipedReads::new(end, Arc::new(Uptake::new())));
        let sent = tokio::spawn(async move {
            client.write_all(b"more than fits at once").await.unwrap();
            client.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        sent.await.unwrap();
        assert_eq!(received, b"more than fits at once");
    }
}
