//! What a completion is held to.

use crate::support::{Site, Who};

#[tokio::test]
async fn a_completion_is_held_to_the_size_and_the_checksum_type_that_it_names() {
    let site = Site::new().await;
    let begun = site.send(Who::Owner, "POST", "/bucket/parts?uploads", &[], "").await;
    let upload = begun.element("UploadId");
    let part = format!("/bucket/parts?partNumber=1&uploadId={upload}");
    assert_eq!(site.send(Who::Owner, "PUT", &part, &[], "part").await.status, 200);
    // The MD5 of the part.
    let etag = "f4c9385f1902f7334b00b9b4ecd164de";
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = format!("/bucket/parts?uploadId={upload}");
    for (name, value) in [
        ("x-amz-mp-object-size", "5"),
        ("x-amz-mp-object-size", "-1"),
        ("x-amz-checksum-type", "COMPOSITE"),
        ("x-amz-checksum-type", "PARTIAL"),
    ] {
        let answer = site.send(Who::Owner, "POST", &complete, &[(name, value)], &list).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{name}: {value}");
    }
    let answer = site.send(Who::Owner, "POST", &complete, &[("x-amz-mp-object-size", "4")], &list).await;
    assert_eq!(answer.status, 200);
}
