//! What every implementation of [`Rados`] keeps, as tests that run on the model always, and on librados when the
//! environment names a cluster. So the model cannot drift away from what it stands for.
//!
//! Each test begins in a namespace without objects.

pub(crate) mod at_once;
pub(crate) mod data;
pub(crate) mod locks;
pub(crate) mod objects;
pub(crate) mod omap;
pub(crate) mod watches;

use std::sync::Arc;

use bytes::Bytes;

use super::{PoolId, Rados, RadosError, ReadAnswer, ReadStep, WriteStep};

/// Where a test may work.
pub(crate) struct Site {
    /// Two processes with one cluster and namespace.
    pub(crate) rados: Arc<dyn Rados>,
    pub(crate) other: Arc<dyn Rados>,
    /// Replicated.
    pub(crate) pool: PoolId,
    /// Erasure-coded and without overwrites, if there is one.
    pub(crate) ec_pool: Option<PoolId>,
}

impl Site {
    async fn write(&self, object: &str, steps: Vec<WriteStep>) -> Result<(), RadosError> {
        self.rados.write(self.pool, object, steps).await
    }

    /// The answer to one step.
    async fn read(&self, object: &str, step: ReadStep) -> Result<ReadAnswer, RadosError> {
        let mut answers = self.rados.read(self.pool, object, vec![step]).await?;
        assert_eq!(answers.len(), 1);
        Ok(answers.remove(0))
    }

    async fn bytes(&self, object: &str, offset: u64, length: usize) -> Bytes {
        match self.read(object, ReadStep::Read { offset, length }).await.unwrap() {
            ReadAnswer::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// A page of the omap, and whether there is more.
    async fn scan(&self, object: &str, after: &[u8], prefix: &[u8], limit: usize) -> (Vec<(Vec<u8>, Bytes)>, bool) {
        let scan = ReadStep::OmapScan { after: after.to_vec(), prefix: prefix.to_vec(), limit };
        match self.read(object, scan).await.unwrap() {
            ReadAnswer::Omap { entries, more } => (entries, more),
            other => panic!("{other:?}"),
        }
    }

    async fn entries(&self, object: &str) -> Vec<(Vec<u8>, Bytes)> {
        let (entries, more) = self.scan(object, b"", b"", 1000).await;
        assert!(!more);
        entries
    }

    /// The xattrs in the order of their names.
    async fn xattrs(&self, object: &str) -> Vec<(String, Bytes)> {
        match self.read(object, ReadStep::Xattrs).await.unwrap() {
            ReadAnswer::Xattrs(mut xattrs) => {
                xattrs.sort_unstable();
                xattrs
            }
            other => panic!("{other:?}"),
        }
    }

    async fn exists(&self, object: &str) -> bool {
        match self.read(object, ReadStep::Stat).await {
            Ok(_) => true,
            Err(RadosError::NotFound) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn entry(omap_key: impl AsRef<[u8]>, value: &str) -> (Vec<u8>, Bytes) {
    (omap_key.as_ref().to_vec(), Bytes::copy_from_slice(value.as_bytes()))
}

fn set(omap_key: impl AsRef<[u8]>, value: &str) -> WriteStep {
    WriteStep::SetOmap(vec![entry(omap_key, value)])
}

/// Every test as a test of the module it stands in, on the sites that `$make` gives. The first attribute makes it a test.
macro_rules! contract {
    ($make:expr, [$($attribute:meta),*]) => {
        $crate::rados::contract::contract! {
            @ $make, [$($attribute),*],
            objects::{
                a_write_happens_whole_or_not_at_all,
                a_write_to_a_missing_object_makes_it,
                only_the_first_exclusive_creation_succeeds,
                a_missing_object_is_told_from_one_that_is_not_as_demanded,
                an_xattr_is_compared_in_every_byte,
                a_removal_demands_what_it_is_told_to_demand,
                pages_of_a_listing_walk_all_names,
                names_that_c_cannot_hold_are_refused,
                a_pool_is_found_by_its_name,
            }
            omap::{
                omap_keys_hold_any_byte_and_come_in_order,
                a_missing_omap_key_compares_as_empty,
                comparisons_see_what_was_there_before,
                a_scan_keeps_to_its_prefix_and_says_whether_there_is_more,
                a_scan_of_large_values_says_whether_there_is_more,
                a_place_with_a_zero_byte_is_refused,
                asking_for_omap_keys_gives_those_that_exist,
                a_range_is_removed_half_open,
                an_erasure_coded_pool_has_no_omap,
            }
            data::{
                bytes_are_read_back_as_far_as_the_object_goes,
                the_size_and_the_time_of_the_last_change_are_told,
                an_erasure_coded_pool_takes_bytes_at_its_alignment,
                sixty_four_mebibytes_are_written_at_once,
            }
            locks::{
                a_lock_is_one_process_s_until_it_gives_it_back,
                a_lock_expires_and_is_renewed,
                a_lock_makes_its_object,
            }
            watches::{
                a_notification_reaches_all_watchers_before_it_returns,
                a_watch_that_was_dropped_is_told_nothing,
                a_removed_object_breaks_its_watches,
                a_missing_object_is_neither_watched_nor_notified,
                a_watcher_that_waits_too_long_is_not_waited_for,
            }
            at_once::{
                one_of_many_changes_wins,
                operations_may_be_left_in_flight,
                a_read_sees_one_instant,
            }
        }
    };
    (@ $make:expr, $attributes:tt, $($group:ident::{$($name:ident,)*})*) => {
        $($(
            $crate::rados::contract::contract! { @@ $make, $attributes, $group, $name }
        )*)*
    };
    (@@ $make:expr, [$($attribute:meta),*], $group:ident, $name:ident) => {
        $(#[$attribute])*
        async fn $name() {
            $crate::rados::contract::$group::$name($make.await).await;
        }
    };
}
pub(crate) use contract;
