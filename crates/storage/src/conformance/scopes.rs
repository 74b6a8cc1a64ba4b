//! Scopes that are retired.
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{TABLE, key, must_commit, partition, put, scope, value};
use crate::{Batch, CommitError, Metadata, Partition, RecordKey, RetireError, Table};

/// Records in one of the tables keep the scope open; records elsewhere do not matter.
pub async fn only_an_empty_scope_is_retired<S: Metadata>(store: &S) {
    let unlisted = RecordKey::new(Table(7), *b"");
    must_commit(store, &partition(b"\xff\xff"), put(key(b"\xff"), b"1")).await;
    must_commit(store, &partition(b"name"), put(unlisted.clone(), b"1")).await;
    must_commit(store, &Partition::new(scope(2), *b"name"), put(key(b""), b"1")).await;
    let tables = [Table(2), TABLE];
    assert!(matches!(store.retire(scope(1), &tables).await, Err(RetireError::NotEmpty(_))));
    must_commit(store, &partition(b"name"), put(key(b"still open"), b"1")).await;
    for (name, suffix) in [(&b"name"[..], &b"still open"[..]), (b"\xff\xff", b"\xff")] {
        assert!(matches!(store.retire(scope(1), &tables).await, Err(RetireError::NotEmpty(_))));
        must_commit(store, &partition(name), Batch { delete: vec![key(suffix)], ..Batch::default() }).await;
    }
    store.retire(scope(1), &tables).await.expect("nothing is left in its tables");
    store.retire(scope(1), &tables).await.expect("retiring again succeeds");
    must_commit(store, &Partition::new(scope(2), *b"name"), put(key(b""), b"the neighbour is open")).await;
}

/// What is left elsewhere can be deleted and read; nothing new comes in, and that is said before any conflict.
pub async fn a_retired_scope_takes_deletes_but_no_puts<S: Metadata>(store: &S) {
    let place = partition(b"name");
    let left = RecordKey::new(Table(7), *b"");
    must_commit(store, &place, put(left.clone(), b"left")).await;
    store.retire(scope(1), &[TABLE]).await.expect("the table is empty");
    let refused = store.commit(&place, put(key(b""), b"1")).await;
    assert!(matches!(refused, Err(CommitError::Retired(_))));
    let conflicting = crate::Precondition::Absent(left.clone());
    let refused = store.commit(&place, Batch { preconditions: vec![conflicting], ..put(key(b""), b"1") }).await;
    assert!(matches!(refused, Err(CommitError::Retired(_))));
    assert_eq!(value(store, &place, &left).await.expect("it is left"), "left");
    must_commit(store, &place, Batch { delete: vec![left.clone()], ..Batch::default() }).await;
    assert_eq!(value(store, &place, &left).await, None);
}

/// Puts that race with retiring either come first, and then the scope stays open, or are refused.
pub async fn a_racing_put_wins_or_is_told_that_the_scope_is_retired<S: Metadata>(store: Arc<S>) {
    for round in 10..30_u8 {
        let mut puts = JoinSet::new();
        for writer in 0..4_u8 {
            let store = Arc::clone(&store);
            puts.spawn(async move {
                let place = Partition::new(scope(round), [writer]);
                match store.commit(&place, put(key(b""), b"1")).await {
                    Ok(()) => true,
                    Err(CommitError::Retired(_)) => false,
                    Err(error) => panic!("neither put nor refused: {error}"),
                }
            });
        }
        let retired = match store.retire(scope(round), &[TABLE]).await {
            Ok(()) => true,
            Err(RetireError::NotEmpty(_)) => false,
            Err(error) => panic!("neither retired nor kept open: {error}"),
        };
        let put = puts.join_all().await;
        if retired {
            assert!(put.iter().all(|put| !put), "a put got into a retired scope");
        } else {
            assert!(put.iter().all(|put| *put), "a put was refused by an open scope");
        }
    }
}
