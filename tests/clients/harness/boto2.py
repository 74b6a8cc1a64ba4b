"""boto 2.49, unmodified, on any Python.

It is from 2018. Python 3.12 dropped two things that it leans on: the loader behind its vendored `six`, and the module
`imp` (which it imports for plugins that nobody here has). Both are put in place before it is imported.
"""

import sys
import types


def load():
    """The package `boto` with its S3 parts."""
    if sys.version_info >= (3, 12) and "boto" not in sys.modules:
        import six
        import six.moves

        for name, module in list(sys.modules.items()):
            if name == "six" or name.startswith("six.moves"):
                sys.modules[f"boto.vendored.{name}"] = module
        for name in ("http_client", "urllib", "urllib.parse", "urllib.request", "queue", "configparser", "cPickle"):
            sys.modules[f"boto.vendored.six.moves.{name}"] = _moved(six.moves, name)
        sys.modules.setdefault("imp", types.ModuleType("imp"))
    import boto
    import boto.exception
    import boto.s3.connection

    return boto


def _moved(moves, name):
    found = moves
    for part in name.split("."):
        found = getattr(found, part)
    return found


def connect(host, port, access_key, secret_key):
    """The connection, with the arguments that the guide gives."""
    boto = load()
    return boto.connect_s3(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        host=host,
        is_secure=True,
        port=port,
        calling_format=boto.s3.connection.OrdinaryCallingFormat(),
    )
