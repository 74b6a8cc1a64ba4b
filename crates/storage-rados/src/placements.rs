//! Which pools a scope uses: its id says so.
//!
//! The root object remembers every placement that was ever configured, by name and number, so that a gateway whose
//! configuration lacks one still finds its buckets.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use storage::Scope;

use crate::config::Placement;
use crate::rados::PoolId;

/// The pools of a placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pools {
    /// For blobs.
    pub(crate) data: PoolId,
    /// For index objects and maps.
    pub(crate) index: PoolId,
}

/// A placement as the root object remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Registered {
    /// Stands in the ids of scopes. The default placement of the first start is 0.
    pub(crate) number: u16,
    /// Where it keeps things.
    pub(crate) pools: Pools,
}

/// All placements.
#[derive(Debug)]
pub(crate) struct Placements {
    /// For scopes whose id says nothing: the system's, and those that were not minted here.
    root: Pools,
    /// What a bucket gets that names no placement.
    default: u16,
    by_number: HashMap<u16, Pools>,
    by_name: HashMap<String, u16>,
}

impl Placements {
    /// From what the root object remembers. `default` names the configured default, `offered` what buckets may ask for.
    pub(crate) fn new(registered: &HashMap<String, Registered>, default: &str, offered: &[Placement]) -> Option<Self> {
        let by_number: HashMap<_, _> = registered.values().map(|one| (one.number, one.pools)).collect();
        let number = |name: &str| registered.get(name).map(|one| one.number);
        let mut by_name = HashMap::new();
        for placement in offered {
            by_name.insert(placement.name.clone(), number(&placement.name)?);
        }
        Some(Self { root: *by_number.get(&0)?, default: number(default)?, by_number, by_name })
    }

    /// The pools of a scope; `None` when its id names a placement that nobody ever configured.
    pub(crate) fn pools(&self, scope: Scope) -> Option<Pools> {
        let id = scope.as_bytes();
        if id[..2] != MINTED {
            return Some(self.root);
        }
        self.by_number.get(&u16::from_be_bytes([id[2], id[3]])).copied()
    }

    /// The id of a new scope at a placement; `None` when buckets may not ask for it.
    pub(crate) fn mint(&self, placement: Option<&str>, random: [u8; 16]) -> Option<[u8; 16]> {
        let number = match placement {
            None => self.default,
            Some(name) => *self.by_name.get(name)?,
        };
        let mut id = random;
        id[..2].copy_from_slice(&MINTED);
        id[2..4].copy_from_slice(&number.to_be_bytes());
        Some(id)
    }

    /// The pools of the default placement of the first start, where the root object is.
    pub(crate) const fn root(&self) -> Pools {
        self.root
    }

    /// Every pool with index objects in it, once.
    pub(crate) fn index_pools(&self) -> Vec<PoolId> {
        let mut pools: Vec<_> = self.by_number.values().map(|pools| pools.index).collect();
        pools.sort_unstable();
        pools.dedup();
        pools
    }

    /// Every pool with blobs in it, once.
    pub(crate) fn data_pools(&self) -> Vec<PoolId> {
        let mut pools: Vec<_> = self.by_number.values().map(|pools| pools.data).collect();
        pools.sort_unstable();
        pools.dedup();
        pools
    }
}

impl Registered {
    /// number(2) data pool(4) index pool(4), big endian.
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(10);
        bytes.put_u16(self.number);
        bytes.put_u32(self.pools.data.0);
        bytes.put_u32(self.pools.index.0);
        bytes.freeze()
    }

    /// `None` for bytes that no placement has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 10] = bytes.try_into().ok()?;
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let pools = Pools { data: PoolId(word(2)), index: PoolId(word(6)) };
        Some(Self { number: u16::from_be_bytes([bytes[0], bytes[1]]), pools })
    }
}

/// What the id of a scope begins with when it names a placement.
const MINTED: [u8; 2] = [0xca, 0x90];

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(number: u16, pool: u32) -> Registered {
        Registered { number, pools: Pools { data: PoolId(pool), index: PoolId(pool + 1) } }
    }

    fn placements() -> Placements {
        let all = HashMap::from([
            ("default".to_owned(), registered(0, 10)),
            ("cou".to_owned(), registered(1, 20)),
            ("gone".to_owned(), registered(2, 30)),
        ]);
        let cou = Placement { name: "cou".into(), data_pool: "a".into(), index_pool: "b".into() };
        Placements::new(&all, "default", &[cou]).unwrap()
    }

    #[test]
    fn the_id_of_a_scope_names_its_pools() {
        let placements = placements();
        for (name, pool) in [(None, 10), (Some("cou"), 20)] {
            let id = placements.mint(name, [7; 16]).unwrap();
            assert_eq!(id[4..], [7; 12]);
            let pools = placements.pools(Scope::bucket(model::BucketId::from_bytes(id))).unwrap();
            assert_eq!(pools, registered(0, pool).pools);
        }
        assert_eq!(placements.pools(Scope::SYSTEM), Some(registered(0, 10).pools));
    }

    #[test]
    fn a_placement_that_is_no_longer_configured_keeps_its_buckets_and_gets_no_new_ones() {
        let placements = placements();
        assert_eq!(placements.mint(Some("gone"), [7; 16]), None);
        let mut id = [7; 16];
        id[..4].copy_from_slice(&[0xca, 0x90, 0, 2]);
        assert_eq!(placements.pools(Scope::bucket(model::BucketId::from_bytes(id))), Some(registered(2, 30).pools));
        id[3] = 9;
        assert_eq!(placements.pools(Scope::bucket(model::BucketId::from_bytes(id))), None);
    }

    #[test]
    fn what_is_remembered_is_read_back() {
        let one = registered(513, 70_000);
        assert_eq!(Registered::decode(&one.encode()), Some(one));
        assert_eq!(Registered::decode(b"short"), None);
    }
}
