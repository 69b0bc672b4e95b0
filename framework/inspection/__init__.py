"""What is to be known of an application, as data: commands, integrations and pages show it."""
