//! What a completion is held to.

use crate::support::{Site, Who};

#[tokio::test]
async fn what_a_completion_cannot_check_it_refuses() {
    let site = Site::new().await;
    let list =
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>";
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &[], "").await;
    let complete = format!("/bucket/parts?uploadId={}", begun.element("UploadId"));
    for (name, value) in [("x-amz-mp-object-size", "1"), ("x-amz-checksum-type", "COMPOSITE")] {
        let answer = site.send(Who::Owner, "POST", &complete, &[(name, value)], list).await;
        assert_eq!(answer.error(), (501, "NotImplemented"), "{name}");
    }
}
