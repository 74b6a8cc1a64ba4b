//! The root object: the format of everything, and the placements that were ever configured.

use std::collections::HashMap;

use bytes::Bytes;
use storage::Error;

use crate::config::{Config, Placement};
use crate::connect_error::ConnectError;
use crate::map::no_answer;
use crate::names::{self, ROOT_OBJECT};
use crate::placements::{Placements, Pools, Registered};
use crate::rados::{PoolId, Rados, RadosError, ReadAnswer, ReadStep, WriteStep};

/// Finds out the pools, makes the root object if the store is new, and enters new placements.
///
/// # Errors
/// [`ConnectError`] says what stands in the way.
pub(crate) async fn open(rados: &dyn Rados, config: &Config) -> Result<Placements, ConnectError> {
    let configured = pools_of(rados, &config.default_placement).await?;
    for _ in 0..ATTEMPTS {
        let Some(mut root) = read(rados, configured.index).await? else {
            refuse_erasure_coded(rados, configured.index, &config.default_placement.index_pool).await?;
            create(rados, &config.default_placement, configured).await?;
            continue;
        };
        let mut offered = vec![config.default_placement.clone()];
        offered.extend(config.placements.iter().cloned());
        let mut is_new = false;
        for placement in &offered {
            let pools = pools_of(rados, placement).await?;
            if root.enter(placement, pools)? {
                refuse_erasure_coded(rados, pools.index, &placement.index_pool).await?;
                is_new = true;
            }
        }
        if !is_new || root.write(rados, configured.index).await? {
            let placements = Placements::new(&root.registered, &config.default_placement.name, &offered);
            return placements.ok_or_else(|| Error::Damaged("the root object lacks its first placement".into()).into());
        }
    }
    Err(Error::Unavailable("other gateways keep changing the placements".into()).into())
}

async fn pools_of(rados: &dyn Rados, placement: &Placement) -> Result<Pools, ConnectError> {
    let pool = async |name: &str| match rados.pool(name).await {
        Ok(pool) => Ok(pool),
        Err(RadosError::NotFound) => Err(ConnectError::NoSuchPool(name.to_owned())),
        Err(error) => Err(Error::from(error).into()),
    };
    Ok(Pools { data: pool(&placement.data_pool).await?, index: pool(&placement.index_pool).await? })
}

/// An omap needs a replicated pool. The object that finds out is removed again. It is asked once, when the pool is entered: a
/// gateway has to start on a cluster that is full, too.
async fn refuse_erasure_coded(rados: &dyn Rados, pool: PoolId, name: &str) -> Result<(), ConnectError> {
    let set = WriteStep::SetOmap(vec![(vec![b'p'], names::value(b""))]);
    match rados.write(pool, PROBE_OBJECT, vec![set]).await {
        Ok(()) => match rados.write(pool, PROBE_OBJECT, vec![WriteStep::Remove]).await {
            Ok(()) | Err(RadosError::NotFound) => Ok(()),
            Err(error) => Err(Error::from(error).into()),
        },
        Err(RadosError::Unsupported) => Err(ConnectError::IndexPoolErasureCoded(name.to_owned())),
        Err(error) => Err(Error::from(error).into()),
    }
}

async fn create(rados: &dyn Rados, placement: &Placement, pools: Pools) -> Result<(), ConnectError> {
    let first = Registered { number: 0, pools };
    let steps = vec![
        WriteStep::CreateExclusive,
        WriteStep::SetXattr(FORMAT, Bytes::from_static(&[FORMAT_VERSION])),
        WriteStep::SetOmap(vec![(placement_key(&placement.name), names::value(&first.encode()))]),
    ];
    match rados.write(pools.index, ROOT_OBJECT, steps).await {
        Ok(()) | Err(RadosError::Exists) => Ok(()),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// What the root object says.
struct Root {
    registered: HashMap<String, Registered>,
    /// Entries that were added since it was read.
    added: Vec<(Vec<u8>, Bytes)>,
    /// Where the next placement's number was when it was read.
    next: u16,
}

async fn read(rados: &dyn Rados, pool: PoolId) -> Result<Option<Root>, ConnectError> {
    let scan = ReadStep::OmapScan { after: PLACEMENT.to_vec(), prefix: PLACEMENT.to_vec(), limit: 1000 };
    let answers = match rados.read(pool, ROOT_OBJECT, vec![ReadStep::Xattrs, scan]).await {
        Ok(answers) => answers,
        Err(RadosError::NotFound) => return Ok(None),
        Err(error) => return Err(Error::from(error).into()),
    };
    let mut answers = answers.into_iter();
    let (Some(ReadAnswer::Xattrs(xattrs)), Some(ReadAnswer::Omap { entries, .. })) = (answers.next(), answers.next())
    else {
        return Err(no_answer().into());
    };
    let format = xattrs.iter().find(|(name, _)| name == FORMAT).map_or(&b""[..], |(_, value)| value);
    if format != [FORMAT_VERSION] {
        return Err(ConnectError::Format(format.first().copied().unwrap_or_default()));
    }
    let parse = |(omap_key, value): (Vec<u8>, Bytes)| {
        let name = String::from_utf8(omap_key.strip_prefix(PLACEMENT)?.to_vec()).ok()?;
        Some((name, Registered::decode(&names::open_value(&value)?)?))
    };
    let registered: Option<HashMap<_, _>> = entries.into_iter().map(parse).collect();
    let registered = registered.ok_or_else(|| Error::Damaged("a placement in the root object".into()))?;
    let next = registered.values().map(|one| one.number).max().map_or(0, |number| number.saturating_add(1));
    Ok(Some(Root { registered, added: Vec::new(), next }))
}

impl Root {
    /// Whether the placement is new here.
    fn enter(&mut self, placement: &Placement, pools: Pools) -> Result<bool, ConnectError> {
        match self.registered.get(&placement.name) {
            Some(known) if known.pools == pools => Ok(false),
            Some(_) => Err(ConnectError::OtherPools(placement.name.clone())),
            None => {
                let added = u16::try_from(self.added.len()).unwrap_or(u16::MAX);
                let one = Registered { number: self.next.saturating_add(added), pools };
                self.added.push((placement_key(&placement.name), names::value(&one.encode())));
                self.registered.insert(placement.name.clone(), one);
                Ok(true)
            }
        }
    }

    /// Enters what was added, unless another gateway entered something first.
    async fn write(&self, rados: &dyn Rados, pool: PoolId) -> Result<bool, ConnectError> {
        let counted = if self.next == FIRST_NUMBER { Bytes::new() } else { names::value(&self.next.to_be_bytes()) };
        let added = u16::try_from(self.added.len()).unwrap_or(u16::MAX);
        let next = names::value(&self.next.saturating_add(added).to_be_bytes());
        let mut entries = self.added.clone();
        entries.push((COUNT.to_vec(), next));
        let steps = vec![WriteStep::CompareOmap(COUNT.to_vec(), counted), WriteStep::SetOmap(entries)];
        match rados.write(pool, ROOT_OBJECT, steps).await {
            Ok(()) => Ok(true),
            Err(RadosError::Mismatch) => Ok(false),
            Err(error) => Err(Error::from(error).into()),
        }
    }
}

fn placement_key(name: &str) -> Vec<u8> {
    [PLACEMENT, name.as_bytes()].concat()
}

/// Says in how many tries other gateways may come first.
const ATTEMPTS: u32 = 20;
const FORMAT: &str = "format";
const FORMAT_VERSION: u8 = 1;
/// Before the name of a placement in the omap of the root object.
const PLACEMENT: &[u8] = b"p.";
/// The entry with the number of the next placement, once there was a second one.
const COUNT: &[u8] = b"n";
/// The number after that of the first placement.
const FIRST_NUMBER: u16 = 1;
const PROBE_OBJECT: &str = "probe";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, PoolKind};

    #[tokio::test]
    async fn a_gateway_starts_on_a_cluster_that_is_full() {
        let model = Model::with_pools(1);
        let config = Config::new("unused", "canopic-data", "canopic-index");
        let first = open(model.gateway().as_ref(), &config).await.unwrap();
        model.set_full(first.root().index, true);
        model.set_full(first.root().data, true);
        let second = open(model.gateway().as_ref(), &config).await.unwrap();
        assert_eq!(second.root(), first.root());
    }

    #[tokio::test]
    async fn an_erasure_coded_pool_is_refused_as_an_index_of_the_first_placement_and_of_a_later_one() {
        let model = Model::with_pools(1);
        model.create_pool("coded", PoolKind::ErasureCoded { alignment: 4096 });
        let gateway = model.gateway();
        let refused = async |config: &Config| open(gateway.as_ref(), config).await.unwrap_err();
        let error = refused(&Config::new("unused", "canopic-data", "coded")).await;
        assert!(matches!(&error, ConnectError::IndexPoolErasureCoded(name) if name == "coded"), "{error}");
        let placement =
            Placement { name: "cou".to_owned(), data_pool: "coded".to_owned(), index_pool: "coded".to_owned() };
        let config = Config { placements: vec![placement], ..Config::new("unused", "coded", "canopic-index") };
        assert!(matches!(refused(&config).await, ConnectError::IndexPoolErasureCoded(_)));
        let without = Config { placements: Vec::new(), ..config };
        assert_eq!(open(gateway.as_ref(), &without).await.unwrap().index_pools().len(), 1, "it was not entered");
    }
}
