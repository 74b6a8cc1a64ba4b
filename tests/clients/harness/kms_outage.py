"""What a gateway owes its users while its KMS is away: the same for every KMS."""

import secrets

from harness.content import customer_key, sse_c
from harness.expect import refused


def kms(key_id, **more):
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id, **more}


class Outage:
    """Objects of every mode, written while all is well."""

    def __init__(self, server, s3):
        self.server, self.s3 = server, s3
        self.mark = secrets.token_bytes(48)
        self.warm, self.cold = (f"{name}-{secrets.token_hex(4)}" for name in ("warm", "cold"))
        for key_id in (self.warm, self.cold):
            server.command("kms", "create", key_id)
        s3.create_bucket(Bucket="outage")
        self._put("warm", **kms(self.warm))
        self._put("shared", **kms(self.warm, BucketKeyEnabled=True))
        self._put("cold", **kms(self.cold))
        self._put("s3")
        self._put("customer", **sse_c(customer_key("outage")))

    def restart_gateway(self):
        """Its cache is empty then, but for the key of one object."""
        assert self.server.stop() == 0
        self.server.start()
        self._get("warm")

    def survive(self, leave, come_back):
        """All of it, while the KMS is away by one call and comes back by another."""
        self.restart_gateway()
        leave()
        try:
            self.check_while_away()
        finally:
            come_back()
        self.check_after()

    def check_while_away(self):
        """Reads of cached keys go on; what needs the KMS is a 503 and leaves nothing behind; other modes do not care."""
        self._get("warm")
        self._get("s3")
        self._get("customer", **sse_c(customer_key("outage")))
        self._put("s3-meanwhile")
        self._is_busy(self._get, "cold")
        before = {item["Key"] for item in self.s3.list_objects_v2(Bucket="outage")["Contents"]}
        for name, mode in (("new", kms(self.warm)), ("newer", kms(self.cold, BucketKeyEnabled=True))):
            self._is_busy(self._put, name, **mode)
        self._is_busy(self.s3.create_multipart_upload, Bucket="outage", Key="upload", **kms(self.cold))
        after = {item["Key"] for item in self.s3.list_objects_v2(Bucket="outage")["Contents"]}
        assert before == after
        assert not any(self.mark in stored for _, stored in self.server.at_rest())

    def check_after(self):
        """All of it works again without a restart."""
        for name in ("warm", "shared", "cold", "s3", "s3-meanwhile"):
            self._get(name)
        self._put("new", **kms(self.cold))
        self._get("new")
        assert not any(self.mark in stored for _, stored in self.server.at_rest())

    def _put(self, name, **mode):
        return self.s3.put_object(Bucket="outage", Key=name, Body=self.mark + name.encode(), **mode)

    def _get(self, name, **mode):
        assert self.s3.get_object(Bucket="outage", Key=name, **mode)["Body"].read() == self.mark + name.encode()

    def _is_busy(self, call, *arguments, **more):
        refused(lambda: call(*arguments, **more), 503, "SlowDown")
