"""What applications keep in code: one `{app}.yml` each, found by the application's name."""
