//! Thousands of random operations, each compared with a model that is as simple as a map.

use std::collections::BTreeMap;

use model::RangeSpec;
use operations::{
    CannedAcl, CopyObject, CopySource, GetObject, ListObjects, MetadataDirective, ReadError, WriteConditions,
};
use policy::Action;

use crate::multipart::upload_object;
use crate::support::{KeySeed, Random, Site, encryption, pattern, with_seed};

const OBJECTS: [&str; 6] = ["a", "b", "b/c", "b/d", "é", "f"];
const SEEDS: [KeySeed; 3] = [None, Some(1), Some(2)];

struct Model {
    site: Site,
    random: Random,
    objects: BTreeMap<&'static str, (Vec<u8>, KeySeed)>,
}

impl Model {
    fn object(&mut self) -> &'static str {
        OBJECTS[self.random.below(OBJECTS.len())]
    }

    fn seed(&mut self) -> KeySeed {
        *self.random.pick(&SEEDS)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let size = match self.random.below(4) {
            0 => self.random.below(10),
            1 => 4_090 + self.random.below(12),
            2 => 65_530 + self.random.below(12),
            _ => self.random.below(200_000),
        };
        pattern(size, self.random.next())
    }

    async fn put(&mut self) {
        let (object, bytes, seed) = (self.object(), self.bytes(), self.seed());
        if self.random.chance(3) {
            upload_object(&self.site, object, std::slice::from_ref(&bytes), seed).await;
        } else {
            self.site.put(object, &bytes, seed).await.unwrap();
        }
        self.objects.insert(object, (bytes, seed));
    }

    async fn get(&mut self) {
        let (object, seed) = (self.object(), self.seed());
        let first = self.random.below(100_000) as u64;
        let last = first + self.random.below(100_000) as u64;
        let range = self.random.chance(2).then_some(RangeSpec::Bounded { first, last });
        let got = self.site.get_with(object, GetObject { range, ..with_seed(seed) }).await;
        let Some((bytes, right)) = self.objects.get(object) else {
            assert!(matches!(got, Err(ReadError::NoSuchKey(_))));
            return;
        };
        match (got, seed, right) {
            (Ok(got), ..) => {
                let end = usize::try_from(last + 1).unwrap().min(bytes.len());
                let expected = if range.is_some() { &bytes[first as usize..end] } else { &bytes[..] };
                assert!(seed == *right && got == expected, "{object} {range:?}");
            }
            (Err(ReadError::Range(_)), ..) => assert!(seed == *right && first >= bytes.len() as u64),
            (Err(ReadError::KeyRequired(_)), None, Some(_)) | (Err(ReadError::KeyNotApplicable(_)), Some(_), None) => {}
            (Err(ReadError::WrongKey(_)), Some(sent), Some(right)) => assert_ne!(sent, *right),
            (Err(error), ..) => panic!("{object}: {error}"),
        }
    }

    async fn delete(&mut self) {
        let object = self.object();
        self.site.delete(object).await;
        self.objects.remove(object);
    }

    async fn copy(&mut self) {
        let (source, target, seed) = (self.object(), self.object(), self.seed());
        let Some((bytes, from)) = self.objects.get(source).cloned() else { return };
        let from_grant = self.site.grant(Action::GetObject, source).await;
        let granted = self.site.grant(Action::PutObject, target).await;
        let copy = CopyObject {
            metadata: MetadataDirective::Copy,
            acl: CannedAcl::Private,
            encryption: encryption(seed),
            changes_something: true,
            conditions: WriteConditions::default(),
            checksum: None,
        };
        let source = CopySource { granted: &from_grant, get: with_seed(from) };
        self.site.operations.objects.copy_object(&granted, source, copy).await.unwrap();
        self.objects.insert(target, (bytes, seed));
    }

    async fn list(&mut self) {
        let granted = self.site.bucket_grant(Action::ListBucket).await;
        let list = ListObjects { limit: 100, ..ListObjects::default() };
        let page = self.site.operations.objects.list_objects(&granted, &list).await.unwrap();
        let got: Vec<_> = page.objects.iter().map(|object| (object.object.as_str(), object.size)).collect();
        let expected: Vec<_> = self.objects.iter().map(|(object, (bytes, _))| (*object, bytes.len() as u64)).collect();
        assert_eq!(got, expected);
    }

    /// As many blobs as objects need: whatever was replaced or deleted is gone.
    async fn count(&self) {
        let mut blobs = 0;
        for (object, (bytes, seed)) in &self.objects {
            let parts = self.site.head(object, *seed).await.unwrap().parts;
            blobs += usize::from(parts.is_some() || bytes.len() > 4096);
        }
        assert_eq!(self.site.store.blob_count(), blobs);
        assert!(self.site.store.record_count() <= 1 + 2 * self.objects.len());
    }
}

#[tokio::test]
async fn random_operations_agree_with_a_map() {
    let mut model = Model { site: Site::new().await, random: Random::new(3), objects: BTreeMap::new() };
    for _ in 0..4_000 {
        match model.random.below(10) {
            0..3 => model.put().await,
            3..7 => model.get().await,
            7 => model.delete().await,
            8 => model.copy().await,
            _ => model.list().await,
        }
        model.count().await;
    }
}
