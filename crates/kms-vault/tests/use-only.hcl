# What a gateway needs that uses keys and does not manage them.
path "teams/storage/encrypt/*" {
  capabilities = ["update"]
}
path "teams/storage/decrypt/*" {
  capabilities = ["update"]
}
path "teams/storage/keys/*" {
  capabilities = ["read"]
}
