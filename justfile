# Short names for what ./check does; CI calls ./check itself.

# Everything that CI runs.
check:
    ./check

# One step: fmt, clippy, deny, tidy, test, doc, vectors, clients, ceph.
step name:
    ./check --only {{name}}

# On a little Ceph cluster too.
ceph:
    ./check --only ceph

# The long campaigns too.
slow:
    ./check --slow

# A server on ./canopic-data.
serve *arguments:
    cargo run --release -- serve {{arguments}}

format:
    cargo fmt --all
