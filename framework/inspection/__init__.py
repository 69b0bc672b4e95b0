"""Facts about an application, as data: commands, integrations and pages show it."""
