//! The C library librados, opened at run time, behind handles that are safe to use. All unsafe code of Canopic is here.
//!
//! What every block leans on:
//!
//! - The types of the functions are those of librados.h of 16.2, as a C compiler confirmed; later ones keep them.
//! - Handles of librados may be used by several threads at once. An [`IoCtx`] is configured before it is shared.
//! - librados copies what it is given: names, omap keys, values, bytes to write. What it *writes into* ([`Slots`], the
//!   cookie of a watch) it uses until the completion is called back. So that belongs to a [`Pending`] until then, whose
//!   only owner is the completion; a caller that went away changes nothing about it.
//! - The callback of a completion is called exactly once when the call that took it returned 0, and never otherwise. It
//!   may come, on a thread of librados, before that call returns: what the call borrows does not belong to the callback.
//! - An iterator of a read exists from the making of the operation on, is filled when the operation succeeds, and is only
//!   then asked; it is ended in any case.
//! - Nothing calls back for a watch any more once it was ended and the callbacks were waited for.
//! - Handles go in order: operations, then the [`IoCtx`], then the [`Cluster`], each keeping the next one alive. The last
//!   of them may be let go in a callback; a cluster waits for such threads, so that another thread ends it.
//! - No panic leaves a callback.
//!
//! Failures are errnos, positive.

#![expect(unsafe_code, reason = "librados is a C library; see above for what this leans on")]

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::rados::{ReadAnswer, ReadStep, Watcher, WriteStep};

/// Some object of librados.
type Raw = *mut c_void;
type Text = *const c_char;
type Texts = *const *const c_char;
type Lengths = *const usize;

macro_rules! symbols {
    ($(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of librados that are used here.
        pub(super) struct Symbols {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Symbols {
            /// Opens the library. It stays for the life of the process: it has threads of its own.
            pub(super) fn open() -> Result<Arc<Self>, OpenError> {
                // SAFETY: what runs when it is loaded is what runs in every program that links it.
                let library = unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_LOCAL) };
                let library = library.map_err(|error| OpenError::Library(error.to_string()))?;
                let symbols = Self {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        // SAFETY: the type is that of librados.h.
                        let symbol = unsafe { library.get(name.as_bytes()) };
                        *symbol.map_err(|_| OpenError::Symbol(stringify!($name)))?
                    },)*
                };
                std::mem::forget(library);
                Ok(Arc::new(symbols))
            }
        }
    };
}

symbols! {
    fn rados_create2(*mut Raw, Text, Text, u64) -> c_int;
    fn rados_conf_read_file(Raw, Text) -> c_int;
    fn rados_conf_set(Raw, Text, Text) -> c_int;
    fn rados_connect(Raw) -> c_int;
    fn rados_shutdown(Raw);
    fn rados_pool_lookup(Raw, Text) -> i64;
    fn rados_ioctx_create2(Raw, i64, *mut Raw) -> c_int;
    fn rados_ioctx_destroy(Raw);
    fn rados_ioctx_set_namespace(Raw, Text);
    fn rados_set_pool_full_try(Raw);
    fn rados_ioctx_pool_requires_alignment2(Raw, *mut c_int) -> c_int;
    fn rados_ioctx_pool_required_alignment2(Raw, *mut u64) -> c_int;
    fn rados_create_write_op() -> Raw;
    fn rados_release_write_op(Raw);
    fn rados_write_op_assert_exists(Raw);
    fn rados_write_op_create(Raw, c_int, Text);
    fn rados_write_op_cmpxattr(Raw, Text, u8, Text, usize);
    fn rados_write_op_omap_cmp2(Raw, Text, u8, Text, usize, usize, *mut c_int);
    fn rados_write_op_setxattr(Raw, Text, Text, usize);
    fn rados_write_op_omap_set2(Raw, Texts, Texts, Lengths, Lengths, usize);
    fn rados_write_op_omap_rm_keys2(Raw, Texts, Lengths, usize);
    fn rados_write_op_omap_rm_range2(Raw, Text, usize, Text, usize);
    fn rados_write_op_write(Raw, Text, usize, u64);
    fn rados_write_op_remove(Raw);
    fn rados_create_read_op() -> Raw;
    fn rados_release_read_op(Raw);
    fn rados_read_op_assert_exists(Raw);
    fn rados_read_op_cmpxattr(Raw, Text, u8, Text, usize);
    fn rados_read_op_getxattrs(Raw, *mut Raw, *mut c_int);
    fn rados_read_op_omap_get_vals2(Raw, Text, Text, u64, *mut Raw, *mut c_uchar, *mut c_int);
    fn rados_read_op_omap_get_vals_by_keys2(Raw, Texts, usize, Lengths, *mut Raw, *mut c_int);
    fn rados_read_op_read(Raw, u64, usize, *mut c_char, *mut usize, *mut c_int);
    fn rados_read_op_stat(Raw, *mut u64, *mut c_long, *mut c_int);
    fn rados_getxattrs_next(Raw, *mut Text, *mut Text, *mut usize) -> c_int;
    fn rados_getxattrs_end(Raw);
    fn rados_omap_get_next2(Raw, *mut Text, *mut Text, *mut usize, *mut usize) -> c_int;
    fn rados_omap_get_end(Raw);
    fn rados_aio_create_completion2(Raw, extern "C" fn(Raw, Raw), *mut Raw) -> c_int;
    fn rados_aio_get_return_value(Raw) -> c_int;
    fn rados_aio_release(Raw);
    fn rados_aio_write_op_operate(Raw, Raw, Raw, Text, *const c_long, c_int) -> c_int;
    fn rados_aio_read_op_operate(Raw, Raw, Raw, Text, c_int) -> c_int;
    fn rados_aio_notify(Raw, Text, Raw, Text, c_int, u64, *mut *mut c_char, *mut usize) -> c_int;
    fn rados_aio_watch2(Raw, Text, Raw, *mut u64, Notified, Failed, u32, Raw) -> c_int;
    fn rados_notify_ack(Raw, Text, u64, u64, Text, c_int) -> c_int;
    fn rados_watch_check(Raw, u64) -> c_int;
    fn rados_unwatch2(Raw, u64) -> c_int;
    fn rados_watch_flush(Raw) -> c_int;
    fn rados_lock_exclusive(Raw, Text, Text, Text, Text, *mut TimeVal, u8) -> c_int;
    fn rados_unlock(Raw, Text, Text, Text) -> c_int;
    fn rados_nobjects_list_open(Raw, *mut Raw) -> c_int;
    fn rados_nobjects_list_seek(Raw, u32) -> u32;
    fn rados_nobjects_list_seek_cursor(Raw, Raw) -> u32;
    fn rados_nobjects_list_get_pg_hash_position(Raw) -> u32;
    fn rados_nobjects_list_get_cursor(Raw, *mut Raw) -> c_int;
    fn rados_nobjects_list_close(Raw);
    fn rados_object_list_begin(Raw) -> Raw;
    fn rados_object_list_end(Raw) -> Raw;
    fn rados_object_list_is_end(Raw, Raw) -> c_int;
    fn rados_object_list_cursor_free(Raw, Raw);
    fn rados_object_list(Raw, Raw, Raw, usize, Text, usize, *mut ListItem, *mut Raw) -> c_int;
    fn rados_object_list_free(usize, *mut ListItem);
}

type Notified = extern "C" fn(Raw, u64, u64, u64, Raw, usize);
type Failed = extern "C" fn(Raw, u64, c_int);

/// `struct timeval`.
#[repr(C)]
struct TimeVal {
    seconds: c_long,
    microseconds: c_long,
}

/// `rados_object_list_item`.
#[repr(C)]
struct ListItem {
    name_len: usize,
    name: *mut c_char,
    namespace_len: usize,
    namespace: *mut c_char,
    locator_len: usize,
    locator: *mut c_char,
}

/// Why the library cannot be used.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It cannot be loaded, in the words of the system.
    Library(String),
    /// It lacks a function.
    Symbol(&'static str),
}

/// A cluster. Ends the session when it is dropped.
pub(super) struct Cluster {
    symbols: Arc<Symbols>,
    raw: Raw,
    alive: Arc<()>,
}

// SAFETY: handles of librados may be used by several threads at once.
unsafe impl Send for Cluster {}
// SAFETY: as above.
unsafe impl Sync for Cluster {}

impl Cluster {
    /// A cluster that is not connected yet.
    pub(super) fn new(symbols: Arc<Symbols>, user: &CStr) -> Result<Self, i32> {
        let mut raw = null_mut();
        // SAFETY: both strings end with a zero byte and are copied.
        check(unsafe { (symbols.rados_create2)(&raw mut raw, c"ceph".as_ptr(), user.as_ptr(), 0) })?;
        Ok(Self { symbols, raw, alive: Arc::new(()) })
    }

    /// Something that is gone when the session has ended.
    pub(super) fn alive(&self) -> Weak<()> {
        Arc::downgrade(&self.alive)
    }

    /// Reads a configuration file.
    pub(super) fn read_conf(&self, path: &CStr) -> Result<(), i32> {
        // SAFETY: the handle lives, and the string is copied.
        check(unsafe { (self.symbols.rados_conf_read_file)(self.raw, path.as_ptr()) })
    }

    /// Sets an option, over all that the configuration says.
    pub(super) fn set_conf(&self, option: &CStr, value: &CStr) -> Result<(), i32> {
        // SAFETY: the handle lives, and the strings are copied.
        check(unsafe { (self.symbols.rados_conf_set)(self.raw, option.as_ptr(), value.as_ptr()) })
    }

    /// Connects, once. It blocks.
    pub(super) fn connect(&self) -> Result<(), i32> {
        // SAFETY: the handle lives.
        check(unsafe { (self.symbols.rados_connect)(self.raw) })
    }

    /// The number of a pool. It may block.
    pub(super) fn pool(&self, name: &CStr) -> Result<u32, i32> {
        // SAFETY: the handle lives, and the string is copied.
        let id = unsafe { (self.symbols.rados_pool_lookup)(self.raw, name.as_ptr()) };
        u32::try_from(id).map_err(|_| i32::try_from(-id).unwrap_or(EINVAL))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        struct Session(Arc<Symbols>, Raw, Arc<()>);
        // SAFETY: as for the cluster, whose handle it is.
        unsafe impl Send for Session {}
        impl Session {
            fn end(self) {
                let Self(symbols, raw, alive) = self;
                // SAFETY: whatever belongs to the cluster keeps it alive, so that nothing is left; this happens once.
                unsafe { (symbols.rados_shutdown)(raw) };
                drop(alive);
            }
        }
        let session = Session(Arc::clone(&self.symbols), self.raw, Arc::clone(&self.alive));
        // librados waits for its own threads here, so that none of them may do it. Should the system have no thread to
        // give, the session stays: that is what happens to it at the end of the process as well.
        if IS_LIBRADOS.get() {
            let _ = std::thread::Builder::new().spawn(move || session.end());
        } else {
            session.end();
        }
    }
}

/// One pool and namespace.
pub(super) struct IoCtx {
    cluster: Arc<Cluster>,
    raw: Raw,
}

// SAFETY: handles of librados may be used by several threads at once, and nothing is configured any more.
unsafe impl Send for IoCtx {}
// SAFETY: as above.
unsafe impl Sync for IoCtx {}

impl IoCtx {
    /// Opens a pool by its number, in a cluster that is connected. It may block.
    pub(super) fn new(cluster: Arc<Cluster>, pool: u32, namespace: &CStr) -> Result<Self, i32> {
        let (symbols, mut raw) = (&cluster.symbols, null_mut());
        // SAFETY: the cluster lives.
        check(unsafe { (symbols.rados_ioctx_create2)(cluster.raw, i64::from(pool), &raw mut raw) })?;
        // SAFETY: the handle is new and nobody else's, and the string is copied.
        unsafe {
            (symbols.rados_ioctx_set_namespace)(raw, namespace.as_ptr());
            (symbols.rados_set_pool_full_try)(raw);
        }
        Ok(Self { cluster, raw })
    }

    fn symbols(&self) -> &Arc<Symbols> {
        &self.cluster.symbols
    }

    /// What writes must be a multiple of.
    pub(super) fn alignment(&self) -> Result<Option<u64>, i32> {
        let (mut is_required, mut alignment) = (0, 0);
        // SAFETY: the handle lives, and so do both places for the whole of each call.
        unsafe {
            check((self.symbols().rados_ioctx_pool_requires_alignment2)(self.raw, &raw mut is_required))?;
            if is_required == 0 {
                return Ok(None);
            }
            check((self.symbols().rados_ioctx_pool_required_alignment2)(self.raw, &raw mut alignment))?;
        }
        Ok(Some(alignment))
    }

    /// Takes or renews a lock; `false` when somebody else has it. It blocks.
    pub(super) fn lock(&self, object: &CStr, name: &CStr, cookie: &CStr, time: Duration) -> Result<bool, i32> {
        // No time at all would be forever.
        let time = time.max(Duration::from_micros(1));
        let mut time = TimeVal {
            seconds: c_long::try_from(time.as_secs()).unwrap_or(c_long::MAX),
            microseconds: c_long::from(time.subsec_micros()),
        };
        let (lock, description) = (self.symbols().rados_lock_exclusive, c"".as_ptr());
        let (object, name, cookie) = (object.as_ptr(), name.as_ptr(), cookie.as_ptr());
        // SAFETY: the handle lives; the strings and the time are only used during the call.
        match unsafe { lock(self.raw, object, name, cookie, description, &raw mut time, LOCK_MAY_RENEW) } {
            locked if locked == -EBUSY => Ok(false),
            locked => check(locked).map(|()| true),
        }
    }

    /// Gives a lock back. It blocks.
    pub(super) fn unlock(&self, object: &CStr, name: &CStr, cookie: &CStr) -> Result<(), i32> {
        // SAFETY: the handle lives; the strings are only used during the call.
        check(unsafe { (self.symbols().rados_unlock)(self.raw, object.as_ptr(), name.as_ptr(), cookie.as_ptr()) })
    }

    /// Changes an object. The answer comes when librados has it, and the permit goes then, whoever still waits.
    pub(super) fn write(
        self: &Arc<Self>,
        object: &CStr,
        write_op: WriteOp,
        permit: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<(), i32>>, i32> {
        let operate = self.symbols().rados_aio_write_op_operate;
        let finish = move |result| {
            drop(permit);
            check(result)
        };
        self.submit(finish, |completion| {
            // SAFETY: all handles live during the call, which takes what it needs out of the operation.
            unsafe { operate(write_op.handle.raw, self.raw, completion, object.as_ptr(), null(), 0) }
        })
    }

    /// Reads an object. As [`Self::write`].
    pub(super) fn read(
        self: &Arc<Self>,
        object: &CStr,
        read_op: ReadOp,
        permit: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<Slots, i32>>, i32> {
        let ReadOp { handle, slots } = read_op;
        let operate = self.symbols().rados_aio_read_op_operate;
        let finish = move |result| {
            drop(permit);
            check(result).map(|()| slots)
        };
        self.submit(finish, |completion| {
            // SAFETY: all handles live during the call, which takes what it needs out of the operation, and the slots
            // until the completion.
            unsafe { operate(handle.raw, self.raw, completion, object.as_ptr(), 0) }
        })
    }

    /// Notifies the watchers of an object, who have `time` to answer, in whole seconds.
    pub(super) fn notify(
        self: &Arc<Self>,
        object: &CStr,
        payload: &[u8],
        time: Duration,
    ) -> Result<oneshot::Receiver<Result<(), i32>>, i32> {
        let (notify, length) = (self.symbols().rados_aio_notify, c_int::try_from(payload.len()).map_err(|_| EINVAL)?);
        let time_ms = time.as_secs().max(1).saturating_mul(1000);
        self.submit(check, |completion| {
            let (object, payload) = (object.as_ptr(), payload.as_ptr().cast());
            // SAFETY: all handles live during the call; the payload is copied; replies are not asked for.
            unsafe { notify(self.raw, object, completion, payload, length, time_ms, null_mut(), null_mut()) }
        })
    }

    /// Watches an object.
    pub(super) fn watch(
        self: &Arc<Self>,
        object: CString,
        watcher: Arc<dyn Watcher>,
    ) -> Result<oneshot::Receiver<Result<Watching, i32>>, i32> {
        let io_ctx = Arc::clone(self);
        let told =
            Arc::new(Told { io_ctx, object, watcher, cookie: AtomicU64::new(0), is_broken: AtomicBool::new(false) });
        let watch = self.symbols().rados_aio_watch2;
        let mut watching = Watching { told: Arc::clone(&told), stands: false };
        let finish = move |result| {
            watching.stands = result >= 0;
            check(result).map(|()| watching)
        };
        let argument = Arc::as_ptr(&told).cast_mut().cast();
        self.submit(finish, |completion| {
            let (object, cookie) = (told.object.as_ptr(), told.cookie.as_ptr());
            // SAFETY: all handles live during the call. What the argument points to, and in it the cookie, lives until
            // `Watching` has waited for the last callback.
            unsafe { watch(self.raw, object, completion, cookie, notified, failed, 0, argument) }
        })
    }

    /// Names of objects behind a position, and the position to go on from, if there are more. It blocks. An object can
    /// come twice, at the end of a page and at the beginning of the next one.
    pub(super) fn list(&self, from: Option<u32>, limit: usize) -> Result<(Vec<String>, Option<u32>), i32> {
        let (symbols, mut walk, mut cursor) = (self.symbols(), null_mut(), null_mut());
        // SAFETY: the handle lives. What is opened is closed here, each cursor freed, and the items as well.
        unsafe {
            check((symbols.rados_nobjects_list_open)(self.raw, &raw mut walk))?;
            let walk = Guard(walk, |walk| (symbols.rados_nobjects_list_close)(walk));
            match from {
                None => cursor = (symbols.rados_object_list_begin)(self.raw),
                Some(position) => {
                    (symbols.rados_nobjects_list_seek)(walk.0, position);
                    check((symbols.rados_nobjects_list_get_cursor)(walk.0, &raw mut cursor))?;
                }
            }
            // librados writes the next position into the cursor it was given.
            let mut cursor = Guard(cursor, |cursor| (symbols.rados_object_list_cursor_free)(self.raw, cursor));
            let end = (symbols.rados_object_list_end)(self.raw);
            let end = Guard(end, |end| (symbols.rados_object_list_cursor_free)(self.raw, end));
            let mut names = Vec::new();
            loop {
                let mut items = Vec::<ListItem>::with_capacity(limit);
                let (place, list) = (items.as_mut_ptr(), symbols.rados_object_list);
                let count = list(self.raw, cursor.0, end.0, limit, null(), 0, place, &raw mut cursor.0);
                check(count)?;
                let count = usize::try_from(count).unwrap_or_default().min(limit);
                items.set_len(count);
                names.extend(
                    items.iter().map(|item| String::from_utf8_lossy(seen(item.name, item.name_len)).into_owned()),
                );
                (symbols.rados_object_list_free)(count, items.as_mut_ptr());
                if (symbols.rados_object_list_is_end)(self.raw, cursor.0) != 0 {
                    return Ok((names, None));
                }
                (symbols.rados_nobjects_list_seek_cursor)(walk.0, cursor.0);
                let position = (symbols.rados_nobjects_list_get_pg_hash_position)(walk.0);
                // Positions are hashes. Were there more names of one hash than the limit, they would all be here.
                if from != Some(position) {
                    return Ok((names, Some(position)));
                }
            }
        }
    }

    /// Hands an operation to librados, which calls `finish` with the result when it is done; what that returns is the
    /// answer, or is dropped when nobody waits. `start` is called once, with the completion.
    fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        finish: impl FnOnce(c_int) -> T + Send + 'static,
        start: impl FnOnce(Raw) -> c_int,
    ) -> Result<oneshot::Receiver<T>, i32> {
        fn callback<T, F: FnOnce(c_int) -> T>(_: &F) -> extern "C" fn(Raw, Raw) {
            completed::<T, F>
        }
        let symbols = self.symbols();
        let (answer, answered) = oneshot::channel();
        let (callback, mut completion) = (callback(&finish), null_mut());
        let pending = Box::into_raw(Box::new(Pending { io_ctx: Arc::clone(self), finish, answer }));
        // SAFETY: the callback is that of the type of `pending`.
        let made = unsafe { (symbols.rados_aio_create_completion2)(pending.cast(), callback, &raw mut completion) };
        let started = check(made).and_then(|()| {
            let started = check(start(completion));
            // SAFETY: this is our reference; librados has one of its own until it has called back.
            unsafe { (symbols.rados_aio_release)(completion) };
            started
        });
        if let Err(error) = started {
            // SAFETY: it was not started, so that nobody calls back, and the box is ours again.
            drop(unsafe { Box::from_raw(pending) });
            return Err(error);
        }
        Ok(answered)
    }
}

impl Drop for IoCtx {
    fn drop(&mut self) {
        // SAFETY: whatever belongs to it keeps it alive, so that nothing is left; this happens once.
        unsafe { (self.symbols().rados_ioctx_destroy)(self.raw) };
    }
}

/// Something of librados that goes at the end of a block.
struct Guard<F: FnMut(Raw)>(Raw, F);

impl<F: FnMut(Raw)> Drop for Guard<F> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

/// An operation on its way. It belongs to the completion.
struct Pending<T, F> {
    io_ctx: Arc<IoCtx>,
    finish: F,
    answer: oneshot::Sender<T>,
}

/// What librados calls when an operation is done.
extern "C" fn completed<T, F: FnOnce(c_int) -> T>(completion: Raw, pending: Raw) {
    on_thread_of_librados(|| {
        // SAFETY: `submit` made it of this type and gave it away; it is called back once.
        let Pending { io_ctx, finish, answer } = *unsafe { Box::from_raw(pending.cast::<Pending<T, F>>()) };
        // SAFETY: librados keeps the completion until this returns.
        let result = unsafe { (io_ctx.symbols().rados_aio_get_return_value)(completion) };
        // Nobody may wait any more; then what came is dropped here.
        let _ = answer.send(finish(result));
    });
}

/// The steps of a write.
pub(super) struct WriteOp {
    handle: OpHandle,
}

/// The steps of a read, and where their answers go.
pub(super) struct ReadOp {
    handle: OpHandle,
    slots: Slots,
}

struct OpHandle {
    raw: Raw,
    release: unsafe extern "C" fn(Raw),
}

// SAFETY: it is used by one thread at a time, and not bound to any.
unsafe impl Send for OpHandle {}

impl Drop for OpHandle {
    fn drop(&mut self) {
        // SAFETY: it was made by the function that belongs to this one, and this happens once.
        unsafe { (self.release)(self.raw) };
    }
}

impl WriteOp {
    /// Makes the operation.
    pub(super) fn new(symbols: &Symbols, steps: &[WriteStep]) -> Result<Self, i32> {
        // SAFETY: it needs nothing.
        let raw = unsafe { (symbols.rados_create_write_op)() };
        let write_op = Self { handle: OpHandle { raw, release: symbols.rados_release_write_op } };
        steps.iter().try_for_each(|step| write_op.add(symbols, step))?;
        Ok(write_op)
    }

    fn add(&self, symbols: &Symbols, step: &WriteStep) -> Result<(), i32> {
        let raw = self.handle.raw;
        // SAFETY: the operation lives and is ours alone. Every pointer is valid for the length beside it, or ends with a
        // zero byte, during the call, which copies.
        unsafe {
            match step {
                WriteStep::AssertExists => (symbols.rados_write_op_assert_exists)(raw),
                WriteStep::CreateExclusive => (symbols.rados_write_op_create)(raw, CREATE_EXCLUSIVE, null()),
                WriteStep::CompareXattr(name, value) => {
                    let name = text(*name)?;
                    (symbols.rados_write_op_cmpxattr)(raw, name.as_ptr(), EQUAL, start(value), value.len());
                }
                WriteStep::CompareOmap(omap_key, value) => {
                    let (omap_key, len) = (start(omap_key), omap_key.len());
                    let compare = symbols.rados_write_op_omap_cmp2;
                    compare(raw, omap_key, EQUAL, start(value), len, value.len(), null_mut());
                }
                WriteStep::SetXattr(name, value) => {
                    (symbols.rados_write_op_setxattr)(raw, text(*name)?.as_ptr(), start(value), value.len());
                }
                WriteStep::SetOmap(entries) => {
                    let (omap_keys, omap_key_lens) = starts(entries.iter().map(|(omap_key, _)| omap_key.as_slice()));
                    let (values, value_lens) = starts(entries.iter().map(|(_, value)| value.as_ref()));
                    let (lens, count) = (omap_key_lens.as_ptr(), entries.len());
                    let set = symbols.rados_write_op_omap_set2;
                    set(raw, omap_keys.as_ptr(), values.as_ptr(), lens, value_lens.as_ptr(), count);
                }
                WriteStep::RemoveOmap(omap_keys) => {
                    let (omap_keys, lens) = starts(omap_keys.iter().map(Vec::as_slice));
                    (symbols.rados_write_op_omap_rm_keys2)(raw, omap_keys.as_ptr(), lens.as_ptr(), lens.len());
                }
                WriteStep::RemoveOmapRange(from, to) => {
                    (symbols.rados_write_op_omap_rm_range2)(raw, start(from), from.len(), start(to), to.len());
                }
                WriteStep::Write(offset, bytes) => {
                    (symbols.rados_write_op_write)(raw, start(bytes), bytes.len(), *offset);
                }
                WriteStep::Remove => (symbols.rados_write_op_remove)(raw),
            }
        }
        Ok(())
    }
}

impl ReadOp {
    /// Makes the operation.
    pub(super) fn new(symbols: &Arc<Symbols>, steps: &[ReadStep]) -> Result<Self, i32> {
        // SAFETY: it needs nothing.
        let raw = unsafe { (symbols.rados_create_read_op)() };
        let handle = OpHandle { raw, release: symbols.rados_release_read_op };
        let mut read_op = Self { handle, slots: Slots { symbols: Arc::clone(symbols), slots: Vec::new() } };
        steps.iter().try_for_each(|step| read_op.add(symbols, step))?;
        Ok(read_op)
    }

    fn add(&mut self, symbols: &Symbols, step: &ReadStep) -> Result<(), i32> {
        let raw = self.handle.raw;
        // SAFETY: the operation lives and is ours alone. What goes in is copied, as in a write; what comes out goes into a
        // slot, which stays in its place until the operation is done (see `Pending`) or is released without being used.
        unsafe {
            match step {
                ReadStep::CompareXattr(name, value) => {
                    (symbols.rados_read_op_cmpxattr)(raw, text(*name)?.as_ptr(), EQUAL, start(value), value.len());
                }
                ReadStep::Xattrs => {
                    let slot = self.slots.add(SlotKind::Xattrs, 0);
                    (symbols.rados_read_op_getxattrs)(raw, &raw mut (*slot).iterator, null_mut());
                }
                ReadStep::OmapGet(omap_keys) => {
                    let slot = self.slots.add(SlotKind::Omap, 0);
                    let (omap_keys, lens) = starts(omap_keys.iter().map(Vec::as_slice));
                    let (count, lens, iterator) = (lens.len(), lens.as_ptr(), &raw mut (*slot).iterator);
                    let get = symbols.rados_read_op_omap_get_vals_by_keys2;
                    get(raw, omap_keys.as_ptr(), count, lens, iterator, null_mut());
                }
                ReadStep::OmapScan { after, prefix, limit } => {
                    let (after, prefix) = (text(after.as_slice())?, text(prefix.as_slice())?);
                    let slot = self.slots.add(SlotKind::Omap, 0);
                    let (iterator, more) = (&raw mut (*slot).iterator, &raw mut (*slot).more);
                    let (get, limit) = (symbols.rados_read_op_omap_get_vals2, *limit as u64);
                    get(raw, after.as_ptr(), prefix.as_ptr(), limit, iterator, more, null_mut());
                }
                // RADOS takes no length for the whole object.
                ReadStep::Read { length: 0, .. } => {
                    self.slots.add(SlotKind::Bytes, 0);
                    (symbols.rados_read_op_assert_exists)(raw);
                }
                ReadStep::Read { offset, length } => {
                    let slot = self.slots.add(SlotKind::Bytes, *length);
                    let (bytes, len) = ((*slot).bytes.as_mut_ptr().cast(), &raw mut (*slot).len);
                    (symbols.rados_read_op_read)(raw, *offset, *length, bytes, len, &raw mut (*slot).result);
                }
                ReadStep::Stat => {
                    let slot = self.slots.add(SlotKind::Stat, 0);
                    let (size, modified) = (&raw mut (*slot).size, &raw mut (*slot).modified);
                    (symbols.rados_read_op_stat)(raw, size, modified, null_mut());
                }
            }
        }
        Ok(())
    }
}

/// Where the answers of a read go. They are there when the operation has succeeded.
pub(super) struct Slots {
    symbols: Arc<Symbols>,
    /// Each a box that is pointed into from outside, hence a pointer here as well.
    slots: Vec<*mut Slot>,
}

struct Slot {
    kind: SlotKind,
    iterator: Raw,
    more: c_uchar,
    result: c_int,
    size: u64,
    modified: c_long,
    len: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum SlotKind {
    Xattrs,
    Omap,
    Bytes,
    Stat,
}

// SAFETY: the boxes and iterators are used by one thread at a time, and not bound to any.
unsafe impl Send for Slots {}

impl Slots {
    fn add(&mut self, kind: SlotKind, capacity: usize) -> *mut Slot {
        let bytes = Vec::with_capacity(capacity);
        let (iterator, more, result, size, modified, len) = (null_mut(), 0, 0, 0, 0, 0);
        self.slots.push(Box::into_raw(Box::new(Slot { kind, iterator, more, result, size, modified, len, bytes })));
        self.slots[self.slots.len() - 1]
    }

    /// The answers of an operation that has succeeded, in the order of the steps.
    pub(super) fn into_answers(self) -> Result<Vec<ReadAnswer>, i32> {
        self.slots.iter().map(|slot| self.answer(*slot)).collect()
    }

    fn answer(&self, slot: *mut Slot) -> Result<ReadAnswer, i32> {
        // SAFETY: librados is done with it (the completion came), the box is ours, and there is no other reference.
        let slot = unsafe { &mut *slot };
        Ok(match slot.kind {
            SlotKind::Xattrs => ReadAnswer::Xattrs(self.xattrs(slot.iterator)?),
            SlotKind::Omap => ReadAnswer::Omap { entries: self.entries(slot.iterator)?, more: slot.more != 0 },
            SlotKind::Bytes => {
                check(slot.result)?;
                let mut bytes = std::mem::take(&mut slot.bytes);
                assert!(slot.len <= bytes.capacity(), "librados writes no more than there is room for");
                // SAFETY: so many bytes have been written.
                unsafe { bytes.set_len(slot.len) };
                ReadAnswer::Bytes(Bytes::from(bytes))
            }
            SlotKind::Stat => {
                ReadAnswer::Stat { size: slot.size, modified: u64::try_from(slot.modified).unwrap_or_default() }
            }
        })
    }

    fn xattrs(&self, iterator: Raw) -> Result<Vec<(String, Bytes)>, i32> {
        let mut xattrs = Vec::new();
        loop {
            let (mut name, mut value, mut len) = (null(), null(), 0);
            // SAFETY: the operation has filled the iterator, which lives. What it points to lives until it is asked again.
            unsafe {
                check((self.symbols.rados_getxattrs_next)(iterator, &raw mut name, &raw mut value, &raw mut len))?;
                if name.is_null() {
                    return Ok(xattrs);
                }
                xattrs.push((
                    CStr::from_ptr(name).to_string_lossy().into_owned(),
                    Bytes::copy_from_slice(seen(value, len)),
                ));
            }
        }
    }

    fn entries(&self, iterator: Raw) -> Result<Vec<(Vec<u8>, Bytes)>, i32> {
        let mut entries = Vec::new();
        loop {
            let (mut omap_key, mut value, mut omap_key_len, mut len) = (null(), null(), 0, 0);
            let (to_omap_key, to_value) = (&raw mut omap_key, &raw mut value);
            let next = self.symbols.rados_omap_get_next2;
            // SAFETY: as for xattrs.
            unsafe {
                check(next(iterator, to_omap_key, to_value, &raw mut omap_key_len, &raw mut len))?;
                if omap_key.is_null() {
                    return Ok(entries);
                }
                entries.push((seen(omap_key, omap_key_len).to_vec(), Bytes::copy_from_slice(seen(value, len))));
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in self.slots.drain(..) {
            // SAFETY: it came from a box, and nobody writes into it any more.
            let slot = unsafe { Box::from_raw(slot) };
            if slot.iterator.is_null() {
                continue;
            }
            // SAFETY: the iterator is of this kind and is used no more.
            match slot.kind {
                SlotKind::Xattrs => unsafe { (self.symbols.rados_getxattrs_end)(slot.iterator) },
                SlotKind::Omap => unsafe { (self.symbols.rados_omap_get_end)(slot.iterator) },
                SlotKind::Bytes | SlotKind::Stat => {}
            }
        }
    }
}

/// A watch. It ends, in a thread of its own, when it is dropped.
pub(super) struct Watching {
    told: Arc<Told>,
    /// Whether librados knows it.
    stands: bool,
}

/// What the callbacks of a watch need.
struct Told {
    io_ctx: Arc<IoCtx>,
    object: CString,
    watcher: Arc<dyn Watcher>,
    cookie: AtomicU64,
    is_broken: AtomicBool,
}

impl Watching {
    /// How long ago RADOS said that it knows the watch; an error once it does not.
    pub(super) fn confirmed_before(&self) -> Result<Duration, i32> {
        if self.told.is_broken.load(Ordering::Relaxed) {
            return Err(ENOTCONN);
        }
        let (io_ctx, cookie) = (&self.told.io_ctx, self.told.cookie.load(Ordering::Relaxed));
        // SAFETY: the handle lives, and the cookie is good until the watch ends, which is when this is dropped.
        let age_ms = unsafe { (io_ctx.symbols().rados_watch_check)(io_ctx.raw, cookie) };
        check(age_ms).map(|()| Duration::from_millis(u64::from(age_ms.unsigned_abs())))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let (told, stands) = (Arc::clone(&self.told), self.stands);
        let end = move || {
            let (io_ctx, cookie) = (&told.io_ctx, told.cookie.load(Ordering::Relaxed));
            let symbols = io_ctx.symbols();
            // SAFETY: the handles live, and the watch ends once.
            unsafe {
                if stands {
                    (symbols.rados_unwatch2)(io_ctx.raw, cookie);
                }
                // From here on no callback runs, and `told` may go.
                (symbols.rados_watch_flush)(io_ctx.cluster.raw);
            }
        };
        if std::thread::Builder::new().name("unwatch".to_owned()).spawn(end).is_err() {
            // Callbacks may still come, so that it has to stay.
            std::mem::forget(Arc::clone(&self.told));
        }
    }
}

/// What librados calls when somebody notified.
extern "C" fn notified(told: Raw, notify_id: u64, cookie: u64, _notifier: u64, payload: Raw, len: usize) {
    on_thread_of_librados(|| {
        // SAFETY: it lives until the last callback has returned, and is shared.
        let told = unsafe { &*told.cast_const().cast::<Told>() };
        // SAFETY: the payload lives during this call.
        let payload = unsafe { seen(payload.cast_const().cast(), len) };
        let heard = catch_unwind(AssertUnwindSafe(|| told.watcher.notified(payload)));
        let acknowledge = told.io_ctx.symbols().rados_notify_ack;
        // Who notified would wait in vain for a watcher that panics, yet what it had to do has not happened.
        if heard.is_ok() {
            // SAFETY: the handles live; no reply is sent.
            unsafe { acknowledge(told.io_ctx.raw, told.object.as_ptr(), notify_id, cookie, null(), 0) };
        }
    });
}

/// What librados calls when a watch broke.
extern "C" fn failed(told: Raw, _cookie: u64, _error: c_int) {
    on_thread_of_librados(|| {
        // SAFETY: it lives until the last callback has returned, and is shared.
        let told = unsafe { &*told.cast_const().cast::<Told>() };
        told.is_broken.store(true, Ordering::Relaxed);
        told.watcher.broken();
    });
}

thread_local! {
    /// Whether this is a thread of librados that is calling back.
    static IS_LIBRADOS: Cell<bool> = const { Cell::new(false) };
}

/// Runs what librados calls back. A panic ends here.
fn on_thread_of_librados(called: impl FnOnce()) {
    let before = IS_LIBRADOS.replace(true);
    let _ = catch_unwind(AssertUnwindSafe(called));
    IS_LIBRADOS.set(before);
}

/// The result of a call of librados.
fn check(result: c_int) -> Result<(), i32> {
    if result < 0 { Err(result.saturating_neg()) } else { Ok(()) }
}

/// Text for C.
pub(super) fn text(text: impl Into<Vec<u8>>) -> Result<CString, i32> {
    CString::new(text).map_err(|_| EINVAL)
}

fn start(bytes: &[u8]) -> Text {
    bytes.as_ptr().cast()
}

/// Pointers to the parts and their lengths, which hold as long as the parts do.
fn starts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Text>, Vec<usize>) {
    parts.map(|part| (start(part), part.len())).unzip()
}

/// Bytes of librados.
///
/// # Safety
/// There are so many, for as long as the result is used.
unsafe fn seen<'a>(bytes: Text, len: usize) -> &'a [u8] {
    if len == 0 || bytes.is_null() {
        return &[];
    }
    // SAFETY: as demanded.
    unsafe { slice::from_raw_parts(bytes.cast(), len) }
}

const LIBRARY: &str = "librados.so.2";
const CREATE_EXCLUSIVE: c_int = 1;
/// `LIBRADOS_CMPXATTR_OP_EQ`
const EQUAL: u8 = 1;
const LOCK_MAY_RENEW: u8 = 1;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOTCONN: i32 = 107;
