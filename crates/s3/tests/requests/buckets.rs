//! What a bucket is made with, and what it says of itself.

use crate::support::{Answer, Site, Who};

async fn create(site: &Site, bucket: &str, configuration: &str) -> Answer {
    let document = format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{configuration}\
         </CreateBucketConfiguration>"
    );
    site.send(Who::Owner, "PUT", bucket, &[], document).await
}

#[tokio::test]
async fn a_location_is_kept_as_it_was_named() {
    let site = Site::new().await;
    for (index, location) in ["us-west-2", "EU", ":organisation", "default:ssd"].into_iter().enumerate() {
        let bucket = format!("/bucket-{index}");
        let made = create(&site, &bucket, &format!("<LocationConstraint>{location}</LocationConstraint>")).await;
        assert_eq!(made.status, 200, "{made:?}");
        let told = site.send(Who::Owner, "GET", &format!("{bucket}?location"), &[], "").await;
        assert!(told.text.contains(&format!(">{location}</LocationConstraint>")), "{told:?}");
    }
}

#[tokio::test]
async fn a_location_that_is_none_makes_no_bucket() {
    let site = Site::new().await;
    for location in ["a b".to_owned(), "US".to_owned(), "x".repeat(65), "x".repeat(10_000)] {
        let refused = create(&site, "/fresh", &format!("<LocationConstraint>{location}</LocationConstraint>")).await;
        assert_eq!(refused.error(), (400, "InvalidLocationConstraint"));
        assert_eq!(refused.element("Message"), "The specified location-constraint is not valid");
    }
    assert_eq!(site.send(Who::Owner, "HEAD", "/fresh", &[], "").await.status, 404);
}

#[tokio::test]
async fn directory_buckets_are_not_made_as_others() {
    let site = Site::new().await;
    for configuration in [
        "<Bucket><DataRedundancy>SingleAvailabilityZone</DataRedundancy><Type>Directory</Type></Bucket>",
        "<Location><Name>usw2-az1</Name><Type>AvailabilityZone</Type></Location>",
    ] {
        assert_eq!(create(&site, "/fresh", configuration).await.error(), (501, "NotImplemented"));
    }
    assert_eq!(site.send(Who::Owner, "HEAD", "/fresh", &[], "").await.status, 404);
}

#[tokio::test]
async fn versioning_was_never_enabled() {
    let site = Site::new().await;
    let answer = site.send(Who::Owner, "GET", "/bucket?versioning", &[], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("VersioningConfiguration") && !answer.text.contains("Status"), "{answer:?}");
    assert_eq!(site.send(Who::Other, "GET", "/bucket?versioning", &[], "").await.error(), (403, "AccessDenied"));
    assert_eq!(site.send(Who::Owner, "GET", "/none?versioning", &[], "").await.error(), (404, "NoSuchBucket"));
}
