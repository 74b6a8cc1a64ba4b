"""What a refusal must look like."""

import botocore.exceptions
import pytest


def refused(call, status, code):
    """boto3 must report this status and code; a HEAD has no body, so its code is the status."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call()
    answer = refusal.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code), answer
    return answer


def is_error(response, status, code):
    """A raw answer must be this S3 error, with everything that AWS puts into one."""
    assert (response.status, response.code) == (status, code), (response.status, response.body[:500])
    assert response.message, "an error without a message"
    assert response.request_id and response.request_id.encode() in response.body, "an error without its request id"
    return response
