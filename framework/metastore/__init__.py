"""The metastore: the database that holds connections, variables and config secrets."""
