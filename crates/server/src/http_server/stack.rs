//! What a request with a customer key leaves on the stacks of the threads that served it: nothing.
//!
//! The heap is wiped by the allocator and keys by their types, but a value that is moved, or a digest in the making,
//! stays on the stack below whoever made it until something deeper writes over it. A thread without work may keep it
//! for hours. So after each step of such a request the thread writes zeros as deep as a step can have reached.

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, header};

/// How deep a step reaches, in bytes, with room to spare: less than half of it was measured. Code that was
/// not optimised keeps everything on the stack.
const DEPTH: usize = if cfg!(debug_assertions) { 512 * 1024 } else { 64 * 1024 };

/// When this much of a body has come, no document or form is being read any more, and the key has been used: it only
/// opens the data key, before the body flows. What follows is not slowed down.
const LEN_WITH_KEY_MAX: u64 = 4 * 1024 * 1024;

/// Whether a request may bring a customer key, in headers, or in the fields of a form.
pub(super) fn may_bring_customer_key(headers: &HeaderMap) -> bool {
    let is_form = || {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes()).trim_ascii();
        content_type.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/form-data"))
    };
    headers.keys().any(|name| name.as_str().contains("-encryption-customer-key")) || is_form()
}

/// Does the work. If a customer key may come with it, wipes the stack below after each step, as long as little of the
/// body was `received`, and after the last one.
pub(super) async fn without_trace<F: Future>(work: F, received: Option<Arc<AtomicU64>>) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        if let Some(received) = &received
            && (polled.is_ready() || received.load(Ordering::Relaxed) <= LEN_WITH_KEY_MAX)
        {
            wipe();
        }
        polled
    })
    .await
}

#[inline(never)]
fn wipe() {
    let mut below = [0_u8; DEPTH];
    // Otherwise nobody would look at the zeros, and they need not be written.
    black_box(&mut below);
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn may(name: &'static str, value: &'static str) -> bool {
        let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
        may_bring_customer_key(&HeaderMap::from_iter(headers))
    }

    #[test]
    fn a_customer_key_comes_in_its_headers_or_in_a_form() {
        assert!(may("x-amz-server-side-encryption-customer-key", ""));
        assert!(may("x-amz-copy-source-server-side-encryption-customer-key", "x"));
        assert!(may("content-type", " Multipart/Form-Data; boundary=x"));
        assert!(!may("content-type", "multipart/mixed; boundary=x"));
        assert!(!may("x-amz-server-side-encryption", "AES256"));
    }

    #[test]
    fn work_gives_its_result_however_many_steps_it_takes() {
        let received = Arc::new(AtomicU64::new(0));
        let work = async {
            tokio::task::yield_now().await;
            received.store(LEN_WITH_KEY_MAX + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            7
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(without_trace(work, Some(Arc::clone(&received)))), 7);
    }
}
